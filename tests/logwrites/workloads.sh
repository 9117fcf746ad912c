# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154  # shared with guest.sh
# Small workloads on the filesystem at $m, with many flushes.  Sourced by
# guest.sh; tools of busybox will do, but for those that say otherwise.

# Of the seed $random follows all that is not fixed.
pick()
{
	random=$(((random * 1103515245 + 12345) % 2147483648))
	picked=$((random / 65536 % $1))
}

# bytes COUNT: some, compressible by nothing.
bytes()
{
	head -c "$1" /dev/urandom
}

flush_file()
{
	dd if=/dev/null of="$1" bs=1 conv=notrunc,fsync 2>/dev/null
}

# write_at FILE BLOCK COUNT [OPERAND...]
#   COUNT blocks of 4 KiB, in place; OPERANDs are dd's.
write_at()
{
	at=$1 block=$2 blocks=$3
	shift 3
	dd if=/dev/urandom of="$at" bs=4096 seek="$block" count="$blocks" \
		conv=notrunc "$@" 2>/dev/null
}

# mount_fs OPTIONS
mount_fs()
{
	mount -t "$fs" -o "$1" "$device" "$m"
}

# ---- how a file is written ----

w_create()
{
	for i in $n; do
		bytes $((i * 300)) >"$m/create$i"
		flush_file "$m/create$i"
	done
}

w_append()
{
	for i in $n; do
		bytes 1500 >>"$m/a/1"
		bytes 6000 >>"$m/a/$i"
		flush_file "$m/a/$i"
	done
}

w_truncate()
{
	for i in $n; do
		pick 40000
		dd if=/dev/null of="$m/a/$i" bs=1 seek="$picked" 2>/dev/null
		flush_file "$m/a/$i"
	done
}

w_overwrite()
{
	for i in $n; do
		pick 12
		write_at "$m/a/30" "$picked" 3 conv=fsync
	done
}

w_direct()
{
	for i in $n; do
		pick 12
		write_at "$m/a/29" "$picked" 2 oflag=direct
		[ $((i % 2)) -ne 0 ] || flush_file "$m/a/29"
	done
}

w_odd()
{
	for i in $n; do
		pick 30000
		dd if=/dev/urandom of="$m/a/28" bs=777 count=1 conv=notrunc,fsync \
			oflag=seek_bytes seek="$picked" 2>/dev/null
	done
}

w_sparse()
{
	for i in $n; do
		dd if=/dev/urandom of="$m/sparse" bs=1024 count=1 \
			seek=$((i * i * 7)) conv=notrunc,fsync 2>/dev/null
	done
}

w_big()
{
	for i in 1 2 3 4; do
		bytes 700000 >"$m/big$i"
		flush_file "$m/big$i"
		rm -f "$m/big$((i - 2))"
	done
	sync
}

w_fallocate()
{
	for i in $n; do
		case $((i % 4)) in
		0) fallocate -l $((i * 9000)) "$m/space$((i % 3))" ;;
		1) fallocate -p -o 8192 -l 8192 "$m/a/$i" ;;
		2) fallocate -z -o 4096 -l 12288 "$m/a/$i" ;;
		3) fallocate -c -o 4096 -l 4096 "$m/a/$i" ;;
		esac 2>/dev/null
		flush_file "$m/a/$i"
	done
}

# Each write is durable before the next begins.
w_dsync()
{
	for i in $n; do
		pick 12
		write_at "$m/a/27" "$picked" 2 oflag=dsync
	done
}

# And so is its place.
w_log()
{
	for i in $n; do
		dd if=/dev/urandom of="$m/log" bs=900 count=2 conv=notrunc \
			oflag=append,sync 2>/dev/null
	done
}

# Into space that was promised before.
w_reserve()
{
	for i in $n; do
		fallocate -l 300000 "$m/reserved$((i % 3))"
		pick 70
		write_at "$m/reserved$((i % 3))" "$picked" 3 conv=fsync
	done
}

w_punch()
{
	bytes 400000 >"$m/holes"
	for i in $n; do
		pick 90
		fallocate -p -o $((picked * 4096)) -l 12288 "$m/holes"
		flush_file "$m/holes"
		write_at "$m/holes" $((picked + 1)) 1
	done
	sync
}

