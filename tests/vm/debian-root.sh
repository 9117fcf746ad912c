#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build the machine of the demo: Debian 12 with bow installed by make install.
#
# Makes, under build/debian or BOW_DEBIAN_OUT, unless they are there and up to date:
#   disk.img	GPT, one partition, one ext4 filesystem that holds everything
#   vmlinuz, initrd.img	copies of the kernel and initramfs inside it
#   uuid	of the filesystem
#   debs.img	an ext4 image with the packages to install later

set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/lib.sh disable=SC1091
. tests/vm/lib.sh

out=${BOW_DEBIAN_OUT:-build/debian}
root=$out/root
kver=$(vm_kernel)
disk_mib=2048

# in_root COMMAND...
#   In a mount namespace, so that no mount outlives it.
in_root()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private sh -ec '
		root=$1; shift
		mount -t proc proc "$root/proc"
		mount -t sysfs -o ro sys "$root/sys"
		mount --bind /dev "$root/dev"
		exec chroot "$root" "$@"' sh "$root" "$@"
}

# configure UUID
#   What an installer would ask for.
configure()
{
	echo "UUID=$1 / ext4 noatime,errors=remount-ro 0 1" >"$root/etc/fstab"
	echo bow-demo >"$root/etc/hostname"
	echo "127.0.0.1 localhost bow-demo" >"$root/etc/hosts"
	echo root:bow | chroot "$root" chpasswd
	chroot "$root" systemd-machine-id-setup >/dev/null 2>&1
	# The root's type cannot be found out from the chroot.
	echo FSTYPE=ext4 >"$root/etc/initramfs-tools/conf.d/fstype"
	# The demo's two lists of all files around the checkpoint must be
	# equal: no log file may grow between them.
	mkdir -p "$root/etc/systemd/journald.conf.d"
	printf '[Journal]\nStorage=volatile\n' \
		>"$root/etc/systemd/journald.conf.d/demo.conf"
	# So that the comparison of extended attributes has some to compare.
	setfattr -n user.bow -v demo "$root/etc/hostname"
}

# install_guest_service
#   And the demo's pause between rollback and mount.
install_guest_service()
{
	install -D -m 755 tests/vm/guest-service \
		"$root/usr/local/lib/bow-demo/guest-service"
	install -m 644 tests/vm/guest-service.service \
		"$root/etc/systemd/system/"
	chroot "$root" systemctl -q enable guest-service.service
	echo virtio_console >>"$root/etc/initramfs-tools/modules"
	install -m 755 tests/vm/demo-hold \
		"$root/etc/initramfs-tools/scripts/local-premount/"
}

# install_bow
install_bow()
{
	make -s install DESTDIR="$(realpath "$root")"
	install -D -m 644 kmod/dm-bow.ko \
		"$root/lib/modules/$kver/updates/dm-bow.ko"
	in_root depmod "$kver"
	in_root update-initramfs -c -k "$kver"
}

# make_disk UUID
make_disk()
{
	local start=1048576

	rm -f "$out/disk.img"
	truncate -s "${disk_mib}M" "$out/disk.img"
	echo "start=$((start / 512)), type=linux, name=root" |
		sfdisk -q --label gpt "$out/disk.img"
	# The end of the disk is the backup partition table's.
	mke2fs -q -t ext4 -U "$1" -L bow-demo -d "$root" -E "offset=$start" \
		"$out/disk.img" "$((disk_mib * 1024 - 2 * start / 1024))k"
	cp "$root/boot/vmlinuz-$kver" "$out/vmlinuz"
	cp "$root/boot/initrd.img-$kver" "$out/initrd.img"
	echo "$1" >"$out/uuid"
}

# make_debs
#   Move /debs out of the root, into an image of its own.
make_debs()
{
	rm -f "$out/debs.img"
	mke2fs -q -t ext4 -d "$root/debs" "$out/debs.img" \
		"$(($(du -sk "$root/debs" | cut -f1) * 5 / 4 + 8192))k"
	rm -rf "$root/debs"
}

tests/vm/debian-base.sh "$kver"
mapfile -t parts < <(find initramfs-hook -type f | sort)
key=$(sha256sum build/bow* kmod/dm-bow.ko Makefile "$out/base.tar" \
	tests/vm/{debian-root.sh,demo-hold,guest-service*} "${parts[@]}" |
	sha256sum)
if [ -e "$out/disk.img" ] && [ "$(cat "$out/disk.key")" = "$key" ]; then
	exit
fi
rm -f "$out/disk.key"
rm -rf "$root"
mkdir "$root"
tar -C "$root" --xattrs --xattrs-include='*' --numeric-owner -xf "$out/base.tar"
make_debs
uuid=$(cat /proc/sys/kernel/random/uuid)
configure "$uuid"
install_guest_service
install_bow
make_disk "$uuid"
rm -rf "$root"
echo "$key" >"$out/disk.key"
