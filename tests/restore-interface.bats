#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# restore-interface.bats - bow-restore's options, messages and progress

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# ---- the program ----

@test "bow-restore is a static program for the initramfs, stripped, under 64 KiB" {
	requires native
	[ "$(stat -c %s "$restore")" -lt 65536 ]
	run -0 readelf -lS "$restore"
	[[ $output != *INTERP* ]]
	[[ $output != *.symtab* ]]
}

# ---- arguments ----

@test "wrong arguments: exit 16 and the usage on stderr" {
	local arguments

	make_log
	expect_unwritten 16 "$restore"
	expect_unwritten 16 "$restore" "$img" "$img"
	for arguments in --nonsense -z --rollback=yes '--rollback --commit' \
			'--check --commit' '--check --rollback' '-C' '-C x' \
			'-C -1' '-C 99999999999' '-C 1x'; do
		# shellcheck disable=SC2086  # words
		expect_unwritten 16 "$restore" $arguments "$img"
	done
	run --separate-stderr "$restore" --nonsense "$img"
	[ -z "$output" ]
	[[ $stderr == *sage:* ]]
}

@test "wrong arguments: the option is named" {
	local pair

	make_log
	for pair in '--nonsense --nonsense' '-z -z' '-nzv -z' '-nvz -z' \
			'--record --record' '--rollback=yes --rollback=yes'; do
		run --separate-stderr -16 "$restore" "${pair% *}"
		[[ $stderr == "bow-restore: ${pair#* }: no such option, or "* ]] ||
			{ echo "$pair: $stderr"; return 1; }
	done
	run --separate-stderr -16 "$restore" -C
	[[ $stderr == "bow-restore: -C: no such option, or its argument is missing"* ]]
}

@test "a -- ends the options" {
	cd "$dir"
	make_log
	cp "$img" ./-n
	expect 0 "$restore" --check -- -n
	[ "$output" = active ]
}

@test "--help: exit 0, and the same options as the man page" {
	local word

	expect 0 "$restore" --help
	[ "$(man_options bow-restore.8)" = "$(option_names <<<"$output")" ]
	for word in rollback commit check dry-run; do
		[[ $output == *"--$word"* ]]
	done
	expect 0 "$restore" -h
}

@test "--version: exit 0 and a version" {
	expect 0 "$restore" --version
	[[ $output =~ ^bow-restore\ [0-9]+\.[0-9]+ ]]
	expect 0 "$restore" -V
}

# full STATUS ARGUMENT...
#   With a standard output that is full, which is told of.
full() {
	local want=$1

	shift
	run --separate-stderr bash -c '"$@" >/dev/full' - "$restore" "$@"
	if [ "$status" -ne "$want" ] || [ "$stderr" != \
			"bow-restore: standard output: No space left on device" ]; then
		echo "$*: exit $status: $stderr"
		return 1
	fi
}

@test "a result that cannot be written is not a success, and told of" {
	make_log
	full 8 --check "$img"
	full 8 --check -J "$img"
	full 8 -n "$img"
	full 8 -n -J "$img"
	full 8 --commit -n "$img"
	full 8 --help
	full 8 --version
	# What was done was done.
	full 0 "$img"
	same_as orig.img
	full 8 -n "$img"
	full 2 "$img"
}

# ---- messages ----

@test "a rollback says what it put back, -q nothing at all" {
	make_log
	cp "$img" "$dir/again"
	run --separate-stderr -0 "$restore" "$img"
	[[ $output =~ [0-9] ]]
	[ -z "$stderr" ]
	cp "$dir/again" "$img"
	run --separate-stderr -0 "$restore" -q "$img"
	[ -z "$output$stderr" ]
	same_as orig.img
}

@test "errors are told with -q too" {
	make_log --damage backup
	run --separate-stderr -4 "$restore" -q "$img"
	[ -z "$output" ]
	[[ $stderr == "bow-restore: $img: log block "*", entry "*": "?* ]]
}

@test "check -v: version, block size, checkpoint id and time, entries" {
	make_log --seed 9
	expect 0 "$restore" --check -v "$img"
	[[ $output == *1.1* ]]
	[[ $output == *4096* ]]
	# Created is 1700000000 plus the seed.
	[[ $output == *2023-11-14* || $output == *1700000009* ]]
	expect 0 "$restore" --check -v -J "$img"
	[[ $output == *"$(xxd -p -s 48 -l 16 "$img")"* ]]
}

