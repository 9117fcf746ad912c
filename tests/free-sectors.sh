# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What of an image dm-bow may use.  Sourced.

# free_sectors IMAGE [SECTORS]
#   Print the sectors that are free in the ext4 filesystem, START LENGTH, as
#   dm-bow counts them: whole blocks of SECTORS, 8 if its table says nothing.
free_sectors()
{
	dumpe2fs "$1" 2>/dev/null | awk '
		/^Block size:/ { per = $3 / 512 }
		/^  Free blocks: / {
			sub(/^  Free blocks: /, "")
			n = split($0, range, ", ")
			for (i = 1; i <= n; i++) {
				m = split(range[i], end, "-")
				first = end[1] * per
				last = (end[m] + 1) * per
				print first, last - first
			}
		}' | sort -n | awk -v unit="${2:-8}" '
		# Ranges of neighbouring groups touch: join, then round.
		function put() {
			s = int((start + unit - 1) / unit) * unit
			e = int(stop / unit) * unit
			if (s < e)
				print s, e - s
		}
		NR > 1 && $1 == stop { stop += $2; next }
		{ if (NR > 1) put(); start = $1; stop = $1 + $2 }
		END { if (NR) put() }'
}
