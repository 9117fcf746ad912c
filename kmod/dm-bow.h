/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-bow.h - what the files of the device-mapper target share
 *
 *   dm-bow-target.c   the calls of device-mapper: table, map, status, message
 *   dm-bow-table.c    the options of a table line
 *   dm-bow-route.c    where each bio goes when it is mapped
 *   dm-bow-engine.c   writes that need a backup: batches, one worker
 *   dm-bow-full.c     what becomes of writes when no free block is left
 *   dm-bow-discard.c  what discards say about free space
 *   dm-bow-control.c  state changes and free ranges, run by the same worker
 *   dm-bow-peers.c    other tables for the same disk
 *   dm-bow-io.c       our own reads and writes of the device below
 *   dm-bow-sysfs.c    /sys/block/dm-N/bow
 *
 * Everything that changes the log or sleeps is done by one work item, so there
 * is no lock to hold across I/O.  bow->lock is a spinlock for the block map,
 * the state and the queues.
 */
#ifndef DM_BOW_H
#define DM_BOW_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/hrtimer.h>
#include <linux/kobject.h>
#include <linux/mutex.h>
#include <linux/percpu-refcount.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "bow_core.h"
#include "bow_freemap.h"

#define DM_MSG_PREFIX "bow"

enum bow_state {
	BOW_TRIM = 0,		/* collects free ranges; I/O passes */
	BOW_CHECKPOINT = 1,	/* backs up before it overwrites */
	BOW_COMMITTED = 2,	/* I/O passes */
	BOW_RESUME = 3,		/* one is being taken up: writes wait */
};

/* A write needs a backup, and no free block is left. */
enum bow_on_full {
	BOW_FULL_ERROR,		/* it fails */
	BOW_FULL_COMMIT,	/* the checkpoint ends */
	BOW_FULL_WAIT,		/* it waits for a time, then fails */
};

/* A suspend has begun in state 3, and nobody will resume what waits for it. */
enum bow_given_up {
	BOW_NOT_GIVEN_UP = 0,
	BOW_GIVEN_UP,		/* it fails */
	BOW_GIVEN_BACK,		/* device-mapper keeps it: no flush was asked for */
};

struct bow {
	struct dm_target *ti;
	struct dm_dev *dev;
	u32 bs;			/* bytes */
	u32 block_shift;	/* sectors to blocks */
	u64 sectors;		/* of the target */
	struct list_head peers;	/* all targets, by peers_lock */
	bool alone;		/* a checkpoint begins: no other for the disk */
	enum bow_on_full on_full;
	unsigned int wait_seconds;	/* of BOW_FULL_WAIT */

	/*
	 * Guards core.map, state, failed, full, queues, generations and what
	 * status shows.  core's other parts belong to the worker.
	 */
	spinlock_t lock;
	enum bow_state state;
	enum bow_given_up given_up;
	bool failed;		/* a log write failed: no further one, ever */
	bool full;		/* a write was refused for lack of space */
	bool waiting;		/* writes wait for space */
	u64 stalls;		/* how often they began to */
	u64 errors;		/* writes refused because of an I/O error */
	struct bow_core core;
	struct bow_counters shown;
	u8 id[16];
	u64 created;

	/* Work for the worker. */
	struct workqueue_struct *wq;
	struct work_struct work;
	struct bio_list pending;	/* bios that it must look at */
	unsigned int pending_count;
	unsigned int expected;		/* that many are waited for; 0: none */
	struct list_head requests;	/* struct bow_request */

	/*
	 * Bios that pass straight through hold a reference, so that a checkpoint
	 * can wait until all that began before it are done.
	 */
	struct percpu_ref passing;
	struct completion drained;

	/* Bios that the worker has sent, and where it waits for them. */
	atomic_t block0_inflight;	/* to the live copy of block 0 */
	atomic_t released;		/* writes of batches that are published */
	wait_queue_head_t sent_wait;

	/*
	 * Discarded blocks go back to the pool when every write that was mapped
	 * before is done: writes count under the generation in which they were
	 * mapped, and the discards wait until the old one is empty.
	 */
	unsigned int generation;
	atomic_t writers[2];
	struct bio_list returning;	/* waiting for the old generation */
	struct bio_list returning_next;

	/* The worker's own. */
	struct bio_set bios;
	struct page **buffer;		/* BOW_BATCH_BLOCKS blocks */
	unsigned int buffer_pages;
	u8 *block0;			/* bs bytes */
	u8 *part;			/* the same: what write_part() writes */
	struct bow_batch batch;
	unsigned int last_writes;	/* that the last batch released */
	struct bow_log_writes log_writes;
	u64 flushes;			/* sent since the device was made */

