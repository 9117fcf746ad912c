// SPDX-License-Identifier: GPL-2.0
/*
 * test_small_blocks.c - the sets of blocks of a resume, the filter of a restore
 * in passes and the map: against plain arrays, and without memory
 */
#include "../tap.h"
#include "blocks.h"
#include "failing.h"
#include "filter.h"
#include "runs.h"

/* Three leaves, the last of them in part. */
#define LEAF 32768u
#define COUNT (2 * LEAF + 1000u)

static struct bow_blocks b;
static u8 plain[COUNT][BOW_SETS];

static u64 pick_free(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE];
}

static u64 pick_unused(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE] & ~word[BOW_SET_HELD] & ~word[BOW_SET_USED];
}

struct seen {
	u64 next;
	bool wrong;
	u32 left;		/* visits until one ends the search */
};

static int see(void *ctx, u64 first, u64 count)
{
	struct seen *s = ctx;

	if (s->left && !--s->left)
		return 7;
	/* Between the runs, and in them. */
	for (; s->next < first; s->next++)
		s->wrong |= plain[s->next][BOW_SET_FREE];
	for (; s->next < first + count; s->next++)
		s->wrong |= !plain[s->next][BOW_SET_FREE];
	return 0;
}

static void set(enum bow_set which, u64 first, u64 count)
{
	for (; count--; first++)
		plain[first][which] = 1;
}

static void start(void)
{
	bow_blocks_free(&b);
	memset(plain, 0, sizeof(plain));
	if (bow_blocks_init(&b, COUNT))
		abort();
}

static void runs(void)
{
	/* A run over two leaves, one at each end, single blocks. */
	static const u32 range[][2] = {
		{ 0, 3 }, { 64, 64 }, { 130, 1 }, { 200, 3000 },
		{ LEAF - 70, 200 }, { COUNT - 5, 5 },
	};
	struct seen s = { 0 };
	u32 i;

	start();
	CHECK(!bow_blocks_each(&b, pick_free, see, &s) && !s.next);
	CHECK(!bow_blocks_has(&b, BOW_SET_FREE, 9));
	bow_blocks_claim(&b, 0, COUNT);
	for (i = 0; i < sizeof(range) / sizeof(range[0]); i++) {
		CHECK(!bow_blocks_add(&b, BOW_SET_FREE, range[i][0],
				      range[i][1]));
		set(BOW_SET_FREE, range[i][0], range[i][1]);
	}
	CHECK(!bow_blocks_each(&b, pick_free, see, &s));
	CHECK(!s.wrong && s.next == COUNT);
	for (i = 0; i < COUNT; i++)
		CHECK(bow_blocks_has(&b, BOW_SET_FREE, i) ==
		      plain[i][BOW_SET_FREE]);
}

/* A run that ends with its leaf, and none in the next, which is not there. */
static void missing_leaf(void)
{
	struct seen s = { 0 };

	start();
	CHECK(!bow_blocks_add(&b, BOW_SET_FREE, LEAF - 64, 64));
	set(BOW_SET_FREE, LEAF - 64, 64);
	CHECK(!bow_blocks_each(&b, pick_free, see, &s));
	CHECK(!s.wrong && s.next == LEAF);
	s = (struct seen){ .left = 1 };
	CHECK(bow_blocks_each(&b, pick_free, see, &s) == 7);
}

/* The visitor's answer ends the search wherever it is given. */
static void search_ends(void)
{
	struct seen s;
	u32 i;

	start();
	for (i = 0; i < 5; i++) {
		CHECK(!bow_blocks_add(&b, BOW_SET_FREE, i * 20000 + 3, 2));
		set(BOW_SET_FREE, i * 20000 + 3, 2);
		if (i * 20000 + 40005 > COUNT)
			break;
	}
	for (i = 1; i <= 2; i++) {
		s = (struct seen){ .left = i };
		CHECK(bow_blocks_each(&b, pick_free, see, &s) == 7);
	}
	/* In the last bits of a word, and before another run in it. */
	start();
	CHECK(!bow_blocks_add(&b, BOW_SET_FREE, 62, 1));
	s = (struct seen){ .left = 1 };
	CHECK(bow_blocks_each(&b, pick_free, see, &s) == 7);
	CHECK(!bow_blocks_add(&b, BOW_SET_FREE, 50, 1));
	s = (struct seen){ .left = 1 };
	CHECK(bow_blocks_each(&b, pick_free, see, &s) == 7);
}

