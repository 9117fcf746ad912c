#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# campaigns.bats - what the campaigns themselves must not let pass

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	# shellcheck source=tests/reports.sh
	. "$top/tests/reports.sh"
	console=$dir/console.log
}

# The four lines that a 6.1 with PROVE_LOCKING says of itself in every boot.
maple_tree() {
	printf '%s\r\n' 'WARNING: suspicious RCU usage' '6.1.170 #1 Not tainted' \
		'-----------------------------' \
		"${1-lib/maple_tree.c:860} suspicious rcu_dereference_check() usage!" \
		'' 'other info that might help us debug this:'
}

@test "campaigns: each kind of report of a kernel is one" {
	local line

	for line in 'BUG: KASAN: slab-out-of-bounds in bow_map' \
			'UBSAN: shift-out-of-bounds in drivers/md/bow/bow_map.c:7' \
			'WARNING: CPU: 0 PID: 1 at drivers/md/dm.c:1' \
			'WARNING: possible circular locking dependency detected' \
			'INFO: task stress:77 blocked for more than 120 seconds.' \
			'INFO: trying to register non-static key.' \
			'ODEBUG: free active object' 'list_add corruption. prev' \
			'Oops: 0000 [#1]' 'Kernel panic - not syncing: no init'; do
		{ echo booting; echo "[    1.0] $line"; echo goes on; } >"$console"
		run -1 kernel_sound "$console"
		[[ $output == *"$line"* ]]
		{ maple_tree; cat "$console"; maple_tree; } >"$dir/both"
		run -1 debug_kernel_sound "$dir/both"
		[[ $output == *"$line"* ]]
		[[ $output != *maple_tree* ]]
	done
}

@test "campaigns: a kernel without a report is sound, the debug kernel with its own" {
	printf '%s\n' 'Linux version 6.1' 'device-mapper: bow: a checkpoint' >"$console"
	run -0 kernel_sound "$console"
	run -0 debug_kernel_sound "$console"
	{ maple_tree; maple_tree lib/maple_tree.c:816; } >>"$console"
	run -0 debug_kernel_sound "$console"
	[ -z "$output" ]
	run -1 kernel_sound "$console"
}

@test "campaigns: of locks that RCU misses only the maple tree's are excused" {
	{ maple_tree; maple_tree drivers/md/bow/dm-bow-engine.c:99; } >"$console"
	run -1 debug_kernel_sound "$console"
	[[ $output == *dm-bow-engine.c:99* ]]
	# A report that comes within the four lines is not hidden by them.
	maple_tree | sed '2s/.*/BUG: KASAN: use-after-free/' >"$console"
	run -1 debug_kernel_sound "$console"
	# Nor one that is cut off, or a log that is not there.
	maple_tree | head -n 2 >"$console"
	run -1 debug_kernel_sound "$console"
	run -1 debug_kernel_sound "$dir/no"
	run -1 kernel_sound "$dir/no"
}

# soaked SLAB AVAILABLE
#   What a soak of 600 checkpoints writes down, with so many kB more and less after each.
soaked() {
	awk -v slab="$1" -v available="$2" 'BEGIN {
		for (i = 0; i < 600; i++)
			print "soak: " i * 10, i, "commit 4096", 26000 + i * slab + i % 6 * 40,
				422000 - i * available - i % 5 * 60, "0 1 bow held_sectors:1"
		print "soak: done, 600 checkpoints"
	}' >"$console"
}

@test "campaigns: a soak sees a page that is lost at each checkpoint, in slab or not" {
	export BOW_LAB=$dir
	soaked 0 0
	run -0 tests/soak.sh --judge
	[[ $output == *'"checkpoints": 600, "grew": "0 kB", "used": "0 kB", "limit": "812 kB", "findings": 0}' ]]
	soaked 4 0
	run -1 tests/soak.sh --judge
	[[ $output == *'memory is used up'*'"grew": "1200 kB", "used": "0 kB"'*'"findings": 1}' ]]
	soaked 0 4
	run -1 tests/soak.sh --judge
	[[ $output == *'memory is used up'*'"grew": "0 kB", "used": "1200 kB"'*'"findings": 1}' ]]
	# One that did not end is not judged by its memory.
	soaked 0 0
	sed -i '$d' "$console"
	run -1 tests/soak.sh --judge
	[[ $output == *'did not come to its end'* ]]
}

# judged STATUS LINE...
#   What a program's TAP and its exit status come to.
judged() {
	local status=$1

	shift
	printf '%s\n' "$@" >"$dir/tap"
	judge "$dir/tap" "$status" "$dir/counts"
	cat "$dir/counts"
}

@test "campaigns: what a program has skipped, left out or ended with is not taken for a pass" {
	# shellcheck source=tests/tap.sh
	. "$top/tests/tap.sh"
	run -0 judged 0 1..2 'ok 1 - a' 'ok 2 - b'
	[ "$output" = '2 0 0' ]
	run -0 judged 0 1..2 'ok 1 - a # skip no b' 'ok 2 - b # SKIP'
	[ "$output" = '0 0 2' ]
	run -0 judged 0 '1..0 # skip no root'
	[ "$output" = '0 0 1' ]
	run -0 judged 1 1..2 'ok 1 - a' '# kept from b' 'not ok 2 - b' '# why'
	[ "$output" = $'# kept from b\nnot ok 2 - b\n# why\n1 1 0' ]
	run -0 judged 0 1..2 'ok 1 - a' 'a shell that died'
	[ "$output" = $'a shell that died\nnot ok - 2 tests planned, 1 ran\n1 1 0' ]
	run -0 judged 0 'ok 1 - a'
	[ "$output" = $'not ok - ended without a plan\n1 1 0' ]
	run -0 judged 0 1..0
	[ "$output" = $'not ok - 0 tests planned, 0 ran\n0 1 0' ]
	run -0 judged 3 1..1 'ok 1 - a'
	[ "$output" = $'not ok - exit status 3\n1 1 0' ]
}
