// SPDX-License-Identifier: GPL-2.0
/*
 * damage.c - mklog: one thing wrong, everything else right
 *
 * A damaged v1.1 block is sealed again, unless its seal is what is damaged:
 * the fault itself must be found, not the checksum that it broke.  Log copies
 * are where entry 0 names them, because damage implies the feature calm.
 */
#include <stdlib.h>
#include "damage.h"

static const struct damage *const tables[] = {
	damages_header, damages_chain, damages_entry, damages_map,
	damages_finish,
};

void put_le(uint8_t *p, uint64_t value, size_t bytes)
{
	for (; bytes--; value >>= 8)
		*p++ = (uint8_t)value;
}

uint64_t get_le(const uint8_t *p, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

struct bow_entry_disk last_entry(uint8_t *block, uint8_t **at)
{
	struct bow_entry_disk e;
	uint32_t count;

	*at = log_entries(block, &count);
	do {
		if (count-- < 2)
			die("no backup in the newest log block");
		memcpy(&e, *at + count * BOW_ENTRY_SIZE, sizeof(e));
	} while (e.checksum == 0 || e.source == e.dest);
	*at += count * BOW_ENTRY_SIZE;
	return e;
}

uint8_t *previous_log(struct model *m, struct bow_entry_disk *entry0)
{
	uint32_t count;

	if (!m->sequence)
		die("there is only one log block: more --ops");
	memcpy(entry0, log_entries(m->img, &count), sizeof(*entry0));
	return m->img + le64toh(entry0->dest) * BOW_SECTOR_SIZE;
}

void put_entry0(struct model *m, const struct bow_entry_disk *e)
{
	struct bow_header_disk h;
	uint32_t count;

	memcpy(log_entries(m->img, &count), e, sizeof(*e));
	if (m->o.version != V1_1)
		return;
	memcpy(&h, m->img, sizeof(h));
	if (m->sequence) {
		h.prev_log = e->dest;
		h.prev_log_csum = e->checksum;
	} else {
		h.backup0 = e->dest;
		h.backup0_csum = e->checksum;
	}
	memcpy(m->img, &h, sizeof(h));
}

void accept_previous(struct model *m)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);

	e.checksum = htole32(crc32_raw(0, copy, m->bs));
	put_entry0(m, &e);
}

void set_field(struct model *m, const struct damage *d)
{
	put_le(m->img + d->at, d->arg, d->bytes);
}

/* Nothing in the image changes, but its length. */
void shorten(struct model *m, const struct damage *d)
{
	(void)m;
	(void)d;
}

/* The length asked for, or just short of the furthest block that is needed. */
static size_t length(const struct model *m, const struct damage *d)
{
	uint32_t b = m->nb - 1;

	if (d->make != shorten)
		return (size_t)m->o.bytes;
	if (d->bytes)
		return (size_t)d->arg;
	while (m->use[b] != USE_BACKUP && m->use[b] != USE_LOG)
		b--;
	return (size_t)b * m->bs;
}

/* Seal block 0 with the counts that it states, if they can be. */
static void seal(struct model *m)
{
	struct bow_header_disk h;
	uint32_t csum;

	if (m->o.version != V1_1)
		return;
	memcpy(&h, m->img, sizeof(h));
	if (le32toh(h.count) <= m->max &&
	    le16toh(h.header_size) == m->header_size &&
	    le16toh(h.header_version) == BOW_VERSION_1_1) {
		log_seal(m->img);
		return;
	}
	h.header_csum = 0;
	csum = htole32(crc32_raw(~0u, &h, sizeof(h)));
	memcpy(m->img + offsetof(struct bow_header_disk, header_csum), &csum,
	       sizeof(csum));
}

static const struct damage *find(const char *name)
{
	const struct damage *d;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (d = tables[i]; d->name; d++)
			if (!strcmp(d->name, name))
				return d;
	die("unknown damage %s", name);
}

/* Returns how long the damaged image is. */
size_t damage_make(struct model *m)
{
	const struct damage *d = find(m->o.damage);

	if (!(d->formats >> m->o.version & 1))
		die("%s is not for this format", d->name);
	d->make(m, d);
	if (!d->unsealed)
		seal(m);
	return length(m, d);
}

void damage_list(void)
{
	const struct damage *d;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (d = tables[i]; d->name; d++)
			puts(d->name);
}
