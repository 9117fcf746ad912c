// SPDX-License-Identifier: GPL-2.0
/*
 * header.c - parsing and checking block 0 and the headers of log blocks
 *
 * Every value comes from a device that may be damaged or forged.
 */
#include "log.h"

static bool zeros(const u8 *p, size_t bytes)
{
	while (bytes--)
		if (*p++)
			return false;
	return true;
}

static int parse_v0(const u8 *block, u32 room, struct bow_header *h,
		    struct bow_error *e)
{
	struct bow_header_v0_disk d;

	memcpy(&d, block, sizeof(d));
	h->version = 0;
	h->header_size = sizeof(d);
	h->block_size = BOW_V0_BLOCK_SIZE;
	h->count = le32_to_cpu(d.count);
	h->sequence = le32_to_cpu(d.sequence);
	if (room < BOW_V0_BLOCK_SIZE)
		return bow_bad(e, BOW_WHY_BLOCK_SIZE, BOW_V0_BLOCK_SIZE, 0);
	return 0;
}

static int parse_v1(const struct bow_header_disk *d, u32 room,
		    struct bow_header *h, struct bow_error *e)
{
	u32 least = sizeof(struct bow_header_v1_disk);
	u32 max;

	h->version = le16_to_cpu(d->header_version);
	h->header_size = le16_to_cpu(d->header_size);
	h->block_size = le32_to_cpu(d->block_size);
	h->count = le32_to_cpu(d->count);
	h->sequence = le32_to_cpu(d->sequence);
	h->sector0 = le64_to_cpu(d->sector0);
	if (h->version == BOW_VERSION_1_1)
		least = BOW_HEADER_SIZE;
	else if (h->version != BOW_VERSION_1_0)
		return bow_bad(e, BOW_WHY_VERSION, h->version, 0);
	if (!bow_block_size_ok(h->block_size) || h->block_size > room)
		return bow_bad(e, BOW_WHY_BLOCK_SIZE, h->block_size, 0);
	if (h->header_size < least || h->header_size > h->block_size)
		return bow_bad(e, BOW_WHY_HEADER_SIZE, h->header_size,
			       h->block_size);
	max = bow_max_entries(h->block_size, h->header_size, false);
	if (h->count == 0 || h->count > max)
		return bow_bad(e, BOW_WHY_COUNT, h->count, max);
	return 0;
}

static void parse_v1_1(const struct bow_header_disk *d, struct bow_header *h)
{
	h->entries_csum = le32_to_cpu(d->entries_csum);
	h->prev_count = le32_to_cpu(d->prev_count);
	h->prev_entries_csum = le32_to_cpu(d->prev_entries_csum);
	h->flags = le32_to_cpu(d->flags);
	memcpy(h->checkpoint_id, d->checkpoint_id, sizeof(h->checkpoint_id));
	h->created = le64_to_cpu(d->created);
	memcpy(h->fs_uuid, d->fs_uuid, sizeof(h->fs_uuid));
	h->device_sectors = le64_to_cpu(d->device_sectors);
	h->backup0 = le64_to_cpu(d->backup0);
	h->backup0_csum = le32_to_cpu(d->backup0_csum);
	h->prev_log_csum = le32_to_cpu(d->prev_log_csum);
	h->prev_log = le64_to_cpu(d->prev_log);
	h->next_log = le64_to_cpu(d->next_log);
	h->free_map = le64_to_cpu(d->free_map);
	h->free_map_blocks = le32_to_cpu(d->free_map_blocks);
	h->claim_shift = le32_to_cpu(d->claim_shift);
	h->tries_left = le16_to_cpu(d->tries_left);
	h->boots = le16_to_cpu(d->boots);
	h->rollback_reason = le32_to_cpu(d->rollback_reason);
	h->rollback_time = le64_to_cpu(d->rollback_time);
	h->resumed = le32_to_cpu(d->resumed);
	h->prev_sector0 = le64_to_cpu(d->prev_sector0);
}

/*
 * A v1.0 tool that undoes a v1.1 log lowers the count in the header as it goes
 * and leaves everything else.  The count with which the header is genuine is
 * then above the one that is there; so are the entries that it counts.
 */
static bool lowered_count(const struct bow_header_disk *d, const u8 *block,
			  struct bow_header *h)
{
	struct bow_header_disk genuine = *d;
	u32 max = bow_max_entries(h->block_size, h->header_size, false);
	u32 count;

	for (count = h->count + 1; count <= max; count++) {
		genuine.count = cpu_to_le32(count);
		if (le32_to_cpu(d->header_csum) != bow_header_csum(&genuine))
			continue;
		if (!bow_entries_ok(block, h, count,
				    le32_to_cpu(d->entries_csum)))
			return false;
		h->undone = count - h->count;
		h->prev_count = 0;
		h->entries_csum = bow_entries_csum(block, h->header_size,
						   h->count);
		return true;
	}
	return false;
}

static int check_places(const struct bow_header *h, u64 sectors,
			struct bow_error *e)
{
	u32 bs = h->block_size;

