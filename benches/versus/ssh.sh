#!/usr/bin/env bash
# Side by side with OpenSSH, on loopback, in one run: medians and ratios. Numbers without the peer beside them mean nothing.
#
#   benches/versus/ssh.sh [ROUNDS]      ROUNDS defaults to 15; QD names the program, target/release/qd by default
#
# Starts an sshd of its own with its own keys on a free port; touches nothing of the account. Needs OpenSSH's server and client,
# awk and a release build. Pairs are interleaved, so that a busy machine is busy for both.

set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1:-15}
qd=${QD:-target/release/qd}
[ -x "$qd" ] || { echo "versus: $qd is not there; run: cargo build --release" >&2; exit 2; }
PATH=$PATH:/usr/sbin
sshd=$(command -v sshd) || { echo "versus: sshd is not installed" >&2; exit 2; }
qd=$(realpath "$qd")

work=$(mktemp -d)
home=$work/home
daemon=
finish() {
    ssh -F "$work/config" -S "$work/control" -O exit peer 2>/dev/null || true
    "$qd" --home "$home" server stop --yes >/dev/null 2>&1 || true
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
unset SSH_AUTH_SOCK

ssh-keygen -q -t ed25519 -N '' -f "$work/host"
ssh-keygen -q -t ed25519 -N '' -f "$work/id"
mkdir -p /run/sshd 2>/dev/null || true
serve() {
    cat >"$work/sshd_config" <<EOF
Port $1
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/id.pub
PidFile none
UsePAM no
StrictModes no
SetEnv HOME=$work
MaxSessions 200
MaxStartups 200
Subsystem sftp internal-sftp
EOF
    "$sshd" -D -f "$work/sshd_config" 2>"$work/sshd.log" &
    daemon=$!
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        kill -0 "$daemon" 2>/dev/null || return 1
        read -r -t 0.02 <> <(:) || true
    done
    return 1
}
for _ in $(seq 20); do
    port=$((20000 + RANDOM % 40000))
    if serve "$port"; then break; fi
    daemon=
done
[ -n "$daemon" ] || { cat "$work/sshd.log" >&2; exit 1; }
echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$work/host.pub")" >"$work/known_hosts"
cat >"$work/config" <<EOF
Host peer
  HostName 127.0.0.1
  Port $port
  User $(id -un)
  IdentityFile $work/id
  IdentitiesOnly yes
  UserKnownHostsFile $work/known_hosts
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
EOF
ssh=(ssh -F "$work/config")
same=("${ssh[@]}" -o KexAlgorithms=curve25519-sha256)
qd=("$qd" --home "$home")
"${qd[@]}" host import --from ssh-config "$work/config" >/dev/null

# Milliseconds that a command takes, to a tenth.
took() {
    local begin=$EPOCHREALTIME
    "$@" >/dev/null </dev/null
    awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (b - a) * 1000 }'
}
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# versus NAME UNIT OURS THEIRS: the two functions, in turn.
versus() {
    local name=$1 ours=$2 theirs=$3 n=${4:-$rounds} i
    : >"$work/a"; : >"$work/b"
    "$ours" >/dev/null; "$theirs" >/dev/null
    for i in $(seq "$n"); do
        if [ $((i % 2)) -eq 0 ]; then
            took "$ours" >>"$work/a"; took "$theirs" >>"$work/b"
        else
            took "$theirs" >>"$work/b"; took "$ours" >>"$work/a"
        fi
    done
    awk -v name="$name" -v a="$(median "$work/a")" -v b="$(median "$work/b")" \
        'BEGIN { printf "%-58s %9.1f ms %9.1f ms   x%.2f\n", name, a, b, b / a }'
}

printf '%-58s %12s %12s   %s\n' "what (median of $rounds)" qd peer "peer / qd"

alone() { "${qd[@]}" ssh peer -- true; }
ssh_default() { "${ssh[@]}" peer true; }
ssh_same() { "${same[@]}" peer true; }
versus 'connect + true; ssh with its default key exchange' alone ssh_default
versus 'connect + true; ssh with curve25519, as qd uses here' alone ssh_same

