// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - the replayed disk, and the states that are tried on it
 *
 * Images are large and states many: what a state changes is listed and undone,
 * and a comparison looks only at what was ever written since the checkpoint.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logwrites.h"

static u8 *at(u8 *image, u32 sector)
{
	return image + (size_t)sector * BOW_SECTOR_SIZE;
}

static void touch(struct disk *d, u32 sector)
{
	if (d->is_touched[sector])
		return;
	d->is_touched[sector] = true;
	d->touched[d->touches++] = sector;
}

static void change(struct disk *d, u32 sector)
{
	if (d->is_changed[sector])
		return;
	d->is_changed[sector] = true;
	d->changed[d->changes++] = sector;
}

/* ---- for libbow ---- */

static int disk_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	struct disk *d = dev->priv;

	if (d->off)
		return -EIO;
	memcpy(buf, d->now + offset, bytes);
	return 0;
}

static void keep_old(struct disk *d, u32 sector)
{
	if (d->dirties == d->sectors)
		die("a restore wrote more than there is without a flush");
	memcpy(at(d->dirty_old, d->dirties), at(d->now, sector),
	       BOW_SECTOR_SIZE);
	d->dirty[d->dirties++] = sector;
}

static int disk_write(struct bow_dev *dev, u64 offset, const void *buf,
		      size_t bytes)
{
	struct disk *d = dev->priv;
	u32 first = (u32)(offset / BOW_SECTOR_SIZE), i;

	if (d->off)
		return -EIO;
	for (i = 0; i < bytes / BOW_SECTOR_SIZE; i++) {
		keep_old(d, first + i);
		touch(d, first + i);
		memcpy(at(d->now, first + i),
		       (const u8 *)buf + i * BOW_SECTOR_SIZE, BOW_SECTOR_SIZE);
	}
	d->writes++;
	if (d->writes_left == 0)
		d->off = true;
	else if (d->writes_left != ~0u)
		d->writes_left--;
	return d->off ? -EIO : 0;
}

static int disk_flush(struct bow_dev *dev)
{
	struct disk *d = dev->priv;

	if (d->off)
		return -EIO;
	d->dirties = 0;
	return 0;
}

/* Newest first: a sector written twice is then as it was before both. */
void disk_reboot(struct disk *d)
{
	while (d->dirties) {
		u32 i = --d->dirties;

		if (random_to(2))
			memcpy(at(d->now, d->dirty[i]), at(d->dirty_old, i),
			       BOW_SECTOR_SIZE);
	}
	d->off = false;
	d->writes_left = ~0u;
}

/* ---- replaying ---- */

static void put(u8 *image, const struct event *e, u32 i)
{
	if (e->data)
		memcpy(at(image, e->sector + i),
		       e->data + (size_t)i * BOW_SECTOR_SIZE, BOW_SECTOR_SIZE);
	else
		memset(at(image, e->sector + i), 0, BOW_SECTOR_SIZE);
}

void disk_try(struct disk *d, const struct event *e, u32 sector)
{
	touch(d, e->sector + sector);
	put(d->now, e, sector);
}

void disk_replay(struct disk *d, const struct event *e)
{
	u32 i;

	if ((u64)e->sector + e->sectors > d->sectors)
		die("a write beyond the end of the disk");
	for (i = 0; i < e->sectors; i++) {
		put(d->durable, e, i);
		put(d->now, e, i);
		change(d, e->sector + i);
	}
}

void disk_live(struct disk *d, const struct event *e, u32 n)
{
	u32 i;

	memcpy(d->live, d->durable, (size_t)d->sectors * BOW_SECTOR_SIZE);
	for (; n--; e++)
		for (i = 0; i < e->sectors; i++)
			put(d->live, e, i);
}

void disk_again(struct disk *d)
{
	while (d->touches) {
		u32 sector = d->touched[--d->touches];

		memcpy(at(d->now, sector), at(d->durable, sector),
		       BOW_SECTOR_SIZE);
		d->is_touched[sector] = false;
	}
	d->dirties = 0;
	d->writes = 0;
	d->off = false;
	d->writes_left = ~0u;
}

void disk_checkpoint(struct disk *d)
{
	memcpy(d->d0, d->durable, (size_t)d->sectors * BOW_SECTOR_SIZE);
	memset(d->is_changed, 0, d->sectors * sizeof(*d->is_changed));
	d->changes = 0;
}

/* ---- comparing ---- */

static bool differs(const struct disk *d, u32 sector)
{
	return !d->is_free[sector] &&
	       memcmp(at(d->now, sector), at(d->d0, sector), BOW_SECTOR_SIZE);
}

bool disk_is_d0(const struct disk *d, u32 *first)
{
	u32 i;

	for (i = 0; i < d->changes; i++)
		if (differs(d, *first = d->changed[i]))
			return false;
	for (i = 0; i < d->touches; i++)
		if (differs(d, *first = d->touched[i]))
			return false;
	return true;
}

bool disk_is_live(const struct disk *d, u32 *first)
{
	for (*first = 0; *first < d->sectors; ++*first)
		if (memcmp(at(d->now, *first), at(d->live, *first),
			   BOW_SECTOR_SIZE))
			return false;
	return true;
}

/* ---- images ---- */

static void *get_memory(size_t n, size_t bytes)
{
	void *p = calloc(n, bytes);

	if (!p)
		die("no memory");
	return p;
}

static void load(struct disk *d, int fd, const char *path)
{
	size_t bytes = (size_t)d->sectors * BOW_SECTOR_SIZE, done = 0;
	ssize_t n = 1;

	while (done < bytes && n > 0) {
		n = read(fd, d->durable + done, bytes - done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (done < bytes)
		die("%s: cannot be read", path);
	memcpy(d->now, d->durable, bytes);
}

void disk_init(struct disk *d, const char *base)
{
	static const struct bow_dev_ops ops = {
		.read = disk_read, .write = disk_write, .flush = disk_flush,
	};
	int fd = open(base, O_RDONLY | O_CLOEXEC);
	struct stat st;
	u32 n;

	if (fd < 0 || fstat(fd, &st) || st.st_size >> 9 > 1 << 24)
		die("%s: cannot be read", base);
	n = d->sectors = (u32)((u64)st.st_size / BOW_SECTOR_SIZE);
	d->dev = (struct bow_dev){ &ops, d, (u64)n * BOW_SECTOR_SIZE,
				   BOW_SECTOR_SIZE };
	d->durable = get_memory(n, BOW_SECTOR_SIZE);
	d->now = get_memory(n, BOW_SECTOR_SIZE);
	d->d0 = get_memory(n, BOW_SECTOR_SIZE);
	d->live = get_memory(n, BOW_SECTOR_SIZE);
	d->dirty_old = get_memory(n, BOW_SECTOR_SIZE);
	d->is_free = get_memory(n, sizeof(*d->is_free));
	d->is_changed = get_memory(n, sizeof(*d->is_changed));
	d->is_touched = get_memory(n, sizeof(*d->is_touched));
	d->changed = get_memory(n, sizeof(*d->changed));
	d->touched = get_memory(n, sizeof(*d->touched));
	d->dirty = get_memory(n, sizeof(*d->dirty));
	d->writes_left = ~0u;
	load(d, fd, base);
	close(fd);
}

void disk_save(const u8 *image, u32 sectors, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t bytes = (size_t)sectors * BOW_SECTOR_SIZE, done = 0;
	ssize_t n = 1;

	while (fd >= 0 && done < bytes && n > 0) {
		n = write(fd, image + done, bytes - done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || done < bytes || close(fd))
		die("%s: cannot be written", path);
}
