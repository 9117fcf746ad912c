# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the QEMU scenarios share: an image, a guest with dm-bow over it, a
# shellcheck disable=SC2016,SC2154 # guest scripts; vm_* are of lib.sh
# checkpoint of which D0 is known exactly, work to undo, and comparisons.
#
# How D0 is known: the guest remounts the filesystem read-only, the host copies
# the image, then bowctl takes the checkpoint of the read-only mount, which
# writes nothing of the filesystem's, and the guest remounts it read-write.

# shellcheck source=tests/vm/lib.sh disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/free-sectors.sh disable=SC1091
. "$(dirname "${BASH_SOURCE[0]}")/../free-sectors.sh"

# common_setup
common_setup()
{
	local missing

	missing=$(vm_requires)
	[ -z "$missing" ] || skip "missing: $missing"
	[ -e "$(vm_module)" ] || skip "no kmod/dm-bow.ko: make kmod"
	img=$BATS_TEST_TMPDIR/disk
	d0=$BATS_TEST_TMPDIR/d0
	restore=${BOW_RESTORE:-$vm_src/build/bow-restore}
	boots=0
}

# consoles_sound DIRECTORY
#   What went well in a kernel that complains has failed: false, and printed, if any
#   guest below DIRECTORY had one, or if there are fewer of them than were booted.
consoles_sound()
{
	local consoles

	mapfile -t consoles < <(find "$1" -name console.log)
	[ "${#consoles[@]}" -ge "${boots:-0}" ] || {
		echo "$boots boots, but of consoles: ${#consoles[@]}"
		return 1
	}
	if [ "${#consoles[@]}" -gt 0 ]; then
		kernel_sound "${consoles[@]}"
	fi
}

# common_teardown
common_teardown()
{
	[ -z "$vm_pid" ] || vm_cut
	if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
		find "$BATS_TEST_TMPDIR" -name console.log -exec tail -n 20 {} +
	fi
	consoles_sound "$BATS_TEST_TMPDIR"
}

# common_teardown_file
#   Where setup_file has failed a guest may still run.
common_teardown_file()
{
	[ -z "${vm_pid:-}" ] || vm_cut
}

# make_tree DIRECTORY
#   Files of many sizes to be changed by the guest.
make_tree()
{
	local i

	mkdir -p "$1/a" "$1/b"
	for i in {1..60}; do
		head -c $((i * i * 60 + 7)) /dev/urandom >"$1/a/$i"
		head -c $((i * 100)) /dev/urandom >"$1/b/$i"
	done
}

# make_image BLOCK-SIZE MIB
make_image()
{
	make_tree "$BATS_TEST_TMPDIR/tree"
	truncate -s "${2}M" "$img"
	mke2fs -q -t ext4 -b "$1" -L scenario -d "$BATS_TEST_TMPDIR/tree" "$img"
}

# guest_start
#   A minimal guest that has booted, with $img as /dev/vda.
guest_start()
{
	local disk initrd

	initrd=$(vm_initrd)
	boots=$((boots + 1))
	mapfile -t disk < <(vm_disk disk0 "$img")
	vm_wake "$BATS_TEST_TMPDIR/vm$boots" "$initrd" "$vm_terse" "${disk[@]}"
}

# guest_of TREE DISK...
#   Boot a guest whose files are those below TREE, with these disks.
guest_of()
{
	local disk options=()

	(cd "$1" && find . | cpio -o -H newc --quiet) \
		>"$BATS_TEST_TMPDIR/initrd"
	shift
	for disk; do
		mapfile -t -O "${#options[@]}" options < <(
			vm_disk "$(basename "$disk")" "$disk")
	done
	boots=1
	vm_start "$BATS_TEST_TMPDIR/vm1" "$(vm_vmlinuz)" \
		"$BATS_TEST_TMPDIR/initrd" "$vm_terse" "${options[@]}"
	vm_reply 60
	vm_shows_warnings
}

# guest_attach
#   dm-bow over /dev/vda, as the boot script does it.
guest_attach()
{
	vm_run 'dmsetup create bow-root --uuid BOW-root \
		--table "0 $(cat /sys/block/vda/size) bow /dev/vda"'
}

