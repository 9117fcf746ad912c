#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# verify.bats - bow-verify: is the log sound, what is damaged, and where

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

sound() {
	make_log --format "$1" --bs "$2"
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *rollback* ]]
	[[ $output == *commit* ]]
	expect_unwritten 0 "$verify" -v "$img"
}

@test "a sound log: exit 0, in every format, and nothing is written" {
	each_format sound
}

@test "a device without a log: exit 2" {
	make_log
	cp "$log.orig.img" "$img"
	expect_unwritten 2 "$verify" "$img"
}

@test "the image is opened for reading only" {
	requires strace
	make_log
	expect 0 strace -o "$dir/trace" -e trace=open,openat "$verify" "$img"
	grep "$img" "$dir/trace" | grep -q O_RDONLY
	run ! grep -E "$img.*O_(RDWR|WRONLY)" "$dir/trace"
}

@test "the summary: checkpoint id, log blocks, entries" {
	local id entries blocks

	make_log --seed 3
	id=$(xxd -p -s 48 -l 16 "$img")
	blocks=$(($(od -An -tu4 -j16 -N4 "$img") + 1))
	cp "$img" "$dir/undone"
	entries=$("$mklog" --undo "$dir/undone")
	expect 0 "$verify" "$img"
	[[ $output == *"$id"* ]]
	grep -Eiq "log blocks[^0-9]*$blocks\\b" <<<"$output"
	grep -Eiq "entries[^0-9]*${entries%% *}\\b" <<<"$output"
}

listed() {
	local entries

	make_log --format "$1" --bs "$2"
	cp "$img" "$dir/undone"
	entries=$("$mklog" --undo "$dir/undone")
	expect_unwritten 0 "$verify" -q "$img"
	[ -z "$output" ]
	expect_unwritten 0 "$verify" --list "$img"
	[ "$(grep -Ec '^ *[0-9]+ +[0-9]+ ' <<<"$output")" -eq "${entries%% *}" ]
}

@test "--list: a line for every entry" {
	each_format listed
}

# names_entry KIND FORMAT BS
names_entry() {
	make_log --format "$2" --bs "$3" --damage "$1"
	expect_unwritten 4 "$verify" "$img"
	[[ $output =~ "log block "[0-9]+", entry "[0-9]+": ". ]] ||
		{ echo "$made: $output"; return 1; }
}

@test "a damaged entry or backup: exit 4, log block and entry are named" {
	each_format names_entry source-range
	each_format names_entry dest-overflow
	each_format names_entry size-huge
	each_format names_entry entry-csum
	each_format names_entry backup
}

@test "every damaged backup is named, not only the first" {
	local count place entry

	# The newest entries are plain backups that have not moved.
	make_log --seed 2 --ops 40 --state torn-append:255
	count=$(od -An -tu4 -j12 -N4 "$img")
	for entry in $((count - 1)) $((count - 3)); do
		place=$(od -An -tu8 -j$((2048 + 24 * entry + 8)) -N8 "$img")
		printf 'spoilt' | dd of="$img" bs=1 seek=$((place * 512 + 100)) \
			conv=notrunc status=none
	done
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *", entry $((count - 1)): "* ]]
	[[ $output == *", entry $((count - 3)): "* ]]
	[[ $output != *", entry $((count - 2)): "* ]]
}

@test "--list: of a damaged chain, what comes before the damage" {
	make_log --bs 512 --damage chain-csum
	expect_unwritten 4 "$verify" --list "$img"
	[ "$(grep -Ec '^ *[0-9]+ +[0-9]+ ' <<<"$output")" -ge 1 ]
	[[ $output != *"meanwhile"* ]]
}

damaged_header() {
	make_log --format "$1" --bs "$2" --damage count-zero
	expect_unwritten 4 "$verify" "$img"
	[[ $output == *"bow-verify: $img: "?* ]]
	make_log --format "$1" --bs "$2" --damage short
	expect_unwritten 4 "$verify" "$img"
	make_log --format "$1" --bs "$2" --damage chain-csum
	expect_unwritten 4 "$verify" "$img"
}

@test "a damaged header or chain, a short device: exit 4 and the reason" {
	each_format damaged_header
}

