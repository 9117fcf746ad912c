#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, d0, restore, vm_*: see scenarios.bash
# dm-bow under direct I/O on a raw device of random bytes: what is read, what
# is kept, what a rollback gives, and what happens when the disk fails.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	raw_setup
}

teardown()
{
	common_teardown
}

# busy: the load has made the module do all that it is here for.
busy()
{
	[ "$(status_of moved_sectors)" -gt 0 ] && [ "$(status_of log_blocks)" -gt 2 ]
}

# stress_and_roll_back BLOCK-SIZE SECONDS
#   For so long, and again where a loaded host let it do little.
stress_and_roll_back()
{
	local round

	guest_raw "$1"
	for round in {1..10}; do
		run vm_run "/t/stress /dev/mapper/bow-root $2 $(($1 + round)) 6" \
			$(($2 + 60))
		echo "# $output" >&3
		[ "$status" = 0 ]
		! busy || break
	done
	busy
	roll_back_raw
}

@test "engine: threads of direct I/O read what they wrote; rollback is D0 (bs 4096)" {
	stress_and_roll_back 4096 3
}

@test "engine: threads of direct I/O read what they wrote; rollback is D0 (bs 2048)" {
	stress_and_roll_back 2048 3
}

@test "engine: threads of direct I/O read what they wrote; rollback is D0 (bs 1024)" {
	stress_and_roll_back 1024 3
}

@test "engine: threads of direct I/O read what they wrote; rollback is D0 (bs 512)" {
	stress_and_roll_back 512 3
}

@test "engine: when the pool is empty writes get ENOSPC and the log restores" {
	guest_raw 4096
	run vm_run '/t/stress /dev/mapper/bow-root 60 9 6' 120
	[ "$status" = 1 ]
	[[ $output == *"write, sector "*": No space left on device"* ]]
	run vm_run 'dmsetup status bow-root'
	[[ $output == *" bow checkpoint full "* ]]
	roll_back_raw
}

# Overwrite 6.25 MiB, more than there is room for, from 33 MiB on.
overwrite='dd if=/dev/zero of=/dev/mapper/bow-root bs=64k count=100 seek=528 \
	oflag=direct conv=notrunc'

# In the guest: until the pool is empty and a write waits.
until_waiting='until grep -q waiting /sys/block/dm-1/bow/health; do sleep 0.1; done'

# little_free: only 4 MiB are free.
little_free()
{
	echo '20000 8192' >"$d0.free"
}

@test "engine: on_full:commit ends the checkpoint, and the write is done" {
	little_free
	guest_raw 4096 on_full:commit
	vm_run 'dmsetup table bow-root | grep -q " 2 block_size:4096 on_full:commit$"'
	vm_run "$overwrite"
	run vm_run 'dmsetup status bow-root'
	[[ $output == *" bow committed ok "* ]]
	vm_run 'dmsetup remove bow-root
		dd if=/dev/mapper/low bs=64k skip=528 count=100 |
			cmp -n 6553600 - /dev/zero'
	vm_cut
	run -2 "$restore" --check "$img"
}

@test "engine: on_full:wait waits until the administrator commits" {
	little_free
	guest_raw 4096 on_full:wait:50
	vm_run "($until_waiting; dmsetup status bow-root >/tmp/status
		dmsetup message bow-root 0 commit) & $overwrite"
	run vm_run 'cat /tmp/status; cat /sys/block/dm-1/bow/stalls'
	[[ $output == *" bow checkpoint waiting "* ]]
	[ "${lines[1]}" = 1 ]
	run vm_run 'dmsetup status bow-root'
	[[ $output == *" bow committed ok "* ]]
}

@test "engine: on_full:wait goes on when a discard gives room" {
	little_free
	guest_raw 4096 on_full:wait:50
	# Half of what is free is the filesystem's, then it is not.
	vm_run "dd if=/dev/zero of=/dev/mapper/bow-root bs=512 count=4096 \
			seek=20000 conv=notrunc
		($until_waiting; blkdiscard -o $((20000 * 512)) -l $((4096 * 512)) \
			/dev/mapper/bow-root) &
		dd if=/dev/zero of=/dev/mapper/bow-root bs=64k count=40 \
			seek=528 oflag=direct conv=notrunc"
	[ "$(status_of stalls)" = 1 ]
	run vm_run 'cat /sys/block/dm-1/bow/health'
	[ "$output" = ok ]
	roll_back_raw
}

