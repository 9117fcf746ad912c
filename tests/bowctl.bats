#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# bowctl.bats - bowctl's command line, the free ranges it reads, and the freeze
#
# What needs dm-bow itself is in tests/vm.  build/tests/ctl runs the parts.
#
# Each test is a subshell of its own, "run" sets stderr, and scripts for a namespace are
# expanded there:
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0

setup() {
	top=$BATS_TEST_DIRNAME/..
	ctl=$top/${BOW_BUILD:-build}/tests/ctl
	bowctl=$top/${BOW_BUILD:-build}/bowctl
	dir=$(mktemp -d "${TMPDIR:-/tmp}/bow.XXXXXX")
	img=$dir/img
	mnt=$dir/mnt
	big=
	loop=
	pid=
	mkdir "$mnt"
}

teardown() {
	if [ -n "$pid" ]; then kill -9 "$pid" 2>/dev/null || true; fi
	if mountpoint -q "$mnt"; then
		# The guardian of a killed program lets go a moment later.
		thawed_within 5 || fsfreeze -u "$mnt" || true
		umount "$mnt" || { sleep 1; umount "$mnt"; }
	fi
	if [ -n "$loop" ]; then losetup -d "$loop"; fi
	rm -rf "$dir" ${big:+"$big"}
}

# make_fs SIZE MKE2FS-OPTION...
make_fs() {
	local size=$1

	shift
	truncate -s "$size" "$img"
	[[ " $* " == *" -t "* ]] || set -- -t ext4 "$@"
	mke2fs -q -F "$@" "$img" 2>"$dir/mke2fs.err"
}

# mount_fs: $img on $mnt, through $loop
mount_fs() {
	loop=$(losetup -f --show "$img")
	mount -t ext4 "$loop" "$mnt"
}

# fill: files of many sizes, every third one removed again
fill() {
	local i

	for i in {1..300}; do
		head -c $((i * 977 % 90000)) /dev/urandom >"$mnt/f$i"
	done
	sync -f "$mnt"
	for i in {1..300..3}; do rm "$mnt/f$i"; done
}

# expected FILE: the free ranges as dumpe2fs tells them, in sectors, merged
expected() {
	dumpe2fs "$1" 2>/dev/null | awk '
		/^Block size:/ { sectors = $3 / 512; last_of = 0 }
		# It prints the first block of the last cluster.
		/^Cluster size:/ { last_of = $3 / (sectors * 512) - 1 }
		/^  Free blocks: / {
			sub(/^  Free blocks: /, "")
			n = split($0, part, ", ")
			for (i = 1; i <= n; i++) {
				if (split(part[i], ab, "-") == 1)
					ab[2] = ab[1]
				ab[2] += last_of
				if (have && ab[1] == last + 1) {
					last = ab[2]
				} else {
					flush()
					first = ab[1]; last = ab[2]; have = 1
				}
			}
		}
		function flush() {
			if (have)
				# %d of mawk has 32 bits.
				printf "%.0f %.0f\n", first * sectors,
					(last - first + 1) * sectors
		}
		END { flush() }'
}

# same_as_dumpe2fs FILE
same_as_dumpe2fs() {
	expected "$1" >"$dir/expected"
	"$ctl" free "$1" exact >"$dir/found"
	[ -s "$dir/found" ]
	diff -u "$dir/expected" "$dir/found"
}

# hold LIMIT MS: freeze $mnt in the background; returns once it is frozen
hold() {
	# What an earlier one said must not be taken for this one's.
	: >"$dir/out"
	"$ctl" hold "$mnt" "$1" "$2" >"$dir/out" 2>"$dir/err" 3>&- &
	pid=$!
	for _ in {1..200}; do
		if grep -q frozen "$dir/out"; then return 0; fi
		sleep 0.02
	done
	return 1
}

# ends_with STATUS: the program in the background
ends_with() {
	local status=0

	wait "$pid" || status=$?
	pid=
	[ "$status" -eq "$1" ]
}

# thawed_within SECONDS
thawed_within() {
	local i

	for ((i = 0; i < $1 * 20; i++)); do
		if ! "$ctl" frozen "$mnt"; then return 0; fi
		sleep 0.05
	done
	return 1
}

requires_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root for a loop mount"
}

@test "free ranges: a new filesystem of every block size agrees with dumpe2fs" {
	local bs size

	for bs in 1024 2048 4096; do
		for size in 9M 131M 300001K; do
			rm -f "$img"
			make_fs $size -b $bs
			same_as_dumpe2fs "$img"
		done
	done
}

