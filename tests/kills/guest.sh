#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh WHAT DISK SEED [CACHE]
#
# In a guest that will be killed: begin a checkpoint of the ext4 on DISK and
# write ("load"), end it ("commit"), go on with it again and again ("resume"),
# roll it back ("rollback").  Says when by a file of its name.  "active" is the
# load for a while, for the others to begin with.  With CACHE there is a loop
# device between, whose cache is lost: what it wrote without being told to is
# as good as random.

what=$1 disk=$2
m=/mnt/fs fs=ext4 options=rw device=/dev/mapper/bow-root
# shellcheck source=tests/logwrites/workloads.sh
. "$(dirname "$0")/../logwrites/workloads.sh"
mkdir -p "$m"
if [ -n "$4" ]; then
	echo 7 >/proc/sys/vm/dirty_writeback_centisecs
	echo 3 >/proc/sys/vm/dirty_expire_centisecs
	losetup /dev/loop0 "$disk" || exit
	disk=/dev/loop0
fi

write()
{
	(while :; do
		dd if=/dev/urandom of="$m/a/30" bs=8k count=6 conv=notrunc,fsync
		cp -r "$m/b" "$m/c" && rm -rf "$m/c"
	done) >/dev/null 2>&1 &
	writer=$!
	workload mixed "$1" "$2"
	kill "$writer"
	wait "$writer"
}

# The filesystem is clean and mounted read-only: D0 is what the disk holds.
checkpoint()
{
	dmsetup create bow-root \
		--table "0 $(blockdev --getsz "$disk") bow $disk" &&
		dmsetup mknodes && mount -t ext4 -o ro "$device" "$m" &&
		bowctl -q checkpoint "$m" && mount -o remount,rw "$m" || exit
}

resume()
{
	bowctl -q resume "$disk" && mount -t ext4 "$device" "$m" || exit
}

detach()
{
	umount "$m" && dmsetup remove bow-root || exit
}

: >"/mnt/lab/$what"
case $what in
active)
	checkpoint
	write "$3" 4
	detach ;;
load)
	checkpoint
	: >/mnt/lab/begun
	write "$3" 200 ;;
commit)
	bowctl -q resume "$disk" && dmsetup message bow-root 0 commit ;;
resume)
	seed=$3
	while :; do
		resume
		write "$seed" 2
		detach
		seed=$((seed + 1))
	done ;;
rollback)
	bow-restore -q "$disk" ;;
esac
