#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debug-kernel.sh [SECONDS] - dm-bow under load in a kernel that watches it
#
# User-Mode Linux of Debian's linux-source-6.1 with KASAN, UBSAN, PROVE_LOCKING
# and checks of lists, objects and hung tasks, dm-bow built in.  Every load runs
# SECONDS (20).  Fails on any report.  Built in build/debug-kernel: 3 GiB, and
# half an hour the first time.
#
# What cannot be had: DEBUG_ATOMIC_SLEEP, as User-Mode Linux has no preemption;
# kmemleak, which reports thousands of objects of the kernel's own there.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
need_packages "$PACKAGES_VM $PACKAGES_DEBUG_KERNEL"

seconds=${1-20}
dir=$PWD/build/debug-kernel
src=$dir/linux-source-6.1
out=$dir/output
log=$dir/console.log
on='MD BLK_DEV_DM DM_BOW EXT4_FS BLK_DEV_UBD BLK_DEV_INITRD DEVTMPFS AIO
	HIGH_RES_TIMERS DEBUG_KERNEL KASAN PROVE_LOCKING UBSAN DEBUG_LIST
	DEBUG_SG DEBUG_VM DEBUG_OBJECTS DEBUG_OBJECTS_WORK
	DEBUG_OBJECTS_TIMERS DETECT_HUNG_TASK DEBUG_INFO_NONE'
off='MODULES SOUND NET REISERFS_FS ISO9660_FS AUTOFS_FS AUTOFS4_FS QUOTA NLS
	INPUT SCSI USB CGROUPS NAMESPACES DEBUG_KMEMLEAK'

unpack()
{
	mkdir -p "$dir"
	tar -C "$dir" -xf /usr/src/linux-source-6.1.tar.xz
	mkdir "$src/drivers/md/bow"
	printf 'config DM_BOW\n\tbool "bow"\n\tdepends on BLK_DEV_DM\n' \
		>"$src/drivers/md/bow/Kconfig"
	# shellcheck disable=SC2016  # for make
	echo 'obj-$(CONFIG_DM_BOW) += bow/' >>"$src/drivers/md/Makefile"
	sed -i '/^endif # MD/i source "drivers/md/bow/Kconfig"' \
		"$src/drivers/md/Kconfig"
}

configure()
{
	local option options=()

	mkdir -p "$out"
	make -s -C "$src" ARCH=um O="$out" defconfig
	for option in $on; do
		options+=(-e "$option")
	done
	for option in $off; do
		options+=(-d "$option")
	done
	"$src/scripts/config" --file "$out/.config" "${options[@]}"
	make -s -C "$src" ARCH=um O="$out" olddefconfig
}

# copy FILE...: only what has changed, or all would be built again.
build_kernel()
{
	local file

	for file in kmod/*.[ch]; do
		cmp -s "$file" "$src/drivers/md/bow/${file#kmod/}" ||
			cp "$file" "$src/drivers/md/bow/"
	done
	sed 's/^obj-m/obj-y/' kmod/Kbuild >"$src/drivers/md/bow/Makefile"
	make -s -j2 -C "$src" ARCH=um O="$out" linux
}

make_guest()
{
	local tree=$dir/tree

	rm -rf "$tree"
	cp -a "$(vm_tree)" "$tree"
	install -m 755 tests/vm/debug-init "$tree/init"
	install -m 755 build/tests/stress "$tree/bin/stress"
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$dir/initrd"
	head -c 64M /dev/urandom >"$dir/disk"
}

# A maple tree that is read without its lock is a fault of this kernel itself.
reports()
{
	grep -aE -A 3 'BUG|KASAN|UBSAN|WARNING|blocked for more|ODEBUG|list_(add|del) corruption|unexpected|Kernel panic' "$log" |
		awk '/suspicious RCU usage/ { skip = 4 } skip-- > 0 { next } { print }' |
		grep -av '^--$'
}

[ -d "$src" ] || unpack
[ -e "$out/.config" ] || configure
build_kernel >"$dir/build.log" 2>&1 || { cat "$dir/build.log"; exit 1; }
make_guest
timeout $((seconds * 60 + 300)) "$out/linux" mem=512M initrd="$dir/initrd" \
	ubd0="$dir/disk" con=null con0=fd:0,fd:1 SECONDS_EACH="$seconds" \
	>"$log" 2>&1 </dev/null || true
if reports; then
	echo "debug-kernel.sh: reports, see $log" >&2
	exit 1
fi
grep -aE 'writes, .* reads' "$log"
grep -a '^debug-kernel: done' "$log"
