#!/bin/sh
# Frees the space of old logs on a sample host: rotated log files go, and the journal shrinks to 200 MiB.
find "$QD_ROOT/var/log" -type f -name '*.log.[0-9]*' -exec rm -f {} +
journalctl --vacuum-size=200M
