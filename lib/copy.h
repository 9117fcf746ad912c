/* SPDX-License-Identifier: GPL-2.0 */
/*
 * copy.h - the copies of a plan
 */
#ifndef BOW_COPY_H
#define BOW_COPY_H

#include "sweep.h"

/* A window of the plan: read by place, written by target. */
struct bow_copy {
	struct bow_log *log;
	struct bow_sweep sweep;
	struct bow_request *write;	/* neighbouring targets are one */
	u32 writes;
	void *memory;
	u8 *buf;			/* in it, aligned */
	u32 room;			/* bytes */
	u32 fill;
	struct bow_run run;		/* what is left of the newest run */
	u64 done;			/* bytes */
	u64 total;
};

/*
 * All memory that the copies need: asked for before the first write.
 * bow_copy_free() follows whatever this returns.
 */
int bow_copy_init(struct bow_copy *c, struct bow_dev *dev,
		  struct bow_log *log, const struct bow_plan *plan,
		  const struct bow_monitor *m, struct bow_error *e);
void bow_copy_free(struct bow_copy *c);

/* Make the copies.  They are not durable yet. */
int bow_copy_run(struct bow_copy *c, struct bow_error *e);

#endif /* BOW_COPY_H */
