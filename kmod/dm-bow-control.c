// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-control.c - changes of state and of the set of free blocks
 *
 * Each is a request that the worker runs between batches, so that none races a
 * batch or another.  Callers wait; they hold no lock.
 */
#include <linux/random.h>
#include <linux/sched/mm.h>
#include <linux/timekeeping.h>

#include "dm-bow.h"

static int run_request(struct bow *bow, struct bow_request *rq)
{
	init_completion(&rq->done);
	spin_lock(&bow->lock);
	list_add_tail(&rq->list, &bow->requests);
	spin_unlock(&bow->lock);
	bow_kick(bow);
	wait_for_completion(&rq->done);
	return rq->result;
}

static void set_state(struct bow *bow, enum bow_state state)
{
	spin_lock(&bow->lock);
	WRITE_ONCE(bow->state, state);
	bow->shown = bow->core.n;
	spin_unlock(&bow->lock);
}

/* ---- free ranges ---- */

/* Give the map a plane in hand, so that it need not allocate under the lock. */
static int fill_spare(struct bow *bow)
{
	u64 *plane;

	if (bow->core.map.spare)
		return 0;
	plane = bow_alloc_plane(true);
	if (!plane)
		return -ENOMEM;
	spin_lock(&bow->lock);
	if (!bow->core.map.spare)
		swap(bow->core.map.spare, plane);
	spin_unlock(&bow->lock);
	bow_free(plane);
	return 0;
}

/* Blocks of a range: whole ones for what is free, touched ones otherwise. */
static void range_blocks(const struct bow *bow, const struct bow_range *range,
			 enum bow_range_kind kind, u64 *first, u64 *end)
{
	u32 round = (1u << bow->block_shift) - 1;
	bool inwards = kind == BOW_RANGE_FREE;

	*first = (range->start + (inwards ? round : 0)) >> bow->block_shift;
	*end = (range->start + range->length + (inwards ? 0 : round)) >>
	       bow->block_shift;
	*end = min(*end, bow_blocks(bow));
}

static int free_blocks(struct bow *bow, u64 first, u64 end)
{
	int r = 0;

	while (first < end && !r) {
		/* Up to the end of the leaf: that needs one plane at most. */
		u64 n = min(end - first,
			    BOW_LEAF_BLOCKS - first % BOW_LEAF_BLOCKS);

		r = fill_spare(bow);
		if (r)
			break;
		spin_lock(&bow->lock);
		r = bow_map_add_free(&bow->core.map, first, n);
		spin_unlock(&bow->lock);
		first += n;
	}
	return r;
}

/* No lock: in this state nobody but the worker uses the map. */
static void resume_blocks(struct bow *bow, enum bow_range_kind kind, u64 first,
			  u64 count)
{
	switch (kind) {
	case BOW_RANGE_HELD:
		bow_map_resume_held(&bow->core.map, first, count);
		break;
	case BOW_RANGE_TAKEN:
		bow_map_take(&bow->core.map, first, count, NULL);
		break;
	case BOW_RANGE_CHANGED:
		bow_map_resume_changed(&bow->core.map, first, count);
		break;
	default:
		bow_core_resume_claim(&bow->core, first, count);
	}
}

/* May ranges of this kind be added now? */
static int check_kind(struct bow *bow, enum bow_range_kind kind)
{
	if (kind == BOW_RANGE_FREE)
		return bow->state == BOW_TRIM ||
		       (bow->state == BOW_RESUME && !bow->core.map.armed) ?
			       0 : -EBUSY;
	if (bow->state != BOW_RESUME)
		return -EBUSY;
	if (bow->core.map.armed)
		return 0;
	/* The free set is complete when the first of the others comes. */
	bow_full_measure(bow);
	return bow_core_resume_begin(&bow->core);
}

