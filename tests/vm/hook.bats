#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2034,SC2154 # img, d0, vm_*: see scenarios.bash
# The initramfs that initramfs-tools makes with the hook: what it contains, and
# what it does with a log on the root for each bow= of the command line.
#
# bow is installed by "make install" into an overlay over /usr that only one
# mount namespace sees, as is what dpkg-divert notes.

bats_require_minimum_version 1.5.0

setup_file()
{
	# shellcheck source=tests/vm/scenarios.bash
	load scenarios.bash
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR common_setup
	prepare_configuration
	make_initramfs with-module initramfs
	prepare_log
	consoles_sound "$BATS_FILE_TMPDIR"
}

teardown_file()
{
	common_teardown_file
}

setup()
{
	load scenarios.bash
	common_setup
	initramfs=$BATS_FILE_TMPDIR/initramfs
	d0=$BATS_FILE_TMPDIR/d0
	boots=0
}

teardown()
{
	common_teardown
}

# prepare_configuration
#   Only the modules that the guest needs: its initramfs is small.
prepare_configuration()
{
	local conf=$BATS_FILE_TMPDIR/conf

	cp -r /etc/initramfs-tools "$conf"
	mkdir -p "$conf/conf.d"
	echo FSTYPE=ext4 >"$conf/conf.d/zz-test"
	echo MODULES=list >>"$conf/conf.d/zz-test"
	printf '%s\n' virtio_pci virtio_blk virtio_console >"$conf/modules"
	# With "volume", what LVM would make of the disk: it begins at 1 MiB.
	mkdir -p "$conf/scripts/local-top"
	cat >"$conf/scripts/local-top/volume" <<-\EOF
	#!/bin/sh
	[ "$1" != prereqs ] || exit 0
	case "$(cat /proc/cmdline)" in
	*" volume"*)
		modprobe dm_mod
		read -r sectors </sys/class/block/vda/size
		dmsetup create vg-root \
			--table "0 $((sectors - 2048)) linear /dev/vda 2048"
		;;
	esac
	EOF
	chmod 755 "$conf/scripts/local-top/volume"
}

# make_initramfs with-module|without-module NAME [SETTING]
#   As an installed bow would have it made; SETTING goes to its configuration.
make_initramfs()
{
	local overlay=$BATS_FILE_TMPDIR/overlay

	mkdir -p "$overlay"
	unshare --mount --propagation private bash -ec '
		overlay=$1 kver=$2 image=$3 conf=$4 module=$5
		mount -t tmpfs overlay "$overlay"
		mkdir "$overlay"/{upper,work,etc,etc-work,dpkg,dpkg-work}
		if [ -n "$7" ]; then
			mount -t overlay -o "lowerdir=/etc,upperdir=$overlay/etc,workdir=$overlay/etc-work" bow /etc
			mkdir -p /etc/bow
			echo "$7" >/etc/bow/initramfs.conf
		fi
		options=lowerdir=/usr,upperdir=$overlay/upper
		mount -t overlay -o "$options,workdir=$overlay/work" bow /usr
		mount -t overlay -o "lowerdir=/var/lib/dpkg,upperdir=$overlay/dpkg,workdir=$overlay/dpkg-work" bow /var/lib/dpkg
		make -s -C "$6" install motddir=/usr/share/motd
		rm -f "/usr/lib/modules/$kver"/updates/{,dkms/}dm-bow.ko*
		[ "$module" = without-module ] ||
			install -D -m 644 "$6/kmod/dm-bow.ko" \
				"/usr/lib/modules/$kver/updates/dm-bow.ko"
		depmod "$kver"
		mkinitramfs -d "$conf" -o "$image" "$kver"
		' bash "$overlay" "$(vm_kernel)" "$BATS_FILE_TMPDIR/$2" \
		"$BATS_FILE_TMPDIR/conf" "$1" "$vm_src" "${3-}"
}

