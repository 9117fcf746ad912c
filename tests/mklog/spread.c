// SPDX-License-Identifier: GPL-2.0
/*
 * spread.c - mklog: a small model in pieces on a large device, with nothing between
 *
 * Where numbers grow beyond 32 bits: some bytes of the device lie below, some above
 * 4 GiB, 2 TiB and 4 TiB, which are 2^23, 2^32 and 2^33 sectors, and at its ends.
 * All else of the device was in use, is full of zeros, and is never written.
 */
#include "model.h"

/* Free map and claims: a piece begins with a byte of the one, a region of the other. */
#define ALIGN 65536u

static const uint64_t around[] = { 1ull << 32, 1ull << 41, 1ull << 42 };

static void add_piece(struct model *m, uint32_t blocks, uint64_t byte)
{
	struct piece p = { .blocks = blocks, .at = byte / m->bs };

	if (m->pieces) {
		const struct piece *last = &m->piece[m->pieces - 1];

		p.first = last->first + last->blocks;
		if (p.at < last->at + last->blocks)
			die("--spread: the device is too small");
	}
	m->piece[m->pieces++] = p;
}

void spread_init(struct model *m)
{
	uint64_t device = m->o.device, left = m->o.bytes, each;
	uint32_t i, n = 2;

	m->pieces = 0;
	if (!device) {
		m->device_sectors = m->o.bytes / BOW_SECTOR_SIZE;
		add_piece(m, m->nb, 0);
		return;
	}
	if (device % ALIGN || m->o.bytes % ALIGN)
		die("--spread: sizes must be multiples of 64K");
	m->device_sectors = device / BOW_SECTOR_SIZE;
	for (i = 0; i < PIECES_MAX - 2; i++)
		n += around[i] < device;
	each = m->o.bytes / n / (2 * ALIGN) * (2 * ALIGN);
	if (!each)
		die("--spread: --size is too small");
	add_piece(m, (uint32_t)(each / m->bs), 0);
	for (i = 0; i + 2 < n; i++)
		add_piece(m, (uint32_t)(each / m->bs), around[i] - each / 2);
	left -= (n - 1) * each;
	add_piece(m, (uint32_t)(left / m->bs), device - left);
}

static const struct piece *piece_of(const struct model *m, uint32_t b)
{
	const struct piece *p = m->piece;

	while (b - p->first >= p->blocks)
		p++;
	return p;
}

/* The number that the block has on the device. */
uint64_t device_block(const struct model *m, uint32_t b)
{
	const struct piece *p = piece_of(m, b);

	return p->at + (b - p->first);
}

/* Blocks from this one on that lie one after the other there as well. */
uint32_t piece_left(const struct model *m, uint32_t b)
{
	const struct piece *p = piece_of(m, b);

	return p->first + p->blocks - b;
}

/* The block of the model that holds this byte of the device. */
uint32_t model_block(const struct model *m, uint64_t byte)
{
	uint32_t i;

	for (i = 0; i < m->pieces; i++) {
		const struct piece *p = &m->piece[i];

		if (byte / m->bs >= p->at && byte / m->bs - p->at < p->blocks)
			return p->first + (uint32_t)(byte / m->bs - p->at);
	}
	die("byte %llu is not in the model", (unsigned long long)byte);
}
