// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_plan.c - libFuzzer: the map and the plan, against a plain array
 *
 * Three bytes are a move: source, dest, sectors.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "log.h"

#define SECTORS 128u

/* runs: what a run of the map tells of, if only that it is in place. */
static FUZZ_QUIET void undo(u8 *where, bool *runs, u32 source, u32 dest, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		where[source + i] = where[dest + i];
		runs[source + i] = true;
	}
	for (i = 0; i < n; i++) {
		where[dest + i] = (u8)(dest + i);
		runs[dest + i] = false;
	}
}

/* Nothing that a sector's contents lie in may be a sector to be put back. */
static FUZZ_QUIET bool disjoint(const u8 *where, const bool *runs)
{
	u32 i;

	for (i = 1; i < SECTORS; i++)
		if (runs[i] && runs[where[i]])
			return false;
	return !runs[where[0]];
}

static FUZZ_QUIET void compare(const struct bow_log *log, const u8 *where,
			       const bool *runs)
{
	struct bow_plan plan;
	struct bow_error e;
	struct bow_run run = { 0 };
	u32 at = 1, i;
	int r;

	for (i = 0; i < SECTORS; i += 5) {
		u64 n = 1;

		if (bow_where_get(log->where, i, &n) != where[i] || n != 1)
			abort();
	}
	while (bow_plan_next(log, run.target + run.sectors, &run)) {
		for (; at < run.target; at++)
			if (runs[at])
				abort();
		for (i = 0; i < run.sectors; i++, at++)
			if (where[at] != run.place + i || !runs[at])
				abort();
	}
	for (; at < SECTORS; at++)
		if (runs[at])
			abort();
	r = bow_plan_make(log, &plan, &e);
	if (!r != disjoint(where, runs) || plan.block0 != where[0])
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	struct bow_log log = { .bs = BOW_SECTOR_SIZE };
	u8 where[SECTORS];
	bool runs[SECTORS] = { false };
	u32 i;

	log.where = bow_where_new();
	if (!log.where)
		return 0;
	for (i = 0; i < SECTORS; i++)
		where[i] = (u8)i;
	for (; bytes >= 3; data += 3, bytes -= 3) {
		u32 s = data[0], d = data[1], n = 1 + (data[2] & 15);

		if (s + n > SECTORS || d + n > SECTORS ||
		    (s < d + n && d < s + n))
			continue;
		undo(where, runs, s, d, n);
		if (bow_where_undo(log.where, s, d, n))
			abort();
	}
	compare(&log, where, runs);
	bow_where_free(log.where);
	return 0;
}
