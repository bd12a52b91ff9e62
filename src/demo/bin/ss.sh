#!/bin/sh
# ss(8) of a sample host: its listening sockets, whatever is asked.
printf '%-6s %-7s %-22s %s\n' Netid State 'Local Address:Port' Process
while read -r kind address process; do
    printf '%-6s %-7s %-22s %s\n' "$kind" LISTEN "$address" "$process"
done <"$QD_ROOT/etc/sockets"
