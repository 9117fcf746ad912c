#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, d0, vm_*: see scenarios.bash
# What only the kernel of debug.sh can tell: run by kernels.sh debug.

bats_require_minimum_version 1.5.0

setup()
{
	load ../vm/scenarios.bash
	common_setup
	raw_setup
}

teardown()
{
	common_teardown
}

# guest_watched
#   A guest with functions for the scripts, and the kernel's own files.
guest_watched()
{
	guest_start
	guest_lib
	vm_run 'mount -t debugfs debug /sys/kernel/debug
		cat >>/tmp/lib <<-\EOF
		n=$(cat /sys/block/vda/size)
		create() {
			dmsetup create bow-root --table "0 $n bow /dev/vda 1 block_size:$1"
			dmsetup mknodes
		}
		begin() {
			state "free '"$(tr '\n' ' ' <"$d0.free")"'"
			state checkpoint
			/t/stress $b 2 $1 6
		}
		# Objects younger than five seconds are not told of, and one
		# whose address is in a register of a sleeping task is not found
		# in the first scan.
		leaks() {
			sleep 6
			echo scan >/sys/kernel/debug/kmemleak
			sleep 6
			echo scan >/sys/kernel/debug/kmemleak
			cat /sys/kernel/debug/kmemleak
		}
	EOF'
}

@test "debug kernel: it watches addresses, locks and memory" {
	guest_watched
	in_guest 'dmesg | grep "KernelAddressSanitizer initialized"
		grep "debug_locks: *1" /proc/lockdep_stats
		zcat /proc/config.gz | grep DEBUG_ATOMIC_SLEEP=y
		echo clear >/sys/kernel/debug/kmemleak'
}

@test "debug kernel: a leak that was put in on purpose is found" {
	BOW_MODULE=$(dirname "$(dirname "$BOW_MODULE")")/leak/dm-bow.ko
	guest_watched
	in_guest 'create 4096
		dmsetup remove bow-root
		leaks >/tmp/leaks
		cat /tmp/leaks
		grep "bow_ctr.*dm_bow" /tmp/leaks' 120
}

# The locks are still watched: one report, and lockdep is off.
@test "debug kernel: checkpoints that end in every way leak nothing" {
	guest_watched
	in_guest 'for i in 1 2 3; do
			create 4096
			begin $i
			state commit
			create_fails() { fails dmsetup create "$@"; }
			create_fails second --table "0 $n bow /dev/vda 1 block_size:7"
			create_fails second --table "0 $n bow /dev/no 1 block_size:512"
			fails state "free 1 2 3"
			fails state "nonsense"
			state restart
			begin $((i + 10))
			state commit
			dmsetup remove bow-root
		done' 300
	in_guest 'leaks >/tmp/leaks
		[ ! -s /tmp/leaks ] || { cat /tmp/leaks; false; }' 120
	in_guest 'rmmod dm_bow
		leaks >/tmp/leaks
		[ ! -s /tmp/leaks ] || { cat /tmp/leaks; false; }
		grep "debug_locks: *1" /proc/lockdep_stats
		sound' 120
}
