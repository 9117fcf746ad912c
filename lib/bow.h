/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow.h - libbow: reading, checking and undoing the log of a device
 *
 * Every call returns 0 or -errno; those that are given a struct bow_error say why
 * in it.  Nothing prints, exits or keeps global state.  A damaged log gives
 * -EUCLEAN, a device without one -ENODATA, a stop asked for by the caller -EINTR.
 *
 * Sectors are 512 bytes; offsets of struct bow_dev are bytes.
 */
#ifndef BOW_H
#define BOW_H

#include "bow_shim.h"
#include "bow_format.h"
#include "exit-codes.h"
#include "words.h"

/* ---- device: the only way to the disk (device.c) ---- */

struct bow_dev;

/* One of many writes that may be made in any order. */
struct bow_request {
	u64 offset;		/* bytes */
	const u8 *data;
	u32 bytes;
	bool done;
};

struct bow_dev_ops {
	/* All of [offset, offset + bytes), or an error. */
	int (*read)(struct bow_dev *dev, u64 offset, void *buf, size_t bytes);
	int (*write)(struct bow_dev *dev, u64 offset, const void *buf,
		     size_t bytes);
	/* What was written before is durable when this returns 0. */
	int (*flush)(struct bow_dev *dev);
	int (*close)(struct bow_dev *dev);
	/* The rest may be NULL.  A hint: this will be read soon. */
	void (*ahead)(struct bow_dev *dev, u64 offset, size_t bytes);
	/* A hint: this need not be kept in memory. */
	void (*drop)(struct bow_dev *dev, u64 offset, size_t bytes);
	/* All of them; without it they are made one after the other. */
	int (*write_many)(struct bow_dev *dev, struct bow_request *write,
			  u32 count, u32 *failed);
};

struct bow_dev {
	const struct bow_dev_ops *ops;
	void *priv;
	u64 size;		/* bytes */
	u32 unit;		/* logical block size in bytes, >= 512: direct I/O's */
};

/*
 * Open a block device or a regular file; all else is -ENOTBLK.  For writing, a
 * block device is opened exclusively (-EBUSY: mounted, or held by another driver)
 * and a file is locked (-EBUSY: by somebody else); -EROFS: the device is
 * read-only; -EACCES: what the kernel has of it in memory may not be dropped;
 * -EAGAIN: another kind of file was put there meanwhile.  A file that is attached
 * to a loop device cannot be told.
 */
int bow_dev_open(struct bow_dev *dev, const char *path, bool write);

/* Bounds-checked access: -ERANGE instead of a request past the end. */
int bow_dev_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes);
int bow_dev_write(struct bow_dev *dev, u64 offset, const void *buf,
		  size_t bytes);
int bow_dev_flush(struct bow_dev *dev);
void bow_dev_ahead(struct bow_dev *dev, u64 offset, size_t bytes);
void bow_dev_drop(struct bow_dev *dev, u64 offset, size_t bytes);
/*
 * Writes that do not overlap, in any order; none is durable before a flush.
 * When it fails, *failed is one that may be missing.
 */
int bow_dev_write_many(struct bow_dev *dev, struct bow_request *write, u32 count,
		       u32 *failed);
int bow_dev_close(struct bow_dev *dev);

/* ---- errors (error.c) ---- */

