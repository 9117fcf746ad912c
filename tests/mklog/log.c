// SPDX-License-Identifier: GPL-2.0
/*
 * log.c - mklog: building and rewriting the log block, in each version
 *
 * v0 and v1.0 publish one entry at a time and copy block 0 away as it is when
 * it is full.  v1.1 publishes several, reserves the place of that copy, and
 * seals every block with checksums.
 */
#include "model.h"

/* Entries of a log block of any version, and how many it counts. */
uint8_t *log_entries(uint8_t *block, uint32_t *count)
{
	struct bow_header_v1_disk h;

	memcpy(&h, block, sizeof(h));
	if (h.header_version == htole16(BOW_VERSION_1_0) ||
	    h.header_version == htole16(BOW_VERSION_1_1)) {
		*count = le32toh(h.count);
		return block + le16toh(h.header_size);
	}
	memcpy(count, block + offsetof(struct bow_header_v0_disk, count), 4);
	*count = le32toh(*count);
	return block + sizeof(struct bow_header_v0_disk);
}

static uint32_t entries_csum(const uint8_t *block,
			     const struct bow_header_disk *h, uint32_t count)
{
	return crc32_raw(~0u, block + le16toh(h->header_size),
			 (size_t)count * BOW_ENTRY_SIZE);
}

/* Checksums of a v1.1 block, for the counts that are in it. */
void log_seal(uint8_t *block)
{
	struct bow_header_disk h;

	memcpy(&h, block, sizeof(h));
	if (h.header_version != htole16(BOW_VERSION_1_1))
		return;
	h.entries_csum = htole32(entries_csum(block, &h, le32toh(h.count)));
	h.prev_entries_csum =
		htole32(entries_csum(block, &h, le32toh(h.prev_count)));
	h.header_csum = 0;
	h.magic = htole32(BOW_MAGIC_LOG);
	h.header_csum = htole32(crc32_raw(~0u, &h, sizeof(h)));
	memcpy(&h.magic, block, sizeof(h.magic));
	memcpy(block, &h, sizeof(h));
}

static void put_header_v0(struct model *m)
{
	struct bow_header_v0_disk h = {
		.magic = htole32(BOW_MAGIC_LOG),
		.count = htole32(m->count),
		.sequence = htole32(m->sequence),
	};

	memcpy(m->log, &h, sizeof(h));
}

static void put_header_v1_0(struct model *m)
{
	struct bow_header_v1_disk h = {
		.magic = htole32(BOW_MAGIC_LOG),
		.header_version = htole16(BOW_VERSION_1_0),
		.header_size = htole16((uint16_t)m->header_size),
		.block_size = htole32(m->bs),
		.count = htole32(m->count),
		.sequence = htole32(m->sequence),
		.sector0 = htole64(device_sector(m, m->named)),
	};

	memcpy(m->log, &h, sizeof(h));
}

static void put_header_v1_1(struct model *m, uint32_t prev_count)
{
	struct bow_header_disk h = {
		.magic = htole32(BOW_MAGIC_LOG),
		.header_version = htole16(BOW_VERSION_1_1),
		.header_size = htole16((uint16_t)m->header_size),
		.block_size = htole32(m->bs),
		.count = htole32(m->count),
		.sequence = htole32(m->sequence),
		.sector0 = htole64(device_sector(m, m->named)),
		.prev_count = htole32(prev_count),
		.prev_sector0 = htole64(prev_count ? device_sector(m, m->named_before)
						   : 0),
		.flags = htole32((m->guard ? BOW_FLAG_GUARD : 0) |
				 (m->region ? BOW_FLAG_CLAIMS : 0) |
				 (m->maps ? BOW_FLAG_FREE_MAP : 0)),
		.created = htole64(1700000000u + m->o.seed),
		.device_sectors = htole64(m->device_sectors),
		.backup0 = htole64(device_sector(m, m->backup0)),
		.backup0_csum = htole32(m->backup0_csum),
		.prev_log_csum = htole32(m->prev_log_csum),
		.prev_log = htole64(device_sector(m, m->prev_log)),
		.next_log = htole64(device_sector(m, m->reserve)),
		.free_map = htole64(m->maps ? device_sector(m, m->map[0]) : 0),
		.free_map_blocks = htole32(m->maps),
		.claim_shift = htole32(m->region ? (uint32_t)__builtin_ctz(
							   m->region * m->bs)
						 : 0),
	};

	fill(h.checkpoint_id, sizeof(h.checkpoint_id), m->o.seed + 2);
	if (m->guard)
		memcpy(h.fs_uuid,
		       m->orig + BOW_GUARD_OFFSET + BOW_EXT4_OFF_UUID, 16);
	memcpy(m->log, &h, sizeof(h));
	log_seal(m->log);
}

