#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutations.sh [--module] [FIRST [LAST]] - faults put in on purpose: is there a test that fails?
#
# For each fault of tests/mutations.txt, or the FIRST to the LAST, one change in a
# copy of the tree; then, until one fails, the unit tests and short campaigns of
# tests/faults and tests/sim.  With --module faults of the module's shell, which is
# tried in virtual machines.  TAP, a line a fault.  A fault that cannot be put in
# any more is a failure as well.

set -u
cd "$(dirname "$0")/.." || exit 1

list=mutations.txt
kind=mutation
if [ "${1-}" = --module ]; then
	list=mutations-module.txt
	kind=module-mutation
	shift
fi
first=${1-1}
last=${2-1000}
here=$PWD
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
count=0 bad=0 number=0

# test_ctl_* are bowctl's, which none of the faults touch.
mapfile -t units < <(printf '%s\n' tests/unit/test_*.c | grep -v test_ctl_ |
	sed 's,.*/\(.*\)\.c,\1,')

# The test that bears the name of FILE, if there is one.
own()
{
	local own

	own=test_$(basename "$1" .c | sed 's/^bow_//')
	[ ! -e "tests/unit/$own.c" ] || echo "$own"
}

run()
{
	case $1 in
	faults)	timeout 600 build/tests/faults --states 20000 ;;
	many-logs) timeout 900 build/tests/faults --logs 100 ;;
	sim)	timeout 900 build/tests/sim --states 30000 --first ;;
	*)	timeout 120 "build/tests/$1" ;;
	esac
}

# try TEST...
#   Sets caught to the test that fails first, if one does.
try()
{
	local t status

	[ $# -gt 0 ] || return 0
	if ! make -s -j2 "${@/#/build/tests/}" >build.log 2>&1; then
		caught='nothing: it does not build'
		return
	fi
	for t; do
		status=0
		run "$t" >test.log 2>&1 || status=$?
		case $status in
		0)	continue ;;
		124)	caught="$t, by its time" ;;
		*)	caught=$t ;;
		esac
		return
	done
}

# titles FILE.bats: as regular expressions that match nothing else.
titles()
{
	sed -n 's/^@test "\(.*\)" {$/\1/p' "$1" |
		sed 's/[][().*+?^$|\\{}]/\\&/g; s/.*/^&$/'
}

# The same of the module: the first test that fails in a virtual machine.  One
# after the other, as bats itself would go on to the end.
caught_in_vm()
{
	local file title

	if ! make -s -j2 all test-programs kmod >build.log 2>&1; then
		echo 'nothing: it does not build'
		return
	fi
	for file in tests/vm/{engine,requests}.bats; do
		while IFS= read -r title; do
			bats --tap -f "$title" "$file" >test.log 2>&1 </dev/null &&
				grep -q '^ok 1 ' test.log && continue
			sed -n 's/^not ok [0-9]* //p' test.log | grep . || echo "$title"
			return
		done < <(titles "$file")
	done
}

# caught_by FILE
#   The test that fails first; nothing if all pass.  The quick ones come first.
caught_by()
{
	local caught='' tests

	if [ $list = mutations-module.txt ]; then
		caught_in_vm
		return
	fi

	for tests in "$(own "$1")" "${units[*]}" faults sim; do
		# shellcheck disable=SC2086  # words
		[ -n "$caught" ] || try $tests
	done
	if [ -z "$caught" ]; then
		run many-logs >test.log 2>&1 || caught=many-logs
	fi
	echo "$caught"
}

# mutate NAME FILE SED
mutate()
{
	local begin=$SECONDS result

	cp "$2" good
	sed -z -i "$3" "$2"
	if cmp -s "$2" good; then
		result='nothing: no such place in the source'
	else
		result=$(caught_by "$2")
	fi
	cp good "$2"
	say "$1" "${result:-nothing: survived}" $((SECONDS - begin))
}

# say NAME RESULT SECONDS
say()
{
	local ok='' before=$bad

	count=$((count + 1))
	case $2 in nothing*) ok='not ' bad=$((bad + 1)) ;; esac
	echo "${ok}ok $count - $1: $2"
	echo "# record $(jq -cn --arg name "$1" --arg caught "$2" \
		--argjson seconds "$3" --argjson findings $((bad - before)) \
		--arg what $kind '$ARGS.named')"
}

git ls-files -z | xargs -0 cp --parents -t "$copy" || exit 1
cd "$copy" || exit 1
if [ -n "$(caught_by none)" ]; then
	echo 'not ok 1 - without a fault all tests pass'
	cat build.log test.log
	exit 1
fi
while IFS='|' read -r name file rest; do
	case $name in '#'* | '') continue ;; esac
	number=$((number + 1))
	if [ $number -ge "$first" ] && [ $number -le "$last" ]; then
		# An expression may have more bars.
		mutate "${name% }" "${file// /}" "${rest# }"
	fi
done <"$here/tests/$list"
echo "1..$count"
exit $((bad != 0))
