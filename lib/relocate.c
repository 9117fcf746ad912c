// SPDX-License-Identifier: GPL-2.0
/*
 * relocate.c - where the contents that belong at x are now
 *
 * The map is kept as the runs in which it differs from the identity; runs.h
 * says how.
 */
#include "runs.h"

/* Make [start, end) the identity again; *next is the first run above it. */
static int cut(struct bow_where *w, u64 start, u64 end, struct bow_at *next)
{
	for (;;) {
		struct bow_at at = bow_runs_find(w, start);
		struct bow_extent x, tail;

		*next = at;
		if (bow_runs_end(w, at))
			return 0;
		x = bow_run_at(w, at);
		if (x.start >= end)
			return 0;
		tail.sectors = bow_extent_end(&x) > end ? bow_extent_end(&x) - end : 0;
		tail.start = end;
		tail.place = x.place + (end - x.start);
		if (x.start >= start) {
			if (!tail.sectors) {
				bow_runs_remove(w, at);
				continue;
			}
			bow_run_set(w, at, &tail);
			return 0;
		}
		x.sectors = start - x.start;
		bow_run_set(w, at, &x);
		if (tail.sectors) {
			int r = bow_runs_insert(w, bow_runs_find(w, start), &tail);

			*next = bow_runs_find(w, start);
			return r;
		}
	}
}

static bool follows(const struct bow_extent *a, const struct bow_extent *b)
{
	return bow_extent_end(a) == b->start && a->place + a->sectors == b->place &&
	       a->sectors + b->sectors <= BOW_WHERE_RUN_MAX;
}

/* The run before `at`; false: there is none. */
static bool before(const struct bow_where *w, struct bow_at at, struct bow_at *prev)
{
	*prev = at;
	if (prev->run == 0) {
		if (prev->chunk == 0)
			return false;
		prev->chunk--;
		prev->run = (u32)w->dir[prev->chunk].chunk->count;
	}
	prev->run--;
	return true;
}

/*
 * Add a run where the map is the identity, before the run `at`; merge it with
 * its neighbours.
 */
static int add(struct bow_where *w, struct bow_at at, const struct bow_extent *run)
{
	struct bow_extent x = *run, y;
	struct bow_at prev;
	bool merged = false;

	if (!bow_runs_end(w, at)) {
		y = bow_run_at(w, at);
		if (follows(&x, &y)) {
			x.sectors += y.sectors;
			bow_run_set(w, at, &x);
			merged = true;
		}
	}
	if (before(w, at, &prev)) {
		y = bow_run_at(w, prev);
		if (follows(&y, &x)) {
			y.sectors += x.sectors;
			bow_run_set(w, prev, &y);
			if (merged)
				bow_runs_remove(w, at);
			merged = true;
		}
	}
	return merged ? 0 : bow_runs_insert(w, at, &x);
}

/* Does the map say something about `sector`?  As bow_where_get(). */
static bool look_up(const struct bow_where *w, u64 sector, u64 *sectors,
		    u64 *place)
{
	struct bow_at at = bow_runs_find(w, sector);
	u64 run = UINT64_MAX;
	bool known = false;

	*place = sector;
	if (!bow_runs_end(w, at)) {
		struct bow_extent x = bow_run_at(w, at);

		known = x.start <= sector;
		if (known) {
			*place = x.place + (sector - x.start);
			run = bow_extent_end(&x) - sector;
		} else {
			run = x.start - sector;
		}
	}
	if (*sectors > run)
		*sectors = run;
	return known;
}

int bow_where_undo(struct bow_where *w, u64 source, u64 dest, u64 sectors)
{
	bool held = false;	/* the map says something about dest */
	struct bow_at next;
	u64 done, n;
	int r;

	for (done = 0; done < sectors; done += n) {
		struct bow_extent x = { .start = source + done };

		n = sectors - done;
		if (n > BOW_WHERE_RUN_MAX)
			n = BOW_WHERE_RUN_MAX;
		held |= look_up(w, dest + done, &n, &x.place);
		x.sectors = n;
		r = cut(w, x.start, bow_extent_end(&x), &next);
		/* Also where they are back: these contents are still needed. */
		if (!r)
			r = add(w, next, &x);
		if (r)
			return r;
	}
	return held ? cut(w, dest, dest + sectors, &next) : 0;
}

int bow_where_forget(struct bow_where *w, u64 start, u64 sectors)
{
	struct bow_at next;

	return cut(w, start, start + sectors, &next);
}

u64 bow_where_get(const struct bow_where *w, u64 sector, u64 *sectors)
{
	u64 place;

	look_up(w, sector, sectors, &place);
	return place;
}

bool bow_where_next(const struct bow_where *w, u64 sector,
		    struct bow_extent *extent)
{
	struct bow_at at = bow_runs_find(w, sector);

	if (bow_runs_end(w, at))
		return false;
	*extent = bow_run_at(w, at);
	return true;
}

bool bow_where_any(const struct bow_where *w, u64 start, u64 sectors,
		   u64 *first)
{
	struct bow_extent x;

	if (!bow_where_next(w, start, &x) || x.start >= start + sectors)
		return false;
	*first = x.start > start ? x.start : start;
	return true;
}
