#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore.bats - bow-restore: rolling back, committing and checking
#
# See also restore-damage.bats, restore-torn.bats, restore-faults.bats.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# ---- rolling back ----

# rolls_back MKLOG-OPTION...
rolls_back() {
	make_log "$@"
	expect 0 "$restore" --rollback "$img"
	same_as orig.img
}

rolls_back_format() {
	local seed

	for seed in 1 2 3; do
		rolls_back --seed "$seed" --format "$1" --bs "$2"
	done
}

@test "rollback: gives the disk of the checkpoint, in every format and block size" {
	each_format rolls_back_format
}

@test "rollback: is what happens without an option" {
	make_log --seed 4
	expect 0 "$restore" "$img"
	same_as orig.img
}

@test "rollback: honours the header size of a v1.0 log" {
	local size

	for size in 29 64 256 1000 2048 4000; do
		rolls_back --format 1.0 --bs 4096 --header-size $size
	done
	rolls_back --format 1.0 --bs 512 --header-size 256
}

@test "rollback: a checksum of 0 is no checksum, or that of zeros in block 0" {
	rolls_back --format v0 --features zero0,nocsum
	rolls_back --format 1.0 --features zero0,nocsum
	rolls_back --format 1.0 --bs 512 --features zero0,nocsum
	rolls_back --format 1.1 --features zero0
}

@test "rollback: claims are passed over" {
	local seed

	for seed in 1 2 3; do
		rolls_back --features claims --seed "$seed"
		rolls_back --features claims --bs 1024 --seed "$seed"
		rolls_back --features claims,raw --seed "$seed"
	done
}

@test "rollback: a log of hundreds of blocks" {
	rolls_back --bs 512 --size 8M --ops 6000 --seed 7
	rolls_back --bs 512 --size 8M --ops 6000 --seed 7 --format 1.0
}

@test "rollback: a v1.1 log can be undone by a v1.0 reader" {
	local seed bs

	for bs in 512 1024 2048 4096; do
		for seed in 1 2 3 4; do
			make_log --bs $bs --seed "$seed" --features claims
			"$mklog" --undo "$img"
			same_as orig.img
		done
	done
}

# fs_rolls_back FS-BLOCK-SIZE FORMAT BS
#   With a real ext4, so that the guard superblock is a real one.
fs_rolls_back() {
	truncate -s 16M "$dir/fs"
	mke2fs -q -F -t ext4 -b "$1" -L bow-test -d "$top/kmod" "$dir/fs"
	fs_free "$dir/fs" >"$dir/fs.free"
	make_log --format "$2" --bs "$3" --size 16M --fs "$dir/fs" \
		--free "$dir/fs.free"
	expect 0 "$restore" "$img"
	same_as orig.img
	e2fsck -fn "$img"
}

@test "rollback: an ext4 with 1 KiB blocks is clean afterwards" {
	requires mke2fs dumpe2fs e2fsck
	fs_rolls_back 1024 1.1 4096
	fs_rolls_back 1024 1.1 1024
	fs_rolls_back 1024 1.0 1024
}

@test "rollback: an ext4 with 4 KiB blocks is clean afterwards" {
	requires mke2fs dumpe2fs e2fsck
	fs_rolls_back 4096 v0 4096
	fs_rolls_back 4096 1.0 4096
	fs_rolls_back 4096 1.1 4096
}

@test "guard superblock: with the log in place blkid still finds the filesystem" {
	requires mke2fs dumpe2fs blkid
	fs_rolls_back 4096 1.1 4096
	make_log --size 16M --fs "$dir/fs" --free "$dir/fs.free"
	expect 0 blkid -p -o value -s LABEL "$img"
	[ "$output" = bow-test ]
}

# once FORMAT BS
once() {
	make_log --format "$1" --bs "$2"
	expect 0 "$restore" --rollback "$img"
	expect_unwritten 2 "$restore" --rollback "$img"
	expect_unwritten 2 "$restore" --commit "$img"
	same_as orig.img
}

@test "rollback: a second one finds no log and writes nothing" {
	each_format once
}

# ---- committing ----

# commits MKLOG-OPTION...
commits() {
	make_log "$@"
	expect 0 "$restore" --commit "$img"
	identical "$img" "$log.live.img"
	expect_unwritten 2 "$restore" --commit "$img"
}

commits_format() {
	commits --seed 1 --format "$1" --bs "$2"
	commits --seed 2 --format "$1" --bs "$2"
}

@test "commit: keeps every byte that the live device showed, in every format" {
	each_format commits_format
}

