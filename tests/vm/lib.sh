# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# QEMU harness: start a guest, run scripts in it, cut its power, stop it.
# Sourced by the scenarios and the demo.
#
# A guest is driven over a virtio-serial port (see guest-service); its console
# only goes to a log.  Killing QEMU loses no write that QEMU has accepted; what
# an unflushed disk cache may lose is the crash simulator's subject.
#
# Variables of the caller's environment:
#   BOW_QEMU_ACCEL	accelerator; tcg unless told: /dev/kvm can be there
#			and not work
#   BOW_VM_SLOW		factor for all timeouts, for a loaded machine
#   BOW_VM_ARGUMENTS	further arguments for the guests' kernel
#   vm_processors	processors of the guests (2)
#   BOW_KVER		kernel of the guests (default: the newest cloud
#			kernel that has headers)
#   BOW_KROOT		directory that has its boot/ and lib/modules (default: /)
#   BOW_MODULE		dm-bow.ko for it (default: kmod/dm-bow.ko)

vm_src=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/reports.sh
. "$vm_src/tests/reports.sh"
vm_build=$vm_src/build/vm${BOW_KVER:+-$BOW_KVER}
# Reboot, that is end, when the kernel or the initramfs panics.
vm_panic="oops=panic panic=-1"
# On a loaded host the timer can be late when the kernel looks for it.
vm_timer=no_timer_check
# QEMU translates a program again for each address it is loaded at: a third of the
# time of a guest that starts programs.
vm_maps=norandmaps
# Few lines on the console; with "quiet" those of a WARN_ON() would be missing.
# shellcheck disable=SC2034  # for who sources this
vm_terse=loglevel=5
vm_accel=${BOW_QEMU_ACCEL:-tcg,thread=multi}
vm_slow=${BOW_VM_SLOW:-1}
vm_pid=

# vm_fail MESSAGE...
#   With the end of the console, for the person who has to find out why.
vm_fail()
{
	echo "vm: $*" >&2
	if [ -n "${vm_dir:-}" ] && [ -e "$vm_dir/console.log" ]; then
		echo "vm: the last lines of $vm_dir/console.log:" >&2
		vm_console_text | tail -n 25 | tr -d '\r\033' >&2
	fi
	return 1
}

# vm_kernel
#   Print the version of the kernel that guests run.
vm_kernel()
{
	local image kver found=

	if [ -n "${BOW_KVER:-}" ]; then
		echo "$BOW_KVER"
		return
	fi
	for image in $(printf '%s\n' /boot/vmlinuz-*-cloud-amd64 | sort -V); do
		kver=${image#/boot/vmlinuz-}
		[ -e "/lib/modules/$kver/build/Makefile" ] && found=$kver
	done
	[ -n "$found" ] || vm_fail "no cloud kernel with headers installed" ||
		return
	echo "$found"
}

# vm_vmlinuz
#   Print the path of the guests' kernel.
vm_vmlinuz()
{
	echo "${BOW_KROOT:-}/boot/vmlinuz-$(vm_kernel)"
}

# vm_modules DIRECTORY NAME...
#   Copy modules of that kernel to DIRECTORY, uncompressed, with what they depend
#   on.  Print their names in the order in which insmod takes them.
vm_modules()
{
	local dir=$1 file name

	mkdir -p "$dir"
	shift
	for name; do
		modprobe -d "${BOW_KROOT:-/}" -S "$(vm_kernel)" \
			--show-depends "$name" || return
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
	while read -r file; do
		name=$(basename "$file")
		case $name in
		*.xz) xz -dc "$file" >"$dir/${name%.xz}" ;;
		*) cp "$file" "$dir/" ;;
		esac
		echo "${name%.xz}"
	done
}

# vm_module
vm_module()
{
	echo "${BOW_MODULE:-$vm_src/kmod/dm-bow.ko}"
}

# vm_requires
#   Print what is missing for running guests; nothing if all is there.
vm_requires()
{
	local program

	for program in qemu-system-x86_64 mke2fs e2fsck dumpe2fs cpio busybox \
			dmsetup blkid; do
		command -v "$program" >/dev/null || echo "$program"
	done
	vm_kernel >/dev/null 2>&1 || echo "linux-image-cloud-amd64 and headers"
	[ "$(id -u)" = 0 ] || echo "root"
}