# prepare_log
#   The files of the minimal guest as a root with an active checkpoint.
prepare_log()
{
	img=$BATS_FILE_TMPDIR/active
	d0=$BATS_FILE_TMPDIR/d0
	truncate -s 96M "$img"
	make_tree "$BATS_FILE_TMPDIR/root"
	cp -a "$(vm_tree)/." "$BATS_FILE_TMPDIR/root"
	# It has modules, for this kernel and for another one.
	mkdir "$BATS_FILE_TMPDIR/root/lib/modules"/{"$(vm_kernel)",1.2.3}
	touch "$BATS_FILE_TMPDIR/root/lib/modules"/{"$(vm_kernel)",1.2.3}/modules.dep
	mkdir "$BATS_FILE_TMPDIR/root/boot"
	touch "$BATS_FILE_TMPDIR/root/boot/vmlinuz-1.2.3"
	mke2fs -q -t ext4 -b 4096 -L bow-hook -d "$BATS_FILE_TMPDIR/root" "$img"
	BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
	boots=0
	guest_start
	guest_attach
	guest_checkpoint
	vm_run "$(work 20)"
	vm_run 'echo after the checkpoint >/mnt/new-file; sync'
	vm_cut
}

# boot IMAGE [ARGUMENT...]
#   Boot the real initramfs with a copy of IMAGE, or $img itself, as the root.
#   other_disk: a second disk beside it.
#   fastboot: fsck writes to the superblock, which is compared afterwards.
#   One processor: a boot has little to do at the same time, and two that are
#   emulated take a third more.
boot()
{
	local disk vm_processors=1

	boots=$((boots + 1))
	[ "$1" = "$img" ] || cp --sparse=always "$1" "$img"
	mapfile -t disk < <(vm_disk disk0 "$img"
		[ -z "${other_disk:-}" ] || vm_disk disk1 "$other_disk")
	shift
	vm_start "$BATS_TEST_TMPDIR/vm$boots" "$(vm_vmlinuz)" \
		"$initramfs" "root=LABEL=bow-hook fastboot $*" "${disk[@]}"
}

# assert_refused NAME
#   The guest reboots, by panic=, and the disk is as the image NAME.
assert_refused()
{
	vm_wait_end 90
	cmp "$BATS_FILE_TMPDIR/$1" "$img"
}

@test "hook: the initramfs has the tools, the module, the rule and the script" {
	local file

	lsinitramfs "$initramfs" >"$BATS_TEST_TMPDIR/list"
	for file in sbin/bow-restore sbin/bowctl sbin/dmsetup updates/dm-bow.ko \
			drivers/md/dm-mod.ko rules.d/60-bow.rules \
			rules.d/55-dm.rules rules.d/95-dm-notify.rules \
			scripts/local-premount/bow scripts/local-bottom/bow; do
		grep -q "$file\$" "$BATS_TEST_TMPDIR/list" ||
			{ echo "missing: $file"; return 1; }
	done
	run ! grep bow-verify "$BATS_TEST_TMPDIR/list"
}

@test "hook: the boot script runs after resume" {
	unmkinitramfs "$initramfs" "$BATS_TEST_TMPDIR/image"
	run -0 grep -h '^/scripts/local-premount/' "$(find \
		"$BATS_TEST_TMPDIR/image" -path '*/local-premount/ORDER')"
	[[ $output = *resume*bow* ]]
}

@test "hook: without the module the image is made, with a warning" {
	run -0 make_initramfs without-module other
	[[ $output = *"W: bow: no module dm-bow for Linux $(vm_kernel)"* ]]
	lsinitramfs "$BATS_FILE_TMPDIR/other" | grep -q sbin/bow-restore
}