# guest_checkpoint
#   See the top; the filesystem ends up mounted read-write on /mnt.
guest_checkpoint()
{
	vm_run 'set -e
		mount -t ext4 /dev/mapper/bow-root /mnt
		rm /mnt/a/1? /mnt/b/*5
		cp /mnt/a/60 /mnt/b/copy
		sync
		mount -o remount,ro /mnt'
	cp --sparse=always "$img" "$d0"
	vm_run 'bowctl checkpoint /mnt && mount -o remount,rw /mnt'
}

# work ROUNDS
#   Print the script of a load: overwrite, delete, create, append, sync.
work()
{
	echo "/t/churn /mnt $1"
}

# work_on ROUNDS
#   The same for about a tenth of a second a round, so that it is not over before
#   something else is done.
work_on()
{
	echo "/t/churn /mnt $1 80"
}

# cut_while SCRIPT PAUSE
#   Run SCRIPT with a disk that does four writes a second; cut the power after
#   PAUSE seconds, or, if PAUSE is a state, as soon as the disk shows it.
cut_while()
{
	local deadline=$((SECONDS + 30))

	vm_throttle disk0 4
	vm_send "$1"
	case $2 in
	[0-9]*)
		sleep "$2"
		;;
	*)
		until [ "$("$restore" --check "$img" 2>/dev/null)" = "$2" ]; do
			[ "$SECONDS" -lt "$deadline" ]
		done
		;;
	esac
	vm_cut
}

# status_of KEY
#   A value of the module's status.
status_of()
{
	vm_run 'dmsetup status bow-root' | tr ' ' '\n' | sed -n "s/^$1://p"
}

# assert_raw_d0 IMAGE
#   Every sector that was in use at the checkpoint is as it was; which were not, is
#   in $d0.free.
assert_raw_d0()
{
	"$vm_src/build/tests/mklog" --compare "$d0" "$1" "$d0.free"
}

# assert_is_d0 IMAGE
#   Every block in use at the checkpoint is as it was; the filesystem is clean
#   and has the same files.
assert_is_d0()
{
	local mounts=$BATS_TEST_TMPDIR/mounts same=0

	free_sectors "$d0" >"$d0.free"
	[ "$(wc -l <"$d0.free")" -gt 0 ]
	assert_raw_d0 "$1"
	e2fsck -fn "$1" >"$1.fsck" 2>&1 || { cat "$1.fsck"; return 1; }
	mkdir -p "$mounts/d0" "$mounts/now"
	mount -o ro,noload,loop "$d0" "$mounts/d0"
	mount -o ro,noload,loop "$1" "$mounts/now"
	diff -r "$mounts/d0" "$mounts/now" || same=$?
	umount "$mounts/d0" "$mounts/now"
	return "$same"
}

# assert_rolls_back
#   A copy of $img, rolled back on the host, is D0.  $img stays as it is.
assert_rolls_back()
{
	local copy=$BATS_TEST_TMPDIR/rolled-back

	cp --sparse=always "$img" "$copy"
	"$restore" -q --rollback "$copy"
	assert_is_d0 "$copy"
}

# raw_setup
#   $img and $d0 of random bytes, and ranges of sectors that may be free.
raw_setup()
{
	local program

	for program in stress request; do
		[ -x "$vm_src/build/tests/$program" ] ||
			skip "no build/tests/$program: make test-programs"
	done
	head -c 64M /dev/urandom >"$img"
	cp "$img" "$d0"
	# Whole blocks of every block size.
	printf '%s\n' '20000 30000' '60000 30000' '100000 8000' >"$d0.free"
}

# raw_initrd MODULE...
#   Print the path of an initramfs that has in /t the modules and what they need;
#   /t/modules tells the order.
raw_initrd()
{
	local dir=$BATS_TEST_TMPDIR/raw

	mkdir -p "$dir/t"
	vm_modules "$dir/t" "$@" >"$dir/t/modules"
	cp "$(vm_initrd)" "$dir/initrd"
	(cd "$dir" && find t | cpio -o -H newc --quiet) >>"$dir/initrd"
	echo "$dir/initrd"
}

# guest_plain
#   A guest with the test programs in /t, and with raw_modules, of which nothing
#   is loaded.
guest_plain()
{
	local disk

	if [ -z "${raw_modules:-}" ]; then
		guest_start
		return
	fi
	boots=$((boots + 1))
	mapfile -t disk < <(vm_disk disk0 "$img")
	# shellcheck disable=SC2086 # a list
	vm_start "$BATS_TEST_TMPDIR/vm$boots" "$(vm_vmlinuz)" \
		"$(raw_initrd $raw_modules)" "$vm_terse" "${disk[@]}"
	vm_reply 60
	vm_shows_warnings
}

# guest_raw BLOCK-SIZE [OPTION]
#   A plain guest with dm-bow over "low", a linear map of the disk, the free
#   ranges of $d0.free handed over, in state 1.  raw_below: over this instead.
guest_raw()
{
	guest_plain
	raw_begin "$@"
}

# raw_begin BLOCK-SIZE [OPTION]
#   The same in a guest that runs.
raw_begin()
{
	vm_run "set -e
		n=\$(cat /sys/block/vda/size)
		[ -n \"${raw_below:-}\" ] ||
			dmsetup create low --table \"0 \$n linear /dev/vda 0\"
		dmsetup mknodes
		dmsetup create bow-root \
			--table \"0 \$n bow ${raw_below:-/dev/mapper/low} $# block_size:$*\"
		dmsetup mknodes
		dmsetup message bow-root 0 free $(tr '\n' ' ' <"$d0.free")
		dmsetup message bow-root 0 checkpoint"
}

# guest_lib
#   Functions for the scripts of in_guest, in /tmp/lib.
guest_lib()
{
	vm_run 'cat >/tmp/lib <<-\EOF
		b=/dev/mapper/bow-root
		s=$(echo /sys/block/dm-*/bow)
		r() { /t/request "$@"; }
		# Is what the request says, its first word left out, TEXT?
		says() { text=$1; shift; [ "$(r "$@")" = "$text" ]; }
		# set -e does not see that a command after "!" succeeds.
		fails() { if "$@"; then return 1; fi; }
		# soon SCRIPT: within half a minute it is true.
		soon() {
			tries=0
			until eval "$1"; do
				tries=$((tries + 1))
				[ $tries -lt 300 ] || return
				sleep 0.1
			done
		}
		stat() { set -- $1 $(cat /sys/block/vda/stat); eval "echo \${$(($1 + 1))}"; }
		flushes() { stat 16; }
		discards() { stat 12; }
		# The module comes after what it needs.
		load() {
			for m in $(cat /t/modules); do
				[ $m != $1.ko ] || break
				insmod /t/$m
			done
			insmod /t/"$1".ko $2
		}
		state() { dmsetup message bow-root 0 "$1"; }
		# Nothing waits for ever, and the kernel has not complained.
		sound() {
			dmesg >/tmp/dmesg
			fails grep -E "BUG|WARNING|Oops|Call Trace|blocked for more" \
				/tmp/dmesg || return
			soon "fails eval \"ps -o stat,comm | grep ^D\""
		}
	EOF'
}

# guest_requests BLOCK-SIZE [OPTION]
#   A guest as guest_raw makes it, with those functions.
guest_requests()
{
	guest_raw "$@"
	guest_lib
}

# in_guest SCRIPT [SECONDS]
#   Every command must succeed; if one does not, the last ones are shown.
in_guest()
{
	vm_run ". /tmp/lib
		trap '[ \$? = 0 ] || tail -n 15 /tmp/trace' EXIT
		exec 2>/tmp/trace
		set -ex
		$1" "${2:-60}"
}

# roll_back_raw
#   Cut the power, roll back on the host: all that was in use is D0.
roll_back_raw()
{
	vm_cut
	"$restore" -q "$img"
	assert_raw_d0 "$img"
}
