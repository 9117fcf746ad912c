// SPDX-License-Identifier: GPL-2.0
/*
 * bow_disk.c - building and checking the structures of bow_format.h
 */
#include "bow_disk.h"

bool bow_block_size_ok(u32 bs)
{
	return bs >= BOW_BLOCK_SIZE_MIN && bs <= BOW_BLOCK_SIZE_MAX &&
	       (bs & (bs - 1)) == 0;
}

u32 bow_header_size(u32 bs, bool guard)
{
	return guard && bs >= 2 * BOW_HEADER_SIZE_GUARD ? BOW_HEADER_SIZE_GUARD :
							  BOW_HEADER_SIZE;
}

u32 bow_max_entries(u32 bs, u32 header_size, bool guard)
{
	u32 end = bs;

	if (header_size > bs)
		return 0;
	/* With bs 2048 the entries lie before the guard superblock. */
	if (guard && header_size < BOW_GUARD_OFFSET)
		end = BOW_GUARD_OFFSET < bs ? BOW_GUARD_OFFSET : bs;
	return (end - header_size) / BOW_ENTRY_SIZE;
}

u32 bow_header_csum(const struct bow_header_disk *h)
{
	struct bow_header_disk copy = *h;

	copy.magic = cpu_to_le32(BOW_MAGIC_LOG);
	copy.header_csum = 0;
	return bow_crc32(~0u, &copy, sizeof(copy));
}

u32 bow_entries_csum(const void *block, u32 header_size, u32 count)
{
	return bow_crc32(~0u, (const u8 *)block + header_size,
			 (size_t)count * BOW_ENTRY_SIZE);
}

u32 bow_finish_csum(const struct bow_finish_disk *f)
{
	struct bow_finish_disk copy = *f;

	copy.record_csum = 0;
	return bow_crc32(~0u, &copy, sizeof(copy));
}

u32 bow_free_map_csum(const void *block, u32 bs)
{
	struct bow_free_map_disk head;
	u32 crc;

	memcpy(&head, block, sizeof(head));
	head.csum = 0;
	crc = bow_crc32(~0u, &head, sizeof(head));
	return bow_crc32(crc, (const u8 *)block + sizeof(head),
			 bs - sizeof(head));
}

bool bow_has_ext_superblock(const void *block0, u32 bytes)
{
	const u8 *sb = (const u8 *)block0 + BOW_GUARD_OFFSET;

	if (bytes < BOW_GUARD_OFFSET + BOW_GUARD_SIZE)
		return false;
	return (sb[BOW_EXT4_OFF_MAGIC] |
		(u32)sb[BOW_EXT4_OFF_MAGIC + 1] << 8) == BOW_EXT4_MAGIC;
}

/*
 * CRC-32C (Castagnoli, reflected), as ext4 uses it: seed ~0, no inversion at
 * the end.  Bit by bit: it runs over 1020 bytes once a checkpoint.
 */
static u32 guard_crc32c(u32 crc, const u8 *p, size_t bytes)
{
	while (bytes--) {
		int bit;

		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

void bow_guard_build(u8 *guard, const u8 *sb)
{
	u32 ro_compat = bow_get_le32(sb + BOW_EXT4_OFF_RO_COMPAT);

	memcpy(guard, sb, BOW_GUARD_SIZE);
	bow_put_le32(guard + BOW_EXT4_OFF_RO_COMPAT,
		     ro_compat | BOW_EXT4_RO_GUARD);
	bow_put_le32(guard + BOW_EXT4_OFF_COMPAT,
		     bow_get_le32(sb + BOW_EXT4_OFF_COMPAT) &
			     ~BOW_EXT4_HAS_JOURNAL);
	bow_put_le32(guard + BOW_EXT4_OFF_INCOMPAT,
		     bow_get_le32(sb + BOW_EXT4_OFF_INCOMPAT) &
			     ~BOW_EXT4_RECOVER);
	bow_put_le32(guard + BOW_EXT4_OFF_JOURNAL, 0);
	bow_put_le32(guard + BOW_EXT4_OFF_ORPHAN, 0);
	if (ro_compat & BOW_EXT4_METADATA_CSUM)
		bow_put_le32(guard + BOW_EXT4_OFF_CSUM,
			     guard_crc32c(~0u, guard, BOW_EXT4_OFF_CSUM));
}

void bow_ending_build(struct bow_write_list *list, u8 *scratch, const u8 *final,
		      u32 bs, const struct bow_finish_disk *record)
{
	struct bow_finish_disk f = *record;
	struct bow_write *w = list->w;

	if (bs == BOW_SECTOR_SIZE) {
		/* One write, whole or not at all. */
		*w++ = (struct bow_write){ 0, final, bs, true, true };
		list->count = 1;
		return;
	}
	f.magic = cpu_to_le32(BOW_MAGIC_FINISHING);
	f.version = cpu_to_le16(BOW_VERSION_1_1);
	f.record_size = cpu_to_le16(BOW_FINISH_SIZE);
	f.block_size = cpu_to_le32(bs);
	f.final_csum = cpu_to_le32(bow_crc32(0, final, bs));
	f.record_csum = cpu_to_le32(bow_finish_csum(&f));
	memset(scratch, 0, BOW_SECTOR_SIZE);
	memcpy(scratch, &f, sizeof(f));

	*w++ = (struct bow_write){ 0, scratch, BOW_SECTOR_SIZE, true, true };
	*w++ = (struct bow_write){ 1, final + BOW_SECTOR_SIZE,
				   bs - BOW_SECTOR_SIZE, false, true };
	*w++ = (struct bow_write){ 0, final, BOW_SECTOR_SIZE, false, true };
	list->count = 3;
}
