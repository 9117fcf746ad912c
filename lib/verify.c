// SPDX-License-Identifier: GPL-2.0
/*
 * verify.c - every backup against the checksum of its entry
 *
 * The contents that an entry saved may have moved since.  While walking back,
 * the map says at every entry where they are at present.
 */
#include "log.h"

struct verify {
	struct bow_dev *dev;
	const struct bow_monitor *monitor;
	u8 *buf;		/* BOW_IO_BYTES */
	u64 done;
	u64 total;
	struct bow_error first;	/* first wrong checksum; why NONE: none yet */
};

/* CRC of the `bytes` bytes that were saved at `dest`. */
static int saved_csum(struct verify *v, const struct bow_log *log,
		      const struct bow_entry *entry, u32 *crc,
		      struct bow_error *e)
{
	u64 at = entry->dest;
	u64 left = entry->size >> BOW_SECTOR_SHIFT;

	*crc = bow_entry_seed(entry->source, log->bs);
	while (left) {
		u64 n = BOW_IO_BYTES >> BOW_SECTOR_SHIFT;
		u64 place;
		size_t bytes;
		int r;

		if (n > left)
			n = left;
		place = bow_where_get(log->where, at, &n);
		bytes = (size_t)n << BOW_SECTOR_SHIFT;
		r = bow_stopped(v->monitor, e);
		if (!r)
			r = bow_get(v->dev, place, v->buf, bytes, e);
		if (r)
			return r;
		*crc = bow_crc32(*crc, v->buf, bytes);
		at += n;
		left -= n;
	}
	return 0;
}

static int wrong_csum(struct verify *v, const struct bow_entry *entry,
		      struct bow_error *e)
{
	bow_bad(e, BOW_WHY_ENTRY_CSUM, entry->dest, 0);
	if (v->first.why == BOW_WHY_NONE)
		v->first = *e;
	if (!v->monitor || !v->monitor->damage)
		return e->err;
	v->monitor->damage(v->monitor->ctx, e);
	return 0;
}

static int verify_entry(void *ctx, const struct bow_log *log, u32 sequence,
			u32 index, const struct bow_entry *entry,
			enum bow_entry_kind kind, struct bow_error *e)
{
	struct verify *v = ctx;
	u32 crc;
	int r = 0;

	(void)sequence;
	(void)index;
	if (kind == BOW_ENTRY_CLAIM)
		return 0;
	/* The walk checks log blocks; the live copy is written in place. */
	if (kind != BOW_ENTRY_LOG && kind != BOW_ENTRY_LIVE &&
	    entry->checksum) {
		r = saved_csum(v, log, entry, &crc, e);
		if (!r && crc != entry->checksum)
			r = wrong_csum(v, entry, e);
	}
	v->done += entry->size;
	if (!r)
		bow_report(v->monitor, BOW_PHASE_VERIFY, v->done, v->total);
	return r;
}

int bow_log_verify(struct bow_dev *dev, struct bow_log *log,
		   const struct bow_monitor *m, struct bow_error *e)
{
	struct bow_monitor quiet = { 0 };
	struct verify v = { .dev = dev, .monitor = m };
	int r = bow_log_scan(dev, log, m, e);

	if (r)
		return r;
	v.total = log->backup_bytes;
	v.buf = bow_alloc(BOW_IO_BYTES);
	if (!v.buf)
		return bow_no_memory(e);
	if (m) {
		/* The second walk over the log is not progress of its own. */
		quiet.ctx = m->ctx;
		quiet.stop = m->stop;
	}
	r = bow_log_walk(dev, log, verify_entry, &v, &quiet, e);
	bow_free(v.buf);
	if (!r && v.first.why != BOW_WHY_NONE) {
		*e = v.first;
		r = e->err;
	}
	return r;
}
