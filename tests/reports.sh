# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a kernel says of itself on its console: a test that went well in a kernel that
# complains has failed.  Sourced.

# kernel_sound LOG...
#   False, and printed, if there is anything of that, or a log cannot be read.
kernel_sound()
{
	local status=0

	grep -aE -A 3 'BUG|Oops|WARNING|Kernel panic|KASAN|UBSAN|ODEBUG|list_(add|del) corruption|INFO: trying to register|blocked for more' "$@" ||
		status=$?
	# 2 is an error of grep's.
	[ "$status" = 1 ]
}

# debug_kernel_sound LOG
#   The same of the debug kernel.  Linux 6.1 itself reads a maple tree without its
#   lock: those four lines are left out, and no others of their kind.
debug_kernel_sound()
{
	[ -r "$1" ] || return
	tr -d '\r' <"$1" | sed -E '/WARNING: suspicious RCU usage$/ {
		N; N; N
		/^[^\n]*\n[^\n]*ainted[^\n]*\n-+\nlib\/maple_tree\.c:[^\n]*$/d
	}' | kernel_sound -
}
