#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# reliability.sh [--check] - the tables of docs/reliability.md
#
# Campaigns leave records in build/records/ (tests/record.sh).  Those of a
# committed tree are added to docs/records.jsonl, a line each, and from that file
# alone the tables are made: what stands between "<!-- TABLE -->" and
# "<!-- end -->" is replaced.  With --check nothing is written; false if the
# tables are not what the records say.

set -u
cd "$(dirname "$0")/.." || exit 1

records=docs/records.jsonl
doc=docs/reliability.md

# Numbers in groups of three; seconds as people say them; of the large runs the
# newest.
# shellcheck disable=SC2016  # jq's own variables
words='
def n: if . == null then "" else
	tostring | [while(length > 0; .[:-3])] | map(.[-3:]) | reverse |
	join(",") end;
def time: if . >= 600 then "\((. / 60 + 0.5) | floor) min" else "\(.) s" end;
def row: "| " + join(" | ") + " |";
def size: .states // .flips // .executions;
def day: .date[:10];
def largest: max_by(size);
def newest: max_by(.date);
def shown: (largest | size) as $n | map(select(size * 2 >= $n)) | newest;
def of(what): map(select(.what == what));
'

# table FILTER
#   The rows of a table, by a filter of all records.
table()
{
	jq -rs "$words $1" "$records"
}

