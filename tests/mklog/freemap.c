// SPDX-License-Identifier: GPL-2.0
/*
 * freemap.c - mklog: the free map of a v1.1 log, and what a reader of it and of
 * the log must find each block to be
 */
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

static bool any_free(const struct model *m, uint32_t first, uint32_t end)
{
	while (first < end)
		if (m->was_free[first++])
			return true;
	return false;
}

static void put_block(struct model *m, uint32_t index, uint32_t first,
		      uint32_t bits)
{
	uint8_t *block = block_at(m, m->img, m->map[index]);
	struct bow_free_map_disk d = {
		.magic = htole32(BOW_MAGIC_FREE_MAP),
		.first_block = htole64(device_block(m, first)),
		.index = htole32(index),
		.bits = htole32(bits),
	};
	uint32_t i;

	if (index + 1 < m->maps)
		d.next = htole64(device_sector(m, m->map[index + 1]));
	fill(d.checkpoint_id, sizeof(d.checkpoint_id), m->o.seed + 2);
	memset(block, 0, m->bs);
	for (i = 0; i < bits; i++)
		block[sizeof(d) + i / 8] |=
			(uint8_t)((m->was_free[first + i] != 0) << i % 8);
	memcpy(block, &d, sizeof(d));
	d.csum = htole32(crc32_raw(~0u, block, m->bs));
	memcpy(block, &d, sizeof(d));
	/* It belongs to D0: a rollback gives it back. */
	memcpy(block_at(m, m->orig, m->map[index]), block, m->bs);
}

/* Where the part ends that begins there: a map block has no room for more. */
static uint32_t part_end(const struct model *m, uint32_t first)
{
	uint32_t per = (m->bs - BOW_FREE_MAP_HEADER) * 8;
	uint32_t left = piece_left(m, first);

	return first + (left < per ? left : per);
}

/*
 * A block for each part of the device that has free blocks, in free places that
 * the map calls used.
 */
void freemap_make(struct model *m)
{
	bool *some = allocate(m->nb);	/* by the first block of the part */
	uint32_t first, i;

	for (first = 0; first < m->nb; first = part_end(m, first)) {
		some[first] = any_free(m, first, part_end(m, first));
		m->maps += some[first];
	}
	m->map = allocate(m->maps * sizeof(*m->map));
	for (i = 0; i < m->maps; i++) {
		m->map[i] = pool_take_one(m, USE_DATA);
		m->was_free[m->map[i]] = 0;
	}
	for (first = 0, i = 0; first < m->nb; first = part_end(m, first)) {
		if (some[first])
			put_block(m, i++, first, part_end(m, first) - first);
	}
	free(some);
}

static const char *state_of(const struct model *m, uint32_t b)
{
	switch ((enum use)m->use[b]) {
	case USE_BACKUP:
	case USE_LOG:
	case USE_LIVE:
	case USE_RESERVE:
		return "held";
	case USE_FS:
		return m->was_free[b] ? "taken" : "changed";
	case USE_POOL:
		return "pool";
	case USE_ZERO:
	case USE_DATA:
		break;
	}
	return "used";
}

/* A line a block: its first sector, its state. */
void freemap_states(const struct model *m, FILE *out)
{
	uint32_t b;

	for (b = 0; b < m->nb; b++)
		fprintf(out, "%llu %s\n", (unsigned long long)device_sector(m, b),
			state_of(m, b));
}
