/* SPDX-License-Identifier: GPL-2.0 */
/*
 * largelog.h - a long log on a device of terabytes, and what must be in it
 *
 * That is said by a model of its own, in sectors of 64 bits.
 */
#ifndef TESTS_LARGELOG_H
#define TESTS_LARGELOG_H

#include "../tap.h"
#include "largedev.h"

#define ROUNDS 240u		/* each writes a block of every position */
#define ENTRIES_MAX 4096u
#define MOVED 5u		/* entry whose backup is overwritten */

struct entry {
	u64 source, dest;
	u32 blocks;
};

static struct {
	u64 region;		/* sectors of a claim's region */
	u32 map_bits;		/* of a block of the free map */
	u32 room;		/* entries that a log block has room for */
	u32 places;		/* taken so far */
	u32 count;		/* entries of the newest log block */
	u32 batch;		/* first entry of the batch */
	u64 live, before, backup0, next, prev;
	u64 map[4];		/* places of the free map */
	u32 maps;
	struct entry entry[ENTRIES_MAX];
	u32 entries;
} want;

/* ---- the model ---- */

/* Windows of 256 blocks from the end of the free ones, upwards in each. */
static inline u64 place(void)
{
	u32 n = want.places++;

	return d.free + (u64)(FREE_BLOCKS - (n / 256 + 1) * 256 + n % 256) * d.per;
}

static inline void expect_entry(u64 source, u64 dest)
{
	struct entry *last = &want.entry[want.entries - 1];
	u64 sectors = (u64)last->blocks * d.per;

	if (want.entries > want.batch && last->source + sectors == source &&
	    last->dest + sectors == dest) {
		last->blocks++;
		return;
	}
	if (want.count == want.room) {
		want.prev = want.next;
		want.next = place();
		want.entry[want.entries++] = (struct entry){ 0, want.prev, 1 };
		want.count = 1;
	}
	want.entry[want.entries++] = (struct entry){ source, dest, 1 };
	want.count++;
}

static inline void expect_activation(void)
{
	u64 first = d.free / d.per, i;

	memset(&want, 0, sizeof(want));
	want.region = d.bs == 4096 ? 1u << 22 : 1u << 21;
	want.map_bits = d.bs == 4096 ? 32256 : 3584;
	want.room = d.bs == 4096 ? 160 : 10;
	want.live = want.before = place();
	want.backup0 = place();
	want.next = place();
	want.maps = (u32)((first + FREE_BLOCKS - 1) / want.map_bits -
			  first / want.map_bits) + 1;
	for (i = 0; i < want.maps; i++)
		want.map[i] = place();
	want.entry[want.entries++] = (struct entry){ 0, want.backup0, 1 };
	want.count = 1;
}

/* ---- what is done ---- */

static inline void publish(void)
{
	large_publish();
	want.batch = want.entries;
}

static inline void back_up(u64 sector)
{
	if (large_add(sector))
		abort();
	expect_entry(sector, place());
}

static inline u64 target(u32 position, u32 round)
{
	return d.position[position] + (u64)2 * round * d.per;
}

static inline void write_rounds(u32 first, u32 end)
{
	u32 i, p;

	for (i = first; i < end; i++)
		for (p = 0; p < d.positions; p++)
			back_up(target(p, i));
	publish();
	for (i = first; i < end; i++)
		for (p = 0; p < d.positions; p++)
			overwrite(target(p, i));
}

/* The filesystem uses a free block; then those that the log has taken. */
static inline void write_free(void)
{
	u64 start = d.sectors - want.region;

	if (bow_core_write_direct(&d.core, d.free / d.per, 1) || large_add(d.free))
		abort();
	expect_entry(start, start);
	publish();
	overwrite(d.free);
}

static inline void write_live(void)
{
	u64 old = want.live;

	back_up(old);
	want.live = want.entry[want.entries - 1].dest;
	publish();
	overwrite(old);
	/* Where block 0 is written now. */
	put(want.live, contents(0, 1), d.bs);
}

static inline void write_next_log(void)
{
	u64 old = want.next;

	if (large_add(old))
		abort();
	want.next = place();
	publish();
	overwrite(old);
}

static inline void write_backup(void)
{
	u64 backup = want.entry[MOVED].dest;

	back_up(backup);
	want.before = want.live;
	publish();
	overwrite(backup);
}

static inline void work(void)
{
	u32 i;

	large_activate();
	expect_activation();
	want.batch = want.entries;
	write_free();
	for (i = 0; i < ROUNDS; i += 5)
		write_rounds(i, i + 5);
	write_live();
	write_next_log();
	back_up(d.sectors - d.per);
	publish();
	overwrite(d.sectors - d.per);
	write_backup();
}

/* ---- the tests of one device ---- */

struct large_test {
	void (*test)(void);
	const char *title;
};

/* One checkpoint for all of them, in their order. */
static inline void run_tests(const struct large_test *tests, size_t count)
{
	static const struct {
		const char *name;
		u32 bs;
		u64 sectors;
	} devices[] = {
		{ "4 TiB, blocks of 4096", 4096, (1ull << 33) + (1ull << 24) },
		/* Here the numbers of blocks have more than 32 bits. */
		{ "2 TiB, blocks of 512", 512, (1ull << 32) + (1ull << 24) },
	};
	char title[128];
	size_t i, j;

	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		large_open(devices[i].bs, devices[i].sectors);
		work();
		for (j = 0; j < count; j++) {
			snprintf(title, sizeof(title), "%s: %s", devices[i].name,
				 tests[j].title);
			RUN(tests[j].test, title);
		}
		large_close();
	}
	bow_free(d.plane);
}

#endif /* TESTS_LARGELOG_H */
