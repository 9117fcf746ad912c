// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-engine.c - where each bio goes, and the batches that back blocks up
 *
 * bow_route() decides, under the spinlock and without sleeping.  What must wait
 * is queued for the one worker, which gathers writes that need a backup into a
 * batch: all copies in parallel, one write of block 0 with PREFLUSH and FUA,
 * then the waiting writes.
 */
#include "dm-bow.h"

/* Blocks handled under one hold of the spinlock. */
#define BOW_LOCK_BLOCKS (u64)BOW_LEAF_BLOCKS

/* ---- bookkeeping of bios in flight ---- */

void bow_untrack(struct bow *bow, struct bow_bio *bb)
{
	u8 track = bb->track;

	bb->track = BOW_TRACK_NONE;
	if (track & BOW_TRACK_BLOCK0 &&
	    atomic_dec_and_test(&bow->block0_inflight))
		wake_up(&bow->block0_wait);
	/*
	 * Only a generation that discards wait for is worth a wake-up; the
	 * barrier of atomic_dec_and_test() pairs with the one in
	 * start_returning(), so that one side sees the other.
	 */
	if (track & BOW_TRACK_WRITER &&
	    atomic_dec_and_test(&bow->writers[bb->generation]) &&
	    READ_ONCE(bow->generation) != bb->generation)
		bow_kick(bow);
	/* Last: the target may go away when nothing holds a reference. */
	if (track & BOW_TRACK_PASSING)
		percpu_ref_put(&bow->passing);
}

static void track_writer(struct bow *bow, struct bow_bio *bb)
{
	lockdep_assert_held(&bow->lock);
	bb->generation = bow->generation;
	bb->track |= BOW_TRACK_WRITER;
	atomic_inc(&bow->writers[bb->generation]);
}

void bow_kick(struct bow *bow)
{
	queue_work(bow->wq, &bow->work);
}

void bow_queue_bio(struct bow *bow, struct bio *bio)
{
	spin_lock(&bow->lock);
	bio_list_add(&bow->pending, bio);
	spin_unlock(&bow->lock);
	bow_kick(bow);
}

static void end_bio(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
}

void bow_wait_block0(struct bow *bow)
{
	wait_event(bow->block0_wait, !atomic_read(&bow->block0_inflight));
}

/* ---- routing ---- */

/*
 * Cut a bio that will be queued: a piece inside block 0 alone, or no more
 * blocks than fit in a batch.  Only while it is being mapped.
 */
static void cut_bio(struct bow *bow, struct bio *bio)
{
	u64 start = bio->bi_iter.bi_sector;
	u64 end = bow_in_block0(bow, bio) ?
			  1u << bow->block_shift :
			  bow_sector(bow, bow_bio_first(bow, bio) +
						  BOW_BATCH_BLOCKS);

	if (bio_op(bio) != REQ_OP_DISCARD && bio_end_sector(bio) > end)
		dm_accept_partial_bio(bio, end - start);
}

typedef u64 (*range_fn)(struct bow_map *map, u64 first, u64 count);

/* Call @fn on [first, end) with the lock held for a part at a time. */
static u64 for_blocks(struct bow *bow, u64 first, u64 end, range_fn fn)
{
	u64 sum = 0;

	while (first < end) {
		u64 n = min(end - first, BOW_LOCK_BLOCKS);

		spin_lock(&bow->lock);
		sum += fn(&bow->core.map, first, n);
		spin_unlock(&bow->lock);
		first += n;
	}
	return sum;
}

/* The same for the blocks that lie wholly inside a discard. */
static u64 for_discarded(struct bow *bow, struct bio *bio, range_fn fn)
{
	u32 round = (1u << bow->block_shift) - 1;

	return for_blocks(bow,
			  (bio->bi_iter.bi_sector + round) >> bow->block_shift,
			  bio_end_sector(bio) >> bow->block_shift, fn);
}

static u64 add_free(struct bow_map *map, u64 first, u64 count)
{
	/* Without memory a part is not recorded: less is free. */
	return bow_map_add_free(map, first, count) == 0;
}

static u64 remove_free(struct bow_map *map, u64 first, u64 count)
{
	bow_map_remove_free(map, first, count);
	return 0;
}

/* State 0: a write ends that its blocks are free, a discard begins it. */
static void note_passing(struct bow *bow, struct bio *bio)
{
	u64 first = bow_bio_first(bow, bio);

	if (bio_op(bio) == REQ_OP_DISCARD)
		for_discarded(bow, bio, add_free);
	else if (op_is_write(bio_op(bio)) && READ_ONCE(bow->core.map.free))
		for_blocks(bow, first, min(first + bow_bio_count(bow, bio),
					   bow_blocks(bow)), remove_free);
}

