#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# coverage.sh [--report] - which lines and branches do the tests reach?
#
# Runs what runs on the host in make check, built by "make COV=1", and counts the
# lines and branches of libbow, the programs and the pure core.  The table of
# docs/coverage.md is made of that.  A line that is not reached must be in
# tests/uncovered.txt with its reason, and nothing else may be in there; of the
# validator and the planner every line and every branch must be reached.  Prints
# TAP.  With --report nothing runs: the profiles of the last time are read again.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
. tests/packages.sh

b=build/cov
out=$b/report
doc=docs/coverage.md
reasons=tests/uncovered.txt

# Nothing may be missing in these.
whole='lib/log.c lib/header.c lib/entry.c lib/torn.c lib/verify.c lib/check.c
	lib/blocks.c lib/plan.c lib/places.c lib/words.c lib/relocate.c lib/runs.c lib/passes.c'

# run NAME COMMAND...
run()
{
	local name=$1 begin=$SECONDS status=0

	shift
	"$@" </dev/null >"$out/$name.log" 2>&1 || status=$?
	[ "$status" = 0 ] || grep -v '^ok' "$out/$name.log" | sed 's/^/# /'
	say "$status" "$name ($((SECONDS - begin)) s)"
}

run_all()
{
	local f

	rm -rf "$out"
	mkdir -p "$out"
	# Images on a disk would wait for thousands of flushes.
	TMPDIR=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
	trap 'rm -rf "$TMPDIR"' EXIT
	export TMPDIR
	export LLVM_PROFILE_FILE=$PWD/$out/%8m.profraw
	export SANITIZED=1 BOW_BUILD=$b BOW_RESTORE=$b/tests/bow-restore \
		BOW_VERIFY=$b/bow-verify
	for f in tests/unit/test_*.c; do
		f=$(basename "$f" .c)
		run "$f" "$b/tests/$f"
	done
	run passes "$b/tests/passes"
	run faults "$b/tests/faults" --logs 300 --states 20000
	run sim "$b/tests/sim" --states 60000
	for f in restore restore-damage restore-faults restore-interface \
		restore-torn verify verify-faults verify-view export files files-journal damage bowctl resume; do
		run "bats-$f" bats --tap "tests/$f.bats"
	done
}

# ---- counting ----

# The tables of LLVM, of the sources that count.
export_counts()
{
	local f objects=

	for f in "$b"/tests/* "$b/bow-verify" "$b/bowctl"; do
		[ -x "$f" ] && objects="$objects -object $f"
	done
	llvm-profdata merge -o "$out/profile" "$out"/*.profraw || return 1
	# shellcheck disable=SC2086  # words; the first is no option
	set -- ${objects# -object }
	llvm-cov export -format=lcov "$@" -instr-profile="$out/profile" \
		>"$out/lcov" 2>"$out/export.log" &&
		llvm-cov export "$@" -instr-profile="$out/profile" \
			>"$out/json" 2>>"$out/export.log"
}

# FILE LINE of what follows a BOW_NEVER(): see lib/log.h.
nevers()
{
	# shellcheck disable=SC2046  # words
	awk '/BOW_NEVER\(/ && !/define/ { on = 1; next }
		on { print FILENAME, FNR; if (/;/) on = 0 }' $(sources)
}

sources()
{
	printf '%s\n' lib/*.[ch] kmod/bow_*.[ch] common/*.[ch] restore/*.[ch] \
		verify/*.[ch] control/*.[ch]
}

# FILE LINE COUNT, of the sources.
lines()
{
	awk -F '[:,]' -v top="$PWD/" '
		/^SF:/ { f = $2; sub(top, "", f) }
		/^DA:/ { print f, $2, $3 }' "$out/lcov"
}

# FILE LINE COLUMN TRUE FALSE: each condition once, all its copies together.
# What the compiler knows has no count in either way.
branches()
{
	# shellcheck disable=SC2016  # jq's own variables
	jq -r --arg top "$PWD/" '.data[0].files[] |
		(.filename | ltrimstr($top)) as $f | .branches |
		group_by(.[:4])[] |
		[$f, .[0][0], .[0][1], (map(.[4]) | add), (map(.[5]) | add)] |
		map(tostring) | join(" ")' "$out/json"
}

# only FILE
#   Its lines that begin with the name of a source.
only()
{
	awk 'FILENAME == ARGV[1] { source[$1] = 1; next }
		FILENAME == ARGV[2] { never[$1, $2] = 1; next }
		$1 in source && !(($1, $2) in never)' \
		<(sources) <(nevers) "$1"
}

count_all()
{
	export_counts || return 1
	lines >"$out/lines.all" && branches >"$out/branches.all" || return 1
	only "$out/lines.all" >"$out/lines"
	only "$out/branches.all" >"$out/branches"
	# FILE LINE|text
	awk '$3 == 0 { print $1, $2 }' "$out/lines" |
		while read -r f n; do
			printf '%s %s|%s\n' "$f" "$n" \
				"$(sed -n "${n}{s/^[ \t]*//;p;q}" "$f")"
		done >"$out/missed"
	awk '$4 == 0 { print $1, $2, $3, "never true" }
		$5 == 0 { print $1, $2, $3, "never false" }' "$out/branches" \
		>"$out/missed-branches"
}

