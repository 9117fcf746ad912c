// SPDX-License-Identifier: GPL-2.0
/*
 * copy.c - the copies of a plan, a window at a time
 *
 * A window is a part of the plan that fits in memory.  Its contents are read
 * in the order of their places and written in the order of their targets, so
 * that neither makes a disk go back and forth.
 */
#include "log.h"
#include "copy.h"
#include "passes.h"

/* At most so much; tests make it small. */
#ifndef WINDOW_BYTES
#define WINDOW_BYTES (16u << 20)
#endif
#ifndef WINDOW_PIECES
#define WINDOW_PIECES 8192u
#endif

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
	/* A target is a piece or more. */
	c->target = bow_alloc(c->sweep.room * sizeof(*c->target));
	if (!c->target)
		return bow_no_memory(e);
	/* One block at least: a piece is no less. */
	c->room = smaller(plan->bytes + log->bs, WINDOW_BYTES);
	while (!(c->buf = bow_alloc(c->room)) && c->room >= 2 * log->bs)
		c->room = c->room / 2 / log->bs * log->bs;
	return c->buf ? 0 : bow_no_memory(e);
}

void bow_copy_free(struct bow_copy *c)
{
	bow_sweep_free(&c->sweep);
	bow_free(c->target);
	bow_free(c->buf);
	memset(c, 0, sizeof(*c));
}

/* ---- a window ---- */

static void add_target(struct bow_copy *c, u64 sector, u32 bytes)
{
	struct bow_target *last = c->targets ? &c->target[c->targets - 1] :
					       NULL;

	if (last && last->sector + (last->bytes >> BOW_SECTOR_SHIFT) == sector)
		last->bytes += bytes;
	else
		c->target[c->targets++] =
			(struct bow_target){ sector, c->fill, bytes };
}

/* Take as much of the plan as there is room for; false: nothing was left. */
static bool fill_window(struct bow_copy *c)
{
	struct bow_run *run = &c->run;

	c->fill = 0;
	c->targets = 0;
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
		add_target(c, run->target, bytes);
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

static int write_target(struct bow_copy *c, const struct bow_target *t,
			struct bow_error *e)
{
	u32 done = 0;
	int r = 0;

	while (!r && done < t->bytes) {
		u32 n = t->bytes - done;

		if (n > BOW_IO_BYTES)
			n = BOW_IO_BYTES;
		r = bow_put(c->sweep.dev, t->sector + (done >> BOW_SECTOR_SHIFT),
			    c->buf + t->at + done, n, e);
		if (r)
			return r;
		done += n;
		c->done += n;
		bow_report(c->sweep.monitor, BOW_PHASE_COPY, c->done, c->total);
		r = bow_stopped(c->sweep.monitor, e);
	}
	return r;
}

static int write_window(struct bow_copy *c, struct bow_error *e)
{
	u32 i;
	int r = 0;

	for (i = 0; i < c->targets && !r; i++)
		r = write_target(c, &c->target[i], e);
	return r;
}

/*
 * Let the window reach the disk: the kernel would keep it all in memory, and the
 * last flush last long after the bar has reached its end.  With the wait, since
 * Linux throttles writes that nobody waits for: 1 GiB took 12 s that way, 5 s
 * this way.
 */
static int write_out(struct bow_copy *c, struct bow_error *e)
{
	const struct bow_target *last = &c->target[c->targets - 1];
	u64 start = c->target[0].sector;
	u64 end = last->sector + (last->bytes >> BOW_SECTOR_SHIFT);
	int r = bow_dev_write_out(c->sweep.dev, start << BOW_SECTOR_SHIFT,
				  (end - start) << BOW_SECTOR_SHIFT);

	return r ? bow_fail(e, r, BOW_WHY_IO_WRITE, start, 0) : 0;
}

/* All that the map holds. */
static int copy_runs(struct bow_copy *c, struct bow_error *e)
{
	int r = 0;

	while (!r && fill_window(c)) {
		r = bow_sweep_run(&c->sweep, keep, c, e);
		if (!r)
			r = write_window(c, e);
		if (!r)
			r = write_out(c, e);
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
