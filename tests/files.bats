#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# files.bats - bow-verify --files: what it names is what differs; see files.bash

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	load files
	files_setup
}

teardown() {
	files_teardown
}

# overwrite BS FILE BLOCK - in $now, with no trace in the file's inode
overwrite() {
	local at

	at=$(debugfs -R "bmap $2 $3" "$old" 2>/dev/null)
	printf changed | dd of="$now" bs="$1" seek="$at" conv=notrunc status=none
}

# real FORMAT BS
real() {
	make_old 16M -b "$2"
	inside "$old" before
	cp "$old" "$now"
	inside "$now" after
	log_between "$2" 16M --format "$1"
	agrees
	expect_unwritten 0 "$verify" --files "$img"
	says '.action == "bring-back" and .path == "/gone/deep/y"'
	says '.action == "remove" and .path == "/made/deep/z"'
	says '.path == "/one2" and .old_path == "/one" and
		(.changes | index("renamed") and index("content"))'
	says '.path == "/dir/moving" and .old_path == "/moving" and
		.changes == ["renamed"]'
	says '.path == "/keep/moved" and .old_path == "/moved" and
		.kind == "directory"'
	says '.path == "/hard3" and .old_path == "/hard2"'
	says '.action == "bring-back" and .path == "/first" and
		.changes == ["link"]'
	says '.path == "/mode" and .changes == ["mode"]'
	says '.path == "/owner" and .changes == ["owner"]'
	says '.path == "/over" and .changes == ["content"]'
	says '.path == "/big" and .old.size == 108894 and .now.size == 5000'
	says '.path == "/keep/1" and .changes == ["xattr"]'
	says '.path == "/keep/3" and .changes == ["xattr"]'
	says '.path == "/keep/6" and .changes == ["flags"]'
	says '.action == "bring-back" and .path == "/link"'
	says '.action == "remove" and .path == "/link"'
	says '.type == "summary" and .unreadable == 0'
	json_names <"$dir/json" >"$dir/names"
	json_documented bow-verify.8 "$dir/names"
}

@test "created, deleted, renamed, linked, overwritten ...: what find sees" {
	real 1.1 4096
}

@test "the same of other formats and block sizes" {
	real 1.1 1024
	real 1.0 2048
	real v0 4096
}

@test "a file overwritten with no trace in its inode is found" {
	make_old 16M -b 4096
	inside "$old" before
	cp "$old" "$now"
	overwrite 4096 /over 3
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/over" and .changes == ["content"]'
	says '.type == "summary" and .change == 1 and .remove == 0'
	agrees
}

@test "a file whose blocks are in the log, but are the same, is not named" {
	make_old 16M -b 1024
	inside "$old" before
	cp "$old" "$now"
	# keep/19, keep/20 and so on are neighbours, four in a block of the log.
	overwrite 1024 /keep/20 0
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/keep/20" and .changes == ["content"]'
	says '.type == "summary" and .change == 1 and .remove == 0'
	agrees
}

@test "a file that is kept in its inode, overwritten behind its first 60 bytes" {
	make_old 16M -b 4096 -O inline_data
	small() { seq 1 35 >small; }
	overwrite_end() { printf X | dd of=small bs=1 seek=90 conv=notrunc status=none; }
	inside "$old" small
	cp "$old" "$now"
	inside "$now" overwrite_end
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/small" and (.changes | index("content"))'
}

@test "another project is another owner" {
	make_old 16M -b 4096 -O project
	debugfs -w -R 'write /dev/null file' "$old" 2>"$dir/debugfs"
	cp "$old" "$now"
	printf '%s\n' 'set_inode_field file projid 42' \
		'set_inode_field file ctime @2000000000' |
		debugfs -w -f - "$now" >"$dir/debugfs" 2>&1
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/file" and .changes == ["owner"]'
}

@test "nothing was changed: nothing is named" {
	make_old 16M -b 4096
	inside "$old" before
	cp "$old" "$now"
	log_between 4096 16M
	expect_unwritten 0 "$verify" --files "$img"
	[ "$output" = 'a rollback brings back 0, removes 0 and changes 0 names' ]
	expect_unwritten 0 "$verify" --files -q "$img"
	[ -z "$output" ]
}