# ---- judging ----

# FILE LINE FUNCTION|text, of the lines that were not reached.
with_functions()
{
	awk -F '|' '
	function read_file(f,	n, line, now, part) {
		done[f] = 1
		while ((getline line <f) > 0) {
			n++
			if (line ~ /^[a-z].*\(/ && line !~ /;/) {
				now = line
				sub(/\(.*/, "", now)
				sub(/.*[ *]/, "", now)
			}
			fn[f, n] = now
		}
		close(f)
	}
	{
		split($1, at, " ")
		if (!(at[1] in done))
			read_file(at[1])
		text = $0
		sub(/^[^|]*\|/, "", text)
		print at[1] " " at[2] " " fn[at[1], at[2]] "()|" text
	}' "$out/missed"
}

# Lines that were not reached and have no reason; more of a file than its star has;
# reasons that nothing needs.
judge_lines()
{
	with_functions | awk -F '|' '
	function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
	function fits(i,	dir) {
		dir = file[i]
		if (sub(/\*$/, "", dir) ? index(at[1], dir) != 1 : at[1] != dir)
			return 0
		return star[i] || what[i] == at[3] ||
			index(text, what[i])
	}
	NR == FNR {
		if ($0 ~ /^#/ || $0 ~ /^[ \t]*$/)
			next
		file[++n] = trim($1)
		what[n] = $0
		sub(/^[^|]*\|/, "", what[n])
		sub(/\|[^|]*$/, "", what[n])
		what[n] = trim(what[n])
		if (NF < 3 || trim($NF) == "" || what[n] == "")
			print "no reason: " $0
		if (what[n] ~ /^\*/) {
			star[n] = substr(what[n], 2) + 0
			if (!star[n])
				print "a star without a number: " $0
		}
		next
	}
	{
		split($1, at, " ")
		missed[at[1]]++
		text = $0
		sub(/^[^|]*\|/, "", text)
		text = trim(text)
		# What closes or continues something says nothing by itself.
		if (text !~ /[a-z]/)
			next
		found = 0
		for (i = 1; i <= n; i++)
			if (fits(i)) { used[i]++; found = 1 }
		if (!found)
			print at[1] ":" at[2] ": not reached: " text
	}
	END {
		for (i = 1; i <= n; i++)
			if (star[i] && missed[file[i]] > star[i])
				print file[i] ": " missed[file[i]] " lines are " \
					"not reached, and " star[i] " have a reason"
		for (i = 1; i <= n; i++)
			if (!used[i])
				print "nothing needs the reason of " file[i] \
					" | " what[i]
	}' "$reasons" - | sort
}

judge_whole()
{
	local f

	for f in $whole; do
		sed -n "s,^$f \([0-9]*\)|\(.*\),$f:\1: not reached: \2,p" \
			"$out/missed"
		sed -n "s,^$f \([0-9]*\) \([0-9]*\) \(.*\),$f:\1:\2: \3,p" \
			"$out/missed-branches"
	done
}

# ---- the table ----

table()
{
	echo '| file | lines | reached | | branches | reached | |'
	echo '|---|--:|--:|--:|--:|--:|--:|'
	awk '
	function percent(a, b) {
		# Nearly all is not all.
		return b ? sprintf("%.1f", int(1000 * a / b) / 10) " %" : ""
	}
	function row(name, i) {
		return "| " name " | " l[i] " | " lr[i] + 0 " | " \
			percent(lr[i], l[i]) " | " b[i] + 0 " | " br[i] + 0 \
			" | " percent(br[i], b[i]) " |"
	}
	FNR == NR {
		l[$1]++; lr[$1] += $3 > 0; l[""]++; lr[""] += $3 > 0; next
	}
	{
		n = ($4 > 0) + ($5 > 0)
		b[$1] += 2; br[$1] += n; b[""] += 2; br[""] += n
	}
	END {
		for (f in l) if (f != "") print row(f, f) | "sort"
		close("sort")
		print row("**all**", "")
	}' "$out/lines" "$out/branches"
}

# Why lines are not reached.
reason_table()
{
	echo '| file | lines | reason |'
	echo '|---|---|---|'
	grep -v '^#' "$reasons" | awk -F ' *[|] *' 'NF >= 3 {
		text = $0
		sub(/^[^|]*\| */, "", text)
		sub(/ *\|[^|]*$/, "", text)
		gsub(/\|/, "\\|", text)
		if (!sub(/^\* /, "all that is not reached: ", text))
			text = "`" text "`"
		print "| " $1 " | " text " | " $NF " |"
	}'
}

publish()
{
	local line inside=

	while IFS= read -r line; do
		case $line in
		'<!-- end -->')	inside= ;;
		'<!-- coverage -->') inside=1; echo "$line"; table ;;
		'<!-- uncovered -->') inside=1; echo "$line"; reason_table ;;
		esac
		[ -n "$inside" ] || printf '%s\n' "$line"
	done <"$doc" >"$doc.new" && mv "$doc.new" "$doc"
}