# json STATUS ARGUMENT...: the output is one JSON object
json() {
	local want=$1

	shift
	run --separate-stderr "$restore" -J "$@" "$img"
	[ "$status" -eq "$want" ] || { echo "$status: $output $stderr"; return 1; }
	one_object
}

@test "-J: every result is one JSON object" {
	requires jq
	make_log --format 1.0
	json 0 --check
	json 0 -v --check
	json 0 -n
	json 0 --rollback
	json 2 --rollback
	json 2 --check
	make_log --damage backup
	json 4 --rollback
	make_log --state finishing-commit:0
	json 0 --check
	json 0 --commit
}

@test "-J --check: the state is a member" {
	local state

	requires jq
	make_log
	run -0 "$restore" -J --check "$img"
	[ "$(jq -r .state <<<"$output")" = active ]
	for state in restoring finishing-rollback:0; do
		make_log --state "$state"
		run -0 "$restore" -J --check "$img"
		[ "$(jq -r .state <<<"$output")" = "${state%%-*}" ]
	done
}

# continued WANT STATUS OPTION...
continued() {
	json "$2" "${@:3}" -n
	[ "$(jq .continued <<<"$output")" = "$1" ] || { echo "$*: $output"; return 1; }
}

@test "-J: continued is what had begun before, in another run, and nothing else" {
	local option

	requires jq
	for option in --rollback --commit; do
		make_log
		continued false 0 "$option"
		make_log --state "finishing-${option#--}:0"
		continued true 0 "$option"
	done
	make_log --state restoring
	continued true 0
	run -0 "$restore" "$img"
	[[ $output == *"rolled back (continued): "* ]]
	for option in --rollback --commit; do
		continued false 2 "$option"
	done
	make_log
	run -0 "$restore" "$img"
	[[ $output == *"rolled back: "* ]]
}

# stateless STATUS PROGRAM OPTION...
stateless() {
	run --separate-stderr -"$1" "${@:2}" -J "$img"
	jq -e '.exit == '"$1"' and .error.message and (has("state") | not)' \
		<<<"$output" >/dev/null || { echo "$*: $output"; return 1; }
}

@test "-J: there is no state where block 0 was not read, or is not understood" {
	local command

	requires jq strace
	for command in "$restore --check" "$restore" "$restore --commit -n" "$verify"; do
		make_log
		# shellcheck disable=SC2086  # words
		stateless 8 strace -qq -o "$dir/trace" -P "$img" -e trace=pread64 \
			-e inject=pread64:error=EIO $command
		make_log --damage version
		# shellcheck disable=SC2086  # words
		stateless 4 $command
	done
}

# not_opened DEVICE REASON OPTION...
#   The object has the members of one that tells of a damaged block 0.
not_opened() {
	local why="cannot open: $2" action

	run --separate-stderr -8 "$restore" -J "${@:3}" "$1"
	[ "$stderr" = "bow-restore: $1: $why" ]
	one_object
	[ "$(jq -r '.device, .exit, .error.message' <<<"$output")" = "$1"$'\n8\n'"$why" ]
	action=$(jq .action <<<"$output")
	json_names <<<"$output" >"$dir/names"
	run --separate-stderr -4 "$restore" -J "${@:3}" "$img"
	[ "$(jq .action <<<"$output")" = "$action" ]
	# But for the place in the log, and what is wrong there.
	jq 'del(.error.log_block, .error.value)' <<<"$output" | json_names |
		diff - "$dir/names"
}

@test "-J: that a device cannot be opened is told as other errors are" {
	local mode

	requires jq
	make_log --features raw --damage version
	for mode in --rollback --commit --check '--rollback -n' '--commit --force'; do
		# shellcheck disable=SC2086  # words
		not_opened "$dir/none" 'No such file or directory' $mode
		# shellcheck disable=SC2086  # words
		not_opened /dev/null 'neither a block device nor a regular file' $mode
	done
	cp "$img" "$dir/held"
	exec 8<"$dir/held"
	flock -x 8
	not_opened "$dir/held" 'in use: mounted, or held by another program or driver'
	exec 8<&-
	for mode in --check --rollback; do
		run -8 "$restore" "$mode" -q "$dir/none"
		[ "$output" = "bow-restore: $dir/none: cannot open: No such file or directory" ]
	done
}

