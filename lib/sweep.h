/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sweep.h - reading many pieces of a device in the order in which they lie
 *
 * Pieces are added in any order and read in one sweep: sorted, neighbours in
 * one request, the next requests announced to the kernel.
 */
#ifndef BOW_SWEEP_H
#define BOW_SWEEP_H

#include "bow.h"

struct bow_piece {
	u64 place;		/* sectors */
	u32 bytes;		/* at most BOW_IO_BYTES */
	u32 tag;		/* the caller's */
};

struct bow_sweep {
	struct bow_dev *dev;
	const struct bow_monitor *monitor;
	struct bow_piece *piece;
	u32 count;
	u32 room;
	u32 tag;		/* of a piece in the request being made */
	u8 *buf;		/* BOW_IO_BYTES */
};

/*
 * Room for `room` pieces, or less when memory is short: 1 at least.
 * 0 or -ENOMEM.
 */
int bow_sweep_init(struct bow_sweep *s, struct bow_dev *dev,
		   const struct bow_monitor *m, u32 room, struct bow_error *e);
void bow_sweep_free(struct bow_sweep *s);

/* Is there room for another piece? */
static inline bool bow_sweep_full(const struct bow_sweep *s)
{
	return s->count == s->room;
}

static inline void bow_sweep_add(struct bow_sweep *s, u64 place, u32 bytes,
				 u32 tag)
{
	s->piece[s->count++] = (struct bow_piece){ place, bytes, tag };
}

/* Called with the contents of each piece; not 0 ends the sweep. */
typedef int (*bow_sweep_visit)(void *ctx, u32 tag, const u8 *data, u32 bytes,
			       struct bow_error *e);

/* Read all pieces; none are left then. */
int bow_sweep_run(struct bow_sweep *s, bow_sweep_visit visit, void *ctx,
		  struct bow_error *e);

#endif /* BOW_SWEEP_H */
