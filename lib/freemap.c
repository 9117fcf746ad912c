// SPDX-License-Identifier: GPL-2.0
/*
 * freemap.c - reading the free map, a chain of bitmaps
 *
 * A block that is wrongly called free would be given away for backups, and
 * its contents lost: so whatever is not as the module writes it is refused.
 */
#include "freemap.h"
#include "log.h"

struct reader {
	struct bow_dev *dev;
	const struct bow_log *log;
	struct bow_blocks *blocks;
	struct bow_error *e;
	u8 *buf;		/* a map block */
	u64 place;		/* where it was written, sectors */
	u64 next_first;		/* blocks below are described */
	u32 index;
};

/* The contents of the map block, from where they are now. */
static int read_block(struct reader *r, struct bow_free_map_disk *d)
{
	const struct bow_log *log = r->log;
	u64 n = bow_block_sectors(log->bs), at;
	int err;

	if (!bow_place_ok(r->place, log->bs, log->sectors))
		return bow_bad(r->e, BOW_WHY_MAP_PLACE, r->place, 0);
	at = bow_where_get(log->where, r->place, &n);
	if (n < bow_block_sectors(log->bs))
		return bow_bad(r->e, BOW_WHY_MAP_PLACE, r->place, 0);
	err = bow_get(r->dev, at, r->buf, log->bs, r->e);
	if (err)
		return err;
	memcpy(d, r->buf, sizeof(*d));
	if (le32_to_cpu(d->magic) != BOW_MAGIC_FREE_MAP ||
	    le32_to_cpu(d->csum) != bow_free_map_csum(r->buf, log->bs))
		return bow_bad(r->e, BOW_WHY_MAP_CSUM, r->place, 0);
	return 0;
}

static int check_block(const struct reader *r,
		       const struct bow_free_map_disk *d)
{
	const struct bow_header *h = &r->log->newest;
	bool last = r->index == h->free_map_blocks - 1;
	u64 first = le64_to_cpu(d->first_block);
	u32 bits = le32_to_cpu(d->bits);

	if (le32_to_cpu(d->index) != r->index || last != (d->next == 0) ||
	    memcmp(d->checkpoint_id, h->checkpoint_id,
		   sizeof(d->checkpoint_id)))
		return bow_bad(r->e, BOW_WHY_MAP_CHAIN, r->place, r->index);
	if (first < r->next_first || first % 8 || bits == 0 ||
	    bits > 8 * (r->log->bs - BOW_FREE_MAP_HEADER) ||
	    first >= r->blocks->count || bits > r->blocks->count - first)
		return bow_bad(r->e, BOW_WHY_MAP_RANGE, r->place, first);
	return 0;
}

/* The runs of set bits; those behind the last one that counts do not. */
static int add_bits(struct reader *r, u64 first, u32 bits)
{
	const u8 *map = r->buf + BOW_FREE_MAP_HEADER;
	u32 i = 0, start;

	while (i < bits) {
		if (!(map[i / 8] >> i % 8 & 1)) {
			i++;
			continue;
		}
		for (start = i; i < bits && map[i / 8] >> i % 8 & 1; i++)
			;
		if (bow_blocks_add(r->blocks, BOW_SET_FREE, first + start,
				   i - start))
			return bow_no_memory(r->e);
	}
	return 0;
}

static int read_chain(struct reader *r)
{
	const struct bow_header *h = &r->log->newest;
	struct bow_free_map_disk d = { 0 };
	int err = 0;

	r->place = h->free_map;
	for (r->index = 0; r->index < h->free_map_blocks && !err; r->index++) {
		u64 first;

		err = read_block(r, &d);
		if (!err)
			err = check_block(r, &d);
		if (err)
			break;
		first = le64_to_cpu(d.first_block);
		err = add_bits(r, first, le32_to_cpu(d.bits));
		/* Rising, so that the chain ends however long it says it is. */
		r->next_first = first + le32_to_cpu(d.bits);
		r->place = le64_to_cpu(d.next);
	}
	return err;
}

/* Visit the places of a chain that read_chain() has found right. */
static int each_place(struct reader *r, int (*visit)(void *ctx, u64 place),
		      void *ctx)
{
	u32 left = r->log->newest.free_map_blocks;
	struct bow_free_map_disk d = { 0 };
	int err = 0;

	r->place = r->log->newest.free_map;
	for (; left && !err; left--) {
		err = read_block(r, &d);
		if (!err)
			err = visit(ctx, r->place);
		r->place = le64_to_cpu(d.next);
	}
	return err;
}

static int check_place(void *ctx, u64 place)
{
	struct reader *r = ctx;
	u64 per = bow_block_sectors(r->log->bs);

	if (bow_blocks_has(r->blocks, BOW_SET_FREE, place / per))
		return bow_bad(r->e, BOW_WHY_MAP_FREE, place, 0);
	return 0;
}

/* Block 0 and the map itself: never free, never to be given away. */
static int check_own(struct reader *r)
{
	if (bow_blocks_has(r->blocks, BOW_SET_FREE, 0))
		return bow_bad(r->e, BOW_WHY_MAP_FREE, 0, 0);
	return each_place(r, check_place, r);
}

int bow_free_map_read(struct bow_dev *dev, const struct bow_log *log,
		      struct bow_blocks *blocks, struct bow_error *e)
{
	struct reader r = {
		.dev = dev, .log = log, .blocks = blocks, .e = e,
	};
	int err;

	r.buf = bow_alloc(log->bs);
	if (!r.buf)
		return bow_no_memory(e);
	err = read_chain(&r);
	if (!err)
		err = check_own(&r);
	bow_free(r.buf);
	return err;
}

int bow_free_map_each(struct bow_dev *dev, const struct bow_log *log,
		      int (*visit)(void *ctx, u64 place), void *ctx,
		      struct bow_error *e)
{
	struct reader r = { .dev = dev, .log = log, .e = e };
	int err;

	r.buf = bow_alloc(log->bs);
	if (!r.buf)
		return bow_no_memory(e);
	err = each_place(&r, visit, ctx);
	bow_free(r.buf);
	return err;
}
