// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - mklog: the device at the checkpoint, and what its blocks are for
 */
#include <stdlib.h>
#include "model.h"

#define EXT4_OFF_CSUM_TYPE 0x175u	/* 1: crc32c */

void set_use(struct model *m, uint32_t b, enum use use)
{
	m->pool -= m->use[b] == USE_POOL;
	m->use[b] = (uint8_t)use;
	m->pool += use == USE_POOL;
}

/*
 * As much of a superblock as a tool looks at to recognise ext2/3/4.  There is
 * no filesystem behind it, and it says so, by a feature that nobody knows.
 */
static void invent_superblock(struct model *m)
{
	uint8_t *sb = m->img + BOW_GUARD_OFFSET;
	uint32_t csum;

	memset(sb, 0, BOW_GUARD_SIZE);
	sb[BOW_EXT4_OFF_MAGIC] = BOW_EXT4_MAGIC & 0xff;
	sb[BOW_EXT4_OFF_MAGIC + 1] = BOW_EXT4_MAGIC >> 8;
	sb[BOW_EXT4_OFF_COMPAT] = BOW_EXT4_HAS_JOURNAL;
	sb[BOW_EXT4_OFF_INCOMPAT] = 0x42 | BOW_EXT4_RECOVER;
	sb[BOW_EXT4_OFF_INCOMPAT + 3] = 0x80;
	sb[BOW_EXT4_OFF_RO_COMPAT + 1] = BOW_EXT4_METADATA_CSUM >> 8;
	sb[BOW_EXT4_OFF_JOURNAL] = 8;
	sb[BOW_EXT4_OFF_ORPHAN] = 12;
	sb[EXT4_OFF_CSUM_TYPE] = 1;
	fill(sb + BOW_EXT4_OFF_UUID, 16, m->o.seed + 1);
	csum = htole32(crc32c_raw(~0u, sb, BOW_EXT4_OFF_CSUM));
	memcpy(sb + BOW_EXT4_OFF_CSUM, &csum, sizeof(csum));
}

/* Random contents, a tenth of the blocks zeros, in use or free in runs. */
static void invent_contents(struct model *m)
{
	uint32_t b, run = 0;
	bool is_free = false;

	for (b = 0; b < m->nb; b++) {
		if (!run--) {
			run = 2 + rnd_below(m, 46);
			is_free = !is_free;
		}
		/* Some room at the end, however the dice fell. */
		m->was_free[b] = b && (is_free || b > m->nb - m->nb / 8);
		fill(block_at(m, m->img, b), m->bs,
		     rnd_below(m, 10) ? rnd(&m->rng) | 1 : 0);
	}
	fill(m->img, m->bs, m->o.zero0 ? 0 : m->o.seed | 1);
	if (!m->o.raw && !m->o.zero0)
		invent_superblock(m);
}

static void load_contents(struct model *m)
{
	size_t bytes;
	uint8_t *data = image_read(m->o.base, &bytes);

	if (bytes != m->o.bytes)
		die("%s: has %zu bytes", m->o.base, bytes);
	memcpy(m->img, data, bytes);
	free(data);
	if (!m->o.free_list)
		die("--fs needs --free");
	free_list_read(m->o.free_list, m->spb, m->was_free, m->nb);
}

void device_init(struct model *m)
{
	uint32_t b;

	m->bs = m->o.bs;
	m->spb = m->bs / BOW_SECTOR_SIZE;
	m->nb = (uint32_t)(m->o.bytes / m->bs);
	spread_init(m);
	m->rng = m->o.seed;
	m->img = allocate(m->o.bytes);
	m->orig = allocate(m->o.bytes);
	m->live_img = allocate(m->o.bytes);
	m->use = allocate(m->nb);
	m->was_free = allocate(m->nb);
	m->claimed = allocate(m->nb);
	m->region = m->o.claims ? 65536 / m->bs : 0;
	m->log = allocate(m->bs);
	m->before = allocate(m->bs);
	if (m->o.base)
		load_contents(m);
	else
		invent_contents(m);
	memcpy(m->orig, m->img, m->o.bytes);
	for (b = 0; b < m->nb; b++)
		set_use(m, b, m->was_free[b] ? USE_POOL : USE_DATA);
	set_use(m, 0, USE_ZERO);
}

/*
 * Up to `want` neighbouring blocks.  The old writers took the first free ones;
 * v1.1 chooses, so that here any free block must do.
 */
uint32_t pool_take(struct model *m, uint32_t want, uint32_t *got)
{
	uint32_t b = m->o.version == V1_1 ? rnd_below(m, m->nb) : 0;

	if (!m->pool)
		die("no free block left: fewer --ops or a larger --size");
	while (m->use[b] != USE_POOL)
		b = (b + 1) % m->nb;
	if (want > piece_left(m, b))
		want = piece_left(m, b);
	for (*got = 0; *got < want; ++*got) {
		if (m->use[b + *got] != USE_POOL)
			break;
		set_use(m, b + *got, USE_BACKUP);
	}
	return b;
}

uint32_t pool_take_one(struct model *m, enum use use)
{
	uint32_t got, b = pool_take(m, 1, &got);

	set_use(m, b, use);
	return b;
}
