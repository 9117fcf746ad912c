// SPDX-License-Identifier: GPL-2.0
/*
 * test_plan.c - what is copied where, and which logs have no plan
 */
#include "../tap.h"
#include "memdev.h"
#include "passes.h"

static struct memlog l;
static struct memdev m;
static struct bow_log log_;
static struct bow_error e;
static struct bow_plan plan;

/* Scan what was built in l and make the plan. */
static int make_plan(void)
{
	int r;

	log_seal(&l);
	mem_init(&m, l.img);
	bow_log_free(&log_);
	r = bow_log_open(&m.dev, &log_, &e);
	if (!r)
		r = bow_log_scan(&m.dev, &log_, NULL, &e);
	return r ? r : bow_plan_make(&log_, &plan, &e);
}

/* The same of what was torn so. */
static int plan_torn(enum bow_torn torn)
{
	mem_init(&m, l.img);
	bow_log_free(&log_);
	if (bow_log_open(&m.dev, &log_, &e) || log_.torn != torn ||
	    bow_log_scan(&m.dev, &log_, NULL, &e))
		return -EINVAL;
	return bow_plan_make(&log_, &plan, &e);
}

static void runs_are_merged(void)
{
	struct bow_run run;

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 11, LOG_PLACE + 1);
	log_backup(&l, 10, LOG_PLACE);
	log_backup(&l, 12, LOG_PLACE + 2);
	log_backup(&l, 30, LOG_PLACE + 9);
	CHECK(!make_plan());
	CHECK(plan.copies == 2 && plan.bytes == 4 * MEM_BS);
	CHECK(plan.block0 == LOG_BACKUP0 * 8);
	CHECK(bow_plan_next(&log_, 0, &run));
	CHECK(run.target == 80 && run.place == LOG_PLACE * 8);
	CHECK(run.sectors == 24);
	CHECK(bow_plan_next(&log_, 90, &run));
	CHECK(run.target == 90 && run.place == LOG_PLACE * 8 + 10);
	CHECK(run.sectors == 14);
	CHECK(bow_plan_next(&log_, 104, &run) && run.target == 240);
	CHECK(!bow_plan_next(&log_, 248, &run));
}

/* Of a run that begins or ends outside, a window has its part. */
static void runs_end_at_windows(void)
{
	static struct bow_passes window = { .low = 88, .high = 96 };
	struct bow_run run, next;
	bool inside, outside;

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 10, LOG_PLACE);
	log_backup(&l, 11, LOG_PLACE + 1);
	log_backup(&l, 12, LOG_PLACE + 2);
	CHECK(!make_plan() && plan.copies == 1);
	log_.passes = &window;
	inside = bow_plan_next(&log_, 0, &run);
	outside = bow_plan_next(&log_, 96, &next);
	log_.passes = NULL;
	CHECK(inside && !outside && run.sectors == 8);
	CHECK(run.target == 88 && run.place == LOG_PLACE * 8 + 8);
}

static void nothing_to_copy(void)
{
	struct bow_run run;

	log_begin(&l, BOW_HEADER_SIZE);
	CHECK(!make_plan());
	CHECK(plan.copies == 0 && plan.bytes == 0);
	CHECK(!bow_plan_next(&log_, 0, &run));
}

/* Block 0 and block 1 may be one run of the map; block 0 is still apart. */
static void block_0_is_left_out(void)
{
	struct bow_run run;

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 1, LOG_BACKUP0 + 1);
	CHECK(!make_plan());
	CHECK(plan.copies == 1 && plan.bytes == MEM_BS);
	CHECK(bow_plan_next(&log_, 0, &run));
	CHECK(run.target == 8 && run.sectors == 8);
}

static void backups_are_no_targets(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE);
	log_backup(&l, LOG_PLACE, LOG_PLACE + 1);
	log_backup(&l, LOG_PLACE + 1, LOG_PLACE + 2);
	CHECK(!make_plan());
	CHECK(plan.copies == 1 && plan.bytes == MEM_BS);
}

/* A backup in a block that must be put back itself. */
static void not_disjoint(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 4, LOG_PLACE);
	log_backup(&l, 3, 4);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_NOT_DISJOINT && e.value == 32);
}

/* Of a backup of two blocks, the second must be put back. */
static void not_disjoint_in_part(void)
{
	struct bow_entry_disk two = {
		.source = cpu_to_le64(20 * 8), .dest = cpu_to_le64(30 * 8),
		.size = cpu_to_le32(2 * MEM_BS),
	};

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 31, LOG_PLACE);
	log_entry(&l, 20, 30, 0);
	memcpy(l.img + BOW_HEADER_SIZE + 2 * BOW_ENTRY_SIZE, &two, sizeof(two));
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_NOT_DISJOINT && e.value == 31 * 8);
}