@test "free ranges: every layout of mke2fs agrees with dumpe2fs" {
	local opt

	for opt in "-O ^flex_bg" "-O ^metadata_csum" "-O ^metadata_csum,^uninit_bg" \
		"-O meta_bg,^resize_inode" "-O ^64bit" "-O sparse_super2" \
		"-O ^has_journal" "-t ext2" "-t ext3" "-g 8192" "-O ^sparse_super,^resize_inode" \
		"-O bigalloc" "-O bigalloc -C 65536" "-G 4" "-O mmp"; do
		rm -f "$img"
		# shellcheck disable=SC2086 # several words
		make_fs 600M -b 4096 $opt
		echo "mke2fs $opt"
		same_as_dumpe2fs "$img"
	done
}

@test "free ranges: more blocks than 32 bits can count" {
	# ext4 has no file of that size, tmpfs does.
	big=$(mktemp -d /dev/shm/bowctl.XXXXXX)
	img=$big/image
	truncate -s 17T "$img" || skip "/dev/shm takes no file of 17 TiB"
	make_fs 17T -b 4096 -m 0 -N 1000000 -O ^has_journal \
		-E lazy_itable_init=1
	same_as_dumpe2fs "$img"
}

# blocks_of SECTORS: ranges as blocks of so many sectors
blocks_of() {
	awk -v unit="$1" '{ for (i = 0; i < $2; i += unit) printf "%.0f\n", $1 + i }'
}

# same_as_bits FILE SECTORS: bitmaps and ranges together are the blocks that ranges
# alone are
same_as_bits() {
	"$ctl" free "$1" exact | blocks_of "$2" >"$dir/expected"
	"$ctl" free "$1" bits >"$dir/bits"
	grep -v bits "$dir/bits" | blocks_of "$2" >"$dir/found"
	cmp "$dir/expected" "$dir/found"
}

@test "free ranges: what is in very many pieces is told as a bitmap" {
	local bs

	for bs in 1024 2048 4096; do
		rm -f "$img"
		make_fs $(((262144 + 200000) * bs / 1024))K -b $bs
		same_as_bits "$img" $((bs / 512))
		run ! grep bits "$dir/bits"
		"$top/build/tests/fragment" "$img"
		same_as_bits "$img" $((bs / 512))
		grep bits "$dir/bits"
		# The filesystem's last part is less than a stretch.
		[ "$(grep bits "$dir/bits" | tail -n 1 | cut -d' ' -f4)" -lt 262144 ]
	done
	# A stretch that is not so fragmented is told as ranges.
	rm -f "$img"
	make_fs 2G -b 4096 -E lazy_itable_init=1
	printf '%s\n' 'write /dev/null file' 'fallocate file 0 149999' |
		debugfs -w -f - "$img" >"$dir/debugfs" 2>&1
	"$top/build/tests/fragment" "$img"
	same_as_bits "$img" 8
	grep "bits $((262144 * 8)) " "$dir/bits"
	run ! grep "bits 0 " "$dir/bits"
}

@test "free ranges: block groups never initialised are read right" {
	make_fs 2G -b 4096 -O '^flex_bg'
	dumpe2fs "$img" 2>/dev/null | grep -q BLOCK_UNINIT
	same_as_dumpe2fs "$img"
	rm "$img"
	make_fs 1G -b 1024
	dumpe2fs "$img" 2>/dev/null | grep -q BLOCK_UNINIT
	same_as_dumpe2fs "$img"
}

@test "free ranges: with 1 KiB blocks, the device's first block is never free" {
	make_fs 64M -b 1024
	run -0 "$ctl" free "$img" exact
	[ "${lines[0]%% *}" -ge 2 ]
}

@test "free ranges: a filesystem in use agrees with dumpe2fs while frozen" {
	local bs

	requires_root
	for bs in 1024 4096; do
		rm -f "$img"
		make_fs 200M -b $bs
		mount_fs
		fill
		hold 20000 10000
		same_as_dumpe2fs "$loop"
		[ "$(wc -l <"$dir/found")" -gt 20 ]
		kill -TERM "$pid"
		ends_with 32
		umount "$mnt"
		losetup -d "$loop"
		loop=
	done
}

@test "free ranges: under load, ten freezes in a row pass all cross-checks" {
	local i

	requires_root
	make_fs 300M -b 4096
	mount_fs
	(while :; do fill; done) >/dev/null 2>&1 3>&- &
	local load=$!
	for i in {1..10}; do
		sleep 0.2
		hold 20000 10000
		"$ctl" free "$loop" exact >"$dir/found" || echo "round $i" >>"$dir/bad"
		[ -s "$dir/found" ] || echo "round $i: empty" >>"$dir/bad"
		kill -TERM "$pid"
		ends_with 32
	done
	kill "$load"
	wait "$load" || true
	[ ! -e "$dir/bad" ]
}

