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

static void touch(struct disk *d, u32 sector)
{
	if (d->is_touched[sector])
		return;
	d->is_touched[sector] = true;
	d->touched[d->touches++] = (u16)sector;
}

static void copy_sector(u8 *to, const u8 *from, u32 sector)
{
	size_t at = (size_t)sector * BOW_SECTOR_SIZE;

	memcpy(to + at, from + at, BOW_SECTOR_SIZE);
}

static void put_sector(struct disk *d, u32 sector, const u8 *data)
{
	memcpy(d->now + sector * BOW_SECTOR_SIZE, data, BOW_SECTOR_SIZE);
	touch(d, sector);
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
	cut = strikes(d, FAULT_CUT) || strikes(d, FAULT_TORN) ||
	      strikes(d, FAULT_GARBAGE);
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
		d->is_dirty[d->dirty[i]] = false;
		if (keep(d, i, how))
			copy_sector(d->durable, d->now, d->dirty[i]);
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

void disk_load(struct disk *d, const u8 *image, size_t bytes)
{
	static const struct bow_dev_ops ops = {
		.read = disk_read, .write = disk_write, .flush = disk_flush,
	};

	memset(d, 0, sizeof(*d));
	d->dev = (struct bow_dev){ &ops, d, bytes, BOW_SECTOR_SIZE };
	d->image = image;
	memcpy(d->now, image, bytes);
	memcpy(d->durable, image, bytes);
}

void disk_again(struct disk *d, u64 seed)
{
	settle(d, keep_all, 0);
	while (d->touches) {
		u32 sector = d->touched[--d->touches];

		copy_sector(d->now, d->image, sector);
		copy_sector(d->durable, d->image, sector);
		d->is_touched[sector] = false;
	}
	d->rng = seed;
	d->writes = 0;
	d->last_bytes = 0;
	disk_disarm(d);
}

void disk_flip(struct disk *d, u32 bit)
{
	touch(d, bit / 8 / BOW_SECTOR_SIZE);
	d->now[bit / 8] ^= (u8)(1u << bit % 8);
	d->durable[bit / 8] ^= (u8)(1u << bit % 8);
}

void disk_save(const struct disk *d, struct disk_state *s)
{
	u32 i;

	for (i = 0; i < d->touches; i++) {
		copy_sector(s->now, d->now, d->touched[i]);
		copy_sector(s->durable, d->durable, d->touched[i]);
	}
	memcpy(s->touched, d->touched, d->touches * sizeof(*d->touched));
	memcpy(s->dirty, d->dirty, d->dirties * sizeof(*d->dirty));
	s->touches = d->touches;
	s->dirties = d->dirties;
	s->last_write = d->last_write;
	s->last_bytes = d->last_bytes;
}

void disk_back(struct disk *d, const struct disk_state *s)
{
	u32 i;

	disk_again(d, d->rng);
	for (i = 0; i < s->touches; i++) {
		touch(d, s->touched[i]);
		copy_sector(d->now, s->now, s->touched[i]);
		copy_sector(d->durable, s->durable, s->touched[i]);
	}
	for (i = 0; i < s->dirties; i++) {
		d->dirty[i] = s->dirty[i];
		d->is_dirty[s->dirty[i]] = true;
	}
	d->dirties = s->dirties;
	d->last_write = s->last_write;
	d->last_bytes = s->last_bytes;
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

static void reboot(struct disk *d)
{
	u32 i;

	for (i = 0; i < d->touches; i++)
		copy_sector(d->now, d->durable, d->touched[i]);
	disk_disarm(d);
}

void disk_reboot(struct disk *d, u32 choice)
{
	settle(d, keep_chosen, choice);
	reboot(d);
}

/* In the log block every sector tells something; elsewhere they are alike. */
static bool every_subset(const struct disk *d)
{
	return d->last_write + d->last_bytes <= BOW_BLOCK_SIZE_MAX;
}

u32 disk_choices_torn(const struct disk *d, u32 samples)
{
	size_t n = d->last_bytes / BOW_SECTOR_SIZE;

	return every_subset(d) ? 1u << n : 2 + samples;
}

static bool keep_torn(struct disk *d, u32 i, u32 how)
{
	u32 n = (u32)(d->last_bytes / BOW_SECTOR_SIZE);
	u32 first = (u32)(d->last_write / BOW_SECTOR_SIZE);
	u32 sector = d->dirty[i], edge = how >> 16;

	if (sector < first || sector - first >= n)
		return true;
	sector -= first;
	how &= 0xffff;
	if (every_subset(d))
		return how >> sector & 1;
	if (how < 2)
		return how;
	return how & 1 ? sector < edge : sector >= edge;
}

void disk_reboot_torn(struct disk *d, u32 choice)
{
	u32 n = (u32)(d->last_bytes / BOW_SECTOR_SIZE);
	u32 edge = n > 1 ? 1 + rnd_to(&d->rng, n - 1) : 0;

	settle(d, keep_torn, choice | edge << 16);
	reboot(d);
}

void disk_garbage(struct disk *d)
{
	size_t n = d->last_bytes < GARBAGE_BYTES ? d->last_bytes :
						   GARBAGE_BYTES;
	size_t at = d->last_write + d->last_bytes - n, i;

	for (i = 0; i < n; i++)
		d->durable[at + i] = (u8)rnd_next(&d->rng);
	memcpy(d->now + at, d->durable + at, n);
}

bool disk_garbage_in(const struct disk *d, u32 bytes)
{
	return d->last_write < bytes;
}
