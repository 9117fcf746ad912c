#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# disk-faults.sh [ROUNDS [FAULT...]] - a checkpoint on a disk, or in a kernel, that fails
#
# In User-Mode Linux, on ext4 with 4 and 1 KiB blocks: dm-flakey (errors, writes
# that fail, are dropped, are corrupted), places that fail, dm-dust, failing
# allocations, no space, and tables and messages out of place, all under load.
# The filesystem may fail.  Then the power goes, and on the host bow-restore
# gives D0, byte for byte where it was in use, and commits a copy; what a disk
# dropped or corrupted that it had acknowledged may instead be refused, nothing
# written.  "cache" is a loop device between, which tells of errors at a flush only.
# ROUNDS (3), with other seeds.  TAP, and a record.

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

dir=${BOW_LAB:-/dev/shm/disk-faults}
rounds=${1-3}
n=0 bad=0 refused=0
declare -A kinds

make_start()
{
	local i

	rm -rf "$dir/tree" "$dir/d0"
	mkdir -p "$dir/tree/a" "$dir/tree/b"
	for i in {0..30}; do
		head -c $((32768 + i * 700)) /dev/urandom >"$dir/tree/a/$i"
		head -c $((i * 100)) /dev/urandom >"$dir/tree/b/$i"
	done
	truncate -s 32M "$dir/d0"
	mke2fs -q -t ext4 -b "$1" -d "$dir/tree" "$dir/d0" &&
		free_sectors "$dir/d0" >"$dir/d0.free"
}

# commits FAULT
#   The live contents may be damaged; there is a superblock, and no log.
commits()
{
	local status=0

	cp "$dir/disk" "$dir/copy"
	build/bow-restore -q --commit "$dir/copy" || status=$?
	case $1:$status in
	drop-writes:4 | corrupt:4) cmp "$dir/disk" "$dir/copy" ;;
	*:0)	build/bow-restore --check "$dir/copy" || status=$?
		[ "$status" = 2 ] && dumpe2fs -h "$dir/copy" >/dev/null 2>&1 ;;
	*)	return 1 ;;
	esac
}

# died_above FAULT
#   Without memory ext4 and User-Mode Linux of 6.1 dereference NULL here and there: as
#   good as a power cut, if it was not in dm-bow.
died_above()
{
	[[ $1 = fail* ]] && grep -aq 'Kernel panic' "$dir/console.log" &&
		! grep -aq '\] bow_\|\] ? bow_' "$dir/console.log" &&
		echo 'the kernel did not survive it, outside dm-bow'
}

# one FAULT SEED
#   False if it is wrong; 4 if the log was refused.
one()
{
	local status=0

	cp "$dir/d0" "$dir/disk"
	rm -f "$dir/done"
	echo "exec sh \$TREE/tests/disk-faults/guest.sh $1 /dev/ubda $2" \
		>"$dir/script"
	uml_run "$dir" 300 ubd0="$dir/disk"
	cat "$dir/output"
	if [ -e "$dir/done" ]; then
		kernel_sound "$dir/console.log" || return 1
	elif ! died_above "$1"; then
		tail "$dir/console.log"
		return 1
	fi
	commits "$1" || return 1
	sha256sum "$dir/disk" >"$dir/before"
	build/bow-restore -q "$dir/disk" || status=$?
	case $1:$status in
	drop-writes:4 | corrupt:4)
		sha256sum -c --quiet "$dir/before" && return 4
		return 1 ;;
	*:0)	build/tests/mklog --compare "$dir/d0" "$dir/disk" "$dir/d0.free" &&
			e2fsck -fn "$dir/disk" ;;
	*)	return 1 ;;
	esac
}

main()
{
	local fault round verdict status

	shift
	[ $# != 0 ] || set -- errors error-writes cache-errors cache-error-writes \
		drop-writes corrupt places dust failslab fail_page_alloc full tables
	need_packages "$PACKAGES_UML" && uml_lab || return
	mkdir -p "$dir"
	for ((round = 1; round <= rounds; round++)); do
		make_start $((round % 2 ? 4096 : 1024)) || return
		for fault; do
			n=$((n + 1))
			status=0
			verdict=ok
			one "$fault" "$round" >"$dir/result" 2>&1 || status=$?
			case $status in
			0) ;;
			4) refused=$((refused + 1)) ;;
			*) verdict='not ok'
				bad=$((bad + 1))
				cp "$dir/disk" "$dir/wrong.$n" ;;
			esac
			kinds[$fault]=$((${kinds[$fault]-0} + 1))
			echo "$verdict $n - $fault, round $round$([ "$status" != 4 ] || echo ': refused')"
			sed 's/^/# /' "$dir/result"
		done
	done
	echo "# record {\"what\": \"disk-faults\", \"states\": $n, \"refused\": $refused, \"kinds\": {$(
		for fault in "${!kinds[@]}"; do
			printf '"%s": %d\n' "$fault" "${kinds[$fault]}"
		done | paste -sd ,)}, \"seconds\": $SECONDS, \"findings\": $bad}"
	echo "1..$n"
	[ "$bad" = 0 ]
}

main "${@:-3}"