# refused WHAT: and nothing printed
refused() {
	run --separate-stderr -8 "$ctl" free "$img" exact
	[ -z "$output" ]
	echo "$stderr"
	[[ "$stderr" == *"$1"* ]]
}

@test "free ranges: a block bitmap that was changed is refused" {
	make_fs 64M -b 4096
	local at
	at=$(dumpe2fs "$img" 2>/dev/null |
		sed -n 's/.*Block bitmap at \([0-9]*\).*/\1/p' | head -1)
	printf '\0' | dd of="$img" bs=1 seek=$((at * 4096 + 3)) conv=notrunc status=none
	refused "bitmap"
}

@test "free ranges: counts that disagree are refused" {
	make_fs 64M -b 4096
	debugfs -w -R 'set_super_value free_blocks_count 17' "$img" 2>/dev/null
	refused "free blocks: "
}

@test "free ranges: a group's count that disagrees is refused" {
	make_fs 64M -b 4096 -O '^metadata_csum,uninit_bg'
	debugfs -w -R 'set_bg 0 free_blocks_count 17' "$img" 2>/dev/null
	debugfs -w -R 'set_bg 0 checksum calc' "$img" 2>/dev/null
	refused "free blocks: "
}

@test "free ranges: a damaged, unreplayed or unknown filesystem is refused" {
	make_fs 64M -b 4096
	cp --sparse=always "$img" "$dir/good"
	debugfs -w -R 'set_super_value state 3' "$img" 2>/dev/null
	refused "marked as damaged"
	cp --sparse=always "$dir/good" "$img"
	debugfs -w -R 'feature needs_recovery' "$img" 2>/dev/null
	refused "journal"
	cp --sparse=always "$dir/good" "$img"
	debugfs -w -R 'set_super_value feature_ro_compat 0x8000046b' "$img" 2>/dev/null
	refused "unknown features (0x80000000)"
	requires_root
	truncate -s 16M "$dir/journal"
	loop=$(losetup -f --show "$dir/journal")
	mke2fs -q -O journal_dev -b 4096 "$loop"
	rm "$img"
	make_fs 64M -b 4096 -J "device=$loop"
	refused "its journal is on another device"
	head -c 64M /dev/zero >"$img"
	refused "no ext4 filesystem"
	: >"$img"
	refused ""
}

@test "freeze: it is frozen while held, thawed after, and the time is told" {
	requires_root
	make_fs 64M
	mount_fs
	hold 20000 300
	"$ctl" frozen "$mnt"
	ends_with 0
	run -1 "$ctl" frozen "$mnt"
	[[ "$(cat "$dir/out")" == *"thawed after "[3-9]??" ms"* ]]
}

@test "freeze: a killed program leaves a thawed filesystem" {
	requires_root
	make_fs 64M
	mount_fs
	hold 20000 15000
	# Who kills all of the name does not get the process that thaws.
	run -0 ps -o comm= --ppid "$pid"
	[ "$output" = bow-guardian ]
	kill -9 "$pid"
	thawed_within 2
	touch "$mnt/writable"
}

@test "freeze: a killed process group leaves a thawed filesystem" {
	requires_root
	make_fs 64M
	mount_fs
	setsid "$ctl" hold "$mnt" 20000 15000 >"$dir/out" 3>&- &
	pid=$!
	for _ in {1..200}; do
		if grep -q frozen "$dir/out"; then break; fi
		sleep 0.02
	done
	"$ctl" frozen "$mnt"
	[ "$(ps -o pgid= -p "$pid")" -eq "$pid" ]
	kill -9 -- "-$pid"
	thawed_within 2
}

@test "freeze: SIGTERM thaws and ends with 32" {
	requires_root
	make_fs 64M
	mount_fs
	hold 20000 15000
	kill -TERM "$pid"
	ends_with 32
	run -1 "$ctl" frozen "$mnt"
}

@test "freeze: a program that takes too long is killed, then the filesystem thawed" {
	requires_root
	make_fs 64M
	mount_fs
	hold 1000 15000
	"$ctl" frozen "$mnt"
	ends_with 137
	thawed_within 2
	for _ in {1..20}; do
		if grep -q "frozen for too long" "$dir/err"; then break; fi
		sleep 0.1
	done
	grep -q "frozen for too long" "$dir/err"
}

@test "freeze: a stopped program does not keep the filesystem frozen" {
	requires_root
	make_fs 64M
	mount_fs
	hold 1000 15000
	kill -STOP "$pid"
	thawed_within 4
	ends_with 137
}