/* What is seen first of a block is what holds; what is held is not claimed. */
static void mentions(void)
{
	struct seen s = { 0 };

	start();
	CHECK(!bow_blocks_add(&b, BOW_SET_FREE, 100, 100));
	CHECK(!bow_blocks_mention(&b, BOW_SET_HELD, 90, 20));
	CHECK(!bow_blocks_mention(&b, BOW_SET_USED, 95, 30));
	CHECK(bow_blocks_has(&b, BOW_SET_HELD, 109));
	CHECK(!bow_blocks_has(&b, BOW_SET_USED, 109));
	CHECK(bow_blocks_has(&b, BOW_SET_USED, 110));
	CHECK(!bow_blocks_hold(&b, 110));
	CHECK(bow_blocks_has(&b, BOW_SET_HELD, 110));
	CHECK(!bow_blocks_has(&b, BOW_SET_USED, 110));
	bow_blocks_claim(&b, 90, 50);
	CHECK(!bow_blocks_has(&b, BOW_SET_USED, 90));
	CHECK(!bow_blocks_has(&b, BOW_SET_USED, 105));
	CHECK(bow_blocks_has(&b, BOW_SET_USED, 139));
	CHECK(!bow_blocks_has(&b, BOW_SET_USED, 140));
	set(BOW_SET_FREE, 140, 60);
	CHECK(!bow_blocks_each(&b, pick_unused, see, &s));
	CHECK(!s.wrong && s.next == 200);
}

static void no_memory(void)
{
	start();
	alloc_fail(0, true);
	CHECK(bow_blocks_add(&b, BOW_SET_FREE, 5, 1) == -ENOMEM);
	CHECK(bow_blocks_mention(&b, BOW_SET_HELD, 5, 1) == -ENOMEM);
	CHECK(bow_blocks_hold(&b, 5) == -ENOMEM);
	CHECK(alloc_end());
	bow_blocks_free(&b);
	alloc_fail(0, true);
	CHECK(bow_blocks_init(&b, COUNT) == -ENOMEM);
	CHECK(alloc_end());
	bow_blocks_free(&b);
}

/* ---- the filter ---- */

#define SECTORS 100000u

static void filter(void)
{
	struct bow_filter f;

	CHECK(!bow_filter_init(&f, SECTORS, 8, 1u << 20));
	CHECK(f.shift == 3);
	bow_filter_add(&f, 800, 1600);
	CHECK(bow_filter_any(&f, 0, 808) && !bow_filter_any(&f, 0, 800));
	CHECK(bow_filter_any(&f, 2392, 8) && !bow_filter_any(&f, 2400, 8));
	/* Over several words, the last of which lacks something. */
	CHECK(bow_filter_all(&f, 800, 1600) && !bow_filter_all(&f, 800, 1608));
	CHECK(!bow_filter_all(&f, 792, 16) && bow_filter_all(&f, 1608, 8));
	CHECK(!bow_filter_any(&f, 2400, 4000));
	bow_filter_free(&f);
}

/* With less memory a bit stands for more sectors; it never says too little. */
static void coarse_filter(void)
{
	struct bow_filter f;
	u32 k;

	CHECK(!bow_filter_init(&f, 1u << 24, 8, 2048));
	CHECK(f.shift > 8);
	bow_filter_add(&f, 123456, 8);
	CHECK(bow_filter_all(&f, 123456, 8));
	bow_filter_free(&f);
	/* Nor when memory is refused. */
	alloc_fail(0, false);
	CHECK(!bow_filter_init(&f, 1u << 24, 8, 1u << 30));
	CHECK(alloc_end() && f.shift == 4);
	bow_filter_free(&f);
	for (k = 0; k < 2; k++) {
		alloc_fail(k, true);
		if (bow_filter_init(&f, 1u << 24, 8, 1u << 30))
			CHECK(k == 0);
		else
			bow_filter_free(&f);
		alloc_end();
	}
}

