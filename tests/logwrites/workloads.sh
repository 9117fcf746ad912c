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

w_create()
{
	for i in $n; do
		bytes $((i * 300)) >"$m/create$i"
		flush_file "$m/create$i"
	done
}

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

w_replace()
{
	for i in $n; do
		bytes $((i * 200)) >"$m/b/new"
		flush_file "$m/b/new"
		mv "$m/b/new" "$m/b/$i"
	done
	sync
}

w_append()
{
	for i in $n; do
		bytes 1500 >>"$m/a/1"
		bytes 6000 >>"$m/a/$i"
		flush_file "$m/a/$i"
	done
}

w_untar()
{
	mkdir -p "$m/untar"
	(cd "$m" && tar cf - b) | tar xf - -C "$m/untar"
	sync
	tar cf "$m/untar/archive" -C "$m" a
	flush_file "$m/untar/archive"
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
		dd if=/dev/urandom of="$m/a/30" bs=4096 count=3 seek="$picked" \
			conv=notrunc,fsync 2>/dev/null
	done
}

w_direct()
{
	for i in $n; do
		pick 12
		dd if=/dev/urandom of="$m/a/29" bs=4096 count=2 seek="$picked" \
			conv=notrunc oflag=direct 2>/dev/null
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

w_big()
{
	for i in 1 2 3 4; do
		bytes 700000 >"$m/big$i"
		flush_file "$m/big$i"
		rm -f "$m/big$((i - 2))"
	done
	sync
}

w_sparse()
{
	for i in $n; do
		dd if=/dev/urandom of="$m/sparse" bs=1024 count=1 \
			seek=$((i * i * 7)) conv=notrunc,fsync 2>/dev/null
	done
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

w_copy()
{
	cp -r "$m/a" "$m/copy"
	sync
	rm -rf "$m/b" && sync
	cp -r "$m/copy" "$m/b"
	sync
}

# A database: a journal, made durable, then the data, then no journal.
w_database()
{
	bytes 40000 >"$m/data"
	for i in $n; do
		pick 10
		bytes 5000 >"$m/data-journal"
		flush_file "$m/data-journal"
		dd if=/dev/urandom of="$m/data" bs=4096 count=1 seek="$picked" \
			conv=notrunc,fsync 2>/dev/null
		rm "$m/data-journal"
	done
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

w_trim()
{
	rm -f "$m"/a/1* && sync
	fstrim "$m"
	w_create
	rm -f "$m"/create1* && sync
	fstrim "$m"
	w_append
}

w_mount()
{
	for i in 1 2 3; do
		bytes 9000 >"$m/mount$i"
		umount "$m"
		mount -t "$fs" -o "$options" "$device" "$m"
	done
	w_rename
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
	fallocate copy database package trim mount fill mixed'

# workload NAME SEED COUNT
workload()
{
	random=$2
	n=$(seq 1 "$3")
	mkdir -p "$m/a" "$m/b"
	"w_$1"
}
