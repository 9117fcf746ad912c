#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# report.sh [--record] DIRECTORY - tables of what bench-restore.sh measured
#
# Prints them as Markdown, and fails when a target is missed.  With --record
# they replace the part between the marks in docs/performance.md.

set -eu
record=0
if [ "${1-}" = --record ]; then
	record=1
	shift
fi
in=$1
doc=$(dirname "$0")/../../docs/performance.md
missed=0

# column FILE N - the values of a column, one a line
column()
{
	awk -v n="$2" '{ print $n }' "$1"
}

# middle - the median of the numbers on standard input
middle()
{
	sort -g | awk '{ v[NR] = $1 }
		END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# seconds FILE COLUMN - "median (least - most)", of one round the figure alone; the
# file has microseconds
seconds()
{
	printf '%s %s %s %s\n' "$(wc -l <"$1")" "$(column "$1" "$2" | middle)" \
		"$(column "$1" "$2" | sort -g | head -n 1)" \
		"$(column "$1" "$2" | sort -g | tail -n 1)" |
		awk '{ printf "%.2f", $2 / 1e6 }
			$1 > 1 { printf " (%.2f - %.2f)", $3 / 1e6, $4 / 1e6 }'
}

fact()
{
	awk -v n="$1" '$1 == n { s = s (s ? ", " : "") $2 } END { print s }' "$in/facts"
}

# ratio A B - median of A / B, round by round
ratio()
{
	paste -d' ' <(column "$1" 1) <(column "$2" 1) |
		awk 'NF == 2 { print $1 / $2 }' | middle | awk '{ printf "%.2f", $1 }'
}

# judge VALUE LIMIT - "met" or "missed"; both the same unit, less is better
judge()
{
	awk -v v="$1" -v l="$2" 'BEGIN { print v <= l ? "met" : "missed" }'
}

# target WHAT VALUE LIMIT [TEXT-OF-LIMIT]
target()
{
	local verdict

	verdict=$(judge "$2" "$3")
	echo "| $1 | $2 | ${4-at most $3} | $verdict |"
	[ "$verdict" = met ] || echo missed >>"$in/missed"
}

# rows TABLE - time, processor and memory of each command
rows()
{
	local f

	echo '| command | rounds | seconds: median (least - most) | processor, s | memory, MiB |'
	echo '|---|---|---|---|---|'
	for f in "$in/$1"/*; do
		printf '%s | %d | %s | %.2f | %.1f |\n' "$(column "$f" 1 | middle) | ${f##*/}" \
			"$(wc -l <"$f")" \
			"$(seconds "$f" 1)" \
			"$(column "$f" 2 | middle | awk '{ print $1 / 1e6 }')" \
			"$(column "$f" 3 | middle | awk '{ print $1 / 1024 }')"
	done | sort -g | cut -d'|' -f2- | sed 's/^/|/'
	echo
}

call()
{
	awk -v c="$1" -v n="$2" '$1 == c { print $n }' "$3"
}

targets()
{
	local t

	echo '| target | measured | wanted | |'
	echo '|---|---|---|---|'
	for t in file loop; do
		[ -e "$in/$t/rollback" ] || continue
		target "$t: rollback / plain copier" \
			"$(ratio "$in/$t/rollback" "$in/$t/copier")" 1.15
		target "$t: validation / reading once" \
			"$(ratio "$in/$t/validation" "$in/$t/read")" 1.10
	done
	[ ! -e "$in/verify/verify" ] ||
		target 'bow-verify / reading once, twice the log' \
			"$(ratio "$in/verify/verify" "$in/verify/read")" 1.11 \
			'at most 1.11 (0.9 of the speed)'
	[ ! -e "$in/calls" ] ||
		target 'flushes of a rollback' "$(call fsync 2 "$in/calls")" \
			$((4 + $(fact mib) / 64))
	target 'reads of --check without a log' \
		"$(call pread64 2 "$in/none.calls")" 1
	target 'milliseconds of --check without a log, fork to exit' \
		"$(column "$in/none/check" 1 | middle | awk '{ print $1 / 1e3 }')" 1
	echo
}

calls()
{
	[ -e "$in/calls" ] || return 0
	echo 'System calls of one rollback:'
	echo
	echo '| call | number | moved |'
	echo '|---|---|---|'
	sort "$in/calls" | awk '
		/^p?(read|write)/ { moved = sprintf("%.1f MiB", $3 / 1048576) }
		/^io_/ { moved = $3 " requests" }
		/sync|^readahead/ { moved = "" }
		{ printf "| %s | %d | %s |\n", $1, $2, moved }'
	echo
}

tables()
{
	echo "Linux $(fact kernel), $(fact cpus) processors, $(fact memory_mib) MiB of memory;" \
		"$(fact mib) MiB of changes.  Load of the machine" \
		"at the start and after each part: $(fact load)."
	echo
	targets
	echo 'Ratios are medians of the ratios of the rounds.'
	echo
	echo "\`--check\` without a log: $(column "$in/none/check" 2 | middle) microseconds" \
		"of processor and $(column "$in/none/check" 3 | middle) KiB at its peak, starting" \
		"the program included; \`--version\` takes" \
		"$(column "$in/none/usage" 2 | middle) and" \
		"$(column "$in/none/usage" 3 | middle)."
	echo
	calls
	table file 'On an image file:'
	table loop 'On a loop device over the file, direct I/O below it:'
	table verify 'bow-verify, a log of twice the size, on an image file:'
	table ways-file 'Ways to make the copies, an eighth of the size, three rounds, on an image file:'
	table ways-loop 'The same on a loop device:'
}

# table NAME TITLE
table()
{
	[ -d "$in/$1" ] || return 0
	echo "$2"
	echo
	rows "$1"
}

rm -f "$in/missed"
tables >"$in/tables.md"
cat "$in/tables.md"
[ ! -e "$in/missed" ] || missed=1
if [ "$record" = 1 ]; then
	awk -v part="$in/tables.md" '
		/<!-- restoring: end -->/ { skip = 0 }
		!skip
		/<!-- restoring: begin/ {
			skip = 1
			print ""
			while ((getline line < part) > 0)
				print line
		}' "$doc" >"$in/performance.md"
	cp "$in/performance.md" "$doc"
fi
exit "$missed"
