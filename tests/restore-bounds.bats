#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore-bounds.bats - bow-restore: memory, time and requests have bounds

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# big_log ENTRIES [BS]
#   A log of so many entries, scattered, with holes for contents.
big_log() {
	made="biglog --sparse --bs ${2-512} $1"
	"$top/build/tests/biglog" --sparse --bs "${2-512}" "$1" "$img"
}

# within KIB COMMAND...
#   Runs the command with so much address space.
within() {
	local kib=$1

	shift
	run bash -c 'ulimit -v "$1" || exit 77; shift; exec "$@"' - "$kib" "$@"
}

# everything_within KIB ENTRIES
#   Reading the log, and all that is done before a first write.
everything_within() {
	within "$1" "$restore" --check -v "$img"
	[ "$status" -eq 0 ]
	within "$1" "$restore" --rollback --dry-run "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"in $2 runs"* ]]
	within "$1" "$restore" --commit --dry-run "$img"
	[ "$status" -eq 0 ]
	within "$1" "$verify" -v "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"in $2 runs"* ]]
}

@test "a million entries: everything in 64 MiB of memory" {
	requires native
	big_log 1000000 1024
	everything_within 65536 1000000
	within 65536 "$restore" "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"rolled back: "*"in 1000000 runs"* ]]
}

@test "ten million entries: everything in 256 MiB of memory" {
	requires native
	[ "${BOW_CHECK_LONG-0}" = 1 ] || skip 'minutes: in check-long'
	big_log 10000000 4096
	everything_within 262144 10000000
}

# in_passes KIB [OPTION...]
#   A rollback that says that memory is short.
in_passes() {
	within "$1" "$restore" "${@:2}" "$img"
	[ "$status" -eq 0 ]
	[[ $output =~ "$img: memory is short: the copies take "[1-9][0-9]*" passes" ]]
}

@test "a million entries in 12 MiB: in several passes, which is said" {
	requires native
	big_log 1000000 1024
	within 12288 "$restore" --check -v "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"memory is short"* ]]
	in_passes 12288 --dry-run
}

@test "260000 entries in 5 MiB: the same result as with memory" {
	requires native
	made='biglog --bs 512 260000'
	"$top/build/tests/biglog" --bs 512 260000 "$img"
	cp --sparse=always "$img" "$dir/other"
	in_passes 5120
	"$restore" -q "$dir/other"
	identical "$img" "$dir/other"
}

# available KIB COMMAND...
#   Runs the command where /proc/meminfo says that so much is available, which the
#   kernel would grant and not have.
available() {
	printf 'MemTotal: 70000 kB\nMemAvailable: %s kB\nSwapFree: 0 kB\n' "$1" \
		>"$dir/meminfo"
	# shellcheck disable=SC2016  # the inner shell's
	run unshare -m bash -c 'mount --bind "$1" /proc/meminfo || exit 77; shift
		exec "$@"' - "$dir/meminfo" "${@:2}"
}

@test "less memory is available than the kernel would grant: in passes" {
	requires native root
	made='biglog --bs 512 260000'
	"$top/build/tests/biglog" --bs 512 260000 "$img"
	cp --sparse=always "$img" "$dir/other"
	available 7000 "$restore" --check -v "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"memory is short"* ]]
	available 7000 "$verify" -v "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"memory is short"* ]]
	available 7000 "$restore" "$img"
	[ "$status" -eq 0 ]
	[[ $output =~ "$img: memory is short: the copies take "[1-9][0-9]*" passes" ]]
	available 70000 "$restore" "$dir/other"
	[ "$status" -eq 0 ]
	[[ $output != *"memory is short"* ]]
	identical "$img" "$dir/other"
}

@test "no memory at all: exit 8, and nothing written" {
	requires native
	big_log 1000000 512
	before=$(head -c 4096 "$img" | sha256sum)
	within 4096 "$restore" "$img"
	[ "$status" -eq 8 ]
	[[ $output == *"$img: not enough memory"* ]]
	[ "$(head -c 4096 "$img" | sha256sum)" = "$before" ]
}

@test "--check without a log is one read, and takes about a millisecond" {
	local i begin end best=1000000

	requires strace
	truncate -s 64M "$img"
	made='an empty image'
	run -2 strace -o "$dir/trace" -P "$img" -e trace=desc "$restore" --check "$img"
	[ "$(grep -c '^p\?read' "$dir/trace")" -eq 1 ]
	grep -q '^pread64.* 4096, 0) ' "$dir/trace"
	requires native
	for ((i = 0; i < 200; i++)); do
		begin=$EPOCHREALTIME
		"$restore" --check "$img" >/dev/null || [ $? -eq 2 ]
		end=$EPOCHREALTIME
		# Microseconds, with what the shell takes to start it.
		begin=$((${end/./} - ${begin/./}))
		[ $begin -ge $best ] || best=$begin
	done
	echo "$best microseconds"
	[ "$best" -lt 3000 ]
}

@test "flushes: four, and at most one for 64 MiB put back" {
	local flushes

	requires strace
	big_log 50000 4096
	strace -o "$dir/trace" -P "$img" -e trace=fsync,fdatasync "$restore" "$img"
	flushes=$(grep -c sync "$dir/trace")
	[ "$flushes" -ge 3 ]
	# 195 MiB
	[ "$flushes" -le $((4 + 4)) ]
}

# refused_soon KIND FORMAT BS
#   On a device of terabytes, with as many reads as the log has blocks, nearly.
refused_soon() {
	local action reads

	[ "$2" != v0 ] || [ "$1" != count-huge ] || return 0
	make_log --format "$2" --bs "$3" --ops 900 --damage "$1"
	truncate -s 4T "$img"
	for action in --check --rollback --commit; do
		made="mklog --format $2 --bs $3 --ops 900 --damage $1"
		expect 4 timeout 20 strace -o "$dir/trace" -P "$img" \
			-e trace=desc "$restore" $action "$img"
		reads=$(grep -cE '^p?read' "$dir/trace")
		echo "$made: $reads reads"
		[ "$reads" -ge 1 ]
		[ "$reads" -le 200 ]
		if grep -E '^(pwrite|write|fsync|fdatasync|ftruncate)' \
			"$dir/trace"; then
			false
		fi
	done
}

@test "a loop in the chain is refused after a few reads of 4 TiB" {
	requires strace
	each_format refused_soon chain-loop
}

@test "forged counts and sequences are refused after a few reads of 4 TiB" {
	requires strace
	each_format refused_soon count-huge
	each_format refused_soon sequence-huge
	each_format refused_soon sequence-gap
}

@test "sizes that overflow are refused after a few reads of 4 TiB" {
	requires strace
	each_format refused_soon size-huge
	each_format refused_soon source-overflow
	each_format refused_soon dest-overflow
}
