// SPDX-License-Identifier: GPL-2.0
/*
 * bow_core.c - what is copied where, and what block 0 says about it
 *
 * The order of writes and the reasons for it are in docs/format.md, "Writing".
 */
#include "bow_core.h"

static u32 sectors_per_block(const struct bow_core *core)
{
	return core->bs >> BOW_SECTOR_SHIFT;
}

static u64 to_sector(const struct bow_core *core, u64 block)
{
	return block * sectors_per_block(core);
}

static struct bow_header_disk *work_header(struct bow_core *core)
{
	return (struct bow_header_disk *)core->work;
}

int bow_core_init(struct bow_core *core, u64 device_sectors, u32 bs, u32 unit)
{
	memset(core, 0, sizeof(*core));
	core->bs = bs;
	core->unit = unit < bs ? unit : bs;
	core->device_sectors = device_sectors;
	return bow_map_init(&core->map,
			    device_sectors / (bs >> BOW_SECTOR_SHIFT));
}

static void free_buffers(struct bow_core *core)
{
	bow_free(core->log);
	bow_free(core->work);
	bow_free(core->full);
	core->log = NULL;
	core->work = NULL;
	core->full = NULL;
}

void bow_core_exit(struct bow_core *core)
{
	free_buffers(core);
	bow_map_free(&core->map);
}

void bow_core_reset(struct bow_core *core)
{
	free_buffers(core);
	bow_map_clear(&core->map);
	memset(&core->n, 0, sizeof(core->n));
}

/* ---- the log block being built: core->work ---- */

static u32 work_count(struct bow_core *core)
{
	return le32_to_cpu(work_header(core)->count);
}

static void append_entry(struct bow_core *core, u64 src, u64 dst, u32 blocks,
			 u32 checksum)
{
	struct bow_header_disk *h = work_header(core);
	u32 count = le32_to_cpu(h->count);
	struct bow_entry_disk e = {
		.source = cpu_to_le64(to_sector(core, src)),
		.dest = cpu_to_le64(to_sector(core, dst)),
		.size = cpu_to_le32(blocks * core->bs),
		.checksum = cpu_to_le32(checksum),
	};

	memcpy(core->work + le16_to_cpu(h->header_size) +
		       count * BOW_ENTRY_SIZE,
	       &e, sizeof(e));
	h->count = cpu_to_le32(count + 1);
}

/*
 * Set the checksums.  The state before this append is what the disk holds now,
 * if that is the same log block; a new one goes back to the previous block.
 */
