#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore-faults.bats - bow-restore killed, interrupted, or with failing I/O
#
# strace does the harm, at the k-th system call of a kind, so that every k can
# be tried and none is missed by chance.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	requires strace
}

teardown() {
	common_teardown
}

writes=pwrite64,write,pwritev,writev
reads=pread64,read,preadv,readv
flushes=fsync,fdatasync

# on_image CALLS
#   Print the options that leave out calls on other files, where that can be told.
on_image() {
	case $1 in
	io_*)	;;
	*)	printf '%s\n' -P "$img" ;;
	esac
}

# harmed CALLS HARM COMMAND...
#   Run the command and harm it; sets status.
harmed() {
	local calls=$1 harm=$2 only

	shift 2
	mapfile -t only < <(on_image "$calls")
	# strace ends itself by the signal that ended the command.
	run bash -c '"$@"; exit $?' - strace -o "$dir/trace" "${only[@]}" \
		-e trace="$calls" -e inject="$calls:$harm" "$@"
}

# count_calls CALLS COMMAND...
#   How many of these calls the command makes on the image.
count_calls() {
	local calls=$1 only

	shift
	mapfile -t only < <(on_image "$calls")
	strace -o "$dir/trace" "${only[@]}" -e trace="$calls" "$@" >/dev/null 2>&1
	grep -c '^[a-z]' "$dir/trace"
}

# killed_at_each_write ACTION IMAGE MKLOG-OPTION...
#   Killed after the k-th write, for every k; then once more, completely.
killed_at_each_write() {
	local action=$1 image=$2 total k

	shift 2
	make_log "$@"
	cp "$img" "$dir/fresh"
	total=$(count_calls "$writes" "$restore" "$action" "$img")
	same_as "$image"
	[ "$total" -ge 1 ]
	for ((k = 1; k <= total; k++)); do
		cp "$dir/fresh" "$img"
		harmed "$writes" "signal=KILL:when=$k" "$restore" "$action" "$img"
		[ "$status" -eq 137 ] || { echo "k $k: $status $output"; return 1; }
		run "$restore" "$action" "$img"
		# After the last write there is nothing left to do.
		[ "$status" -eq 0 ] || { [ "$status" -eq 2 ] && [ "$k" -eq "$total" ]; } ||
			{ echo "$made: k $k of $total: $status $output"; return 1; }
		same_as "$image"
	done
}

killed_format() {
	killed_at_each_write --rollback orig.img --format "$1" --bs "$2" \
		--size $((256 * $2)) --ops 60
	killed_at_each_write --commit live.img --format "$1" --bs "$2" \
		--size $((256 * $2)) --ops 60
}

@test "kill -9 after any write: running it again completes, in every format" {
	each_format killed_format
}

# As many writes as are in flight at a time, and more.
large_log() {
	make_log --size 64M --ops 8000 --seed 5
	cp "$img" "$dir/fresh"
}

@test "kill -9 three times with writes in flight, then once to the end" {
	local k total

	large_log
	total=$(count_calls io_submit "$restore" "$img")
	cp "$dir/fresh" "$img"
	[ "$total" -gt 4 ]
	for k in 1 $((total / 2)) $((total - 1)); do
		harmed io_submit "signal=KILL:when=$k" "$restore" "$img"
		[ "$status" -eq 137 ]
		expect_unwritten 0 "$restore" --check "$img"
		[ "$output" = restoring ]
	done
	expect 0 "$restore" "$img"
	same_as orig.img
}

@test "SIGTERM and SIGINT: exit 32 when the writes in flight are done; run again, it completes" {
	local signal calls

	large_log
	for signal in TERM INT; do
		for calls in pwrite64:1 io_submit:2 io_getevents:1; do
			cp "$dir/fresh" "$img"
			# Whoever runs the tests in the background ignores SIGINT.
			harmed "${calls%:*}" "signal=$signal:when=${calls#*:}" \
				env --default-signal="$signal" "$restore" "$img"
			[ "$status" -eq 32 ]
			[[ $output == *"bow-restore: $img: "*again* ]]
			expect_unwritten 0 "$restore" --check "$img"
			[ "$output" = restoring ]
			expect 0 "$restore" "$img"
			same_as orig.img
		done
	done
}

@test "a signal that is ignored from the start, as by nohup, is ignored" {
	local signal

	make_log --size 1M --ops 60
	cp "$img" "$dir/fresh"
	for signal in HUP INT TERM; do
		cp "$dir/fresh" "$img"
		harmed pwrite64 "signal=$signal:when=1" \
			env --ignore-signal="$signal" "$restore" "$img"
		[ "$status" -eq 0 ] || { echo "$signal: $status"; return 1; }
		same_as orig.img
	done
}

