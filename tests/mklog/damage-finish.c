// SPDX-License-Identifier: GPL-2.0
/*
 * damage-finish.c - mklog: a wrong finishing record, or wrong final contents
 */
#include "damage.h"

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

static void unsealed(struct model *m, const struct damage *d)
{
	record(m);
	m->img[d->at] ^= (uint8_t)d->arg;
}

static void set(struct model *m, const struct damage *d)
{
	struct bow_finish_disk f = record(m);

	put_le((uint8_t *)&f + d->at, d->arg, d->bytes);
	put_record(m, &f);
}

/* Of another kind of contents, or of them with a checksum that is right. */
static void contents(struct model *m, const struct damage *d)
{
	struct bow_finish_disk f = record(m);

	m->img[le64toh(f.final_sector) * BOW_SECTOR_SIZE] ^= (uint8_t)d->arg;
}

static void final_log(struct model *m, const struct damage *d)
{
	struct bow_finish_disk f = record(m);
	uint8_t *final = m->img + le64toh(f.final_sector) * BOW_SECTOR_SIZE;

	put_le(final, d->arg, 4);
	f.final_csum = htole32(crc32_raw(0, final, m->bs));
	put_record(m, &f);
}

#define RECORD(name) FIELD(bow_finish_disk, name)

const struct damage damages_finish[] = {
	{ "finish-csum", unsealed, 1, ALL, true, RECORD(checkpoint_id) },
	{ "finish-range", set, 1ull << 40, ALL, true, RECORD(final_sector) },
	{ "finish-overflow", set, 0xfffffffffffffff8u, ALL, true,
	  RECORD(final_sector) },
	{ "finish-zero", set, 0, ALL, true, RECORD(final_sector) },
	{ "finish-unaligned", set, 9, ALL, true, RECORD(final_sector) },
	{ "finish-contents", contents, 1, ALL, true, 0, 0 },
	{ "finish-contents-csum", set, 0x1234, ALL, true, RECORD(final_csum) },
	{ "finish-action", set, 77, ALL, true, RECORD(action) },
	{ "finish-block-size", set, 5000, ALL, true, RECORD(block_size) },
	{ "finish-version", set, 0x0102, ALL, true, RECORD(version) },
	{ "finish-size", set, 127, ALL, true, RECORD(record_size) },
	{ "finish-reserved", set, 1, ALL, true,
	  .at = offsetof(struct bow_finish_disk, reserved), .bytes = 1 },
	{ "finish-device", set, 1ull << 40, ALL, true,
	  RECORD(device_sectors) },
	{ "finish-log", final_log, BOW_MAGIC_LOG, ALL, true, 0, 0 },
	{ "finish-record", final_log, BOW_MAGIC_FINISHING, ALL, true, 0, 0 },
	{ .name = NULL }
};
