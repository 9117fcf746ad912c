// SPDX-License-Identifier: GPL-2.0
/*
 * engine.c - the module's shell around the pure core, in the module's order
 *
 * Follows kmod/dm-bow-engine.c function by function, with the disk of disk.c
 * below it.  The worker is called instead of scheduled; while it waits for
 * the disk, workload_tick() lets the world go on.
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

static void op_put_back(struct op_list *list, struct op *op)
{
	op->next = list->first;
	list->first = op;
	if (!list->last)
		list->last = op;
}

/* ---- where an op lies ---- */

static u64 end_sector(const struct op *op)
{
	return op->sector + op->sectors;
}

static u64 first_block(const struct sim *sim, const struct op *op)
{
	return op->sector / sim->engine.spb;
}

static u64 count_blocks(const struct sim *sim, const struct op *op)
{
	return (end_sector(op) - 1) / sim->engine.spb - first_block(sim, op) +
	       1;
}

static bool in_block0(const struct sim *sim, const struct op *op)
{
	return op->sector < sim->engine.spb;
}

/* ---- the end of an op ---- */

static void untrack(struct sim *sim, struct op *op)
{
	if (op->track & TRACK_WRITER)
		sim->engine.writers[op->generation]--;
	op->track = 0;
}

/* Status 0 of a discard, or the failure of an op that never reached the disk. */
void engine_end(struct sim *sim, struct op *op, int status)
{
	untrack(sim, op);
	if (op->kind == OP_DISCARD)
		model_undefined(sim, to_cell(sim, op->sector),
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
		model_undefined(sim, to_cell(sim, op->sector),
				to_cell(sim, op->sectors));
	else if (failed)
		model_write_failed(sim, op->uw, true);
	else
		model_written(sim, op->uw, op->fua);
	free(op);
}

/* Wait until no write with this track is in flight. */
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

static void track_writer(struct sim *sim, struct op *op)
{
	op->generation = (u8)sim->engine.generation;
	op->track |= TRACK_WRITER;
	sim->engine.writers[op->generation]++;
}

/* To the disk below. */
static void send(struct sim *sim, struct op *op, u64 sector)
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
	u64 end = end_sector(op) / spb;

	return first < end ? fn(&sim->engine.core.map, first, end - first) : 0;
}

static void note_passing(struct sim *sim, struct op *op)
{
	u64 first = first_block(sim, op);
	u64 end = first + count_blocks(sim, op);

	if (end > sim->blocks)
		end = sim->blocks;
	if (op->kind == OP_DISCARD)
		for_discarded(sim, op, add_free);
	else if (first < end)
		bow_map_remove_free(&sim->engine.core.map, first, end - first);
}

/* States 0 and 2.  False: the state is changing or has changed. */
static bool route_passing(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->stopped || e->state == ENGINE_CHECKPOINT)
		return false;
	if (e->failed) {
		engine_end(sim, op, -EIO);
		return true;
	}
	op->track |= TRACK_PASSING;
	if (e->state == ENGINE_TRIM)
		note_passing(sim, op);
	send(sim, op, op->sector);
	return true;
}

static bool write_is_free(struct sim *sim, struct op *op)
{
	struct bow_map *map = &sim->engine.core.map;
	u64 first = first_block(sim, op);
	u64 count = count_blocks(sim, op);
	bool copy;

	if (bow_map_run(map, first, count, &copy) < count || copy)
		return false;
	bow_map_take(map, first, count);
	track_writer(sim, op);
	send(sim, op, op->sector);
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
	u64 end = in_block0(sim, op) ?
			  spb :
			  (first_block(sim, op) + BOW_BATCH_BLOCKS) * spb;

	if (op->kind != OP_DISCARD && end_sector(op) > end)
		split(sim, op, end - op->sector);
	else
		op_add(&sim->engine.pending, op);
}