# What others already have open.
"${qd[@]}" server start
"${qd[@]}" ssh peer -- true
"${ssh[@]}" -M -S "$work/control" -f -N peer
shared=("${ssh[@]}" -S "$work/control")
ride() { "${qd[@]}" ssh peer -- true; }
mux() { "${shared[@]}" peer true; }
versus 'true over a connection that is open; ssh -S' ride mux
many() {
    local pids=()
    for _ in $(seq 50); do
        "$@" </dev/null &
        pids+=($!)
    done
    wait "${pids[@]}"
}
ride50() { many ride; }
mux50() { many mux; }
versus '50 clients at once over one connection; ssh -S' ride50 mux50 5

head -c 268435456 /dev/urandom >"$work/big"
down_qd() { "${qd[@]}" ssh peer -- cat "$work/big"; }
down_ssh() { "${ssh[@]}" peer cat "$work/big"; }
versus '256 MB down through a command; ssh' down_qd down_ssh 5
up_qd() { "${qd[@]}" ssh peer -- 'cat >/dev/null' <"$work/big"; }
up_ssh() { "${ssh[@]}" peer 'cat >/dev/null' <"$work/big"; }
up() { local begin=$EPOCHREALTIME; "$@"; awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f\n", (b - a) * 1000 }'; }
: >"$work/a"; : >"$work/b"
for _ in 1 2 3 4 5; do up up_qd >>"$work/a"; up up_ssh >>"$work/b"; done
awk -v a="$(median "$work/a")" -v b="$(median "$work/b")" \
    'BEGIN { printf "%-58s %9.1f ms %9.1f ms   x%.2f\n", "256 MB up through a command; ssh", a, b, b / a }'
get_qd() { "${qd[@]}" cp -q "peer:$work/big" "$work/got"; }
get_scp() { scp -q -F "$work/config" "peer:$work/big" "$work/got"; }
get_sftp() { sftp -q -F "$work/config" "peer:$work/big" "$work/got"; }
put_qd() { "${qd[@]}" cp -q "$work/big" "peer:$work/put"; }
put_scp() { scp -q -F "$work/config" "$work/big" "peer:$work/put"; }
versus '256 MB copied here; scp' get_qd get_scp 5
versus '256 MB copied here; sftp' get_qd get_sftp 5
versus '256 MB copied there; scp' put_qd put_scp 5

# Memory of what is idle: a process for each connection against one app with all of them.
"${qd[@]}" server stop --yes >/dev/null
names=$(seq -f 'n%g' 50)
for name in $names; do
    # Different users of one address would be one place; different aliases of the host key are not.
    printf 'Host %s\n  HostKeyAlias peer-%s\n' "$name" "$name"
    sed 's/^Host peer$//' "$work/config"
done >"$work/many"
sed "s/^\[127.0.0.1\]:$port/*/" "$work/known_hosts" >"$work/known_any"
sed -i "s|$work/known_hosts|$work/known_any|" "$work/many"
"${qd[@]}" host import --from ssh-config "$work/many" >/dev/null
"${qd[@]}" server start
pid=$("${qd[@]}" server status --json | sed 's/.*"pid":\([0-9]*\).*/\1/')
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
before=$(pss "$pid")
# One after the other by name: a fan-out would notice that they are one place.
for name in $names; do "${qd[@]}" ssh "$name" -- true; done
after=$(pss "$pid")
"${ssh[@]}" -N peer & idle=$!
"${ssh[@]}" peer true
peer=$(pss "$idle")
kill "$idle"; wait "$idle" 2>/dev/null || true
awk -v a="$(((after - before)))" -v b="$peer" \
    'BEGIN { a /= 50; printf "%-58s %9.0f kB %9.0f kB   x%.1f\n", "memory of an idle connection, of 50; an ssh process (PSS)", a, b, b / a }'
