# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The suite "debug" of kernels.sh: Linux of Debian's linux-source-6.1 for QEMU, two
# processors, preemptible, with all that finds faults of the kernel by itself:
# KASAN, UBSAN, PROVE_LOCKING, DEBUG_ATOMIC_SLEEP, kmemleak, checks of lists,
# objects and workqueues.  What User-Mode Linux cannot have: see debug-kernel.sh.
# Sourced.

# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh

debug_release=-bow-debug

# What a guest of tests/vm needs, to begin from nothing.  Modules are those that
# the tests load with parameters, or again.
DEBUG_GUEST='64BIT SMP PRINTK BUG TTY SERIAL_8250 SERIAL_8250_CONSOLE PCI PCI_MSI
	ACPI HOTPLUG_PCI HOTPLUG_PCI_ACPI VIRTIO_MENU VIRTIO_PCI VIRTIO_CONSOLE
	BLOCK BLK_DEV BLK_DEV_INITRD BLK_DEV_ZONED BINFMT_ELF BINFMT_SCRIPT
	MULTIUSER PROC_FS PROC_SYSCTL SYSFS DEVTMPFS SHMEM TMPFS FUTEX EPOLL
	EVENTFD SIGNALFD TIMERFD AIO IO_URING POSIX_TIMERS FILE_LOCKING ADVISE_SYSCALLS
	MEMBARRIER HIGH_RES_TIMERS NO_HZ_IDLE NET UNIX MODULES MODULE_UNLOAD
	KALLSYMS UNIX98_PTYS RTC_CLASS HW_RANDOM HW_RANDOM_VIRTIO
	RANDOM_TRUST_CPU MAGIC_SYSRQ MD DM_SNAPSHOT DM_FLAKEY DM_DELAY
	DM_LOG_WRITES DM_ZERO EXT4_FS XFS_FS SLUB
	FHANDLE INOTIFY_USER IKCONFIG IKCONFIG_PROC PARTITION_ADVANCED MSDOS_PARTITION'
DEBUG_MODULES='VIRTIO_BLK BLK_DEV_DM BLK_DEV_NBD BLK_DEV_LOOP BLK_DEV_NULL_BLK'
# The other sides of choices.
DEBUG_NOT='SLOB PREEMPT_NONE UNWINDER_GUESS DEBUG_INFO'
DEBUG_WATCH='DEBUG_KERNEL PREEMPT DEBUG_INFO_NONE FRAME_POINTER UNWINDER_FRAME_POINTER
	STACKTRACE KASAN KASAN_GENERIC KASAN_INLINE KASAN_VMALLOC UBSAN
	PROVE_LOCKING DEBUG_ATOMIC_SLEEP DEBUG_KMEMLEAK DEBUG_LIST DEBUG_SG
	DEBUG_NOTIFIERS DEBUG_OBJECTS DEBUG_OBJECTS_FREE DEBUG_OBJECTS_TIMERS
	DEBUG_OBJECTS_WORK DEBUG_OBJECTS_RCU_HEAD DEBUG_FS DETECT_HUNG_TASK
	SOFTLOCKUP_DETECTOR WQ_WATCHDOG BUG_ON_DATA_CORRUPTION
	SCHED_STACK_END_CHECK DEBUG_PREEMPT'

# debug_make DIRECTORY [ARGUMENT...]
debug_make()
{
	local dir=$1

	shift
	make -s -j2 -C "$uml_linux" ARCH=x86_64 O="$dir/build" "$@"
}

# debug_has DIRECTORY: the options that were asked for are there.
debug_has()
{
	local option missing=

	for option in $DEBUG_GUEST $DEBUG_MODULES $DEBUG_WATCH; do
		grep -q "^CONFIG_$option=[ym]" "$1/build/.config" ||
			missing+=" $option"
	done
	[ -z "$missing" ] || { echo "debug kernel: cannot have:$missing"; return 1; }
}

debug_configure()
{
	local option options=()

	for option in $DEBUG_GUEST $DEBUG_WATCH; do
		options+=(-e "$option")
	done
	for option in $DEBUG_MODULES; do
		options+=(-m "$option")
	done
	for option in $DEBUG_NOT; do
		options+=(-d "$option")
	done
	mkdir -p "$1/build"
	debug_make "$1" tinyconfig || return
	"$uml_linux/scripts/config" --file "$1/build/.config" "${options[@]}" \
		--set-str LOCALVERSION "$debug_release" \
		--set-val DEBUG_KMEMLEAK_MEM_POOL_SIZE 40000
	debug_make "$1" olddefconfig && debug_has "$1"
}

# debug_make_root DIRECTORY
debug_make_root()
{
	need_packages "$PACKAGES_UML libelf-dev libssl-dev" || return
	rm -rf "$1"
	mkdir -p "$1/image/boot"
	{
		[ -d "$uml_linux" ] || uml_unpack || return
		debug_configure "$1" && debug_make "$1" bzImage modules &&
			debug_make "$1" INSTALL_MOD_PATH="$1/image" \
				modules_install || return
	} >"$1/root.log" 2>&1 || {
		tail -n 20 "$1/root.log"
		return 1
	}
	cp "$1/build/arch/x86/boot/bzImage" \
		"$1/image/boot/vmlinuz-$(debug_version "$1")"
	touch "$1/done"
}

debug_version()
{
	cat "$1/build/include/config/kernel.release"
}

# debug_build_module DIRECTORY
#   And one in leak, beside src, that forgets memory: what finds leaks has to find
#   that.
debug_build_module()
{
	rm -rf "$1/leak"
	cp -r "$1/src" "$1/leak"
	sed -i '/^\tkfree(block0);$/d' "$1/leak/dm-bow-target.c"
	! cmp -s "$1/src/dm-bow-target.c" "$1/leak/dm-bow-target.c" || {
		echo 'warning: there is no place to put a leak in'
		return 1
	}
	debug_make "$1" M="$1/src" W=1 modules &&
		debug_make "$1" M="$1/leak" modules
}