static void seal_work(struct bow_core *core)
{
	const struct bow_header_disk *old = bow_core_header(core);
	struct bow_header_disk *h = work_header(core);

	if (h->sequence == old->sequence && old->magic) {
		h->prev_count = old->count;
		h->prev_entries_csum = old->entries_csum;
	} else {
		h->prev_count = 0;
		h->prev_entries_csum = 0;
	}
	h->entries_csum = cpu_to_le32(
		bow_entries_csum(core->work, le16_to_cpu(h->header_size),
				 le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

/*
 * The log block is full: its final image goes to the place that its header
 * has named from the start, and a new block begins, which will name @next.
 */
static void roll_over(struct bow_core *core, u8 *full, u64 next,
		      struct bow_write *write)
{
	struct bow_header_disk *h = work_header(core);
	u64 place = core->next_log;
	u32 header_size = le16_to_cpu(h->header_size);
	u32 used = le32_to_cpu(h->count) * BOW_ENTRY_SIZE;
	u32 csum;

	seal_work(core);
	memcpy(full, core->work, core->bs);
	csum = bow_crc32(0, full, core->bs);
	*write = (struct bow_write){ to_sector(core, place), full, core->bs,
				     false, false };

	memset(core->work + header_size, 0, used);
	h->sequence = cpu_to_le32(le32_to_cpu(h->sequence) + 1);
	h->count = 0;
	h->prev_log = cpu_to_le64(to_sector(core, place));
	h->prev_log_csum = cpu_to_le32(csum);
	h->next_log = cpu_to_le64(to_sector(core, next));
	core->next_log = next;
	append_entry(core, 0, place, 1, csum);
}

/* ---- activation, commit ---- */

static int alloc_buffers(struct bow_core *core)
{
	core->log = bow_alloc(core->bs);
	core->work = bow_alloc(core->bs);
	core->full = bow_alloc((size_t)core->bs * BOW_BATCH_LOGS);
	return core->log && core->work && core->full ? 0 : -ENOMEM;
}

/* The header of a new log, without its entry and checksums. */
static void build_header(struct bow_core *core,
			 const struct bow_core_params *p, const u8 *block0,
			 u64 backup0)
{
	struct bow_header_disk *h = work_header(core);
	bool ext = bow_has_ext_superblock(block0, core->bs);
	u32 header_size = bow_header_size(core->bs, ext);

	core->max_entries = bow_max_entries(core->bs, header_size, ext);
	h->magic = cpu_to_le32(BOW_MAGIC_LOG);
	h->header_version = cpu_to_le16(BOW_VERSION_1_1);
	h->header_size = cpu_to_le16((u16)header_size);
	h->block_size = cpu_to_le32(core->bs);
	h->sector0 = cpu_to_le64(to_sector(core, core->live0));
	memcpy(h->checkpoint_id, p->id, sizeof(h->checkpoint_id));
	h->created = cpu_to_le64(p->created);
	h->device_sectors = cpu_to_le64(core->device_sectors);
	h->backup0 = cpu_to_le64(to_sector(core, backup0));
	h->backup0_csum = cpu_to_le32(bow_crc32(0, block0, core->bs));
	h->next_log = cpu_to_le64(to_sector(core, core->next_log));
	if (ext) {
		const u8 *sb = block0 + BOW_GUARD_OFFSET;

		h->flags = cpu_to_le32(BOW_FLAG_GUARD);
		memcpy(h->fs_uuid, sb + BOW_EXT4_OFF_UUID, sizeof(h->fs_uuid));
		bow_guard_build(core->work + BOW_GUARD_OFFSET, sb);
	}
}

/*
 * The live copy and the backup of block 0; then the first unit of the log,
 * whose header names the backup, durable before the rest of block 0 is
 * touched; then the rest.
 */
static void activation_writes(struct bow_core *core, const u8 *block0,
			      u64 backup0, struct bow_write_list *list)
{
	struct bow_write *w = list->w;
	u32 rest = core->bs - core->unit;

	*w++ = (struct bow_write){ to_sector(core, core->live0), block0,
				   core->bs, false, false };
	*w++ = (struct bow_write){ to_sector(core, backup0), block0, core->bs,
				   false, false };
	*w++ = (struct bow_write){ 0, core->work, core->unit, true, true };
	if (rest)
		*w++ = (struct bow_write){ core->unit >> BOW_SECTOR_SHIFT,
					   core->work + core->unit, rest, false,
					   true };
	list->count = (u32)(w - list->w);
}

int bow_core_activate(struct bow_core *core, const struct bow_core_params *p,
		      const u8 *block0, struct bow_write_list *list)
{
	u64 backup0;
	int r;

	if (core->map.free < 3)
		return -ENOSPC;
	r = alloc_buffers(core);
	if (!r)
		r = bow_map_arm(&core->map);
	if (r) {
		free_buffers(core);
		return r;
	}
	bow_map_alloc(&core->map, 1, &core->live0);
	bow_map_alloc(&core->map, 1, &backup0);
	bow_map_alloc(&core->map, 1, &core->next_log);

	memset(&core->n, 0, sizeof(core->n));
	build_header(core, p, block0, backup0);
	append_entry(core, 0, backup0, 1, bow_crc32(0, block0, core->bs));
	seal_work(core);
	memcpy(core->log, core->work, core->bs);
	core->n.entries = 1;
	core->n.log_writes = 1;
	activation_writes(core, block0, backup0, list);
	return 0;
}

static void build_ending(struct bow_core *core, enum bow_action action,
			 const u8 *final, u64 final_sector,
			 struct bow_write_list *list)
{
	const struct bow_header_disk *h = bow_core_header(core);
	struct bow_finish_disk f = {
		.action = cpu_to_le32(action),
		.final_sector = cpu_to_le64(final_sector),
		.device_sectors = h->device_sectors,
		.created = h->created,
	};

	memcpy(f.checkpoint_id, h->checkpoint_id, sizeof(f.checkpoint_id));
	bow_ending_build(list, core->full, final, core->bs, core->unit, &f);
}

void bow_core_deactivate(struct bow_core *core, const u8 *block0,
			 struct bow_write_list *list)
{
	u64 backup0 = le64_to_cpu(bow_core_header(core)->backup0);
	unsigned int i;

	build_ending(core, BOW_ACTION_ROLLBACK, block0, backup0, list);
	/*
	 * The record will name the backup, and what the failed list wrote there
	 * may not have lasted: once more.
	 */
	for (i = list->count++; i; i--)
		list->w[i] = list->w[i - 1];
	list->w[0] = (struct bow_write){ backup0, block0, core->bs, false,
					 false };
}

void bow_core_commit(struct bow_core *core, const u8 *final,
		     struct bow_write_list *list)
{
	build_ending(core, BOW_ACTION_COMMIT, final,
		     to_sector(core, core->live0), list);
}

/* ---- batches ---- */

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

	seal_work(core);
	memcpy(image, core->work, core->bs);
	writes->w[writes->count++] =
		(struct bow_write){ 0, image, core->bs, true, true };
}

void bow_batch_seal(struct bow_core *core, struct bow_batch *batch,
		    struct bow_log_writes *writes)
{
	struct bow_header_disk *h = work_header(core);
	u32 place = 0, rolled = 0, i;

	writes->count = 0;
	if (batch->moves_next_log) {
		core->next_log = batch->log_place[place++];
		h->next_log = cpu_to_le64(to_sector(core, core->next_log));
		if (batch->copies > core->max_entries - work_count(core))
			publish_next_log(core, writes);
	}
	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		if (work_count(core) == core->max_entries) {
			roll_over(core, core->full + (size_t)rolled * core->bs,
				  batch->log_place[place++],
				  &writes->w[writes->count++]);
			rolled++;
		}
		append_entry(core, c->src, c->dst, c->blocks,
			     c->live0 ? 0 : c->checksum);
		if (c->live0)
			h->sector0 = cpu_to_le64(to_sector(core, c->dst));
	}
	seal_work(core);
	writes->w[writes->count++] =
		(struct bow_write){ 0, core->work, core->bs, true, true };
}

static void count_batch(struct bow_core *core, const struct bow_batch *batch)
{
	u32 rolled = le32_to_cpu(work_header(core)->sequence) -
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
			 sectors_per_block(core);
}
