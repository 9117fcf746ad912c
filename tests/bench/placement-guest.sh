#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Runs in the guest of bench-placement.sh: one work in one checkpoint.
#
# placement-guest.sh unpack|packages|database PERCENT
#   Prints WORK FREE-BEFORE FREE-AFTER COPIED-SECTORS MOVED-SECTORS, free of the
#   filesystem in percent.

set -eu
# shellcheck source=tests/bench/guest.sh
. "$(dirname "$0")/guest.sh"
work=$1
percent=$2

free_percent()
{
	df -k /mnt | awk 'END { print int(100 * $4 / $2) }'
}

unpack()
{
	mkdir /mnt/unpacked
	tar -C /mnt/unpacked -xf /dev/vdb
}

# As dpkg: all files of a package beside the old ones, flushed, renamed over them.
packages()
{
	local n=0 dir file

	find /mnt/[0-9]* -type d | awk '{ print (NR * 7919) % 1009, $0 }' |
		sort -n | head -n 40 | cut -d' ' -f2- >/tmp/packages
	while read -r dir; do
		for file in "$dir"/*; do
			[ -f "$file" ] || continue
			{ cat "$file"; echo new; } >"$file.dpkg-new"
		done
		for file in "$dir"/*.dpkg-new; do
			[ -f "$file" ] || continue
			sync "$file"
			mv "$file" "${file%.dpkg-new}"
		done
		n=$((n + 1))
		echo "$n $dir" >>/mnt/status-new
		sync /mnt/status-new
	done </tmp/packages
}

database()
{
	local i=0

	while [ $i -lt 500 ]; do
		i=$((i + 1))
		echo "begin; update t set v = hex(randomblob(200)) where id between $((i * 7919 % 59000)) and $((i * 7919 % 59000 + 60)); insert into t (v) values (hex(randomblob(400))); commit;"
	done | sqlite3 /mnt/db
}

key()
{
	dmsetup status bow-root | tr ' ' '\n' | sed -n "s/^$1://p"
}

dmsetup create bow-root --uuid BOW-root \
	--table "0 $(cat /sys/block/vda/size) bow /dev/vda"
dmsetup mknodes
mount -t ext4 /dev/mapper/bow-root /mnt
find /mnt -type f ! -name db | make_holes "$percent" 500
before=$(free_percent)
bowctl -q checkpoint /mnt
"$work"
sync
echo "$work $before $(free_percent) $(key copied_sectors) $(key moved_sectors)"
