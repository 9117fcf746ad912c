/* SPDX-License-Identifier: GPL-2.0 */
/*
 * runs.h - the runs of the map: sorted, in chunks; relocate.c knows what they
 * mean
 *
 * A directory of the chunks is sorted as well.  Two binary searches find a run;
 * an insertion moves at most a chunk, and the directory once in many.  Nothing
 * recurses, and no order of insertions is a bad one.
 *
 * A log can have ten million entries, and an initramfs little memory: a run is
 * 16 bytes, and full chunks lend room to one another before one is split.
 */
#ifndef BOW_RUNS_H
#define BOW_RUNS_H

#include "relocate.h"

/* With its head a page, nearly; tests make it small, 4 at least. */
#ifndef CHUNK_RUNS
#define CHUNK_RUNS 254u
#endif

/* start and place in 48 bits each, sectors in what is left of the two. */
struct bow_packed {
	u64 start_high;
	u64 place_low;
};

#define HALF_BITS 16
#define HALF_MASK 0xffffu

struct bow_chunk {
	struct bow_chunk *next; /* in the pool */
	u64 count;
	struct bow_packed run[CHUNK_RUNS];
};

/* The start of its first run stands beside a chunk: searching touches less. */
struct bow_slot {
	u64 start;
	struct bow_chunk *chunk;
};

struct bow_where {
	struct bow_slot *dir; /* no chunk in it is empty */
	size_t chunks;
	size_t room;  /* allocated slots of dir */
	bool limited; /* chunks come from the pool alone */
	struct bow_chunk *pool;
	size_t pooled;
};

/* A run in the map; chunk == w->chunks is the end. */
struct bow_at {
	size_t chunk;
	u32 run;
};

static inline u64 bow_extent_end(const struct bow_extent *x)
{
	return x->start + x->sectors;
}

static inline struct bow_extent bow_unpack(const struct bow_packed *r)
{
	return (struct bow_extent){
		.start = r->start_high >> HALF_BITS,
		.place = r->place_low >> HALF_BITS,
		.sectors = (r->start_high & HALF_MASK) << HALF_BITS |
			   (r->place_low & HALF_MASK),
	};
}

static inline struct bow_packed bow_pack(const struct bow_extent *x)
{
	return (struct bow_packed){
		.start_high = x->start << HALF_BITS | x->sectors >> HALF_BITS,
		.place_low = x->place << HALF_BITS | (x->sectors & HALF_MASK),
	};
}

static inline bool bow_runs_end(const struct bow_where *w, struct bow_at at)
{
	return at.chunk == w->chunks;
}

static inline struct bow_extent bow_run_at(const struct bow_where *w,
					   struct bow_at at)
{
	return bow_unpack(&w->dir[at.chunk].chunk->run[at.run]);
}

static inline void bow_run_set(struct bow_where *w, struct bow_at at,
			       const struct bow_extent *x)
{
	w->dir[at.chunk].chunk->run[at.run] = bow_pack(x);
	if (at.run == 0)
		w->dir[at.chunk].start = x->start;
}

/* The first run that ends above `sector`. */
struct bow_at bow_runs_find(const struct bow_where *w, u64 sector);

/* Insert before the run `at`.  0 or -ENOMEM. */
int bow_runs_insert(struct bow_where *w, struct bow_at at,
		    const struct bow_extent *x);

void bow_runs_remove(struct bow_where *w, struct bow_at at);

#endif /* BOW_RUNS_H */
