// SPDX-License-Identifier: GPL-2.0
/*
 * bow_stream.c - writers that overwrite one block after the other
 */
#include "bow_stream.h"

/* The stream that goes on somewhere in the range, block 0 being nobody's. */
static struct bow_stream *find(struct bow_streams *all, u64 first, u64 count)
{
	u32 i;

	for (i = 0; i < BOW_STREAMS; i++) {
		struct bow_stream *s = &all->stream[i];

		if (s->next && s->next >= first && s->next - first < count)
			return s;
	}
	return NULL;
}

void bow_streams_note(struct bow_streams *all, u64 first, u64 count)
{
	struct bow_stream *s = find(all, first, count);

	if (s) {
		s->next = first + count;
		s->due = true;
		return;
	}
	s = &all->stream[all->oldest];
	all->oldest = (all->oldest + 1) % BOW_STREAMS;
	*s = (struct bow_stream){ .start = first, .next = first + count };
}

struct bow_stream *bow_streams_due(struct bow_streams *all)
{
	u32 i;

	for (i = 0; i < BOW_STREAMS; i++) {
		struct bow_stream *s = &all->stream[i];

		if (s->due) {
			s->due = false;
			return s;
		}
	}
	return NULL;
}
