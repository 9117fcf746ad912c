#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2034,SC2154 # raw_*; img, d0, restore, vm_*: see scenarios.bash
# dm-bow under kinds of requests that filesystems and tools send rarely, under
# changes of tables and states, and what its counters say of them.

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

# part FILE N
part()
{
	dd if="$1" bs=512 skip=$(($2 * 43008)) count=43008 status=none
}

@test "requests: NOWAIT is done where a backup is needed, and where none is" {
	guest_requests 4096
	in_guest '
		says ok write $b 800 8 1 nowait
		says ok write $b 0 8 1 nowait
		says "1 ok" read $b 0 1 nowait
		says ok write $b 20000 8 1 nowait
		[ $(cat $s/copies) = 1 ]
		says ok write $b 800 8 3 nowait
		says ok write $b 20008 8 3 nowait
		says "3 ok" read $b 800 8 nowait
		says "3 ok" read $b 20008 8 nowait
		[ $(cat $s/copies) = 1 ]
		state commit
		says ok write $b 808 8 4 nowait
		says "4 ok" read $b 808 8 nowait'
	vm_cut
}

@test "requests: FUA, and a flush without data, cost what they cost below" {
	raw_below=/dev/vda
	guest_requests 4096
	in_guest '
		says ok write $b 800 8 1
		says ok write $b 20000 8 1
		n=$(flushes)
		for i in 1 2 3 4; do
			says ok write $b 800 8 $i
			says ok write $b 20000 8 $i
		done
		[ $(flushes) = $n ]
		says ok write /dev/vda 20000 8 1 dsync
		per=$(($(flushes) - n))
		[ $per -gt 0 ]
		for i in 1 2 3 4; do
			says ok write $b 800 8 $i dsync
			says ok write $b 20000 8 $i dsync
			says ok write $b 0 8 $i dsync
		done
		[ $(flushes) = $((n + 13 * per)) ]
		says ok sync $b
		[ $(flushes) = $((n + 13 * per + 1)) ]
		# A first overwrite: the log, and then what the write asks for.
		says ok write $b 1600 8 7 dsync
		[ $(flushes) = $((n + 14 * per + 1 + 2)) ]
		says "7 ok" read $b 1600 8'
	roll_back_raw
}

@test "requests: zeroes larger than a batch, onto blocks half of which are backed up" {
	guest_requests 4096
	in_guest '
		says ok stripes $b 2000 600 16 5
		[ $(cat $s/copies) = 600 ]
		says ok zero $b 2003 9577
		[ $(cat $s/copied_sectors) = $((600 * 16 - 8)) ]
		dd if=$b bs=512 skip=2003 count=9577 2>/dev/null |
			cmp -n $((9577 * 512)) - /dev/zero' 120
	roll_back_raw
}

@test "requests: a write larger than a batch is backed up and read back" {
	guest_requests 512
	in_guest '
		says ok write $b 1001 5001 9
		# The parts go on where the last ended: what is left of the last batch
		# is copied ahead.
		[ $(cat $s/copied_sectors) = 5120 ]
		says "9 ok" read $b 1001 5001
		# Onto free blocks, the log, and the live copy of block 0.
		says ok write $b 90000 40000 9
		says "9 ok" read $b 90000 40000
		[ $(cat $s/moved_sectors) -gt 0 ]'
	roll_back_raw
}

@test "requests: discards of any alignment keep what must be kept; the others go down" {
	guest_requests 4096
	in_guest '
		n=$(discards)
		dd if=$b bs=512 skip=801 count=9001 2>/dev/null >/tmp/before
		says ok discard $b 801 9001
		dd if=$b bs=512 skip=801 count=9001 2>/dev/null | cmp - /tmp/before
		says ok discard $b 0 1
		says ok write $b 20000 80 1
		free=$(cat $s/free)
		# Nine whole blocks, and parts of two.
		says ok discard $b 20001 78
		[ $(cat $s/free) = $((free + 64)) ]
		[ $(discards) = $n ]
		[ $(cat $s/copies) = 0 ]
		state commit
		says ok discard $b 801 9001
		[ $(discards) -gt $n ]
		n=$(discards)
		state restart
		says ok discard $b 20001 78
		[ $(discards) -gt $n ]
		[ $(cat $s/free) = 64 ]'
	vm_cut
}

@test "requests: secure erase is refused, and so is a zoned disk" {
	raw_modules=null_blk
	guest_requests 4096
	in_guest '
		dd if=$b bs=512 skip=800 count=16 2>/dev/null >/tmp/before
		says EOPNOTSUPP erase $b 800 16
		dd if=$b bs=512 skip=800 count=16 2>/dev/null | cmp - /tmp/before
		load null_blk "nr_devices=1 gb=1 zoned=1 zone_size=4"
		[ $(cat /sys/block/nullb0/queue/zoned) != none ]
		fails dmsetup create zoned --table "0 $(cat /sys/block/nullb0/size) bow /dev/nullb0"
		dmesg | grep -q "bow: Zoned devices are not supported"'
	vm_cut
}

