// SPDX-License-Identifier: GPL-2.0
/*
 * verify.c - every backup against the checksum of its entry
 *
 * The contents that an entry saved may have moved since.  While walking back,
 * the map says at every entry where they are at present.  Many entries are
 * gathered, and then read in the order of those places.
 *
 * A backup may be moved any number of times, each time with an entry that has a
 * checksum of the same contents; what they come to has no bound in the size of the
 * device.  Where it is more than that, entries are left out of which each block is
 * saved by another entry too.  A block that was in use is saved once, or places.c
 * refuses the log, so that what is put back is verified; and since each of the others
 * has a block of its own, no more than two of them have a block in common: they are
 * twice the device at most.
 */
#include "filter.h"
#include "log.h"
#include "passes.h"
#include "sweep.h"

/* At most so many; tests make it small. */
#ifndef GATHERED
#define GATHERED 16384u
#endif

/* An entry whose contents lie in one piece. */
struct item {
	u64 dest;
	u32 seed;
	u32 want;
	u32 sequence;
	u32 index;
};

struct verify {
	struct bow_dev *dev;
	const struct bow_monitor *monitor;
	struct bow_sweep sweep;
	struct item *item;	/* by the tags of the sweep */
	bool choose;		/* leave out what other entries save as well: */
	struct bow_filter once;	/* saved by an entry */
	struct bow_filter again; /* by more than one */
	u64 log_place;		/* of the log block being walked; 0: block 0 */
	u64 done;
	u64 total;
	struct bow_error first;	/* first wrong checksum; why NONE: none yet */
};

static int wrong_csum(struct verify *v, u64 dest, struct bow_error *e)
{
	bow_bad(e, BOW_WHY_ENTRY_CSUM, dest, 0);
	if (v->first.why == BOW_WHY_NONE)
		v->first = *e;
	if (!v->monitor || !v->monitor->damage)
		return e->err;
	v->monitor->damage(v->monitor->ctx, e);
	return 0;
}

static void report(struct verify *v, u32 bytes)
{
	v->done += bytes;
	bow_report(v->monitor, BOW_PHASE_VERIFY, v->done, v->total);
}

/* ---- gathered entries ---- */

static void error_in(const struct item *item, struct bow_error *e)
{
	e->in_block = true;
	e->in_entry = true;
	e->sequence = item->sequence;
	e->entry = item->index;
}

static int check_item(void *ctx, u32 tag, const u8 *data, u32 bytes,
		      struct bow_error *e)
{
	struct verify *v = ctx;
	const struct item *item = &v->item[tag];
	int r = 0;

	if (bow_crc32(item->seed, data, bytes) != item->want) {
		error_in(item, e);
		r = wrong_csum(v, item->dest, e);
	}
	if (!r)
		report(v, bytes);
	return r;
}

static int check_gathered(struct verify *v, struct bow_error *e)
{
	struct bow_error walking = *e;
	int r = bow_sweep_run(&v->sweep, check_item, v, e);

	if (r && e->why == BOW_WHY_IO_READ)
		error_in(&v->item[v->sweep.tag], e);
	/* Back to the entry at which the walk is. */
	if (!r)
		*e = walking;
	return r;
}

static int gather(struct verify *v, u64 place, u32 seed, u32 sequence,
		  u32 index, const struct bow_entry *entry,
		  struct bow_error *e)
{
	u32 tag;

	if (bow_sweep_full(&v->sweep)) {
		int r = check_gathered(v, e);

		if (r)
			return r;
	}
	tag = v->sweep.count;
	v->item[tag] = (struct item){ entry->dest, seed, entry->checksum,
				      sequence, index };
	bow_sweep_add(&v->sweep, place, entry->size, tag);
	return 0;
}

/* ---- an entry that is large, or whose contents lie in pieces ---- */

static int check_now(struct verify *v, const struct bow_log *log, u32 crc,
		     const struct bow_entry *entry, struct bow_error *e)
{
	u64 at = entry->dest;
	u64 left = entry->size >> BOW_SECTOR_SHIFT;

	while (left) {
		u64 n = BOW_IO_BYTES >> BOW_SECTOR_SHIFT;
		u64 place;
		size_t bytes;
		int r;

		if (n > left)
			n = left;
		place = bow_where_get(log->where, at, &n);
		bytes = (size_t)n << BOW_SECTOR_SHIFT;
		r = bow_stopped(v->monitor, e);
		if (!r)
			r = bow_get(v->dev, place, v->sweep.buf, bytes, e);
		if (r)
			return r;
		crc = bow_crc32(crc, v->sweep.buf, bytes);
		at += n;
		left -= n;
	}
	if (crc != entry->checksum) {
		int r = wrong_csum(v, entry->dest, e);

		if (r)
			return r;
	}
	report(v, entry->size);
	return 0;
}

