#!/bin/sh
# hostname(1) of a sample host.
case ${1:-} in
    '' | -s | --short) echo "$QD_HOST" ;;
    -f | --fqdn) echo "$QD_HOST.demo" ;;
    *) echo "hostname: a sample host knows -s and -f only" >&2; exit 1 ;;
esac
