// SPDX-License-Identifier: GPL-2.0
/*
 * passes.c - undoing a log in several passes, with less memory than its map
 * needs; passes.h says how
 */
#include "log.h"
#include "passes.h"

/* An entry takes no more chunks than this, unless its dest is in pieces. */
#define CHUNKS_FREE 3u

/* Of the memory of the map, for the filter. */
#define FILTER_SHARE 4u

/* ---- what a pass keeps ---- */

static bool in_window(const struct bow_passes *p, u64 start, u64 n)
{
	return start < p->high && start + n > p->low;
}

static bool wanted(void *ctx, const struct bow_extent *x)
{
	const struct bow_passes *p = ctx;

	return in_window(p, x->start, x->sectors) ||
	       bow_filter_any(&p->dests, x->start, x->sectors);
}

/*
 * End the window earlier, so that the map has room again; or, while learning,
 * keep the half with the place in question.
 */
static int make_room(struct bow_passes *p, struct bow_where *where)
{
	while (bow_where_room(where) < CHUNKS_FREE) {
		u64 middle = bow_where_middle(where);

		if (p->high - p->low < 2)
			return -ENOMEM;
		/* The middle of all that is kept may be elsewhere. */
		if (middle <= p->low || middle >= p->high)
			middle = p->low + (p->high - p->low) / 2;
		if (p->learning && p->focus >= middle)
			p->low = middle;
		else
			p->high = middle;
		bow_where_thin(where, wanted, p);
	}
	return 0;
}

/*
 * In v0 the block before the backup of block 0 matters too: the live copy was
 * put there first.
 */
static void learn(struct bow_passes *p, const struct bow_log *log,
		  const struct bow_entry *entry, u32 index)
{
	u64 n = entry->size >> BOW_SECTOR_SHIFT;
	u64 before = index == 0 && log->newest.version == 0
			     ? bow_block_sectors(log->bs)
			     : 0;

	bow_filter_add(&p->dests, entry->dest - before, n + before);
	if (index == 0)
		p->last_log = entry->dest;
}

int bow_passes_undo(struct bow_log *log, const struct bow_entry *entry,
		    u32 index)
{
	struct bow_passes *p = log->passes;
	u64 n = entry->size >> BOW_SECTOR_SHIFT;
	int r;

	if (p->learning)
		learn(p, log, entry, index);
	else if (!bow_filter_all(&p->dests, entry->dest, n))
		return -EUCLEAN;
	r = make_room(p, log->where);
	if (r)
		return r;
	if (!in_window(p, entry->source, n) &&
	    !bow_filter_any(&p->dests, entry->source, n))
		return bow_where_forget(log->where, entry->dest, n);
	return bow_where_undo(log->where, entry->source, entry->dest, n);
}

/* ---- the first walk ---- */

void bow_passes_start(struct bow_passes *p, u64 end)
{
	if (p->learning)
		p->low = 0;
	p->high = end;
}

static int create(struct bow_log *log, struct bow_error *e)
{
	u32 n = bow_block_sectors(log->bs);
	struct bow_passes *p;
	size_t bytes;

	/* They lie between the chunks of the map, and would keep them apart. */
	bow_places_free(log);
	bytes = bow_where_limit(log->where);
	p = bow_alloc(sizeof(*p));
	if (!p ||
	    bow_filter_init(&p->dests, log->sectors, n, bytes / FILTER_SHARE)) {
		bow_passes_free(p);
		return bow_no_memory(e);
	}
	/* Block 0 is where every log block was. */
	bow_filter_add(&p->dests, 0, n);
	log->passes = p;
	return 0;
}

bool bow_passes_instead(struct bow_log *log, int r, struct bow_error *e)
{
	return r == -ENOMEM && log->frugal && !log->passes && !create(log, e);
}

static int learn_all(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, struct bow_error *e)
{
	struct bow_passes *p = log->passes;
	u64 before = 0;
	int r;

	/* Backups and log blocks are put to the end of a device first. */
	p->focus = log->sectors - 1;
	for (;;) {
		r = bow_log_walk(dev, log, NULL, NULL, m, e);
		if (r != -EUCLEAN || log->log_blocks <= before)
			return r;
		before = log->log_blocks;
		p->focus = p->last_log;
	}
}

int bow_passes_begin(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, struct bow_error *e)
{
	int r = log->passes ? 0 : create(log, e);

	if (r)
		return r;
	log->passes->learning = true;
	r = learn_all(dev, log, m, e);
	log->passes->learning = false;
	log->passes->low = 0;
	/* What went wrong before is no error any more. */
	if (!r)
		memset(e, 0, sizeof(*e));
	return r;
}

void bow_passes_free(struct bow_passes *p)
{
	if (!p)
		return;
	bow_filter_free(&p->dests);
	bow_free(p);
}

/* ---- windows ---- */

static int walk_window(struct bow_dev *dev, struct bow_log *log, u64 low,
		       const struct bow_monitor *m, struct bow_error *e)
{
	struct bow_monitor quiet = bow_quiet(m);

	log->passes->low = low;
	return bow_log_walk(dev, log, NULL, NULL, &quiet, e);
}

int bow_window_first(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, struct bow_error *e)
{
	if (!log->passes || log->passes->low == 0)
		return 0;
	return walk_window(dev, log, 0, m, e);
}

int bow_window_next(struct bow_dev *dev, struct bow_log *log,
		    const struct bow_monitor *m, struct bow_error *e)
{
	if (!log->passes || log->passes->high >= log->sectors)
		return 1;
	return walk_window(dev, log, log->passes->high, m, e);
}
