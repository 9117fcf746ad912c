// SPDX-License-Identifier: GPL-2.0
/*
 * plan.c - what a rollback copies: the map of a scanned log as a list of runs
 */
#include "log.h"

bool bow_plan_next(const struct bow_log *log, u64 target, struct bow_run *run)
{
	u64 first = bow_block_sectors(log->bs);
	struct bow_extent x;
	u64 skip;

	/* Block 0 is not copied: replacing it is the end of the restore. */
	if (target < first)
		target = first;
	if (!bow_where_next(log->where, target, &x))
		return false;
	skip = x.start < target ? target - x.start : 0;
	run->target = x.start + skip;
	run->place = x.place + skip;
	run->sectors = x.sectors - skip;
	return true;
}

/*
 * Is nothing that [place, place + sectors) holds overwritten by the plan?
 * Then the copies can be made in any order, and again after an interruption.
 */
static int check_kept(const struct bow_log *log, u64 place, u64 sectors,
		      struct bow_error *e)
{
	struct bow_extent x;

	if (bow_where_next(log->where, place, &x) &&
	    x.start < place + sectors)
		return bow_bad(e, BOW_WHY_NOT_DISJOINT,
			       x.start > place ? x.start : place, 0);
	return 0;
}

int bow_plan_make(const struct bow_log *log, struct bow_plan *plan,
		  struct bow_error *e)
{
	u64 n = bow_block_sectors(log->bs);
	struct bow_run run = { 0 };
	int r;

	memset(plan, 0, sizeof(*plan));
	plan->block0 = bow_where_get(log->where, 0, &n);
	r = check_kept(log, plan->block0, bow_block_sectors(log->bs), e);
	while (!r && bow_plan_next(log, run.target + run.sectors, &run)) {
		plan->copies++;
		plan->bytes += run.sectors << BOW_SECTOR_SHIFT;
		r = check_kept(log, run.place, run.sectors, e);
	}
	return r;
}
