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
	struct bow_stream *s;

	if (i < BOW_STREAMS) {
		s = &all->stream[i];
		all->unreached -= s->ahead;
		s->ahead = 0;
		s->next = first + count;
		*went_on |= 1u << i;
		return;
	}
	i = all->oldest;
	all->oldest = (i + 1) % BOW_STREAMS;
	all->stream[i] = (struct bow_stream){ first, first + count, 0 };
	*went_on &= ~(1u << i);
}

void bow_streams_ahead(struct bow_streams *all, u32 i, u64 count)
{
	all->stream[i].next += count;
	all->stream[i].ahead += count;
	all->unreached += count;
}

void bow_streams_forget(struct bow_streams *all, u32 streams)
{
	u32 i;

	for (i = 0; i < BOW_STREAMS; i++) {
		if (!(streams >> i & 1))
			continue;
		all->unreached -= all->stream[i].ahead;
		all->stream[i] = (struct bow_stream){ 0, 0, 0 };
	}
}