static void put_entry(struct model *m, uint32_t index, const struct move *e)
{
	struct bow_entry_disk d = {
		.source = htole64(device_sector(m, e->source)),
		.dest = htole64(device_sector(m, e->dest)),
		.size = htole32(e->blocks * m->bs),
		.checksum = htole32(e->checksum),
	};

	memcpy(m->log + m->header_size + index * BOW_ENTRY_SIZE, &d,
	       sizeof(d));
}

static void log_finish(struct model *m, uint32_t prev_count)
{
	if (m->o.version == V0)
		put_header_v0(m);
	else if (m->o.version == V1_0)
		put_header_v1_0(m);
	else
		put_header_v1_1(m, prev_count);
}

/* The one way in which block 0 changes. */
static void log_write(struct model *m)
{
	memcpy(m->before, m->img, m->bs);
	memcpy(m->img, m->log, m->bs);
	m->named_before = m->named;
}

static void guard_init(struct model *m)
{
	uint8_t *guard = m->log + BOW_GUARD_OFFSET;
	uint32_t csum;

	memcpy(guard, m->orig + BOW_GUARD_OFFSET, BOW_GUARD_SIZE);
	guard[BOW_EXT4_OFF_COMPAT] &= (uint8_t)~BOW_EXT4_HAS_JOURNAL;
	guard[BOW_EXT4_OFF_INCOMPAT] &= (uint8_t)~BOW_EXT4_RECOVER;
	guard[BOW_EXT4_OFF_RO_COMPAT + 3] |= BOW_EXT4_RO_GUARD >> 24;
	memset(guard + BOW_EXT4_OFF_JOURNAL, 0, 4);
	memset(guard + BOW_EXT4_OFF_ORPHAN, 0, 4);
	if (guard[BOW_EXT4_OFF_RO_COMPAT + 1] & BOW_EXT4_METADATA_CSUM >> 8) {
		csum = htole32(crc32c_raw(~0u, guard, BOW_EXT4_OFF_CSUM));
		memcpy(guard + BOW_EXT4_OFF_CSUM, &csum, 4);
	}
}

static void layout_init(struct model *m)
{
	const uint8_t *magic = m->orig + BOW_GUARD_OFFSET + BOW_EXT4_OFF_MAGIC;
	uint32_t end = m->bs;

	m->header_size = sizeof(struct bow_header_v0_disk);
	if (m->o.version == V1_0)
		m->header_size = m->o.header_size;
	if (m->o.version == V1_1) {
		m->header_size = BOW_HEADER_SIZE;
		m->guard = m->bs >= BOW_GUARD_OFFSET + BOW_GUARD_SIZE &&
			   magic[0] + 256 * magic[1] == BOW_EXT4_MAGIC;
		if (m->guard && m->bs == 4096)
			m->header_size = BOW_HEADER_SIZE_GUARD;
		else if (m->guard)
			end = BOW_GUARD_OFFSET;
	}
	m->max = (end - m->header_size) / BOW_ENTRY_SIZE;
	if (m->max < 2)
		die("--header-size leaves no room for entries");
}

