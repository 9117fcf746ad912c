/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_stream.h - writers that overwrite one block after the other
 *
 * The journal of a filesystem is one; so is whoever replaces the contents of a
 * large file.  What they overwrite next can be guessed.  Backed up together with
 * what they overwrite now, it takes their next writes no batch, no log write and
 * no flush.
 *
 * A guess is at most as long as what has been written in a row: where it is wrong,
 * a writer has cost no more than twice the copies.  The space of wrong guesses does
 * not come back.  All that writers have not yet reached, and never may, is at most a
 * sixteenth of what is free: then nothing more is guessed.
 */
#ifndef BOW_STREAM_H
#define BOW_STREAM_H

#include "bow_shim.h"

/* Writers that are told apart. */
#define BOW_STREAMS	8u

#define BOW_STREAMS_SHARE	16u

struct bow_stream {
	u64 start;		/* blocks [start, next) were written or */
	u64 next;		/* backed up ahead, one after the other; */
	u64 ahead;		/* so many of them were, since it last went on */
};

/* All zeros: there are none. */
struct bow_streams {
	struct bow_stream stream[BOW_STREAMS];
	u32 oldest;
	u64 unreached;		/* blocks ahead, also of streams given up */
};

/*
 * A write to [first, first + count) has needed backups, and joins a batch.  @went_on:
 * the streams that have gone on in this batch, a bit each.
 */
void bow_streams_note(struct bow_streams *all, u64 first, u64 count,
		      u32 *went_on);

/* The next @count blocks of stream @i are backed up ahead. */
void bow_streams_ahead(struct bow_streams *all, u32 i, u64 count);

/* What went on in this batch cannot be: those streams, and what is ahead of them. */
void bow_streams_forget(struct bow_streams *all, u32 streams);

#endif /* BOW_STREAM_H */