/* Block 0 of D0 is where something else must be put back. */
static void block_0_is_not_kept(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, LOG_PLACE, LOG_PLACE + 1);
	log_backup(&l, LOG_BACKUP0, LOG_PLACE);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_NOT_DISJOINT && e.value == LOG_PLACE * 8);
}

/*
 * Block 20 is put back, and holds what is needed until then.  None of these logs
 * overwrites what the plan itself reads; but who is interrupted reads more again:
 * all of the log, and each backup.
 */
static void log_block_is_not_kept(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_header(&l)->next_log = cpu_to_le64(20 * 8);
	log_backup(&l, 20, LOG_PLACE);
	log_roll_over(&l, LOG_NEXT);
	log_backup(&l, 3, LOG_PLACE + 1);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LOG_NOT_KEPT && e.value == 20 * 8);
	CHECK(e.in_block && e.sequence == 0 && !e.in_entry);
}

/* The log block that counts is the copy, as block 0 was torn. */
static void torn_log_block_is_not_kept(void)
{
	u8 old[MEM_BS], new[MEM_BS];
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	log_header(&l)->next_log = cpu_to_le64(20 * 8);
	for (i = 0; i < 40; i++)
		log_backup(&l, 20 + i, LOG_PLACE + i);
	log_roll_over(&l, LOG_NEXT);
	memcpy(old, mem_block(l.img, 20), MEM_BS);
	for (; i < 80; i++)
		log_backup(&l, 20 + i, LOG_PLACE + i);
	log_seal(&l);
	memcpy(new, l.img, MEM_BS);

	/* Its header got through, or a part of its entries. */
	log_tear(&l, old);
	CHECK(plan_torn(BOW_TORN_ROLLOVER_NEW) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LOG_NOT_KEPT && e.value == 20 * 8);
	CHECK(e.in_block && e.sequence == 0);
	memcpy(l.img, old, BOW_SECTOR_SIZE);
	memcpy(l.img + BOW_SECTOR_SIZE, new + BOW_SECTOR_SIZE, BOW_SECTOR_SIZE);
	CHECK(plan_torn(BOW_TORN_ROLLOVER_OLD) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LOG_NOT_KEPT && e.value == 20 * 8);
}

/* The first log block is long, the places of all are remembered. */
static void log_blocks_are_kept(void)
{
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	for (i = 0; i < 100; i++) {
		log_backup(&l, 1 + i, LOG_PLACE + i);
		log_roll_over(&l, LOG_PLACE + 101 + i);
	}
	CHECK(!make_plan() && plan.bytes == 100 * MEM_BS);
	CHECK(log_.log_blocks == 101);
}

/* What the plan does without is read again all the same. */
static void backed_up_twice(void)
{
	struct bow_run run;

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 20, LOG_PLACE);
	log_backup(&l, 3, LOG_PLACE + 1);
	log_backup(&l, 3, 20);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LATER_BACKUP && e.value == 3 * 8 &&
	      e.limit == 20 * 8);

	/* The older one counts. */
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE + 1);
	log_backup(&l, 3, LOG_PLACE);
	CHECK(!make_plan() && plan.copies == 1);
	CHECK(bow_plan_next(&log_, 0, &run) && run.target == 3 * 8 &&
	      run.place == (LOG_PLACE + 1) * 8);
}

/* Of the six runs of an older entry one is written over; what is between is not. */
static void many_backed_up_twice(void)
{
	struct bow_entry_disk all = {
		.source = cpu_to_le64(30 * 8),
		.dest = cpu_to_le64((u64)LOG_PLACE * 8),
		.size = cpu_to_le32(12 * MEM_BS),
	};
	bool over;
	u64 k;

	for (over = false;; over = true) {
		log_begin(&l, BOW_HEADER_SIZE);
		log_entry(&l, 30, LOG_PLACE, 0);
		memcpy(l.img + BOW_HEADER_SIZE + BOW_ENTRY_SIZE, &all, sizeof(all));
		log_backup(&l, over ? 20 : 21, LOG_PLACE + 30);
		for (k = 0; k < 6; k++)
			log_backup(&l, 30 + 2 * k,
				   k == 4 ? 20 : LOG_PLACE + 20 + k);
		if (over)
			break;
		CHECK(!make_plan() && plan.bytes == 13 * MEM_BS);
	}
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LATER_BACKUP && e.value == 38 * 8 &&
	      e.limit == 20 * 8);
}

