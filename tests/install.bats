#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the namespace are expanded there
# The build as a package makes it; make install and uninstall, into a directory of the
# test's own, or into overlays that one mount namespace sees.

bats_require_minimum_version 1.5.0

setup()
{
	load helpers
	dest=$BATS_TEST_TMPDIR/dest
}

# in_namespace SCRIPT
#   Run it with set -e, where a change of /usr, /etc or dpkg's records is none of this
#   machine's.  GRUB's grub-install is one that tells its arguments there.
in_namespace()
{
	[ "$(id -u)" = 0 ] || skip "needs root for a mount namespace"
	command -v dpkg-divert >/dev/null || skip "no dpkg-divert"
	mkdir -p "$BATS_TEST_TMPDIR/over"
	unshare --mount --propagation private bash -ec '
		mount -t tmpfs over "$1"
		for dir in usr etc var/lib/dpkg; do
			mkdir -p "$1/$dir" "$1/$dir.work"
			mount -t overlay -o "lowerdir=/$dir,upperdir=$1/$dir,workdir=$1/$dir.work" bow "/$dir"
		done
		grub=/usr/sbin/grub-install
		rm -f $grub $grub.real
		printf "%s\n" "#!/bin/sh" "echo GRUB: \"\$@\"" >$grub
		chmod 755 $grub
		[ "$(dpkg-divert --truename $grub)" = $grub ] ||
			dpkg-divert --quiet --local --no-rename --remove $grub
		cd "$2"
		eval "$3"
	' bash "$BATS_TEST_TMPDIR/over" "$top" "$1"
}

@test "build: the flags of a Debian package give no warning, and what they ask for" {
	local program

	requires dpkg-buildflags readelf
	cd "$BATS_TEST_TMPDIR"
	cp -r "$top"/{Makefile,kmod,lib,common,restore,verify,control} .
	eval "$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)"
	run -0 make -s V=1 all
	[ -z "$output" ] || { echo "$output"; return 1; }
	for program in bow-verify bowctl; do
		run -0 readelf -dsW "build/$program"
		# CFLAGS, CPPFLAGS, LDFLAGS
		[[ $output == *__stack_chk_fail* ]]
		[[ $output == *__printf_chk* ]]
		[[ $output == *NOW* ]]
	done
	# That of the initramfs is none the larger.
	[ "$(stat -c %s build/bow-restore)" -lt 65536 ]
	run -0 readelf -SW build/bow-restore
	[[ $output != *.symtab* ]]
	# For a package of debugging symbols, and for another machine.
	DEB_BUILD_OPTIONS=nostrip make -s V=1 build/bow-restore
	run -0 readelf -SW build/bow-restore
	[[ $output == *.debug_info*.symtab* ]]
	run -0 make -n STRIP=other-strip build/bow-restore
	[[ $output == *"&& other-strip build/bow-restore"* ]]
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
			usr/share/initramfs-tools/scripts/bow-functions \
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
	[ -x "$dest/usr/share/bow/grub-install" ]
	make -s -C "$top" install DESTDIR="$dest"
	[ -x "$dest/usr/local/share/bow/grub-install" ]
	[ ! -e "$dest/usr/local/sbin/grub-install" ]
	[ -x "$dest/etc/update-motd.d/60-bow" ]
	run ! grep -rn '@sbindir@' "$dest"
}

