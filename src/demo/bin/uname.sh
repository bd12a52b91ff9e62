#!/bin/sh
# uname(1) of a sample host: its own node name and kernel, this machine's processor.
kernel=$(cat "$QD_ROOT/etc/kernel")
machine=$(command -p uname -m)
[ $# -gt 0 ] || set -- -s
out=
for option; do
    case $option in -*) ;; *) echo "uname: extra operand '$option'" >&2; exit 1 ;; esac
    letters=${option#-}
    while [ -n "$letters" ]; do
        rest=${letters#?}
        case ${letters%"$rest"} in
            a) out="$out Linux $QD_HOST $kernel #1 SMP $machine GNU/Linux" ;;
            s) out="$out Linux" ;;
            n) out="$out $QD_HOST" ;;
            r) out="$out $kernel" ;;
            v) out="$out #1 SMP" ;;
            m | p) out="$out $machine" ;;
            o) out="$out GNU/Linux" ;;
            *) echo "uname: invalid option in '$option'" >&2; exit 1 ;;
        esac
        letters=$rest
    done
done
echo "${out# }"
