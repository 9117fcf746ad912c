/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memdev.h - a device in memory whose power fails, and a small v1.1 log on it
 *
 * Writes go to `now`.  A cut drops what was not flushed, or keeps a part.
 */
#ifndef TESTS_MEMDEV_H
#define TESTS_MEMDEV_H

#include "bow.h"
#include "bow_disk.h"

#define MEM_BS 4096u
#define MEM_BLOCKS 512u
#define MEM_BYTES (MEM_BS * MEM_BLOCKS)
#define MEM_SECTORS (MEM_BYTES / BOW_SECTOR_SIZE)

struct memdev {
	struct bow_dev dev;
	u8 now[MEM_BYTES];	/* what a reader sees */
	u8 durable[MEM_BYTES];	/* what a power cut leaves at least */
	int cut_after;		/* requests until the power fails; -1: never */
	int fail_read;		/* reads until one fails; -1: never */
	int writes, reads, flushes;
};

static inline int mem_power(struct memdev *m)
{
	if (m->cut_after == 0)
		return -EIO;
	if (m->cut_after > 0)
		m->cut_after--;
	return 0;
}

static inline int mem_read(struct bow_dev *dev, u64 offset, void *buf,
			   size_t bytes)
{
	struct memdev *m = dev->priv;

	if (m->fail_read == 0)
		return -EIO;
	if (m->fail_read > 0)
		m->fail_read--;
	m->reads++;
	memcpy(buf, m->now + offset, bytes);
	return 0;
}

static inline int mem_write(struct bow_dev *dev, u64 offset, const void *buf,
			    size_t bytes)
{
	struct memdev *m = dev->priv;

	if (mem_power(m))
		return -EIO;
	m->writes++;
	memcpy(m->now + offset, buf, bytes);
	return 0;
}

static inline int mem_flush(struct bow_dev *dev)
{
	struct memdev *m = dev->priv;

	if (mem_power(m))
		return -EIO;
	m->flushes++;
	memcpy(m->durable, m->now, sizeof(m->durable));
	return 0;
}

static inline void mem_init(struct memdev *m, const u8 *contents)
{
	static const struct bow_dev_ops ops = {
		.read = mem_read, .write = mem_write, .flush = mem_flush,
	};

	memset(m, 0, sizeof(*m));
	m->dev.ops = &ops;
	m->dev.priv = m;
	m->dev.size = MEM_BYTES;
	m->dev.unit = BOW_SECTOR_SIZE;
	m->cut_after = -1;
	m->fail_read = -1;
	memcpy(m->now, contents, MEM_BYTES);
	memcpy(m->durable, contents, MEM_BYTES);
}

/*
 * After a cut: each sector that was not flushed is as durable or as written,
 * chosen by `seed`; 0 drops them all, ~0 keeps them all.
 */
static inline void mem_reboot(struct memdev *m, u32 seed)
{
	u32 i, state = seed;

	for (i = 0; i < MEM_SECTORS; i++) {
		u8 *now = m->now + i * BOW_SECTOR_SIZE;
		u8 *durable = m->durable + i * BOW_SECTOR_SIZE;
		bool keep;

		state = state * 1664525u + 1013904223u;
		keep = seed == ~0u || (seed && state >> 31);
		if (keep)
			memcpy(durable, now, BOW_SECTOR_SIZE);
		else
			memcpy(now, durable, BOW_SECTOR_SIZE);
	}
	m->cut_after = -1;
	m->fail_read = -1;
}

/* ---- a log: the first half was in use, the second was free ---- */

#define LOG_FREE (MEM_BLOCKS / 2)
#define LOG_LIVE LOG_FREE
#define LOG_BACKUP0 (LOG_FREE + 1)
#define LOG_NEXT (LOG_FREE + 2)
#define LOG_PLACE (LOG_FREE + 10)	/* first for backups */

struct memlog {
	bool filled;		/* d0 is made once: it is always the same */
	u8 d0[MEM_BYTES];	/* at the checkpoint */
	u8 img[MEM_BYTES];	/* now, the log in block 0 */
	u8 live0[MEM_BS];	/* what a commit shall put into block 0 */
};

static inline u8 *mem_block(u8 *img, u32 block)
{
	return img + block * MEM_BS;
}

static inline void log_fill(u8 *p, u32 seed)
{
	u32 i, state = seed * 2654435761u + 1;

	for (i = 0; i < MEM_BS; i++) {
		state = state * 1664525u + 1013904223u;
		p[i] = (u8)(state >> 24);
	}
}

static inline struct bow_header_disk *log_header(struct memlog *l)
{
	return (struct bow_header_disk *)l->img;
}

