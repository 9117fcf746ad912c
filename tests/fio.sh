#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fio.sh [ROUNDS [FS...]] - fio over dm-bow, every write verified, then a rollback
#
# In User-Mode Linux, on ext4 with 1, 2 and 4 KiB blocks, xfs, btrfs and f2fs:
# sixteen jobs (tests/fio/jobs.fio) overwrite files that were there at the
# checkpoint, and read back what they wrote; the guest is killed; bow-restore on
# the host, and every block that was in use is as it was, and the filesystem
# sound.  ROUNDS (3) with other seeds.  TAP, and a record.

set -u
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/packages.sh
. tests/packages.sh
# shellcheck source=tests/uml/uml.sh
. tests/uml/uml.sh
# shellcheck source=tests/reports.sh
. tests/reports.sh
# shellcheck source=tests/fio/host.sh
. tests/fio/host.sh

dir=${BOW_LAB:-/dev/shm/fio}
rounds=${1-3}
mib=320
kib=4096
begin=$SECONDS
runs=0 bad=0 copied=0

# one FS ROUND
one()
{
	local fs=$1 status=0

	fs_make "$fs" "$dir/disk" "$mib" || return
	cat >"$dir/script" <<-EOF
	set -e
	guest=\$TREE/tests/fio/guest.sh
	set -- ${fs%-*} /dev/ubda $2 $kib
	sh \$guest begin "\$@"
	# The host copies D0, which keeps the holes.
	: >/mnt/lab/at-d0
	while [ -e /mnt/lab/at-d0 ]; do sleep 0.2; done
	sh \$guest work "\$@"
	EOF
	copy_d0 &
	uml_run "$dir" 600 ubd0="$dir/disk" || status=$?
	rm -f "$dir/at-d0"
	wait
	cat "$dir/output"
	[ "$status" = 0 ] || { tail "$dir/console.log"; return 1; }
	kernel_sound "$dir/console.log" || return
	build/bow-restore -q "$dir/disk" && fs_is_d0 "$fs" "$dir/d0" "$dir/disk"
}

copy_d0()
{
	rm -f "$dir/d0"
	until [ -e "$dir/at-d0" ]; do
		[ ! -e "$dir/status" ] && sleep 0.2 || return
	done
	cp --sparse=always "$dir/disk" "$dir/d0.new"
	mv "$dir/d0.new" "$dir/d0"
	rm "$dir/at-d0"
}

main()
{
	local fs round verdict

	shift
	[ $# != 0 ] || set -- ext4-1 ext4-2 ext4-4 xfs btrfs f2fs
	need_packages "$PACKAGES_UML $PACKAGES_FILESYSTEMS" && uml_lab || return
	mkdir -p "$dir"
	for ((round = 1; round <= rounds; round++)); do
		for fs; do
			runs=$((runs + 1))
			verdict=ok
			one "$fs" "$round" >"$dir/result" 2>&1 || {
				verdict='not ok'
				bad=$((bad + 1))
			}
			copied=$((copied + $(sed -n 's/.* copied_sectors:\([0-9]*\).*/\1/p' \
				"$dir/result" | tail -n 1) + 0))
			echo "$verdict $runs - fio on $fs, round $round"
			sed 's/^/# /' "$dir/result"
		done
	done
	echo "# record {\"what\": \"fio\", \"runs\": $runs, \"states\": $runs, \"copied_bytes\": $((copied * 512)), \"seconds\": $((SECONDS - begin)), \"findings\": $bad}"
	echo "1..$runs"
	[ "$bad" = 0 ]
}

main "${@:-3}"