@test "names with line feeds and quotes: one line each" {
	make_old 16M -b 4096
	cp "$old" "$now"
	odd() { touch $'line\nfeed' 'quo"te' 'back\slash' $'esc\033[2J'; }
	inside "$now" odd
	log_between 4096 16M
	expect_unwritten 0 "$verify" --files "$img"
	[ "${#lines[@]}" = 6 ]
	[[ $output == *'/line\012feed: now'* ]]
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/line\nfeed"'
	says '.path == "/quo\"te"'
	says '.path == "/back\\slash"'
	says '.path == "/esc\u001b[2J"'
}

# CSI as one byte, and as UTF-8; Latin-1; too long, cut short, a surrogate; and good ones.
@test "names with C1 controls, and that are not UTF-8" {
	make_old 16M -b 4096
	cp "$old" "$now"
	odd() {
		touch $'raw\x9b2J' $'c1\xc2\x9b2J' $'latin\xe9' $'long\xc0\xaf' \
			$'cut\xe2\x82' $'half\xed\xa0\x80' $'good\u00e9\u20ac\U1f600'
		mv from $'to\xff'
	}
	inside "$old" touch from
	cp "$old" "$now"
	inside "$now" odd
	log_between 4096 16M
	expect_unwritten 0 "$verify" --files "$img"
	for said in '/raw\2332J' '/c1\302\2332J' '/latin\351' '/long\300\257' \
			'/cut\342\202' '/half\355\240\200' $'/good\u00e9\u20ac\U1f600' \
			'/to\377 -> /from'; do
		[[ $output == *"$said"* ]]
	done
	"$verify" --files -J "$img" >"$dir/json"
	iconv -f UTF-8 -t UTF-8 "$dir/json" >/dev/null
	[ "$(LC_ALL=C grep -c $'\xc2\x9b' "$dir/json")" = 0 ]
	says '.path == "/c1\u009b2J" and (has("path_hex") | not)'
	says '.path == "/good\u00e9\u20ac\ud83d\ude00" and (has("path_hex") | not)'
	says '.path == "/raw\ufffd2J" and .path_hex == "2f7261779b324a"'
	says '.path == "/long\ufffd\ufffd" and .path_hex == "2f6c6f6e67c0af"'
	says '.path == "/to\ufffd" and .path_hex == "2f746fff" and
		.old_path == "/from" and (has("old_path_hex") | not)'
	json_names <"$dir/json" >"$dir/names"
	json_documented bow-verify.8 "$dir/names"
	# And back.
	inside "$now" mv $'to\xff' to
	inside "$old" mv from $'from\xff'
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/to" and .old_path == "/from\ufffd" and
		.old_path_hex == "2f66726f6dff"'
}

@test "no present state, no filesystem: exit 8, 4" {
	make_old 16M -b 4096
	cp "$old" "$now"
	inside "$now" touch new
	log_between 4096 16M --state restoring
	expect_unwritten 8 "$verify" --files "$img"
	[[ $output == *"there is no present state"* ]]
	make_log --features raw
	expect_unwritten 4 "$verify" --files "$img"
	cp "$log.orig.img" "$img"
	expect_unwritten 2 "$verify" --files "$img"
}

@test "100,000 changed files: all named, in less than 20 s" {
	local start

	make_old 96M -b 4096 -N 110000
	many() {
		local d

		mkdir {0..99}
		for d in {0..99}; do (cd "$d" && touch {0..999}); done
	}
	inside "$old" many
	cp "$old" "$now"
	inside "$now" chmod -R go-rwx .
	log_between 4096 96M
	start=$SECONDS
	"$verify" --files -J "$img" >"$dir/json"
	echo "# $((SECONDS - start)) s" >&3
	[ $((SECONDS - start)) -lt 20 ]
	[ "$(grep -c '"changes": \["mode"\]' "$dir/json")" -ge 100000 ]
}
