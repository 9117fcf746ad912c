#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, d0, vm_*: see scenarios.bash
# The old filesystem beside the running one, in a minimal QEMU guest: mounted by
# bowctl browse, and read by bow-verify below a dm-bow that is written to.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
}

teardown()
{
	common_teardown
}

# old_sums
#   The checksums of all files of D0, by name.
old_sums()
{
	local mnt=$BATS_TEST_TMPDIR/mnt

	mkdir -p "$mnt"
	mount -o ro,noload,loop "$d0" "$mnt"
	(cd "$mnt" && find . -type f | sort | xargs sha256sum)
	umount "$mnt"
}

# flip SECTOR
#   Turn the bits of its first byte over, behind the guest's back.
flip()
{
	perl -e 'open(F, "+<", $ARGV[0]) && seek(F, $ARGV[1] * 512, 0) &&
		read(F, $b, 1) == 1 && seek(F, $ARGV[1] * 512, 0) &&
		print F ~$b or die' "$img" "$1"
}

@test "browse: the old files while the present ones change, and nothing is written" {
	make_image 4096 96
	guest_start
	guest_attach
	guest_checkpoint
	old_sums >"$BATS_TEST_TMPDIR/sums"
	run -2 vm_run 'mkdir /old && bowctl browse /old'
	run -8 vm_run 'bowctl browse --device /mnt /nowhere'
	run -8 vm_run 'bowctl browse --device /mnt /dev/null'
	[[ $output = *"mounting /dev/nbd0"* ]]
	vm_run '[ ! -e /sys/block/nbd0/pid ] && [ -z "$(ls /run/bow)" ]'
	run -2 vm_run 'bowctl browse --close --device /mnt /mnt'
	# Read again and again while files change, with nothing kept in memory.
	vm_run "($(work_on 100)) >/dev/null 2>&1 &
		sleep 1
		bowctl -J browse --device /mnt /old >/tmp/browse || exit 1
		for i in 1 2; do
			echo 3 >/proc/sys/vm/drop_caches
			(cd /old && find . -type f | sort | xargs sha256sum) \
				>/tmp/sums\$i || exit 2
		done
		bow-verify -q /dev/vda || exit 3
		bow-verify --cat /a/60 /dev/vda | cmp - /old/a/60 || exit 4
		bow-verify --fsck /dev/vda >/tmp/fsck 2>&1 || { cat /tmp/fsck; exit 5; }
		kill %1 2>/dev/null; wait" 300
	[ "$(status_of copies)" -gt 10 ]
	vm_run 'cat /tmp/browse' | jq -e '.device == "/dev/nbd0" and
		.underlying == "/dev/vda" and .mountpoint == "/old"'
	for i in 1 2; do
		vm_run "cat /tmp/sums$i" | diff "$BATS_TEST_TMPDIR/sums" -
	done
	run -1 vm_run 'echo x 2>/dev/null >/old/new'
	# The present one is another, and stays as it is.
	vm_run 'sync; mount -o remount,ro /mnt; sync'
	# A backup that is not what it was, found below the running dm-bow.  The
	# newest of them has not been moved.
	dest=$(vm_run 'bow-verify --list -J /dev/vda' 60 |
		jq -r 'select(.kind == "backup" and .checksum > 0) | .dest' | head -n 1)
	flip "$dest"
	run -4 vm_run 'bow-verify --export /tmp/image /dev/vda' 60
	[[ $output = *"log block "*", entry "*"is written, but not all of it is right"* ]]
	run -4 vm_run 'rm /tmp/image; bow-verify --fsck /dev/vda' 60
	flip "$dest"
	vm_run 'bow-verify -q /dev/vda && bow-verify -q --fsck /dev/vda' 60
	before=$(sha256sum <"$img")
	vm_run 'cat /old/a/* >/dev/null && [ ! -e /old/new1 ] && [ -e /mnt/new1 ] &&
		bowctl browse --close /old && [ ! -e /sys/block/nbd0/pid ] &&
		[ -z "$(ls /old)" ]'
	run -2 vm_run 'bowctl browse --close /old'
	vm_run 'bowctl browse --device /mnt /old && cat /old/a/1 >/dev/null' >/dev/null
	run -8 vm_run 'bowctl browse --device /mnt /old'
	[[ $output = *"already: bowctl browse --close ends it"* ]]
	vm_run 'umount /old; bowctl browse --close /old &&
		[ ! -e /sys/block/nbd0/pid ] && [ -z "$(ls /run/bow)" ]'
	# A kernel that lacks the module: a failure, not a checkpoint that is missing.
	run -8 vm_run 'rmmod nbd && bowctl browse --device /mnt /old'
	[[ $output = *"module nbd"* ]]
	vm_run '[ -z "$(ls /run/bow)" ]'
	[ "$(sha256sum <"$img")" = "$before" ]
	assert_rolls_back
}