/* States 0 and 2.  False: the state is changing or has changed. */
static bool route_passing(struct bow *bow, struct bio *bio, int *r)
{
	if (!percpu_ref_tryget_live(&bow->passing))
		return false;
	/* With the reference held a checkpoint cannot begin. */
	if (READ_ONCE(bow->state) == BOW_CHECKPOINT) {
		percpu_ref_put(&bow->passing);
		return false;
	}
	bow_bio(bio)->track |= BOW_TRACK_PASSING;
	*r = DM_MAPIO_SUBMITTED;
	if (READ_ONCE(bow->failed) && op_is_write(bio_op(bio))) {
		/* Block 0 is in doubt after a failed activation. */
		end_bio(bio, BLK_STS_IOERR);
		return true;
	}
	if (READ_ONCE(bow->state) == BOW_TRIM)
		note_passing(bow, bio);
	*r = DM_MAPIO_REMAPPED;
	if (bio_op(bio) == REQ_OP_DISCARD &&
	    !bdev_max_discard_sectors(bow->dev->bdev)) {
		/* Offered although the disk has none, to learn what is free. */
		end_bio(bio, BLK_STS_OK);
		*r = DM_MAPIO_SUBMITTED;
	}
	return true;
}

/* State 1, a write outside block 0: may it go at once? */
static bool write_is_free(struct bow *bow, struct bio *bio)
{
	u64 first = bow_bio_first(bow, bio);
	u64 count = bow_bio_count(bow, bio);
	bool copy;

	lockdep_assert_held(&bow->lock);
	if (bow_map_run(&bow->core.map, first, count, &copy) < count || copy)
		return false;
	bow_map_take(&bow->core.map, first, count);
	track_writer(bow, bow_bio(bio));
	return true;
}

static bool beyond_last_block(struct bow *bow, struct bio *bio)
{
	return bio_end_sector(bio) > bow_sector(bow, bow_blocks(bow));
}

int bow_route(struct bow *bow, struct bio *bio)
{
	bool now = false;
	int r;

	/* A read outside block 0 is the same in every state. */
	if (!bow_in_block0(bow, bio) && !op_is_write(bio_op(bio)))
		return DM_MAPIO_REMAPPED;
	if (READ_ONCE(bow->state) != BOW_CHECKPOINT &&
	    route_passing(bow, bio, &r))
		return r;
	if (op_is_write(bio_op(bio)) && beyond_last_block(bow, bio) &&
	    bio_op(bio) != REQ_OP_DISCARD) {
		/* The end that is less than a block cannot be logged. */
		end_bio(bio, BLK_STS_IOERR);
		return DM_MAPIO_SUBMITTED;
	}

	spin_lock(&bow->lock);
	if (bow->state == BOW_CHECKPOINT && !bow_in_block0(bow, bio) &&
	    bio_op(bio) != REQ_OP_DISCARD)
		now = write_is_free(bow, bio);
	spin_unlock(&bow->lock);
	if (now)
		return DM_MAPIO_REMAPPED;
	cut_bio(bow, bio);
	bow_queue_bio(bow, bio);
	return DM_MAPIO_SUBMITTED;
}

/* ---- discards in state 1 ---- */

static u64 return_end(struct bow_map *map, u64 first, u64 count)
{
	bow_map_return_end(map, first, count);
	return 0;
}

/*
 * What must be preserved stays, and is not touched.  What was free at the
 * checkpoint and has been used since goes back to the pool, later.
 */
static void discard(struct bow *bow, struct bio *bio)
{
	if (!for_discarded(bow, bio, bow_map_return_begin)) {
		end_bio(bio, BLK_STS_OK);
		return;
	}
	bio_list_add(&bow->returning_next, bio);
}

static void start_returning(struct bow *bow)
{
	bow->returning = bow->returning_next;
	bio_list_init(&bow->returning_next);
	spin_lock(&bow->lock);
	WRITE_ONCE(bow->generation, bow->generation ^ 1);
	spin_unlock(&bow->lock);
	/* Pairs with atomic_dec_and_test() in bow_untrack(). */
	smp_mb();
}

static void end_returning(struct bow *bow)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&bow->returning))) {
		for_discarded(bow, bio, return_end);
		end_bio(bio, BLK_STS_OK);
	}
}

/* Give back what no write in flight can still reach. */
static void handle_returning(struct bow *bow)
{
	while (!bio_list_empty(&bow->returning) ||
	       !bio_list_empty(&bow->returning_next)) {
		if (bio_list_empty(&bow->returning))
			start_returning(bow);
		if (atomic_read(&bow->writers[bow->generation ^ 1]))
			return;
		end_returning(bow);
	}
}

