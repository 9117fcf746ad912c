// SPDX-License-Identifier: GPL-2.0
/*
 * resume.c - the machine stops, and goes on with the checkpoint
 *
 * Unlike the cuts of examine.c, after which the run continues as if nothing had
 * been, here what the cut has left becomes the disk of the run.  The power may
 * have failed, or the machine alone, with what the disk's cache holds intact.
 * libbow mends the log, itself stopped now and then, and a new engine is told
 * what has become of each block, as bowctl resume tells the module.
 */
#include <string.h>

#include "sim.h"

#define RESUMES_MAX 3u
#define MEND_STOPS_MAX 2u

/* ---- when ---- */

static void choose_place(struct sim *sim)
{
	struct stop_plan *p = &sim->stop;

	p->at = rng_below(&sim->rng, STOP_PLACES);
	p->one_in = 1u << rng_below(&sim->rng, 6);
	p->was_full = false;
}

void resume_plan(struct sim *sim)
{
	struct stop_plan *p = &sim->stop;

	memset(p, 0, sizeof(*p));
	if (sim->cfg->resume)
		p->left = 1 + rng_below(&sim->rng, RESUMES_MAX);
	else
		p->left = one_in(&sim->rng, 8);
	choose_place(sim);
}

/* A log write that does what few do, and what this run waits for. */
static bool is_rare(const struct sim *sim, const struct io *io)
{
	const struct bow_header_disk *now = (const void *)sim->disk.safe;
	const struct bow_header_disk *new = (const void *)io->data;

	if (le32_to_cpu(new->magic) != BOW_MAGIC_LOG)
		return false;
	if (sim->stop.at != STOP_AT_LIVE && new->sequence != now->sequence)
		return true;
	return sim->stop.at != STOP_AT_ROLLOVER &&
	       new->sector0 != now->sector0;
}

static bool stops_here(struct sim *sim, const struct io *io)
{
	struct stop_plan *p = &sim->stop;
	bool block0 = io && !io->cell;

	if (p->mending)
		return p->mend_left && one_in(&sim->rng, 3);
	if (!p->left || sim->model.phase == PHASE_NONE ||
	    sim->model.phase == PHASE_CLOSING ||
	    sim->model.phase == PHASE_UNDOING)
		return false;
	/* The move that live_waits() has waited for is rarer than all others. */
	if (block0 && sim->model.phase == PHASE_ACTIVE && is_rare(sim, io))
		return (p->at == STOP_AT_LIVE && p->was_full) ||
		       one_in(&sim->rng, 2);
	return p->at == STOP_ANYWHERE &&
	       one_in(&sim->rng, block0 ? p->one_in : p->one_in * 64);
}

/* The log write is torn, or lost with nothing else. */
static void tear(struct sim *sim)
{
	struct stop_plan *p = &sim->stop;

	p->lost = one_in(&sim->rng, 3);
	disk_tear(&p->disk, sim->cpb, p->lost, &sim->rng);
	/* The copy of a log block may be left; see resume_run(). */
	if (p->lost && !p->left && p->done + 2 <= RESUMES_MAX)
		p->left = one_in(&sim->rng, 2);
}

void resume_point(struct sim *sim, const struct io *io)
{
	struct stop_plan *p = &sim->stop;

	if (sim->failed || !stops_here(sim, io))
		return;
	if (p->mending)
		p->mend_left--;
	else
		p->left--;
	p->phase = sim->model.phase;
	p->lost = false;
	p->reset = one_in(&sim->rng, 4);
	model_off(sim);
	disk_fork(&p->disk, &sim->disk);
	if (p->reset)
		disk_reset(&p->disk, &sim->rng);
	else if (io && !io->cell && !one_in(&sim->rng, 4))
		tear(sim);
	else
		disk_cut(&p->disk, &sim->rng);
	sim->off = true;
}

