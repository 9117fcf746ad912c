/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_disk.h - building and checking the structures of bow_format.h
 *
 * Pure: no I/O, no locks, no allocation.  Used by the module, by libbow and by
 * the tests, so that each checksum rule is written once.
 */
#ifndef BOW_DISK_H
#define BOW_DISK_H

#include "bow_shim.h"
#include "bow_format.h"

/* One write of an ordered list; see struct bow_write_list. */
struct bow_write {
	u64 sector;		/* where, in sectors */
	const u8 *data;
	u32 bytes;		/* of block 0 also less than the device's blocks */
	bool preflush;		/* all completed writes durable before it */
	bool fua;		/* itself durable when it completes */
};

/*
 * Writes to be done strictly one after the other.  A failed one ends the list:
 * the rest must not be tried.
 */
#define BOW_WRITES_MAX 4
struct bow_write_list {
	unsigned int count;
	struct bow_write w[BOW_WRITES_MAX];
};

/* Is this a block size that the format allows?  `bs` in bytes. */
bool bow_block_size_ok(u32 bs);

/* Bytes from the start of a v1.1 log block to its first entry. */
u32 bow_header_size(u32 bs, bool guard);

/* How many entries fit in a log block whose header_size is `header_size`. */
u32 bow_max_entries(u32 bs, u32 header_size, bool guard);

/*
 * Checksums.  Raw CRC-32 seeded with ~0 for our own structures; the field that
 * holds the checksum counts as zero, and the magic of a log block counts as
 * BOW_MAGIC_LOG, so that marking a log as RESTORING keeps it valid.
 */
u32 bow_header_csum(const struct bow_header_disk *h);
u32 bow_entries_csum(const void *block, u32 header_size, u32 count);
u32 bow_finish_csum(const struct bow_finish_disk *f);
u32 bow_free_map_csum(const void *block, u32 bs);

/* Seed of an entry's checksum: `source` in sectors, `bs` in bytes. */
static inline u32 bow_entry_seed(u64 source, u32 bs)
{
	return (u32)bow_div_u64(source, bs >> BOW_SECTOR_SHIFT);
}

/* Has block 0, `bytes` long, an ext2/3/4 superblock whole inside it? */
bool bow_has_ext_superblock(const void *block0, u32 bytes);

/*
 * Build the guard superblock (1024 bytes at `guard`) from the superblock `sb`:
 * readable by blkid and by a read-only mount, refused read-write, harmless.
 */
void bow_guard_build(u8 *guard, const u8 *sb);

/*
 * bow_ending_build - the atomic replacement of block 0
 * @list:   filled in; refers to @scratch and @final
 * @scratch: 512 bytes, kept by the caller until the list is done
 * @final:  the bs bytes that block 0 shall hold
 * @bs:     block size, bytes
 * @record: action, final_sector, checkpoint_id, device_sectors and created
 *          filled in; the rest is set here
 *
 * docs/format.md, "Ending": record (flush before, durable after), then all of
 * block 0 but its first sector (durable), then that sector (durable).  When
 * block 0 is one sector, that one write is the whole ending.
 */
void bow_ending_build(struct bow_write_list *list, u8 *scratch, const u8 *final,
		      u32 bs, const struct bow_finish_disk *record);

#endif /* BOW_DISK_H */
