#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# verify-view.bats - bow-verify on the filesystem that a rollback would give
#
# A filesystem is made by mke2fs, spoilt where a test says so, and given a log by
# mklog, which overwrites it at random: at present it is a ruin, and the old
# one is to be seen through the log.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	fs=$dir/fs
}

teardown() {
	common_teardown
}

# make_fs MKE2FS-OPTION...
make_fs() {
	requires mke2fs
	mkdir -p "$dir/tree/sub"
	for i in {1..20}; do
		head -c $((i * 997)) /dev/urandom >"$dir/tree/sub/$i"
	done
	head -c 200000 /dev/urandom >"$dir/tree/large"
	truncate -s "${size:-8M}" "$fs"
	[[ " $* " == *" -t "* ]] || set -- -t ext4 "$@"
	mke2fs -q -F -L old-label -d "$dir/tree" "$@" "$fs" 2>"$dir/mke2fs" ||
		{ cat "$dir/mke2fs"; return 1; }
	free=$dir/free
	fs_free "$fs" >"$free"
}

# log_over BS [MKLOG-OPTION...]
#   A log over $fs, with the free ranges that are in $free.
log_over() {
	local bs=$1

	shift
	make_log --bs "$bs" --size "${size:-8M}" --fs "$fs" --free "$free" \
		--ops 200 "$@"
}

# debug COMMAND
debug() {
	debugfs -w -R "$1" "$fs" 2>"$dir/debugfs"
}

# spoil BLOCK OFFSET BLOCK-SIZE
#   A wrong byte.
spoil() {
	printf '\245' | dd of="$fs" bs=1 seek=$(($1 * $3 + $2)) conv=notrunc \
		status=none
}

# bitmap_of GROUP: the place of its block bitmap
bitmap_of() {
	dumpe2fs "$fs" 2>/dev/null |
		sed -n 's/^  Block bitmap at \([0-9]*\).*/\1/p' |
		sed -n "$(($1 + 1))p"
}

@test "the filesystem that a rollback gives is sound, whatever it is at present" {
	local bs

	make_fs -b 4096
	for bs in 512 4096; do
		log_over $bs --features map
		expect_unwritten 0 "$verify" "$img"
		[[ $output == *"filesystem after a rollback: sound"* ]]
	done
}

sound() {
	rm -f "$fs"
	make_fs "$@"
	log_over 4096 --features map
	expect_unwritten 0 "$verify" -v "$img"
	[[ $output == *"filesystem after a rollback: sound"* ]]
	[[ $output == *"old bitmaps and log: agree"* ]]
}

@test "sound with other block sizes, clusters, groups and features" {
	sound -b 1024
	sound -b 2048 -g 2048
	sound -b 1024 -O ^flex_bg,^64bit -I 128
	sound -b 4096 -O bigalloc -C 16384
	sound -b 4096 -O ^metadata_csum,uninit_bg
	sound -b 4096 -O ^metadata_csum,^uninit_bg
	sound -b 4096 -t ext2
	sound -b 1024 -t ext3
	sound -b 4096 -O meta_bg,^resize_inode -g 256
	sound -b 4096 -O inline_data,quota
}

@test "-v: the superblocks of both, side by side" {
	make_fs -b 4096 -U 01234567-89ab-cdef-0123-456789abcdef
	log_over 4096
	expect_unwritten 0 "$verify" -v "$img"
	grep -Eq 'UUID +01234567-89ab-cdef-0123-456789abcdef' <<<"$output"
	grep -Eq 'label +old-label' <<<"$output"
	grep -Eq 'features .*metadata_csum' <<<"$output"
	grep -Eq "free blocks +$(dumpe2fs -h "$fs" 2>/dev/null |
		sed -n 's/^Free blocks: *//p') " <<<"$output"
}

@test "-J: the verdict on both filesystems, and what is wrong" {
	requires jq
	make_fs -b 4096
	spoil "$(bitmap_of 0)" 600 4096
	log_over 4096
	run --separate-stderr -4 "$verify" -J "$img"
	jq -e '.old_filesystem.verdict == "damaged" and
		.old_filesystem.label == "old-label" and
		.old_filesystem.block_size == 4096 and
		.old_filesystem.faults[0].group == 0 and
		.old_filesystem.faults[0].block == '"$(bitmap_of 0)" <<<"$output"
}

