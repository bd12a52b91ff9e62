#!/bin/sh
# sudo(8) of a sample host: nobody becomes root there, the command simply runs.
while [ $# -gt 0 ]; do
    case $1 in
        --) shift; break ;;
        -u | -g | -C | -p) shift; if [ $# -gt 0 ]; then shift; fi ;;
        -v | -k | -K) exit 0 ;;
        -*) shift ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || exit 0
exec "$@"
