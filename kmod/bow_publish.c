// SPDX-License-Identifier: GPL-2.0
/*
 * bow_publish.c - one batch: the writes that publish it, and what they change
 *
 * The order of writes and the reasons for it are in docs/format.md, "Writing".
 */
#include "bow_work.h"

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

/* What bow_batch_seal() has used up. */
struct bow_seal {
	struct bow_log_writes *writes;
	u32 place;		/* of batch->log_place */
	u32 rolled;		/* full log blocks */
};

static void seal_entry(struct bow_core *core, const struct bow_batch *batch,
		       struct bow_seal *s, u64 src, u64 dst, u32 blocks,
		       u32 checksum)
{
	if (bow_work_count(core) == core->max_entries) {
		u8 *full = core->full + (size_t)s->rolled++ * core->bs;

		bow_work_roll_over(core, full, batch->log_place[s->place++],
				   &s->writes->w[s->writes->count++]);
	}
	bow_work_append(core, src, dst, blocks, checksum);
}

void bow_batch_seal(struct bow_core *core, struct bow_batch *batch,
		    struct bow_log_writes *writes)
{
	struct bow_header_disk *h = bow_work_header(core);
	struct bow_seal s = { .writes = writes };
	u32 i;

	writes->count = 0;
	if (batch->moves_next_log) {
		core->next_log = batch->log_place[s.place++];
		h->next_log = cpu_to_le64(bow_core_sector(core, core->next_log));
		if (bow_batch_entries(batch) >
		    core->max_entries - bow_work_count(core))
			publish_next_log(core, writes);
	}
	for (i = 0; i < batch->claims; i++) {
		u64 start = batch->claim[i] << core->claim_shift;

		/* A source of 0 would be block 0. */
		if (!start)
			start = 1;
		seal_entry(core, batch, &s, start, start, 1, 0);
	}
	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		seal_entry(core, batch, &s, c->src, c->dst, c->blocks,
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
	if (batch->claims && !batch->copies)
		core->n.claim_batches++;
	core->n.log_writes += rolled + 1;
	if (batch->moves_next_log && rolled)
		core->n.log_writes++;	/* see publish_next_log() */
	core->n.entries += bow_batch_entries(batch) + rolled;
	core->n.claims += batch->claims;
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
	for (i = 0; i < batch->claims; i++)
		core->claimed[batch->claim[i] / 64] |=
			1ull << batch->claim[i] % 64;
	if (batch->moves_next_log)
		bow_map_release(&core->map, batch->old_next_log, 1);
	core->n.moved += held - core->map.held;
	if (batch->moves_live0)
		core->live0 = batch->new_live0;
	memcpy(core->log, core->work, core->bs);
}

void bow_batch_avoid(struct bow_core *core, struct bow_batch *batch)
{
	u32 i;

	/*
	 * As if the filesystem had begun to use them.  HELD, they would be backed
	 * up when it does, and an entry of a source that was free must be of
	 * something that the log has put there.
	 */
	for (i = 0; i < batch->copies; i++)
		bow_map_release(&core->map, batch->copy[i].dst,
				batch->copy[i].blocks);
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
	core->next_log = bow_core_block(
		core, le64_to_cpu(bow_core_header(core)->next_log));
}
