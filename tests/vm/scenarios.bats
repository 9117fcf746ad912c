#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, d0, restore, vm_*: see scenarios.bash
# dm-bow, bowctl and bow-restore in a minimal QEMU guest: checkpoints that are
# rolled back or committed, and power cuts in each of them.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
}

teardown()
{
	common_teardown
}

# rollback_in_guest
#   Load, cut the power, roll back in a new guest.
rollback_in_guest()
{
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 40)"
	[ "$(status_of copies)" -gt 0 ]
	vm_cut
	assert_rolls_back
	guest_start
	vm_run 'bow-restore --check /dev/vda && bow-restore /dev/vda'
	vm_off
	assert_is_d0 "$img"
}

@test "vm: a checkpoint of a 4 KiB-block ext4 is rolled back to D0" {
	make_image 4096 96
	rollback_in_guest
}

@test "vm: a checkpoint of a 1 KiB-block ext4 is rolled back to D0" {
	make_image 1024 96
	rollback_in_guest
}

# No sector is written alone there: the parts of block 0 go with the rest of it.
@test "vm: on a disk with sectors of 4096 bytes, a rollback and a commit" {
	vm_sector=4096
	make_image 4096 96
	rollback_in_guest
	make_image 4096 96
	guest_start
	[ "$(vm_run 'cat /sys/block/vda/queue/logical_block_size')" = 4096 ]
	guest_attach
	guest_checkpoint
	vm_run "$(work 20)"
	vm_run 'bowctl -q commit /mnt'
	vm_cut
	run -2 "$restore" --check "$img"
	e2fsck -fp "$img" || [ $? = 1 ]
}

@test "vm: a checkpoint of a filesystem mounted read-write has all its files" {
	make_image 4096 96
	guest_start
	guest_attach
	vm_run 'set -e
		mount -t ext4 /dev/mapper/bow-root /mnt
		rm /mnt/a/2?
		cp -r /mnt/b /mnt/c
		find /mnt -type f | sort | xargs sha256sum >/tmp/before
		bowctl checkpoint /mnt
		find /mnt -type f | sort | xargs sha256sum | cmp - /tmp/before'
	vm_run 'cat /tmp/before' >"$BATS_TEST_TMPDIR/before"
	vm_run "$(work 40)"
	vm_cut
	guest_start
	vm_run 'bow-restore /dev/vda && e2fsck -fn /dev/vda &&
		mount -t ext4 -o ro /dev/vda /mnt'
	vm_run 'find /mnt -type f | sort | xargs sha256sum' \
		>"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "vm: a commit keeps what was written, and a new checkpoint can follow" {
	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 20)"
	vm_run 'bowctl -q commit /mnt && echo more >/mnt/after && sync &&
		find /mnt -type f | sort | xargs sha256sum >/tmp/now
		cat /tmp/now' >"$BATS_TEST_TMPDIR/before"
	vm_cut
	run -2 "$restore" --check "$img"
	guest_start
	guest_attach
	vm_run 'mount -t ext4 /dev/mapper/bow-root /mnt &&
		find /mnt -type f | sort | xargs sha256sum' \
		>"$BATS_TEST_TMPDIR/after"
	cmp "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
	vm_run 'mount -o remount,ro /mnt'
	cp --sparse=always "$img" "$d0"
	vm_run 'bowctl checkpoint /mnt && mount -o remount,rw /mnt'
	vm_run "$(work 20)"
	vm_cut
	assert_rolls_back
}

@test "vm: a power cut under load leaves a log that rolls back" {
	local pause

	make_image 4096 96
	for pause in 0.4 1.3; do
		guest_start
		guest_attach
		if [ ! -e "$d0" ]; then
			guest_checkpoint
		else
			vm_run 'mount -t ext4 -o ro /dev/mapper/bow-root /mnt &&
				bowctl checkpoint /mnt &&
				mount -o remount,rw /mnt'
		fi
		vm_send "$(work_on 10000)"
		sleep "$pause"
		vm_cut
		assert_rolls_back
		cp --sparse=always "$BATS_TEST_TMPDIR/rolled-back" "$img"
		cp --sparse=always "$img" "$d0"
	done
}

@test "vm: a power cut during the activation leaves D0 or a log of D0" {
	local pause found=

	make_image 4096 96
	cp --sparse=always "$img" "$d0"
	free_sectors "$d0" | sed 's/^/dmsetup message bow-root 0 free /' \
		>"$BATS_TEST_TMPDIR/free"
	for pause in 0.2 active 1.1; do
		cp --sparse=always "$d0" "$img"
		guest_start
		guest_attach
		vm_run "$(cat "$BATS_TEST_TMPDIR/free")"
		cut_while 'dmsetup message bow-root 0 checkpoint' "$pause"
		if "$restore" --check "$img"; then
			found+=log
			assert_rolls_back
		else
			assert_is_d0 "$img"
		fi
	done
	[[ $found = log* ]]
}