# vm_tree
#   Print the directory of the minimal guest's files, made anew when one of
#   its parts is newer.
vm_tree()
{
	local tree=$vm_build/tree part

	# The one in the tree is stripped.
	cmp -s "$(vm_module)" "$tree.ko" || rm -f "$tree.done"
	for part in "$vm_src"/build/bow{ctl,-restore,-verify} \
			"$vm_src"/build/tests/{churn,stress,request,reseed} \
			"$vm_src"/tests/vm/guest-*; do
		if [ ! -e "$tree.done" ] || [ "$part" -nt "$tree.done" ]; then
			rm -rf "$tree" "$tree.done"
			"$vm_src/tests/vm/guest-tree.sh" "$tree" >&2 || return
			[ ! -e "$(vm_module)" ] || cp "$(vm_module)" "$tree.ko"
			touch "$tree.done"
		fi
	done
	echo "$tree"
}

# vm_initrd
#   Print the path of the minimal guest's initramfs.
vm_initrd()
{
	local tree

	tree=$(vm_tree) || return
	if [ ! "$vm_build/initrd" -nt "$tree.done" ]; then
		(cd "$tree" && find . | cpio -o -H newc --quiet) \
			>"$vm_build/initrd.new" || return
		mv "$vm_build/initrd.new" "$vm_build/initrd"
	fi
	echo "$vm_build/initrd"
}

# vm_initrd_of DIRECTORY INIT
#   Make DIRECTORY/initrd: the minimal guest, but INIT is its init, and the programs of
#   the tests are where it looks for programs.
vm_initrd_of()
{
	local tree=$1/tree

	rm -rf "$tree"
	mkdir -p "$1"
	cp -a "$(vm_tree)" "$tree" || return
	install -m 755 "$2" "$tree/init"
	install -m 755 "$vm_src"/build/tests/{stress,request} "$tree/bin" || return
	(cd "$tree" && find . | cpio -o -H newc --quiet) >"$1/initrd"
}

# vm_start DIRECTORY KERNEL INITRD ARGUMENTS [QEMU-OPTION...]
#   Start a guest.  Its logs and pipes go to DIRECTORY.  ARGUMENTS are added to
#   the kernel's command line.  Sets vm_pid; does not wait for the guest.
vm_start()
{
	local kernel=$2 initrd=$3 arguments=$4

	vm_dir=$1
	shift 4
	mkdir -p "$vm_dir"
	rm -f "$vm_dir"/{port,monitor,console}.{in,out}
	mkfifo "$vm_dir"/{port,monitor,console}.{in,out} || return
	# Opened for both directions: neither side waits for the other.
	exec {vm_to}<>"$vm_dir/port.in" {vm_from}<>"$vm_dir/port.out" \
		{vm_monitor}<>"$vm_dir/monitor.in" \
		{vm_monitor_out}<>"$vm_dir/monitor.out" \
		{vm_console}<>"$vm_dir/console.in"
	# The log has it all; unread, the pipe would fill up.
	cat "$vm_dir/console.out" >/dev/null 3>&- &
	vm_drain=$!
	set -- qemu-system-x86_64 -accel "$vm_accel" -cpu max \
		-smp "${vm_processors:-2}" -m 1024 \
		-display none -nodefaults -no-reboot \
		-chardev "pipe,id=console,path=$vm_dir/console,logfile=$vm_dir/console.log,logappend=on" \
		-serial chardev:console \
		-chardev "pipe,id=port,path=$vm_dir/port" \
		-device virtio-serial-pci \
		-device virtserialport,chardev=port,name=org.bow.host \
		-chardev "pipe,id=monitor,path=$vm_dir/monitor" \
		-mon chardev=monitor,mode=readline \
		-kernel "$kernel" -initrd "$initrd" \
		-append "console=ttyS0 panic_on_warn=1 $vm_panic $vm_timer $vm_maps ${BOW_VM_ARGUMENTS:-} $arguments" \
		"$@"
	printf '%q ' "$@" >>"$vm_dir/qemu.log"
	echo >>"$vm_dir/qemu.log"
	touch "$vm_dir/console.log"
	vm_console_start=$(stat -c %s "$vm_dir/console.log")
	# 3 is bats': a guest that keeps it would keep bats waiting.
	"$@" >>"$vm_dir/qemu.log" 2>&1 </dev/null 3>&- &
	vm_pid=$!
}

