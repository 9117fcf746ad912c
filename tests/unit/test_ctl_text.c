// SPDX-License-Identifier: GPL-2.0
/*
 * test_ctl_text.c - bowctl: quantities for people, JSON for programs
 */
#include "../tap.h"
#include "../../control/bowctl.h"

static void test_bytes(void)
{
	char t[CTL_TEXT_SIZE];

	CHECK(strcmp(ctl_bytes_text(t, 0), "0 bytes") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 1023), "1023 bytes") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 1024), "1.0 KiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 1536), "1.5 KiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 1048575), "1023.9 KiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 1048576), "1.0 MiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 5ull << 30), "5.0 GiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 3ull << 40), "3.0 TiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, 2000ull << 40), "2000.0 TiB") == 0);
	CHECK(strcmp(ctl_bytes_text(t, UINT64_MAX), "16777215.9 TiB") == 0);
}

static void test_age(void)
{
	char t[CTL_TEXT_SIZE];

	CHECK(strcmp(ctl_age_text(t, 0), "0 s") == 0);
	CHECK(strcmp(ctl_age_text(t, 61), "1 min 1 s") == 0);
	CHECK(strcmp(ctl_age_text(t, 7380), "2 h 3 min") == 0);
	CHECK(strcmp(ctl_age_text(t, 172799), "47 h 59 min") == 0);
	CHECK(strcmp(ctl_age_text(t, 172800), "2 days") == 0);
}

static void test_time(void)
{
	char t[CTL_TEXT_SIZE];

	CHECK(strcmp(ctl_time_text(t, 0), "1970-01-01 00:00:00 UTC") == 0);
	CHECK(strcmp(ctl_time_text(t, 951827696), "2000-02-29 12:34:56 UTC") ==
	      0);
	CHECK(strcmp(ctl_time_text(t, UINT64_MAX),
		     "second 18446744073709551615 of 1970") == 0);
}

static void test_json(void)
{
	char text[256] = "";
	struct ctl_json j;
	FILE *f = fmemopen(text, sizeof(text), "w");

	CHECK(f);
	ctl_json_begin(&j, f);
	ctl_json_string(&j, "path", "a\"b\\c\nd\x7f");
	ctl_json_number(&j, "n", UINT64_MAX);
	ctl_json_end(&j);
	CHECK(fclose(f) == 0);
	CHECK(strcmp(text, "{\n   \"path\": \"a\\\"b\\\\c\\u000ad\\u007f\",\n"
			   "   \"n\": 18446744073709551615\n}\n") == 0);
}

int main(void)
{
	RUN(test_bytes, "bytes");
	RUN(test_age, "ages");
	RUN(test_time, "times");
	RUN(test_json, "JSON, with what must be escaped");
	return tap_done();
}
