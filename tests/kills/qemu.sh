# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # shared with kills.sh and lib.sh
# The guests of kills.sh --qemu: Debian's kernel in QEMU, its disk a file with
# cache=writeback.  QEMU gets SIGKILL, then bow-restore on the host; or, one in four
# as it takes three times as long, its monitor resets the machine, which boots
# again, then bow-restore in the guest.  Sourced.

# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh

campaign=kills-qemu
dir=${BOW_LAB:-/dev/shm/kills-qemu}
vm_cache=writeback
vm_plug=no
# "checkpoint" is the load from its start, "load" counts from when it is active.
declare -A lasts=([checkpoint]=1500 [load]=4000 [resume]=6000)

lab_ready()
{
	local missing initrd

	need_packages "$PACKAGES_VM $PACKAGES_MODULE" || return
	missing=$(vm_requires)
	[ -z "$missing" ] || { echo "missing: $missing" >&2; return 1; }
	[ -e "$(vm_module)" ] || { echo 'no kmod/dm-bow.ko' >&2; return 1; }
	initrd=$(vm_initrd) && cp "$initrd" "$dir/initrd" &&
		(cd tests && printf '%s\n' kills kills/guest.sh logwrites \
			logwrites/workloads.sh | cpio -o -H newc --quiet) \
			>>"$dir/initrd"
}

turn()
{
	local whats=(checkpoint load commit resume rollback)

	what=${whats[n % 5]}
	block_size=$((n / 20 % 2 ? 1024 : 4096))
	variant=$([ $((n % 4)) = 2 ] && echo system_reset || echo SIGKILL)
}

kind()
{
	echo "$1, $2"
}

ending()
{
	echo "$1"
}

# A guest that panics must halt: a boot of its own would pass for a reset.  What
# guest.sh tells goes through the second serial port into a file.
qemu_start()
{
	local disk

	rm -rf "$dir/vm"
	mapfile -t disk < <(vm_disk disk0 "$dir/disk")
	vm_wake "$dir/vm" "$dir/initrd" "$vm_terse panic=0" -action reboot=reset \
		-serial "file:$dir/said" "${disk[@]}"
}

run_guest()
{
	local status=0

	qemu_start && vm_run "sh /kills/guest.sh $1 /dev/vda $2" 300 && vm_off ||
		status=1
	vm_cut
	return "$status"
}

# said WORD
said()
{
	grep -q "^$1" "$dir/said"
}

# wait_said WORD
wait_said()
{
	local deadline=$((SECONDS + 60 * vm_slow))

	until said "$1"; do
		if ! vm_alive || said failed || [ "$SECONDS" -ge "$deadline" ]; then
			vm_fail "the guest did not get to: $1"
			return 1
		fi
		sleep 0.002
	done
}

# Print twice where the processors are.
where_is_it()
{
	local line

	for _ in 1 2; do
		echo 'info registers -a' >&"$vm_monitor"
		while read -r -t 1 -u "$vm_monitor_out" line; do
			[[ $line != *[RE]IP=* ]] || echo "$line"
		done
	done
}

# The first reply after it is that of the next boot: the script before never
# ends.
qemu_reset()
{
	vm_monitor_send system_reset
	vm_reply 60 || { where_is_it; return 1; }
}

console()
{
	vm_console_text
}

begin()
{
	local word=$1

	[ "$1" != load ] || word=begun
	qemu_start || return
	vm_send "sh /kills/guest.sh $1 /dev/vda $2; sleep 3600"
	wait_said "$word"
}

strike()
{
	if [ "$1" = SIGKILL ]; then
		vm_cut
	else
		qemu_reset || return
	fi
	! said begun || : >"$dir/begun"
}

undo()
{
	if [ -z "$vm_pid" ]; then
		"$restore" "$@" "$dir/disk"
	else
		vm_run "bow-restore $* /dev/vda 2>/dev/null" 120
	fi
}

guest_off()
{
	[ -z "$vm_pid" ] || vm_off
}

kill_guest()
{
	vm_cut
}
