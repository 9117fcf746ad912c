// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - what the blocks of a device are; see blocks.h
 */
#include "blocks.h"

#define LEAF_WORDS 512u
#define LEAF_BLOCKS (64u * LEAF_WORDS)

struct bow_leaf_sets {
	u64 word[LEAF_WORDS][BOW_SETS];
};

int bow_blocks_init(struct bow_blocks *b, u64 count)
{
	b->count = count;
	b->leaves = count / LEAF_BLOCKS + 1;
	b->leaf = bow_alloc((size_t)b->leaves * sizeof(*b->leaf));
	return b->leaf ? 0 : -ENOMEM;
}

void bow_blocks_free(struct bow_blocks *b)
{
	u64 i;

	for (i = 0; b->leaf && i < b->leaves; i++)
		bow_free(b->leaf[i]);
	bow_free(b->leaf);
	memset(b, 0, sizeof(*b));
}

/* The part of a range that lies in one word; *word NULL: in no leaf. */
static u64 span(const struct bow_blocks *b, u64 first, u64 count, u64 **word,
		u64 *mask)
{
	struct bow_leaf_sets *leaf = b->leaf[first / LEAF_BLOCKS];
	u32 bit = (u32)(first % 64);
	u64 n = count < 64 - bit ? count : 64 - bit;

	*mask = (n < 64 ? (1ull << n) - 1 : ~0ull) << bit;
	*word = leaf ? leaf->word[first % LEAF_BLOCKS / 64] : NULL;
	return n;
}

static int make_leaf(struct bow_blocks *b, u64 block)
{
	struct bow_leaf_sets **leaf = &b->leaf[block / LEAF_BLOCKS];

	if (!*leaf)
		*leaf = bow_alloc(sizeof(**leaf));
	return *leaf ? 0 : -ENOMEM;
}

int bow_blocks_add(struct bow_blocks *b, enum bow_set set, u64 first,
		   u64 count)
{
	u64 *word, mask, n;

	for (; count; first += n, count -= n) {
		if (make_leaf(b, first))
			return -ENOMEM;
		n = span(b, first, count, &word, &mask);
		word[set] |= mask;
	}
	return 0;
}

int bow_blocks_mention(struct bow_blocks *b, enum bow_set set, u64 first,
		       u64 count)
{
	u64 *word, mask, n;

	for (; count; first += n, count -= n) {
		if (make_leaf(b, first))
			return -ENOMEM;
		n = span(b, first, count, &word, &mask);
		word[set] |= mask & ~(word[BOW_SET_HELD] | word[BOW_SET_USED]);
	}
	return 0;
}

void bow_blocks_claim(struct bow_blocks *b, u64 first, u64 count)
{
	u64 *word, mask, n;

	for (; count; first += n, count -= n) {
		n = span(b, first, count, &word, &mask);
		if (word)
			word[BOW_SET_USED] |= mask & word[BOW_SET_FREE] &
					      ~word[BOW_SET_HELD];
	}
}

int bow_blocks_hold(struct bow_blocks *b, u64 block)
{
	u64 *word, mask;

	if (make_leaf(b, block))
		return -ENOMEM;
	span(b, block, 1, &word, &mask);
	word[BOW_SET_HELD] |= mask;
	word[BOW_SET_USED] &= ~mask;
	return 0;
}

bool bow_blocks_has(const struct bow_blocks *b, enum bow_set set, u64 block)
{
	u64 *word, mask;

	span(b, block, 1, &word, &mask);
	return word && word[set] & mask;
}

/* ---- runs ---- */

struct run {
	u64 first, count;
	bow_blocks_visit visit;
	void *ctx;
};

static int end_run(struct run *run)
{
	u64 count = run->count;

	run->count = 0;
	return count ? run->visit(run->ctx, run->first, count) : 0;
}

/* The blocks of one word, the first of which is `at`. */
static int walk_word(struct run *run, u64 at, u64 bits)
{
	u32 i = 0;
	int r = 0;

	if (bits == ~0ull && run->count) {
		run->count += 64;
		return 0;
	}
	while (i < 64 && !r) {
		if (!(bits >> i)) {
			r = end_run(run);
			break;
		}
		if (!(bits >> i & 1))
			r = end_run(run);
		else if (run->count++ == 0)
			run->first = at + i;
		i++;
	}
	return r;
}

int bow_blocks_each(const struct bow_blocks *b, bow_blocks_pick pick,
		    bow_blocks_visit visit, void *ctx)
{
	struct run run = { .visit = visit, .ctx = ctx };
	u64 i;
	int r = 0;

	for (i = 0; i < b->leaves && !r; i++) {
		const struct bow_leaf_sets *leaf = b->leaf[i];
		u32 w;

		for (w = 0; leaf && w < LEAF_WORDS && !r; w++)
			r = walk_word(&run, i * LEAF_BLOCKS + w * 64u,
				      pick(leaf->word[w]));
		if (!leaf)
			r = end_run(&run);
	}
	return r ? r : end_run(&run);
}