@test "install: one version, in the Makefile, dkms.conf, the man pages and README" {
	local page version

	version=$(sed -n 's/^VERSION := //p' "$top/Makefile")
	[ -n "$version" ]
	grep -Fqx "PACKAGE_VERSION=\"$version\"" "$top/kmod/dkms.conf"
	for page in "$top"/man/*.8; do
		grep -Fq " \"bow $version\" " "$page"
	done
	grep -q "^ *dkms install bow/$version " "$top/README.md"
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

@test "uninstall: with a space in DESTDIR nothing beside it is removed" {
	mkdir "$dest"
	echo mine >"$dest/file"
	make -s -C "$top" install DESTDIR="$dest of a package"
	[ "$(find "$dest of a package" ! -type d | wc -l)" -gt 30 ]
	make -s -C "$top" uninstall DESTDIR="$dest of a package"
	run -0 find "$dest of a package" ! -type d
	[ -z "$output" ]
	[ -s "$dest/file" ]
}

# make_deb: a newer GRUB, whose script installs it
make_deb()
{
	local tree=$BATS_TEST_TMPDIR/deb

	mkdir -p "$tree/DEBIAN" "$tree/usr/sbin"
	printf '%s\n' 'Package: bow-test-grub' 'Version: 1' 'Architecture: all' \
		'Maintainer: none <none@localhost>' 'Description: test' \
		>"$tree/DEBIAN/control"
	printf '%s\n' '#!/bin/sh' 'command -v grub-install' 'grub-install /dev/disk' \
		>"$tree/DEBIAN/postinst"
	printf '%s\n' '#!/bin/sh' 'echo newer GRUB: "$@"' >"$tree/usr/sbin/grub-install"
	chmod 755 "$tree/DEBIAN/postinst" "$tree/usr/sbin/grub-install"
	dpkg-deb -b "$tree" "$tree.deb" >/dev/null
}

@test "install: a package's script runs our grub-install, after an upgrade of GRUB too" {
	local prefix

	make_deb
	for prefix in /usr /usr/local; do
		run -0 in_namespace "
			make -s install prefix=$prefix
			make -s install prefix=$prefix
			# dpkg has this one of apt.
			eval \"\$(apt-config shell path DPkg::Path)\"
			PATH=\${path:-/usr/sbin:/usr/bin:/sbin:/bin} dpkg --log=/dev/null \
				--force-overwrite -i $BATS_TEST_TMPDIR/deb.deb
			readlink -f /usr/sbin/grub-install
			dpkg-divert --list /usr/sbin/grub-install"
		echo "$output"
		[[ $output = *"/usr/sbin/grub-install"$'\n'"newer GRUB: /dev/disk"$'\n'$prefix/share/bow/grub-install$'\n'"local diversion of /usr/sbin/grub-install to /usr/sbin/grub-install.real" ]]
	done
}

@test "uninstall: GRUB has its own grub-install back" {
	run -0 in_namespace '
		make -s install
		[ -L /usr/sbin/grub-install ]
		make -s uninstall
		grub-install back
		[ ! -e /usr/sbin/grub-install.real ]
		dpkg-divert --list /usr/sbin/grub-install
		# Cut between the two steps of it, an installation is completed.
		make -s install
		rm /usr/sbin/grub-install
		make -s install
		grub-install again
		make -s uninstall
		# Without GRUB there is nothing to be in the place of.
		rm /usr/sbin/grub-install
		make -s install
		ls /usr/sbin/grub-install* || true
		dpkg-divert --list /usr/sbin/grub-install'
	echo "$output"
	[ "${lines[0]}/${lines[1]}" = "GRUB: back/GRUB: again" ]
	[[ ${lines[2]} = "ls: cannot access"* ]]
	[ "${#lines[@]}" = 3 ]
}

@test "uninstall: GRUB is not to be installed while the root is on dm-bow still" {
	local script='mount -t tmpfs dev /dev
		mknod -m 666 /dev/null c 1 3
		mkdir /dev/mapper
		touch $device
		make -s install
		make -s uninstall'

	run -0 in_namespace "device=/dev/mapper/bow-root; $script"
	[ "$output" = "make uninstall: the root is on dm-bow until update-initramfs -u -k all and a reboot: do not install or upgrade GRUB before" ]
	run -0 in_namespace "device=/dev/mapper/other; $script"
	[ -z "$output" ]
	# Without GRUB there is nothing to be said of it.
	run -0 in_namespace "rm /usr/sbin/grub-install; device=/dev/mapper/bow-root; $script"
	[ -z "$output" ]
}

@test "uninstall: refused while there is a checkpoint" {
	local state

	for state in 1 0; do
		run in_namespace '
			make -s install
			mount -t tmpfs block /sys/block
			mkdir -p /sys/block/dm-{0,1}/bow
			echo 2 >/sys/block/dm-0/bow/state
			echo '$state' >/sys/block/dm-1/bow/state
			make -s uninstall || [ $? = 2 ]
			ls /usr/local/sbin/bowctl /usr/share/initramfs-tools/hooks/bow'
		echo "$output"
		[ "$state/$status" = 1/0 ] || [ "$state/$status" = 0/2 ]
	done
	[[ $output != *"commit first"* ]]
	run -2 in_namespace 'mount -t tmpfs block /sys/block
		mkdir -p /sys/block/dm-0/bow
		echo 1 >/sys/block/dm-0/bow/state
		make -s uninstall'
	[[ $output = *"a checkpoint is active: commit first"* ]]
}

@test "uninstall: refused while GRUB names a root that only bow's initramfs finds" {
	local root

	for root in /dev/mapper/bow-root PARTUUID= UUID= PARTUUID=1234-01 UUID=12-34 \
			/dev/mapper/bow-root2; do
		run in_namespace "
			make -s install
			mount -t tmpfs boot /boot
			mkdir /boot/grub
			printf '\tlinux\t/vmlinuz root=$root ro quiet\n\tlinux\t/old root=$root\n' \
				>/boot/grub/grub.cfg
			make -s uninstall || [ \$? = 2 ]
			ls /usr/local/sbin/bowctl"
		echo "$root: $output"
		case $root in
		*/bow-root | *=)
			[ "$status" = 0 ]
			[[ $output = *"start once with bow=off, run update-grub"* ]] ;;
		*)	[ "$status" = 2 ]
			[[ $output != *"bow=off"* ]] ;;
		esac
	done
}

