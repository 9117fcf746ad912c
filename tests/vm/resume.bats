#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, d0, restore, vm_*: see scenarios.bash
# Checkpoints that are gone on with after power cuts, in a minimal QEMU guest:
# bowctl resume, then more load, and in the end a rollback or a commit.

bats_require_minimum_version 1.5.0

# Three tests begin where the power was cut three times: that happens once.
setup_file()
{
	# shellcheck source=tests/vm/scenarios.bash
	load scenarios.bash
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR common_setup
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR three_times 4096
	consoles_sound "$BATS_FILE_TMPDIR"
}

teardown_file()
{
	common_teardown_file
}

setup()
{
	load scenarios.bash
	common_setup
}

teardown()
{
	common_teardown
}

# guest_resume
#   Boot, take the checkpoint up again, mount (which replays the journal).
guest_resume()
{
	guest_start
	vm_run 'bowctl -J resume /dev/vda' 120 >"$BATS_TEST_TMPDIR/resumed"
	vm_run 'mount -t ext4 /dev/mapper/bow-root /mnt'
}

# resumed KEY
#   A value of what the last resume told.
resumed()
{
	jq ".$1" "$BATS_TEST_TMPDIR/resumed"
}

# load_and_cut PAUSE ROUNDS
#   Cut the power PAUSE seconds into a load, after another one of ROUNDS.
load_and_cut()
{
	vm_run "$(work "$2")" 120
	vm_send "$(work_on 10000)"
	sleep "$1"
	vm_cut
}

# manifest
#   Print the checksums of all files of the guest.
manifest()
{
	vm_run 'cd /mnt && find . -type f | sort | xargs sha256sum'
}

# three_times BLOCK-SIZE
#   A checkpoint under load that is cut and gone on with three times.
three_times()
{
	local i id

	make_image "$1" 96
	guest_start
	guest_attach
	guest_checkpoint
	id=$(status_of id)
	load_and_cut 0.4 15
	for i in 1 2 3; do
		assert_rolls_back
		guest_resume
		[ "$(resumed resumed)" = "$i" ]
		[ "$(resumed id)" = "\"$id\"" ]
		[ "$(resumed sectors.changed)" -gt 0 ]
		[ "$(resumed sectors.held)" -gt 0 ]
		vm_run "echo $i >/mnt/life$i && sync"
		load_and_cut "0.$((i * 3))" 15
	done
	assert_rolls_back
}

# cut_three_times
#   The disk that setup_file left.
cut_three_times()
{
	cp --sparse=always "$BATS_FILE_TMPDIR/disk" "$img"
	cp --sparse=always "$BATS_FILE_TMPDIR/d0" "$d0"
}

@test "resume: three power cuts, and a rollback gives D0 (4 KiB blocks)" {
	cut_three_times
	guest_start
	vm_run 'bow-restore --rollback /dev/vda'
	vm_off
	assert_is_d0 "$img"
}

@test "resume: three power cuts, and a rollback gives D0 (1 KiB blocks)" {
	three_times 1024
	guest_start
	vm_run 'bow-restore --rollback /dev/vda'
	vm_off
	assert_is_d0 "$img"
}

@test "resume: three power cuts, and a commit keeps what was synced last" {
	cut_three_times
	guest_resume
	# All that was synced in the lives before is there.
	run -0 vm_run 'cat /mnt/life1 /mnt/life2 /mnt/life3'
	[ "$output" = $'1\n2\n3' ]
	vm_run "$(work 10)"
	vm_run 'sync'
	manifest >"$BATS_TEST_TMPDIR/before"
	run -0 vm_run 'bowctl commit /mnt'
	vm_cut
	run -2 "$restore" --check "$img"
	cp --sparse=always "$img" "$BATS_TEST_TMPDIR/checked"
	# The journal is replayed, and then nothing is left to be repaired.
	e2fsck -fp "$BATS_TEST_TMPDIR/checked" || [ $? = 1 ]
	e2fsck -fn "$BATS_TEST_TMPDIR/checked"
	guest_start
	vm_run 'mount -t ext4 /dev/vda /mnt'
	manifest >"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "resume: a commit of a log that was gone on with, by bow-restore" {
	cut_three_times
	guest_resume
	vm_run "$(work 10)"
	vm_run 'sync'
	manifest >"$BATS_TEST_TMPDIR/before"
	vm_run 'umount /mnt'
	vm_cut
	"$restore" -q --commit "$img"
	e2fsck -fn "$img"
	guest_start
	vm_run 'mount -t ext4 /dev/vda /mnt'
	manifest >"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

# What the filesystem has written to free space is told by claims alone.  All
# that was free is filled but a file of unwritten blocks: only there is room for
# backups, while the module looks from the end of the device first.
@test "resume: old contents do not go where the filesystem has written since" {
	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run 'fallocate -l 16M /mnt/unwritten
		dd if=/dev/urandom of=/mnt/big bs=64k 2>/dev/null
		sync; [ $(stat -c %s /mnt/big) -gt 50000000 ]' 120
	vm_run 'sha256sum /mnt/big' 60 >"$BATS_TEST_TMPDIR/before"
	vm_cut
	guest_resume
	[ "$(resumed free_bytes)" -gt 8000000 ]
	vm_run 'for i in /mnt/a/2? /mnt/a/3? /mnt/a/4?; do
			dd if=/dev/urandom of=$i bs=4k count=20 conv=notrunc
		done 2>/dev/null
		sync'
	[ "$(status_of copies)" -gt 10 ]
	vm_cut
	assert_rolls_back
	guest_resume
	vm_run 'sha256sum /mnt/big' 60 >"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	vm_cut
	assert_rolls_back
}

@test "resume: without a cut, nothing of the state is lost" {
	local free held

	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 30)"
	vm_run 'umount /mnt; fstrim /mnt 2>/dev/null; true'
	free=$(vm_run 'cat /sys/block/dm-0/bow/free')
	held=$(status_of held_sectors)
	vm_run 'dmsetup remove bow-root && bowctl resume /dev/vda'
	# What was claimed counts as used, so that there may be less.
	[ "$(status_of held_sectors)" = "$held" ]
	[ "$(vm_run 'cat /sys/block/dm-0/bow/free')" -le "$free" ]
	[ "$(vm_run 'cat /sys/block/dm-0/bow/free')" -gt 0 ]
	vm_run 'e2fsck -fn /dev/mapper/bow-root'
	vm_cut
	assert_rolls_back
}

