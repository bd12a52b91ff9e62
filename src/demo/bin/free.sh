#!/bin/sh
# free(1) of a sample host.
unit=1
for option; do
    case $option in
        -k) ;;
        -m) unit=1024 ;;
        -g) unit=1048576 ;;
        -h) unit=0 ;;
        *) echo "free: a sample host knows -k -m -g -h" >&2; exit 1 ;;
    esac
done
awk -v unit="$unit" '
    function shown(kib) {
        if (unit) return sprintf("%.0f", int(kib / unit))
        return kib >= 1048576 ? sprintf("%.1fGi", kib / 1048576) : sprintf("%.0fMi", kib / 1024)
    }
    { kib[$1] = $2 }
    END {
        total = kib["MemTotal:"]; available = kib["MemAvailable:"]; swap = kib["SwapTotal:"]; left = kib["SwapFree:"]
        printf "%-6s %12s %12s %12s %12s\n", "", "total", "used", "free", "available"
        printf "%-6s %12s %12s %12s %12s\n", "Mem:", shown(total), shown(total - available), shown(kib["MemFree:"]), shown(available)
        printf "%-6s %12s %12s %12s\n", "Swap:", shown(swap), shown(swap - left), shown(left)
    }' "$QD_PROC/meminfo"
