// SPDX-License-Identifier: GPL-2.0
/*
 * torn.c - a write of block 0 that was cut: what to use instead
 *
 * Only the newest write can be torn, and each of its sectors is then either
 * as before or as written.  The header lies in sector 0, so it is always one
 * or the other, and it tells where the state is that it replaced.
 *
 * Going back to an older state is right only after a torn write.  Entries that
 * rotted must not be forgotten: their originals are overwritten.  So going
 * back asks for evidence, a sector that still is as it was before the write.
 */
#include "log.h"

/* Roll-overs that one write of block 0 may publish. */
#define ROLLOVERS_MAX 64u

static u32 entry_offset(const struct bow_header *h, u32 index)
{
	return h->header_size + index * BOW_ENTRY_SIZE;
}

static u32 entries_end(const struct bow_header *h)
{
	bool guard = h->flags & BOW_FLAG_GUARD;

	return entry_offset(h, bow_max_entries(h->block_size, h->header_size,
					       guard));
}

/* Bytes [from, to) of one sector, as it may have been before the write. */
typedef bool (*was_before)(const u8 *block, const u8 *old, u32 from, u32 to,
			   const struct bow_header *h);

/* Before an append there were zeros behind the last entry. */
static bool still_zeros(const u8 *block, const u8 *old, u32 from, u32 to,
			const struct bow_header *h)
{
	(void)old;
	(void)h;
	while (from < to)
		if (block[from++])
			return false;
	return true;
}

/* Before a roll-over: entries of `old`, then zeros where it had none yet. */
static bool still_old(const u8 *block, const u8 *old, u32 from, u32 to,
		      const struct bow_header *h)
{
	u32 at = from;

	while (at < to && block[at] == old[at])
		at++;
	if (at == to)
		return true;
	at -= (at - h->header_size) % BOW_ENTRY_SIZE;
	return still_zeros(block, old, at > from ? at : from, to, h);
}

/*
 * Is there a sector, not sector 0, that holds some of the entries from `first`
 * on and is as it was before?
 */
static bool evidence(const u8 *block, const u8 *old, const struct bow_header *h,
		     u32 first, was_before before)
{
	u32 start = entry_offset(h, first);
	u32 used = entry_offset(h, h->count);
	u32 end = entries_end(h);
	u32 sector;

	for (sector = BOW_SECTOR_SIZE; sector < used;
	     sector += BOW_SECTOR_SIZE) {
		u32 from = start > sector ? start : sector;
		u32 to = sector + BOW_SECTOR_SIZE;

		if (to <= start)
			continue;
		if (before(block, old, from, to < end ? to : end, h))
			return true;
	}
	return false;
}

/* Read the copy of log block `sequence`; is it whole, and of this log? */
static int read_copy(struct bow_dev *dev, const struct bow_log *log,
		     u64 sector, u32 sequence, u8 *block,
		     struct bow_header *h, struct bow_error *e)
{
	struct bow_error ignored;
	int r = bow_get(dev, sector, block, log->bs, e);

	if (r)
		return r;
	if (bow_get_le32(block) != BOW_MAGIC_LOG ||
	    bow_header_parse(block, log->bs, dev->size >> BOW_SECTOR_SHIFT, h,
			     &ignored) ||
	    h->version != BOW_VERSION_1_1 || h->block_size != log->bs ||
	    h->sequence != sequence ||
	    h->device_sectors != log->header.device_sectors ||
	    memcmp(h->checkpoint_id, log->header.checkpoint_id,
		   sizeof(h->checkpoint_id)) ||
	    !bow_entries_ok(block, h, h->count, h->entries_csum))
		return 1;
	return 0;
}

/*
 * The successor of this log block was being written: its header is not there
 * yet, some of its entries are.  The copy of this block was durable before.
 * This comes first: while the copy is there, an append is not what was cut,
 * and going back an append would forget entries that count.
 */
static int try_next_log(struct bow_dev *dev, struct bow_log *log,
			struct bow_header *newest, struct bow_error *e)
{
	const struct bow_header *h = &log->header;
	int r;

