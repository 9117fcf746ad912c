#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# files.bats - bow-verify --files: what it names is what differs
#
# An image is changed by mounting it; mklog makes the log that leads from the
# one to the other.  What is named is compared with what find and sha256sum
# see in the two images.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	requires root jq mke2fs debugfs setfattr
	old=$dir/old now=$dir/now tree=$dir/tree
	mkdir "$tree"
}

teardown() {
	mountpoint -q "$tree" && umount "$tree"
	common_teardown
}

# inside IMAGE COMMAND...
#   Runs COMMAND in the image's root directory.
inside() {
	mount -o loop "$1" "$tree"
	(cd "$tree" && "${@:2}") || { umount "$tree"; return 1; }
	umount "$tree"
}

# make_old SIZE MKE2FS-OPTION...
make_old() {
	truncate -s "$1" "$old"
	mke2fs -q -F -t ext4 "${@:2}" "$old"
}

# log_between BS SIZE [MKLOG-OPTION...]
log_between() {
	fs_free "$old" >"$dir/old.free"
	fs_free "$now" >"$dir/now.free"
	make_log --bs "$1" --size "$2" --fs "$old" --free "$dir/old.free" \
		--now "$now" --now-free "$dir/now.free" "${@:3}"
}

before() {
	mkdir dir dir/sub gone gone/deep moved keep
	for i in {1..40}; do echo "$i" >"keep/$i"; done
	echo one >one; echo two >two; echo inside >moved/inside
	seq 1 20000 >big; seq 1 20000 >over; seq 1 9000 >moving
	echo y >gone/deep/y; echo x >dir/x
	ln -s one link; ln -s /keep kept-link
	echo h >hard; ln hard hard2; ln hard dir/hard4
	echo k >first; ln first second
	touch mode owner; mknod node c 1 3
	setfattr -n user.a -v before keep/1
	setfattr -n user.a -v same keep/2
	touch -d @1600000000 over one keep/* mode
}

after() {
	rm two node; rm -r gone
	echo new >new; mkdir -p made/deep; echo z >made/deep/z
	mv dir/sub dir/renamed; mv moved keep/moved; mv moving dir/moving
	mv one one2; echo more >>one2
	ln hard hard3; rm hard2; rm first
	chmod 600 mode; chown 7:8 owner
	truncate -s 5000 big
	printf AAAA | dd of=over bs=1 seek=9000 conv=notrunc status=none
	touch -d @1600000000 over
	setfattr -n user.a -v after keep/1
	setfattr -n user.big -v "$(head -c 900 /dev/zero | tr '\0' v)" keep/3
	rm link; ln -s two link
	mkfifo fifo; mknod node2 b 7 0
	cat keep/4 keep/5 >/dev/null
	chattr +i keep/6
}

# manifest: a line a path, all that a rollback would bring back
manifest() {
	find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort | while read -r p; do
		printf '%s\t%s\t' "$p" "$(stat -c '%f %u %g %.9Y %t %T' "$p")"
		[ -f "$p" ] && printf '%s %s' "$(stat -c %s "$p")" \
			"$(sha256sum <"$p")"
		[ -L "$p" ] && readlink "$p" | tr '\n' ' '
		[ -L "$p" ] || {
			getfattr -dm - "$p" 2>/dev/null | grep -v '^#' | tr '\n' ' '
			lsattr -d "$p" 2>/dev/null | tr -d e | cut -d' ' -f1 |
				tr '\n' ' '
		}
		echo
	done
}

# agrees
#   Is every path that differs named, and no other?  What lies below a renamed
#   directory has another path by that alone.
agrees() {
	inside "$old" manifest >"$dir/old.list"
	inside "$now" manifest >"$dir/now.list"
	# Paths whose line is in one of them only.
	LC_ALL=C comm -3 <(LC_ALL=C sort "$dir/old.list") \
		<(LC_ALL=C sort "$dir/now.list") |
		sed 's/^\t//' | cut -f1 | sort -u >"$dir/differ.all"
	"$verify" --files -J "$img" >"$dir/json"
	jq -r 'select(.type == "file") | .path, .old_path // empty' "$dir/json" |
		sed 's|^/||; /^$/d' | sort -u >"$dir/named"
	jq -r 'select(.old_path and .kind == "directory") |
		.path, .old_path' "$dir/json" | sed 's|^/||' >"$dir/renamed"
	awk 'FILENAME == ARGV[1] { dir[$0 "/"]; next }
		{ for (d in dir) if (index($0, d) == 1) next; print }' \
		"$dir/renamed" "$dir/differ.all" >"$dir/differ"
	[ -s "$dir/differ" ]
	diff "$dir/differ" "$dir/named"
}

# says JQ-FILTER
#   Is it true of one of the objects?
says() {
	jq -se "any(.[]; $1)" "$dir/json" >/dev/null || { echo "$1"; return 1; }
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
	at=$(debugfs -R 'bmap /over 3' "$old" 2>/dev/null)
	printf changed | dd of="$now" bs=4096 seek="$at" conv=notrunc status=none
	log_between 4096 16M
	"$verify" --files -J "$img" >"$dir/json"
	says '.path == "/over" and .changes == ["content"]'
	says '.type == "summary" and .change == 1 and .remove == 0'
	agrees
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
