// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - a disk with a volatile cache that can lose power
 *
 * A write is in flight, then in the cache, then on the medium.  A flush brings
 * completed writes to the medium, a FUA write itself alone.  When power is
 * cut, each cell of each write in flight or in the cache is there or is not.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static size_t bytes_of(const struct disk *d, u32 cells)
{
	return (size_t)cells * d->unit;
}

static u8 *at(u8 *image, const struct disk *d, u32 cell)
{
	return image + bytes_of(d, cell);
}

void disk_init(struct disk *d, u32 cells, u32 unit)
{
	memset(d, 0, sizeof(*d));
	d->cells = cells;
	d->unit = unit;
	d->view = xalloc(bytes_of(d, cells));
	d->safe = xalloc(bytes_of(d, cells));
	d->older = xalloc(cells * sizeof(*d->older));
	d->older_data = xalloc(bytes_of(d, cells));
	d->is_older = xalloc(cells);
	d->mark = xalloc(cells);
	d->touched = xalloc(cells * sizeof(*d->touched));
	d->is_touched = xalloc(cells);
}

static void free_list(struct io **list)
{
	while (*list) {
		struct io *io = *list;

		*list = io->next;
		free(io);
	}
}

void disk_exit(struct disk *d)
{
	free_list(&d->cache);
	free_list(&d->flight);
	free(d->pick);
	free(d->view);
	free(d->safe);
	free(d->older);
	free(d->older_data);
	free(d->is_older);
	free(d->mark);
	free(d->touched);
	free(d->is_touched);
}

static void touch(struct disk *d, u32 cell)
{
	if (!d->is_touched[cell]) {
		d->is_touched[cell] = 1;
		d->touched[d->touches++] = cell;
	}
}

static void append(struct io **list, struct io *io)
{
	while (*list)
		list = &(*list)->next;
	io->next = NULL;
	*list = io;
}

static void take_out(struct io **list, struct io *io)
{
	while (*list != io)
		list = &(*list)->next;
	*list = io->next;
}

void disk_read(const struct disk *d, u32 cell, u32 cells, u8 *buf)
{
	memcpy(buf, d->view + bytes_of(d, cell), bytes_of(d, cells));
}

const struct io *disk_in_flight(const struct disk *d, u32 cell, u32 cells,
				const struct io *but)
{
	const struct io *io;

	for (io = d->flight; io; io = io->next) {
		if (io != but && cell < io->cell + io->cells &&
		    io->cell < cell + cells)
			return io;
	}
	return NULL;
}

struct io *disk_submit(struct disk *d, u32 cell, u32 cells, const u8 *data,
		       bool fua, struct op *op)
{
	struct io *io = xalloc(sizeof(*io) + cells + bytes_of(d, cells));

	io->op = op;
	io->cell = cell;
	io->cells = cells;
	io->fua = fua;
	io->alive = (u8 *)(io + 1);
	io->data = io->alive + cells;
	memset(io->alive, 1, cells);
	memcpy(io->data, data, bytes_of(d, cells));
	append(&d->flight, io);
	if (d->submitted)
		d->submitted(d->ctx, io);
	return io;
}

struct io *disk_submit_bytes(struct disk *d, u64 offset, const void *data,
			     size_t bytes, bool fua)
{
	u32 cell = (u32)(offset / d->unit);
	size_t from = offset % d->unit;
	u32 cells = (u32)((from + bytes + d->unit - 1) / d->unit);
	u8 *whole = xalloc(bytes_of(d, cells));
	struct io *io;

	disk_read(d, cell, cells, whole);
	memcpy(whole + from, data, bytes);
	io = disk_submit(d, cell, cells, whole, fua, NULL);
	free(whole);
	return io;
}

static void begin_settling(struct disk *d)
{
	while (d->olders)
		d->is_older[d->older[--d->olders]] = 0;
	d->settles++;
}

static void settle_cell(struct disk *d, u32 cell, const u8 *data)
{
	u8 *safe = at(d->safe, d, cell);

	if (!d->is_older[cell]) {
		d->is_older[cell] = 1;
		memcpy(at(d->older_data, d, d->olders), safe, d->unit);
		d->older[d->olders++] = cell;
	}
	memcpy(safe, data, d->unit);
}

