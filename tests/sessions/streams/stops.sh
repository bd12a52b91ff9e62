# Tab stops set, cleared and passed both ways; every control character alone.
printf 'a\tb\tc\td\r\n'
printf '\033[3g\033[5G\033H\033[11G\033H\033[23G\033H\r\ta\tb\tc\r\n'
printf '\r\033[11G\033[g\r\ta\tb\tc\td\r\n'
i=1
while [ $i -lt 160 ]; do printf '\033[%dG\033H' $i; i=$((i + 8)); done
printf '\r\n\r1\t2\t3\t4\033[2Z_\r\n'
printf 'bell\007 null\000 back\b\b_ \013down\014again\r\n'
printf 'unknown: \033[>c\033[=5h\033[?9999h\033[!x\033#z\033%%G end\r\n'
printf 'cut off \033[31\030m and \033[3\032m\r\n'
printf '\033]0;a title\007\033]2;another\033\\\033]1337;nothing=here\007\033]8;;http://h.example/\007link\033]8;;\007 text\r\n'
printf '\033P1;2qnothing\033\\\033_nothing\033\\\033^nothing\033\\ strings\r\n'
printf '\033[2;5Hbye\033[?1049h\033[2Jother screen\033[3;3Hhere\033[?1049l|\r\n'
