// SPDX-License-Identifier: GPL-2.0
/*
 * test_relocate.c - the relocation map against an array that is moved by hand
 */
#include "../tap.h"
#include "relocate.h"

#define SECTORS 512u

/* A small generator of its own, so that a failure can be repeated. */
static u32 next_random(u32 *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* In `runs` what is to be in a run of the map. */
static void naive_undo(u64 *where, bool *runs, u64 source, u64 dest,
		       u64 sectors)
{
	u64 i;

	for (i = 0; i < sectors; i++) {
		where[source + i] = where[dest + i];
		where[dest + i] = dest + i;
		runs[source + i] = true;
		runs[dest + i] = false;
	}
}

static bool same(const struct bow_where *w, const u64 *where)
{
	u64 i;

	for (i = 0; i < SECTORS; i++) {
		u64 n = SECTORS - i, k;
		u64 place = bow_where_get(w, i, &n);

		if (n == 0 || place != where[i])
			return false;
		for (k = 0; k < n; k++)
			if (where[i + k] != place + k)
				return false;
	}
	return true;
}

/* Runs are sorted, do not touch without reason, and are what they are to be. */
static bool tidy(const struct bow_where *w, const bool *runs)
{
	struct bow_extent x, last = { 0 };
	u64 at = 0, i;

	while (bow_where_next(w, at, &x)) {
		if (x.sectors == 0 || x.start < at)
			return false;
		for (i = at; i < x.start + x.sectors; i++)
			if (runs[i] != (i >= x.start))
				return false;
		if (last.sectors && last.start + last.sectors == x.start &&
		    last.place + last.sectors == x.place)
			return false;
		last = x;
		at = x.start + x.sectors;
	}
	while (at < SECTORS)
		if (runs[at++])
			return false;
	return true;
}

static void random_moves(void)
{
	u32 seed;

	for (seed = 1; seed <= 60; seed++) {
		struct bow_where *w = bow_where_new();
		u64 where[SECTORS];
		bool runs[SECTORS] = { false };
		u32 state = seed, i;

		CHECK(w);
		for (i = 0; i < SECTORS; i++)
			where[i] = i;
		for (i = 0; i < 300; i++) {
			u64 n = 1 + next_random(&state) % (seed % 3 ? 4 : 40);
			u64 s = next_random(&state) % (SECTORS - n);
			u64 d = next_random(&state) % (SECTORS - n);

			if (s < d + n && d < s + n)
				continue;
			CHECK(bow_where_undo(w, s, d, n) == 0);
			naive_undo(where, runs, s, d, n);
			if (i % 10 == 0)
				CHECK(same(w, where) && tidy(w, runs));
		}
		CHECK(same(w, where) && tidy(w, runs));
		bow_where_free(w);
	}
}

/* Enough runs for many chunks, from either end and from the middle. */
static void many_runs(void)
{
	const u64 n = 20000;
	int order;

	for (order = 0; order < 3; order++) {
		struct bow_where *w = bow_where_new();
		struct bow_extent x;
		u64 i, at, count = 0;

		CHECK(w);
		for (i = 0; i < n; i++) {
			u64 k = order == 0 ? i :
				order == 1 ? n - 1 - i : i * 7919 % n;

			CHECK(!bow_where_undo(w, 2 * k, 10 * n - 2 * k, 1));
		}
		for (at = 0; bow_where_next(w, at, &x);
		     at = x.start + x.sectors, count++)
			CHECK(x.start == 2 * count && x.sectors == 1 &&
			      x.place == 10 * n - x.start);
		CHECK(count == n);
		/* Taking all of it back leaves nothing. */
		for (i = 0; i < n; i++)
			CHECK(!bow_where_undo(w, 30 * n + i, 2 * i, 1));
		CHECK(bow_where_next(w, 0, &x) && x.start == 30 * n);
		bow_where_clear(w);
		CHECK(!bow_where_next(w, 0, &x));
		bow_where_free(w);
	}
}

/* A backup that was overwritten and moved: the newest place counts. */
static void moved_backup(void)
{
	struct bow_where *w = bow_where_new();
	struct bow_extent x;
	u64 n = 8;

	CHECK(w);
	CHECK(!bow_where_undo(w, 200, 300, 8));	/* B -> C, the newer */
	CHECK(!bow_where_undo(w, 100, 200, 8));	/* A -> B */
	CHECK(bow_where_get(w, 100, &n) == 300 && n == 8);
	CHECK(bow_where_next(w, 0, &x) && x.start == 100);
	CHECK(!bow_where_next(w, 108, &x));
	bow_where_free(w);
}

/* A place that was given back and used again. */
static void reused_place(void)
{
	struct bow_where *w = bow_where_new();
	u64 n = 8;

	CHECK(w);
	CHECK(!bow_where_undo(w, 400, 200, 8));	/* D -> B, newest */
	CHECK(!bow_where_undo(w, 200, 300, 8));	/* B -> C */
	CHECK(!bow_where_undo(w, 100, 200, 8));	/* A -> B, oldest */
	CHECK(bow_where_get(w, 400, &n) == 200);
	CHECK(bow_where_get(w, 100, &n) == 300);
	CHECK(bow_where_get(w, 200, &n) == 200);
	bow_where_free(w);
}

static void merges(void)
{
	struct bow_where *w = bow_where_new();
	struct bow_extent x;

	CHECK(w);
	CHECK(!bow_where_undo(w, 116, 1016, 8));
	CHECK(!bow_where_undo(w, 100, 1000, 8));
	CHECK(!bow_where_undo(w, 108, 1008, 8));
	CHECK(bow_where_next(w, 0, &x));
	CHECK(x.start == 100 && x.place == 1000 && x.sectors == 24);
	bow_where_free(w);
}

int main(void)
{
	RUN(random_moves, "relocate: random moves as in a plain array");
	RUN(many_runs, "relocate: tens of thousands of runs in any order");
	RUN(moved_backup, "relocate: a moved backup is at its newest place");
	RUN(reused_place, "relocate: a place that was used twice");
	RUN(merges, "relocate: neighbours become one run");
	return tap_done();
}
