// SPDX-License-Identifier: GPL-2.0
/*
 * mutate.c - changes that a log can have: to fields, entries, whole sectors
 */
#include "fuzz.h"

struct mutation {
	u8 *data;
	size_t records;
	u64 rng;
};

static u32 roll(struct mutation *m, u32 limit)
{
	m->rng = m->rng * 6364136223846793005u + 1442695040888963407u;
	return (u32)(m->rng >> 33) % limit;
}

static u8 *record(struct mutation *m, size_t i)
{
	return m->data + HEAD + i * RECORD;
}

static u16 sector_of(struct mutation *m, size_t i)
{
	u16 sector;

	memcpy(&sector, record(m, i), sizeof(sector));
	return sector;
}

/* A number that something in the device, or at an edge of it, has. */
static u64 interesting(struct mutation *m)
{
	static const u64 edges[] = {
		0, 1, 7, 8, 28, 170, 171, 256, 512, 1024, 2048, 4096, 0x0100,
		0x0101, 65535, 65536, 0x7fffffff, 0xffffffff, 1ull << 40,
		1ull << 63, 0xfffffffffffffff8u, UINT64_MAX,
	};

	if (roll(m, 3) && m->records)
		return sector_of(m, roll(m, (u32)m->records));
	if (roll(m, 2))
		return roll(m, 70);
	return edges[roll(m, sizeof(edges) / sizeof(*edges))];
}

static void put(u8 *p, u64 v, u32 bytes)
{
	while (bytes--) {
		*p++ = (u8)v;
		v >>= 8;
	}
}

/* A field of a header or a finishing record; log blocks begin at such. */
static void mutate_header(struct mutation *m, u8 *sector)
{
	static const struct {
		u8 at, bytes;
	} fields[] = {
		{ 0, 4 },   { 4, 2 },	{ 6, 2 },   { 8, 4 },	{ 12, 4 },
		{ 16, 4 },  { 20, 8 },	{ 28, 4 },  { 32, 4 },	{ 36, 4 },
		{ 40, 4 },  { 44, 4 },	{ 48, 4 },  { 88, 8 },	{ 96, 8 },
		{ 104, 4 }, { 108, 4 }, { 112, 8 }, { 120, 8 }, { 28, 4 },
		{ 128, 8 }, { 136, 4 }, { 140, 4 },
	};
	u32 i = roll(m, sizeof(fields) / sizeof(*fields));

	if (roll(m, 12) == 0)
		put(sector, roll(m, 2) ? BOW_MAGIC_RESTORING :
					 BOW_MAGIC_FINISHING, 4);
	else
		put(sector + fields[i].at, interesting(m), fields[i].bytes);
}

/* Entries begin at 12, 28 or 256 in this sector, or at 0 of a later one. */
static void mutate_entry(struct mutation *m, u8 *sector)
{
	static const u16 starts[] = { 12, 28, 256, 0 };
	u32 start = starts[roll(m, 4)];
	u32 at = start + 24 * roll(m, (BOW_SECTOR_SIZE - start) / 24);

	switch (roll(m, 4)) {
	case 0:
		put(sector + at, interesting(m), 8);
		break;
	case 1:
		put(sector + at + 8, interesting(m), 8);
		break;
	case 2:
		put(sector + at + 16, 512u * roll(m, 20), 4);
		break;
	default:
		put(sector + at + 20, roll(m, 2), 4);
	}
}

/* A free map, if this is one: who it says is next, what it covers, its bits. */
static void mutate_map(struct mutation *m, u8 *sector)
{
	switch (roll(m, 5)) {
	case 0:
		put(sector + 24, interesting(m), 8);
		break;
	case 1:
		put(sector + 32, interesting(m), 8);
		break;
	case 2:
		put(sector + 40 + 4 * roll(m, 2), interesting(m), 4);
		break;
	default:
		sector[64 + roll(m, 64)] ^= (u8)(1u << roll(m, 8));
	}
}

static size_t mutate_records(struct mutation *m, size_t max)
{
	size_t a = roll(m, (u32)m->records), b = roll(m, (u32)m->records);
	size_t bytes = HEAD + m->records * RECORD;

	switch (roll(m, 4)) {
	case 0:		/* one sector's contents in another */
		memcpy(record(m, a) + 2, record(m, b) + 2, BOW_SECTOR_SIZE);
		break;
	case 1:		/* elsewhere */
		put(record(m, a), interesting(m), 2);
		break;
	case 2:		/* no more */
		memmove(record(m, a), record(m, m->records - 1), RECORD);
		return bytes - RECORD;
	default:
		if (bytes + RECORD > max)
			break;
		memcpy(record(m, m->records), record(m, a), RECORD);
		put(record(m, m->records), interesting(m), 2);
		return bytes + RECORD;
	}
	return bytes;
}

size_t LLVMFuzzerCustomMutator(u8 *data, size_t bytes, size_t max, u32 seed)
{
	struct mutation m = { .data = data, .rng = seed };
	u32 n = 1 + roll(&m, 3);
	u8 *p;

	if (bytes < HEAD + RECORD)
		return LLVMFuzzerMutate(data, bytes, max);
	while (n--) {
		m.records = (bytes - HEAD) / RECORD;
		if (!m.records)
			return bytes;
		bytes = HEAD + m.records * RECORD;
		/* Block 0 is what is read first. */
		p = record(&m, roll(&m, 3) ? 0 : roll(&m, (u32)m.records));
		if (bow_get_le32(p + 2) == BOW_MAGIC_FREE_MAP) {
			mutate_map(&m, p + 2);
			continue;
		}
		switch (roll(&m, 8)) {
		case 0:
			LLVMFuzzerMutate(p + 2, BOW_SECTOR_SIZE,
					 BOW_SECTOR_SIZE);
			break;
		case 1:
			bytes = mutate_records(&m, max);
			break;
		case 2:
			put(data, interesting(&m), 2);
			break;
		case 3:
		case 4:
			mutate_header(&m, p + 2);
			break;
		default:
			mutate_entry(&m, p + 2);
		}
	}
	if (roll(&m, 16))
		fuzz_seal(data, bytes, seed);
	return bytes;
}
