// SPDX-License-Identifier: GPL-2.0
/*
 * engine.c - where each request of the user goes
 *
 * Follows kmod/dm-bow-engine.c function by function, with the disk of disk.c
 * below it.
 */
#include <stdlib.h>

#include "sim.h"

struct op *op_pop(struct op_list *list)
{
	struct op *op = list->first;

	if (op)
		list->first = op->next;
	if (!list->first)
		list->last = NULL;
	return op;
}

void op_add(struct op_list *list, struct op *op)
{
	op->next = NULL;
	if (list->last)
		list->last->next = op;
	else
		list->first = op;
	list->last = op;
}

void op_put_back(struct op_list *list, struct op *op)
{
	op->next = list->first;
	list->first = op;
	if (!list->last)
		list->last = op;
}

/* ---- the end of an op ---- */

static void untrack(struct sim *sim, struct op *op)
{
	if (op->track & TRACK_WRITER)
		sim->engine.writers[op->generation]--;
	op->track = 0;
}

void engine_end(struct sim *sim, struct op *op, int status)
{
	untrack(sim, op);
	if (op->kind == OP_DISCARD)
		model_discarded(sim, to_cell(sim, op->sector),
				to_cell(sim, op->sectors));
	else if (status)
		model_write_failed(sim, op->uw, false);
	free(op);
}

void engine_complete(struct sim *sim, struct io *io)
{
	bool failed = workload_fault(sim);
	struct op *op = io->op;

	disk_complete(&sim->disk, io, failed ? &sim->rng : NULL);
	untrack(sim, op);
	if (op->kind == OP_DISCARD)
		model_discarded(sim, to_cell(sim, op->sector),
				to_cell(sim, op->sectors));
	else if (failed)
		model_write_failed(sim, op->uw, true);
	else
		model_written(sim, op->uw, op->fua);
	free(op);
}

void engine_wait(struct sim *sim, u8 track)
{
	struct io *io = sim->disk.flight;

	while (io) {
		if (io->op && io->op->track & track) {
			engine_complete(sim, io);
			io = sim->disk.flight;
		} else {
			io = io->next;
		}
	}
}

/* ---- routing ---- */

void engine_track_writer(struct sim *sim, struct op *op)
{
	op->generation = (u8)sim->engine.generation;
	op->track |= TRACK_WRITER;
	sim->engine.writers[op->generation]++;
}

void engine_send(struct sim *sim, struct op *op, u64 sector)
{
	disk_submit(&sim->disk, to_cell(sim, sector),
		    to_cell(sim, op->sectors), op->data, op->fua, op);
}

static u64 add_free(struct bow_map *map, u64 first, u64 count)
{
	bow_map_add_free(map, first, count);
	return 0;
}

typedef u64 (*range_fn)(struct bow_map *map, u64 first, u64 count);

/* Call @fn on the blocks that lie wholly inside a discard. */
static u64 for_discarded(struct sim *sim, const struct op *op, range_fn fn)
{
	u32 spb = sim->engine.spb;
	u64 first = (op->sector + spb - 1) / spb;
	u64 end = op_end(op) / spb;

	return first < end ? fn(&sim->engine.core.map, first, end - first) : 0;
}

static void note_passing(struct sim *sim, struct op *op)
{
	u64 first = op_first(sim, op);
	u64 end = first + op_count(sim, op);

	if (end > sim->blocks)
		end = sim->blocks;
	if (op->kind == OP_DISCARD)
		for_discarded(sim, op, add_free);
	else if (first < end)
		bow_map_remove_free(&sim->engine.core.map, first, end - first);
}

bool engine_route_passing(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->stopped || e->state == ENGINE_CHECKPOINT)
		return false;
	if (e->failed) {
		engine_end(sim, op, -EIO);
		return true;
	}
	op->track |= TRACK_PASSING;
	if (e->state == ENGINE_TRIM) {
		note_passing(sim, op);
		model_passing(sim, op);
	}
	engine_send(sim, op, op->sector);
	return true;
}

static bool write_is_free(struct sim *sim, struct op *op)
{
	if (!bow_core_write_direct(&sim->engine.core, op_first(sim, op),
				   op_count(sim, op)))
		return false;
	engine_track_writer(sim, op);
	engine_send(sim, op, op->sector);
	return true;
}

static void split(struct sim *sim, struct op *op, u64 sectors)
{
	struct op *rest = xalloc(sizeof(*rest));

	*rest = *op;
	op->sectors = sectors;
	rest->sector += sectors;
	rest->sectors -= sectors;
	rest->uw = model_split(sim, op->uw, to_cell(sim, sectors));
	rest->data = rest->uw->data;
	op_add(&sim->engine.pending, op);
	engine_submit(sim, rest);
}

/* Queue a part inside block 0 alone, or no more than fits in a batch. */
static void cut_and_queue(struct sim *sim, struct op *op)
{
	u32 spb = sim->engine.spb;
	u64 end = op_in_block0(sim, op) ?
			  spb :
			  (op_first(sim, op) + BOW_BATCH_BLOCKS) * spb;

	if (op->kind != OP_DISCARD && op_end(op) > end)
		split(sim, op, end - op->sector);
	else
		op_add(&sim->engine.pending, op);
}

void engine_submit(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->state != ENGINE_CHECKPOINT && engine_route_passing(sim, op))
		return;
	if (op->kind != OP_DISCARD &&
	    op_end(op) > (u64)sim->blocks * e->spb) {
		engine_end(sim, op, -EIO);
		return;
	}
	if (e->state == ENGINE_CHECKPOINT && !op_in_block0(sim, op) &&
	    op->kind != OP_DISCARD && write_is_free(sim, op))
		return;
	cut_and_queue(sim, op);
}

/* ---- discards in state 1 ---- */

static u64 return_end(struct bow_map *map, u64 first, u64 count)
{
	u64 free = map->free;

	bow_map_return_end(map, first, count);
	return map->free - free;
}

/*
 * Blocks are marked when their generation of writes ends, not when the discard
 * comes: a discard that waits must not give back what a later one has marked.
 */
static void start_returning(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct op *op;

	while ((op = op_pop(&e->returning_next))) {
		if (for_discarded(sim, op, bow_map_return_begin))
			op_add(&e->returning, op);
		else
			engine_end(sim, op, 0);
	}
	/* Not without need: the generation that ended last must be empty. */
	if (e->returning.first)
		e->generation ^= 1;
}

void engine_return(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct op *op;

	while (e->returning.first || e->returning_next.first) {
		if (!e->returning.first)
			start_returning(sim);
		if (!e->returning.first || e->writers[e->generation ^ 1])
			return;
		while ((op = op_pop(&e->returning))) {
			sim->cov->returned += for_discarded(sim, op,
							    return_end);
			engine_end(sim, op, 0);
		}
	}
}
