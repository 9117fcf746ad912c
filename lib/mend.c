// SPDX-License-Identifier: GPL-2.0
/*
 * mend.c - block 0 after a torn write, as a module can go on with it
 *
 * The log block that counts is written to block 0, and nothing but it: behind
 * the last entry there are zeros again, by which the next torn append will be
 * told.  Its first sector goes first, alone, and decides:
 *
 * - after a torn append, the entries that its header counts are in place;
 * - after a torn roll-over, its header goes with none of the entries until all
 *   are written, and next_log names the copy that block 0 is made from.
 *
 * So a cut while mending leaves the state that was found.
 *
 * Then the resume is counted, by the first sector alone.  A copy of a log
 * block that a cut has left in a free place could pass for that of a later
 * torn roll-over, with entries that never counted; it has another number.
 */
#include "log.h"
#include "mend.h"

static void seal(struct bow_header_disk *d)
{
	d->header_csum = cpu_to_le32(bow_header_csum(d));
}

void bow_mend_build(struct bow_resume *r)
{
	const struct bow_header *h = &r->log.newest;
	const u8 *from = r->log.block;
	struct bow_header_disk d;

	memset(r->block, 0, BOW_BLOCK_SIZE_MAX);
	memcpy(&d, from, sizeof(d));
	if (r->log.torn == BOW_TORN_APPEND) {
		d.sector0 = d.prev_sector0;
		d.count = d.prev_count;
		d.entries_csum = d.prev_entries_csum;
	}
	seal(&d);
	memcpy(r->block, &d, sizeof(d));
	memcpy(r->block + h->header_size, from + h->header_size,
	       (size_t)h->count * BOW_ENTRY_SIZE);
	if (h->flags & BOW_FLAG_GUARD)
		memcpy(r->block + BOW_GUARD_OFFSET, from + BOW_GUARD_OFFSET,
		       BOW_GUARD_SIZE);
}

static int write_block(struct bow_dev *dev, const struct bow_resume *r, u8 *buf,
		       struct bow_error *e)
{
	u32 bs = r->log.bs;
	int err = bow_get(dev, 0, buf, bs, e);

	if (err || memcmp(buf, r->block, bs) == 0)
		return err;
	err = bow_put(dev, 0, r->block, BOW_SECTOR_SIZE, e);
	if (!err)
		err = bow_sync(dev, e);
	if (!err && bs > BOW_SECTOR_SIZE)
		err = bow_put(dev, 1, r->block + BOW_SECTOR_SIZE,
			      bs - BOW_SECTOR_SIZE, e);
	return err ? err : bow_sync(dev, e);
}

static int count_resume(struct bow_dev *dev, struct bow_resume *r,
			struct bow_error *e)
{
	struct bow_header_disk d;
	int err;

	memcpy(&d, r->block, sizeof(d));
	d.resumed = cpu_to_le32(le32_to_cpu(d.resumed) + 1);
	seal(&d);
	memcpy(r->block, &d, sizeof(d));
	err = bow_put(dev, 0, r->block, BOW_SECTOR_SIZE, e);
	return err ? err : bow_sync(dev, e);
}

int bow_resume_mend(struct bow_dev *dev, struct bow_resume *r,
		    struct bow_error *e)
{
	u8 *buf = bow_alloc(r->log.bs);
	int err;

	if (!buf)
		return bow_no_memory(e);
	/*
	 * The power may not have failed: what was read is then on the device,
	 * but not durable yet.
	 */
	err = bow_sync(dev, e);
	if (!err)
		err = write_block(dev, r, buf, e);
	if (!err)
		err = count_resume(dev, r, e);
	bow_free(buf);
	return err;
}