	if (!h->next_log)
		return 1;
	r = read_copy(dev, log, h->next_log, h->sequence, log->scratch, newest,
		      e);
	if (r)
		return r;
	/* One with another count is left from a write cut before a reboot. */
	if (newest->count < h->count || newest->resumed != h->resumed)
		return 1;
	memcpy(log->block, log->scratch, log->bs);
	log->torn = BOW_TORN_ROLLOVER_OLD;
	return 0;
}

static int try_append(struct bow_log *log, struct bow_header *newest,
		      struct bow_error *e)
{
	const struct bow_header *h = &log->header;

	if (!h->prev_count ||
	    !bow_entries_ok(log->block, h, h->prev_count,
			    h->prev_entries_csum) ||
	    !evidence(log->block, NULL, h, h->prev_count, still_zeros))
		return 1;
	if (!bow_place_ok(h->prev_sector0, log->bs, log->sectors))
		return bow_bad(e, BOW_WHY_PREV_SECTOR0, h->prev_sector0,
			       log->sectors);
	*newest = *h;
	newest->count = h->prev_count;
	newest->sector0 = h->prev_sector0;
	log->torn = BOW_TORN_APPEND;
	return 0;
}

/*
 * Does a sector of block 0 still hold entries of an older log block?  `older`
 * begins as the one before the header's; one write may have begun several.
 */
static int rollover_evidence(struct bow_dev *dev, struct bow_log *log,
			     const struct bow_header *prev, u8 *older,
			     struct bow_error *e)
{
	struct bow_header h = *prev;
	u32 i;

	for (i = 0; i < ROLLOVERS_MAX; i++) {
		int r;

		if (evidence(log->block, older, &log->header, 0, still_old))
			return 0;
		if (!h.sequence)
			return 1;
		r = read_copy(dev, log, h.prev_log, h.sequence - 1, older, &h,
			      e);
		if (r)
			return r;
	}
	return 1;
}

/* A new log block was begun and its header got through, its entries did not. */
static int try_prev_log(struct bow_dev *dev, struct bow_log *log,
			struct bow_header *newest, struct bow_error *e)
{
	const struct bow_header *h = &log->header;
	u8 *older;
	int r;

	r = read_copy(dev, log, h->prev_log, h->sequence - 1, log->scratch,
		      newest, e);
	if (r)
		return r;
	if (bow_log_block_csum(log->scratch, log->bs) != h->prev_log_csum)
		return 1;
	older = bow_alloc(log->bs);
	if (!older)
		return bow_no_memory(e);
	memcpy(older, log->scratch, log->bs);
	/* With entry 0 alone, the header says all that it said. */
	if (h->count > 1)
		r = rollover_evidence(dev, log, newest, older, e);
	bow_free(older);
	if (r)
		return r;
	memcpy(log->block, log->scratch, log->bs);
	log->torn = BOW_TORN_ROLLOVER_NEW;
	return 0;
}

/* The first log block: only its header is there, which names the backup. */
static int try_activation(struct bow_log *log, struct bow_header *newest)
{
	const struct bow_header *h = &log->header;
	struct bow_entry_disk entry = {
		.dest = cpu_to_le64(h->backup0),
		.size = cpu_to_le32(h->block_size),
		.checksum = cpu_to_le32(h->backup0_csum),
	};

	if (h->count != 1)
		return 1;
	memcpy(log->block + h->header_size, &entry, sizeof(entry));
	*newest = *h;
	log->torn = BOW_TORN_ACTIVATION;
	return 0;
}

int bow_torn_resolve(struct bow_dev *dev, struct bow_log *log,
		     struct bow_header *newest, struct bow_error *e)
{
	const struct bow_header *h = &log->header;
	int r;

	*newest = *h;
	if (bow_entries_ok(log->block, h, h->count, h->entries_csum))
		return 0;
	r = try_next_log(dev, log, newest, e);
	if (r > 0)
		r = try_append(log, newest, e);
	if (r > 0 && !h->prev_count && h->sequence)
		r = try_prev_log(dev, log, newest, e);
	if (r > 0 && !h->prev_count && !h->sequence)
		r = try_activation(log, newest);
	if (r <= 0)
		return r;
	e->in_block = true;
	e->sequence = h->sequence;
	return bow_bad(e, BOW_WHY_ENTRIES_CSUM, 0, 0);
}
