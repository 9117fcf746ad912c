#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# upgrade-report.sh DIRECTORY - what bench-upgrade.sh's runs say
#
# Of DIRECTORY/upgrade.jsonl it makes upgrade.json, the medians over the rounds, and
# upgrade.md, the tables, which it prints.  The batches that only claim regions are
# taken to be a log write each, with the flushes of one.

set -euo pipefail
in=$1

jq -s '
def median: sort | .[(length / 2 | floor)];
def medians: . as $runs | .[0] | with_entries(.key as $k |
	select(.value | type == "number") |
	.value = ($runs | map(.[$k]) | median));
# The status line of dm-bow: KEY:NUMBER, after words of which one is what is free.
def counters: (.status | split(" ")) as $words |
	($words | map(select(test("^[a-z_]+:[0-9]+$")) | split(":") |
		{ key: .[0], value: (.[1] | tonumber) }) | from_entries) +
	{ left_sectors: ($words[6] | tonumber) };
def flat: if .target == "bow" then . + (counters | del(.id, .flushes)) else . end;
map(flat) | group_by(.percent) | map(
	(map(select(.target == "linear"))) as $linear |
	(map(select(.target == "bow"))) as $bow | {
	percent: .[0].percent, rounds: ($bow | length),
	linear: ($linear | medians), bow: ($bow | medians),
	ratio: ([$bow, $linear] | transpose | map(.[0].ms / .[1].ms) |
		{ median: median, least: min, most: max }),
	least_upgraded: (map(.upgraded) | min)
})' "$in/upgrade.jsonl" >"$in/upgrade.json"

jq -r '
def round2: . * 100 | round / 100;
def seconds: . / 100 | round / 10;
def share(of): 10000 * . / of | round / 100 | "\(.)%";
# Of one round there is no spread.
def spread: "\(.ratio.median | round2)" + if .rounds == 1 then "" else
	" (\(.ratio.least | round2)-\(.ratio.most | round2))" end;
"| free at the start / end | packages upgraded / new | rounds | time, dm-linear being 1: median (least-most) | dm-linear, s | dm-bow, s | requests, dm-linear: reads / writes / flushes | dm-bow |",
"|---|---|---|---|---|---|---|---|",
(.[] | "| \(.bow.free_before)% / \(.bow.free_after)% | \(.least_upgraded) / \(.bow.installed) | \(.rounds) | \(spread) | \(.linear.ms | seconds) | \(.bow.ms | seconds) | \(.linear.reads) / \(.linear.writes) / \(.linear.flushes) | \(.bow.reads) / \(.bow.writes) / \(.bow.flushes) |"),
"",
"| free at the start / end | copied, MiB | moved, MiB | moved / copied | left for backups, MiB | batches | log writes | claims | batches that only claim | their flushes, in % of those of dm-linear | flushes in all, dm-linear being 1 |",
"|---|---|---|---|---|---|---|---|---|---|---|",
(.[] | .bow as $b | .linear as $l |
	(($b.flushes - $l.flushes) / $b.log_writes) as $each |
	"| \($b.free_before)% / \($b.free_after)% | \($b.copied_sectors / 2048 | round2) | \($b.moved_sectors / 2048 | round2) | \(if $b.copied_sectors > 0 then $b.moved_sectors | share($b.copied_sectors) else "-" end) | \($b.left_sectors / 2048 | round2) | \($b.batches) | \($b.log_writes) | \($b.claims) | \($b.claim_batches) | \($b.claim_batches * $each | share($l.flushes)) | \($b.flushes / $l.flushes | round2) |")
' "$in/upgrade.json" | tee "$in/upgrade.md"
