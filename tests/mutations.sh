#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutations.sh [--module] [--applies | --untried | FIRST [LAST]] - faults put in on
# purpose: is there a test that fails?
#
# For each fault of tests/mutations.txt, or the FIRST to the LAST, or those that
# docs/records.jsonl does not know as caught in the file as it is, one change in a
# copy of the tree; then, until one fails, the unit tests and short campaigns of
# tests/faults and tests/sim.  With --module faults of the module's shell, which is
# tried in virtual machines.  TAP, a line a fault.  A fault that cannot be put in
# any more is a failure as well; --applies looks for that alone, and whether there
# still is the test that its record names.

set -u
cd "$(dirname "$0")/.." || exit 1

list=mutations.txt
kind=mutation
if [ "${1-}" = --module ]; then
	list=mutations-module.txt
	kind=module-mutation
	shift
fi
untried=0 applies=0
case ${1-} in
--untried) untried=1; shift ;;
--applies) applies=1; shift ;;
esac
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
	for file in tests/vm/{failures,engine,requests}.bats; do
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

# put_in FILE SED
#   False if there is no such place.  The file as it was is "good".
put_in()
{
	cp "$1" good
	sed -z -i "$2" "$1"
	! cmp -s "$1" good
}

# mutate NAME FILE SED
mutate()
{
	local begin=$SECONDS result='nothing: no such place in the source'

	if put_in "$2" "$3"; then
		result=$(caught_by "$2")
	fi
	cp good "$2"
	say "$1" "${result:-nothing: survived}" $((SECONDS - begin))
}

# only_put_in NAME FILE SED
only_put_in()
{
	local problem='' caught

	count=$((count + 1))
	caught=$(newest "$1" | cut -f 2)
	if ! put_in "$2" "$3"; then
		problem='no such place in the source'
	elif [ -n "$caught" ] && ! is_test "$caught"; then
		problem="no such test any more: $caught"
	fi
	cp good "$2"
	[ -z "$problem" ] || bad=$((bad + 1))
	echo "${problem:+not }ok $count - $1${problem:+: $problem}"
}

# newest NAME
#   Of its newest record the commit and, if that caught it, the test.
newest()
{
	jq -rn --arg name "$1" --arg what $kind '
		[inputs | select(.what == $what and .name == $name)] |
		max_by(.date) // empty |
		[.commit, if .findings == 0 then .caught else "" end] | @tsv' \
		"$here/docs/records.jsonl"
}

# is_caught NAME FILE
#   Since when the file has not changed, and by a test that there still is.
is_caught()
{
	local commit caught

	IFS=$'\t' read -r commit caught < <(newest "$1") &&
		git -C "$here" diff --quiet "$commit" HEAD -- "$2" 2>/dev/null &&
		is_test "$caught"
}

# is_test NAME: what a record names as the test that failed.
is_test()
{
	local name=${1%, by its time}

	[ -e "$here/tests/unit/$name.c" ] || [ "$name" = many-logs ] ||
		[ -d "$here/tests/$name" ] ||
		grep -qxF "@test \"$name\" {" "$here"/tests/vm/*.bats
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
if [ $applies = 0 ] && [ -n "$(caught_by none)" ]; then
	echo 'not ok 1 - without a fault all tests pass'
	cat build.log test.log
	exit 1
fi
while IFS='|' read -r name file rest; do
	case $name in '#'* | '') continue ;; esac
	number=$((number + 1))
	# An expression may have more bars.
	set -- "${name% }" "${file// /}" "${rest# }"
	if [ $applies = 1 ]; then
		only_put_in "$@"
	elif [ $number -ge "$first" ] && [ $number -le "$last" ] &&
			! { [ $untried = 1 ] && is_caught "$1" "$2"; }; then
		mutate "$@"
	fi
done <"$here/tests/$list"
echo "1..$count"
exit $((bad != 0))
