# Line drawing three ways: the DEC graphics set, the same by shift, and the characters themselves.
printf '\033(0lqqqqwqqqqk\033(B DEC\r\n\033(0x\033(Bleft\033(0x\033(Bmore\033(0x\033(B\r\n\033(0tqqqqnqqqqu\033(B\r\n\033(0x    x    x\033(B\r\n\033(0mqqqqvqqqqj\033(B\r\n'
printf '\033)0\016lqk\017 shifted \016mqj\017\r\n'
printf '\033(0`afgijkz{|}~\033(B\r\n'
printf '┌────┬────┐ ╔════╗ ╭──╮\r\n│left│more│ ║both║ │  │\r\n├────┼────┤ ╠════╣ │  │\r\n└────┴────┘ ╚════╝ ╰──╯\r\n'
printf '\033[36m▀▄█▌▐░▒▓\033[0m ⣿⡇ ●○ ✓✗ …\r\n'
tput smacs; printf 'lqqk'; tput rmacs; printf ' by its name\n'
