// SPDX-License-Identifier: GPL-2.0
/*
 * damage-chain.c - mklog: wrong log blocks behind block 0, and wrong links
 */
#include "damage.h"

/* Is the newest block to accept what it finds? */
#define ACCEPTED 1u

static void sequence(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);
	size_t at = m->o.version == V0 ?
			    offsetof(struct bow_header_v0_disk, sequence) :
			    offsetof(struct bow_header_v1_disk, sequence);

	put_le(copy + at, m->sequence - 1 + d->arg, 4);
	log_seal(copy);
	accept_previous(m);
}

static void zeros(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	memset(previous_log(m, &e), 0, m->bs);
	if (d->arg & ACCEPTED)
		accept_previous(m);
}

/* The previous log block is the newest one again. */
static void loop(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);
	uint32_t n;

	/* No checksum can be right for a block that contains it. */
	e.checksum = htole32((uint32_t)d->arg);
	memcpy(log_entries(m->img, &n), &e, sizeof(e));
	log_seal(m->img);
	memcpy(copy, m->img, m->bs);
}

static void set_sealed(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);

	put_le(copy + d->at, d->arg, d->bytes);
	log_seal(copy);
	accept_previous(m);
}

/* It says that the device was smaller by so many blocks. */
static void device(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *at = previous_log(m, &e) + d->at;

	put_le(at, get_le(at, d->bytes) - d->arg * m->spb, d->bytes);
	log_seal(at - d->at);
	accept_previous(m);
}

static void set_unsealed(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	put_le(previous_log(m, &e) + d->at, d->arg, d->bytes);
	accept_previous(m);
}

static void count(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	size_t at = m->o.version == V0 ?
			    offsetof(struct bow_header_v0_disk, count) :
			    offsetof(struct bow_header_v1_disk, count);

	put_le(previous_log(m, &e) + at, d->arg, 4);
	accept_previous(m);
}

static void entries(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e);
	uint32_t n;

	log_entries(copy, &n)[BOW_ENTRY_SIZE] ^= 1;
	if (d->arg & ACCEPTED)
		accept_previous(m);
}

/* A field of an entry of the previous block, all sealed and accepted. */
static void entry(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = previous_log(m, &e), *at;

	last_entry(copy, &at);
	put_le(at + d->at, d->arg, d->bytes);
	log_seal(copy);
	accept_previous(m);
}

/* ---- entry 0 of block 0, with a header that agrees ---- */

static void entry0(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	previous_log(m, &e);
	put_le((uint8_t *)&e + d->at, d->arg, d->bytes);
	put_entry0(m, &e);
}

static void entry0_source(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	(void)d;
	previous_log(m, &e);
	e.source = htole64(m->spb);
	put_entry0(m, &e);
}

static void entry0_size(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	previous_log(m, &e);
	e.size = htole32(m->bs * (uint32_t)d->arg);
	put_entry0(m, &e);
}

/* A place that holds something else. */
static void entry0_dest_other(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e, last;
	uint8_t *at;

	(void)d;
	previous_log(m, &e);
	last = last_entry(m->img, &at);
	e.dest = last.dest;
	put_entry0(m, &e);
}

static void entry0_csum(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;

	previous_log(m, &e);
	e.checksum ^= htole32((uint32_t)d->arg);
	put_entry0(m, &e);
}

/* ---- the first log block, which saves block 0 of D0 ---- */

static uint8_t *oldest(struct model *m, struct bow_entry_disk *e)
{
	if (m->sequence != 1)
		die("the previous log block is not the first: other --ops");
	return previous_log(m, e);
}

static void oldest_entry0(struct model *m, const struct damage *d)
{
	struct bow_entry_disk e;
	uint8_t *copy = oldest(m, &e);
	uint32_t n;

	put_le(log_entries(copy, &n) + d->at, d->arg, d->bytes);
	log_seal(copy);
	accept_previous(m);
}

#define HEADER(name) FIELD(bow_header_disk, name)
#define ENTRY(name) FIELD(bow_entry_disk, name)

const struct damage damages_chain[] = {
	{ "sequence-gap", sequence, 1, ALL, false, 0, 0 },
	{ "sequence-back", sequence, UINT32_MAX, ALL, false, 0, 0 },
	{ "chain-missing", zeros, ACCEPTED, ALL, false, 0, 0 },
	{ "chain-device", device, 1, ONLY_V1_1, false,
	  HEADER(device_sectors) },
	{ "chain-csum", zeros, 0, ALL, false, 0, 0 },
	{ "chain-loop", loop, 0, ALL, true, 0, 0 },
	{ "chain-magic", set_unsealed, BOW_MAGIC_FREE_MAP, ALL, false,
	  HEADER(magic) },
	{ "chain-version", set_unsealed, 0x0200, V1, false,
	  HEADER(header_version) },
	{ "chain-version-other", set_unsealed, 0x0101, ONLY_V1_0, false,
	  HEADER(header_version) },
	{ "chain-header-size", set_unsealed, 9, V1, false,
	  HEADER(header_size) },
	{ "chain-block-size", set_sealed, 512, V1, false, HEADER(block_size) },
	{ "chain-block-size-odd", set_unsealed, 4097, V1, false,
	  HEADER(block_size) },
	{ "chain-id", set_sealed, 0x1122334455667788u, ONLY_V1_1, false,
	  .at = offsetof(struct bow_header_disk, checkpoint_id), .bytes = 8 },
	{ "chain-count-zero", count, 0, ALL, false, 0, 0 },
	{ "chain-count-large", count, 171, ALL, false, 0, 0 },
	{ "chain-header-csum", set_unsealed, 0, ONLY_V1_1, false,
	  HEADER(header_csum) },
	{ "chain-entries-csum", entries, ACCEPTED, ONLY_V1_1, false, 0, 0 },
	{ "chain-entry-bit", entries, 0, ALL, false, 0, 0 },
	{ "chain-entry-source", entry, 1ull << 40, ALL, false, ENTRY(source) },
	{ "chain-entry-dest", entry, 1ull << 40, ALL, false, ENTRY(dest) },
	{ "chain-entry-size", entry, 0, ALL, false, ENTRY(size) },
	{ "chain-entry-csum", entry, 0x5a5a5a5a, ALL, false, ENTRY(checksum) },
	{ "entry0-source", entry0_source, 0, ALL, false, 0, 0 },
	{ "entry0-size-two", entry0_size, 2, ALL, false, 0, 0 },
	{ "entry0-size-zero", entry0_size, 0, ALL, false, 0, 0 },
	{ "entry0-dest-zero", entry0, 0, ALL, false, ENTRY(dest) },
	{ "entry0-dest-range", entry0, 1ull << 40, ALL, false, ENTRY(dest) },
	{ "entry0-dest-other", entry0_dest_other, 0, ALL, false, 0, 0 },
	{ "entry0-csum", entry0_csum, 1, ALL, false, 0, 0 },
	{ "oldest-source", oldest_entry0, 64, ALL, false, ENTRY(source) },
	{ "oldest-dest", oldest_entry0, 64, ALL, false, ENTRY(dest) },
	{ "oldest-dest-range", oldest_entry0, 1ull << 40, ALL, false,
	  ENTRY(dest) },
	{ "oldest-csum", oldest_entry0, 0x12345678, ALL, false,
	  ENTRY(checksum) },
	{ .name = NULL }
};
