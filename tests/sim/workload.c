// SPDX-License-Identifier: GPL-2.0
/*
 * workload.c - what the user of the device does, from a seed
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* One request in so many fails, where the configuration has faults. */
#define FAULT_ONE_IN 120u
/* ... while the checkpoint begins or ends, which is short. */
#define FAULT_ONE_IN_CHANGE 20u

/* ---- contents ---- */

static void fill_cell(struct sim *sim, u8 *p, u64 name)
{
	u64 word;
	u32 i;

	for (i = 0; i < sim->cfg->unit; i += sizeof(word)) {
		word = mix(name << 16 | i);
		memcpy(p + i, &word, sizeof(word));
	}
}

/* One cell in eight is all zeros: their checksums are zero as well. */
static void fill(struct sim *sim, u8 *p, u32 cells)
{
	u32 i;

	for (i = 0; i < cells; i++, p += sim->cfg->unit) {
		sim->writes++;
		if (one_in(&sim->rng, 8))
			memset(p, 0, sim->cfg->unit);
		else
			fill_cell(sim, p, sim->seed << 24 ^ sim->writes);
	}
}

static void put_superblock(struct sim *sim, u8 *block0)
{
	u8 *sb = block0 + BOW_GUARD_OFFSET;

	sb[BOW_EXT4_OFF_MAGIC] = (u8)BOW_EXT4_MAGIC;
	sb[BOW_EXT4_OFF_MAGIC + 1] = (u8)(BOW_EXT4_MAGIC >> 8);
	sb[BOW_EXT4_OFF_RO_COMPAT + 1] ^= (u8)rng_next(&sim->rng);
}

static void fill_disk(struct sim *sim)
{
	fill(sim, sim->disk.view, sim->cells);
	if (sim->cfg->ext)
		put_superblock(sim, sim->disk.view);
	memcpy(sim->disk.safe, sim->disk.view,
	       (size_t)sim->cells * sim->cfg->unit);
}

/* ---- where ---- */

static u32 random_block(struct sim *sim)
{
	return rng_below(&sim->rng, sim->blocks);
}

/*
 * Where the machine waits for the live copy to move, that comes late: to a
 * place that the log has mentioned before, as no other is left.
 */
static bool live_waits(const struct sim *sim)
{
	return sim->cfg->resume && sim->stop.at == STOP_AT_LIVE &&
	       !sim->stop.was_full;
}

static bool live_is_due(const struct sim *sim)
{
	return sim->stop.at == STOP_AT_LIVE && sim->stop.was_full &&
	       sim->engine.state == ENGINE_CHECKPOINT &&
	       sim->engine.core.map.free;
}

/* A block of the engine's own, where there is one. */
static u32 held_block(struct sim *sim)
{
	const struct engine *e = &sim->engine;
	const struct bow_header_disk *h;
	u32 block = random_block(sim);
	u32 i;

	if (e->state != ENGINE_CHECKPOINT)
		return block;
	h = bow_core_header(&e->core);
	/* A log block that is nearly full: its reserved place matters most. */
	if (le32_to_cpu(h->count) + 3 > e->core.max_entries &&
	    one_in(&sim->rng, 2))
		return (u32)e->core.next_log;
	switch (rng_below(&sim->rng, 6)) {
	case 0:
		if (live_waits(sim))
			break;
		return (u32)e->core.live0;
	case 1:
		return (u32)e->core.next_log;
	case 2:
		return (u32)(le64_to_cpu(h->prev_log) / e->spb);
	case 3:
		return (u32)(le64_to_cpu(h->backup0) / e->spb);
	}
	for (i = 0; i < sim->blocks; i++) {
		if (bow_map_state(&e->core.map, block) == BOW_HELD)
			break;
		block = (block + 1) % sim->blocks;
	}
	return block;
}

struct range {
	u32 cell;
	u32 cells;
};

/* Which blocks a run prefers: 16 draws. */
static const struct mood {
	u8 uniform;
	u8 hot;
	u8 held;		/* the rest goes to block 0 */
	u32 large_one_in;
	u32 kick_one_in;
} moods[] = {
	{ 6, 5, 3, 12, 4 },	/* a bit of everything */
	{ 13, 1, 1, 200, 60 },	/* many small writes, gathered */
	{ 4, 2, 8, 40, 6 },	/* onto backups, log blocks, the live copy */
	{ 2, 12, 1, 60, 3 },	/* a few blocks, over and over */
};

static u32 some_block(struct sim *sim)
{
	const struct mood *m = &moods[sim->mood];
	u32 hot = (u32)(mix(sim->seed) % sim->blocks);
	u32 kind = rng_below(&sim->rng, 16);

	if (live_is_due(sim) && one_in(&sim->rng, 4))
		return (u32)sim->engine.core.live0;
	if (kind < m->uniform)
		return random_block(sim);
	kind -= m->uniform;
	if (kind < m->hot)
		return (hot + rng_below(&sim->rng, 12)) % sim->blocks;
	kind -= m->hot;
	return kind < m->held ? held_block(sim) : 0;
}

