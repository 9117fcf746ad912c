// SPDX-License-Identifier: GPL-2.0
/*
 * bow_core.c - a checkpoint begins, ends and is resumed; which writes may go at once
 *
 * The order of writes and the reasons for it are in docs/format.md, "Writing".
 */
#include "bow_work.h"
#include "bow_freemap.h"

static u64 claim_regions(const struct bow_core *core)
{
	return (core->map.blocks >> core->claim_shift) + 1;
}

static u32 log2_of(u32 power)
{
	u32 n = 0;

	while (power >>= 1)
		n++;
	return n;
}

/* Log2 of the blocks of a region: so that there are few on a large disk. */
static u32 first_claim_shift(const struct bow_core *core)
{
	u32 shift = BOW_CLAIM_SHIFT_MIN;

	while (core->device_sectors >> (shift - BOW_SECTOR_SHIFT) >=
	       BOW_CLAIM_REGIONS)
		shift++;
	return shift - log2_of(core->bs);
}

static u32 first_claims_ahead(const struct bow_core *core)
{
	u64 blocks = bow_core_block(core, core->device_sectors);
	u64 share = (blocks >> core->claim_shift) / BOW_CLAIMS_AHEAD_SHARE;

	return share < BOW_CLAIMS_AHEAD ? (u32)share : BOW_CLAIMS_AHEAD;
}

/* As the header has it: log2 of the bytes. */
static u32 claim_bytes_shift(const struct bow_core *core)
{
	return core->claim_shift + log2_of(core->bs);
}

int bow_core_init(struct bow_core *core, u64 device_sectors, u32 bs)
{
	memset(core, 0, sizeof(*core));
	core->bs = bs;
	core->device_sectors = device_sectors;
	core->claim_shift = first_claim_shift(core);
	core->claims_ahead = first_claims_ahead(core);
	return bow_map_init(&core->map, bow_core_block(core, device_sectors));
}

static void free_buffers(struct bow_core *core)
{
	bow_free(core->log);
	bow_free(core->work);
	bow_free(core->full);
	bow_free(core->claimed);
	core->claimed = NULL;
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
	memset(&core->streams, 0, sizeof(core->streams));
}

/* ---- activation, commit ---- */

static void *alloc_if_missing(void *p, size_t bytes)
{
	return p ? p : bow_alloc(bytes);
}

int bow_core_prepare(struct bow_core *core)
{
	size_t words = (size_t)(claim_regions(core) / 64 + 1);

	core->log = alloc_if_missing(core->log, core->bs);
	core->work = alloc_if_missing(core->work, core->bs);
	core->full = alloc_if_missing(core->full,
				      (size_t)core->bs * BOW_BATCH_LOGS);
	core->claimed = alloc_if_missing(core->claimed, words * sizeof(u64));
	if (!core->log || !core->work || !core->full || !core->claimed)
		return -ENOMEM;
	return bow_map_prepare(&core->map);
}

void bow_core_unprepare(struct bow_core *core)
{
	free_buffers(core);
	bow_map_unprepare(&core->map);
}

/* Prepared and armed, or as before. */
static int arm(struct bow_core *core)
{
	int r = bow_core_prepare(core);

	if (!r)
		r = bow_map_arm(&core->map);
	if (r)
		bow_core_unprepare(core);
	return r;
}

/* The header of a new log, without its entry and checksums. */
static void build_header(struct bow_core *core,
			 const struct bow_core_params *p, const u8 *block0,
			 u64 backup0)
{
	struct bow_header_disk *h = bow_work_header(core);
	bool ext = bow_has_ext_superblock(block0, core->bs);
	u32 header_size = bow_header_size(core->bs, ext);

	core->max_entries = bow_max_entries(core->bs, header_size, ext);
	h->magic = cpu_to_le32(BOW_MAGIC_LOG);
	h->header_version = cpu_to_le16(BOW_VERSION_1_1);
	h->header_size = cpu_to_le16((u16)header_size);
	h->block_size = cpu_to_le32(core->bs);
	h->sector0 = cpu_to_le64(bow_core_sector(core, core->live0));
	memcpy(h->checkpoint_id, p->id, sizeof(h->checkpoint_id));
	h->created = cpu_to_le64(p->created);
	h->device_sectors = cpu_to_le64(core->device_sectors);
	h->backup0 = cpu_to_le64(bow_core_sector(core, backup0));
	h->backup0_csum = cpu_to_le32(bow_crc32(0, block0, core->bs));
	h->next_log = cpu_to_le64(bow_core_sector(core, core->next_log));
	h->free_map = cpu_to_le64(bow_core_sector(core, core->free_map.place));
	h->free_map_blocks = cpu_to_le32(core->free_map.blocks);
	h->claim_shift = cpu_to_le32(claim_bytes_shift(core));
	h->flags = cpu_to_le32(BOW_FLAG_FREE_MAP | BOW_FLAG_CLAIMS);
	if (ext) {
		const u8 *sb = block0 + BOW_GUARD_OFFSET;

		h->flags |= cpu_to_le32(BOW_FLAG_GUARD);
		memcpy(h->fs_uuid, sb + BOW_EXT4_OFF_UUID, sizeof(h->fs_uuid));
		bow_guard_build(core->work + BOW_GUARD_OFFSET, sb);
	}
}

/*
 * The live copy and the backup of block 0; then the first sector of the log,
 * whose header names the backup, durable before the rest of block 0 is
 * touched; then the rest.
 */
