#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# machines.bats - libbow and bow-restore on other machines, under qemu-user:
# s390x, whose bytes are in the other order, and arm64, whose CRC instructions
# are used
#
# Logs are made by mklog of this machine, and for the fault campaign by that of
# the other one; that the two make the same is seen to as well.

bats_require_minimum_version 1.5.0

# other MACHINE TARGET...
#   Builds for the machine; programs are static, so that no root is needed.
other() {
	local b=build/$1

	make -s -j2 -C "$top" B="$b" CC="$1-linux-gnu-gcc" LDFLAGS=-static \
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
		"build/$1/tests/mklog" \
		"build/$1/tests/test_crc32" "build/$1/tests/test_header"
}

# agrees MACHINE FORMAT BS
#   Check, rollback and commit there of a log that was made here.
agrees() {
	local machine=$1

	make_log --format "$2" --bs "$3" --features stale
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

# completes MACHINE MKLOG-OPTION...
#   A rollback that was interrupted, or begins on a torn block 0.
completes() {
	local machine=$1

	shift
	make_log "$@"
	expect 0 on "$machine" bow-restore --rollback "$img"
	same_as orig.img
}

# same_log MACHINE MKLOG-OPTION...
#   The generator makes the same bytes there: it knows the byte order too.
same_log() {
	local machine=$1

	shift
	make_log "$@"
	on "$machine" mklog "$@" "$dir/there"
	identical "$img" "$dir/there.bow.img"
}

# interrupted MACHINE FORMAT BS
#   What a cut or another tool can leave of a log of this format.
interrupted() {
	local state

	completes "$1" --format "$2" --bs "$3" --state restoring
	completes "$1" --format "$2" --bs "$3" --state restoring-ordered:3
	[ "$3" -gt 512 ] || return 0
	completes "$1" --format "$2" --bs "$3" --state finishing-rollback:1
	make_log --format "$2" --bs "$3" --state finishing-commit:1
	expect 0 on "$1" bow-restore --commit "$img"
	identical "$img" "$log.live.img"
	[ "$2" = 1.1 ] || return 0
	for state in torn-append:1 torn-rollover:1 torn-rollover:2 \
			torn-activation:1; do
		completes "$1" --bs "$3" --state $state --features claims
	done
}

@test "s390x, most significant byte first: every format, and faults" {
	builds s390x
	each_format agrees s390x
	each_format interrupted s390x
	same_log s390x --bs 1024
	same_log s390x --format 1.0
	same_log s390x --format v0
	expect 0 on s390x test_crc32
	expect 0 on s390x test_header
	expect 0 on s390x faults --logs 3 --states 500 --stride 40009
}

@test "arm64: every format, and faults" {
	builds aarch64
	each_format agrees aarch64
	interrupted aarch64 1.1 4096
	expect 0 on aarch64 test_crc32
	expect 0 on aarch64 faults --logs 3 --states 500 --stride 40009
}
