# All colours in all their forms, and all looks alone and together.
for c in 0 1 2 3 4 5 6 7; do printf '\033[3%dm %d \033[4%dm %d \033[0m\033[9%dm %d \033[10%dm %d \033[0m' $c $c $c $c $c $c $c $c; done
printf '\r\n'
c=16
while [ $c -lt 256 ]; do printf '\033[48;5;%dm \033[38;5;%dm#\033[0m' $c $((271 - c)); c=$((c + 6)); done
printf '\r\n'
printf '\033[38;2;10;200;30mtrue\033[48;2;1;2;3mground\033[39mplain\033[49mnone\033[0m\r\n'
printf '\033[38:2::250:100:50mcolons\033[48:5:27mindexed\033[m\r\n'
for a in 1 2 3 4 7 8 9; do printf '\033[%dmlook %d\033[0m ' $a $a; done
printf '\r\n\033[1;2;3;4;7;9mall\033[22mweight\033[23mslant\033[24mline\033[27mturned\033[29mstruck\033[0m\r\n'
printf '\033[4:3mcurl\033[4:0mnone\033[0m\r\n'
printf '\033[31;1mred and bold\033[;42mgreen ground alone\033[m\r\n'
printf '\033[1;31;48;5;17mmany; \033[999mnonsense is passed over\033[0m end\r\n'
