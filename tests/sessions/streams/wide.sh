# Characters of two columns, of none, and of several code points: every way in which columns are counted.
printf 'narrow ASCII, then 漢字かな交じり文 and 한국어 조합\r\n'
printf 'accents one by one: e\314\201 a\314\210 o\314\202\314\243 n\314\203\r\n'
printf 'pictures: \360\237\232\200 \360\237\224\245 \360\237\220\247 \360\237\214\215 after\r\n'
printf 'Greek Ελληνικά, Cyrillic Кириллица, Hebrew עברית, Arabic العربية, Thai ภาษา\r\n'
printf 'full width ＡＢＣ１２３ and half ｱｲｳ\r\n'
printf '\033[1;44m幅\033[0;7m広\033[0m|\033[4;38;5;208m下線\033[0m|\r\n'
cols=$(tput cols)
i=1
while [ $i -lt "$cols" ]; do printf 'x'; i=$((i + 1)); done
printf '界after a wide one that did not fit\r\n'
printf '一二三四\033[4D|\033[2D_\r\n'
printf '一二三四\r\033[C\033[X\r\n'
printf '一二三四\r\033[3@\r\n'
printf '一二三四\r\033[P\r\n'
printf 'a\314\200\314\201\314\202b\033[D\033[Dc\r\n'
