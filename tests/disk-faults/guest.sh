#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest.sh FAULT DISK SEED
#
# In a guest: dm-bow over "low" over DISK, a clean ext4; a checkpoint; a load
# while FAULT is there, and before and after it.  The filesystem may fail.  A fault
# that did not strike is a failure: nothing was tried.

fault=$1 disk=$2
random=$3
m=/mnt/fs device=/dev/mapper/bow-root
fs=ext4 options=errors=continue
# shellcheck source=tests/logwrites/workloads.sh
. "$(dirname "$0")/../logwrites/workloads.sh"
sectors=$(blockdev --getsz "$disk")
works="0 $sectors linear $disk 0"

# low TABLE: what is under way may fail, nothing is waited for.
low()
{
	dmsetup suspend --noflush --nolockfs low
	printf '%s\n' "$1" | dmsetup load low || exit
	dmsetup resume low
}

# write SECONDS
#   Counts in $failed what was not written.
failed=0
write()
{
	end=$(($(date +%s) + $1))
	i=0
	while [ "$(date +%s)" -lt "$end" ]; do
		i=$((i + 1))
		pick 30
		dd if=/dev/urandom of="$m/a/$picked" bs=8k count=4 conv=notrunc
		cp "$m/a/$picked" "$m/b/copy$((i % 7))"
		rm -f "$m/b/$i"
		flush_file "$m/a/$picked" || failed=$((failed + 1))
		# Also where no filesystem stands between.
		[ -z "$raw" ] || dd if=/dev/urandom of="$device" bs=4k count=2 \
			seek=$((4000 + i)) oflag=direct conv=notrunc ||
			failed=$((failed + 1))
	done >/dev/null 2>&1
}

# struck COUNT WHAT
struck()
{
	echo "$1 $2"
	[ "$1" -gt 0 ] || exit
}

# written NAME: sectors, of a block device
written()
{
	awk -v name="$1" '$3 == name { print $10 }' /proc/diskstats
}

# flakey FEATURE...: down for a second, up for the next, as long as it is there.
flakey()
{
	low "0 $sectors flakey $disk 0 1 1 $# $*"
	before=$(dropped) all=$(written dm-0)
	write 5
	low "$works"
	case $* in
	drop_writes) struck $(($(dropped) - before)) "sectors dropped" ;;
	corrupt*) struck $(($(written dm-0) - all)) "sectors written" ;;
	*) struck "$failed" "writes failed" ;;
	esac
}

# Sectors that "low" has acknowledged and the disk has never seen.
dropped()
{
	echo $(($(written dm-0) - $(written "${disk#/dev/}")))
}

# One sector in twenty fails, anywhere but in block 0.
error_table()
{
	at=0
	while [ $((sectors - at)) -gt 3000 ]; do
		pick 300
		good=$((8 + picked * 8))
		echo "$at $good linear $disk $at"
		echo "$((at + good)) 64 error"
		at=$((at + good + 64))
	done
	echo "$at $((sectors - at)) linear $disk $at"
}

# Sectors that cannot be read, until they are written: of files, which will have to be
# backed up.
dust()
{
	low "0 $sectors dust $disk 0 512"
	for file in "$m"/a/1*; do
		dmsetup message low 0 addbadblock "$(filefrag -b512 -e "$file" |
			awk -F'[ .:]+' '$2 == 0 { print $5 }')" || exit
	done
	dmsetup message low 0 enable
	write 5
	dmsetup message low 0 disable
	struck "$failed" "writes failed"
}

# Threads allocate few pages: a writer whose own allocations fail as well.  It has to
# start no program, which User-Mode Linux does not survive.
hurt()
{
	text=$(od -An -v -tx1 -N3000 /dev/urandom)
	i=0
	echo 1 >/proc/self/make-it-fail
	while [ -e /run/hurting ]; do
		i=$((i + 1))
		echo "$text" >"$m/b/hurt$((i % 20))"
	done
}

