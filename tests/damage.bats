#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# damage.bats - malformed devices: what bow-verify says, and what bow-restore
# then really does
#
# The rows are in damage.table.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	table=$top/tests/damage.table
}

teardown() {
	common_teardown
}

# logs NAME
#   Sets options to those with which mklog makes that log.
logs() {
	case $1 in
	v0)	options=(--format v0 --size 3M --ops 230 --seed 3) ;;
	v1.0)	options=(--format 1.0 --bs 1024 --size 512K --ops 60 --seed 2) ;;
	v1.1)	options=(--bs 2048 --size 512K --ops 55 --seed 3) ;;
	map)	options=(--features map --size 1M --ops 25 --seed 2) ;;
	# One log block.
	first-v0) options=(--format v0 --size 1M --ops 4 --seed 2) ;;
	first-v1.0) options=(--format 1.0 --bs 1024 --size 256K --ops 4 --seed 2) ;;
	first-v1.1) options=(--size 1M --ops 4 --seed 2) ;;
	restoring-*) logs "${1#*-}"; options+=(--state restoring) ;;
	finish-*) logs "${1#*-}"; options+=(--state finishing-rollback:2) ;;
	keep-*)	logs "${1#*-}"; options+=(--state finishing-commit:1) ;;
	torn-append) options=(--features raw --seed 2 --state torn-append:1) ;;
	torn-append-hole) options=(--seed 3 --state torn-append:127) ;;
	torn-rollover-new) options=(--seed 2 --state torn-rollover:1) ;;
	torn-rollover-old) options=(--features raw --seed 2 --state torn-rollover:254) ;;
	torn-activation) options=(--state torn-activation:1) ;;
	*)	return 1 ;;
	esac
}

# wrong WORD...
#   Says what is wrong with the row, and goes on with the next.
wrong() {
	bad=$((bad + 1))
	echo "mklog ${options[*]} --damage $kind: $*"
}

# tells EXIT CAN TEXT
#   What bow-verify says of $img.
tells() {
	local text=${3//#/+([0-9])} got=0

	"$verify" "$img" >"$dir/said" 2>&1 || got=$?
	[ "$got" = "$1" ] || wrong "exit $got, not $1"
	case $2 in
	both)	grep -Fqx 'can be done: roll back or commit' "$dir/said" ;;
	resume)	grep -Fqx 'can be done: roll back, commit, or resume' "$dir/said" ;;
	rollback) grep -Eqx 'can be done: (roll back only|complete the rollback)' "$dir/said" ;;
	commit)	grep -Eqx 'can be done: (commit only|complete the commit)' "$dir/said" ;;
	neither) grep -Fqx 'can be done: neither roll back nor commit' "$dir/said" ;;
	-)	grep -Fq ': no log' "$dir/said" ;;
	esac || wrong "'$2' is not what can be done: $(<"$dir/said")"
	# shellcheck disable=SC2053  # a pattern
	[ "$3" = - ] || [[ $(<"$dir/said") == *$text* ]] ||
		wrong "'$3' is not said: $(<"$dir/said")"
}

# does ACTION PROMISED
#   bow-restore does on a copy what was promised; else it writes nothing.
does() {
	local got=0

	cp "$img" "$dir/copy"
	"$restore" -q "--$1" "$dir/copy" >"$dir/restore" 2>&1 || got=$?
	if [ "$2" = 1 ]; then
		[ "$got" = 0 ] || wrong "--$1: exit $got: $(<"$dir/restore")"
		return 0
	fi
	[ "$got" != 0 ] || wrong "--$1 was done"
	# The other action was already under way, and is completed.
	[ "$got" = 8 ] && grep -q 'was completed' "$dir/restore" && return
	cmp -s "$img" "$dir/copy" || wrong "--$1 was refused, and wrote"
}

# gives_d0 KIND: after a rollback, unless D0 is what was damaged
gives_d0() {
	case $1 in block0-* | map-*) return ;; esac
	"$mklog" --compare "$dir/copy" "$log.orig.img" "$log.free" >/dev/null ||
		wrong "the rollback does not give D0"
}

# gives_live: after a commit block 0 is the live one, and nothing else was written
gives_live() {
	local bs=4096 i

	for i in "${!options[@]}"; do
		[ "${options[i]}" != --bs ] || bs=${options[i + 1]}
	done
	cmp -s -n "$bs" "$dir/copy" "$log.live.img" ||
		wrong "the commit does not give the live block 0"
	cmp -s -i "$bs" "$dir/copy" "$img" ||
		wrong "the commit wrote beyond block 0"
}

# row KIND LOGS EXIT CAN TEXT
row() {
	local kind=$1 name options damage=()

	[ "$1" = - ] || damage=(--damage "$1")
	for name in ${2//,/ }; do
		logs "$name"
		"$mklog" "${options[@]}" "${damage[@]}" "$log"
		rows=$((rows + 1))
		tells "$3" "$4" "$5"
		case $4 in
		both | resume)
			does commit 1; gives_live; does rollback 1; gives_d0 "$1" ;;
		rollback) does commit 0; does rollback 1; gives_d0 "$1" ;;
		commit)	does rollback 0; does commit 1; gives_live ;;
		*)	does rollback 0; does commit 0 ;;
		esac
	done
}

# each_row PATTERN
#   The rows of the kinds that match.
each_row() {
	local kind logs exit can text

	shopt -s extglob
	rows=0 bad=0
	while IFS='|' read -r kind logs exit can text; do
		case $kind in '' | '#'*) continue ;; esac
		# shellcheck disable=SC2053  # a pattern
		[[ $kind == $1 ]] || continue
		row "$kind" "$logs" "$exit" "$can" "$text"
	done <"$table"
	echo "$rows images, $bad faults"
	[ "$rows" -gt 0 ] && [ "$bad" = 0 ]
}

@test "every kind of damage has its row, and there are at least 120" {
	"$mklog" --damage list | sort >"$dir/kinds"
	grep -Ev '^(#|$|-)' "$table" | cut -d'|' -f1 | sort -u >"$dir/rows"
	diff "$dir/kinds" "$dir/rows"
	[ "$(wc -l <"$dir/kinds")" -ge 120 ]
}

@test "sound and torn logs: said, and done" {
	each_row -
}

@test "a wrong header: magic, version, sizes, counts, checksums, UUIDs" {
	each_row '@(magic|version|header|block-size|count|uuid|guard|short)*'
}

@test "a wrong header: places, sequence, entries" {
	each_row '@(sector0|backup0|prev|next|device|entries)*'
}

@test "a wrong chain of log blocks" {
	each_row '@(sequence|chain|entry0|oldest)*'
}

@test "wrong entries" {
	each_row '@(source|dest|size|entry-|overlap)*'
}

@test "wrong backups, a wrong old or live block 0" {
	each_row '@(backup?(-*)|block0*|live*)'
}

@test "a wrong free map, wrong claims" {
	each_row '@(map|claim)*'
}

@test "a wrong finishing record" {
	each_row 'finish*'
}
