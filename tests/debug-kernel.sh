#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# debug-kernel.sh [SECONDS] - dm-bow under load in a kernel that watches it
#
# User-Mode Linux of Debian's linux-source-6.1 with KASAN, UBSAN, PROVE_LOCKING
# and checks of lists, objects and hung tasks, dm-bow built in.  Every load runs
# SECONDS (20).  Fails on any report.  Built in build/uml: 3 GiB, and half an
# hour the first time.  BOW_LAB: where it works and leaves console.log
# (build/debug-kernel).
#
# What cannot be had: DEBUG_ATOMIC_SLEEP, as User-Mode Linux has no preemption;
# kmemleak, which reports thousands of objects of the kernel's own there; two
# processors.  kernels.sh debug has them, in QEMU, and is some thirty times slower.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/vm/lib.sh
. tests/vm/lib.sh
# shellcheck source=tests/reports.sh
. tests/reports.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
need_packages "$PACKAGES_VM $PACKAGES_UML"

seconds=${1-20}
# soak.sh has another one, which ends by itself after SECONDS.
init=${DEBUG_INIT-tests/vm/debug-init}
dir=${BOW_LAB:-$PWD/build/debug-kernel}
log=$dir/console.log

uml_kernel debug "$UML_ON DEBUG_KERNEL KASAN PROVE_LOCKING UBSAN
	DEBUG_LIST DEBUG_SG DEBUG_VM DEBUG_OBJECTS DEBUG_OBJECTS_WORK
	DEBUG_OBJECTS_TIMERS DETECT_HUNG_TASK" "$UML_OFF NET DEBUG_KMEMLEAK"
vm_initrd_of "$dir" "$init"
head -c 64M /dev/urandom >"$dir/disk"
timeout $((seconds * 60 + 300)) "$uml_build/debug/linux" mem=512M initrd="$dir/initrd" \
	ubd0="$dir/disk" con=null con0=fd:0,fd:1 SECONDS_EACH="$seconds" \
	>"$log" 2>&1 </dev/null || true
if ! debug_kernel_sound "$log"; then
	echo "debug-kernel.sh: reports, see $log" >&2
	exit 1
fi
[ "$init" = tests/vm/debug-init ] || exit 0
grep -aE 'writes, .* reads' "$log" || :
# It says so when all of it went as it should, else what did not.
grep -a '^debug-kernel: done' "$log" || {
	grep -a '^debug-kernel: FAILED' "$log" || :
	echo "debug-kernel.sh: it did not come to its end, see $log" >&2
	exit 1
}
