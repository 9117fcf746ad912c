// SPDX-License-Identifier: GPL-2.0
/*
 * damage-map.c - mklog: a wrong free map, and wrong claims
 */
#include "damage.h"

static struct bow_free_map_disk *map(struct model *m)
{
	if (!m->maps)
		die("there is no free map: use --features map");
	if (m->maps > 1 || m->use[m->map[0]] != USE_DATA)
		die("the free map has moved, or is long: another --seed");
	return (void *)block_at(m, m->img, m->map[0]);
}

static void seal_map(struct model *m)
{
	struct bow_free_map_disk *d = map(m);

	d->csum = 0;
	d->csum = htole32(crc32_raw(~0u, d, m->bs));
}

static void flip(struct model *m, const struct damage *d)
{
	((uint8_t *)map(m))[d->at] ^= (uint8_t)d->arg;
}

static void set(struct model *m, const struct damage *d)
{
	put_le((uint8_t *)map(m) + d->at, d->arg, d->bytes);
	seal_map(m);
}

static void gone(struct model *m, const struct damage *d)
{
	(void)d;
	memset(map(m), 0, m->bs);
}

static void next_itself(struct model *m, const struct damage *d)
{
	put_le((uint8_t *)map(m) + d->at, (uint64_t)m->map[0] * m->spb,
	       d->bytes);
	seal_map(m);
}

static void one_bit(struct model *m, uint32_t b, bool is_free)
{
	uint8_t *bits = (uint8_t *)map(m) + BOW_FREE_MAP_HEADER;

	bits[b / 8] &= (uint8_t)~(1u << b % 8);
	bits[b / 8] |= (uint8_t)(is_free << b % 8);
	seal_map(m);
}

static void frees_block0(struct model *m, const struct damage *d)
{
	(void)d;
	one_bit(m, 0, true);
}

static void frees_itself(struct model *m, const struct damage *d)
{
	(void)d;
	one_bit(m, m->map[0], true);
}

/* A block with a backup was in use, it says. */
static void uses_backup(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	(void)d;
	one_bit(m, (uint32_t)(le64toh(e.dest) / m->spb), false);
}

/* Of the header in block 0; the log must have the map. */
static void header(struct model *m, const struct damage *d)
{
	map(m);
	put_le(m->img + d->at, d->arg, d->bytes);
}

static void header_end(struct model *m, const struct damage *d)
{
	map(m);
	put_le(m->img + d->at, m->o.bytes / BOW_SECTOR_SIZE, d->bytes);
}

static void claim_moved(struct model *m, const struct damage *d)
{
	uint32_t count;
	uint8_t *at = log_entries(m->img, &count);
	struct bow_entry_disk e;

	for (; count--; at += BOW_ENTRY_SIZE) {
		memcpy(&e, at, sizeof(e));
		if (e.source == e.dest && e.source)
			break;
	}
	if (count == UINT32_MAX)
		die("no claim in the newest log block: another --seed");
	e.source = e.dest = htole64(le64toh(e.source) + d->arg * m->spb);
	e.size = htole32(m->bs);
	memcpy(at, &e, sizeof(e));
}

#define MAP(name) FIELD(bow_free_map_disk, name)
#define HEADER(name) FIELD(bow_header_disk, name)

const struct damage damages_map[] = {
	{ "map-magic", set, 0, ONLY_V1_1, false, MAP(magic) },
	{ "map-csum", flip, 1, ONLY_V1_1, false, .at = BOW_FREE_MAP_HEADER },
	{ "map-gone", gone, 0, ONLY_V1_1, false, 0, 0 },
	{ "map-id", set, 0x99, ONLY_V1_1, false,
	  .at = offsetof(struct bow_free_map_disk, checkpoint_id), .bytes = 1 },
	{ "map-index", set, 1, ONLY_V1_1, false, MAP(index) },
	{ "map-next", set, 64, ONLY_V1_1, false, MAP(next) },
	{ "map-loop", next_itself, 0, ONLY_V1_1, false, MAP(next) },
	{ "map-first-odd", set, 3, ONLY_V1_1, false, MAP(first_block) },
	{ "map-first-range", set, 1ull << 40, ONLY_V1_1, false,
	  MAP(first_block) },
	{ "map-bits-zero", set, 0, ONLY_V1_1, false, MAP(bits) },
	{ "map-bits-large", set, 0xffffffff, ONLY_V1_1, false, MAP(bits) },
	{ "map-frees-block0", frees_block0, 0, ONLY_V1_1, false, 0, 0 },
	{ "map-frees-itself", frees_itself, 0, ONLY_V1_1, false, 0, 0 },
	{ "map-uses-backup", uses_backup, 0, ONLY_V1_1, false, 0, 0 },
	{ "map-place-zero", header, 0, ONLY_V1_1, false, HEADER(free_map) },
	{ "map-place-range", header_end, 0, ONLY_V1_1, false,
	  HEADER(free_map) },
	{ "map-place-overflow", header, 0xfffffffffffffff8u, ONLY_V1_1, false,
	  HEADER(free_map) },
	{ "map-place-unaligned", header, 41, ONLY_V1_1, false,
	  HEADER(free_map) },
	{ "map-blocks-more", header, 2, ONLY_V1_1, false,
	  HEADER(free_map_blocks) },
	{ "map-blocks-huge", header, 0xffffffff, ONLY_V1_1, false,
	  HEADER(free_map_blocks) },
	{ "claim-shift-zero", header, 0, ONLY_V1_1, false,
	  HEADER(claim_shift) },
	{ "claim-shift-huge", header, 64, ONLY_V1_1, false,
	  HEADER(claim_shift) },
	{ "claim-moved", claim_moved, 1, ONLY_V1_1, false, 0, 0 },
	{ .name = NULL }
};
