/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_work.h - the log block that is being built, core->work
 *
 * Inside the pure core: bow_core.c begins a log, bow_publish.c goes on with it.
 * core->log stays what the disk holds until the caller says that the new
 * image is durable.
 */
#ifndef BOW_WORK_H
#define BOW_WORK_H

#include "bow_core.h"

static inline u64 bow_core_sector(const struct bow_core *core, u64 block)
{
	return block * (core->bs >> BOW_SECTOR_SHIFT);
}

/* The block that the sector lies in. */
static inline u64 bow_core_block(const struct bow_core *core, u64 sector)
{
	return bow_div_u64(sector, core->bs >> BOW_SECTOR_SHIFT);
}

static inline struct bow_header_disk *bow_work_header(struct bow_core *core)
{
	return (struct bow_header_disk *)core->work;
}

/* Entries in the block so far. */
static inline u32 bow_work_count(struct bow_core *core)
{
	return le32_to_cpu(bow_work_header(core)->count);
}

/* Entries that a batch adds, roll-overs apart. */
static inline u32 bow_batch_entries(const struct bow_batch *batch)
{
	return batch->copies + batch->claims;
}

/* Add an entry; the caller knows that there is room. */
void bow_work_append(struct bow_core *core, u64 src, u64 dst, u32 blocks,
		     u32 checksum);

/*
 * Set the checksums.  The state before this append is what the disk holds now,
 * if that is the same log block; a new one goes back to the previous block.
 */
void bow_work_seal(struct bow_core *core);

/*
 * The log block is full: its final image goes to the place that its header
 * has named from the start, and a new block begins, which will name @next.
 * @full takes the image, bs bytes; *write says where it goes.
 */
void bow_work_roll_over(struct bow_core *core, u8 *full, u64 next,
			struct bow_write *write);

#endif /* BOW_WORK_H */