static int do_add_ranges(struct bow *bow, struct bow_request *rq)
{
	unsigned int noio = memalloc_noio_save();
	unsigned int i;
	int r = check_kind(bow, rq->kind);

	for (i = 0; i < rq->count && !r; i++) {
		u64 first, end;

		range_blocks(bow, &rq->ranges[i], rq->kind, &first, &end);
		if (rq->kind == BOW_RANGE_FREE)
			r = free_blocks(bow, first, end);
		else if (first < end)
			resume_blocks(bow, rq->kind, first, end - first);
	}
	memalloc_noio_restore(noio);
	return r;
}

int bow_add_ranges(struct bow *bow, enum bow_range_kind kind,
		   const struct bow_range *ranges, unsigned int count)
{
	struct bow_request rq = {
		.run = do_add_ranges,
		.kind = kind,
		.ranges = ranges,
		.count = count,
	};
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (ranges[i].start > bow->sectors ||
		    ranges[i].length > bow->sectors - ranges[i].start)
			return -ERANGE;
	}
	return run_request(bow, &rq);
}

/* At most a plane is needed, as all bits of a word are in one leaf. */
static int free_word(struct bow *bow, u64 word, u64 bits)
{
	int r;

	if (!bits)
		return 0;
	r = fill_spare(bow);
	if (r)
		return r;
	spin_lock(&bow->lock);
	r = bow_map_add_free_word(&bow->core.map, word, bits);
	spin_unlock(&bow->lock);
	return r;
}

static int do_add_free_bits(struct bow *bow, struct bow_request *rq)
{
	unsigned int noio = memalloc_noio_save();
	unsigned int i;
	int r = check_kind(bow, BOW_RANGE_FREE);

	for (i = 0; i < rq->count && !r; i++)
		r = free_word(bow, rq->first / 64 + i,
			      le64_to_cpu(rq->bits[i]));
	memalloc_noio_restore(noio);
	return r;
}

int bow_add_free_bits(struct bow *bow, u64 start, const __le64 *bits,
		      unsigned int words)
{
	struct bow_request rq = {
		.run = do_add_free_bits,
		.bits = bits,
		.first = start >> bow->block_shift,
	};
	u64 end = 0;

	if (start & ((64u << bow->block_shift) - 1))
		return -EINVAL;
	while (words && !bits[words - 1])
		words--;
	if (words)
		end = (words - 1) * 64ull +
		      bow_fls(le64_to_cpu(bits[words - 1]));
	if (rq.first > bow_blocks(bow) || end > bow_blocks(bow) - rq.first)
		return -ERANGE;
	rq.count = words;
	return run_request(bow, &rq);
}

static int do_clear_free(struct bow *bow, struct bow_request *rq)
{
	if (bow->state != BOW_TRIM)
		return -EBUSY;
	spin_lock(&bow->lock);
	bow_map_clear(&bow->core.map);
	spin_unlock(&bow->lock);
	return 0;
}

int bow_clear_free(struct bow *bow)
{
	struct bow_request rq = { .run = do_clear_free };

	return run_request(bow, &rq);
}

/* ---- memory that only a checkpoint needs ---- */

void bow_free_buffers(struct bow *bow)
{
	unsigned int i;

	for (i = 0; i < bow->buffer_pages; i++)
		__free_page(bow->buffer[i]);
	bow->buffer_pages = 0;
	kvfree(bow->buffer);
	bow->buffer = NULL;
	kfree(bow->block0);
	bow->block0 = NULL;
	kfree(bow->part);
	bow->part = NULL;
}

static int alloc_buffers(struct bow *bow)
{
	unsigned int pages = DIV_ROUND_UP(BOW_BATCH_BLOCKS * bow->bs,
					  PAGE_SIZE);

	bow->block0 = kzalloc(bow->bs, GFP_KERNEL);
	bow->part = kzalloc(bow->bs, GFP_KERNEL);
	bow->buffer = kvcalloc(pages, sizeof(*bow->buffer), GFP_KERNEL);
	if (!bow->block0 || !bow->part || !bow->buffer)
		goto out_free;
	while (bow->buffer_pages < pages) {
		struct page *page = alloc_page(BOW_GFP_WAIT);

		if (!page)
			goto out_free;
		bow->buffer[bow->buffer_pages++] = page;
	}
	return 0;

out_free:
	bow_free_buffers(bow);
	return -ENOMEM;
}