/* A FUA write supersedes what the cache has for its cells. */
static void make_safe(struct disk *d, const struct io *fua)
{
	struct io *io;
	u32 c;

	for (io = d->cache; io; io = io->next) {
		u32 i;

		for (i = 0; i < io->cells; i++) {
			if (io->cell + i >= fua->cell &&
			    io->cell + i < fua->cell + fua->cells)
				io->alive[i] = 0;
		}
	}
	begin_settling(d);
	for (c = 0; c < fua->cells; c++)
		settle_cell(d, fua->cell + c, fua->data + bytes_of(d, c));
}

void disk_complete(struct disk *d, struct io *io, struct rng *failed)
{
	u32 i;

	take_out(&d->flight, io);
	for (i = 0; i < io->cells; i++) {
		if (failed && one_in(failed, 2))
			io->alive[i] = 0;
		if (!io->alive[i])
			continue;
		memcpy(at(d->view, d, io->cell + i), io->data + bytes_of(d, i),
		       d->unit);
		touch(d, io->cell + i);
	}
	if (!io->fua || failed) {
		append(&d->cache, io);
		return;
	}
	make_safe(d, io);
	free(io);
	if (d->settled)
		d->settled(d->ctx);
}

void disk_flush(struct disk *d)
{
	const struct io *io;

	begin_settling(d);
	for (io = d->cache; io; io = io->next) {
		u32 i;

		for (i = 0; i < io->cells; i++) {
			if (io->alive[i])
				settle_cell(d, io->cell + i,
					    io->data + bytes_of(d, i));
		}
	}
	free_list(&d->cache);
	if (d->settled)
		d->settled(d->ctx);
}

static bool is_cached(const struct disk *d, u32 cell, const struct io *but)
{
	const struct io *io;

	for (io = d->cache; io; io = io->next) {
		if (io != but && cell >= io->cell && cell - io->cell < io->cells)
			return true;
	}
	return false;
}

void disk_lose(struct disk *d, struct rng *rng)
{
	struct io *io;

	for (io = d->cache; io; io = io->next) {
		u32 i;

		for (i = 0; !io->op && i < io->cells; i++) {
			u32 cell = io->cell + i;

			if (!io->alive[i] || is_cached(d, cell, io) ||
			    one_in(rng, 2))
				continue;
			io->alive[i] = 0;
			memcpy(at(d->view, d, cell), at(d->safe, d, cell),
			       d->unit);
		}
	}
}

/* ---- a copy, while the engine goes on with the original ---- */

void disk_fork(struct disk *kept, struct disk *d)
{
	const struct io *io;

	disk_init(kept, d->cells, d->unit);
	memcpy(kept->view, d->view, bytes_of(d, d->cells));
	memcpy(kept->safe, d->safe, bytes_of(d, d->cells));
	kept->settles = d->settles;
	/* Nobody waits for what is in the cache. */
	kept->cache = d->cache;
	d->cache = NULL;
	for (io = d->flight; io; io = io->next)
		disk_submit(kept, io->cell, io->cells, io->data, io->fua,
			    io->op);
}

void disk_reset(struct disk *d, struct rng *rng)
{
	while (d->flight)
		disk_complete(d, d->flight, one_in(rng, 2) ? rng : NULL);
}

/* ---- power cuts ---- */

static u32 cells_in(const struct io *io)
{
	u32 n = 0;

	for (; io; io = io->next)
		n += io->cells;
	return n;
}

static u32 add_picks(struct disk *d, struct io *io, u32 n)
{
	for (; io; io = io->next) {
		u32 i;

		for (i = 0; i < io->cells; i++) {
			u32 cell = io->cell + i;

			if (!io->alive[i])
				continue;
			/* No news, unless an older version is pending. */
			if (!d->mark[cell] &&
			    !memcmp(at(d->safe, d, cell),
				    io->data + bytes_of(d, i), d->unit))
				continue;
			d->mark[cell] = 1;
			d->pick[n++] = (struct pick){ io, i };
		}
	}
	return n;
}