# has_names UUID LABEL
#   Both are told, as text and as JSON; an empty LABEL is not.
has_names()
{
	run -0 "$restore" --check -J "$img"
	[ "$(jq -r .superblock_uuid <<<"$output")" = "$1" ]
	[ "$(jq -r '.superblock_label // ""' <<<"$output")" = "$2" ]
	run -0 "$restore" --check -v "$img"
	[[ $output == *"superblock UUID: $1"* ]]
	[ "$(sed -n 's/^superblock label: //p' <<<"$output")" = "$2" ]
}

@test "check: the names in a superblock that a cut has left with a wrong checksum" {
	local uuid=01234567-89ab-cdef-0123-456789abcdef state label

	requires jq
	. "$top/tests/free-sectors.sh"
	truncate -s 32M "$dir/fs"
	mke2fs -q -t ext4 -b 4096 -U "$uuid" -L 'sm\o "r' "$dir/fs"
	free_sectors "$dir/fs" >"$dir/fs.free"
	for state in active torn-activation:5 finishing-rollback:5 finishing-commit:5; do
		make_log --fs "$dir/fs" --free "$dir/fs.free" --size 32M \
			--state "$state" --ops 40
		has_names "$uuid" 'sm\o "r'
	done
	# What is not UTF-8, or controls a terminal, is no label; 16 bytes are all.
	for label in '\xff\xfe' 'a\xc3' '\xc1\x81' '\xed\xa0\x80' '\xf4\x90\x80\x80' \
			'a\nb' '\xc2\x9b' '123456789012345\xc3'; do
		put_label "$label"
		has_names "$uuid" ''
	done
	for label in 'gr\xc3\xb6\xc3\x9fe' '\xf0\x9f\x90\x8f' 1234567890123456; do
		put_label "$label"
		has_names "$uuid" "$(printf %b "$label")"
	done
}

# put_label TEXT
#   Over that of the superblock in block 0; a printf format.
put_label()
{
	dd if=/dev/zero of="$img" bs=1 seek=$((1024 + 0x78)) count=16 \
		conv=notrunc status=none
	# shellcheck disable=SC2059  # bytes by their numbers
	printf "$1" | dd of="$img" bs=1 seek=$((1024 + 0x78)) conv=notrunc \
		status=none
}

@test "check: without a superblock there are no names" {
	requires jq
	make_log --features raw
	run -0 "$restore" -J --check "$img"
	[[ $output != *superblock* ]]
	run -0 "$restore" -v --check "$img"
	[[ $output != *superblock* ]]
}

# ---- progress ----

@test "-C FD: lines as e2fsck's: phase, done, total, device; never backwards" {
	make_log --size 16M --ops 2000
	"$restore" -C 3 "$img" 3>"$dir/progress" >/dev/null
	same_as orig.img
	[ "$(wc -l <"$dir/progress")" -ge 3 ]
	awk -v device="$img" '
		NF != 4 || $0 !~ /^[0-9]+ [0-9]+ [0-9]+ / { print "odd: " $0; bad = 1 }
		$4 != device { print "device: " $0; bad = 1 }
		$1 < phase || ($1 == phase && $2 < done) { print "back: " $0; bad = 1 }
		$2 > $3 { print "beyond: " $0; bad = 1 }
		{ phase = $1; done = $2; total = $3 }
		END { if (done != total) { print "ends at " done; bad = 1 }; exit bad }
	' "$dir/progress"
}

@test "-C 0 draws a bar, without a terminal too" {
	make_log --size 16M --ops 2000
	run -0 "$restore" -C 0 "$img"
	[[ $output == *100*%* ]]
	same_as orig.img
}

@test "a progress descriptor that is closed does not stop a rollback" {
	local fd

	# The device's own would be one of the first.
	for fd in 3 4 5 77; do
		make_log --size 16M --ops 2000
		run -0 bash -c '"$@" 3>&- 4>&- 5>&-' - "$restore" -C "$fd" "$img"
		[[ $output == *"bow-restore: -C $fd: not open"* ]]
		same_as orig.img
	done
	make_log --size 16M --ops 2000
	bash -c '"$@" 3> >(true)' - "$restore" -C 3 "$img"
	same_as orig.img
}

