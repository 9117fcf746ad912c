# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034  # failed is for who sources this
#
# tap.sh - TAP of shell programs

count=0 failed=0

# say STATUS TITLE
#   A line for a test; sets failed to 1 if it did not pass.
say()
{
	count=$((count + 1))
	if [ "$1" = 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
	fi
}
