// SPDX-License-Identifier: GPL-2.0
/*
 * examine.c - is the log sound, and what can still be done with it?
 *
 * What can be done is asked of the same code that does it.
 */
#include "freemap.h"
#include "live.h"
#include "log.h"
#include "resume.h"
#include "verify.h"

/* For a log that grows under the examination. */
#define TRIES_MAX 10

struct watch {
	struct progress progress;
	const char *device;
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

static void on_memory_short(void *ctx, u64 passes)
{
	const struct watch *w = ctx;

	message_memory_short(PROGRAM, w->device, passes, w->progress.bar);
}

/*
 * Neither a log that only a rollback may follow nor one whose present state
 * cannot be told for sure is damaged by that.
 */
static bool is_refusal(const struct bow_error *e)
{
	return e->why == BOW_WHY_COMMIT_RESTORING ||
	       e->why == BOW_WHY_COMMIT_UNSURE;
}

/* ---- where in the log something is that was found in all of it ---- */

static void set_place(struct bow_error *e, u32 sequence, u32 entry)
{
	e->in_block = e->in_entry = true;
	e->sequence = sequence;
	e->entry = entry;
}

/* The newest entry that puts the sector back. */
static int find_source(void *ctx, const struct bow_log *log, u32 sequence,
		       u32 index, const struct bow_entry *entry,
		       enum bow_entry_kind kind, struct bow_error *e)
{
	struct bow_error *found = ctx;