@test "hook: BOW_VERIFY=yes: bow-verify is there, and all that it needs" {
	local tree=$BATS_TEST_TMPDIR/image root

	make_initramfs without-module verify BOW_VERIFY=yes
	unmkinitramfs "$BATS_FILE_TMPDIR/verify" "$tree"
	root=$(dirname "$(find "$tree" -path '*/scripts/local-premount')")
	root=${root%/scripts}
	cp --sparse=always "$BATS_FILE_TMPDIR/active" "$root/disk"
	run -0 chroot "$root" /sbin/bow-verify /disk
	[[ $output = *"filesystem after a rollback: sound"* ]]
}

@test "boot: without a log dm-bow is put over the root" {
	boot "$d0" ro
	vm_reply 90
	vm_shows_warnings
	run -0 vm_run 'cat /run/bow/boot; grep " / " /proc/mounts'
	[[ $output = *attached=/dev/mapper/bow-root* ]]
	[[ $output = */dev/mapper/bow-root\ /\ ext4\ ro* ]]
	[[ $output != *found=* ]]
	run -0 vm_run 'dmsetup status bow-root'
	[[ $output = *"bow trim ok"* ]]
	vm_cut
	cmp "$d0" "$img"
}

# make_other [MKLOG-OPTION...]
#   $other_disk, a filesystem of another name, with a log.
make_other()
{
	local log=$BATS_TEST_TMPDIR/other

	truncate -s 16M "$log.fs"
	mke2fs -q -t ext4 -b 4096 -L other "$log.fs"
	free_sectors "$log.fs" >"$log.free"
	"$vm_src/build/tests/mklog" --fs "$log.fs" --free "$log.free" --size 16M \
		--ops 40 "$@" "$log"
	other_disk=$log.bow.img
	cp "$other_disk" "$log.before"
}

# assert_other
#   It is as it was, and a rollback would have changed it.
assert_other()
{
	cmp "$BATS_TEST_TMPDIR/other.before" "$other_disk" &&
		"$restore" -q "$other_disk" || return
	run -1 cmp "$BATS_TEST_TMPDIR/other.before" "$other_disk"
}

@test "boot: a log is rolled back before the root is mounted, and no other disk's" {
	make_other
	boot "$BATS_FILE_TMPDIR/active" ro
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot /run/bow/log.json
		dmsetup status bow-root'
	[[ $output = *found=active* ]]
	[[ $output = *checkpoint_id* ]]
	[[ $output = *reason="the checkpoint was not committed before this boot"* ]]
	[[ $output = *action=rollback*status=0*"rolled back: "* ]]
	[[ $output = *"bow trim ok"* ]]
	# One line when it starts, one when it is done.
	[ "$(vm_console_text | grep -ac 'rolling back to the checkpoint of')" = 1 ]
	[ "$(vm_console_text | grep -ac 'bow: .*rolled back: .* put back')" = 1 ]
	run -0 vm_run 'bowctl status; bowctl status -J; dmesg'
	[[ $output = *"at boot "*"rollback, "*" put back, "* ]]
	[[ $output = *"checkpoint "*", taken "* ]]
	[[ $output = *"because "*"not committed before this boot"* ]]
	[[ $output = *'"boot": {'*'"action": "rollback"'* ]]
	[[ $output = *"] bow: "*"rolled back: "* ]]
	run -0 vm_run "$(<"$vm_src/control/motd")"
	[[ ${lines[0]}/${lines[1]} = bow:/"at boot "*"rollback, "* ]]
	vm_cut
	assert_is_d0 "$img"
	assert_other
}

# add_splash IMAGE
#   Add a plymouth to the initramfs that writes down what it is to show.
add_splash()
{
	local root=$BATS_TEST_TMPDIR/splash

	mkdir -p "$root/usr/bin"
	printf '%s\n' '#!/bin/sh' 'echo "$@" >>/run/plymouth' \
		>"$root/usr/bin/plymouth"
	chmod 755 "$root/usr/bin/plymouth"
	cp "$initramfs" "$1"
	# The kernel looks for the next archive at a multiple of 4 bytes.
	truncate -s %4 "$1"
	(cd "$root" && find . | cpio -o -H newc --quiet) >>"$1"
}

