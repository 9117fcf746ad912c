#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # vm_*, restore: see scenarios.bash
# What the module writes in Debian's kernel, recorded by dm-log-writes, cut at
# every flush and in between.  The short form of tests/log-writes.sh.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	replay=$vm_src/build/tests/logwrites
	[ -x "$replay" ] || skip "no build/tests/logwrites: make test-programs"
}

teardown()
{
	common_teardown
}

# record BLOCK-SIZE WORKLOAD ENDING
#   Leaves the recording in "log", the disk before it in "base".
record()
{
	local tree=$BATS_TEST_TMPDIR/guest

	truncate -s 24M "$img"
	mke2fs -q -t ext4 -b "$1" "$img"
	cp --sparse=always "$img" "$BATS_TEST_TMPDIR/base"
	truncate -s 256M "$BATS_TEST_TMPDIR/log"
	"$vm_src/tests/vm/guest-tree.sh" "$tree" -- dm_log_writes
	install -m 755 "$vm_src"/tests/logwrites/{guest,workloads}.sh "$tree"
	guest_of "$tree" "$img" "$BATS_TEST_TMPDIR/log"
	vm_run "/guest.sh ext4 $2 1 12 $3 /dev/vda /dev/vdb" 120
	vm_off
}

# replay_all [OPTION...]
replay_all()
{
	local d0

	cd "$BATS_TEST_TMPDIR" || return
	"$replay" --d0 d0 log base >/dev/null
	for d0 in d0.?; do
		free_sectors "$d0" >"free.${d0#d0.}"
	done
	"$replay" --free free --samples 16 --fsck 40 --save state "$@" log base
}

@test "vm: every state that a power cut can leave of a load, a commit and a second checkpoint is restored" {
	record 4096 database commit
	run -0 replay_all
	counts=${lines[-1]}
	echo "# $counts" >&3
	[ "$(jq .points <<<"$counts")" -gt 150 ]
	[ "$(jq .rollbacks <<<"$counts")" -gt 1000 ]
	[ "$(jq .commits <<<"$counts")" -gt 10 ]
	[ "$(jq .fscks <<<"$counts")" -gt 0 ]
	# The comparison is one: what was free does change.
	: >"$BATS_TEST_TMPDIR/none.1"
	: >"$BATS_TEST_TMPDIR/none.2"
	cd "$BATS_TEST_TMPDIR" || return
	run -1 "$replay" --free none log base
	[[ $output == *": not D0: "* ]]
}

@test "vm: the same with two resumes, on 1 KiB blocks" {
	record 1024 package resume
	run -0 replay_all
	counts=${lines[-1]}
	echo "# $counts" >&3
	[ "$(jq .rollbacks <<<"$counts")" -gt 1000 ]
}
