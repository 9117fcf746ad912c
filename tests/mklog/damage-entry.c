// SPDX-License-Identifier: GPL-2.0
/*
 * damage-entry.c - mklog: wrong entries in block 0, and wrong contents in the
 * places that they name
 */
#include "damage.h"

#define FAR 0xfffffffffffffff8u

/* The newest backup's entry, changed by `d`. */
static void field(struct model *m, const struct damage *d)
{
	uint8_t *at;

	last_entry(m->img, &at);
	put_le(at + d->at, d->arg, d->bytes);
}

static void all_bytes(struct model *m, const struct damage *d)
{
	uint8_t *at;

	last_entry(m->img, &at);
	memset(at, (int)d->arg, BOW_ENTRY_SIZE);
}

/* The first sector that is not there any more. */
static void at_end(struct model *m, const struct damage *d)
{
	uint8_t *at;

	last_entry(m->img, &at);
	put_le(at + d->at, m->o.bytes / BOW_SECTOR_SIZE, d->bytes);
}

/* One sector beside where a block can lie. */
static void unaligned(struct model *m, const struct damage *d)
{
	uint8_t *at;

	if (m->bs == BOW_SECTOR_SIZE)
		die("every sector is a block");
	last_entry(m->img, &at);
	put_le(at + d->at, get_le(at + d->at, d->bytes) - 1, d->bytes);
}

/* A backup that begins on the device and ends beyond it. */
static void size_end(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	(void)d;
	e.dest = htole64((uint64_t)(m->nb - 1) * m->spb);
	e.size = htole32(2 * m->bs);
	memcpy(at, &e, sizeof(e));
}

static void size_more(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.size = htole32(le32toh(e.size) + m->bs * (uint32_t)d->arg);
	memcpy(at, &e, sizeof(e));
}

static void checksum(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.checksum ^= htole32((uint32_t)d->arg);
	memcpy(at, &e, sizeof(e));
}

static void swapped(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);
	uint64_t source = e.source;

	(void)d;
	e.source = e.dest;
	e.dest = source;
	memcpy(at, &e, sizeof(e));
}

/* source is where dest is, or so many blocks before it. */
static void onto_itself(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	e.source = htole64(le64toh(e.dest) - d->arg * m->spb);
	if (d->arg)
		e.size = htole32(2 * m->bs);
	memcpy(at, &e, sizeof(e));
}

/* Two backups in one place. */
static void dest_twice(struct model *m, const struct damage *d)
{
	uint8_t *at, *other;
	struct bow_entry_disk e = last_entry(m->img, &at), o;

	(void)d;
	other = at;
	do {
		uint32_t n;

		other -= BOW_ENTRY_SIZE;
		if (other <= log_entries(m->img, &n))
			die("only one backup in the newest log block");
		memcpy(&o, other, sizeof(o));
	} while (!o.checksum || o.checksum == e.checksum ||
		 o.source == o.dest);
	e.dest = o.dest;
	memcpy(at, &e, sizeof(e));
}

static void dest_log(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at), entry0;

	(void)d;
	previous_log(m, &entry0);
	e.dest = entry0.dest;
	memcpy(at, &e, sizeof(e));
}

static void backup(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	m->img[le64toh(e.dest) * BOW_SECTOR_SIZE + d->at] ^= (uint8_t)d->arg;
}

static void backup_last_byte(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	m->img[le64toh(e.dest) * BOW_SECTOR_SIZE + le32toh(e.size) - 1] ^=
		(uint8_t)d->arg;
}

static void backup_filled(struct model *m, const struct damage *d)
{
	uint8_t *at;
	struct bow_entry_disk e = last_entry(m->img, &at);

	fill(m->img + le64toh(e.dest) * BOW_SECTOR_SIZE, le32toh(e.size),
	     d->arg);
}

