// SPDX-License-Identifier: GPL-2.0
/*
 * test_verify_text.c - what the programs say of sizes, times and the facts of a
 * log, for people and for programs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tap.h"
#include "cli.h"

static char buf[TEXT_MAX];

static void ages(void)
{
	static const struct {
		u64 seconds;
		const char *text;
	} age[] = {
		{ 0, "0 seconds" }, { 1, "1 second" }, { 119, "119 seconds" },
		{ 120, "2 minutes" }, { 7199, "119 minutes" },
		{ 7200, "2 hours" }, { 2 * 86400 - 1, "47 hours" },
		{ 2 * 86400, "2 days" },
	}, left[] = {
		{ 0, "0 s" }, { 99, "99 s" }, { 100, "2 min" },
		{ 5999, "100 min" }, { 6000, "2 h" }, { 86400, "24 h" },
	};
	u32 i;

	for (i = 0; i < sizeof(age) / sizeof(age[0]); i++)
		CHECK(!strcmp(text_age(buf, age[i].seconds), age[i].text));
	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		CHECK(!strcmp(text_left(buf, left[i].seconds), left[i].text));
}

static void times(void)
{
	CHECK(!strcmp(text_time(buf, 0), "1970-01-01 00:00:00 UTC"));
	CHECK(!strcmp(text_time(buf, 951827696), "2000-02-29 12:34:56 UTC"));
	CHECK(!strcmp(text_time(buf, 4102444799), "2099-12-31 23:59:59 UTC"));
	CHECK(!strcmp(text_duration(buf, 61007), "61.007 s"));
	CHECK(clock_ms() > 1600000000000u);
}

static void characters(void)
{
	static const struct {
		const char *text;
		unsigned int bytes;
		u32 c;
	} good[] = {
		{ "a", 1, 'a' }, { "\x7f", 1, 0x7f },
		{ "\xc2\x80", 2, 0x80 }, { "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 }, { "\xed\x9f\xbf", 3, 0xd7ff },
		{ "\xee\x80\x80", 3, 0xe000 }, { "\xef\xbf\xbf", 3, 0xffff },
		{ "\xf0\x90\x80\x80", 4, 0x10000 },
		{ "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
	};
	static const char *const bad[] = {
		"\x80", "\xbf", "\xc2", "\xc2z", "\xc0\xaf", "\xc1\xbf",
		"\xe2\x82", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf7\xbf\xbf\xbf",
		"\xf8\x88\x80\x80\x80", "\xfe", "\xff",
	};
	u32 i, c;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(text_utf8(good[i].text, &c) == good[i].bytes &&
		      c == good[i].c && text_is_utf8(good[i].text));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!text_utf8(bad[i], &c) && !text_is_utf8(bad[i]));
	CHECK(text_is_utf8("") && !text_is_utf8("abc\xc3"));
	CHECK(text_is_control(0) && text_is_control(0x1f) &&
	      text_is_control(0x7f) && text_is_control(0x80) &&
	      text_is_control(0x9f));
	CHECK(!text_is_control(' ') && !text_is_control('~') &&
	      !text_is_control(0xa0) && !text_is_control(0x20ac));
}

static u64 available(const char *meminfo)
{
	char path[] = "/tmp/meminfo.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	u64 got;

	if (!f)
		return 1;
	fputs(meminfo, f);
	fclose(f);
	got = memory_available(path);
	unlink(path);
	return got;
}

static void memory(void)
{
	CHECK(available("MemTotal: 72000 kB\nMemAvailable:   40000 kB\n"
			"SwapFree: 0 kB\n") == 30000u << 10);
	CHECK(available("MemAvailable: 40000 kB\nSwapFree: 500 kB\n") ==
	      30500u << 10);
	/* Too little is tried, and no figure is no limit. */
	CHECK(available("MemAvailable: 100 kB\n") == 4u << 20);
	CHECK(!available("MemTotal: 72000 kB\n") && !available(""));
	CHECK(!available("MemAvailable: 99999999999999999999999 kB\n"));
	CHECK(!available("MemAvailable: many\n"));
	CHECK(!memory_available("/nowhere"));
	/* By the real one there is room for what this program needs. */
	memory_limit();
	CHECK(available("MemAvailable: 4 kB\n") == 4u << 20);
}

/* ---- the facts of a log ---- */

static struct bow_header header = {
	.version = BOW_VERSION_1_1, .block_size = 4096, .resumed = 2,
	.flags = BOW_FLAG_POLICY | BOW_FLAG_ROLLBACK | BOW_FLAG_FREE_MAP |
		 BOW_FLAG_CLAIMS,
	.tries_left = 3, .boots = 1, .rollback_time = 951827696,
	.free_map = 800, .free_map_blocks = 2, .claim_shift = 22,
};
static struct bow_finish record = { .block_size = 4096,
				    .action = BOW_ACTION_COMMIT };
