/* SPDX-License-Identifier: GPL-2.0 */
/*
 * relocate.h - where the contents that belong at x are now
 *
 * A map from sectors to sectors that starts as the identity and follows the
 * undoing of entries, newest first.  Only what entries have said is kept, in
 * runs, so that memory is proportional to the entries.
 */
#ifndef BOW_RELOCATE_H
#define BOW_RELOCATE_H

#include "bow_shim.h"

struct bow_where;

/*
 * Sectors are below this: 128 PiB.  A longer run is kept as several.
 */
#define BOW_WHERE_SECTORS (1ull << 48)
#define BOW_WHERE_RUN_MAX 0xffffffffull

/* Memory that a run takes, at most: chunks are two thirds full and more. */
#define BOW_WHERE_RUN_BYTES 24u

/* The contents of [start, start + sectors) are at `place`. */
struct bow_extent {
	u64 start;
	u64 place;
	u64 sectors;
};

struct bow_where *bow_where_new(void);
void bow_where_free(struct bow_where *w);

/* Back to the identity. */
void bow_where_clear(struct bow_where *w);

/*
 * Undo the move of `sectors` sectors from `source` to `dest`, two ranges that
 * do not overlap: what belongs at source is where the contents of dest are.
 * Before that move dest held nothing of interest, so it is forgotten: the map
 * of a sound log ends with none but blocks that were in use.  Contents that came
 * back to source stay in the map, as a run whose place is its start.
 * 0 or -ENOMEM (the map is then of no use).
 */
int bow_where_undo(struct bow_where *w, u64 source, u64 dest, u64 sectors);

/* Make [start, start + sectors) the identity.  As bow_where_undo(). */
int bow_where_forget(struct bow_where *w, u64 start, u64 sectors);

/* Place of `sector`; *sectors is cut to the run that moves with it. */
u64 bow_where_get(const struct bow_where *w, u64 sector, u64 *sectors);

/* The first run that ends above `sector`; false: there is none. */
bool bow_where_next(const struct bow_where *w, u64 sector,
		    struct bow_extent *extent);

/* The first of [start, start + sectors) of which the map says something; or false. */
bool bow_where_any(const struct bow_where *w, u64 start, u64 sectors,
		   u64 *first);

/* ---- when memory is short (passes.c) ---- */

/*
 * Back to the identity, and from now on do with half of the chunks of runs that
 * there were: nothing is allocated any more.  Returns their bytes.
 */
size_t bow_where_limit(struct bow_where *w);

/* Chunks that can still be taken; SIZE_MAX without a limit. */
size_t bow_where_room(const struct bow_where *w);

/* About half of the runs start below this. */
u64 bow_where_middle(const struct bow_where *w);

/* Forget the runs for which `keep` is false. */
void bow_where_thin(struct bow_where *w,
		    bool (*keep)(void *ctx, const struct bow_extent *x),
		    void *ctx);

#endif /* BOW_RELOCATE_H */
