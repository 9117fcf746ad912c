// SPDX-License-Identifier: GPL-2.0
/*
 * check.c - all that is to be true before the first write of a rollback or of a
 * commit
 *
 * bow-restore and bow-verify both ask here: what the one calls possible, the
 * other does.
 */
#include "log.h"

static int check_final(struct bow_dev *dev, struct bow_log *log, u64 sector,
		       struct bow_error *e)
{
	int r = bow_get(dev, sector, log->scratch, log->bs, e);

	return r ? r : bow_end_no_log(log->scratch, sector, e);
}

static int check_rollback(struct bow_dev *dev, struct bow_log *log,
			  const struct bow_monitor *m, struct bow_plan *plan,
			  struct bow_error *e)
{
	int r = bow_log_verify(dev, log, m, e);

	if (!r)
		r = bow_plan_all(dev, log, m, plan, e);
	return r ? r : check_final(dev, log, plan->block0, e);
}

/*
 * A lowered count says that a v1.0 tool has undone the entries above it, or
 * that the count is wrong.  Undoing them again is right in both cases, if all
 * that they saved is still there; when it is not, the tool was at work, and
 * what does not match is no damage.
 */
int bow_rollback_check(struct bow_dev *dev, struct bow_log *log,
		       const struct bow_monitor *m, struct bow_plan *plan,
		       struct bow_error *e)
{
	struct bow_header *h = &log->newest;
	struct bow_header lowered = *h;
	struct bow_monitor quiet = { 0 };
	int r;

	if (!h->undone)
		return check_rollback(dev, log, m, plan, e);
	if (m)
		quiet = *m;
	quiet.damage = NULL;
	h->count += h->undone;
	r = check_rollback(dev, log, &quiet, plan, e);
	if (r != -EUCLEAN)
		return r;
	*h = lowered;
	memset(e, 0, sizeof(*e));
	return check_rollback(dev, log, m, plan, e);
}

int bow_commit_check(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, u64 *sector,
		     struct bow_error *e)
{
	int r = log->scanned ? 0 : bow_log_scan(dev, log, m, e);

	if (!r)
		r = bow_commit_find(dev, log, sector, e);
	return r ? r : check_final(dev, log, *sector, e);
}

int bow_commit_check_newest(struct bow_dev *dev, struct bow_log *log, u64 *sector,
			    struct bow_error *e)
{
	int r;

	if (log->newest.version != BOW_VERSION_1_1)
		return bow_fail(e, -EPERM, BOW_WHY_FORCE_VERSION, 0, 0);
	r = bow_commit_find(dev, log, sector, e);
	/* No move was followed that would show the place to be right. */
	if (!r && log->newest.flags & BOW_FLAG_GUARD &&
	    !bow_has_ext_superblock(log->scratch, log->bs))
		r = bow_bad(e, BOW_WHY_COMMIT_UNSURE, *sector, 0);
	return r ? r : check_final(dev, log, *sector, e);
}
