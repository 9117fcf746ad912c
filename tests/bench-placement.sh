#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-placement.sh [MIB] - how many backups the filesystem overwrites
#
# A backup in a place that ext4 allocates later must be moved.  In a guest, on an
# ext4 of MIB (1024) of which 20% and 50% are free, each work is done in a
# checkpoint of its own, and what the module counted is read: unpacking part of the
# kernel's source, replacing the files of many packages as dpkg does, and
# transactions of SQLite.  The filesystem is not new: files from all over
# were deleted.  Leaves build/bench/placement.md and prints it; with BENCH_DOC=1
# it also replaces the table in docs/performance.md.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/bench/doc.sh
. tests/bench/doc.sh
need_packages "$PACKAGES_VM linux-source-6.1 sqlite3 xz-utils"

mib=${1-1024}
out=$vm_src/build/bench
source=$out/source
dir=$(mktemp -d "${TMPDIR:-/dev/shm}/bench-placement.XXXXXX")
trap 'vm_cut; rm -rf "$dir"' EXIT

# What the filesystem is filled with, and what is unpacked: once.
make_source()
{
	[ ! -e "$source.done" ] || return 0
	rm -rf "$source"
	mkdir -p "$source"
	tar -C "$source" --strip-components=1 -xf /usr/src/linux-source-6.1.tar.xz \
		linux-source-6.1/{include,fs,net,kernel,sound,lib,mm}
	touch "$source.done"
}

# make_disk
#   A database and copies of the source, until four fifths are taken: files of less
#   than a block take more than their size.
make_disk()
{
	local tree=$dir/tree room=$((mib * 800)) i=0

	mkdir "$tree"
	sqlite3 "$tree/db" 'create table t (id integer primary key, v text);
		with recursive n(i) as (select 1 union all select i + 1 from n
			where i < 60000)
		insert into t select i, hex(randomblob(200)) from n;'
	while [ "$(du -sk "$tree" | cut -f1)" -lt "$room" ]; do
		i=$((i + 1))
		cp -a "$source/$(part $i)" "$tree/$i"
	done
	truncate -s "${mib}M" "$dir/full"
	mke2fs -q -t ext4 -m 0 -N 131072 -d "$tree" "$dir/full"
	rm -rf "$tree"
}

# part N: a directory of the source, in turn
part()
{
	set -- "$1" fs net kernel include lib mm
	shift $((1 + ($1 - 1) % 6))
	echo "$1"
}

make_initrd()
{
	local tree=$dir/initrd.tree lib

	mkdir -p "$tree/bin" "$tree/bench"
	cp "$(command -v sqlite3)" "$tree/bin/"
	ldd "$(command -v sqlite3)" |
		awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^/") print $i }' |
	while read -r lib; do
		install -D "$lib" "$tree$lib"
	done
	cp tests/bench/{guest,placement-guest}.sh "$tree/bench/"
	cp "$(vm_initrd)" "$dir/initrd"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >>"$dir/initrd"
}

# run_works PERCENT
run_works()
{
	local disk work

	for work in unpack packages database; do
		cp --sparse=always "$dir/full" "$dir/disk"
		mapfile -t disk < <(vm_disk disk0 "$dir/disk"
			vm_disk disk1 "$dir/unpack.tar" readonly=on)
		vm_start "$dir/vm" "$(vm_vmlinuz)" "$dir/initrd" quiet \
			"${disk[@]}"
		vm_reply 120
		vm_run "/bench/placement-guest.sh $work $1" 900 |
			tee -a "$out/placement.txt"
		vm_cut
	done
}

missing=$(vm_requires)
[ -z "$missing" ] || { echo "bench-placement.sh: missing: $missing" >&2; exit 1; }
mkdir -p "$out"
: >"$out/placement.txt"
make_source
tar -C "$source" -cf "$dir/unpack.tar" sound lib
make_disk
make_initrd
for percent in 20 50; do
	run_works "$percent"
done
{
	echo '| work | free at the start / end | copied, MiB | moved, MiB | moved / copied |'
	echo '|---|---|---|---|---|'
	awk '{ printf "| %s | %d%% / %d%% | %.1f | %.2f | %.2f%% |\n", $1, $2, $3,
		$4 / 2048, $5 / 2048, $4 ? 100 * $5 / $4 : 0 }' "$out/placement.txt"
} >"$out/placement.md"
cat "$out/placement.md"
if [ "${BENCH_DOC:-0}" = 1 ]; then
	update_doc placement "$out/placement.md"
fi