/* ---- 0 to 1 ---- */

/*
 * A write of the activation failed; @done were done.  The first two went to
 * free blocks.  After that, give block 0 back; if that fails too, nobody knows
 * what the disk holds, and writing on would make it worse.
 */
static void undo_activation(struct bow *bow, unsigned int done)
{
	struct bow_write_list list;

	if (done >= 2) {
		bow_core_deactivate(&bow->core, bow->block0, &list);
		if (bow_run_writes(bow, list.w, list.count, &done)) {
			DMERR("%s: block 0 could not be given back",
			      bow->dev->name);
			spin_lock(&bow->lock);
			bow->failed = true;
			spin_unlock(&bow->lock);
		}
	}
	bow_core_reset(&bow->core);
}

static int write_free_map(struct bow *bow)
{
	struct bow_write w;
	unsigned int done;
	int r = 0;

	while (!r && bow_free_map_next(&bow->core, &w))
		r = bow_run_writes(bow, &w, 1, &done);
	return r;
}

/*
 * The log is on the disk, and the core knows it.  -EBUSY: a suspend has begun, and
 * bios that waited for the checkpoint have failed.
 */
static int enter_checkpoint(struct bow *bow)
{
	const struct bow_header_disk *h = bow_core_header(&bow->core);

	spin_lock(&bow->lock);
	if (bow->given_up) {
		spin_unlock(&bow->lock);
		return -EBUSY;
	}
	memcpy(bow->id, h->checkpoint_id, sizeof(bow->id));
	bow->created = le64_to_cpu(h->created);
	bow->errors = 0;
	bow_full_begin(bow);
	WRITE_ONCE(bow->state, BOW_CHECKPOINT);
	bow->shown = bow->core.n;
	spin_unlock(&bow->lock);
	return 0;
}

/* Nothing is in flight, and nothing can start. */
static int activate(struct bow *bow)
{
	struct bow_core_params p;
	struct bow_write_list list;
	unsigned int done;
	int r;

	r = bow_io(bow, REQ_OP_READ | REQ_SYNC, 0, bow->block0, bow->bs);
	if (r)
		return r;
	/* The disk may be known by another name, under which there is one already. */
	if (bow_undecided(bow->block0)) {
		DMERR("%s: holds an undecided checkpoint that is not ours",
		      bow->dev->name);
		return -EBUSY;
	}
	get_random_bytes(p.id, sizeof(p.id));
	p.created = ktime_get_real_seconds();
	bow_full_measure(bow);
	r = bow_core_activate(&bow->core, &p, bow->block0, &list);
	if (r)
		return r;
	r = write_free_map(bow);
	if (r) {
		bow_core_reset(&bow->core);
		return r;
	}
	r = bow_run_writes(bow, list.w, list.count, &done);
	if (r) {
		undo_activation(bow, done);
		return r;
	}
	/* Given up is only what waits in state 3. */
	return enter_checkpoint(bow);
}

/* What a checkpoint needs; nothing has been taken if that fails. */
static int prepare(struct bow *bow)
{
	int r = alloc_buffers(bow);

	return r ? r : bow_core_prepare(&bow->core);
}

static void unprepare(struct bow *bow)
{
	bow_core_unprepare(&bow->core);
	bow_free_buffers(bow);
}

static int do_checkpoint(struct bow *bow, struct bow_request *rq)
{
	unsigned int noio;
	int r;

	if (bow->state != BOW_TRIM)
		return -EBUSY;
	if (bow->failed)
		return -EIO;
	r = bow_peers_exclude(bow);
	if (r)
		return r;
	/*
	 * The filesystem above may be frozen, and reclaim must not wait for it
	 * nor for this device.
	 */
	noio = memalloc_noio_save();
	r = prepare(bow);
	if (!r) {
		reinit_completion(&bow->drained);
		percpu_ref_kill(&bow->passing);
		wait_for_completion(&bow->drained);
		r = activate(bow);
		percpu_ref_reinit(&bow->passing);
	}
	if (r)
		unprepare(bow);
	memalloc_noio_restore(noio);
	bow_peers_admit(bow);
	return r;
}

