#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2034,SC2154 # vm_*: shared with lib.sh
# The demo: Debian 12 on one ext4 partition is upgraded, wrecked and cut off
# from power, and comes up as it was at the checkpoint.
#
# demo.sh [--rescue]
#   --rescue  boot with bow=shell and type the rollback in the rescue shell
#
# How the comparison is made exact: all files are listed (see manifest.sh) in
# the guest right before and right after the checkpoint.  Both lists are equal,
# so they tell what the filesystem held at the checkpoint.  After the rollback
# the initramfs waits (see demo-hold) while the host copies the disk, before
# anything can have mounted it.  The third list is made from that copy, mounted
# read-only on the host.  No file and no attribute is left out.

set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=tests/vm/lib.sh disable=SC1091,SC2154
. tests/vm/lib.sh

log=build/demo
disk=$log/disk.img
debian=build/debian
began=$SECONDS
rescue=no

# say TEXT...
#   A line of the story, with the seconds since the start.
say()
{
	printf '%4d s  %s\n' "$((SECONDS - began))" "$*"
}

# die TEXT...
die()
{
	echo "demo: $*; see $log" >&2
	exit 1
}

# quietly NAME COMMAND...
#   Run with the output in a log of that name.
quietly()
{
	local name=$1

	shift
	"$@" >"$log/$name.log" 2>&1 || {
		tail -n 20 "$log/$name.log" >&2
		die "$name failed"
	}
}

# guest SCRIPT [SECONDS]
#   Run SCRIPT in the guest, print its output; a failure ends the demo.
guest()
{
	vm_run "$@" || die "in the guest: $1"
}

# shown
#   What the console showed of bow in this boot; of the bar its last state.
shown()
{
	vm_console_text |
		tr '\r' '\n' | sed 's/\x1b\[K//; s/^Begin: .* \(bow: \)/\1/' |
		grep -aE '^(bow(-restore)?: |/dev/vda1: )' |
		grep -av ' [0-9]\{1,2\}%' | uniq |
		sed 's/^/          | /' || true
}

# boot [ARGUMENT...]
boot()
{
	local options more

	mapfile -t options < <(vm_disk disk0 "$disk")
	mapfile -t more < <(vm_disk disk1 "$debian/debs.img" readonly=on)
	vm_start "$log" "$debian/vmlinuz" "$debian/initrd.img" \
		"root=UUID=$(cat "$debian/uuid") ro systemd.show_status=0 $*" \
		"${options[@]}" "${more[@]}"
}

# wait_system
#   Until systemd has finished starting.
wait_system()
{
	vm_reply 120 || die "the guest service did not start"
	guest 'systemctl is-system-running --wait || systemctl --failed' 120 \
		>"$log/system.log"
	grep -q '^running' "$log/system.log" ||
		die "systemd is not content: $(cat "$log/system.log")"
}

# list_files NAME
#   In the guest.  The bind mount shows what lies below other mounts too.
list_files()
{
	guest 'mkdir -p /run/whole
		mountpoint -q /run/whole || mount --bind / /run/whole
		bash /run/manifest.sh /run/whole' 300 >"$log/$1"
}

# status KEY
#   A value of the module's status.
status()
{
	guest "dmsetup status bow-root" | tr ' ' '\n' | sed -n "s/^$1://p"
}

# take_checkpoint
take_checkpoint()
{
	guest "cat >/run/manifest.sh <<'EOF'
$(cat tests/vm/manifest.sh)
EOF"
	list_files before
	say "$(cut -f2 "$log/before" | sort -u | wc -l) files listed with" \
		"SHA-256, owner, mode, times, attributes"
	guest 'bowctl checkpoint' 120 >"$log/checkpoint"
	while IFS= read -r line; do
		say "bowctl checkpoint: $line"
	done <"$log/checkpoint"
	list_files after
	cmp -s "$log/before" "$log/after" ||
		die "files changed while the checkpoint was taken"
}

