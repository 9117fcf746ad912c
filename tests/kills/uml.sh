# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # shared with kills.sh
# The guests of kills.sh: User-Mode Linux, whose processes get SIGKILL; in half of
# them the disk has a cache that is lost with the guest.  Sourced.

# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh

campaign=kills
dir=${BOW_LAB:-/dev/shm/kills}
declare -A lasts=([load]=2500 [resume]=3000)

lab_ready()
{
	need_packages "$PACKAGES_UML" && uml_lab
}

turn()
{
	local whats=(load commit resume rollback)

	what=${whats[n % 4]}
	block_size=$((n / 4 % 2 ? 1024 : 4096))
	variant=$([ $((n / 8 % 2)) = 0 ] || echo cache)
}

kind()
{
	echo "$1${2:+ with a cache}"
}

ending()
{
	echo "${1:+with a cache, }killed"
}

# script WHAT SEED [CACHE]
script()
{
	echo "exec sh \$TREE/tests/kills/guest.sh $1 /dev/ubda $2 ${3-}" \
		>"$dir/script"
}

run_guest()
{
	script "$@"
	uml_run "$dir" 300 ubd0="$dir/disk" || { cat "$dir/output"; return 1; }
}

said()
{
	[ -e "$dir/$1" ]
}

console()
{
	cat "$dir/console.log"
}

begin()
{
	local deadline=$((SECONDS + 60))

	script "$@"
	rm -rf "$dir/uml"
	uml_run "$dir" 300 ubd0="$dir/disk" umid=guest uml_dir="$dir/uml/" \
		>/dev/null 2>&1 &
	runner=$!
	until said "$1"; do
		[ "$SECONDS" -lt "$deadline" ] || {
			echo "the guest did not begin"
			return 1
		}
		sleep 0.002
	done
}

# All of its processes are killed.
strike()
{
	kill_guest
	wait "$runner" 2>/dev/null
	return 0
}

# The kernel's first process leads a session, and is killed at once; then those that
# are left, one of which may still be writing.  Without a number pkill would kill all
# there is.
kill_guest()
{
	local leader

	# It may have ended by itself.
	{ read -r leader <"$dir/uml/guest/pid"; } 2>/dev/null || return 0
	[[ $leader =~ ^[1-9][0-9]*$ ]] || return
	kill -KILL "$leader" 2>/dev/null
	while pgrep -s "$leader" >/dev/null; do
		pkill -KILL -s "$leader"
		sleep 0.02
	done
}

undo()
{
	"$restore" "$@" "$dir/disk"
}

guest_off()
{
	:
}
