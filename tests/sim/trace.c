// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - what a real filesystem did to its device, as a workload
 *
 * A trace is text, made by tests/traces.sh:
 *
 *	# bow trace NAME
 *	free SECTOR SECTORS	what was free when it began
 *	W SECTOR SECTORS [F]	a write, with FUA
 *	D SECTOR SECTORS	a discard
 *	F			a flush
 *
 * The simulator's device is far smaller.  A window of the trace is played: some
 * hundred operations from one of its flushes on.  Of the device, it has the blocks
 * of 4 KiB that these touch, in the same order; those that are not neighbours have
 * one or two others between them, with the contents of nothing, which are free if
 * they were; and the first of the rest of what was free.  Long writes are cut to
 * their first blocks.  So what overlaps, follows on, is written again, is free or
 * lies in block 0 stays as it was; distances and contents do not.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define PER_BLOCK (BOW_BLOCK_SIZE_MAX / BOW_SECTOR_SIZE)
#define BLOCKS_MAX 300u		/* touched, of a window */
#define LENGTH_MAX 12u		/* blocks of a write or discard */
#define FREE_MORE 40u		/* blocks that were free, at least */

struct line {
	u64 sector;
	u64 sectors;
	u8 kind;
	bool fua;
};

struct extent {
	u64 start;
	u64 end;
};

struct trace {
	char name[32];
	struct line *line;
	u32 lines;
	struct extent *free;
	u32 frees;
};

/* ---- reading ---- */

static void *grow(void *array, u32 count, size_t each)
{
	if (count & (count - 1))
		return array;
	array = realloc(array, each * (count ? 2 * count : 1));
	if (!array) {
		fputs("Bail out! out of memory\n", stdout);
		exit(1);
	}
	return array;
}

static bool read_line(struct trace *t, const char *text)
{
	unsigned long long at, n;
	char letter, flag = 0;

	if (sscanf(text, "# bow trace %31s", t->name) == 1 || text[0] == '#')
		return true;
	if (sscanf(text, "free %llu %llu", &at, &n) == 2) {
		t->free = grow(t->free, t->frees, sizeof(*t->free));
		t->free[t->frees++] = (struct extent){ at, at + n };
		return true;
	}
	t->line = grow(t->line, t->lines, sizeof(*t->line));
	if (!strcmp(text, "F\n")) {
		t->line[t->lines++] = (struct line){ .kind = TRACED_FLUSH };
		return true;
	}
	if (sscanf(text, "%c %llu %llu %c", &letter, &at, &n, &flag) < 3 ||
	    (letter != 'W' && letter != 'D') || !n)
		return false;
	t->line[t->lines++] = (struct line){
		.sector = at, .sectors = n, .fua = flag == 'F',
		.kind = letter == 'W' ? TRACED_WRITE : TRACED_DISCARD,
	};
	return true;
}

struct trace *trace_read(const char *path)
{
	struct trace *t = xalloc(sizeof(*t));
	FILE *f = fopen(path, "r");
	char text[128];
	bool good = f;

	while (good && fgets(text, sizeof(text), f))
		good = read_line(t, text);
	if (f)
		fclose(f);
	if (good && t->lines && t->name[0])
		return t;
	fprintf(stderr, "sim: %s: not a trace: %s", path, f ? text : "\n");
	return NULL;
}

const char *trace_name(const struct trace *t)
{
	return t->name;
}

u32 trace_ops(const struct trace *t)
{
	return t->lines;
}

/* ---- a window ---- */

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static bool was_free(const struct trace *t, u64 block)
{
	u64 start = block * PER_BLOCK;
	u32 i;

	for (i = 0; i < t->frees; i++)
		if (start >= t->free[i].start &&
		    start + PER_BLOCK <= t->free[i].end)
			return true;
	return false;
}

/* Cut to what LENGTH_MAX blocks hold. */
static u64 length(const struct line *l)
{
	u64 most = LENGTH_MAX * PER_BLOCK - l->sector % PER_BLOCK;

	return l->sectors < most ? l->sectors : most;
}