# alloc NAME: allocations of the threads of the kernel, and of some writers, fail.
alloc()
{
	mount -t debugfs debug /sys/kernel/debug
	d=/sys/kernel/debug/$1
	echo Y >"$d/task-filter"
	echo N >"$d/ignore-gfp-wait"
	echo 0 >"$d/verbose"
	echo 7 >"$d/probability"
	# Pages for files are "highmem".
	[ "$1" != fail_page_alloc ] || {
		echo 0 >"$d/min-order"
		echo N >"$d/ignore-gfp-highmem"
	}
	# Linux 6.1 panics when jbd2's thread gets no page for a buffer.
	for p in /proc/[0-9]*; do
		case $(cat "$p/comm") in
		jbd2*)	;;
		*) [ -n "$(cat "$p/cmdline")" ] || echo 1 >"$p/make-it-fail" ;;
		esac
	done 2>/dev/null
	echo 1000000 >"$d/times"
	: >/run/hurting
	hurt 2>/dev/null &
	write 5
	rm /run/hurting
	wait
	left=$(cat "$d/times")
	echo 0 >"$d/times"
	struck $((1000000 - left)) "allocations failed"
}

full()
{
	i=0
	while [ "$i" -lt 40 ]; do
		i=$((i + 1))
		dd if=/dev/zero of="$m/fill$i" bs=1M count=1 conv=fsync
		pick 30
		dd if=/dev/urandom of="$m/a/$picked" bs=8k count=4 \
			conv=notrunc,fsync
	done 2>/dev/null
	dmsetup status bow-root | grep ' checkpoint full '
}

# Tables that are refused, suspends, and messages out of place.
tables()
{
	write 6 &
	end=$(($(date +%s) + 6))
	done=0
	while [ "$(date +%s)" -lt "$end" ]; do
		dmsetup table bow-root | dmsetup load bow-root
		dmsetup suspend bow-root && dmsetup resume bow-root &&
			dmsetup suspend --noflush bow-root &&
			dmsetup resume bow-root && done=$((done + 1))
		dmsetup message bow-root 0 free 8000 800
		dmsetup message bow-root 0 checkpoint
		dmsetup message bow-root 0 restart
		dmsetup message bow-root 0 clear
		echo 0 >/sys/block/dm-1/bow/state
	done 2>/dev/null
	wait
	struck "$done" "times suspended"
}

dmsetup create low --table "$works"
dmsetup mknodes
below=/dev/mapper/low
# dm-flakey of this kernel writes wrong bytes into the memory of who writes; and
# a cache that says that all is written tells of errors when it is flushed.
case $fault in
corrupt | cache-*)
	below=/dev/loop0
	losetup "$below" /dev/mapper/low ;;
esac
dmsetup create bow-root --table "0 $sectors bow $below"
dmsetup mknodes
mkdir -p "$m"
mount -t ext4 -o ro,errors=continue "$device" "$m" &&
	bowctl -q checkpoint "$m" && mount -o remount,rw "$m" || exit
write 2
[ "$failed" = 0 ] || exit
[ "$fault" = full ] || raw=1
case $fault in
errors | cache-errors) flakey ;;
error-writes | cache-error-writes) flakey error_writes ;;
drop-writes) flakey drop_writes ;;
corrupt) flakey corrupt_bio_byte 33 w 7 0 ;;
places)
	low "$(error_table)"
	# On a slow host five seconds of it may miss them all.
	times=0
	while [ "$failed" = 0 ] && [ $((times += 1)) -le 12 ]; do
		write 5
	done
	low "$works"
	struck "$failed" "writes failed" ;;
dust) dust ;;
failslab | fail_page_alloc) alloc "$fault" ;;
full) full || exit ;;
tables) tables ;;
esac
write 2
dmsetup status bow-root
# The power goes: what was not written is not waited for.
echo "$fault" >/mnt/lab/done
