// SPDX-License-Identifier: GPL-2.0
/*
 * recover.c - libbow on the state that a power cut left, itself cut up to three
 * times, and what must come out
 */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define CUTS_MAX 3u

/* ---- the disk, as libbow sees it ---- */

static struct sim *sim_of(struct bow_dev *dev)
{
	return dev->priv;
}

static int dev_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	struct examiner *ex = &sim_of(dev)->ex;

	if (ex->off)
		return -EIO;
	memcpy(buf, ex->disk.view + offset, bytes);
	return 0;
}

static int dev_write(struct bow_dev *dev, u64 offset, const void *buf,
		     size_t bytes)
{
	struct sim *sim = sim_of(dev);
	struct examiner *ex = &sim->ex;
	struct io *io;

	if (ex->off)
		return -EIO;
	io = disk_submit_bytes(&ex->disk, offset, buf, bytes, false);
	ex->writes++;
	if (ex->cutting && one_in(&ex->rng, ex->one_in)) {
		ex->off = true;
		return -EIO;
	}
	disk_complete(&ex->disk, io, NULL);
	return 0;
}

static int dev_flush(struct bow_dev *dev)
{
	struct examiner *ex = &sim_of(dev)->ex;

	if (ex->off)
		return -EIO;
	disk_flush(&ex->disk);
	return 0;
}

static int dev_close(struct bow_dev *dev)
{
	(void)dev;
	return 0;
}

static const struct bow_dev_ops ops = {
	.read = dev_read,
	.write = dev_write,
	.flush = dev_flush,
	.close = dev_close,
};

static struct bow_dev device(struct sim *sim)
{
	return (struct bow_dev){
		.ops = &ops,
		.priv = sim,
		.size = (u64)sim->cells * sim->cfg->unit,
		.unit = sim->cfg->unit,
	};
}

/* ---- calls of libbow ---- */

/* The last failure, for the reason that is reported. */
static char text[256];

const char *recover_say(const char *what, int r, const struct bow_error *e)
{
	char why[160];

	bow_error_text(e, why, sizeof(why));
	snprintf(text, sizeof(text), "%s: %d: %s", what, r, why);
	return text;
}

int recover_run(struct sim *sim, enum bow_action action, bool dry_run,
		struct bow_error *e)
{
	struct bow_dev dev = device(sim);
	struct bow_result result;

	sim->ex.writes = 0;
	memset(e, 0, sizeof(*e));
	return bow_restore(&dev, action, dry_run, NULL, &result, e);
}

int recover_look(struct sim *sim, enum bow_state *state,
		 enum bow_action *finishing, struct bow_error *e)
{
	struct bow_dev dev = device(sim);
	struct bow_log log;
	int r;

	memset(e, 0, sizeof(*e));
	sim->ex.writes = 0;
	r = bow_log_open(&dev, &log, e);
	*state = log.state;
	*finishing = log.finish.action;
	sim->cov->torn += !r && log.torn != BOW_TORN_NONE;
	bow_log_free(&log);
	return r;
}

static const char *look(struct sim *sim, enum bow_state *state,
			enum bow_action *finishing)
{
	struct bow_error e;
	int r = recover_look(sim, state, finishing, &e);

	return r ? recover_say("block 0 is not understood", r, &e) : NULL;
}

/* ---- what may be found ---- */

bool recover_may_find(const struct sim *sim, enum bow_state found)
{
	bool log = bow_get_le32(sim->disk.safe) == BOW_MAGIC_LOG;

	switch (sim->model.phase) {
	case PHASE_NONE:
		return found == BOW_STATE_NONE;
	case PHASE_ACTIVATING:
		return found == BOW_STATE_ACTIVE ||
		       (found == BOW_STATE_NONE && !log);
	case PHASE_ACTIVE:
		return found == BOW_STATE_ACTIVE;
	case PHASE_COMMITTING:
		/* A block 0 of one sector needs no record. */
		return found == BOW_STATE_ACTIVE ||
		       found == (sim->cfg->bs == BOW_SECTOR_SIZE ?
					 BOW_STATE_NONE :
					 BOW_STATE_FINISHING);
	case PHASE_CLOSING:
		return found == BOW_STATE_FINISHING || found == BOW_STATE_NONE;
	case PHASE_UNDOING:
		return found != BOW_STATE_RESTORING;
	}
	return false;
}

/* ---- one state ---- */

struct recovery {
	enum bow_state found;
	enum bow_action action;
	bool opposite;		/* asked for what the record does not say */
	bool cut;		/* power was cut at least once */
};

/*
 * Power is back after a cut.  What was begun cannot be undone; what was not can
 * still be decided the other way.
 */