/* The blocks that lines [first, *end) touch, sorted; *end may come down. */
static u32 blocks_of(const struct trace *t, u32 first, u32 *end, u64 *block)
{
	u32 n = 1, i, k, unique = 0;

	block[0] = 0;
	for (i = first; i < *end; i++) {
		const struct line *l = &t->line[i];
		u64 b = l->sector / PER_BLOCK;
		u64 last = l->sectors ?
				   (l->sector + length(l) - 1) / PER_BLOCK : b;

		if (l->kind == TRACED_FLUSH)
			continue;
		if (n + LENGTH_MAX + 1 > BLOCKS_MAX)
			break;
		for (; b <= last; b++)
			block[n++] = b;
	}
	*end = i;
	qsort(block, n, sizeof(*block), compare);
	for (k = 0; k < n; k++)
		if (!unique || block[unique - 1] != block[k])
			block[unique++] = block[k];
	return unique;
}

/* Where each of the blocks is on the small device; fills w->is_free. */
static void place(const struct trace *t, struct window *w, const u64 *block,
		  u32 *to, u32 n)
{
	u32 at = 0, i, more;

	for (i = 0; i < n; i++) {
		/* Others lie between: two of them, or the one that there is. */
		if (i && block[i] > block[i - 1] + 1)
			w->is_free[at++] = was_free(t, block[i - 1] + 1);
		if (i && block[i] > block[i - 1] + 2)
			w->is_free[at++] = was_free(t, block[i] - 1);
		to[i] = at;
		w->is_free[at++] = block[i] && was_free(t, block[i]);
	}
	/* Room for the log, as there was. */
	for (more = 0; more < FREE_MORE; more++)
		w->is_free[at++] = 1;
	w->is_free[at++] = 0;
	w->blocks = at;
}

static u32 find(const u64 *block, u32 n, u64 wanted)
{
	const u64 *p = bsearch(&wanted, block, n, sizeof(*block), compare);

	return (u32)(p - block);
}

static void map_lines(const struct sim *sim, const struct trace *t, u32 first,
		      u32 end, struct window *w, const u64 *block,
		      const u32 *to, u32 n)
{
	u32 per_cell = sim->cfg->unit / BOW_SECTOR_SIZE, i;

	for (i = first; i < end; i++) {
		const struct line *l = &t->line[i];
		u32 place_of = to[find(block, n, l->sector / PER_BLOCK)];
		u64 start = (u64)place_of * PER_BLOCK + l->sector % PER_BLOCK;
		u64 stop = start + length(l) + per_cell - 1;

		w->op[w->ops++] = (struct traced){
			.cell = (u32)(start / per_cell),
			.cells = (u32)(stop / per_cell - start / per_cell),
			.kind = l->kind, .fua = l->fua,
		};
	}
}

struct window *trace_window(struct sim *sim, const struct trace *t)
{
	static const u32 lengths[] = { 12, 60, 200, 600 };
	struct window *w = xalloc(sizeof(*w));
	u64 *block = xalloc(BLOCKS_MAX * sizeof(*block));
	u32 *to = xalloc(BLOCKS_MAX * sizeof(*to));
	u32 first = rng_below(&sim->rng, t->lines);
	u32 end = first + lengths[rng_below(&sim->rng, 4)], n;

	if (end > t->lines)
		end = t->lines;
	while (first && t->line[first - 1].kind != TRACED_FLUSH)
		first--;
	n = blocks_of(t, first, &end, block);
	w->op = xalloc((end - first + 1) * sizeof(*w->op));
	w->is_free = xalloc(3 * BLOCKS_MAX + FREE_MORE + 1);
	place(t, w, block, to, n);
	map_lines(sim, t, first, end, w, block, to, n);
	free(to);
	free(block);
	return w;
}

void trace_window_free(struct window *w)
{
	if (!w)
		return;
	free(w->op);
	free(w->is_free);
	free(w);
}
