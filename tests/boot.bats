#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the chroot are expanded there
#
# boot.bats - the boot scripts in a chroot that has klibc's tools and no others
#
# What they do where the device-mapper and a kernel of the guest's own are needed is in
# tests/vm/hook.bats.  The root is a loop device; modprobe fails, dmsetup and reboot
# tell what they are asked for.

bats_require_minimum_version 1.5.0

setup()
{
	load helpers
	common_setup
	[ "$(id -u)" = 0 ] || skip "needs root for a chroot and a loop device"
	[ -e /usr/lib/klibc/bin/sh ] || skip "no klibc-utils"
	[ -e /usr/share/initramfs-tools/scripts/local ] || skip "no initramfs-tools"
	root=$dir/root
	make_chroot
}

teardown()
{
	common_teardown
}

# stub NAME LINE...
#   A program of the chroot.
stub()
{
	local name=$1

	shift
	printf '%s\n' '#!/bin/sh' "$@" >"$root/sbin/$name"
	chmod 755 "$root/sbin/$name"
}

# make_chroot
#   As an initramfs without busybox.
make_chroot()
{
	local lib part

	mkdir -p "$root"/{bin,sbin,conf,dev,kernel,lib,lib64,proc,root,run,sys}
	cp /usr/lib/klibc/bin/* "$root/bin"
	cp /lib/klibc-*.so "$root/lib"
	cp "$top/build/bow-restore" "$(command -v blkid)" "$root/sbin"
	for lib in $(ldd "$root/sbin/blkid" | grep -o '/[^ ]*'); do
		install -D "$lib" "$root$lib"
	done
	cp -r /usr/share/initramfs-tools/scripts "$root"
	cp -r "$top/initramfs-hook/scripts" "$root"
	for part in local-premount local-bottom; do
		# As mkinitramfs makes them, of ours alone.
		printf '%s\n' "/scripts/$part/bow" \
			'[ -e /conf/param.conf ] && . /conf/param.conf' \
			>"$root/scripts/$part/ORDER"
	done
	mkdir -p "$root/scripts/panic"
	: >"$root/scripts/panic/ORDER"
	stub modprobe 'exit 1'
	stub dmsetup 'echo dmsetup "$@"'
	stub reboot 'echo reboot "$@"'
	# The rescue shell: each time it is opened, a line of /shell.
	stub setsid 'read -r line </shell || { echo no shell; kill -9 "$PPID"; exit; }' \
		'{ read -r _; cat; } </shell >/shell.rest; mv /shell.rest /shell' \
		'echo "shell: $line"; eval "$line"'
	: >"$root/shell"
}

# in_chroot CMDLINE SCRIPT
#   With $device, as /dev has it, for the root, and all else that is attached; readonly
#   is as "ro" of CMDLINE says.  What the shell's stub kills is looked up by PPID:
#   processes and a session of its own, so that it cannot be one of this machine's.
#   crash=yes: as in a crash kernel.
in_chroot()
{
	local readonly=n

	[[ " $1 " != *" ro "* ]] || readonly=y
	echo "$1" >"$dir/cmdline"
	unshare --mount --propagation private --pid --fork --kill-child setsid bash -ec '
		# Nothing can be added to a /proc, nor be mounted over it as an overlay.
		crash_kernel() {
			mount -t proc kernel kernel
			mount -t tmpfs proc proc
			(cd proc && ln -s ../kernel/* .)
			: >proc/vmcore
		}
		cd "$1"
		mount -t proc proc proc
		[ -z "$6" ] || crash_kernel
		mount -t sysfs sys sys
		mount -t tmpfs run run
		mount -t tmpfs dev dev
		mknod -m 666 dev/null c 1 3
		: >dev/kmsg
		[ $# -lt 7 ] || cp -a "${@:7}" dev
		mount --bind "$3" proc/cmdline
		exec env -i PATH=/sbin:/bin ROOT="$2" ROOTDELAY= ROOTFLAGS="-o noatime" \
			ROOTFSTYPE= BOOT=local readonly="$4" rootmnt=/root panic= resume= \
			quiet=y fastboot=n UBIMTD= starttime=0 chroot . /bin/sh -c ". /scripts/functions
				$5"
		' bash "$root" "$device" "$dir/cmdline" "$readonly" "$2" "${crash-}" \
		"${loops[@]}" 2>&1
}

# premount CMDLINE
#   Run the script; its record and what it hands on are in $output after "boot:".
premount()
{
	run -0 in_chroot "$1" 'run_scripts /scripts/local-premount
		echo boot:
		cat /run/bow/boot
		[ ! -e /conf/param.conf ] || cat /conf/param.conf'
	echo "$output"
	[[ $output != *"not found"* ]]
}

# premount_stuck CMDLINE
#   It opens a shell, and would again and again.
premount_stuck()
{
	shell true
	run -0 in_chroot "$1" 'run_scripts /scripts/local-premount || true'
	echo "$output"
	[ "$(grep -c 'the root is not mounted' <<<"$output")" = 2 ]
	[[ $output = *"no shell"* ]]
}

# make_root [MKLOG-OPTION...]
#   $device, a root with a log, of which $log.orig.img and $log.live.img tell.
make_root()
{
	truncate -s 32M "$dir/fs"
	mke2fs -q -t ext4 -b 4096 "$dir/fs"
	# shellcheck source=tests/free-sectors.sh
	. "$top/tests/free-sectors.sh"
	free_sectors "$dir/fs" >"$dir/fs.free"
	"$mklog" --fs "$dir/fs" --free "$dir/fs.free" --size 32M --ops 60 "$@" "$log"
	attach_root "$img"
}

# attach_root IMAGE
attach_root()
{
	device=$(losetup -f --show "$1")
	loops+=("$device")
}

# make_other
#   $other, a disk with a log that is not the root, and was as $dir/other.before.
make_other()
{
	"$mklog" --size 8M --seed 2 "$dir/other"
	cp "$dir/other.bow.img" "$dir/other.before"
	other=$(losetup -f --show "$dir/other.bow.img")
	loops+=("$other")
}

# shell LINE...
#   What is typed there, a line each time it is opened.
shell()
{
	printf '%s\n' "$@" >"$root/shell"
}

@test "harness: no signal leaves the chroot" {
	sleep 100 3>&- &
	holders+=($!)
	device=
	# Field 5 is the process group.
	run -0 in_chroot ro "kill -9 $! && echo reached
		read -r _ _ _ _ group _ </proc/self/stat && echo group \$group"
	echo "$output"
	[[ $output != *reached* ]]
	[ "${lines[-1]}" = "group 1" ]
	kill -0 "${holders[0]}"
}

@test "premount: an active log is rolled back, with klibc's tools alone, and no other disk's" {
	make_other
	make_root
	premount ro
	[[ $output = *boot:*found=active*action=rollback*status=0*settled=rollback* ]]
	run -2 "$restore" --check "$device"
	cmp "$dir/other.before" "$other"
	# It was in reach, and there was something to undo.
	run -0 in_chroot ro "bow-restore -q $other"
	run -1 cmp "$dir/other.before" "$other"
}

@test "premount: a rollback by hand after a commit that failed is recorded as one by hand" {
	make_root
	mv "$root/sbin/bow-restore" "$root/sbin/real"
	stub bow-restore 'case "$*" in *--commit*) exit 8 ;; esac' 'exec real "$@"'
	shell 'bow-restore -q --rollback $ROOT'
	premount 'ro bow=commit'
	[[ $output = *"commit on $device failed, status 8"* ]]
	[[ $output = *boot:*refused=*settled="by hand"* ]]
	[[ $output != *settled=commit* ]]
}

# forgetful_disk
#   After a rollback or commit $device has again what it had, twice; then they fail.
forgetful_disk()
{
	cp --sparse=always "$img" "$root/before"
	[ -e "$root/sbin/real" ] || mv "$root/sbin/bow-restore" "$root/sbin/real"
	rm -f "$root"/asked*
	stub bow-restore 'case "$*" in *--check*) exec real "$@" ;; esac' \
		'[ ! -e /asked.again ] || exit 8' \
		'[ ! -e /asked ] || true >/asked.again' \
		'true >/asked; real "$@" && cat /before >"$ROOT"'
}

@test "premount: a disk that keeps nothing is not rolled back again and again" {
	local mode

	for mode in rollback commit; do
		make_root
		forgetful_disk
		premount_stuck "ro bow=$mode"
		# Once more when the shell was left.
		[ "$(grep -c "bow: $device: does not keep what is written to it: the log is there again after the $mode" <<<"$output")" = 2 ]
		[ "$(grep -c "bow: $mode on $device: bow=$mode was given" <<<"$output")" = 2 ]
		[ ! -e "$root/conf/param.conf" ]
	done
}

@test "premount: a crash kernel does not obey bow=commit, which it was not given" {
	local crash=yes

	make_root
	premount 'ro bow=commit'
	[[ $output = *"bow=commit was meant for a boot before the crash"* ]]
	[[ $output = *boot:*mode=auto*crash=yes*action=rollback*settled=rollback* ]]
	"$mklog" --compare "$device" "$log.orig.img" "$dir/fs.free"
}

@test "premount: a crash kernel obeys bow=off" {
	local crash=yes before

	make_root
	before=$(sha256sum <"$device")
	premount 'ro bow=off'
	[[ $output = *boot:*mode=off*action=none* ]]
	[ "$(sha256sum <"$device")" = "$before" ]
}

@test "premount: bow=off mounts an active log read-only, and only that" {
	make_root
	premount 'ro bow=off'
	[[ $output = *"a checkpoint is active; bow=off: mounting it read-only"* ]]
	[[ $output = *boot:*found=active*action=none*fastboot=y* ]]
	[[ $output != *dmsetup* ]]
	rm "$root/conf/param.conf"
	shell 'bow-restore -q --commit $ROOT'
	premount 'rw bow=off'
	[[ $output = *"bow=off leaves a log (active); boot with ro to look"* ]]
	[[ $output = *settled="by hand"* ]]
}

@test "premount: bow=off with a rollback that has begun: ro is not said to help" {
	make_root --state restoring
	shell 'bow-restore -q $ROOT'
	premount 'ro bow=off'
	[[ $output = *"bow=off leaves a log (restoring) and no root: boot without it"* ]]
	[[ $output != *"with ro"* ]]
}

@test "premount: bow=off mounts a damaged log by a device that takes no writes" {
	local before

	make_root --ops 400 --features map --damage chain-csum
	run -4 "$restore" --check "$device"
	before=$(sha256sum <"$device")
	premount 'ro bow=off'
	[[ $output = *"the log is damaged; bow=off: mounting it read-only"* ]]
	[[ $output = *"dmsetup create bow-off --readonly --table 0 65536 linear $device 0"* ]]
	[[ $output = *boot:*found=damaged*action=none* ]]
	[[ $output = *ROOT=/dev/mapper/bow-off*"ROOTFLAGS='-o noatime,noload'"*fastboot=y* ]]
	[ "$(sha256sum <"$device")" = "$before" ]
}

@test "premount: bow=off, a damaged log and rw, or no such device: a shell" {
	make_root --ops 400 --features map --damage chain-csum
	premount_stuck 'rw bow=off'
	[[ $output = *"bow=off leaves a log (damaged); boot with ro to look"* ]]
	stub dmsetup 'exit 1'
	premount_stuck 'ro bow=off'
	[[ $output = *"cannot be kept from writes"* ]]
	premount_stuck ro
	[[ $output = *"the log is damaged or cannot be read"* ]]
}

@test "premount: where a splash screen runs it is told twice, without rm" {
	make_root
	stub plymouth 'echo "$@" >>/plymouth'
	mv "$root/sbin/bow-restore" "$root/sbin/real"
	# The first rollback fails, so that there is another one.
	stub bow-restore 'case "$*" in *--rollback*) [ -e /failed ] || {' \
		'echo 2 1 2 x >&3; true >/failed; exit 8; }' ';; esac' 'exec real "$@"'
	shell true
	premount ro
	[[ $output = *status=0*settled=rollback* ]]
	grep -q -- '--text=bow: rollback: 25%' "$root/plymouth"
	grep -q -- '--text=bow: rollback: 100%' "$root/plymouth"
}

@test "premount: without bow-restore or the module, it is said and recorded why" {
	truncate -s 8M "$dir/fs"
	mke2fs -q -t ext4 "$dir/fs"
	attach_root "$dir/fs"
	premount ro
	[[ $output = *"bow: dm-bow cannot be loaded"*": no checkpoint can be taken"* ]]
	[[ $output = *boot:*attached=no*"attach_error=dm-bow cannot be loaded"* ]]
	rm "$root/sbin/bow-restore"
	premount ro
	[[ $output = *"bow: no bow-restore in the initramfs: no checkpoint can be taken"* ]]
	[[ $output = *boot:*"attach_error=no bow-restore in the initramfs"* ]]
}

# make_system [VERSION...]
#   $device, a root with modules of 1.2.3 and 4.5.6, and these kernels.
make_system()
{
	local version

	mkdir -p "$dir/tree/boot" "$dir"/tree/lib/modules/{1.2.3,4.5.6}
	touch "$dir"/tree/lib/modules/{1.2.3,4.5.6}/modules.dep
	for version; do
		touch "$dir/tree/boot/vmlinuz-$version"
	done
	truncate -s 8M "$dir/fs"
	mke2fs -q -t ext4 -d "$dir/tree" "$dir/fs"
	attach_root "$dir/fs"
}

# bottom VERSION RECORD-LINE...
#   Run the script of the kernel VERSION after a boot with that record; what it leaves
#   of that is in $output after "boot:", then how the root is mounted.
bottom()
{
	local version=$1

	shift
	stub uname "echo $version"
	printf '%s\n' "$@" >"$root/record"
	run -0 in_chroot ro 'mkdir -p /run/bow
		mount -r -t ext4 "$ROOT" /root
		cat /record >/run/bow/boot
		run_scripts /scripts/local-bottom
		echo boot:
		cat /run/bow/boot
		while read -r _ place _ options _; do
			[ "$place" != /root ] || echo "$options"
		done </proc/mounts'
	echo "$output"
	[[ $output != *"not found"* ]]
}

rolled_back=(device=x action=rollback status=0 settled=rollback attached=no
	"attach_error=no module")

@test "bottom: after a rollback without this kernel the machine starts again, and tells of it" {
	make_system 1.2.3
	bottom 9.9.9 "${rolled_back[@]}"
	[[ $output = *"Linux 9.9.9 is not part of the system that came back: starting again"* ]]
	[[ $output = *"reboot -f"* ]]
	bottom 1.2.3 device=y attached=/dev/mapper/bow-root
	[[ $output = boot:*action=rollback*left=9.9.9*device=y*attached=/dev/mapper/bow-root* ]]
	[[ $output != *attach_error* ]]
	[[ ${lines[-1]} = ro,* ]]
	# Once.
	bottom 1.2.3 device=y attached=/dev/mapper/bow-root
	[ "${lines[*]:0:3}" = "boot: device=y attached=/dev/mapper/bow-root" ]
}

@test "bottom: what the boot before has left gives way to what this one has done" {
	make_system 1.2.3
	bottom 9.9.9 "${rolled_back[@]}"
	bottom 1.2.3 device=y action=commit settled=commit
	[[ $output != *rollback* ]]
	bottom 1.2.3 device=y
	[[ $output != *rollback* ]]
}

@test "bottom: started again in vain, it says which kernel to choose" {
	make_system 1.2.3
	bottom 9.9.9 "${rolled_back[@]}"
	bottom 9.9.9 device=y
	[[ $output = *"restart, and choose Linux 1.2.3, 4.5.6"*boot:*left=9.9.9* ]]
	[[ $output = *no_modules=9.9.9*"kernels=1.2.3, 4.5.6"* ]]
	[[ $output != *reboot* ]]
}

@test "bottom: where /boot is another filesystem it goes on, and says which kernel to choose" {
	# One without modules is no help.
	make_system 7.7.7
	bottom 9.9.9 "${rolled_back[@]}"
	[[ $output = *"Linux 9.9.9 has no modules in the system that came back: restart, and choose Linux 1.2.3, 4.5.6"* ]]
	[[ $output = *boot:*no_modules=9.9.9*"kernels=1.2.3, 4.5.6"* ]]
	[[ $output != *reboot* ]]
	[[ ${lines[-1]} = ro,* ]]
	bottom 1.2.3 device=y
	[[ $output = boot:*action=rollback*left=9.9.9* ]]
	[[ $output != *no_modules* ]]
}

@test "bottom: where a Raspberry Pi starts from /boot/firmware it goes on too" {
	local line

	mkdir -p "$dir/tree/etc"
	# The last line need not have an end.
	for line in $'LABEL=raspifirm /boot/firmware vfat defaults 0 2\n' \
			$'PARTUUID=5452574f-01\t/boot/firmware/\tvfat'; do
		printf '# a /boot/firmware of its own\n%s' "$line" >"$dir/tree/etc/fstab"
		make_system 1.2.3
		bottom 9.9.9 "${rolled_back[@]}"
		[[ $output = *"has no modules in the system that came back: restart, and choose Linux 1.2.3, 4.5.6"* ]]
		[[ $output != *reboot* ]]
	done
	# One that the root does not mount, and what is no line of it.
	printf '%s\n' "#$line" '# a /boot/firmware' '' 'UUID=1 /boot/efi vfat' \
		'/boot/firmware /mnt none bind' >"$dir/tree/etc/fstab"
	make_system 1.2.3
	bottom 9.9.9 "${rolled_back[@]}"
	[[ $output = *"reboot -f"* ]]
}

@test "bottom: a crash kernel goes on to save the dump, and the next boot tells of the rollback" {
	local version

	make_system 1.2.3
	for version in 9.9.9 1.2.3; do
		crash=yes bottom $version "${rolled_back[@]}" crash=yes
		[[ $output != *reboot* && $output != *starting* && $output != *choose* ]]
		[[ ${lines[-1]} = ro,* ]]
		bottom 1.2.3 device=y attached=/dev/mapper/bow-root
		[[ $output = boot:*action=rollback*crash=yes*left=$version*device=y* ]]
	done
}

@test "bottom: nothing is said or written when the kernel is there, or there was no rollback" {
	make_system 1.2.3
	bottom 4.5.6 "${rolled_back[@]}"
	[[ ${lines[0]} = boot: ]]
	bottom 9.9.9 device=x action=commit settled=commit
	[[ ${lines[0]} = boot: ]]
	run -0 debugfs -R 'ls /var' "$device"
	[[ $output = *"not found"* ]]
}