/* ---- the map ---- */

/* Longer than one run can be: kept as several, which do not merge. */
static void long_runs(void)
{
	const u64 n = BOW_WHERE_RUN_MAX + 1000, dest = 1ull << 40;
	struct bow_where *w = bow_where_new();
	u64 run = UINT64_MAX;

	CHECK(w);
	CHECK(bow_where_room(w) == SIZE_MAX);
	CHECK(bow_where_middle(w) == 0);
	CHECK(!bow_where_undo(w, 8, dest, n));
	CHECK(bow_where_get(w, 8, &run) == dest && run == BOW_WHERE_RUN_MAX);
	run = UINT64_MAX;
	CHECK(bow_where_get(w, 8 + BOW_WHERE_RUN_MAX, &run) ==
	      dest + BOW_WHERE_RUN_MAX);
	CHECK(run == 1000);
	/* A move back leaves the identity. */
	CHECK(!bow_where_undo(w, dest, 8, n));
	run = 1;
	CHECK(bow_where_get(w, dest + 5, &run) == dest + 5);
	bow_where_free(w);
}

/* Every allocation of many moves fails once: -ENOMEM, and no more. */
static void map_without_memory(void)
{
	u32 k, i;
	bool failed = true;

	for (k = 0; failed; k++) {
		struct bow_where *w;
		int r = 0;

		alloc_fail(k, false);
		w = bow_where_new();
		for (i = 0; w && i < 200 && !r; i++) {
			r = bow_where_undo(w, 40 * i, 100000 + 20 * i, 16);
			/* Into the middle of it: a run becomes two. */
			if (!r)
				r = bow_where_undo(w, 40 * i + 6,
						   200000 + 20 * i, 4);
		}
		if (!r && w)
			r = bow_where_forget(w, 40 * 17 + 1, 2);
		failed = alloc_end();
		CHECK(!failed || !w || r == -ENOMEM);
		bow_where_free(w);
	}
	CHECK(k > 50);
}

static bool odd(void *ctx, const struct bow_extent *x)
{
	(void)ctx;
	return x->start / 40 & 1;
}

/* Half of the chunks, then no more; thinned, some are there again. */
static void limited_map(void)
{
	struct bow_where *w = bow_where_new();
	u64 i, room;

	CHECK(w);
	for (i = 0; i < 200; i++)
		CHECK(!bow_where_undo(w, 40 * i, 100000 + 20 * i, 16));
	CHECK(bow_where_limit(w));
	room = bow_where_room(w);
	CHECK(room > 4 && room < 200);
	for (i = 0; i < 200; i++)
		if (bow_where_undo(w, 40 * i, 100000 + 20 * i, 16))
			break;
	CHECK(i > 10 && i < 200 && bow_where_room(w) == 0);
	bow_where_thin(w, odd, NULL);
	CHECK(bow_where_room(w) > 1);
	/* A limit on what has one changes nothing. */
	bow_where_clear(w);
	CHECK(bow_where_limit(w) && bow_where_room(w) == room);
	bow_where_free(w);
	/* Not even that much memory is there. */
	w = bow_where_new();
	for (i = 0; i < 200; i++)
		CHECK(!bow_where_undo(w, 40 * i, 100000 + 20 * i, 16));
	alloc_fail(3, true);
	CHECK(bow_where_limit(w) && alloc_end());
	CHECK(bow_where_room(w) == 3);
	bow_where_free(w);
}

int main(void)
{
	RUN(runs, "blocks: runs are those of a plain array");
	RUN(missing_leaf, "blocks: a run ends where a leaf is missing");
	RUN(search_ends, "blocks: a visitor ends the search");
	RUN(mentions, "blocks: the first mention holds, claims take the rest");
	RUN(no_memory, "blocks: no memory is told");
	bow_blocks_free(&b);
	RUN(filter, "filter: what was added is there, its neighbours are not");
	RUN(coarse_filter, "filter: with less memory it says more, never less");
	RUN(long_runs, "map: runs longer than one entry can tell");
	RUN(map_without_memory, "map: each allocation fails once");
	RUN(limited_map, "map: with a limit it takes what there is");
	return tap_done();
}
