#!/bin/sh
# du(1) of a sample host: its large logs are files with holes, so lengths are counted instead of blocks where du can.
if command -p du --apparent-size /dev/null >/dev/null 2>&1; then
    command -p du --apparent-size "$@"
else
    command -p du "$@"
fi
