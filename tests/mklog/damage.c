// SPDX-License-Identifier: GPL-2.0
/*
 * damage.c - mklog: one thing wrong, everything else right
 *
 * A damaged v1.1 block is sealed again, unless its seal is what is damaged:
 * the fault itself must be found, not the checksum that it broke.  Log copies
 * are where entry 0 names them, because damage implies the feature calm.
 */
#include <stdlib.h>
#include "model.h"

#define ALL (1u << V0 | 1u << V1_0 | 1u << V1_1)
#define V1 (1u << V1_0 | 1u << V1_1)

static struct bow_header_disk header(const uint8_t *block)
{
	struct bow_header_disk h;

	memcpy(&h, block, sizeof(h));
	return h;
}

/* The fields of v1.0 only: in such a log the rest are entries. */
static void put_header(uint8_t *block, const struct bow_header_disk *h)
{
	memcpy(block, h, sizeof(struct bow_header_v1_disk));
}

static struct bow_entry_disk last_entry(uint8_t *block, uint8_t **at)
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

/* Where the previous log block was copied, and the entry that says so. */
static uint8_t *previous_log(struct model *m, struct bow_entry_disk *e)
{
	uint32_t count;

	if (!m->sequence)
		die("there is only one log block: more --ops");
	memcpy(e, log_entries(m->img, &count), sizeof(*e));
	return m->img + le64toh(e->dest) * BOW_SECTOR_SIZE;
}

/* The newest block believes the previous log block as it is now. */
static void accept_previous(struct model *m)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);
	struct bow_header_disk h = header(m->img);
	uint32_t count;

	e.checksum = htole32(crc32_raw(0, copy, m->bs));
	memcpy(log_entries(m->img, &count), &e, sizeof(e));
	if (m->o.version != V1_1)
		return;
	h.prev_log_csum = e.checksum;
	memcpy(m->img, &h, sizeof(h));
}

static void magic(struct model *m, uint64_t arg)
{
	(void)arg;
	memset(m->img, 0, 4);
}

static void version(struct model *m, uint64_t arg)
{
	struct bow_header_disk h = header(m->img);

	h.header_version = htole16((uint16_t)arg);
	put_header(m->img, &h);
}

static void header_size(struct model *m, uint64_t arg)
{
	struct bow_header_disk h = header(m->img);

	h.header_size = htole16((uint16_t)arg);
	put_header(m->img, &h);
	/* Its entries would begin elsewhere: only the header is sealed. */
}

static void block_size(struct model *m, uint64_t arg)
{
	struct bow_header_disk h = header(m->img);

	h.block_size = htole32((uint32_t)arg);
	put_header(m->img, &h);
}

static void count(struct model *m, uint64_t arg)
{
	uint32_t value = htole32((uint32_t)arg);
	size_t at = m->o.version == V0 ?
			    offsetof(struct bow_header_v0_disk, count) :
			    offsetof(struct bow_header_v1_disk, count);

	memcpy(m->img + at, &value, sizeof(value));
}

static void put_sequence(struct model *m, uint8_t *block, uint32_t value)
{
	size_t at = m->o.version == V0 ?
			    offsetof(struct bow_header_v0_disk, sequence) :
			    offsetof(struct bow_header_v1_disk, sequence);

	value = htole32(value);
	memcpy(block + at, &value, sizeof(value));
}

static void sequence(struct model *m, uint64_t arg)
{
	put_sequence(m, m->img, (uint32_t)arg);
}

static void previous_sequence(struct model *m, uint64_t arg)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);

	put_sequence(m, copy, m->sequence - 1 + (uint32_t)arg);
	log_seal(copy);
	accept_previous(m);
}

/* It says that the device was smaller by one block. */
static void previous_device(struct model *m, uint64_t arg)
{
	struct bow_header_disk h;
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);

	memcpy(&h, copy, sizeof(h));
	h.device_sectors = htole64(le64toh(h.device_sectors) - arg * m->spb);
	memcpy(copy, &h, sizeof(h));
	log_seal(copy);
	accept_previous(m);
}

/* arg: does the newest block accept what it finds? */
static void previous_zeros(struct model *m, uint64_t arg)
{
	struct bow_entry_disk e;

	memset(previous_log(m, &e), 0, m->bs);
	if (arg)
		accept_previous(m);
}

/* The previous log block is the newest one again. */
static void loop(struct model *m, uint64_t arg)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);
	uint32_t n;

	/* No checksum can be right for a block that contains it. */
	e.checksum = htole32((uint32_t)arg);
	memcpy(log_entries(m->img, &n), &e, sizeof(e));
	log_seal(m->img);
	memcpy(copy, m->img, m->bs);
}

