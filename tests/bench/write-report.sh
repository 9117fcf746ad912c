#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# write-report.sh DIRECTORY NAME - what bench-write.sh's lines say
#
# NAME.txt has a line a run: ROUND CASE TARGET NANOSECONDS READS WRITES FLUSHES
# READ-SECTORS WRITTEN-SECTORS.  Leaves NAME.json, NAME.md and NAME.svg (with
# gnuplot) beside it and prints NAME.md.
#
# A time is told as the median of its ratios to dm-linear in the same round, so
# that what else the machine did counts little.

set -euo pipefail
base=$1/$2

# Lines of CASE TARGET KEY VALUE: medians over the rounds.
# shellcheck disable=SC2016  # awk's own
medians='
function median(list, n,   i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && list[j] < list[j - 1]; j--) {
			t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
		}
	return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
}
NF == 9 {
	run = $2 " " $3
	if (!(run in rounds))
		order[++runs] = run
	n = ++rounds[run]
	round[run, n] = $1
	for (i = 4; i <= 9; i++)
		value[run, i, n] = $i
	if ($3 == "linear") {
		base[$2, $1] = $4
		# The last flush is of the load itself.
		requests[$2] = $5 ? $5 : $6 - 1
	}
}
END {
	split("4 ns 5 reads 6 writes 7 flushes 8 read_sectors 9 written_sectors", k)
	for (r = 1; r <= runs; r++) {
		run = order[r]; split(run, part, " ")
		for (i = 1; i in k; i += 2) {
			for (j = 1; j <= rounds[run]; j++)
				list[j] = value[run, k[i], j]
			print run, k[i + 1], median(list, rounds[run])
		}
		for (j = 1; j <= rounds[run]; j++)
			list[j] = value[run, 4, j] / base[part[1], round[run, j]]
		print run, "ratio", median(list, rounds[run])
		print run, "least", list[1]
		print run, "most", list[rounds[run]]
		print run, "requests", requests[part[1]]
		print run, "rounds", rounds[run]
	}
}'

# The medians as tables.
# shellcheck disable=SC2016  # awk's own
table='
BEGIN {
	split("linear bow snapshot_4k snapshot_64k thin", target, " ")
	title["linear"] = "dm-linear"; title["bow"] = "dm-bow"
	title["snapshot_4k"] = "dm-snapshot, 4 KiB"
	title["snapshot_64k"] = "dm-snapshot, 64 KiB"; title["thin"] = "dm-thin"
}
{
	if (!($1 in seen)) { seen[$1] = 1; order[++cases] = $1 }
	v[$1, $2, $3] = $4
}
function cell(c, t) {
	if (!((c, t, "ratio") in v))
		return ""
	if (v[c, t, "rounds"] == 1)
		return sprintf("%.2f", v[c, t, "ratio"])
	return sprintf("%.2f (%.2f-%.2f)", v[c, t, "ratio"], v[c, t, "least"], \
		v[c, t, "most"])
}
function per(c, t, key) {
	if (!((c, t, key) in v))
		return ""
	return sprintf("%.0f", v[c, t, key] * 1000 / v[c, t, "requests"])
}
function counts(c, t) {
	if (!((c, t, "reads") in v))
		return ""
	return per(c, t, "reads") " / " per(c, t, "writes") " / " per(c, t, "flushes")
}
function mib(c, t) {
	return sprintf("%.2f / %.2f", v[c, t, "read_sectors"] / base(c), \
		v[c, t, "written_sectors"] / base(c))
}
function base(c) {
	return v[c, "linear", "read_sectors"] + v[c, "linear", "written_sectors"]
}
# What no way of keeping the old contents can do without.
function least(c) {
	return c ~ /^first/ ? "1.00 / 2.00" : c ~ /^read/ ? "1.00 / 0.00" : \
		"0.00 / 1.00"
}
function heads(first,   i, line, rule) {
	line = "| " first " |"; rule = "|---|"
	for (i = 1; i in target; i++) {
		line = line " " title[target[i]] " |"; rule = rule "---|"
	}
	print line; print rule
}
END {
	print "Time, dm-linear of the same round being 1" \
		(v[order[1], "bow", "rounds"] == 1 ? ".\n" : ": median (least-most) of " \
		v[order[1], "bow", "rounds"] " rounds.\n")
	heads("case")
	for (i = 1; i <= cases; i++) {
		line = "| " order[i] " |"
		for (j = 1; j in target; j++)
			line = line " " cell(order[i], target[j]) " |"
		print line
	}
	print "\nWhat the disk was asked for a thousand requests: reads / writes / flushes.\n"
	heads("case")
	for (i = 1; i <= cases; i++) {
		line = "| " order[i] " |"
		for (j = 1; j in target; j++)
			line = line " " counts(order[i], target[j]) " |"
		print line
	}
	print "\nBytes read / written by dm-bow for each byte of a request.\n"
	print "| case | dm-bow | the least |\n|---|---|---|"
	for (i = 1; i <= cases; i++)
		print "| " order[i] " | " mib(order[i], "bow") " | " \
			least(order[i]) " |"
}'

awk "$medians" "$base.txt" >"$base.medians"
awk "$table" "$base.medians" >"$base.md"
jq -Rn '[inputs | split(" ") | {key: .[0:3], value: (.[3] | tonumber)}] |
	reduce .[] as $e ({}; setpath($e.key; $e.value))' \
	<"$base.medians" >"$base.json"

# A bar for each target, a group for each case of a first overwrite.
plot()
{
	awk '$3 == "ratio" && $1 ~ /^first/ {
		if (!($1 in seen)) { seen[$1] = 1; order[++n] = $1 }
		v[$1, $2] = $4
	}
	END {
		split("linear bow snapshot_4k snapshot_64k thin", t, " ")
		print "case dm-linear dm-bow dm-snapshot/4k dm-snapshot/64k dm-thin"
		for (i = 1; i <= n; i++) {
			line = order[i]
			for (j = 1; j in t; j++)
				line = line " " ((order[i], t[j]) in v ? \
					v[order[i], t[j]] : 0)
			print line
		}
	}' "$base.medians" >"$base.plot"
	gnuplot <<-PLOT
	set terminal svg size 800,400 noenhanced
	set output "$base.svg"
	set style data histogram
	set style fill solid 0.7
	set ylabel "time, dm-linear = 1"
	set key top left
	plot for [i=2:6] "$base.plot" using i:xtic(1) title columnheader(i)
	PLOT
}

if command -v gnuplot >/dev/null; then
	plot
fi
cat "$base.md"
