#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# large.bats - a device of 5 TiB: the tools where numbers have more than 32 bits
#
# The image is a file of holes; what was in use lies around 4 GiB, 2 TiB and 4 TiB,
# which are 2^23, 2^32 and 2^33 sectors, and at both ends.  Nothing here reads it all.
# The core of the module and libbow: tests/unit/test_large.c.

bats_require_minimum_version 1.5.0

setup() {
	load helpers
	common_setup
	truncate -s 5T "$dir/holes" 2>/dev/null || skip 'no file may have 5 TiB here'
	rm "$dir/holes"
}

teardown() {
	common_teardown
}

# Of 512 bytes, "FROM END": on each side of each place, and the ends.
sides='0 4096
8384512 8388608
8388608 8392704
4294963200 4294967296
4294967296 4294971392
8589930496 8589934592
8589934592 8589938688
10737410048 10737418240'

# places COLUMN FROM END
#   Places that an entry of the log has saved (3), or to which (4).
places()
{
	# shellcheck disable=SC2016  # awk
	awk -v column="$1" -v from="$2" -v end="$3" '
		$NF == "backup" && $column >= from && $column < end {
			print $column
		}' "$dir/list"
}

# on_each_side COMMAND...
#   True if it is for each side, given FROM and END.
on_each_side()
{
	local from end

	while read -r from end; do
		"$@" "$from" "$end" && continue
		echo "made by: $made"
		echo "not from sector $from to $end: $*"
		return 1
	done <<<"$sides"
}

is_source()
{
	[ -n "$(places 3 "$1" "$2")" ]
}

is_dest()
{
	[ -n "$(places 4 "$1" "$2")" ]
}

# is_changed IMAGE FROM END
#   Was anything there overwritten by what the other image does not have?
is_changed()
{
	local sector

	while read -r sector; do
		cmp -s -n 512 -i $((sector * 512)) "$img" "$1" || return 0
	done < <(places 3 "$2" "$3")
	return 1
}

# make_large MKLOG-OPTION...
#   An active log that has saved something on each side.
make_large()
{
	make_log --size 16M --ops 800 --spread 5T "$@"
	expect 0 "$restore" --check "$img"
	[ "$output" = active ]
	expect 0 "$verify" --list "$img"
	[ "${lines[0]}" = "$img: active, sound" ]
	echo "$output" >"$dir/list"
	on_each_side is_source
	on_each_side is_changed "$log.orig.img"
}

# The same bytes, and as many?
same_file()
{
	"$mklog" --compare "$1" "$2" /dev/null && return
	echo "made by: $made"
	return 1
}

# stays STATUS COMMAND...
#   As expect_unwritten, which would read the image to its end.
stays()
{
	cp --sparse=always "$img" "$dir/unwritten"
	expect "$@"
	same_file "$img" "$dir/unwritten"
}

rolls_back()
{
	stays 0 "$restore" --dry-run "$img"
	expect 0 "$restore" --rollback "$img"
	same_as orig.img
	expect 2 "$restore" --check "$img"
}

commits()
{
	stays 0 "$restore" --dry-run --commit "$img"
	expect 0 "$restore" --commit "$img"
	same_file "$img" "$log.live.img"
	expect 2 "$restore" --check "$img"
}

@test "5 TiB: backups of all places lie in all places, in every block size" {
	local bs

	for bs in 512 1024 2048 4096; do
		make_large --bs $bs
		on_each_side is_dest
		rolls_back
	done
}

@test "5 TiB: a v1.0 reader undoes the log to the same" {
	make_large --seed 2
	"$mklog" --undo "$img"
	same_as orig.img
}

@test "5 TiB: a commit keeps what the live device showed" {
	local bs

	for bs in 512 4096; do
		make_large --bs $bs --seed 3
		commits
	done
}

@test "5 TiB: older formats" {
	make_large --format v0 --seed 4
	rolls_back
	make_large --format 1.0 --seed 4
	rolls_back
	make_large --format 1.0 --bs 512 --seed 5 --features stale
	commits
}

@test "5 TiB: what was interrupted is completed" {
	local state

	for state in restoring torn-append:1 torn-rollover:254 finishing-rollback:42; do
		make_log --size 16M --spread 5T --state $state
		expect 0 "$restore" "$img"
		same_as orig.img
	done
	for state in torn-append:170 torn-rollover:1 finishing-commit:84; do
		make_log --size 16M --spread 5T --state $state
		expect 0 "$restore" --commit "$img"
		same_file "$img" "$log.live.img"
	done
}

@test "5 TiB: what a resume finds each block to be, and block 0 mended" {
	local bs

	for bs in 512 4096; do
		make_large --bs $bs --seed 7 --features map
		stays 0 "$build/tests/ctl" states "$img"
		echo "$output" >"$dir/got"
		# It may be more careful, see resume.bats.
		# shellcheck disable=SC2016  # awk
		awk 'NR == FNR { got[$1] = $2; next }
			{
				state = $1 in got ? got[$1] : "used"
				delete got[$1]
				if (state != $2 && !(state == "taken" && $2 == "pool"))
					exit 1
			}
			END { for (other in got) exit 1 }' "$dir/got" "$log.states"
		expect 0 "$build/tests/ctl" mend "$img"
		rolls_back
	done
}

@test "5 TiB: the free blocks of an ext4, to the end" {
	requires mke2fs dumpe2fs
	truncate -s 5T "$dir/fs"
	mke2fs -q -F -t ext4 -d "$top/kmod" "$dir/fs"
	expect 0 "$build/tests/ctl" free "$dir/fs" exact
	echo "$output" >"$dir/got"
	# Ranges of groups that touch are one.
	fs_free "$dir/fs" | awk '
		start + n == $1 { n += $2; next }
		n { printf "%.0f %.0f\n", start, n }
		{ start = $1; n = $2 }
		END { printf "%.0f %.0f\n", start, n }' >"$dir/want"
	cmp "$dir/got" "$dir/want"
	[ "$(tail -n 1 "$dir/got" | cut -d' ' -f1)" -gt 10000000000 ]
}
