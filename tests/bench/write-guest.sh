#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=dash
# Runs in the guest: one round of bench-write.sh.
#
# write-guest.sh prepare              once: modules; a thin device that is full
# write-guest.sh prepare_model        once, without a disk: one of null_blk's
# write-guest.sh round N              every case over every target; lines of
#   N CASE TARGET NANOSECONDS READS WRITES FLUSHES READ-SECTORS WRITTEN-SECTORS
# write-guest.sh round_first N        of them, the first overwrites
# write-guest.sh one N CASE TARGET    one of them
#
# The disk has partitions: 1, 512 MiB, the data; 2, as large, for what
# dm-snapshot keeps; 3 and 4, 16 and 832 MiB, the pool of dm-thin.  Of the data,
# 1-257 MiB is in use and 300-512 free.
#
# The disk of null_blk is in memory, and every request takes it 100 us: with a
# clock that counts instructions what is measured is the same every time.

set -eu
here=$(dirname "$0")
disk=vda
p=/dev/vda
targets='linear bow snapshot_4k snapshot_64k thin'
if [ -e /dev/nullb0 ]; then
	disk=nullb0
	p=/dev/nullb0p
	targets='linear bow snapshot_4k snapshot_64k'
fi
mib=2048	# sectors
size=$((512 * mib))
d=/dev/mapper

# create NAME TABLE
create()
{
	dmsetup create "$1" --table "0 $size $2"
	dmsetup mknodes
}

modules()
{
	local module

	while read -r module; do
		insmod "$here/$module" 2>/dev/null || true
	done <"$here/modules"
}

prepare_model()
{
	modules
	insmod "$here/null_blk.ko" nr_devices=1 gb=2 memory_backed=1 \
		cache_size=1 irqmode=2 completion_nsec=100000
	# It takes memory for a block when that is first written.
	dd if=/dev/zero of=/dev/nullb0 bs=1048576 count=1026 oflag=direct 2>/dev/null
	dd if="$here/table" of=/dev/nullb0 2>/dev/null
	blockdev --rereadpt /dev/nullb0
}

prepare()
{
	modules
	dd if=/dev/zero of="${p}3" bs=4096 count=1 2>/dev/null
	dmsetup create pool --table "0 $((832 * mib)) thin-pool ${p}3 ${p}4 128 0 1 skip_block_zeroing"
	dmsetup message pool 0 'create_thin 0'
	dmsetup mknodes
	create over "thin $d/pool 0"
	dd if=/dev/zero of=$d/over bs=1048576 count=512 oflag=direct 2>/dev/null
	dmsetup remove over
}

# begin_TARGET CASE: make /dev/mapper/over.  end_TARGET: take it away.
begin_linear()
{
	create over "linear ${p}1 0"
}

end_linear()
{
	dmsetup remove over
}

begin_bow()
{
	create over "bow ${p}1"
	dmsetup message over 0 free $((300 * mib)) $((212 * mib))
	case $1 in
	trim-*) ;;
	committed-*)
		dmsetup message over 0 checkpoint
		dmsetup message over 0 commit ;;
	*)	dmsetup message over 0 checkpoint ;;
	esac
}

end_bow()
{
	dmsetup message over 0 commit 2>/dev/null || true
	dmsetup remove over
}

# begin_snapshot CHUNK (sectors)
begin_snapshot()
{
	dd if=/dev/zero of="${p}2" bs=65536 count=1 oflag=direct 2>/dev/null
	create snap "snapshot ${p}1 ${p}2 P $1"
	# After it: the origin learns the size of chunks when it is resumed.
	create over "snapshot-origin ${p}1"
}

begin_snapshot_4k()
{
	begin_snapshot 8
}

begin_snapshot_64k()
{
	begin_snapshot 128
}

end_snapshot_4k()
{
	dmsetup remove over
	dmsetup remove snap
}

end_snapshot_64k()
{
	end_snapshot_4k
}

begin_thin()
{
	dmsetup message pool 0 'create_snap 1 0'
	create over "thin $d/pool 0"
}

end_thin()
{
	dmsetup remove over
	dmsetup message pool 0 'delete 1'
}

# load read|write rand|seq BYTES DEPTH COUNT START-MIB SPAN-MIB SEED
load()
{
	"$here/load" $d/over "$disk" "$1" "$2" "$3" "$4" "$5" \
		$(($6 * 1048576)) $(($7 * 1048576)) "$8"
}

# run_case CASE SEED
run_case()
{
	case $1 in
	first-4k-d1)	load write rand 4096 1 1000 1 256 "$2" ;;
	first-4k-d16)	load write rand 4096 16 4000 1 256 "$2" ;;
	first-64k-d16)	load write seq 65536 16 1024 1 256 "$2" ;;
	first-1m-d4)	load write seq 1048576 4 64 1 256 "$2" ;;
	changed-4k-d1)	load write rand 4096 1 2000 1 256 "$2" ;;
	changed-4k-d16)	load write rand 4096 16 8000 1 256 "$2" ;;
	free-4k-d16)	load write rand 4096 16 8000 320 128 "$2" ;;
	read-4k-d1)	load read rand 4096 1 2000 1 256 "$2" ;;
	read-4k-d16)	load read rand 4096 16 8000 1 256 "$2" ;;
	trim-4k-d16 | committed-4k-d16)
			load write rand 4096 16 8000 1 256 "$2" ;;
	esac
}

# What has to be done before a case is measured.
warm_up()
{
	case $1 in
	# The blocks that will be written again, at a depth that is quick.
	changed-4k-d1)	load write rand 4096 16 2000 1 256 "$2" ;;
	changed-4k-d16)	load write rand 4096 16 8000 1 256 "$2" ;;
	# A write in every MiB: what claims cost is not the subject.
	free-4k-d16)	load write rand 4096 16 4000 320 128 $(($2 + 1)) ;;
	*)		load read rand 4096 16 200 1 256 "$2" ;;
	esac
}

# one N CASE TARGET
one()
{
	local result

	begin_"$3" "$2"
	warm_up "$2" "$1" >/dev/null
	result=$(run_case "$2" "$1")
	end_"$3"
	echo "$1 $2 $3 $result"
}

# over_all N CASE... - over every target
over_all()
{
	local n=$1 case target

	shift
	for case; do
		for target in $targets; do
			one "$n" "$case" "$target"
		done
	done
}

round_first()
{
	over_all "$1" first-4k-d1 first-4k-d16 first-64k-d16 first-1m-d4
}

round()
{
	local case target

	round_first "$1"
	over_all "$1" changed-4k-d1 changed-4k-d16 read-4k-d1 read-4k-d16
	for case in free-4k-d16 trim-4k-d16 committed-4k-d16; do
		for target in linear bow; do
			one "$1" $case $target
		done
	done
}

"$@"
