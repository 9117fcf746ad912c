// SPDX-License-Identifier: GPL-2.0
/*
 * runs.c - sorted runs in chunks: finding, inserting, removing; see runs.h
 */
#include "runs.h"

/* Less room than this in a neighbour is not worth moving runs for. */
#define CHUNK_SPARE (CHUNK_RUNS / 8 < 2 ? 2 : CHUNK_RUNS / 8)

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

struct bow_at bow_runs_find(const struct bow_where *w, u64 sector)
{
	struct bow_at at = { find_chunk(w, sector), 0 };
	const struct bow_chunk *c;
	u32 low = 0, high;

	if (!at.chunk)
		return at;
	c = w->dir[at.chunk - 1].chunk;
	for (high = c->count; low < high;) {
		u32 mid = low + (high - low) / 2;
		struct bow_extent x = bow_unpack(&c->run[mid]);

		if (bow_extent_end(&x) > sector)
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
static void move_up(struct bow_packed *run, u32 from, u32 end, u32 n)
{
	while (end-- > from)
		run[end + n] = run[end];
}

/* ---- chunks ---- */

static struct bow_chunk *take_chunk(struct bow_where *w)
{
	struct bow_chunk *c = w->pool;

	if (!w->limited)
		return bow_alloc(sizeof(*c));
	if (c) {
		w->pool = c->next;
		w->pooled--;
		c->count = 0;
	}
	return c;
}

static void give_chunk(struct bow_where *w, struct bow_chunk *c)
{
	if (!w->limited) {
		bow_free(c);
		return;
	}
	c->next = w->pool;
	w->pool = c;
	w->pooled++;
}

static int grow_dir(struct bow_where *w)
{
	size_t room = w->room ? 2 * w->room : 16;
	struct bow_slot *dir;

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
	struct bow_chunk *c;
	size_t i;

	if (grow_dir(w))
		return -ENOMEM;
	c = take_chunk(w);
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
	return CHUNK_RUNS - (u32)w->dir[slot].chunk->count;
}

static void note_start(struct bow_where *w, size_t slot)
{
	struct bow_extent x = bow_unpack(&w->dir[slot].chunk->run[0]);

	w->dir[slot].start = x.start;
}

/* The last `n` runs of a chunk become the first of the next one. */
static void shift_up(struct bow_where *w, size_t slot, u32 n)
{
	struct bow_chunk *c = w->dir[slot].chunk, *next = w->dir[slot + 1].chunk;

	move_up(next->run, 0, (u32)next->count, n);
	memcpy(next->run, &c->run[c->count - n], n * sizeof(*next->run));
	next->count += n;
	c->count -= n;
	note_start(w, slot + 1);
}

/* The first `n` runs of a chunk become the last of the one before. */
static void shift_down(struct bow_where *w, size_t slot, u32 n)
{
	struct bow_chunk *c = w->dir[slot].chunk, *prev = w->dir[slot - 1].chunk;

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
static int make_room(struct bow_where *w, struct bow_at *at)
{
	if (at->run == 0 && at->chunk && spare(w, at->chunk - 1)) {
		at->chunk--;
		at->run = w->dir[at->chunk].chunk->count;
		return 0;
	}
	if (!bow_runs_end(w, *at) && spare(w, at->chunk))
		return 0;
	if (at->run == 0)
		return add_chunk(w, at->chunk);
	return relieve(w, at->chunk) ? -ENOMEM : 1;
}

int bow_runs_insert(struct bow_where *w, struct bow_at at,
		    const struct bow_extent *x)
{
	struct bow_chunk *c;
	int r;

	while ((r = make_room(w, &at)) > 0)
		at = bow_runs_find(w, x->start);
	if (r)
		return r;
	c = w->dir[at.chunk].chunk;
	move_up(c->run, at.run, (u32)c->count, 1);
	c->count++;
	bow_run_set(w, at, x);
	return 0;
}

void bow_runs_remove(struct bow_where *w, struct bow_at at)
{
	struct bow_chunk *c = w->dir[at.chunk].chunk;

	c->count--;
	memmove(&c->run[at.run], &c->run[at.run + 1],
		(c->count - at.run) * sizeof(*c->run));
	if (c->count) {
		note_start(w, at.chunk);
		return;
	}
	give_chunk(w, c);
	w->chunks--;
	memmove(&w->dir[at.chunk], &w->dir[at.chunk + 1],
		(w->chunks - at.chunk) * sizeof(*w->dir));
}

/* ---- the whole of it ---- */

struct bow_where *bow_where_new(void)
{
	return bow_alloc(sizeof(struct bow_where));
}

void bow_where_clear(struct bow_where *w)
{
	while (w->chunks)
		give_chunk(w, w->dir[--w->chunks].chunk);
}

void bow_where_free(struct bow_where *w)
{
	if (!w)
		return;
	w->limited = false;
	bow_where_clear(w);
	while (w->pool) {
		struct bow_chunk *next = w->pool->next;

		bow_free(w->pool);
		w->pool = next;
	}
	bow_free(w->dir);
	bow_free(w);
}

size_t bow_where_limit(struct bow_where *w)
{
	size_t keep = w->chunks / 2;

	/* All are freed first: what is left lies together then. */
	bow_where_clear(w);
	while (!w->limited && keep--) {
		struct bow_chunk *c = bow_alloc(sizeof(*c));

		if (!c)
			break;
		c->next = w->pool;
		w->pool = c;
		w->pooled++;
	}
	w->limited = true;
	return w->pooled * sizeof(struct bow_chunk);
}

size_t bow_where_room(const struct bow_where *w)
{
	return w->limited ? w->pooled : SIZE_MAX;
}

u64 bow_where_middle(const struct bow_where *w)
{
	return w->chunks ? w->dir[w->chunks / 2].start : 0;
}

void bow_where_thin(struct bow_where *w,
		    bool (*keep)(void *ctx, const struct bow_extent *x),
		    void *ctx)
{
	size_t from, to = 0, chunks = w->chunks;
	u32 fill = 0, i;

	for (from = 0; from < chunks; from++) {
		struct bow_chunk *c = w->dir[from].chunk;
		u32 count = (u32)c->count;

		for (i = 0; i < count; i++) {
			struct bow_extent x = bow_unpack(&c->run[i]);

			if (!keep(ctx, &x))
				continue;
			if (fill == CHUNK_RUNS) {
				w->dir[to++].chunk->count = fill;
				fill = 0;
			}
			/* Not above what is read: nothing is lost. */
			bow_run_set(w, (struct bow_at){ to, fill++ }, &x);
		}
	}
	if (fill)
		w->dir[to++].chunk->count = fill;
	while (w->chunks > to)
		give_chunk(w, w->dir[--w->chunks].chunk);
}
