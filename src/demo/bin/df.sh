#!/bin/sh
# df(1) of a sample host. What is used is computed from the files below its root, so freeing space shows.
style=usual
unit=1
while getopts kPlhmi option; do
    case $option in
        k | l) ;;
        P) style=posix ;;
        h) style=human ;;
        m) unit=1024 ;;
        i) style=inodes ;;
        *) echo "df: a sample host knows -k -P -l -h -m -i" >&2; exit 1 ;;
    esac
done
shift $((OPTIND - 1))

# Each line of etc/disks: device, size in KiB, used in KiB without the folder, mount point, folder.
while read -r device size base mount folder; do
    grown=0
    if [ "$folder" != - ]; then
        grown=$(find "$QD_ROOT/$folder" -type f -exec ls -ln {} + 2>/dev/null |
            awk '{ bytes += $5 } END { printf "%.0f", bytes / 1024 }')
    fi
    echo "$device $size $((base + grown)) $mount"
done <"$QD_ROOT/etc/disks" | awk -v style="$style" -v unit="$unit" -v wanted="$*" '
    function human(kib,   names, step) {
        names = "KMGT"; step = 1
        while (kib >= 1024 && step < 4) { kib /= 1024; step++ }
        return sprintf(kib < 10 ? "%.1f%s" : "%.0f%s", kib, substr(names, step, 1))
    }
    function shown(kib) {
        return style == "human" ? human(kib) : sprintf("%.0f", int((kib + unit - 1) / unit))
    }
    function row(one, two, three, four, five, six) {
        printf "%-12s %12s %10s %10s %8s %s\n", one, two, three, four, five, six
    }
    function percent(part, whole) {
        # Rounded up, as df does it.
        return whole == 0 ? "-" : sprintf("%.0f%%", int((part * 100 + whole - 1) / whole))
    }
    { device[NR] = $1; size[NR] = $2; used[NR] = $3 > $2 ? $2 : $3; mount[NR] = $4 }
    END {
        if (style == "posix") row("Filesystem", unit * 1024 "-blocks", "Used", "Available", "Capacity", "Mounted on")
        else if (style == "human") row("Filesystem", "Size", "Used", "Avail", "Use%", "Mounted on")
        else if (style == "inodes") row("Filesystem", "Inodes", "IUsed", "IFree", "IUse%", "Mounted on")
        else row("Filesystem", (unit == 1 ? "1K" : "1M") "-blocks", "Used", "Available", "Use%", "Mounted on")
        count = split(wanted, paths, " ")
        for (one = 1; one <= count; one++) {
            best = 0
            for (two = 1; two <= NR; two++)
                if (mount[two] == "/" || index(paths[one] "/", mount[two] "/") == 1)
                    if (!best || length(mount[two]) > length(mount[best])) best = two
            chosen[best] = 1
        }
        for (one = 1; one <= NR; one++) {
            if (count && !(one in chosen)) continue
            if (style == "inodes") {
                all = int(size[one] / 16); taken = int(used[one] / 64)
                row(device[one], sprintf("%.0f", all), sprintf("%.0f", taken), sprintf("%.0f", all - taken), percent(taken, all), mount[one])
            } else
                row(device[one], shown(size[one]), shown(used[one]), shown(size[one] - used[one]), percent(used[one], size[one]), mount[one])
        }
    }'
