// SPDX-License-Identifier: GPL-2.0
/*
 * broken.c - libbow on what is left by a disk that breaks its promises
 *
 * docs/design.md says what a disk must do: it writes a cell whole or not at all, and
 * a flush makes durable what was completed before it.  Disks exist that do neither.
 * What libbow then restores must be right, or it must refuse and write nothing.
 *
 * Two things nobody can see.  Where the first cell of block 0 is garbage, there is
 * no log to be found.  Where a flush made no log write durable, the originals that
 * were overwritten on the strength of it are gone; but they alone.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

bool recover_breaks(const struct sim *sim, u32 pending)
{
	switch (sim->model.phase) {
	case PHASE_ACTIVATING:
	case PHASE_ACTIVE:
	case PHASE_COMMITTING:
		return pending != 0 && sim->disk.olders != 0;
	default:
		return false;
	}
}

/* The cell of the image that the contents of this cell of the disk end in. */
static u32 ends_in(const struct sim *sim, u32 cell)
{
	u32 live0 = (u32)sim->engine.core.live0 * sim->cpb;

	return cell >= live0 && cell - live0 < sim->cpb ? cell - live0 : cell;
}

static const char *refused(struct sim *sim, int r, const struct bow_error *e,
			   bool may, u64 *count)
{
	if (sim->ex.writes)
		return "what is refused has been written to";
	if (!may)
		return recover_say("garbage elsewhere, and libbow refuses", r, e);
	++*count;
	return NULL;
}

static size_t bytes_of(const struct sim *sim, u32 cell)
{
	return (size_t)cell * sim->cfg->unit;
}

/* ---- a cell is garbage ---- */

/* Neither what was there nor what was written. */
static void spoil(struct sim *sim, const struct pick *pick)
{
	struct rng *rng = &sim->ex.rng;
	u32 unit = sim->cfg->unit, cell = pick->io->cell + pick->i;
	u32 kind = rng_below(rng, 4), half = rng_below(rng, unit), i;
	const u8 *new = pick->io->data + bytes_of(sim, pick->i);
	u8 *data = xalloc(unit);

	memcpy(data, sim->ex.disk.view + bytes_of(sim, cell), unit);
	for (i = 0; i < unit; i++) {
		switch (kind) {
		case 0:		/* noise */
			data[i] = (u8)rng_next(rng);
			break;
		case 1:		/* erased */
			data[i] = 0xff;
			break;
		case 2:		/* new up to there, then as it was */
			if (i < half)
				data[i] = new[i];
			break;
		default:	/* new but for some bits */
			data[i] = new[i] ^ (u8)(one_in(rng, 64)
						<< rng_below(rng, 8));
			break;
		}
	}
	disk_set(&sim->ex.disk, cell, data);
	free(data);
}

/* Half of them in block 0, where it hurts, if one is there. */
static u32 choose_cell(struct sim *sim, u32 pending)
{
	u32 first = rng_below(&sim->ex.rng, pending), i;

	if (one_in(&sim->ex.rng, 2))
		return first;
	for (i = 0; i < pending; i++) {
		u32 at = (first + i) % pending;

		if (sim->disk.pick[at].io->cell + sim->disk.pick[at].i < sim->cpb)
			return at;
	}
	return first;
}

static const char *check_commit(struct sim *sim, u32 spoilt)
{
	u32 cell = ends_in(sim, spoilt);

	/* What the user was writing is nobody's to make good. */
	disk_set(&sim->ex.disk, cell,
		 sim->model.firm + bytes_of(sim, cell));
	return model_check_live(sim, sim->ex.disk.view, &cell);
}

static const char *recover_garbage(struct sim *sim, u32 spoilt)
{
	struct coverage *cov = sim->cov;
	bool in_log = spoilt < sim->cpb;
	enum bow_action action, finishing;
	enum bow_state found;
	struct bow_error e;
	u32 cell;
	int r;

	cov->garbage++;
	r = recover_look(sim, &found, &finishing, &e);
	if (r)
		return refused(sim, r, &e, in_log, &cov->garbage_refused);
	/* No log is seen where its first cell is garbage. */
	if (found == BOW_STATE_NONE && spoilt == 0) {
		cov->garbage_unseen++;
		return NULL;
	}
	if ((!in_log || found == BOW_STATE_NONE) && !recover_may_find(sim, found))
		return "garbage changes what is found";
	if (found == BOW_STATE_NONE)
		return NULL;
	if (found == BOW_STATE_FINISHING)
		action = finishing;
	else
		action = one_in(&sim->ex.rng, 4) ? BOW_ACTION_COMMIT :
						   BOW_ACTION_ROLLBACK;
	r = recover_run(sim, action, false, &e);
	if (r)
		return refused(sim, r, &e, in_log, &cov->garbage_refused);
	return action == BOW_ACTION_COMMIT ?
		       check_commit(sim, spoilt) :
		       model_check_d0(sim, sim->ex.disk.view, &cell);
}

