// SPDX-License-Identifier: GPL-2.0
/*
 * fs-cross.c - does the log fit the filesystem that was there at the checkpoint?
 *
 * The log was written in its free blocks, over nothing that was in use, and puts
 * back what was in use.  The bitmaps of D0 say what was.
 */
#include "freemap.h"
#include "fs.h"
#include "log.h"

struct cross {
	struct fs_findings *f;
	ext2_filsys fs;
	u32 per;		/* sectors a filesystem block */
	const struct bow_log *log;
	struct bow_blocks blocks;	/* the free map's */
	bool map;
};

/* ---- the bitmaps, in sectors ---- */

/* The first block of [sector, sector + sectors) that is not free; 0: all are. */
static blk64_t first_used(const struct cross *c, u64 sector, u64 sectors)
{
	blk64_t b = sector / c->per, end = (sector + sectors - 1) / c->per + 1;
	blk64_t low = c->fs->super->s_first_data_block;
	blk64_t high = ext2fs_blocks_count(c->fs->super);
	blk64_t used;

	/* What the filesystem does not know is not its free space. */
	if (b < low || b >= high)
		return b ? b : 1;
	if (!ext2fs_find_first_set_block_bitmap2(c->fs->block_map, b,
						 (end < high ? end : high) - 1,
						 &used))
		return used;
	return end > high ? high : 0;
}

static bool is_free(const struct cross *c, u64 sector, u64 sectors)
{
	return !first_used(c, sector, sectors);
}

static struct fs_fault *expect_free(struct cross *c, u64 sector, u64 sectors,
				    const char *what)
{
	blk64_t used = first_used(c, sector, sectors);
	struct fs_fault *fault;

	if (!used)
		return NULL;
	fault = fs_fault_add(&c->f->cross.faults,
			     "%s at sector %llu, which was in use at the checkpoint",
			     what, (unsigned long long)sector);
	fault->in_block = true;
	fault->block = used;
	return fault;
}

/* ---- the places that the log has written to ---- */

static int look_at_entry(void *ctx, const struct bow_log *log, u32 sequence,
			 u32 index, const struct bow_entry *entry,
			 enum bow_entry_kind kind, struct bow_error *e)
{
	struct fs_fault *fault;

	(void)log;
	(void)e;
	if (kind == BOW_ENTRY_CLAIM)
		return 0;
	fault = expect_free(ctx, entry->dest, entry->size >> BOW_SECTOR_SHIFT,
			    "old contents were put");
	if (fault) {
		fault->in_entry = true;
		fault->sequence = sequence;
		fault->entry = index;
	}
	return 0;
}

static void check_header_places(struct cross *c)
{
	const struct bow_log *log = c->log;
	u32 n = bow_block_sectors(log->bs);

	if (bow_place_ok(log->live, log->bs, log->sectors))
		expect_free(c, log->live, n, "the live block 0 is");
	if (log->newest.version == BOW_VERSION_1_1)
		expect_free(c, log->newest.next_log, n,
			    "the next log block will be");
}

/* ---- the free map ---- */

static int look_at_free(void *ctx, u64 first, u64 count)
{
	struct cross *c = ctx;
	u32 n = bow_block_sectors(c->log->bs);

	expect_free(c, first * n, count * n, "the free map has a free range");
	c->f->cross.map_bytes += count * c->log->bs;
	return 0;
}

static int look_at_map_block(void *ctx, u64 place)
{
	struct cross *c = ctx;
	u32 n = bow_block_sectors(c->log->bs);

	expect_free(c, place, n, "a block of the free map is");
	/* In use by the log's own account. */
	return bow_blocks_add(&c->blocks, BOW_SET_HELD, place / n, 1);
}

static u64 pick_free(const u64 word[BOW_SETS])
{
	return word[BOW_SET_FREE];
}

