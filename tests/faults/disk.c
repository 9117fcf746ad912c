// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - a disk in memory with a volatile cache, that fails when it is told
 */
#include "faults.h"

#define GARBAGE_BYTES 4096u
#define ALL_SUBSETS_OF 8u

u64 rnd_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

u32 rnd_to(u64 *state, u32 limit)
{
	return (u32)(rnd_next(state) % limit);
}

/* Is this request the one?  From then on, all of its kind if `forever`. */
static bool strikes(struct disk *d, enum fault fault)
{
	if (d->fault != fault)
		return false;
	if (d->left) {
		d->left--;
		return false;
	}
	if (d->struck && !d->forever)
		return false;
	d->struck = true;
	return true;
}

static int disk_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	struct disk *d = dev->priv;

	if (d->off || strikes(d, FAULT_READ))
		return -EIO;
	memcpy(buf, d->now + offset, bytes);
	return 0;
}

static void put_sector(struct disk *d, u32 sector, const u8 *data)
{
	memcpy(d->now + sector * BOW_SECTOR_SIZE, data, BOW_SECTOR_SIZE);
	if (d->is_dirty[sector])
		return;
	d->is_dirty[sector] = true;
	d->dirty[d->dirties++] = (u16)sector;
}

static int disk_write(struct bow_dev *dev, u64 offset, const void *buf,
		      size_t bytes)
{
	struct disk *d = dev->priv;
	u32 first = (u32)(offset / BOW_SECTOR_SIZE), i;
	bool failed, cut;

	if (d->off)
		return -EIO;
	failed = strikes(d, FAULT_WRITE);
	cut = strikes(d, FAULT_CUT) || strikes(d, FAULT_GARBAGE);
	d->writes++;
	d->last_write = offset;
	d->last_bytes = bytes;
	for (i = 0; i < bytes / BOW_SECTOR_SIZE; i++)
		if (!failed || rnd_to(&d->rng, 2))
			put_sector(d, first + i,
				   (const u8 *)buf + i * BOW_SECTOR_SIZE);
	d->off = cut;
	return failed || cut ? -EIO : 0;
}

/* Of the dirty sectors, those that `keep` names become durable. */
static void settle(struct disk *d, bool (*keep)(struct disk *d, u32 i, u32 how),
		   u32 how)
{
	u32 i;

	for (i = 0; i < d->dirties; i++) {
		size_t at = (size_t)d->dirty[i] * BOW_SECTOR_SIZE;

		d->is_dirty[d->dirty[i]] = false;
		if (keep(d, i, how))
			memcpy(d->durable + at, d->now + at, BOW_SECTOR_SIZE);
	}
	d->dirties = 0;
}

static bool keep_all(struct disk *d, u32 i, u32 how)
{
	(void)d;
	(void)i;
	(void)how;
	return true;
}

static bool keep_any(struct disk *d, u32 i, u32 how)
{
	(void)i;
	(void)how;
	return rnd_to(&d->rng, 2);
}

static bool keep_chosen(struct disk *d, u32 i, u32 how)
{
	if (d->dirties <= ALL_SUBSETS_OF)
		return how >> i & 1;
	return how == 1 || (how > 1 && rnd_to(&d->rng, 2));
}

/*
 * A flush that fails leaves pages that look clean and are not on the disk: what
 * is not written again is lost at the next power cut.
 */
static int disk_flush(struct bow_dev *dev)
{
	struct disk *d = dev->priv;

	if (d->off)
		return -EIO;
	if (strikes(d, FAULT_FLUSH)) {
		settle(d, keep_any, 0);
		return -EIO;
	}
	settle(d, keep_all, 0);
	return 0;
}

void disk_init(struct disk *d, const u8 *image, size_t bytes, u64 seed)
{
	static const struct bow_dev_ops ops = {
		.read = disk_read, .write = disk_write, .flush = disk_flush,
	};

	settle(d, keep_all, 0);
	d->dev = (struct bow_dev){ &ops, d, bytes, BOW_SECTOR_SIZE };
	memcpy(d->now, image, bytes);
	memcpy(d->durable, image, bytes);
	d->rng = seed;
	d->writes = 0;
	d->last_bytes = 0;
	disk_disarm(d);
}

void disk_arm(struct disk *d, enum fault fault, u32 k, bool forever)
{
	d->fault = fault;
	d->left = k;
	d->forever = forever;
	d->struck = false;
	d->off = false;
}

void disk_disarm(struct disk *d)
{
	disk_arm(d, FAULT_NONE, 0, false);
}

u32 disk_choices(const struct disk *d, u32 samples)
{
	if (d->dirties <= ALL_SUBSETS_OF)
		return 1u << d->dirties;
	return 2 + samples;
}

void disk_reboot(struct disk *d, u32 choice)
{
	settle(d, keep_chosen, choice);
	memcpy(d->now, d->durable, d->dev.size);
	disk_disarm(d);
}

void disk_garbage(struct disk *d)
{
	size_t n = d->last_bytes < GARBAGE_BYTES ? d->last_bytes :
						   GARBAGE_BYTES;
	size_t at = d->last_write + d->last_bytes - n, i;

	for (i = 0; i < n; i++)
		d->durable[at + i] = (u8)rnd_next(&d->rng);
	memcpy(d->now, d->durable, d->dev.size);
}

bool disk_garbage_in(const struct disk *d, u32 bytes)
{
	return d->last_write < bytes;
}
