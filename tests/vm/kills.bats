#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # vm_*: see scenarios.bash
# QEMU killed, and the machine reset, at random moments: the short form of
# tests/kills.sh --qemu.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	export BOW_LAB=$BATS_TEST_TMPDIR/lab
}

kills()
{
	"$vm_src/tests/kills.sh" --qemu --seed 5 "$@"
}

@test "kills: SIGKILL and system_reset in a load, a commit, a resume and a rollback" {
	run kills 4
	printf '# %s\n' "${lines[@]}" >&3
	[ "$status" = 0 ]
	[ "$(grep -c '^ok ' <<<"$output")" = 4 ]
	record=$(sed -n 's/^# record //p' <<<"$output")
	[ "$(jq -c '[.states, .findings]' <<<"$record")" = '[4,0]' ]
	[ "$(jq '.kinds | length' <<<"$record")" = 4 ]
	# The checkpoint that was loaded or gone on with was there to be undone.
	[ "$(jq '.found.active' <<<"$record")" -ge 2 ]
}

@test "kills: a disk that nothing was undone on is told" {
	# Finds something, and does nothing.
	BOW_RESTORE=true run -1 kills 1
	[[ ${lines[0]} == 'not ok 1 - load, '* ]]
	[[ $output == *'"findings": 1,'* || $output == *'"findings": 1}'* ]]
}