@test "engine: on_full:wait fails the write after its time; the log restores" {
	little_free
	guest_raw 4096 on_full:wait:2
	run -1 vm_run "$overwrite"
	[[ $output == *"No space left on device"* ]]
	run vm_run 'cat /sys/block/dm-1/bow/health'
	[ "$output" = full ]
	roll_back_raw
}

# A write of 16 blocks waits; each second one more is free, and then 4 s have gone.
@test "engine: on_full:wait is not made longer by blocks that come back" {
	little_free
	guest_raw 4096 on_full:wait:4
	vm_run 'dd if=/dev/zero of=/dev/mapper/bow-root bs=512 count=4096 \
			seek=20000 conv=notrunc'
	run -1 vm_run "events() { dmsetup info -c --noheadings -o events bow-root; }
		before=\$(events)
		for i in 0 1 2 3 4 5 6 7 8 9 10 11; do
			sleep 1
			blkdiscard -o \$((20000 * 512 + i * 4096)) -l 4096 \
				/dev/mapper/bow-root
			echo \$i >/tmp/discards
		done & discards=\$!
		$overwrite
		status=\$?
		cat /tmp/discards
		kill \$discards 2>/dev/null
		# Little is left, writes wait, the wait is over.
		echo \$((\$(events) - before))
		exit \$status"
	echo "$output"
	[[ $output == *"No space left on device"* ]]
	[ "${lines[-2]}" -lt 11 ]
	[ "${lines[-1]}" = 3 ]
	[ "$(status_of stalls)" = 1 ]
	roll_back_raw
}

@test "engine: an event tells when an eighth of the free blocks is left" {
	little_free
	guest_raw 4096
	# 4 MiB free: after 3 MiB none, after 3.75 one.
	vm_run 'w() { dd if=/dev/zero of=/dev/mapper/bow-root bs=64k count=$2 \
			seek=$1 oflag=direct conv=notrunc; }
		events() { dmsetup info -c --noheadings -o events bow-root; }
		before=$(events)
		w 528 48 && [ $(events) = $before ] &&
		w 576 12 && [ $(events) = $((before + 1)) ]'
}

# Where all regions are claimed, a filesystem that fills free blocks needs no batch.
@test "engine: the event comes too when writes that need no backup take the blocks" {
	guest_requests 4096
	in_guest '
		events() { dmsetup info -c --noheadings -o events bow-root; }
		for at in $(seq 20480 2048 49999) $(seq 61440 2048 89999) \
				20000 60000 100000 100352 102400 104448 106496; do
			says ok write $b $at 8 1
		done
		batches=$(cat $s/batches) before=$(events)
		r wait $s/free 20000 >/tmp/free &
		says ok write $b 20008 29992 2
		says ok write $b 60008 20000 2
		[ $(events) = $before ]
		[ ! -s /tmp/free ]
		says ok write $b 80008 9992 2
		[ $(cat $s/free) -lt 8500 ]
		[ $(cat $s/batches) = $batches ]
		soon "[ \$(dmsetup info -c --noheadings -o events bow-root) = \
			$((before + 1)) ]"
		wait
		grep -qx woken /tmp/free'
	roll_back_raw
}

@test "engine: after a resume the event is of what was free at the checkpoint" {
	little_free
	raw_below=/dev/vda
	guest_requests 4096
	in_guest '
		events() { dmsetup info -c --noheadings -o events bow-root; }
		says ok write $b 0 6144 1
		dmsetup remove bow-root
		bowctl resume /dev/vda
		[ $(cat $s/free) -gt 1800 ]
		[ $(events) = 0 ]
		says ok write $b 10000 1200 1
		[ $(cat $s/free) -lt 1000 ]
		soon "[ \$(dmsetup info -c --noheadings -o events bow-root) = 1 ]"'
	roll_back_raw
}

