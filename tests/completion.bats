#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# completion.bats - what bash offers after bow-restore, bow-verify and bowctl

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	# shellcheck source=completion/bow.bash
	. "$top/completion/bow.bash"
}

# offered WORD...
#   What is offered for the last word, one a line.
offered() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_bow "$1" "${*: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s\n' "${COMPREPLY[@]}"
}

@test "completion: every option of the man page" {
	local program

	for program in bow-restore bow-verify bowctl; do
		complete -p $program
		[ "$(offered "$top/build/$program" --)" = \
			"$(man_options $program.8)" ]
	done
	[ "$(offered "$verify" --exp)" = --export ]
}

@test "completion: the commands of bowctl, once" {
	[ "$(offered "$top/build/bowctl" chec)" = checkpoint ]
	[ "$(offered "$top/build/bowctl" -v sta)" = status ]
	cd "$dir"
	touch commit.img
	[ "$(offered "$top/build/bowctl" status comm)" = commit.img ]
}

@test "completion: devices and files, where one is wanted" {
	cd "$dir"
	touch disk.img
	[ "$(offered "$verify" --list dis)" = disk.img ]
	[ "$(offered "$verify" --export dis)" = disk.img ]
	[ -z "$(offered "$verify" --cat dis)" ]
	[ -z "$(offered "$verify" -C dis)" ]
}
