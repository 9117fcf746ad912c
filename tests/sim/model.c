// SPDX-License-Identifier: GPL-2.0
/*
 * model.c - what the user of the device may see, and D0
 *
 * Each cell has its newest completed contents (live), its newest durable
 * contents (firm), and the writes since then, any of which a power cut may
 * leave.  Discarded cells are undefined until they are written again, and so
 * are free blocks once a checkpoint is taken.
 *
 * Once the power is off, what the engine still does concerns nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static size_t offset(const struct sim *sim, u32 cell)
{
	return (size_t)cell * sim->cfg->unit;
}

void model_init(struct sim *sim)
{
	struct model *m = &sim->model;
	size_t bytes = offset(sim, sim->cells);

	memset(m, 0, sizeof(*m));
	m->live = xalloc(bytes);
	m->firm = xalloc(bytes);
	m->d0 = xalloc(bytes);
	m->live_known = xalloc(sim->cells);
	m->firm_known = xalloc(sim->cells);
	m->discards = xalloc(sim->cells);
	m->is_free = xalloc(sim->blocks);
	m->was_free = xalloc(sim->blocks);
	m->covered = xalloc(sim->blocks);
	m->covered_by = xalloc(sim->blocks * sizeof(*m->covered_by));
	memcpy(m->live, sim->disk.view, bytes);
	memcpy(m->firm, sim->disk.view, bytes);
	memset(m->live_known, 1, sim->cells);
	memset(m->firm_known, 1, sim->cells);
}

void model_exit(struct sim *sim)
{
	struct model *m = &sim->model;

	while (m->writes) {
		struct user_write *uw = m->writes;

		m->writes = uw->next;
		free(uw);
	}
	free(m->live);
	free(m->firm);
	free(m->d0);
	free(m->live_known);
	free(m->firm_known);
	free(m->discards);
	free(m->is_free);
	free(m->was_free);
	free(m->covered);
	free(m->covered_by);
}

/* ---- writes, flushes, discards ---- */

struct user_write *model_write(struct sim *sim, u32 cell, u32 cells)
{
	struct user_write *uw = xalloc(sizeof(*uw) + offset(sim, cells));

	uw->cell = cell;
	uw->cells = cells;
	uw->data = (u8 *)(uw + 1);
	uw->next = sim->model.writes;
	sim->model.writes = uw;
	return uw;
}

struct user_write *model_split(struct sim *sim, struct user_write *uw, u32 at)
{
	struct user_write *rest =
		model_write(sim, uw->cell + at, uw->cells - at);

	memcpy(rest->data, uw->data + offset(sim, at),
	       offset(sim, rest->cells));
	uw->cells = at;
	return rest;
}

static void forget(struct sim *sim, struct user_write *uw)
{
	struct user_write **p = &sim->model.writes;

	while (*p != uw)
		p = &(*p)->next;
	*p = uw->next;
	free(uw);
}

/* What is live is durable. */
static void make_firm(struct sim *sim, u32 cell, u32 cells)
{
	struct model *m = &sim->model;

	memcpy(m->firm + offset(sim, cell), m->live + offset(sim, cell),
	       offset(sim, cells));
	memcpy(m->firm_known + cell, m->live_known + cell, cells);
}

void model_written(struct sim *sim, struct user_write *uw, bool fua)
{
	struct model *m = &sim->model;

	if (sim->off)
		return;
	memcpy(m->live + offset(sim, uw->cell), uw->data,
	       offset(sim, uw->cells));
	memset(m->live_known + uw->cell, 1, uw->cells);
	uw->done = true;
	if (fua)
		make_firm(sim, uw->cell, uw->cells);
}

static void make_undefined(struct sim *sim, u32 cell, u32 cells)
{
	memset(sim->model.live_known + cell, 0, cells);
	memset(sim->model.firm_known + cell, 0, cells);
}

void model_write_failed(struct sim *sim, struct user_write *uw, bool sent)
{
	if (sim->off)
		return;
	if (sent)
		make_undefined(sim, uw->cell, uw->cells);
	forget(sim, uw);
}

void model_discard(struct sim *sim, u32 cell, u32 cells)
{
	while (cells--)
		sim->model.discards[cell++]++;
}

void model_discarded(struct sim *sim, u32 cell, u32 cells)
{
	if (sim->off)
		return;
	make_undefined(sim, cell, cells);
	while (cells--)
		sim->model.discards[cell++]--;
}

void model_flushed(struct sim *sim)
{
	struct user_write **p = &sim->model.writes;

	if (sim->off)
		return;
	while (*p) {
		struct user_write *uw = *p;

		if (!uw->done) {
			p = &uw->next;
			continue;
		}
		make_firm(sim, uw->cell, uw->cells);
		*p = uw->next;
		free(uw);
	}
}

/* ---- what is free ---- */

/* Of a block all is free, or nothing; the first never is. */
void model_freed(struct sim *sim, u64 sector, u64 sectors)
{
	u64 spb = sim->engine.spb;
	u64 block = (sector + spb - 1) / spb, end = (sector + sectors) / spb;

	for (; block < end && block < sim->blocks; block++)
		sim->model.is_free[block] = block != 0;
}