@test "torn writes of block 0 are sound, and named" {
	make_log --features raw --seed 2 --state torn-append:1
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *append* ]]
	make_log --seed 2 --state torn-rollover:1
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *roll-over* ]]
	make_log --features raw --seed 2 --state torn-rollover:254
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *roll-over* ]]
	make_log --state torn-activation:1
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *activation* ]]
}

half_restored() {
	make_log --format "$1" --bs "$2" --state restoring
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *rollback* ]]
}

@test "a rollback that has begun is sound" {
	each_format half_restored
}

@test "a finishing record is sound if the final contents are there" {
	make_log --state finishing-commit:0
	expect_unwritten 0 "$verify" "$img"
	[[ $output == *commit* ]]
	make_log --state finishing-rollback:6 --damage finish-contents
	expect_unwritten 4 "$verify" "$img"
}

@test "samples: logs written by Android's dm-bow are sound" {
	local name

	requires samples zstd dumpe2fs
	for name in b4096-small b512-fs1k raw1024; do
		sample $name
		expect_unwritten 0 "$verify" "$img"
	done
}

@test "-J: one JSON object, with the same verdict; --list: one a line" {
	requires jq
	make_log
	run -0 "$verify" -J "$img"
	one_object
	make_log --damage backup
	run --separate-stderr -4 "$verify" -J "$img"
	one_object
	make_log
	cp "$img" "$dir/undone"
	entries=$("$mklog" --undo "$dir/undone")
	run -0 "$verify" -J --list "$img"
	# An object a line: the entries, and the result.
	[ "${#lines[@]}" -eq $((${entries%% *} + 1)) ]
	[ "$(jq -c 'select(.type == "entry" and .kind and .size > 0)' \
		<<<"$output" | wc -l)" -eq "${entries%% *}" ]
	jq -e 'select(.type == "result") | .sound' <<<"${lines[-1]}"
}

@test "-J: every member is in the man page" {
	requires jq
	{
		make_log --features map --seed 2 --state torn-append:1
		"$verify" -J --list "$img" | json_names
		make_log --state finishing-rollback:6
		"$verify" -J "$img" | json_names
		make_log --damage backup
		run --separate-stderr -4 "$verify" -J "$img"
		json_names <<<"$output"
	} | sort -u >"$dir/names"
	[ "$(wc -l <"$dir/names")" -gt 60 ]
	json_documented bow-verify.8 "$dir/names"
}

@test "-C FD: progress on a descriptor" {
	make_log --size 16M --ops 2000
	"$verify" -C 3 "$img" 3>"$dir/progress" >/dev/null
	grep -Eq '^[0-9]+ [0-9]+ [0-9]+ [^ ]+$' "$dir/progress"
	run ! grep -Evq '^[0-9]+ [0-9]+ [0-9]+ [^ ]+$' "$dir/progress"
}

# little COMMAND...
#   Runs it with little more address space than it takes itself.
little() {
	run bash -c 'ulimit -v 7400 || exit 77; exec "$@"' - "$@"
}

@test "too little memory for its map: the log is checked, the rest refused" {
	local whole

	requires native
	made='biglog --bs 512 260000'
	"$top/build/tests/biglog" --bs 512 260000 "$img"
	whole=$("$verify" -J "$img" | jq '{ sound, entries, rollback_bytes,
		rollback_runs, can_roll_back, can_commit, damaged_backups }')
	little "$verify" -v "$img"
	[ "$status" -eq 0 ]
	[[ $output == *"memory is short: the copies take "* ]]
	[[ $output == *"can be done: roll back or commit"* ]]
	[[ $output =~ "not checked: not enough memory, it needs about "[1-9][0-9]" MiB" ]]
	little "$verify" -J "$img"
	[ "$(sed '/memory is short/d' <<<"$output" | jq '{ sound, entries,
		rollback_bytes, rollback_runs, can_roll_back, can_commit,
		damaged_backups }')" = "$whole" ]
	little "$verify" --files "$img"
	[ "$status" -eq 8 ]
	[[ $output == *"not enough memory for the log (may need, in MiB: "* ]]
	# A wrong byte is still found.
	little "$verify" --list -J "$img"
	dest=$(grep -m 1 '"kind": "backup"' <<<"$output" | jq .dest)
	printf '\245' | dd of="$img" bs=512 seek="$dest" conv=notrunc status=none
	little "$verify" "$img"
	[ "$status" -eq 4 ]
	[[ $output =~ "log block "[0-9]+", entry "[0-9]+": " ]]
}

