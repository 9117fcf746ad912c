// SPDX-License-Identifier: GPL-2.0
/*
 * relocate.c - where the contents that belong at x are now
 *
 * Runs sorted by start, in chunks of bounded size; a directory of the chunks,
 * sorted as well.  Two binary searches find a run; an insertion moves at most
 * a chunk, and the directory once in many.  Nothing recurses, and no order of
 * insertions is a bad one.
 *
 * A log can have ten million entries, and an initramfs little memory: a run is
 * 16 bytes, and full chunks lend room to one another before one is split.
 */
#include "relocate.h"

/* With its head a page, nearly; tests make it small, 16 at least. */
#ifndef CHUNK_RUNS
#define CHUNK_RUNS 254u
#endif
/* Less room than this in a neighbour is not worth moving runs for. */
#define CHUNK_SPARE (CHUNK_RUNS / 8)

/* start and place in 48 bits each, sectors in what is left of the two. */
struct run {
	u64 start_high;
	u64 place_low;
};

#define HALF_BITS 16
#define HALF_MASK 0xffffu

struct chunk {
	u32 count;
	struct run run[CHUNK_RUNS];
};

/* The start of its first run stands beside a chunk: searching touches less. */
struct slot {
	u64 start;
	struct chunk *chunk;
};

struct bow_where {
	struct slot *dir;	/* no chunk in it is empty */
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
		bow_free(w->dir[--w->chunks].chunk);
}

void bow_where_free(struct bow_where *w)
{
	if (!w)
		return;
	bow_where_clear(w);
	bow_free(w->dir);
	bow_free(w);
}

/* ---- runs ---- */

static u64 extent_end(const struct bow_extent *x)
{
	return x->start + x->sectors;
}

static struct bow_extent unpack(const struct run *r)
{
	return (struct bow_extent){
		.start = r->start_high >> HALF_BITS,
		.place = r->place_low >> HALF_BITS,
		.sectors = (r->start_high & HALF_MASK) << HALF_BITS |
			   (r->place_low & HALF_MASK),
	};
}

static struct run pack(const struct bow_extent *x)
{
	return (struct run){
		.start_high = x->start << HALF_BITS | x->sectors >> HALF_BITS,
		.place_low = x->place << HALF_BITS | (x->sectors & HALF_MASK),
	};
}

static bool at_end(const struct bow_where *w, struct at at)
{
	return at.chunk == w->chunks;
}

static struct bow_extent run_at(const struct bow_where *w, struct at at)
{
	return unpack(&w->dir[at.chunk].chunk->run[at.run]);
}

static void set_run(struct bow_where *w, struct at at,
		    const struct bow_extent *x)
{
	w->dir[at.chunk].chunk->run[at.run] = pack(x);
	if (at.run == 0)
		w->dir[at.chunk].start = x->start;
}

