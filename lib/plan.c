// SPDX-License-Identifier: GPL-2.0
/*
 * plan.c - what a rollback copies: the map of a scanned log as a list of runs
 */
#include "log.h"
#include "passes.h"

bool bow_plan_next(const struct bow_log *log, u64 target, struct bow_run *run)
{
	u64 first = bow_block_sectors(log->bs);
	u64 end = log->passes ? log->passes->high : UINT64_MAX;
	struct bow_extent x;
	u64 skip;

	/* Block 0 is not copied: replacing it is the end of the restore. */
	if (target < first)
		target = first;
	if (log->passes && target < log->passes->low)
		target = log->passes->low;
	if (target >= end || !bow_where_next(log->where, target, &x) ||
	    x.start >= end)
		return false;
	if (x.sectors > end - x.start)
		x.sectors = end - x.start;
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
	u64 at;

	if (bow_where_any(log->where, place, sectors, &at))
		return bow_bad(e, BOW_WHY_NOT_DISJOINT, at, 0);
	return 0;
}

/* Add what the map holds of the window, or of the device. */
static int add_runs(const struct bow_log *log, struct bow_plan *plan,
		    struct bow_error *e)
{
	struct bow_run run = { 0 };
	int r = bow_places_check(log, e);

	plan->passes++;
	while (!r && bow_plan_next(log, run.target + run.sectors, &run)) {
		plan->copies++;
		plan->bytes += run.sectors << BOW_SECTOR_SHIFT;
		r = check_kept(log, run.place, run.sectors, e);
	}
	return r;
}

int bow_plan_make(const struct bow_log *log, struct bow_plan *plan,
		  struct bow_error *e)
{
	u64 n = bow_block_sectors(log->bs);
	int r;

	memset(plan, 0, sizeof(*plan));
	plan->block0 = bow_where_get(log->where, 0, &n);
	r = check_kept(log, plan->block0, bow_block_sectors(log->bs), e);
	return r ? r : add_runs(log, plan, e);
}

int bow_plan_all(struct bow_dev *dev, struct bow_log *log,
		 const struct bow_monitor *m, struct bow_plan *plan,
		 struct bow_error *e)
{
	int r = bow_window_first(dev, log, m, e);

	if (!r)
		r = bow_plan_make(log, plan, e);
	while (!r && !(r = bow_window_next(dev, log, m, e)))
		r = add_runs(log, plan, e);
	if (r < 0)
		return r;
	if (log->passes && m && m->memory_short)
		m->memory_short(m->ctx, plan->passes);
	return 0;
}