@test "nothing is written to the device for want of stdin, stdout or stderr" {
	make_log --size 16M --ops 2000
	"$restore" -C 0 "$img" 2>&-
	same_as orig.img
	make_log
	"$restore" -v "$img" <&- >&- 2>&-
	same_as orig.img
	make_log --damage sector0-zero
	cp "$img" "$dir/damaged"
	run -4 bash -c '"$@" <&- >&- 2>&-' - "$restore" "$img"
	cmp "$img" "$dir/damaged"
}

@test "without /dev/null in place of stdin nothing is begun, and this is said" {
	local program

	requires strace
	make_log
	cp "$img" "$dir/before"
	for program in "$restore" "$verify"; do
		run bash -c '"$@"; exit $?' - strace -o "$dir/trace" -P /dev/null \
			-e trace=open,openat -e inject=open,openat:error=ENOENT \
			sh -c 'exec "$@" <&-' - "$program" "$img"
		[ "$status" -eq 8 ]
		[ "$output" = "${program##*/}: /dev/null: cannot open: No such file or directory" ]
	done
	cmp "$img" "$dir/before"
}

@test "who reads the progress may hang" {
	make_log --size 16M --ops 20000 --bs 512
	mkfifo "$dir/fifo"
	sleep 60 <>"$dir/fifo" &
	holders+=($!)
	timeout 30 "$restore" -C 3 "$img" 3<>"$dir/fifo"
	same_as orig.img
}

# ---- block devices ----

@test "what the kernel has of the device in memory may be old" {
	requires root
	make_log
	cp "$img" "$dir/newest"
	truncate -s 0 "$img"
	truncate -s "$(stat -c %s "$dir/newest")" "$img"
	attach "$img"
	# Somebody has read it, and has it open, when it is written past him.
	exec 9<"$loop"
	cat <&9 >/dev/null
	dd if="$dir/newest" of="$img" bs=64k conv=notrunc,fsync status=none
	run -0 "$restore" --check "$loop"
	[ "$output" = active ]
	run -0 "$verify" "$loop"
	"$restore" -q "$loop"
	exec 9<&-
	sync "$img"
	same_as orig.img
}

@test "a device that is read-only is said to be" {
	requires root
	make_log
	cp "$img" "$dir/before"
	loop=$(losetup --show -r -f "$img")
	loops+=("$loop")
	run -8 "$restore" "$loop"
	[ "$output" = "bow-restore: $loop: cannot open: it is read-only" ]
	cmp "$img" "$dir/before"
	run -0 "$restore" --check "$loop"
	run -0 "$restore" -n "$loop"
}

@test "a device that is put where a file was, while it is opened, is not written" {
	requires root strace
	make_log
	cp "$img" "$dir/before"
	attach "$img"
	: >"$dir/file"
	ln -s file "$dir/device"
	# stat() takes seconds to return.
	strace -D -o /dev/null -P "$dir/device" -e trace=%%stat \
		-e inject=%%stat:delay_exit=4000000 "$restore" \
		"$dir/device" 2>"$dir/err" &
	sleep 2
	ln -sfn "$loop" "$dir/device"
	status=0
	wait $! || status=$?
	[ "$status" -eq 8 ]
	grep -q 'device: cannot open: something else was put there meanwhile' "$dir/err"
	cmp "$img" "$dir/before"
}

# frames: what the bar on stderr showed, a line each
frames()
{
	tr '\r' '\n' <"$dir/bar" | grep '%'
}

@test "the bar tells the rate and the time left, and never runs backwards" {
	requires strace
	make_log --size 16M --ops 2000
	# Every request takes 20 ms.
	strace -qq -o /dev/null -e trace=pread64,pwrite64 \
		-e inject=pread64,pwrite64:delay_enter=20000 \
		"$restore" -C 0 "$img" 2>"$dir/bar" >"$dir/out"
	same_as orig.img
	frames >"$dir/frames"
	[ "$(wc -l <"$dir/frames")" -ge 10 ]
	grep -Eq '[0-9.]+ [KM]?i?B/s, [0-9]+ (s|min) left' "$dir/frames"
	awk '{ match($0, /[0-9]+%/); p = substr($0, RSTART, RLENGTH) + 0
		if (p < last) { print "back: " $0; exit 1 }; last = p }
		END { if (last != 100) { print "ends at " last; exit 1 } }' \
		"$dir/frames"
	# One line before it, one after it.
	[ "$(tr '\r' '\n' <"$dir/bar" | grep -c 'rolling back to the checkpoint of 2023-11-14 .* of backups')" = 1 ]
	[ "$(wc -l <"$dir/out")" = 1 ]
}