/* The checkpoint ends: nothing needs to go back any more. */
void bow_finish_discards(struct bow *bow)
{
	struct bio *bio;

	while ((bio = bio_list_pop(&bow->returning)) ||
	       (bio = bio_list_pop(&bow->returning_next)))
		end_bio(bio, BLK_STS_OK);
}

/* ---- batches ---- */

static void count_error(struct bow *bow, bool full)
{
	spin_lock(&bow->lock);
	if (full)
		bow->full = true;
	else
		bow->errors++;
	spin_unlock(&bow->lock);
}

static void send_write(struct bow *bow, struct bio *bio)
{
	spin_lock(&bow->lock);
	track_writer(bow, bow_bio(bio));
	spin_unlock(&bow->lock);
	submit_bio_noacct(bio);
}

static void end_writes(struct bow *bow, struct bio_list *writes,
		       blk_status_t status)
{
	struct bio *bio;

	while ((bio = bio_list_pop(writes))) {
		if (status) {
			count_error(bow, false);
			end_bio(bio, status);
		} else {
			send_write(bow, bio);
		}
	}
}

static void lose_batch(struct bow *bow, struct bow_batch *batch)
{
	DMERR("%s: the log cannot be written; no further block is backed up",
	      bow->dev->name);
	spin_lock(&bow->lock);
	bow->failed = true;
	bow_batch_lost(&bow->core, batch);
	spin_unlock(&bow->lock);
}

/* What became of a batch. */
enum bow_outcome {
	BOW_PUBLISHED,		/* durable: the writes may go */
	BOW_NOT_READ,		/* an original cannot be read */
	BOW_NOT_WRITTEN,	/* a place for a copy cannot be written */
	BOW_LOST,		/* the log cannot be written */
};

typedef void (*batch_fn)(struct bow_core *core, struct bow_batch *batch);

static void settle_batch(struct bow *bow, struct bow_batch *batch, batch_fn fn)
{
	spin_lock(&bow->lock);
	fn(&bow->core, batch);
	bow->shown = bow->core.n;
	spin_unlock(&bow->lock);
}

/*
 * Make the batch durable.  @alone: it is of one write, so a place that fails
 * is known to be bad and is not used again.
 */
static enum bow_outcome publish(struct bow *bow, struct bow_batch *batch,
				bool alone)
{
	struct bow_log_writes *lw = &bow->log_writes;
	unsigned int done;

	if (bow_batch_empty(batch))
		return BOW_PUBLISHED;
	/*
	 * Nobody reads or writes block 0 while its live copy moves: the worker
	 * sends such bios, and it is busy here.
	 */
	if (batch->moves_live0)
		bow_wait_block0(bow);
	if (bow_read_copies(bow, batch)) {
		settle_batch(bow, batch, bow_batch_abort);
		return BOW_NOT_READ;
	}
	if (bow_write_copies(bow, batch)) {
		settle_batch(bow, batch,
			     alone ? bow_batch_avoid : bow_batch_abort);
		return BOW_NOT_WRITTEN;
	}
	bow_batch_seal(&bow->core, batch, lw);
	if (bow_run_writes(bow, lw->w, lw->count, &done)) {
		lose_batch(bow, batch);
		return BOW_LOST;
	}
	settle_batch(bow, batch, bow_batch_done);
	return BOW_PUBLISHED;
}

/* Plan a write.  False: it must wait for the next batch. */
static bool plan_write(struct bow *bow, struct bow_batch *batch,
		       struct bio_list *writes, struct bio *bio)
{
	int r;

	spin_lock(&bow->lock);
	r = bow->failed ? -EIO :
			  bow_batch_add(&bow->core, batch,
					bow_bio_first(bow, bio),
					bow_bio_count(bow, bio));
	spin_unlock(&bow->lock);
	if (r == -E2BIG)
		return false;
	if (!r) {
		bio_list_add(writes, bio);
		return true;
	}
	count_error(bow, r == -ENOSPC);
	if (r == -ENOSPC)
		DMWARN_LIMIT("%s: no free block is left for backups",
			     bow->dev->name);
	end_bio(bio, r == -ENOSPC ? BLK_STS_NOSPC : BLK_STS_IOERR);
	return true;
}

/* One write by itself, with other places if those that it got are bad. */
static void publish_one(struct bow *bow, struct bio *bio)
{
	enum bow_outcome outcome = BOW_NOT_WRITTEN;
	struct bio_list one;
	int tries;

	for (tries = 0; tries < 4 && outcome == BOW_NOT_WRITTEN; tries++) {
		bio_list_init(&one);
		bow_batch_begin(&bow->batch);
		plan_write(bow, &bow->batch, &one, bio);
		if (bio_list_empty(&one))
			return;		/* plan_write() has failed it */
		outcome = publish(bow, &bow->batch, true);
	}
	end_writes(bow, &one,
		   outcome == BOW_PUBLISHED ? BLK_STS_OK : BLK_STS_IOERR);
}