# Without a log on the disk: for one any second table would be refused.
@test "engine: on_full takes no other value" {
	guest_plain
	vm_run 'set -e
		try() {
			dmsetup create other \
				--table "0 $(cat /sys/block/vda/size) bow /dev/vda 1 on_full:$1"
		}
		refusals() {
			dmesg | grep -c "on_full must be error, commit or wait" || true
		}
		for value in error commit wait wait:1 wait:86400; do
			try $value
			case "$(dmsetup table other) $value" in
			*" 1 block_size:4096 error") ;;
			*" 2 block_size:4096 on_full:wait:60 wait") ;;
			*" 2 block_size:4096 on_full:$value $value") ;;
			*) dmsetup table other; exit 1 ;;
			esac
			dmsetup remove other
		done
		[ $(refusals) = 0 ]
		for value in "" none errors commit: wait: wait:0 wait:x wait:1x \
				wait:-1 wait:86401 wait:4294967297; do
			before=$(refusals)
			! try "$value" 2>/dev/null || { echo "taken: $value"; exit 1; }
			[ $(refusals) = $((before + 1)) ] ||
				{ echo "for another reason: $value"; exit 1; }
		done'
}

@test "engine: a commit in the middle of the load keeps every write" {
	guest_raw 4096
	run vm_run '(sleep 2; dmsetup message bow-root 0 commit) &
		/t/stress /dev/mapper/bow-root 4 5 6' 90
	[ "$status" = 0 ]
	run vm_run 'dmsetup status bow-root'
	[[ $output == *" bow committed ok "* ]]
	vm_run 'set -e
		sha256sum </dev/mapper/bow-root >/tmp/live
		dmsetup remove bow-root
		sha256sum </dev/mapper/low | cmp - /tmp/live'
	vm_cut
	run -2 "$restore" --check "$img"
}

@test "engine: 2 -> 0 starts over, by sysfs, and a second checkpoint rolls back" {
	guest_raw 4096
	vm_run '/t/stress /dev/mapper/bow-root 1 5 6' 90
	vm_run 'set -e
		state=$(echo /sys/block/dm-*/bow/state)
		echo 2 >$state
		[ $(cat $state) = 2 ]
		echo 0 >$state
		sync'
	cp "$img" "$d0"
	# Free ranges by discards this time, as FITRIM sends them.
	vm_run 'set -e
		for r in "20000 30000" "60000 30000" "100000 8000"; do
			set -- $r
			blkdiscard -o $(($1 * 512)) -l $(($2 * 512)) \
				/dev/mapper/bow-root
		done
		[ $(cat /sys/block/dm-*/bow/free) = 68000 ]
		echo 1 >/sys/block/dm-1/bow/state
		[ $(cat /sys/block/dm-1/bow/state) = 1 ]'
	vm_run '/t/stress /dev/mapper/bow-root 2 6 6' 90
	roll_back_raw
}

@test "engine: in state 0 a write takes its block out of the free set" {
	guest_raw 4096
	vm_run 'set -e
		dmsetup message bow-root 0 commit
		dmsetup message bow-root 0 restart
		dmsetup message bow-root 0 free 20000 800
		[ $(cat /sys/block/dm-1/bow/free) = 800 ]
		dd if=/dev/zero of=/dev/mapper/bow-root bs=512 seek=20011 \
			count=1 oflag=direct conv=notrunc
		[ $(cat /sys/block/dm-1/bow/free) = 792 ]
		dmsetup message bow-root 0 clear
		[ $(cat /sys/block/dm-1/bow/free) = 0 ]
		dmsetup message bow-root 0 checkpoint && exit 1
		for ranges in "131072 8" 0 "0 8 9" "8 8 +8" "8 8 8+" "8 8 8-8" \
				"8 8 8+131064" "8 8 18446744073709551600+8" \
				"8 8 8+18446744073709551600"; do
			dmsetup message bow-root 0 free $ranges && exit 1
			[ $(cat /sys/block/dm-1/bow/free) = 0 ]
		done
		dmsetup message bow-root 0 free 800 80 8+16 0+8 80 8
		[ $(cat /sys/block/dm-1/bow/free) = 112 ]
		dmsetup message bow-root 0 free 888 16
		[ $(cat /sys/block/dm-1/bow/free) = 112 ]
		# Blocks 0 (never free), 1, 8, 13, 15; from block 64 on 64, 69, 71.
		dmsetup message bow-root 0 clear
		dmsetup message bow-root 0 free_bits 0 03a1
		[ $(cat /sys/block/dm-1/bow/free) = 32 ]
		dmsetup message bow-root 0 free_bits 512 a1
		[ $(cat /sys/block/dm-1/bow/free) = 56 ]
		dmsetup message bow-root 0 free 8 8 64 8 104 8 120 8 512 8 552 8 568 8
		[ $(cat /sys/block/dm-1/bow/free) = 56 ]
		# The last block of the device, and one behind it.
		dmsetup message bow-root 0 free_bits 130560 0000000000000080000000
		[ $(cat /sys/block/dm-1/bow/free) = 64 ]
		for bits in "130560 000000000000000001" "131072 01" "8 01" "256 01" \
				"18446744073709551104 01" "0 010" "0 0x" "0" \
				"0 01 01" "-512 01"; do
			dmsetup message bow-root 0 free_bits $bits && exit 1
			[ $(cat /sys/block/dm-1/bow/free) = 64 ]
		done
		dmsetup message bow-root 0 nonsense && exit 1
		[ $(cat /sys/block/dm-1/bow/state) = 0 ]'
}

