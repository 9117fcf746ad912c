// SPDX-License-Identifier: GPL-2.0
/*
 * relocate.c - where the contents that belong at x are now
 *
 * Runs sorted by start, in chunks of bounded size; a directory of the chunks,
 * sorted as well.  Two binary searches find a run; an insertion moves at most
 * a chunk, and the directory once in many.  Nothing recurses, and no order of
 * insertions is a bad one.
 */
#include "relocate.h"

#define CHUNK_RUNS 168u		/* about a page */

struct chunk {
	u32 count;
	struct bow_extent run[CHUNK_RUNS];
};

struct bow_where {
	struct chunk **dir;	/* none of them empty */
	size_t chunks;
	size_t room;		/* allocated slots of dir */
};

/* A run in the map; chunk == w->chunks is the end. */
struct at {
	size_t chunk;
	u32 run;
};

struct bow_where *bow_where_new(void)
{
	return bow_alloc(sizeof(struct bow_where));
}

void bow_where_clear(struct bow_where *w)
{
	while (w->chunks)
		bow_free(w->dir[--w->chunks]);
}

void bow_where_free(struct bow_where *w)
{
	if (!w)
		return;
	bow_where_clear(w);
	bow_free(w->dir);
	bow_free(w);
}

static u64 run_end(const struct bow_extent *x)
{
	return x->start + x->sectors;
}

static struct bow_extent *run_at(const struct bow_where *w, struct at at)
{
	return at.chunk < w->chunks ? &w->dir[at.chunk]->run[at.run] : NULL;
}

/* The first run that ends above `sector`. */
static struct at find(const struct bow_where *w, u64 sector)
{
	size_t low = 0, high = w->chunks;
	struct at at;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct chunk *c = w->dir[mid];

		if (run_end(&c->run[c->count - 1]) > sector)
			high = mid;
		else
			low = mid + 1;
	}
	at.chunk = low;
	at.run = 0;
	if (low == w->chunks)
		return at;
	high = w->dir[at.chunk]->count;
	for (low = 0; low < high;) {
		size_t mid = low + (high - low) / 2;

		if (run_end(&w->dir[at.chunk]->run[mid]) > sector)
			high = mid;
		else
			low = mid + 1;
	}
	at.run = (u32)low;
	return at;
}

