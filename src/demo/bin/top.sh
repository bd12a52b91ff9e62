#!/bin/sh
# top(1) of a sample host: one look, the busiest first.
echo "top -$(uptime)"
free -m
echo
ps | { read -r head; echo "   $head"; sort -rn -k 3; } | head -n 15