# vm_disk ID FILE [OPTIONS]
#   Print the QEMU options of a virtio disk, one a line (for mapfile).
#   vm_cache: QEMU's name of how it caches; vm_sector: bytes of its sectors (512).
vm_disk()
{
	printf '%s\n' -drive \
		"if=none,id=$1,file=$2,format=raw,cache=${vm_cache:-unsafe},discard=unmap${3:+,$3}" \
		-device "virtio-blk-pci,drive=$1,id=$1-device,logical_block_size=${vm_sector:-512},physical_block_size=${vm_sector:-512}"
}

# vm_memory INITRD ARGUMENTS [QEMU-OPTION...]
#   Print the path of the memory of a guest that has booted so, without a complaint.
vm_memory()
{
	local initrd=$1 arguments=$2 memory part new=yes

	memory=$initrd.$(printf '%s ' "${BOW_VM_ARGUMENTS:-}" "$@" | cksum | cut -d' ' -f1).memory
	shift 2
	(
		# One makes it, the others wait.
		flock 9
		for part in "$initrd" "$(vm_vmlinuz)" "$vm_src/tests/vm/lib.sh"; do
			[ "$memory" -nt "$part" ] || new=no
		done
		[ $new = no ] || exit 0
		rm -f "$initrd.vm/console.log"
		vm_start "$initrd.vm" "$(vm_vmlinuz)" "$initrd" "$arguments" "$@" 9>&- &&
			vm_reply 60 >&2 && vm_shows_warnings &&
			debug_kernel_sound "$initrd.vm/console.log" >&2 &&
			vm_save_memory "$memory.new" 60 &&
			mv "$memory.new" "$memory"
		status=$?
		vm_cut
		exit "$status"
	) 9>"$memory.lock" && echo "$memory"
}

# vm_wake DIRECTORY INITRD ARGUMENTS [QEMU-OPTION...]
#   As vm_start and vm_reply, with the same kernel, but a boot is saved: the guest
#   goes on from vm_memory, and the disks among the options are plugged in.  With
#   vm_plug=no they are in that memory already, as files of the same name and size:
#   a second saved each time.
vm_wake()
{
	local dir=$1 initrd=$2 arguments=$3 options=() drives=() devices=()
	local memory device seed disks=0

	shift 3
	while [ $# -gt 0 ]; do
		case "${vm_plug:-yes} $1 ${2-}" in
		'yes -device virtio-blk'*) devices+=("$2") ;;
		'yes -drive '*) drives+=("$1" "$2") ;;
		*) options+=("$1" "$2") ;;
		esac
		shift 2
	done
	memory=$(vm_memory "$initrd" "$arguments" "${options[@]}") || return
	vm_start "$dir" "$(vm_vmlinuz)" "$initrd" "$arguments" \
		"${options[@]}" -incoming "exec:cat '$memory'" "${drives[@]}" &&
		vm_go_on 60 || return
	seed=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
	for device in "${devices[@]}"; do
		disks=$((disks + 1))
		echo "device_add $device" >&"$vm_monitor"
		vm_run "$(vm_awake "$seed" $disks)" || return
		seed=
	done
	[ $disks != 0 ] || vm_run "$(vm_awake "$seed" 0)" || return
	vm_shows_warnings
}

# vm_awake SEED DISKS
#   The script with which a guest begins anew: of SEED, if there is one, its random
#   numbers, and what vm_shows_warnings looks for; DISKS are there.  It takes no process
#   for a look: emulated, each is some ten milliseconds.
vm_awake()
{
	[ -z "$1" ] || echo "/t/reseed $1 || exit
		echo '<4>guest: warnings are shown' >/dev/kmsg"
	[ "$2" = 0 ] || echo "until set -- /sys/block/vd*; [ \$# = $2 ] && [ -e \$1 ]; do
			sleep 0.05
		done"
}

# vm_type LINE
#   Type on the serial console.
vm_type()
{
	echo "$1" >&"$vm_console"
}

# vm_console_text
#   What the console has shown since vm_start.
vm_console_text()
{
	tail -c "+$((vm_console_start + 1))" "$vm_dir/console.log"
}

# vm_wait_console REGEX SECONDS [LINES]
#   Wait until the console has shown a match since vm_start, or so many.
vm_wait_console()
{
	local deadline=$((SECONDS + $2 * vm_slow))

	until [ "$(vm_console_text | grep -acE "$1")" -ge "${3:-1}" ]; do
		if ! vm_alive || [ "$SECONDS" -ge "$deadline" ]; then
			vm_fail "the console did not show: $1"
			return 1
		fi
		sleep 0.1
	done
}

