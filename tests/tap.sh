# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034  # failed is for who sources this
#
# tap.sh - TAP: written by shell programs, and read

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

# judge TAP STATUS COUNTS
#   Of what a program printed, a file, and its exit status: print what went wrong, and
#   leave "PASSED FAILED SKIPPED" in the file COUNTS.
judge()
{
	# shellcheck disable=SC2016  # awk's own $0
	awk -v status="$2" -v counts="$3" '
	function flush_kept() { printf "%s", kept; kept = "" }
	/^1\.\.[0-9]+/ {
		plan = substr($1, 4) + 0; planned = 1
		if ($0 ~ /# *[Ss][Kk][Ii][Pp]/) { skip++; plan = 0; all = 1 }
		next
	}
	/^not ok/ { bad++; flush_kept(); print; showing = 1; next }
	/^ok/ {
		if ($0 ~ /# *[Ss][Kk][Ii][Pp]/) skip++; else good++
		kept = ""; showing = 0; next
	}
	showing { print; next }
	{ kept = kept $0 "\n" }
	END {
		ran = good + bad + (all ? 0 : skip)
		if (!planned || plan != ran || (plan == 0 && !all)) {
			flush_kept()
			print "not ok - " (planned ? plan " tests planned, " ran " ran" \
				: "ended without a plan")
			bad++
		} else if (status != 0 && !bad) {
			flush_kept()
			print "not ok - exit status " status
			bad++
		}
		print good + 0, bad + 0, skip + 0 >counts
	}
	' "$1"
}
