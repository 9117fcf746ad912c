#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# shrink.bats - what the crash simulator says of a fault: a line that shows it again
# in a few operations; and which traces it takes
#
# shellcheck disable=SC2154  # helpers.bash and bats set them

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	sim=$build/tests/sim
}

# faulty SED FILE
#   Sets sim to one of a tree in which FILE is changed so.
faulty() {
	local part

	cd "$top" || return
	for part in Makefile kmod/*.[ch] lib common tests/sim tests/*.h; do
		cp -r --parents "$part" "$dir"
	done
	cd "$dir" || return
	cp "$2" before
	sed -z -i "$1" "$2"
	run ! cmp -s before "$2"
	make -s build/tests/sim build/tests/sim-small
}

# reproducers
#   The lines of $output that are to be run, without "# ".
reproducers() {
	sed -n 's,^# \(build/tests/sim[a-z-]* --\),\1,p' <<<"$output"
}

@test "sim: a fault is shrunk to one line, which fails again, and not without it" {
	local line reason shrunk traced

	# Copies need not be durable before the log names them.
	faulty 's/core->work, core->bs, true, true }/core->work, core->bs, false, true }/' \
		kmod/bow_publish.c
	run -1 timeout 300 build/tests/sim --states 600 --seed 20
	line=$(reproducers | head -n 1)
	[[ $line == "build/tests/sim --seed 20 --cut "* ]]
	# shellcheck disable=SC2086  # words
	run -1 $line
	run -1 timeout 300 build/tests/sim --states 400
	[[ $output =~ 'shrunk to '([0-9]+)' of '([0-9]+)' operations' ]]
	[ "${BASH_REMATCH[1]}" -lt 6 ]
	[ "${BASH_REMATCH[1]}" -le "${BASH_REMATCH[2]}" ]
	line=$(reproducers | grep -e --ops | head -n 1)
	reason=$(sed -n 's/^# shrunk to .* runs: //p' <<<"$output" | head -n 1)
	[ -n "$reason" ]
	# shellcheck disable=SC2086
	run -1 $line
	[[ $output == *"$reason"* ]]
	# That of the other simulator, and of a trace, are of what has been run.
	shrunk=$line
	run -1 timeout 300 build/tests/sim-small --states 600 --first
	line=$(reproducers | head -n 1)
	[[ $line == "build/tests/sim-small --seed "* ]]
	# shellcheck disable=SC2086
	run -1 $line
	run -1 timeout 300 build/tests/sim --trace tests/sim/short.trace --states 600 --first
	traced=$(reproducers | head -n 1)
	[[ $traced == *" --trace tests/sim/short.trace "* ]]
	# shellcheck disable=SC2086
	run -1 $traced
	cd "$top"
	# shellcheck disable=SC2086
	run -0 "$sim" ${shrunk#* }
	# shellcheck disable=SC2086
	run -0 "$sim" ${traced#* }
	# shellcheck disable=SC2086
	run -0 "$build/tests/sim-small" ${line#* }
}

@test "sim: a seed gives the same run, with all operations or with some" {
	run -0 "$sim" --seed 40
	all=$output
	run -0 "$sim" --seed 40 --ops 0-100000
	[ "$output" = "$all" ]
	run -0 "$sim" --seed 40 --ops 3,5-9
	[ "$output" != "$all" ]
	for list in ',' 3- 9-3 x '3,,4' 3x; do
		run -16 "$sim" --seed 40 --ops "$list"
	done
}

@test "sim: the power is cut in a trace of a filesystem" {
	run -0 "$sim" --trace "$top/tests/sim/short.trace" --states 2000
	[[ $output == *'"what": "trace"'* ]]
	[[ $output != *'not ok'* ]]
}

@test "sim: what is not a trace is refused" {
	for line in 'W 8' 'X 1 2' 'W 8 0' 'free 8'; do
		printf '# bow trace x\nW 8 8\n%s\n' "$line" >"$dir/bad"
		run -16 "$sim" --trace "$dir/bad"
	done
	echo 'W 8 8' >"$dir/bad"
	run -16 "$sim" --trace "$dir/bad"
	run -16 "$sim" --trace "$dir/missing"
}
