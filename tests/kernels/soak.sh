# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # vm_* are of lib.sh
# The soak in QEMU, in the kernel of debug.sh: two processors, preemption, sleeping where
# one must not is seen.  Slower than User-Mode Linux, but its memory can be saved: six
# hours of one kernel can be had in pieces.  Sourced by soak.sh.

# Seconds between two saved states.
soak_save_every=${BOW_SAVE_EVERY:-600}
# Seconds after which a guest that writes no line is taken for dead.
soak_silent=900

# soak_goes_on DIRECTORY
#   Is there a state to go on from?  What the guest has done since is forgotten.
soak_goes_on()
{
	[ -d "$1/saved" ] || return
	cp "$1/saved/disk" "$1/saved/console.log" "$1" &&
		echo 'soak: goes on from what was saved' >>"$1/console.log"
}

# soak_new DIRECTORY
soak_new()
{
	rm -f "$1/console.log"
	cp "$(vm_module)" "$1/dm-bow.ko" &&
		vm_initrd_of "$1" tests/vm/soak-init &&
		head -c 64M /dev/urandom >"$1/disk"
}

# soak_save DIRECTORY
#   Memory, disk and console of one moment; until it is complete, the state before.
soak_save()
{
	local new=$1/saved.new

	rm -rf "$new"
	mkdir "$new"
	vm_save_memory "$new/memory" 300 &&
		cp "$1/disk" "$1/console.log" "$new" &&
		rm -rf "$1/saved" && mv "$new" "$1/saved" || return
	vm_monitor_send cont
}

# soak_watch DIRECTORY
#   To the end of the guest, or of its patience: when it says nothing any more.
soak_watch()
{
	local next=$((SECONDS + soak_save_every)) said

	while vm_alive; do
		sleep 1
		said=$(stat -c %Y "$1/console.log")
		if [ $(($(date +%s) - said)) -gt "$soak_silent" ]; then
			vm_fail "silent for $soak_silent s"
			break
		fi
		[ "$SECONDS" -ge "$next" ] || continue
		soak_save "$1" || break
		next=$((SECONDS + soak_save_every))
	done
	vm_cut
}

# soak_debug_kernel
#   For what follows, unless the caller has chosen another with BOW_KVER.
soak_debug_kernel()
{
	[ -z "${BOW_KVER:-}" ] || return 0
	tests/kernels.sh --build debug || return
	export BOW_KROOT=$PWD/build/kernels/debug/image
	BOW_KVER=$(cat "$BOW_KROOT/../build/include/config/kernel.release") || return
	export BOW_KVER BOW_MODULE=$BOW_KROOT/../src/dm-bow.ko
	export BOW_VM_ARGUMENTS=kmemleak=off
	vm_build=$vm_src/build/vm-$BOW_KVER
}

# soak_qemu DIRECTORY SECONDS
#   SECONDS of the guest: of a guest that is gone on with, those it was begun with.
#   Leaves console.log.  Fails on a report of the kernel.
soak_qemu()
{
	local disk incoming=()

	soak_debug_kernel || return
	if soak_goes_on "$1"; then
		cmp "$1/dm-bow.ko" "$(vm_module)" || {
			echo "soak.sh: $1/saved is of another dm-bow.ko: remove it, to begin anew" >&2
			exit 2
		}
		incoming=(-incoming "exec:cat '$1/saved/memory'")
	else
		soak_new "$1" || return
	fi
	mapfile -t disk < <(vm_disk soak "$1/disk")
	trap vm_cut EXIT
	vm_start "$1" "$(vm_vmlinuz)" "$1/initrd" "$vm_terse SECONDS_EACH=$2" \
		"${disk[@]}" "${incoming[@]}" || return
	[ "${#incoming[@]}" = 0 ] || vm_go_on 300 || return
	soak_watch "$1" || return
	debug_kernel_sound "$1/console.log" || return
	# It has ended by itself, well or not: it is not gone on with.
	! grep -aqE '^soak: (done|FAILED)' "$1/console.log" || rm -rf "$1/saved"
}
