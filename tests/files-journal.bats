#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# files-journal.bats - bow-verify --files of a filesystem whose journal is to be
# replayed: what it names is what differs after e2fsck has replayed it

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	load files
	files_setup
}

teardown() {
	files_teardown
}

# cut_after COMMAND...
#   Runs COMMAND in the present filesystem; what the disk holds when the power is
#   cut then becomes the present one, with all of it in the journal only.
cut_after() {
	mount -o loop,commit=600 "$now" "$tree"
	(cd "$tree" && "$@" && sync -f .)
	cp --sparse=always "$now" "$dir/cut"
	umount "$tree"
	cp "$dir/cut" "$now"
	debugfs -R 'show_super_stats -h' "$now" 2>/dev/null |
		grep needs_recovery
}

# replayed BS SIZE
#   The log leads to the filesystem as it is on the disk; what --files names is
#   what differs once e2fsck has replayed the journal.
replayed() {
	cp "$now" "$dir/cut"
	e2fsck -fy "$now" >"$dir/e2fsck" || [ $? = 1 ]
	fs_free "$old" >"$dir/old.free"
	fs_free "$now" >"$dir/now.free"
	make_log --bs "$1" --size "$2" --fs "$old" --free "$dir/old.free" \
		--now "$dir/cut" --now-free "$dir/now.free"
	agrees
	expect_unwritten 0 "$verify" --files "$img"
	[[ $output != *"may be missing"* ]]
	says '.type == "summary" and .journal_transactions > 0 and
		(.journal_pending | not)'
	expect_unwritten 0 "$verify" -v "$img"
	[[ $output == *"filesystem at present: sound, with its journal replayed"* ]]
}

@test "power cut: what is in the journal only is seen, of every kind of journal" {
	local options

	while read -r bs options; do
		rm -f "$old"
		# shellcheck disable=SC2086  # options
		make_old 24M -b "$bs" $options
		inside "$old" before
		cp "$old" "$now"
		cut_after after
		replayed "$bs" 24M
	done <<-EOF
	4096 -O 64bit,metadata_csum
	1024 -O ^64bit,metadata_csum
	1024 -O ^64bit,^metadata_csum
	4096 -O 64bit,^metadata_csum -J size=4
	EOF
}

# in_journal COMMAND...
#   Commands of debugfs that write the journal of the present filesystem.
in_journal() {
	printf '%s\n' "$@" >"$dir/commands"
	debugfs -w -f "$dir/commands" "$now" >"$dir/debugfs" 2>&1
	! grep -E 'error|not found' "$dir/debugfs"
}

# other_mode BS
#   The block of the inode table with /mode's inode in it, as it is after a
#   change, into the file "block"; its number into at.
other_mode() {
	cp "$now" "$dir/changed"
	debugfs -w -R 'set_inode_field mode mode 0100600' "$dir/changed" \
		2>"$dir/debugfs"
	at=$(debugfs -R 'imap mode' "$now" 2>/dev/null |
		sed -n 's/.*at block \([0-9]*\).*/\1/p')
	dd if="$dir/changed" of="$dir/block" bs="$1" skip="$at" count=1 \
		status=none
}

@test "journal: tags with and without checksums and 64 bits, escapes, revokes" {
	local at bs csum options

	while read -r bs csum options; do
		rm -f "$old"
		# shellcheck disable=SC2086  # options
		make_old 24M -b "$bs" $options
		inside "$old" before
		cp "$old" "$now"
		other_mode "$bs"
		moving=$(debugfs -R 'bmap moving 1' "$now" 2>/dev/null)
		over=$(debugfs -R 'bmap over 2' "$now" 2>/dev/null)
		# The magic of the journal at the start of a file's block.
		{ printf '\300\073\071\230'; head -c $((bs - 4)) /dev/urandom; } \
			>"$dir/escaped"
		in_journal "jo $([ "$csum" = 0 ] || echo "-c -v $csum")" "jw -b $at $dir/block" \
			"jw -b $over $dir/escaped" \
			"jw -b $moving $dir/escaped" "jw -r $moving" jc
		[ "$csum" -lt 2 ] || dumpe2fs -h "$now" 2>/dev/null |
			grep "journal_checksum_v$csum"
		replayed "$bs" 24M
		says '.path == "/mode" and .changes == ["mode"]'
		# The kernel and e2fsck took the block, and not the revoked one.
		debugfs -R "dump over $dir/out" "$now" 2>/dev/null
		cmp -n "$bs" -i $((2 * bs)):0 "$dir/out" "$dir/escaped"
		rm -f "$dir/json"
	done <<-EOF
	4096 0 -O 64bit,^metadata_csum
	1024 0 -O ^64bit,^metadata_csum
	4096 1 -O 64bit,^metadata_csum
	1024 1 -O ^64bit,^metadata_csum
	4096 2 -O 64bit,metadata_csum
	1024 2 -O ^64bit,metadata_csum
	4096 3 -O 64bit,metadata_csum
	1024 3 -O ^64bit,metadata_csum
	EOF
}

