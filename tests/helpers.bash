# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # bats sets status and output
#
# helpers.bash - what the tests of the tools have in common
#
# Every test has a directory of its own, $dir, which bats removes.  Images are
# made by build/tests/mklog; $log is the prefix of the newest one's files.

top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
restore=${BOW_RESTORE:-$top/build/bow-restore}
verify=${BOW_VERIFY:-$top/build/bow-verify}
build=$top/${BOW_BUILD:-build}
mklog=$build/tests/mklog
samples=$top/../shared/samples

case $restore in /*) ;; *) restore=$top/$restore ;; esac
case $verify in /*) ;; *) verify=$top/$verify ;; esac

# Every format with every block size that it allows.
formats=('v0 4096' '1.0 512' '1.0 1024' '1.0 2048' '1.0 4096'
	'1.1 512' '1.1 1024' '1.1 2048' '1.1 4096')
# The sanitizers watch the code, and that is the same for the sizes between.
[ -z "${SANITIZED-}" ] || formats=('v0 4096' '1.0 512' '1.0 4096' '1.1 512' '1.1 4096')

# common_setup
#   Called from setup().
common_setup()
{
	dir=$BATS_TEST_TMPDIR
	log=$dir/log
	img=$log.bow.img
	loops=()
	mounts=()
	holders=()
}

# common_teardown
#   Lets go of what the test took, newest first.
common_teardown()
{
	local i

	for i in "${holders[@]}"; do
		kill "$i" 2>/dev/null || true
	done
	for i in "${mounts[@]}"; do
		umount "$i" || true
	done
	for i in "${loops[@]}"; do
		losetup -d "$i" || true
	done
}

# one_object
#   $output is one JSON object, and no member is there twice.
one_object()
{
	[ "$(jq -s 'map(type) == ["object"]' <<<"$output")" = true ] &&
		[ -z "$(jq -c --stream 'select(length == 2)[0]' <<<"$output" |
			sort | uniq -d)" ]
}

# requires WORD...
#   Skips the test, with the reason: root, samples, native (no sanitizer in
#   the program), or the name of a program.
requires()
{
	local word

	for word; do
		case $word in
		root)	[ "$(id -u)" = 0 ] || skip 'needs root' ;;
		samples) [ -d "$samples" ] || skip 'the samples are not there' ;;
		native)	[ -z "${SANITIZED-}" ] || skip 'not with sanitizers' ;;
		strace)	command -v strace >/dev/null || skip 'needs strace'
			# The leak checker is a tracer itself.
			export ASAN_OPTIONS=detect_leaks=0 ;;
		*)	command -v "$word" >/dev/null || skip "needs $word" ;;
		esac
	done
}

# make_log MKLOG-OPTION...
make_log()
{
	made="mklog $*"
	"$mklog" "$@" "$log"
}

# each_format COMMAND [ARGUMENT...]
#   Runs COMMAND with FORMAT and BS added for each pair of them.
each_format()
{
	local pair

	for pair in "${formats[@]}"; do
		# shellcheck disable=SC2086  # two words
		"$@" $pair
	done
}

sum()
{
	sha256sum <"$1"
}

# expect STATUS COMMAND...
#   Like run, and tells which of a loop's commands went wrong.
expect()
{
	local want=$1

	shift
	run "$@"
	[ "$status" -eq "$want" ] && return
	echo "made by: ${made-}"
	echo "exit $status, not $want: $*"
	echo "$output"
	return 1
}

# expect_unwritten STATUS COMMAND...
#   The same, and the image must not change.
expect_unwritten()
{
	local before

	before=$(sum "$img")
	expect "$@" || return
	[ "$(sum "$img")" = "$before" ] && return
	echo "made by: $made"
	echo "the image was changed by: ${*:2}"
	return 1
}

# same_as NAME
#   Is the image equal to $log.NAME outside the free blocks?
same_as()
{
	"$mklog" --compare "$img" "$log.$1" "$log.free" && return
	echo "made by: $made"
	echo "the image is not $1"
	return 1
}

# identical A B
identical()
{
	cmp "$1" "$2" && return
	echo "made by: $made"
	return 1
}

# option_names
#   The long options in a text, one a line.
option_names()
{
	grep -oE -- '--[a-z][a-z-]*' | sort -u
}

# man_options PAGE
#   The long options that the OPTIONS section of a man page defines.
man_options()
{
	sed 's/\\-/-/g; s/\\f[A-Z]//g' "$top/man/$1" |
		sed -n '/^\.S[Hh] OPTIONS/,/^\.S[Hh] [^O]/p' |
		option_names
}

# json_names
#   The names of all members in JSON, one a line.
json_names()
{
	jq -r '[paths[] | strings] | unique[]' | sort -u
}

# json_documented PAGE NAMES
#   Is each of these members, in a file, in that section of the man page?
json_documented()
{
	sed -n '/^\.SH JSON/,/^\.SH EX/p' "$top/man/$1" |
		grep -oE '[a-z][a-z0-9_]*' | sort -u >"$dir/documented"
	comm -23 "$2" "$dir/documented" >"$dir/missing"
	cat "$dir/missing"
	[ ! -s "$dir/missing" ]
}

# fs_free IMAGE
#   The free sectors of an ext2/3/4 image: START LENGTH a line.
fs_free()
{
	dumpe2fs "$1" 2>/dev/null | awk '
		/^Block size:/ { spb = $3 / 512 }
		sub(/^  Free blocks: */, "") {
			n = split($0, range, /, */)
			for (i = 1; i <= n; i++) {
				ends = split(range[i], end, "-")
				# print would round what is above 2^31.
				printf "%.0f %.0f\n", end[1] * spb,
					(end[ends] - end[1] + 1) * spb
			}
		}'
}

# attach IMAGE
#   Sets loop to a loop device over the image.
attach()
{
	loop=$(losetup --show -f "$1")
	loops+=("$loop")
}

# sample NAME
#   Unpacks a log that another writer made; sets img and $log.orig.img, .free.
sample()
{
	log=$dir/$1
	img=$log.bow.img
	made="sample $1"
	zstd -dqf "$samples/$1.bow.img.zst" -o "$img"
	zstd -dqf "$samples/$1.orig.img.zst" -o "$log.orig.img"
	case $1 in
	raw1024) printf '%s\n' '2048 128' '4096 512' '6144 1024' ;;
	*)	fs_free "$log.orig.img" ;;
	esac >"$log.free"
}
