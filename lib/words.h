/* SPDX-License-Identifier: GPL-2.0 */
/*
 * words.h - a list of numbers that grows
 *
 * In pieces of a page: no large run of memory is asked for, and nothing is copied.
 */
#ifndef BOW_WORDS_H
#define BOW_WORDS_H

#include "bow_shim.h"

struct bow_words_piece;

/* All zeros: an empty list. */
struct bow_words {
	struct bow_words_piece *first, *last;
	u64 count;
};

/* 0 or -ENOMEM; the list is as before. */
int bow_words_add(struct bow_words *w, u64 word);

/* Empty it, but keep the memory for the next words. */
void bow_words_clear(struct bow_words *w);
void bow_words_free(struct bow_words *w);

/* Where a reader is in a list; all zeros: at its start. */
struct bow_words_reader {
	const struct bow_words_piece *piece;
	u64 at;
};

/* The next word; false: that was the last one. */
bool bow_words_next(const struct bow_words *w, struct bow_words_reader *r,
		    u64 *word);

#endif /* BOW_WORDS_H */
