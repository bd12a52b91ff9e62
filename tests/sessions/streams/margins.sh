# Scrolling regions, origin mode, insertion and deletion of lines and characters, saved cursors, full rows.
rows=$(tput lines)
cols=$(tput cols)
i=1
while [ $i -le "$rows" ]; do printf '\033[%d;1Hrow %d' $i $i; i=$((i + 1)); done
printf '\033[5;12r\033[12;1Hlast of the region\n\n\033[5;1H\033Mabove\033M\033[2Linserted\033[7;1H\033[3M\033[10;1H\033[2S\033[1T'
printf '\033[?6h\033[1;1Horigin\033[99;99H*\033[?6l\033[r'
printf '\033[14;1Habcdefghij\033[14;4H\033[3@123\033[14;9H\033[2P\033[14;2H\033[2X'
printf '\033[15;1H\0337\033[31mfar\033[18;30Haway\0338back\033[s\033[16;40Hthere\033[uhere'
printf '\033[16;1H\033[4hinsert\033[16;1Hmode \033[4l\033[16;3H_'
printf '\033[17;%dHedge!wrapped\033[18;%dH\033[?7lno wrap at all\033[?7h' $((cols - 3)) $((cols - 5))
printf '\033[19;1Hkeep\033[19;20Hcut\033[19;10H\033[K\033[20;1Hcut\033[20;20Hkeep\033[20;10H\033[1K'
printf '\033[21;5Ha\033[3bb\033[2Gc\033[5Cd\033[2Ie\033[Zf'
printf '\033[22;1H\033[1;34mtail\033[0m\033[22;3H\033D\033E\033[A\033[B\033[3d\033[40`|\033[2a|\033[1e|'
printf '\033[%d;1Hbottom' "$rows"
