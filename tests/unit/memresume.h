/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memresume.h - a log in memory that can be gone on with, and what libbow says
 * of its blocks
 */
#ifndef TESTS_MEMRESUME_H
#define TESTS_MEMRESUME_H

#include "memdev.h"
#include "resume.h"

#define MAP_PLACE (LOG_FREE + 3)
#define CLAIM_SHIFT 16u			/* 16 blocks a region */
#define REGION 16u

static struct memlog l;
static struct memdev m;

/* ---- a log that can be resumed ---- */

static inline struct bow_free_map_disk *map_head(void)
{
	return (struct bow_free_map_disk *)mem_block(l.img, MAP_PLACE);
}

static inline void map_seal(void)
{
	u8 *map = mem_block(l.img, MAP_PLACE);

	map_head()->csum = cpu_to_le32(bow_free_map_csum(map, MEM_BS));
}

static inline void make_map(void)
{
	struct bow_free_map_disk *d = map_head();
	u8 *bits = mem_block(l.img, MAP_PLACE) + BOW_FREE_MAP_HEADER;
	u32 i;

	memset(d, 0, MEM_BS);
	d->magic = cpu_to_le32(BOW_MAGIC_FREE_MAP);
	memcpy(d->checkpoint_id, log_header(&l)->checkpoint_id, 16);
	d->bits = cpu_to_le32(MEM_BLOCKS);
	for (i = LOG_FREE; i < MEM_BLOCKS; i++)
		if (i != MAP_PLACE)
			bits[i / 8] |= (u8)(1u << i % 8);
	map_seal();
}

static inline void begin(u32 header_size)
{
	struct bow_header_disk *h = log_header(&l);

	log_begin(&l, header_size);
	h->flags = cpu_to_le32(BOW_FLAG_FREE_MAP | BOW_FLAG_CLAIMS |
			       (header_size == BOW_HEADER_SIZE_GUARD ?
					BOW_FLAG_GUARD : 0));
	h->free_map = cpu_to_le64(MAP_PLACE * 8);
	h->free_map_blocks = cpu_to_le32(1);
	h->claim_shift = cpu_to_le32(CLAIM_SHIFT);
	make_map();
	log_seal(&l);
	log_append(&l);
	log_seal(&l);
}

/* The filesystem will use the region of this block. */
static inline void claim(u32 block)
{
	u32 start = block / REGION * REGION;

	log_entry(&l, start ? start : 1, start ? start : 1, 0);
}

static inline void backups(u32 first, u32 n)
{
	u32 i;

	for (i = first; i < first + n; i++)
		log_backup(&l, 1 + i, LOG_PLACE + i);
}

static inline void overwrite(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		log_overwrite(&l, 1 + i);
}

/* ---- what the library says of each block ---- */

struct states {
	bool open;
	u64 live, next_log;
	u32 count, sequence;
	char of[MEM_BLOCKS];	/* U C F T H; claimed regions apart */
	bool claimed[MEM_BLOCKS];
};

struct brush {
	struct states *s;
	char letter;
};

static inline int stroke(void *ctx, u64 start, u64 sectors)
{
	const struct brush *b = ctx;
	u64 i;

	if (start % 8 || sectors % 8 || !sectors ||
	    start + sectors > MEM_SECTORS)
		return 1;
	for (i = start / 8; i < (start + sectors) / 8; i++) {
		if (b->letter)
			b->s->of[i] = b->letter;
		else
			b->s->claimed[i] = true;
	}
	return 0;
}

static inline int paint(struct states *s, const struct bow_resume *r,
			enum bow_resume_kind kind, char letter)
{
	struct brush b = { s, letter };

	return bow_resume_each(r, kind, stroke, &b);
}

static inline int look(struct states *s, const struct bow_resume *r)
{
	struct bow_header_disk h;

	memset(s, 0, sizeof(*s));
	memset(s->of, 'U', sizeof(s->of));
	memcpy(&h, r->block, sizeof(h));
	s->open = true;
	s->live = r->log.newest.sector0 / 8;
	s->next_log = le64_to_cpu(h.next_log) / 8;
	s->count = le32_to_cpu(h.count);
	s->sequence = le32_to_cpu(h.sequence);
	return paint(s, r, BOW_RESUME_FREE, 'F') +
	       paint(s, r, BOW_RESUME_HELD, 'H') +
	       paint(s, r, BOW_RESUME_TAKEN, 'T') +
	       paint(s, r, BOW_RESUME_CHANGED, 'C') +
	       paint(s, r, BOW_RESUME_CLAIMED, 0);
}

/* Open what is on the device `m`; and mend it, with `mend`. */
static inline int resume(struct states *s, bool mend, struct bow_error *e)
{
	struct bow_resume r;
	int err = bow_resume_open(&m.dev, &r, NULL, e);

	if (!err && look(s, &r))
		err = -EDOM;
	if (!err && mend)
		err = bow_resume_mend(&m.dev, &r, e);
	bow_resume_free(&r);
	return err;
}

/* The same, of the log that was made. */
static inline int resume_log(struct states *s)
{
	struct bow_error e;

	mem_init(&m, l.img);
	return resume(s, false, &e);
}

static inline bool restores(enum bow_action action)
{
	struct bow_result result;
	struct bow_error e;

	if (bow_restore(&m.dev, action, false, NULL, &result, &e))
		return false;
	return action == BOW_ACTION_COMMIT ? !memcmp(m.now, l.live0, MEM_BS) :
					     log_is_d0(&l, m.now);
}

static inline bool same(const struct states *a, const struct states *b)
{
	return memcmp(a->of, b->of, sizeof(a->of)) == 0 &&
	       memcmp(a->claimed, b->claimed, sizeof(a->claimed)) == 0 &&
	       a->live == b->live && a->next_log == b->next_log &&
	       a->count == b->count && a->sequence == b->sequence;
}

#endif /* TESTS_MEMRESUME_H */
