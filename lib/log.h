/* SPDX-License-Identifier: GPL-2.0 */
/*
 * log.h - what the files of libbow share and its users do not see
 */
#ifndef BOW_LOG_H
#define BOW_LOG_H

#include "bow.h"
#include "bow_disk.h"
#include "relocate.h"

/* Largest request of a copy or of a checksum, bytes; tests make it small. */
#ifndef BOW_IO_BYTES
#define BOW_IO_BYTES (1u << 20)
#endif

/*
 * Checked all the same, though nothing that is on a device can make it true: see
 * the comment beside it.  It is left out where lines are counted that tests reach.
 */
#ifdef BOW_COVERAGE
#define BOW_NEVER(x) 0
#else
#define BOW_NEVER(x) (x)
#endif

/* ---- errors ---- */

/* Fill in why and value; returns err, to be used in `return`. */
static inline int bow_fail(struct bow_error *e, int err, enum bow_why why,
			   u64 value, u64 limit)
{
	e->err = err;
	e->why = why;
	e->value = value;
	e->limit = limit;
	return err;
}

static inline int bow_bad(struct bow_error *e, enum bow_why why, u64 value,
			  u64 limit)
{
	return bow_fail(e, -EUCLEAN, why, value, limit);
}

static inline int bow_no_memory(struct bow_error *e)
{
	return bow_fail(e, -ENOMEM, BOW_WHY_MEMORY, 0, 0);
}

/* Device access by sector, with the error filled in. */
int bow_get(struct bow_dev *dev, u64 sector, void *buf, size_t bytes,
	    struct bow_error *e);
int bow_put(struct bow_dev *dev, u64 sector, const void *buf, size_t bytes,
	    struct bow_error *e);
int bow_sync(struct bow_dev *dev, struct bow_error *e);

/* -EINTR when the caller wants to stop. */
int bow_stopped(const struct bow_monitor *m, struct bow_error *e);

/* For a walk that is no progress of its own: it can be stopped, and no more. */
static inline struct bow_monitor bow_quiet(const struct bow_monitor *m)
{
	struct bow_monitor quiet = { 0 };

	if (m) {
		quiet.ctx = m->ctx;
		quiet.stop = m->stop;
	}
	return quiet;
}

static inline void bow_report(const struct bow_monitor *m, enum bow_phase phase,
			      u64 done, u64 total)
{
	if (m && m->progress)
		m->progress(m->ctx, phase, done, total);
}

/* ---- headers (header.c) ---- */

static inline u32 bow_block_sectors(u32 bs)
{
	return bs >> BOW_SECTOR_SHIFT;
}

/* Is there a whole block at `sector`, apart from block 0? */
static inline bool bow_place_ok(u64 sector, u32 bs, u64 sectors)
{
	u32 n = bow_block_sectors(bs);

	return sector >= n && sector % n == 0 && sector < sectors &&
	       n <= sectors - sector;
}

/*
 * Parse and check the header of a log block.  `room` is the bytes at `block`
 * that were read, `sectors` the size of the device.
 */
int bow_header_parse(const u8 *block, u32 room, u64 sectors,
		     struct bow_header *h, struct bow_error *e);

int bow_finish_parse(const u8 *block, u64 sectors, struct bow_finish *f,
		     struct bow_error *e);

/* Do the first `count` entries of a v1.1 block match `csum`? */
static inline bool bow_entries_ok(const u8 *block, const struct bow_header *h,
				  u32 count, u32 csum)
{
	return bow_entries_csum(block, h->header_size, count) == csum;
}

/* ---- entries (entry.c) ---- */

void bow_entry_get(const u8 *block, const struct bow_header *h, u32 index,
		   struct bow_entry *entry);

int bow_entry_check(const struct bow_entry *entry, const struct bow_header *h,
		    u32 index, u64 sectors, struct bow_error *e);

/*
 * The largest entry that a writer makes more than a few of, bytes: dm-bow copies 1
 * MiB at a time, Android's kernel as much as a write has, which is seldom more.
 */
#ifndef BOW_ENTRY_BYTES
#define BOW_ENTRY_BYTES (4u << 20)
#endif

/*
 * Must its contents have the checksum that it names?  In v1.1 the kind tells, and 0 is
 * a checksum as any other: that of a block 0 of zeros.
 */
static inline bool bow_entry_has_csum(const struct bow_entry *entry,
				      enum bow_entry_kind kind, u32 version)
{
	if (version == BOW_VERSION_1_1)
		return kind != BOW_ENTRY_CLAIM && kind != BOW_ENTRY_LIVE;
	return entry->checksum != 0;
}

static inline bool bow_entry_is_claim(const struct bow_entry *entry)
{
	return entry->source == entry->dest;
}

/* CRC of a log block as it was backed up: its magic counts as that of a log. */
u32 bow_log_block_csum(const u8 *block, u32 bs);

/* Does it save more than the device holds?  Moved backups are saved again. */
static inline bool bow_log_is_long(const struct bow_log *log)
{
	return log->backup_bytes > log->sectors << BOW_SECTOR_SHIFT;
}

/* ---- what a rollback must not write over (places.c) ---- */

/* Where the log block that counts is; 0: block 0, which is the rule. */
u64 bow_places_newest(const struct bow_log *log);

/* The walk comes to the log block at `place`, the next older one. */
int bow_places_add(struct bow_log *log, u64 place, struct bow_error *e);

/*
 * The walk is about to undo `entry`: newer backups of the same blocks, of which the
 * map knows, will be copied nowhere.
 */
int bow_places_supersede(struct bow_log *log, const struct bow_entry *entry,
			 struct bow_error *e);

/* Are all of a scanned log left where they are, as far as the map goes? */
int bow_places_check(const struct bow_log *log, struct bow_error *e);

/* The next walk finds them again. */
void bow_places_clear(struct bow_log *log);
void bow_places_free(struct bow_log *log);

/* ---- torn writes of block 0 (torn.c) ---- */

/*
 * log->block and log->header hold block 0, v1.1.  When its newest write was
 * cut, put what is to be used instead into log->block and *newest.
 */
int bow_torn_resolve(struct bow_dev *dev, struct bow_log *log,
		     struct bow_header *newest, struct bow_error *e);

/* ---- the end of a restore (ending.c) ---- */

/* Read the final contents of block 0, and check them against the record. */
int bow_end_check(struct bow_dev *dev, const struct bow_finish *f, u8 *final,
		  struct bow_error *e);

/*
 * No checkpoint begins on a device with a log, so the final contents are none.
 * In v0 and v1.0, which have no checksum of a header, a wrong sequence would end
 * the chain too early; and a record must not be made to lead to another log.
 */
int bow_end_no_log(const u8 *final, u64 sector, struct bow_error *e);

/*
 * Replace block 0 by `final`, which is also at f->final_sector, atomically.
 * All earlier writes are made durable first.
 */
int bow_end(struct bow_dev *dev, const struct bow_finish *f, const u8 *final,
	    struct bow_error *e);

#endif /* BOW_LOG_H */
