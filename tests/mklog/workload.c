// SPDX-License-Identifier: GPL-2.0
/*
 * workload.c - mklog: random writes and discards, aimed at the awkward places
 */
#include <stdlib.h>
#include "model.h"

/* Places kept for log copies, moves and the last append. */
#define POOL_KEPT 48u

/* A block whose use is `use`, near a random one; nb if there is none. */
static uint32_t find(struct model *m, enum use use)
{
	uint32_t start = rnd_below(m, m->nb), i, b;

	for (i = 0; i < m->nb; i++) {
		b = (start + i) % m->nb;
		if (m->use[b] == use)
			return b;
	}
	return m->nb;
}

static uint32_t random_target(struct model *m)
{
	uint32_t dice = rnd_below(m, 100);

	if (dice == 99 && m->maps)
		return m->map[rnd_below(m, m->maps)];
	if (dice < 12)
		return find(m, USE_BACKUP);
	if (dice < 16)
		return m->o.calm ? m->nb : find(m, USE_LOG);
	if (dice < 21)
		return m->live;
	if (dice < 24)
		return m->o.version == V1_1 ? m->reserve : m->nb;
	if (dice < 30)
		return 0;
	if (dice < 45)
		return find(m, USE_POOL);
	return find(m, USE_DATA);
}

static void random_write(struct model *m)
{
	uint32_t b = random_target(m), blocks, i;
	bool aimed = b < m->nb && m->use[b] != USE_DATA;

	if (b >= m->nb)
		return;
	blocks = aimed || rnd_below(m, 4) ? 1 : 1 + rnd_below(m, 8);
	if (blocks > m->nb - b)
		blocks = m->nb - b;
	/* Not over log copies by accident when they must stay. */
	for (i = 1; i < blocks; i++)
		if (m->o.calm && m->use[b + i] == USE_LOG)
			blocks = i;
	writer_write(m, b, blocks,
		     rnd_below(m, 8) ? rnd(&m->rng) | 1 : 0);
}

static void publish(struct model *m)
{
	writer_publish(m);
	writer_release(m);
}

/* Reuse of a place: only v1.1 gives discarded blocks back to the pool. */
static void random_discard(struct model *m)
{
	uint32_t i, b;

	publish(m);
	for (i = 0; i < 4; i++) {
		b = find(m, USE_FS);
		if (b < m->nb)
			writer_discard(m, b);
	}
}

void workload_run(struct model *m)
{
	uint32_t i;

	for (i = 0; i < m->o.ops && m->pool > POOL_KEPT; i++) {
		if (m->o.version == V1_1 && !rnd_below(m, 12))
			random_discard(m);
		else
			random_write(m);
		/* v1.1 publishes in batches. */
		if (m->o.version != V1_1 || m->batched > 40 ||
		    !rnd_below(m, 3))
			publish(m);
	}
	publish(m);
	/* The header of v1.0 names the live copy's old place after this. */
	if (m->o.stale)
		writer_write(m, m->live, 1, rnd(&m->rng) | 1);
	publish(m);
}

/*
 * Every block that the filesystem of the other image uses and this one's does
 * not was written, also when nothing shows it: a backup must not stay there.
 */
void workload_become(struct model *m)
{
	size_t bytes;
	uint8_t *now = image_read(m->o.now, &bytes);
	uint8_t *is_free = allocate(m->nb);
	uint32_t b;

	if (bytes != m->o.bytes)
		die("%s: has %zu bytes", m->o.now, bytes);
	free_list_read(m->o.now_free, m->spb, is_free, m->nb);
	for (b = 0; b < m->nb; b++) {
		bool taken = m->was_free[b] && !is_free[b];

		if (is_free[b] || (!taken && !memcmp(block_at(m, m->orig, b),
						     block_at(m, now, b),
						     m->bs)))
			continue;
		writer_write(m, b, 1, 1);
		publish(m);
		memcpy(block_at(m, m->img, b ? b : m->live),
		       block_at(m, now, b), m->bs);
	}
	free(is_free);
	free(now);
}

/* One-block backups in a batch that is published, but not written. */
static void gather(struct model *m, uint32_t entries)
{
	while (m->batched < entries && m->pool > 4) {
		uint32_t b = find(m, USE_DATA);

		if (b >= m->nb)
			b = find(m, USE_BACKUP);
		writer_write(m, b, 1, rnd(&m->rng) | 1);
	}
	if (m->batched < entries)
		die("no blocks left for the last append");
	m->waits = 0;
}

/* An append that fits into the present log block; it ends the workload. */
void workload_last_append(struct model *m)
{
	uint32_t room = m->max - m->count;

	if (!room) {
		gather(m, 1);
		writer_publish(m);
		room = m->max - m->count;
	}
	gather(m, room < POOL_KEPT / 2 ? room : POOL_KEPT / 2);
	writer_publish(m);
}

/* A roll-over as the newest write; waiting entries complete the copy. */
void workload_last_roll_over(struct model *m)
{
	uint32_t room = m->max - m->count;

	while (room > POOL_KEPT / 2) {
		gather(m, room < POOL_KEPT ? room / 2 : POOL_KEPT / 2);
		writer_publish(m);
		room = m->max - m->count;
	}
	if (rnd_below(m, 2))
		room += m->max / 2 < 12 ? m->max / 2 : 12;
	gather(m, room);
	log_roll_over(m, m->batch, m->batched, true);
	m->batched = 0;
}
