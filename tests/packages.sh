# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034  # the lists are for who sources this
#
# packages.sh - the Debian 12 packages that building and testing need
#
# Sourced by the scripts of tests/.  A list is for one purpose;
# need_packages LIST... installs what is missing of them, or says what to do.

PACKAGES_BUILD='gcc libc6-dev make klibc-utils libklibc-dev linux-libc-dev
	libext2fs-dev libdevmapper-dev'
PACKAGES_MODULE='linux-image-cloud-amd64 linux-headers-cloud-amd64 kmod'
PACKAGES_TEST='attr bats procps binutils dpkg-dev e2fsprogs git jq mount perl-base strace
	util-linux xxd zstd'
PACKAGES_LINT='clang cppcheck mandoc shellcheck sparse'
PACKAGES_COVERAGE='clang jq llvm'
PACKAGES_MACHINES='gcc-aarch64-linux-gnu gcc-s390x-linux-gnu
	libc6-dev-arm64-cross libc6-dev-s390x-cross qemu-user'
PACKAGES_VM='arch-test attr busybox cpio dmsetup e2fsprogs fdisk grub-pc-bin grub2-common
	initramfs-tools mmdebstrap qemu-system-x86 zstd'
PACKAGES_BENCH='gnuplot-nox jq'
PACKAGES_UML='bc bison flex gcc jq linux-source-6.1 make xz-utils'
PACKAGES_FILESYSTEMS='attr btrfs-progs f2fs-tools fio xfsprogs'

# package_missing NAME
#   True if the package is not installed.
package_missing()
{
	case $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) in
	installed) return 1 ;;
	esac
	return 0
}

# need_packages LIST...
#   Have every package of the lists.  On Debian 12 as root missing ones are
#   installed; anywhere else their names are told.  False if some are missing.
need_packages()
{
	packages_lack=
	# shellcheck disable=SC2048  # a list is many words
	for packages_name in $*; do
		if ! package_missing "$packages_name"; then
			continue
		fi
		packages_lack="$packages_lack $packages_name"
	done
	[ -n "$packages_lack" ] || return 0
	if ! packages_can_install; then
		echo "missing Debian packages:$packages_lack" >&2
		return 1
	fi
	echo "installing:$packages_lack"
	# shellcheck disable=SC2086  # a list of words
	packages_apt install $packages_lack && return 0
	echo "apt-get could not install:$packages_lack" >&2
	return 1
}

packages_can_install()
{
	# shellcheck source=/dev/null
	[ "$(id -u)" = 0 ] && [ -r /etc/os-release ] &&
		[ "$(. /etc/os-release && echo "$ID $VERSION_ID")" = 'debian 12' ]
}

# Quiet unless it fails; an old list of packages is renewed first.
packages_apt()
{
	DEBIAN_FRONTEND=noninteractive
	export DEBIAN_FRONTEND
	apt-get -qq update && apt-get -qq -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 "$@" >/dev/null
}
