#!/bin/sh
# systemctl(1) of a sample host: services are files below run/services, so that a restart really changes something.
verb=
unit=
quiet=
failed=
for word; do
    case $word in
        --failed | --state=failed) failed=1 ;;
        -q | --quiet) quiet=1 ;;
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; elif [ -z "$unit" ]; then unit=${word%.service}; fi ;;
    esac
done
services=$QD_ROOT/run/services

note() {
    echo "$(date '+%b %d %T') $QD_HOST systemd[1]: $1" >>"$QD_ROOT/var/log/syslog"
}

known() {
    case $unit in
        '') echo "systemctl: name a unit to $verb" >&2; exit 1 ;;
        */*) echo "systemctl: $unit is no unit name" >&2; exit 1 ;;
    esac
    [ -e "$services/$unit" ]
}

# What an ill service did ends with it.
cure() {
    if [ "$(cat "$QD_ROOT/run/ill" 2>/dev/null)" = "$unit" ]; then
        rm -f "$QD_ROOT/run/ill"
    fi
}

start() {
    if grep -qx "$unit" "$QD_ROOT/etc/needs-space" 2>/dev/null; then
        used=$(df -P / | awk 'NR == 2 { sub("%", "", $5); print $5 }')
        if [ "$used" -ge 95 ]; then
            echo failed >"$services/$unit"
            note "$unit.service: cannot write its state: No space left on device"
            note "Failed to start $unit.service."
            echo "Job for $unit.service failed because the control process exited with error code." >&2
            echo "See \"systemctl status $unit.service\" and \"journalctl -u $unit\" for details." >&2
            exit 1
        fi
    fi
    echo active >"$services/$unit"
    note "Started $unit.service."
}

case $verb in
    '' | list-units)
        printf '%-28s %-6s %-8s %s\n' UNIT LOAD ACTIVE DESCRIPTION
        for file in "$services"/*; do
            state=$(cat "$file")
            name=${file##*/}
            if [ -z "$failed" ] || [ "$state" = failed ]; then
                printf '%-28s %-6s %-8s %s\n' "$name.service" loaded "$state" "$(cat "$QD_ROOT/etc/services/$name")"
            fi
        done
        ;;
    is-active | is-failed)
        state=inactive
        if known; then state=$(cat "$services/$unit"); fi
        [ -n "$quiet" ] || echo "$state"
        case $verb in
            is-active) [ "$state" = active ] || exit 3 ;;
            is-failed) [ "$state" = failed ] || exit 1 ;;
        esac
        ;;
    status)
        if ! known; then
            echo "Unit $unit.service could not be found." >&2
            exit 4
        fi
        state=$(cat "$services/$unit")
        echo "$unit.service - $(cat "$QD_ROOT/etc/services/$unit")"
        echo "     Loaded: loaded (/usr/lib/systemd/system/$unit.service; enabled)"
        echo "     Active: $state"
        echo
        grep -F "$unit" "$QD_ROOT/var/log/syslog" | tail -n 5
        [ "$state" = active ] || exit 3
        ;;
    start | restart | try-restart | stop | reload)
        if ! known; then
            echo "Failed to $verb $unit.service: Unit $unit.service not found." >&2
            exit 5
        fi
        case $verb in
            start) start ;;
            stop)
                cure
                echo inactive >"$services/$unit"
                note "Stopped $unit.service."
                ;;
            reload) note "Reloaded $unit.service." ;;
            *)
                cure
                note "Stopped $unit.service."
                start
                ;;
        esac
        ;;
    *)
        echo "systemctl: a sample host knows list-units, is-active, is-failed, status, start, stop, restart and reload" >&2
        exit 1
        ;;
esac
