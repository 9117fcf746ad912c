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

/* What writers never reach costs no more than a sixteenth of what is free. */
static void test_ahead_limits(void)
{
	u64 most;

	active(4096, 1000, 400);
	CHECK(add(100, 20) == 0 && add(120, 20) == 0);
	most = core.map.free / 16;
	CHECK(most == 22 && ahead() == most);
	publish();
	/* It has not gone on there: no more for anybody. */
	CHECK(add(500, 10) == 0 && add(510, 10) == 0 && ahead() == 0);
	publish();
	/* It has: that was no waste. */
	CHECK(add(162, 1) == 0);
	most = core.map.free / 16;
	CHECK(ahead() == most);
}

/* The same for those that are given up for others. */
static void test_ahead_given_up(void)
{
	u32 i;

	active(4096, 1000, 400);
	CHECK(add(100, 20) == 0 && add(120, 20) == 0 && ahead() == 22);
	publish();
	for (i = 0; i < BOW_STREAMS; i++)
		CHECK(add(300 + 20 * i, 1) == 0);
	CHECK(add(162, 1) == 0 && add(441, 1) == 0 && ahead() == 0);
}

static void test_ahead_dropped(void)
{
	u64 free;

	active(4096, 1000, 900);
	CHECK(add(100, 8) == 0 && !bow_batch_drop_ahead(&core, &batch));
	publish();
	CHECK(add(108, 8) == 0);
	free = core.map.free;
	CHECK(ahead() == 16 && core.map.free == free - 16);
	CHECK(bow_batch_drop_ahead(&core, &batch));
	CHECK(!bow_batch_drop_ahead(&core, &batch));
	CHECK(batch.copies == 1 && batch.copy[0].blocks == 8);
	CHECK(batch.blocks == 8 && core.map.free == free);
	publish();
	CHECK(bow_map_state(&core.map, 115) == BOW_CHANGED);
	CHECK(bow_map_state(&core.map, 116) == BOW_USED);
	/* Nor is it tried again at once: a block there may be bad. */
	CHECK(add(116, 1) == 0 && ahead() == 0);
	CHECK(core.streams.unreached == 0);
}

/* No log block is filled for a guess: a batch is not longer for it. */
static void test_ahead_in_pieces(void)
{
	u32 i, room;

	start(4096, 1, 1);
	for (i = 1000; i < 2000; i += 2)
		CHECK(bow_map_add_free(&core.map, i, 1) == 0);
	CHECK(activate() == 0);
	bow_batch_begin(&batch);
	CHECK(add(100, 70) == 0 && add(170, 70) == 0);
	room = core.max_entries - le32_to_cpu(bow_core_header(&core)->count) -
	       batch.copies - batch.claims;
	CHECK(batch.copies == 140 && room < core.map.free / 16);
	CHECK(ahead() == room && batch.logs == 0);
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

/* A region of 4 blocks each. */
static void active_regions(u64 first, u64 count)
{
	start(4096, first, count);
	core.claim_shift = 2;
	core.claims_ahead = 4;
	if (activate())
		abort();
	bow_batch_begin(&batch);
}

static u32 claims_ahead(void)
{
	u32 claims = batch.claims;

	bow_batch_ahead(&core, &batch);
	return batch.claims - claims;
}

static void test_claims_ahead(void)
{
	u64 region;

	active_regions(1000, 500);
	CHECK(add(1000, 1) == 0 && batch.claims == 1 && claims_ahead() == 0);
	publish();
	CHECK(add(1004, 4) == 0 && batch.claims == 1 && claims_ahead() == 1);
	publish();
	CHECK(bow_core_write_direct(&core, 1008, 4));
	CHECK(add(1012, 1) == 0 && batch.claims == 1 && claims_ahead() == 3);
	publish();
	CHECK(!bow_core_unclaimed(&core, 1000, 28, &region));
	/* Four at most. */
	CHECK(add(1028, 1) == 0 && batch.claims == 1 && claims_ahead() == 4);
	CHECK(bow_batch_drop_ahead(&core, &batch) && batch.claims == 1);
	publish();
	CHECK(bow_core_unclaimed(&core, 1000, 100, &region) && region == 258);
	CHECK(add(1200, 1) == 0 && claims_ahead() == 0);
}

/* Regions without a free block, claimed ones, those beyond the end. */
static void test_claims_ahead_ends(void)
{
	active_regions(1000, 20);
	CHECK(add(1000, 8) == 0);
	publish();
	CHECK(add(1008, 1) == 0 && claims_ahead() == 2);
	publish();

	active_regions(1000, 20);
	CHECK(add(1000, 16) == 0);
	publish();
	CHECK(add(1016, 1) == 0 && batch.claims == 1 && claims_ahead() == 0);
	publish();

	active_regions(BLOCKS - 16, 16);
	CHECK(add(BLOCKS - 16, 8) == 0);
	publish();
	CHECK(add(BLOCKS - 8, 1) == 0 && claims_ahead() == 1);
	publish();

	active_regions(1000, 500);
	CHECK(add(1000, 8) == 0 && add(1012, 1) == 0);
	publish();
	CHECK(add(1008, 1) == 0 && add(1016, 1) == 0 && batch.claims == 2);
	/* Of two above 1008 both are; one above 1016. */
	CHECK(claims_ahead() == 1);
}

static void test_claims_ahead_share(void)
{
	/* 64 regions of 1 MiB; 4096. */
	start(4096, 1, 10);
	CHECK(core.claims_ahead == 0);
	bow_core_exit(&core);
	CHECK(bow_core_init(&core, 64u << 11, 4096) == 0);
	CHECK(core.claims_ahead == 1);
	bow_core_exit(&core);
	CHECK(bow_core_init(&core, 5ull << 21, 4096) == 0);
	CHECK(core.claims_ahead == 16);
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
	RUN(test_ahead_limits, "... while there is space to waste");
	RUN(test_ahead_given_up, "... counting what was wasted on others");
	RUN(test_ahead_dropped, "... unless a copy fails: then without it");
	RUN(test_ahead_in_pieces, "... in few pieces");
	RUN(test_ahead_of_this_batch, "... of writers of this batch");
	RUN(test_claims_ahead, "regions after claimed ones are claimed ahead");
	RUN(test_claims_ahead_ends, "... those that can be used");
	RUN(test_claims_ahead_share, "... few where there are few");
	RUN(test_ahead_after_reset, "writers of an earlier checkpoint are forgotten");
	bow_core_exit(&core);
	return tap_done();
}