/* Why a call failed; the texts are in error.c, in this order. */
enum bow_why {
	BOW_WHY_NONE,
	BOW_WHY_NO_LOG,
	BOW_WHY_OPEN,
	BOW_WHY_IO_READ,
	BOW_WHY_IO_WRITE,
	BOW_WHY_IO_FLUSH,
	BOW_WHY_MEMORY,
	BOW_WHY_MEMORY_MAP,
	BOW_WHY_INTERRUPTED,
	/* block 0 and the headers of log blocks */
	BOW_WHY_VERSION,
	BOW_WHY_HEADER_SIZE,
	BOW_WHY_BLOCK_SIZE,
	BOW_WHY_COUNT,
	BOW_WHY_HEADER_CSUM,
	BOW_WHY_DEVICE_SHORT,
	BOW_WHY_SECTOR0,
	BOW_WHY_PREV_SECTOR0,
	BOW_WHY_BACKUP0,
	BOW_WHY_PREV_LOG,
	BOW_WHY_NEXT_LOG,
	BOW_WHY_ENTRIES_CSUM,
	/* the chain of log blocks */
	BOW_WHY_SEQUENCE_LONG,
	BOW_WHY_CHAIN_MAGIC,
	BOW_WHY_CHAIN_SEQUENCE,
	BOW_WHY_CHAIN_VERSION,
	BOW_WHY_CHAIN_BLOCK_SIZE,
	BOW_WHY_CHAIN_ID,
	BOW_WHY_CHAIN_CSUM,
	BOW_WHY_CHAIN_PLACE,
	/* entries */
	BOW_WHY_ENTRY0,
	BOW_WHY_SOURCE_ALIGN,
	BOW_WHY_SOURCE_RANGE,
	BOW_WHY_SOURCE_BLOCK0,
	BOW_WHY_DEST_ALIGN,
	BOW_WHY_DEST_RANGE,
	BOW_WHY_DEST_BLOCK0,
	BOW_WHY_SIZE,
	BOW_WHY_OVERLAP,
	BOW_WHY_ENTRY_CSUM,
	BOW_WHY_AMOUNT,
	/* plan */
	BOW_WHY_NOT_DISJOINT,
	BOW_WHY_LOG_NOT_KEPT,
	BOW_WHY_SOURCE_TWICE,
	BOW_WHY_LATER_BACKUP,
	/* finishing record */
	BOW_WHY_RECORD,
	BOW_WHY_RECORD_CSUM,
	BOW_WHY_FINAL_SECTOR,
	BOW_WHY_FINAL_CSUM,
	BOW_WHY_FINAL_LOG,
	/* refusals */
	BOW_WHY_COMMIT_RESTORING,
	BOW_WHY_COMMIT_UNSURE,
	BOW_WHY_FORCE_VERSION,
	BOW_WHY_OTHER_ACTION,
	BOW_WHY_OTHER_UNDER_WAY,
	/* going on with a checkpoint */
	BOW_WHY_RESUME_RESTORING,
	BOW_WHY_RESUME_VERSION,
	BOW_WHY_RESUME_NO_MAP,
	BOW_WHY_RESUME_ACTIVATION,
	BOW_WHY_RESUME_ROLLBACK,
	BOW_WHY_CLAIM_SHIFT,
	BOW_WHY_CLAIM,
	BOW_WHY_MAP_PLACE,
	BOW_WHY_MAP_CSUM,
	BOW_WHY_MAP_CHAIN,
	BOW_WHY_MAP_RANGE,
	BOW_WHY_MAP_FREE,
	BOW_WHY_MAP_HELD,
	BOW_WHY_END
};

struct bow_error {
	enum bow_why why;
	int err;		/* the -errno that was returned */
	bool in_block;		/* `sequence` is valid */
	bool in_entry;		/* `entry` is valid */
	u32 sequence;		/* log block */
	u32 entry;		/* index in that log block */
	u64 value;		/* the value that is wrong, where there is one */
	u64 limit;		/* what it was compared with */
};

/* What the -errno of bow_dev_open() is as an error. */
struct bow_error bow_open_error(int err);

/* "log block 3, entry 17: dest 123 lies beyond the device (99 sectors)" */
void bow_error_text(const struct bow_error *e, char *buf, size_t bytes);

/* Is it about a value, and is there a limit that this was compared with? */
bool bow_error_has_value(const struct bow_error *e);
bool bow_error_has_limit(const struct bow_error *e);

/* The exit status that this error means; never 0, even if `why` was not told. */
enum bow_exit bow_error_exit(const struct bow_error *e);

/* ---- progress and interruption ---- */

enum bow_phase {
	BOW_PHASE_SCAN,		/* reading the log */
	BOW_PHASE_VERIFY,	/* reading the backups */
	BOW_PHASE_COPY,		/* putting them back */
};

/* Every member may be NULL. */
struct bow_monitor {
	void *ctx;
	void (*progress)(void *ctx, enum bow_phase phase, u64 done, u64 total);
	/* Asked between requests; true: stop with -EINTR. */
	bool (*stop)(void *ctx);
	/*
	 * Called for each entry whose checksum is wrong.  When set, verifying
	 * goes on to the end of the log before it fails.
	 */
	void (*damage)(void *ctx, const struct bow_error *e);
	/* Memory is short: a rollback reads the log `passes` times more. */
	void (*memory_short)(void *ctx, u64 passes);
};

/* ---- the log (log.c) ---- */

enum bow_state {
	BOW_STATE_NONE,		/* no log: block 0 is somebody else's */
	BOW_STATE_ACTIVE,	/* a checkpoint */
	BOW_STATE_RESTORING,	/* a rollback has begun */
	BOW_STATE_FINISHING,	/* block 0 is being replaced */
};

