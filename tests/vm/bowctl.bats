#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, restore, vm_*: see scenarios.bash
# bowctl in a minimal QEMU guest: checkpoints of a filesystem that is being
# written to, of the one that bowctl itself is on, and ones that are broken off.

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

attach_and_mount()
{
	guest_start
	guest_attach
	vm_run 'mount -t ext4 /dev/mapper/bow-root /mnt'
}

# make_fragmented SIZE [OPTION]
#   An ext4 whose free blocks are in very many pieces.  Those of 64 GiB take long
#   enough to be handed over that this can be interrupted.
make_fragmented()
{
	truncate -s "$1" "$img"
	mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1 "${@:2}" "$img"
	"$vm_src/build/tests/fragment" "$img"
}

# in_background KILL [BEFORE]
#   Print the script that runs the command KILL, for a checkpoint of process \$pid,
#   while it is frozen.  That process runs BEFORE first.
in_background()
{
	cat <<-EOF
	dmsetup message bow-root 0 clear
	(${2:-:}; exec bowctl checkpoint /mnt) >/tmp/out 2>&1 & pid=\$!
	n=0
	# The module's count grows only while the filesystem is frozen.
	until [ "\$(cat /sys/block/dm-0/bow/free)" -gt 0 ]; do
		n=\$((n + 1))
		[ \$n -lt 1000 ] || exit 90
	done
	$1
	# The shell tells of a killed job itself.
	wait \$pid 2>/dev/null
	echo "status \$?"
	# Hangs if it is still frozen.
	echo written >/mnt/written && sync
	# The guardian says what it did when it has done it.
	while pidof bow-guardian >/dev/null; do sleep 0.1; done
	cat /tmp/out /mnt/written
	cat /sys/block/dm-0/bow/state
	EOF
}

