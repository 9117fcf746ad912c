#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016,SC2154 # scripts for the guest; vm_* are of lib.sh
#
# traces.sh [NAME...] - what real work does to the device below ext4
#
# A Debian 12 root in QEMU upgrades and installs packages, unpacks an archive,
# fills SQLite databases, clones a repository and makes its journal work; the
# kernel's block events tell every write, discard and flush of its root.  Leaves
# build/traces/NAME.trace, as tests/sim/trace.c reads it.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh

out=build/traces
export BOW_DEBIAN_OUT=$out/debian BOW_DEBIAN_EXTRA='git sqlite3 less'

die()
{
	echo "traces.sh: $*" >&2
	exit 1
}

guest()
{
	vm_run "$@" || die "in the guest: $1"
}

boot()
{
	local debian=$out/debian options more

	cp --sparse=always "$debian/disk.img" "$out/disk.img"
	mapfile -t options < <(vm_disk disk0 "$out/disk.img")
	mapfile -t more < <(vm_disk disk1 "$debian/debs.img" readonly=on)
	vm_start "$out/vm" "$debian/vmlinuz" "$debian/initrd.img" \
		"root=UUID=$(cat "$debian/uuid") rw systemd.show_status=0 bow=off" \
		"${options[@]}" "${more[@]}"
	vm_reply 300 || die 'the guest service did not start'
	guest 'systemctl is-system-running --wait || :
		mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || :
		mkdir -p /run/debs
		mount -r /dev/vdb /run/debs' 300
}

# What each prepares, untraced, and does.
prepare()
{
	case $1 in
	untar)	echo 'tar -C / -cf /run/t.tar usr/share/zoneinfo usr/share/perl5 usr/lib/systemd usr/bin' ;;
	git)	echo 'rm -rf /run/repo; mkdir /run/repo; cd /run/repo; git init -q
		cp -r /usr/share/perl5 /usr/lib/udev .; git add .
		git -c user.name=a -c user.email=a@b commit -qm one' ;;
	*)	echo : ;;
	esac
}

work()
{
	case $1 in
	apt)	echo 'export DEBIAN_FRONTEND=noninteractive
		apt-get -q -y --no-install-recommends -o Dpkg::Options::=--force-confold \
			install /run/debs/*.deb && sync' ;;
	untar)	echo 'mkdir /root/untar; tar -C /root/untar -xf /run/t.tar; sync' ;;
	sqlite)	echo 'cd /root; rm -f a.db* b.db*
		sqlite3 a.db "create table t(k integer primary key, v blob)"
		sqlite3 b.db "pragma journal_mode=wal; create table t(k integer primary key, v blob)"
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			for d in a.db b.db; do
				sqlite3 $d "insert into t(v) values(randomblob(3000 * $i))"
				sqlite3 $d "update t set v = randomblob(900) where k = $i / 2"
			done
		done
		sqlite3 a.db vacuum; sqlite3 b.db vacuum; rm a.db; sync' ;;
	git)	echo 'git clone -q /run/repo /root/clone; rm -rf /root/clone/udev
		git -C /root/clone checkout -q .; git -C /root/clone gc -q; sync' ;;
	journal) echo 'mkdir -p /root/j; i=0
		while [ $i -lt 120 ]; do
			i=$((i + 1))
			dd if=/dev/zero of=/root/j/new bs=1000 count=$i conv=fsync status=none
			mv /root/j/new /root/j/$((i % 40))
			ln /root/j/$((i % 40)) /root/j/link$i
			[ $((i % 7)) != 0 ] || rm -f /root/j/link*
			[ $((i % 20)) != 0 ] || sync
		done
		rm -rf /root/j /root/untar; sync; fstrim /; sync' ;;
	*)	die "there is no workload $1" ;;
	esac
}

# What is free, while nothing changes; sectors of the partition.
free='sync; dumpe2fs /dev/vda1 >/dev/null 2>&1
	fsfreeze -f / && dumpe2fs /dev/vda1 >/run/free 2>/dev/null
	fsfreeze -u /
	awk "/^Block size:/ { spb = \$3 / 512 }
		sub(/^  Free blocks: */, \"\") {
			n = split(\$0, range, /, */)
			for (i = 1; i <= n; i++) {
				ends = split(range[i], end, \"-\")
				if (end[1] != \"\")
					printf \"free %d %d\n\", end[1] * spb,
						(end[ends] - end[1] + 1) * spb
			}
		}" /run/free'

# The block events as lines of a trace.  They tell the disk and its sectors, whatever
# the partition; there is only one.  A write that flushes first is two.
events='awk "/block_bio_queue: / {
		sub(/.*block_bio_queue: /, \"\")
		flags = \$2; at = \$3 - start; n = \$5
		if (flags ~ /^F/) { print \"F\"; sub(/^F/, \"\", flags) }
		if (flags ~ /^W/ && n > 0)
			print \"W\", at, n (flags ~ /^W.*F/ ? \" F\" : \"\")
		if (flags ~ /^D/ && n > 0)
			print \"D\", at, n
	}" start=$(cat /sys/class/block/vda1/start) /sys/kernel/tracing/trace'

# trace NAME
trace()
{
	local to=$out/$1.trace lost

	guest "$(prepare "$1")" 600 >"$out/$1.log" 2>&1
	{
		echo "# bow trace $1"
		guest "$free" 120
	} >"$to.new"
	guest 'cd /sys/kernel/tracing
		echo 16384 >buffer_size_kb
		echo >trace
		echo "dev == $((0x$(stat -c %t /dev/vda) << 20 | 0x$(stat -c %T /dev/vda)))" \
			>events/block/block_bio_queue/filter
		echo 1 >events/block/block_bio_queue/enable'
	guest "$(work "$1")" 1800 >>"$out/$1.log" 2>&1
	guest 'echo 0 >/sys/kernel/tracing/events/block/block_bio_queue/enable'
	lost=$(guest 'cat /sys/kernel/tracing/per_cpu/cpu*/stats' |
		awk '/^(overrun|dropped events)/ { n += $NF } END { print n + 0 }')
	[ "$lost" = 0 ] || die "$1: $lost events were lost"
	guest "$events" 300 >>"$to.new"
	grep -q '^W' "$to.new" || die "$1: no write was seen"
	mv "$to.new" "$to"
	echo "$1: $(grep -c '^W' "$to") writes, $(grep -c '^F' "$to") flushes," \
		"$(grep -c '^D' "$to") discards," \
		"$(awk '/^W/ { n += $3 } END { print int(n / 2048) }' "$to") MiB"
}

# short
#   A part of the journal's, for tests/sim/short.trace: what make check plays.
short()
{
	echo '# bow trace short'
	awk '/^free/ && $3 >= 512' "$out/journal.trace"
	sed '/^#/d; /^free/d' "$out/journal.trace" | sed -n '1,160p'
	grep '^D' "$out/journal.trace" | head -n 30
	echo F
}

[ $# -gt 0 ] || set -- apt untar sqlite git journal
need_packages "$PACKAGES_BUILD $PACKAGES_MODULE $PACKAGES_VM"
make -s all kmod
tests/vm/debian-root.sh >"$out.log" 2>&1 || { cat "$out.log"; exit 1; }
mkdir -p "$out"
trap '[ -z "$vm_pid" ] || vm_cut' EXIT
boot
for name; do
	trace "$name"
done
vm_cut
[ ! -e "$out/journal.trace" ] || short >"$out/short.txt"