void engine_submit(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->state != ENGINE_CHECKPOINT && route_passing(sim, op))
		return;
	if (op->kind != OP_DISCARD &&
	    end_sector(op) > (u64)sim->blocks * e->spb) {
		engine_end(sim, op, -EIO);
		return;
	}
	if (e->state == ENGINE_CHECKPOINT && !in_block0(sim, op) &&
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

static void discard(struct sim *sim, struct op *op)
{
	if (for_discarded(sim, op, bow_map_return_begin))
		op_add(&sim->engine.returning_next, op);
	else
		engine_end(sim, op, 0);
}

static void handle_returning(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct op *op;

	while (e->returning.first || e->returning_next.first) {
		if (!e->returning.first) {
			e->returning = e->returning_next;
			e->returning_next = (struct op_list){ NULL, NULL };
			e->generation ^= 1;
		}
		if (e->writers[e->generation ^ 1])
			return;
		while ((op = op_pop(&e->returning))) {
			sim->cov->returned += for_discarded(sim, op,
							    return_end);
			engine_end(sim, op, 0);
		}
	}
}

/* ---- the engine's own I/O ---- */

static int write_wait(struct sim *sim, struct io *io)
{
	bool failed;

	workload_tick(sim);
	failed = workload_fault(sim);
	disk_complete(&sim->disk, io, failed ? &sim->rng : NULL);
	return failed ? -EIO : 0;
}

int engine_run_writes(struct sim *sim, const struct bow_write *w, u32 count)
{
	struct disk *d = &sim->disk;
	int r = 0;

	for (; count && !r; w++, count--) {
		struct io *io;

		workload_tick(sim);
		if (w->preflush) {
			if (workload_fault(sim))
				return -EIO;
			model_flushed(sim);
			disk_flush(d);
		}
		io = disk_submit(d, to_cell(sim, w->sector),
				 w->bytes / d->unit, w->data, w->fua, NULL);
		r = write_wait(sim, io);
	}
	return r;
}

/* Reads all, with checksums. */
static void read_copies(struct sim *sim, struct bow_batch *batch)
{
	u32 i;

	for (i = 0; i < batch->copies; i++) {
		struct bow_copy *c = &batch->copy[i];
		u8 *buf = sim->engine.buffer + (size_t)c->offset * sim->cfg->bs;
		u32 cell = (u32)c->src * sim->cpb;

		if (disk_in_flight(&sim->disk, cell, c->blocks * sim->cpb,
				   NULL))
			sim_fail(sim, "block %u is copied while it is written",
				 (u32)c->src);
		disk_read(&sim->disk, cell, c->blocks * sim->cpb, buf);
		c->checksum = bow_crc32(bow_copy_seed(c), buf,
					(size_t)c->blocks * sim->cfg->bs);
	}
}

static int write_copies(struct sim *sim, struct bow_batch *batch)
{
	struct io *io[BOW_BATCH_COPIES];
	int r = 0;
	u32 i;

	for (i = 0; i < batch->copies; i++) {
		const struct bow_copy *c = &batch->copy[i];

		io[i] = disk_submit(&sim->disk, (u32)c->dst * sim->cpb,
				    c->blocks * sim->cpb,
				    sim->engine.buffer +
					    (size_t)c->offset * sim->cfg->bs,
				    false, NULL);
	}
	for (i = 0; i < batch->copies; i++) {
		if (write_wait(sim, io[i]))
			r = -EIO;
	}
	return r;
}

/* ---- batches ---- */

static void end_writes(struct sim *sim, struct op_list *writes, int status)
{
	struct op *op;

	while ((op = op_pop(writes))) {
		if (status) {
			engine_end(sim, op, status);
		} else {
			track_writer(sim, op);
			send(sim, op, op->sector);
		}
	}
}

static bool moves_backup(const struct sim *sim, const struct bow_batch *batch)
{
	u32 i;

	for (i = 0; i < batch->copies; i++) {
		if (sim->model.was_free[batch->copy[i].src] &&
		    !batch->copy[i].live0)
			return true;
	}
	return false;
}

static void count_batch(struct sim *sim, const struct bow_batch *batch)
{
	u32 rolled = sim->engine.log_writes.count - 1;
	struct coverage *cov = sim->cov;

	cov->batches++;
	cov->rolled += rolled;
	cov->rolled_twice += rolled > 1;
	cov->live_moves += batch->moves_live0;
	cov->next_moves += batch->moves_next_log;
	cov->next_moves_rolled += batch->moves_next_log && rolled;
	cov->backup_moves += moves_backup(sim, batch);
}

/* -EAGAIN: a copy failed, nothing was published. */
static int publish(struct sim *sim, struct bow_batch *batch)
{
	struct engine *e = &sim->engine;

	if (batch->moves_live0)
		engine_wait(sim, TRACK_BLOCK0);
	read_copies(sim, batch);
	if (write_copies(sim, batch)) {
		bow_batch_abort(&e->core, batch);
		sim->cov->aborted++;
		return -EAGAIN;
	}
	bow_batch_seal(&e->core, batch, &e->log_writes);
	if (engine_run_writes(sim, e->log_writes.w, e->log_writes.count)) {
		e->failed = true;
		bow_batch_lost(&e->core, batch);
		sim->cov->lost++;
		return -EIO;
	}
	count_batch(sim, batch);
	watch_log(sim);
	bow_batch_done(&e->core, batch);
	return 0;
}

/* False: it must wait for the next batch. */
static bool plan_write(struct sim *sim, struct op_list *writes, struct op *op)
{
	struct engine *e = &sim->engine;
	int r = e->failed ? -EIO :
			    bow_batch_add(&e->core, &e->batch,
					  first_block(sim, op),
					  count_blocks(sim, op));

	if (r == -E2BIG && (writes->first || e->batch.copies))
		return false;
	if (r == -E2BIG)
		sim_fail(sim, "a write does not fit in an empty batch");
	if (!r) {
		op_add(writes, op);
		return true;
	}
	sim->cov->full += r == -ENOSPC;
	engine_end(sim, op, r);
	return true;
}

static void publish_singly(struct sim *sim, struct op_list *writes)
{
	struct engine *e = &sim->engine;
	struct op *op;

	while ((op = op_pop(writes))) {
		struct op_list one = { NULL, NULL };
		int r = 0;

		bow_batch_begin(&e->batch);
		plan_write(sim, &one, op);
		if (!one.first)
			continue;
		if (!bow_batch_empty(&e->batch))
			r = publish(sim, &e->batch);
		end_writes(sim, &one, r);
	}
}

static void finish_batch(struct sim *sim, struct op_list *writes)
{
	int r = 0;

	sim->cov->grouped += writes->first && writes->first != writes->last;
	if (!bow_batch_empty(&sim->engine.batch))
		r = publish(sim, &sim->engine.batch);
	if (r == -EAGAIN)
		publish_singly(sim, writes);
	else
		end_writes(sim, writes, r);
}

static void send_block0(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->failed) {
		engine_end(sim, op, -EIO);
		return;
	}
	op->track |= TRACK_BLOCK0;
	send(sim, op, op->sector + e->core.live0 * e->spb);
}

static bool handle_ops(struct sim *sim)
{
	struct engine *e = &sim->engine;
	struct op_list writes = { NULL, NULL };
	bool any = false;
	struct op *op;

	bow_batch_begin(&e->batch);
	while (!sim->failed && (op = op_pop(&e->pending))) {
		any = true;
		if (e->state != ENGINE_CHECKPOINT) {
			if (!route_passing(sim, op))
				sim_fail(sim, "an op cannot be routed");
		} else if (op->kind == OP_DISCARD) {
			discard(sim, op);
		} else if (in_block0(sim, op)) {
			send_block0(sim, op);
		} else if (!plan_write(sim, &writes, op)) {
			op_put_back(&e->pending, op);
			break;
		}
	}
	finish_batch(sim, &writes);
	return any;
}

void engine_work(struct sim *sim)
{
	if (sim->in_worker)
		return;
	sim->in_worker = true;
	while (!sim->failed && handle_ops(sim))
		;
	handle_returning(sim);
	sim->in_worker = false;
}
