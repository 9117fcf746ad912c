#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# bowctl-man.bats - what bowctl(8) has to name, by the sources

# What the scripts expand is looked for in them:
# shellcheck disable=SC2016

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
}

teardown() {
	common_teardown
}

# documented SECTION: names, from standard input, that this section of the man page lacks
documented() {
	sed -n "/^\.SH $1/,/^\.SH [^$1]/p" "$top/man/bowctl.8" |
		grep -oE '[a-z][a-z0-9_]*' | sort -u >"$dir/man"
	sort -u >"$dir/names"
	[ "$(wc -l <"$dir/names")" -gt 10 ]
	comm -23 "$dir/names" "$dir/man" >"$dir/missing"
	cat "$dir/missing"
	[ ! -s "$dir/missing" ]
}

@test "bowctl: -J: every member is in the man page" {
	{
		sed -n 's/.*json_[a-z0-9]*(&*j, "\([a-z_]*\)".*/\1/p' "$top"/control/*.c
		grep -oE '[a-z_]+:%' "$top/kmod/dm-bow-target.c" | tr -d :%
	} | documented JSON
}

@test "bowctl: every line of the record of a boot is in the man page" {
	{
		sed -n 's/.*bow_record \([a-z_]*\) .*/\1/p' "$top"/initramfs-hook/scripts/*/bow
		sed -n 's/.*echo "\([a-z]*\)=\$running.*/\1/p' "$top"/initramfs-hook/scripts/*/bow
	} | documented FILES
}
