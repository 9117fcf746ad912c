#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh [SECONDS [RUNS]] - libFuzzer on the log reader, the planner and whole
# dry runs; TAP, one line a target
#
# Each target runs for SECONDS (20), or until RUNS executions.  It begins with
# 220 logs that tests/fuzz/seeds.c makes and with what earlier runs found new,
# which is kept in build/fuzz/TARGET.  An input that breaks something is left in
# build/fuzz/broken-TARGET-*.

set -u
cd "$(dirname "$0")/.." || exit 1

seconds=${1-20}
runs=${2--1}
out=build/fuzz
seeds=220
# Windows so small that small logs need many.
small='-DBOW_IO_BYTES=8192u -DWINDOW_BYTES=24576u -DWINDOW_PIECES=7u -DGATHERED=5u'
flags="-std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -Ikmod -Ilib -Icommon $small"
count=0 failed=0

export ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=0

# build TARGET SOURCE...
build()
{
	local target=$1

	shift
	# shellcheck disable=SC2086  # words
	clang $flags -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -o "$out/$target" \
		"tests/fuzz/fuzz_$target.c" "$@" lib/*.c kmod/bow_disk.c
}

build_seeds()
{
	local mklog

	mapfile -t mklog < <(printf '%s\n' tests/mklog/*.c | grep -v mklog/mklog.c)
	# shellcheck disable=SC2086  # words
	cc $flags -o "$out/make-seeds" tests/fuzz/seeds.c tests/faults/logs.c \
		tests/faults/disk.c "${mklog[@]}" lib/*.c kmod/bow_disk.c &&
		rm -rf "$out/seeds" && mkdir -p "$out/seeds" &&
		"$out/make-seeds" "$out/seeds" "$seeds"
}

say()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
	fi
}

# fuzz TARGET LONGEST-INPUT [SEEDS]
fuzz()
{
	local status=0 executed

	mkdir -p "$out/corpus-$1"
	"$out/$1" -max_total_time="$seconds" -runs="$runs" -max_len="$2" \
		-print_final_stats=1 -verbosity=0 -timeout=10 \
		-artifact_prefix="$out/broken-$1-" \
		"$out/corpus-$1" ${3+"$3"} >"$out/$1.log" 2>&1 || status=$?
	executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$1.log")
	[ "$status" = 0 ] || sed 's/^/# /' "$out/$1.log"
	say "$status" "fuzz $1: ${executed:-0} executions"
}

mkdir -p "$out"
build_seeds >"$out/build.log" 2>&1 &&
	build chain tests/fuzz/device.c tests/fuzz/seal.c tests/fuzz/mutate.c \
		>>"$out/build.log" 2>&1 &&
	build restore tests/fuzz/device.c tests/fuzz/seal.c \
		tests/fuzz/mutate.c >>"$out/build.log" 2>&1 &&
	build plan >>"$out/build.log" 2>&1
status=$?
[ "$status" = 0 ] || sed 's/^/# /' "$out/build.log"
say "$status" "$seeds seeds and three targets are built"
if [ "$status" = 0 ]; then
	fuzz chain 20480 "$out/seeds"
	fuzz plan 60
	fuzz restore 20480 "$out/seeds"
fi
echo "1..$count"
exit "$failed"
