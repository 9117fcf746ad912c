// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-engine.c - the worker, and the batches that back blocks up
 *
 * Writes that need a backup are gathered into a batch: all copies in parallel,
 * one write of block 0 with PREFLUSH and FUA, then the waiting writes.
 */
#include "dm-bow.h"

#define BIOS_MAX 1024u	/* in a round of the worker */

/* ---- batches ---- */

static void count_error(struct bow *bow)
{
	spin_lock(&bow->lock);
	bow->errors++;
	spin_unlock(&bow->lock);
}

static void send_write(struct bow *bow, struct bio *bio)
{
	/* Only the worker kills the reference, and never in state 1. */
	percpu_ref_get(&bow->passing);
	spin_lock(&bow->lock);
	bow_track_writer(bow, bow_bio(bio));
	spin_unlock(&bow->lock);
	bow_bio(bio)->track |= BOW_TRACK_RELEASED;
	atomic_inc(&bow->released);
	submit_bio_noacct(bio);
}

static void end_writes(struct bow *bow, struct bio_list *writes,
		       blk_status_t status)
{
	struct blk_plug plug;
	struct bio *bio;

	/* A round of block 0 and discards alone says nothing of the next. */
	if (!bio_list_empty(writes))
		bow->last_writes = status ? 0 : bio_list_size(writes);
	blk_start_plug(&plug);
	while ((bio = bio_list_pop(writes))) {
		if (status) {
			count_error(bow);
			bow_end_bio(bio, status);
		} else {
			send_write(bow, bio);
		}
	}
	blk_finish_plug(&plug);
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

static enum bow_outcome make_copies(struct bow *bow, struct bow_batch *batch)
{
	if (bow_read_copies(bow, batch))
		return BOW_NOT_READ;
	if (bow_write_copies(bow, batch))
		return BOW_NOT_WRITTEN;
	return BOW_PUBLISHED;
}

static bool drop_ahead(struct bow *bow, struct bow_batch *batch)
{
	bool dropped;

	spin_lock(&bow->lock);
	dropped = bow_batch_drop_ahead(&bow->core, batch);
	spin_unlock(&bow->lock);
	return dropped;
}

/*
 * Make the batch durable.  @alone: it is of one write, so a place that fails
 * is known to be bad and is not used again.
 */
static enum bow_outcome publish(struct bow *bow, struct bow_batch *batch,
				bool alone)
{
	struct bow_log_writes *lw = &bow->log_writes;
	enum bow_outcome outcome;
	unsigned int done;

	if (bow_batch_empty(batch))
		return BOW_PUBLISHED;
	/*
	 * Nobody reads or writes block 0 while its live copy moves: the worker
	 * sends such bios, and it is busy here.
	 */
	if (batch->moves_live0)
		bow_wait_block0(bow);
	outcome = make_copies(bow, batch);
	if (outcome != BOW_PUBLISHED && drop_ahead(bow, batch))
		outcome = make_copies(bow, batch);
	if (outcome != BOW_PUBLISHED) {
		settle_batch(bow, batch, alone && outcome == BOW_NOT_WRITTEN ?
						 bow_batch_avoid :
						 bow_batch_abort);
		return outcome;
	}
	bow_batch_seal(&bow->core, batch, lw);
	if (bow_run_writes(bow, lw->w, lw->count, &done)) {
		lose_batch(bow, batch);
		return BOW_LOST;
	}
	settle_batch(bow, batch, bow_batch_done);
	return BOW_PUBLISHED;
}

/* 0, -EIO, or as bow_batch_add(). */
static int plan(struct bow *bow, struct bow_batch *batch, u64 first, u64 count)
{
	int r;

	spin_lock(&bow->lock);
	r = bow->failed ? -EIO :
			  bow_batch_add(&bow->core, batch, first, count);
	spin_unlock(&bow->lock);
	return r;
}

/* There can be no backup for this write: -ENOSPC or -EIO. */
static void refuse(struct bow *bow, struct bio *bio, int r)
{
	if (r == -ENOSPC) {
		bow_out_of_space(bow, bio);
		return;
	}
	count_error(bow);
	bow_end_bio(bio, BLK_STS_IOERR);
}

/* Plan a write.  False: it must wait for the next batch. */
static bool plan_write(struct bow *bow, struct bow_batch *batch,
		       struct bio_list *writes, struct bio *bio)
{
	int r = plan(bow, batch, bow_bio_first(bow, bio),
		     bow_bio_count(bow, bio));

	if (r == -E2BIG)
		return false;
	if (r)
		refuse(bow, bio, r);
	else
		bio_list_add(writes, bio);
	return true;
}

/* A batch for these blocks alone, with other places if those it got are bad. */
static int publish_blocks(struct bow *bow, u64 first, u64 count)
{
	enum bow_outcome outcome = BOW_NOT_WRITTEN;
	int tries;

	for (tries = 0; tries < 4 && outcome == BOW_NOT_WRITTEN; tries++) {
		int r;

		bow_batch_begin(&bow->batch);
		r = plan(bow, &bow->batch, first, count);
		if (r)
			return r;
		outcome = publish(bow, &bow->batch, true);
	}
	return outcome == BOW_PUBLISHED ? 0 : -EIO;
}

/*
 * One write by itself, in parts that fit in a batch whatever the map looks
 * like.  What a part has backed up stays so while the next is under way: only
 * the worker makes a block need a backup again.
 */
static void publish_one(struct bow *bow, struct bio *bio)
{
	u64 first = bow_bio_first(bow, bio), left = bow_bio_count(bow, bio);
	struct bio_list one;
	int r = 0;

	while (left && !r) {
		u64 n = min_t(u64, left, BOW_BATCH_ANY);

		r = publish_blocks(bow, first, n);
		first += n;
		left -= n;
	}
	if (r) {
		refuse(bow, bio, r);
		return;
	}
	bio_list_init(&one);
	bio_list_add(&one, bio);
	end_writes(bow, &one, BLK_STS_OK);
}

static void guess(struct bow *bow, struct bow_batch *batch)
{
	spin_lock(&bow->lock);
	if (!bow->failed)
		bow_batch_ahead(&bow->core, batch);
	spin_unlock(&bow->lock);
}

static void finish_batch(struct bow *bow, struct bio_list *writes)
{
	struct bio *bio;

	guess(bow, &bow->batch);
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
		count_error(bow);
		bow_end_bio(bio, BLK_STS_IOERR);
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

	if (bow_route_passing(bow, bio, &r)) {
		if (r == DM_MAPIO_REMAPPED)
			submit_bio_noacct(bio);
		return;
	}
	/* Changes of state are ours to make, so this cannot be. */
	bow_end_bio(bio, BLK_STS_IOERR);
}

/* ---- the worker ---- */

static struct bio *next_bio(struct bow *bow)
{
	struct bio *bio;

	spin_lock(&bow->lock);
	bio = bio_list_pop(&bow->pending);
	if (bio)
		bow->pending_count--;
	spin_unlock(&bow->lock);
	return bio;
}

static void put_back(struct bow *bow, struct bio *bio)
{
	spin_lock(&bow->lock);
	bio_list_add_head(&bow->pending, bio);
	bow->pending_count++;
	spin_unlock(&bow->lock);
}

/*
 * Everything queued so far, up to a full batch.  False: nothing was there.  There is
 * an end to those that take no room in it, or a flood of them would keep a request
 * and the writes that are planned waiting.
 */
static bool handle_bios(struct bow *bow)
{
	unsigned int left = BIOS_MAX;
	struct bio_list writes;
	struct bio *bio;
	bool any = false;

	if (bow->state == BOW_RESUME)
		return false;
	if (bow->state == BOW_CHECKPOINT)
		bow_gather(bow);
	bio_list_init(&writes);
	bow_batch_begin(&bow->batch);
	while (left-- && (bio = next_bio(bow))) {
		any = true;
		if (bow->state != BOW_CHECKPOINT) {
			reroute(bow, bio);
		} else if (bio_op(bio) == REQ_OP_DISCARD) {
			bow_discard(bow, bio);
		} else if (bow_in_block0(bow, bio)) {
			send_block0(bow, bio);
		} else if (bow_beyond_last_block(bow, bio)) {
			/* The end that is less than a block cannot be logged. */
			bow_end_bio(bio, BLK_STS_IOERR);
		} else if (plan_write(bow, &bow->batch, &writes, bio)) {
			continue;
		} else if (!bio_list_empty(&writes)) {
			put_back(bow, bio);
			break;
		} else {
			/* Too many pieces for any batch. */
			publish_one(bow, bio);
			bow_batch_begin(&bow->batch);
		}
	}
	/* A round without work does not tell how large batches are. */
	if (any)
		finish_batch(bow, &writes);
	bow_handle_full(bow);
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
	bool again;

	do {
		again = handle_request(bow) || handle_bios(bow);
		/* Under a load without a pause this loop has no end. */
		bow_handle_returning(bow);
		bow_tell(bow);
		cond_resched();
	} while (again);
}

static void passing_drained(struct percpu_ref *ref)
{
	complete(&container_of(ref, struct bow, passing)->drained);
}

int bow_engine_init(struct bow *bow)
{
	int r;

	spin_lock_init(&bow->lock);
	mutex_init(&bow->sysfs_lock);
	bio_list_init(&bow->pending);
	bio_list_init(&bow->returning);
	bio_list_init(&bow->returning_next);
	INIT_LIST_HEAD(&bow->requests);
	INIT_WORK(&bow->work, work_fn);
	init_waitqueue_head(&bow->sent_wait);
	init_completion(&bow->drained);
	bow_full_init(bow);

	r = bioset_init(&bow->bios, BIO_POOL_SIZE, 0, BIOSET_NEED_BVECS);
	if (r)
		return r;
	r = percpu_ref_init(&bow->passing, passing_drained,
			    PERCPU_REF_ALLOW_REINIT, GFP_KERNEL);
	if (r)
		goto out_bios;
	/*
	 * Swap and the root may sit on this device: WQ_MEM_RECLAIM.  The checksums
	 * of a batch take some milliseconds: nobody else shall wait for them.
	 */
	bow->wq = alloc_workqueue("dm-bow", WQ_MEM_RECLAIM | WQ_HIGHPRI |
				  WQ_CPU_INTENSIVE | BOW_WQ_PERCPU, 1);
	if (!bow->wq) {
		r = -ENOMEM;
		goto out_ref;
	}
	return 0;

out_ref:
	percpu_ref_exit(&bow->passing);
out_bios:
	bioset_exit(&bow->bios);
	mutex_destroy(&bow->sysfs_lock);
	return r;
}

void bow_engine_exit(struct bow *bow)
{
	bow_full_stop(bow);
	destroy_workqueue(bow->wq);
	bow_full_exit(bow);
	percpu_ref_exit(&bow->passing);
	bioset_exit(&bow->bios);
	mutex_destroy(&bow->sysfs_lock);
}
