/* SPDX-License-Identifier: GPL-2.0 */
/*
 * live.h - reading below a dm-bow that is running
 *
 * The log grows while it is read.  What it said of a block holds for as long as
 * block 0 is what it was: no original and no backup is overwritten before the
 * entry that tells where its contents went is in block 0.
 */
#ifndef BOW_LIVE_H
#define BOW_LIVE_H

#include "bow.h"

struct live {
	struct bow_dev *dev;
	struct bow_log *log;	/* scanned by live_scan() */
	const struct bow_monitor *monitor;
	u8 seen[BOW_BLOCK_SIZE_MAX];	/* block 0 before the newest scan */
	int lost;		/* -errno: a view could not follow the log */
};

/* Is the block device `path` in use by another driver, as dm-bow? */
bool live_is(const char *path);

/*
 * As bow_dev_open() for reading; when the device is live the kernel's cache,
 * which does not see what dm-bow writes, is passed by.
 */
int live_dev_open(struct bow_dev *dev, const char *path);

/* Remember block 0.  -errno of the read. */
int live_look(struct live *l);
/* 1: it is not what it was; 0: it is; or -errno. */
int live_changed(struct live *l);

/*
 * Open and scan the log, again if it changed under the scan so that it seemed to
 * be damaged.  0, or -errno with the reason in `e`; -ESTALE, without a reason
 * there: there is no log any more, or another one.  After an error the log is not
 * scanned, and a view of it cannot be read.
 */
int live_scan(struct live *l, struct bow_error *e);

#endif /* BOW_LIVE_H */
