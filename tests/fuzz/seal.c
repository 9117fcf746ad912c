// SPDX-License-Identifier: GPL-2.0
/*
 * seal.c - checksums of an input made right, so that what is behind them is
 * reached
 */
#include <stdlib.h>

#include "fuzz.h"

/* Log blocks are looked for at most so often. */
#define BLOCKS_MAX 64u

struct sealer {
	u8 *sector[65536];
	u32 dice;
};

struct found {
	u32 sector;
	u32 sequence;
};

/* One time in eight something is left as it is. */
static bool leave(struct sealer *s)
{
	s->dice = s->dice * 1664525u + 1013904223u;
	return s->dice >> 29 == 0;
}

/* A block of the device, and back. */
static void get(const struct sealer *s, u32 sector, u8 *block, u32 bytes)
{
	for (; bytes; bytes -= BOW_SECTOR_SIZE, block += BOW_SECTOR_SIZE) {
		const u8 *p = s->sector[sector++ & 0xffff];

		if (p)
			memcpy(block, p, BOW_SECTOR_SIZE);
		else
			memset(block, 0, BOW_SECTOR_SIZE);
	}
}

static void put(const struct sealer *s, u32 sector, const u8 *block, u32 bytes)
{
	for (; bytes; bytes -= BOW_SECTOR_SIZE, block += BOW_SECTOR_SIZE) {
		u8 *p = s->sector[sector++ & 0xffff];

		if (p)
			memcpy(p, block, BOW_SECTOR_SIZE);
	}
}

static u32 crc_at(const struct sealer *s, u64 sector, u32 seed, u32 bytes,
		  bool log)
{
	u8 block[BOW_BLOCK_SIZE_MAX] = { 0 };
	u32 done;

	for (done = 0; done < bytes; done += BOW_BLOCK_SIZE_MAX) {
		u32 n = bytes - done < BOW_BLOCK_SIZE_MAX ? bytes - done :
							    BOW_BLOCK_SIZE_MAX;

		get(s, (u32)sector + done / BOW_SECTOR_SIZE, block, n);
		if (log && !done)
			bow_put_le32(block, BOW_MAGIC_LOG);
		seed = bow_crc32(seed, block, n);
	}
	return seed;
}

static void seal_entries(struct sealer *s, u8 *block, u32 at, u32 count, u32 bs,
			 bool sequence)
{
	struct bow_entry_disk e;
	u32 i;

	for (i = 0; i < count; i++, at += BOW_ENTRY_SIZE) {
		u32 size, seed;

		memcpy(&e, block + at, sizeof(e));
		size = le32_to_cpu(e.size);
		if (!e.checksum || size > 65536 || size % BOW_SECTOR_SIZE ||
		    leave(s))
			continue;
		seed = bow_entry_seed(le64_to_cpu(e.source), bs);
		e.checksum = cpu_to_le32(crc_at(s, le64_to_cpu(e.dest), seed,
						size, !i && sequence));
		memcpy(block + at, &e, sizeof(e));
	}
}

static void seal_v1_1(struct sealer *s, u8 *block, struct bow_header_disk *h)
{
	u32 size = le16_to_cpu(h->header_size);
	struct bow_entry_disk first;

	memcpy(&first, block + size, sizeof(first));
	if (!leave(s) && h->sequence) {
		h->prev_log = first.dest;
		h->prev_log_csum = first.checksum;
	} else if (!leave(s) && !h->sequence) {
		h->backup0 = first.dest;
		h->backup0_csum = first.checksum;
	}
	if (!leave(s))
		h->entries_csum = cpu_to_le32(bow_entries_csum(
			block, size, le32_to_cpu(h->count)));
	if (!leave(s) && le32_to_cpu(h->prev_count) <= le32_to_cpu(h->count))
		h->prev_entries_csum = cpu_to_le32(bow_entries_csum(
			block, size, le32_to_cpu(h->prev_count)));
	if (!leave(s))
		h->header_csum = cpu_to_le32(bow_header_csum(h));
	memcpy(block, h, sizeof(*h));
}

