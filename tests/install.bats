#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# make install and uninstall, into a directory of the test's own.

bats_require_minimum_version 1.5.0

setup()
{
	top=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	dest=$BATS_TEST_TMPDIR/dest
}

@test "install: programs, hook, boot script, rule, module source, man pages and documents are there" {
	make -s -C "$top" install DESTDIR="$dest" prefix=/usr
	for f in usr/sbin/bow-restore usr/sbin/bow-verify usr/sbin/bowctl \
			usr/share/man/man8/bow-restore.8 \
			usr/share/man/man8/bow-verify.8 \
			usr/share/man/man8/bowctl.8 \
			usr/share/doc/bow/design.md \
			usr/share/doc/bow/format.md \
			usr/share/initramfs-tools/hooks/bow \
			usr/share/initramfs-tools/scripts/local-premount/bow \
			usr/share/initramfs-tools/scripts/local-bottom/bow \
			usr/lib/udev/rules.d/60-bow.rules etc/update-motd.d/60-bow \
			usr/share/bash-completion/completions/bow-restore \
			usr/share/bash-completion/completions/bow-verify \
			usr/share/bash-completion/completions/bowctl \
			usr/src/bow-0.1/dkms.conf usr/src/bow-0.1/Kbuild \
			usr/src/bow-0.1/bow_format.h; do
		[ -s "$dest/$f" ]
	done
	[ -x "$dest/usr/share/initramfs-tools/hooks/bow" ]
	# That is GRUB's own place.
	[ ! -e "$dest/usr/sbin/grub-install" ]
	make -s -C "$top" install DESTDIR="$dest"
	[ -x "$dest/usr/local/sbin/grub-install" ]
	[ -x "$dest/etc/update-motd.d/60-bow" ]
	run ! grep -rn '@sbindir@' "$dest"
}

@test "install: the installed module source builds" {
	local kdir

	kdir=$(make -s -C "$top" help | sed -n 's/^kmod .*KDIR=//p')
	[ -n "$kdir" ] || skip "no kernel headers"
	make -s -C "$top" install DESTDIR="$dest" prefix=/usr
	make -s -C "$kdir" M="$dest/usr/src/bow-0.1" modules
	[ -s "$dest/usr/src/bow-0.1/dm-bow.ko" ]
}

@test "uninstall: all of the installation is gone, and what was there before is not" {
	local prefix

	for prefix in /usr /usr/local; do
		mkdir -p "$dest/usr/share/initramfs-tools/hooks"
		echo other >"$dest/usr/share/initramfs-tools/hooks/other"
		make -s -C "$top" install DESTDIR="$dest" prefix="$prefix"
		[ "$(find "$dest" ! -type d | wc -l)" -gt 30 ]
		make -s -C "$top" uninstall DESTDIR="$dest" prefix="$prefix"
		run -0 find "$dest" ! -type d
		[ "$output" = "$dest/usr/share/initramfs-tools/hooks/other" ]
		# The directories that are ours alone.
		run -0 find "$dest" -name 'bow*'
		[ -z "$output" ]
	done
}
