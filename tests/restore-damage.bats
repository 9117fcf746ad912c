#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore-damage.bats - bow-restore on logs with one thing wrong
#
# Whatever is wrong: exit 4, the reason told, nothing written.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# refused
#   Nothing that is asked for changes $img; each time the reason is given.
refused() {
	local action

	for action in --rollback --commit '--dry-run --rollback' \
			'--dry-run --commit'; do
		# shellcheck disable=SC2086  # two words
		expect_unwritten 4 "$restore" $action "$img"
		[[ $output == *"bow-restore: $img: "?* ]]
	done
}

# damage KIND FORMAT BS
damage() {
	make_log --format "$2" --bs "$3" --damage "$1"
	refused
}

# damage_v1 KIND FORMAT BS: not in v0
damage_v1() {
	[ "$2" = v0 ] || damage "$@"
}

# damage_aligned KIND FORMAT BS: where blocks are larger than sectors
damage_aligned() {
	[ "$3" = 512 ] || damage "$@"
}

# names_entry KIND FORMAT BS
#   The reason names log block and entry.
names_entry() {
	make_log --format "$2" --bs "$3" --damage "$1"
	expect_unwritten 4 "$restore" "$img"
	[[ $output =~ "bow-restore: $img: log block "[0-9]+", entry "[0-9]+": ". ]] ||
		{ echo "$made: $output"; return 1; }
}

@test "damaged: without the magic there is no log" {
	local pair

	for pair in "${formats[@]}"; do
		# shellcheck disable=SC2086  # two words
		set -- $pair
		make_log --format "$1" --bs "$2" --damage magic
		expect_unwritten 2 "$restore" "$img"
		expect_unwritten 2 "$restore" --check "$img"
	done
}

@test "damaged: an unknown version" {
	each_format damage_v1 version
}

@test "damaged: a header size below the header's" {
	each_format damage_v1 header-size-small
}

@test "damaged: a header size beyond the block" {
	each_format damage_v1 header-size-large
}

@test "damaged: a block size that is not a power of two" {
	each_format damage_v1 block-size-odd
}

@test "damaged: a block size of 0, 256 or 8192" {
	each_format damage_v1 block-size-zero
	each_format damage_v1 block-size-small
	each_format damage_v1 block-size-large
}

@test "damaged: no entries" {
	each_format damage count-zero
}

@test "damaged: more entries than a block holds" {
	each_format damage count-large
	each_format damage_v1 count-huge
}

@test "damaged: a header that does not match its checksum" {
	local bs

	for bs in 512 1024 2048 4096; do
		damage header-csum 1.1 $bs
	done
}

@test "damaged: entries that match neither of their checksums" {
	local bs

	for bs in 512 1024 2048 4096; do
		damage entries-csum 1.1 $bs
	done
}

@test "damaged: a sequence number that the chain does not have" {
	each_format damage sequence-huge
	each_format damage sequence-gap
	each_format damage sequence-back
}

@test "damaged: a previous log block that is not one" {
	each_format damage chain-missing
}

@test "damaged: a previous log block that is of a device of another size" {
	local bs

	for bs in 512 1024 2048 4096; do
		damage chain-device 1.1 $bs
	done
}

@test "damaged: a previous log block that does not match its checksum" {
	each_format damage chain-csum
}

@test "damaged: a chain that leads back to itself, in bounded time" {
	local pair

	for pair in "${formats[@]}"; do
		# shellcheck disable=SC2086  # two words
		set -- $pair
		make_log --format "$1" --bs "$2" --damage chain-loop
		expect_unwritten 4 timeout 10 "$restore" "$img"
	done
}

@test "damaged: a source beyond the device names log block and entry" {
	each_format names_entry source-range
	each_format names_entry source-overflow
	each_format damage source-range
}

@test "damaged: a dest beyond the device names log block and entry" {
	each_format names_entry dest-range
	each_format names_entry dest-overflow
	each_format damage dest-range
}

@test "damaged: a source or a dest between blocks" {
	each_format damage_aligned source-unaligned
	each_format damage_aligned dest-unaligned
}

@test "damaged: a backup in block 0" {
	each_format names_entry dest-zero
	each_format damage dest-zero
}

@test "damaged: a size of 0, of part of a block, or beyond the device" {
	each_format names_entry size-zero
	each_format names_entry size-unaligned
	each_format names_entry size-huge
	each_format names_entry size-range
	each_format damage size-huge
}

@test "damaged: a wrong checksum names log block and entry" {
	each_format names_entry entry-csum
}

@test "damaged: a flipped bit in a backup names log block and entry" {
	each_format names_entry backup
}

# The checksum of zeros is 0 there: it must not be taken for none.
@test "damaged: a block 0 of zeros, in its backup, of v1.1" {
	local bs

	for bs in 512 1024 2048 4096; do
		make_log --format 1.1 --bs "$bs" --features zero0 --ops 8 \
			--damage block0
		expect_unwritten 4 "$restore" --rollback "$img"
		[[ $output == *"log block 0, entry 0: "*"does not match its checksum"* ]]
	done
}

# A commit does not need the backups, and is then the way out.
keeps() {
	make_log --format "$1" --bs "$2" --damage backup
	expect_unwritten 4 "$restore" --rollback "$img"
	expect_unwritten 4 "$restore" --dry-run --rollback "$img"
	expect 0 "$restore" --commit "$img"
	# The spoilt byte lies in a free block: all else is the live device.
	same_as live.img
}

