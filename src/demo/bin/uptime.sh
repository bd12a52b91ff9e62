#!/bin/sh
# uptime(1) of a sample host.
read -r up _ <"$QD_PROC/uptime"
read -r one five fifteen _ <"$QD_PROC/loadavg"
up=${up%.*}
printf ' %s up %d days, %2d:%02d,  1 user,  load average: %s, %s, %s\n' "$(date +%T)" \
    $((up / 86400)) $((up / 3600 % 24)) $((up / 60 % 60)) "$one" "$five" "$fifteen"
