# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Filesystems for the guests of campaigns, and what a rollback of them has to
# give.  Sourced.
#
# An image has no hole when it is made: after fstrim its holes are what was free.

# shellcheck source=tests/free-sectors.sh
. "$(dirname "${BASH_SOURCE[0]}")/../free-sectors.sh"

# fs_make FS FILE MIB
fs_make()
{
	head -c "${3}M" /dev/urandom >"$2" || return
	case $1 in
	ext4-*) mke2fs -q -t ext4 -E nodiscard -b $((${1#ext4-} * 1024)) "$2" ;;
	xfs)	mkfs.xfs -q -f -K --unsupported "$2" >/dev/null 2>&1 ;;
	btrfs)	mkfs.btrfs -q -f -K "$2" >/dev/null 2>&1 ;;
	f2fs)	mkfs.f2fs -q -f -t 0 "$2" >/dev/null ;;
	esac
}

# fs_holes FILE
#   Its holes, START LENGTH in sectors.
fs_holes()
{
	local bytes

	bytes=$(stat -c %s "$1")
	xfs_io -r -c 'seek -a -r 0' "$1" | awk -v bytes="$bytes" '
		$1 == "HOLE" { start = $2; open = 1 }
		open && $1 == "DATA" { print start / 512, ($2 - start) / 512; open = 0 }
		END { if (open && start < bytes) print start / 512, (bytes - start) / 512 }'
}

# fs_free FS D0
fs_free()
{
	case $1 in
	ext4-*) free_sectors "$2" ;;
	*)	fs_holes "$2" ;;
	esac
}

# fs_check FS FILE
#   Is it sound?
fs_check()
{
	case $1 in
	ext4-*) e2fsck -fn "$2" ;;
	xfs)	xfs_repair -n "$2" ;;
	btrfs)	btrfs check "$2" ;;
	f2fs)	fsck.f2fs --dry-run "$2" ;;
	esac
}

# fs_is_d0 FS D0 FILE
#   Byte for byte where anything was in use, and a sound filesystem.
fs_is_d0()
{
	local out

	fs_free "$1" "$2" >"$2.free"
	[ -s "$2.free" ] || { echo "nothing was free"; return 1; }
	"$(dirname "${BASH_SOURCE[0]}")/../../build/tests/mklog" \
		--compare "$2" "$3" "$2.free" || return
	out=$(fs_check "$1" "$3" 2>&1) || {
		echo "$out"
		return 1
	}
}
