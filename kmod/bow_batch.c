// SPDX-License-Identifier: GPL-2.0
/*
 * bow_batch.c - one batch: what is to be copied and claimed and, by a guess, what
 * will have to be
 */
#include "bow_work.h"

void bow_batch_begin(struct bow_batch *batch)
{
	batch->copies = 0;
	batch->blocks = 0;
	batch->claims = 0;
	batch->logs = 0;
	batch->streams = 0;
	batch->moves_live0 = false;
	batch->moves_next_log = false;
	batch->guessed = false;
}

static struct bow_mark mark_of(const struct bow_batch *batch)
{
	u32 copies = batch->copies;

	return (struct bow_mark){
		.copies = copies,
		.tail = copies ? batch->copy[copies - 1].blocks : 0,
		.blocks = batch->blocks,
		.claims = batch->claims,
		.logs = batch->logs,
		.moves_live0 = batch->moves_live0,
		.moves_next_log = batch->moves_next_log,
	};
}

static void give_back(struct bow_core *core, struct bow_copy *c, u32 keep)
{
	bow_map_unalloc(&core->map, c->dst + keep, c->blocks - keep);
	c->blocks = keep;
}

static void back_to(struct bow_core *core, struct bow_batch *batch,
		    const struct bow_mark *mark)
{
	while (batch->copies > mark->copies)
		give_back(core, &batch->copy[--batch->copies], 0);
	if (mark->copies)
		give_back(core, &batch->copy[mark->copies - 1], mark->tail);
	while (batch->logs > mark->logs)
		bow_map_unalloc(&core->map, batch->log_place[--batch->logs], 1);
	batch->blocks = mark->blocks;
	batch->claims = mark->claims;
	batch->moves_live0 = mark->moves_live0;
	batch->moves_next_log = mark->moves_next_log;
}

/* Places that @entries entries and a moved reserved place will need. */
static u32 logs_needed(struct bow_core *core, const struct bow_batch *batch,
		       u32 entries)
{
	u32 room = core->max_entries -
		   le32_to_cpu(bow_core_header(core)->count);
	u32 logs = batch->moves_next_log ? 1 : 0;

	/* Every log block but the first begins with the entry of the last. */
	if (entries > room)
		logs += (entries - room + core->max_entries - 2) /
			(core->max_entries - 1);
	return logs;
}

static int reserve_logs(struct bow_core *core, struct bow_batch *batch,
			u32 entries)
{
	u32 need = logs_needed(core, batch, entries);

	if (need > BOW_BATCH_LOGS)
		return -E2BIG;
	while (batch->logs < need) {
		if (!bow_map_alloc(&core->map, 1,
				   &batch->log_place[batch->logs]))
			return -ENOSPC;
		batch->logs++;
	}
	return 0;
}

/* Is the block at @first in this batch already?  How far does that hold? */
static bool in_batch(const struct bow_batch *batch, u64 first, u64 *count)
{
	u32 i;

	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		if (first >= c->src && first - c->src < c->blocks) {
			u64 left = c->blocks - (first - c->src);

			if (*count > left)
				*count = left;
			return true;
		}
		if (c->src > first && c->src - first < *count)
			*count = c->src - first;
	}
	return false;
}

/* Does [a, a + an) overlap [b, b + bn)? */
static bool overlap(u64 a, u64 an, u64 b, u64 bn)
{
	return a < b + bn && b < a + an;
}

/*
 * Does the range touch a place that this batch is about to fill?  What is
 * there now is not what would have to be moved: wait for the next batch.
 */
static bool fills(const struct bow_batch *batch, u64 first, u64 count)
{
	u32 i;

	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		if (overlap(first, count, c->dst, c->blocks))
			return true;
	}
	for (i = 0; i < batch->logs; i++) {
		if (overlap(first, count, batch->log_place[i], 1))
			return true;
	}
	return false;
}

/* Cut [first, first + *count) so that @block is its first block or outside. */
static bool isolate(u64 block, u64 first, u64 *count)
{
	if (block == first) {
		*count = 1;
		return true;
	}
	if (block > first && block - first < *count)
		*count = block - first;
	return false;
}