/* A write of block 0 that was cut, and what the reader uses instead. */
enum bow_torn {
	BOW_TORN_NONE,
	BOW_TORN_APPEND,	/* the entries before this append */
	BOW_TORN_ROLLOVER_NEW,	/* the previous log block, at prev_log */
	BOW_TORN_ROLLOVER_OLD,	/* the copy of this log block, at next_log */
	BOW_TORN_ACTIVATION,	/* nothing but the copy of block 0 */
};

/* A header in host order.  What a version does not have is zero. */
struct bow_header {
	bool restoring;		/* magic is BOW_MAGIC_RESTORING */
	u32 version;		/* 0, BOW_VERSION_1_0 or BOW_VERSION_1_1 */
	u32 header_size;
	u32 block_size;
	u32 count;
	u32 undone;		/* entries above count that a v1.0 tool undid */
	u32 sequence;
	u64 sector0;
	u32 entries_csum;
	u32 prev_count;
	u32 prev_entries_csum;
	u64 prev_sector0;
	u32 flags;
	u8 checkpoint_id[16];
	u64 created;
	u8 fs_uuid[16];
	u64 device_sectors;
	u64 backup0;
	u32 backup0_csum;
	u32 prev_log_csum;
	u64 prev_log;
	u64 next_log;
	u64 free_map;
	u32 free_map_blocks;
	u32 claim_shift;
	u16 tries_left;
	u16 boots;
	u32 rollback_reason;
	u64 rollback_time;
	u32 resumed;
};

struct bow_entry {
	u64 source;		/* sectors */
	u64 dest;
	u32 size;		/* bytes */
	u32 checksum;
};

/* A finishing record in host order. */
struct bow_finish {
	u32 block_size;
	u64 final_sector;
	u32 final_csum;
	enum bow_action action;
	u8 checkpoint_id[16];
	u64 device_sectors;
	u64 created;
};

struct bow_where;		/* relocate.h */
struct bow_passes;		/* passes.h */

struct bow_log {
	enum bow_state state;
	enum bow_torn torn;
	struct bow_header header;	/* of block 0 */
	struct bow_finish finish;	/* state FINISHING */
	u32 bs;				/* block size, bytes */
	u64 sectors;			/* usable: entries lie below this */
	struct bow_header newest;	/* of the newest log block to be used */
	u8 *block;			/* that log block, 4096 bytes */
	u8 *scratch;			/* 4096 bytes */
	struct bow_where *where;	/* where the contents of D0 are now */
	bool scanned;			/* the whole chain was read: `where` valid */
	bool frugal;			/* set by the caller before a scan, which
					 * may then leave `where` in part */
	struct bow_passes *passes;	/* not NULL: it did, memory is short */
	struct bow_words places;	/* of the log blocks, newest first */
	struct bow_words superseded;	/* backups of what an older entry has
					 * saved: source, place, sectors */
	u64 live;			/* sector of the live block 0; 0: ? */
	u64 log_blocks;
	u64 entries;			/* claims and moves included */
	u64 claims;
	u64 live_moves;
	u64 no_checksum;		/* entries that carry none */
	u64 backup_bytes;		/* sum of sizes, claims excluded */
};

/*
 * Read block 0 alone: state, header, torn write.  `log` is to be released
 * with bow_log_free() whatever this returns.  Without a log: 0, state NONE.
 */
int bow_log_open(struct bow_dev *dev, struct bow_log *log,
		 struct bow_error *e);

/* Read and check the whole chain; fills where, live and the counters. */
int bow_log_scan(struct bow_dev *dev, struct bow_log *log,
		 const struct bow_monitor *m, struct bow_error *e);

/* The same, and every backup against its checksum. */
int bow_log_verify(struct bow_dev *dev, struct bow_log *log,
		   const struct bow_monitor *m, struct bow_error *e);

void bow_log_free(struct bow_log *log);

/* State FINISHING: are the final contents of block 0 there and right? */
int bow_finish_check(struct bow_dev *dev, struct bow_log *log,
		     struct bow_error *e);

/* What an entry is; for listings. */
enum bow_entry_kind {
	BOW_ENTRY_BACKUP,
	BOW_ENTRY_BLOCK0,	/* entry 0 of sequence 0: block 0 of D0 */
	BOW_ENTRY_LOG,		/* entry 0 of the others: the previous log block */
	BOW_ENTRY_LIVE,		/* a move of the live copy of block 0 */
	BOW_ENTRY_CLAIM,
};

