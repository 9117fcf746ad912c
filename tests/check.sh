#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [--long] [NAME...] - run the tests and count them
#
# NAME is a group: lint, unit, san, sim, faults, fuzz, vm, NAME for the files
# tests/NAME.bats and tests/NAME-*.bats, or for tests/vm/NAME.bats; without names
# all of them run.  Only with --long, or if named: log-writes, fio-long, kills,
# kills-qemu, disk-faults, soak.  Every group prints TAP; a program that ends early, without its
# plan or with a status that its lines do not explain, counts as a failure.  Logs
# stay in build/check/.

set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh
# shellcheck source=tests/tap.sh
. tests/tap.sh

out=build/check
long=0
passed=0 failed=0 skipped=0

# ---- what there is to run ----

# Names of all groups, in the order in which they run.
all_groups()
{
	local f

	echo lint unit san sim faults fuzz
	for f in tests/*.bats; do
		# NAME-PART.bats is run with NAME.bats.
		basename "${f%%-*}" .bats
	done | sort -u
	echo vm
	[ $long = 0 ] || printf '%s\n' log-writes fio-long kills kills-qemu disk-faults soak
}

# programs_of GROUP
#   The group's programs, one "LANE NAME COMMAND" a line.  Lanes run at the same
#   time; the virtual machines share one, all else the other.
programs_of()
{
	local f

	case $1 in
	lint)	echo 'host lint tests/lint.sh' ;;
	unit)	unit_programs build unit
		echo 'host passes build/tests/passes' ;;
	san)	unit_programs build/san san-unit
		sanitized restore restore-damage restore-faults verify verify-view \
			verify-faults files-journal ;;
	sim)	echo "host sim build/tests/sim$([ $long = 0 ] || echo ' --long')"
		echo "host sim-small build/tests/sim-small --states $(
			[ $long = 0 ] && echo 100000 || echo 1000000)" ;;
	faults)	echo "host faults build/tests/faults $([ $long = 0 ] &&
			echo --logs 150 --states 50000 ||
			echo --logs 300 --states 5000000 --stride 1)" ;;
	fuzz)	echo "host fuzz tests/fuzz.sh $([ $long = 0 ] && echo 10 || echo 600)" ;;
	log-writes) echo 'host log-writes tests/log-writes.sh' ;;
	fio-long) echo 'host fio-long tests/fio.sh' ;;
	kills)	echo 'host kills tests/kills.sh 2000' ;;
	kills-qemu) echo 'vm kills-qemu tests/kills.sh --qemu 2000' ;;
	disk-faults) echo 'host disk-faults tests/disk-faults.sh' ;;
	vm)	for f in tests/vm/*.bats; do
			[ -e "$f" ] || continue
			[ "$f" != tests/vm/soak.bats ] || continue
			echo "vm vm-$(basename "$f" .bats) bats --tap $f"
		done ;;
	*)	if [ -e "tests/$1.bats" ]; then
			for f in "tests/$1.bats" "tests/$1"-*.bats; do
				[ -e "$f" ] || continue
				echo "host $(basename "$f" .bats) bats --tap $f"
			done
		elif [ -e "tests/vm/$1.bats" ]; then
			echo "vm vm-$1 bats --tap tests/vm/$1.bats"
		else
			echo "check.sh: there is no group $1" >&2
			return 1
		fi ;;
	esac
}

# sanitized NAME...
#   bats files with the programs that the sanitizers watch.
sanitized()
{
	local f

	for f; do
		echo "host san-$f env SANITIZED=1" \
			BOW_RESTORE=build/san/tests/bow-restore \
			BOW_VERIFY=build/san/bow-verify \
			"bats --tap tests/$f.bats"
	done
}

# unit_programs DIRECTORY PREFIX
unit_programs()
{
	local f name

	for f in tests/unit/test_*.c; do
		[ -e "$f" ] || continue
		name=$(basename "$f" .c)
		echo "host $2-${name#test_} $1/tests/$name"
	done
}

# ---- before they run ----

get_packages()
{
	local lists="$PACKAGES_BUILD $PACKAGES_MODULE $PACKAGES_TEST"

	case " $* " in *' lint '* | *' fuzz '*) lists="$lists $PACKAGES_LINT" ;; esac
	case " $* " in *' machines '*) lists="$lists $PACKAGES_MACHINES" ;; esac
	if grep -q '^vm ' "$out/programs"; then
		lists="$lists $PACKAGES_VM"
	fi
	need_packages "$lists"
}

build()
{
	make -j2 all test-programs kmod || return 1
	case " $* " in *' san '*) make -j2 SAN=1 all test-programs ;; esac
}

# ---- running ----

# Images on a disk would wait for thousands of flushes that say nothing here.
use_memory()
{
	local free

	[ -z "${TMPDIR-}" ] && [ -w /dev/shm ] || return 0
	free=$(df --output=avail -k /dev/shm | tail -n 1)
	[ "$free" -gt 2000000 ] && export TMPDIR=/dev/shm
	return 0
}

# run_lane LANE ORDER
#   The lane's programs, one after the other, in the order that "cat" or "tac" makes
#   of them; then those that the other lane has not begun, its last ones first.
run_lane()
{
	local lane name command

	{
		grep "^$1 " "$out/programs" | "$2"
		grep -v "^$1 " "$out/programs" | tac
	} | while read -r lane name command; do
		mkdir "$out/$name.begun" 2>/dev/null &&
			run_program "$name" "$command"
	done
}

# run_program NAME COMMAND
#   Leaves NAME.tap, what it printed, and NAME.end, "STATUS SECONDS".
run_program()
{
	local begin=$SECONDS status=0

	# shellcheck disable=SC2086  # a command line without quotes
	$2 </dev/null 2>&1 | tests/record.sh >"$out/$1.tap"
	status=${PIPESTATUS[0]}
	echo "$status $((SECONDS - begin))" >"$out/$1.end"
	report "$1"
}

# report NAME
#   A line for the program, and its failures in full.
report()
{
	local status seconds good bad skip

	read -r status seconds <"$out/$1.end"
	judge "$out/$1.tap" "$status" "$out/$1.counts" >"$out/$1.bad"
	read -r good bad skip <"$out/$1.counts"
	{
		printf '%-24s %4d passed, %d failed' "$1" "$good" "$bad"
		[ "$skip" = 0 ] || printf ', %d skipped' "$skip"
		printf '  (%d s)\n' "$seconds"
		sed 's/^/    /' "$out/$1.bad"
		# A skip is no pass: say why.
		sed -n 's/^ok.*# *skip/    skipped:/Ip' "$out/$1.tap" | sort | uniq -c
	} >"$out/$1.report"
	cat "$out/$1.report"
}

# Add up what every program counted; one that left nothing failed.
add_up()
{
	local lane name command good bad skip

	while read -r lane name command; do
		if [ -s "$out/$name.counts" ]; then
			read -r good bad skip <"$out/$name.counts"
		else
			echo "$name did not run ($lane: $command)"
			good=0 bad=1 skip=0
		fi
		passed=$((passed + good))
		failed=$((failed + bad))
		skipped=$((skipped + skip))
	done <"$out/programs"
}

finish()
{
	printf '%d passed, %d failed' "$passed" "$failed"
	[ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
	echo
	[ "$failed" = 0 ]
}

main()
{
	local group

	if [ "${1-}" = --long ]; then
		long=1
		shift
	fi
	export BOW_CHECK_LONG=$long
	# shellcheck disable=SC2046  # words
	[ $# -gt 0 ] || set -- $(all_groups)
	rm -rf "$out"
	mkdir -p "$out"
	for group; do
		programs_of "$group" >>"$out/programs" || exit 1
	done
	# Two of one name would overwrite each other's results.
	if cut -d' ' -f2 "$out/programs" | sort | uniq -d | grep .; then
		echo 'check.sh: more than once' >&2
		exit 1
	fi
	get_packages "$@" || exit 1
	if ! build "$@" >"$out/build.log" 2>&1; then
		cat "$out/build.log"
		echo 'not ok - build'
		failed=1
		finish
		exit 1
	fi
	run_lane vm cat &
	use_memory
	# Two processors would be idle for a quarter of the time that two lanes take.
	run_lane host tac &
	run_lane host cat
	wait
	add_up
	finish
}

main "$@"