static void entry_source(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.source = htole64(arg);
	memcpy(at, &e, sizeof(e));
}

static void entry_dest(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.dest = htole64(arg);
	memcpy(at, &e, sizeof(e));
}

/* The first sector that is not there any more. */
static void entry_source_end(struct model *m, uint64_t arg)
{
	(void)arg;
	entry_source(m, m->o.bytes / BOW_SECTOR_SIZE);
}

static void entry_dest_end(struct model *m, uint64_t arg)
{
	(void)arg;
	entry_dest(m, m->o.bytes / BOW_SECTOR_SIZE);
}

/* One sector beside where a block can lie. */
static void entry_unaligned(struct model *m, uint64_t dest)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	if (m->bs == BOW_SECTOR_SIZE)
		die("every sector is a block");
	if (dest)
		e.dest = htole64(le64toh(e.dest) - 1);
	else
		e.source = htole64(le64toh(e.source) - 1);
	memcpy(at, &e, sizeof(e));
}

static void entry_size(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.size = htole32((uint32_t)arg);
	memcpy(at, &e, sizeof(e));
	(void)m;
}

/* A backup that begins on the device and ends beyond it. */
static void entry_size_end(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	(void)arg;
	e.dest = htole64((uint64_t)(m->nb - 1) * m->spb);
	e.size = htole32(2 * m->bs);
	memcpy(at, &e, sizeof(e));
}

static void entry_checksum(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.checksum ^= htole32((uint32_t)arg);
	memcpy(at, &e, sizeof(e));
}

static void backup(struct model *m, uint64_t arg)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	m->img[le64toh(e.dest) * BOW_SECTOR_SIZE + 17] ^= (uint8_t)arg;
}

/* A backup in a block that must itself be put back. */
static void overlap(struct model *m, uint64_t arg)
{
	struct bow_entry_disk e, victim;
	uint32_t n, b, size;
	uint8_t *at, *entries = log_entries(m->img, &n);

	(void)arg;
	e = last_entry(m->img, &at);
	while (n--) {
		memcpy(&victim, entries + n * BOW_ENTRY_SIZE, sizeof(victim));
		b = (uint32_t)(le64toh(victim.source) / m->spb);
		size = le32toh(victim.size);
		if (entries + n * BOW_ENTRY_SIZE < at && b &&
		    !m->was_free[b] && victim.source != e.source &&
		    victim.source != victim.dest &&
		    size >= le32toh(e.size))
			break;
	}
	if ((int32_t)n < 0)
		die("no entry to overlap with: another --seed");
	e.dest = victim.source;
	e.checksum = htole32(crc32_raw(
		(uint32_t)(le64toh(e.source) / m->spb),
		block_at(m, m->img, b), le32toh(e.size)));
	memcpy(at, &e, sizeof(e));
}

/* Neither of the two states of a v1.1 block is whole. */
static void entries(struct model *m, uint64_t arg)
{
	m->img[m->header_size] ^= (uint8_t)arg;
}

static void identity(struct model *m, uint64_t arg)
{
	m->img[offsetof(struct bow_header_disk, checkpoint_id)] ^=
		(uint8_t)arg;
}

static struct bow_finish_disk record(struct model *m)
{
	struct bow_finish_disk f;

	memcpy(&f, m->img, sizeof(f));
	if (le32toh(f.magic) != BOW_MAGIC_FINISHING)
		die("no finishing record: use --state finishing-...");
	return f;
}

static void put_record(struct model *m, struct bow_finish_disk *f)
{
	f->record_csum = 0;
	f->record_csum = htole32(crc32_raw(~0u, f, sizeof(*f)));
	memcpy(m->img, f, sizeof(*f));
}

static void finish_csum(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);

	f.checkpoint_id[3] ^= (uint8_t)arg;
	memcpy(m->img, &f, sizeof(f));
}

static void finish_final(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);

	f.final_sector = htole64(arg);
	put_record(m, &f);
}

static void finish_contents(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);

	m->img[le64toh(f.final_sector) * BOW_SECTOR_SIZE] ^= (uint8_t)arg;
}

/* The final contents are a log themselves, and all checksums right. */
static void finish_log(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);
	uint8_t *final = m->img + le64toh(f.final_sector) * BOW_SECTOR_SIZE;
	uint32_t magic = htole32((uint32_t)arg);

	memcpy(final, &magic, sizeof(magic));
	f.final_csum = htole32(crc32_raw(0, final, m->bs));
	put_record(m, &f);
}

static void finish_action(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);

	f.action = htole32((uint32_t)arg);
	put_record(m, &f);
}

