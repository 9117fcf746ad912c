#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# export.bats - the old state, read through the log: image, file, table, e2fsck

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	fs=$dir/fs
	out=$dir/out
}

teardown() {
	common_teardown
}

# make_old [MKE2FS-OPTION...]
#   A log over a filesystem with files that the present one has lost.
make_old() {
	requires mke2fs
	mkdir -p "$dir/tree/sub"
	head -c 150000 /dev/urandom >"$dir/tree/sub/file"
	truncate -s 1M "$dir/tree/holes"
	printf 'end' >>"$dir/tree/holes"
	: >"$dir/tree/empty"
	ln -s sub/file "$dir/tree/link"
	truncate -s 8M "$fs"
	mke2fs -q -F -t ext4 -d "$dir/tree" "$@" "$fs"
	fs_free "$fs" >"$dir/free"
	make_log --size 8M --fs "$fs" --free "$dir/free" --ops 300 \
		--features map
}

exported() {
	make_log --format "$1" --bs "$2"
	rm -f "$out"
	expect_unwritten 0 "$verify" --export "$out" "$img"
	"$mklog" --compare "$out" "$log.orig.img" "$log.free"
}

@test "--export: the device at the checkpoint, from logs of every format" {
	each_format exported
}

@test "--export: torn writes, a rollback that has begun or is ending" {
	local state

	for state in torn-append:1 torn-rollover:1 torn-activation:1 \
			restoring finishing-rollback:6; do
		make_log --seed 2 --state $state
		rm -f "$out"
		expect_unwritten 0 "$verify" --export "$out" "$img"
		"$mklog" --compare "$out" "$log.orig.img" "$log.free"
	done
}

