#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
#
# upgrade-guest.sh age PERCENT | linear | bow
#
# In a guest of bench-upgrade.sh, on the filesystem of /dev/ubda.  "age" fills it with
# files, the first time, and deletes some from all over until PERCENT of it is
# free.  The others upgrade the Debian on it, over dm-linear or, in a checkpoint,
# dm-bow, and print an object of JSON: what it took and what dm-bow counted.

set -eu
# shellcheck source=tests/bench/guest.sh
. "$TREE/tests/bench/guest.sh"
m=/mnt/fs
disk=/dev/ubda

free_percent()
{
	df -k $m | awk 'END { print int(100 * $4 / $2 + 0.5) }'
}

# Nobody reads or writes these files, so that their blocks are never written either.
fill()
{
	local i=0 kib

	mkdir $m/fill
	while :; do
		for kib in 64 1024 256 4096 128 2048; do
			i=$((i + 1))
			fallocate -l ${kib}K "$m/fill/$i" 2>/run/fallocate ||
				return 0
		done
	done
}

# age PERCENT
age()
{
	mount -t ext4 $disk $m
	[ -d $m/fill ] || fill
	find $m/fill -type f | make_holes "$1" 10
	umount $m
}

# begin TARGET
#   What the disk holds when the checkpoint begins is what it held before: nothing
#   is written to it until then.
begin()
{
	dmsetup create bow-root --table "0 $(blockdev --getsz $disk) $1"
	dmsetup mknodes
	mount -t ext4 -o ro /dev/mapper/bow-root $m
	case $1 in
	bow*) bowctl -q checkpoint $m ;;
	esac
	mount -o remount,rw $m
}

mount_for_chroot()
{
	mount -t proc proc $m/proc
	mount -t sysfs sys $m/sys
	mount --bind /dev $m/dev
	mount -t tmpfs run $m/run
	mount -t tmpfs tmp $m/tmp
}

upgrade()
{
	env -i PATH="$PATH" HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		chroot $m apt-get -q -y --no-download \
		-o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
		full-upgrade </dev/null >/mnt/lab/apt.log 2>&1
}

# dpkg ACTION: how many packages its log tells of
dpkg_did()
{
	awk -v action="$1" '$3 == action { print $4 }' $m/var/log/dpkg.log |
		sort -u | wc -l
}

# measure TARGET
measure()
{
	local free start ms

	free=$(free_percent)
	# shellcheck disable=SC2046  # numbers
	set -- "$1" $(counts ubda)
	start=$(date +%s%3N)
	upgrade
	sync
	ms=$(($(date +%s%3N) - start))
	# shellcheck disable=SC2046  # numbers
	set -- "$@" $(counts ubda)
	[ -z "$(chroot $m dpkg --audit)" ]
	echo "{\"target\": \"$1\", \"ms\": $ms, \"reads\": $(($7 - $2))," \
		"\"writes\": $(($8 - $3)), \"flushes\": $(($9 - $4))," \
		"\"read_sectors\": $((${10} - $5))," \
		"\"written_sectors\": $((${11} - $6))," \
		"\"free_before\": $free, \"free_after\": $(free_percent)," \
		"\"upgraded\": $(dpkg_did upgrade), \"installed\": $(dpkg_did install)," \
		"\"status\": \"$(dmsetup status bow-root)\"}"
}

case $1 in
age)	age "$2" ;;
linear)	begin "linear $disk 0"; mount_for_chroot; measure "$1" ;;
bow)	begin "bow $disk"; mount_for_chroot; measure "$1" ;;
esac
