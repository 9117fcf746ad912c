#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-restore.sh [--record | --only PART] [MIB [ROUNDS]] - how fast restoring is
#
# Beside bow-restore and bow-verify, in one run and in a new order in each of
# ROUNDS (5) rounds, plain programs of tests/bench move the same bytes between
# the same places: MIB (2048) of changes of 4 to 64 KiB, scattered over a device
# of some five times the size.  On an image file, and for root on a loop device
# over it too.  The page cache is dropped before each.  What was measured stays
# in build/bench/; tests/bench/report.sh makes tables of it and fails when a
# target is missed.  With --record they go into docs/performance.md.
#
# PART is file, verify (bow-verify, of twice as many MiB), ways or loop.
# TMPDIR says where the images are: on a disk, with room for 6 x MIB.

set -eu
cd "$(dirname "$0")/.."

record=0
parts='file verify ways loop'
case ${1-} in
--record)
	record=1
	shift ;;
--only)	parts=${2?}
	shift 2 ;;
esac
mib=${1-2048}
rounds=${2-5}
restore=$PWD/build/bow-restore
verify=$PWD/build/bow-verify
tests=$PWD/build/tests
out=$PWD/build/bench
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-restore.XXXXXX")
img=$dir/image
loop=

clean_up()
{
	[ -z "$loop" ] || losetup -d "$loop"
	rm -rf "$dir"
}
trap clean_up EXIT

# fact NAME VALUE
fact()
{
	echo "$1 $2" >>"$out/facts"
}

# Only this image's pages: others may be using the machine.
drop_cache()
{
	sync "$img"
	dd if="$img" of=/dev/null iflag=nocache count=0 status=none
	[ -z "$loop" ] || blockdev --flushbufs "$loop"
}

# timed TABLE NAME COMMAND...
#   Adds a line about the command to build/bench/TABLE/NAME.
timed()
{
	local file=$out/$1/$2

	shift 2
	drop_cache
	"$tests/spent" "$file" "$@"
}

# make_log MIB OPTION... - a log of so many MiB in $img, its copies in list.
# With changes of 1, 2, 4, 8 and 16 blocks, five have 31 blocks.
make_log()
{
	local entries=$(($1 * 256 * 5 / 31))

	shift
	"$tests/biglog" --pieces 16 "$@" "$entries" "$img" "$dir/list"
	dd if="$img" of="$dir/block0" bs=4096 count=1 status=none
}

# Block 0 holds the log again: all else a rollback leaves as it was.
take_back()
{
	dd if="$dir/block0" of="$1" conv=notrunc status=none
}

# ---- the tables ----

# restoring TABLE DEVICE
restoring()
{
	local i name

	mkdir -p "$out/$1"
	for ((i = 0; i < rounds; i++)); do
		for name in $(shuf -e read validation copier rollback); do
			case $name in
			read)	timed "$1" read "$tests/copier" read "$2" "$dir/list" ;;
			copier)	timed "$1" copier "$tests/copier" place "$2" "$dir/list" ;;
			validation) timed "$1" validation "$restore" -n -q "$2" ;;
			rollback)
				timed "$1" rollback "$restore" -q "$2"
				take_back "$2" ;;
			esac
		done
	done
}

# Ways to make the copies: NAME OPTION...
ways='place-16 --window 16 place
place-64-out --window 64 --out place
place-64-two --window 64 --two --out place
place-16-ring --window 16 --ring place
place-16-direct --window 16 --direct place
place-64-ring-direct --window 64 --ring --direct place
target-16 --window 16 target
target-16-out --window 16 --out target
target-16-ahead-out --window 16 --ahead --out target
target-16-aio --window 16 --aio target
target-16-ahead-aio --window 16 --ahead --aio target
place-16-aio --window 16 --aio place
target-64-ahead-out --window 64 --ahead --out target
target-64-ring-direct --window 64 --ring --direct target'

