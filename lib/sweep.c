// SPDX-License-Identifier: GPL-2.0
/*
 * sweep.c - reading many pieces of a device in the order in which they lie
 */
#include "log.h"
#include "sweep.h"

/* How far ahead the kernel is told. */
#define AHEAD_BYTES (16u * BOW_IO_BYTES)
#define AHEAD_PIECES 4096u

int bow_sweep_init(struct bow_sweep *s, struct bow_dev *dev,
		   const struct bow_monitor *m, u32 room, struct bow_error *e)
{
	memset(s, 0, sizeof(*s));
	s->dev = dev;
	s->monitor = m;
	s->buf = bow_alloc(BOW_IO_BYTES);
	for (; s->buf && !s->piece && room; room /= 2) {
		s->piece = bow_alloc(room * sizeof(*s->piece));
		s->room = room;
	}
	if (s->piece)
		return 0;
	bow_sweep_free(s);
	return bow_no_memory(e);
}

void bow_sweep_free(struct bow_sweep *s)
{
	bow_free(s->buf);
	bow_free(s->piece);
	memset(s, 0, sizeof(*s));
}

static int by_place(const void *a, const void *b)
{
	const struct bow_piece *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static u64 piece_end(const struct bow_piece *p)
{
	return p->place + (p->bytes >> BOW_SECTOR_SHIFT);
}

/* Pieces first .. end - 1, which touch or overlap. */
struct request {
	u64 place;
	u64 sectors;
	u32 first;
	u32 end;
};

/* The request that begins with piece r->end; false: there is none. */
static bool next_request(const struct bow_sweep *s, struct request *r)
{
	u64 end;

	if (r->end == s->count)
		return false;
	r->first = r->end;
	r->place = s->piece[r->first].place;
	end = piece_end(&s->piece[r->first]);
	while (++r->end < s->count) {
		const struct bow_piece *p = &s->piece[r->end];
		u64 longer = piece_end(p) > end ? piece_end(p) : end;

		if (p->place > end ||
		    longer - r->place > BOW_IO_BYTES >> BOW_SECTOR_SHIFT)
			break;
		end = longer;
	}
	r->sectors = end - r->place;
	return true;
}

/* Tell the device what follows request `now`. */
static void look_ahead(struct bow_sweep *s, const struct request *now,
		       struct request *ahead, u64 *told)
{
	while (*told < AHEAD_BYTES &&
	       ahead->end - now->first < AHEAD_PIECES) {
		if (!next_request(s, ahead))
			return;
		*told += ahead->sectors << BOW_SECTOR_SHIFT;
		bow_dev_ahead(s->dev, ahead->place << BOW_SECTOR_SHIFT,
			      ahead->sectors << BOW_SECTOR_SHIFT);
	}
}

static int visit_pieces(const struct bow_sweep *s, const struct request *r,
			bow_sweep_visit visit, void *ctx, struct bow_error *e)
{
	u32 i;
	int ret = 0;

	for (i = r->first; i < r->end && !ret; i++) {
		const struct bow_piece *p = &s->piece[i];
		u64 at = (p->place - r->place) << BOW_SECTOR_SHIFT;

		ret = visit(ctx, p->tag, s->buf + at, p->bytes, e);
	}
	return ret;
}

int bow_sweep_run(struct bow_sweep *s, bow_sweep_visit visit, void *ctx,
		  struct bow_error *e)
{
	struct request now = { 0 }, ahead = { 0 };
	u64 told = 0;		/* bytes, and not read yet */
	int r = 0;

	qsort(s->piece, s->count, sizeof(*s->piece), by_place);
	while (!r && next_request(s, &now)) {
		size_t bytes = (size_t)now.sectors << BOW_SECTOR_SHIFT;

		look_ahead(s, &now, &ahead, &told);
		told -= bytes;
		s->tag = s->piece[now.first].tag;
		r = bow_stopped(s->monitor, e);
		if (!r)
			r = bow_get(s->dev, now.place, s->buf, bytes, e);
		if (!r)
			r = visit_pieces(s, &now, visit, ctx, e);
	}
	s->count = 0;
	return r;
}
