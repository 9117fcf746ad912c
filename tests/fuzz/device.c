// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - the device that an input describes; read only
 */
#include <stdlib.h>

#include "fuzz.h"

static FUZZ_QUIET int fuzz_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	const struct fuzz_dev *f = dev->priv;
	u64 sector = offset / BOW_SECTOR_SIZE;
	u8 *p = buf;

	for (; bytes; bytes -= BOW_SECTOR_SIZE, p += BOW_SECTOR_SIZE) {
		const u8 *data = f->sector[sector++];

		if (data)
			memcpy(p, data, BOW_SECTOR_SIZE);
		else
			memset(p, 0, BOW_SECTOR_SIZE);
	}
	return 0;
}

/* A check and a dry run write nothing. */
static int fuzz_write(struct bow_dev *dev, u64 offset, const void *buf,
		      size_t bytes)
{
	(void)dev;
	(void)offset;
	(void)buf;
	(void)bytes;
	abort();
}

static int fuzz_flush(struct bow_dev *dev)
{
	(void)dev;
	abort();
}

FUZZ_QUIET void fuzz_dev_open(struct fuzz_dev *f, const u8 *data, size_t bytes)
{
	static const struct bow_dev_ops ops = {
		.read = fuzz_read, .write = fuzz_write, .flush = fuzz_flush,
	};
	u16 sectors = 0;
	size_t at;

	while (f->count)
		f->sector[f->used[--f->count]] = NULL;
	if (bytes >= HEAD)
		memcpy(&sectors, data, sizeof(sectors));
	f->dev = (struct bow_dev){ &ops, f, (u64)sectors * BOW_SECTOR_SIZE,
				   BOW_SECTOR_SIZE };
	for (at = HEAD; bytes >= at + RECORD && f->count < RECORDS_MAX;
	     at += RECORD) {
		u16 sector;

		memcpy(&sector, data + at, sizeof(sector));
		f->sector[sector] = data + at + 2;
		f->used[f->count++] = sector;
	}
}
