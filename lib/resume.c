// SPDX-License-Identifier: GPL-2.0
/*
 * resume.c - what has become of each block, learnt from the log
 *
 * See docs/format.md, "Resuming".
 */
#include "freemap.h"
#include "log.h"
#include "mend.h"
#include "resume.h"

/* ---- may it be gone on with? ---- */

static int refuse(struct bow_error *e, enum bow_why why)
{
	return bow_fail(e, -EPERM, why, 0, 0);
}

static int check_state(const struct bow_log *log, struct bow_error *e)
{
	const struct bow_header *h = &log->newest;

	if (log->state == BOW_STATE_NONE)
		return bow_fail(e, -ENODATA, BOW_WHY_NO_LOG, 0, 0);
	if (log->state != BOW_STATE_ACTIVE)
		return refuse(e, BOW_WHY_RESUME_RESTORING);
	if (h->version != BOW_VERSION_1_1)
		return refuse(e, BOW_WHY_RESUME_VERSION);
	if (log->torn == BOW_TORN_ACTIVATION)
		return refuse(e, BOW_WHY_RESUME_ACTIVATION);
	if (!(h->flags & BOW_FLAG_FREE_MAP) || !(h->flags & BOW_FLAG_CLAIMS) ||
	    !h->free_map_blocks)
		return refuse(e, BOW_WHY_RESUME_NO_MAP);
	/* Unknown flags may be promises that this writer would not keep. */
	if (h->flags & ~BOW_FLAGS_KNOWN)
		return refuse(e, BOW_WHY_RESUME_VERSION);
	if (h->flags & BOW_FLAG_ROLLBACK)
		return refuse(e, BOW_WHY_RESUME_ROLLBACK);
	return 0;
}

/* What a reader may leave to the writer, and what must be as ours writes it. */
static int check_header(const struct bow_log *log, struct bow_error *e)
{
	const struct bow_header *h = &log->newest;
	bool guard = h->flags & BOW_FLAG_GUARD;
	u32 shift = h->claim_shift;

	if (h->header_size != bow_header_size(log->bs, guard) ||
	    (guard && log->bs < BOW_GUARD_OFFSET + BOW_GUARD_SIZE))
		return bow_bad(e, BOW_WHY_HEADER_SIZE, h->header_size,
			       log->bs);
	if (shift >= 63 || 1ull << shift < log->bs)
		return bow_bad(e, BOW_WHY_CLAIM_SHIFT, shift, 0);
	if (!h->next_log || h->next_log == h->sector0)
		return bow_bad(e, BOW_WHY_NEXT_LOG, h->next_log,
			       log->sectors);
	return 0;
}

/* ---- what the entries say, newest first ---- */

static int note_claim(struct bow_resume *r, const struct bow_entry *entry,
		      struct bow_error *e)
{
	u64 per = bow_block_sectors(r->log.bs);
	u64 region = entry->source >> r->region_sectors;
	u64 start = region << r->region_sectors;

	/* The first region begins behind block 0. */
	if (entry->source != (start ? start : per))
		return bow_bad(e, BOW_WHY_CLAIM, entry->source, 0);
	r->claimed[region / 8] |= (u8)(1u << region % 8);
	return 0;
}

static int note_move(struct bow_resume *r, const struct bow_entry *entry,
		     struct bow_error *e)
{
	u64 per = bow_block_sectors(r->log.bs);
	u64 n = entry->size / r->log.bs;
	int err;

	err = bow_blocks_mention(&r->blocks, BOW_SET_HELD, entry->dest / per,
				 n);
	/* Block 0 is the log's own. */
	if (!err && entry->source)
		err = bow_blocks_mention(&r->blocks, BOW_SET_USED,
					 entry->source / per, n);
	return err ? bow_no_memory(e) : 0;
}

static int note_entry(void *ctx, const struct bow_log *log, u32 sequence,
		      u32 index, const struct bow_entry *entry,
		      enum bow_entry_kind kind, struct bow_error *e)
{
	struct bow_resume *r = ctx;

	(void)log;
	(void)sequence;
	(void)index;
	if (kind == BOW_ENTRY_CLAIM)
		return note_claim(r, entry, e);
	return note_move(r, entry, e);
}

/* ---- what the header says: newer than every entry ---- */

static int hold(struct bow_resume *r, u64 sector, struct bow_error *e)
{
	if (bow_blocks_hold(&r->blocks, sector / bow_block_sectors(r->log.bs)))
		return bow_no_memory(e);
	return 0;
}

static void claim_regions(struct bow_resume *r)
{
	u32 shift = r->region_sectors;
	u64 per = bow_block_sectors(r->log.bs);
	u64 blocks = (1ull << shift) / per;
	u64 i;

	for (i = 0; i < r->regions; i++) {
		u64 first = i * blocks, n = blocks;

		if (!(r->claimed[i / 8] >> i % 8 & 1) ||
		    first >= r->blocks.count)
			continue;
		if (n > r->blocks.count - first)
			n = r->blocks.count - first;
		bow_blocks_claim(&r->blocks, first, n);
	}
}