# An old log block is damaged: nothing but the newest one is needed, if asked for.
forced() {
	make_log --format "$1" --bs "$2" --damage "$3"
	expect_unwritten 4 "$restore" --rollback "$img"
	expect_unwritten 4 "$restore" --commit "$img"
	[[ $output == *'--commit --force may do'* ]]
	expect_unwritten 0 "$restore" --commit --force --dry-run "$img"
	expect 0 "$restore" --commit --force "$img"
	[[ $output == *'committed by the newest log block alone'* ]]
	# The damage is in a free block.
	same_as live.img
	expect 2 "$restore" --check "$img"
}

@test "damaged: --force commits by the newest log block, of v1.1" {
	local bs damage

	for bs in 512 1024 2048 4096; do
		for damage in chain-{missing,csum,magic,id,entries-csum,entry-dest}; do
			forced 1.1 "$bs" "$damage"
		done
	done
}

@test "damaged: --force is refused of older logs, in a rollback, without superblock" {
	local format live

	for format in v0 1.0; do
		make_log --format $format --bs 4096 --damage chain-missing
		expect_unwritten 8 "$restore" --commit --force "$img"
	done
	make_log --state restoring --damage chain-missing
	expect_unwritten 8 "$restore" --commit --force "$img"
	# What is not damaged by the log's older blocks is refused as without it.
	make_log --damage header-csum
	expect_unwritten 4 "$restore" --commit --force "$img"
	make_log --damage sector0-zero
	expect_unwritten 4 "$restore" --commit --force "$img"
	# No log block before it vouches for the place that the newest one names.
	make_log --damage chain-missing
	live=$("$restore" --check -J "$img" 2>/dev/null | jq .sector0)
	dd if=/dev/zero of="$img" bs=512 seek="$live" count=8 conv=notrunc status=none
	expect_unwritten 4 "$restore" --commit --force "$img"
	[[ $output == *"sector $live"* ]]
	run -16 "$restore" --force "$img"
	run -16 "$restore" --force --check "$img"
}

@test "damaged: --force changes nothing of a commit that is sound" {
	make_log
	expect 0 "$restore" --commit --force -J "$img"
	[[ $output == *'"forced": false'* ]]
	identical "$img" "$log.live.img"
}

@test "damaged: with a spoilt backup the present state can still be kept" {
	each_format keeps
}

# not_disjoint WHERE COMMAND...
#   Refused, and the sector that is in the way is told; WHERE is a pattern of what
#   is told before it.
not_disjoint() {
	local told="$img: $1sector [0-9]+ would be written and is still needed"

	shift
	expect_unwritten 4 "$@" "$img"
	[[ $output =~ $told ]] ||
		{ echo "$made: $* $output"; return 1; }
}

# overlaps FORMAT BS
overlaps() {
	make_log --format "$1" --bs "$2" --damage overlap
	not_disjoint '' "$restore"
	not_disjoint '' "$restore" --rollback --json
	not_disjoint '' "$restore" --dry-run
	not_disjoint 'log block [0-9]+, entry [0-9]+: ' "$verify"
	# The chain is whole, and what is kept does not need the backups.
	expect_unwritten 0 "$restore" --check "$img"
	expect_unwritten 0 "$restore" --commit --dry-run "$img"
}

@test "damaged: a backup in a block that is itself to be put back" {
	each_format overlaps
}

@test "damaged: a device shorter than its log" {
	each_format damage short
}

@test "damaged: half-restored logs are validated too" {
	local kind

	for kind in source-range dest-overflow size-huge chain-missing; do
		make_log --format 1.0 --state restoring --damage $kind
		expect_unwritten 4 "$restore" "$img"
		make_log --format 1.1 --state restoring --damage $kind
		expect_unwritten 4 "$restore" "$img"
	done
}

# finish_damage KIND FORMAT BS
finish_damage() {
	[ "$3" -gt 512 ] || return 0
	make_log --format "$2" --bs "$3" --state finishing-rollback:2 \
		--damage "$1"
	expect_unwritten 4 "$restore" --rollback "$img"
	expect_unwritten 4 "$restore" --commit "$img"
}

@test "damaged: a finishing record that does not match its checksum" {
	each_format finish_damage finish-csum
}

@test "damaged: a finishing record whose place is impossible" {
	each_format finish_damage finish-range
	each_format finish_damage finish-overflow
	each_format finish_damage finish-zero
	each_format finish_damage finish-unaligned
}

@test "damaged: a finishing record whose final contents are not there" {
	each_format finish_damage finish-contents
}

@test "damaged: a finishing record whose final contents are a log" {
	each_format finish_damage finish-log
	each_format finish_damage finish-record
}

@test "damaged: a finishing record with an unknown action or block size" {
	each_format finish_damage finish-action
	each_format finish_damage finish-block-size
}

@test "damaged: random bytes after the magic" {
	local n

	requires perl
	for n in {1..60}; do
		made="random bytes $n"
		perl -e 'srand(shift); print pack("L*", map { rand(2 ** 32) } 1 .. 65536)' \
			"$n" >"$img"
		printf 'BOW\0' | dd of="$img" conv=notrunc status=none
		if [ $((n % 3)) = 0 ]; then
			# A header that is right so far as a v1.0 one can be.
			printf '\0\1\x1c\0\0\x10\0\0\x05\0\0\0\0\0\0\0' |
				dd of="$img" bs=1 seek=4 conv=notrunc status=none
		fi
		expect_unwritten 4 "$restore" "$img"
	done
}
