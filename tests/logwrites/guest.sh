#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh FS WORKLOAD SEED COUNT ENDING DISK LOG
#
# In a guest: dm-bow over dm-log-writes over DISK, which holds a filesystem; a
# checkpoint, a workload, and what ENDING says: cut, commit (and a second
# checkpoint, and more), resume (as after a reboot, and more), or rollback.
# dm-log-writes records all of it on LOG, with marks: see logwrites.c.

fs=$1 name=$2 seed=$3 count=$4 ending=$5 disk=$6 log=$7
m=/mnt/fs
device=/dev/mapper/bow-root
# shellcheck source=tests/logwrites/workloads.sh
. "$(dirname "$0")/workloads.sh"
sectors=$(blockdev --getsz "$disk")
# f2fs leaves its discards for later, unless told.
options=rw
[ "$fs" != f2fs ] || options=nodiscard

# All that was written is flushed before the mark.
mark()
{
	flush_file "${2:-$device}"
	dmsetup message low 0 mark "$1"
}

attach()
{
	dmsetup create bow-root --table "0 $sectors bow /dev/mapper/low"
	dmsetup mknodes
}

# Files to be changed, and a hole in the free space.
populate()
{
	mkdir -p "$m/a" "$m/b"
	for i in $(seq 1 30); do
		bytes $((i * i * 60 + 7)) >"$m/a/$i"
		bytes $((i * 100)) >"$m/b/$i"
	done
	sync
	rm "$m"/a/2?
	for i in $(seq 20 30); do
		bytes $((i * 1500)) >"$m/a/$i"
	done
	sync
}

# What is free is known by bowctl, or by discards.
checkpoint()
{
	[ "$fs" = ext4 ] || fstrim "$m"
	mount -o remount,ro "$m"
	mark d0
	if [ "$fs" = ext4 ]; then
		bowctl -q checkpoint "$m"
	else
		dmsetup message bow-root 0 checkpoint
	fi || exit
	mark active
	mount -o remount,rw "$m"
}

commit()
{
	mount -o remount,ro "$m" || exit
	mark commit
	dmsetup message bow-root 0 commit || exit
	mark committed
	dmsetup message bow-root 0 restart || exit
	mount -o remount,rw "$m"
}

detach()
{
	umount "$m" && dmsetup remove bow-root || exit
}

dmsetup create low --table "0 $sectors log-writes $disk $log" || exit
dmsetup mknodes
attach || exit
mkdir -p "$m"
mount_fs "$options" || exit
populate
checkpoint
workload "$name" "$seed" "$count"
case $ending in
commit)
	commit
	workload mixed "$seed" "$count"
	checkpoint
	workload "$name" $((seed + 1)) "$count"
	mark end ;;
resume)
	detach
	bowctl -q resume /dev/mapper/low || exit
	mount_fs "$options" || exit
	workload "$name" $((seed + 1)) "$count"
	detach
	bowctl -q resume /dev/mapper/low || exit
	mount_fs "$options" || exit
	workload mixed "$seed" "$count"
	mark end ;;
rollback)
	detach
	mark rollback /dev/mapper/low
	bow-restore -q /dev/mapper/low || exit
	mark rolled-back /dev/mapper/low ;;
*)	mark end ;;
esac
dmsetup status
