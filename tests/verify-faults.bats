#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# verify-faults.bats - bow-verify on a device that fails
#
# strace lets the k-th read of the image fail, for every k.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	requires strace mke2fs debugfs
	out=$dir/out
}

teardown() {
	common_teardown
}

# make_old
#   A log over a filesystem in which files were made and removed.
make_old() {
	mkdir -p "$dir/tree/sub"
	head -c 20000 /dev/urandom >"$dir/tree/sub/file"
	cp "$dir/tree/sub/file" "$dir/tree/gone"
	truncate -s 2M "$dir/old"
	mke2fs -q -F -t ext4 -b 1024 -d "$dir/tree" "$dir/old"
	cp "$dir/old" "$dir/now"
	printf '%s\n' 'rm gone' "write $dir/tree/sub/file sub/new" \
		"write $dir/tree/sub/file new" >"$dir/commands"
	debugfs -w -f "$dir/commands" "$dir/now" >"$dir/debugfs" 2>&1
	fs_free "$dir/old" >"$dir/old.free"
	fs_free "$dir/now" >"$dir/now.free"
	make_log --bs 1024 --size 2M --fs "$dir/old" --free "$dir/old.free" \
		--now "$dir/now" --now-free "$dir/now.free" --features map
}

# failing K MODE...
#   bow-verify in that mode, its K-th read of the image fails; or $harm is done.
failing() {
	rm -f "$out"
	run --separate-stderr bash -c '"$@"; exit $?' - \
		strace -o "$dir/trace" -P "$img" -e trace=pread64 \
		-e inject="pread64:${harm-error=EIO}:when=$1" "$verify" "${@:2}" "$img"
}

# reads MODE...
#   How many reads of the image that takes.
reads() {
	rm -f "$out"
	strace -o "$dir/trace" -P "$img" -e trace=pread64 "$verify" "$@" "$img" \
		>/dev/null 2>&1
	grep -c ^pread64 "$dir/trace"
}


@test "the old state: a block 0 that cannot be read a second time: exit 8" {
	local mode

	make_old
	for mode in --files --fsck --dm-table "--export $out" '--cat sub/file'; do
		# shellcheck disable=SC2086  # words
		failing 2 $mode
		[ "$status" -eq 8 ]
		[ "$stderr" = "bow-verify: $img: reading at sector 0 failed: Input/output error" ]
		[ -z "$output" ]
		[ ! -e "$out" ]
	done
}

@test "an I/O error in any read: exit 8, or it is the present filesystem's" {
	local total k

	make_old
	total=$(reads)
	[ "$total" -ge 20 ]
	for ((k = 1; k <= total; k++)); do
		failing "$k"
		case $status in
		8)	[[ $stderr == "bow-verify: $img: "*error* ]] ;;
		0)	[[ $stderr == "bow-verify: $img: present filesystem: "*error ]] &&
				[[ $output == *"after a rollback: sound"* ]] ;;
		*)	false ;;
		esac || { echo "read $k: exit $status: $output: $stderr"; return 1; }
	done
}

# agrees K: the last object of -J tells of the exit status
agrees() {
	local last

	last=$(tail -n 1 <<<"$output")
	jq -e --argjson status "$status" '.type == "result" and .exit == $status and
		($status == 0 or (.sound | not) and
			(.error.message // .free_map_error.message |
				test("^reading |: reading ")))' <<<"$last" >/dev/null &&
		return
	echo "read $1: exit $status: $last: $stderr"
	return 1
}

@test "--list: an I/O error in any read is told, and is the exit status" {
	local total k

	requires jq
	make_log --bs 512 --ops 30
	total=$(reads --list)
	[ "$total" -ge 20 ]
	for ((k = 1; k <= total; k++)); do
		failing "$k" --list
		[[ $stderr == "bow-verify: $img: "*error ]] &&
			{ [ "$status" -eq 8 ] || { [ "$status" -eq 0 ] &&
				[[ $stderr == *" present filesystem: "* ]]; }; } ||
			{ echo "read $k: exit $status: $output: $stderr"; return 1; }
		failing "$k" --list -J
		agrees "$k"
	done
}

@test "--list: a log that is changed under it: the list is said not to be complete" {
	local total

	requires jq
	make_log --bs 512 --ops 30
	total=$(reads --list)
	harm=poke_exit=@arg2=00 failing "$total" --list
	[ "$status" -eq 8 ]
	[[ $stderr == *" holds no log block"*"changed meanwhile"* ]]
	harm=poke_exit=@arg2=00 failing "$total" --list -J
	[ "$status" -eq 8 ]
	[ "$(tail -n 1 <<<"$output" | jq .exit)" = 8 ]
}

@test "--files: an I/O error in any read, of the old or the present state: exit 8" {
	local total k

	make_old
	total=$(reads --files)
	[ "$total" -ge 40 ]
	for ((k = 1; k <= total; k++)); do
		failing "$k" --files
		[ "$status" -eq 8 ] && [[ $stderr == "bow-verify: $img: reading "*error ]] ||
			{ echo "read $k: exit $status: $output: $stderr"; return 1; }
	done
}

@test "an error when the device is closed is told of" {
	make_log
	for program in "$verify" "$restore"; do
		run --separate-stderr bash -c '"$@"; exit $?' - \
			strace -o "$dir/trace" -P "$img" -e trace=close \
			-e inject=close:error=EIO "$program" "$img"
		[ "$status" -eq 8 ]
		[[ $stderr == "${program##*/}: $img: closing: "*error ]]
	done
}