@test "boot: where a splash screen runs it shows the rollback" {
	add_splash "$BATS_TEST_TMPDIR/initramfs"
	initramfs=$BATS_TEST_TMPDIR/initramfs
	boot "$BATS_FILE_TMPDIR/active" ro
	vm_reply 90
	run -0 vm_run 'grep -v -e "^--ping$" /run/plymouth'
	[[ ${lines[0]} = "display-message --text=bow: rollback on /dev/vda: "* ]]
	[[ $output = *"--text=bow: rollback: 50%"* ]]
	[[ ${lines[-2]} = "display-message --text=bow: rollback: 100%" ]]
	[[ ${lines[-1]} = *": rolled back: "* ]]
	vm_cut
	assert_is_d0 "$img"
}

@test "boot: an unknown bow= is no reason to roll back: it asks" {
	boot "$BATS_FILE_TMPDIR/active" ro bow=comit
	vm_wait_console 'bow=comit is not supported' 60
	assert_refused active
}

# with_files FILE...
#   The initramfs, with these below $BATS_TEST_TMPDIR/more in addition.
with_files()
{
	cp "$initramfs" "$BATS_TEST_TMPDIR/initramfs"
	initramfs=$BATS_TEST_TMPDIR/initramfs
	# An archive begins at a multiple of four.
	truncate -s %512 "$initramfs"
	(cd "$BATS_TEST_TMPDIR/more" && printf '%s\n' "$@" |
		cpio -o -H newc --quiet) >>"$initramfs"
}

@test "boot: root=/dev/mapper/bow-root on a volume is found by what update-initramfs noted" {
	mkdir -p "$BATS_TEST_TMPDIR/more/conf"
	echo "UUID=$(blkid -p -s UUID -o value "$BATS_FILE_TMPDIR/active")" \
		>"$BATS_TEST_TMPDIR/more/conf/bow-root"
	with_files conf conf/bow-root
	head -c 1M /dev/zero | cat - "$BATS_FILE_TMPDIR/active" >"$img"
	boot "$img" ro root=/dev/mapper/bow-root volume
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot; grep " / " /proc/mounts'
	[[ $output = device=/dev/mapper/vg-root*action=rollback* ]]
	[[ $output = *attached=/dev/mapper/bow-root*"/dev/mapper/bow-root / "* ]]
	# One is taken there, and the log is found where it is.
	run -0 vm_run 'bowctl checkpoint -v && mount -o remount,rw / &&
		echo new >/new-file && bowctl files && bow-restore --check /dev/mapper/vg-root'
	[[ $output = *"over /dev/dm-0"*" /new-file"*active ]]
	vm_cut
	tail -c +1048577 "$img" >"$img.volume"
	"$restore" -q "$img.volume"
	assert_is_d0 "$img.volume"
}

