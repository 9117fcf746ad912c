// SPDX-License-Identifier: GPL-2.0
/*
 * map.c - what the block map costs: memory, and time of each operation
 *
 *   map SIZE-GIB RANGES [SEED]
 *
 * A device of SIZE GiB of 4 KiB blocks, half of them free in RANGES ranges of
 * equal length.  Prints one line:
 *
 *   MEMORY-KIB ADD-NS ARM-MS LOOKUP-NS OVERWRITE-NS CHANGED-NS ALLOC-NS FULL-NS
 *
 * MEMORY of the armed map; ADD, of one range to the free set; ARM, the start of a
 * checkpoint; LOOKUP, whether a write to a random block may go at once; OVERWRITE,
 * the plan of a first overwrite of a random block, its share of the batch
 * included; CHANGED, the lookup of a block that is backed up; ALLOC, of a place for
 * a backup; FULL, of the last free block of the device, at its front, after a
 * block at its end was given back and taken again.  Time of the processor.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bow_core.h"
#include "bow_freemap.h"

#define BLOCKS_PER_GIB (1u << 18)
#define LOOKUPS 1000000u
#define OVERWRITES 100000u
#define BATCH 200u

static struct bow_core core;
static struct bow_batch batch;
static struct bow_log_writes writes;
static u8 block0[4096];
static u64 rng;

static u64 next(void)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return rng * 0x2545f4914f6cdd1dull;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "map: %s\n", what);
	exit(1);
}

static double add_ranges(u64 blocks, u64 ranges)
{
	u64 stride = blocks / ranges, i;
	double begin = now_ns();

	for (i = 0; i < ranges; i++) {
		if (bow_map_add_free(&core.map, i * stride + stride / 2,
				     stride - stride / 2))
			die("no memory");
	}
	return (now_ns() - begin) / (double)ranges;
}

static double activate(void)
{
	struct bow_core_params p = { .id = { 7 } };
	struct bow_write_list list;
	struct bow_write w;
	double begin = now_ns();

	if (bow_core_activate(&core, &p, block0, &list))
		die("no checkpoint");
	while (bow_free_map_next(&core, &w))
		;
	return (now_ns() - begin) / 1e6;
}

/* Without effect on the map: what a write asks before it may go. */
static double lookups(u64 blocks)
{
	double begin = now_ns();
	u64 i, free = 0;

	for (i = 0; i < LOOKUPS; i++) {
		u64 region, block = 1 + next() % (blocks - 1);
		bool copy;

		bow_map_run(&core.map, block, 1, &copy);
		free += !copy &&
			!bow_core_unclaimed(&core, block, 1, &region);
	}
	if (free > LOOKUPS)
		die("impossible");
	return (now_ns() - begin) / LOOKUPS;
}

static double overwrites(u64 blocks)
{
	double begin = now_ns();
	u64 n = 0, j;

	while (n < OVERWRITES) {
		bow_batch_begin(&batch);
		for (j = 0; j < BATCH; j++, n++) {
			int r = bow_batch_add(&core, &batch,
					      1 + next() % (blocks - 1), 1);

			if (r == -E2BIG)
				break;
			if (r)
				die("no room");
		}
		bow_batch_seal(&core, &batch, &writes);
		bow_batch_done(&core, &batch);
	}
	return (now_ns() - begin) / (double)n;
}

#define SEARCHES 100u

static double allocations(double *search)
{
	u64 n = 0, first;
	double begin = now_ns(), from;

	while (core.map.free > 1) {
		bow_map_alloc(&core.map, 1, &first);
		n++;
	}
	begin = (now_ns() - begin) / (double)n;
	/* As after a discard of a block at the end, which is taken again. */
	from = now_ns();
	for (n = 0; n < SEARCHES; n++) {
		core.map.cursor = core.map.blocks;
		core.map.window = core.map.window_end = 0;
		if (!bow_map_alloc(&core.map, 1, &first))
			die("none left");
		bow_map_unalloc(&core.map, first, 1);
	}
	*search = (now_ns() - from) / SEARCHES;
	return begin;
}

int main(int argc, char **argv)
{
	u64 blocks, ranges;
	size_t empty = mallinfo2().uordblks;
	double add, arm, look, over, changed, alloc, full;
	size_t memory;

	if (argc < 3) {
		fprintf(stderr, "usage: map SIZE-GIB RANGES [SEED]\n");
		return 16;
	}
	blocks = strtoull(argv[1], NULL, 0) * BLOCKS_PER_GIB;
	ranges = strtoull(argv[2], NULL, 0);
	rng = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	if (bow_core_init(&core, blocks * 8, 4096))
		die("no memory");
	add = add_ranges(blocks, ranges);
	arm = activate();
	memory = mallinfo2().uordblks + mallinfo2().hblkhd - empty;
	look = lookups(blocks);
	over = overwrites(blocks);
	changed = lookups(blocks);
	alloc = allocations(&full);
	printf("%zu %.0f %.1f %.0f %.0f %.0f %.0f %.0f\n", memory / 1024, add,
	       arm, look, over, changed, alloc, full);
	bow_core_exit(&core);
	return 0;
}
