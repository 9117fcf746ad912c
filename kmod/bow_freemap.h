/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_freemap.h - the free map on the disk: which blocks were free at the
 * checkpoint, for a module that takes the checkpoint up after a reboot
 *
 * Part of the pure core.  bow_core_activate() plans it; the caller writes it
 * before the log that names it.
 */
#ifndef BOW_FREEMAP_H
#define BOW_FREEMAP_H

#include "bow_core.h"

/* How many map blocks the set of free blocks needs. */
u32 bow_free_map_count(const struct bow_core *core);

/* Take places for so many; there are enough free blocks.  The map is armed. */
void bow_free_map_plan(struct bow_core *core, u32 blocks);

/*
 * bow_free_map_next - the next write of the map, in any order but before the
 * list of bow_core_activate()
 *
 * Several blocks a write where their places touch.  The data is core->full,
 * good until the next call.  False: all have been given out.
 */
bool bow_free_map_next(struct bow_core *core, struct bow_write *write);

#endif /* BOW_FREEMAP_H */