@test "wrong arguments: exit 16" {
	make_log
	expect_unwritten 16 "$verify"
	expect_unwritten 16 "$verify" "$img" "$img"
	expect_unwritten 16 "$verify" --nonsense "$img"
	expect_unwritten 16 "$verify" --rollback "$img"
	expect_unwritten 16 "$verify" --files --list "$img"
	expect_unwritten 16 "$verify" -C x "$img"
}

@test "what cannot be opened: exit 8" {
	expect 8 "$verify" "$dir/nothing"
	[[ $output == "bow-verify: $dir/nothing: "* ]]
	expect 8 "$verify" "$dir"
}

@test "what cannot be opened: -J tells of it as of other errors" {
	local device option

	requires jq
	make_log --damage version
	for device in "$dir/nothing" /dev/null; do
		for option in -v --list; do
			run --separate-stderr -8 "$verify" -J "$option" "$device"
			[[ $stderr == "bow-verify: $device: cannot open: "* ]]
			one_object
			jq -e --arg stderr "$stderr" '.exit == 8 and (.sound | not) and
				"bow-verify: \(.device): \(.error.message)" == $stderr
				' <<<"$output" >/dev/null
			json_names <<<"$output" >"$dir/names"
			run --separate-stderr -4 "$verify" -J "$option" "$img"
			# But for the place in the log, and what is wrong there.
			jq -e '.error.value == 512 and (.error | has("limit") | not)' <<<"$output"
			jq 'del(.error.log_block, .error.value)' <<<"$output" | json_names |
				diff - "$dir/names"
		done
		# As after any other error, there is no summary.
		run --separate-stderr -8 "$verify" -J --files "$device"
		[[ -z $output && $stderr == "bow-verify: $device: cannot open: "* ]]
		run --separate-stderr -4 "$verify" -J --files "$img"
		[ -z "$output" ]
	done
}

@test "-J: what an error was compared with, where the message tells it" {
	requires jq
	make_log --damage count-large
	run --separate-stderr -4 "$verify" -J "$img"
	jq -e '.error | .message | contains("entry count \($e.value) is wrong (at most \($e.limit))")
		' --argjson e "$(jq .error <<<"$output")" <<<"$output"
}

@test "below another driver: read around the cache, in large sectors too" {
	local unit

	requires root strace
	make_log
	mkdir "$dir/holders"
	: >"$dir/holders/dm-0"
	for unit in 512 4096 16384; do
		loop=$(losetup --show -f -b "$unit" "$img") ||
			skip "no loop devices with sectors of $unit bytes"
		loops+=("$loop")
		# So that it seems to be held.
		mount --bind "$dir/holders" "/sys/block/${loop##*/}/holders"
		mounts+=("/sys/block/${loop##*/}/holders")
		run -0 strace -o "$dir/trace" -e trace=openat "$verify" "$loop"
		[[ $output == *", sound"* ]]
		grep -q "$loop.*O_DIRECT" "$dir/trace"
	done
}

@test "--help: exit 0, and the same options as the man page" {
	expect 0 "$verify" --help
	[ "$(man_options bow-verify.8)" = "$(option_names <<<"$output")" ]
	expect 0 "$verify" --version
	[[ $output =~ ^bow-verify\ [0-9]+\.[0-9]+ ]]
}

@test "a result that cannot be written is not a success, and told of" {
	local mode

	make_log
	for mode in '' -J --list '--list -J' --dm-table --help --version; do
		# shellcheck disable=SC2086  # words
		run --separate-stderr bash -c '"$@" >/dev/full' - "$verify" $mode \
			"$img"
		[ "$status" -eq 8 ] && [[ $stderr == *"bow-verify: standard output: "* ]] ||
			{ echo "$mode: exit $status: $stderr"; return 1; }
	done
}
