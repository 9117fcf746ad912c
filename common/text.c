// SPDX-License-Identifier: GPL-2.0
/*
 * text.c - figures for people.  No floating point: klibc has none.
 */
#include <sys/time.h>
#include <time.h>

#include "cli.h"

#define DAY 86400u

const char *text_size(char buf[TEXT_MAX], u64 bytes)
{
	static const char units[] = "KMGTPE";
	unsigned int unit = 0;
	u64 whole = bytes >> 10;
	u64 rest = bytes & 1023;

	if (bytes < 1024) {
		snprintf(buf, TEXT_MAX, "%llu bytes",
			 (unsigned long long)bytes);
		return buf;
	}
	for (; whole >= 1024; unit++) {
		rest = whole & 1023;
		whole >>= 10;
	}
	if (whole < 10 && rest * 10 / 1024)
		snprintf(buf, TEXT_MAX, "%u.%u %ciB", (unsigned int)whole,
			 (unsigned int)(rest * 10 / 1024), units[unit]);
	else
		snprintf(buf, TEXT_MAX, "%u %ciB", (unsigned int)whole,
			 units[unit]);
	return buf;
}

/* Days since 1970-01-01 to a date of the Gregorian calendar. */
static void civil(u64 days, u64 *year, unsigned int *month, unsigned int *day)
{
	static const u16 before[12] = { 0,   31,  61,  92,  122, 153,
					184, 214, 245, 275, 306, 337 };
	u64 era;
	u32 of_era, year_of_era, of_year;
	unsigned int m = 11;

	/* Years that begin on 1 March, 400 of them an era: 146097 days. */
	days += 719468;
	era = days / 146097;
	of_era = (u32)(days % 146097);
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 -
		       of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 -
			    year_of_era / 100);
	while (before[m] > of_year)
		m--;
	*day = of_year - before[m] + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = era * 400 + year_of_era + (*month <= 2);
}

const char *text_time(char buf[TEXT_MAX], u64 seconds)
{
	unsigned int month, day, rest = (unsigned int)(seconds % DAY);
	u64 year;

	civil(seconds / DAY, &year, &month, &day);
	snprintf(buf, TEXT_MAX, "%04llu-%02u-%02u %02u:%02u:%02u UTC",
		 (unsigned long long)year, month, day, rest / 3600,
		 rest / 60 % 60, rest % 60);
	return buf;
}

const char *text_count(char buf[TEXT_MAX], u64 n, const char *thing)
{
	snprintf(buf, TEXT_MAX, "%llu %s%s", (unsigned long long)n, thing,
		 n == 1 ? "" : "s");
	return buf;
}

const char *text_age(char buf[TEXT_MAX], u64 seconds)
{
	if (seconds < 120)
		return text_count(buf, seconds, "second");
	if (seconds < 2 * 3600)
		return text_count(buf, seconds / 60, "minute");
	if (seconds < 2 * DAY)
		return text_count(buf, seconds / 3600, "hour");
	return text_count(buf, seconds / DAY, "day");
}

const char *text_left(char buf[TEXT_MAX], u64 seconds)
{
	if (seconds < 100)
		snprintf(buf, TEXT_MAX, "%u s", (unsigned int)seconds);
	else if (seconds < 100 * 60)
		snprintf(buf, TEXT_MAX, "%u min",
			 (unsigned int)((seconds + 30) / 60));
	else
		snprintf(buf, TEXT_MAX, "%llu h",
			 (unsigned long long)((seconds + 1800) / 3600));
	return buf;
}

const char *text_duration(char buf[TEXT_MAX], u64 ms)
{
	snprintf(buf, TEXT_MAX, "%llu.%03u s", (unsigned long long)(ms / 1000),
		 (unsigned int)(ms % 1000));
	return buf;
}

const char *text_hex(char buf[TEXT_MAX], const u8 id[16])
{
	int i;

	for (i = 0; i < 16; i++)
		snprintf(buf + 2 * i, 3, "%02x", id[i]);
	return buf;
}

const char *text_uuid(char buf[TEXT_MAX], const u8 id[16])
{
	int i, at = 0;

	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			buf[at++] = '-';
		snprintf(buf + at, 3, "%02x", id[i]);
		at += 2;
	}
	return buf;
}

unsigned int text_utf8(const char *s, u32 *c)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	unsigned int bytes = 0, i;

	if (p[0] < 0x80)
		bytes = 1;
	else if (p[0] >= 0xc0 && p[0] < 0xf8)
		bytes = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	*c = bytes > 1 ? p[0] & 0x7fu >> bytes : p[0];
	for (i = 1; i < bytes; i++) {
		/* The end of the string is none either. */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < least[bytes] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return bytes;
}

bool text_is_utf8(const char *s)
{
	unsigned int bytes;
	u32 c;

	for (; *s; s += bytes) {
		bytes = text_utf8(s, &c);
		if (!bytes)
			return false;
	}
	return true;
}

bool text_is_control(u32 c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

u64 clock_ms(void)
{
	struct timeval now;

	if (gettimeofday(&now, NULL))
		return 0;
	return (u64)now.tv_sec * 1000 + (u64)now.tv_usec / 1000;
}