@test "browse: a commit ends it with read errors; from a rescue system, and by a table" {
	make_image 1024 64
	# Errors of the old filesystem are not to be the end of the machine.
	tune2fs -e panic "$img" >&2
	guest_start
	guest_attach
	guest_checkpoint
	old_sums >"$BATS_TEST_TMPDIR/sums"
	vm_run "$(work 20)" 120
	# The log without dm-bow over it.
	vm_run 'mkdir /old && umount /mnt && dmsetup remove bow-root &&
		bowctl browse --device /dev/vda /old &&
		(cd /old && find . -type f | sort | xargs sha256sum)' 120 >"$BATS_TEST_TMPDIR/rescue"
	grep -v ' as it was ' "$BATS_TEST_TMPDIR/rescue" |
		diff "$BATS_TEST_TMPDIR/sums" -
	# Nothing but reads is possible, and nobody writes below it.
	vm_run '[ "$(blockdev --getro /dev/mapper/bow-old)" = 1 ]'
	run -8 vm_run 'bow-restore -q /dev/vda'
	vm_run 'bowctl browse --close /old && [ ! -e /dev/mapper/bow-old ] &&
		[ -z "$(ls /run/bow)" ]'
	vm_run 'bow-verify --dm-table /dev/vda >/tmp/table &&
		dmsetup create -r old /tmp/table &&
		mount -t ext4 -o ro,noload /dev/mapper/old /old &&
		(cd /old && find . -type f | sort | xargs sha256sum) &&
		umount /old && dmsetup remove old' 120 |
		diff "$BATS_TEST_TMPDIR/sums" -
	vm_run 'bow-restore --commit -q /dev/vda'
	run -2 vm_run 'bowctl browse --device /dev/vda /old'
	[[ $output = *"there is no checkpoint"* ]]
	vm_run 'dmsetup create bow-root --uuid BOW-root \
			--table "0 $(cat /sys/block/vda/size) bow /dev/vda" &&
		mount -t ext4 /dev/mapper/bow-root /mnt && bowctl checkpoint /mnt &&
		bowctl browse --device /mnt /old && echo new >/mnt/new &&
		bowctl commit /mnt && echo 3 >/proc/sys/vm/drop_caches'
	run -1 vm_run 'cat /old/a/60 >/dev/null 2>&1'
	vm_run 'cat /mnt/a/60 >/dev/null && bowctl browse --close /old'
}

@test "browse: several at the same time have a device each; of one place, one" {
	make_image 4096 64
	guest_start
	guest_attach
	guest_checkpoint
	vm_run 'cat >/tmp/each <<-\EOF
			# Its exit status, after all have begun.
			until [ -e /tmp/go ]; do :; done
			bowctl browse --device /mnt "$1" >/dev/null 2>&1
			echo "$? $1" >>/tmp/ends
		EOF
		mkdir /a /b /c
		for place in /a /b /c /c /c; do sh /tmp/each $place & done
		sleep 1; touch /tmp/go; wait
		sort /tmp/ends >/tmp/sorted
		printf "%s\n" "0 /a" "0 /b" "0 /c" "8 /c" "8 /c" | cmp - /tmp/sorted || {
			cat /tmp/ends; exit 1; }
		ls /run/bow >/tmp/marks
		printf "browse-nbd%s\n" 0 1 2 | cmp - /tmp/marks || { cat /tmp/marks; exit 2; }
		cmp /a/a/1 /b/a/1 && cmp /a/a/1 /c/a/1 || exit 3
		for place in /a /b /c; do bowctl browse --close $place || exit 4; done
		[ -z "$(ls /run/bow)" ] && [ ! -e /sys/block/nbd0/pid ]'
}

@test "files: what a rollback would change, while the machine runs and after a power cut" {
	make_image 4096 96
	guest_start
	guest_attach
	run -2 vm_run 'mkdir /other && bowctl files /other'
	run -2 vm_run 'mount -t ext4 /dev/mapper/bow-root /mnt && bowctl files /mnt'
	vm_run 'umount /mnt'
	guest_checkpoint
	run -0 vm_run 'bowctl files /mnt'
	# The root's access time and the like are nothing to tell.
	[[ $output = *"brings back 0, removes 0 and changes 0 names"* ]]
	# A file is an image, wherever it is.
	run -2 vm_run 'bowctl files /mnt/a/60'
	run -2 vm_run 'bowctl browse --device /mnt/a/60 /other'
	# Amid writes all of it can be read, and nothing that was not written to.
	vm_run "($(work_on 60)) >/dev/null 2>&1 &
		sleep 1
		for i in 1 2 3; do
			bowctl files /mnt >/tmp/files 2>&1 || { cat /tmp/files; exit 3; }
			! grep -v -e ' /new' -e ' /a/[25]' -e ' /b/' -e ' / ' -e ' /a/ ' \
				-e rollback -e meanwhile /tmp/files || exit 4
			bow-verify -v /dev/vda >/tmp/files 2>&1 || { cat /tmp/files; exit 5; }
			! grep -e DAMAGED -e 'present filesystem:' /tmp/files || exit 6
		done
		kill %1 2>/dev/null; wait" 300
	vm_run 'cd /mnt && rm a/30 && mv a/31 b/moved && echo new >made &&
		chmod 600 a/32 && ln a/33 a/link && rm -r new1'
	# Not a word of it is on the disk, but for what the command sees to.
	vm_run 'bowctl -J files /mnt' >"$BATS_TEST_TMPDIR/live"
	jq -se 'def has(f): any(.[]; f);
		has(.action == "bring-back" and .path == "/a/30") and
		has(.path == "/b/moved" and .old_path == "/a/31") and
		has(.action == "remove" and .path == "/made") and
		has(.path == "/a/32" and .changes == ["mode"]) and
		has(.action == "remove" and .path == "/a/link") and
		(has(.path == "/new1") | not) and
		has(.type == "summary" and .journal_transactions > 0 and
			(.journal_pending or .changed_meanwhile | not))' \
		"$BATS_TEST_TMPDIR/live"
	run -0 vm_run 'bow-verify -v /dev/vda' 60
	[[ $output = *"filesystem after a rollback: sound"* ]]
	[[ $output = *"filesystem at present: sound, with its journal replayed"* ]]
	vm_cut
	"$vm_src/build/bow-verify" --files -J "$img" >"$BATS_TEST_TMPDIR/cut"
	diff "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/cut"
	assert_rolls_back
}