static void activation_writes(struct bow_core *core, const u8 *block0,
			      u64 backup0, struct bow_write_list *list)
{
	struct bow_write *w = list->w;
	u32 rest = core->bs - BOW_SECTOR_SIZE;

	*w++ = (struct bow_write){ bow_core_sector(core, core->live0), block0,
				   core->bs, false, false };
	*w++ = (struct bow_write){ bow_core_sector(core, backup0), block0, core->bs,
				   false, false };
	*w++ = (struct bow_write){ 0, core->work, BOW_SECTOR_SIZE, true, true };
	if (rest)
		*w++ = (struct bow_write){ 1, core->work + BOW_SECTOR_SIZE, rest,
					   false, true };
	list->count = (u32)(w - list->w);
}

int bow_core_activate(struct bow_core *core, const struct bow_core_params *p,
		      const u8 *block0, struct bow_write_list *list)
{
	u32 map_blocks = bow_free_map_count(core);
	u64 backup0;
	int r;

	if (core->map.free < 3 + (u64)map_blocks)
		return -ENOSPC;
	r = arm(core);
	if (r)
		return r;
	bow_map_alloc(&core->map, 1, &core->live0);
	bow_map_alloc(&core->map, 1, &backup0);
	bow_map_alloc(&core->map, 1, &core->next_log);
	bow_free_map_plan(core, map_blocks);

	memset(&core->n, 0, sizeof(core->n));
	build_header(core, p, block0, backup0);
	bow_work_append(core, 0, backup0, 1, bow_crc32(0, block0, core->bs));
	bow_work_seal(core);
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
	bow_ending_build(list, core->full, final, core->bs, &f);
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
		     bow_core_sector(core, core->live0), list);
}


/* ---- while active ---- */

bool bow_core_claimed(const struct bow_core *core, u64 region)
{
	return core->claimed[region / 64] >> region % 64 & 1;
}

bool bow_core_unclaimed(const struct bow_core *core, u64 first, u64 count,
			u64 *region)
{
	u64 end = first + count;

	for (*region = first >> core->claim_shift; first < end; ++*region) {
		u64 stop = (*region + 1) << core->claim_shift;

		if (stop > end)
			stop = end;
		/*
		 * Also when its blocks are TAKEN: the batch that should have
		 * claimed the region may have failed.
		 */
		if (!bow_core_claimed(core, *region) &&
		    bow_map_any_free(&core->map, first, stop - first))
			return true;
		first = stop;
	}
	return false;
}

bool bow_core_write_direct(struct bow_core *core, u64 first, u64 count)
{
	u64 region;
	bool copy;

	if (bow_map_run(&core->map, first, count, &copy) < count || copy ||
	    bow_core_unclaimed(core, first, count, &region))
		return false;
	bow_map_take(&core->map, first, count, NULL);
	return true;
}

/* ---- taking a checkpoint up again ---- */

int bow_core_resume_begin(struct bow_core *core)
{
	return arm(core);
}

void bow_core_resume_claim(struct bow_core *core, u64 first, u64 count)
{
	u64 region;

	/* What was free there may be the filesystem's now. */
	bow_map_take(&core->map, first, count, NULL);
	for (region = first >> core->claim_shift;
	     region << core->claim_shift < first + count; region++)
		core->claimed[region / 64] |= 1ull << region % 64;
}

static bool held_sector(const struct bow_core *core, u64 sector, u64 *block)
{
	*block = bow_core_block(core, sector);
	return sector == bow_core_sector(core, *block) &&
	       *block < core->map.blocks &&
	       bow_map_state(&core->map, *block) == BOW_HELD;
}

/*
 * Is this a whole log block, as this writer makes them on this device?  A reader
 * takes other sizes of a header too, but there is no going on with those: entries
 * would come to lie over the guard, or there would be room for a single one.
 */
static bool is_our_log(const struct bow_core *core,
		       const struct bow_header_disk *h)
{
	u32 header_size = le16_to_cpu(h->header_size);
	bool guard = le32_to_cpu(h->flags) & BOW_FLAG_GUARD;
	u32 count = le32_to_cpu(h->count);

	return le32_to_cpu(h->magic) == BOW_MAGIC_LOG &&
	       le16_to_cpu(h->header_version) == BOW_VERSION_1_1 &&
	       le32_to_cpu(h->header_csum) == bow_header_csum(h) &&
	       le32_to_cpu(h->block_size) == core->bs &&
	       le64_to_cpu(h->device_sectors) == core->device_sectors &&
	       le32_to_cpu(h->claim_shift) == claim_bytes_shift(core) &&
	       header_size == bow_header_size(core->bs, guard) &&
	       (!guard || core->bs >= BOW_GUARD_OFFSET + BOW_GUARD_SIZE) &&
	       count >= 1 &&
	       count <= bow_max_entries(core->bs, header_size, guard) &&
	       le32_to_cpu(h->entries_csum) ==
		       bow_entries_csum(h, header_size, count);
}

int bow_core_resume_end(struct bow_core *core, const u8 *block0)
{
	const struct bow_header_disk *h = (const struct bow_header_disk *)block0;
	u64 live0, next_log;

	if (!is_our_log(core, h) ||
	    !held_sector(core, le64_to_cpu(h->sector0), &live0) ||
	    !held_sector(core, le64_to_cpu(h->next_log), &next_log) ||
	    live0 == next_log)
		return -EUCLEAN;
	core->live0 = live0;
	core->next_log = next_log;
	core->max_entries =
		bow_max_entries(core->bs, le16_to_cpu(h->header_size),
				le32_to_cpu(h->flags) & BOW_FLAG_GUARD);
	memcpy(core->log, block0, core->bs);
	memcpy(core->work, block0, core->bs);
	memset(&core->n, 0, sizeof(core->n));
	return 0;
}
