#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2016 # scripts for the guest are expanded there
# shellcheck disable=SC2154 # img, vm_*: see scenarios.bash
# GRUB, installed while the root is under dm-bow, starts the machine again.

bats_require_minimum_version 1.5.0

setup()
{
	load scenarios.bash
	common_setup
	tree=$BATS_TEST_TMPDIR/tree
}

teardown()
{
	common_teardown
}

# make_disk: $img with a GPT, room for GRUB, and a filesystem
make_disk()
{
	local root=$BATS_TEST_TMPDIR/root

	mkdir -p "$root/boot/grub"
	printf '%s\n' serial 'terminal_output serial' 'echo reached grub.cfg' \
		>"$root/boot/grub/grub.cfg"
	truncate -s 96M "$img.part"
	mke2fs -q -t ext4 -b 4096 -d "$root" "$img.part"
	truncate -s 100M "$img"
	printf '%s\n' 'label: gpt' '2048,2048,21686148-6449-6E6F-744E-656564454649' \
		'4096,196608,L' | sfdisk -q "$img"
	dd if="$img.part" of="$img" bs=1M seek=2 conv=notrunc status=none
	rm "$img.part"
}

# make_guest: with GRUB's programs, and ours in the place of one
make_guest()
{
	"$vm_src/tests/vm/guest-tree.sh" "$tree" /usr/sbin/grub-install grub-probe
	mkdir -p "$tree/usr/lib/grub" "$tree/usr/sbin"
	cp -r /usr/lib/grub/i386-pc "$tree/usr/lib/grub"
	mv "$tree/sbin//usr/sbin/grub-install" "$tree/usr/sbin/grub-install.real"
	cp "$vm_src/initramfs-hook/grub-install" "$tree/usr/sbin"
}

# in_grub_guest SCRIPT [COMMAND]
#   With dm-bow over the partition, by that COMMAND, and mounted on /mnt.
in_grub_guest()
{
	local attach='dmsetup create bow-root --uuid BOW-root \
		--table "0 $(cat /sys/class/block/vda2/size) bow /dev/vda2"'

	guest_of "$tree" "$img"
	vm_run "set -e
		PATH=/usr/sbin:\$PATH
		${2-$attach}
		dmsetup mknodes
		mount -t ext4 /dev/mapper/bow-root /mnt
		$1
		umount /mnt
		dmsetup remove bow-root" 120
	vm_off
}

# starts: the disk's own boot loader comes to its configuration.
starts()
{
	local tries

	qemu-system-x86_64 -accel tcg -m 256 -display none -nodefaults \
		-serial "file:$BATS_TEST_TMPDIR/serial" \
		-drive "file=$img,format=raw,if=virtio,snapshot=on" \
		</dev/null >/dev/null 2>&1 3>&- &
	vm_pid=$!
	for tries in {1..600}; do
		! grep -aq 'reached grub.cfg' "$BATS_TEST_TMPDIR/serial" || break
		sleep 0.1
	done
	kill "$vm_pid"
	wait "$vm_pid" || true
	vm_pid=
	[ "$tries" -lt 600 ]
}

install='grub-install --target=i386-pc --boot-directory=/mnt/boot /dev/vda'

@test "grub: installed over dm-bow it reads the partition table and starts" {
	make_disk
	make_guest
	in_grub_guest "$install"
	starts
}

# The image before the first partition and the modules stay as they fit each other.
@test "grub: an upgrade during a checkpoint waits for the commit, and both boot" {
	make_disk
	make_guest
	in_grub_guest "$install"
	dd if="$img" of="$BATS_TEST_TMPDIR/image" bs=1M count=2 status=none
	# GRUB of another version has modules that are not the same.
	for module in "$tree/usr/lib/grub/i386-pc"/*.mod; do
		echo newer >>"$module"
	done
	in_grub_guest "bowctl checkpoint /mnt
		! $install 2>/tmp/why || exit
		grep -q 'would not take all of it back' /tmp/why || exit
		DPKG_MAINTSCRIPT_PACKAGE=grub-pc $install
		grep -q newer /mnt/boot/grub/i386-pc/*.mod && exit 1
		bowctl status /mnt | grep 'deferred  *$install'"
	dd if="$img" bs=1M count=2 status=none | cmp - "$BATS_TEST_TMPDIR/image"
	starts
	cp "$img" "$img.rollback"
	in_grub_guest "bowctl commit /mnt >/tmp/said
		grep 'now run: $install' /tmp/said
		$install
		grep -q newer /mnt/boot/grub/i386-pc/*.mod
		[ ! -e /mnt/boot/grub/grub-install.deferred ]" 'bowctl resume /dev/vda2'
	starts
	mv "$img.rollback" "$img"
	guest_of "$tree" "$img"
	vm_run 'bow-restore -q /dev/vda2 && mount -t ext4 /dev/vda2 /mnt &&
		[ ! -e /mnt/boot/grub/grub-install.deferred ] && umount /mnt'
	vm_off
	starts
}
