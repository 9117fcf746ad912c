// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - the engine's changes of state, as kmod/dm-bow-control.c has them
 */
#include <stdlib.h>
#include <string.h>

#include "../tellcore.h"
#include "sim.h"

void engine_init(struct sim *sim)
{
	struct engine *e = &sim->engine;
	u64 sectors = (u64)sim->cells * sim->cfg->unit / BOW_SECTOR_SIZE;

	memset(e, 0, sizeof(*e));
	e->spb = sim->cfg->bs / BOW_SECTOR_SIZE;
	e->buffer = xalloc((size_t)BOW_BATCH_BLOCKS * sim->cfg->bs);
	e->block0 = xalloc(sim->cfg->bs);
	if (bow_core_init(&e->core, sectors, sim->cfg->bs))
		abort();
	/* Small devices need small regions, or the first claim takes all. */
	e->core.claim_shift = sim->claim_shift;
	e->core.claims_ahead = sim->claims_ahead;
}

static void drop_ops(struct op_list *list)
{
	struct op *op;

	while ((op = op_pop(list)))
		free(op);
}

void engine_exit(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct io *io;

	for (io = sim->disk.flight; io; io = io->next)
		free(io->op);
	drop_ops(&e->pending);
	drop_ops(&e->returning);
	drop_ops(&e->returning_next);
	bow_core_exit(&e->core);
	free(e->buffer);
	free(e->block0);
}

/* Rounded inwards to blocks. */
int engine_add_free(struct sim *sim, u64 first_sector, u64 sectors)
{
	struct engine *e = &sim->engine;
	u64 first = (first_sector + e->spb - 1) / e->spb;
	u64 end = (first_sector + sectors) / e->spb;

	if (e->state != ENGINE_TRIM)
		return -EBUSY;
	if (end > sim->blocks)
		end = sim->blocks;
	if (first >= end)
		return 0;
	return bow_map_add_free(&e->core.map, first, end - first);
}

static void reset_core(struct sim *sim)
{
	bow_core_reset(&sim->engine.core);
	model_none_free(sim);
}

/* The core takes for free what nobody uses, all of it and nothing else. */
static void compare_free(struct sim *sim)
{
	const struct bow_map *map = &sim->engine.core.map;
	u32 block;

	for (block = 0; block < sim->blocks; block++) {
		const struct bow_leaf *leaf = &map->leaf[block >> BOW_LEAF_SHIFT];
		bool is_free = leaf->was_free &&
			       leaf->was_free[block % BOW_LEAF_BLOCKS / 64] >>
					       block % 64 & 1;

		if (is_free != sim->model.is_free[block]) {
			sim_fail(sim, "block %u is taken for %s", block,
				 is_free ? "free" : "used");
			return;
		}
	}
}

/* A write of the activation failed: give block 0 back. */
static void undo_activation(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct bow_write_list list;

	sim->model.phase = PHASE_UNDOING;
	bow_core_deactivate(&e->core, e->block0, &list);
	if (engine_run_writes(sim, list.w, list.count))
		e->failed = true;
	else
		sim->model.phase = PHASE_NONE;
	reset_core(sim);
}

static int write_free_map(struct sim *sim)
{
	struct bow_write w;
	int r = 0;

	while (!r && bow_free_map_next(&sim->engine.core, &w))
		r = engine_run_writes(sim, &w, 1);
	return r;
}

/* Nothing is in flight, and nothing can start. */
static int activate(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct bow_core_params p = { .created = sim->seed };
	struct bow_write_list list;
	u64 id = rng_next(&sim->rng);
	int r;

	memcpy(p.id, &id, sizeof(id));
	disk_read(&sim->disk, 0, sim->cpb, e->block0);
	compare_free(sim);
	r = bow_core_activate(&e->core, &p, e->block0, &list);
	if (r)
		return r;
	model_checkpoint(sim);
	sim->model.phase = PHASE_ACTIVATING;
	/* The free map and two copies in free blocks, then block 0. */
	r = write_free_map(sim);
	if (!r)
		r = engine_run_writes(sim, list.w, 2);
	if (r) {
		sim->model.phase = PHASE_NONE;
		reset_core(sim);
		return r;
	}
	r = engine_run_writes(sim, list.w + 2, list.count - 2);
	if (r) {
		undo_activation(sim);
		return r;
	}
	e->state = ENGINE_CHECKPOINT;
	sim->model.phase = PHASE_ACTIVE;
	watch_log(sim);
	return 0;
}

int engine_checkpoint(struct sim *sim)
{
	struct engine *e = &sim->engine;
	int r;

	if (e->state != ENGINE_TRIM)
		return -EBUSY;
	if (e->failed)
		return -EIO;
	e->stopped = true;
	engine_wait(sim, TRACK_PASSING | TRACK_WRITER);
	r = activate(sim);
	e->stopped = false;
	sim->cov->checkpoints += r == 0;
	return r;
}

static void finish_discards(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct op *op;

	while ((op = op_pop(&e->returning)) ||
	       (op = op_pop(&e->returning_next)))
		engine_end(sim, op, 0);
}

int engine_commit(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct bow_write_list list;

	if (e->state != ENGINE_CHECKPOINT)
		return -EBUSY;
	engine_wait(sim, TRACK_BLOCK0);
	disk_read(&sim->disk, (u32)e->core.live0 * sim->cpb, sim->cpb,
		  e->block0);
	bow_core_commit(&e->core, e->block0, &list);
	if (sim->model.phase == PHASE_ACTIVE)
		sim->model.phase = PHASE_COMMITTING;
	if (engine_run_writes(sim, list.w, list.count)) {
		e->failed = true;
		return -EIO;
	}
	e->failed = false;
	e->state = ENGINE_COMMITTED;
	sim->model.phase = PHASE_NONE;
	sim->cov->committed++;
	sim->cov->committed_after += sim->stop.done != 0;
	finish_discards(sim);
	reset_core(sim);
	return 0;
}

/* ---- taking a checkpoint up ---- */

int engine_add_range(struct sim *sim, enum bow_resume_kind kind, u64 start,
		     u64 sectors)
{
	struct engine *e = &sim->engine;

	if (kind == BOW_RESUME_FREE)
		return engine_add_free(sim, start, sectors);
	return tell_core(&e->core, kind, start / e->spb, sectors / e->spb);
}

int engine_resume(struct sim *sim)
{
	struct engine *e = &sim->engine;
	int r;

	disk_read(&sim->disk, 0, sim->cpb, e->block0);
	r = bow_core_resume_end(&e->core, e->block0);
	if (!r)
		e->state = ENGINE_CHECKPOINT;
	return r;
}

int engine_restart(struct sim *sim)
{
	if (sim->engine.state != ENGINE_COMMITTED)
		return -EBUSY;
	sim->engine.state = ENGINE_TRIM;
	return 0;
}
