#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# soak.sh [--qemu] [SECONDS | --judge] - checkpoints for hours in a kernel that
# watches: nothing grows
#
# In the debug kernel of debug-kernel.sh, one checkpoint after the other under load:
# committed, rolled back, resumed and rolled back, cut off from its disk and
# rolled back.  A rollback must give what was.  Memory and the module's counters are
# written down for each and plotted: build/soak/samples, build/soak/soak.svg, or in
# BOW_LAB, for two at once.  Fails on a report of the kernel, a wrong rollback, or
# memory that is used up.  Without SECONDS, six hours.  --judge looks again at what
# was written down.
#
# --qemu: in the one of "kernels.sh debug", in build/soak-qemu.  Its state is saved every
# ten minutes: when this was stopped, the next call goes on from there.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
# shellcheck source=tests/kernels/soak.sh
. tests/kernels/soak.sh

kernel=uml
[ "${1-}" != --qemu ] || { kernel=qemu; shift; }
seconds=${1-21600}
out=${BOW_LAB:-$PWD/build/soak$([ $kernel = uml ] || echo -qemu)}
log=$out/console.log
# From the second quarter of the checkpoints to the last, slab may grow, and what is
# available shrink, by so many bytes for each checkpoint between, a quarter of a page,
# and by so many kB however long it took: the kernel's own caches.
each=1024 slack=512

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

# mean_growth COLUMN
#   Of the figures, kB: the mean of the last quarter less that of the second.
mean_growth()
{
	awk -v c="$1" '{ v[NR] = $c }
		END {
			q = int(NR / 4)
			for (i = 1; i <= q; i++) {
				old += v[q + i]; new += v[NR - q + i]
			}
			print q ? int((new - old) / q) : "unknown"
		}' "$out/figures"
}

# For docs/reliability.md, see tests/record.sh: the guest's seconds, without the
# building of its kernel.
record()
{
	echo "# record {\"what\": \"soak\", \"kernel\": \"$kernel\"," \
		"\"seconds\": $(awk 'END { print $1 + 0 }' "$out/samples")," \
		"\"checkpoints\": $(wc -l <"$out/samples")," \
		"\"grew\": \"$grew kB\", \"used\": \"$used kB\"," \
		"\"limit\": \"$limit kB\", \"findings\": $1}"
}

# failed WHAT
failed()
{
	echo "soak.sh: $1" >&2
	record 1
	exit 1
}

# run SECONDS
#   Leaves the console.
run()
{
	need_packages "$PACKAGES_BENCH"
	mkdir -p "$out"
	if [ $kernel = qemu ]; then
		soak_qemu "$out" "$1" || reports=1
	else
		rm -f "$log"
		BOW_LAB=$out DEBUG_INIT=tests/vm/soak-init tests/debug-kernel.sh "$1" ||
			reports=1
	fi
	# There was no guest at all.
	[ -e "$log" ] || exit 1
}

judge()
{
	local checkpoints

	samples >"$out/samples"
	[ $reports = 0 ] || failed "the kernel complains"
	if grep -a '^soak: FAILED' "$log" || ! grep -aq '^soak: done' "$log"; then
		failed "it did not come to its end, see $log"
	fi
	figures >"$out/figures"
	[ "$seconds" = --judge ] || plot
	checkpoints=$(wc -l <"$out/figures")
	limit=$((slack + checkpoints * each / 2048))
	grew=$(mean_growth 2)
	[ "$grew" != unknown ] || failed 'too few checkpoints'
	used=$((-$(mean_growth 3)))
	grep -a '^soak: ' "$log" | tail -n 1
	awk '{ n[$3]++ } END { for (w in n) print w ": " n[w] }' "$out/samples"
	echo "Slab grew by $grew kB, $used kB less are available, the limit is $limit kB"
	if [ "$grew" -gt "$limit" ] || [ "$used" -gt "$limit" ]; then
		failed "memory is used up, see $out/soak.svg"
	fi
	record 0
}

reports=0 grew=unknown used=unknown limit=unknown
[ "$seconds" = --judge ] || run "$seconds"
judge
