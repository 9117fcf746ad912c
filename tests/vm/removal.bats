#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2034,SC2154 # raw_*; img, d0, restore, vm_*: see scenarios.bash
# The disk goes away below dm-bow, under load, with an active checkpoint: writes
# fail, what is left in the guest can be cleared away, and the log gives D0.

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

# The guest is asked to let go of the disk; the monitor then takes it away.
@test "removal: a disk that is unplugged under load fails writes, and the log gives D0" {
	raw_setup
	raw_below=/dev/vda
	guest_requests 4096
	in_guest '/t/stress $b 120 3 6 >/tmp/said 2>&1 &
		echo $! >/tmp/stress
		soon "[ \$(cat $s/copies) -gt 20 ]"'
	vm_monitor_send 'device_del disk0-device'
	in_guest 'soon "[ ! -e /sys/block/vda ]"
		soon "! kill -0 $(cat /tmp/stress)"
		grep "Input/output error" /tmp/said
		says EIO write $b 800 8 1
		says EIO write $b 20000 8 1
		says EIO write $b 80000 8 1
		says EIO sync $b
		[ $(cat $s/errors) -gt 0 ]
		fails state commit
		sound
		dmsetup wipe_table bow-root
		dmsetup remove bow-root
		rmmod dm_bow'
	vm_cut
	# There is something to undo.
	run -1 assert_raw_d0 "$img"
	roll_back_raw
}

@test "removal: a driver that lets go of the disk below a mounted filesystem" {
	make_image 4096 96
	guest_start
	guest_attach
	guest_lib
	guest_checkpoint
	vm_run "$(work 10)"
	vm_run "($(work_on 10000)) & echo \$! >/tmp/load; sleep 1"
	in_guest 'device=$(basename $(readlink -f /sys/block/vda/device))
		echo $device >/sys/bus/virtio/drivers/virtio_blk/unbind
		[ ! -e /sys/block/vda ]
		for i in 1 2 3; do
			fails dd if=/dev/urandom of=/mnt/a/60 bs=4k count=4 \
				conv=notrunc,fsync
		done
		kill $(cat /tmp/load)
		sound
		umount -l /mnt
		dmsetup remove --force bow-root || true
		dmsetup status >/tmp/status
		fails grep " bow " /tmp/status'
	vm_cut
	assert_rolls_back
	# There was something to undo.
	run -1 assert_raw_d0 "$img"
}
