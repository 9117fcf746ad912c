// SPDX-License-Identifier: GPL-2.0
/*
 * test_ctl_ranges.c - bowctl: ranges, and messages of many of them
 */
#include "../tap.h"
#include "../../control/bowctl.h"

#define SMALL (5 + CTL_BATCH_ROOM + 20)

/* What was sent, parsed back. */
struct sent {
	struct ctl_range r[4096];
	unsigned int ranges, messages;
	char bits[200];		/* the last message "free_bits" */
	size_t longest;
	int fail_at;		/* this message fails; 0: none */
};

static struct sent sent;

static int collect(void *context, const char *text)
{
	struct sent *s = context;
	unsigned long long start, length, end = 0;
	char between;
	int used;

	if (strlen(text) > s->longest)
		s->longest = strlen(text);
	if (++s->messages == (unsigned int)s->fail_at)
		return -ENOSPC;
	if (strncmp(text, "free_bits ", 10) == 0) {
		snprintf(s->bits, sizeof(s->bits), "%s", text);
		return 0;
	}
	if (strncmp(text, "free ", 5) != 0)
		return -EPROTO;
	for (text += 4; sscanf(text, " %llu%c%llu%n", &start, &between, &length,
			       &used) == 3; text += used) {
		if (between == '+')
			start += end;
		else if (between != ' ')
			return -EPROTO;
		end = start + length;
		s->r[s->ranges++] = (struct ctl_range){ start, length };
	}
	return *text ? -EPROTO : 0;
}

static void begin(struct ctl_batch *b, char *text, size_t size)
{
	memset(&sent, 0, sizeof(sent));
	ctl_batch_begin(b, text, size, "free");
	b->send = collect;
	b->context = &sent;
}

static void test_inward(void)
{
	struct ctl_range r = { 8, 16 };

	CHECK(ctl_range_inward(&r, 8) && r.start == 8 && r.length == 16);
	r = (struct ctl_range){ 9, 16 };
	CHECK(ctl_range_inward(&r, 8) && r.start == 16 && r.length == 8);
	r = (struct ctl_range){ 9, 14 };
	CHECK(!ctl_range_inward(&r, 8));
	r = (struct ctl_range){ 15, 9 };
	CHECK(ctl_range_inward(&r, 8) && r.start == 16 && r.length == 8);
	r = (struct ctl_range){ 9, 3 };
	CHECK(!ctl_range_inward(&r, 8));
	r = (struct ctl_range){ 5, 0 };
	CHECK(!ctl_range_inward(&r, 8));
	r = (struct ctl_range){ 5, 3 };
	CHECK(ctl_range_inward(&r, 1) && r.start == 5 && r.length == 3);
	r = (struct ctl_range){ UINT64_MAX - 3, 3 };
	CHECK(!ctl_range_inward(&r, 8));
}

static void test_inward_all(void)
{
	u64 start, length, i;

	/* Against the definition: the whole units inside the range. */
	for (start = 0; start < 20; start++) {
		for (length = 0; length < 40; length++) {
			struct ctl_range r = { start, length };
			u64 first = 0, units = 0;

			for (i = 0; i < 64; i += 4) {
				if (i < start || i + 4 > start + length)
					continue;
				if (!units++)
					first = i;
			}
			CHECK(ctl_range_inward(&r, 4) == (units != 0));
			CHECK(!units ||
			      (r.start == first && r.length == units * 4));
		}
	}
}

static void test_nothing(void)
{
	struct ctl_batch b;
	char text[SMALL];

	begin(&b, text, sizeof(text));
	CHECK(ctl_batch_flush(&b) == 0);
	CHECK(sent.messages == 0 && b.messages == 0 && b.ranges == 0);
}

static void test_all_arrive(void)
{
	struct ctl_batch b;
	char text[1000];
	u64 sectors = 0;
	unsigned int i;

	begin(&b, text, sizeof(text));
	for (i = 0; i < 4096; i++) {
		struct ctl_range r = { (u64)i * i * 977, i % 100 + 1 };

		CHECK(ctl_batch_add(&b, &r) == 0);
		sectors += r.length;
	}
	CHECK(ctl_batch_flush(&b) == 0);
	CHECK(sent.ranges == 4096 && b.ranges == 4096 && b.sectors == sectors);
	CHECK(sent.messages == b.messages && sent.messages > 10);
	CHECK(sent.longest < sizeof(text));
	for (i = 0; i < 4096; i++)
		CHECK(sent.r[i].start == (u64)i * i * 977 &&
		      sent.r[i].length == i % 100 + 1);
}