/* Of two blocks, the second. */
static void backed_up_twice_in_part(void)
{
	struct bow_entry_disk two = {
		.source = cpu_to_le64(30 * 8), .dest = cpu_to_le64(40 * 8),
		.size = cpu_to_le32(2 * MEM_BS),
	};

	log_begin(&l, BOW_HEADER_SIZE);
	log_entry(&l, 20, 30, 0);
	memcpy(l.img + BOW_HEADER_SIZE + BOW_ENTRY_SIZE, &two, sizeof(two));
	log_backup(&l, 29, LOG_PLACE);
	log_backup(&l, 32, LOG_PLACE + 1);
	log_backup(&l, 20, LOG_PLACE + 2);
	log_backup(&l, 31, 20);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LATER_BACKUP && e.value == 31 * 8 &&
	      e.limit == 20 * 8);
}

/* A free block may be: it was given a backup in between. */
static void moved_twice(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE);
	log_backup(&l, LOG_PLACE, LOG_PLACE + 1);
	log_backup(&l, 4, LOG_PLACE);
	log_backup(&l, LOG_PLACE, LOG_PLACE + 2);
	/* And back again, as that is free once more. */
	log_backup(&l, LOG_PLACE + 2, LOG_PLACE);
	CHECK(!make_plan() && plan.bytes == 2 * MEM_BS);
}

/* A block that was in use gets back what it held, and not as it was first. */
static void moved_back(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE);
	log_backup(&l, LOG_PLACE, 3);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_NOT_DISJOINT && e.value == 3 * 8);

	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE + 1);
	log_backup(&l, 3, LOG_PLACE);
	log_backup(&l, LOG_PLACE, 3);
	CHECK(make_plan() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_LATER_BACKUP && e.value == 3 * 8);
}

/* What was built in l, as v1.0: not the checksum of v1.1, but its large header. */
static int scan_v1_0(void)
{
	log_header(&l)->header_version = cpu_to_le16(BOW_VERSION_1_0);
	log_seal(&l);
	log_header(&l)->header_csum = 0;
	mem_init(&m, l.img);
	bow_log_free(&log_);
	if (bow_log_open(&m.dev, &log_, &e))
		return -EINVAL;
	return bow_log_scan(&m.dev, &log_, NULL, &e);
}

static void v1_0_claims_are_overlaps(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_entry(&l, 300, 300, 0);
	CHECK(scan_v1_0() == -EUCLEAN);
	CHECK(e.why == BOW_WHY_OVERLAP && e.in_entry && e.entry == 1);
}

/* Nothing else tells that a source has changed. */
static void v1_0_backs_up_once(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 3, LOG_PLACE + 1);
	log_backup(&l, 3, LOG_PLACE);
	CHECK(!scan_v1_0());
	CHECK(bow_plan_make(&log_, &plan, &e) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_SOURCE_TWICE && e.value == 3 * 8);
}

int main(void)
{
	RUN(runs_are_merged, "plan: neighbours are merged and sorted");
	RUN(runs_end_at_windows, "plan: a window ends a run");
	RUN(nothing_to_copy, "plan: an empty checkpoint needs no copy");
	RUN(block_0_is_left_out, "plan: block 0 is not among the copies");
	RUN(backups_are_no_targets, "plan: moved backups are not put back");
	RUN(not_disjoint, "plan: a log that would eat its backups is refused");
	RUN(not_disjoint_in_part, "plan: or a part of one");
	RUN(block_0_is_not_kept, "plan: or block 0 as it was");
	RUN(log_block_is_not_kept, "plan: or a log block");
	RUN(torn_log_block_is_not_kept, "plan: or the one that counts");
	RUN(log_blocks_are_kept, "plan: many log blocks are in nobody's way");
	RUN(backed_up_twice, "plan: a later backup of a block is kept as well");
	RUN(many_backed_up_twice, "plan: or several of a run");
	RUN(backed_up_twice_in_part, "plan: or one of several");
	RUN(moved_twice, "plan: a free block may have held several backups");
	RUN(moved_back, "plan: one that was in use holds none");
	RUN(v1_0_claims_are_overlaps, "plan: v1.0 knows no claims");
	RUN(v1_0_backs_up_once, "plan: v1.0 backs up a block once");
	bow_log_free(&log_);
	return tap_done();
}
