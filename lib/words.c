// SPDX-License-Identifier: GPL-2.0
/*
 * words.c - a list of numbers that grows; see words.h
 */
#include "words.h"

/* With its head a page, nearly; tests make it small. */
#ifndef PIECE_WORDS
#define PIECE_WORDS 508u
#endif

struct bow_words_piece {
	struct bow_words_piece *next;
	u64 word[PIECE_WORDS];
};

int bow_words_add(struct bow_words *w, u64 word)
{
	u64 at = w->count % PIECE_WORDS;

	if (at == 0) {
		/* There may be one from before the list was cleared. */
		struct bow_words_piece **next =
			w->count ? &w->last->next : &w->first;

		if (!*next)
			*next = bow_alloc(sizeof(**next));
		if (!*next)
			return -ENOMEM;
		w->last = *next;
	}
	w->last->word[at] = word;
	w->count++;
	return 0;
}

void bow_words_clear(struct bow_words *w)
{
	w->count = 0;
}

void bow_words_free(struct bow_words *w)
{
	while (w->first) {
		struct bow_words_piece *next = w->first->next;

		bow_free(w->first);
		w->first = next;
	}
	memset(w, 0, sizeof(*w));
}

bool bow_words_next(const struct bow_words *w, struct bow_words_reader *r,
		    u64 *word)
{
	if (r->at >= w->count)
		return false;
	if (r->at % PIECE_WORDS == 0)
		r->piece = r->at ? r->piece->next : w->first;
	*word = r->piece->word[r->at++ % PIECE_WORDS];
	return true;
}
