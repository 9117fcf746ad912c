// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - the device that an input describes
 */
#include <stdlib.h>

#include "fuzz.h"

static const u8 zeros[BOW_SECTOR_SIZE];

static FUZZ_QUIET int fuzz_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	const struct fuzz_dev *f = dev->priv;
	u64 sector = offset / BOW_SECTOR_SIZE;
	u8 *p = buf;

	for (; bytes; bytes -= BOW_SECTOR_SIZE, p += BOW_SECTOR_SIZE) {
		const u8 *data = f->sector[sector++];

		memcpy(p, data ? data : zeros, BOW_SECTOR_SIZE);
	}
	return 0;
}

static FUZZ_QUIET bool is_written(const struct fuzz_dev *f, const u8 *p)
{
	return p >= f->written[0] && p < f->written[WRITTEN_MAX - 1] +
						 BOW_SECTOR_SIZE;
}

static FUZZ_QUIET int fuzz_write(struct bow_dev *dev, u64 offset,
				 const void *buf, size_t bytes)
{
	struct fuzz_dev *f = dev->priv;
	u64 sector = offset / BOW_SECTOR_SIZE;
	const u8 *p = buf;

	/* A check and a dry run write nothing. */
	if (!f->cut)
		abort();
	for (; bytes; bytes -= BOW_SECTOR_SIZE, p += BOW_SECTOR_SIZE) {
		u8 *to = f->written[f->writes];

		if (!--f->cut || f->writes == WRITTEN_MAX) {
			f->cut = 1;
			return -EIO;
		}
		if (is_written(f, f->sector[sector]))
			to = f->written[(f->sector[sector] - f->written[0]) /
					BOW_SECTOR_SIZE];
		else
			f->writes++;
		if (!f->sector[sector])
			f->used[f->count++] = (u16)sector;
		memcpy(to, p, BOW_SECTOR_SIZE);
		f->sector[sector++] = to;
	}
	return 0;
}

static int fuzz_flush(struct bow_dev *dev)
{
	const struct fuzz_dev *f = dev->priv;

	if (!f->cut)
		abort();
	return f->cut == 1 ? -EIO : 0;
}

FUZZ_QUIET void fuzz_dev_open(struct fuzz_dev *f, const u8 *data, size_t bytes)
{
	static const struct bow_dev_ops ops = {
		.read = fuzz_read, .write = fuzz_write, .flush = fuzz_flush,
	};
	u16 sectors = 0;
	u32 records = 0;
	size_t at;

	while (f->count)
		f->sector[f->used[--f->count]] = NULL;
	f->writes = 0;
	f->cut = 0;
	if (bytes >= HEAD)
		memcpy(&sectors, data, sizeof(sectors));
	f->dev = (struct bow_dev){ &ops, f, (u64)sectors * BOW_SECTOR_SIZE,
				   BOW_SECTOR_SIZE };
	for (at = HEAD; bytes >= at + RECORD && records++ < RECORDS_MAX;
	     at += RECORD) {
		u16 sector;

		memcpy(&sector, data + at, sizeof(sector));
		if (!f->sector[sector])
			f->used[f->count++] = sector;
		f->sector[sector] = data + at + 2;
	}
}

static FUZZ_QUIET bool holds(const struct fuzz_dev *a, const struct fuzz_dev *b)
{
	u32 i;

	for (i = 0; i < a->count; i++) {
		const u8 *x = a->sector[a->used[i]], *y = b->sector[a->used[i]];

		if (x != y && memcmp(x, y ? y : zeros, BOW_SECTOR_SIZE))
			return false;
	}
	return true;
}

FUZZ_QUIET bool fuzz_dev_same(const struct fuzz_dev *a, const struct fuzz_dev *b)
{
	return holds(a, b) && holds(b, a);
}
