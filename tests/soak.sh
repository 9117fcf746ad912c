#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# soak.sh [SECONDS] - checkpoints for hours in a kernel that watches: nothing grows
#
# In the debug kernel of debug-kernel.sh, one checkpoint after the other under load:
# committed, rolled back, resumed and rolled back, cut off from its disk and
# rolled back.  A rollback must give what was.  Memory and the module's counters are
# written down for each and plotted: build/soak/samples, build/soak/soak.svg, or in
# BOW_LAB, for two at once.  Fails on a report of the kernel, a wrong rollback, or
# memory that grows.  Without SECONDS, six hours.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
need_packages "$PACKAGES_BENCH"

seconds=${1-21600}
out=${BOW_LAB:-$PWD/build/soak}
log=$out/console.log
# Slab may be so much larger at the end than in its second quarter, kB.
slack=2048

# The samples: seconds, round, way, block size, slab, available, status.
samples()
{
	tr -d '\r' <"$log" | sed -n 's/^soak: \([0-9].*\)/\1/p'
}

# figures: SECONDS SLAB AVAILABLE HELD ENTRIES ERRORS
figures()
{
	awk '{
		v["held_sectors"] = v["entries"] = v["errors"] = 0
		for (i = 7; i <= NF; i++)
			if (split($i, a, ":") == 2) v[a[1]] = a[2]
		print $1, $5, $6, v["held_sectors"], v["entries"], v["errors"]
	}' "$out/samples"
}

plot()
{
	gnuplot <<-EOF
	set terminal svg size 900,700
	set output "$out/soak.svg"
	set multiplot layout 2,1
	set xlabel "seconds"
	set ylabel "kB"
	set yrange [0:*]
	plot "$out/figures" using 1:2 with lines title "Slab", \
		"" using 1:3 with lines title "MemAvailable"
	set ylabel ""
	plot "$out/figures" using 1:4 with points title "sectors held", \
		"" using 1:5 with points title "entries"
	EOF
}

# Slab, in the mean of the last quarter against that of the second.
growth()
{
	awk '{ slab[NR] = $2 }
		END {
			q = int(NR / 4)
			for (i = 1; i <= q; i++) {
				old += slab[q + i]; new += slab[NR - q + i]
			}
			print q ? int((new - old) / q) : "unknown"
		}' "$out/figures"
}

# For docs/reliability.md, see tests/record.sh: the guest's seconds, without the
# building of its kernel.
record()
{
	echo "# record {\"what\": \"soak\"," \
		"\"seconds\": $(awk 'END { print $1 + 0 }' "$out/samples")," \
		"\"checkpoints\": $(wc -l <"$out/samples")," \
		"\"grew\": \"$grew kB\", \"findings\": $1}"
}

# failed WHAT
failed()
{
	echo "soak.sh: $1" >&2
	record 1
	exit 1
}

mkdir -p "$out"
rm -f "$log"
reports=0
BOW_LAB=$out DEBUG_INIT=tests/vm/soak-init tests/debug-kernel.sh "$seconds" || reports=1
# There was no guest at all.
[ -e "$log" ] || exit 1
samples >"$out/samples"
grew=unknown
[ $reports = 0 ] || failed "the kernel complains"
if grep -a '^soak: FAILED' "$log" || ! grep -aq '^soak: done' "$log"; then
	failed "it did not come to its end, see $log"
fi
figures >"$out/figures"
plot
grew=$(growth)
grep -a '^soak: ' "$log" | tail -n 1
awk '{ n[$3]++ } END { for (w in n) print w ": " n[w] }' "$out/samples"
echo "Slab grew by $grew kB"
if [ "$grew" = unknown ] || [ "$grew" -gt $slack ]; then
	failed "memory grows, see $out/soak.svg"
fi
record 0
