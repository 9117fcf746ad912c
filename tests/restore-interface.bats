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
	run readelf -lS "$restore"
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

@test "a result that cannot be written is not a success" {
	make_log
	run bash -c '"$1" --check "$2" >/dev/full' - "$restore" "$img"
	[ "$status" -eq 8 ]
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
	jq -e 'type == "object"' <<<"$output"
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

# ---- progress ----

@test "-C FD: lines of phase, done and total, which never go backwards" {
	make_log --size 16M --ops 2000
	"$restore" -C 3 "$img" 3>"$dir/progress" >/dev/null
	same_as orig.img
	[ "$(wc -l <"$dir/progress")" -ge 3 ]
	awk '
		NF != 3 || $0 !~ /^[0-9]+ [0-9]+ [0-9]+$/ { print "odd: " $0; bad = 1 }
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
	make_log
	run "$restore" -C 77 "$img"
	[ "$status" -eq 0 ] || [ "$status" -eq 16 ]
	[ "$status" -eq 16 ] || same_as orig.img
	make_log --size 16M --ops 2000
	bash -c '"$@" 3> >(true)' - "$restore" -C 3 "$img"
	same_as orig.img
}