@test "resume: a device without a log, in use or of another kind is refused" {
	make_image 4096 96
	guest_start
	run -2 vm_run 'bowctl resume /dev/vda'
	[[ $output = *"there is no log"* ]]
	run -16 vm_run 'bowctl resume'
	run -8 vm_run 'bowctl resume /init'
	[[ $output = *"not a block device"* ]]
	guest_attach
	run -8 vm_run 'bowctl resume /dev/vda'
	[[ $output = *"in use"* ]]
	guest_checkpoint
	run -8 vm_run 'bowctl resume /dev/vda'
	[[ $output = *"in use"* ]]
	vm_run 'umount /mnt && dmsetup remove bow-root'
	# The table alone: I/O waits, and fails when the device is taken away.
	vm_run 'dmsetup create other --table \
		"0 $(cat /sys/block/vda/size) bow /dev/vda 1 resume" &&
		(dd if=/dev/mapper/other of=/dev/null count=1 2>/tmp/dd
		echo $? >/tmp/dd.status) &
		sleep 1; dmsetup status other'
	run -0 vm_run 'dmsetup table other'
	[[ $output = *" 2 block_size:4096 resume" ]]
	run -0 vm_run 'dmsetup wipe_table other && sleep 1 &&
		cat /tmp/dd.status && dmsetup remove other'
	[ "$output" != 0 ]
	# A kernel that lacks the module.
	run -8 vm_run 'rmmod dm_bow && bowctl resume /dev/vda'
	[[ $output = *"is the module dm-bow there? see dmesg"* ]]
	# A rollback that has begun can only be completed.
	vm_run 'printf WOB | dd of=/dev/vda bs=1 conv=notrunc 2>/dev/null; sync'
	run -8 vm_run 'bowctl resume /dev/vda'
	[[ $output = *"has begun"* ]]
	run -0 vm_run 'bow-restore -q /dev/vda && dmsetup ls'
	[ "$output" = "No devices found" ]
	vm_cut
	assert_is_d0 "$img"
}

@test "resume: a damaged free map is refused, the log still rolls back" {
	local map

	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 5)"
	vm_cut
	map=$(od -An -tu8 -j128 -N8 "$img")
	printf x | dd of="$img" bs=1 seek=$((map * 512 + 2000)) conv=notrunc \
		status=none
	guest_start
	run -4 vm_run 'bowctl resume /dev/vda'
	[[ $output = *"free map"*"checksum"* ]]
	run -0 vm_run 'dmsetup ls'
	[ "$output" = "No devices found" ]
	vm_cut
	assert_rolls_back
}

@test "resume: a log that the module does not go on with is refused in words" {
	# Regions of another size than the module makes.
	"$vm_src/build/tests/mklog" --size 16M --features map "$BATS_TEST_TMPDIR/log"
	img=$BATS_TEST_TMPDIR/log.bow.img
	guest_start
	run -4 vm_run 'bowctl resume /dev/vda'
	[[ $output = "bowctl: resume: /dev/vda: the module does not go on"*"roll back or commit"* ]]
	run -0 vm_run 'dmsetup ls'
	[ "$output" = "No devices found" ]
	vm_cut
	"$vm_src/build/bow-restore" "$img"
	"$vm_src/build/tests/mklog" --compare "$img" "$BATS_TEST_TMPDIR/log.orig.img" \
		"$BATS_TEST_TMPDIR/log.free"
}