@test "--export: free blocks and zeros are holes" {
	make_old
	expect_unwritten 0 "$verify" --export "$out" "$img"
	"$mklog" --compare "$out" "$fs" "$dir/free"
	[ "$(stat -c %s "$out")" -eq "$(stat -c %s "$fs")" ]
	# Free blocks of the device hold backups, those of the image nothing.
	used=$(dumpe2fs -h "$fs" 2>/dev/null |
		awk '/^Block count/ { n = $3 } /^Free blocks/ { f = $3 }
			END { print (n - f) * 4 }')
	[ "$(du -k "$out" | cut -f1)" -le "$used" ]
	e2fsck -fn "$out"
}

@test "--export: never over what is there, and no half image is left" {
	make_old
	expect_unwritten 8 "$verify" --export "$img" "$img"
	echo precious >"$out"
	expect_unwritten 8 "$verify" --export "$out" "$img"
	[ "$(cat "$out")" = precious ]
	expect 8 "$verify" --export "$dir/no/where" "$img"
	(
		ulimit -f 1000
		trap '' XFSZ
		expect_unwritten 8 "$verify" --export "$dir/limited" "$img"
	)
	[ ! -e "$dir/limited" ]
}

@test "--cat: an old file, whatever has become of it" {
	make_old
	for file in sub/file holes empty; do
		expect_unwritten 0 "$verify" --cat "/$file" "$img"
		"$verify" --cat "$file" "$img" | cmp - "$dir/tree/$file"
	done
	"$verify" --cat /link "$img" | cmp - "$dir/tree/sub/file"
}

@test "--cat: block sizes, files in extents, block maps and inodes" {
	local option

	for option in '-b 1024' '-b 1024 -O ^extents,^64bit' '-O inline_data'; do
		rm -rf "$fs" "$dir/tree"
		# shellcheck disable=SC2086  # options
		make_old $option
		"$verify" --cat /sub/file "$img" | cmp - "$dir/tree/sub/file"
	done
}

@test "--cat: a file that is kept in its inode ends where it ends" {
	local size

	mkdir -p "$dir/tree"
	for size in 1 59 60 61 100; do
		head -c "$size" /dev/urandom >"$dir/tree/$size"
	done
	make_old -O inline_data
	[[ $(debugfs -R 'stat 100' "$fs" 2>/dev/null) == *"Size of inline data: 100"* ]]
	for size in 1 59 60 61 100; do
		"$verify" --cat "$size" "$img" | cmp - "$dir/tree/$size"
	done
}

# once PID COMMAND...
#   Wait until COMMAND is true, of a child that runs: the shell knows of one that has ended.
once() {
	until "${@:2}" "$1"; do
		kill -0 "$1" 2>/dev/null || { cat "$dir/said"; return 1; }
		sleep 0.02
	done
}

printing() { [ "$(sed -n 's/^wchar: //p' "/proc/$1/io")" -gt 0 ]; }

@test "--cat: interrupted in a hole of terabytes: exit 32" {
	local pid ended=0

	make_old
	debugfs -w -R 'set_inode_field empty size 0xf0000000000' "$fs" \
		2>"$dir/debugfs"
	make_log --size 8M --fs "$fs" --free "$dir/free" --ops 300
	"$verify" --cat empty "$img" >/dev/null 2>"$dir/said" &
	pid=$!
	once "$pid" printing
	kill -TERM "$pid"
	for _ in {1..50}; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	# It would go on for an hour.
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" || ended=$?
	[ "$ended" -eq 32 ] || { cat "$dir/said"; return 1; }
	[ "$(cat "$dir/said")" = "bow-verify: $img: interrupted: run it again" ]
}

@test "--cat: no such file, a directory, no filesystem: exit 8" {
	make_old
	expect_unwritten 8 "$verify" --cat /nothing "$img"
	[[ $output == "bow-verify: $img: /nothing: "* ]]
	expect_unwritten 8 "$verify" --cat /sub "$img"
	[[ $output == *"not a regular file"* ]]
	make_log --features raw
	expect_unwritten 8 "$verify" --cat /sub "$img"
	"$verify" --cat /sub "$img" >"$out" || true
	[ ! -s "$out" ]
}

# assemble TABLE: what a device with this table reads
assemble() {
	local start sectors type device place

	while read -r start sectors type device place; do
		[ "$type" = linear ] && [ "$device" = "$img" ]
		[ "$start" -eq "$((end + 0))" ]
		dd if="$img" of="$out" bs=512 skip="$place" seek="$start" \
			count="$sectors" conv=notrunc status=none
		end=$((start + sectors))
	done <"$1"
}

@test "--dm-table: every sector once, in order, from where it is" {
	make_log --seed 4 --ops 60
	end=0
	expect_unwritten 0 "$verify" --dm-table "$img"
	"$verify" --dm-table "$img" >"$dir/table"
	assemble "$dir/table"
	[ "$((end * 512))" -eq "$(stat -c %s "$img")" ]
	"$mklog" --compare "$out" "$log.orig.img" "$log.free"
	# Neighbours are one line.
	awk '$5 == last { exit 1 } { last = $5 + $2 }' "$dir/table"
}

@test "--fsck: the verdict of e2fsck on the old filesystem" {
	make_old
	expect_unwritten 0 "$verify" --fsck "$img"
	[[ $output == *"Pass 5"* ]]
	[[ $output == *"the old filesystem is sound"* ]]
	# The fault is one that bow-verify does not look for.
	debugfs -w -R 'set_inode_field sub/file links_count 7' "$fs" \
		2>"$dir/debugfs"
	make_log --size 8M --fs "$fs" --free "$dir/free" --ops 300
	expect_unwritten 0 "$verify" "$img"
	expect_unwritten 4 "$verify" --fsck "$img"
	[[ $output == *"the old filesystem is not sound"* ]]
	make_log --features raw
	expect_unwritten 8 "$verify" --fsck "$img"
	[ -z "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'bow-verify.*')" ]
}

@test "--fsck: a file deleted while open is no fault; another fault still is" {
	make_old
	ino=$(debugfs -R 'stat sub/file' "$fs" 2>/dev/null |
		sed -n 's/^Inode: \([0-9]*\).*/\1/p')
	printf '%s\n' 'unlink sub/file' "set_inode_field <$ino> links_count 0" \
		"set_inode_field <$ino> dtime 0" \
		"set_super_value last_orphan $ino" >"$dir/commands"
	debugfs -w -f "$dir/commands" "$fs" >"$dir/debugfs" 2>&1
	make_log --size 8M --fs "$fs" --free "$dir/free" --ops 100
	expect_unwritten 0 "$verify" --fsck "$img"
	[[ $output == *"open files that were deleted are removed in a copy"* ]]
	debugfs -w -R 'set_inode_field holes links_count 7' "$fs" \
		2>"$dir/debugfs"
	make_log --size 8M --fs "$fs" --free "$dir/free" --ops 100
	expect_unwritten 4 "$verify" --fsck "$img"
}

# stopped CALL N COMMAND...
#   --fsck, of which each process is held for four seconds in the Nth of those system
#   calls, ended by a signal once COMMAND is true, in a directory that is empty then.
stopped() {
	local pid ended=0

	strace -D -f -o /dev/null -e trace="$1" \
		-e inject="$1:delay_enter=4000000:when=$2" \
		"$verify" --fsck "$img" >"$dir/said" 2>&1 &
	pid=$!
	once "$pid" "${@:3}"
	kill -TERM "$pid"
	wait "$pid" || ended=$?
	[ "$ended" -eq 32 ] || { cat "$dir/said"; return 1; }
	[ -z "$(ls "$TMPDIR")" ]
}

writing() { [ -n "$(find "$TMPDIR" -name old -size +1)" ]; }
checking() { pgrep -P "$1" e2fsck; }

@test "--fsck: interrupted while writing or checking: exit 32, nothing is left" {
	requires strace native
	make_old
	export TMPDIR=$dir/tmp
	mkdir "$TMPDIR"
	stopped pwrite64 3 writing
	stopped pread64 20 checking
	"$verify" --fsck "$img"
	[ -z "$(ls "$TMPDIR")" ]
}

@test "--fsck: no room for the image: exit 8, said before it is written" {
	requires root
	make_old
	mkdir "$dir/small"
	mount -t tmpfs -o size=64k none "$dir/small"
	mounts+=("$dir/small")
	TMPDIR=$dir/small expect_unwritten 8 "$verify" --fsck "$img"
	[[ $output =~ "--fsck: needs up to "[1-9.]+" MiB elsewhere for a temporary image: set TMPDIR" ]]
	[ -z "$(ls "$dir/small")" ]
	TMPDIR=$dir/nowhere expect_unwritten 8 "$verify" --fsck "$img"
	[[ $output == *": $dir/nowhere: No such file or directory" ]]
}

@test "no log: exit 2; a commit that is ending: no old state" {
	make_log
	cp "$log.orig.img" "$img"
	for mode in --dm-table --fsck '--cat /x' "--export $out"; do
		# shellcheck disable=SC2086  # an option and its value
		expect_unwritten 2 "$verify" $mode "$img"
	done
	make_log --state finishing-commit:0
	expect_unwritten 8 "$verify" --dm-table "$img"
	[[ $output == *"a commit has been decided"* ]]
	[ ! -e "$out" ]
}

@test "a damaged log: exit 4, nothing is handed out" {
	make_log --damage chain-csum
	expect_unwritten 4 "$verify" --export "$out" "$img"
	[[ $output == *"log block "* ]]
	[ ! -e "$out" ]
	expect_unwritten 4 "$verify" --dm-table "$img"
}

@test "--export: damaged backups are named; what can be read is written" {
	make_log --damage backup
	expect_unwritten 4 "$verify" --export "$out" "$img"
	[[ $output =~ "log block "[0-9]+", entry "[0-9]+": " ]]
	[[ $output == *"is written, but not all of it is right"* ]]
	[ "$(stat -c %s "$out")" -eq "$(stat -c %s "$img")" ]
}

@test "modes that do not go together: exit 16" {
	make_log
	expect_unwritten 16 "$verify" --fsck --dm-table "$img"
	expect_unwritten 16 "$verify" --cat x --list "$img"
	expect_unwritten 16 "$verify" --dm-table -J "$img"
	expect_unwritten 16 "$verify" --export "$img"
}
