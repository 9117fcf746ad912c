/* SPDX-License-Identifier: GPL-2.0 */
/*
 * logwrites.h - every state that a power cut can leave of a recorded run
 *
 * dm-log-writes, below dm-bow in a guest, has recorded what reached the disk
 * between which flushes.  Here that is replayed in memory, and libbow restores
 * what a cut leaves at each moment.
 */
#ifndef TESTS_LOGWRITES_H
#define TESTS_LOGWRITES_H

#include "bow.h"

__attribute__((noreturn, format(printf, 1, 2)))
void die(const char *format, ...);
u32 random_to(u32 limit);

/* ---- the recording (record.c) ---- */

enum {
	EVENT_FLUSH = 1,
	EVENT_FUA = 2,
	EVENT_DISCARD = 4,
	EVENT_MARK = 8,
};

struct event {
	u64 flags;
	u32 sector;
	u32 sectors;
	const u8 *data;		/* NULL: a flush without data, a discard */
	char mark[64];		/* of a mark, else empty */
};

struct recording {
	struct event *events;
	u32 count;
};

void recording_read(struct recording *r, const char *path);

/* ---- the disk (disk.c) ---- */

struct disk {
	struct bow_dev dev;
	u32 sectors;
	u8 *durable;		/* all that is replayed */
	u8 *now;		/* the state that is tried */
	u8 *d0;			/* NULL before the first checkpoint */
	u8 *live;		/* after the commit that is coming */
	bool *is_free;		/* sectors, at the checkpoint */
	bool *is_changed;	/* `durable` may differ from `d0` */
	bool *is_touched;	/* `now` may differ from `durable` */
	u32 *changed, *touched;
	u32 changes, touches;
	u32 *dirty;		/* written by libbow, not flushed */
	u8 *dirty_old;		/* what they held before */
	u32 dirties;
	u32 writes;		/* of libbow, since the last disk_again() */
	u32 writes_left;	/* of it, until the power fails; ~0: never */
	bool off;
};

void disk_init(struct disk *d, const char *base);
/* All of an event, or the sectors of it that `keep` says, reach the disk. */
void disk_replay(struct disk *d, const struct event *e);
void disk_try(struct disk *d, const struct event *e, u32 sector);
/* `live` is what these events make of the disk. */
void disk_live(struct disk *d, const struct event *e, u32 n);
/* Forget what is not durable. */
void disk_again(struct disk *d);
/* After a power cut of a restore: of what it did not flush, any part is lost. */
void disk_reboot(struct disk *d);
/* The contents of this moment are D0. */
void disk_checkpoint(struct disk *d);
/* Is all as in D0, but what was free? */
bool disk_is_d0(const struct disk *d, u32 *first);
bool disk_is_live(const struct disk *d, u32 *first);
void disk_save(const u8 *image, u32 sectors, const char *path);

/* ---- what was free (free.c) ---- */

/* By the discards and writes before the checkpoint, or by a list of ranges. */
void free_follow(bool *known, const struct event *e, u32 per_block);
void free_read(bool *known, u32 sectors, const char *path);

/* ---- judging (judge.c) ---- */

/* Where the run is, by the last mark. */
enum phase {
	PHASE_NONE,		/* no checkpoint yet, or a committed one */
	PHASE_STARTING,		/* one is being made */
	PHASE_ACTIVE,
	PHASE_ENDING,		/* it is being committed */
	PHASE_ROLLED_BACK,	/* a restore on the disk has begun */
	PHASES
};

struct counts {
	u64 points;		/* flushes and FUA writes */
	u64 samples;		/* states between them */
	u64 rollbacks, commits, none, cuts;
	u64 fscks;
	u64 phases[PHASES];
	u64 wrong;
};

struct trial {
	struct disk *disk;
	enum phase phase;
	u32 event;		/* up to which one it was replayed */
	u32 writes;		/* of the last restore */
	const char *save;	/* where wrong states go */
	struct counts count;
};

/* Restore the state that is on the disk, in one of the ways there are. */
void judge(struct trial *t);
/* The state committed: does e2fsck find a sound filesystem? */
void judge_fsck(struct trial *t);
void wrong(struct trial *t, const char *what, int r, u32 sector);

#endif /* TESTS_LOGWRITES_H */
