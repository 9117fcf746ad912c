// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-route.c - where each bio goes
 *
 * Decided when it is mapped, under the spinlock and without sleeping: straight
 * to the device, or into the queue of the worker.
 */
#include "dm-bow.h"

/*
 * How long a batch waits for the writes of the one before to end, and as long
 * again for those that follow them, for the next of which so many microseconds.
 */
#define BOW_GATHER_MS	4
#define BOW_GATHER_US	200

/* ---- bookkeeping of bios in flight ---- */

void bow_untrack(struct bow *bow, struct bow_bio *bb)
{
	u8 track = bb->track;

	bb->track = BOW_TRACK_NONE;
	if (track & BOW_TRACK_BLOCK0 &&
	    atomic_dec_and_test(&bow->block0_inflight))
		wake_up(&bow->sent_wait);
	if (track & BOW_TRACK_RELEASED && atomic_dec_and_test(&bow->released))
		wake_up(&bow->sent_wait);
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

void bow_track_writer(struct bow *bow, struct bow_bio *bb)
{
	lockdep_assert_held(&bow->lock);
	bb->generation = bow->generation;
	bb->track |= BOW_TRACK_WRITER | BOW_TRACK_PASSING;
	atomic_inc(&bow->writers[bb->generation]);
}

void bow_kick(struct bow *bow)
{
	queue_work(bow->wq, &bow->work);
}

/*
 * What a bio ends with that would wait in state 3, or BLK_STS_OK: it can wait.  A
 * suspend without flush keeps bios, and maps them again when it is over.  If a signal
 * ends it that is before presuspend_undo(), and they wait here as before.
 */
static blk_status_t given_up_status(struct bow *bow)
{
	switch (bow->given_up) {
	case BOW_GIVEN_UP:
		return BLK_STS_IOERR;
	case BOW_GIVEN_BACK:
		return dm_noflush_suspending(bow->ti) ? BLK_STS_DM_REQUEUE :
							BLK_STS_OK;
	default:
		return BLK_STS_OK;
	}
}

static void queue_bio(struct bow *bow, struct bio *bio)
{
	blk_status_t refused;
	bool last = false;

	spin_lock(&bow->lock);
	refused = given_up_status(bow);
	if (!refused) {
		bio_list_add(&bow->pending, bio);
		last = ++bow->pending_count == bow->expected;
	}
	spin_unlock(&bow->lock);
	if (refused)
		bow_end_bio(bio, refused);
	else
		bow_kick(bow);
	if (last)
		wake_up(&bow->sent_wait);
}

void bow_give_up(struct bow *bow)
{
	blk_status_t status = BLK_STS_OK;
	struct bio_list list;
	struct bio *bio;

	bio_list_init(&list);
	spin_lock(&bow->lock);
	if (bow->state == BOW_RESUME) {
		bow->given_up = dm_noflush_suspending(bow->ti) ?
					BOW_GIVEN_BACK : BOW_GIVEN_UP;
		status = given_up_status(bow);
		bio_list_merge(&list, &bow->pending);
		bio_list_init(&bow->pending);
		bow->pending_count = 0;
	}
	spin_unlock(&bow->lock);
	while ((bio = bio_list_pop(&list)))
		bow_end_bio(bio, status);
}

void bow_take_up(struct bow *bow)
{
	spin_lock(&bow->lock);
	bow->given_up = BOW_NOT_GIVEN_UP;
	spin_unlock(&bow->lock);
}

void bow_wait_block0(struct bow *bow)
{
	wait_event(bow->sent_wait, !atomic_read(&bow->block0_inflight));
}

static bool all_here(struct bow *bow)
{
	return READ_ONCE(bow->pending_count) >= bow->expected;
}

/*
 * A batch costs two flushes however large it is.  Whoever keeps so many writes
 * in flight sends the next ones when those of the last batch are done: wait for
 * that, and then as long as they keep coming, until there are as many.
 */
void bow_gather(struct bow *bow)
{
	unsigned int pending = READ_ONCE(bow->pending_count), expected;
	ktime_t end;

	if (!pending)
		return;
	expected = max(pending + atomic_read(&bow->released),
		       bow->last_writes);
	if (pending >= expected)
		return;
	wait_event_timeout(bow->sent_wait, !atomic_read(&bow->released),
			   msecs_to_jiffies(BOW_GATHER_MS));
	spin_lock(&bow->lock);
	bow->expected = expected;
	spin_unlock(&bow->lock);
	end = ktime_add_ms(ktime_get(), BOW_GATHER_MS);
	do
		pending = READ_ONCE(bow->pending_count);
	while (wait_event_hrtimeout(bow->sent_wait, all_here(bow),
				    ns_to_ktime(BOW_GATHER_US * NSEC_PER_USEC)) &&
	       READ_ONCE(bow->pending_count) > pending &&
	       ktime_before(ktime_get(), end));
	spin_lock(&bow->lock);
	bow->expected = 0;
	spin_unlock(&bow->lock);
}

/* ---- routing ---- */

/*
 * Cut a bio that will be queued: a piece inside block 0 alone, no more blocks than
 * fit in a batch, and what is at the end, less than a block, alone too, as it
 * fails.  Only while it is being mapped.
 */
static void cut_bio(struct bow *bow, struct bio *bio)
{
	u64 start = bio->bi_iter.bi_sector;
	u64 end = bow_in_block0(bow, bio) ?
			  1u << bow->block_shift :
			  bow_sector(bow, bow_bio_first(bow, bio) +
						  BOW_BATCH_BLOCKS);
	u64 tail = bow_sector(bow, bow_blocks(bow));

	if (start < tail)
		end = min(end, tail);
	if (bio_op(bio) != REQ_OP_DISCARD && bio_end_sector(bio) > end)
		dm_accept_partial_bio(bio, end - start);
}

bool bow_route_passing(struct bow *bow, struct bio *bio, int *r)
{
	if (!percpu_ref_tryget_live(&bow->passing))
		return false;
	/*
	 * With the reference held a checkpoint cannot begin.  The state is read
	 * after it: where reads may change places, one from before the checkpoint
	 * could meet a reference that is live again.  Pairs with the release in
	 * percpu_ref_reinit().
	 */
	smp_rmb();
	if (READ_ONCE(bow->state) == BOW_CHECKPOINT ||
	    READ_ONCE(bow->state) == BOW_RESUME) {
		percpu_ref_put(&bow->passing);
		return false;
	}
	bow_bio(bio)->track |= BOW_TRACK_PASSING;
	*r = DM_MAPIO_SUBMITTED;
	if (READ_ONCE(bow->failed) && op_is_write(bio_op(bio))) {
		/* Block 0 is in doubt after a failed activation. */
		bow_end_bio(bio, BLK_STS_IOERR);
		return true;
	}
	if (READ_ONCE(bow->state) == BOW_TRIM)
		bow_note_passing(bow, bio);
	*r = DM_MAPIO_REMAPPED;
	if (bio_op(bio) == REQ_OP_DISCARD &&
	    !bdev_max_discard_sectors(bow->dev->bdev)) {
		/* Offered although the disk has none, to learn what is free. */
		bow_end_bio(bio, BLK_STS_OK);
		*r = DM_MAPIO_SUBMITTED;
	}
	return true;
}

/* State 1, a write outside block 0: may it go at once? */
static bool write_is_free(struct bow *bow, struct bio *bio)
{
	lockdep_assert_held(&bow->lock);
	/*
	 * It may outlive this checkpoint, and the next one must wait for it.
	 * While the state has just changed there is no reference to be had.
	 */
	if (!percpu_ref_tryget_live(&bow->passing))
		return false;
	if (!bow_core_write_direct(&bow->core, bow_bio_first(bow, bio),
				   bow_bio_count(bow, bio))) {
		percpu_ref_put(&bow->passing);
		return false;
	}
	bow_track_writer(bow, bow_bio(bio));
	return true;
}

int bow_route(struct bow *bow, struct bio *bio)
{
	bool now = false, low;
	int r;

	/* A read outside block 0 is the same in every state. */
	if (!bow_in_block0(bow, bio) && !op_is_write(bio_op(bio)))
		return DM_MAPIO_REMAPPED;
	if (READ_ONCE(bow->state) != BOW_CHECKPOINT &&
	    bow_route_passing(bow, bio, &r))
		return r;
	spin_lock(&bow->lock);
	if (bow->state == BOW_CHECKPOINT && !bow_in_block0(bow, bio) &&
	    bio_op(bio) != REQ_OP_DISCARD && !bow_beyond_last_block(bow, bio))
		now = write_is_free(bow, bio);
	low = now && bow_low_untold(bow);
	spin_unlock(&bow->lock);
	/* Free blocks get few, and nothing else need wake who tells of it. */
	if (low)
		bow_kick(bow);
	if (now)
		return DM_MAPIO_REMAPPED;
	/*
	 * Nobody waits here, so that NOWAIT is done justice; the worker may wait
	 * for the disk to take a request.  EAGAIN instead would be the end of a
	 * polled bio: Linux does not try it again.  Whoever polls finds no request
	 * in a queue of the disk yet.
	 */
	bio->bi_opf &= ~(REQ_NOWAIT | REQ_POLLED);
	cut_bio(bow, bio);
	queue_bio(bow, bio);
	return DM_MAPIO_SUBMITTED;
}