	(void)log;
	(void)kind;
	(void)e;
	if (!found->in_entry && !bow_entry_is_claim(entry) &&
	    found->value >= entry->source &&
	    found->value - entry->source < entry->size >> BOW_SECTOR_SHIFT)
		set_place(found, sequence, index);
	return 0;
}

static void locate(struct bow_dev *dev, struct findings *f,
		   const struct bow_monitor *m)
{
	struct bow_monitor quiet = bow_quiet(m);
	struct bow_error unused = { 0 };

	if (f->e.in_block)
		return;
	/* The old block 0 is what the oldest entry says. */
	if (f->e.why == BOW_WHY_FINAL_LOG)
		set_place(&f->e, 0, 0);
	/* The newest of several, where a block is backed up again. */
	if ((f->e.why == BOW_WHY_NOT_DISJOINT ||
	     f->e.why == BOW_WHY_SOURCE_TWICE ||
	     f->e.why == BOW_WHY_LATER_BACKUP) && f->log.scanned)
		bow_log_walk(dev, &f->log, find_source, &f->e, &quiet, &unused);
}

static int examine_commit(struct bow_dev *dev, struct findings *f,
			  const struct bow_monitor *m)
{
	struct bow_monitor quiet = bow_quiet(m);
	u64 sector;
	int r = bow_commit_check(dev, &f->log, &quiet, &sector, &f->no_commit);

	f->can_commit = !r;
	if (!r || f->e.why != BOW_WHY_NONE || is_refusal(&f->no_commit))
		return 0;
	f->e = f->no_commit;
	/* Only the newest header counts. */
	if (f->e.why == BOW_WHY_SECTOR0 && !f->e.in_block) {
		f->e.in_block = true;
		f->e.sequence = f->log.newest.sequence;
	}
	return r;
}

static int examine_log(struct bow_dev *dev, struct findings *f,
		       const struct bow_monitor *m)
{
	int r = bow_rollback_check(dev, &f->log, m, &f->plan, &f->e);
	int also;

	f->can_roll_back = !r;
	if (r == -EINTR)
		return r;
	if (r == -EUCLEAN)
		locate(dev, f, m);
	also = examine_commit(dev, f, m);
	return r ? r : also;
}

/* Going on with the checkpoint needs the free map; a rollback does not. */
static int examine_map(struct bow_dev *dev, struct findings *f)
{
	struct bow_blocks blocks = { 0 };
	int r;

	if (!f->log.scanned || !(f->log.newest.flags & BOW_FLAG_FREE_MAP))
		return 0;
	if (bow_blocks_init(&blocks, f->log.sectors /
					     bow_block_sectors(f->log.bs)))
		return bow_no_memory(&f->map);
	r = bow_free_map_read(dev, &f->log, &blocks, &f->map);
	bow_blocks_free(&blocks);
	return r;
}

/*
 * A reason to refuse it is not damage; what is wrong with its own data is, and
 * what cannot be read tells nothing.
 */
static int examine_resume(struct bow_dev *dev, struct findings *f,
			  const struct bow_monitor *m)
{
	struct bow_monitor quiet = bow_quiet(m);
	struct bow_resume resume;
	int r;

	if (f->log.state != BOW_STATE_ACTIVE || !f->log.scanned)
		return 0;
	r = bow_resume_open(dev, &resume, &quiet, &f->no_resume);
	bow_resume_free(&resume);
	f->can_resume = !r && f->can_roll_back;
	if (f->map.why == BOW_WHY_NONE &&
	    (f->no_resume.why >= BOW_WHY_CLAIM_SHIFT ||
	     f->no_resume.why == BOW_WHY_IO_READ))
		f->map = f->no_resume;
	return f->map.err;
}

static int examine_fs(struct bow_dev *dev, struct findings *f,
		      const struct bow_monitor *m, struct bow_error *e)
{
	/* What could not be followed, chain or record, leads to no view. */
	if (f->log.state == BOW_STATE_FINISHING ? f->e.why != BOW_WHY_NONE :
						  !f->log.scanned)
		return 0;
	return fs_examine(&f->fs, dev, &f->log, f->live, m, e);
}

/* What programs and libraries take beside the map, MiB. */
#define MEMORY_REST 24u

/*
 * The log alone can be examined in passes; all else needs the map in one piece.
 * That the map fits, and the rest does not, is said in the same way.
 */
static void leave_out_fs(struct findings *f)
{
	struct fs_view *old = &f->fs.old;
	u64 map = (f->log.entries * BOW_WHERE_RUN_BYTES >> 20) + 1;
	u64 bitmaps = f->log.sectors >> 24;

	if (!f->can_resume && f->no_resume.why == BOW_WHY_NONE)
		bow_no_memory(&f->no_resume);
	fs_free(&f->fs);
	memset(&f->fs, 0, sizeof(f->fs));
	old->verdict = FS_NOT_CHECKED;
	snprintf(old->reason, sizeof(old->reason),
		 "not enough memory, it needs about %llu MiB",
		 (unsigned long long)(map + bitmaps + MEMORY_REST));
}

static int examine_device(struct bow_dev *dev, struct findings *f,
			  const struct bow_monitor *m)
{
	int r = bow_log_open(dev, &f->log, &f->e);

	f->log.frugal = true;
	if (r || f->log.state == BOW_STATE_NONE)
		return r;
	if (f->log.state != BOW_STATE_FINISHING)
		return examine_log(dev, f, m);
	r = bow_finish_check(dev, &f->log, &f->e);
	f->can_roll_back = !r && f->log.finish.action == BOW_ACTION_ROLLBACK;
	f->can_commit = !r && f->log.finish.action == BOW_ACTION_COMMIT;
	return r;
}

/* The log alone decides what can be done; the rest is told beside it. */
static enum bow_exit examine_all(struct bow_dev *dev, struct findings *f,
				 const struct bow_monitor *m)
{
	enum bow_exit status = BOW_EXIT_OK;
	struct bow_error e = { 0 };
	int r;

	if (examine_device(dev, f, m))
		status = bow_error_exit(&f->e);
	else if (f->log.state == BOW_STATE_NONE)
		return BOW_EXIT_NO_LOG;
	if (status != BOW_EXIT_OK && status != BOW_EXIT_DAMAGED)
		return status;
	if (f->log.passes) {
		leave_out_fs(f);
		return status;
	}
	r = examine_map(dev, f);
	if (!r)
		r = examine_resume(dev, f, m);
	if (r && r != -ENOMEM && status == BOW_EXIT_OK)
		status = bow_error_exit(&f->map);
	if (status != BOW_EXIT_OK && status != BOW_EXIT_DAMAGED)
		return status;
	r = examine_fs(dev, f, m, &e);
	if (r == -ENOMEM)
		leave_out_fs(f);
	else if (r && f->e.why == BOW_WHY_NONE)
		f->e = e;
	if (r && r != -ENOMEM)
		return bow_error_exit(&f->e);
	return fs_is_bad(&f->fs) ? BOW_EXIT_DAMAGED : status;
}

static void examine_once(struct bow_dev *dev, const struct options *o,
			 bool is_live, struct findings *f)
{
	struct watch w = { .findings = f, .device = o->device };
	struct bow_monitor m = {
		.ctx = &w,
		.progress = on_progress,
		.stop = signals_stop,
		.damage = on_damage,
		.memory_short = on_memory_short,
	};

	memset(f, 0, sizeof(*f));
	f->live = is_live;
	f->damage = bow_alloc(DAMAGE_MAX * sizeof(*f->damage));
	progress_init(&w.progress, PROGRAM, o->device, o->progress_fd,
		      o->quiet || o->json, false);
	f->status = examine_all(dev, f, &m);
	progress_end(&w.progress);
}

/*
 * A log that grows while it is read is sound if what was read of it is: later
 * entries change nothing of that.  But a backup that was moved away meanwhile
 * looks like a damaged one.
 */
void examine(struct bow_dev *dev, const struct options *o, struct findings *f)
{
	struct live live = { .dev = dev };
	int tries = TRIES_MAX;
	bool is_live, again;

	do {
		is_live = live_is(o->device);
		again = is_live && !live_look(&live);
		examine_once(dev, o, is_live, f);
		again = again && f->status == BOW_EXIT_DAMAGED && --tries &&
			live_changed(&live) == 1;
		if (again)
			findings_free(f);
	} while (again);
}

void findings_free(struct findings *f)
{
	bow_free(f->damage);
	fs_free(&f->fs);
	bow_log_free(&f->log);
}