/* Can this copy go on where the last one of the batch ends? */
static bool merge_copy(struct bow_batch *batch, const struct bow_copy *c)
{
	struct bow_copy *last;

	if (!batch->copies || c->live0)
		return false;
	last = &batch->copy[batch->copies - 1];
	if (last->live0 || last->src + last->blocks != c->src ||
	    last->dst + last->blocks != c->dst)
		return false;
	last->blocks += c->blocks;
	return true;
}

/* Copy a run that needs copying; *count is cut to what was planned. */
static int plan_copy(struct bow_core *core, struct bow_batch *batch, u64 first,
		     u64 *count, bool live0)
{
	struct bow_copy c = { .src = first, .live0 = live0 };
	u64 n;

	if (batch->copies == BOW_BATCH_COPIES ||
	    *count > BOW_BATCH_BLOCKS - batch->blocks)
		return -E2BIG;
	n = bow_map_alloc(&core->map, *count, &c.dst);
	if (!n)
		return -ENOSPC;
	c.blocks = (u32)n;
	c.offset = batch->blocks;
	if (!merge_copy(batch, &c)) {
		/*
		 * Not before it is known that this takes an entry: a place that is
		 * HELD for a log block that never comes would be backed up, as if
		 * the log had put something there.
		 */
		int r = reserve_logs(core, batch, bow_batch_entries(batch) + 1);

		if (r) {
			bow_map_unalloc(&core->map, c.dst, n);
			return r;
		}
		batch->copy[batch->copies++] = c;
	}
	*count = n;
	batch->blocks += c.blocks;
	if (live0) {
		batch->moves_live0 = true;
		batch->new_live0 = c.dst;
	}
	return 0;
}

/* The filesystem writes where the next log block was to be copied. */
static int plan_next_log(struct bow_core *core, struct bow_batch *batch)
{
	if (batch->moves_next_log)
		return 0;
	batch->moves_next_log = true;
	batch->old_next_log = core->next_log;
	return reserve_logs(core, batch, bow_batch_entries(batch));
}

/* Plan the start of a run that needs copying; *count: how much was planned. */
static int plan_run(struct bow_core *core, struct bow_batch *batch, u64 first,
		    u64 *count)
{
	if (in_batch(batch, first, count))
		return 0;
	if (isolate(core->next_log, first, count))
		return plan_next_log(core, batch);
	if (isolate(core->live0, first, count))
		return plan_copy(core, batch, first, count, true);
	return plan_copy(core, batch, first, count, false);
}

static bool claim_in_batch(const struct bow_batch *batch, u64 region)
{
	u32 i;

	for (i = 0; i < batch->claims; i++) {
		if (batch->claim[i] == region)
			return true;
	}
	return false;
}

/* The regions of the range that nobody has claimed yet. */
static int plan_claims(struct bow_core *core, struct bow_batch *batch,
		       u64 first, u64 count)
{
	u64 region;
	int r = 0;

	while (!r && bow_core_unclaimed(core, first, count, &region)) {
		u64 end = (region + 1) << core->claim_shift;

		if (!claim_in_batch(batch, region)) {
			if (batch->claims == BOW_BATCH_CLAIMS)
				return -E2BIG;
			r = reserve_logs(core, batch, bow_batch_entries(batch) + 1);
			if (!r)
				batch->claim[batch->claims++] = region;
		}
		if (end >= first + count)
			break;
		count -= end - first;
		first = end;
	}
	return r;
}

static int plan_range(struct bow_core *core, struct bow_batch *batch, u64 first,
		      u64 count)
{
	int r = plan_claims(core, batch, first, count);

	while (count && !r) {
		bool copy;
		u64 n = bow_map_run(&core->map, first, count, &copy);

		if (copy)
			r = plan_run(core, batch, first, &n);
		first += n;
		count -= n;
	}
	return r;
}

