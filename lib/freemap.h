/* SPDX-License-Identifier: GPL-2.0 */
/*
 * freemap.h - the free map: which blocks were free at the checkpoint
 */
#ifndef BOW_FREEMAP_LIB_H
#define BOW_FREEMAP_LIB_H

#include "blocks.h"
#include "bow.h"

/*
 * Read the free map of a scanned log into BOW_SET_FREE of `blocks`.  Its
 * blocks may have moved: log->where tells.  Every one is checked.
 */
int bow_free_map_read(struct bow_dev *dev, const struct bow_log *log,
		      struct bow_blocks *blocks, struct bow_error *e);

/*
 * The blocks of the free map, as sectors where they were written: in use by the
 * map, free by the filesystem.  A visit that does not return 0 ends it.
 */
int bow_free_map_each(struct bow_dev *dev, const struct bow_log *log,
		      int (*visit)(void *ctx, u64 place), void *ctx,
		      struct bow_error *e);

#endif /* BOW_FREEMAP_LIB_H */
