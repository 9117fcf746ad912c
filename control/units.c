// SPDX-License-Identifier: GPL-2.0
/*
 * units.c - quantities for people
 *
 * Without locale or time zone: both are files, and the output is compared by
 * scripts.
 */
#include <stdio.h>
#include <time.h>

#include "bowctl.h"

const char *ctl_bytes_text(char text[CTL_TEXT_SIZE], u64 bytes)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB" };
	u64 scale = 1024;
	unsigned int i = 0;

	if (bytes < 1024) {
		snprintf(text, CTL_TEXT_SIZE, "%u bytes", (unsigned int)bytes);
		return text;
	}
	while (i < 3 && bytes / scale >= 1024) {
		scale *= 1024;
		i++;
	}
	snprintf(text, CTL_TEXT_SIZE, "%llu.%u %s",
		 (unsigned long long)(bytes / scale),
		 (unsigned int)(bytes % scale / (scale / 1024) * 10 / 1024),
		 unit[i]);
	return text;
}

const char *ctl_age_text(char text[CTL_TEXT_SIZE], u64 seconds)
{
	unsigned long long minutes = seconds / 60, hours = minutes / 60;

	if (hours >= 48)
		snprintf(text, CTL_TEXT_SIZE, "%llu days", hours / 24);
	else if (hours)
		snprintf(text, CTL_TEXT_SIZE, "%llu h %llu min", hours,
			 minutes % 60);
	else if (minutes)
		snprintf(text, CTL_TEXT_SIZE, "%llu min %llu s", minutes,
			 (unsigned long long)(seconds % 60));
	else
		snprintf(text, CTL_TEXT_SIZE, "%llu s",
			 (unsigned long long)seconds);
	return text;
}

const char *ctl_time_text(char text[CTL_TEXT_SIZE], u64 since_1970)
{
	time_t t = (time_t)since_1970;
	struct tm tm;

	if (since_1970 > 253402300799ull /* the end of year 9999 */ ||
	    !gmtime_r(&t, &tm) ||
	    !strftime(text, CTL_TEXT_SIZE, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(text, CTL_TEXT_SIZE, "second %llu of 1970",
			 (unsigned long long)since_1970);
	return text;
}
