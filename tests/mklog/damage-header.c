// SPDX-License-Identifier: GPL-2.0
/*
 * damage-header.c - mklog: a wrong header in block 0, and a device too short
 */
#include "damage.h"

#define FAR 0xfffffffffffffff8u

static void magic_bit(struct model *m, const struct damage *d)
{
	(void)d;
	m->img[1] ^= 0x20;
}

static void flip(struct model *m, const struct damage *d)
{
	m->img[d->at] ^= (uint8_t)d->arg;
}

/* The fields of which v0 has its own. */
static size_t count_at(const struct model *m)
{
	return m->o.version == V0 ?
		       offsetof(struct bow_header_v0_disk, count) :
		       offsetof(struct bow_header_v1_disk, count);
}

static size_t sequence_at(const struct model *m)
{
	return m->o.version == V0 ?
		       offsetof(struct bow_header_v0_disk, sequence) :
		       offsetof(struct bow_header_v1_disk, sequence);
}

static void count(struct model *m, const struct damage *d)
{
	put_le(m->img + count_at(m), d->arg, 4);
}

/* One entry more than there are: it is of zeros. */
static void count_more(struct model *m, const struct damage *d)
{
	(void)d;
	if (m->count == m->max)
		die("the log block is full: another --ops");
	memset(m->img + m->header_size + m->count * BOW_ENTRY_SIZE, 0,
	       BOW_ENTRY_SIZE);
	put_le(m->img + count_at(m), m->count + 1, 4);
}

static void sequence(struct model *m, const struct damage *d)
{
	put_le(m->img + sequence_at(m), d->arg, 4);
}

static void sequence_more(struct model *m, const struct damage *d)
{
	put_le(m->img + sequence_at(m), m->sequence + d->arg, 4);
}

/* A log of several blocks says that this is the first. */
static void sequence_zero(struct model *m, const struct damage *d)
{
	if (!m->sequence)
		die("there is only one log block: more --ops");
	sequence(m, d);
}

static void header_size_add(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->header_size + d->arg, d->bytes);
}

static void header_size_block(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->bs, d->bytes);
}

static void block_size_other(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->bs == 4096 ? 2048 : m->bs * 2, d->bytes);
}

static void prev_count(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->count + d->arg, d->bytes);
}

/* The first block that is not there. */
static void at_end(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->o.bytes / BOW_SECTOR_SIZE, d->bytes);
}

/* One sector beside what it is. */
static void beside(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, get_le(m->img + d->at, d->bytes) + 1, d->bytes);
}

/* Another block, that is on the device. */
static void neighbour(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, get_le(m->img + d->at, d->bytes) - m->spb,
	       d->bytes);
}

static void device_longer(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, m->o.bytes / BOW_SECTOR_SIZE + m->spb, d->bytes);
}

static void entries_zero(struct model *m, const struct damage *d)
{
	(void)d;
	memset(m->img + m->header_size, 0, m->bs - m->header_size);
}

static void first_entry(struct model *m, const struct damage *d)
{
	m->img[m->header_size] ^= (uint8_t)d->arg;
}

#define HEADER(name) FIELD(bow_header_disk, name)
#define PLACE_KINDS(text, name, formats)                                       \
	{ text "-range", at_end, 0, formats, false, HEADER(name) },            \
	{ text "-overflow", set_field, FAR, formats, false, HEADER(name) },    \
	{ text "-unaligned", beside, 0, formats, false, HEADER(name) }

const struct damage damages_header[] = {
	{ "magic", set_field, 0, ALL, true, HEADER(magic) },
	{ "magic-bit", magic_bit, 0, ALL, true, 0, 0 },
	{ "version", set_field, 0x0200, V1, false, HEADER(header_version) },
	{ "version-newer", set_field, 0x0102, V1, false,
	  HEADER(header_version) },
	{ "version-zero", set_field, 0, V1, false, HEADER(header_version) },
	{ "version-older", set_field, 0x0100, ONLY_V1_1, true,
	  HEADER(header_version) },
	{ "version-promoted", set_field, 0x0101, ONLY_V1_0, true,
	  HEADER(header_version) },
	{ "header-size-zero", set_field, 0, V1, false, HEADER(header_size) },
	{ "header-size-small", set_field, 27, V1, false, HEADER(header_size) },
	{ "header-size-large", set_field, 0xffff, V1, false,
	  HEADER(header_size) },
	{ "header-size-block", header_size_block, 0, V1, false,
	  HEADER(header_size) },
	{ "header-size-shifted", header_size_add, BOW_ENTRY_SIZE, V1, false,
	  HEADER(header_size) },
	{ "header-csum", flip, 1, ONLY_V1_1, true, HEADER(checkpoint_id) },
	{ "header-csum-field", flip, 1, ONLY_V1_1, true, HEADER(header_csum) },
	{ "header-reserved", flip, 1, ONLY_V1_1, true, HEADER(reserved) },
	{ "block-size-odd", set_field, 3000, V1, false, HEADER(block_size) },
	{ "block-size-small", set_field, 256, V1, false, HEADER(block_size) },
	{ "block-size-large", set_field, 8192, V1, false, HEADER(block_size) },
	{ "block-size-zero", set_field, 0, V1, false, HEADER(block_size) },
	{ "block-size-other", block_size_other, 0, V1, true,
	  HEADER(block_size) },
	{ "count-zero", count, 0, ALL, false, 0, 0 },
	{ "count-large", count, 171, ALL, false, 0, 0 },
	{ "count-huge", count, 0xffffffff, V1, false, 0, 0 },
	{ "count-more", count_more, 0, ALL, false, 0, 0 },
	{ "prev-count-large", prev_count, 1, ONLY_V1_1, false,
	  HEADER(prev_count) },
	{ "entries-csum", first_entry, 1, ONLY_V1_1, true, 0, 0 },
	{ "entries-zero", entries_zero, 0, ALL, true, 0, 0 },
	{ "sequence-huge", sequence, 0xffffffff, ALL, false, 0, 0 },
	{ "sequence-more", sequence_more, 1, ALL, false, 0, 0 },
	{ "sequence-zero", sequence_zero, 0, ALL, false, 0, 0 },
	{ "sector0-zero", set_field, 0, V1, false, HEADER(sector0) },
	PLACE_KINDS("sector0", sector0, V1),
	{ "backup0-zero", set_field, 0, ONLY_V1_1, false, HEADER(backup0) },
	PLACE_KINDS("backup0", backup0, ONLY_V1_1),
	{ "prev-log-zero", set_field, 0, ONLY_V1_1, false, HEADER(prev_log) },
	PLACE_KINDS("prev-log", prev_log, ONLY_V1_1),
	{ "prev-log-other", neighbour, 0, ONLY_V1_1, false, HEADER(prev_log) },
	{ "prev-log-csum", flip, 1, ONLY_V1_1, false, HEADER(prev_log_csum) },
	PLACE_KINDS("next-log", next_log, ONLY_V1_1),
	{ "uuid", flip, 1, ONLY_V1_1, false, HEADER(fs_uuid) },
	{ "guard-uuid", flip, 1, ONLY_V1_1, true,
	  .at = BOW_GUARD_OFFSET + BOW_EXT4_OFF_UUID },
	{ "device-longer", device_longer, 0, ONLY_V1_1, false,
	  HEADER(device_sectors) },
	{ "short", shorten, 0, ALL, true, 0, 0 },
	{ "short-block", shorten, 4096, ALL, true, 0, 4096 },
	{ "short-sector", shorten, 512, ALL, true, 0, 512 },
	{ "short-empty", shorten, 0, ALL, true, 0, 1 },
	{ .name = NULL }
};