static void finish_batch(struct bow *bow, struct bio_list *writes)
{
	struct bio *bio;

	switch (publish(bow, &bow->batch, false)) {
	case BOW_PUBLISHED:
		end_writes(bow, writes, BLK_STS_OK);
		break;
	case BOW_LOST:
		end_writes(bow, writes, BLK_STS_IOERR);
		break;
	default:
		/* One bad sector must not fail the others: each by itself. */
		while ((bio = bio_list_pop(writes)))
			publish_one(bow, bio);
	}
}

/* To the live copy, unless a failed log write has left it in doubt. */
static void send_block0(struct bow *bow, struct bio *bio)
{
	if (bow->failed && op_is_write(bio_op(bio))) {
		count_error(bow, false);
		end_bio(bio, BLK_STS_IOERR);
		return;
	}
	bow_bio(bio)->track |= BOW_TRACK_BLOCK0;
	atomic_inc(&bow->block0_inflight);
	bio->bi_iter.bi_sector += bow_sector(bow, bow->core.live0);
	submit_bio_noacct(bio);
}

/* The state changed while the bio waited. */
static void reroute(struct bow *bow, struct bio *bio)
{
	int r;

	if (route_passing(bow, bio, &r)) {
		if (r == DM_MAPIO_REMAPPED)
			submit_bio_noacct(bio);
		return;
	}
	/* Changes of state are ours to make, so this cannot be. */
	end_bio(bio, BLK_STS_IOERR);
}

/* ---- the worker ---- */

static struct bio *next_bio(struct bow *bow)
{
	struct bio *bio;

	spin_lock(&bow->lock);
	bio = bio_list_pop(&bow->pending);
	spin_unlock(&bow->lock);
	return bio;
}

static void put_back(struct bow *bow, struct bio *bio)
{
	spin_lock(&bow->lock);
	bio_list_add_head(&bow->pending, bio);
	spin_unlock(&bow->lock);
}

/* Everything queued so far, up to a full batch.  False: nothing was there. */
static bool handle_bios(struct bow *bow)
{
	struct bio_list writes;
	struct bio *bio;
	bool any = false;

	bio_list_init(&writes);
	bow_batch_begin(&bow->batch);
	while ((bio = next_bio(bow))) {
		any = true;
		if (bow->state != BOW_CHECKPOINT) {
			reroute(bow, bio);
		} else if (bio_op(bio) == REQ_OP_DISCARD) {
			discard(bow, bio);
		} else if (bow_in_block0(bow, bio)) {
			send_block0(bow, bio);
		} else if (!plan_write(bow, &bow->batch, &writes, bio)) {
			put_back(bow, bio);
			break;
		}
	}
	finish_batch(bow, &writes);
	return any;
}

static bool handle_request(struct bow *bow)
{
	struct bow_request *rq;

	spin_lock(&bow->lock);
	rq = list_first_entry_or_null(&bow->requests, struct bow_request, list);
	if (rq)
		list_del(&rq->list);
	spin_unlock(&bow->lock);
	if (!rq)
		return false;
	rq->result = rq->run(bow, rq);
	complete(&rq->done);
	return true;
}

static void work_fn(struct work_struct *work)
{
	struct bow *bow = container_of(work, struct bow, work);

	while (handle_request(bow) || handle_bios(bow))
		cond_resched();
	handle_returning(bow);
}

static void passing_drained(struct percpu_ref *ref)
{
	complete(&container_of(ref, struct bow, passing)->drained);
}

int bow_engine_init(struct bow *bow)
{
	int r;

	spin_lock_init(&bow->lock);
	bio_list_init(&bow->pending);
	bio_list_init(&bow->returning);
	bio_list_init(&bow->returning_next);
	INIT_LIST_HEAD(&bow->requests);
	INIT_WORK(&bow->work, work_fn);
	init_waitqueue_head(&bow->block0_wait);
	init_completion(&bow->drained);

	r = bioset_init(&bow->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS);
	if (r)
		return r;
	r = percpu_ref_init(&bow->passing, passing_drained,
			    PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
	if (r)
		goto out_bios;
	/* Swap and the root may sit on this device: WQ_MEM_RECLAIM. */
	bow->wq = alloc_workqueue("dm-bow", WQ_MEM_RECLAIM | WQ_UNBOUND, 1);
	if (!bow->wq) {
		r = -ENOMEM;
		goto out_ref;
	}
	return 0;

out_ref:
	percpu_ref_exit(&bow->passing);
out_bios:
	bioset_exit(&bow->bios);
	return r;
}

void bow_engine_exit(struct bow *bow)
{
	destroy_workqueue(bow->wq);
	percpu_ref_exit(&bow->passing);
	bioset_exit(&bow->bios);
}
