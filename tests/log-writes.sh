#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# log-writes.sh [--seed N] [--samples N] [FS[:WORKLOAD[:ENDING]]...]
#
# What the real module writes, cut at each moment.  In User-Mode Linux
# dm-log-writes records what dm-bow sends to the disk in each of the workloads
# of tests/logwrites/workloads.sh on ext4 with 1 and 4 KiB blocks, xfs and f2fs,
# once with each of two endings; build/tests/logwrites replays that up to every
# flush and FUA write, with samples before it, rolls it back or commits it, and
# compares.  TAP, a line a run, and a record of all.
#
# Works in BOW_LAB, /dev/shm/log-writes unless told, where the recording of a
# run that failed stays; two runs at a time (BOW_JOBS).

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
# shellcheck source=tests/free-sectors.sh
. tests/free-sectors.sh
# shellcheck source=tests/reports.sh
. tests/reports.sh
# shellcheck source=tests/logwrites/workloads.sh
. tests/logwrites/workloads.sh

export BOW_LAB=${BOW_LAB:-/dev/shm/log-writes}
seed=1 samples=32
count=25
endings=(commit resume rollback cut)

# make_base FS FILE
make_base()
{
	case $1 in
	ext4-*)
		truncate -s 32M "$2"
		mke2fs -q -t ext4 -b $((${1#ext4-} * 1024)) "$2" ;;
	xfs)
		truncate -s 32M "$2"
		mkfs.xfs -q --unsupported "$2" >/dev/null 2>&1 ;;
	f2fs)
		truncate -s 64M "$2"
		# Without discards, or there are none left for fstrim.
		mkfs.f2fs -q -t 0 "$2" >/dev/null ;;
	esac
}

# replay_run FS DIRECTORY
#   Prints the counts.
replay_run()
{
	local fs=$1 dir=$2 options=() d0

	if [[ $fs = ext4-* ]]; then
		build/tests/logwrites --d0 "$dir/d0" "$dir/log" "$dir/base" \
			>/dev/null || return
		for d0 in "$dir"/d0.?; do
			free_sectors "$d0" >"$dir/free.${d0##*.}"
		done
		options=(--free "$dir/free" --fsck 100)
	fi
	build/tests/logwrites --seed "$seed" --samples "$samples" \
		--save "$dir/state" "${options[@]}" "$dir/log" "$dir/base"
}

# record_run WORKLOAD DIRECTORY
#   Nothing of a workload may fail below the filesystem, but for want of space.
record_run()
{
	uml_run "$2" 300 ubd0="$2/disk" ubd1="$2/log" &&
		kernel_sound "$2/console.log" || return
	[ "$1" = fill ] || ! grep -aE 'I/O error|-fs error' "$2/console.log"
}

# one FS WORKLOAD ENDING
#   Leaves result.FS.WORKLOAD.ENDING, the last line of which is JSON.
one()
{
	local dir=$BOW_LAB/$1.$2.$3 result=$BOW_LAB/result.$1.$2.$3

	rm -rf "$dir"
	mkdir -p "$dir"
	make_base "$1" "$dir/base"
	cp "$dir/base" "$dir/disk"
	truncate -s 2G "$dir/log"
	echo "sh \$TREE/tests/logwrites/guest.sh ${1%-*} $2 $seed $count $3 /dev/ubda /dev/ubdb" \
		>"$dir/script"
	if ! record_run "$2" "$dir" >/dev/null 2>&1; then
		{ tail -n 20 "$dir/console.log"; cat "$dir/output"; } >"$result"
		echo '{"failed": "the guest"}' >>"$result"
	elif replay_run "$1" "$dir" >"$result" 2>&1; then
		rm -rf "$dir"
	else
		echo "# reproducer: log-writes.sh --seed $seed --samples $samples $1:$2:$3; its recording is in $dir"
	fi
}

# What the arguments name, a line a run.
runs()
{
	local fs want name ending i=0

	for fs in ext4-1 ext4-4 xfs f2fs; do
		for name in $workloads; do
			# Two of the four, others for the next filesystem.
			for ending in "${endings[i % 4]}" "${endings[(i + 1) % 4]}"; do
				[ $# != 0 ] || echo "$fs $name $ending"
				for want; do
					[[ $fs:$name:$ending: != "$want":* ]] ||
						echo "$fs $name $ending"
				done
			done
			i=$((i + 1))
		done
		i=$((i + 1))
	done
}

# counts RESULT
#   The counts of a run, as JSON.
counts()
{
	tail -n 1 "$1" | jq -ces 'if length == 1 then .[0] else false end' \
		2>/dev/null || echo '{"failed": "no result"}'
}

report()
{
	local fs name ending result n=0 bad=0 verdict

	while read -r fs name ending; do
		result=$BOW_LAB/result.$fs.$name.$ending
		verdict=ok
		n=$((n + 1))
		counts "$result" | jq -e '.findings == 0' >/dev/null || {
			verdict='not ok'
			bad=1
		}
		echo "$verdict $n - $fs, $name, then $ending"
		[ "$verdict" = ok ] || sed 's/^#* */# /' "$result"
	done <"$BOW_LAB/runs"
	echo "1..$n"
	return "$bad"
}

# shellcheck disable=SC2016  # jq's own variables
record()
{
	local runs

	runs=$(wc -l <"$BOW_LAB/runs")
	for_each_result | jq -cs --argjson runs "$runs" \
		--argjson seconds "$SECONDS" --argjson seed "$seed" '
		def sum(f): map(f // 0) | add;
		{what: "log-writes", runs: $runs, seed: $seed,
		 seconds: $seconds, states: sum(.points + .samples),
		 points: sum(.points), samples: sum(.samples),
		 rollbacks: sum(.rollbacks), commits: sum(.commits),
		 no_log: sum(.no_log), cuts_more: sum(.cuts_more),
		 fscks: sum(.fscks), checkpoints: sum(.checkpoints),
		 kinds: (map(.kinds // {} | to_entries[]) | group_by(.key) |
			map({(.[0].key): (map(.value) | add)}) | add),
		 findings: sum(if .failed then 1 else .findings end)}' |
		sed 's/^/# record /'
}

for_each_result()
{
	local fs name ending

	while read -r fs name ending; do
		counts "$BOW_LAB/result.$fs.$name.$ending"
	done <"$BOW_LAB/runs"
}

main()
{
	while :; do
		case ${1-} in
		--one)	seed=$2 samples=$3
			one "$4" "$5" "$6"
			return ;;
		--seed)	seed=$2; shift 2 ;;
		--samples) samples=$2; shift 2 ;;
		*) break ;;
		esac
	done
	need_packages "$PACKAGES_UML $PACKAGES_FILESYSTEMS" && uml_lab || return
	mkdir -p "$BOW_LAB"
	rm -f "$BOW_LAB"/result.*
	runs "$@" >"$BOW_LAB/runs"
	xargs -P "${BOW_JOBS:-2}" -L 1 "$0" --one "$seed" "$samples" \
		<"$BOW_LAB/runs"
	record
	report
}

main "$@"
