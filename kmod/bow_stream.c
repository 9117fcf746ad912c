// SPDX-License-Identifier: GPL-2.0
/*
 * bow_stream.c - writers that overwrite one block after the other
 */
#include "bow_stream.h"

/* The stream that goes on somewhere in the range, block 0 being nobody's. */
static u32 find(const struct bow_streams *all, u64 first, u64 count)
{
	u32 i;

	for (i = 0; i < BOW_STREAMS; i++) {
		const struct bow_stream *s = &all->stream[i];

		if (s->next && s->next >= first && s->next - first < count)
			break;
	}
	return i;
}

void bow_streams_note(struct bow_streams *all, u64 first, u64 count,
		      u32 *went_on)
{
	u32 i = find(all, first, count);

	if (i < BOW_STREAMS) {
		all->stream[i].next = first + count;
		*went_on |= 1u << i;
		return;
	}
	i = all->oldest;
	all->oldest = (i + 1) % BOW_STREAMS;
	all->stream[i] = (struct bow_stream){ first, first + count };
	*went_on &= ~(1u << i);
}