u32 disk_pending(struct disk *d)
{
	u32 max = cells_in(d->cache) + cells_in(d->flight);
	u32 n;

	free(d->pick);
	d->pick = xalloc((max + 1) * sizeof(*d->pick));
	memset(d->mark, 0, d->cells);
	n = add_picks(d, d->cache, 0);
	return add_picks(d, d->flight, n);
}

void disk_copy(struct disk *to, const struct disk *from)
{
	memcpy(to->safe, from->safe, bytes_of(from, from->cells));
	memcpy(to->view, from->safe, bytes_of(from, from->cells));
	memset(to->is_touched, 0, to->cells);
	to->touches = 0;
}

void disk_set(struct disk *to, u32 cell, const u8 *data)
{
	memcpy(at(to->safe, to, cell), data, to->unit);
	memcpy(at(to->view, to, cell), data, to->unit);
	touch(to, cell);
}

void disk_put(struct disk *to, const struct pick *pick)
{
	disk_set(to, pick->io->cell + pick->i,
		 pick->io->data + bytes_of(to, pick->i));
}

void disk_revert(struct disk *to, const struct disk *from)
{
	free_list(&to->cache);
	free_list(&to->flight);
	while (to->touches) {
		u32 cell = to->touched[--to->touches];
		const u8 *data = from->safe + bytes_of(from, cell);

		memcpy(at(to->safe, to, cell), data, to->unit);
		memcpy(at(to->view, to, cell), data, to->unit);
		to->is_touched[cell] = 0;
	}
}

/* A pattern that keeps or loses whole writes. */
static void by_write(const struct pick *pick, u32 n, u32 kind, struct rng *rng,
		     u8 *keep)
{
	const struct io *chosen = pick[rng_below(rng, n)].io;
	u64 salt = rng_next(rng);
	u32 i;

	for (i = 0; i < n; i++) {
		const struct io *io = pick[i].io;

		switch (kind) {
		case 0:		/* all but one */
			keep[i] = io != chosen;
			break;
		case 1:		/* one alone */
			keep[i] = io == chosen;
			break;
		case 2:		/* the newest alone */
			keep[i] = io == pick[n - 1].io;
			break;
		case 3:		/* one of them torn */
			keep[i] = io != chosen || one_in(rng, 2);
			break;
		default:	/* any of them */
			keep[i] = mix(salt ^ io->cell ^ (u64)io->cells << 32) & 1;
			break;
		}
	}
}

void pick_pattern(const struct pick *pick, u32 n, struct rng *rng, u8 *keep)
{
	u32 kind = rng_below(rng, 10);
	u32 lost = n ? rng_below(rng, n) : 0;
	u32 i;

	if (n && kind < 5) {
		by_write(pick, n, kind, rng, keep);
		return;
	}
	for (i = 0; i < n; i++) {
		switch (kind) {
		case 5:
			keep[i] = one_in(rng, 8);
			break;
		case 6:
			keep[i] = !one_in(rng, 8);
			break;
		case 7:
			keep[i] = i != lost;
			break;
		default:
			keep[i] = one_in(rng, 2);
			break;
		}
	}
}

static void cut(struct disk *d, u32 n, const u8 *keep)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u32 cell = d->pick[i].io->cell + d->pick[i].i;

		if (keep[i])
			disk_put(d, &d->pick[i]);
		else
			memcpy(at(d->view, d, cell), at(d->safe, d, cell),
			       d->unit);
		touch(d, cell);
	}
	free_list(&d->cache);
	free_list(&d->flight);
}

void disk_cut(struct disk *d, struct rng *rng)
{
	u32 n = disk_pending(d);
	u8 *keep = xalloc(n + 1);

	pick_pattern(d->pick, n, rng, keep);
	cut(d, n, keep);
	free(keep);
}

void disk_tear(struct disk *d, u32 cells, bool none, struct rng *rng)
{
	u32 n = disk_pending(d);
	u8 *keep = xalloc(n + 1);
	u32 i;

	for (i = 0; i < n; i++)
		keep[i] = d->pick[i].io->cell >= cells ||
			  (!none && one_in(rng, 2));
	cut(d, n, keep);
	free(keep);
}