int bow_batch_add(struct bow_core *core, struct bow_batch *batch, u64 first,
		  u64 count)
{
	struct bow_mark mark = mark_of(batch);
	u64 taken[BOW_TAKEN_WORDS(BOW_BATCH_BLOCKS)];
	int r;

	if (count > BOW_BATCH_BLOCKS || fills(batch, first, count))
		return -E2BIG;
	bow_map_return_cancel(&core->map, first, count);
	/* First, or a backup would get a place that is about to be overwritten. */
	bow_map_take(&core->map, first, count, taken);
	r = plan_range(core, batch, first, count);
	if (r) {
		back_to(core, batch, &mark);
		bow_map_untake(&core->map, first, count, taken);
	} else if (batch->blocks > mark.blocks) {
		bow_streams_note(&core->streams, first, count, &batch->streams);
	}
	return r;
}

void bow_batch_abort(struct bow_core *core, struct bow_batch *batch)
{
	static const struct bow_mark nothing;

	back_to(core, batch, &nothing);
}

/* ---- ahead of writers ---- */

static u64 smaller(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* Is there room for one more entry where this batch writes anyway? */
static bool room_ahead(struct bow_core *core, const struct bow_batch *batch)
{
	return logs_needed(core, batch, bow_batch_entries(batch) + 1) <=
	       batch->logs;
}

/* How far ahead of the stream?  bow_stream.h says what a guess may cost. */
static u64 ahead_blocks(const struct bow_core *core,
			const struct bow_batch *batch,
			const struct bow_stream *s)
{
	u64 most = core->map.free / BOW_STREAMS_SHARE;

	if (most <= core->streams.unreached)
		return 0;
	most = smaller(most - core->streams.unreached,
		       smaller(BOW_BATCH_AHEAD, s->next - s->start));
	return bow_map_state_run(&core->map, s->next,
				 smaller(most, BOW_BATCH_BLOCKS - batch->blocks),
				 BOW_USED);
}

static void copy_ahead(struct bow_core *core, struct bow_batch *batch, u32 i)
{
	struct bow_stream *s = &core->streams.stream[i];
	u64 left = ahead_blocks(core, batch, s);

	while (left && room_ahead(core, batch)) {
		u64 n = left;

		if (in_batch(batch, s->next, &n) ||
		    plan_copy(core, batch, s->next, &n, false))
			return;
		bow_streams_ahead(&core->streams, i, n);
		left -= n;
	}
}

/* How many regions below this one have been claimed in a row? */
static u32 claimed_below(const struct bow_core *core, u64 region, u32 most)
{
	u32 n = 0;

	while (n < most && region && bow_core_claimed(core, --region))
		n++;
	return n;
}

/* Of the regions above, as many as have been claimed below. */
static void claim_ahead(struct bow_core *core, struct bow_batch *batch,
			u64 region)
{
	u64 last = (core->map.blocks - 1) >> core->claim_shift;
	u32 left = claimed_below(core, region, core->claims_ahead);

	while (left-- && region++ < last) {
		u64 first = region << core->claim_shift, found;
		u64 end = smaller((region + 1) << core->claim_shift,
				  core->map.blocks);

		if (batch->claims == BOW_BATCH_CLAIMS ||
		    !room_ahead(core, batch))
			return;
		/* The range is this region, or what there is of it. */
		if (bow_core_unclaimed(core, first, end - first, &found) &&
		    !claim_in_batch(batch, found))
			batch->claim[batch->claims++] = found;
	}
}

void bow_batch_ahead(struct bow_core *core, struct bow_batch *batch)
{
	u32 i;

	batch->certain = mark_of(batch);
	for (i = 0; i < batch->certain.claims; i++)
		claim_ahead(core, batch, batch->claim[i]);
	for (i = 0; i < BOW_STREAMS; i++) {
		if (batch->streams >> i & 1)
			copy_ahead(core, batch, i);
	}
	batch->guessed = batch->claims > batch->certain.claims ||
			 batch->blocks > batch->certain.blocks;
}

bool bow_batch_drop_ahead(struct bow_core *core, struct bow_batch *batch)
{
	if (!batch->guessed)
		return false;
	back_to(core, batch, &batch->certain);
	bow_streams_forget(&core->streams, batch->streams);
	batch->guessed = false;
	return true;
}
