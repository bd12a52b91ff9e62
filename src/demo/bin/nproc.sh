#!/bin/sh
# nproc(1) of a sample host.
grep -c '^processor' "$QD_PROC/cpuinfo"
