#!/bin/sh
# journalctl(1) of a sample host: its log is one text file, its journal files can be vacuumed.
journal=$QD_ROOT/var/log/journal
log=$QD_ROOT/var/log/syslog
unit=
lines=1000

bytes_of() {
    ls -ln "$@" 2>/dev/null | awk '{ bytes += $5 } END { printf "%.0f", bytes }'
}

human() {
    awk -v bytes="$1" 'BEGIN {
        names = "BKMGT"; step = 1
        while (bytes >= 1024 && step < 5) { bytes /= 1024; step++ }
        printf "%.1f%s", bytes, substr(names, step, 1)
    }'
}

# Deletes archived files, the oldest first, while the journal is larger than $1 bytes.
vacuum() {
    freed=0
    for file in "$journal"/system@*.journal; do
        [ -e "$file" ] || continue
        now=$(bytes_of "$journal"/*.journal)
        # awk compares, because a shell may not count so far.
        if awk -v now="$now" -v limit="$1" 'BEGIN { exit !(now <= limit) }'; then break; fi
        size=$(bytes_of "$file")
        rm -f "$file"
        echo "Deleted archived journal /var/log/journal/${file##*/} ($(human "$size"))."
        freed=$(awk -v one="$freed" -v two="$size" 'BEGIN { printf "%.0f", one + two }')
    done
    echo "Vacuuming done, freed $(human "$freed") of archived journals from /var/log/journal."
}

limit_of() {
    awk -v text="$1" 'BEGIN {
        if (text !~ /^[0-9]+[KMGT]?$/) exit 1
        bytes = text + 0
        factor["K"] = 1024; factor["M"] = 1048576; factor["G"] = 1073741824; factor["T"] = 1099511627776
        letter = substr(text, length(text))
        printf "%.0f", (letter in factor) ? bytes * factor[letter] : bytes
    }'
}

while [ $# -gt 0 ]; do
    case $1 in
        --disk-usage)
            echo "Archived and active journals take up $(human "$(bytes_of "$journal"/*.journal)") in the file system."
            exit
            ;;
        --vacuum-size=*)
            if ! limit=$(limit_of "${1#*=}"); then
                echo "journalctl: ${1#*=} is no size; write for example 200M" >&2
                exit 1
            fi
            vacuum "$limit"
            exit
            ;;
        --vacuum-time=*) vacuum 0; exit ;;
        -u | --unit) unit=${2-}; shift ;;
        -u*) unit=${1#-u} ;;
        --unit=*) unit=${1#*=} ;;
        -n | --lines) lines=${2-}; shift ;;
        -n*) lines=${1#-n} ;;
        --lines=*) lines=${1#*=} ;;
        -S | --since | -U | --until | -p | --priority) shift ;;
        --since=* | --until=* | --priority=* | --no-pager | -q | --quiet | -x | -e | -p* | -b) ;;
        *) echo "journalctl: a sample host knows -u -n -S -p --disk-usage --vacuum-size= and --vacuum-time=" >&2; exit 1 ;;
    esac
    if [ $# -gt 0 ]; then shift; fi
done
grep -F -e "${unit%.service}" "$log" | tail -n "$lines"
