# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# doc.sh - what was measured goes into docs/performance.md

# update_doc NAME FILE
#   FILE replaces what is between the marks of NAME.
update_doc()
{
	sed -i -e "/<!-- $1: begin -->/,/<!-- $1: end -->/{
		/<!-- $1: end -->/!{
			/<!-- $1: begin -->/!d
		}
	}" -e "/<!-- $1: begin -->/r $2" docs/performance.md
}