@test "engine: suspended and resumed under load it loses nothing" {
	guest_raw 4096
	run vm_run '(i=0
		while [ $i -lt 12 ]; do
			dmsetup suspend bow-root && dmsetup resume bow-root
			dmsetup suspend --noflush --nolockfs bow-root &&
				dmsetup resume bow-root
			i=$((i + 1))
			sleep 0.1
		done
		echo $i >/tmp/rounds) &
		/t/stress /dev/mapper/bow-root 4 8 6; r=$?; wait; exit $r' 120
	[ "$status" = 0 ]
	run vm_run 'cat /tmp/rounds; cat /sys/block/dm-1/bow/state'
	[ "$output" = $'12\n1' ]
	roll_back_raw
}

@test "engine: a suspended device refuses messages, and takes them when resumed" {
	guest_raw 4096
	vm_run 'dmsetup suspend bow-root &&
		! dmsetup message bow-root 0 commit 2>/tmp/why &&
		grep -q busy /tmp/why && dmsetup resume bow-root &&
		[ $(cat /sys/block/dm-1/bow/state) = 1 ] &&
		dmsetup message bow-root 0 commit &&
		[ $(cat /sys/block/dm-1/bow/state) = 2 ]'
}

@test "engine: a new table over an active checkpoint is refused" {
	guest_raw 4096
	vm_run 'table=$(dmsetup table bow-root)
		! echo "$table" | dmsetup load bow-root &&
		dmsetup suspend bow-root && dmsetup resume bow-root &&
		/t/stress /dev/mapper/bow-root 1 5 6'
	run vm_run 'dmesg'
	[[ $output == *"undecided checkpoint"* ]]
}

# Sectors: 32 MiB lie there, around 2^23, 2^32 and 2^33, and at the end of 5 TiB.
large_places="$(((1 << 23) - 32768)) $(((1 << 32) - 32768)) $(((1 << 33) - 32768)) \
	$(((10 << 30) - 65536))"

# large_setup
#   As raw_setup, on 5 TiB: random bytes at the beginning and in each place, of which
#   three quarters may be free.
large_setup()
{
	local at mib

	rm "$img" "$d0"
	truncate -s 5T "$img" 2>/dev/null || skip 'no file may have 5 TiB here'
	for at in 0 $large_places; do
		head -c 32M /dev/urandom |
			dd of="$img" bs=64k seek=$((at / 128)) conv=notrunc status=none
		for mib in 1 5 9 13 17 21 25 29; do
			echo $((at + mib * 2048)) 6144
		done
	done >"$d0.free"
	cp --sparse=always "$img" "$d0"
}

# large_window
#   In the guest: these places, one after the other, as /dev/mapper/window.
large_window()
{
	vm_run "to=0
		for at in 0 $large_places; do
			echo \$to 65536 linear /dev/mapper/bow-root \$at
			to=\$((to + 65536))
		done >/tmp/window
		dmsetup create window --table \"\$(cat /tmp/window)\" && dmsetup mknodes"
}

@test "engine: 5 TiB: what lies around 2^23, 2^32 and 2^33 sectors is kept" {
	local at

	large_setup
	guest_raw 4096
	large_window
	vm_run '/t/stress /dev/mapper/window 3 5 4'
	vm_cut
	# Something was saved in each of the places, and to each of them.
	"$vm_src/build/bow-verify" --list "$img" >"$d0.list"
	for at in $large_places; do
		awk -v from="$at" -v end=$((at + 65536)) '$NF == "backup" {
				saved += $3 >= from && $3 < end
				held += $4 >= from && $4 < end
			}
			END { print from ": " saved " saved there, " held " held"
				exit !saved }' "$d0.list" >&3
	done
	"$restore" -q "$img"
	assert_raw_d0 "$img"
}