# strategies TABLE DEVICE
strategies()
{
	local i name options

	mkdir -p "$out/$1"
	for ((i = 0; i < 3; i++)); do
		timed "$1" copier-place "$tests/copier" place "$2" "$dir/list"
		echo "$ways" | shuf >"$dir/ways"
		while read -r name options; do
			# shellcheck disable=SC2086  # words
			timed "$1" "$name" "$tests/ways" $options "$2" "$dir/list"
		done <"$dir/ways"
	done
	timed "$1" copier-target "$tests/copier" target "$2" "$dir/list"
}

verifying()
{
	local i name

	mkdir -p "$out/verify"
	for ((i = 0; i < rounds; i++)); do
		for name in $(shuf -e read verify); do
			case $name in
			read)	timed verify read "$tests/copier" read "$img" "$dir/list" ;;
			verify)	timed verify verify "$verify" -q "$img" ;;
			esac
		done
	done
}

# calls COMMAND... - its system calls: name, number, sum of what they returned.
# bow-restore is static, and the image is all that it reads and writes.
calls()
{
	strace -f -e trace=read,pread64,write,pwrite64,fsync,fdatasync,readahead,sync_file_range,io_submit,io_getevents \
		-o "$dir/trace" "$@"
	sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.* = \([0-9]*\)$/\1 \2/p' "$dir/trace" |
		awk '{ calls[$1]++; bytes[$1] += $2 }
			END { for (c in calls) print c, calls[c], bytes[c] }'
}

rollback_calls()
{
	drop_cache
	calls "$restore" -q "$img" >"$out/calls"
	take_back "$img"
}

# On a device without a log: what every boot pays.
no_log()
{
	local i

	mkdir -p "$out/none"
	truncate -s 64M "$dir/none"
	img=$dir/none calls "$restore" --check -q "$dir/none" >"$out/none.calls" || [ $? = 2 ]
	for ((i = 0; i < 100; i++)); do
		"$tests/spent" "$out/none/check" "$restore" --check -q "$dir/none" || [ $? = 2 ]
		"$tests/spent" "$out/none/usage" "$restore" --version
	done
}

# attach - for root: $img as a block device, past the cache of the file
attach()
{
	[ "$(id -u)" = 0 ] || return 1
	loop=$(losetup --direct-io=on -f --show "$img" 2>/dev/null)
}

detach()
{
	losetup -d "$loop"
	loop=
}

# ---- what to run ----

# need MIB - room for the image, before the disk is filled
need()
{
	local free

	free=$(($(df --output=avail -k "$dir" | tail -n 1) / 1024))
	[ "$free" -ge "$1" ] && return
	echo "bench-restore.sh: $dir: $1 MiB are needed, $free MiB are free" >&2
	exit 1
}

machine()
{
	fact mib "$mib"
	fact rounds "$rounds"
	fact kernel "$(uname -r | cut -d- -f1)"
	fact cpus "$(nproc)"
	fact memory_mib "$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
	fact load "$(cut -d' ' -f1 /proc/loadavg)"
}

run_file()
{
	need $((mib * 6))
	make_log "$mib"
	"$restore" -q "$img"
	"$tests/copier" compare "$img" "$dir/list"
	take_back "$img"
	rollback_calls
	restoring file "$img"
}

run_verify()
{
	need $((mib * 2 + mib / 4))
	make_log $((mib * 2)) --holes
	verifying
}

# So many ways: with less of all.
run_ways()
{
	need "$mib"
	make_log $((mib / 8))
	strategies ways-file "$img"
	attach || return 0
	strategies ways-loop "$loop"
	detach
}

run_loop()
{
	need $((mib * 6))
	make_log "$mib"
	attach || return 0
	restoring loop "$loop"
	detach
}

rm -rf "$out"
mkdir -p "$out"
machine
no_log
for part in $parts; do
	"run_$part"
	fact load "$(cut -d' ' -f1 /proc/loadavg)"
done
if [ "$record" = 1 ]; then
	tests/bench/report.sh --record "$out"
else
	tests/bench/report.sh "$out"
fi
