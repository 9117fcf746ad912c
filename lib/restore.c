// SPDX-License-Identifier: GPL-2.0
/*
 * restore.c - rolling back, committing, and completing what was begun
 *
 * Everything is checked before the first write.  A rollback then writes the
 * mark RESTORING; copies backups, which no copy overwrites, so that all of it
 * can be repeated from the start; and ends by replacing block 0.  A commit is
 * only that end.
 */
#include "copy.h"
#include "log.h"
#include "passes.h"

struct restore {
	struct bow_dev *dev;
	const struct bow_monitor *monitor;
	struct bow_result *result;
	struct bow_error *e;
	struct bow_log log;
	bool dry_run;
	bool force;		/* a commit may go by the newest log block alone */
};

/* ---- the end ---- */

/* Complete a finishing record; commit and rollback differ no more. */
static int complete(struct restore *s, const struct bow_finish *f)
{
	u8 final[BOW_BLOCK_SIZE_MAX];
	int r = bow_end_check(s->dev, f, final, s->e);

	s->result->done = f->action;
	if (r || s->dry_run)
		return r;
	s->result->written = true;
	return bow_end(s->dev, f, final, s->e);
}

static int finish(struct restore *s, enum bow_action action, u64 sector)
{
	const struct bow_header *h = &s->log.header;
	struct bow_finish f = {
		.block_size = s->log.bs,
		.final_sector = sector,
		.action = action,
		.device_sectors = s->log.sectors,
		.created = h->created,
	};
	int r = bow_get(s->dev, sector, s->log.scratch, s->log.bs, s->e);

	if (r)
		return r;
	f.final_csum = bow_crc32(0, s->log.scratch, s->log.bs);
	memcpy(f.checkpoint_id, h->checkpoint_id, sizeof(f.checkpoint_id));
	return complete(s, &f);
}

/* ---- rollback ---- */

/*
 * From here on the device is neither state, and only a rollback may follow:
 * say so durably before the first copy.  Also when the mark is there already:
 * whoever wrote it may have died before it was durable.
 */
static int mark_restoring(struct restore *s)
{
	u8 *block = s->log.scratch;
	u32 magic;
	int r = bow_get(s->dev, 0, block, BOW_SECTOR_SIZE, s->e);

	if (r)
		return r;
	magic = bow_get_le32(block);
	if (magic != BOW_MAGIC_LOG && magic != BOW_MAGIC_RESTORING)
		return bow_bad(s->e, BOW_WHY_NO_LOG, 0, 0);
	bow_put_le32(block, BOW_MAGIC_RESTORING);
	s->result->written = true;
	r = bow_put(s->dev, 0, block, BOW_SECTOR_SIZE, s->e);
	return r ? r : bow_sync(s->dev, s->e);
}

static int prepare_copy(struct restore *s, struct bow_copy *copy,
			struct bow_plan *plan)
{
	int r = bow_copy_init(copy, s->dev, &s->log, plan, s->monitor, s->e);

	if (!bow_passes_instead(&s->log, r, s->e))
		return r;
	bow_copy_free(copy);
	r = bow_log_scan(s->dev, &s->log, NULL, s->e);
	if (!r)
		r = bow_plan_all(s->dev, &s->log, s->monitor, plan, s->e);
	s->result->passes = plan->passes;
	return r ? r : bow_copy_init(copy, s->dev, &s->log, plan, s->monitor,
				     s->e);
}

static int copy_back(struct restore *s, struct bow_plan *plan)
{
	struct bow_copy copy;
	int r = prepare_copy(s, &copy, plan);

	if (!r)
		r = bow_window_first(s->dev, &s->log, s->monitor, s->e);
	if (!r)
		r = mark_restoring(s);
	if (!r)
		r = bow_stopped(s->monitor, s->e);
	if (!r)
		r = bow_copy_run(&copy, s->e);
	bow_copy_free(&copy);
	return r;
}

static int roll_back(struct restore *s)
{
	struct bow_plan plan;
	int r = bow_rollback_check(s->dev, &s->log, s->monitor, &plan, s->e);

	if (r)
		return r;
	s->result->bytes = plan.bytes;
	s->result->copies = plan.copies;
	s->result->passes = plan.passes;
	s->result->log_blocks = s->log.log_blocks;
	s->result->entries = s->log.entries;
	if (!s->dry_run)
		r = copy_back(s, &plan);
	return r ? r : finish(s, BOW_ACTION_ROLLBACK, plan.block0);
}

/* ---- commit ---- */

static int commit(struct restore *s)
{
	u64 sector = 0;
	int r = bow_commit_check(s->dev, &s->log, s->monitor, &sector,
				 s->e);

	if (s->force && (r == -EUCLEAN || r == -EIO)) {
		memset(s->e, 0, sizeof(*s->e));
		r = bow_commit_check_newest(s->dev, &s->log, &sector, s->e);
		s->result->forced = !r;
	}
	s->result->log_blocks = s->log.log_blocks;
	s->result->entries = s->log.entries;
	return r ? r : finish(s, BOW_ACTION_COMMIT, sector);
}

/* ---- the call ---- */

static int act(struct restore *s, enum bow_action action)
{
	int r;

	s->result->found = s->log.state;
	s->result->torn = s->log.torn;
	s->result->header = s->log.header;
	s->result->finish = s->log.finish;
	s->result->done = action;
	s->result->resumed = s->log.state == BOW_STATE_RESTORING ||
			     s->log.state == BOW_STATE_FINISHING;
	switch (s->log.state) {
	case BOW_STATE_NONE:
		return bow_fail(s->e, -ENODATA, BOW_WHY_NO_LOG, 0, 0);
	case BOW_STATE_FINISHING:
		r = complete(s, &s->log.finish);
		if (!r && s->log.finish.action != action)
			r = bow_fail(s->e, -EPERM,
				     s->dry_run ? BOW_WHY_OTHER_UNDER_WAY :
						  BOW_WHY_OTHER_ACTION, 0, 0);
		return r;
	default:
		return action == BOW_ACTION_COMMIT ? commit(s) : roll_back(s);
	}
}

static int restore(struct restore *s, enum bow_action action)
{
	int r;

	memset(s->result, 0, sizeof(*s->result));
	r = bow_log_open(s->dev, &s->log, s->e);
	s->log.frugal = true;
	if (!r)
		r = act(s, action);
	bow_log_free(&s->log);
	return r;
}

int bow_restore(struct bow_dev *dev, enum bow_action action, bool dry_run,
		const struct bow_monitor *m, struct bow_result *result,
		struct bow_error *e)
{
	struct restore s = {
		.dev = dev, .monitor = m, .result = result, .e = e,
		.dry_run = dry_run,
	};

	return restore(&s, action);
}

int bow_commit_force(struct bow_dev *dev, bool dry_run,
		     const struct bow_monitor *m, struct bow_result *result,
		     struct bow_error *e)
{
	struct restore s = {
		.dev = dev, .monitor = m, .result = result, .e = e,
		.dry_run = dry_run, .force = true,
	};

	return restore(&s, BOW_ACTION_COMMIT);
}