# ---- the record ----

# record KEY: its last value
record()
{
	sed -n "s/^$1=//p" "$dir/record" | tail -n 1
}

@test "--record appends what was done, when, from which checkpoint, how much" {
	local before

	make_log --seed 9
	id=$(xxd -p -s 48 -l 16 "$img")
	before=$(date +%s)
	echo first=line >"$dir/record"
	run -0 "$restore" -J --record "$dir/record" "$img"
	same_as orig.img
	[ "$(record first)" = line ]
	[ "$(record action)/$(record status)" = rollback/0 ]
	[ "$(record checkpoint)" = "$id" ]
	[ "$(record created)" = 1700000009 ]
	[ "$(record time)" -ge "$before" ]
	[ "$(record time)" -le "$(date +%s)" ]
	[ "$(record bytes)" = "$(jq .bytes <<<"$output")" ]
	[ "$(record runs)" = "$(jq .runs <<<"$output")" ]
	[ "$(record milliseconds)" = "$(jq .milliseconds <<<"$output")" ]
	[ -z "$(record error)" ]
}

@test "--record tells of a failure too, and of a commit" {
	make_log --damage backup
	expect_unwritten 4 "$restore" --record "$dir/record" "$img"
	[ "$(record action)/$(record status)" = rollback/4 ]
	[[ $(record error) == "log block "*", entry "* ]]
	make_log
	expect 0 "$restore" --commit --record "$dir/record" "$img"
	[ "$(record action)/$(record status)" = commit/0 ]
}

@test "--record: nothing of a dry run or a check" {
	make_log
	expect_unwritten 0 "$restore" -n --record "$dir/record" "$img"
	expect_unwritten 0 "$restore" --commit -n --record "$dir/record" "$img"
	expect_unwritten 0 "$restore" --check --record "$dir/record" "$img"
	expect 8 "$restore" -n --record "$dir/record" "$dir/none"
	expect 8 "$restore" --check --record "$dir/record" "$dir/none"
	[ ! -e "$dir/record" ]
}

@test "--record tells of a device that cannot be opened" {
	make_log
	exec 8<"$img"
	flock -x 8
	expect_unwritten 8 "$restore" --record "$dir/record" "$img"
	exec 8<&-
	[ "$(record action)/$(record status)" = rollback/8 ]
	[ "$(record time)" -gt 1700000000 ]
	[ "$(record error)" = "cannot open: in use: mounted, or held by another program or driver" ]
	expect 8 "$restore" --commit --record "$dir/record" "$dir/none"
	[ "$(record action)/$(record status)" = commit/8 ]
	[ "$(record error)" = "cannot open: No such file or directory" ]
}

@test "a record that cannot be written does not undo a success, but is told" {
	make_log
	run --separate-stderr -0 "$restore" --record "$dir/none/record" "$img"
	[[ $stderr == *"$dir/none/record: not recorded: "* ]]
	same_as orig.img
}

# ---- what to do next ----

@test "an error says what it left, and what to do" {
	requires strace
	make_log --damage backup
	run --separate-stderr -4 "$restore" "$img"
	[[ $stderr == *"nothing was written; bow-verify tells more"* ]]
	make_log --size 16M --ops 2000
	run --separate-stderr strace -qq -o /dev/null \
		-e inject=pwrite64:error=EIO:when=4+ "$restore" "$img"
	[ "$status" -eq 8 ]
	[[ $stderr == *"writing at sector "*"it is not complete; run it again"* ]]
	expect 0 "$restore" "$img"
	same_as orig.img
}

@test "-J --check: the places, the free map and the claims are members" {
	requires jq
	make_log --features map
	run -0 "$restore" -J --check "$img"
	[ "$(jq .free_map <<<"$output")" -gt 0 ]
	[ "$(jq .free_map_blocks <<<"$output")" -gt 0 ]
	[ "$(jq .claims <<<"$output")" -gt 0 ]
	[ "$(jq .claim_shift <<<"$output")" -gt 0 ]
	[ "$(jq .live_sector <<<"$output")" = "$(jq .sector0 <<<"$output")" ]
	[ "$(jq .rollback_asked <<<"$output")" = false ]
	jq -e 'has("rollback_reason") | not' <<<"$output"
	make_log --features calm
	run -0 "$restore" -J --check "$img"
	jq -e 'has("free_map") | not' <<<"$output"
}
