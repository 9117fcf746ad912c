/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_core.h - what is copied where, and what block 0 says about it
 *
 * The pure core of dm-bow: given a range of blocks that is about to be
 * overwritten it chooses the copies to be made and builds the log writes that
 * publish them.  It does no I/O and takes no locks: its caller executes what it
 * says, in the order it says, and reports back.  The module and the crash
 * simulator are two such callers.
 *
 * One batch, in order:
 *
 *   bow_batch_begin, bow_batch_add ...        what must be copied
 *   bow_batch_ahead                           what will have to be, by a guess
 *   [caller: all reads, checksums, all writes; without the guess if they fail]
 *   bow_batch_seal                            log writes, in order
 *   [caller: the writes one after the other]
 *   bow_batch_done                            originals may be overwritten
 *
 * or bow_batch_abort (a read failed, nothing was published), or
 * bow_batch_avoid (the same, but a place could not be written), or
 * bow_batch_lost (a log write failed: nobody knows what the disk holds).
 *
 * Units: blocks of core->bs bytes, but where a name says sectors or bytes.
 */
#ifndef BOW_CORE_H
#define BOW_CORE_H

#include "bow_disk.h"
#include "bow_map.h"
#include "bow_stream.h"

/* Limits of a batch: blocks copied, and copies (each becomes an entry). */
#ifndef BOW_BATCH_BLOCKS	/* the simulator makes small ones too */
#define BOW_BATCH_BLOCKS	1024u
#define BOW_BATCH_COPIES	256u
#endif
/* Copied ahead of a writer at most. */
#define BOW_BATCH_AHEAD		(BOW_BATCH_BLOCKS / 2)
/* Every block a copy of its own: so many fit in an empty batch in any case. */
#define BOW_BATCH_ANY		BOW_BATCH_COPIES
/* Regions claimed by a batch; each becomes an entry too. */
#define BOW_BATCH_CLAIMS	64u
/* Log blocks that a batch may fill: (512 - 256) / 24 entries each at least. */
#define BOW_BATCH_LOGS		((BOW_BATCH_COPIES + BOW_BATCH_CLAIMS) / 9 + 2)

/* Claimed regions: 1 MiB, larger where there would be more than so many. */
#define BOW_CLAIM_SHIFT_MIN	20u
#define BOW_CLAIM_REGIONS	4096u
/* Claimed ahead at most: so many regions, and so small a part of the device. */
#define BOW_CLAIMS_AHEAD	16u
#define BOW_CLAIMS_AHEAD_SHARE	64u

struct bow_copy {
	u64 src;
	u64 dst;
	u32 blocks;
	u32 offset;		/* in the batch's buffer, blocks */
	bool live0;		/* moves the live copy of block 0 */
	u32 checksum;		/* set by the caller: bow_copy_seed() */
};

/* How far a batch has been planned, to go back to. */
struct bow_mark {
	u32 copies;
	u32 tail;		/* blocks of the last copy: a merge lengthens it */
	u32 blocks;
	u32 claims;
	u32 logs;
	bool moves_live0;
	bool moves_next_log;
};

struct bow_batch {
	u32 copies;
	u32 blocks;		/* sum of the copies' */
	u32 claims;
	u32 logs;		/* places taken for log blocks to come */
	u32 streams;		/* that have gone on, a bit each: bow_stream.h */
	bool moves_live0;
	bool moves_next_log;	/* the reserved place is being overwritten */
	bool guessed;		/* more than up to here was planned by a guess: */
	struct bow_mark certain;
	u64 new_live0;
	u64 old_next_log;
	u64 claim[BOW_BATCH_CLAIMS];	/* numbers of regions */
	u64 log_place[BOW_BATCH_LOGS];
	struct bow_copy copy[BOW_BATCH_COPIES];
};

/*
 * The writes that publish a batch: block 0 with another reserved place (rare),
 * full log blocks, then block 0.
 */
struct bow_log_writes {
	u32 count;
	struct bow_write w[BOW_BATCH_LOGS + 1];
};

struct bow_counters {
	u64 entries;		/* since it began or was resumed */
	u64 copies;
	u64 copied_blocks;
	u64 moved;		/* copies of backups, blocks */
	u64 batches;
	u64 claim_batches;	/* of them, those that only claim */
	u64 log_writes;
	u64 claims;
};

/* What bow_freemap.c knows while the map is being written. */
struct bow_free_map_plan {
	u32 blocks;		/* of the map */
	u32 index;		/* of the next block to be built */
	u64 place;		/* where that block goes */
	u64 region;		/* of the device, that it describes or below */
};

struct bow_core {
	struct bow_map map;
	u32 bs;			/* bytes */
	u64 device_sectors;
	u32 max_entries;	/* in one log block */

	u64 live0;		/* where block 0 lives while active */
	u64 next_log;		/* where this log block will be copied */
	u32 claim_shift;	/* log2 of the blocks of a claimed region */
	u32 claims_ahead;	/* regions claimed by a guess at most */
	u64 *claimed;		/* a bit a region */
	struct bow_free_map_plan free_map;
	struct bow_streams streams;
	u8 *log;		/* block 0 as it is on the disk */
	u8 *work;		/* block 0 as it will be */
	u8 *full;		/* BOW_BATCH_LOGS log blocks that filled up */
	struct bow_counters n;
};