static void seal_block(struct sealer *s, u32 sector)
{
	u8 block[BOW_BLOCK_SIZE_MAX];
	struct bow_header_disk h;
	u32 bs, size, count;

	get(s, sector, block, sizeof(block));
	memcpy(&h, block, sizeof(h));
	if (bow_get_le32(block + 4) <= BOW_V0_MAX_COUNT) {
		seal_entries(s, block, sizeof(struct bow_header_v0_disk),
			     bow_get_le32(block + 4), BOW_V0_BLOCK_SIZE,
			     bow_get_le32(block + 8));
		put(s, sector, block, BOW_V0_BLOCK_SIZE);
		return;
	}
	bs = le32_to_cpu(h.block_size);
	size = le16_to_cpu(h.header_size);
	count = le32_to_cpu(h.count);
	if (!bow_block_size_ok(bs) || size < 28 || size > bs || !count ||
	    count > bow_max_entries(bs, size, false))
		return;
	seal_entries(s, block, size, count, bs, h.sequence);
	if (le16_to_cpu(h.header_version) == BOW_VERSION_1_1 &&
	    size >= BOW_HEADER_SIZE)
		seal_v1_1(s, block, &h);
	put(s, sector, block, bs);
}

static void seal_record(struct sealer *s)
{
	u8 sector[BOW_SECTOR_SIZE];
	struct bow_finish_disk f;
	u32 bs;

	get(s, 0, sector, sizeof(sector));
	memcpy(&f, sector, sizeof(f));
	bs = le32_to_cpu(f.block_size);
	if (bow_block_size_ok(bs) && !leave(s))
		f.final_csum = cpu_to_le32(
			crc_at(s, le64_to_cpu(f.final_sector), 0, bs, false));
	if (!leave(s))
		f.record_csum = cpu_to_le32(bow_finish_csum(&f));
	memcpy(sector, &f, sizeof(f));
	put(s, 0, sector, sizeof(sector));
}

/* Blocks of the free map, of the size that block 0 names. */
static void seal_map(struct sealer *s, const u8 *data, size_t bytes)
{
	u8 block[BOW_BLOCK_SIZE_MAX];
	u32 bs = s->sector[0] ? bow_get_le32(s->sector[0] + 8) : 0;
	size_t at;

	for (at = HEAD; bow_block_size_ok(bs) && bytes >= at + RECORD;
	     at += RECORD) {
		u16 sector;

		if (bow_get_le32(data + at + 2) != BOW_MAGIC_FREE_MAP ||
		    leave(s))
			continue;
		memcpy(&sector, data + at, sizeof(sector));
		get(s, sector, block, bs);
		bow_put_le32(block + 4, bow_free_map_csum(block, bs));
		put(s, sector, block, bs);
	}
}

static int by_sequence(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

void fuzz_seal(u8 *data, size_t bytes, u32 dice)
{
	static struct sealer s;
	struct found found[BLOCKS_MAX] = { 0 };
	u32 n = 0, i;
	size_t at;

	s.dice = dice;
	for (at = HEAD; bytes >= at + RECORD; at += RECORD) {
		u8 *p = data + at + 2;
		u32 magic = bow_get_le32(p);
		u16 sector;

		memcpy(&sector, data + at, sizeof(sector));
		s.sector[sector] = p;
		if (n < BLOCKS_MAX && (magic == BOW_MAGIC_LOG ||
				       magic == BOW_MAGIC_RESTORING))
			found[n++] = (struct found){
				sector,
				bow_get_le32(p + (bow_get_le32(p + 4) <=
						  BOW_V0_MAX_COUNT ? 8 : 16))
			};
	}
	if (n)
		qsort(found, n, sizeof(*found), by_sequence);
	seal_map(&s, data, bytes);
	for (i = 0; i < n; i++)
		seal_block(&s, found[i].sector);
	if (s.sector[0] && bow_get_le32(s.sector[0]) == BOW_MAGIC_FINISHING)
		seal_record(&s);
	for (at = HEAD; bytes >= at + RECORD; at += RECORD) {
		u16 sector;

		memcpy(&sector, data + at, sizeof(sector));
		s.sector[sector] = NULL;
	}
}
