#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# files-guest.sh WORK TARGET
#
# In a guest of bench-files.sh: one work on the filesystem of /dev/ubda, over
# dm-linear or, in a checkpoint, dm-bow.  Prints WORK TARGET MILLISECONDS READS
# WRITES FLUSHES READ-SECTORS WRITTEN-SECTORS COPIED-SECTORS, the numbers of requests
# being those of the disk.  "many" prints what beginning and ending a checkpoint of
# a filesystem with very many free ranges takes: milliseconds of bowctl, of the
# frozen filesystem, and of the commit.

set -eu
# shellcheck source=tests/bench/guest.sh
. "$TREE/tests/bench/guest.sh"
work=$1 target=$2
m=/mnt/fs
disk=/dev/ubda

now()
{
	date +%s%3N
}

begin()
{
	local table="linear $disk 0"

	[ "$target" = linear ] || table="bow $disk"
	dmsetup create bow-root --table "0 $(blockdev --getsz $disk) $table"
	dmsetup mknodes
	mount -t ext4 /dev/mapper/bow-root $m
}

copied()
{
	dmsetup status bow-root | tr ' ' '\n' |
		sed -n 's/^copied_sectors://p' | grep . || echo 0
}

unpack()
{
	mkdir $m/unpacked
	tar -C $m/unpacked -xf /mnt/lab/unpack.tar
}

packages()
{
	"$TREE/build/tests/packages" $m/packages
}

many()
{
	local start middle

	start=$(now)
	bowctl -J checkpoint $m >/run/checkpoint
	middle=$(now)
	echo "began $((middle - start)) frozen_us $(sed -n 's/.*"frozen_us": *\([0-9]*\).*/\1/p' /run/checkpoint)"
	start=$(now)
	dmsetup message bow-root 0 commit
	echo "committed $(($(now) - start))"
	start=$(now)
	dmsetup status bow-root >/dev/null
	echo "status $(($(now) - start))"
}

begin
if [ "$work" = many ]; then
	many
	exit
fi
[ "$target" = linear ] || bowctl -q checkpoint $m
# shellcheck disable=SC2046  # numbers
set -- $(counts ubda)
start=$(now)
"$work"
sync
end=$(now)
# shellcheck disable=SC2046  # numbers
set -- "$@" $(counts ubda)
echo "$work $target $((end - start)) $(($6 - $1)) $(($7 - $2)) $(($8 - $3)) $(($9 - $4)) $((${10} - $5)) $(copied)"
