#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # vm_*: see lib.sh
# fio over dm-bow, every write read back, then a power cut and a rollback.  The
# short form of tests/fio.sh, in the kernel that users have.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	# shellcheck source=tests/fio/host.sh disable=SC1091
	. "$vm_src/tests/fio/host.sh"
	# shellcheck source=tests/packages.sh disable=SC1091
	. "$vm_src/tests/packages.sh"
	need_packages "$PACKAGES_FILESYSTEMS"
}

teardown()
{
	common_teardown
}

# fio_guest DISK...
#   A guest with fio and xfs.
fio_guest()
{
	local tree=$BATS_TEST_TMPDIR/guest

	"$vm_src/tests/vm/guest-tree.sh" "$tree" fio -- xfs
	install -m 755 "$vm_src"/tests/fio/{guest.sh,jobs.fio} "$tree"
	guest_of "$tree" "$@"
}

@test "vm: what fio writes it reads, and a rollback gives D0 (ext4 1k and 4k, xfs)" {
	local fs dir=$BATS_TEST_TMPDIR list=(ext4-1 ext4-4 xfs) i args

	for fs in "${list[@]}"; do
		fs_make "$fs" "$dir/$fs" 96
	done
	fio_guest "${list[@]/#/$dir/}"
	for i in 0 1 2; do
		fs=${list[i]}
		args="${fs%-*} /dev/vd$(cut -c $((i + 1)) <<<abc) 1 1024"
		vm_run "/guest.sh begin $args" 120
		cp --sparse=always "$dir/$fs" "$dir/$fs.d0"
		run vm_run "/guest.sh work $args; r=\$?; umount /mnt/fs; exit \$r" 120
		[ "$status" = 0 ] || { echo "$output"; return 1; }
		# Most of the 16 MiB were overwritten, and so copied.
		[ "$(sed -n 's/.* copied_sectors:\([0-9]*\).*/\1/p' \
			<<<"$output")" -gt 20000 ]
	done
	vm_cut
	for fs in "${list[@]}"; do
		"$restore" -q "$dir/$fs"
		fs_is_d0 "$fs" "$dir/$fs.d0" "$dir/$fs"
	done
}

# The driver again, with a queue whose completions nobody is told of.
poll_queue='rmmod virtio_blk && insmod /lib/modules/virtio_blk.ko poll_queues=1 &&
	until [ -b /dev/vda ]; do sleep 0.1; done'

# The first half, which was in use: overwritten and read back, then again.
polled='fio --name=polled --filename=/dev/mapper/bow-root --size=9M --thread \
	--ioengine=io_uring --hipri=1 --direct=1 --iodepth=8 --rw=randwrite \
	--bsrange=512-64k --verify=crc32c --verify_fatal=1'

@test "vm: polled requests, which the worker sends on, are completed by polling" {
	raw_setup
	fio_guest "$img"
	vm_run "$poll_queue"
	raw_below=/dev/vda raw_begin 4096
	run -0 vm_run 'cat /sys/block/dm-0/queue/io_poll'
	[ "$output" = 1 ]
	vm_run "$polled" 120
	[ "$(status_of copied_sectors)" -gt 16000 ]
	vm_run "$polled" 120
	roll_back_raw
}
