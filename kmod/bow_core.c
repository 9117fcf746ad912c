// SPDX-License-Identifier: GPL-2.0
/*
 * bow_core.c - the beginning and the end of a checkpoint
 *
 * The order of writes and the reasons for it are in docs/format.md, "Writing".
 */
#include "bow_work.h"

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

	*w++ = (struct bow_write){ bow_core_sector(core, core->live0), block0,
				   core->bs, false, false };
	*w++ = (struct bow_write){ bow_core_sector(core, backup0), block0, core->bs,
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
		     bow_core_sector(core, core->live0), list);
}

