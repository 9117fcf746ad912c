// SPDX-License-Identifier: GPL-2.0
/*
 * filter.c - a set of sectors in bounded memory
 */
#include "filter.h"

#define BYTES_MIN 1024u

static u64 words(const struct bow_filter *f, u64 sectors)
{
	return (sectors >> f->shift) / 64 + 1;
}

static u32 log2_of(u32 block_sectors)
{
	u32 shift = 0;

	while (block_sectors >> (shift + 1))
		shift++;
	return shift;
}

int bow_filter_init_exact(struct bow_filter *f, u64 sectors, u32 block_sectors)
{
	u64 n;

	f->shift = log2_of(block_sectors);
	n = words(f, sectors);
	f->word = n <= SIZE_MAX / sizeof(u64) ?
			  bow_alloc((size_t)n * sizeof(u64)) : NULL;
	return f->word ? 0 : -ENOMEM;
}

int bow_filter_init(struct bow_filter *f, u64 sectors, u32 block_sectors,
		    size_t bytes)
{
	f->shift = log2_of(block_sectors);
	while (words(f, sectors) * sizeof(u64) > BYTES_MIN &&
	       words(f, sectors) * sizeof(u64) > bytes)
		f->shift++;
	for (;;) {
		size_t n = (size_t)words(f, sectors) * sizeof(u64);

		f->word = bow_alloc(n);
		if (f->word)
			return 0;
		if (n <= BYTES_MIN)
			return -ENOMEM;
		f->shift++;
	}
}

void bow_filter_free(struct bow_filter *f)
{
	bow_free(f->word);
	f->word = NULL;
}

/* The part of bits [*at, end) that lies in one word; *at moves past it. */
static u64 *next_word(const struct bow_filter *f, u64 *at, u64 end, u64 *mask)
{
	u64 *word = &f->word[*at / 64];
	u32 bit = (u32)(*at % 64);
	u64 n = end - *at < 64 - bit ? end - *at : 64 - bit;

	*mask = (n < 64 ? (1ull << n) - 1 : ~0ull) << bit;
	*at += n;
	return word;
}

static u64 bits_end(const struct bow_filter *f, u64 start, u64 n)
{
	return ((start + n - 1) >> f->shift) + 1;
}

void bow_filter_add(struct bow_filter *f, u64 start, u64 n)
{
	u64 at = start >> f->shift, end = bits_end(f, start, n), mask;

	while (at < end) {
		u64 *word = next_word(f, &at, end, &mask);

		*word |= mask;
	}
}

void bow_filter_add_again(struct bow_filter *f, struct bow_filter *again,
			  u64 start, u64 n)
{
	u64 at = start >> f->shift, end = bits_end(f, start, n), mask;

	while (at < end) {
		u64 *word = next_word(f, &at, end, &mask);

		again->word[word - f->word] |= *word & mask;
		*word |= mask;
	}
}

bool bow_filter_any(const struct bow_filter *f, u64 start, u64 n)
{
	u64 at = start >> f->shift, end = bits_end(f, start, n), mask;

	while (at < end) {
		u64 *word = next_word(f, &at, end, &mask);

		if (*word & mask)
			return true;
	}
	return false;
}

bool bow_filter_all(const struct bow_filter *f, u64 start, u64 n)
{
	u64 at = start >> f->shift, end = bits_end(f, start, n), mask;

	while (at < end) {
		u64 *word = next_word(f, &at, end, &mask);

		if (~*word & mask)
			return false;
	}
	return true;
}
