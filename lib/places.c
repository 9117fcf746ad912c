// SPDX-License-Identifier: GPL-2.0
/*
 * places.c - what a rollback has to leave where it is, beside what it copies: it
 * is read again when the rollback was interrupted
 *
 * Log blocks; and backups that no copy is made of, since an older entry has saved the
 * same block.  The plan asks whether it would write there.
 */
#include "log.h"

u64 bow_places_newest(const struct bow_log *log)
{
	if (log->torn == BOW_TORN_ROLLOVER_NEW)
		return log->header.prev_log;
	return log->torn == BOW_TORN_ROLLOVER_OLD ? log->header.next_log : 0;
}

static int no_memory(struct bow_error *e)
{
	e->in_block = false;
	e->in_entry = false;
	return bow_no_memory(e);
}

int bow_places_add(struct bow_log *log, u64 place, struct bow_error *e)
{
	if (bow_words_add(&log->places, place))
		return no_memory(e);
	log->log_blocks++;
	return 0;
}

int bow_places_supersede(struct bow_log *log, const struct bow_entry *entry,
			 struct bow_error *e)
{
	u64 at = entry->source;
	u64 end = at + (entry->size >> BOW_SECTOR_SHIFT);
	struct bow_extent x;

	for (; at < end && bow_where_next(log->where, at, &x) && x.start < end;
	     at = x.start + x.sectors) {
		u64 skip = at > x.start ? at - x.start : 0;
		u64 stop = x.start + x.sectors < end ? x.start + x.sectors : end;

		if (bow_words_add(&log->superseded, x.start + skip) ||
		    bow_words_add(&log->superseded, x.place + skip) ||
		    bow_words_add(&log->superseded, stop - (x.start + skip)))
			return no_memory(e);
	}
	return 0;
}

static int check_log_blocks(const struct bow_log *log, struct bow_error *e)
{
	struct bow_words_reader r = { 0 };
	u32 sequence = log->newest.sequence;
	u64 place, at;

	for (; bow_words_next(&log->places, &r, &place); sequence--) {
		/* Block 0 is replaced last of all. */
		if (!place || !bow_where_any(log->where, place,
					     bow_block_sectors(log->bs), &at))
			continue;
		e->in_block = true;
		e->sequence = sequence;
		return bow_bad(e, BOW_WHY_LOG_NOT_KEPT, at, 0);
	}
	return 0;
}

/*
 * Is each backup known to be right, also of what is saved twice?  Of a log that saves
 * more than the device holds not every entry is verified, see verify.c; and an
 * entry of v1.0 whose source has changed on the disk may show by nothing else.
 */
static bool may_be_twice(const struct bow_log *log)
{
	return log->newest.version == BOW_VERSION_1_1 && !bow_log_is_long(log);
}

static int check_superseded(const struct bow_log *log, struct bow_error *e)
{
	struct bow_words_reader r = { 0 };
	u64 source, place, sectors, at;

	while (bow_words_next(&log->superseded, &r, &source)) {
		/* They come in threes. */
		(void)bow_words_next(&log->superseded, &r, &place);
		(void)bow_words_next(&log->superseded, &r, &sectors);
		if (!may_be_twice(log))
			return bow_bad(e, BOW_WHY_SOURCE_TWICE, source, 0);
		if (bow_where_any(log->where, place, sectors, &at))
			return bow_bad(e, BOW_WHY_LATER_BACKUP,
				       source + (at - place), at);
	}
	return 0;
}

int bow_places_check(const struct bow_log *log, struct bow_error *e)
{
	int r = check_log_blocks(log, e);

	return r ? r : check_superseded(log, e);
}

void bow_places_clear(struct bow_log *log)
{
	bow_words_clear(&log->places);
	bow_words_clear(&log->superseded);
	log->log_blocks = 0;
}

void bow_places_free(struct bow_log *log)
{
	bow_words_free(&log->places);
	bow_words_free(&log->superseded);
}
