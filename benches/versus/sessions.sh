#!/usr/bin/env bash
# Sessions side by side with tmux and ssh, through real terminals, on loopback, in one run. Numbers without the peer beside them
# mean nothing.
#
#   benches/versus/sessions.sh [WHAT]   crowd, flood, thin_window, thin_host or typing; all of them without
#
# QD names the program, target/release/qd by default. QD_SESSIONS (100), QD_KEYS (200) and QD_MEGABYTES (200) say how much.
# The measuring itself is in tests/sessions/benches.rs; sshd, tmux and all files are its own, in temporary folders.

set -euo pipefail
cd "$(dirname "$0")/../.."
exec </dev/null

QD=$(realpath "${QD:-target/release/qd}")
[ -x "$QD" ] || { echo "versus: $QD is not there; run: cargo build --release" >&2; exit 2; }
export QD
PATH=$PATH:/usr/sbin
command -v tmux sshd >/dev/null || { echo "versus: tmux and sshd are needed" >&2; exit 2; }
if [ "$(id -u)" -eq 0 ]; then mkdir -p /run/sshd; fi
unset SSH_AUTH_SOCK TMUX

printf '%-64s %14s %14s   %s\n' 'what' qd peer 'peer / qd'
status=0
for what in ${1:-crowd flood thin_window thin_host typing}; do
    # The harness speaks as well; rows of the table are the lines with a ratio.
    cargo test --quiet --test all "sessions::benches::$what" -- --exact --ignored --nocapture 2>&1 |
        { grep -E 'x[0-9]+\.[0-9]+$|panicked|waited in vain|Error' || true; } || status=1
done
exit "$status"