/* Sequence 0, whose entry 0 is the original block 0. */
void log_activate(struct model *m)
{
	struct move first = { .source = 0, .blocks = 1 };

	layout_init(m);
	/* In v0 the live copy is known only as the neighbour of backup0. */
	m->live = pool_take_one(m, USE_LIVE);
	m->backup0 = pool_take_one(m, USE_BACKUP);
	if (m->o.version == V0 && m->backup0 != m->live + 1)
		die("v0 needs two neighbouring free blocks first");
	m->named = m->live;
	memcpy(block_at(m, m->img, m->live), m->img, m->bs);
	memcpy(block_at(m, m->img, m->backup0), m->img, m->bs);
	first.dest = m->backup0;
	first.checksum = crc32_raw(0, m->img, m->bs);
	m->backup0_csum = first.checksum;
	if (m->o.version == V1_1)
		m->reserve = pool_take_one(m, USE_RESERVE);
	if (m->o.map)
		freemap_make(m);
	if (m->guard)
		guard_init(m);
	m->count = 1;
	put_entry(m, 0, &first);
	log_finish(m, 0);
	log_write(m);
}

/* The full log block to its place.  Returns the entry that names the copy. */
static struct move copy_log(struct model *m, uint32_t place)
{
	struct move e = { .source = 0, .dest = place, .blocks = 1 };

	memcpy(block_at(m, m->img, place), m->log, m->bs);
	set_use(m, place, USE_LOG);
	e.checksum = crc32_raw(0, m->log, m->bs);
	m->prev_log = place;
	m->prev_log_csum = e.checksum;
	return e;
}

static uint32_t put_entries(struct model *m, const struct move *e, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n && m->count < m->max; i++) {
		put_entry(m, m->count++, &e[i]);
		/* A log block names the live copy as its entries leave it. */
		if (e[i].live && m->o.version == V1_1)
			m->named = e[i].dest;
	}
	return i;
}

/*
 * The old log block to its place, a new one begun.  v1.1 completes the copy
 * with entries that wait and, if there are `more`, puts them into the new
 * block with the same write.  Returns how many it took.
 */
uint32_t log_roll_over(struct model *m, const struct move *e, uint32_t n,
		       bool more)
{
	struct move first;
	uint32_t taken = 0, prev_count = m->count;
	bool v1_1 = m->o.version == V1_1;

	if (v1_1) {
		taken = put_entries(m, e, n);
		log_finish(m, prev_count);
	}
	first = copy_log(m, v1_1 ? m->reserve : pool_take_one(m, USE_LOG));
	m->sequence++;
	m->count = 0;
	/* The old writers left the entries of the last block behind. */
	if (v1_1) {
		m->reserve = pool_take_one(m, USE_RESERVE);
		memset(m->log + m->header_size, 0, m->max * BOW_ENTRY_SIZE);
	}
	put_entries(m, &first, 1);
	if (v1_1 && more)
		taken += put_entries(m, e + taken, n - taken);
	log_finish(m, 0);
	log_write(m);
	return taken;
}

void log_append(struct model *m, const struct move *e, uint32_t n)
{
	uint32_t step, prev_count;

	while (n) {
		if (m->count + (m->o.version == V1_1 ? n : 1) > m->max) {
			step = log_roll_over(m, e, n, rnd_below(m, 2));
		} else {
			prev_count = m->count;
			step = put_entries(m, e,
					   m->o.version == V1_1 ? n : 1);
			log_finish(m, prev_count);
			log_write(m);
			/* v1.0 learns of the move one append too late. */
			if (e->live && m->o.version != V1_1)
				m->named = e->dest;
		}
		e += step;
		n -= step;
	}
}

/* The filesystem wants the reserved place: name another one first. */
void log_new_reserve(struct model *m)
{
	set_use(m, m->reserve, USE_FS);
	m->reserve = pool_take_one(m, USE_RESERVE);
	log_finish(m, m->count);
	log_write(m);
}