static struct range some_range(struct sim *sim)
{
	const struct mood *m = &moods[sim->mood];
	struct range r = { .cell = some_block(sim) * sim->cpb };

	if (one_in(&sim->rng, 2)) {
		r.cell += rng_below(&sim->rng, sim->cpb);
		r.cells = 1 + rng_below(&sim->rng, sim->cpb + 1);
	} else {
		r.cells = (1 + one_in(&sim->rng, 4)) * sim->cpb;
	}
	if (one_in(&sim->rng, m->large_one_in))
		r.cells *= 1 + rng_below(&sim->rng, 20);
	if (one_in(&sim->rng, 500))
		r.cells = 1 + rng_below(&sim->rng, sim->cells);
	if (one_in(&sim->rng, 200))	/* the end that is less than a block */
		r.cell = sim->cells - 1;
	if (r.cells > sim->cells - r.cell)
		r.cells = sim->cells - r.cell;
	return r;
}

/* ---- what ---- */

static struct op *new_op(struct sim *sim, enum op_kind kind, struct range r)
{
	struct op *op = xalloc(sizeof(*op));
	u32 sectors = sim->cfg->unit / BOW_SECTOR_SIZE;

	op->kind = kind;
	op->sector = (u64)r.cell * sectors;
	op->sectors = (u64)r.cells * sectors;
	return op;
}

static void user_flush(struct sim *sim)
{
	model_flushed(sim);
	disk_flush(&sim->disk);
}

static void user_write(struct sim *sim, struct range r, bool fua)
{
	struct op *op = new_op(sim, OP_WRITE, r);

	op->uw = model_write(sim, r.cell, r.cells);
	op->data = op->uw->data;
	op->fua = fua;
	fill(sim, op->uw->data, r.cells);
	engine_submit(sim, op);
}

static void some_write(struct sim *sim)
{
	struct range r = some_range(sim);
	bool fua = one_in(&sim->rng, 8);

	/* A write with PREFLUSH comes from device-mapper as a flush first. */
	if (fua && one_in(&sim->rng, 2))
		user_flush(sim);
	user_write(sim, r, fua);
}

/* A free block that the user has written to, where there is one. */
static u32 taken_block(struct sim *sim)
{
	u32 block = random_block(sim);
	u32 i;

	for (i = 0; i < sim->blocks; i++) {
		if (bow_map_state(&sim->engine.core.map, block) == BOW_TAKEN)
			break;
		block = (block + 1) % sim->blocks;
	}
	return block;
}

/* What is given back is used again, for something else. */
static struct range discard_range(struct sim *sim)
{
	if (sim->engine.state != ENGINE_CHECKPOINT || one_in(&sim->rng, 2))
		return some_range(sim);
	return (struct range){ taken_block(sim) * sim->cpb, sim->cpb };
}

static void user_discard(struct sim *sim, struct range r)
{
	struct op *op = new_op(sim, OP_DISCARD, r);

	/* What a disk does to discarded cells is its own affair. */
	op->data = sim->garbage;
	model_discard(sim, r.cell, r.cells);
	engine_submit(sim, op);
}

/* The disk completes a write of the user, any of them. */
static void complete_one(struct sim *sim)
{
	struct io *io, *chosen = NULL;
	u32 n = 0;

	for (io = sim->disk.flight; io; io = io->next) {
		if (io->op && one_in(&sim->rng, ++n))
			chosen = io;
	}
	if (chosen)
		engine_complete(sim, chosen);
}

/* What the trace has next; nothing at its end. */
static void traced_op(struct sim *sim)
{
	struct window *w = sim->window;
	const struct traced *t = &w->op[w->next];
	struct range r = { t->cell, t->cells };

	if (w->next == w->ops)
		return;
	w->next++;
	switch (t->kind) {
	case TRACED_WRITE:
		user_write(sim, r, t->fua);
		break;
	case TRACED_DISCARD:
		user_discard(sim, r);
		break;
	case TRACED_FLUSH:
		user_flush(sim);
		break;
	}
}

/*
 * Each operation has random numbers of its own: those that follow are the same
 * when it is left out.
 */
static bool begin_op(struct sim *sim)
{
	const struct op_set *set = &sim->opt->ops;
	u32 op = sim->ops++;

	sim->rng.s = mix(mix(sim->seed) + op);
	return !set->count || (op < set->count && set->has[op]);
}

static void user_op(struct sim *sim)
{
	bool made = begin_op(sim);
	u32 kind = rng_below(&sim->rng, 16);

	if (!made) {
		if (sim->window && sim->window->next < sim->window->ops)
			sim->window->next++;
		return;
	}
	if (sim->engine.state == ENGINE_CHECKPOINT &&
	    !sim->engine.core.map.free)
		sim->stop.was_full = true;
	if (sim->window)
		traced_op(sim);
	else if (kind < 11)
		some_write(sim);
	else if (kind < 13)
		user_discard(sim, discard_range(sim));
	else if (kind < 15)
		user_flush(sim);
	else
		complete_one(sim);
}