# with_other_kernel [COMMAND]
#   The initramfs, as if it were of a kernel that the root does not have, and
#   without grep, as it is without busybox.  COMMAND: when the root is mounted.
with_other_kernel()
{
	local bin=$BATS_TEST_TMPDIR/more/usr/sbin

	mkdir -p "$bin"
	printf '%s\n' '#!/bin/sh' "${1-:}" 'echo 9.9.9' >"$bin/uname"
	printf '%s\n' '#!/bin/sh' 'exit 127' >"$bin/grep"
	chmod 755 "$bin"/*
	with_files usr/sbin/uname usr/sbin/grep
}

# assert_d0_and_record
#   $img has the files of D0, and what the next boot is to tell.
assert_d0_and_record()
{
	local mounts=$BATS_TEST_TMPDIR/mounts same=0

	e2fsck -fn "$img"
	mkdir -p "$mounts/d0" "$mounts/now"
	mount -o ro,noload,loop "$d0" "$mounts/d0"
	mount -o ro,noload,loop "$img" "$mounts/now"
	diff -r "$mounts/d0" "$mounts/now" >"$BATS_TEST_TMPDIR/diff" || same=$?
	grep -q '^left=9.9.9$' "$mounts/now/var/lib/bow/boot" || same=2
	umount "$mounts/d0" "$mounts/now"
	cat "$BATS_TEST_TMPDIR/diff"
	[ "$same" = 1 ] && [ "$(<"$BATS_TEST_TMPDIR/diff")" = "Only in $mounts/now: var" ]
}

@test "boot: a kernel that went with the rollback is not gone on with, and the next boot tells" {
	with_other_kernel
	boot "$BATS_FILE_TMPDIR/active" ro
	vm_wait_console 'Linux 9.9.9 is not part of the system that came back' 90
	vm_wait_end 30
	assert_d0_and_record
	# Once, and then no more.
	initramfs=$BATS_FILE_TMPDIR/initramfs
	boot "$img" ro
	vm_reply 90
	run -0 vm_run 'bowctl status; cat /var/lib/bow/boot; grep " / " /proc/mounts'
	[[ $output = *"boot before "*"rollback, "*" put back, "* ]]
	[[ $output = *"because "*"not committed before this boot"* ]]
	[[ $output = *"Linux 9.9.9 was running, and is no part of this system"* ]]
	[[ $output != *left=* ]]
	[[ $output = */dev/mapper/bow-root\ /\ ext4\ ro* ]]
	run -0 vm_run "$(<"$vm_src/control/motd")"
	[[ ${lines[0]}/${lines[1]} = bow:/"boot before "*"rollback, "* ]]
}

@test "boot: a /boot that is not on the root: the boot goes on, and tells which kernel to choose" {
	with_other_kernel 'mount -t tmpfs boot "$rootmnt/boot"'
	boot "$BATS_FILE_TMPDIR/active" ro
	vm_reply 90
	vm_console_text | grep -a "9.9.9 has no modules .*choose Linux 1.2.3, $(vm_kernel)"
	run -0 vm_run 'bowctl status; grep " / " /proc/mounts'
	[[ $output = *"at boot "*"rollback, "* ]]
	[[ $output = *"Linux 9.9.9 has no modules here: restart, and choose Linux 1.2.3, $(vm_kernel)"* ]]
	[[ $output = */dev/mapper/bow-root\ /\ ext4\ ro* ]]
}

@test "boot: bow=commit keeps the present state" {
	boot "$BATS_FILE_TMPDIR/active" ro bow=commit
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot /new-file'
	[[ $output = *action=commit*"after the checkpoint"* ]]
	vm_cut
	run -2 "$restore" --check "$img"
	e2fsck -fp "$img" || [ $? = 1 ]
}

@test "boot: a commit that a power cut interrupted is completed" {
	cp --sparse=always "$BATS_FILE_TMPDIR/active" "$img"
	guest_start
	cut_while 'bow-restore --commit /dev/vda' finishing
	cp --sparse=always "$img" "$img.finishing"
	boot "$img.finishing" ro bow=rollback
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot /new-file'
	[[ $output = *found=finishing*action=commit*status=0* ]]
	[[ $output = *"after the checkpoint"* ]]
	vm_cut
	run -2 "$restore" --check "$img"
}

# cut_after_work
#   Something to find after the next boot, then a load that is cut.
cut_after_work()
{
	vm_run 'mount -o remount,rw / && echo boot >>/resumed &&
		mount -o bind / /mnt && sync'
	vm_run "$(work 20)"
	vm_send "$(work_on 10000)"
	sleep 0.5
	vm_cut
}

