// SPDX-License-Identifier: GPL-2.0
/*
 * examine.c - is the log sound, and what can still be done with it?
 */
#include "verify.h"

struct watch {
	struct progress progress;
	struct findings *findings;
};

static void on_progress(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct watch *w = ctx;

	progress_report(&w->progress, phase, done, total);
}

static void on_damage(void *ctx, const struct bow_error *e)
{
	struct watch *w = ctx;
	struct findings *f = w->findings;

	if (f->damage && f->damaged < DAMAGE_MAX)
		f->damage[f->damaged] = *e;
	f->damaged++;
}

static int examine_log(struct bow_dev *dev, struct findings *f,
		       const struct bow_monitor *m)
{
	u64 sector;
	int r = bow_log_verify(dev, &f->log, m, &f->e);

	/* Bad backups rule out a rollback, not the rest of the examination. */
	if (!f->log.scanned)
		return r;
	f->can_commit = !bow_commit_find(dev, &f->log, &sector, &f->no_commit);
	if (!r)
		r = bow_plan_make(&f->log, &f->plan, &f->e);
	f->can_roll_back = !r;
	return r;
}

static int examine_device(struct bow_dev *dev, struct findings *f,
			  const struct bow_monitor *m)
{
	int r = bow_log_open(dev, &f->log, &f->e);

	if (r || f->log.state == BOW_STATE_NONE)
		return r;
	if (f->log.state != BOW_STATE_FINISHING)
		return examine_log(dev, f, m);
	r = bow_finish_check(dev, &f->log, &f->e);
	f->can_roll_back = !r && f->log.finish.action == BOW_ACTION_ROLLBACK;
	f->can_commit = !r && f->log.finish.action == BOW_ACTION_COMMIT;
	return r;
}

void examine(struct bow_dev *dev, const struct options *o, struct findings *f)
{
	struct watch w = { .findings = f };
	struct bow_monitor m = {
		.ctx = &w,
		.progress = on_progress,
		.stop = signals_stop,
		.damage = on_damage,
	};

	memset(f, 0, sizeof(*f));
	f->damage = bow_alloc(DAMAGE_MAX * sizeof(*f->damage));
	progress_init(&w.progress, PROGRAM, o->device, o->progress_fd,
		      o->quiet || o->json, false);
	if (examine_device(dev, f, &m))
		f->status = bow_error_exit(&f->e);
	else if (f->log.state == BOW_STATE_NONE)
		f->status = BOW_EXIT_NO_LOG;
	progress_end(&w.progress);
}

void findings_free(struct findings *f)
{
	bow_free(f->damage);
	bow_log_free(&f->log);
}
