#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# record.sh - keep what a campaign says about itself
#
#   build/tests/faults --states 5000000 | tests/record.sh
#
# A filter.  All goes through; a line "# record {JSON}" of the TAP also becomes
# a file of build/records/, with the date and the commit that was built: that of
# when it began, with "+" if the tree was not as committed then, or is not when the
# line comes, or another commit is there.  From these, tests/reliability.sh makes
# the tables of docs/reliability.md.

set -u
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
records=$top/build/records

# The commit, with "+" if the tree is not as committed; nothing without git.  A new
# source is built with the others: it counts.  What is in docs is not built, and
# coverage.sh and reliability.sh write there.
commit_now()
{
	local commit

	commit=$(git -C "$top" rev-parse --short=12 HEAD 2>/dev/null) || return
	[ -z "$(git -C "$top" status --porcelain -- . ':!docs')" ] || commit+=+
	echo "$commit"
}

begun=$(commit_now)

keep()
{
	local name commit=$begun

	[ "$(commit_now)" = "$commit" ] || commit=${commit%+}+
	mkdir -p "$records" || exit 1
	name=$(mktemp "$records/XXXXXXXXXX.tmp") || exit 1
	jq -cS --arg commit "$commit" --arg date "$(date -u +%FT%TZ)" \
		'. + {commit: $commit, date: $date}' <<<"$1" >"$name" &&
		mv "$name" "${name%.tmp}.json" && return 0
	rm -f "$name"
	exit 1
}

while IFS= read -r line || [ -n "$line" ]; do
	printf '%s\n' "$line"
	case $line in '# record {'*) keep "${line#\# record }" ;; esac
done
