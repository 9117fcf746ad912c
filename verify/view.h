/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view.h - the device as it was at the checkpoint, and as it is now, for reading
 *
 * A view is read through the map of a scanned log.  Nothing is copied and nothing
 * can be written.  libext2fs is given a view by view_ext2() and by nothing else.
 */
#ifndef BOW_VIEW_H
#define BOW_VIEW_H

#include <ext2fs/ext2fs.h>

#include "bow.h"
#include "live.h"

enum view_state {
	VIEW_OLD,	/* D0: what a rollback gives */
	VIEW_NOW,	/* what a commit keeps; block 0 is the live copy */
};

/* A block of a filesystem whose contents are to be read elsewhere in the view. */
struct view_patch {
	u64 block;
	u64 place;
	bool escaped;		/* its first word is not there: see view.c */
};

struct view_patches {
	u32 bytes;		/* a block */
	size_t count;
	struct view_patch *patch;	/* sorted by block */
};

struct view {
	struct bow_dev *dev;
	const struct bow_log *log;
	enum view_state which;
	bool mapped;		/* read through log->where */
	u64 block0;		/* sector that stands for block 0, when not */
	u64 block0_sectors;
	struct live *live;	/* NULL: nothing changes */
	const struct view_patches *patches;	/* NULL: none */
	int err;		/* of the last read that failed, -errno */
	u64 bad_sector;		/* where in the view that was */
};

/*
 * `dev` and `log` must outlive the view.  A log that is active or restoring must
 * have been scanned, and must not be walked while the view is read.
 * -ENOENT: there is no such state, as after a rollback has begun there is none
 * that a commit could keep, and the reverse.  -EINVAL: not scanned.  -EUCLEAN:
 * where block 0 is cannot be told.  A device without a log has one state.
 */
int view_open(struct view *v, struct bow_dev *dev, const struct bow_log *log,
	      enum view_state which);

/*
 * Follow the log while it grows: `live` is that of the view's device and log.
 * Reads of the old view are right then however much is written meanwhile.
 */
void view_follow(struct view *v, struct live *live);

/*
 * From here on view_read() takes these blocks from elsewhere, as after a replay of
 * the journal.  view_place() and view_run() know nothing of it.
 */
void view_patch(struct view *v, const struct view_patches *patches);

/*
 * All of [offset, offset + bytes), or an error; -ERANGE: past the end.
 * -ESTALE: the log that was followed has ended.
 */
int view_read(struct view *v, u64 offset, void *buf, size_t bytes);

/* Sector of the device that holds `sector` of the view; *sectors is cut to
 * the run that lies there in one piece. */
u64 view_place(const struct view *v, u64 sector, u64 *sectors);

/*
 * What lies in one piece from `at` on; false: the end of the device.  To go on,
 * ask for run->target + run->sectors.
 */
bool view_run(const struct view *v, u64 at, struct bow_run *run);

/* "old" or "now" */
const char *view_name(const struct view *v);

/* ---- view-ext2.c ---- */

/*
 * Open the filesystem in a view, read-only, with the EXT2_FLAG_s given beside
 * those that are always right.  ext2fs_free() or ext2fs_close_free() ends it.
 * `v` must outlive it.  0 or a code of libext2fs, which may be an errno.
 */
errcode_t view_ext2(struct view *v, int flags, ext2_filsys *fs);

#endif /* BOW_VIEW_H */
