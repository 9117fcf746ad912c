// SPDX-License-Identifier: GPL-2.0
/*
 * live.c - reading below a dm-bow that is running
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "live.h"
#include "log.h"

/* A scan takes milliseconds: who changes the log each time is no dm-bow. */
#define SCANS_MAX 100

/* ---- a device that is read without the kernel's cache ---- */

#define BOUNCE_BYTES (1u << 20)

struct direct {
	int fd;
	u8 *bounce;		/* aligned */
};

/* Whole units around the request, a bounce buffer full at a time. */
static int direct_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	struct direct *d = dev->priv;
	u8 *p = buf;

	while (bytes) {
		u32 skip = (u32)(offset & (dev->unit - 1));
		size_t part = BOUNCE_BYTES - skip;
		size_t want;
		ssize_t n;

		if (part > bytes)
			part = bytes;
		want = (skip + part + dev->unit - 1) & ~((size_t)dev->unit - 1);
		n = pread(d->fd, d->bounce, want, (off_t)(offset - skip));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* Short reads end at a unit. */
		if ((size_t)n <= skip)
			return -EIO;
		if (part > (size_t)n - skip)
			part = (size_t)n - skip;
		memcpy(p, d->bounce + skip, part);
		p += part;
		offset += part;
		bytes -= part;
	}
	return 0;
}

static int direct_close(struct bow_dev *dev)
{
	struct direct *d = dev->priv;
	int r = close(d->fd) ? -errno : 0;

	free(d->bounce);
	free(d);
	return r;
}

static int read_only(struct bow_dev *dev, u64 offset, const void *buf,
		     size_t bytes)
{
	(void)dev;
	(void)offset;
	(void)buf;
	(void)bytes;
	return -EROFS;
}

static int no_flush(struct bow_dev *dev)
{
	(void)dev;
	return 0;
}

static const struct bow_dev_ops direct_ops = {
	.read = direct_read,
	.write = read_only,
	.flush = no_flush,
	.close = direct_close,
};

static int make_direct(struct bow_dev *dev, const char *path)
{
	struct direct *d = calloc(1, sizeof(*d));
	u32 align = dev->unit > BOW_BLOCK_SIZE_MAX ? dev->unit :
						     BOW_BLOCK_SIZE_MAX;
	int r = -ENOMEM;

	if (!d)
		return r;
	d->bounce = aligned_alloc(align, BOUNCE_BYTES);
	/* Linux has no blocks that are larger than 64 KiB. */
	if (!d->bounce || align > BOUNCE_BYTES)
		goto fail;
	d->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	r = -errno;
	if (d->fd < 0)
		goto fail;
	dev->ops = &direct_ops;
	dev->priv = d;
	return 0;
fail:
	free(d->bounce);
	free(d);
	return r;
}

bool live_is(const char *path)
{
	char name[64];
	struct dirent *entry;
	struct stat st;
	bool held = false;
	DIR *holders;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/holders",
		 major(st.st_rdev), minor(st.st_rdev));
	holders = opendir(name);
	if (!holders)
		return false;
	while (!held && (entry = readdir(holders)))
		held = entry->d_name[0] != '.';
	closedir(holders);
	return held;
}

int live_dev_open(struct bow_dev *dev, const char *path)
{
	struct bow_dev plain;
	int r = bow_dev_open(&plain, path, false);

	if (r)
		return r;
	*dev = plain;
	if (!live_is(path))
		return 0;
	r = make_direct(dev, path);
	bow_dev_close(&plain);
	return r;
}

/* ---- the log ---- */

static size_t block0_bytes(const struct live *l)
{
	return l->dev->size < sizeof(l->seen) ? (size_t)l->dev->size :
						sizeof(l->seen);
}

int live_look(struct live *l)
{
	return bow_dev_read(l->dev, 0, l->seen, block0_bytes(l));
}

int live_changed(struct live *l)
{
	u8 now[BOW_BLOCK_SIZE_MAX];
	int r = bow_dev_read(l->dev, 0, now, block0_bytes(l));

	return r ? r : memcmp(now, l->seen, block0_bytes(l)) != 0;
}

static int scan_once(struct live *l, struct bow_error *e)
{
	int r = live_look(l);

	bow_log_free(l->log);
	if (r)
		return bow_fail(e, r, BOW_WHY_IO_READ, 0, 0);
	r = bow_log_open(l->dev, l->log, e);
	if (!r && (l->log->state == BOW_STATE_ACTIVE ||
		   l->log->state == BOW_STATE_RESTORING))
		r = bow_log_scan(l->dev, l->log, l->monitor, e);
	return r;
}

int live_scan(struct live *l, struct bow_error *e)
{
	enum bow_state state = l->log->state;
	u8 id[sizeof(l->log->header.checkpoint_id)];
	int tries = 0, r;

	memcpy(id, l->log->header.checkpoint_id, sizeof(id));
	do {
		memset(e, 0, sizeof(*e));
		r = scan_once(l, e);
	} while (r == -EUCLEAN && ++tries < SCANS_MAX && live_changed(l) == 1);
	if (!r && (l->log->state != state ||
		   memcmp(id, l->log->header.checkpoint_id, sizeof(id))))
		r = -ESTALE;
	return r;
}
