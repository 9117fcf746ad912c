// SPDX-License-Identifier: GPL-2.0
/*
 * batch.c - the engine's worker: batches of writes that need a backup
 *
 * Follows kmod/dm-bow-engine.c and kmod/dm-bow-io.c.  The worker is called
 * instead of scheduled; while it waits for the disk, workload_tick() lets the
 * world go on.
 */
#include "sim.h"

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
			if (workload_fault(sim)) {
				disk_lose(d, &sim->rng);
				return -EIO;
			}
			model_flushed(sim);
			disk_flush(d);
		}
		io = disk_submit_bytes(d, w->sector * BOW_SECTOR_SIZE, w->data,
				       w->bytes, w->fua);
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

static int make_copies(struct sim *sim, struct bow_batch *batch)
{
	read_copies(sim, batch);
	return write_copies(sim, batch);
}

/* ---- batches ---- */

static void end_writes(struct sim *sim, struct op_list *writes, int status)
{
	struct op *op;

	while ((op = op_pop(writes))) {
		if (status) {
			engine_end(sim, op, status);
		} else {
			engine_track_writer(sim, op);
			engine_send(sim, op, op->sector);
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
	const struct bow_core *core = &sim->engine.core;
	const struct bow_header_disk *work = (const void *)core->work;
	u32 rolled = le32_to_cpu(work->sequence) -
		     le32_to_cpu(bow_core_header(core)->sequence);
	struct coverage *cov = sim->cov;

	if (batch->logs != rolled + batch->moves_next_log)
		sim_fail(sim, "%u places are held for log blocks, %u are used",
			 batch->logs, rolled + batch->moves_next_log);
	cov->batches++;
	cov->rolled += rolled;
	cov->rolled_twice += rolled > 1;
	cov->live_moves += batch->moves_live0;
	cov->next_moves += batch->moves_next_log;
	cov->next_moves_rolled += batch->moves_next_log && rolled;
	cov->backup_moves += moves_backup(sim, batch);
	if (!sim->stop.done)
		return;
	cov->batches_after++;
	cov->rolled_after += rolled;
	cov->live_moves_after += batch->moves_live0;
	cov->next_moves_after += batch->moves_next_log;
	cov->backup_moves_after += moves_backup(sim, batch);
}

/* What became of a batch. */
enum outcome { PUBLISHED, NOT_WRITTEN, LOST };

static enum outcome publish(struct sim *sim, struct bow_batch *batch,
			    bool alone)
{
	struct engine *e = &sim->engine;
	int failed;

	if (bow_batch_empty(batch))
		return PUBLISHED;
	if (batch->moves_live0)
		engine_wait(sim, TRACK_BLOCK0);
	failed = make_copies(sim, batch);
	if (failed && bow_batch_drop_ahead(&e->core, batch)) {
		sim->cov->dropped += !sim->off;
		failed = make_copies(sim, batch);
	}
	if (failed) {
		sim->cov->aborted += !sim->off;
		if (alone)
			bow_batch_avoid(&e->core, batch);
		else
			bow_batch_abort(&e->core, batch);
		return NOT_WRITTEN;
	}
	bow_batch_seal(&e->core, batch, &e->log_writes);
	if (engine_run_writes(sim, e->log_writes.w, e->log_writes.count)) {
		sim->cov->lost += !sim->off;
		e->failed = true;
		bow_batch_lost(&e->core, batch);
		return LOST;
	}
	count_batch(sim, batch);
	watch_log(sim);
	bow_batch_done(&e->core, batch);
	return PUBLISHED;
}

static int plan(struct sim *sim, u64 first, u64 count)
{
	struct engine *e = &sim->engine;

	return e->failed ? -EIO :
			   bow_batch_add(&e->core, &e->batch, first, count);
}

static void refuse(struct sim *sim, struct op *op, int r)
{
	if (r == -E2BIG)
		sim_fail(sim, "a part does not fit in an empty batch");
	sim->cov->full += r == -ENOSPC;
	engine_end(sim, op, r);
}

/* False: it must wait for the next batch. */
static bool plan_write(struct sim *sim, struct op_list *writes, struct op *op)
{
	int r = plan(sim, op_first(sim, op), op_count(sim, op));

	if (r == -E2BIG)
		return false;
	if (r)
		refuse(sim, op, r);
	else
		op_add(writes, op);
	return true;
}

static int publish_blocks(struct sim *sim, u64 first, u64 count)
{
	struct engine *e = &sim->engine;
	enum outcome outcome = NOT_WRITTEN;
	int tries;

	for (tries = 0; tries < 4 && outcome == NOT_WRITTEN; tries++) {
		int r;

		bow_batch_begin(&e->batch);
		r = plan(sim, first, count);
		if (r)
			return r;
		outcome = publish(sim, &e->batch, true);
	}
	return outcome == PUBLISHED ? 0 : -EIO;
}

static void publish_one(struct sim *sim, struct op *op)
{
	u64 first = op_first(sim, op), left = op_count(sim, op);
	struct op_list one = { NULL, NULL };
	int r = 0;

	while (left && !r) {
		u64 n = left < BOW_BATCH_ANY ? left : BOW_BATCH_ANY;

		r = publish_blocks(sim, first, n);
		first += n;
		left -= n;
	}
	if (r) {
		refuse(sim, op, r);
		return;
	}
	op_add(&one, op);
	end_writes(sim, &one, 0);
}

static void finish_batch(struct sim *sim, struct op_list *writes)
{
	struct bow_batch *batch = &sim->engine.batch;
	u32 blocks = batch->blocks, claims = batch->claims;
	struct op *op;

	if (!sim->engine.failed)
		bow_batch_ahead(&sim->engine.core, batch);
	sim->cov->ahead += batch->blocks - blocks;
	sim->cov->claimed_ahead += batch->claims - claims;
	sim->cov->grouped += writes->first && writes->first != writes->last;
	switch (publish(sim, batch, false)) {
	case PUBLISHED:
		end_writes(sim, writes, 0);
		break;
	case LOST:
		end_writes(sim, writes, -EIO);
		break;
	default:
		while ((op = op_pop(writes)))
			publish_one(sim, op);
	}
}

static void send_block0(struct sim *sim, struct op *op)
{
	struct engine *e = &sim->engine;

	if (e->failed) {
		engine_end(sim, op, -EIO);
		return;
	}
	op->track |= TRACK_BLOCK0;
	engine_send(sim, op, op->sector + e->core.live0 * e->spb);
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
			if (!engine_route_passing(sim, op))
				sim_fail(sim, "an op cannot be routed");
		} else if (op->kind == OP_DISCARD) {
			op_add(&e->returning_next, op);
		} else if (op_in_block0(sim, op)) {
			send_block0(sim, op);
		} else if (plan_write(sim, &writes, op)) {
			continue;
		} else if (writes.first) {
			op_put_back(&e->pending, op);
			break;
		} else {
			sim->cov->parts++;
			publish_one(sim, op);
			bow_batch_begin(&e->batch);
		}
	}
	if (any)
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
	engine_return(sim);
	sim->in_worker = false;
}
