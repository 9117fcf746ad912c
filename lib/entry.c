// SPDX-License-Identifier: GPL-2.0
/*
 * entry.c - the entries of a log block: reading and checking one
 */
#include "log.h"

void bow_entry_get(const u8 *block, const struct bow_header *h, u32 index,
		   struct bow_entry *entry)
{
	struct bow_entry_disk d;

	memcpy(&d, block + h->header_size + (size_t)index * BOW_ENTRY_SIZE,
	       sizeof(d));
	entry->source = le64_to_cpu(d.source);
	entry->dest = le64_to_cpu(d.dest);
	entry->size = le32_to_cpu(d.size);
	entry->checksum = le32_to_cpu(d.checksum);
}

/* The range of `n` sectors at `at`, against the device's end; n > 0. */
static bool beyond(u64 at, u64 n, u64 sectors)
{
	return n > sectors || at > sectors - n;
}

static int check_ranges(const struct bow_entry *entry, u32 bs, u64 sectors,
			struct bow_error *e)
{
	u32 per_block = bow_block_sectors(bs);
	u64 n = entry->size >> BOW_SECTOR_SHIFT;

	if (entry->size == 0 || entry->size % bs)
		return bow_bad(e, BOW_WHY_SIZE, entry->size, bs);
	if (entry->source % per_block)
		return bow_bad(e, BOW_WHY_SOURCE_ALIGN, entry->source,
			       per_block);
	if (entry->dest % per_block)
		return bow_bad(e, BOW_WHY_DEST_ALIGN, entry->dest, per_block);
	if (beyond(entry->source, n, sectors))
		return bow_bad(e, BOW_WHY_SOURCE_RANGE, entry->source, sectors);
	if (beyond(entry->dest, n, sectors))
		return bow_bad(e, BOW_WHY_DEST_RANGE, entry->dest, sectors);
	if (entry->dest < per_block)
		return bow_bad(e, BOW_WHY_DEST_BLOCK0, entry->dest, 0);
	return 0;
}

static int check_entry0(const struct bow_entry *entry,
			const struct bow_header *h, struct bow_error *e)
{
	u64 dest = h->sequence ? h->prev_log : h->backup0;
	u32 csum = h->sequence ? h->prev_log_csum : h->backup0_csum;

	if (entry->source != 0 || entry->size != h->block_size)
		return bow_bad(e, BOW_WHY_ENTRY0, 0, 0);
	if (h->version == BOW_VERSION_1_1 &&
	    (entry->dest != dest || entry->checksum != csum))
		return bow_bad(e, BOW_WHY_ENTRY0, 0, 0);
	return 0;
}

int bow_entry_check(const struct bow_entry *entry, const struct bow_header *h,
		    u32 index, u64 sectors, struct bow_error *e)
{
	u64 n = entry->size >> BOW_SECTOR_SHIFT;
	int r = check_ranges(entry, h->block_size, sectors, e);

	if (r)
		return r;
	if (index == 0)
		return check_entry0(entry, h, e);
	if (entry->source < bow_block_sectors(h->block_size))
		return bow_bad(e, BOW_WHY_SOURCE_BLOCK0, entry->source, 0);
	if (entry->source == entry->dest && entry->checksum == 0 &&
	    h->version == BOW_VERSION_1_1)
		return 0;
	if (entry->source < entry->dest + n && entry->dest < entry->source + n)
		return bow_bad(e, BOW_WHY_OVERLAP, entry->source, entry->dest);
	return 0;
}

u32 bow_log_block_csum(const u8 *block, u32 bs)
{
	const __le32 magic = cpu_to_le32(BOW_MAGIC_LOG);

	return bow_crc32(bow_crc32(0, &magic, sizeof(magic)),
			 block + sizeof(magic), bs - sizeof(magic));
}
