/* SPDX-License-Identifier: GPL-2.0 */
/*
 * passes.h - undoing a log in several passes, with less memory than its map
 * needs
 */
#ifndef BOW_PASSES_H
#define BOW_PASSES_H

#include "bow.h"
#include "filter.h"

/*
 * What is asked of the map is where backups and log blocks are now, thus what
 * is known of places that some entry names as its dest; and at the end of a
 * walk, what is known of targets.  So a walk keeps the entries whose source is
 * a dest (they are few: what was backed up twice), and of all others those with
 * a target in a window.  Windows follow one another over the device, each as
 * long as there is room.
 *
 * Which sectors are a dest is learnt by a first walk.  It finds the log blocks
 * by the same map, as far as it is known by then; a log block that is not where
 * that says may have been moved, and the walk begins again, knowing more.  Each
 * time it finds one more log block at least.  For most it need not begin again:
 * log blocks lie near to one another, and the memory that is left keeps moves
 * around the place of the one that was not found.
 */
struct bow_passes {
	struct bow_filter dests;
	bool learning;
	u64 low;		/* the window, sectors */
	u64 high;
	u64 last_log;		/* learning: where a log block was put last */
	u64 focus;		/* learning: what the window is to keep */
	u8 block[BOW_BLOCK_SIZE_MAX];	/* for walks: allocated once */
};

/*
 * Memory is short: go on in passes from here on.  What the later ones need is
 * allocated now, but for a list that is empty in nearly every log: see
 * bow_places_supersede().
 */
int bow_passes_begin(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, struct bow_error *e);

/*
 * Something else found no memory, as `r` says: can it have some of the map's?
 * Then scan again.
 */
bool bow_passes_instead(struct bow_log *log, int r, struct bow_error *e);

void bow_passes_free(struct bow_passes *p);

/* A walk begins: its window may extend to `end`. */
void bow_passes_start(struct bow_passes *p, u64 end);

/*
 * bow_where_undo(), as far as this pass needs it.  `index` is the entry's in
 * its log block.  -EUCLEAN: a dest that the first walk did not meet.
 */
int bow_passes_undo(struct bow_log *log, const struct bow_entry *entry,
		    u32 index);

/*
 * The map of the first window, or of the one after this: 0, 1 when there is no
 * other, or -errno.  Without passes the whole device is the first one.
 */
int bow_window_first(struct bow_dev *dev, struct bow_log *log,
		     const struct bow_monitor *m, struct bow_error *e);
int bow_window_next(struct bow_dev *dev, struct bow_log *log,
		    const struct bow_monitor *m, struct bow_error *e);

#endif /* BOW_PASSES_H */