/* A bitmap may be longer, ranges are not. */
static void test_ranges_are_bounded(void)
{
	static char text[CTL_BATCH_SIZE];
	struct ctl_batch b;
	unsigned int i;

	begin(&b, text, sizeof(text));
	for (i = 0; i < 4096; i++) {
		struct ctl_range r = { (u64)i * 1000000, 100000 + i };

		CHECK(ctl_batch_add(&b, &r) == 0);
	}
	CHECK(ctl_batch_flush(&b) == 0);
	CHECK(sent.ranges == 4096 && sent.messages > 2);
	CHECK(sent.longest < CTL_BATCH_RANGES);
}

static void test_short(void)
{
	const struct ctl_range r[] = {
		{ 1000, 8 }, { 1008, 8 }, { 2000, 16 }, { 16, 8 }, { 32, 8 },
	};
	struct ctl_batch b;
	char text[1000];
	unsigned int i;

	begin(&b, text, sizeof(text));
	for (i = 0; i < sizeof(r) / sizeof(r[0]); i++)
		CHECK(ctl_batch_add(&b, &r[i]) == 0);
	CHECK(strcmp(text, "free 1000 8 0+8 984+16 16 8 8+8") == 0);
	/* A message does not depend on the one before it. */
	CHECK(ctl_batch_flush(&b) == 0);
	CHECK(ctl_batch_add(&b, &r[2]) == 0);
	CHECK(strcmp(text, "free 2000 16") == 0);
}

static void test_bits(void)
{
	const u8 used[] = { 0xff, 0xfe, 0x00, 0x5f, 0xff, 0xff, 0xff, 0x7f,
			    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd };
	struct ctl_range r = { 1000, 8 };
	struct ctl_batch b;
	char text[CTL_BATCH_ROOM + 32];
	u64 words[2];

	memcpy(words, used, sizeof(words));
	begin(&b, text, sizeof(text));
	CHECK(ctl_batch_add(&b, &r) == 0);
	CHECK(ctl_batch_add_free_bits(&b, UINT64_MAX, 8, words, 2) == 0);
	CHECK(strcmp(sent.bits, "free_bits 18446744073709551615 "
				"0001ffa0000000800000000000000002") == 0);
	CHECK(sent.longest < sizeof(text));
	/* What had been gathered went first, and what follows is not mixed up. */
	CHECK(sent.ranges == 1 && sent.messages == 2 && b.messages == 2);
	CHECK(b.sectors == 8 + (1 + 8 + 2 + 1 + 1) * 8);
	CHECK(ctl_batch_add(&b, &r) == 0 && strcmp(text, "free 1000 8") == 0);
	CHECK(ctl_batch_add_free_bits(&b, 0, 8, words, 3) == -EMSGSIZE);
	/* What had been gathered cannot be sent. */
	CHECK(ctl_batch_add(&b, &r) == 0);
	sent.fail_at = (int)sent.messages + 1;
	CHECK(ctl_batch_add_free_bits(&b, 0, 8, words, 2) == -ENOSPC);
}

static void test_largest_numbers(void)
{
	struct ctl_range r = { UINT64_MAX, UINT64_MAX };
	struct ctl_batch b;
	char text[SMALL];
	int i;

	begin(&b, text, sizeof(text));
	for (i = 0; i < 10; i++)
		CHECK(ctl_batch_add(&b, &r) == 0);
	CHECK(ctl_batch_flush(&b) == 0);
	CHECK(sent.ranges == 10 && sent.longest < sizeof(text));
	CHECK(sent.r[9].start == UINT64_MAX && sent.r[9].length == UINT64_MAX);
}

static void test_failure_ends(void)
{
	struct ctl_range r = { 1, 1 };
	struct ctl_batch b;
	char text[SMALL];
	int err = 0, added = 0;

	begin(&b, text, sizeof(text));
	sent.fail_at = 3;
	while (!err && added++ < 1000)
		err = ctl_batch_add(&b, &r);
	CHECK(err == -ENOSPC && sent.messages == 3);
}

int main(void)
{
	RUN(test_inward, "a range shrinks to whole units");
	RUN(test_inward_all, "small ranges shrink as defined, all of them");
	RUN(test_nothing, "no range, no message");
	RUN(test_ranges_are_bounded, "a message of ranges has a bound of its own");
	RUN(test_short, "a range that follows another is told by the gap");
	RUN(test_all_arrive, "every range arrives once, in order");
	RUN(test_bits, "a bitmap is a message of its own, the first block's bit the lowest");
	RUN(test_largest_numbers, "the largest numbers fit");
	RUN(test_failure_ends, "a message that fails is reported");
	return tap_done();
}
