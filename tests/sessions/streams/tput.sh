# What scripts do with tput.
tput clear
tput cup 2 5; tput bold; tput setaf 3; printf 'bold yellow'; tput sgr0
tput cup 4 0; tput rev; printf 'reverse'; tput smul; printf 'underlined too'; tput rmul; tput sgr0
tput cup 6 10; tput setab 4; tput setaf 7; tput el; printf 'to the end of the line'; tput sgr0
tput sc; tput cup 8 3; tput dim; printf 'dim'; tput sgr0; tput rc; printf ' resumed'
tput csr 10 14; tput cup 14 0; printf 'one\ntwo\nthree\nfour\n'; tput csr 0 $(($(tput lines) - 1))
tput cup 16 0; printf 'abcdef'; tput cup 16 2; tput ich 2; tput cup 16 5; tput dch 1; tput ech 1
tput cup 18 0; tput il 1; printf 'inserted'; tput cup 20 4; tput dl1; tput ed
tput civis; tput cup 21 0; tput setaf 196; printf 'two hundred and fifty-six'; tput op; tput cnorm; tput cup 22 1