# damaged TEXT
#   The log is sound, and what it leads back to is not.
damaged() {
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *"bow-verify: $img: old filesystem: "*"$1"* ]] ||
		{ echo "$output"; return 1; }
	[[ $output == *"active, sound"* ]]
	[[ $output == *"filesystem after a rollback: DAMAGED"* ]]
}

@test "a wrong bit in a block bitmap: exit 4, group and block are named" {
	make_fs -b 1024 -g 1024
	at=$(bitmap_of 0)
	spoil "$at" 20 1024
	log_over 1024
	damaged "group 0: block $at: block bitmap: "
}

@test "a bitmap without a checksum that disagrees with its descriptor" {
	make_fs -b 1024 -g 1024 -O ^metadata_csum,^uninit_bg
	at=$(bitmap_of 1)
	spoil "$at" 20 1024
	log_over 1024
	damaged "group 1: block $at: block bitmap: has "
}

@test "a wrong bit in an inode bitmap" {
	make_fs -b 4096
	at=$(dumpe2fs "$fs" 2>/dev/null |
		sed -n 's/.*Inode bitmap at \([0-9]*\).*/\1/p' | head -n 1)
	spoil "$at" 3 4096
	log_over 4096
	damaged "group 0: block $at: inode bitmap: "
}

@test "a wrong group descriptor" {
	make_fs -b 4096
	spoil 1 12 4096
	log_over 4096
	damaged "group 0: block 1: group descriptor: "
}

@test "a wrong checksum of the superblock" {
	make_fs -b 4096
	spoil 0 $((1024 + 0x120)) 4096
	log_over 4096
	damaged "superblock: "
}

@test "a superblock that claims more than the device" {
	make_fs -b 4096 -O ^metadata_csum
	printf '\377\377\377' | dd of="$fs" bs=1 seek=$((1024 + 4)) \
		conv=notrunc status=none
	log_over 4096
	damaged "more than the device has"
}

@test "a superblock that remembers errors" {
	make_fs -b 4096
	debug 'set_super_value state 2'
	log_over 4096
	damaged "errors were found"
}

@test "counts of the superblock that the groups do not confirm" {
	make_fs -b 4096
	debug 'set_super_value free_blocks_count 77'
	log_over 4096
	damaged "superblock: 77 free blocks, by the groups "
}

@test "a root directory that is none, or has no dots" {
	make_fs -b 4096
	cp "$fs" "$dir/good"
	debug 'set_inode_field / mode 0100644'
	log_over 4096
	damaged "root directory"
	cp "$dir/good" "$fs"
	at=$(debugfs -R 'blocks /' "$fs" 2>/dev/null | tr -d ' \n')
	spoil "$at" 8 4096
	log_over 4096
	damaged "root directory"
}

@test "a journal without its superblock, or with a wrong checksum" {
	make_fs -b 4096
	at=$(debugfs -R 'bmap <8> 0' "$fs" 2>/dev/null)
	cp "$fs" "$dir/good"
	spoil "$at" 0 4096
	log_over 4096
	damaged "block $at: journal has no superblock"
	cp "$dir/good" "$fs"
	# Feature CSUM_V3, and no checksum.
	spoil "$at" $((40 + 3)) 4096
	printf '\020' | dd of="$fs" bs=1 seek=$((at * 4096 + 43)) conv=notrunc \
		status=none
	log_over 4096
	damaged "block $at: journal superblock: wrong checksum"
}

# journal_of BLOCK FILE
#   A transaction in the journal that writes FILE there.
journal_of() {
	printf '%s\n' 'jo -c -v 3' "jw -b $1 $2" jc |
		debugfs -w -f - "$fs" >"$dir/debugfs" 2>&1
}

