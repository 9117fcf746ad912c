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

@test "a million entries are verified in 64 MiB of memory" {
	requires native
	big_log 1000000
	within 65536 "$restore" --dry-run "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"in 1000000 runs"* ]]
}

@test "ten million entries are read in 256 MiB of memory" {
	requires native
	big_log 10000000
	within 262144 "$restore" --check "$img"
	[ "$status" -eq 0 ]
	[ "${BOW_CHECK_LONG-0}" = 1 ] || return 0
	within 262144 "$restore" --dry-run "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"in 10000000 runs"* ]]
}

@test "too little memory: exit 8, how much it may need, and nothing written" {
	requires native
	big_log 1000000
	before=$(head -c 4096 "$img" | sha256sum)
	within 12288 "$restore" "$img"
	[ "$status" -eq 8 ]
	[[ $output == *"$img: not enough memory"*" MiB: "[1-9]* ]]
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

# bounded DAMAGE
bounded() {
	local format

	for format in v0 1.0 1.1; do
		make_log --format $format --ops 900 --damage "$1"
		expect_unwritten 4 timeout 10 "$restore" "$img"
		expect_unwritten 4 timeout 10 "$restore" --check "$img"
	done
}

@test "loops, huge sequences and sizes end in time" {
	bounded chain-loop
	bounded sequence-huge
	bounded size-huge
}

@test "a device of exabytes with a forged sequence ends in time" {
	make_log --damage sequence-huge
	truncate -s 8E "$img" 2>/dev/null || truncate -s 8T "$img"
	run timeout 10 "$restore" --check "$img"
	[ "$status" -eq 4 ]
	[ -n "$output" ]
}
