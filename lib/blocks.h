/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blocks.h - what the blocks of a device are, for going on with a checkpoint
 *
 * Three sets as bitmaps, in leaves that are allocated when a bit is set in
 * them: at most 12 KiB for 128 MiB of 4 KiB blocks, however fragmented the
 * device and however long the log.
 */
#ifndef BOW_BLOCKS_H
#define BOW_BLOCKS_H

#include "bow_shim.h"

enum bow_set {
	BOW_SET_FREE,		/* at the checkpoint */
	BOW_SET_HELD,		/* holds something of the log's */
	BOW_SET_USED,		/* the filesystem may have overwritten it */
	BOW_SETS
};

struct bow_leaf_sets;

struct bow_blocks {
	u64 count;		/* blocks of the device */
	u64 leaves;
	struct bow_leaf_sets **leaf;
};

/* Ranges given to these functions lie inside the device.  0 or -ENOMEM. */
int bow_blocks_init(struct bow_blocks *b, u64 count);
void bow_blocks_free(struct bow_blocks *b);

int bow_blocks_add(struct bow_blocks *b, enum bow_set set, u64 first,
		   u64 count);

/*
 * Blocks that are in neither HELD nor USED join one of them: going back in
 * time, what is seen first of a block is what holds.
 */
int bow_blocks_mention(struct bow_blocks *b, enum bow_set set, u64 first,
		       u64 count);

/* Those of them that were free become USED. */
void bow_blocks_claim(struct bow_blocks *b, u64 first, u64 count);

/* HELD whatever was said about the block before. */
int bow_blocks_hold(struct bow_blocks *b, u64 block);

bool bow_blocks_has(const struct bow_blocks *b, enum bow_set set, u64 block);

/* Which blocks of a word are wanted, by its three sets. */
typedef u64 (*bow_blocks_pick)(const u64 word[BOW_SETS]);
/* Returns not 0 to end the search with that value. */
typedef int (*bow_blocks_visit)(void *ctx, u64 first, u64 count);

/* Visit the runs of the blocks picked, in rising order. */
int bow_blocks_each(const struct bow_blocks *b, bow_blocks_pick pick,
		    bow_blocks_visit visit, void *ctx);

#endif /* BOW_BLOCKS_H */
