# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the guests of several benches do.  Sourced.

# counts DISK
#   What the disk was asked for: reads, writes and flushes, sectors read and written.
counts()
{
	awk '{ print $1, $5, $16, $3, $7 }' "/sys/block/$1/stat"
}

# make_holes PERCENT STEP
#   Of the files whose names come in, delete some from all over, STEP at a time, until
#   free_percent, which is the caller's, says PERCENT.
make_holes()
{
	awk '{ print (NR * 7919) % 10007, $0 }' | sort -n | cut -d' ' -f2- >/run/files
	while [ "$(free_percent)" -lt "$1" ]; do
		head -n "$2" /run/files | xargs rm -f
		sed -i "1,${2}d" /run/files
		sync
	done
}
