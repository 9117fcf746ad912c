/* SPDX-License-Identifier: GPL-2.0 */
/*
 * resume.h - libbow: going on with a checkpoint after a reboot
 *
 * The module keeps in memory what has become of each block, and a reboot takes
 * that away.  It is learnt again from the log: from the free map, and from
 * the newest entry that mentions a block.
 *
 *   bow_resume_open   read and check all; nothing is written
 *   bow_resume_mend   block 0 as a module can go on with it
 *   bow_resume_each   the ranges that the module is to be told
 */
#ifndef BOW_RESUME_H
#define BOW_RESUME_H

#include "blocks.h"
#include "bow.h"

enum bow_resume_kind {
	BOW_RESUME_FREE,	/* free at the checkpoint */
	BOW_RESUME_HELD,	/* of those: hold something of the log's */
	BOW_RESUME_TAKEN,	/* of those: the filesystem may use them */
	BOW_RESUME_CHANGED,	/* in use at the checkpoint, and backed up */
	BOW_RESUME_CLAIMED,	/* regions that the filesystem has claimed */
	BOW_RESUME_POOL,	/* free, neither held nor taken */
	BOW_RESUME_KINDS
};

struct bow_resume {
	struct bow_log log;
	struct bow_blocks blocks;
	u8 *block;		/* block 0 as it is to be, 4096 bytes */
	u8 *claimed;		/* a bit a region */
	u64 regions;
	u32 region_sectors;	/* log2 */
};

/*
 * `r` is to be released with bow_resume_free() whatever this returns.
 * -ENODATA: there is no log; -EPERM: one that cannot be gone on with.  The
 * contents of backups are not read: a rollback verifies them, and going on
 * changes none.
 */
int bow_resume_open(struct bow_dev *dev, struct bow_resume *r,
		    const struct bow_monitor *m, struct bow_error *e);
void bow_resume_free(struct bow_resume *r);

/*
 * Write block 0 so that nothing of a torn write is left, and count the resume.
 * After an interruption, all can be done again.
 */
int bow_resume_mend(struct bow_dev *dev, struct bow_resume *r,
		    struct bow_error *e);

/* Ranges of sectors, merged, in rising order; not 0 ends it with that value. */
typedef int (*bow_resume_visit)(void *ctx, u64 start, u64 sectors);
int bow_resume_each(const struct bow_resume *r, enum bow_resume_kind kind,
		    bow_resume_visit visit, void *ctx);

#endif /* BOW_RESUME_H */
