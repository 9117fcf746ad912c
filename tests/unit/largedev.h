/* SPDX-License-Identifier: GPL-2.0 */
/*
 * largedev.h - a checkpoint on a device of terabytes, in a file of memory that is
 * all holes but for what is written
 *
 * What the core plans is made: copies, log, then the writes themselves.  The free
 * blocks are near the end.  Positions are sectors, and all 64 bits of them count:
 * each block has contents of its own, and all else is zeros.
 */
#ifndef TESTS_LARGEDEV_H
#define TESTS_LARGEDEV_H

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bow.h"
#include "bow_core.h"
#include "bow_freemap.h"

#define FREE_BLOCKS 4096u
#define TAIL_BLOCKS 512u	/* behind them, in use */
#define STRETCH 512u		/* blocks behind a position that may be written */
#define POSITIONS_MAX 16u

struct large {
	u32 bs, per;		/* bytes, sectors of a block */
	u64 sectors;
	u64 free;		/* first free sector */
	u64 position[POSITIONS_MAX];	/* where the filesystem writes */
	u32 positions;
	int fd;
	char path[64];
	u64 *plane;		/* see share_planes() */
	struct bow_core core;
	struct bow_batch batch;
	struct bow_log_writes log;
	struct bow_write_list list;
	u8 block0[4096], block[4096];
};

static struct large d;

/* What the block at `sector` holds; `version` 0: at the checkpoint. */
static inline const u8 *contents(u64 sector, u64 version)
{
	static u8 p[4096];
	u64 word = (sector * 2 + version + 1) * 0x9e3779b97f4a7c15u;
	u32 i;

	for (i = 0; i < sizeof(p); i += sizeof(word), word += 2 * sector + 1)
		memcpy(p + i, &word, sizeof(word));
	return p;
}

static inline void put(u64 sector, const void *data, u32 bytes)
{
	if (pwrite(d.fd, data, bytes, (off_t)(sector * 512)) != (ssize_t)bytes)
		abort();
}

static inline const u8 *get(u64 sector)
{
	if (pread(d.fd, d.block, d.bs, (off_t)(sector * 512)) != (ssize_t)d.bs)
		abort();
	return d.block;
}

static inline bool holds(u64 sector, const u8 *data)
{
	return memcmp(get(sector), data, d.bs) == 0;
}

/* ---- the map of a large device ---- */

static inline bool is_touched(u64 leaf)
{
	u64 leaf_sectors = (u64)BOW_LEAF_BLOCKS * d.per;
	u32 i;

	for (i = 0; i < d.positions; i++) {
		u64 last = d.position[i] + STRETCH * d.per;

		if (leaf >= d.position[i] / leaf_sectors && leaf <= last / leaf_sectors)
			return true;
	}
	return false;
}

/*
 * Where nothing is written all leaves are alike, and may have one plane together: of
 * their own they take a byte for each eight blocks of the device.
 */
static inline void share_planes(struct bow_core *core)
{
	u64 i;

	for (i = 0; i < core->map.leaves; i++)
		if (!core->map.leaf[i].free && !is_touched(i))
			core->map.leaf[i].copy = d.plane;
}

static inline void large_core_exit(struct bow_core *core)
{
	u64 i;

	for (i = 0; core->map.leaf && i < core->map.leaves; i++)
		if (core->map.leaf[i].copy == d.plane)
			core->map.leaf[i].copy = NULL;
	bow_core_exit(core);
}

/* ---- a checkpoint ---- */

static inline void position(u64 sector)
{
	if (sector + STRETCH * d.per <= d.free)
		d.position[d.positions++] = sector;
}

/* A device with its contents; the blocks before and behind the free ones as well. */
static inline void large_open(u32 bs, u64 sectors)
{
	static const u64 around[] = { 1ull << 23, 1ull << 31, 1ull << 32, 1ull << 33 };
	u32 i, j;

	d.bs = bs;
	d.per = bs / 512;
	d.sectors = sectors;
	d.free = sectors - (u64)(FREE_BLOCKS + TAIL_BLOCKS) * d.per;
	d.positions = 0;
	position(d.per);
	for (i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		position(around[i] - d.per);
		position(around[i]);
	}
	position((1ull << 32) + (1ull << 23));
	position(d.free - STRETCH * d.per);
	d.position[d.positions++] = sectors - TAIL_BLOCKS * d.per;
	d.fd = memfd_create("large", MFD_CLOEXEC);
	if (d.fd < 0 || ftruncate(d.fd, (off_t)(sectors * 512)))
		abort();
	snprintf(d.path, sizeof(d.path), "/proc/self/fd/%d", d.fd);
	memcpy(d.block0, contents(0, 0), bs);
	put(0, d.block0, bs);
	for (i = 0; i < d.positions; i++)
		for (j = 0; j < STRETCH; j++)
			put(d.position[i] + j * d.per,
			    contents(d.position[i] + j * d.per, 0), bs);
	d.plane = d.plane ? d.plane : bow_alloc_plane(true);
	if (!d.plane)
		abort();
}

static inline void large_close(void)
{
	large_core_exit(&d.core);
	close(d.fd);
}

static inline void put_list(const struct bow_write *w, u32 count)
{
	for (; count--; w++)
		put(w->sector, w->data, w->bytes);
}

static inline void large_activate(void)
{
	struct bow_core_params p = { .id = { 7 }, .created = 9 };
	struct bow_write w;

	if (bow_core_init(&d.core, d.sectors, d.bs) ||
	    bow_map_add_free(&d.core.map, d.free / d.per, FREE_BLOCKS))
		abort();
	share_planes(&d.core);
	if (bow_core_activate(&d.core, &p, d.block0, &d.list))
		abort();
	while (bow_free_map_next(&d.core, &w))
		put(w.sector, w.data, w.bytes);
	put_list(d.list.w, d.list.count);
	bow_batch_begin(&d.batch);
}

/* ---- a batch of writes, of a block each ---- */

static inline int large_add(u64 sector)
{
	return bow_batch_add(&d.core, &d.batch, sector / d.per, 1);
}

static inline void make_copy(struct bow_copy *c)
{
	u64 src = c->src * d.per, dst = c->dst * d.per;
	u32 crc = (u32)c->src, i;

	for (i = 0; i < c->blocks; i++, src += d.per, dst += d.per) {
		const u8 *data = get(src);

		crc = bow_crc32(crc, data, d.bs);
		put(dst, data, d.bs);
	}
	c->checksum = crc;
}

static inline void large_publish(void)
{
	u32 i;

	for (i = 0; i < d.batch.copies; i++)
		make_copy(&d.batch.copy[i]);
	bow_batch_seal(&d.core, &d.batch, &d.log);
	put_list(d.log.w, d.log.count);
	bow_batch_done(&d.core, &d.batch);
	bow_batch_begin(&d.batch);
}

/* The write itself, which has been made possible. */
static inline void overwrite(u64 sector)
{
	put(sector, contents(sector, 1), d.bs);
}

static inline enum bow_block_state state(u64 sector)
{
	return bow_map_state(&d.core.map, sector / d.per);
}

#endif /* TESTS_LARGEDEV_H */
