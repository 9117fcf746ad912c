#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# machines.bats - libbow and bow-restore on other machines, under qemu-user:
# s390x, whose bytes are in the other order, and arm64, whose CRC instructions
# are used
#
# Logs are made by mklog of this machine, and for the fault campaign by that of
# the other one.

bats_require_minimum_version 1.5.0

formats=('v0 4096' '1.0 512' '1.0 1024' '1.0 2048' '1.0 4096'
	'1.1 512' '1.1 1024' '1.1 2048' '1.1 4096')

# other MACHINE TARGET...
#   Builds for the machine; programs are static, so that no root is needed.
other() {
	local b=build/$1

	make -s -C "$top" B="$b" CC="$1-linux-gnu-gcc" LDFLAGS=-static \
		"${@:2}"
}

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# on MACHINE PROGRAM [ARGUMENT...]
on() {
	local program=$top/build/$1/tests/$2

	"qemu-$1" "$program" "${@:3}"
}

# builds MACHINE
builds() {
	requires "$1-linux-gnu-gcc" "qemu-$1"
	other "$1" "build/$1/tests/bow-restore" "build/$1/tests/faults" \
		"build/$1/tests/test_crc32" "build/$1/tests/test_header"
}

# agrees MACHINE MKLOG-OPTION...
#   Check, rollback and commit there of a log that was made here.
agrees() {
	local machine=$1

	shift
	make_log "$@"
	cp "$img" "$dir/fresh"
	"$restore" --check -v "$img" >"$dir/here"
	on "$machine" bow-restore --check -v "$img" >"$dir/there"
	# Every field of the header; only the age is another by then.
	diff <(grep -v ago "$dir/here") <(grep -v ago "$dir/there")
	expect 0 on "$machine" bow-restore --rollback "$img"
	same_as orig.img
	cp "$dir/fresh" "$img"
	expect 0 on "$machine" bow-restore --commit "$img"
	identical "$img" "$log.live.img"
}

# finishes MACHINE MKLOG-OPTION...
#   A rollback that is under way is completed there.
finishes() {
	local machine=$1

	shift
	make_log "$@"
	expect 0 on "$machine" bow-restore --rollback "$img"
	same_as orig.img
}

machine() {
	local pair

	builds "$1"
	for pair in "${formats[@]}"; do
		# shellcheck disable=SC2086  # two words
		set -- "$1" $pair
		agrees "$1" --format "$2" --bs "$3"
		finishes "$1" --format "$2" --bs "$3" --state restoring
		finishes "$1" --format "$2" --bs "$3" \
			--state restoring-ordered:3
		[ "$3" -eq 512 ] || finishes "$1" --format "$2" --bs "$3" \
			--state finishing-rollback:1
		[ "$2" != 1.1 ] || [ "$3" -eq 512 ] || finishes "$1" \
			--bs "$3" --state torn-append:1 --features claims
	done
	expect 0 on "$1" test_crc32
	expect 0 on "$1" test_header
	expect 0 on "$1" faults --states 3000 --stride 4001
}

@test "s390x, most significant byte first: every format, and faults" {
	machine s390x
}

@test "arm64: every format, and faults" {
	machine aarch64
}
