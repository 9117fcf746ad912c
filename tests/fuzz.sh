#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh [--fast] [--cover] [SECONDS [RUNS [TARGET...]]] - libFuzzer on the
# log reader, the planner, restores and resumes; TAP, one line a target
#
# Each target runs for SECONDS (20), or until RUNS executions.  It begins with
# 220 logs that tests/fuzz/seeds.c makes and with what earlier runs found new,
# which is kept in build/fuzz/corpus-TARGET.  An input that breaks something is
# left in build/fuzz/broken-TARGET-*.
#
# --fast   without the address sanitizer, with undefined behaviour trapped:
#          many times the executions
# --cover  tell how many lines of libbow the inputs reach, into
#          build/fuzz/coverage.txt

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh

out=build/fuzz
seeds=220
# Windows so small that small logs need many.
small='-DBOW_IO_BYTES=8192u -DWINDOW_BYTES=24576u -DWINDOW_PIECES=7u
	-DGATHERED=5u -DCHUNK_RUNS=16u -DPIECE_WORDS=2u'
flags="-std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -Ikmod -Ilib -Icommon $small"
watch='-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined'
how=watched cover=0

export ASAN_OPTIONS=quarantine_size_mb=1:malloc_context_size=0

while :; do
	case ${1-} in
	--fast)	how=fast
		watch='-fsanitize=fuzzer,undefined -fsanitize-trap=undefined
			-fno-sanitize-coverage=trace-cmp' ;;
	--cover) cover=1 ;;
	*)	break ;;
	esac
	shift
done
seconds=${1-20}
runs=${2--1}
shift $(($# < 2 ? $# : 2))
targets=${*:-chain plan restore undo resume}

# library NAME FLAG...
#   libbow, once for all targets, into $out/NAME.
library()
{
	local objects=$out/$1 file

	shift
	rm -rf "$objects"
	mkdir -p "$objects"
	for file in lib/*.c kmod/bow_disk.c; do
		# shellcheck disable=SC2086  # words
		clang $flags "$@" -c -o "$objects/$(basename "$file" .c).o" "$file" ||
			return 1
	done
}

# compile TARGET NAME FLAG...
#   Into $out/TARGET-NAME, with the library of that name.
compile()
{
	local target=$1 name=$2
	local sources='tests/fuzz/device.c tests/fuzz/seal.c tests/fuzz/mutate.c'

	[ "$target" = plan ] && sources=
	shift 2
	# shellcheck disable=SC2086  # words
	clang $flags "$@" -o "$out/$target-$name" "tests/fuzz/fuzz_$target.c" \
		$sources "$out/$name"/*.o
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

build()
{
	local target

	build_seeds || return 1
	# shellcheck disable=SC2086  # words
	library "$how" $watch || return 1
	for target in $targets; do
		# shellcheck disable=SC2086  # words
		compile "$target" "$how" $watch || return 1
	done
}

# inputs TARGET
#   libFuzzer's arguments: how long inputs are, and where they are.
inputs()
{
	mkdir -p "$out/corpus-$1"
	if [ "$1" = plan ]; then
		echo "-max_len=60 $out/corpus-$1"
	else
		echo "-max_len=40960 $out/corpus-$1 $out/seeds"
	fi
}

fuzz()
{
	local log="$out/$1-$how.log" begin=$SECONDS status=0 executed

	# shellcheck disable=SC2046  # words
	"$out/$1-$how" -max_total_time="$seconds" -runs="$runs" \
		-print_final_stats=1 -verbosity=0 -timeout=10 \
		-artifact_prefix="$out/broken-$1-" $(inputs "$1") \
		>"$log" 2>&1 || status=$?
	executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	[ "$status" = 0 ] || sed 's/^/# /' "$log"
	say "$status" "fuzz $1: ${executed:-0} executions"
	echo "# record {\"what\": \"fuzz\", \"kind\": \"$1\"," \
		"\"build\": \"$how\", \"executions\": ${executed:-0}," \
		"\"seeds\": $([ "$1" = plan ] && echo 0 || echo $seeds)," \
		"\"seconds\": $((SECONDS - begin))," \
		"\"findings\": $((status != 0))}"
}

# Run all inputs once more, and count the lines that they reach.
coverage()
{
	local target objects=
	local counted='-fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping'

	# shellcheck disable=SC2086  # words
	library cover $counted || return 1
	for target in $targets; do
		# shellcheck disable=SC2086  # words
		compile "$target" cover $counted || return 1
		# shellcheck disable=SC2046  # words
		LLVM_PROFILE_FILE="$out/$target.profraw" "$out/$target-cover" \
			-runs=0 $(inputs "$target") 2>/dev/null || return 1
		objects="${objects:+$objects -object }$out/$target-cover"
	done
	llvm-profdata merge -o "$out/profile" "$out"/*.profraw || return 1
	# shellcheck disable=SC2086  # words
	llvm-cov report $objects -instr-profile="$out/profile" \
		lib/*.c >"$out/coverage.txt" &&
		llvm-cov show $objects -instr-profile="$out/profile" \
			lib/*.c >"$out/coverage-lines.txt"
}

mkdir -p "$out"
build >"$out/build.log" 2>&1
status=$?
[ "$status" = 0 ] || sed 's/^/# /' "$out/build.log"
say "$status" "$seeds seeds and the targets are built"
if [ "$status" = 0 ]; then
	for target in $targets; do
		fuzz "$target"
	done
	if [ $cover = 1 ]; then
		coverage >"$out/build.log" 2>&1
		say $? "coverage of the inputs"
	fi
fi
echo "1..$count"
exit "$failed"
