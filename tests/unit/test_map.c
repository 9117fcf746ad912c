// SPDX-License-Identifier: GPL-2.0
/*
 * test_map.c - the block map against an array with one state a block
 */
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "bow_map.h"

/* More than two leaves, the last one not full. */
#define BLOCKS (2 * BOW_LEAF_BLOCKS + 4321)

static struct bow_map map;
static u8 model[BLOCKS];		/* enum bow_block_state */
static u64 seed;

static u64 draw(u64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

/* Half of the ranges lie where a leaf ends. */
static void some_range(u64 *first, u64 *count)
{
	*first = draw(2) ? draw(BLOCKS) : BOW_LEAF_BLOCKS - 100 + draw(200);
	*count = 1 + draw(draw(20) ? 90 : BLOCKS);
	if (*count > BLOCKS - *first)
		*count = BLOCKS - *first;
}

static u64 how_many(enum bow_block_state state)
{
	u64 n = 0, i;

	for (i = 0; i < BLOCKS; i++)
		n += model[i] == state;
	return n;
}

/* Every block of the range that is in state @from gets state @to. */
static u64 change(u64 first, u64 count, enum bow_block_state from,
		  enum bow_block_state to)
{
	u64 n = 0;

	for (; count; first++, count--) {
		if (model[first] == from) {
			model[first] = (u8)to;
			n++;
		}
	}
	return n;
}

static bool same(void)
{
	u64 i;

	for (i = 0; i < BLOCKS; i++) {
		if (bow_map_state(&map, i) != model[i])
			return false;
	}
	return map.free == how_many(BOW_FREE) &&
	       map.held == how_many(BOW_HELD);
}

/* Bits of any word, those behind the end left out. */
static void some_free_bits(void)
{
	u64 word = draw((BLOCKS + 63) / 64), i;
	u64 bits = draw(1ull << 31) << 33 | draw(1ull << 31);

	for (i = 0; i < 64; i++) {
		if (word * 64 + i >= BLOCKS)
			bits &= ~(1ull << i);
		else if (bits >> i & 1)
			change(word * 64 + i, 1, BOW_USED, BOW_FREE);
	}
	if (bow_map_add_free_word(&map, word, bits))
		abort();
}

/* Random free ranges and bits, added and removed, before the map is armed. */
static void random_free(void)
{
	u64 first, count, i;

	memset(model, BOW_USED, sizeof(model));
	for (i = 0; i < 60; i++) {
		some_range(&first, &count);
		switch (draw(3)) {
		case 0:
			if (bow_map_add_free(&map, first, count))
				abort();
			change(first, count, BOW_USED, BOW_FREE);
			break;
		case 1:
			some_free_bits();
			break;
		default:
			bow_map_remove_free(&map, first, count);
			change(first, count, BOW_FREE, BOW_USED);
		}
		model[0] = BOW_USED;
	}
}

static void test_free_set(void)
{
	CHECK(bow_map_init(&map, BLOCKS) == 0);
	random_free();
	CHECK(map.free == how_many(BOW_FREE));
	CHECK(bow_map_arm(&map) == 0);
	CHECK(same());
	bow_map_disarm(&map);
	CHECK(map.free == how_many(BOW_FREE));
	CHECK(bow_map_arm(&map) == 0);
	CHECK(same());
	bow_map_clear(&map);
	CHECK(map.free == 0);
	bow_map_free(&map);
}

/* How far the copy bit stays the same. */
static u64 model_run(u64 first, u64 count, bool *copy)
{
	u64 n = 0;

	while (n < count) {
		enum bow_block_state s = model[first + n];
		bool c = s == BOW_USED || s == BOW_HELD || s == BOW_RETURNING;

		if (n == 0)
			*copy = c;
		else if (c != *copy)
			break;
		n++;
	}
	return n;
}

static bool run_right(u64 first, u64 count)
{
	bool copy = false, want = true;

	return bow_map_run(&map, first, count, &copy) ==
		       model_run(first, count, &want) &&
	       copy == want;
}

static bool alloc_right(u64 want)
{
	u64 free = map.free, first = 0;
	u64 n = bow_map_alloc(&map, want, &first);

	if (n > want || (n == 0) != (free == 0))
		return false;
	return first + n <= BLOCKS && first + n >= n &&
	       change(first, n, BOW_FREE, BOW_HELD) == n;
}

/* Give back the HELD blocks at the start of the range. */
static void unalloc(u64 first, u64 count)
{
	u64 n = 0;

	while (n < count && model[first + n] == BOW_HELD)
		n++;
	bow_map_unalloc(&map, first, n);
	change(first, n, BOW_HELD, BOW_FREE);
}

static bool step(void)
{
	u64 first, count;

	some_range(&first, &count);
	switch (draw(9)) {
	case 0:
		bow_map_take(&map, first, count, NULL);
		change(first, count, BOW_FREE, BOW_TAKEN);
		return true;
	case 1:
		unalloc(first, count);
		return true;
	case 2:
		/* As the core: what is to be overwritten returns no more. */
		bow_map_return_cancel(&map, first, count);
		change(first, count, BOW_RETURNING, BOW_TAKEN);
		bow_map_release(&map, first, count);
		change(first, count, BOW_USED, BOW_CHANGED);
		change(first, count, BOW_HELD, BOW_TAKEN);
		return true;
	case 3:
		return bow_map_return_begin(&map, first, count) ==
		       change(first, count, BOW_TAKEN, BOW_RETURNING);
	case 4:
		bow_map_return_end(&map, first, count);
		change(first, count, BOW_RETURNING, BOW_FREE);
		return true;
	case 5:
		bow_map_return_cancel(&map, first, count);
		change(first, count, BOW_RETURNING, BOW_TAKEN);
		return true;
	case 6:
		return run_right(first, count);
	default:
		return alloc_right(1 + draw(300));
	}
}

static void test_random(void)
{
	u64 round, i;

	for (round = 0; round < 6; round++) {
		CHECK(bow_map_init(&map, BLOCKS) == 0);
		random_free();
		CHECK(bow_map_arm(&map) == 0);
		for (i = 0; i < 400; i++) {
			CHECK(step());
			if (i % 10 == 0)
				CHECK(same());
		}
		CHECK(same());
		bow_map_free(&map);
	}
}

static void test_exhausted(void)
{
	u64 first, n, got = 0;

	CHECK(bow_map_init(&map, BLOCKS) == 0);
	random_free();
	CHECK(bow_map_arm(&map) == 0);
	n = map.free;
	while (map.free) {
		CHECK(alloc_right(7));
		got++;
	}
	CHECK(got >= (n + 6) / 7);
	CHECK(bow_map_alloc(&map, 1, &first) == 0);
	CHECK(map.held == n && same());
	/* What comes back is found again, wherever it is. */
	unalloc(0, BLOCKS);
	for (first = 0; first < BLOCKS && map.free == 0; first++)
		unalloc(first, 1);
	CHECK(map.free > 0);
	CHECK(alloc_right(1));
	CHECK(same());
	bow_map_free(&map);
}

static void test_from_the_end(void)
{
	u64 first;

	CHECK(bow_map_init(&map, 1000) == 0);
	CHECK(bow_map_add_free(&map, 100, 50) == 0);
	CHECK(bow_map_add_free(&map, 900, 50) == 0);
	CHECK(bow_map_arm(&map) == 0);
	CHECK(bow_map_alloc(&map, 10, &first) == 10 && first == 900);
	CHECK(bow_map_alloc(&map, 10, &first) == 10 && first == 910);
	bow_map_take(&map, 920, 5, NULL);
	CHECK(bow_map_alloc(&map, 100, &first) == 25 && first == 925);
	CHECK(bow_map_alloc(&map, 100, &first) == 50 && first == 100);
	bow_map_free(&map);
}

static void test_spare_plane(void)
{
	u64 *plane = bow_alloc_plane(true);

	CHECK(plane && bow_map_init(&map, BLOCKS) == 0);
	map.spare = plane;
	CHECK(bow_map_add_free(&map, 10, 10) == 0);
	CHECK(!map.spare && map.leaf[0].was_free == plane);
	CHECK(bow_map_add_free(&map, 0, 1) == 0 && map.free == 10);
	bow_map_free(&map);
	bow_map_free(&map);
}

int main(void)
{
	seed = 1;
	RUN(test_free_set, "the free set survives arming and disarming");
	RUN(test_random, "random operations agree with an array of states");
	RUN(test_exhausted, "every free block can be had, and none twice");
	RUN(test_from_the_end, "blocks are taken from the end of the device");
	RUN(test_spare_plane, "a plane in hand is used; freeing twice is allowed");
	return tap_done();
}