# What is behind moves on.
w_insert()
{
	for i in $n; do
		pick 4
		bytes 20000 >>"$m/a/$i"
		fallocate -i -o $((picked * 4096)) -l 8192 "$m/a/$i"
		flush_file "$m/a/$i"
	done
}

# Two files that grow by turns, in pieces; then one goes and another comes.
w_interleave()
{
	for i in $n; do
		bytes 9000 >>"$m/even"
		flush_file "$m/even"
		bytes 9000 >>"$m/odd"
		flush_file "$m/odd"
	done
	rm "$m/odd" && sync
	bytes 200000 >"$m/between"
	flush_file "$m/between"
}

# Files without a name, of which only an open descriptor is left.
w_unlinked()
{
	for i in $n; do
		exec 8>"$m/open$i" 9<>"$m/a/$i"
		rm -f "$m/open$i" "$m/a/$i"
		bytes 9000 >&8
		bytes 900 >&9
		sync
		exec 8>&- 9>&-
	done
	sync
}

# xfs shares the blocks (--reflink is not busybox's).
w_clone()
{
	mkdir -p "$m/clones"
	for i in $n; do
		cp --reflink=auto "$m/a/$i" "$m/clones/$i"
		pick 3
		write_at "$m/clones/$i" "$picked" 1 conv=fsync
		[ $((i % 4)) -ne 0 ] || bytes 7000 >"$m/a/$i"
	done
	sync
}

# ---- names ----

w_delete()
{
	for i in $n; do
		rm -f "$m/a/$i" "$m/b/$i"
		[ $((i % 3)) -ne 0 ] || sync
	done
}

w_rename()
{
	for i in $n; do
		mv "$m/a/$i" "$m/b/moved$i" 2>/dev/null || bytes 5000 >"$m/a/$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
}

w_hardlink()
{
	for i in $n; do
		ln "$m/a/$i" "$m/b/link$i" 2>/dev/null || bytes 900 >"$m/a/$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
	rm -f "$m"/a/1? && sync
}

w_symlink()
{
	mkdir -p "$m/links"
	for i in $n; do
		ln -sf "/a/very/long/name/that/does/not/fit/into/an/inode/$i/$i" \
			"$m/links/$i"
		[ $((i % 4)) -ne 0 ] || sync
	done
}

w_directories()
{
	for i in $n; do
		mkdir -p "$m/dir$((i % 5))/$i/deep/er"
		echo "$i" >"$m/dir$((i % 5))/$i/deep/er/file"
		[ $((i % 3)) -ne 0 ] || sync
	done
	rm -rf "$m/dir1" && sync
}

w_names()
{
	mkdir -p "$m/names"
	for i in $n $n $n; do
		pick 100000
		: >"$m/names/a-rather-long-name-for-an-empty-file-$picked"
		[ $((i % 6)) -ne 0 ] || sync
	done
}

w_modes()
{
	for i in $n; do
		chmod 6$((i % 7))4 "$m/b/$i" 2>/dev/null
		touch "$m/a/$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
}

w_attributes()
{
	for i in $n; do
		: >>"$m/b/$i"
		setfattr -n user.test -v "$(bytes 200 | od -An -tx1 | tr -d ' \n')" \
			"$m/b/$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
}

w_trees()
{
	mkdir -p "$m/from" "$m/to"
	for i in $n; do
		mkdir -p "$m/from/$i/under"
		bytes 2000 >"$m/from/$i/under/file"
		rm -rf "$m/to/$i"
		mv "$m/from/$i" "$m/to/$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
	mv "$m/to" "$m/from/whole" && sync
	rm -rf "$m/from" && sync
}