/* ---- the walk ---- */

/*
 * It has been read for the last time.  In memory it would end the kernel's reading
 * ahead in large folios of the backups around it.
 */
static void drop_log_block(struct verify *v, const struct bow_log *log)
{
	if (v->log_place)
		bow_dev_drop(v->dev, v->log_place << BOW_SECTOR_SHIFT,
			     log->bs);
	v->log_place = 0;
}

/* The walk checks log blocks itself. */
static bool is_verified(const struct bow_log *log, const struct bow_entry *entry,
			enum bow_entry_kind kind)
{
	return kind != BOW_ENTRY_LOG &&
	       bow_entry_has_csum(entry, kind, log->newest.version);
}

static int note_source(void *ctx, const struct bow_log *log, u32 sequence,
		       u32 index, const struct bow_entry *entry,
		       enum bow_entry_kind kind, struct bow_error *e)
{
	struct verify *v = ctx;

	(void)sequence;
	(void)index;
	(void)e;
	if (is_verified(log, entry, kind))
		bow_filter_add_again(&v->once, &v->again, entry->source,
				     entry->size >> BOW_SECTOR_SHIFT);
	return 0;
}

/* Without memory for that all is read. */
static int choose(struct verify *v, struct bow_log *log,
		  const struct bow_monitor *m, struct bow_error *e)
{
	u32 n = bow_block_sectors(log->bs);

	if (!bow_log_is_long(log) ||
	    bow_filter_init_exact(&v->once, log->sectors, n) ||
	    bow_filter_init_exact(&v->again, log->sectors, n))
		return 0;
	v->choose = true;
	return bow_log_walk(v->dev, log, note_source, v, m, e);
}

static int verify_entry(void *ctx, const struct bow_log *log, u32 sequence,
			u32 index, const struct bow_entry *entry,
			enum bow_entry_kind kind, struct bow_error *e)
{
	struct verify *v = ctx;
	u64 n = entry->size >> BOW_SECTOR_SHIFT, all = n;
	u32 seed = bow_entry_seed(entry->source, log->bs);
	u64 place;

	drop_log_block(v, log);
	if (kind == BOW_ENTRY_CLAIM)
		return 0;
	if (kind == BOW_ENTRY_LOG)
		v->log_place = bow_where_get(log->where, entry->dest, &n);
	if (!is_verified(log, entry, kind) ||
	    (v->choose && bow_filter_all(&v->again, entry->source, all))) {
		report(v, entry->size);
		return 0;
	}
	place = bow_where_get(log->where, entry->dest, &n);
	if (n < all || entry->size > BOW_IO_BYTES)
		return check_now(v, log, seed, entry, e);
	return gather(v, place, seed, sequence, index, entry, e);
}

static int verify_all(struct verify *v, struct bow_log *log,
		      struct bow_error *e)
{
	struct bow_monitor quiet = bow_quiet(v->monitor);
	int r;

	v->item = bow_alloc(v->sweep.room * sizeof(*v->item));
	if (!v->item)
		return bow_no_memory(e);
	r = choose(v, log, &quiet, e);
	if (!r)
		r = bow_log_walk(v->dev, log, verify_entry, v, &quiet, e);
	bow_filter_free(&v->once);
	bow_filter_free(&v->again);
	if (!r)
		r = check_gathered(v, e);
	if (!r && v->first.why != BOW_WHY_NONE) {
		*e = v->first;
		r = e->err;
	}
	bow_free(v->item);
	return r;
}

static int verify(struct bow_dev *dev, struct bow_log *log,
		  const struct bow_monitor *m, struct bow_error *e)
{
	struct verify v = { .dev = dev, .monitor = m };
	int r = bow_log_scan(dev, log, m, e);

	if (r)
		return r;
	v.total = log->backup_bytes;
	r = bow_sweep_init(&v.sweep, dev, m,
			   log->entries < GATHERED ? (u32)log->entries :
						     GATHERED, e);
	if (!r)
		r = verify_all(&v, log, e);
	bow_sweep_free(&v.sweep);
	return r;
}

int bow_log_verify(struct bow_dev *dev, struct bow_log *log,
		   const struct bow_monitor *m, struct bow_error *e)
{
	int r;

	do
		r = verify(dev, log, m, e);
	while (bow_passes_instead(log, r, e));
	return r;
}
