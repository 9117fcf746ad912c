#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the file tree of the minimal guest: busybox, our programs, those of the tests
# in /t, mke2fs, e2fsck, dmsetup, blkid and the modules.  Used as an initramfs and as a small root.
#
# guest-tree.sh DIRECTORY [PROGRAM...] [-- MODULE...]
#
# Further programs and modules on demand.

set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh

tree=$1
programs=(dmsetup mke2fs e2fsck blkid fstrim)
modules=(virtio_pci virtio_blk virtio_console dm_mod nbd)
shift
while [ $# != 0 ] && [ "$1" != -- ]; do
	programs+=("$1")
	shift
done
modules+=("${@:2}")

# copy_program SOURCE TARGET
#   With the shared libraries and the loader that ldd names.
copy_program()
{
	local lib

	install -D -m 755 "$1" "$tree/$2"
	{ ldd "$1" 2>/dev/null || true; } |
		awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^/") print $i }' |
	while read -r lib; do
		[ -e "$tree$lib" ] || install -D -m 755 "$lib" "$tree$lib"
	done
}

# copy_modules NAME...
#   With what they depend on; /lib/modules/order tells the order of insmod.
copy_modules()
{
	local module

	module=$(vm_module)
	mkdir -p "$tree/lib/modules"
	vm_modules "$tree/lib/modules" "$@" >"$tree/lib/modules/order"
	if [ -e "$module" ]; then
		cp "$module" "$tree/lib/modules/dm-bow.ko"
		echo dm-bow.ko >>"$tree/lib/modules/order"
	fi
	# Without the signatures, which take a sixth of a boot to verify.
	strip --strip-debug "$tree"/lib/modules/*.ko
}

mkdir -p "$tree"/{proc,sys,dev,run,tmp,mnt,root,etc,bin,sbin,t}
copy_program "$(command -v busybox)" bin/busybox
for program in "${programs[@]}"; do
	copy_program "$(command -v "$program")" "sbin/$program"
done
for program in bow-restore bow-verify bowctl; do
	[ ! -x "build/$program" ] ||
		copy_program "build/$program" "sbin/$program"
done
for program in churn stress request reseed; do
	[ ! -x "build/tests/$program" ] ||
		copy_program "build/tests/$program" "t/$program"
done
install -m 755 tests/vm/guest-init "$tree/init"
install -m 755 tests/vm/guest-init "$tree/sbin/init"
install -m 755 tests/vm/guest-service "$tree/sbin/guest-service"
# The root may be mounted read-only: the links are made here.
for applet in $("$tree/bin/busybox" --list); do
	[ -e "$tree/bin/$applet" ] || [ -e "$tree/sbin/$applet" ] ||
		ln -s busybox "$tree/bin/$applet"
done
copy_modules "${modules[@]}"