@test "freeze: another program's freeze is left alone" {
	requires_root
	make_fs 64M
	mount_fs
	fsfreeze -f "$mnt"
	run -8 "$ctl" hold "$mnt" 20000 100
	[[ "$output" == *"frozen by another program"* ]]
	"$ctl" frozen "$mnt"
	fsfreeze -u "$mnt"
}

@test "freeze: a thaw by another program is noticed" {
	requires_root
	make_fs 64M
	mount_fs
	hold 20000 500
	fsfreeze -u "$mnt"
	ends_with 8
	grep -q "thawed by another program" "$dir/err"
	run -1 "$ctl" frozen "$mnt"
}

@test "bowctl: without dm-bow, status says so, exit 2" {
	requires_root
	make_fs 64M
	mount_fs
	run -2 "$bowctl" status "$mnt"
	[[ "$output" == *"not a device-mapper device"* ]]
	run --separate-stderr -2 "$bowctl" -J status "$mnt"
	[[ "$output" == *'"state": "none"'* ]]
	run -2 "$bowctl" commit "$mnt"
	# Nothing that is done at boot would change it.
	run -2 "$bowctl" checkpoint "$mnt"
	[[ "$output" != *"update-initramfs -u"* ]]
	run -1 "$ctl" frozen "$mnt"
}

@test "bowctl: -J: what fails has no object, and tells why on standard error" {
	local command place

	: >"$img"
	for command in checkpoint commit files status; do
		run --separate-stderr -8 "$bowctl" -J "$command" "$dir/none"
		[ -z "$output" ]
		[ "$stderr" = "bowctl: $command: $dir/none: No such file or directory" ]
	done
	for place in "$dir/none" /dev/null "$img"; do
		run --separate-stderr -8 "$bowctl" -J resume "$place"
		[[ -z $output && $stderr == "bowctl: resume: $place: "* ]]
	done
}

# in_namespace SCRIPT: with a /run of its own
in_namespace() {
	unshare --mount --propagation private bash -ec '
		mount -t tmpfs run /run
		mkdir /run/bow
		bowctl=$1 ctl=$2 mnt=$3
		eval "$4"' bash "$bowctl" "$ctl" "$mnt" "$1"
}

@test "bowctl: a checkpoint of a root without dm-bow tells why it is without" {
	requires_root
	run -2 in_namespace '"$bowctl" checkpoint'
	[[ "$output" == *"update-initramfs -u"* ]]
	run -2 in_namespace 'echo attached=no >/run/bow/boot
		echo "attach_error=no dmsetup in the initramfs" >>/run/bow/boot
		"$bowctl" checkpoint'
	[[ "$output" == *"bowctl: at boot: no dmsetup in the initramfs" ]]
	run -2 in_namespace 'echo mode=off >/run/bow/boot; "$bowctl" checkpoint'
	[[ "$output" == *"bowctl: this boot is one with bow=off" ]]
}

@test "bowctl: filesystems beside the root are not covered, and said to be so" {
	local dir

	requires_root
	for dir in /boot /usr /var /home; do
		! mountpoint -q "$dir" || skip "$dir is a filesystem here"
	done
	run -0 in_namespace '"$ctl" beside /'
	[[ "$output" != *"not covered, "* ]]
	[[ "$output" == *'"not_covered": [],'* ]]
	run -0 in_namespace 'for dir in /boot /home; do mount -t tmpfs other $dir; done
		mount --bind /etc /var
		"$ctl" beside /'
	[[ "$output" == *"not covered, as on other filesystems: /boot, /home; after a rollback start Linux $(uname -r)"* ]]
	[[ "$output" == *'"not_covered": ['*'"/boot",'*'"/home"'*'],'* ]]
	# Another filesystem has nothing to do with them.
	run -0 in_namespace 'for dir in /boot /home; do mount -t tmpfs other $dir; done
		"$ctl" beside /proc'
	[[ "$output" != *"not covered, "* ]]
}