static const char *after_cut(struct sim *sim, struct recovery *rec)
{
	enum bow_action other;
	enum bow_state state;
	struct bow_error e;
	const char *why;

	sim->cov->recovery_cuts++;
	sim->ex.off = false;
	disk_cut(&sim->ex.disk, &sim->ex.rng);
	why = look(sim, &state, &other);
	if (!why && state == BOW_STATE_ACTIVE && one_in(&sim->ex.rng, 4))
		rec->action = one_in(&sim->ex.rng, 2) ? BOW_ACTION_COMMIT :
							BOW_ACTION_ROLLBACK;
	if (why || state != BOW_STATE_RESTORING)
		return why;
	if (rec->action == BOW_ACTION_COMMIT)
		return "a commit left a rollback";
	if (!recover_run(sim, BOW_ACTION_COMMIT, false, &e) || sim->ex.writes)
		return "a rollback that has begun was committed";
	return NULL;
}

static bool good(const struct recovery *rec, int r)
{
	if (rec->opposite && r == -EPERM)
		return true;
	return r == 0 || (rec->cut && r == -ENODATA);
}

/* Until it is done, cut at random at most CUTS_MAX times. */
static const char *complete(struct sim *sim, struct recovery *rec)
{
	struct examiner *ex = &sim->ex;
	u32 cuts = rng_below(&ex->rng, CUTS_MAX + 1);
	struct bow_error e;
	const char *why = NULL;
	int r = -EIO;

	while (cuts-- && r && !why) {
		ex->cutting = true;
		ex->one_in = 2u << rng_below(&ex->rng, 4);
		r = recover_run(sim, rec->action, false, &e);
		ex->cutting = false;
		if (ex->off) {
			rec->cut = true;
			why = after_cut(sim, rec);
			r = -EIO;
		} else if (!good(rec, r)) {
			why = recover_say("libbow fails", r, &e);
		} else {
			r = 0;
		}
	}
	if (!r || why)
		return why;
	r = recover_run(sim, rec->action, false, &e);
	return good(rec, r) ? NULL : recover_say("libbow fails", r, &e);
}

static const char *check_dry_run(struct sim *sim, const struct recovery *rec)
{
	struct bow_error e;
	int r;

	if (!one_in(&sim->ex.rng, 8))
		return NULL;
	r = recover_run(sim, rec->action, true, &e);
	if (!good(rec, r))
		return recover_say("a dry run fails", r, &e);
	return sim->ex.writes ? "a dry run writes" : NULL;
}

static const char *check_again(struct sim *sim, const struct recovery *rec)
{
	struct bow_error e;

	if (recover_run(sim, rec->action, false, &e) != -ENODATA)
		return "a log is there after it was completed";
	return sim->ex.writes ? "without a log libbow writes" : NULL;
}

static const char *check_result(struct sim *sim, const struct recovery *rec)
{
	static char place[96];
	bool live = rec->found != BOW_STATE_ACTIVE ||
		    rec->action == BOW_ACTION_COMMIT;
	const u8 *image = sim->ex.disk.view;
	const char *why;
	u32 cell;

	why = live ? model_check_live(sim, image, &cell) :
		     model_check_d0(sim, image, &cell);
	if (!why)
		return NULL;
	snprintf(place, sizeof(place), "after %s: cell %u is %s",
		 rec->found == BOW_STATE_NONE ? "a cut without a log" :
		 live			      ? "a commit" :
						"a rollback",
		 cell, why);
	return place;
}

static void choose_action(struct sim *sim, struct recovery *rec,
			  enum bow_action finishing)
{
	bool rare = one_in(&sim->ex.rng, 4);

	if (rec->found == BOW_STATE_FINISHING) {
		rec->opposite = rare;
		rec->action = (finishing == BOW_ACTION_COMMIT) != rare ?
				      BOW_ACTION_COMMIT : BOW_ACTION_ROLLBACK;
		sim->cov->finished++;
	} else {
		rec->action = rare ? BOW_ACTION_COMMIT : BOW_ACTION_ROLLBACK;
		sim->cov->commits += rare;
		sim->cov->rollbacks += !rare;
	}
}

const char *recover(struct sim *sim)
{
	struct recovery rec = { .found = BOW_STATE_NONE };
	enum bow_action finishing;
	const char *why = look(sim, &rec.found, &finishing);

	if (why)
		return why;
	if (!recover_may_find(sim, rec.found)) {
		snprintf(text, sizeof(text), "found state %d in phase %d",
			 (int)rec.found, (int)sim->model.phase);
		return text;
	}
	if (rec.found != BOW_STATE_NONE) {
		choose_action(sim, &rec, finishing);
		why = check_dry_run(sim, &rec);
		if (!why)
			why = complete(sim, &rec);
		if (!why)
			why = check_again(sim, &rec);
	}
	return why ? why : check_result(sim, &rec);
}
