// SPDX-License-Identifier: GPL-2.0
/*
 * copy.c - the copies of a plan, a window at a time
 *
 * A window is a part of the plan that fits in memory.  Its contents are read
 * in the order of their places and written in the order of their targets, many
 * at a time, so that neither makes a disk go back and forth.
 */
#include "log.h"
#include "copy.h"
#include "passes.h"

/* At most so much; tests make these small. */
#ifndef WINDOW_BYTES
#define WINDOW_BYTES (16u << 20)
#endif
#ifndef WINDOW_PIECES
#define WINDOW_PIECES 8192u
#endif

/*
 * Given to the device at a time: between them the bar moves, and the caller may
 * stop.  A slow card needs a second for so many.
 */
#ifndef WRITES_MAX
#define WRITES_MAX 512u
#endif

/* What a disk may want of the memory that it writes from, bytes. */
#define ALIGN 4096u

static u32 smaller(u64 a, u32 b)
{
	return a < b ? (u32)a : b;
}

int bow_copy_init(struct bow_copy *c, struct bow_dev *dev,
		  struct bow_log *log, const struct bow_plan *plan,
		  const struct bow_monitor *m, struct bow_error *e)
{
	u64 pieces = plan->copies + plan->bytes / BOW_IO_BYTES + 1;
	int r;

	memset(c, 0, sizeof(*c));
	c->log = log;
	c->total = plan->bytes;
	r = bow_sweep_init(&c->sweep, dev, m, smaller(pieces, WINDOW_PIECES),
			   e);
	if (r)
		return r;
	/* A write is of a piece or more. */
	c->write = bow_alloc(c->sweep.room * sizeof(*c->write));
	if (!c->write)
		return bow_no_memory(e);
	/* One block at least: a piece is no less. */
	c->room = smaller(plan->bytes + log->bs, WINDOW_BYTES);
	while (!(c->memory = bow_alloc(c->room + ALIGN - 1)) &&
	       c->room >= 2 * log->bs)
		c->room = c->room / 2 / log->bs * log->bs;
	if (!c->memory)
		return bow_no_memory(e);
	c->buf = (u8 *)(((uintptr_t)c->memory + ALIGN - 1) &
			~(uintptr_t)(ALIGN - 1));
	return 0;
}

void bow_copy_free(struct bow_copy *c)
{
	bow_sweep_free(&c->sweep);
	bow_free(c->write);
	bow_free(c->memory);
	memset(c, 0, sizeof(*c));
}

/* ---- a window ---- */

static void add_write(struct bow_copy *c, u64 sector, u32 bytes)
{
	struct bow_request *last = c->writes ? &c->write[c->writes - 1] : NULL;
	u64 offset = sector << BOW_SECTOR_SHIFT;

	if (last && last->offset + last->bytes == offset &&
	    bytes <= BOW_IO_BYTES - last->bytes)
		last->bytes += bytes;
	else
		c->write[c->writes++] = (struct bow_request){
			.offset = offset,
			.data = c->buf + c->fill,
			.bytes = bytes,
		};
}

/* Take as much of the plan as there is room for; false: nothing was left. */
static bool fill_window(struct bow_copy *c)
{
	struct bow_run *run = &c->run;

	c->fill = 0;
	c->writes = 0;
	while (c->fill < c->room && !bow_sweep_full(&c->sweep)) {
		u64 n = c->room - c->fill;
		u32 bytes;

		if (!run->sectors &&
		    !bow_plan_next(c->log, run->target, run))
			break;
		if (n > BOW_IO_BYTES)
			n = BOW_IO_BYTES;
		n >>= BOW_SECTOR_SHIFT;
		if (n > run->sectors)
			n = run->sectors;
		bytes = (u32)n << BOW_SECTOR_SHIFT;
		add_write(c, run->target, bytes);
		bow_sweep_add(&c->sweep, run->place, bytes, c->fill);
		c->fill += bytes;
		run->target += n;
		run->place += n;
		run->sectors -= n;
	}
	return c->fill != 0;
}

static int keep(void *ctx, u32 at, const u8 *data, u32 bytes,
		struct bow_error *e)
{
	struct bow_copy *c = ctx;

	(void)e;
	memcpy(c->buf + at, data, bytes);
	return 0;
}

static int write_window(struct bow_copy *c, struct bow_error *e)
{
	u32 first, n, i, failed = 0;
	int r = 0;

	for (first = 0; !r && first < c->writes; first += n) {
		struct bow_request *w = &c->write[first];

		n = smaller(c->writes - first, WRITES_MAX);
		r = bow_dev_write_many(c->sweep.dev, w, n, &failed);
		if (r)
			return bow_fail(e, r, BOW_WHY_IO_WRITE,
					w[failed].offset >> BOW_SECTOR_SHIFT,
					0);
		for (i = 0; i < n; i++)
			c->done += w[i].bytes;
		bow_report(c->sweep.monitor, BOW_PHASE_COPY, c->done, c->total);
		r = bow_stopped(c->sweep.monitor, e);
	}
	return r;
}

/* All that the map holds. */
static int copy_runs(struct bow_copy *c, struct bow_error *e)
{
	int r = 0;

	while (!r && fill_window(c)) {
		r = bow_sweep_run(&c->sweep, keep, c, e);
		if (!r)
			r = write_window(c, e);
	}
	return r;
}

int bow_copy_run(struct bow_copy *c, struct bow_error *e)
{
	int r;

	do {
		r = copy_runs(c, e);
		if (!r)
			r = bow_window_next(c->sweep.dev, c->log,
					    c->sweep.monitor, e);
	} while (!r);
	return r < 0 ? r : 0;
}
