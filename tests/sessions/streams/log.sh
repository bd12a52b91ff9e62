# A long log with levels in colours, longer than any screen, with a line that wraps several times.
i=0
while [ $i -lt 300 ]; do
    i=$((i + 1))
    case $((i % 7)) in
    0) printf '\033[31mNov 23 10:%02d:%02d node%d api[%d]: error: upstream %d timed out\033[0m\n' $((i / 60)) $((i % 60)) $((i % 5)) $((1000 + i)) $i ;;
    3) printf '\033[1;33mNov 23 10:%02d:%02d node%d cron[%d]:\033[22m warning: slot %d is late\033[0m\n' $((i / 60)) $((i % 60)) $((i % 5)) $((1000 + i)) $i ;;
    *) printf 'Nov 23 10:%02d:%02d node%d web[%d]: "GET /item/%d" 200 \033[2m%dms\033[0m\n' $((i / 60)) $((i % 60)) $((i % 5)) $((1000 + i)) $i $((i * 7 % 90)) ;;
    esac
    if [ $((i % 50)) -eq 0 ]; then
        printf '\033[7mtrace\033[0m '
        j=0
        while [ $j -lt 60 ]; do printf 'frame-%d ' $j; j=$((j + 1)); done
        printf '\n'
    fi
done
