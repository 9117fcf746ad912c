#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kills.sh [--qemu] [--seed N] [KILLS] - guests that are killed at random moments
#
# On ext4 with 1 and 4 KiB blocks, in turn: a checkpoint begins and is written to;
# it is committed; it is gone on with again and again; it is rolled back.  Killed
# at a random moment; then bow-restore, and the disk is D0, byte for byte where it
# was in use, or what was committed.  The guests are User-Mode Linux, see
# kills/uml.sh, or, with --qemu, those of kills/qemu.sh.  KILLS (40) of them, or as
# many as BOW_SECONDS are enough for, or until SIGTERM; TAP, a line each, and a
# record.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/free-sectors.sh
. tests/free-sectors.sh
# shellcheck source=tests/reports.sh
. tests/reports.sh

restore=${BOW_RESTORE:-build/bow-restore}
seed=1 kills=40 n=0 bad=0
# Kills of what ends by itself, before it had ended and after.
early=0 late=0
declare -A kinds found

# What uml.sh and qemu.sh have, each in its way:
#   campaign, dir, lasts	the record's name, where it works, and how many
#				milliseconds of each are tried: the moment is below;
#				what ends by itself is measured
#   lab_ready			build and check what the guests need
#   turn			of the Nth: set what, block_size and variant
#   kind WHAT VARIANT		print what the record counts it as
#   ending VARIANT		print what its line says of it
#   run_guest WHAT SEED		a guest on $dir/disk, up to its end
#   begin WHAT SEED VARIANT	start one, up to its word
#   strike VARIANT		kill it; files tell how far it had come
#   said WORD			has a script of it told that?
#   console			print what its kernel said
#   undo OPTION			bow-restore on the disk
#   guest_off			the guest, if it lives again, ends by itself
#   kill_guest			no guest is left, in any case

# make_d0 BLOCK-SIZE
make_d0()
{
	local p=$dir/$1 i

	mkdir -p "$dir/tree/a" "$dir/tree/b"
	for i in {1..30}; do
		head -c $((i * i * 60 + 7)) /dev/urandom >"$dir/tree/a/$i"
		head -c $((i * 100)) /dev/urandom >"$dir/tree/b/$i"
	done
	truncate -s 32M "$p.d0"
	mke2fs -q -t ext4 -b "$1" -d "$dir/tree" "$p.d0" &&
		free_sectors "$p.d0" >"$p.d0.free"
}

# make_active BLOCK-SIZE
#   An image with an active checkpoint of that, and what its commit leaves.
make_active()
{
	local p=$dir/$1

	cp "$p.d0" "$dir/disk"
	# A shell of its own: this one would tell of what is killed.
	(run_guest active "$seed") >"$dir/active" 2>&1 ||
		{ cat "$dir/active"; return 1; }
	cp "$dir/disk" "$p.active"
	cp "$p.active" "$p.live"
	build/bow-restore -q --commit "$p.live" &&
		free_sectors "$p.live" >"$p.live.free"
}

# make_disk WHAT BLOCK-SIZE
#   What the guest begins with; images are made when they are first needed.
make_disk()
{
	local p=$dir/$2

	[ -e "$p.d0.free" ] || make_d0 "$2" || return
	case $1 in
	checkpoint | load)
		cp "$p.d0" "$dir/disk" ;;
	*)
		[ -e "$p.live.free" ] || make_active "$2" || return
		cp "$p.active" "$dir/disk" ;;
	esac
}

# pause MILLISECONDS
pause()
{
	local seconds

	printf -v seconds '%d.%03d' $(($1 / 1000)) $(($1 % 1000))
	sleep "$seconds"
}

same()
{
	build/tests/mklog --compare "$1" "$dir/disk" "$1.free"
}

# judge WHAT START
#   Prints what was found on the disk; false with a reason if it is wrong.
judge()
{
	local state status=0

	state=$(undo --check) || status=$?
	echo "${state:-none}" >"$dir/found"
	if [ "$status" = 0 ]; then
		undo -q
		status=$?
		# What a commit has begun is completed, and told.
		[ "$status" = 0 ] || { [ "$1" = commit ] &&
			[ "$state" = finishing ]; } || return
	elif [ "$status" != 2 ]; then
		return 1
	elif [ "$1" = resume ] || [ -e "$dir/begun" ]; then
		echo "no log"
		return 1
	fi
	guest_off || return
	e2fsck -fn "$dir/disk" >"$dir/fsck" 2>&1 || { cat "$dir/fsck"; return 1; }
	case $1:$state in
	commit:active) same "$2.d0" ;;
	commit:*) same "$2.live" ;;
	*) same "$2.d0" ;;
	esac
}

