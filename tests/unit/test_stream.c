// SPDX-License-Identifier: GPL-2.0
/*
 * test_stream.c - what is copied ahead of a writer, and what is not
 */
#include "../tap.h"
#include "memcore.h"

/* How many blocks are copied ahead of what the batch copies now. */
static u32 ahead(void)
{
	u32 blocks = batch.blocks;

	bow_batch_ahead(&core, &batch);
	return batch.blocks - blocks;
}

static void test_ahead(void)
{
	active(4096, 1000, 900);
	CHECK(add(100, 4) == 0 && ahead() == 0);
	publish();
	/* As much as was written in a row. */
	CHECK(add(104, 4) == 0 && ahead() == 8);
	CHECK(batch.copies == 1 && batch.copy[0].blocks == 12);
	CHECK(ahead() == 0);
	CHECK(bow_map_state(&core.map, 108) == BOW_USED);
	publish();
	CHECK(bow_core_write_direct(&core, 108, 8));
	CHECK(bow_map_state(&core.map, 116) == BOW_USED);
	/* Begins in what has been copied, and goes on. */
	CHECK(add(115, 2) == 0 && batch.blocks == 1 && ahead() == 17);
	publish();
	CHECK(core.n.copied_blocks == 4 + 12 + 18);
	/* Elsewhere is another writer. */
	CHECK(add(600, 4) == 0 && ahead() == 0);
	CHECK(add(134, 1) == 0 && ahead() == 35);
}

/* What must not be copied ahead, or need not. */
static void test_ahead_ends(void)
{
	active(4096, 200, 900);
	CHECK(add(100, 40) == 0 && add(140, 50) == 0);
	/* The block before the free ones is the last. */
	CHECK(ahead() == 10);
	publish();
	CHECK(add(1990, 4) == 0 && add(1994, 4) == 0 && ahead() == 2);
	publish();
	CHECK(add(150, 1) == 0 && bow_batch_empty(&batch) && ahead() == 0);
	/* In this batch already, or by an earlier one. */
	CHECK(add(20, 4) == 0 && add(10, 4) == 0 && add(14, 4) == 0);
	CHECK(ahead() == 2);
	publish();
	CHECK(add(2, 4) == 0 && add(6, 3) == 0 && ahead() == 1);
}

static void test_ahead_limits(void)
{
	u64 free;

	active(4096, 1000, 20);
	/* More would be held than is free. */
	CHECK(add(100, 2) == 0 && add(102, 2) == 0);
	CHECK(core.map.free > core.map.held);
	free = core.map.free - core.map.held;
	CHECK(free < 8 && ahead() == free / 2);
	publish();
	CHECK(add(105, 2) == 0 && ahead() == 0);
}

static void test_ahead_of_this_batch(void)
{
	active(4096, 1000, 900);
	CHECK(add(100, 4) == 0 && add(104, 4) == 0);
	bow_batch_abort(&core, &batch);
	/* The next batch is not the one to pay for that writer. */
	bow_batch_begin(&batch);
	CHECK(add(500, 1) == 0 && ahead() == 0);
}

static void test_ahead_after_reset(void)
{
	active(4096, 1000, 900);
	CHECK(add(100, 4) == 0);
	bow_core_reset(&core);
	CHECK(bow_map_add_free(&core.map, 1000, 900) == 0 && activate() == 0);
	bow_batch_begin(&batch);
	CHECK(add(104, 4) == 0 && ahead() == 0);
}

int main(void)
{
	RUN(test_ahead, "what a writer overwrites next is copied ahead");
	RUN(test_ahead_ends, "... up to what was free, is copied or is the end");
	RUN(test_ahead_limits, "... while more is free than held");
	RUN(test_ahead_of_this_batch, "... of writers of this batch");
	RUN(test_ahead_after_reset, "... of writers of this checkpoint");
	bow_core_exit(&core);
	return tap_done();
}