bool workload_fault(struct sim *sim)
{
	bool change = sim->model.phase != PHASE_NONE &&
		      sim->model.phase != PHASE_ACTIVE;

	if (sim->off)
		return true;
	return sim->cfg->faults &&
	       one_in(&sim->rng, change ? FAULT_ONE_IN_CHANGE : FAULT_ONE_IN);
}

void workload_tick(struct sim *sim)
{
	if (sim->in_tick || sim->off)
		return;
	sim->in_tick = true;
	if (one_in(&sim->rng, 4))
		complete_one(sim);
	if (one_in(&sim->rng, 12))
		user_op(sim);
	sim->in_tick = false;
}

/* ---- runs ---- */

static void settle(struct sim *sim)
{
	while (sim->disk.flight && !sim->failed)
		engine_complete(sim, sim->disk.flight);
}

static void some_ops(struct sim *sim, u32 count)
{
	u32 kick = moods[sim->mood].kick_one_in;

	while (count-- && !sim->failed && !sim->off) {
		user_op(sim);
		while (sim->disk.flight &&
		       one_in(&sim->rng, sim->complete_one_in))
			complete_one(sim);
		if (one_in(&sim->rng, kick))
			engine_work(sim);
		if (one_in(&sim->rng, 16))
			model_check_view(sim);
	}
	engine_work(sim);
}

static void add_free(struct sim *sim, u64 sector, u64 sectors)
{
	if (!engine_add_free(sim, sector, sectors))
		model_freed(sim, sector, sectors);
}

/* What was free in the filesystem that was traced. */
static void traced_extents(struct sim *sim)
{
	const struct window *w = sim->window;
	u32 per = BOW_BLOCK_SIZE_MAX / BOW_SECTOR_SIZE, i;

	for (i = 0; i < w->blocks; i++)
		if (w->is_free[i])
			add_free(sim, (u64)i * per, per);
}

/* Extents that are free, from a tenth of the device to most of it. */
static void free_extents(struct sim *sim)
{
	u32 want = sim->blocks * (1 + rng_below(&sim->rng, 12)) / 10;
	u32 got = 0;

	if (sim->window) {
		traced_extents(sim);
		return;
	}
	while (got < want) {
		u32 n = 1 + rng_below(&sim->rng, sim->blocks / 8);
		u64 first = rng_below(&sim->rng, sim->blocks) *
			    (u64)sim->engine.spb;
		u64 count = n * (u64)sim->engine.spb -
			    rng_below(&sim->rng, sim->engine.spb);
		u64 end = (u64)sim->blocks * sim->engine.spb;

		if (count > end - first)
			count = end - first;
		add_free(sim, first, count);
		got += n;
	}
}

/* Until its end, if it comes to one.  False: the machine has stopped. */
static bool use_checkpoint(struct sim *sim, u32 ops)
{
	some_ops(sim, ops);
	if (one_in(&sim->rng, 3))
		settle(sim);
	model_check_view(sim);
	if (!sim->failed && !sim->off && one_in(&sim->rng, 2) &&
	    engine_commit(sim) && !sim->off)
		engine_commit(sim);
	return !sim->off || sim->failed;
}

/* One checkpoint, from state 0 on.  False: the run is over. */
static bool checkpoint(struct sim *sim, u32 ops)
{
	some_ops(sim, rng_below(&sim->rng, 8));
	free_extents(sim);
	some_ops(sim, rng_below(&sim->rng, 4));
	if (engine_checkpoint(sim) && !sim->off) {
		free_extents(sim);
		if (engine_checkpoint(sim) && !sim->off)
			return false;
	}
	do {
		if (sim->off && !resume_run(sim))
			return false;
	} while (!use_checkpoint(sim, ops));
	if (sim->engine.state != ENGINE_COMMITTED)
		return false;
	engine_work(sim);
	some_ops(sim, rng_below(&sim->rng, 12));
	return !sim->failed;
}

void workload_run(struct sim *sim)
{
	static const u32 lengths[] = { 12, 60, 200, 600 };
	u32 length = rng_below(&sim->rng, 4);

	fill_disk(sim);
	model_init(sim);
	engine_init(sim);
	sim->ex.stride = 1 + rng_below(&sim->rng, 1 + lengths[length] / 2);
	sim->mood = rng_below(&sim->rng, sizeof(moods) / sizeof(moods[0]));
	sim->complete_one_in = 1 + rng_below(&sim->rng, 3);
	resume_plan(sim);
	if (checkpoint(sim, lengths[length]) && one_in(&sim->rng, 2) &&
	    !engine_restart(sim)) {
		sim->stop.done = 0;
		checkpoint(sim, lengths[length] / 2);
	}
	settle(sim);
	model_check_view(sim);
	engine_exit(sim);
	model_exit(sim);
}