void model_passing(struct sim *sim, const struct op *op)
{
	u64 block = op->sector / sim->engine.spb;

	if (op->kind == OP_DISCARD) {
		model_freed(sim, op->sector, op->sectors);
		return;
	}
	for (; block < sim->blocks && block * sim->engine.spb < op_end(op);
	     block++)
		sim->model.is_free[block] = 0;
}

void model_none_free(struct sim *sim)
{
	memset(sim->model.is_free, 0, sim->blocks);
}

/*
 * Nothing is in flight.  What the disk shows now is D0; the contents of free
 * blocks are the engine's from here on.
 */
void model_checkpoint(struct sim *sim)
{
	struct model *m = &sim->model;
	u32 block;

	model_check_view(sim);
	memcpy(m->was_free, m->is_free, sim->blocks);
	memcpy(m->d0, sim->disk.view, offset(sim, sim->cells));
	m->sequence = 0;
	m->count = 0;
	for (block = 0; block < sim->blocks; block++) {
		m->covered[block] = 0;
		if (m->was_free[block])
			make_undefined(sim, block * sim->cpb, sim->cpb);
	}
}

/* ---- after a reboot ---- */

/*
 * What was sent below stays where it is, or what was there before: in both
 * cases the block is the user's.
 */
static void note_sent(struct sim *sim)
{
	const struct io *io;

	for (io = sim->disk.flight; io; io = io->next) {
		u32 c;

		if (!io->op || io->op->kind != OP_WRITE)
			continue;
		for (c = to_cell(sim, io->op->sector);
		     c < to_cell(sim, op_end(io->op)); c++)
			sim->model.live_known[c] = 1;
	}
}

void model_off(struct sim *sim)
{
	struct model *m = &sim->model;
	u32 c;

	note_sent(sim);
	for (c = 0; c < sim->cells; c++) {
		if (m->discards[c])
			make_undefined(sim, c, 1);
		m->discards[c] = 0;
	}
}

const char *model_reboot(struct sim *sim, u32 live0, u32 *cell)
{
	struct model *m = &sim->model;
	size_t bytes = offset(sim, sim->cells);
	u8 *image = xalloc(bytes);
	struct user_write *uw;
	const char *why;

	memcpy(image, sim->disk.view, bytes);
	disk_read(&sim->disk, live0, sim->cpb, image);
	why = model_check_live(sim, image, cell);
	memcpy(m->live, image, bytes);
	free(image);
	/* The next flush makes all of it durable. */
	for (uw = m->writes; uw; uw = uw->next)
		uw->done = true;
	return why;
}

void model_rebooted(struct sim *sim)
{
	model_flushed(sim);
	make_firm(sim, 0, sim->cells);
}

/* ---- comparisons ---- */

/* Where the user's cell is now, as the engine would read it. */
static u32 place(const struct sim *sim, u32 cell)
{
	if (sim->engine.state == ENGINE_CHECKPOINT && cell < sim->cpb)
		return cell + (u32)sim->engine.core.live0 * sim->cpb;
	return cell;
}

void model_check_view(struct sim *sim)
{
	const struct model *m = &sim->model;
	u32 cell = 0;

	if (sim->off)
		return;
	/* A failed activation that cannot be undone leaves the log there. */
	if (m->phase == PHASE_UNDOING)
		cell = sim->cpb;
	for (; cell < sim->cells; cell++) {
		if (m->live_known[cell] && !m->discards[cell] &&
		    memcmp(m->live + offset(sim, cell),
			   sim->disk.view + offset(sim, place(sim, cell)),
			   sim->cfg->unit)) {
			sim_fail(sim, "a read of cell %u gives wrong data",
				 cell);
			return;
		}
	}
}

const char *model_check_d0(struct sim *sim, const u8 *image, u32 *cell)
{
	const struct model *m = &sim->model;
	u32 c;

	for (c = 0; c < sim->cells; c++) {
		/* The end that is less than a block was never free. */
		if (c / sim->cpb < sim->blocks && m->was_free[c / sim->cpb])
			continue;
		if (memcmp(m->d0 + offset(sim, c), image + offset(sim, c),
			   sim->cfg->unit)) {
			*cell = c;
			return "not as at the checkpoint";
		}
	}
	return NULL;
}

/* Is it what a write since the last flush wrote there? */
static bool pending_has(const struct sim *sim, u32 cell, const u8 *data)
{
	const struct user_write *uw;

	for (uw = sim->model.writes; uw; uw = uw->next) {
		if (cell >= uw->cell && cell - uw->cell < uw->cells &&
		    !memcmp(uw->data + offset(sim, cell - uw->cell), data,
			    sim->cfg->unit))
			return true;
	}
	return false;
}

const char *model_check_live(struct sim *sim, const u8 *image, u32 *cell)
{
	const struct model *m = &sim->model;
	u32 c;

	for (c = 0; c < sim->cells; c++) {
		const u8 *data = image + offset(sim, c);

		if (!m->firm_known[c] || m->discards[c] ||
		    !memcmp(m->firm + offset(sim, c), data, sim->cfg->unit) ||
		    pending_has(sim, c, data))
			continue;
		*cell = c;
		return "neither the durable contents nor a write since";
	}
	return NULL;
}
