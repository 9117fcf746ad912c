#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-restore.sh [MIB [ROUNDS]] - how fast a rollback is, beside a plain copier
#
# A log of MIB (default 2048) of changes of 4 KiB, scattered over a device of
# three times the size, is rolled back ROUNDS (3) times; so are the same bytes
# copied between the same places by tests/bench/copier.c, in rising order of
# places and of targets.  The page cache is dropped before each.  Prints the
# times, their medians, and the ratios to the faster copier; fails when a target
# is missed: rollback 1.15, validation 1.1, fsyncs 4 and one for 64 MiB.
#
# TMPDIR says where the image is: it must be on a disk, and needs 4 x MIB.

set -eu
cd "$(dirname "$0")/.."

mib=${1-2048}
rounds=${2-3}
restore=$PWD/build/bow-restore
tests=$PWD/build/tests
dir=$(mktemp -d "${TMPDIR:-/var/tmp}/bench-restore.XXXXXX")
trap 'rm -rf "$dir"' EXIT
img=$dir/image

# Only this file's pages: others may be using the machine.
drop_cache()
{
	dd if="$img" of=/dev/null iflag=nocache count=0 status=none
	sync "$img"
	dd if="$img" of=/dev/null iflag=nocache count=0 status=none
}

# timed NAME COMMAND...
#   Adds the milliseconds that the command takes to the file NAME.
timed()
{
	local name=$1 begin end

	shift
	drop_cache
	begin=$(date +%s%N)
	"$@" >/dev/null
	end=$(date +%s%N)
	echo $(((end - begin) / 1000000)) >>"$dir/$name"
}

median()
{
	sort -n "$dir/$1" | sed -n "$(((rounds + 1) / 2))p"
}

# Block 0 holds the log again: all else a rollback leaves as it was.
take_back()
{
	dd if="$dir/block0" of="$img" conv=notrunc status=none
}

# ratio NAME A B LIMIT
#   A / B against LIMIT, all in thousandths.
ratio()
{
	local r=$(($2 * 1000 / ($3 > 0 ? $3 : 1)))

	printf '%-24s %d.%03d  (target %d.%03d)\n' "$1" $((r / 1000)) \
		$((r % 1000)) $(($4 / 1000)) $(($4 % 1000))
	[ "$r" -le "$4" ] || missed=1
}

"$tests/biglog" $((mib * 256)) "$img" "$dir/list"
dd if="$img" of="$dir/block0" bs=4096 count=1 status=none
for ((i = 0; i < rounds; i++)); do
	timed read "$tests/copier" read "$img" "$dir/list"
	timed validation "$restore" -n "$img"
	timed copy-by-place "$tests/copier" place "$img" "$dir/list"
	timed copy-by-target "$tests/copier" target "$img" "$dir/list"
	timed rollback "$restore" "$img"
	take_back
done
"$restore" -q "$img"
"$tests/copier" compare "$img" "$dir/list"
take_back
drop_cache
flushes=$(strace -f -e trace=fsync,fdatasync -o "$dir/trace" "$restore" -q "$img"
	grep -c sync "$dir/trace")

echo "$mib MiB in $((mib * 256)) changes, ms:"
for name in read validation copy-by-place copy-by-target rollback; do
	printf '%-16s median %6d  (%s)\n' "$name" "$(median $name)" \
		"$(paste -sd ' ' "$dir/$name")"
done
copy=$(median copy-by-place)
[ "$(median copy-by-target)" -ge "$copy" ] || copy=$(median copy-by-target)
missed=0
ratio 'rollback / copier' "$(median rollback)" "$copy" 1150
ratio 'validation / reading' "$(median validation)" "$(median read)" 1100
echo "fsyncs $flushes  (at most $((4 + (mib + 63) / 64)))"
[ "$flushes" -le $((4 + (mib + 63) / 64)) ] || missed=1
exit "$missed"