# mutation_table WHAT LIST
#   The faults of the LIST: what the newest record of each says.
# shellcheck disable=SC2016  # jq's own variables
mutation_table()
{
	echo '| fault put in | caught by | after | at commit |'
	echo '|---|---|--:|---|'
	jq -rs --arg what "$1" --rawfile list "$2" "$words"'
		(of($what) | group_by(.name) | map(newest) | INDEX(.name)) as $run |
		[$list | split("\n")[] | select(test("^[^#]")) |
			sub(" *[|].*"; "")] | sort |
		map($run[.] // {name: ., caught: "not tried yet", findings: 1}) |
		(.[] | [.name, .caught,
			if .seconds then .seconds | time else "" end,
			.commit // ""] | row),
		(["**all: \(length)**", "\(map(1 - .findings) | add)", "", ""] |
			row)' \
		"$records"
}

# kills_table WHAT
kills_table()
{
	echo '| killed in, or found after it | kills |'
	echo '|---|--:|'
	table "of(\"$1\")"' | select(length > 0) |
		def sums(f): [.[] | f | to_entries[]] | group_by(.key) |
			map([.[0].key, (map(.value) | add | n)])[];
		(sums(.kinds) | row),
		(["**all**", (map(.states) | add | n)] | row),
		(map(select(has("early"))) | select(length > 0) |
		 (["of commits and rollbacks, before the end",
			(map(.early) | add | n)] | row),
		 (["of these, after the end", (map(.late) | add | n)] | row)),
		(sums(.found) | .[0] = "found: \(.[0])" | row),
		(["wrong", (map(.findings) | add | n)] | row)'
}

# shellcheck disable=SC2016  # jq's own variables
tables()
{
	case $1 in
	campaigns)
		echo '| campaign | runs | states, flips or executions | in the largest run | its time | findings | last run | at commit |'
		echo '|---|--:|--:|--:|--:|--:|---|---|'
		table 'map(select(size)) | group_by(.what)[] | newest as $last |
			[.[0].what, (length | n), (map(size) | add | n),
			 (largest | size | n), (largest.seconds | time),
			 (map(.findings) | add | n), ($last | day),
			 $last.commit] | row' ;;
	faults)
		echo '| what goes wrong | states |'
		echo '|---|--:|'
		table 'of("faults") | select(length > 0) | shown |
			(.kinds | to_entries | sort_by(-.value)[] |
				[.key, (.value | n)] | row),
			(["**all**", (.states | n)] | row),
			(["cuts that followed", (.cuts_more | n)] | row),
			(["refused, with garbage in block 0", (.refused | n)] | row),
			(.logs | to_entries[] | ["logs of \(.key)", (.value | n)] | row),
			(["wrong", (.findings | n)] | row)' ;;
	sim)
		echo '| configuration | states |'
		echo '|---|--:|'
		table 'of("sim") | select(length > 0) | shown |
			(.kinds | to_entries[] | [.key, (.value | n)] | row),
			(["**all**", (.states | n)] | row),
			(["of these, a torn write", (.torn | n)] | row),
			(["rolled back", (.rollbacks | n)] | row),
			(["committed", (.commits | n)] | row),
			(["cuts of a restore", (.cuts_more | n)] | row),
			(select(.garbage) |
			 (["garbage in a cell", (.garbage | n)] | row),
			 (["refused for that, nothing written", (.garbage_refused | n)] | row),
			 (["no log seen, sector 0 is garbage", (.garbage_unseen | n)] | row),
			 (["a flush that was a lie", (.unflushed | n)] | row),
			 (["refused for that, nothing written", (.unflushed_refused | n)] | row),
			 (["originals lost with their log write", (.unflushed_unseen | n)] | row)),
			(["wrong", (.findings | n)] | row)' ;;
	traces)
		echo '| trace of | its writes, flushes and discards | states | torn | cuts of a restore | wrong | last run |'
		echo '|---|--:|--:|--:|--:|--:|---|'
		table 'of("trace") | select(length > 0) |
			group_by(.trace)[] | shown |
			[.trace, (.ops | n), (.states | n), (.torn | n),
			 (.cuts_more | n), (.findings | n), day] | row' ;;
	coverage)
		echo '| | lines | reached | branches | reached | last run | at commit |'
		echo '|---|--:|--:|--:|--:|---|---|'
		table 'of("coverage") | select(length > 0) | newest as $r |
			[["libbow, the programs, the core", $r.all],
			 ["of these, what decides about a restore", $r.whole]][] |
			([.[0]] + (.[1] | map(n)) + [($r | day), $r.commit]) |
			row' ;;
	fuzz)
		echo '| target | build | executions in all | longest run | seeds | findings | last run |'
		echo '|---|---|--:|--:|--:|--:|---|'
		table 'of("fuzz") | select(length > 0) |
			(group_by([.kind, .build])[] |
			[.[0].kind, .[0].build, (map(.executions) | add | n),
			 (map(.seconds) | max | time), (newest.seeds | n),
			 (map(.findings) | add | n), (newest | day)] | row),
			(["**all**", "", (map(.executions) | add | n), "", "",
			  (map(.findings) | add | n), ""] | row)' ;;
	log-writes)
		echo '| what the recording was doing | states |'
		echo '|---|--:|'
		table 'of("log-writes") | select(length > 0) |
			def sum(f): map(f) | add | n;
			([.[].kinds | to_entries[]] | group_by(.key)[] |
				["checkpoint \(.[0].key)", sum(.value)] | row),
			(["**all**", sum(.states)] | row),
			(["of these, flushes and FUA writes", sum(.points)] | row),
			(["rolled back", sum(.rollbacks)] | row),
			(["committed", sum(.commits)] | row),
			(["cuts of a restore", sum(.cuts_more)] | row),
			(["committed and seen sound by e2fsck", sum(.fscks)] | row),
			(["recordings", sum(.runs)] | row),
			(["checkpoints in them", sum(.checkpoints)] | row),
			(["wrong", sum(.findings)] | row)' ;;
	kills | kills-qemu)
		kills_table "$1" ;;
	disk-faults)
		echo '| fault | guests |'
		echo '|---|--:|'
		table 'of("disk-faults") | select(length > 0) |
			([.[].kinds | to_entries[]] | group_by(.key)[] |
				[.[0].key, (map(.value) | add | n)] | row),
			(["**all**", (map(.states) | add | n)] | row),
			(["refused, nothing written", (map(.refused) | add | n)] | row),
			(["wrong", (map(.findings) | add | n)] | row)' ;;
	flips)
		echo '| | |'
		echo '|---|--:|'
		table 'of("flips") | select(length > 0) | newest |
			(["logs", (.logs | n)] | row),
			(["bits flipped, one at a time", (.flips | n)] | row),
			(["refused, nothing written", (.refused | n)] | row),
			(["restored right", (.right | n)] | row),
			(["in what v0 and v1.0 do not protect", (.unprotected | n)] | row),
			(["wrong", (.findings | n)] | row)' ;;
	mutations)
		mutation_table mutation tests/mutations.txt ;;
	soak)
		echo '| run | kernel | time | checkpoints | slab grew by | less available | limit | findings | at commit |'
		echo '|---|---|--:|--:|--:|--:|--:|--:|---|'
		table 'of("soak") | select(length > 0) |
			(sort_by(.date)[] | [day, .kernel // "uml", (.seconds | time),
			 (.checkpoints | n), .grew, .used // "",
			 .limit // "2048 kB", (.findings | n), .commit] | row),
			(["**all**", "", (map(.seconds) | add | time),
			  (map(.checkpoints) | add | n), "", "", "",
			  (map(.findings) | add | n), ""] | row)' ;;
	mutations-module)
		mutation_table module-mutation tests/mutations-module.txt ;;
	*)	echo "reliability.sh: $doc has an unknown table $1" >&2
		return 1 ;;
	esac
}

generate()
{
	local line inside=

	while IFS= read -r line; do
		case $line in
		'<!-- end -->')	inside= ;;
		'<!-- '*' -->')
			inside=${line#<!-- }
			inside=${inside% -->}
			printf '%s\n' "$line"
			tables "$inside" || return 1 ;;
		esac
		[ -n "$inside" ] || printf '%s\n' "$line"
	done <"$doc"
}

# Those of a tree that differs from its commit ("+"), or of a commit that is not in
# the history any more, would say what cannot be repeated.
# shellcheck disable=SC2016  # jq's own variables
gather()
{
	{
		cat "$records"
		cat build/records/*.json 2>/dev/null |
			jq -cS --rawfile history <(git rev-list HEAD) '
				INDEX($history | split("\n")[]; .[:12]) as $known |
				select($known[.commit])'
	} | jq -cs 'unique | sort_by(.date)[]' >"$records.new" &&
		mv "$records.new" "$records"
}

if [ "${1-}" = --check ]; then
	generate | cmp - "$doc"
	exit
fi
gather && generate >"$doc.new" && mv "$doc.new" "$doc"
