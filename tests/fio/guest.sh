#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh STEP FS DISK SEED KIB
#
# In a guest: dm-bow over DISK, which holds a filesystem.  STEP "begin" lays the
# files out, KIB each, and makes all clean: what DISK holds then is D0.  "work" takes the
# checkpoint and writes; it prints the module's status.

step=$1 fs=$2 disk=$3 kib=$5
export SEED="$4" SIZE="$5k" DIR=/mnt/fs SMALL=128k
name=bow-${disk##*/}
jobs=$(dirname "$0")/jobs.fio
# These write whole blocks, unless through the page cache.
case $fs in
btrfs | f2fs) export DIRECT=0 ;;
*) export DIRECT=1 ;;
esac
# f2fs leaves its discards for later, unless told.
options=rw
[ "$fs" != f2fs ] || options=nodiscard

begin()
{
	dmsetup create "$name" \
		--table "0 $(blockdev --getsz "$disk") bow $disk" &&
		dmsetup mknodes && mkdir -p "$DIR" &&
		mount -t "$fs" -o "$options" "/dev/mapper/$name" "$DIR" || exit
	fio --create_only=1 "$jobs" >/dev/null 2>&1 || exit
	# That makes the names only, of files that are written.
	for file in "$DIR"/*.?.0; do
		dd if=/dev/urandom of="$file" bs=64k conv=fsync \
			count="$((kib / 64))" 2>/dev/null || exit
	done
	# For the others fstrim tells what is free.
	[ "$fs" = ext4 ] || fstrim "$DIR" || exit
	mount -o remount,ro "$DIR" && sync
}

work()
{
	if [ "$fs" = ext4 ]; then
		bowctl -q checkpoint "$DIR"
	else
		dmsetup message "$name" 0 checkpoint
	fi && mount -o remount,rw "$DIR" || exit
	fio --aux-path=/run "$jobs" >/run/fio.out 2>&1 || {
		status=$?
		cat /run/fio.out
		exit "$status"
	}
	sync
	dmsetup status "$name"
}

"$step"
