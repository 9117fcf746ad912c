// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-full.c - the free blocks get few, and run out
 *
 * A write that finds no place for its backup fails, or waits until there is
 * one, or ends the checkpoint, as on_full says.  Nothing else is affected: what
 * has been logged can be restored in any case.
 */
#include "dm-bow.h"

/* An event tells when less than so much of what was free is left. */
#define BOW_LOW_SHIFT 3

/* The worker looks at the time itself. */
static void stall_timeout(struct timer_list *timer)
{
	bow_kick(container_of(timer, struct bow, stall_timer));
}

/* ---- who wants to know ---- */

/*
 * Not by the worker, which all writes to this device wait for: these take locks
 * that others hold while they wait for memory.
 */
static void tell(struct work_struct *work)
{
	struct bow *bow = container_of(work, struct bow, tell);

	dm_table_event(bow->ti->table);
	bow_sysfs_notify(bow);
}

static bool is_low(const struct bow *bow)
{
	lockdep_assert_held(&bow->lock);
	return bow->state == BOW_CHECKPOINT &&
	       bow->core.map.free < bow->low_water;
}

bool bow_low_untold(const struct bow *bow)
{
	return is_low(bow) && !bow->told_low;
}

void bow_tell(struct bow *bow)
{
	const char *health = bow_health(bow);
	bool low, news;

	spin_lock(&bow->lock);
	low = is_low(bow);
	news = low != bow->told_low || health != bow->told_health;
	bow->told_low = low;
	bow->told_health = health;
	spin_unlock(&bow->lock);
	if (news)
		schedule_work(&bow->tell);
}

/* ---- writes without a place ---- */

void bow_full_init(struct bow *bow)
{
	bio_list_init(&bow->stalled);
	bow->told_health = bow_health(bow);
	timer_setup(&bow->stall_timer, stall_timeout, 0);
	INIT_WORK(&bow->tell, tell);
}

void bow_full_stop(struct bow *bow)
{
	timer_delete_sync(&bow->stall_timer);
}

void bow_full_exit(struct bow *bow)
{
	cancel_work_sync(&bow->tell);
}

void bow_full_measure(struct bow *bow)
{
	bow->low_water = bow->core.map.free >> BOW_LOW_SHIFT;
}

void bow_full_begin(struct bow *bow)
{
	bow->full = false;
	bow->waited = false;
	bow->stalls = 0;
}

static void set_full(struct bow *bow)
{
	spin_lock(&bow->lock);
	bow->full = true;
	spin_unlock(&bow->lock);
}

static void set_waiting(struct bow *bow, bool waiting)
{
	if (bow->waiting == waiting)
		return;
	spin_lock(&bow->lock);
	bow->stalls += waiting;
	bow->waiting = waiting;
	spin_unlock(&bow->lock);
}

/*
 * A write that has waited before, and found too little when some blocks were
 * free again, goes on waiting for what is left of its time.
 */
static void wait_for_space(struct bow *bow, struct bio *bio)
{
	struct bow_bio *bb = bow_bio(bio);

	if (!bb->stalled) {
		bb->stalled = true;
		bb->wait_end = jiffies +
			       (unsigned long)bow->wait_seconds * HZ;
	}
	if (!bio_list_empty(&bow->stalled) &&
	    !time_before(bb->wait_end, bow->stall_end))
		return;
	bow->stall_end = bb->wait_end;
	mod_timer(&bow->stall_timer, bow->stall_end);
	if (bow->waiting)
		return;
	DMWARN("%s: no free block is left for backups: writes wait %u s",
	       bow->dev->name, bow->wait_seconds);
	set_waiting(bow, true);
}

void bow_out_of_space(struct bow *bow, struct bio *bio)
{
	if (bow->on_full == BOW_FULL_ERROR || bow->waited) {
		DMWARN_LIMIT("%s: no free block is left for backups",
			     bow->dev->name);
		set_full(bow);
		bow_end_bio(bio, BLK_STS_NOSPC);
		return;
	}
	if (dm_noflush_suspending(bow->ti)) {
		bow_end_bio(bio, BLK_STS_DM_REQUEUE);
		return;
	}
	if (bow->on_full == BOW_FULL_COMMIT)
		bow->commit_due = true;
	else
		wait_for_space(bow, bio);
	bio_list_add(&bow->stalled, bio);
}

/* Those that find no place again are back here before health is told. */
void bow_retry_stalled(struct bow *bow)
{
	bow->waited = false;
	if (bio_list_empty(&bow->stalled))
		return;
	spin_lock(&bow->lock);
	bow->pending_count += bio_list_size(&bow->stalled);
	bio_list_merge_head(&bow->pending, &bow->stalled);
	spin_unlock(&bow->lock);
	bio_list_init(&bow->stalled);
	bow_kick(bow);
}

static void fail_stalled(struct bow *bow, blk_status_t status)
{
	struct bio *bio;

	set_waiting(bow, false);
	while ((bio = bio_list_pop(&bow->stalled)))
		bow_end_bio(bio, status);
}

void bow_requeue_stalled(struct bow *bow)
{
	fail_stalled(bow, BLK_STS_DM_REQUEUE);
}

void bow_handle_full(struct bow *bow)
{
	if (bow->commit_due) {
		bow->commit_due = false;
		DMWARN("%s: no free block is left for backups: the checkpoint ends",
		       bow->dev->name);
		if (bow->state == BOW_CHECKPOINT && bow_commit_now(bow))
			fail_stalled(bow, BLK_STS_IOERR);
	}
	if (bio_list_empty(&bow->stalled)) {
		set_waiting(bow, false);
	} else if (bow->waiting && time_after_eq(jiffies, bow->stall_end)) {
		bow->waited = true;
		set_full(bow);
		fail_stalled(bow, BLK_STS_NOSPC);
	}
}