	if (h->device_sectors > sectors)
		return bow_bad(e, BOW_WHY_DEVICE_SHORT, sectors,
			       h->device_sectors);
	sectors = h->device_sectors;
	if (!bow_place_ok(h->sector0, bs, sectors))
		return bow_bad(e, BOW_WHY_SECTOR0, h->sector0, sectors);
	if (!bow_place_ok(h->backup0, bs, sectors))
		return bow_bad(e, BOW_WHY_BACKUP0, h->backup0, sectors);
	if (h->sequence && !bow_place_ok(h->prev_log, bs, sectors))
		return bow_bad(e, BOW_WHY_PREV_LOG, h->prev_log, sectors);
	if (h->next_log && !bow_place_ok(h->next_log, bs, sectors))
		return bow_bad(e, BOW_WHY_NEXT_LOG, h->next_log, sectors);
	return 0;
}

static int check_v1_1(const struct bow_header_disk *d, const u8 *block,
		      u64 sectors, struct bow_header *h, struct bow_error *e)
{
	bool guard = h->flags & BOW_FLAG_GUARD;
	u32 max = bow_max_entries(h->block_size, h->header_size, guard);

	if (le32_to_cpu(d->header_csum) != bow_header_csum(d) &&
	    !(h->restoring && lowered_count(d, block, h)))
		return bow_bad(e, BOW_WHY_HEADER_CSUM, 0, 0);
	if (h->count > max || h->prev_count > h->count)
		return bow_bad(e, BOW_WHY_COUNT, h->count, max);
	return check_places(h, sectors, e);
}

/* One changed bit makes 0x0101 0x0100: do not lose the checksums by that. */
static bool disguised_v1_1(const struct bow_header_disk *d)
{
	struct bow_header_disk genuine = *d;

	genuine.header_version = cpu_to_le16(BOW_VERSION_1_1);
	return bow_header_csum(&genuine) == le32_to_cpu(d->header_csum);
}

int bow_header_parse(const u8 *block, u32 room, u64 sectors,
		     struct bow_header *h, struct bow_error *e)
{
	struct bow_header_disk d;
	u32 v0_count = bow_get_le32(block + 4);
	int r;

	memset(h, 0, sizeof(*h));
	memcpy(&d, block, sizeof(d));
	h->restoring = le32_to_cpu(d.magic) == BOW_MAGIC_RESTORING;
	if (v0_count && v0_count <= BOW_V0_MAX_COUNT)
		return parse_v0(block, room, h, e);
	r = parse_v1(&d, room, h, e);
	if (r)
		return r;
	if (h->version == BOW_VERSION_1_1) {
		parse_v1_1(&d, h);
		return check_v1_1(&d, block, sectors, h, e);
	}
	if (h->header_size >= BOW_HEADER_SIZE && disguised_v1_1(&d))
		return bow_bad(e, BOW_WHY_HEADER_CSUM, 0, 0);
	return 0;
}

static int check_record(const struct bow_finish *f, u64 sectors,
			struct bow_error *e)
{
	if (!bow_block_size_ok(f->block_size) ||
	    (f->action != BOW_ACTION_ROLLBACK &&
	     f->action != BOW_ACTION_COMMIT))
		return bow_bad(e, BOW_WHY_RECORD, 0, 0);
	if (f->device_sectors > sectors)
		return bow_bad(e, BOW_WHY_DEVICE_SHORT, sectors,
			       f->device_sectors);
	if (!bow_place_ok(f->final_sector, f->block_size, sectors))
		return bow_bad(e, BOW_WHY_FINAL_SECTOR, f->final_sector,
			       sectors);
	return 0;
}

int bow_finish_parse(const u8 *block, u64 sectors, struct bow_finish *f,
		     struct bow_error *e)
{
	struct bow_finish_disk d;

	memcpy(&d, block, sizeof(d));
	memset(f, 0, sizeof(*f));
	if (le16_to_cpu(d.version) != BOW_VERSION_1_1 ||
	    le16_to_cpu(d.record_size) != BOW_FINISH_SIZE)
		return bow_bad(e, BOW_WHY_RECORD, 0, 0);
	if (le32_to_cpu(d.record_csum) != bow_finish_csum(&d))
		return bow_bad(e, BOW_WHY_RECORD_CSUM, 0, 0);
	if (!zeros(d.reserved, sizeof(d.reserved)))
		return bow_bad(e, BOW_WHY_RECORD, 0, 0);
	f->block_size = le32_to_cpu(d.block_size);
	f->final_sector = le64_to_cpu(d.final_sector);
	f->final_csum = le32_to_cpu(d.final_csum);
	f->action = le32_to_cpu(d.action);
	memcpy(f->checkpoint_id, d.checkpoint_id, sizeof(f->checkpoint_id));
	f->device_sectors = le64_to_cpu(d.device_sectors);
	f->created = le64_to_cpu(d.created);
	return check_record(f, sectors, e);
}
