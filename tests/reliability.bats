#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# The records of campaigns, and the tables that are made of them.

bats_require_minimum_version 1.5.0
load helpers

setup() {
	requires jq git
	# A tree of its own: tests leave no records in this one.
	tree=$BATS_TEST_TMPDIR/tree
	mkdir -p "$tree/tests" "$tree/docs"
	cp tests/{record,reliability}.sh tests/mutations*.txt "$tree/tests"
	cp docs/reliability.md docs/records.jsonl "$tree/docs"
	cp .gitignore "$tree"
	git -C "$tree" init -q
	commit_tree
}

commit_tree() {
	git -C "$tree" add .
	git -C "$tree" -c user.name=test -c user.email=test@example.org \
		commit -q --allow-empty -m test
}

record() {
	printf '%s\n' 'ok 1 - a line' '# record {"what": "flips", "logs": 7,
"flips": 12345, "refused": 1, "right": 2, "unprotected": 3, "findings": 0,
"seconds": 4}' | tr '\n' ' ' | sed 's/line /line\n/' | "$tree/tests/record.sh"
}

@test "reliability: the tables are what the records say" {
	run -0 tests/reliability.sh --check
}

@test "reliability: every fault of the lists can be put in" {
	run -0 tests/mutations.sh --applies
	run -0 tests/mutations.sh --module --applies
}

@test "reliability: a figure that was typed is told" {
	sed -i 's/^| fuzz | /&1/' "$tree/docs/reliability.md"
	run -1 "$tree/tests/reliability.sh" --check
}

@test "reliability: a record goes through, and into a table" {
	run -0 record
	[ "${lines[0]}" = 'ok 1 - a line' ]
	[ "$(jq -r .commit "$tree"/build/records/*.json)" = \
		"$(git -C "$tree" rev-parse --short=12 HEAD)" ]
	run -0 "$tree/tests/reliability.sh"
	grep -q '^| bits flipped, one at a time | 12,345 |$' \
		"$tree/docs/reliability.md"
	# Once more: nothing is added twice.
	cp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
	run -0 "$tree/tests/reliability.sh"
	cmp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
}

@test "reliability: a record of a tree that is not committed is left out" {
	echo '# changed' >>"$tree/tests/record.sh"
	run -0 record
	cp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
	run -0 "$tree/tests/reliability.sh"
	cmp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
}

@test "reliability: a record of a commit that is not in the history is left out" {
	run -0 record
	git -C "$tree" -c user.name=test -c user.email=test@example.org \
		commit -q --amend --allow-empty -m rewritten
	cp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
	run -0 "$tree/tests/reliability.sh"
	cmp "$tree/docs/records.jsonl" "$BATS_TEST_TMPDIR/before"
}

# commit_of_record
#   What the only record there is says of its commit.
commit_of_record() {
	jq -r .commit "$tree"/build/records/*.json
}

@test "reliability: a file that git does not know counts, what it ignores and docs do not" {
	commit=$(git -C "$tree" rev-parse --short=12 HEAD)
	mkdir -p "$tree/build" "$tree/kmod"
	touch "$tree/build/sim" "$tree/kmod/dm-bow.ko"
	echo >>"$tree/docs/reliability.md"
	run -0 record
	[ "$(commit_of_record)" = "$commit" ]
	rm "$tree"/build/records/*
	touch "$tree/tests/new.c"
	run -0 record
	[ "$(commit_of_record)" = "$commit+" ]
}

# record_after COMMAND...
#   A record that comes when COMMAND has run, and record.sh longer than that.
record_after() {
	# Or the word of the time before is found.
	rm -f "$BATS_TEST_TMPDIR/said"
	# shellcheck disable=SC2094  # what is read is not written again
	{
		echo begun
		until grep -qs begun "$BATS_TEST_TMPDIR/said"; do sleep 0.05; done
		"$@" >&2
		echo '# record {"what": "flips", "flips": 1}'
	} | "$tree/tests/record.sh" >"$BATS_TEST_TMPDIR/said"
}

@test "reliability: a commit, or a change, before the record comes" {
	commit=$(git -C "$tree" rev-parse --short=12 HEAD)
	record_after true
	[ "$(commit_of_record)" = "$commit" ]
	rm "$tree"/build/records/*
	record_after commit_tree
	[ "$(commit_of_record)" = "$commit+" ]
	rm "$tree"/build/records/*
	commit=$(git -C "$tree" rev-parse --short=12 HEAD)
	record_after touch "$tree/tests/new.c"
	[ "$(commit_of_record)" = "$commit+" ]
}