struct bow_core_params {
	u8 id[16];		/* random */
	u64 created;		/* seconds since 1970 */
};

/* @bs in bytes, checked by the caller.  0 or -ENOMEM. */
int bow_core_init(struct bow_core *core, u64 device_sectors, u32 bs);
void bow_core_exit(struct bow_core *core);

/*
 * The memory that a checkpoint needs, for bow_core_activate(): while I/O still goes on,
 * so that memory may be had by writing to this device.  0 or -ENOMEM.
 * bow_core_unprepare() gives it back when no checkpoint has come of it.
 */
int bow_core_prepare(struct bow_core *core);
void bow_core_unprepare(struct bow_core *core);

/*
 * bow_core_activate - state 0 to 1
 * @block0: the contents of block 0 (bs bytes), kept until the list is done
 * @list:   filled in; the writes, to be done in order
 *
 * The free map is to be written first: bow_freemap.h.
 *
 * 0; -ENOSPC: too few free blocks for what a log needs; -ENOMEM.  On error nothing has
 * changed.  The first two writes of the list go to free blocks; when one of
 * them fails, bow_core_reset() is all that is needed.  When a later one fails,
 * bow_core_deactivate() builds the writes that give block 0 back.
 */
int bow_core_activate(struct bow_core *core, const struct bow_core_params *p,
		      const u8 *block0, struct bow_write_list *list);
void bow_core_deactivate(struct bow_core *core, const u8 *block0,
			 struct bow_write_list *list);

/*
 * bow_core_commit - state 1 to 2
 * @final: the live contents of block 0 (bs bytes), kept until the list is done
 *
 * The first write of the list publishes the commit.  When all are done, call
 * bow_core_reset().
 */
void bow_core_commit(struct bow_core *core, const u8 *final,
		     struct bow_write_list *list);

/* Forget the checkpoint and all free blocks. */
void bow_core_reset(struct bow_core *core);

/*
 * bow_core_resume_begin - take up a checkpoint: the free set is complete
 * bow_core_resume_end - the map is complete; @block0: the log block on the disk
 *
 * Between the two, bow_map_resume_*() and bow_core_resume_claim() say what has
 * become of the blocks.  0, -ENOMEM, or -EUCLEAN: this is not a whole log block
 * of this device, or it does not agree with the map.
 */
int bow_core_resume_begin(struct bow_core *core);
void bow_core_resume_claim(struct bow_core *core, u64 first, u64 count);
int bow_core_resume_end(struct bow_core *core, const u8 *block0);

/*
 * bow_core_write_direct - may a write to [first, first + count) go at once?
 *
 * True: it must, for its blocks are the filesystem's from now on.  False: the
 * range needs a batch.
 */
bool bow_core_write_direct(struct bow_core *core, u64 first, u64 count);

/* Has this region been claimed, durably? */
bool bow_core_claimed(const struct bow_core *core, u64 region);

/* The first region of the range that must be claimed before it is written. */
bool bow_core_unclaimed(const struct bow_core *core, u64 first, u64 count,
			u64 *region);

void bow_batch_begin(struct bow_batch *batch);

/*
 * bow_batch_add - plan what a write to [first, first + count) needs
 *
 * count <= BOW_BATCH_BLOCKS and block 0 not in the range.  0; -ENOSPC: no room
 * for backups; -E2BIG: does not fit in what is left of this batch (BOW_BATCH_ANY
 * blocks always fit in an empty one, more do not where what must be copied or
 * the free blocks are in many pieces).  On error the batch is as before.
 */
int bow_batch_add(struct bow_core *core, struct bow_batch *batch, u64 first,
		  u64 count);

/*
 * bow_batch_ahead - what the writers of this batch will need next, by a guess
 *
 * Once, when all writes have been added.  Copies what those overwrite next who
 * overwrite one block after the other, and claims what those fill next who fill
 * one region after the other.  When the batch is done, that is as good as asked for.
 *
 * bow_batch_drop_ahead - do without it
 *
 * When a copy has failed: those who wait must not pay for a guess.  False if there is
 * none; then the batch is as it was.
 */
void bow_batch_ahead(struct bow_core *core, struct bow_batch *batch);
bool bow_batch_drop_ahead(struct bow_core *core, struct bow_batch *batch);

/* Seed of the checksum that the caller stores in copy->checksum. */
static inline u32 bow_copy_seed(const struct bow_copy *copy)
{
	return (u32)copy->src;
}

/* A batch with nothing to publish: its writes may go at once. */
static inline bool bow_batch_empty(const struct bow_batch *batch)
{
	return !batch->copies && !batch->claims && !batch->moves_next_log;
}

void bow_batch_seal(struct bow_core *core, struct bow_batch *batch,
		    struct bow_log_writes *writes);
void bow_batch_done(struct bow_core *core, struct bow_batch *batch);
void bow_batch_abort(struct bow_core *core, struct bow_batch *batch);
/* As abort, but the places of the copies become TAKEN: not to be tried again. */
void bow_batch_avoid(struct bow_core *core, struct bow_batch *batch);
void bow_batch_lost(struct bow_core *core, struct bow_batch *batch);

/* The header of the log block on the disk. */
static inline const struct bow_header_disk *
bow_core_header(const struct bow_core *core)
{
	return (const struct bow_header_disk *)core->log;
}

#endif /* BOW_CORE_H */
