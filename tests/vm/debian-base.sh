#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Build a Debian 12 file tree without bow: build/debian/base.tar, or in
# BOW_DEBIAN_OUT, with the packages of BOW_DEBIAN_EXTRA to install later.
#
# Debian as of its last point release, with the kernel that the module is built
# for, and in /debs the packages to install later: what Debian has published
# since, and a few packages that the tree lacks.
#
# debian-base.sh KERNEL-VERSION

set -euo pipefail
cd "$(dirname "$0")/../.."

mirror=${BOW_DEBIAN_MIRROR:-http://deb.debian.org}
packages=systemd-sysv,udev,dbus,initramfs-tools,zstd,dmsetup,e2fsprogs,kmod
packages+=,busybox-static,login,passwd,iputils-ping,attr
read -ra extra_packages <<<"${BOW_DEBIAN_EXTRA:-less bzip2}"

# fetch_later ROOT KERNEL-VERSION
#   The customize hook of mmdebstrap.
fetch_later()
{
	local apt=(chroot "$1" apt-get -q -y)

	cat >"$1/etc/apt/sources.list" <<-EOF
	deb $mirror/debian bookworm main
	deb $mirror/debian bookworm-updates main
	deb $mirror/debian-security bookworm-security main
	EOF
	"${apt[@]}" update
	# The initramfs is made once, when bow's hook is there.
	INITRD=No "${apt[@]}" install --no-install-recommends "linux-image-$2"
	"${apt[@]}" clean
	"${apt[@]}" --download-only dist-upgrade
	"${apt[@]}" --download-only install --no-install-recommends \
		"${extra_packages[@]}"
	mkdir "$1/debs"
	mv "$1"/var/cache/apt/archives/*.deb "$1/debs/"
	rm -rf "$1"/var/lib/apt/lists/*
}

if [ "$1" = --fetch-later ]; then
	fetch_later "$2" "$3"
	exit
fi

out=${BOW_DEBIAN_OUT:-build/debian}
mkdir -p "$out"
key=$(echo "$1 $mirror ${extra_packages[*]}" | cat - "tests/vm/debian-base.sh" | sha256sum)
if [ -e "$out/base.tar" ] && [ "$(cat "$out/base.key")" = "$key" ]; then
	exit
fi
rm -f "$out/base.key"
mmdebstrap --mode=root --variant=minbase --include="$packages" \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--customize-hook="tests/vm/debian-base.sh --fetch-later \"\$1\" $1" \
	bookworm "$out/base.tar" "deb $mirror/debian bookworm main"
echo "$key" >"$out/base.key"