/* The engine that was running has given up; what it did since is forgotten. */
static void power_on(struct sim *sim)
{
	struct disk *kept = &sim->stop.disk;

	engine_exit(sim);
	kept->ctx = sim->disk.ctx;
	kept->submitted = sim->disk.submitted;
	kept->settled = sim->disk.settled;
	disk_exit(&sim->disk);
	sim->disk = *kept;
	sim->off = false;
	sim->model.phase = sim->stop.phase;
	engine_init(sim);
}

/* ---- the disk, as libbow sees it ---- */

static int dev_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	struct sim *sim = dev->priv;

	if (sim->off)
		return -EIO;
	memcpy(buf, sim->disk.view + offset, bytes);
	return 0;
}

static int dev_write(struct bow_dev *dev, u64 offset, const void *buf,
		     size_t bytes)
{
	struct sim *sim = dev->priv;
	struct io *io;

	if (sim->off)
		return -EIO;
	io = disk_submit_bytes(&sim->disk, offset, buf, bytes, false);
	disk_complete(&sim->disk, io, NULL);
	return sim->off ? -EIO : 0;
}

static int dev_flush(struct bow_dev *dev)
{
	struct sim *sim = dev->priv;

	if (sim->off)
		return -EIO;
	model_rebooted(sim);
	disk_flush(&sim->disk);
	return sim->off ? -EIO : 0;
}

static const struct bow_dev_ops ops = {
	.read = dev_read,
	.write = dev_write,
	.flush = dev_flush,
};

/* ---- what libbow says, and what is true ---- */

static void fail(struct sim *sim, const char *what, int r,
		 const struct bow_error *e)
{
	char why[160];

	bow_error_text(e, why, sizeof(why));
	sim_fail(sim, "%s: %d: %s", what, r, why);
}

/* What cannot be gone on with can still be rolled back. */
static void refused(struct sim *sim, int r, const struct bow_error *e)
{
	enum phase phase = sim->model.phase;
	bool right = false;

	if (r == -ENODATA)
		right = phase != PHASE_ACTIVE;
	else if (r == -EPERM && e->why == BOW_WHY_RESUME_ACTIVATION)
		right = phase == PHASE_ACTIVATING;
	else if (r == -EPERM && e->why == BOW_WHY_RESUME_RESTORING)
		right = phase == PHASE_COMMITTING;
	sim->cov->refused++;
	if (right)
		examine(sim);
	else
		fail(sim, "the checkpoint cannot be resumed", r, e);
}

static void count_torn(struct sim *sim, const struct bow_resume *r)
{
	struct coverage *cov = sim->cov;

	cov->resumed_append += r->log.torn == BOW_TORN_APPEND;
	cov->resumed_old += r->log.torn == BOW_TORN_ROLLOVER_OLD;
	cov->resumed_new += r->log.torn == BOW_TORN_ROLLOVER_NEW;
}

/* Is any cell of this block known to be the user's? */
static bool is_users(const struct sim *sim, u32 block)
{
	u32 i;

	for (i = 0; i < sim->cpb; i++) {
		if (sim->model.live_known[block * sim->cpb + i])
			return true;
	}
	return false;
}

static void check_map(struct sim *sim)
{
	const struct bow_map *map = &sim->engine.core.map;
	u32 block;

	for (block = 1; block < sim->blocks; block++) {
		enum bow_block_state state = bow_map_state(map, block);

		if (bow_map_any_free(map, block, 1) &&
		    !sim->model.was_free[block])
			sim_fail(sim, "block %u was in use, and is resumed as free",
				 block);
		if ((state == BOW_FREE || state == BOW_HELD) &&
		    is_users(sim, block))
			sim_fail(sim, "block %u is the user's, and is resumed as %s",
				 block, state == BOW_FREE ? "free" : "held");
	}
}

/* ---- the module is told ---- */

struct telling {
	struct sim *sim;
	enum bow_resume_kind kind;
	u64 pool;
};

static int tell_range(void *ctx, u64 start, u64 sectors)
{
	struct telling *t = ctx;

	if (t->kind == BOW_RESUME_POOL) {
		t->pool += sectors;
		return 0;
	}
	return engine_add_range(t->sim, t->kind, start, sectors);
}