@test "commit: follows a live block 0 that the v1.0 header no longer names" {
	local seed bs

	for bs in 512 1024 2048 4096; do
		for seed in 1 2 3; do
			commits --format 1.0 --bs $bs --seed "$seed" \
				--features stale
		done
	done
}

@test "commit: finds the live block 0 that v0 does not record, however often moved" {
	local seed

	for seed in 1 2 3 4 5 6; do
		commits --format v0 --seed "$seed" --features stale
	done
}

@test "commit: v0 with something in block 0 that is no filesystem is refused" {
	make_log --format v0 --features raw
	expect_unwritten 4 "$restore" --commit "$img"
	[[ $output == "bow-restore: $img: "*filesystem* ]]
	expect 0 "$restore" --rollback "$img"
	same_as orig.img
}

# ---- a rollback that has begun ----

# restoring STATE FORMAT BS
restoring() {
	make_log --format "$2" --bs "$3" --state "$1"
	expect_unwritten 0 "$restore" --check "$img"
	[ "$output" = restoring ]
	expect_unwritten 8 "$restore" --commit "$img"
	[[ $output == "bow-restore: $img: "*rollback* ]]
	expect 0 "$restore" --rollback "$img"
	same_as orig.img
}

@test "half-restored: only completing the rollback is allowed, and gives the old disk" {
	each_format restoring restoring
}

# ordered FORMAT BS: as Android's tool leaves a device
ordered() {
	local n

	case $1 in 1.1) return ;; esac
	for n in 1 2 17 60 120; do
		restoring "restoring-ordered:$n" "$1" "$2"
	done
}

@test "half-restored: a rollback that another tool began entry by entry is completed" {
	each_format ordered
}

# ---- a finishing record ----

# finishing ACTION OTHER IMAGE FORMAT BS
finishing() {
	local action=$1 other=$2 image=$3 mask masks

	case $5 in
	512)	return ;;	# one sector is replaced by one write
	1024)	masks='0 2' ;;
	2048)	masks='0 2 4 10 14' ;;
	4096)	masks='0 2 128 84 170 126 254' ;;
	esac
	for mask in $masks; do
		make_log --format "$4" --bs "$5" --state "finishing-$action:$mask"
		expect_unwritten 0 "$restore" --check "$img"
		[ "$output" = finishing ]
		expect_unwritten 0 "$restore" --dry-run "--$action" "$img"
		cp "$img" "$dir/again"
		expect 0 "$restore" "--$action" "$img"
		same_as "$image"
		# The other action cannot be had any more: complete, and say so.
		cp "$dir/again" "$img"
		expect_unwritten 8 "$restore" --dry-run "--$other" "$img"
		[[ $output == *"the other action is under way and would be completed"* ]]
		[[ $output == *"the $action that was under way would be completed"* ]]
		[[ $output != *"was completed"* ]]
		expect 8 "$restore" "--$other" "$img"
		[[ $output == *"the other action was already under way and was completed"* ]]
		same_as "$image"
		expect_unwritten 2 "$restore" "--$other" "$img"
	done
}

@test "finishing record: an interrupted end of a rollback is completed" {
	each_format finishing rollback commit orig.img
}

@test "finishing record: an interrupted end of a commit is completed" {
	each_format finishing commit rollback live.img
}

# ---- --check, --dry-run ----

@test "check: a device without a log: none, exit 2" {
	truncate -s 1M "$img"
	made=zeros
	expect_unwritten 2 "$restore" --check "$img"
	[ "$output" = none ]
	make_log
	cp "$log.orig.img" "$img"
	expect_unwritten 2 "$restore" --check "$img"
	[ "$output" = none ]
}

@test "check: without a log it does one read of the device" {
	local reads

	requires strace
	make_log
	cp "$log.orig.img" "$img"
	expect 2 strace -o "$dir/trace" -y -e trace=read,pread64,readv,preadv \
		"$restore" --check "$img"
	reads=$(grep -c "$img" "$dir/trace")
	[ "$reads" -eq 1 ]
}

check_active() {
	make_log --format "$1" --bs "$2"
	expect_unwritten 0 "$restore" --check "$img"
	[ "$output" = active ]
	expect_unwritten 0 "$restore" --check -v "$img"
	[ "${lines[0]}" = active ]
	[ "${#lines[@]}" -gt 1 ]
}

@test "check: a checkpoint: active, exit 0, more with -v" {
	each_format check_active
}

dry_runs() {
	make_log --format "$1" --bs "$2"
	expect_unwritten 0 "$restore" --dry-run --rollback "$img"
	expect_unwritten 0 "$restore" -n "$img"
	expect_unwritten 0 "$restore" --dry-run --commit "$img"
}