static int check_map(struct cross *c, struct bow_dev *dev, struct bow_error *e)
{
	const struct bow_log *log = c->log;
	int r;

	if (!(log->newest.flags & BOW_FLAG_FREE_MAP))
		return 0;
	if (bow_blocks_init(&c->blocks,
			    log->sectors / bow_block_sectors(log->bs)))
		return bow_no_memory(e);
	r = bow_free_map_read(dev, log, &c->blocks, e);
	if (!r)
		r = bow_free_map_each(dev, log, look_at_map_block, c, e);
	c->map = !r;
	if (!r)
		bow_blocks_each(&c->blocks, pick_free, look_at_free, c);
	/* examine.c tells of a damaged map. */
	if (r == -EUCLEAN) {
		memset(e, 0, sizeof(*e));
		r = 0;
	}
	return r;
}

/* ---- what is put back ---- */

static void look_at_target(struct cross *c, u64 sector, u32 sectors)
{
	u64 block = sector / sectors;
	bool own = c->map && bow_blocks_has(&c->blocks, BOW_SET_HELD, block);

	if (c->map && bow_blocks_has(&c->blocks, BOW_SET_FREE, block))
		fs_fault_add(&c->f->cross.faults,
			     "sector %llu would be put back, and is free by the free map",
			     (unsigned long long)sector);
	else if (!own && is_free(c, sector, sectors))
		c->f->cross.put_back_free += c->log->bs;
}

static int check_targets(struct cross *c, const struct bow_monitor *m,
			 struct bow_error *e)
{
	u32 n = bow_block_sectors(c->log->bs);
	struct bow_run run = { 0 };
	u64 at;
	int r = 0;

	while (!r && bow_plan_next(c->log, run.target + run.sectors, &run)) {
		for (at = 0; at < run.sectors; at += n)
			look_at_target(c, run.target + at, n);
		r = bow_stopped(m, e);
	}
	return r;
}

/* ---- all of it ---- */

int fs_cross_check(struct fs_findings *f, struct bow_dev *dev,
		   struct bow_log *log, const struct bow_monitor *m,
		   struct bow_error *e)
{
	struct cross c = { .f = f, .fs = f->old.fs, .log = log };
	struct bow_monitor quiet = bow_quiet(m);
	errcode_t code = ext2fs_read_block_bitmap(c.fs);
	int r;

	if (code) {
		fs_failed(&f->old, code, "block bitmaps");
		if (f->old.verdict == FS_SOUND)
			f->old.verdict = FS_DAMAGED;
		return fs_read_error(&f->old, e);
	}
	c.per = c.fs->blocksize >> BOW_SECTOR_SHIFT;
	f->cross.bitmap_bytes = ext2fs_free_blocks_count(c.fs->super) *
				c.fs->blocksize;
	r = bow_log_walk(dev, log, look_at_entry, &c, &quiet, e);
	if (!r) {
		check_header_places(&c);
		r = check_map(&c, dev, e);
	}
	if (!r)
		r = check_targets(&c, m, e);
	f->cross.done = !r;
	bow_blocks_free(&c.blocks);
	return r;
}

void fs_cross_uuid(struct fs_findings *f, const struct bow_log *log)
{
	const u8 *guard = log->block + BOW_GUARD_OFFSET + BOW_EXT4_OFF_UUID;
	const u8 *uuid = f->old.super.s_uuid;

	if (!(log->newest.flags & BOW_FLAG_GUARD))
		return;
	if (!f->old.has_super)
		fs_fault_add(&f->cross.faults,
			     "the old block 0 holds no superblock, and did at the checkpoint");
	else if (memcmp(log->newest.fs_uuid, uuid, 16))
		fs_fault_add(&f->cross.faults,
			     "the log is that of another filesystem: its UUID is not the old superblock's");
	else if (memcmp(guard, uuid, 16))
		fs_fault_add(&f->cross.faults,
			     "the superblock kept beside the log has another UUID than the old one");
}
