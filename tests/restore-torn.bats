#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore-torn.bats - bow-restore after a write of block 0 that was cut
#
# Of the sectors of block 0 any subset may be the newer ones; bit n of a mask
# stands for sector n.  No original was overwritten yet, so that a rollback
# gives D0, and a commit what the live device showed.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# settles
#   The image can be rolled back and committed; checks write nothing.
settles() {
	expect_unwritten 0 "$restore" --check "$img"
	[ "$output" = active ] || { echo "$made: $output"; return 1; }
	cp "$img" "$dir/torn"
	expect 0 "$restore" --rollback "$img"
	same_as orig.img
	cp "$dir/torn" "$img"
	expect 0 "$restore" --commit "$img"
	identical "$img" "$log.live.img"
}

# step_of BS
#   Of the subsets of eight sectors every seventh is tried, which has each sector
#   among the newer and among the older ones; all of them in check-long.
#   unit/test_torn.c reads all of them, in any case.
step_of() {
	[ "$1" != 4096 ] || [ "${BOW_CHECK_LONG:-0}" = 1 ] && echo 1 || echo 7
}

# each_mask BS STATE MKLOG-OPTION...
#   Proper subsets of the sectors of block 0.
each_mask() {
	local bs=$1 state=$2 mask step

	step=$(step_of "$bs")
	shift 2
	for ((mask = 1; mask < (1 << bs / 512) - 1; mask += step)); do
		make_log --bs "$bs" --state "$state:$mask" --size $((256 * bs)) \
			--ops 90 "$@"
		settles
	done
}

@test "torn append: proper subsets of eight sectors" {
	each_mask 4096 torn-append --features raw --seed 2
}

@test "torn append: with the guard superblock" {
	each_mask 4096 torn-append --seed 3
}

@test "torn append: blocks of 1024 and 2048 bytes" {
	local seed

	for seed in 1 2 3 4 5; do
		each_mask 1024 torn-append --seed "$seed"
		each_mask 2048 torn-append --seed "$seed"
	done
}

@test "torn roll-over: proper subsets of eight sectors" {
	each_mask 4096 torn-rollover --features raw --seed 2 --size 2M
}

@test "torn roll-over: with the guard superblock" {
	each_mask 4096 torn-rollover --seed 3
}

@test "torn roll-over: blocks of 1024 and 2048 bytes" {
	local seed

	for seed in 1 2 3 4 5; do
		each_mask 1024 torn-rollover --seed "$seed"
		each_mask 2048 torn-rollover --seed "$seed"
	done
}

@test "torn activation: sector 0 with any subset of the others" {
	local bs mask step

	for bs in 1024 2048 4096; do
		step=$(step_of "$bs")
		for ((mask = 1; mask < (1 << bs / 512) - 1; mask += 2 * step)); do
			make_log --bs "$bs" --state "torn-activation:$mask" \
				--size $((256 * bs))
			settles
		done
	done
}

@test "torn activation: before sector 0 was written there is no log" {
	make_log --state torn-activation:0
	expect_unwritten 2 "$restore" "$img"
	expect_unwritten 2 "$restore" --check "$img"
}

@test "torn append: damage to what is gone back to is refused" {
	make_log --features raw --state torn-append:2 --damage entries-csum
	expect_unwritten 4 "$restore" "$img"
	expect_unwritten 4 "$restore" --commit "$img"
}
