#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2034,SC2154 # img, d0, restore, vm_*: see scenarios.bash
# dm-bow on a disk of which a part fails: what cannot be read or written, and in
# block 0 an activation, a log write or a commit that stops half-way; and one that is
# slow: a discard that meets a write to the same block.

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

# low_has START LENGTH TARGET
#   Print a guest command that makes a range of sectors of the disk that target.
low_has()
{
	local n=131072 end=$(($1 + $2)) map

	map="0 $1 linear /dev/vda 0\n"
	[ "$1" != 0 ] || map=
	map+="$1 $2 $3\n$end $((n - end)) linear /dev/vda $end\n"
	echo "dmsetup suspend --noflush low &&
		printf '$map' | dmsetup load low &&
		dmsetup resume low || exit"
}

# low_fails START LENGTH
low_fails()
{
	low_has "$1" "$2" error
}

low_works=$(low_has 0 8 'linear /dev/vda 0')

# guest_without_checkpoint
#   As guest_raw, in state 0 with other free ranges to be told.
guest_without_checkpoint()
{
	guest_raw 4096
	vm_run 'dmsetup message bow-root 0 commit &&
		dmsetup message bow-root 0 restart && sync'
	cp "$img" "$d0"
	echo '60000 30000' >"$d0.free"
}

# Write the block $1 of the device.
write_block='w() { dd if=/dev/zero of=/dev/mapper/bow-root bs=4096 seek=$1 \
	count=1 oflag=direct conv=notrunc; }'

@test "failures: an original that cannot be read fails its write and no other" {
	guest_raw 4096
	vm_run "$(low_fails 10000 8)
		$write_block"'
		w 1250 && exit 1
		for i in 1 2 3 4 5 6; do
			w 1400$i & w 1250 & w 1500$i &
		done
		wait
		w 1249 && w 1251'
	[ "$(status_of errors)" -gt 0 ]
	vm_run "$low_works"
	roll_back_raw
}

@test "failures: what cannot be copied ahead is left out, and tried once" {
	guest_raw 4096
	# Block 1250 fails.  A write reads one run, its own block and the guess, of which
	# the disk sees what is before and behind that; then its own block alone.
	run vm_run "$(low_fails 10000 8)
		$write_block"'
		reads() { set -- $(cat /sys/block/vda/stat) && echo $1; }
		for i in 1242 1243 1244 1245 1246 1247 1248 1249; do
			before=$(reads)
			w $i 2>/dev/null || exit 1
			echo $(($(reads) - before))
		done
		cat /sys/block/dm-1/bow/batches'
	echo "$output"
	[ "$status" = 0 ]
	most=$(printf '%s\n' "${lines[@]::8}" | sort -n | tail -n 1)
	[ "$most" -ge 2 ]
	[ "$most" -le 3 ]
	[ "${lines[8]}" -lt 8 ]
	[ "$(status_of errors)" = 0 ]
	vm_run "$low_works"
	roll_back_raw
}

# backups
#   Print "SOURCE PLACE BEHIND", in sectors, of each, the oldest first.
backups()
{
	"$vm_src/build/bow-verify" -J --list "$img" | jq -r \
		'select(.kind == "backup") | "\(.source) \(.dest) \(.dest + .size / 512)"' |
		sort -n -k 2
}

