#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# resume.bats - what libbow tells of the blocks of a log that is gone on with,
# and how it mends block 0, on logs made by mklog
#
# mklog knows what it has made of each block.  libbow may only be more careful:
# call taken what has come back to the pool.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	ctl=$build/tests/ctl
}

teardown() {
	common_teardown
}

# same_states
#   The states of all blocks as mklog has them.
same_states() {
	expect_unwritten 0 "$ctl" states "$img"
	echo "$output" >"$dir/got"
	# shellcheck disable=SC2016  # awk
	awk 'NR == FNR { got[$1] = $2; next }
		{
			state = $1 in got ? got[$1] : "used"
			if (state == "pool")
				pool++
			if (state != $2 && !(state == "taken" && $2 == "pool")) {
				print "sector " $1 ": " state ", not " $2
				wrong = 1
			}
		}
		# All taken would be careful, and of no use.
		END { exit wrong || !pool }' "$dir/got" "$log.states" && return
	echo "made by: $made"
	return 1
}

# mends
#   Mended, the log rolls back and commits as before it; so does one that was
#   mended twice, and one undone by a v1.0 reader.
mends() {
	local i

	cp "$img" "$dir/torn"
	for i in 1 2 3; do
		cp "$dir/torn" "$img"
		expect 0 "$ctl" mend "$img"
		[ "$i" != 2 ] || expect 0 "$ctl" mend "$img"
		case $i in
		1)	expect 0 "$restore" --commit "$img"
			identical "$img" "$log.live.img" ;;
		2)	expect 0 "$restore" --rollback "$img"
			same_as orig.img ;;
		3)	expect 0 "$mklog" --undo "$img"
			same_as orig.img ;;
		esac
	done
}

@test "resume: the states of all blocks, in every block size" {
	local seed bs

	for seed in 1 2 3 4 5; do
		for bs in 512 1024 2048 4096; do
			make_log --bs "$bs" --seed "$seed" --features map \
				--ops 500 --size $((bs * 20000))
			same_states
		done
	done
}

@test "resume: the states of all blocks, of short logs and of full devices" {
	local seed

	for seed in {10..29}; do
		make_log --seed "$seed" --features map --ops $((seed * 3)) \
			--size 8M
		same_states
		make_log --seed "$seed" --features map,raw --ops 4000 --size 40M
		same_states
	done
}

@test "resume: an active log stays as it is but for its count" {
	local seed

	for seed in 1 2 3; do
		make_log --seed "$seed" --features map --ops 400
		cp "$img" "$dir/before"
		expect 0 "$ctl" mend "$img"
		# header_csum and resumed
		run -1 cmp -l "$dir/before" "$img"
		[ "${#lines[@]}" -le 5 ]
		# shellcheck disable=SC2016  # awk
		echo "$output" | awk '
			$1 - 1 < 28 || ($1 - 1 > 31 && $1 - 1 != 160) { exit 1 }'
		cp "$dir/before" "$img"
		mends
	done
}

@test "resume: torn appends are mended" {
	local seed mask

	for seed in {1..12}; do
		for mask in 1 $((seed * 37 % 254 + 1)) 254; do
			make_log --seed "$seed" --features map --ops $((seed * 20)) \
				--size 2M --state "torn-append:$mask"
			mends
		done
	done
}

@test "resume: torn roll-overs are mended" {
	local seed mask

	for seed in {1..12}; do
		for mask in 1 $((seed * 37 % 254 + 1)) 254; do
			make_log --seed "$seed" --features map --ops $((seed * 20)) \
				--size 4M --state "torn-rollover:$mask"
			mends
		done
	done
}

@test "resume: logs that cannot be gone on with are refused, unwritten" {
	make_log --format v0
	expect_unwritten 8 "$ctl" mend "$img"
	make_log --format 1.0
	expect_unwritten 8 "$ctl" mend "$img"
	make_log --features claims
	expect_unwritten 8 "$ctl" mend "$img"
	[[ $output = *"which blocks were free"* ]]
	make_log --features map --state restoring
	expect_unwritten 8 "$ctl" mend "$img"
	make_log --features map --state finishing-commit:7
	expect_unwritten 8 "$ctl" mend "$img"
	make_log --features map --state torn-activation:1
	expect_unwritten 8 "$ctl" mend "$img"
	make_log --features map
	cp "$log.orig.img" "$img"
	expect_unwritten 2 "$ctl" mend "$img"
}

@test "resume: a v1.1 log with a free map rolls back and commits as any other" {
	local seed bs

	for seed in 1 2 3; do
		for bs in 512 1024 2048 4096; do
			make_log --bs "$bs" --seed "$seed" --features map --ops 500
			expect 0 "$verify" "$img"
			cp "$img" "$dir/active"
			expect 0 "$restore" "$img"
			same_as orig.img
			cp "$dir/active" "$img"
			expect 0 "$restore" --commit "$img"
			identical "$img" "$log.live.img"
		done
	done
}
