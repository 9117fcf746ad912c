#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernels.sh [--build] [--vm FILE.bats] [SUITE...] - dm-bow on the kernels of Debian's releases
#
# For each SUITE (bullseye, bookworm, trixie, sid: Linux 5.10, 6.1, 6.12 and the
# newest) a build root with the headers of its cloud kernel and its own compiler
# is made in build/kernels, once; the module is built there with W=1, and any
# warning is a failure.  With --vm, the tests of FILE.bats of tests/vm run on
# that kernel too; give it again for further files.  Two suites are no releases:
# "debug" is a 6.1 that watches itself, see kernels/debug.sh, with tests of its own,
# which always run but with --build; "bookworm-i386" is built only, for a processor of 32
# bits.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/kernels/debug.sh
. tests/kernels/debug.sh
need_packages "$PACKAGES_VM"

mirror=${BOW_DEBIAN_MIRROR:-http://deb.debian.org}
out=$PWD/build/kernels

# sources SUITE
#   Lines for apt.  A stable release has its newest kernel in -security; that of
#   bullseye names packages that are gone, and 32 bits are the same in any 6.1.
sources()
{
	echo "deb $mirror/debian ${1%-i386} main"
	case $1 in
	sid | bullseye | *-i386) ;;
	*) echo "deb $mirror/debian-security $1-security main" ;;
	esac
}

# flavour SUITE
#   Debian's architecture and the kernel's flavour.
flavour()
{
	case $1 in
	*-i386) echo i386 686 ;;
	*) echo amd64 cloud-amd64 ;;
	esac
}

# version_of SUITE
version_of()
{
	[ "$1" != debug ] || { debug_version "$out/debug"; return; }
	basename "$(dirname "$out/$1"/root/lib/modules/*/build)"
}

# make_root SUITE
#   The headers with what they need, and beside it the files of the kernel.
make_root()
{
	local dir=$out/$1 file arch kernel

	[ "$1" != debug ] || { debug_make_root "$dir"; return; }
	read -r arch kernel < <(flavour "$1")
	rm -rf "$dir"
	mkdir -p "$dir"
	# shellcheck disable=SC2016  # for the shell of mmdebstrap
	sources "$1" | mmdebstrap --mode=root --variant=apt \
		--architectures="$arch" \
		--include="linux-headers-$kernel,make,perl" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--customize-hook='mkdir "$1/image" && chroot "$1" sh -c "
			cd /image && chmod 777 . && version=\$(basename /lib/modules/*) &&
			apt-get -q download \$(apt-cache pkgnames linux- |
				grep -x \"linux-\(image\|modules\|binary\|base\)-\$version\")"' \
		"${1%-i386}" "$dir/root" - >"$dir/root.log" 2>&1 || {
		tail -n 20 "$dir/root.log"
		return 1
	}
	# Newer ones are in four packages.
	for file in "$dir"/root/image/*.deb; do
		dpkg-deb -x "$file" "$dir/image"
	done
	[ -e "$dir/image/lib" ] || ln -s usr/lib "$dir/image/lib"
	file=$(echo "$dir"/image/lib/modules/*/vmlinuz)
	[ ! -e "$file" ] || install -D -m 644 "$file" \
		"$dir/image/boot/vmlinuz-$(basename "$(dirname "$file")")"
	touch "$dir/done"
}

# sources_of SUITE
#   The directory where its module is built.
sources_of()
{
	[ "$1" = debug ] && echo "$out/$1/src" || echo "$out/$1/root/src"
}

# make_module SUITE
make_module()
{
	[ "$1" != debug ] || { debug_build_module "$out/debug"; return; }
	# objtool looks into /proc.
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t proc proc "$1/proc" && exec chroot "$1" \
			make -s -j2 -C "/lib/modules/$2/build" M=/src W=1 modules' \
			sh "$out/$1/root" "$(version_of "$1")"
}

# build_module SUITE
#   Leaves dm-bow.ko in its sources.
build_module()
{
	local dir=$out/$1 src

	src=$(sources_of "$1")
	rm -rf "$src"
	mkdir "$src"
	cp kmod/*.[ch] kmod/Kbuild "$src"
	rm -f "$src"/*.mod.c
	if ! make_module "$1" >"$dir/build.log" 2>&1 ||
			grep -iE 'warning|error' "$dir/build.log" ||
			[ ! -e "$src/dm-bow.ko" ]; then
		cat "$dir/build.log"
		return 1
	fi
}

# arguments SUITE FILE
#   kmemleak has one lock for all memory of both processors: with it a program
#   takes seconds to start, and only the tests of its own look at what it finds.
arguments()
{
	[ "$1" != debug ] || [ "$2" = tests/kernels/debug.bats ] ||
		echo kmemleak=off
}

# slowness SUITE
#   The factor for all timeouts.
slowness()
{
	[ "$1" = debug ] && echo $((${BOW_VM_SLOW:-1} * 8)) || echo "${BOW_VM_SLOW:-1}"
}

# run_vm SUITE FILE
run_vm()
{
	local dir=$out/$1 version

	version=$(version_of "$1")
	depmod -b "$dir/image" "$version" || return
	BOW_KVER=$version BOW_KROOT=$dir/image BOW_VM_ARGUMENTS=$(arguments "$@") \
		BOW_VM_SLOW=$(slowness "$1") \
		BOW_MODULE=$(sources_of "$1")/dm-bow.ko bats --tap "$2"
}

# passes SUITE FILE
#   Its tests, shown as they end.  One that is skipped has not passed: what they need is
#   there.
passes()
{
	local tap status=0 good bad skip

	tap=$out/$1/$(basename "$2" .bats).tap
	run_vm "$@" | tee "$tap" || status=$?
	# What bats has not shown itself.
	judge "$tap" "$status" "$tap.counts" | sed -n '/^not ok - /p'
	read -r good bad skip <"$tap.counts"
	if [ "$good" = 0 ] || [ "$bad" != 0 ] || [ "$skip" != 0 ]; then
		echo "not ok - $1, $2: $good passed, $bad failed, $skip skipped"
		return 1
	fi
	echo "ok - $1, $2: $good passed"
}

files=()
build=
[ "${1-}" != --build ] || { build=only; shift; }
while [ "${1-}" = --vm ]; do
	files+=("tests/vm/$2")
	shift 2
done
[ $# -gt 0 ] || set -- bullseye bookworm bookworm-i386 trixie sid debug
failed=0
for suite; do
	[ -e "$out/$suite/done" ] || make_root "$suite" || { failed=1; continue; }
	if build_module "$suite"; then
		echo "ok - $suite, Linux $(version_of "$suite"): built without a warning"
	else
		echo "not ok - $suite, Linux $(version_of "$suite"): build"
		failed=1
		continue
	fi
	case $build$suite in
	only* | *-i386) tests=() ;;
	debug) tests=(tests/kernels/debug.bats "${files[@]}") ;;
	*) tests=("${files[@]}") ;;
	esac
	for file in "${tests[@]}"; do
		passes "$suite" "$file" || failed=1
	done
done
exit "$failed"