static int apply_header(struct bow_resume *r, struct bow_error *e)
{
	const struct bow_header *h = &r->log.newest;
	int err = hold(r, h->next_log, e);

	claim_regions(r);
	return err ? err : hold(r, h->sector0, e);
}

static u64 pick_wrong(const u64 word[BOW_SETS])
{
	return word[BOW_SET_HELD] & ~word[BOW_SET_FREE];
}

static int wrong_block(void *ctx, u64 first, u64 count)
{
	(void)count;
	*(u64 *)ctx = first;
	return 1;
}

/* What holds something of the log's was free at the checkpoint. */
static int check_held(const struct bow_resume *r, struct bow_error *e)
{
	u64 block;

	if (!bow_blocks_each(&r->blocks, pick_wrong, wrong_block, &block))
		return 0;
	return bow_bad(e, BOW_WHY_MAP_HELD,
		       block * bow_block_sectors(r->log.bs), 0);
}

/* ---- all of it ---- */

static int alloc_sets(struct bow_resume *r, struct bow_error *e)
{
	const struct bow_log *log = &r->log;

	r->region_sectors = log->newest.claim_shift - BOW_SECTOR_SHIFT;
	r->regions = (log->sectors >> r->region_sectors) + 1;
	r->claimed = bow_alloc((size_t)(r->regions / 8 + 1));
	r->block = bow_alloc(BOW_BLOCK_SIZE_MAX);
	if (!r->claimed || !r->block ||
	    bow_blocks_init(&r->blocks,
			    log->sectors / bow_block_sectors(log->bs)))
		return bow_no_memory(e);
	return 0;
}

/* A log that could not be rolled back is not one to go on with. */
static int check_plan(const struct bow_resume *r, struct bow_error *e)
{
	struct bow_plan plan;

	return bow_plan_make(&r->log, &plan, e);
}

int bow_resume_open(struct bow_dev *dev, struct bow_resume *r,
		    const struct bow_monitor *m, struct bow_error *e)
{
	int err;

	memset(r, 0, sizeof(*r));
	err = bow_log_open(dev, &r->log, e);
	if (!err)
		err = check_state(&r->log, e);
	if (!err)
		err = check_header(&r->log, e);
	if (!err)
		err = alloc_sets(r, e);
	if (!err)
		err = bow_log_walk(dev, &r->log, note_entry, r, m, e);
	if (!err)
		err = check_plan(r, e);
	if (!err)
		err = bow_free_map_read(dev, &r->log, &r->blocks, e);
	if (!err)
		err = apply_header(r, e);
	if (!err)
		err = check_held(r, e);
	if (!err)
		bow_mend_build(r);
	return err;
}

void bow_resume_free(struct bow_resume *r)
{
	bow_blocks_free(&r->blocks);
	bow_free(r->block);
	bow_free(r->claimed);
	bow_log_free(&r->log);
	memset(r, 0, sizeof(*r));
}

/* ---- ranges ---- */

static u64 pick_free(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE];
}

static u64 pick_held(const u64 word[BOW_SETS])
{
	return word[BOW_SET_HELD];
}

static u64 pick_taken(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE] & word[BOW_SET_USED];
}

static u64 pick_changed(const u64 word[BOW_SETS])
{
	return ~word[BOW_SET_FREE] & word[BOW_SET_USED];
}

static u64 pick_pool(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE] & ~word[BOW_SET_HELD] & ~word[BOW_SET_USED];
}

struct scale {
	bow_resume_visit visit;
	void *ctx;
	u32 per;
};

static int visit_sectors(void *ctx, u64 first, u64 count)
{
	const struct scale *s = ctx;

	return s->visit(s->ctx, first * s->per, count * s->per);
}

/* Claimed regions that touch are one range; the last ends with the device. */
static int each_claimed(const struct bow_resume *r, const struct scale *s)
{
	u64 sectors = r->blocks.count * s->per;
	u64 i, start = 0, end = 0;
	int err = 0;

	for (i = 0; i < r->regions && !err; i++) {
		u64 at = i << r->region_sectors;

		if (!(r->claimed[i / 8] >> i % 8 & 1) || at >= sectors)
			continue;
		if (at != end) {
			if (end)
				err = s->visit(s->ctx, start, end - start);
			start = at;
		}
		end = at + (1ull << r->region_sectors);
		if (end > sectors)
			end = sectors;
	}
	if (!err && end)
		err = s->visit(s->ctx, start, end - start);
	return err;
}

int bow_resume_each(const struct bow_resume *r, enum bow_resume_kind kind,
		    bow_resume_visit visit, void *ctx)
{
	static const bow_blocks_pick picks[BOW_RESUME_KINDS] = {
		[BOW_RESUME_FREE] = pick_free,
		[BOW_RESUME_HELD] = pick_held,
		[BOW_RESUME_TAKEN] = pick_taken,
		[BOW_RESUME_CHANGED] = pick_changed,
		[BOW_RESUME_POOL] = pick_pool,
	};
	struct scale s = { visit, ctx, bow_block_sectors(r->log.bs) };

	if (kind == BOW_RESUME_CLAIMED)
		return each_claimed(r, &s);
	return bow_blocks_each(&r->blocks, picks[kind], visit_sectors, &s);
}