@test "a kernel without asynchronous I/O, or tired of it, is asked one write after the other" {
	local harm calls

	large_log
	for calls in io_setup io_submit; do
		for harm in error=ENOSYS error=EAGAIN error=EINVAL; do
			cp "$dir/fresh" "$img"
			harmed "$calls" "$harm" "$restore" "$img"
			[ "$status" -eq 0 ]
			same_as orig.img
		done
	done
	cp "$dir/fresh" "$img"
	harmed io_submit error=EAGAIN:when=3+ "$restore" "$img"
	[ "$status" -eq 0 ]
	same_as orig.img
	cp "$dir/fresh" "$img"
	harmed io_getevents error=EINVAL:when=2 "$restore" "$img"
	[ "$status" -eq 0 ]
	same_as orig.img
}

@test "SIGTERM before the first write: exit 32, nothing written" {
	make_log --size 16M --ops 2000
	before=$(sum "$img")
	harmed "$reads" signal=TERM:when=4 "$restore" "$img"
	[ "$status" -eq 32 ]
	[ "$(sum "$img")" = "$before" ]
}

# failing CALLS ACTION IMAGE
#   EIO at the k-th of these calls: exit 8, and later it can be completed.
failing() {
	local calls=$1 action=$2 image=$3 total k

	cp "$dir/fresh" "$img"
	total=$(count_calls "$calls" "$restore" "$action" "$img")
	[ "$total" -ge 1 ]
	for ((k = 1; k <= total; k++)); do
		cp "$dir/fresh" "$img"
		harmed "$calls" "error=EIO:when=$k" "$restore" "$action" "$img"
		[ "$status" -eq 8 ] || { echo "$calls $k: $status $output"; return 1; }
		[[ $output == *"bow-restore: $img: "?* ]]
		run "$restore" "$action" "$img"
		[ "$status" -eq 0 ] || [ "$status" -eq 2 ]
		same_as "$image"
	done
}

failing_format() {
	make_log --format "$1" --bs "$2" --size $((256 * $2)) --ops 60
	cp "$img" "$dir/fresh"
	failing "$writes" --rollback orig.img
	failing "$writes" --commit live.img
	failing "$flushes" --rollback orig.img
	failing "$flushes" --commit live.img
}

@test "an I/O error in any write or flush: exit 8, and no loss" {
	each_format failing_format
}

@test "a flush that a signal interrupts is made again" {
	make_log
	harmed fsync error=EINTR:when=1+2 "$restore" "$img"
	[ "$status" -eq 0 ]
	same_as orig.img
	grep -q INJECTED "$dir/trace"
}

@test "what is wrong after the first write is no damage: exit 8, and no loss" {
	local total k

	make_log --size 1M --ops 60
	cp "$img" "$dir/fresh"
	total=$(count_calls pread64 "$restore" "$img")
	# The final block 0 is read twice, and compared.
	for k in "$total" $((total - 1)); do
		cp "$dir/fresh" "$img"
		harmed pread64 "poke_exit=@arg2=4141414141:when=$k" "$restore" \
			--record "$dir/record" "$img"
		[ "$status" -eq 8 ]
		[[ $output == *"it is not complete; run it again"* ]]
		[[ $output != *"nothing was written"* ]]
		[ "$(sed -n 's/^status=//p' "$dir/record" | tail -n 1)" = 8 ]
		run -0 "$restore" --check "$img"
		[ "$output" = restoring ]
		run -0 "$restore" "$img"
		same_as orig.img
	done
}

# reads_before_write COMMAND...
#   How many reads of the image precede the first write of it.
reads_before_write() {
	strace -o "$dir/trace" -P "$img" -e trace="$reads,$writes" "$@" \
		>/dev/null 2>&1
	awk '/^p?write/ { exit } /^p?read/ { n++ } END { print n + 0 }' \
		"$dir/trace"
}

@test "an I/O error in any read before the first write: exit 8, nothing written" {
	local before total k

	make_log --size 1M --ops 60
	cp "$img" "$dir/fresh"
	before=$(sum "$img")
	total=$(reads_before_write "$restore" "$img")
	[ "$total" -ge 3 ]
	for ((k = 1; k <= total; k++)); do
		cp "$dir/fresh" "$img"
		harmed "$reads" "error=EIO:when=$k" "$restore" "$img"
		[ "$status" -eq 8 ] || { echo "$k: $status $output"; return 1; }
		[[ $output == *"bow-restore: $img: "?* ]]
		[ "$(sum "$img")" = "$before" ]
	done
}

@test "an I/O error in a read while copying: exit 8, and it can be completed" {
	local total first k

	make_log --size 1M --ops 60
	cp "$img" "$dir/fresh"
	first=$(reads_before_write "$restore" "$img")
	cp "$dir/fresh" "$img"
	total=$(count_calls "$reads" "$restore" "$img")
	[ "$total" -gt "$first" ]
	for ((k = first + 1; k <= total; k++)); do
		cp "$dir/fresh" "$img"
		harmed "$reads" "error=EIO:when=$k" "$restore" "$img"
		[ "$status" -eq 8 ] || { echo "$k: $status $output"; return 1; }
		expect 0 "$restore" "$img"
		same_as orig.img
	done
}

@test "a rollback needs few flushes, however long the log" {
	local flushed

	make_log --size 16M --ops 2000
	flushed=$(count_calls "$flushes" "$restore" "$img")
	same_as orig.img
	[ "$flushed" -le 6 ]
}