@test "boot: bow=resume goes on with the checkpoint, boot after boot" {
	boot "$BATS_FILE_TMPDIR/active" ro bow=resume
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot /new-file; grep " / " /proc/mounts
		dmsetup status bow-root; readlink -f /dev/disk/by-label/bow-hook'
	[[ $output = *action=resume*status=0* ]]
	[[ $output = *attached=/dev/mapper/bow-root*"after the checkpoint"* ]]
	[[ $output = */dev/mapper/bow-root\ /\ ext4\ ro* ]]
	[[ $output = *"bow checkpoint ok"* ]]
	[[ $output = */dev/dm-0 ]]
	cut_after_work
	boot "$img" ro bow=resume
	vm_reply 90
	cut_after_work
	# By hand, in the shell: the boot goes on with what was made there.
	vm_panic=
	boot "$img" ro bow=shell
	vm_wait_console '^\(initramfs\)' 90
	vm_type 'bowctl resume /dev/vda; exit'
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot; dmsetup status bow-root; grep " / " /proc/mounts
		wc -l </resumed'
	[[ $output = *refused=*action=resume*status=0*attached=/dev/mapper/bow-root* ]]
	[[ $output = *"bow checkpoint ok"*/dev/mapper/bow-root\ /\ ext4\ ro* ]]
	[ "${lines[-1]}" = 2 ]
	# The old root beside the present one, both by the name of "/".
	run -0 vm_run 'mkdir /tmp/old && bowctl browse /tmp/old &&
		[ ! -e /tmp/old/new-file ] && [ -e /new-file ] &&
		cmp /tmp/old/bin/busybox /bin/busybox &&
		bow-verify -q /dev/vda && bowctl browse --close /tmp/old'
	vm_cut
	boot "$img" ro
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot'
	[[ $output = *action=rollback*status=0* ]]
	vm_cut
	assert_is_d0 "$img"
}

@test "boot: bow=resume attaches as usual when there is no log" {
	boot "$d0" ro bow=resume
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot; dmsetup status bow-root'
	[[ $output = *attached=/dev/mapper/bow-root*"bow trim ok"* ]]
	vm_cut
	cmp "$d0" "$img"
}

@test "boot: bow=resume with a damaged free map rolls nothing back" {
	local map

	cp --sparse=always "$BATS_FILE_TMPDIR/active" \
		"$BATS_FILE_TMPDIR/no-map"
	map=$(od -An -tu8 -j128 -N8 "$BATS_FILE_TMPDIR/no-map")
	printf x | dd of="$BATS_FILE_TMPDIR/no-map" bs=1 \
		seek=$((map * 512 + 2000)) conv=notrunc status=none
	boot "$BATS_FILE_TMPDIR/no-map" ro bow=resume
	assert_refused no-map
	grep -a 'cannot be resumed' "$vm_dir/console.log"
}

@test "boot: bow=shell opens the shell, and mounts when the log is gone" {
	vm_panic=
	with_other_kernel
	boot "$BATS_FILE_TMPDIR/active" ro bow=shell
	vm_wait_console '^\(initramfs\)' 90
	vm_type exit
	# Nothing is mounted as long as the log is there.
	vm_wait_console 'waiting for a decision' 60 2
	vm_type 'bow-restore --check /dev/vda; bow-restore --rollback /dev/vda'
	vm_wait_console 'rolled back' 60
	vm_type exit
	# Mounted, and looked at as after any other rollback.
	vm_wait_console 'Linux 9.9.9 is not part of the system that came back' 60
	vm_wait_end 30
	assert_d0_and_record
}

@test "boot: bow=off mounts a root with a log read-only and changes no byte" {
	boot "$BATS_FILE_TMPDIR/active" ro bow=off
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot; grep " / " /proc/mounts; dmsetup ls'
	[[ $output = *action=none* ]]
	[[ $output = *" / ext4 ro"* ]]
	[[ $output != *bow-root* ]]
	vm_cut
	cmp "$BATS_FILE_TMPDIR/active" "$img"
}

@test "boot: bow=off refuses to mount a root with a log read-write" {
	boot "$BATS_FILE_TMPDIR/active" rw bow=off
	assert_refused active
	grep -a 'the root is not mounted' "$vm_dir/console.log"
}

