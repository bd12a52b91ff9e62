#!/bin/sh
# ps(1) of a sample host: always all processes, with the same columns. Its numbers are above every real process number,
# so nothing on this machine can be hit by mistake.
printf '%8s %-10s %5s %5s %s\n' PID USER %CPU %MEM COMMAND
show() {
    while read -r pid user cpu memory command; do
        printf '%8s %-10s %5s %5s %s\n' "$pid" "$user" "$cpu" "$memory" "$command"
    done <"$1"
}
show "$QD_ROOT/etc/processes"
if [ -e "$QD_ROOT/run/ill" ] && [ -e "$QD_ROOT/etc/processes.ill" ]; then
    show "$QD_ROOT/etc/processes.ill"
fi