	/* The worker's, when free blocks get few: dm-bow-full.c. */
	struct bio_list stalled;	/* writes that wait for space */
	bool commit_due;
	bool waited;			/* long enough: now they fail */
	unsigned long stall_end;	/* jiffies; while they wait */
	struct timer_list stall_timer;
	u64 low_water;			/* blocks */
	bool told_low;			/* by lock */
	const char *told_health;
	struct work_struct tell;	/* of the system's workqueue */

	/* sysfs */
	struct mutex sysfs_lock;	/* kobj_added, and its use by the worker */
	bool kobj_added;
	struct kobject kobj;
	struct completion kobj_released;
};

/* What our end_io must do for a bio. */
enum bow_track {
	BOW_TRACK_NONE = 0,
	BOW_TRACK_PASSING = 1,		/* holds bow->passing */
	BOW_TRACK_BLOCK0 = 2,		/* counts in block0_inflight */
	BOW_TRACK_WRITER = 4,		/* counts in writers[generation] */
	BOW_TRACK_RELEASED = 8,		/* counts in released */
};

struct bow_bio {
	u8 track;			/* enum bow_track, ored */
	u8 generation;
	bool stalled;			/* has waited for space, up to: */
	unsigned long wait_end;		/* jiffies */
};

static inline struct bow_bio *bow_bio(struct bio *bio)
{
	return dm_per_bio_data(bio, sizeof(struct bow_bio));
}

static inline u64 bow_blocks(const struct bow *bow)
{
	return bow->core.map.blocks;
}

static inline u64 bow_sector(const struct bow *bow, u64 block)
{
	return block << bow->block_shift;
}

/* The blocks that a bio touches, rounded outwards. */
static inline u64 bow_bio_first(const struct bow *bow, const struct bio *bio)
{
	return bio->bi_iter.bi_sector >> bow->block_shift;
}

static inline u64 bow_bio_count(const struct bow *bow, const struct bio *bio)
{
	return ((bio_end_sector(bio) - 1) >> bow->block_shift) -
	       bow_bio_first(bow, bio) + 1;
}

static inline bool bow_in_block0(const struct bow *bow, const struct bio *bio)
{
	return bio_sectors(bio) &&
	       bio->bi_iter.bi_sector < (1u << bow->block_shift);
}

static inline bool bow_beyond_last_block(const struct bow *bow,
					 const struct bio *bio)
{
	return bio_end_sector(bio) > bow_sector(bow, bow_blocks(bow));
}

/* Is this block 0 a log, or the record of one that is being ended? */
static inline bool bow_undecided(const u8 *block0)
{
	u32 magic = bow_get_le32(block0);

	return magic == BOW_MAGIC_LOG || magic == BOW_MAGIC_RESTORING ||
	       magic == BOW_MAGIC_FINISHING;
}

/* What a message says about ranges of sectors. */
enum bow_range_kind {
	BOW_RANGE_FREE,		/* was free at the checkpoint, is free now */
	/* The others only while a checkpoint is being taken up. */
	BOW_RANGE_HELD,		/* holds a backup or another thing of ours */
	BOW_RANGE_TAKEN,	/* was free, is the filesystem's now */
	BOW_RANGE_CHANGED,	/* was in use, is backed up */
	BOW_RANGE_CLAIMED,	/* regions that the filesystem has claimed */
};

/* A change of state or of the free set; the worker runs it. */
struct bow_request {
	struct list_head list;
	struct completion done;
	int (*run)(struct bow *bow, struct bow_request *rq);
	int result;			/* 0 or -errno */
	const struct bow_range *ranges;	/* of bow_add_ranges() */
	enum bow_range_kind kind;
	const __le64 *bits;		/* of bow_add_free_bits() */
	u64 first;			/* block */
	unsigned int count;		/* ranges, or words of bits */
};

struct bow_range {
	u64 start;			/* sectors */
	u64 length;
};

static inline void bow_end_bio(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
}

/* dm-bow-route.c */
/* Route a bio that is being mapped: DM_MAPIO_REMAPPED or DM_MAPIO_SUBMITTED. */
int bow_route(struct bow *bow, struct bio *bio);
/* In states 0 and 2.  False: the state is changing or has changed. */
bool bow_route_passing(struct bow *bow, struct bio *bio, int *r);
/* Count a write to the device, under the lock, with a reference of passing. */
void bow_track_writer(struct bow *bow, struct bow_bio *bb);
/* Undo what was counted; called when a bio completes. */
void bow_untrack(struct bow *bow, struct bow_bio *bb);
/* Wait until no bio to the live copy of block 0 is in flight. */
void bow_wait_block0(struct bow *bow);
/* Wait for writes that will join the next batch, but not for long. */
void bow_gather(struct bow *bow);
void bow_kick(struct bow *bow);
/* In state 3: what waits for the checkpoint, and all that comes, waits no longer. */
void bow_give_up(struct bow *bow);
/* The suspend is over, or has failed. */
void bow_take_up(struct bow *bow);

