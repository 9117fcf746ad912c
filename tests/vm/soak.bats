#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# soak.bats - the soak itself, in small: that it can be stopped and gone on with

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	export BOW_LAB=$BATS_TEST_TMPDIR/soak BOW_SAVE_EVERY=5
	BOW_KVER=$(vm_kernel)
	export BOW_KVER
}

teardown()
{
	common_teardown
}

# samples: what the guest has written down, a line a checkpoint.
samples()
{
	grep -aE '^soak: [0-9]' "$1"
}

@test "soak: one that was killed goes on from what was saved, as one guest" {
	local before pid

	tests/soak.sh --qemu 30 >"$BATS_TEST_TMPDIR/first" 2>&1 3>&- &
	pid=$!
	until [ -e "$BOW_LAB/saved/memory" ] &&
			samples "$BOW_LAB/saved/console.log" >/dev/null; do
		kill -0 "$pid" || { cat "$BATS_TEST_TMPDIR/first"; false; }
		sleep 0.5
	done
	kill "$pid"
	run ! wait "$pid"
	before=$(samples "$BOW_LAB/saved/console.log")

	# Memory is still being taken by a kernel that has just begun: the judgement may be
	# that it grows.
	run tests/soak.sh --qemu 30
	echo "$output"
	[[ $output == *'"kernel": "qemu"'* ]]
	grep -a '^soak: done' "$BOW_LAB/console.log"
	grep -a '^soak: goes on' "$BOW_LAB/console.log"
	[ "$(samples "$BOW_LAB/console.log" | head -n "$(wc -l <<<"$before")")" = "$before" ]
	# Rounds follow each other, and the clock goes on.
	samples "$BOW_LAB/console.log" | tr -d '\r' |
		awk '$3 != NR - 1 || $2 < up { exit 1 } { up = $2 }'
	[ ! -e "$BOW_LAB/saved" ]
}

@test "soak: what was saved is not gone on with by another module" {
	mkdir -p "$BOW_LAB/saved"
	touch "$BOW_LAB/saved/disk" "$BOW_LAB/saved/console.log"
	echo other >"$BOW_LAB/dm-bow.ko"
	run -2 tests/soak.sh --qemu 30
	[[ $output == *'is of another dm-bow.ko'* ]]
	[ -e "$BOW_LAB/saved/disk" ]
}