@test "requests: an ioctl is passed on to the device below" {
	raw_modules=loop
	guest_requests 4096
	in_guest '
		load loop
		truncate -s 8M /tmp/file
		losetup /dev/loop0 /tmp/file
		dmsetup create over --table "0 16384 bow /dev/loop0"
		dmsetup mknodes
		says "/tmp/file ok" loop /dev/mapper/over
		# Not when the target is only a part of it.
		dmsetup remove over
		dmsetup create over --table "0 8192 bow /dev/loop0"
		dmsetup mknodes
		says "/tmp/file ok" loop /dev/mapper/over'
	vm_cut
}

# For 3 s, and again where a loaded host let it move but a few times.
@test "requests: reads of sector 0 that race its move are never old" {
	local moves=0 round said

	guest_requests 4096
	for round in {1..10}; do
		run in_guest 'r race $b /dev/mapper/low 3000; cp /tmp/trace /tmp/race' 90
		said=$output
		run -0 vm_run 'grep read /tmp/race'
		printf '# %s\n' "moves: $said" "${lines[@]}" >&3
		[[ $said == *" ok" ]]
		moves=$((moves + ${said% *}))
		[ "$moves" -le 20 ] || break
	done
	[ "$moves" -gt 20 ]
	roll_back_raw
}

@test "requests: free and health can be polled" {
	echo '20000 8192' >"$d0.free"
	guest_requests 4096
	in_guest '
		r wait $s/free 30000 >/tmp/free &
		r wait $s/health 3000 >/tmp/health &
		sleep 1
		says ok write $b 33000 480 1
		sleep 0.3
		[ ! -s /tmp/free ]
		says ok write $b 40000 7000 1
		wait
		grep -qx woken /tmp/free
		r wait $s/free 30000 >/tmp/free &
		r wait $s/health 30000 >/tmp/health &
		sleep 1
		says ENOSPC write $b 50000 4000 1
		wait
		grep -qx woken /tmp/free
		grep -qx woken /tmp/health
		[ $(cat $s/health) = full ]
		# Nothing more to tell.
		says ENOSPC write $b 50000 4000 1
		says "not woken" wait $s/health 500'
	roll_back_raw
}

@test "requests: whoever polls free or health is woken by a suspend, which ends both files" {
	guest_requests 4096
	in_guest '
		r wait $s/free 50000 >/tmp/free &
		r wait $s/health 50000 >/tmp/health &
		sleep 1
		dmsetup suspend --nolockfs bow-root
		dmsetup resume bow-root
		sleep 5
		grep -qx woken /tmp/free
		grep -qx woken /tmp/health'
	roll_back_raw
}

@test "requests: the counters say what the disk was asked for" {
	raw_below=/dev/vda
	guest_requests 4096
	in_guest '
		is() { [ $(cat $s/$1) = $2 ]; }
		# Kept: two copies of block 0, the place of the next log block;
		# the free map has one block, which is in use from now on.
		is held_sectors 24
		is free $((68000 - 32))
		is entries 1
		is log_writes 1
		f=$(flushes) own=$(cat $s/flushes) sectors=$(stat 7)
		says ok stripes $b 2000 10 80 5
		is copies 10
		is copied_sectors 80
		is batches 10
		is claim_batches 0
		is log_writes 11
		is entries 11
		is held_sectors $((24 + 80))
		is free $((68000 - 32 - 80))
		is moved_sectors 0
		[ $(($(cat $s/flushes) - own)) = 10 ]
		# This disk has no FUA: it is flushed once more after each.
		[ $(($(flushes) - f)) = 20 ]
		# Ten times: a backup, the log, the write.
		[ $(($(stat 7) - sectors)) = 240 ]
		# A claim, of a region that was free.
		says ok write $b 20000 8 5
		is claims 1
		is batches 11
		is claim_batches 1
		is entries 12
		is copies 10
		is free $((68000 - 32 - 80 - 8))
		# Onto the first backup: it moves, and the block is in use now.
		says ok write $b 105984 8 5
		is copies 11
		is moved_sectors 8
		is copied_sectors 88
		is held_sectors $((24 + 80))
		is free $((68000 - 32 - 80 - 16))
		is errors 0
		is stalls 0
		for key in $(dmsetup status bow-root | tr " " "\n" |
				sed -n "s/^\([a-z_]*\):.*/\1/p"); do
			case $key in id | created | log_blocks) continue ;; esac
			is $key $(dmsetup status bow-root | tr " " "\n" |
				sed -n "s/^$key://p")
		done
		! dmsetup status bow-root | grep -q "held_sectors:0"'
	roll_back_raw
}

