#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-upgrade.sh [ROUNDS] - a Debian becomes the next one, in a checkpoint
#
# In User-Mode Linux, at the processor's own speed: apt upgrades a Debian 11 to 12,
# 200 packages at least, on an ext4 of 5 GiB of which 20% and 50% are free (or what
# BENCH_FREE says, in rising order), in pieces from all over; over dm-linear and over
# dm-bow in a checkpoint, in turn and ROUNDS (3) times.  Each checkpoint is then rolled
# back, and the disk must be what it was, byte for byte where it was in use.  Leaves
# build/bench/upgrade.jsonl, an object a run, upgrade.json and upgrade.md, which it
# prints; with BENCH_DOC=1 the tables go into docs/performance.md.
#
# The disk is a sparse file in BOW_LAB, /dev/shm/bench-upgrade unless told: 4 GiB of
# memory.  A flush costs nothing there; how many there are is counted.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
# shellcheck source=tests/free-sectors.sh
. tests/free-sectors.sh
# shellcheck source=tests/bench/doc.sh
. tests/bench/doc.sh
need_packages "$PACKAGES_BUILD $PACKAGES_TEST $PACKAGES_UML mmdebstrap"

rounds=${1-3}
dir=${BOW_LAB:-/dev/shm/bench-upgrade}
out=$PWD/build/bench
rm -rf "$dir"
mkdir -p "$dir" "$out"
trap 'rm -rf "$dir"' EXIT

# guest ARGUMENT...
guest()
{
	echo "exec sh \$TREE/tests/bench/upgrade-guest.sh $*" >"$dir/script"
	uml_run "$dir" 3600 mem=512M ubd0="$dir/disk" || {
		tail -n 40 "$dir/console.log" "$dir/apt.log" "$dir/output" >&2
		return 1
	}
}

# All of its inode tables are written now, or the guest would do so meanwhile.
make_disk()
{
	mkdir "$dir/tree"
	tar -C "$dir/tree" --xattrs --xattrs-include='*' --numeric-owner \
		-xf build/upgrade/base.tar
	truncate -s 5G "$dir/full"
	mke2fs -q -t ext4 -m 0 -N 131072 -E lazy_itable_init=0 -d "$dir/tree" \
		"$dir/full"
	rm -rf "$dir/tree"
}

# make_free PERCENT
make_free()
{
	mv "$dir/full" "$dir/disk"
	guest age "$1"
	mv "$dir/disk" "$dir/full"
	free_sectors "$dir/full" >"$dir/free"
}

# upgrade PERCENT TARGET
upgrade()
{
	cp --sparse=always "$dir/full" "$dir/disk"
	guest "$2"
	jq -c ". + {percent: $1}" "$dir/output" | tee -a "$out/upgrade.jsonl"
	jq -e '.upgraded >= 200' "$dir/output" >/dev/null || {
		echo "bench-upgrade.sh: fewer than 200 packages" >&2
		return 1
	}
}

roll_back()
{
	build/bow-restore -q "$dir/disk"
	build/tests/mklog --compare "$dir/full" "$dir/disk" "$dir/free"
	e2fsck -fn "$dir/disk" >"$dir/fsck" 2>&1 || {
		cat "$dir/fsck" >&2
		return 1
	}
}

run_rounds()
{
	local i target

	for ((i = 0; i < rounds; i++)); do
		for target in $(shuf -e linear bow); do
			upgrade "$1" "$target"
			[ "$target" = linear ] || roll_back
		done
	done
}

uml_lab
tests/bench/upgrade-base.sh >"$dir/base.log" 2>&1 || {
	tail -n 40 "$dir/base.log" >&2
	exit 1
}
: >"$out/upgrade.jsonl"
make_disk
for percent in ${BENCH_FREE:-20 50}; do
	make_free "$percent"
	run_rounds "$percent"
done
tests/bench/upgrade-report.sh "$out"
if [ "${BENCH_DOC:-0}" = 1 ]; then
	update_doc upgrade "$out/upgrade.md"
fi