/* Copies of log blocks from before the resume must not pass for later ones. */
static void check_counted(struct sim *sim, const struct bow_resume *r)
{
	const struct bow_header_disk *h = (const void *)sim->disk.safe;

	if (le32_to_cpu(h->resumed) <= r->log.newest.resumed)
		sim_fail(sim, "a resume is not counted");
}

static void tell(struct sim *sim, const struct bow_resume *r)
{
	struct telling t = { .sim = sim };
	int err = 0;
	u32 kind;

	for (kind = 0; kind < BOW_RESUME_KINDS && !err; kind++) {
		t.kind = kind;
		err = bow_resume_each(r, t.kind, tell_range, &t);
	}
	if (!err)
		err = engine_resume(sim);
	if (err)
		sim_fail(sim, "the engine does not resume: %d", err);
	else if (t.pool != sim->engine.core.map.free * sim->engine.spb)
		sim_fail(sim, "%llu sectors are free, the engine has %llu blocks",
			 (unsigned long long)t.pool,
			 (unsigned long long)sim->engine.core.map.free);
}

/* ---- one boot ---- */

/* The user sees block 0 where the log says: is what it sees possible? */
static void look(struct sim *sim, const struct bow_resume *r)
{
	u64 live = r->log.newest.sector0;
	const char *why;
	u32 cell;

	why = model_reboot(sim, to_cell(sim, live), &cell);
	if (why)
		sim_fail(sim, "after a reboot: cell %u is %s", cell, why);
	if (!sim->stop.reset)
		model_rebooted(sim);
	if (sim->model.phase == PHASE_COMMITTING)
		sim->model.phase = PHASE_ACTIVE;
}

static int mend(struct sim *sim, struct bow_dev *dev, struct bow_resume *r)
{
	struct bow_error e = { 0 };
	int err;

	sim->stop.mending = true;
	err = bow_resume_mend(dev, r, &e);
	sim->stop.mending = false;
	if (err && !sim->off)
		fail(sim, "the log cannot be mended", err, &e);
	return err;
}

/* False: there is nothing to go on with, or it was stopped again. */
static bool boot(struct sim *sim)
{
	struct bow_dev dev = {
		.ops = &ops,
		.priv = sim,
		.size = (u64)sim->cells * sim->cfg->unit,
		.unit = sim->cfg->unit,
	};
	struct bow_error e = { 0 };
	struct bow_resume r;
	bool good = false;
	int err;

	err = bow_resume_open(&dev, &r, NULL, &e);
	if (err) {
		refused(sim, err, &e);
	} else {
		look(sim, &r);
		count_torn(sim, &r);
		good = !mend(sim, &dev, &r);
	}
	if (good) {
		sim->model.phase = PHASE_ACTIVE;
		tell(sim, &r);
		check_counted(sim, &r);
		check_map(sim);
		watch_log(sim);
	}
	bow_resume_free(&r);
	return good;
}

bool resume_run(struct sim *sim)
{
	struct stop_plan *p = &sim->stop;
	bool good;

	p->mend_left = rng_below(&sim->rng, MEND_STOPS_MAX + 1);
	do {
		sim->cov->resets += p->reset;
		power_on(sim);
		good = boot(sim);
		sim->cov->mend_stops += sim->off;
	} while (sim->off && !sim->failed);
	if (!good || sim->failed) {
		/* Nobody uses what cannot be gone on with. */
		sim->off = true;
		return false;
	}
	choose_place(sim);
	/* A copy of the log block that this one left must not count. */
	if (p->lost || one_in(&sim->rng, 2)) {
		p->at = STOP_ANYWHERE;
		p->one_in = 1;
	}
	p->done++;
	sim->cov->resumed++;
	sim->cov->resumed_again += p->done == 2;
	sim->cov->resumed_thrice += p->done == 3;
	model_check_view(sim);
	return !sim->failed;
}