# Places are filled upwards: where nothing fails, each backup is behind the last.
@test "failures: a place that cannot be written is passed over" {
	local next

	guest_raw 4096
	vm_run "$write_block; w 100 && w 300"
	run -0 backups
	echo "$output"
	next=${lines[0]##* }
	[ "$output" = "800 $((next - 8)) $next"$'\n'"2400 $next $((next + 8))" ]
	next=$((next + 8))
	vm_run "$(low_fails $next 24)
		$write_block"'
		w 200 && w 201 && w 202 && w 203'
	vm_run "$low_works"
	# The first one that was wanted is behind the three that failed.
	run -0 backups
	echo "$output"
	[ "${lines[2]% *}" = "1600 $((next + 24))" ]
	roll_back_raw
}

@test "failures: a log that cannot be written fails writes; the original stays" {
	guest_raw 4096
	vm_run "$write_block; w 100 && w 101
		$(low_fails 0 8)"'
		w 200 && exit 1
		'"$low_works"'
		w 201 && exit 1
		w 100'
	run vm_run 'dmsetup status bow-root'
	[[ $output == *" bow checkpoint failed "* ]]
	cp "$img" "$img.cut"
	# It may still be committed.
	vm_run 'dmsetup message bow-root 0 commit && dmsetup status bow-root'
	vm_cut
	"$restore" -q "$img.cut"
	assert_raw_d0 "$img.cut"
	run -2 "$restore" --check "$img"
}

@test "failures: a checkpoint that cannot be written leaves the device alone" {
	guest_without_checkpoint
	vm_run "dmsetup message bow-root 0 free 60000 30000
		$(low_fails 87952 16)"'
		dmsetup message bow-root 0 checkpoint && exit 1
		[ $(cat /sys/block/dm-1/bow/state) = 0 ]'
	vm_cut
	# Free blocks may have been written: the map, a copy of block 0.
	assert_raw_d0 "$img"
}

# Print the checksum of the block $1 of the device, as it is read.
sum_block='sum() { dd if=/dev/mapper/bow-root bs=4096 skip=$1 count=1 \
	iflag=direct 2>/dev/null | md5sum; }'

# Sector 0, written first, names a log; what follows it cannot be written, nor given
# back.
@test "failures: an activation that half overwrote block 0: no write is taken, and a restore gives D0" {
	raw_modules=dm_flakey
	guest_without_checkpoint
	vm_run "$write_block
		insmod /t/dm-flakey.ko
		dmsetup message bow-root 0 free 60000 30000
		$(low_has 1 7 'flakey /dev/vda 1 0 1000 1 error_writes')"'
		dmsetup message bow-root 0 checkpoint && exit 1
		[ $(cat /sys/block/dm-1/bow/state) = 0 ] || exit 1
		[ $(cat /sys/block/dm-1/bow/health) = failed ] || exit 1
		'"$low_works"'
		w 0 && exit 1
		w 100 && exit 1
		w 8000 && exit 1
		dmsetup message bow-root 0 checkpoint && exit 1
		dd if=/dev/mapper/bow-root bs=4096 count=20 skip=100 iflag=direct |
			md5sum >/tmp/read
		dd if=/dev/vda bs=4096 count=20 skip=100 iflag=direct |
			md5sum | cmp - /tmp/read'
	vm_cut
	run -1 cmp -n 512 "$img" "$d0"
	"$restore" -q "$img"
	assert_raw_d0 "$img"
}

@test "failures: a log write that was lost: neither block 0 nor anything new is written" {
	guest_raw 4096
	vm_run "$write_block; $sum_block"'
		w 100 && w 0 || exit 1
		before=$(sum 0)
		'"$(low_fails 0 8)"'
		w 200 && exit 1
		'"$low_works"'
		dd if=/dev/urandom of=/dev/mapper/bow-root bs=4096 count=1 \
			oflag=direct conv=notrunc && exit 1
		w 0 && exit 1
		[ "$(sum 0)" = "$before" ] || exit 1
		w 300 && exit 1
		w 100'
	[ "$(status_of errors)" -ge 4 ]
	cp "$img" "$img.cut"
	vm_run 'dmsetup message bow-root 0 commit'
	vm_cut
	"$restore" -q "$img.cut"
	assert_raw_d0 "$img.cut"
	# The write of block 0 from before is committed.
	cmp -n 4096 "$img" /dev/zero
}

# The record, in sector 0, is written; the rest of block 0 is not.
@test "failures: a commit that stops half-way: nothing is logged after it; it can be completed" {
	guest_raw 4096
	vm_run "$write_block"'
		w 100 && w 0 || exit 1
		'"$(low_fails 1 7)"'
		dmsetup message bow-root 0 commit && exit 1
		'"$low_works"'
		[ $(cat /sys/block/dm-1/bow/state) = 1 ] || exit 1
		[ $(cat /sys/block/dm-1/bow/health) = failed ] || exit 1
		w 300 && exit 1
		w 0 && exit 1
		w 100'
	# Now the power might fail: restores complete it, and cannot undo it.
	cp "$img" "$img.cut"
	run -0 "$restore" --check "$img.cut"
	[ "$output" = finishing ]
	run -8 "$restore" -q --rollback "$img.cut"
	cp "$img" "$img.cut"
	"$restore" -q --commit "$img.cut"
	cmp -n 4096 "$img.cut" /dev/zero
	# Or the disk works again.
	vm_run "$write_block"'
		dmsetup message bow-root 0 commit &&
		[ $(cat /sys/block/dm-1/bow/state) = 2 ] &&
		[ $(cat /sys/block/dm-1/bow/health) = ok ] &&
		w 300 && sync'
	vm_cut
	run -2 "$restore" --check "$img"
	cmp -n 4096 "$img" /dev/zero
	cmp -n 4096 -i $((300 * 4096)):0 "$img" /dev/zero
}

# A backup put there at once would be overwritten by that write.
@test "failures: a discarded block is not taken while a write to it is in flight" {
	raw_modules=dm_delay
	guest_raw 4096
	# Sectors 64000 to 64007 are written two seconds late.
	vm_run "$write_block; insmod /t/dm-delay.ko; w 8000 || exit 1
		$(low_has 64000 8 'delay /dev/vda 64000 0 /dev/vda 64000 2000')"'
		(w 8000 && : >/tmp/written) &
		until set -- $(cat /sys/block/dm-1/inflight) && [ $2 -gt 0 ]; do
			sleep 0.1
		done
		[ ! -e /tmp/written ] || exit 1
		blkdiscard -o $((8000 * 4096)) -l 4096 /dev/mapper/bow-root || exit 1
		# The shell is to see it too.
		sleep 0.5
		[ -e /tmp/written ]'
	roll_back_raw
}
