#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kills.sh [--seed N] [KILLS] - guests that are killed at random moments
#
# In User-Mode Linux, on ext4 with 1 and 4 KiB blocks, in turn: a checkpoint
# begins and is written to; it is committed; it is gone on with again and again;
# it is rolled back.  SIGKILL at a random moment; then bow-restore on the host,
# and the disk is D0, byte for byte where it was in use, or what was committed.
# In half of them the disk has a cache that is lost with the guest.  KILLS (40) of
# them, or as many as BOW_SECONDS are enough for; TAP, a line each, and a record.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
# shellcheck source=tests/free-sectors.sh
. tests/free-sectors.sh

dir=${BOW_LAB:-/dev/shm/kills}
seed=1 kills=40 n=0 bad=0
declare -A kinds found

# How long each takes, in milliseconds: the moment is below.
declare -A lasts=([load]=2500 [commit]=600 [resume]=3000 [rollback]=700)

# make_start BLOCK-SIZE
#   For this block size an image, and one with an active checkpoint of it.
make_start()
{
	local p=$dir/$1 i

	mkdir -p "$dir/tree/a" "$dir/tree/b"
	for i in {1..30}; do
		head -c $((i * i * 60 + 7)) /dev/urandom >"$dir/tree/a/$i"
		head -c $((i * 100)) /dev/urandom >"$dir/tree/b/$i"
	done
	rm -f "$p.d0"
	truncate -s 32M "$p.d0"
	mke2fs -q -t ext4 -b "$1" -d "$dir/tree" "$p.d0" || return
	free_sectors "$p.d0" >"$p.d0.free"
	cp "$p.d0" "$dir/disk"
	guest active "$seed"
	uml_run "$dir" 300 ubd0="$dir/disk" || { cat "$dir/output"; return 1; }
	cp "$dir/disk" "$p.active"
	cp "$p.active" "$p.live"
	build/bow-restore -q --commit "$p.live" || return
	free_sectors "$p.live" >"$p.live.free"
}

# guest WHAT SEED [CACHE]
guest()
{
	rm -f "$dir/$1" "$dir/begun"
	echo "exec sh \$TREE/tests/kills/guest.sh $1 /dev/ubda $2 ${3-}" \
		>"$dir/script"
}

# kill_after MILLISECONDS WHAT
#   Start the guest; kill all of its processes so long after it has begun.
kill_after()
{
	local runner deadline=$((SECONDS + 60))

	rm -rf "$dir/uml"
	uml_run "$dir" 300 ubd0="$dir/disk" umid=guest uml_dir="$dir/uml/" \
		>/dev/null 2>&1 &
	runner=$!
	until [ -e "$dir/$2" ]; do
		[ "$SECONDS" -lt "$deadline" ] || return
		sleep 0.02
	done
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	kill_guest
	wait "$runner" 2>/dev/null
	return 0
}

# The kernel's first process leads a session.  Another one may still be writing
# when that one is gone.
kill_guest()
{
	local leader

	# It may have ended by itself.
	leader=$(cat "$dir/uml/guest/pid" 2>/dev/null) || return 0
	while pgrep -s "$leader" >/dev/null; do
		pkill -KILL -s "$leader"
		sleep 0.02
	done
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

	state=$(build/bow-restore --check "$dir/disk") || status=$?
	echo "${state:-none}" >"$dir/found"
	if [ "$status" = 0 ]; then
		build/bow-restore -q "$dir/disk"
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
	e2fsck -fn "$dir/disk" >"$dir/fsck" 2>&1 || { cat "$dir/fsck"; return 1; }
	case $1:$state in
	commit:active) same "$2.d0" ;;
	commit:*) same "$2.live" ;;
	*) same "$2.d0" ;;
	esac
}

kill_and_judge()
{
	kill_after "$1" "$2" || { echo "the guest did not begin"; return 1; }
	judge "$2" "$3"
}

# one WHAT BLOCK-SIZE [CACHE]
one()
{
	local what=$1 start=$dir/$2 moment verdict=ok why

	moment=$((RANDOM * 32768 + RANDOM))
	moment=$((moment % lasts[$what]))
	if [ "$what" = load ]; then
		cp "$start.d0" "$dir/disk"
	else
		cp "$start.active" "$dir/disk"
	fi
	guest "$what" "$RANDOM" "${3-}"
	echo none >"$dir/found"
	why=$(kill_and_judge "$moment" "$what" "$start" 2>&1) || {
		verdict='not ok'
		bad=$((bad + 1))
		cp "$dir/disk" "$dir/wrong.$n"
	}
	kinds[$what${3:+ with a cache}]=$((${kinds[$what${3:+ with a cache}]-0} + 1))
	found[$(cat "$dir/found")]=$((${found[$(cat "$dir/found")]-0} + 1))
	echo "$verdict $n - $what, blocks of $2${3:+, with a cache}, killed after $moment ms: found $(cat "$dir/found")"
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
	local whats=(load commit resume rollback)

	if [ "${1-}" = --seed ]; then
		seed=$2
		shift 2
	fi
	kills=${1-$kills}
	RANDOM=$seed
	need_packages "$PACKAGES_UML" && uml_lab || return
	mkdir -p "$dir"
	make_start 1024 && make_start 4096 || return
	while [ "$n" -lt "$kills" ] && [ "$SECONDS" -lt "${BOW_SECONDS:-1000000}" ]; do
		n=$((n + 1))
		one "${whats[n % 4]}" $((n / 4 % 2 ? 1024 : 4096)) \
			"$([ $((n / 8 % 2)) = 0 ] || echo cache)"
	done
	echo "# record {\"what\": \"kills\", \"states\": $n, \"seed\": $seed, \"kinds\": $(counts kinds), \"found\": $(counts found), \"seconds\": $SECONDS, \"findings\": $bad}"
	echo "1..$n"
	[ "$bad" = 0 ]
}

main "$@"
