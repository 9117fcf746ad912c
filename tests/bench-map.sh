#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-map.sh - what the block map costs: memory, and time of each operation
#
# Runs tests/bench/map.c, the module's own map and batches, in user space.
# Leaves build/bench/map.md and prints it.  With BENCH_DOC=1 it also replaces
# the table in docs/performance.md.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/bench/doc.sh
. tests/bench/doc.sh

out=build/bench
mkdir -p "$out"
{
	echo '| device, GiB | free ranges | memory, MiB | a range added, ns | begin, ms | lookup, ns | first overwrite, ns | lookup of changed, ns | place, ns | last place, ns |'
	echo '|---|---|---|---|---|---|---|---|---|---|'
	for run in '64 1000' '64 1000000' '1024 1000' '1024 100000' \
			'1024 5000000'; do
		# shellcheck disable=SC2086 # two words
		build/tests/map $run | awk -v run="$run" '{
			split(run, of, " ")
			printf "| %s | %s | %.1f", of[1], of[2], $1 / 1024
			for (i = 2; i <= NF; i++)
				printf " | %s", $i
			print " |"
		}'
	done
} >"$out/map.md"
cat "$out/map.md"
if [ "${BENCH_DOC:-0}" = 1 ]; then
	update_doc map "$out/map.md"
fi