# log_over_cut
#   The log leads to the filesystem with a journal that is in $now.
log_over_cut() {
	cp "$now" "$dir/cut"
	e2fsck -fy "$dir/cut" >"$dir/e2fsck" || [ $? = 1 ]
	fs_free "$old" >"$dir/old.free"
	fs_free "$dir/cut" >"$dir/now.free"
	make_log --bs 4096 --size 24M --fs "$old" --free "$dir/old.free" \
		--now "$now" --now-free "$dir/now.free"
}

@test "journal: what was not committed is not taken, what is wrong is said" {
	local csum journal

	make_old 24M -b 4096 -O 64bit,metadata_csum
	inside "$old" before
	cp "$old" "$now"
	other_mode 4096
	in_journal 'jo -c -v 3' "jw -b $at -c $dir/block" jc
	log_over_cut
	expect_unwritten 0 "$verify" --files "$img"
	[ "$output" = 'a rollback brings back 0, removes 0 and changes 0 names' ]
	cp "$old" "$now"
	in_journal 'jo -c -v 3' "jw -b $at $dir/block" jc
	cp "$now" "$dir/good"
	journal=$(debugfs -R 'bmap <8> 0' "$now" 2>/dev/null)
	# The data, the descriptor, the commit block; nothing of it is taken.
	for csum in 2:"has blocks with a wrong checksum" \
			1:"has a transaction with a wrong checksum" 3:; do
		cp "$dir/good" "$now"
		printf '\245' | dd of="$now" bs=1 conv=notrunc status=none \
			seek=$(((journal + ${csum%%:*}) * 4096 + 700))
		log_over_cut
		expect_unwritten 0 "$verify" --files "$img"
		[[ $output != */mode* ]]
		[[ -z ${csum#*:} || $output == *"may be missing"*"${csum#*:}"* ]]
	done
	cp "$dir/good" "$now"
	printf '\245' | dd of="$now" bs=1 seek=$((journal * 4096)) conv=notrunc \
		status=none
	log_over_cut
	expect_unwritten 0 "$verify" --files "$img"
	[[ $output == *"the filesystem's journal has no superblock"* ]]
	"$verify" --files -J "$img" | jq -e 'select(.type == "summary") | .journal_pending'
	expect_unwritten 0 "$verify" -v "$img"
	[[ $output == *"at present: not checked: its journal is to be replayed first, and has no superblock"* ]]
}

@test "journal: fast commits are seen, and said not to be read" {
	make_old 64M -b 4096 -O fast_commit
	inside "$old" before
	cp "$old" "$now"
	mount -o loop,commit=600 "$now" "$tree"
	(cd "$tree" && echo more >>two && sync -f . && echo and more >>two &&
		sync two)
	cp --sparse=always "$now" "$dir/cut"
	umount "$tree"
	cp "$dir/cut" "$now"
	fs_free "$old" >"$dir/old.free"
	make_log --bs 4096 --size 64M --fs "$old" --free "$dir/old.free" \
		--now "$now" --now-free "$dir/old.free"
	expect_unwritten 0 "$verify" --files "$img"
	[[ $output == *"journal has fast commits, which are not read"* ]]
}

# spoil_journal SEED
#   Some bytes of $img's journal are others: in superblock, descriptors, anywhere.
spoil_journal() {
	cp "$dir/whole" "$img"
	perl -e 'my ($img, $at, $seed) = @ARGV;
		srand($seed);
		open(F, "+<", $img) or die;
		for (1 .. (1, 1, 2, 5, 30)[rand 5]) {
			my @at = (rand 120, 4096 + rand 200, rand 4096 * 40);
			seek(F, $at * 4096 + int($at[rand 3]), 0) or die;
			print F chr((0, 255, 1, 2, 8, int(rand 256))[rand 6]);
		}
		close(F) or die' "$img" "$1" "$2"
}

@test "journal: whatever it holds, a defined end" {
	local i journal ended

	make_old 16M -b 4096 -O 64bit,^metadata_csum
	cp "$old" "$now"
	head -c 40960 /dev/urandom >"$dir/blocks"
	in_journal jo "jw -b 2000-2009 $dir/blocks" \
		"jw -b 2000-2003 $dir/blocks" 'jw -r 2001-2002' \
		"jw -b 2100-2105 $dir/blocks" jc
	fs_free "$old" >"$dir/free"
	make_log --bs 4096 --size 16M --fs "$old" --free "$dir/free" \
		--now "$now" --now-free "$dir/free"
	"$verify" --files -J "$img" | jq -e '.journal_transactions == 4'
	cp "$img" "$dir/whole"
	journal=$(debugfs -R 'bmap <8> 0' "$now" 2>/dev/null)
	for i in {1..60}; do
		spoil_journal "$journal" "$i"
		ended=0
		timeout 20 "$verify" --files "$img" >"$dir/said" 2>&1 || ended=$?
		case $ended in
		0 | 4 | 8) ! grep -E 'runtime error|Sanitizer' "$dir/said" ;;
		*)	false ;;
		esac || { echo "seed $i: exit $ended"; cat "$dir/said"; return 1; }
	done
}
