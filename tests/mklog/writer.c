// SPDX-License-Identifier: GPL-2.0
/*
 * writer.c - mklog: what a write by the filesystem does to the device
 *
 * A write is prepared (copies made, entries gathered), then published with
 * all others of its batch by one or more log writes, and only then done.
 */
#include "model.h"

static void add_entry(struct model *m, struct move e)
{
	if (m->batched == BATCH_MAX)
		die("batch too large");
	m->batch[m->batched++] = e;
}

/* Old contents of up to `blocks` blocks to the pool; returns how many. */
static uint32_t back_up(struct model *m, uint32_t b, uint32_t blocks)
{
	struct move e = { .source = b };
	uint32_t i;

	e.dest = pool_take(m, blocks, &e.blocks);
	memcpy(block_at(m, m->img, e.dest), block_at(m, m->img, b),
	       (size_t)e.blocks * m->bs);
	e.checksum = crc32_raw((uint32_t)device_block(m, b), block_at(m, m->img, b),
			       (size_t)e.blocks * m->bs);
	if (m->o.nocsum && m->o.version != V1_1 && !rnd_below(m, 5))
		e.checksum = 0;
	for (i = 0; i < e.blocks; i++) {
		set_use(m, e.dest + i, (enum use)m->use[b + i] == USE_LOG ?
					       USE_LOG :
					       USE_BACKUP);
		set_use(m, b + i, USE_FS);
	}
	add_entry(m, e);
	return e.blocks;
}

static void move_live(struct model *m)
{
	struct move e = { .source = m->live, .blocks = 1, .live = true };

	e.dest = pool_take_one(m, USE_LIVE);
	memcpy(block_at(m, m->img, e.dest), block_at(m, m->img, m->live),
	       m->bs);
	set_use(m, m->live, USE_FS);
	m->live = e.dest;
	add_entry(m, e);
}

/* First use of a free block of its region: say so durably before it. */
static void claim(struct model *m, uint32_t b)
{
	uint32_t first, end;

	if (!m->region || !m->was_free[b] || m->claimed[b / m->region])
		return;
	m->claimed[b / m->region] = 1;
	first = b / m->region * m->region;
	end = first + m->region < m->nb ? first + m->region : m->nb;
	/* Block 0 is never claimed: to a reader, source 0 is the chain. */
	first += first == 0;
	add_entry(m, (struct move){ first, first, end - first, 0, false });
}

static uint32_t prepare(struct model *m, uint32_t b, uint32_t blocks)
{
	uint32_t run = 1;

	claim(m, b);
	switch ((enum use)m->use[b]) {
	case USE_DATA:
		if (blocks > piece_left(m, b))
			blocks = piece_left(m, b);
		while (run < blocks && m->use[b + run] == USE_DATA)
			run++;
		return back_up(m, b, run);
	case USE_BACKUP:
	case USE_LOG:
		return back_up(m, b, 1);
	case USE_LIVE:
		move_live(m);
		return 1;
	case USE_RESERVE:
		log_new_reserve(m);
		return 1;
	case USE_POOL:
		set_use(m, b, USE_FS);
		return 1;
	case USE_ZERO:
	case USE_FS:
		break;
	}
	return 1;
}

void writer_write(struct model *m, uint32_t b, uint32_t blocks, uint64_t seed)
{
	uint32_t done = 0;

	if (m->waits == BATCH_MAX)
		die("batch too large");
	while (done < blocks)
		done += prepare(m, b + done, blocks - done);
	m->wait[m->waits++] = (struct waiting){ b, blocks, seed };
}

/* v1.1: a block that was free at the checkpoint goes back to the pool. */
void writer_discard(struct model *m, uint32_t b)
{
	if (m->was_free[b] && m->use[b] == USE_FS)
		set_use(m, b, USE_POOL);
}

void writer_publish(struct model *m)
{
	log_append(m, m->batch, m->batched);
	m->batched = 0;
}

/* Block 0 changes in its live copy; a superblock in it stays one. */
static void do_write_zero(struct model *m, uint64_t seed)
{
	uint8_t *live = block_at(m, m->img, m->live);
	uint8_t sb[BOW_GUARD_SIZE];
	bool keep = m->bs >= BOW_GUARD_OFFSET + BOW_GUARD_SIZE;

	if (keep)
		memcpy(sb, live + BOW_GUARD_OFFSET, sizeof(sb));
	fill(live, m->bs, seed);
	if (keep)
		memcpy(live + BOW_GUARD_OFFSET, sb, sizeof(sb));
}

/* The writes whose entries are on the disk now. */
void writer_release(struct model *m)
{
	uint32_t i, b;

	for (i = 0; i < m->waits; i++) {
		const struct waiting *w = &m->wait[i];

		for (b = w->block; b < w->block + w->blocks; b++) {
			uint64_t seed = w->seed ? w->seed + b : 0;

			if (b == 0)
				do_write_zero(m, seed);
			else
				fill(block_at(m, m->img, b), m->bs, seed);
		}
	}
	m->waits = 0;
}