static void finish_block_size(struct model *m, uint64_t arg)
{
	struct bow_finish_disk f = record(m);

	f.block_size = htole32((uint32_t)arg);
	put_record(m, &f);
}

/* Handled in damage_make(): nothing in the image changes, but its length. */
static void shorten(struct model *m, uint64_t arg)
{
	(void)m;
	(void)arg;
}

static const struct damage {
	const char *name;
	void (*make)(struct model *m, uint64_t arg);
	uint64_t arg;
	uint32_t formats;
	bool unsealed;
} damages[] = {
	{ "magic", magic, 0, ALL, true },
	{ "version", version, 0x0200, V1, false },
	{ "header-size-small", header_size, 27, V1, false },
	{ "header-size-large", header_size, 0xffff, V1, false },
	{ "header-csum", identity, 1, 1u << V1_1, true },
	{ "block-size-odd", block_size, 3000, V1, false },
	{ "block-size-small", block_size, 256, V1, false },
	{ "block-size-large", block_size, 8192, V1, false },
	{ "block-size-zero", block_size, 0, V1, false },
	{ "count-zero", count, 0, ALL, false },
	{ "count-large", count, 171, ALL, false },
	{ "count-huge", count, 0xffffffff, V1, false },
	{ "entries-csum", entries, 1, 1u << V1_1, true },
	{ "sequence-huge", sequence, 0xffffffff, ALL, false },
	{ "sequence-gap", previous_sequence, 1, ALL, false },
	{ "sequence-back", previous_sequence, UINT32_MAX, ALL, false },
	{ "chain-missing", previous_zeros, 1, ALL, false },
	{ "chain-device", previous_device, 1, 1u << V1_1, false },
	{ "chain-csum", previous_zeros, 0, ALL, false },
	{ "chain-loop", loop, 0, ALL, true },
	{ "source-range", entry_source_end, 0, ALL, false },
	{ "source-overflow", entry_source, 0xfffffffffffffff8u, ALL, false },
	{ "source-unaligned", entry_unaligned, 0, ALL, false },
	{ "dest-range", entry_dest_end, 0, ALL, false },
	{ "dest-overflow", entry_dest, 0xfffffffffffffff8u, ALL, false },
	{ "dest-unaligned", entry_unaligned, 1, ALL, false },
	{ "dest-zero", entry_dest, 0, ALL, false },
	{ "size-zero", entry_size, 0, ALL, false },
	{ "size-unaligned", entry_size, 100, ALL, false },
	{ "size-huge", entry_size, 0xfffff000, ALL, false },
	{ "size-range", entry_size_end, 0, ALL, false },
	{ "entry-csum", entry_checksum, 0x100, ALL, false },
	{ "backup", backup, 0x40, ALL, false },
	{ "overlap", overlap, 0, ALL, false },
	{ "short", shorten, 0, ALL, true },
	{ "finish-csum", finish_csum, 1, ALL, true },
	{ "finish-range", finish_final, 1ull << 40, ALL, true },
	{ "finish-overflow", finish_final, 0xfffffffffffffff8u, ALL, true },
	{ "finish-zero", finish_final, 0, ALL, true },
	{ "finish-unaligned", finish_final, 9, ALL, true },
	{ "finish-contents", finish_contents, 1, ALL, true },
	{ "finish-log", finish_log, BOW_MAGIC_LOG, ALL, true },
	{ "finish-record", finish_log, BOW_MAGIC_FINISHING, ALL, true },
	{ "finish-action", finish_action, 77, ALL, true },
	{ "finish-block-size", finish_block_size, 5000, ALL, true },
};

/* Just short of the furthest block that the log needs. */
static size_t shorter(const struct model *m)
{
	uint32_t b = m->nb - 1;

	while (m->use[b] != USE_BACKUP && m->use[b] != USE_LOG)
		b--;
	return (size_t)b * m->bs;
}

/* Seal block 0 with the counts that it states, if they can be. */
static void seal(struct model *m)
{
	struct bow_header_disk h = header(m->img);
	uint32_t csum;

	if (m->o.version != V1_1)
		return;
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

/* Returns how long the damaged image is. */
size_t damage_make(struct model *m)
{
	size_t i;

	for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];

		if (strcmp(d->name, m->o.damage))
			continue;
		if (!(d->formats >> m->o.version & 1))
			die("%s is not for this format", d->name);
		d->make(m, d->arg);
		if (!d->unsealed)
			seal(m);
		if (d->make == shorten)
			return shorter(m);
		return (size_t)m->o.bytes;
	}
	die("unknown damage %s", m->o.damage);
}