@test "bowctl: a checkpoint under load rolls back to a clean filesystem of that moment" {
	make_image 4096 200
	attach_and_mount
	vm_run 'mkdir /mnt/keep && cp /mnt/a/* /mnt/keep && sync
		cd /mnt && find keep -type f | sort | xargs sha256sum >/tmp/sums
		cp /tmp/sums /mnt/sums'
	vm_run "($(work_on 100)) >/dev/null 2>&1 & sleep 1
		bowctl -J checkpoint /mnt
		echo after >/mnt/after
		echo changed >/mnt/keep/1
		wait" 300 | jq -e '.free_bytes > 0 and .frozen_us > 0'
	[ "$(status_of copies)" -gt 10 ]
	vm_cut
	"$restore" -q --rollback "$img"
	e2fsck -fn "$img"
	mkdir "$BATS_TEST_TMPDIR/old"
	mount -o ro,noload,loop "$img" "$BATS_TEST_TMPDIR/old"
	run -0 bash -c "cd '$BATS_TEST_TMPDIR/old' && [ ! -e after ] &&
		[ \"\$(wc -l <sums)\" -eq 60 ] && sha256sum --quiet -c sums"
	umount "$BATS_TEST_TMPDIR/old"
}

# The module goes on with what it was told, on a disk that takes its time.
@test "bowctl: killed while the module begins a checkpoint, it leaves none" {
	make_image 4096 96
	guest_start
	guest_attach
	vm_run 'mount -o ro -t ext4 /dev/mapper/bow-root /mnt'
	vm_throttle disk0 2
	run -0 vm_run 'bowctl checkpoint /mnt >/tmp/out 2>&1 & pid=$!
		until [ "$(cat /sys/block/dm-0/bow/free)" -gt 0 ]; do :; done
		sleep 0.5
		cat /sys/block/dm-0/bow/state
		kill -9 $pid
		wait $pid 2>/dev/null
		n=0
		until grep -q "no checkpoint" /tmp/out || [ $n = 300 ]; do
			n=$((n + 1))
			sleep 0.1
		done
		sleep 1
		cat /tmp/out /sys/block/dm-0/bow/state'
	[ "$output" = $'0\nbowctl: killed: thawed, no checkpoint was taken\n2' ]
	vm_throttle disk0 0
	vm_run 'bowctl checkpoint /mnt'
	[ "$(status_of id)" ]
}

@test "bowctl: a checkpoint of the filesystem that bowctl and its output are on" {
	make_image 4096 200
	attach_and_mount
	vm_run 'set -e
		for dir in bin sbin lib lib64 usr etc; do
			[ ! -e /$dir ] || cp -a /$dir /mnt
		done
		mkdir -p /mnt/proc /mnt/sys /mnt/dev /mnt/tmp
		for dir in proc sys dev; do mount -o bind /$dir /mnt/$dir; done
		sync
		echo 3 >/proc/sys/vm/drop_caches'
	run -0 vm_run 'chroot /mnt /bin/busybox sh -c "bowctl checkpoint >/out 2>&1"
		status=$?
		cat /mnt/out
		exit $status'
	[[ $output = "checkpoint "*" of /: frozen for "* ]]
	vm_run 'chroot /mnt bowctl -J status' | jq -e \
		'.state == "checkpoint" and .health == "ok" and .mountpoint == "/"'
	# As for somebody who is not root.
	run -8 vm_run 'mount -o remount,bind,nodev /mnt/dev
		chroot /mnt bowctl status
		status=$?
		mount -o remount,bind,dev /mnt/dev
		exit $status'
	[[ $output = *"/dev/mapper/control: open failed: Permission denied"* ]]
	run -0 vm_run 'chroot /mnt bowctl commit'
	# Beside another table, of somebody who was interrupted, the module takes none.
	vm_run 'dmsetup table bow-root | dmsetup load bow-root'
	run -8 vm_run 'chroot /mnt bowctl checkpoint'
	[[ $output = *"another table is loaded"* ]]
	vm_run 'dmsetup clear bow-root'
	# What lies beside it is told of, but not with -q.
	vm_run 'set -e
		mkdir /mnt/boot && mount -t tmpfs boot /mnt/boot
		dd if=/dev/zero of=/mnt/swap bs=1M count=4 && chmod 600 /mnt/swap
		mkswap /mnt/swap && swapon /mnt/swap'
	run -0 vm_run 'chroot /mnt bowctl checkpoint'
	[[ $output = "checkpoint "*"not covered, as on other filesystems: /boot; after a rollback start Linux $(vm_kernel)"*"bowctl: /swap is in use: "* ]]
	vm_run 'chroot /mnt bowctl -q commit'
	run -0 vm_run 'chroot /mnt bowctl -q checkpoint'
	[ -z "$output" ]
	vm_run 'chroot /mnt bowctl -q commit'
	vm_run 'chroot /mnt bowctl -J checkpoint' |
		jq -e '.not_covered == ["/boot"] and .swap_files == ["/swap"]'
	run -8 vm_run 'chroot /mnt bowctl checkpoint'
	[[ $output = *"there is a checkpoint already"* ]]
}

# A bitmap is of the module's blocks, which are of 4 KiB if the table says nothing, and
# begins at block 0; all else goes over as ranges.
@test "bowctl: free space in very many pieces goes over as it is" {
	local bs messages table unit

	for table in '4096 0' '1024 0' '1024 1 block_size:1024'; do
		bs=${table%% *}
		unit=8
		[[ $table != *:1024 ]] || unit=2
		rm -f "$img"
		make_fragmented 1100M -b "$bs"
		guest_start
		vm_run "dmsetup create bow-root --uuid BOW-root --table \
			\"0 \$(cat /sys/block/vda/size) bow /dev/vda ${table#* }\" &&
			mount -t ext4 /dev/mapper/bow-root /mnt"
		vm_run 'dd if=/dev/urandom of=/mnt/before bs=1M count=8 && sync
			mount -o remount,ro /mnt'
		cp --sparse=always "$img" "$d0"
		free_sectors "$d0" $unit >"$d0.free"
		[ "$(wc -l <"$d0.free")" -gt 16000 ]
		vm_run 'bowctl -v checkpoint /mnt' >"$BATS_TEST_TMPDIR/told"
		cat "$BATS_TEST_TMPDIR/told"
		# A GiB as a bitmap, ranges for the rest.
		messages=$(sed -n 's/.* free ranges in \([0-9]*\) messages to .*/\1/p' \
			"$BATS_TEST_TMPDIR/told")
		[ $((messages <= 3)) = $((bs == 4096)) ]
		vm_run 'mount -o remount,rw /mnt
			dd if=/dev/urandom of=/mnt/before bs=1M count=4 conv=notrunc
			rm -f /mnt/after; dd if=/dev/urandom of=/mnt/after bs=1M count=8
			sync'
		[ "$(status_of copies)" -gt 0 ]
		vm_cut
		"$restore" -q --rollback "$img"
		assert_raw_d0 "$img"
	done
}

@test "bowctl: SIGTERM while frozen: thawed, no checkpoint, nothing kept" {
	make_fragmented 64G -O ^has_journal
	attach_and_mount
	# Meanwhile there is no second one, whose guardian could undo the first.
	run -0 vm_run "$(in_background 'bowctl checkpoint /mnt >/tmp/second 2>&1
		echo "second $?" >>/tmp/second
		kill -TERM $pid')" 90
	[ "${lines[0]}" = "status 32" ]
	[[ ${lines[1]} = *": interrupted" ]]
	[ "${lines[2]}" = written ]
	[ "${lines[3]}" = 0 ]
	# Nothing of the broken off attempt is kept.
	[ "$(vm_run 'cat /sys/block/dm-0/bow/free')" -eq 0 ]
	run -0 vm_run 'cat /tmp/second'
	[[ ${lines[0]} = *"/dev/dm-0 is locked: is another checkpoint being taken?" ]]
	[ "${lines[1]}" = "second 8" ]
}

@test "bowctl: SIGTERM while a commit waits for the disk: done, and told" {
	raw_setup
	guest_raw 4096
	run -0 vm_run 'dmsetup suspend --noflush low
		bowctl commit /dev/mapper/bow-root >/tmp/out 2>&1 & pid=$!
		until grep -q bow_commit /proc/$pid/stack; do sleep 0.1; done
		kill -TERM $pid
		dmsetup resume low
		wait $pid
		echo "status $?"
		cat /tmp/out /sys/block/dm-1/bow/state'
	[ "${lines[0]}" = "status 0" ]
	[[ ${lines[1]} = "checkpoint "*" committed: "* ]]
	[ "${lines[2]}" = 2 ]
}

# assert_killed OUTPUT
assert_killed()
{
	echo "$1"
	[[ $1 = *"status 137"$'\n'"bowctl: killed: thawed, no checkpoint was taken"$'\n'written$'\n'0 ]]
}

@test "bowctl: SIGKILL while frozen, of it alone or its cgroup: thawed, no checkpoint" {
	make_fragmented 64G -O ^has_journal
	attach_and_mount
	run -0 vm_run "$(in_background 'kill -KILL $pid')" 90
	assert_killed "$output"
	# As systemd ends a service, and systemd-oomd a session; cgroup.kill is of 5.14.
	vm_run 'mkdir /tmp/cgroup && mount -t cgroup2 cgroup /tmp/cgroup &&
		mkdir /tmp/cgroup/unit'
	run -0 vm_run "$(in_background 'cd /tmp/cgroup/unit
		if [ -e cgroup.kill ]; then
			echo 1 >cgroup.kill
		else
			kill -KILL $(cat cgroup.procs)
		fi' 'echo 0 >/tmp/cgroup/unit/cgroup.procs')" 90
	assert_killed "$output"
}

@test "bowctl: a damaged bitmap: refused, thawed, no checkpoint" {
	make_image 4096 200
	local at
	# The last group: nothing reads its bitmap at the mount.
	at=$(dumpe2fs "$img" 2>/dev/null |
		sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | tail -1)
	printf '%s\n' 'set_bg 1 flags 0' 'set_bg 1 checksum calc' |
		debugfs -w -f - "$img" >"$BATS_TEST_TMPDIR/debugfs" 2>&1
	printf '\125' | dd of="$img" bs=1 seek=$((at * 4096 + 9)) \
		conv=notrunc status=none
	# The kernel's own initialising would be the first to read it; before 5.11 it
	# does so only where the mount asks for it, and knows no option against it.
	guest_start
	guest_attach
	vm_run 'mount -t ext4 -o noinit_itable,no_prefetch_block_bitmaps \
			/dev/mapper/bow-root /mnt ||
		mount -t ext4 -o noinit_itable /dev/mapper/bow-root /mnt'
	run -8 vm_run 'bowctl checkpoint /mnt'
	[[ $output = *"bitmap"* ]]
	run -0 vm_run 'echo x >/mnt/written && sync && cat /sys/block/dm-0/bow/state'
	[ "$output" = 0 ]
}