/*
 * Scan, calling `visit` for each entry, newest first, before it is undone in
 * log->where.  A visit that does not return 0 ends the scan with that value.
 */
typedef int (*bow_visit)(void *ctx, const struct bow_log *log, u32 sequence,
			 u32 index, const struct bow_entry *entry,
			 enum bow_entry_kind kind, struct bow_error *e);
int bow_log_walk(struct bow_dev *dev, struct bow_log *log, bow_visit visit,
		 void *ctx, const struct bow_monitor *m, struct bow_error *e);

/* ---- plan (plan.c): what a rollback of a scanned log would do ---- */

struct bow_run {
	u64 target;		/* sectors */
	u64 place;
	u64 sectors;
};

struct bow_plan {
	u64 block0;		/* sector where block 0 of D0 is */
	u64 bytes;		/* to put back, block 0 not counted */
	u64 copies;		/* runs */
	u64 passes;		/* over the log, for the copies; 1 with memory */
};

/*
 * Sums up, and checks that nothing that a rollback reads is a target, from its
 * first check of the log on: then order is free, and it can be begun again.
 */
int bow_plan_make(const struct bow_log *log, struct bow_plan *plan,
		  struct bow_error *e);

/* The same, window by window when memory is short: the log is read again. */
int bow_plan_all(struct bow_dev *dev, struct bow_log *log,
		 const struct bow_monitor *m, struct bow_plan *plan,
		 struct bow_error *e);

/*
 * The first run at or above `target`, sorted, block 0 left out; false at the
 * end.  To go on, ask for run->target + run->sectors.
 */
bool bow_plan_next(const struct bow_log *log, u64 target,
		   struct bow_run *run);

/* ---- commit (commit.c) ---- */

/*
 * Of a scanned log: the sector of the live contents of block 0, which a commit
 * puts in place.  -EPERM when a rollback has begun.  The backups need not be
 * sound for a commit.
 */
int bow_commit_find(struct bow_dev *dev, struct bow_log *log, u64 *sector,
		    struct bow_error *e);

/* ---- check.c: all that is checked before the first write ---- */

/*
 * Of an opened log, active or restoring: would a rollback be made?  Reads the
 * chain and every backup.
 */
int bow_rollback_check(struct bow_dev *dev, struct bow_log *log,
		       const struct bow_monitor *m, struct bow_plan *plan,
		       struct bow_error *e);

/* The same of a commit, which needs the chain, and no backup to be sound. */
int bow_commit_check(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, u64 *sector,
		     struct bow_error *e);
/* By the newest log block alone, see bow_commit_force(). */
int bow_commit_check_newest(struct bow_dev *dev, struct bow_log *log, u64 *sector,
			    struct bow_error *e);

/* ---- restore (restore.c): one call from block 0 to the durable end ---- */

struct bow_result {
	enum bow_state found;	/* state before */
	enum bow_action done;	/* the action that was completed */
	bool resumed;		/* a rollback or an ending was under way */
	bool written;		/* something may have been written */
	bool forced;		/* the commit went by the newest log block alone */
	enum bow_torn torn;
	struct bow_header header;	/* zeros when a record was found */
	struct bow_finish finish;	/* zeros when a log was found */
	u64 bytes;		/* put back, block 0 not counted */
	u64 copies;
	u64 passes;		/* over the log; 1 unless memory is short */
	u64 log_blocks;
	u64 entries;
};

/*
 * Roll back or commit.  Everything is verified before the first write; with
 * `dry_run` nothing is written.  A finishing record is completed, whatever it
 * was for; -EPERM with BOW_WHY_OTHER_ACTION then says that it was completed
 * but was not what the caller asked for; with BOW_WHY_OTHER_UNDER_WAY, of a dry
 * run, that this would be so.  After -EINTR or a crash, run again.
 */
int bow_restore(struct bow_dev *dev, enum bow_action action, bool dry_run,
		const struct bow_monitor *m, struct bow_result *result,
		struct bow_error *e);

/*
 * A commit that, where older log blocks are damaged or cannot be read, goes by the
 * newest one alone: in v1.1 that is checksummed and names the live copy of block 0.
 * All else as bow_restore().  -EPERM: an older version, or a rollback has begun.
 */
int bow_commit_force(struct bow_dev *dev, bool dry_run,
		     const struct bow_monitor *m, struct bow_result *result,
		     struct bow_error *e);

#endif /* BOW_H */
