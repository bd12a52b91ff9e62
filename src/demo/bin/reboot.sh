#!/bin/sh
# reboot(8), shutdown(8), poweroff(8) and halt(8) of a sample host.
echo "${0##*/}: $QD_HOST is a sample host inside the demo; there is no machine of its own to stop" >&2
exit 1