@test "dry run: checks everything and writes nothing" {
	each_format dry_runs
}

@test "check and dry run: work on a file that must not be written" {
	requires strace
	make_log
	expect 0 strace -o "$dir/trace" -e trace=open,openat "$restore" --check "$img"
	grep "$img" "$dir/trace" | grep -q O_RDONLY
	expect 0 strace -o "$dir/trace" -e trace=open,openat "$restore" -n "$img"
	grep "$img" "$dir/trace" | grep -q O_RDONLY
	run ! grep -E "$img.*O_(RDWR|WRONLY)" "$dir/trace"
}

# ---- refusals ----

@test "refused: a mounted device" {
	requires root mke2fs
	truncate -s 8M "$img"
	mke2fs -q -F -t ext4 "$img"
	attach "$img"
	mkdir "$dir/mnt"
	mount "$loop" "$dir/mnt"
	mounts+=("$dir/mnt")
	made='a mounted ext4'
	expect 8 "$restore" "$loop"
	[[ $output == "bow-restore: $loop: "* ]]
}

@test "refused: a device with a log that another program holds; --check still works" {
	requires root perl
	make_log
	attach "$img"
	perl -MFcntl -e 'sysopen(F, $ARGV[0], O_RDWR | O_EXCL) or die;
		open(G, ">", $ARGV[1]); sleep 60' "$loop" "$dir/held" 3>&- &
	holders+=("$!")
	until [ -e "$dir/held" ]; do sleep 0.05; done
	expect_unwritten 8 "$restore" --rollback "$loop"
	[[ $output == "bow-restore: $loop: "* ]]
	expect_unwritten 8 "$restore" --commit "$loop"
	expect_unwritten 0 "$restore" --check "$loop"
	expect_unwritten 0 "$restore" --dry-run "$loop"
}

@test "a block device is rolled back and committed like a file" {
	requires root
	make_log
	attach "$img"
	expect 0 "$restore" "$loop"
	same_as orig.img
	losetup -d "$loop"
	loops=()
	make_log
	attach "$img"
	expect 0 "$restore" --commit "$loop"
	identical "$img" "$log.live.img"
}

@test "refused: a second bow-restore on the same image" {
	requires flock
	make_log
	flock "$img" sleep 60 3>&- &
	holders+=("$!")
	until ! flock -n "$img" true; do sleep 0.05; done
	expect_unwritten 8 "$restore" "$img"
}

@test "refused: what is neither a block device nor a file" {
	expect 8 "$restore" "$dir"
	[[ $output == "bow-restore: $dir: "* ]]
	expect 8 "$restore" /dev/null
	expect 8 "$restore" "$dir/nothing"
	mkfifo "$dir/fifo"
	expect 8 timeout 5 "$restore" "$dir/fifo"
}

@test "a file shorter than a block has no log" {
	local bytes

	for bytes in 0 1 511 512 600; do
		truncate -s $bytes "$img"
		made="$bytes bytes"
		expect_unwritten 2 "$restore" "$img"
		expect_unwritten 2 "$restore" --check "$img"
	done
}

# ---- real logs ----

rolls_back_sample() {
	sample "$1"
	expect_unwritten 0 "$restore" --dry-run "$img"
	expect 0 "$restore" "$img"
	same_as orig.img
}

@test "samples: logs written by Android's dm-bow are rolled back" {
	requires samples zstd dumpe2fs
	rolls_back_sample b4096-small
	rolls_back_sample b512-fs1k
	rolls_back_sample raw1024
}

@test "samples: rollbacks that Android's tool began are completed" {
	requires samples zstd dumpe2fs
	sample b4096-small
	zstd -dqf "$samples/b4096-small.partial-11.img.zst" -o "$img"
	expect 0 "$restore" "$img"
	same_as orig.img
	sample raw1024
	zstd -dqf "$samples/raw1024.partial-159.img.zst" -o "$img"
	expect 0 "$restore" "$img"
	same_as orig.img
}

@test "samples: a commit keeps what the live device showed" {
	requires samples zstd
	sample raw1024
	zstd -dqf "$samples/raw1024.view.img.zst" -o "$log.live.img"
	expect 0 "$restore" --commit "$img"
	identical "$img" "$log.live.img"
}

@test "samples: the oracle gives the old disk too" {
	local name

	requires samples zstd dumpe2fs
	for name in b4096-small b512-fs1k raw1024; do
		sample $name
		"$mklog" --undo "$img"
		same_as orig.img
	done
}