# over_bow SLAVE DIRECTORY ARGUMENT...
#   grub-install of the namespace, with dm-bow in $state (0) over the device SLAVE of a
#   /sys/block, and DIRECTORY on it, by a user or the script of $package; then what is
#   put off.
over_bow()
{
	local slave=$1 directory=$2

	shift 2
	in_namespace 'make -s install
		# A /dev of its own: without device-mapper there is no /dev/mapper.
		mount -t tmpfs dev /dev
		mknod -m 666 /dev/null c 1 3
		mkdir /dev/mapper
		mount -t tmpfs block /sys/block
		mount -t tmpfs block /sys/dev/block
		cd /sys/block
		mkdir -p dm-0/slaves md0/md md0/md0p1 dm-1/dm sda/sda1
		ln -s ../../'"$slave"' dm-0/slaves
		n=$(stat -c %d '"$directory"')
		major=$((n >> 8 & 4095)) minor=$((n & 255 | n >> 12 & ~255))
		ln -s /sys/block/dm-0 /sys/dev/block/$major:$minor
		mknod /dev/dm-0 b $major $minor
		ln -s ../dm-0 /dev/mapper/bow-root
		mkdir dm-0/bow
		echo '"${state-0}"' >dm-0/bow/state
		'"${package:+export DPKG_MAINTSCRIPT_PACKAGE=$package}"'
		grub-install '"$*"'
		cat '"$directory"'/grub-install.deferred 2>/dev/null || true'
}

@test "grub-install: over a partition it has modules for partition tables" {
	run -0 over_bow sda/sda1 /usr --boot-directory=/usr /dev/sda
	[ "$output" = "GRUB: --modules=part_gpt part_msdos --boot-directory=/usr /dev/sda" ]
}

@test "grub-install: over LVM, LUKS, RAID or a partition of RAID it refuses" {
	local slave

	for slave in dm-1 md0 md0/md0p1; do
		run -1 over_bow $slave /usr /dev/sda --boot-directory=/usr
		[[ $output = "grub-install: not run: /dev/mapper/bow-root is over ${slave##*/}, "* ]]
	done
	# A package's script is not left half done.
	package=grub-pc run -0 over_bow dm-1 /usr /dev/sda --boot-directory=/usr
	[[ ${lines[0]} = "grub-install: not run: "* ]]
	[ "${lines[1]}" = "grub-install /dev/sda --boot-directory=/usr" ]
}