int bow_checkpoint(struct bow *bow)
{
	struct bow_request rq = { .run = do_checkpoint };

	return run_request(bow, &rq);
}

/* ---- taking a checkpoint up after a reboot ---- */

/*
 * Our caller has read and checked the log, and has told what has become of the
 * blocks.  Block 0 is read once more, only to go on where it ends.
 */
static int do_resume(struct bow *bow, struct bow_request *rq)
{
	unsigned int noio;
	int r;

	if (bow->state != BOW_RESUME || !bow->core.map.armed)
		return -EBUSY;
	/* Two that go on with one log would overwrite each other's. */
	r = bow_peers_exclude(bow);
	if (r)
		return r;
	noio = memalloc_noio_save();
	r = alloc_buffers(bow);
	memalloc_noio_restore(noio);
	if (!r)
		r = bow_io(bow, REQ_OP_READ | REQ_SYNC, 0, bow->block0, bow->bs);
	if (!r)
		r = bow_core_resume_end(&bow->core, bow->block0);
	if (!r)
		r = enter_checkpoint(bow);
	if (r)
		bow_free_buffers(bow);
	bow_peers_admit(bow);
	return r;
}

int bow_resume_checkpoint(struct bow *bow)
{
	struct bow_request rq = { .run = do_resume };

	return run_request(bow, &rq);
}

/* ---- 1 to 2, 2 to 0 ---- */

static int do_commit(struct bow *bow, struct bow_request *rq)
{
	struct bow_write_list list;
	unsigned int done;
	int r;

	if (bow->state != BOW_CHECKPOINT)
		return -EBUSY;
	/* The worker sends what goes to block 0, and it is here. */
	bow_wait_block0(bow);
	r = bow_io(bow, REQ_OP_READ | REQ_SYNC,
		   bow_sector(bow, bow->core.live0), bow->block0, bow->bs);
	if (r)
		return r;
	bow_core_commit(&bow->core, bow->block0, &list);
	r = bow_run_writes(bow, list.w, list.count, &done);
	if (r) {
		/*
		 * The commit may or may not be on the disk.  Nothing may be
		 * logged after it, nor block 0 changed; it can be tried again.
		 */
		spin_lock(&bow->lock);
		bow->failed = true;
		spin_unlock(&bow->lock);
		return r;
	}
	spin_lock(&bow->lock);
	bow->failed = false;
	spin_unlock(&bow->lock);
	set_state(bow, BOW_COMMITTED);
	bow_finish_discards(bow);
	bow_retry_stalled(bow);
	bow_core_reset(&bow->core);
	bow_free_buffers(bow);
	return 0;
}

int bow_commit_now(struct bow *bow)
{
	return do_commit(bow, NULL);
}

int bow_commit(struct bow *bow)
{
	struct bow_request rq = { .run = do_commit };

	return run_request(bow, &rq);
}

static int do_restart(struct bow *bow, struct bow_request *rq)
{
	if (bow->state != BOW_COMMITTED)
		return -EBUSY;
	set_state(bow, BOW_TRIM);
	return 0;
}

int bow_restart(struct bow *bow)
{
	struct bow_request rq = { .run = do_restart };

	return run_request(bow, &rq);
}

static int do_unstall(struct bow *bow, struct bow_request *rq)
{
	bow_requeue_stalled(bow);
	return 0;
}

void bow_unstall(struct bow *bow)
{
	struct bow_request rq = { .run = do_unstall };

	run_request(bow, &rq);
}

int bow_set_state(struct bow *bow, unsigned int state)
{
	switch (state) {
	case BOW_TRIM:
		return bow_restart(bow);
	case BOW_CHECKPOINT:
		return bow_checkpoint(bow);
	case BOW_COMMITTED:
		return bow_commit(bow);
	default:
		return -EINVAL;
	}
}