@test "boot: a damaged log is not touched and the root is not mounted" {
	cp --sparse=always "$BATS_FILE_TMPDIR/active" \
		"$BATS_FILE_TMPDIR/damaged"
	# The version.
	printf '\377' | dd of="$BATS_FILE_TMPDIR/damaged" bs=1 seek=5 \
		conv=notrunc status=none
	boot "$BATS_FILE_TMPDIR/damaged" ro
	assert_refused damaged
	grep -a 'the root is not mounted' "$vm_dir/console.log"
}

@test "boot: bow=off mounts a root with a damaged log, and nothing can write to it" {
	cp --sparse=always "$BATS_FILE_TMPDIR/active" \
		"$BATS_FILE_TMPDIR/damaged"
	printf '\377' | dd of="$BATS_FILE_TMPDIR/damaged" bs=1 seek=5 \
		conv=notrunc status=none
	boot "$BATS_FILE_TMPDIR/damaged" ro bow=off
	vm_reply 90
	run -0 vm_run 'bowctl status; cat /new-file; grep " / " /proc/mounts
		mount -o remount,rw / || echo refused'
	[[ $output = *"the log is damaged: mounted read-only (bow=off)"* ]]
	[[ $output = *"after the checkpoint"*"/dev/mapper/bow-off / ext4 ro"*refused* ]]
	vm_cut
	cmp "$BATS_FILE_TMPDIR/damaged" "$img"
}

# with_newer_blkid
#   The initramfs with a blkid as of util-linux 2.39 and later: it checks the
#   checksum of a superblock, which is wrong where these tests have a log.
with_newer_blkid()
{
	local bin=$BATS_TEST_TMPDIR/more/usr/sbin

	mkdir -p "$bin"
	cp "$(command -v blkid)" "$bin/blkid.old"
	cat >"$bin/blkid" <<-\EOF
	#!/bin/sh
	for disk in /dev/vd?; do
		! bow-restore --check -q "$disk" 2>/dev/null || exit 2
	done
	exec blkid.old "$@"
	EOF
	chmod 755 "$bin/blkid"
	with_files usr/sbin/blkid usr/sbin/blkid.old
}

# make_torn STATE:MASK
#   $img: the root with a log, a sector of the old superblock and one of the new.
make_torn()
{
	local log=$BATS_TEST_TMPDIR/log

	free_sectors "$d0" >"$d0.free"
	"$vm_src/build/tests/mklog" --fs "$d0" --free "$d0.free" --size 96M \
		--ops 40 --state "$1" "$log"
	mv "$log.bow.img" "$img"
	cp --sparse=always "$img" "$BATS_FILE_TMPDIR/torn"
}

@test "boot: a root whose superblock a cut has left torn is found and rolled back" {
	local uuid

	with_newer_blkid
	make_torn torn-activation:5
	make_other --state torn-activation:5
	boot "$img" ro
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot; grep " / " /proc/mounts'
	[[ $output = device=/dev/vda*found=active*action=rollback*status=0* ]]
	[[ $output = *attached=/dev/mapper/bow-root*"/dev/mapper/bow-root / "* ]]
	vm_cut
	assert_is_d0 "$img"
	uuid=$(blkid -p -s UUID -o value "$d0")
	make_torn finishing-rollback:5
	boot "$img" ro root=UUID="$uuid"
	vm_reply 90
	run -0 vm_run 'cat /run/bow/boot'
	[[ $output = *found=finishing*action=rollback*status=0*attached=/dev/* ]]
	vm_cut
	assert_is_d0 "$img"
	assert_other
}

@test "boot: of two disks that could be the torn root neither is touched" {
	with_newer_blkid
	make_torn torn-activation:5
	other_disk=$img.other
	cp --sparse=always "$img" "$other_disk"
	boot "$img" ro
	vm_wait_console 'bow: LABEL=bow-hook could be .*/dev/vda.*/dev/vdb' 60
	assert_refused torn
	cmp "$BATS_FILE_TMPDIR/torn" "$other_disk"
}