/* ---- a flush was a lie ---- */

/*
 * Some cells, or all, are as before it; but not those of D0 itself, which may be
 * among them when a checkpoint begins, nor block 0, which may be the log of the
 * checkpoint before.
 */
static void unflush(struct sim *sim)
{
	const struct model *m = &sim->model;
	struct rng *rng = &sim->ex.rng;
	u32 kept_one_in = 2 + rng_below(rng, 8), i;
	bool logged = bow_get_le32(sim->disk.safe) == BOW_MAGIC_LOG;
	bool all = one_in(rng, 4);

	for (i = 0; i < sim->disk.olders; i++) {
		u32 block = sim->disk.older[i] / sim->cpb;
		bool ours = block ? block < sim->blocks &&
				    (m->was_free[block] || m->covered[block]) :
				    logged;

		if (!ours || (!all && one_in(rng, kept_one_in)))
			continue;
		disk_set(&sim->ex.disk, sim->disk.older[i],
			 sim->disk.older_data + bytes_of(sim, i));
	}
}

/* Their undo is in the log write that was lost. */
static bool give_up_blocks(struct sim *sim)
{
	const struct model *m = &sim->model;
	bool any = false;
	u32 c;

	for (c = sim->cpb; c < sim->blocks * sim->cpb; c++) {
		size_t at = bytes_of(sim, c);

		if (!m->covered[c / sim->cpb] ||
		    m->covered_by[c / sim->cpb] != sim->disk.settles ||
		    !memcmp(sim->ex.disk.view + at, m->d0 + at, sim->cfg->unit))
			continue;
		disk_set(&sim->ex.disk, c, m->d0 + at);
		any = true;
	}
	return any;
}

static const char *recover_unflushed(struct sim *sim)
{
	struct coverage *cov = sim->cov;
	enum bow_action finishing;
	enum bow_state found;
	struct bow_error e;
	bool unseen;
	u32 cell;
	int r;

	cov->unflushed++;
	r = recover_look(sim, &found, &finishing, &e);
	if (!r && found == BOW_STATE_ACTIVE)
		r = recover_run(sim, BOW_ACTION_ROLLBACK, false, &e);
	if (r)
		return refused(sim, r, &e, true, &cov->unflushed_refused);
	/* No checkpoint yet, or none any more: what was flushed is not known. */
	if (found == BOW_STATE_FINISHING ||
	    (found == BOW_STATE_NONE && sim->model.phase != PHASE_ACTIVE))
		return NULL;
	unseen = give_up_blocks(sim);
	if (found == BOW_STATE_NONE) {
		/* The activation was lost: block 0 is the user's, the newest or
		 * that of before. */
		for (cell = 0; cell < sim->cpb; cell++)
			disk_set(&sim->ex.disk, cell, sim->model.d0 +
				 bytes_of(sim, cell));
	}
	cov->unflushed_unseen += unseen;
	return model_check_d0(sim, sim->ex.disk.view, &cell);
}

const char *recover_broken(struct sim *sim, enum broken how, u32 pending,
			   const u8 *keep)
{
	struct examiner *ex = &sim->ex;
	const struct pick *pick = sim->disk.pick;
	u32 at, i;

	if (how == BROKEN_FLUSH)
		unflush(sim);
	for (i = 0; i < pending; i++) {
		if (keep[i])
			disk_put(&ex->disk, &pick[i]);
	}
	if (how == BROKEN_FLUSH)
		return recover_unflushed(sim);
	at = choose_cell(sim, pending);
	spoil(sim, &pick[at]);
	return recover_garbage(sim, pick[at].io->cell + pick[at].i);
}