@test "requests: writes that wait for space do not hold up a suspend without flush" {
	echo '20000 8192' >"$d0.free"
	guest_requests 4096 on_full:wait:300
	in_guest '
		r write $b 33000 9000 1 >/tmp/said &
		until [ $(cat $s/health) = waiting ]; do sleep 0.1; done
		timeout 20 dmsetup suspend --noflush --nolockfs bow-root
		dmsetup info bow-root | grep -q SUSPENDED
		[ ! -s /tmp/said ]
		dmsetup resume bow-root
		until [ $(cat $s/health) = waiting ]; do sleep 0.1; done
		[ ! -s /tmp/said ]
		state commit
		wait
		grep -qx ok /tmp/said
		says "1 ok" read $b 33000 9000'
	vm_cut
}

@test "requests: a suspend that a signal ends lets writes wait on for a resume" {
	guest_requests 4096
	in_guest '
		says ok write $b 800 8 1
		dmsetup remove bow-root
		dmsetup create bow-root --table "0 $(cat /sys/block/vda/size) \
			bow /dev/mapper/low 2 block_size:4096 resume"
		dmsetup mknodes
		r write $b 900 8 2 >/tmp/write &
		# What is in flight holds the suspend up.
		dmsetup suspend --noflush low
		r read $b 4096 8 >/tmp/read &
		soon "[ \$(cat /sys/block/dm-1/inflight | tr -s \" \" -) = -1-1 ]"
		dmsetup suspend --noflush --nolockfs bow-root &
		suspend=$!
		soon "grep -q dm_wait_for /proc/$suspend/stack"
		kill -TERM $suspend
		fails wait $suspend
		dmsetup info bow-root | grep -q ACTIVE
		dmsetup resume low
		soon "[ -s /tmp/read ]"
		[ ! -s /tmp/write ]
		# Nobody will resume it now.
		dmsetup wipe_table bow-root
		soon "[ -s /tmp/write ]"
		grep -qx EIO /tmp/write'
	roll_back_raw
}

@test "requests: removed by force under load it leaves a log that gives D0" {
	guest_requests 4096
	in_guest '
		/t/stress $b 60 3 6 >/tmp/said 2>&1 &
		sleep 2
		fails dmsetup remove bow-root
		dmsetup remove --force bow-root || true
		fails wait $!
		grep -q "Input/output error" /tmp/said
		dmsetup remove bow-root 2>/dev/null || true
		! dmsetup status bow-root 2>/dev/null | grep -q " bow "' 90
	roll_back_raw
}

@test "requests: no checkpoint beside another table, and no other table in one" {
	guest_requests 4096
	run in_guest '
		# load_table [OPTION]
		load_table() {
			echo "0 $(cat /sys/block/vda/size) bow /dev/mapper/low $# $*" |
				dmsetup load bow-root
		}
		told() { dmesg | tail -n 5 | grep -q "$1"; }
		# In a checkpoint only a table that takes it up is one.
		fails load_table
		told "undecided checkpoint"
		load_table resume
		# Committed, it cannot be taken up: the device waits for another table.
		state commit
		fails dmsetup resume bow-root
		told "no checkpoint to resume"
		r write $b 100 8 5 >/tmp/waited & pid=$!
		sleep 1
		[ ! -s /tmp/waited ]
		load_table
		dmsetup resume bow-root
		wait $pid
		grep ok /tmp/waited
		# No checkpoint while a table is loaded that has seen no log.
		load_table
		state "free 62000 60000"
		fails state checkpoint
		told "another table is loaded"
		[ $(cat $s/state) = 0 ]
		says ok write $b 200 8 5
		dmsetup clear bow-root
		state checkpoint
		[ $(cat $s/state) = 1 ]
		says ok write $b 300 8 5
		# Nor can a second device go on with the log of one that is live.
		dmsetup create second --table \
			"0 $(cat /sys/block/vda/size) bow /dev/mapper/low 1 resume"
		dmsetup message second 0 free 62000 8
		dmsetup message second 0 held 62000 8
		dmsetup message second 0 resume 2>&1 | grep "resource busy"
		dmsetup remove second
		says ok write $b 400 8 5'
	echo "$output"
	[ "$status" = 0 ]
}

# "low" is another device of the same sectors, which the kernel does not know.
@test "requests: no checkpoint of a disk that has got a log by another way" {
	guest_requests 4096
	in_guest '
		state commit
		state restart
		dmsetup create other --table "0 $(cat /sys/block/vda/size) bow /dev/vda"
		state "free 60000 30000"
		state checkpoint
		dmsetup message other 0 free 60000 30000
		fails dmsetup message other 0 checkpoint
		dmsetup status other | grep -q " bow trim ok "
		dmsetup remove other
		says ok write $b 800 8 1'
	roll_back_raw
}

