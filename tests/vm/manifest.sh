#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# List everything about the files of one filesystem, a line a fact, sorted:
#
#   meta PATH: type, mode, owner, group, size, links, device, inode and the
#	times of modification, change and access
#   data PATH: SHA-256 of the contents of a regular file
#   attr PATH: an extended attribute
#
# manifest.sh DIRECTORY

set -euo pipefail
export LC_ALL=C
cd "$1"

{
	find . -xdev -print0 | xargs -0 stat --printf \
		'meta\t%n\t%F %a %u:%g %s %h %t:%T %i %.9Y %.9Z %.9X %N\n'
	# Whole lines only, since two processes write to one pipe.
	find . -xdev -type f -print0 | xargs -0 -n 200 -P 2 \
		stdbuf -oL sha256sum |
		sed -E 's/^(\\?[0-9a-f]{64})  (.*)$/data\t\2\t\1/'
	getfattr -R -P -h -d -m - -e hex . |
		awk '/^# file: / { f = "./" substr($0, 9); next }
			$0 != "" { print "attr\t" f "\t" $0 }'
} | sort
