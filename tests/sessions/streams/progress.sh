# Lines that are written over: a bar, a percentage, a turning stroke, several bars at once.
i=0
while [ $i -le 40 ]; do
    printf '\r['
    j=0
    while [ $j -lt 40 ]; do if [ $j -lt $i ]; then printf '#'; else printf '.'; fi; j=$((j + 1)); done
    printf '] %3d%%' $((i * 100 / 40))
    i=$((i + 1))
done
printf '\n'
for turn in 1 2 3; do for c in '|' / - '\\'; do printf "\b$c"; done; done
printf '\bdone\033[K\n'
printf 'layer 1\nlayer 2\nlayer 3\n'
for i in 10 35 70 100; do
    printf '\033[3A\r\033[2K\033[32mlayer 1\033[0m %3d %%\n\033[2Klayer 2 \033[34m%3d\033[0m %%\n\033[2Klayer 3 %3d %%\n' $i $((i / 2)) $((i / 3))
done
printf 'a longer line\rshort\n'
printf '\033[?25l\033[1000D\033[0K\xe2\x96\x88\xe2\x96\x89\xe2\x96\x8a\xe2\x96\x8b\xe2\x96\x8c 55%%\033[?25h\n'