@test "grub-install: while there is a checkpoint it is put off" {
	local state

	# 3: one is being resumed; nothing: it is suspended.
	for state in 1 3 ''; do
		run -1 over_bow sda/sda1 /usr /dev/sda --boot-directory=/usr
		[[ $output = "grub-install: not run: a rollback "*": run it when that is committed" ]]
	done
	state=1 package=grub-pc run -0 over_bow sda/sda1 /usr --boot-directory=/usr \
		'"--target=a \"b\"" "it'"'"'s"'
	[ "${#lines[@]}" = 2 ]
	[[ ${lines[0]} = "grub-install: not run: a rollback "* ]]
	run -0 sh -c "set -- ${lines[1]}"'; printf "%s\n" "$@"'
	[ "$output" = 'grub-install
--boot-directory=/usr
--target=a "b"
it'"'"'s' ]
}

@test "grub-install: without a checkpoint it is run, and is no longer put off" {
	state=2 run -0 over_bow sda/sda1 /usr --boot-directory=/usr /dev/sda \
		'; echo x >/usr/grub-install.deferred; grub-install --boot-directory=/usr'
	[ "$output" = "GRUB: --modules=part_gpt part_msdos --boot-directory=/usr /dev/sda
GRUB: --modules=part_gpt part_msdos --boot-directory=/usr" ]
}

@test "grub-install: without dm-bow too what was put off is done" {
	run -0 in_namespace 'make -s install
		echo x >/usr/grub-install.deferred
		grub-install --boot-directory=/usr --version
		cat /usr/grub-install.deferred
		grub-install --boot-directory=/usr
		[ ! -e /usr/grub-install.deferred ]
		echo x >/usr/grub-install.deferred
		printf "%s\n" "#!/bin/sh" "exit 3" >/usr/sbin/grub-install.real
		grub-install --boot-directory=/usr || echo "status $?"
		cat /usr/grub-install.deferred'
	[ "$output" = "GRUB: --boot-directory=/usr --version
x
GRUB: --boot-directory=/usr
status 3
x" ]
}

@test "grub-install: what installs nothing is not put off" {
	local option

	for option in -V --version "'-?'" --help --usage; do
		state=1 run -0 over_bow dm-1 /usr --boot-directory=/usr "$option"
		[ "$output" = "GRUB: --boot-directory=/usr ${option//\'/}" ]
	done
}

@test "grub-install: where /boot is not on dm-bow it is GRUB's own" {
	run -0 over_bow dm-1 /usr /dev/sda --boot-directory /etc
	[ "$output" = "GRUB: /dev/sda --boot-directory /etc" ]
	run -0 over_bow sda/sda1 /usr /dev/sda --boot-directory=/etc
	[ "$output" = "GRUB: /dev/sda --boot-directory=/etc" ]
	# / of the namespace is not the overlay over /usr.
	run -0 over_bow dm-1 /usr /dev/sda
	[ "$output" = "GRUB: /dev/sda" ]
}

@test "hook: GRUB's own grub-install in its place is warned of" {
	local hook='mkdir -p /usr/share/bow-test
		# What is warned of, and nothing else of it.
		sed -n "/^bow_warn/,/^}/p; /^grub=/,/^fi/p" \
			/usr/share/initramfs-tools/hooks/bow >/usr/share/bow-test/hook
		sh -e /usr/share/bow-test/hook'

	run -0 in_namespace "make -s install; $hook"
	[ -z "$output" ]
	run -0 in_namespace "make -s install DESTDIR=/usr/share/bow-test/dest
		mv /usr/share/bow-test/dest/usr/share/initramfs-tools/hooks/bow \
			/usr/share/initramfs-tools/hooks; $hook"
	[[ $output = "W: bow: /usr/sbin/grub-install is GRUB's own, "* ]]
}