# For docs/reliability.md: see tests/record.sh.
record()
{
	awk -v seconds="$SECONDS" -v findings="$failed" -v whole="$whole" '
	BEGIN { n = split(whole, name); for (i = 1; i <= n; i++) w[name[i]] = 1 }
	FNR == NR { l++; lr += $3 > 0; if ($1 in w) { wl++; wlr += $3 > 0 }; next }
	{
		n = ($4 > 0) + ($5 > 0)
		b += 2; br += n
		if ($1 in w) { wb += 2; wbr += n }
	}
	END {
		printf "# record {\"what\": \"coverage\", \"seconds\": %d, " \
			"\"findings\": %d, \"all\": [%d, %d, %d, %d], " \
			"\"whole\": [%d, %d, %d, %d]}\n", seconds, findings,
			l, lr, b, br, wl, wlr, wb, wbr
	}' "$out/lines" "$out/branches"
}

# say_none FILE TITLE
#   Good if there is nothing in it.
say_none()
{
	local status=0

	[ ! -s "$1" ] || status=1
	sed 's/^/# /' "$1"
	say $status "$2"
}

main()
{
	if [ "${1-}" != --report ]; then
		need_packages "$PACKAGES_BUILD $PACKAGES_TEST $PACKAGES_COVERAGE" || exit 1
		make -s -j2 COV=1 all test-programs || exit 1
		run_all
	fi
	count_all
	say $? 'the counts are read'
	if [ -s "$out/branches" ]; then
		judge_lines >"$out/no-reason"
		say_none "$out/no-reason" 'every line is reached or has a reason not to be'
		judge_whole >"$out/not-whole"
		say_none "$out/not-whole" 'the validator and the planner: every line and branch'
		publish
		say $? "$doc"
		record
	fi
	echo "1..$count"
	exit "$failed"
}

main "$@"
