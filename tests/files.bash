# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154  # variables of helpers.bash
#
# files.bash - what the tests of bow-verify --files share
#
# An image is changed by mounting it; mklog makes the log that leads from the
# one to the other.  What is named is compared with what find and sha256sum
# see in the two images.

# files_setup, files_teardown
#   Called from setup() and teardown().
files_setup() {
	common_setup
	requires root jq mke2fs debugfs setfattr
	old=$dir/old now=$dir/now tree=$dir/tree
	mkdir "$tree"
}

files_teardown() {
	mountpoint -q "$tree" && umount "$tree"
	common_teardown
}

# inside IMAGE COMMAND...
#   Runs COMMAND in the image's root directory.
inside() {
	mount -o loop "$1" "$tree"
	(cd "$tree" && "${@:2}") || { umount "$tree"; return 1; }
	umount "$tree"
}

# make_old SIZE MKE2FS-OPTION...
make_old() {
	truncate -s "$1" "$old"
	mke2fs -q -F -t ext4 "${@:2}" "$old"
}

# log_between BS SIZE [MKLOG-OPTION...]
log_between() {
	fs_free "$old" >"$dir/old.free"
	fs_free "$now" >"$dir/now.free"
	make_log --bs "$1" --size "$2" --fs "$old" --free "$dir/old.free" \
		--now "$now" --now-free "$dir/now.free" "${@:3}"
}

before() {
	mkdir dir dir/sub gone gone/deep moved keep
	for i in {1..40}; do echo "$i" >"keep/$i"; done
	echo one >one; echo two >two; echo inside >moved/inside
	seq 1 20000 >big; seq 1 20000 >over; seq 1 9000 >moving
	echo y >gone/deep/y; echo x >dir/x
	ln -s one link; ln -s /keep kept-link
	echo h >hard; ln hard hard2; ln hard dir/hard4
	echo k >first; ln first second
	touch mode owner; mknod node c 1 3
	setfattr -n user.a -v before keep/1
	setfattr -n user.a -v same keep/2
	touch -d @1600000000 over one keep/* mode
}

after() {
	rm two node; rm -r gone
	echo new >new; mkdir -p made/deep; echo z >made/deep/z
	mv dir/sub dir/renamed; mv moved keep/moved; mv moving dir/moving
	mv one one2; echo more >>one2
	ln hard hard3; rm hard2; rm first
	chmod 600 mode; chown 7:8 owner
	truncate -s 5000 big
	printf AAAA | dd of=over bs=1 seek=9000 conv=notrunc status=none
	touch -d @1600000000 over
	setfattr -n user.a -v after keep/1
	setfattr -n user.big -v "$(head -c 900 /dev/zero | tr '\0' v)" keep/3
	rm link; ln -s two link
	mkfifo fifo; mknod node2 b 7 0
	cat keep/4 keep/5 >/dev/null
	chattr +i keep/6
}

# manifest
#   All that a rollback would bring back: lines of path, kind and value.
manifest() {
	{
		find . -mindepth 1 -exec stat --printf \
			'%n\tstat\t%f %u %g %.9Y %t %T\n' {} +
		find . -type f -printf '%p\tsize\t%s\n'
		find . -type f -exec sha256sum {} + |
			awk '{ print $2 "\tsum\t" $1 }'
		find . -type l -printf '%p\tlink\t%l\n'
		find . ! -type l -exec getfattr -dm - {} + 2>/dev/null |
			awk '/^# file: / { path = $3; next }
				NF { print "./" path "\txattr\t" $0 }'
		find . -mindepth 1 \( -type f -o -type d \) -exec lsattr -d {} + |
			awk '{ gsub("e", "", $1); print $2 "\tflags\t" $1 }'
	} | sed 's|^\./||'
}

# agrees
#   Is every path that differs named, and no other?  What lies below a renamed
#   directory has another path by that alone.
agrees() {
	inside "$old" manifest >"$dir/old.list"
	inside "$now" manifest >"$dir/now.list"
	# Paths whose line is in one of them only.
	LC_ALL=C comm -3 <(LC_ALL=C sort "$dir/old.list") \
		<(LC_ALL=C sort "$dir/now.list") |
		sed 's/^\t//' | cut -f1 | sort -u >"$dir/differ.all"
	"$verify" --files -J "$img" >"$dir/json"
	jq -r 'select(.type == "file") | .path, .old_path // empty' "$dir/json" |
		sed 's|^/||; /^$/d' | sort -u >"$dir/named"
	jq -r 'select(.old_path and .kind == "directory") |
		.path, .old_path' "$dir/json" | sed 's|^/||' >"$dir/renamed"
	awk 'FILENAME == ARGV[1] { dir[$0 "/"]; next }
		{ for (d in dir) if (index($0, d) == 1) next; print }' \
		"$dir/renamed" "$dir/differ.all" >"$dir/differ"
	[ -s "$dir/differ" ]
	diff "$dir/differ" "$dir/named"
}

# says JQ-FILTER
#   Is it true of one of the objects?
says() {
	jq -se "any(.[]; $1)" "$dir/json" >/dev/null || { echo "$1"; return 1; }
}
