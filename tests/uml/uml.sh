# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# User-Mode Linux with dm-bow built in, for campaigns: a kernel that is a
# process, boots in a second and can be killed at any moment.  Sourced.
#
# Built from Debian's linux-source-6.1, a directory of build/uml for each
# configuration; the sources, 1.3 GiB, are shared.  The first build of the
# small one takes some ten minutes on two cores.

uml_src=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
uml_build=$uml_src/build/uml
uml_linux=$uml_build/linux-source-6.1

# Linux 6.1 has room for the registers of a processor with AVX-512.  Those of one
# with AMX take 11 KiB, and the host sets all of them or none.
uml_more_registers()
{
	sed -i 's/(HOST_FP_SIZE, 2696)/(HOST_FP_SIZE, 16384)/' \
		"$uml_linux/arch/x86/um/user-offsets.c" &&
	sed -i -e 's/^int have_xstate_support;/&\nstatic size_t xstate_bytes;/' \
		-e 's/^\t\tiov.iov_len = .*/\t\tiov.iov_len = xstate_bytes;/' \
		-e 's/have_xstate_support = 1;/xstate_bytes = iov.iov_len, &/' \
		"$uml_linux/arch/x86/um/os-Linux/registers.c"
}

# An alarm that comes while the one before is handled is forgotten, if interrupts are
# enabled in between: the next timer never expires, and the kernel idles for ever.
uml_keep_alarms()
{
	sed -i 's/^\t\tsignals_pending = 0;/\t\tsignals_pending = save_pending \& signals_active;/' \
		"$uml_linux/arch/um/os-Linux/signal.c"
}

uml_unpack()
{
	mkdir -p "$uml_build"
	tar -C "$uml_build" -xf /usr/src/linux-source-6.1.tar.xz || return
	uml_more_registers && uml_keep_alarms || return
	mkdir "$uml_linux/drivers/md/bow"
	printf 'config DM_BOW\n\tbool "bow"\n\tdepends on BLK_DEV_DM\n' \
		>"$uml_linux/drivers/md/bow/Kconfig"
	# shellcheck disable=SC2016  # for make
	echo 'obj-$(CONFIG_DM_BOW) += bow/' >>"$uml_linux/drivers/md/Makefile"
	sed -i '/^endif # MD/i source "drivers/md/bow/Kconfig"' \
		"$uml_linux/drivers/md/Kconfig"
}

# uml_configure NAME ON OFF
uml_configure()
{
	local out=$uml_build/$1 option options=()

	mkdir -p "$out"
	make -s -C "$uml_linux" ARCH=um O="$out" defconfig || return
	for option in $2; do
		options+=(-e "$option")
	done
	for option in $3; do
		options+=(-d "$option")
	done
	# Sets of registers are on the kernel's stacks.
	"$uml_linux/scripts/config" --file "$out/.config" "${options[@]}" \
		--set-val KERNEL_STACK_ORDER 4
	make -s -C "$uml_linux" ARCH=um O="$out" olddefconfig
}

# Only what has changed is copied, or all would be built again.
uml_copy_module()
{
	local file to

	for file in "$uml_src"/kmod/*.[ch]; do
		to=$uml_linux/drivers/md/bow/${file##*/}
		[[ $file == *.mod.c ]] || cmp -s "$file" "$to" ||
			cp "$file" "$to"
	done
	sed 's/^obj-m/obj-y/' "$uml_src/kmod/Kbuild" \
		>"$uml_linux/drivers/md/bow/Makefile"
}

# uml_kernel NAME ON OFF
#   Build the kernel build/uml/NAME/linux; ON and OFF are the options that
#   differ from the defaults.
uml_kernel()
{
	local out=$uml_build/$1

	{
		[ -d "$uml_linux/drivers/md/bow" ] || uml_unpack || return
		[ -e "$out/.config" ] || uml_configure "$@" || return
		uml_copy_module
		make -s -j2 -C "$uml_linux" ARCH=um O="$out" linux
	} >"$uml_build.log" 2>&1 || {
		cat "$uml_build.log"
		return 1
	}
}

# What every configuration has.
UML_ON='MD BLK_DEV_DM DM_BOW EXT4_FS BLK_DEV_UBD BLK_DEV_INITRD DEVTMPFS AIO
	HIGH_RES_TIMERS DEBUG_INFO_NONE'
UML_OFF='MODULES SOUND REISERFS_FS ISO9660_FS AUTOFS_FS AUTOFS4_FS QUOTA NLS
	INPUT SCSI USB CGROUPS NAMESPACES'

# The kernel of the campaigns: more filesystems and targets, failing
# allocations, and the host's files for scripts and results.
uml_lab()
{
	uml_kernel lab "$UML_ON NET UNIX XFS_FS BTRFS_FS F2FS_FS HOSTFS DM_LOG_WRITES
		DM_FLAKEY DM_DUST DEBUG_KERNEL DEBUG_FS DEBUG_LIST
		FAULT_INJECTION FAILSLAB FAIL_PAGE_ALLOC
		FAULT_INJECTION_DEBUG_FS DETECT_HUNG_TASK" \
		"$UML_OFF INET ETHERNET WIRELESS WLAN NETDEVICES"
}

# uml_run DIRECTORY SECONDS [ARGUMENT...]
#   Run DIRECTORY/script in the lab kernel, for SECONDS at most; arguments are
#   the kernel's, ubd0=FILE for a disk.  The guest sees the host's files,
#   read-only, and DIRECTORY as /mnt/lab, writable; console.log is left there.
#   Returns the status of the script, 255 if there is none or if the console does not
#   show what the kernel warns of: init writes a warning.
uml_run()
{
	local dir=$1 seconds=$2

	shift 2
	rm -f "$dir/status"
	timeout -s KILL "$seconds" "$uml_build/lab/linux" mem=256M \
		rootfstype=hostfs rootflags=/ ro init="$uml_src/tests/uml/init" \
		LAB="$dir" TREE="$uml_src" con=null con0=null,fd:1 panic=1 \
		loglevel=5 "$@" >"$dir/console.log" 2>&1 </dev/null 3>&- || true
	[ -s "$dir/status" ] || return 255
	grep -aq 'uml: warnings are shown' "$dir/console.log" || {
		echo "uml: no warnings in $dir/console.log" >&2
		return 255
	}
	return "$(cat "$dir/status")"
}