w_deep()
{
	path=$m/deep
	for i in $n; do
		path=$path/a-directory-$i
		mkdir -p "$path"
		echo "$i" >"$path/file"
		[ $((i % 3)) -ne 0 ] || sync
	done
	for i in $n; do
		rm -r "$path"
		path=${path%/*}
		[ $((i % 3)) -ne 0 ] || sync
	done
}

# More names than one block of a directory has room for.
w_wide()
{
	mkdir -p "$m/wide"
	for i in $n; do
		(cd "$m/wide" && touch $(seq -f "one-of-many-names-%g" \
			$((i * 20)) $((i * 20 + 19))))
		flush_file "$m/wide/one-of-many-names-$((i * 20))"
	done
	for i in $n; do
		rm -f "$m/wide"/*-names-"$i"?
		[ $((i % 3)) -ne 0 ] || sync
	done
}

w_nodes()
{
	mkdir -p "$m/nodes"
	for i in $n; do
		rm -f "$m/nodes/fifo$i" "$m/nodes/disk$i"
		mkfifo "$m/nodes/fifo$i"
		mknod "$m/nodes/disk$i" b 8 "$i"
		[ $((i % 2)) -ne 0 ] || sync
	done
}

# ---- what programs do ----

w_replace()
{
	for i in $n; do
		bytes $((i * 200)) >"$m/b/new"
		flush_file "$m/b/new"
		mv "$m/b/new" "$m/b/$i"
	done
	sync
}

w_untar()
{
	mkdir -p "$m/untar"
	(cd "$m" && tar cf - b) | tar xf - -C "$m/untar"
	sync
	tar cf "$m/untar/archive" -C "$m" a
	flush_file "$m/untar/archive"
}

w_copy()
{
	cp -r "$m/a" "$m/copy"
	sync
	rm -rf "$m/b" && sync
	cp -r "$m/copy" "$m/b"
	sync
}

# A package: every file to a new name, made durable, renamed over the old one.
w_package()
{
	for i in $n; do
		ln -f "$m/a/$i" "$m/a/$i.dpkg-tmp" 2>/dev/null
		bytes $((i * 150)) >"$m/a/$i.dpkg-new"
		flush_file "$m/a/$i.dpkg-new"
		mv "$m/a/$i.dpkg-new" "$m/a/$i"
		rm -f "$m/a/$i.dpkg-tmp"
	done
	sync
}

# Two generations of hard links, of which files are replaced.
w_snapshot()
{
	for generation in 1 2 3; do
		cp -rl "$m/a" "$m/generation$generation"
		sync
		w_package
		rm -rf "$m/generation$((generation - 1))" && sync
	done
	rm -rf "$m/generation3"
}

# Mail: written, made durable, moved to where it is seen, read, removed.
w_mail()
{
	mkdir -p "$m/mail/tmp" "$m/mail/new" "$m/mail/cur"
	for i in $n; do
		bytes 3000 >"$m/mail/tmp/$i"
		flush_file "$m/mail/tmp/$i"
		mv "$m/mail/tmp/$i" "$m/mail/new/$i"
		[ $((i % 2)) -ne 0 ] || mv "$m/mail/new/$i" "$m/mail/cur/$i:2,S"
		rm -f "$m/mail/cur/$((i - 4)):2,S"
	done
	sync
}

w_rotate()
{
	for i in $n; do
		bytes 4000 >>"$m/messages"
		flush_file "$m/messages"
		[ $((i % 5)) -eq 0 ] || continue
		mv -f "$m/messages.1.gz" "$m/messages.2.gz" 2>/dev/null
		gzip -c "$m/messages" >"$m/messages.1.gz"
		rm "$m/messages" && sync
	done
}

# A database: a journal, made durable, then the data, then no journal.
w_database()
{
	bytes 40000 >"$m/data"
	for i in $n; do
		pick 10
		bytes 5000 >"$m/data-journal"
		flush_file "$m/data-journal"
		write_at "$m/data" "$picked" 1 conv=fsync
		rm "$m/data-journal"
	done
	sync
}

# A database that writes ahead, and brings its log home now and then.
w_wal()
{
	bytes 80000 >"$m/ahead"
	for i in $n; do
		bytes 4120 >>"$m/ahead-wal"
		flush_file "$m/ahead-wal"
		[ $((i % 6)) -eq 0 ] || continue
		for _ in 1 2 3 4 5 6; do
			pick 20
			write_at "$m/ahead" "$picked" 1
		done
		flush_file "$m/ahead"
		: >"$m/ahead-wal"
	done
	sync
}

# Sorted tables that are merged, and a file that says which are in use.
w_tables()
{
	mkdir -p "$m/tables"
	for i in $n; do
		bytes 8000 >"$m/tables/$i"
		flush_file "$m/tables/$i"
		[ $((i % 4)) -eq 0 ] || continue
		cat "$m/tables"/[0-9]* >"$m/tables/merged"
		flush_file "$m/tables/merged"
		echo "$i" >"$m/tables/new"
		flush_file "$m/tables/new"
		mv "$m/tables/new" "$m/tables/current"
		rm "$m/tables"/[0-9]*
	done
	sync
}

# Objects under the name of their contents, and a reference that moves.
w_objects()
{
	mkdir -p "$m/objects"
	for i in $n; do
		pick 256
		mkdir -p "$m/objects/$picked"
		bytes 1200 >"$m/objects/tmp"
		chmod 444 "$m/objects/tmp"
		flush_file "$m/objects/tmp"
		ln -f "$m/objects/tmp" "$m/objects/$picked/$i"
		rm -f "$m/objects/tmp"
		echo "$picked" >"$m/objects/head.lock"
		flush_file "$m/objects/head.lock"
		mv "$m/objects/head.lock" "$m/objects/head"
	done
	sync
}

w_parallel()
{
	for name in append rename mail wal; do
		"w_$name" &
	done
	wait
	sync
}

# ---- the filesystem as a whole ----

w_trim()
{
	rm -f "$m"/a/1* && sync
	fstrim "$m"
	w_create
	rm -f "$m"/create1* && sync
	fstrim "$m"
	w_append
}

w_fill()
{
	i=0
	while bytes 300000 >"$m/fill$i" && flush_file "$m/fill$i"; do
		i=$((i + 1))
		[ "$i" -lt 60 ] || break
	done 2>/dev/null
	sync
	rm -f "$m"/fill[0-9] && sync
	w_create
}

w_freeze()
{
	for i in $n; do
		bytes 5000 >"$m/a/$i"
		mv "$m/b/$i" "$m/b/frozen$i" 2>/dev/null
		[ $((i % 3)) -eq 0 ] || continue
		fsfreeze -f "$m"
		fsfreeze -u "$m"
	done
}

# again OPTIONS
again()
{
	umount "$m"
	mount_fs "$1"
}

w_mount()
{
	for i in 1 2 3; do
		bytes 9000 >"$m/mount$i"
		again "$options"
	done
	w_rename
}

w_careful()
{
	case $fs in
	ext4)	again data=journal,commit=1 ;;
	xfs)	again wsync ;;
	f2fs)	again fsync_mode=strict,active_logs=2 ;;
	esac
	w_append
	w_rename
	again "$options"
}

# As files are removed, their blocks are discarded.
w_discard()
{
	again discard
	w_delete
	w_create
	rm -f "$m"/create* && sync
	again "$options"
}

# The device itself is written to.
w_check()
{
	for i in 1 2 3; do
		w_replace
		umount "$m"
		case $fs in
		ext4)	e2fsck -fy "$device" ;;
		xfs)	xfs_repair -P "$device" ;;
		f2fs)	fsck.f2fs -f "$device" ;;
		esac >/dev/null 2>&1
		mount_fs "$options"
	done
}

# In block 0 is the superblock: mounted or not, it changes.
w_label()
{
	for i in $n; do
		bytes 3000 >"$m/a/$i"
		flush_file "$m/a/$i"
		if [ "$fs" = ext4 ]; then
			tune2fs -L "label $i" "$device"
		elif [ $((i % 5)) -eq 0 ]; then
			umount "$m"
			case $fs in
			xfs)	xfs_admin -L "label$i" "$device" ;;
			f2fs)	f2fslabel "$device" "label $i" ;;
			esac
			mount_fs "$options"
		fi >/dev/null
	done
}

w_mixed()
{
	for _ in 1 2 3 4; do
		pick 8
		case $picked in
		0) w_create ;;
		1) w_delete ;;
		2) w_append ;;
		3) w_replace ;;
		4) w_directories ;;
		5) w_truncate ;;
		6) w_database ;;
		7) w_overwrite ;;
		esac
	done
}

workloads='create delete rename replace append untar hardlink symlink truncate
	overwrite direct odd directories names modes attributes big sparse
	fallocate copy database package trim mount fill mixed
	dsync log reserve punch insert interleave unlinked clone
	trees deep wide nodes snapshot mail rotate wal tables objects parallel
	freeze careful discard check label'

# workload NAME SEED COUNT
#   In a shell of its own: what a workload sets is not the guest's.
workload()
(
	random=$2
	n=$(seq 1 "$3")
	mkdir -p "$m/a" "$m/b"
	"w_$1"
)
