/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_map.h - what each block of the device is
 *
 * Three bits a block instead of an extent tree, so that the write path never
 * allocates and a lookup is one word:
 *
 *   was_free  free at the checkpoint (while state 0 collects: free so far)
 *   copy      must not be overwritten before its contents are backed up
 *   pool      may be taken for a backup
 *
 *   was_free copy pool
 *      0      1    -    USED       as it was at the checkpoint
 *      0      0    -    CHANGED    backed up; writes go straight through
 *      1      0    1    FREE       in the pool
 *      1      0    0    TAKEN      the filesystem has begun to use it
 *      1      1    0    HELD       holds a backup, a log block, the live block 0
 *      1      1    1    RETURNING  discarded by the filesystem; goes back to the
 *                                  pool when no write to it can be in flight
 *
 * The bits live in leaves of 32768 blocks; a plane of a leaf is allocated only
 * when a bit in it is needed: at most 12 KiB for 128 MiB of 4 KiB blocks.
 *
 * Pure: no I/O, no locks.  Blocks are numbered in units of the log's block
 * size.  Ranges must lie inside the device; callers have checked that.
 */
#ifndef BOW_MAP_H
#define BOW_MAP_H

#include "bow_shim.h"

#define BOW_LEAF_SHIFT	15
#define BOW_LEAF_BLOCKS	(1u << BOW_LEAF_SHIFT)
#define BOW_LEAF_WORDS	(BOW_LEAF_BLOCKS / 64)

/* A missing plane reads as zeros. */
struct bow_leaf {
	u64 *was_free;
	u64 *copy;
	u64 *pool;
	u32 free;		/* blocks that are FREE */
};

struct bow_map {
	u64 blocks;		/* size of the device */
	u64 leaves;
	struct bow_leaf *leaf;
	bool armed;		/* the planes copy and pool are there */
	u64 free;		/* blocks FREE; before arming: was_free */
	u64 held;		/* blocks HELD */
	u64 cursor;		/* no block at or above it is FREE */
	u64 window;		/* backups go to [window, window_end) first */
	u64 window_end;
	u64 *spare;		/* a zeroed plane for bow_map_add_free() */
};

enum bow_block_state {
	BOW_USED,
	BOW_CHANGED,
	BOW_FREE,
	BOW_TAKEN,
	BOW_HELD,
	BOW_RETURNING,
};

/* 0 or -ENOMEM.  A map that failed to initialise may be freed. */
int bow_map_init(struct bow_map *map, u64 blocks);
void bow_map_free(struct bow_map *map);

/* State 0.  Forget every free block. */
void bow_map_clear(struct bow_map *map);
/*
 * State 0.  Add or remove free blocks.  Adding needs a plane for each leaf that
 * had none: map->spare if the caller has filled it, else memory that is there
 * without sleeping.  -ENOMEM: a part of the range was added.  Block 0 is never
 * free.
 */
int bow_map_add_free(struct bow_map *map, u64 first, u64 count);
/* The same for those of the blocks 64 * @word ... whose bits are set. */
int bow_map_add_free_word(struct bow_map *map, u64 word, u64 bits);
void bow_map_remove_free(struct bow_map *map, u64 first, u64 count);

/*
 * bow_map_arm - state 0 to 1: protect every block that is not free.
 * 0 or -ENOMEM (the map is as before).  bow_map_disarm() goes back, keeping
 * the set of free blocks.
 *
 * bow_map_prepare() has the memory for it ready, while I/O still goes on and may
 * change what is free: what it could not foresee bow_map_arm() gets itself.
 * 0 or -ENOMEM.  bow_map_unprepare() gives it back if the map is not armed.
 */
int bow_map_prepare(struct bow_map *map);
void bow_map_unprepare(struct bow_map *map);
int bow_map_arm(struct bow_map *map);
void bow_map_disarm(struct bow_map *map);

/* Which of the blocks 64 * @word .. 64 * @word + 63 were free. */
u64 bow_map_free_word(const struct bow_map *map, u64 word);
/* Was any block of the range free? */
bool bow_map_any_free(const struct bow_map *map, u64 first, u64 count);

/*
 * HELD blocks for the free map on the disk.  They become USED when the map has
 * been built, and it calls them so: like any block in use they are backed up
 * when the filesystem overwrites them, and never come back into the pool.
 * bow_map_reserved(): the word of bits that are so between the two.
 */
void bow_map_reserve(struct bow_map *map, u64 first, u64 count);
u64 bow_map_reserved(const struct bow_map *map, u64 word);
void bow_map_end_reserve(struct bow_map *map);

/*
 * An armed map of a checkpoint that is taken up again: free blocks that hold
 * something of ours, and used ones that are backed up.
 */
void bow_map_resume_held(struct bow_map *map, u64 first, u64 count);
void bow_map_resume_changed(struct bow_map *map, u64 first, u64 count);

/* The rest is for an armed map. */
enum bow_block_state bow_map_state(const struct bow_map *map, u64 block);

/*
 * Length of the run at @first, at most @count, whose blocks all have the same
 * copy bit; *copy says which.  @count > 0.
 */
u64 bow_map_run(const struct bow_map *map, u64 first, u64 count, bool *copy);

/* How many blocks from @first on, at most @count, are all in this state. */
u64 bow_map_state_run(const struct bow_map *map, u64 first, u64 count,
		      enum bow_block_state state);

/*
 * bow_map_take - every FREE block of the range becomes TAKEN: the filesystem writes
 * there
 *
 * @taken: NULL, or BOW_TAKEN_WORDS(count) words that tell bow_map_untake() which
 * they were, if nothing is written there after all.
 */
#define BOW_TAKEN_WORDS(count) ((count) / 64 + 2)
void bow_map_take(struct bow_map *map, u64 first, u64 count, u64 *taken);
void bow_map_untake(struct bow_map *map, u64 first, u64 count,
		    const u64 *taken);

/*
 * bow_map_alloc - take a run of FREE blocks, which become HELD
 *
 * From the end of the device downwards, as ext4 fills block groups from the
 * front and a backup that the filesystem overwrites must be copied again; but
 * upwards within a window, so that the backups of neighbours become one entry
 * and one large copy.
 * Returns the length of the run, 1 .. @want, or 0 when the pool is empty.
 */
u64 bow_map_alloc(struct bow_map *map, u64 want, u64 *first);

/* HELD blocks go back to the pool: nothing durable refers to them. */
void bow_map_unalloc(struct bow_map *map, u64 first, u64 count);

/* Backed up durably: USED becomes CHANGED, HELD becomes TAKEN. */
void bow_map_release(struct bow_map *map, u64 first, u64 count);

/* Discard: TAKEN becomes RETURNING.  Returns how many blocks did. */
u64 bow_map_return_begin(struct bow_map *map, u64 first, u64 count);
/* RETURNING becomes FREE. */
void bow_map_return_end(struct bow_map *map, u64 first, u64 count);
/* Written again meanwhile: RETURNING becomes TAKEN. */
void bow_map_return_cancel(struct bow_map *map, u64 first, u64 count);

#endif /* BOW_MAP_H */