# upgrade
#   What Debian has published since, fetched when the machine was built.  By apt, which
#   finds the order in which packages can be configured.
upgrade()
{
	guest 'mount -o ro /dev/vdb /mnt
		DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
			install /mnt/*.deb' 300 >"$log/apt.log"
	say "apt: $(grep -c '^Setting up' "$log/apt.log") packages set up," \
		"$(grep -c ' over (' "$log/apt.log") of them upgrades"
	guest 'umount /mnt; sync'
	say "backed up by now: $(($(status copied_sectors) / 2)) KiB in" \
		"$(status copies) copies, $(status log_blocks) log blocks"
}

# wreck
#   By the static busybox in memory, the C library last: nothing else survives
#   that, init included, so it has to reach the disk by the write itself.
wreck()
{
	# shellcheck disable=SC2016 # expanded in the guest
	guest 'exec $GUEST_BUSYBOX sh -c "
		rm -rf /etc /usr/lib/systemd; sync; fstrim -v /; sleep 2"' \
		120 >"$log/wreck.log"
	say "wreck: /etc and /usr/lib/systemd removed," \
		"fstrim /: $(tr -cd '0-9 ' <"$log/wreck.log" |
		awk '{ print $NF }') bytes trimmed"
	# shellcheck disable=SC2016
	vm_send 'exec $GUEST_BUSYBOX sh -c "
		dd if=/dev/urandom of=/usr/lib/x86_64-linux-gnu/libc.so.6 \
			bs=2M count=1 conv=notrunc oflag=direct"'
	vm_reply 5 >>"$log/wreck.log" 2>&1 || true
	say "wreck: libc overwritten"
}

# type_rollback
#   The rescue variant: by hand, on the serial console.
type_rollback()
{
	vm_wait_console '^\(initramfs\)' 120
	say "boot with bow=shell: the rescue shell is there"
	vm_type "bow-restore --rollback /dev/vda1"
	vm_wait_console '(rolled|put) back' 120
	vm_type exit
}

# roll_back
#   Boot, up to the pause before the mount, and keep a copy of the disk.
roll_back()
{
	if [ "$rescue" = yes ]; then
		boot demo.hold bow=shell
		type_rollback
	else
		boot demo.hold
	fi
	vm_reply 120 || die "no rollback"
	say "boot: the console, before the root is mounted:"
	shown
	cp --sparse=always "$disk" "$log/restored.img"
	echo go >&"$vm_to"
}

# log_in
#   As a person would, on the serial console.
log_in()
{
	wait_system
	vm_wait_console 'login: ' 60
	say "boot goes on: login prompt"
	vm_type root
	vm_wait_console 'Password: ' 30
	vm_type bow
	vm_wait_console 'root@bow-demo:~#' 60
	# shellcheck disable=SC2016 # expanded in the guest
	vm_type 'echo "$(id -un) logged in on $(findmnt -no SOURCE /)"'
	vm_wait_console 'root logged in on /dev/mapper/bow-root' 30
	say "logged in as root; / is on /dev/mapper/bow-root again"
}

# count_differences IMAGE NAME
#   List the files of IMAGE and compare with those at the checkpoint.  Sets
#   compared and differ.
count_differences()
{
	local mount=$log/mount listed=0

	mkdir -p "$mount"
	mount -o ro,noload,loop,offset=1048576 "$1" "$mount"
	tests/vm/manifest.sh "$mount" >"$log/$2" 2>"$log/$2.err" || listed=$?
	umount "$mount"
	comm -3 "$log/before" "$log/$2" >"$log/$2.differences"
	compared=$(cut -f2 "$log/before" "$log/$2" | sort -u | wc -l)
	differ=$(sed 's/^\t//' "$log/$2.differences" | cut -f2 | sort -u | wc -l)
	return "$listed"
}

# show_damage
#   What the cut left; not all of it needs to be readable.
show_damage()
{
	count_differences "$disk" wrecked || true
	say "power cut (QEMU killed); the disk holds $differ files that differ" \
		"from the checkpoint"
	grep -q 'libc\.so\.6' "$log/wrecked.differences" ||
		die "the wreck did not reach the disk"
}

# compare
compare()
{
	count_differences "$log/restored.img" restored ||
		die "the files of the restored disk cannot be listed"
	say "$compared files compared, $differ differ"
	if [ "$compared" -lt 1000 ] || [ "$differ" != 0 ]; then
		die "the disk is not as it was at the checkpoint"
	fi
}

# build
build()
{
	# shellcheck source=tests/packages.sh disable=SC1091
	. tests/packages.sh
	quietly packages need_packages "$PACKAGES_BUILD" "$PACKAGES_MODULE" \
		"$PACKAGES_VM"
	quietly build make all
	quietly kmod make kmod KDIR="/lib/modules/$(vm_kernel)/build"
	quietly debian tests/vm/debian-root.sh
	cp --sparse=always "$debian/disk.img" "$disk"
}

case "${1:-}" in
--rescue)
	rescue=yes
	;;
"")
	;;
*)
	echo "usage: demo.sh [--rescue]" >&2
	exit 16
	;;
esac

rm -rf "$log"
mkdir -p "$log"
trap 'vm_cut' EXIT
build
say "built: programs, module, Debian 12 on one ext4 partition"
vm_panic=
boot
wait_system
say "boot: Debian runs on $(guest 'findmnt -no SOURCE,FSTYPE /')"
take_checkpoint
upgrade
wreck
vm_cut
show_damage
roll_back
log_in
vm_off
compare