@test "a journal that is to be replayed: what it gives is checked" {
	local at

	make_fs -b 4096 -O metadata_csum
	at=$(bitmap_of 0)
	cp "$fs" "$dir/good"
	dd if="$fs" of="$dir/bitmap" bs=4096 skip="$at" count=1 status=none
	# The right bitmap is in the journal only.
	journal_of "$at" "$dir/bitmap"
	spoil "$at" 600 4096
	log_over 4096
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *"after a rollback: sound, with its journal replayed"* ]]
	expect_unwritten 0 "$verify" -J "$img"
	jq -e '.old_filesystem | .verdict == "sound" and
		.journal_transactions == 1' <<<"$output"
	json_names <<<"$output" >"$dir/names"
	json_documented bow-verify.8 "$dir/names"
	# The image is as the disk was, and e2fsck replays.
	expect_unwritten 0 "$verify" --export "$dir/out" "$img"
	"$mklog" --compare "$dir/out" "$fs" "$free"
	expect_unwritten 0 "$verify" --fsck "$img"
	# The other way round: it is in the journal that it is wrong.
	dd if="$fs" of="$dir/bad" bs=4096 skip="$at" count=1 status=none
	cp "$dir/good" "$fs"
	journal_of "$at" "$dir/bad"
	log_over 4096
	damaged "group 0: block $at: block bitmap: wrong checksum"
}

@test "a journal that is to be replayed and cannot be: said, not checked" {
	local bitmap

	make_fs -b 4096
	bitmap=$(bitmap_of 0)
	debug 'set_super_value feature_incompat 0x2c6'
	spoil "$(debugfs -R 'bmap <8> 0' "$fs" 2>/dev/null)" 0 4096
	spoil "$bitmap" 600 4096
	log_over 4096
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *"after a rollback: not checked: its journal is to be replayed first, and has no superblock"* ]]
}

@test "no filesystem, or one with unknown features: said, not checked" {
	make_log --features raw
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *"not checked: no ext2, ext3 or ext4 filesystem"* ]]
	make_log
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *"not checked: "*feature* ]]
}

# blocks_of FILE: its blocks as sectors "START LENGTH" of 4 KiB blocks
blocks_of() {
	debugfs -R "blocks $1" "$fs" 2>/dev/null | tr ' ' '\n' |
		awk 'NF { print $1 * 8, 8 }'
}

@test "old contents where a file was: exit 4, the entry is named" {
	make_fs -b 4096
	# mklog is told that a file's blocks are free.
	blocks_of large >>"$free"
	log_over 4096
	expect_unwritten 4 "$verify" "$img"
	[[ $output =~ "log block "[0-9]+", entry "[0-9]+": block "[0-9]+": old contents were put at sector "[0-9]+", which was in use" ]]
	[[ $output == *"old bitmaps and log: DO NOT AGREE"* ]]
	[[ $output == *"filesystem after a rollback: sound"* ]]
	log_over 4096 --features map --ops 9
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *"the free map has a free range at sector "* ]]
}

@test "blocks put back that were free: counted, and no fault" {
	make_fs -b 4096
	fs_free "$fs" | awk '{ print $1, int($2 / 16) * 8 }' >"$free"
	log_over 4096 --features map
	expect_unwritten 0 "$verify" "$img"
	expect_unwritten 0 "$verify" -v "$img"
	[[ $output == *"old bitmaps and log: agree"* ]]
	[[ $output == *"put back without need, it was free: "* ]]
}

@test "the old superblock is gone: exit 4" {
	make_log --bs 4096 --ops 0
	# Its backup: backup0 of the header.
	at=$(od -An -tu8 -j96 -N8 "$img" | tr -d ' ')
	dd if=/dev/zero of="$img" bs=512 seek="$at" count=8 conv=notrunc \
		status=none
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *"the old block 0 holds no superblock"* ]]
}

@test "a damaged free map: exit 4, a rollback is still possible" {
	make_log --features map --ops 20
	at=$(od -An -tu8 -j128 -N8 "$img" | tr -d ' ')
	grep -q "^$at used" "$log.states"
	printf x | dd of="$img" bs=1 seek=$((at * 512 + 3000)) conv=notrunc \
		status=none
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *"the free map's block of sector $at does not match"* ]]
	[[ $output == *"can be done: roll back or commit"* ]]
}