# A guest whose script or kernel had failed by itself was not killed.
sound()
{
	! said failed || { echo "the script of the guest failed"; return 1; }
	console | kernel_sound -
}

forget_words()
{
	rm -f "$dir/$1" "$dir"/{begun,ended,failed}
}

# measure WHAT BLOCK-SIZE VARIANT
#   How long it takes to its end, and half as long again.
measure()
{
	local start us deadline

	make_disk "$1" "$2" || return
	forget_words "$1"
	begin "$1" "$seed" "$3" || return
	start=${EPOCHREALTIME/[.,]/} deadline=$((SECONDS + 60))
	until said ended; do
		[ "$SECONDS" -lt "$deadline" ] || {
			echo "$1 does not end"
			return 1
		}
	done
	us=$((${EPOCHREALTIME/[.,]/} - start))
	kill_guest
	lasts[$1]=$((us * 3 / 2000 + 1))
	echo "# $1: $((us / 1000)) ms"
}

# kill_and_judge MILLISECONDS WHAT START SEED VARIANT
kill_and_judge()
{
	local status=0

	forget_words "$2"
	begin "$2" "$4" "$5" && pause "$1" && strike "$5" && sound &&
		judge "$2" "$3" || status=1
	kill_guest
	return "$status"
}

# one WHAT BLOCK-SIZE VARIANT
one()
{
	local moment random verdict=ok why key state

	[ -n "${lasts[$1]-}" ] || measure "$@" || return
	moment=$((RANDOM * 32768 + RANDOM))
	moment=$((moment % lasts[$1]))
	random=$RANDOM
	make_disk "$1" "$2" || return
	echo none >"$dir/found"
	# SIGTERM to all that is called kills.sh must not be taken for a finding.
	why=$(trap '' TERM; kill_and_judge "$moment" "$1" "$dir/$2" "$random" "$3" 2>&1) || {
		verdict='not ok'
		bad=$((bad + 1))
		cp "$dir/disk" "$dir/wrong.$n"
	}
	case $1 in
	commit | rollback)
		if said ended; then late=$((late + 1)); else early=$((early + 1)); fi ;;
	esac
	key=$(kind "$1" "$3")
	state=$(cat "$dir/found")
	kinds[$key]=$((${kinds[$key]-0} + 1))
	found[$state]=$((${found[$state]-0} + 1))
	echo "$verdict $n - $1, blocks of $2, $(ending "$3") after $moment ms: found $state"
	[ "$verdict" = ok ] || echo "# ${why//$'\n'/$'\n'# }"
}

# counts NAME: an associative array as JSON.
counts()
{
	local -n array=$1
	local key list=''

	for key in "${!array[@]}"; do
		list+="${list:+, }\"$key\": ${array[$key]}"
	done
	echo "{$list}"
}

main()
{
	if [ "${1-}" = --seed ]; then
		seed=$2
		shift 2
	fi
	kills=${1-$kills}
	RANDOM=$seed
	mkdir -p "$dir"
	rm -f "$dir"/{1024,4096}.* "$dir"/wrong.*
	lab_ready || return
	trap 'kills=$n' TERM
	while [ "$n" -lt "$kills" ] && [ "$SECONDS" -lt "${BOW_SECONDS:-1000000}" ]; do
		n=$((n + 1))
		turn
		one "$what" "$block_size" "$variant" || return
	done
	# Those that come too late try nothing but that.
	if [ "$late" -ge 20 ] && [ $((early * 4)) -lt "$late" ]; then
		bad=$((bad + 1))
		echo "# only $early kills of $((early + late)) came before the end"
	fi
	echo "# record {\"what\": \"$campaign\", \"states\": $n, \"seed\": $seed, \"kinds\": $(counts kinds), \"found\": $(counts found), \"early\": $early, \"late\": $late, \"seconds\": $SECONDS, \"findings\": $bad}"
	echo "1..$n"
	[ "$bad" = 0 ]
}

if [ "${1-}" = --qemu ]; then
	shift
	# shellcheck source=tests/kills/qemu.sh
	. tests/kills/qemu.sh
else
	# shellcheck source=tests/kills/uml.sh
	. tests/kills/uml.sh
fi
main "$@"
