#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# files-report.sh DIRECTORY - what bench-files.sh's lines say
#
# Of DIRECTORY/files.txt and files-many.txt it makes files.json, the medians over
# the rounds, and files.md, the tables, which it prints.

set -euo pipefail
in=$1

jq -n --rawfile runs "$in/files.txt" --rawfile many "$in/files-many.txt" '
def median: sort | .[(length / 2 | floor)];
def lines: split("\n") | map(select(. != "") | split(" "));
def numbers: .[2:] | map(tonumber);
($runs | lines | group_by(.[0]) | map({
	key: .[0][0],
	value: ((group_by(.[1]) | map({
		key: .[0][1],
		value: (map(numbers) | transpose | map(median) | {
			ms: .[0], reads: .[1], writes: .[2], flushes: .[3],
			read_sectors: .[4], written_sectors: .[5],
			copied_sectors: .[6] })
	}) | from_entries)
	+ { rounds: (length / 2), ratio: (
		[map(select(.[1] == "bow")), map(select(.[1] == "linear"))] |
		transpose | map((.[0][2] | tonumber) / (.[1][2] | tonumber)) |
		{ median: median, least: min, most: max }) })
}) | from_entries) as $works |
($many | lines) as $m |
{
	works: $works,
	many: {
		extents: ($m[0][1] | tonumber),
		began_ms: ($m | map(select(.[0] == "began") | .[1] | tonumber) | median),
		frozen_ms: ($m | map(select(.[0] == "began") | .[3] | tonumber / 1000) | median),
		committed_ms: ($m | map(select(.[0] == "committed") | .[1] | tonumber) | median),
		status_ms: ($m | map(select(.[0] == "status") | .[1] | tonumber) | median)
	}
}' >"$in/files.json"

jq -r '
def round2: . * 100 | round / 100;
"| work | time, dm-linear being 1: median (least-most) | dm-linear, s | dm-bow, s | copied, MiB | requests, dm-linear: reads / writes / flushes | dm-bow |",
"|---|---|---|---|---|---|---|",
(.works | to_entries[] | .value as $v | "| \(.key) | \($v.ratio.median | round2) (\($v.ratio.least | round2)-\($v.ratio.most | round2)) | \($v.linear.ms / 1000) | \($v.bow.ms / 1000) | \($v.bow.copied_sectors / 2048 | round2) | \($v.linear.reads) / \($v.linear.writes) / \($v.linear.flushes) | \($v.bow.reads) / \($v.bow.writes) / \($v.bow.flushes) |"),
"",
"| ext4 of 64 GiB, \(.many.extents) free extents | ms |",
"|---|---|",
"| `bowctl checkpoint`, start to exit | \(.many.began_ms) |",
"| of it, the filesystem is frozen | \(.many.frozen_ms | round2) |",
"| the message `commit`, dmsetup started for it | \(.many.committed_ms) |",
"| the message that costs nothing, for comparison | \(.many.status_ms) |"
' "$in/files.json" | tee "$in/files.md"
