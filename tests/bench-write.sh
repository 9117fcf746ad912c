#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-write.sh [--model|--slow] [ROUNDS] - what writing over dm-bow costs, beside other targets
#
# In one guest (QEMU), on one virtio disk, writeback, every case runs over
# dm-linear, dm-bow, dm-snapshot and dm-thin in turn, ROUNDS (5) times.  Leaves
# in build/bench: write.txt, a line a run; write.json, the medians; write.svg;
# write.md, the tables, which it prints.  With BENCH_DOC=1 they also replace
# those in docs/performance.md.
#
# The disk is a file in TMPDIR, /dev/shm unless told: 1.9 GiB.
#
# --model: no disk, but one that null_blk makes in the guest's memory, where
# every request takes 100 us, and a guest whose clock counts instructions, one a
# nanosecond.  What else the machine does changes nothing: one round is enough.
# It leaves model.txt, model.json and so on.
#
# --slow: the virtio disk, held back to 50 MiB and 2000 requests a second as a card
# or an old disk is; first overwrites only, 3 rounds.  It leaves slow.txt ...

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/bench/doc.sh
. tests/bench/doc.sh
need_packages "$PACKAGES_VM $PACKAGES_BENCH"

name='write'
model=()
held_back=
rounds=5
if [ "${1-}" = --model ]; then
	name=model
	model=(-smp 1 -m 3072 -icount 'shift=0,sleep=off')
	vm_accel=tcg,thread=single
	rounds=1
	shift
elif [ "${1-}" = --slow ]; then
	name=slow
	held_back=,throttling.bps-total=$((50 << 20)),throttling.iops-total=2000
	rounds=3
	shift
fi
rounds=${1-$rounds}
out=$vm_src/build/bench
dir=$(mktemp -d "${TMPDIR:-/dev/shm}/bench-write.XXXXXX")
trap 'vm_cut; rm -rf "$dir"' EXIT

# The guest's initramfs, and a second archive with what only this needs.
make_initrd()
{
	local tree=$dir/tree

	mkdir -p "$tree/bench"
	install -m 755 build/tests/load tests/bench/write-guest.sh "$tree/bench"
	vm_modules "$tree/bench" dm_snapshot dm_thin_pool null_blk |
		grep -v null_blk >"$tree/bench/modules"
	head -c 512 "$dir/disk" >"$tree/bench/table"
	cp "$(vm_initrd)" "$dir/initrd"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >>"$dir/initrd"
}

start_guest()
{
	local disk

	truncate -s 1880M "$dir/disk"
	printf 'size=%sMiB\n' 512 512 16 832 | sfdisk -q "$dir/disk"
	make_initrd
	if [ "$name" = model ]; then
		disk=("${model[@]}")
	else
		# Written, so that the host's memory is there: zeros do.
		head -c 1878M /dev/zero |
			dd of="$dir/disk" bs=1M seek=1 conv=notrunc status=none
		mapfile -t disk < <(vm_disk disk0 "$dir/disk" |
			sed "s/cache=unsafe/cache=writeback$held_back/")
	fi
	vm_start "$dir/vm" "$(vm_vmlinuz)" "$dir/initrd" quiet \
		"${disk[@]}"
	vm_reply 300
}

run_rounds()
{
	local i prepare=prepare round=round

	[ "$name" != model ] || prepare=prepare_model
	[ "$name" != slow ] || round=round_first
	vm_run "/bench/write-guest.sh $prepare" 900
	for ((i = 1; i <= rounds; i++)); do
		vm_run "/bench/write-guest.sh $round $i" 900 |
			tee -a "$out/$name.txt"
	done
}

missing=$(vm_requires)
[ -z "$missing" ] || { echo "bench-write.sh: missing: $missing" >&2; exit 1; }
mkdir -p "$out"
: >"$out/$name.txt"
start_guest
run_rounds
vm_cut
tests/bench/write-report.sh "$out" "$name"
if [ "${BENCH_DOC:-0}" = 1 ]; then
	update_doc "$name" "$out/$name.md"
fi