static inline void log_seal(struct memlog *l)
{
	struct bow_header_disk *h = log_header(l);

	h->entries_csum = cpu_to_le32(bow_entries_csum(
		l->img, le16_to_cpu(h->header_size), le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

/* Of the write of block 0 over @old only the first sector got through. */
static inline void log_tear(struct memlog *l, const u8 *old)
{
	memcpy(l->img + BOW_SECTOR_SIZE, old + BOW_SECTOR_SIZE,
	       MEM_BS - BOW_SECTOR_SIZE);
}

/* Begin an append: what is counted now becomes the state before it. */
static inline void log_append(struct memlog *l)
{
	struct bow_header_disk *h = log_header(l);

	h->prev_count = h->count;
	h->prev_entries_csum = h->entries_csum;
	h->prev_sector0 = h->sector0;
}

static inline void log_entry(struct memlog *l, u32 source, u32 dest, u32 csum)
{
	struct bow_header_disk *h = log_header(l);
	u32 count = le32_to_cpu(h->count);
	struct bow_entry_disk e = {
		.source = cpu_to_le64((u64)source * 8),
		.dest = cpu_to_le64((u64)dest * 8),
		.size = cpu_to_le32(MEM_BS),
		.checksum = cpu_to_le32(csum),
	};

	memcpy(l->img + le16_to_cpu(h->header_size) + count * BOW_ENTRY_SIZE,
	       &e, sizeof(e));
	h->count = cpu_to_le32(count + 1);
}

/* Back up `source` to `dest`; log_overwrite() changes it later. */
static inline void log_backup(struct memlog *l, u32 source, u32 dest)
{
	u8 *p = mem_block(l->img, source);

	memcpy(mem_block(l->img, dest), p, MEM_BS);
	log_entry(l, source, dest, bow_crc32(source, p, MEM_BS));
}

static inline void log_overwrite(struct memlog *l, u32 block)
{
	log_fill(mem_block(l->img, block), 1000 + block);
}

/* The checkpoint begins; `header_size` as bow_header_size() gives. */
static inline void log_begin(struct memlog *l, u32 header_size)
{
	struct bow_header_disk *h = log_header(l);
	u32 i, csum;

	for (i = 0; i < MEM_BLOCKS && !l->filled; i++)
		log_fill(mem_block(l->d0, i), i);
	l->filled = true;
	memcpy(l->img, l->d0, sizeof(l->img));
	memcpy(l->live0, l->d0, MEM_BS);
	memcpy(mem_block(l->img, LOG_LIVE), l->d0, MEM_BS);
	memcpy(mem_block(l->img, LOG_BACKUP0), l->d0, MEM_BS);
	csum = bow_crc32(0, l->d0, MEM_BS);
	memset(l->img, 0, MEM_BS);
	h->magic = cpu_to_le32(BOW_MAGIC_LOG);
	h->header_version = cpu_to_le16(BOW_VERSION_1_1);
	h->header_size = cpu_to_le16((u16)header_size);
	h->block_size = cpu_to_le32(MEM_BS);
	h->sector0 = cpu_to_le64(LOG_LIVE * 8);
	memset(h->checkpoint_id, 0x5a, sizeof(h->checkpoint_id));
	h->created = cpu_to_le64(1700000000);
	h->device_sectors = cpu_to_le64(MEM_SECTORS);
	h->backup0 = cpu_to_le64(LOG_BACKUP0 * 8);
	h->backup0_csum = cpu_to_le32(csum);
	h->next_log = cpu_to_le64(LOG_NEXT * 8);
	log_entry(l, 0, LOG_BACKUP0, csum);
	log_seal(l);
}

/*
 * The log block is full: it goes to where it said, a new one begins, which
 * names block `next`.  The caller adds entries and seals.
 */
static inline void log_roll_over(struct memlog *l, u32 next)
{
	struct bow_header_disk *h = log_header(l);
	u32 place = (u32)(le64_to_cpu(h->next_log) / 8);
	u32 header_size = le16_to_cpu(h->header_size);
	u32 csum;

	log_seal(l);
	csum = bow_crc32(0, l->img, MEM_BS);
	memcpy(mem_block(l->img, place), l->img, MEM_BS);
	memset(l->img + header_size, 0, MEM_BS - header_size);
	h->sequence = cpu_to_le32(le32_to_cpu(h->sequence) + 1);
	h->count = 0;
	h->prev_count = 0;
	h->prev_entries_csum = 0;
	h->prev_sector0 = 0;
	h->prev_log = cpu_to_le64((u64)place * 8);
	h->prev_log_csum = cpu_to_le32(csum);
	h->next_log = cpu_to_le64((u64)next * 8);
	log_entry(l, 0, place, csum);
}

/* What was torn of the log on l->img; NONE also when it is refused. */
static inline enum bow_torn log_torn(struct memlog *l, struct memdev *m)
{
	struct bow_log log;
	struct bow_error e;
	enum bow_torn torn;

	mem_init(m, l->img);
	torn = bow_log_open(&m->dev, &log, &e) ? BOW_TORN_NONE : log.torn;
	bow_log_free(&log);
	return torn;
}

/* A finishing record that names the backup of block 0, but for its checksum. */
static inline struct bow_finish_disk log_record(struct memlog *l)
{
	return (struct bow_finish_disk){
		.magic = cpu_to_le32(BOW_MAGIC_FINISHING),
		.version = cpu_to_le16(BOW_VERSION_1_1),
		.record_size = cpu_to_le16(BOW_FINISH_SIZE),
		.block_size = cpu_to_le32(MEM_BS),
		.final_sector = cpu_to_le64(LOG_BACKUP0 * 8),
		.final_csum = cpu_to_le32(bow_crc32(
			0, mem_block(l->img, LOG_BACKUP0), MEM_BS)),
		.action = cpu_to_le32(BOW_ACTION_ROLLBACK),
		.device_sectors = cpu_to_le64(MEM_SECTORS),
	};
}

/* Do all blocks that were in use hold what they held in D0? */
static inline bool log_is_d0(const struct memlog *l, const u8 *img)
{
	return memcmp(l->d0, img, LOG_FREE * MEM_BS) == 0;
}

#endif /* TESTS_MEMDEV_H */