static struct bow_error error;
static char *text;
static size_t bytes;

static bool has(const char *part)
{
	return strstr(text, part);
}

static void tell(bool json, enum bow_state state, enum bow_torn torn)
{
	FILE *out;
	struct json j;

	free(text);
	out = open_memstream(&text, &bytes);
	if (!out)
		abort();
	j = (struct json){ .out = out };
	if (json) {
		json_object(&j, NULL);
		facts_json(&j, &header, &record, state, torn, &error);
		json_close_object(&j);
	} else {
		facts_text(out, &header, &record, state, torn);
	}
	fclose(out);
}

static void policy(void)
{
	static const struct {
		u32 reason;
		const char *text;
	} reasons[] = {
		{ BOW_REASON_USER, "an administrator asked for it" },
		{ BOW_REASON_TRIES, "no tries left" },
		{ BOW_REASON_CHECK, "a check of the system failed" },
		{ 999, "not told" },
	};
	u32 i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		header.rollback_reason = reasons[i].reason;
		tell(false, BOW_STATE_ACTIVE, BOW_TORN_NONE);
		CHECK(has("boots: 1, tries left: 3\n"));
		CHECK(has("resumed: 2 times\n"));
		CHECK(has("rollback asked for: 2000-02-29 12:34:56 UTC, "));
		CHECK(has(reasons[i].text));
		tell(true, BOW_STATE_ACTIVE, BOW_TORN_NONE);
		CHECK(has("\"tries_left\": 3") && has("\"boots\": 1"));
		CHECK(has("\"rollback_time\": 951827696"));
		CHECK(has("\"free_map_blocks\": 2") && has("\"claim_shift\": 22"));
		CHECK(has(reasons[i].text));
	}
}

static void torn_writes(void)
{
	static const char *const keys[] = {
		[BOW_TORN_NONE] = "none",
		[BOW_TORN_APPEND] = "append",
		[BOW_TORN_ROLLOVER_NEW] = "rollover-new",
		[BOW_TORN_ROLLOVER_OLD] = "rollover-old",
		[BOW_TORN_ACTIVATION] = "activation",
	};
	int torn;

	for (torn = BOW_TORN_NONE; torn <= BOW_TORN_ACTIVATION; torn++) {
		tell(true, BOW_STATE_RESTORING, (enum bow_torn)torn);
		snprintf(buf, sizeof(buf), "\"torn\": \"%s\"", keys[torn]);
		CHECK(has(buf) && has("\"state\": \"restoring\""));
		tell(false, BOW_STATE_ACTIVE, (enum bow_torn)torn);
		CHECK(has("cut write: ") == (torn != BOW_TORN_NONE));
	}
}

static void other_states(void)
{
	tell(false, BOW_STATE_FINISHING, BOW_TORN_NONE);
	CHECK(has("finishing: commit\n") && !has("created"));
	record.created = 1;
	tell(false, BOW_STATE_FINISHING, BOW_TORN_NONE);
	CHECK(has("created: 1970-01-01 00:00:01 UTC (") && has(" days ago)"));
	tell(true, BOW_STATE_FINISHING, BOW_TORN_NONE);
	CHECK(has("\"finishing\": \"commit\"") && has("\"created\": 1"));
	tell(false, BOW_STATE_NONE, BOW_TORN_NONE);
	CHECK(bytes == 0);
	tell(true, BOW_STATE_NONE, BOW_TORN_NONE);
	CHECK(has("\"state\": \"none\"") && !has("torn"));
	error.why = BOW_WHY_NO_LOG;
	tell(true, BOW_STATE_NONE, BOW_TORN_NONE);
	CHECK(has("\"state\": \"none\""));
	error.why = BOW_WHY_IO_READ;
	tell(true, BOW_STATE_NONE, BOW_TORN_NONE);
	CHECK(!has("state"));
	tell(true, BOW_STATE_RESTORING, BOW_TORN_NONE);
	CHECK(has("\"state\": \"restoring\""));
	header.version = BOW_VERSION_1_0;
	tell(false, BOW_STATE_ACTIVE, BOW_TORN_NONE);
	CHECK(!strcmp(text, "log version: 1.0\nblock size: 4096\n"));
}

int main(void)
{
	RUN(ages, "text: ages, and what is left");
	RUN(characters, "text: UTF-8 is told from other bytes, and controls");
	RUN(memory, "memory: what is available, of /proc/meminfo");
	RUN(times, "text: times and durations");
	RUN(policy, "facts: the policy, and why a rollback was asked for");
	RUN(torn_writes, "facts: every kind of torn write");
	RUN(other_states, "facts: a record, no log, and v1.0");
	free(text);
	return tap_done();
}