static int grow_dir(struct bow_where *w)
{
	size_t room = w->room ? 2 * w->room : 16;
	struct chunk **dir;

	if (w->chunks < w->room)
		return 0;
	dir = realloc(w->dir, room * sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	w->dir = dir;
	w->room = room;
	return 0;
}

/* Put an empty chunk into slot `slot` of the directory. */
static int add_chunk(struct bow_where *w, size_t slot)
{
	struct chunk *c;

	if (grow_dir(w))
		return -ENOMEM;
	c = bow_alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	memmove(&w->dir[slot + 1], &w->dir[slot],
		(w->chunks - slot) * sizeof(*w->dir));
	w->dir[slot] = c;
	w->chunks++;
	return 0;
}

/*
 * Make room in a full chunk.  Insertions in rising order, the usual ones,
 * leave full chunks behind: then only the last run moves on.
 */
static int split_chunk(struct bow_where *w, struct at *at)
{
	struct chunk *c = w->dir[at->chunk], *next;
	u32 keep = at->run == CHUNK_RUNS ? CHUNK_RUNS - 1 : CHUNK_RUNS / 2;

	if (add_chunk(w, at->chunk + 1))
		return -ENOMEM;
	next = w->dir[at->chunk + 1];
	next->count = CHUNK_RUNS - keep;
	memcpy(next->run, &c->run[keep], next->count * sizeof(*c->run));
	c->count = keep;
	if (at->run > keep) {
		at->chunk++;
		at->run -= keep;
	}
	return 0;
}

static int insert_at(struct bow_where *w, struct at at,
		     const struct bow_extent *x)
{
	struct chunk *c;

	/* Past the end: append to the last chunk. */
	if (at.chunk == w->chunks) {
		if (!w->chunks && add_chunk(w, 0))
			return -ENOMEM;
		at.chunk = w->chunks - 1;
		at.run = w->dir[at.chunk]->count;
	}
	if (w->dir[at.chunk]->count == CHUNK_RUNS && split_chunk(w, &at))
		return -ENOMEM;
	c = w->dir[at.chunk];
	memmove(&c->run[at.run + 1], &c->run[at.run],
		(c->count - at.run) * sizeof(*c->run));
	c->run[at.run] = *x;
	c->count++;
	return 0;
}

static void remove_at(struct bow_where *w, struct at at)
{
	struct chunk *c = w->dir[at.chunk];

	c->count--;
	memmove(&c->run[at.run], &c->run[at.run + 1],
		(c->count - at.run) * sizeof(*c->run));
	if (c->count)
		return;
	bow_free(c);
	w->chunks--;
	memmove(&w->dir[at.chunk], &w->dir[at.chunk + 1],
		(w->chunks - at.chunk) * sizeof(*w->dir));
}

/* Make [start, end) the identity again. */
static int cut(struct bow_where *w, u64 start, u64 end)
{
	struct bow_extent *x;
	struct at at;

	for (;;) {
		at = find(w, start);
		x = run_at(w, at);
		if (!x || x->start >= end)
			return 0;
		if (x->start < start) {
			struct bow_extent tail = *x;

			/* Keep the head; the rest is looked at again. */
			x->sectors = start - x->start;
			tail.start += x->sectors;
			tail.place += x->sectors;
			tail.sectors -= x->sectors;
			if (run_end(&tail) <= end)
				continue;
			tail.sectors = run_end(&tail) - end;
			tail.place += end - start;
			tail.start = end;
			return insert_at(w, find(w, start), &tail);
		}
		if (run_end(x) > end) {
			x->place += end - x->start;
			x->sectors = run_end(x) - end;
			x->start = end;
			return 0;
		}
		remove_at(w, at);
	}
}

static bool follows(const struct bow_extent *a, const struct bow_extent *b)
{
	return run_end(a) == b->start && a->place + a->sectors == b->place;
}

/* Add a run where the map is the identity; merge it with its neighbours. */
static int add(struct bow_where *w, const struct bow_extent *run)
{
	struct at at = find(w, run->start);
	struct bow_extent *next = run_at(w, at), *prev = NULL;

	if (run->start)
		prev = run_at(w, find(w, run->start - 1));
	if (prev && prev != next && follows(prev, run)) {
		prev->sectors += run->sectors;
		if (next && follows(prev, next)) {
			prev->sectors += next->sectors;
			remove_at(w, at);
		}
		return 0;
	}
	if (next && follows(run, next)) {
		next->start = run->start;
		next->place = run->place;
		next->sectors += run->sectors;
		return 0;
	}
	return insert_at(w, at, run);
}

int bow_where_undo(struct bow_where *w, u64 source, u64 dest, u64 sectors)
{
	u64 done, n;
	int r;

	for (done = 0; done < sectors; done += n) {
		struct bow_extent x = { .start = source + done };

		n = sectors - done;
		x.place = bow_where_get(w, dest + done, &n);
		x.sectors = n;
		r = cut(w, x.start, run_end(&x));
		if (!r && x.place != x.start)
			r = add(w, &x);
		if (r)
			return r;
	}
	return cut(w, dest, dest + sectors);
}

u64 bow_where_get(const struct bow_where *w, u64 sector, u64 *sectors)
{
	const struct bow_extent *x = run_at(w, find(w, sector));
	u64 run = UINT64_MAX;
	u64 place = sector;

	if (x && x->start <= sector) {
		place = x->place + (sector - x->start);
		run = run_end(x) - sector;
	} else if (x) {
		run = x->start - sector;
	}
	if (*sectors > run)
		*sectors = run;
	return place;
}

bool bow_where_next(const struct bow_where *w, u64 sector,
		    struct bow_extent *extent)
{
	const struct bow_extent *x = run_at(w, find(w, sector));

	if (x)
		*extent = *x;
	return x != NULL;
}