/* dm-bow-table.c */
/* 0 or -EINVAL, ti->error set. */
int bow_parse_options(struct bow *bow, struct dm_arg_set *as);
const char *bow_on_full_name(const struct bow *bow);
/* The arguments that make this target. */
void bow_emit_table(struct bow *bow, char *result, unsigned int maxlen);

/* dm-bow-full.c: the worker's, but for the first three and the last */
void bow_full_init(struct bow *bow);
/* No timer from now on; then, when the worker is gone, nobody is told either. */
void bow_full_stop(struct bow *bow);
void bow_full_exit(struct bow *bow);
/* All that is free at the checkpoint is free now. */
void bow_full_measure(struct bow *bow);
/* A checkpoint begins. */
void bow_full_begin(struct bow *bow);
/* Do with the write what on_full says. */
void bow_out_of_space(struct bow *bow, struct bio *bio);
/* There is space again, or the checkpoint has ended. */
void bow_retry_stalled(struct bow *bow);
/* What on_full has left to do when no batch is under way. */
void bow_handle_full(struct bow *bow);
/* Bios that wait for space go back to device-mapper, for a suspend without flush. */
void bow_requeue_stalled(struct bow *bow);
/* Wake those who wait for an event if free blocks or health call for it. */
void bow_tell(struct bow *bow);
/* Under the lock: free blocks do, and the worker does not know yet. */
bool bow_low_untold(const struct bow *bow);

/* dm-bow-target.c: "ok", "full" ...; always the same string for the same */
const char *bow_health(const struct bow *bow);

/* dm-bow-discard.c */
/* State 0: a write ends that its blocks are free, a discard begins it. */
void bow_note_passing(struct bow *bow, struct bio *bio);
/*
 * State 1.  What must be preserved stays, and is not touched.  What was free
 * at the checkpoint and has been used since goes back to the pool, later.
 */
void bow_discard(struct bow *bow, struct bio *bio);
/* Give back what no write in flight can still reach. */
void bow_handle_returning(struct bow *bow);
/* The checkpoint ends: nothing needs to go back any more. */
void bow_finish_discards(struct bow *bow);

/* dm-bow-engine.c */
int bow_engine_init(struct bow *bow);
void bow_engine_exit(struct bow *bow);

/* dm-bow-control.c: these wait for the worker; 0 or -errno. */
int bow_checkpoint(struct bow *bow);
int bow_commit(struct bow *bow);
/* As bow_commit(), by the worker itself. */
int bow_commit_now(struct bow *bow);
int bow_restart(struct bow *bow);
int bow_clear_free(struct bow *bow);
int bow_add_ranges(struct bow *bow, enum bow_range_kind kind,
		   const struct bow_range *ranges, unsigned int count);
/*
 * @words words of a bitmap of free blocks that begins at sector @start, a multiple
 * of 64 blocks.  0 or -errno: -EINVAL for another sector, -ERANGE for blocks behind
 * the end of the device.
 */
int bow_add_free_bits(struct bow *bow, u64 start, const __le64 *bits,
		      unsigned int words);
int bow_resume_checkpoint(struct bow *bow);
/* Writes that wait for space shall not keep a suspend waiting. */
void bow_unstall(struct bow *bow);
int bow_set_state(struct bow *bow, unsigned int state);
void bow_free_buffers(struct bow *bow);

/* dm-bow-peers.c: these sleep; 0 or -EBUSY. */
/* A table is made. */
int bow_peers_join(struct bow *bow);
void bow_peers_leave(struct bow *bow);
/*
 * From a successful bow_peers_exclude() to bow_peers_admit() nobody can join.  It
 * says in the kernel's log why it failed.
 */
int bow_peers_exclude(struct bow *bow);
void bow_peers_admit(struct bow *bow);

/* dm-bow-io.c: synchronous; 0 or -errno. */
int bow_io(struct bow *bow, blk_opf_t opf, u64 sector, void *data, u32 bytes);
/* One after the other up to the first that fails; *done: how many were done. */
int bow_run_writes(struct bow *bow, const struct bow_write *w,
		   unsigned int count, unsigned int *done);
/* All copies of the batch: read, then write and checksum. */
int bow_read_copies(struct bow *bow, struct bow_batch *batch);
int bow_write_copies(struct bow *bow, struct bow_batch *batch);

/* dm-bow-sysfs.c */
int bow_sysfs_add(struct bow *bow);
void bow_sysfs_remove(struct bow *bow);
/* Wake those who poll. */
void bow_sysfs_notify(struct bow *bow);

#endif /* DM_BOW_H */
