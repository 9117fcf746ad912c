/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trace.h - a part of a trace of a real filesystem, as a workload
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include "bow_shim.h"

struct sim;
struct trace;

enum traced_kind { TRACED_WRITE, TRACED_DISCARD, TRACED_FLUSH };

struct traced {
	u32 cell;
	u32 cells;
	u8 kind;
	bool fua;
};

/* A part of a trace, on a device that has the blocks it touches and few more. */
struct window {
	struct traced *op;
	u32 ops;
	u32 next;
	u32 blocks;		/* of 4096 bytes */
	u8 *is_free;		/* per block */
};

/* NULL, with a message, if there is none in the file */
struct trace *trace_read(const char *path);
const char *trace_name(const struct trace *t);
u32 trace_ops(const struct trace *t);
/* A part chosen by sim->rng, for cells of cfg->unit bytes. */
struct window *trace_window(struct sim *sim, const struct trace *t);
void trace_window_free(struct window *w);

#endif /* SIM_TRACE_H */
