#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh WHAT DISK SEED [CACHE]
#
# In a guest that will be killed: begin a checkpoint of the ext4 on DISK and
# write ("load" or "checkpoint"), end it ("commit"), go on with it again and again
# ("resume"), roll it back ("rollback").  Tells when by that word; "begun": there
# is a checkpoint; "ended": of a commit or rollback that is done; "failed": a command
# did not work.  "active" is the load for a while, for the others to begin with.  With
# CACHE there is a loop device between, whose cache is lost: what it wrote without being
# told to is as good as random.
# shellcheck disable=SC2015  # "fail" is for any of the commands before

what=$1 disk=$2
m=/mnt/fs fs=ext4 options=rw device=/dev/mapper/bow-root
# shellcheck source=tests/logwrites/workloads.sh
. "$(dirname "$0")/../logwrites/workloads.sh"

# tell WORD
#   To the host: by a file of this name where its files are seen (User-Mode
#   Linux), by the second serial port elsewhere.
tell()
{
	if [ -d /mnt/lab ]; then
		: >"/mnt/lab/$1"
	else
		echo "$1" >/dev/ttyS1
	fi
}

fail()
{
	tell failed
	exit 1
}

mkdir -p "$m"
if [ -n "$4" ]; then
	echo 7 >/proc/sys/vm/dirty_writeback_centisecs
	echo 3 >/proc/sys/vm/dirty_expire_centisecs
	losetup /dev/loop0 "$disk" || fail
	disk=/dev/loop0
fi

# The other writer ends by itself: what it had started would keep $m busy.
write()
{
	: >/run/writing
	(while [ -e /run/writing ]; do
		dd if=/dev/urandom of="$m/a/30" bs=8k count=6 conv=notrunc,fsync
		cp -r "$m/b" "$m/c" && rm -rf "$m/c"
	done) >/dev/null 2>&1 &
	writer=$!
	workload mixed "$1" "$2"
	rm /run/writing
	wait "$writer"
}

# The filesystem is clean and mounted read-only: D0 is what the disk holds.
checkpoint()
{
	dmsetup create bow-root \
		--table "0 $(blockdev --getsz "$disk") bow $disk" &&
		dmsetup mknodes && mount -t ext4 -o ro "$device" "$m" &&
		bowctl -q checkpoint "$m" && mount -o remount,rw "$m" || fail
}

resume()
{
	bowctl -q resume "$disk" && mount -t ext4 "$device" "$m" || fail
}

detach()
{
	umount "$m" && dmsetup remove bow-root || fail
}

[ "$what" = commit ] || tell "$what"
case $what in
active)
	checkpoint
	write "$3" 4
	detach ;;
checkpoint | load)
	checkpoint
	tell begun
	write "$3" 200 ;;
commit)
	bowctl -q resume "$disk" || fail
	tell commit
	dmsetup message bow-root 0 commit || fail
	tell ended ;;
resume)
	seed=$3
	while :; do
		resume
		write "$seed" 2
		detach
		seed=$((seed + 1))
	done ;;
rollback)
	bow-restore -q "$disk" || fail
	tell ended ;;
esac
