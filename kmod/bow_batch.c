// SPDX-License-Identifier: GPL-2.0
/*
 * bow_batch.c - one batch: what must be copied, and the writes that publish it
 *
 * The order of writes and the reasons for it are in docs/format.md, "Writing".
 */
#include "bow_work.h"

void bow_batch_begin(struct bow_batch *batch)
{
	batch->copies = 0;
	batch->blocks = 0;
	batch->logs = 0;
	batch->moves_live0 = false;
	batch->moves_next_log = false;
}

/* Where a batch stood, to go back to when a range does not fit. */
struct bow_mark {
	u32 copies;
	u32 blocks;
	u32 logs;
	bool moves_live0;
	bool moves_next_log;
};

static struct bow_mark mark_of(const struct bow_batch *batch)
{
	return (struct bow_mark){ batch->copies, batch->blocks, batch->logs,
				  batch->moves_live0, batch->moves_next_log };
}

static void back_to(struct bow_core *core, struct bow_batch *batch,
		    const struct bow_mark *mark)
{
	while (batch->copies > mark->copies) {
		struct bow_copy *c = &batch->copy[--batch->copies];

		bow_map_unalloc(&core->map, c->dst, c->blocks);
	}
	while (batch->logs > mark->logs)
		bow_map_unalloc(&core->map, batch->log_place[--batch->logs], 1);
	batch->blocks = mark->blocks;
	batch->moves_live0 = mark->moves_live0;
	batch->moves_next_log = mark->moves_next_log;
}

/* Places that @copies entries and a moved reserved place will need. */
static u32 logs_needed(struct bow_core *core, const struct bow_batch *batch,
		       u32 copies)
{
	u32 count = le32_to_cpu(bow_core_header(core)->count);
	u32 room = core->max_entries - count;
	u32 logs = batch->moves_next_log ? 1 : 0;

	/* Every log block but the first begins with the entry of the last. */
	if (copies > room)
		logs += (copies - room + core->max_entries - 2) /
			(core->max_entries - 1);
	return logs;
}

static int reserve_logs(struct bow_core *core, struct bow_batch *batch,
			u32 copies)
{
	u32 need = logs_needed(core, batch, copies);

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
	int r;

	if (batch->copies == BOW_BATCH_COPIES ||
	    *count > BOW_BATCH_BLOCKS - batch->blocks)
		return -E2BIG;
	r = reserve_logs(core, batch, batch->copies + 1);
	if (r)
		return r;
	n = bow_map_alloc(&core->map, *count, &c.dst);
	if (!n)
		return -ENOSPC;
	c.blocks = (u32)n;
	c.offset = batch->blocks;
	*count = n;
	batch->blocks += c.blocks;
	if (!merge_copy(batch, &c))
		batch->copy[batch->copies++] = c;
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
	return reserve_logs(core, batch, batch->copies);
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

int bow_batch_add(struct bow_core *core, struct bow_batch *batch, u64 first,
		  u64 count)
{
	struct bow_mark mark = mark_of(batch);
	u32 tail = batch->copies ? batch->copy[batch->copies - 1].blocks : 0;

	if (fills(batch, first, count))
		return -E2BIG;
	bow_map_return_cancel(&core->map, first, count);
	bow_map_take(&core->map, first, count);
	while (count) {
		bool copy;
		u64 n = bow_map_run(&core->map, first, count, &copy);
		int r = copy ? plan_run(core, batch, first, &n) : 0;

		if (r) {
			/* A merge may have lengthened the last copy kept. */
			if (mark.copies) {
				struct bow_copy *c =
					&batch->copy[mark.copies - 1];

				bow_map_unalloc(&core->map, c->dst + tail,
						c->blocks - tail);
				c->blocks = tail;
			}
			back_to(core, batch, &mark);
			return r;
		}
		first += n;
		count -= n;
	}
	return 0;
}

/*
 * The reserved place moves, and this log block will be copied to the new one
 * before its successor is written.  If that write is torn under the old header,
 * the copy is looked for where that header says: it must know the new place.
 */
static void publish_next_log(struct bow_core *core,
			     struct bow_log_writes *writes)
{
	/* A batch that moves the place fills one log block less than it may. */
	u8 *image = core->full + (size_t)(BOW_BATCH_LOGS - 1) * core->bs;

	bow_work_seal(core);
	memcpy(image, core->work, core->bs);
	writes->w[writes->count++] =
		(struct bow_write){ 0, image, core->bs, true, true };
}

void bow_batch_seal(struct bow_core *core, struct bow_batch *batch,
		    struct bow_log_writes *writes)
{
	struct bow_header_disk *h = bow_work_header(core);
	u32 place = 0, rolled = 0, i;

	writes->count = 0;
	if (batch->moves_next_log) {
		core->next_log = batch->log_place[place++];
		h->next_log = cpu_to_le64(bow_core_sector(core, core->next_log));
		if (batch->copies > core->max_entries - bow_work_count(core))
			publish_next_log(core, writes);
	}
	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		if (bow_work_count(core) == core->max_entries) {
			bow_work_roll_over(core, core->full + (size_t)rolled * core->bs,
				  batch->log_place[place++],
				  &writes->w[writes->count++]);
			rolled++;
		}
		bow_work_append(core, c->src, c->dst, c->blocks,
			     c->live0 ? 0 : c->checksum);
		if (c->live0)
			h->sector0 = cpu_to_le64(bow_core_sector(core, c->dst));
	}
	bow_work_seal(core);
	writes->w[writes->count++] =
		(struct bow_write){ 0, core->work, core->bs, true, true };
}

static void count_batch(struct bow_core *core, const struct bow_batch *batch)
{
	u32 rolled = le32_to_cpu(bow_work_header(core)->sequence) -
		     le32_to_cpu(bow_core_header(core)->sequence);

	core->n.batches++;
	core->n.log_writes += rolled + 1;
	if (batch->moves_next_log && rolled)
		core->n.log_writes++;	/* see publish_next_log() */
	core->n.entries += batch->copies + rolled;
	core->n.copies += batch->copies;
	core->n.copied_blocks += batch->blocks;
}

void bow_batch_done(struct bow_core *core, struct bow_batch *batch)
{
	u64 held = core->map.held;
	u32 i;

	count_batch(core, batch);
	for (i = 0; i < batch->copies; i++)
		bow_map_release(&core->map, batch->copy[i].src,
				batch->copy[i].blocks);
	if (batch->moves_next_log)
		bow_map_release(&core->map, batch->old_next_log, 1);
	core->n.moved += held - core->map.held;
	if (batch->moves_live0)
		core->live0 = batch->new_live0;
	memcpy(core->log, core->work, core->bs);
}

void bow_batch_abort(struct bow_core *core, struct bow_batch *batch)
{
	static const struct bow_mark nothing;

	back_to(core, batch, &nothing);
}

void bow_batch_avoid(struct bow_core *core, struct bow_batch *batch)
{
	batch->copies = 0;
	bow_batch_abort(core, batch);
}

void bow_batch_lost(struct bow_core *core, struct bow_batch *batch)
{
	/*
	 * Block 0 may hold the old log or the new one, now or after the next
	 * power cut.  Both restore: no original was overwritten.  All places
	 * stay HELD, as the new log may name them, and no further write may go
	 * to block 0, so the log as built is of no use any more.
	 */
	(void)batch;
	memcpy(core->work, core->log, core->bs);
	core->next_log = le64_to_cpu(bow_core_header(core)->next_log) /
			 (core->bs >> BOW_SECTOR_SHIFT);
}