# vm_shows_warnings
#   False if what the guest's init has written, of the level at which Linux tells of a
#   WARN_ON(), is not on the console: kernel_sound would be blind.
vm_shows_warnings()
{
	vm_wait_console 'guest: warnings are shown' 10
}

# vm_alive
vm_alive()
{
	[ -n "$vm_pid" ] && kill -0 "$vm_pid" 2>/dev/null
}

# vm_reply SECONDS
#   Wait for the guest's reply.  Prints the output, returns the status of the
#   guest's script; 255 if the guest died or did not answer in time.
vm_reply()
{
	local deadline=$((SECONDS + $1 * vm_slow)) header='' part

	until IFS= read -r -t 1 -u "$vm_from" part; do
		header+=$part
		if ! vm_alive; then
			vm_fail "the guest ended instead of answering"
			return 255
		elif [ "$SECONDS" -ge "$deadline" ]; then
			vm_fail "no answer within $1 s"
			return 255
		fi
	done
	header+=$part
	head -c "${header#* }" <&"$vm_from"
	return "${header% *}"
}

# vm_send SCRIPT
#   Have the guest run SCRIPT; its end is not waited for.
vm_send()
{
	local LC_ALL=C

	printf '%s\n%s' "${#1}" "$1" >&"$vm_to"
}

# vm_run SCRIPT [SECONDS]
#   Run SCRIPT in the guest; as vm_reply.
vm_run()
{
	vm_send "$1"
	vm_reply "${2:-60}"
}

# vm_monitor_send COMMAND
#   A command for QEMU's monitor; its echo is thrown away.
vm_monitor_send()
{
	echo "$1" >&"$vm_monitor"
	while read -r -t 0.2 -u "$vm_monitor_out" _; do :; done
}

# vm_wait_monitor COMMAND REGEX SECONDS
#   Give QEMU's monitor the command until a line of its answer matches.
vm_wait_monitor()
{
	local deadline=$((SECONDS + $3 * vm_slow)) line

	while vm_alive && [ "$SECONDS" -lt "$deadline" ]; do
		echo "$1" >&"$vm_monitor"
		while read -r -t 0.05 -u "$vm_monitor_out" line; do
			[[ ! $line =~ $2 ]] || return 0
		done
	done
	vm_fail "the monitor did not say: $2"
}

# vm_save_memory FILE SECONDS
#   And all else that is the guest, but for its disks.  It is stopped, or what an emulated
#   processor writes meanwhile can be missing; "cont" lets it go on.
vm_save_memory()
{
	vm_monitor_send stop
	echo "migrate \"exec:cat >'$1'\"" >&"$vm_monitor"
	vm_wait_monitor 'info migrate' 'Migration status: completed' "$2"
}

# vm_go_on SECONDS
#   A guest that was started with -incoming is as it was saved, stopped; it goes on.
vm_go_on()
{
	vm_wait_monitor 'info status' 'VM status: paused.?$' "$1" &&
		echo cont >&"$vm_monitor"
}

# vm_throttle ID WRITES
#   Let disk ID do so many writes a second, 0: as many as it can.
vm_throttle()
{
	vm_monitor_send "block_set_io_throttle $1 0 0 0 0 0 $2"
}

# vm_close
vm_close()
{
	kill "$vm_drain" 2>/dev/null || true
	exec {vm_to}>&- {vm_from}>&- {vm_monitor}>&- {vm_monitor_out}>&- \
		{vm_console}>&-
	vm_pid=
}

# vm_cut
#   Cut the power.
vm_cut()
{
	[ -n "$vm_pid" ] || return 0
	kill -KILL "$vm_pid" 2>/dev/null || true
	wait "$vm_pid" 2>/dev/null || true
	vm_close
}

# vm_wait_end SECONDS
#   Wait until the guest has ended by itself.
vm_wait_end()
{
	local deadline=$((SECONDS + $1 * vm_slow))

	while vm_alive; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			vm_fail "the guest did not end within $1 s"
			return 1
		fi
		sleep 0.1
	done
	wait "$vm_pid" 2>/dev/null || true
	vm_close
}

# vm_off
#   Switch the minimal guest off, its filesystems flushed.
vm_off()
{
	vm_send 'sync; poweroff -f'
	vm_wait_end 30
}
