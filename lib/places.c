// SPDX-License-Identifier: GPL-2.0
/*
 * places.c - where the log blocks are, so that the plan can ask whether a rollback
 * would write there
 */
#include "log.h"

/* With its head a page, nearly; tests make it small. */
#ifndef CHUNK_PLACES
#define CHUNK_PLACES 508u
#endif

struct bow_places {
	struct bow_places *next;
	u64 place[CHUNK_PLACES];
};

u64 bow_places_newest(const struct bow_log *log)
{
	if (log->torn == BOW_TORN_ROLLOVER_NEW)
		return log->header.prev_log;
	return log->torn == BOW_TORN_ROLLOVER_OLD ? log->header.next_log : 0;
}

int bow_places_add(struct bow_log *log, u64 place, struct bow_error *e)
{
	u64 at = log->log_blocks % CHUNK_PLACES;

	if (at == 0) {
		/* Those of an earlier walk are used again. */
		struct bow_places **next =
			log->log_blocks ? &log->last_places->next : &log->places;

		if (!*next)
			*next = bow_alloc(sizeof(**next));
		if (!*next) {
			e->in_block = false;
			return bow_no_memory(e);
		}
		log->last_places = *next;
	}
	log->last_places->place[at] = place;
	log->log_blocks++;
	return 0;
}

int bow_places_each(const struct bow_log *log, bow_places_visit visit,
		    struct bow_error *e)
{
	const struct bow_places *p = log->places;
	u64 i;
	int r = 0;

	for (i = 0; i < log->log_blocks && !r; i++) {
		u64 place = p->place[i % CHUNK_PLACES];

		if (place)
			r = visit(log, log->newest.sequence - (u32)i, place, e);
		if (i % CHUNK_PLACES == CHUNK_PLACES - 1)
			p = p->next;
	}
	return r;
}

void bow_places_free(struct bow_log *log)
{
	while (log->places) {
		struct bow_places *next = log->places->next;

		bow_free(log->places);
		log->places = next;
	}
}
