#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-files.sh [--many] [ROUNDS] - what a checkpoint costs real work on files
#
# In User-Mode Linux, at the processor's own speed: on an ext4 of 2 GiB, half of it
# free, over dm-linear and over dm-bow in a checkpoint, in turn and ROUNDS (5)
# times: unpacking 100,000 small files, and replacing the files of many packages
# as dpkg does.  Then a checkpoint of an ext4 of 64 GiB with a million free
# extents; with --many that alone, beside the works of the run before.  Leaves
# build/bench/files.txt, a line a run, files.json and files.md, which it prints; with
# BENCH_DOC=1 the table goes into docs/performance.md.
#
# The disk is a file in BOW_LAB, /dev/shm/bench-files unless told: 3 GiB.  In
# memory a flush costs nothing; how many there are is counted.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
# shellcheck source=tests/bench/doc.sh
. tests/bench/doc.sh
need_packages "$PACKAGES_BUILD $PACKAGES_TEST $PACKAGES_UML $PACKAGES_FILESYSTEMS"

works=1
if [ "${1-}" = --many ]; then
	works=0
	shift
fi
rounds=${1-5}
files=${BENCH_FILES:-100000}
dir=${BOW_LAB:-/dev/shm/bench-files}
out=$PWD/build/bench
rm -rf "$dir"
mkdir -p "$dir" "$out"
trap 'rm -rf "$dir"' EXIT

# small_files DIRECTORY COUNT
#   Files of 0 to 8 KiB, 100 in a directory; the same every time.
small_files()
{
	mkdir -p "$1"
	perl -e 'my ($top, $n) = @ARGV; srand(7);
		for my $i (0 .. $n - 1) {
			my $d = sprintf("%s/%04d", $top, $i / 100);
			mkdir $d if $i % 100 == 0;
			open(my $f, ">", "$d/$i") or die "$d/$i: $!\n";
			print $f pack("L*", map { int(rand(2 ** 32)) }
				1 .. rand(2048)) or die "$!\n";
			close($f) or die "$!\n";
		}' "$1" "$2"
}

# Half of it is free: large files that nobody touches take the rest.
make_disk()
{
	local tree=$dir/tree

	small_files "$tree/packages" 6000
	head -c 900M /dev/zero | tr '\0' x >"$tree/large"
	truncate -s 2G "$dir/full"
	mke2fs -q -t ext4 -m 0 -N 262144 -d "$tree" "$dir/full"
	rm -rf "$tree"
	small_files "$dir/unpack" "$files"
	tar -C "$dir/unpack" -cf "$dir/unpack.tar" .
	rm -rf "$dir/unpack"
}

# guest WORK TARGET
guest()
{
	echo "exec sh \$TREE/tests/bench/files-guest.sh $1 $2" >"$dir/script"
	uml_run "$dir" 900 ubd0="$dir/disk" || {
		cat "$dir/output" "$dir/console.log" >&2
		return 1
	}
	cat "$dir/output"
}

run_works()
{
	local i work target

	for ((i = 0; i < rounds; i++)); do
		for work in unpack packages; do
			for target in $(shuf -e linear bow); do
				cp --sparse=always "$dir/full" "$dir/disk"
				guest $work "$target" | tee -a "$out/files.txt"
			done
		done
	done
	rm "$dir/full" "$dir/disk" "$dir/unpack.tar"
}

run_many()
{
	truncate -s 64G "$dir/disk"
	mke2fs -q -t ext4 -m 0 -N 65536 -O ^has_journal -E lazy_itable_init=1 "$dir/disk"
	build/tests/fragment "$dir/disk" | tee "$out/files-many.txt"
	for ((i = 0; i < rounds; i++)); do
		guest many bow | tee -a "$out/files-many.txt"
	done
}

uml_lab
if [ "$works" = 1 ]; then
	: >"$out/files.txt"
	make_disk
	run_works
fi
run_many
tests/bench/files-report.sh "$out"
if [ "${BENCH_DOC:-0}" = 1 ]; then
	update_doc files "$out/files.md"
fi
