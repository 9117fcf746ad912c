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
 * a writer has cost no more than twice the copies.
 */
#ifndef BOW_STREAM_H
#define BOW_STREAM_H

#include "bow_shim.h"

/* Writers that are told apart. */
#define BOW_STREAMS	8u

struct bow_stream {
	u64 start;		/* blocks [start, next) were written or */
	u64 next;		/* backed up ahead, one after the other */
};

/* All zeros: there are none. */
struct bow_streams {
	struct bow_stream stream[BOW_STREAMS];
	u32 oldest;
};

/*
 * A write to [first, first + count) has needed backups, and joins a batch.  @went_on:
 * the streams that have gone on in this batch, a bit each.
 */
void bow_streams_note(struct bow_streams *all, u64 first, u64 count,
		      u32 *went_on);

#endif /* BOW_STREAM_H */