# assert_commit_completes WHAT
#   $img is as a power cut during a commit left it.  As long as nothing of the
#   commit is on the disk, it rolls back; committed in the end, its contents
#   have the SHA-256 $WHAT.
assert_commit_completes()
{
	local state status=0

	state=$("$restore" --check "$img") || status=$?
	[ "$state" != active ] || assert_rolls_back
	if [ "$status" = 0 ]; then
		"$restore" -q --commit "$img"
	else
		[ "$status" = 2 ]
	fi
	[ "$(sha256sum <"$img")" = "$1" ]
}

@test "vm: a commit in the initramfs survives a power cut" {
	local pause new

	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 20)"
	vm_run 'umount /mnt'
	vm_cut
	cp --sparse=always "$img" "$img.active"
	cp --sparse=always "$img" "$img.new"
	"$restore" -q --commit "$img.new"
	new=$(sha256sum <"$img.new")
	for pause in 0.1 finishing 0.9; do
		cp --sparse=always "$img.active" "$img"
		guest_start
		cut_while 'bow-restore --commit /dev/vda' "$pause"
		assert_commit_completes "$new"
	done
}

@test "vm: a commit by the module survives a power cut" {
	local pause new

	for pause in 0.1 finishing 0.9; do
		rm -f "$img"
		make_image 4096 96
		guest_start
		guest_attach
		guest_checkpoint
		vm_run "$(work 10)"
		# What the device shows is what the commit has to leave.
		new=$(vm_run 'umount /mnt; sha256sum </dev/mapper/bow-root')
		cut_while 'dmsetup message bow-root 0 commit' "$pause"
		assert_commit_completes "$new"
		e2fsck -fn "$img"
	done
}

@test "vm: a rollback that is interrupted twice is completed by the third" {
	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 60)"
	vm_cut
	guest_start
	cut_while 'bow-restore /dev/vda' restoring
	guest_start
	cut_while 'bow-restore /dev/vda' 1
	run -0 "$restore" --check "$img"
	[ "$output" = restoring ]
	guest_start
	run -8 vm_run 'bow-restore --commit /dev/vda'
	vm_run 'bow-restore /dev/vda'
	vm_off
	assert_is_d0 "$img"
}

@test "vm: on a full disk the filesystem fails and the log still rolls back" {
	make_image 4096 32
	guest_start
	guest_attach
	guest_checkpoint
	vm_run 'i=0
		while dd if=/dev/zero of=/mnt/fill$i bs=1M count=4 conv=fsync &&
			dd if=/dev/urandom of=/mnt/a/5$((i % 10)) bs=4k \
				count=40 conv=notrunc,fsync; do
			i=$((i + 1))
			[ $i -lt 30 ] || exit 1
		done
		# The filesystem may be full before all that was free is used up.
		for file in /mnt/a/*; do
			dd if=/dev/urandom of=$file bs=4k count=60 conv=notrunc,fsync
		done
		sync
		dmsetup status bow-root | grep -q "bow checkpoint full"'
	vm_cut
	assert_rolls_back
}

@test "vm: with a log in place the UUID resolves and a read-write mount does not work" {
	local uuid

	make_image 4096 96
	uuid=$(blkid -o value -s UUID "$img")
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 10)"
	vm_cut
	sha256sum "$img" >"$img.sum"
	guest_start
	run -0 vm_run "/sbin/blkid -l -t UUID=$uuid -o device"
	[ "$output" = /dev/vda ]
	run ! vm_run 'mount -t ext4 /dev/vda /mnt'
	vm_run 'mount -t ext4 -o ro /dev/vda /mnt && ls /mnt/a && umount /mnt'
	run ! vm_run 'e2fsck -p /dev/vda'
	run ! vm_run 'dmsetup create bow-root \
		--table "0 $(cat /sys/block/vda/size) bow /dev/vda"'
	vm_off
	sha256sum -c "$img.sum"
}

@test "vm: fstrim during a checkpoint copies nothing and harms no backup" {
	local free copies

	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 20)"
	vm_run 'rm -rf /mnt/a /mnt/new*; sync'
	copies=$(status_of copies)
	free=$(vm_run 'cat /sys/block/dm-0/bow/free')
	vm_run '/sbin/fstrim -v /mnt && sync'
	[ "$(vm_run 'cat /sys/block/dm-0/bow/free')" -ge "$free" ]
	# The journal's own blocks may be copied, nothing because of discards.
	[ "$(status_of copies)" -le $((copies + 16)) ]
	vm_run 'mkdir -p /mnt/a /mnt/b'
	vm_run "$(work 20)"
	vm_cut
	assert_rolls_back
}