@test "bowctl: what is mounted below /boot is not covered either" {
	requires_root
	! mountpoint -q /boot || skip "/boot is a filesystem here"
	big=$(mktemp -d /var/tmp/bow.XXXXXX)
	[ "$(stat -c %d "$big")" = "$(stat -c %d /)" ] || skip "/var/tmp is not on the root"
	mkdir "$big"/{efi,firmware,grub}
	# A /boot that is on the root.
	run -0 in_namespace 'mount --bind '"$big"' /boot
		mount --bind /etc /boot/grub
		mount -t tmpfs other /boot/efi
		"$ctl" beside /
		mount -t tmpfs other /boot/firmware
		mount -t tmpfs other /home
		"$ctl" beside /
		umount /boot/firmware
		for dir in /boot/{efi,firmware}; do mount --bind /etc $dir; done
		"$ctl" beside /'
	echo "$output"
	[ "$(grep "not covered, " <<<"$output")" = "bowctl: not covered, as on other filesystems: /boot/efi
bowctl: not covered, as on other filesystems: /boot/efi, /boot/firmware, /home; after a rollback start Linux $(uname -r)
bowctl: not covered, as on other filesystems: /home" ]
	[[ "$output" == *'"/boot/efi",'*'"/boot/firmware",'*'"/home"'* ]]
	# One of its own comes first.
	run -0 in_namespace 'mount -t tmpfs other /boot
		mkdir /boot/efi
		mount -t tmpfs other /boot/efi
		"$ctl" beside /'
	[[ "$output" == *": /boot, /boot/efi; after a rollback start Linux "* ]]
}

@test "bowctl: a bow=commit that kexec would hand on is warned of" {
	local words

	requires_root
	# The last one counts, and of the root only.
	for words in "ro bow=commit quiet" "bow=resume bow=commit"; do
		run -0 in_namespace "echo $words >/run/cmdline
			mount --bind /run/cmdline /proc/cmdline"'
			"$ctl" beside /; "$ctl" beside /proc'
		[[ "$output" == "bowctl: this boot is one with bow=commit, "*"kexec"$'\n{'* ]]
		[ "$(grep -c kexec <<<"$output")" = 1 ]
		[[ "$output" == *'"command_line_commits": true'*'"command_line_commits": false'* ]]
	done
	for words in "ro quiet" "bow=commit bow=auto" "xbow=commit bow=commits"; do
		run -0 in_namespace "echo $words >/run/cmdline
			mount --bind /run/cmdline /proc/cmdline"'
			"$ctl" beside /'
		[[ "$output" != *kexec* ]]
		[[ "$output" == *'"command_line_commits": false'* ]]
	done
}

@test "bowctl: a swap file in use on the filesystem is told of" {
	requires_root
	run -0 in_namespace 'mount -t tmpfs mnt "$mnt"
		touch "$mnt/swap file" "$mnt/other"
		cat >/run/swaps <<-EOF
		Filename				Type		Size		Used		Priority
		/dev/null                               partition	1048572		0		-2
		${mnt}/swap\\040file                          file		1048572		0		-3
		/run/swaps                              file		1048572		0		-3
		EOF
		mount --bind /run/swaps /proc/swaps
		"$ctl" beside "$mnt"'
	echo "$output"
	[[ "$output" == "bowctl: $mnt/swap file is in use: "*"takes room"$'\n{'* ]]
	[[ "$output" == *'"swap_files": ['*"\"$mnt/swap file\""$'\n'*']'* ]]
}

@test "bowctl: a name that does not exist is an error, exit 8" {
	run -8 "$bowctl" status "$dir/none"
	[[ "$output" == *"No such file"* ]]
}

@test "bowctl: wrong arguments give exit 16" {
	run -16 "$bowctl"
	run -16 "$bowctl" nonsense
	run -16 "$bowctl" --nonsense status
	run -16 "$bowctl" status / extra
	run -16 "$bowctl" --name other status
	[[ "$output" == "bowctl: --name is for resume"* ]]
	run -16 "$bowctl" --name "" resume /dev/null
	[[ "$output" == "bowctl: --name is empty"* ]]
	run -16 "$bowctl" rollback
	[[ "$output" == "bowctl: to roll back, reboot"* ]]
}

@test "bowctl: a result that cannot be written is not a success" {
	run -8 bash -c "'$bowctl' --help >/dev/full"
}

@test "bowctl: --help and the man page list the same options and commands" {
	"$bowctl" --help | grep -o -e ' -[A-Za-z], --[a-z]*' | sort >"$dir/help"
	sed -n 's/^\\fB\\-\([A-Za-z]\)\\fR, \\fB\\-\\-\([a-z]*\)\\fR.*/ -\1, --\2/p' \
		"$top/man/bowctl.8" | sort >"$dir/man"
	[ -s "$dir/help" ]
	diff -u "$dir/help" "$dir/man"
	"$bowctl" --help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p' |
		sort >"$dir/help"
	sed -n '/^.SH COMMANDS/,/^.SH OPTIONS/s/^\\fB\([a-z]*\)\\fR.*/\1/p' \
		"$top/man/bowctl.8" | sort >"$dir/man"
	[ -s "$dir/help" ]
	diff -u "$dir/help" "$dir/man"
}
