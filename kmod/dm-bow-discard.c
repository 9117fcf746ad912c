// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-discard.c - what discards say about free space
 *
 * State 0 learns from them what is free.  In state 1 they cost nothing, and
 * give back what was free at the checkpoint and has been used since.
 */
#include "dm-bow.h"

/* Blocks handled under one hold of the spinlock. */
#define BOW_LOCK_BLOCKS (u64)BOW_LEAF_BLOCKS

typedef u64 (*range_fn)(struct bow_map *map, u64 first, u64 count);

/* Call @fn on [first, end) with the lock held for a part at a time. */
static u64 for_blocks(struct bow *bow, u64 first, u64 end, range_fn fn)
{
	u64 sum = 0;

	while (first < end) {
		u64 n = min(end - first, BOW_LOCK_BLOCKS);

		spin_lock(&bow->lock);
		sum += fn(&bow->core.map, first, n);
		spin_unlock(&bow->lock);
		first += n;
	}
	return sum;
}

/* The same for the blocks that lie wholly inside a discard. */
static u64 for_discarded(struct bow *bow, struct bio *bio, range_fn fn)
{
	u32 round = (1u << bow->block_shift) - 1;

	return for_blocks(bow,
			  (bio->bi_iter.bi_sector + round) >> bow->block_shift,
			  bio_end_sector(bio) >> bow->block_shift, fn);
}

/* ---- state 0 ---- */

static u64 add_free(struct bow_map *map, u64 first, u64 count)
{
	/* Without memory a part is not recorded: less is free. */
	return bow_map_add_free(map, first, count) == 0;
}

static u64 remove_free(struct bow_map *map, u64 first, u64 count)
{
	bow_map_remove_free(map, first, count);
	return 0;
}

void bow_note_passing(struct bow *bow, struct bio *bio)
{
	u64 first = bow_bio_first(bow, bio);

	if (bio_op(bio) == REQ_OP_DISCARD)
		for_discarded(bow, bio, add_free);
	else if (op_is_write(bio_op(bio)) && READ_ONCE(bow->core.map.free))
		for_blocks(bow, first, min(first + bow_bio_count(bow, bio),
					   bow_blocks(bow)), remove_free);
}

/* ---- state 1 ---- */

static u64 return_end(struct bow_map *map, u64 first, u64 count)
{
	bow_map_return_end(map, first, count);
	return 0;
}

void bow_discard(struct bow *bow, struct bio *bio)
{
	bio_list_add(&bow->returning_next, bio);
}

/*
 * Mark what the waiting discards give back, then begin a new generation of
 * writes: the old one has all that may still go to these blocks.  Only now,
 * when no older discard waits: a block must be marked for one of them alone,
 * or the older would end while a write that came between is in flight.
 */
static void start_returning(struct bow *bow)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&bow->returning_next))) {
		if (for_discarded(bow, bio, bow_map_return_begin))
			bio_list_add(&bow->returning, bio);
		else
			bow_end_bio(bio, BLK_STS_OK);
	}
	if (bio_list_empty(&bow->returning))
		return;
	spin_lock(&bow->lock);
	WRITE_ONCE(bow->generation, bow->generation ^ 1);
	spin_unlock(&bow->lock);
	/* Pairs with atomic_dec_and_test() in bow_untrack(). */
	smp_mb();
}

static void end_returning(struct bow *bow)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&bow->returning))) {
		for_discarded(bow, bio, return_end);
		bow_end_bio(bio, BLK_STS_OK);
	}
}

void bow_handle_returning(struct bow *bow)
{
	do {
		if (bio_list_empty(&bow->returning))
			start_returning(bow);
		if (bio_list_empty(&bow->returning) ||
		    atomic_read(&bow->writers[bow->generation ^ 1]))
			return;
		end_returning(bow);
		bow_retry_stalled(bow);
	} while (!bio_list_empty(&bow->returning_next));
}

void bow_finish_discards(struct bow *bow)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&bow->returning)) ||
	       (bio = bio_list_pop(&bow->returning_next)))
		bow_end_bio(bio, BLK_STS_OK);
}