/* The last chunk that does not begin above `sector`, plus one. */
static size_t find_chunk(const struct bow_where *w, u64 sector)
{
	size_t low = 0, high = w->chunks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (w->dir[mid].start <= sector)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The first run that ends above `sector`. */
static struct at find(const struct bow_where *w, u64 sector)
{
	struct at at = { find_chunk(w, sector), 0 };
	const struct chunk *c;
	u32 low = 0, high;

	if (!at.chunk)
		return at;
	c = w->dir[at.chunk - 1].chunk;
	for (high = c->count; low < high;) {
		u32 mid = low + (high - low) / 2;
		struct bow_extent x = unpack(&c->run[mid]);

		if (extent_end(&x) > sector)
			high = mid;
		else
			low = mid + 1;
	}
	if (low < c->count) {
		at.chunk--;
		at.run = low;
	}
	return at;
}

/* ---- room for a run ---- */

/*
 * Move runs [from, end) up by `n`.  Not by memmove(): that of klibc moves
 * upwards byte by byte, and this is what an insertion costs.
 */
static void move_up(struct run *run, u32 from, u32 end, u32 n)
{
	while (end-- > from)
		run[end + n] = run[end];
}

static int grow_dir(struct bow_where *w)
{
	size_t room = w->room ? 2 * w->room : 16;
	struct slot *dir;

	if (w->chunks < w->room)
		return 0;
	dir = bow_alloc(room * sizeof(*dir));
	if (!dir)
		return -ENOMEM;
	if (w->chunks)
		memcpy(dir, w->dir, w->chunks * sizeof(*dir));
	bow_free(w->dir);
	w->dir = dir;
	w->room = room;
	return 0;
}

/* Put an empty chunk into slot `slot`; the caller fills it. */
static int add_chunk(struct bow_where *w, size_t slot)
{
	struct chunk *c;
	size_t i;

	if (grow_dir(w))
		return -ENOMEM;
	c = bow_alloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	for (i = w->chunks; i > slot; i--)
		w->dir[i] = w->dir[i - 1];
	w->dir[slot].chunk = c;
	w->chunks++;
	return 0;
}

static u32 spare(const struct bow_where *w, size_t slot)
{
	return CHUNK_RUNS - w->dir[slot].chunk->count;
}

static void note_start(struct bow_where *w, size_t slot)
{
	struct bow_extent x = unpack(&w->dir[slot].chunk->run[0]);

	w->dir[slot].start = x.start;
}

/* The last `n` runs of a chunk become the first of the next one. */
static void shift_up(struct bow_where *w, size_t slot, u32 n)
{
	struct chunk *c = w->dir[slot].chunk, *next = w->dir[slot + 1].chunk;

	move_up(next->run, 0, next->count, n);
	memcpy(next->run, &c->run[c->count - n], n * sizeof(*next->run));
	next->count += n;
	c->count -= n;
	note_start(w, slot + 1);
}

/* The first `n` runs of a chunk become the last of the one before. */
static void shift_down(struct bow_where *w, size_t slot, u32 n)
{
	struct chunk *c = w->dir[slot].chunk, *prev = w->dir[slot - 1].chunk;

	memcpy(&prev->run[prev->count], c->run, n * sizeof(*c->run));
	prev->count += n;
	c->count -= n;
	memmove(c->run, &c->run[n], c->count * sizeof(*c->run));
	note_start(w, slot);
}

/* Make room in a full chunk. */
static int relieve(struct bow_where *w, size_t slot)
{
	if (slot + 1 < w->chunks && spare(w, slot + 1) >= CHUNK_SPARE) {
		shift_up(w, slot, spare(w, slot + 1) / 2);
		return 0;
	}
	if (slot && spare(w, slot - 1) >= CHUNK_SPARE) {
		shift_down(w, slot, spare(w, slot - 1) / 2);
		return 0;
	}
	if (add_chunk(w, slot + 1))
		return -ENOMEM;
	shift_up(w, slot, CHUNK_RUNS / 2);
	return 0;
}

/*
 * Make room before the run `at`, which may be the end; *at is then where.
 * Between two chunks, the one before comes first, and rather than splitting a
 * full one a new one is begun: insertions in rising or falling order, the usual
 * ones, leave full chunks behind.
 */
static int make_room(struct bow_where *w, struct at *at)
{
	if (at->run == 0 && at->chunk && spare(w, at->chunk - 1)) {
		at->chunk--;
		at->run = w->dir[at->chunk].chunk->count;
		return 0;
	}
	if (!at_end(w, *at) && spare(w, at->chunk))
		return 0;
	if (at->run == 0)
		return add_chunk(w, at->chunk);
	return relieve(w, at->chunk) ? -ENOMEM : 1;
}

/* Insert before the run `at`. */
static int insert(struct bow_where *w, struct at at,
		  const struct bow_extent *x)
{
	struct chunk *c;
	int r;

	while ((r = make_room(w, &at)) > 0)
		at = find(w, x->start);
	if (r)
		return r;
	c = w->dir[at.chunk].chunk;
	move_up(c->run, at.run, c->count, 1);
	c->count++;
	set_run(w, at, x);
	return 0;
}

static void remove_at(struct bow_where *w, struct at at)
{
	struct chunk *c = w->dir[at.chunk].chunk;

	c->count--;
	memmove(&c->run[at.run], &c->run[at.run + 1],
		(c->count - at.run) * sizeof(*c->run));
	if (c->count) {
		note_start(w, at.chunk);
		return;
	}
	bow_free(c);
	w->chunks--;
	memmove(&w->dir[at.chunk], &w->dir[at.chunk + 1],
		(w->chunks - at.chunk) * sizeof(*w->dir));
}

/* ---- the map ---- */

/* Make [start, end) the identity again; *next is the first run above it. */
static int cut(struct bow_where *w, u64 start, u64 end, struct at *next)
{
	for (;;) {
		struct at at = find(w, start);
		struct bow_extent x, tail;

		*next = at;
		if (at_end(w, at))
			return 0;
		x = run_at(w, at);
		if (x.start >= end)
			return 0;
		tail.sectors = extent_end(&x) > end ? extent_end(&x) - end : 0;
		tail.start = end;
		tail.place = x.place + (end - x.start);
		if (x.start >= start) {
			if (!tail.sectors) {
				remove_at(w, at);
				continue;
			}
			set_run(w, at, &tail);
			return 0;
		}
		x.sectors = start - x.start;
		set_run(w, at, &x);
		if (tail.sectors) {
			int r = insert(w, find(w, start), &tail);

			*next = find(w, start);
			return r;
		}
	}
}

static bool follows(const struct bow_extent *a, const struct bow_extent *b)
{
	return extent_end(a) == b->start && a->place + a->sectors == b->place &&
	       a->sectors + b->sectors <= BOW_WHERE_RUN_MAX;
}

/* The run before `at`; false: there is none. */
static bool before(const struct bow_where *w, struct at at, struct at *prev)
{
	*prev = at;
	if (prev->run == 0) {
		if (prev->chunk == 0)
			return false;
		prev->chunk--;
		prev->run = w->dir[prev->chunk].chunk->count;
	}
	prev->run--;
	return true;
}

/*
 * Add a run where the map is the identity, before the run `at`; merge it with
 * its neighbours.
 */
static int add(struct bow_where *w, struct at at, const struct bow_extent *run)
{
	struct bow_extent x = *run, y;
	struct at prev;
	bool merged = false;

	if (!at_end(w, at)) {
		y = run_at(w, at);
		if (follows(&x, &y)) {
			x.sectors += y.sectors;
			set_run(w, at, &x);
			merged = true;
		}
	}
	if (before(w, at, &prev)) {
		y = run_at(w, prev);
		if (follows(&y, &x)) {
			y.sectors += x.sectors;
			set_run(w, prev, &y);
			if (merged)
				remove_at(w, at);
			merged = true;
		}
	}
	return merged ? 0 : insert(w, at, &x);
}

int bow_where_undo(struct bow_where *w, u64 source, u64 dest, u64 sectors)
{
	bool held = false;	/* the map says something about dest */
	struct at next;
	u64 done, n;
	int r;

	for (done = 0; done < sectors; done += n) {
		struct bow_extent x = { .start = source + done };

		n = sectors - done;
		if (n > BOW_WHERE_RUN_MAX)
			n = BOW_WHERE_RUN_MAX;
		x.place = bow_where_get(w, dest + done, &n);
		x.sectors = n;
		held |= x.place != dest + done;
		r = cut(w, x.start, extent_end(&x), &next);
		if (!r && x.place != x.start)
			r = add(w, next, &x);
		if (r)
			return r;
	}
	return held ? cut(w, dest, dest + sectors, &next) : 0;
}

u64 bow_where_get(const struct bow_where *w, u64 sector, u64 *sectors)
{
	struct at at = find(w, sector);
	u64 run = UINT64_MAX;
	u64 place = sector;

	if (!at_end(w, at)) {
		struct bow_extent x = run_at(w, at);

		if (x.start <= sector) {
			place = x.place + (sector - x.start);
			run = extent_end(&x) - sector;
		} else {
			run = x.start - sector;
		}
	}
	if (*sectors > run)
		*sectors = run;
	return place;
}

bool bow_where_next(const struct bow_where *w, u64 sector,
		    struct bow_extent *extent)
{
	struct at at = find(w, sector);

	if (at_end(w, at))
		return false;
	*extent = run_at(w, at);
	return true;
}