@test "requests: three devices over one disk, each with its load and its rollback" {
	echo '20000 12000' >"$BATS_TEST_TMPDIR/part.free"
	guest_plain
	vm_run 'set -e
		for i in 0 1 2; do
			dmsetup create low$i --table "0 43008 linear /dev/vda $((i * 43008))"
			dmsetup mknodes
			dmsetup create bow$i --table "0 43008 bow /dev/mapper/low$i"
			dmsetup mknodes
			dmsetup message bow$i 0 free 20000 12000
			dmsetup message bow$i 0 checkpoint
			/t/stress /dev/mapper/bow$i 3 $i 3 >/tmp/said$i 2>&1 &
		done
		wait
		cat /tmp/said*
		for i in 0 1 2; do
			case $(cat /tmp/said$i) in
			*"wrong contents"*) false ;;
			*"No space left"*) ;;
			*stress:* | "") false ;;
			esac
			dmsetup status bow$i | grep -vq "copies:0 "
		done' 90
	vm_cut
	for i in 0 1 2; do
		part "$img" $i >"$img.$i"
		part "$d0" $i >"$d0.$i"
		"$restore" -q "$img.$i"
		"$vm_src/build/tests/mklog" --compare "$d0.$i" "$img.$i" \
			"$BATS_TEST_TMPDIR/part.free"
	done
}

# The first 40000 sectors are "part": a script that prints their sum, having changed
# them after that.
change_part='dd if=/dev/mapper/part bs=1M 2>/dev/null | sha256sum >/tmp/sum
	/t/stress /dev/mapper/part 2 5 6 >/tmp/said 2>&1
	cat /tmp/sum'

part_sum()
{
	head -c $((40000 * 512)) "$img" | sha256sum
}

# part_rolls_back SUM
#   The power is cut: there is something to undo, and that gives this sum.
part_rolls_back()
{
	vm_cut
	[ "$(part_sum)" != "$1" ]
	"$restore" -q "$img"
	[ "$(part_sum)" = "$1" ]
}

@test "requests: commits, restarts and tables that race each other under load lose no write" {
	guest_requests 4096
	run in_guest '
		dmsetup create part --table "0 40000 linear $b 0"
		dmsetup mknodes
		again() { [ ! -e /tmp/enough ]; }
		# What is refused to one of them is the doing of another.
		set +ex
		while again; do
			state commit && echo && sleep 0.1
		done >/tmp/commits 2>/dev/null &
		while again; do
			state restart
			# What is discarded is free too, but too little by itself.
			state clear && state "free 62000 60000" &&
				state checkpoint && echo
		done >/tmp/checkpoints 2>/dev/null &
		while again; do
			# Not resumed: a checkpoint may have begun since it was loaded.
			dmsetup table bow-root | dmsetup load bow-root
			dmsetup clear bow-root
			dmsetup suspend bow-root && dmsetup resume bow-root && echo
			# A suspended device takes no message.
			sleep 0.5
		done >/tmp/resumed 2>/dev/null &
		few() { [ $(wc -l </tmp/$1) -lt 5 ]; }
		seed=0
		while few commits || few checkpoints || few resumed; do
			seed=$((seed + 1))
			/t/stress /dev/mapper/part 3 $seed 4 >/tmp/said 2>&1 ||
				{ cat /tmp/said; exit 1; }
		done
		touch /tmp/enough
		wait
		set -ex
		wc -l /tmp/commits /tmp/checkpoints /tmp/resumed
		sound
		[ $(cat $s/state) != 1 ] || state commit
		[ $(cat $s/state) != 2 ] || state restart
		state clear
		state "free 62000 60000"
		state checkpoint
		'"$change_part" 120
	echo "$output"
	[ "$status" = 0 ]
	printf '# %s\n' "${lines[@]}" >&3
	part_rolls_back "${lines[-1]}"
}

@test "requests: states that change in turn under load lose no write" {
	guest_requests 4096
	run in_guest '
		dmsetup create part --table "0 40000 linear $b 0"
		dmsetup mknodes
		state commit
		/t/stress /dev/mapper/part 8 4 6 >/tmp/said 2>&1 &
		n=0
		while kill -0 $! 2>/dev/null; do
			state restart
			state clear
			state "free 62000 60000"
			state checkpoint
			sleep 0.2
			[ $(cat $s/state) = 1 ]
			state commit
			n=$((n + 1))
		done
		wait $! || { cat /tmp/said; false; }
		[ $n -ge 2 ]
		state restart
		state "free 62000 60000"
		state checkpoint
		'"$change_part" 120
	echo "$output"
	[ "$status" = 0 ]
	part_rolls_back "${lines[-1]}"
}