/* A backup in a block that must itself be put back. */
static void overlap(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e, victim;
	uint32_t n, b, size;
	uint8_t *at, *entries = log_entries(m->img, &n);

	(void)d;
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

/* ---- block 0 of D0, and the live one ---- */

/* The copy of block 0 of D0, wherever it is by now. */
static uint8_t *old_block0(struct model *m)
{
	uint32_t b = m->nb;

	while (--b && (m->use[b] != USE_BACKUP ||
		       memcmp(block_at(m, m->img, b), m->orig, m->bs)))
		;
	if (!b)
		die("the copy of block 0 is not to be found");
	return block_at(m, m->img, b);
}

static void block0(struct model *m, const struct damage *d)
{
	old_block0(m)[d->at] ^= (uint8_t)d->arg;
}

/* The only log block accepts the copy as it is now. */
static void block0_accepted(struct model *m, const struct damage *d)
{
	uint8_t *copy = old_block0(m);
	struct bow_entry_disk e;
	uint32_t n;

	if (m->sequence || copy != block_at(m, m->img, m->backup0))
		die("several log blocks, or a moved copy: fewer --ops");
	put_le(copy + d->at, d->arg, d->bytes);
	memcpy(&e, log_entries(m->img, &n), sizeof(e));
	e.checksum = htole32(crc32_raw(0, copy, m->bs));
	put_entry0(m, &e);
}

static void live(struct model *m, const struct damage *d)
{
	put_le(block_at(m, m->img, m->live) + d->at, d->arg, d->bytes);
}

static void live_zero(struct model *m, const struct damage *d)
{
	(void)d;
	memset(block_at(m, m->img, m->live), 0, m->bs);
}

#define ENTRY(name) FIELD(bow_entry_disk, name)
#define SUPER(offset, length)                                                  \
	.at = BOW_GUARD_OFFSET + (offset), .bytes = (length)

const struct damage damages_entry[] = {
	{ "source-range", at_end, 0, ALL, false, ENTRY(source) },
	{ "source-overflow", field, FAR, ALL, false, ENTRY(source) },
	{ "source-unaligned", unaligned, 0, ALL, false, ENTRY(source) },
	{ "source-zero", field, 0, ALL, false, ENTRY(source) },
	{ "dest-range", at_end, 0, ALL, false, ENTRY(dest) },
	{ "dest-overflow", field, FAR, ALL, false, ENTRY(dest) },
	{ "dest-unaligned", unaligned, 0, ALL, false, ENTRY(dest) },
	{ "dest-zero", field, 0, ALL, false, ENTRY(dest) },
	{ "dest-twice", dest_twice, 0, ALL, false, 0, 0 },
	{ "dest-log", dest_log, 0, ALL, false, 0, 0 },
	{ "size-zero", field, 0, ALL, false, ENTRY(size) },
	{ "size-unaligned", field, 100, ALL, false, ENTRY(size) },
	{ "size-huge", field, 0xfffff000, ALL, false, ENTRY(size) },
	{ "size-range", size_end, 0, ALL, false, 0, 0 },
	{ "size-more", size_more, 1, ALL, false, 0, 0 },
	{ "entry-csum", checksum, 0x100, ALL, false, 0, 0 },
	{ "entry-zeros", all_bytes, 0, ALL, false, 0, 0 },
	{ "entry-ones", all_bytes, 0xff, ALL, false, 0, 0 },
	{ "entry-swapped", swapped, 0, ALL, false, 0, 0 },
	{ "entry-self", onto_itself, 0, ALL, false, 0, 0 },
	{ "entry-overlap", onto_itself, 1, ALL, false, 0, 0 },
	{ "backup", backup, 0x40, ALL, false, 17, 0 },
	{ "backup-first-byte", backup, 1, ALL, false, 0, 0 },
	{ "backup-last-byte", backup_last_byte, 0x80, ALL, false, 0, 0 },
	{ "backup-zeros", backup_filled, 0, ALL, false, 0, 0 },
	{ "backup-other", backup_filled, 99, ALL, false, 0, 0 },
	{ "overlap", overlap, 0, ALL, false, 0, 0 },
	{ "block0", block0, 1, ALL, false, 5, 0 },
	{ "block0-log", block0_accepted, BOW_MAGIC_LOG, ALL, false, 0, 4 },
	{ "block0-record", block0_accepted, BOW_MAGIC_FINISHING, ALL, false, 0,
	  4 },
	{ "block0-no-super", block0_accepted, 0, ONLY_V1_1, false,
	  SUPER(BOW_EXT4_OFF_MAGIC, 2) },
	{ "block0-uuid", block0_accepted, 0x0123456789abcdefu, ONLY_V1_1, false,
	  SUPER(BOW_EXT4_OFF_UUID, 8) },
	{ "live-log", live, BOW_MAGIC_LOG, ALL, false, 0, 4 },
	{ "live-restoring", live, BOW_MAGIC_RESTORING, ALL, false, 0, 4 },
	{ "live-zeros", live_zero, 0, ONLY_V0, false, 0, 0 },
	{ .name = NULL }
};
