// SPDX-License-Identifier: GPL-2.0
/*
 * list.c - bow-verify --list: every entry of the log, newest first
 */
#include "verify.h"

static const char *kind_name(enum bow_entry_kind kind)
{
	switch (kind) {
	case BOW_ENTRY_BLOCK0:
		return "block0";
	case BOW_ENTRY_LOG:
		return "log";
	case BOW_ENTRY_LIVE:
		return "live";
	case BOW_ENTRY_CLAIM:
		return "claim";
	default:
		return "backup";
	}
}

static int list_line(void *ctx, const struct bow_log *log, u32 sequence,
		     u32 index, const struct bow_entry *entry,
		     enum bow_entry_kind kind, struct bow_error *e)
{
	(void)ctx;
	(void)log;
	(void)e;
	printf("%8u %5u %12llu %12llu %10u   %08x %s\n", sequence, index,
	       (unsigned long long)entry->source,
	       (unsigned long long)entry->dest, entry->size, entry->checksum,
	       kind_name(kind));
	return 0;
}

static int list_json(void *ctx, const struct bow_log *log, u32 sequence,
		     u32 index, const struct bow_entry *entry,
		     enum bow_entry_kind kind, struct bow_error *e)
{
	struct json j = { .out = stdout, .line = true };

	(void)ctx;
	(void)log;
	(void)e;
	json_object(&j, NULL);
	json_string(&j, "type", "entry");
	json_u64(&j, "log_block", sequence);
	json_u64(&j, "entry", index);
	json_u64(&j, "source", entry->source);
	json_u64(&j, "dest", entry->dest);
	json_u64(&j, "size", entry->size);
	json_u64(&j, "checksum", entry->checksum);
	json_string(&j, "kind", kind_name(kind));
	json_close_object(&j);
	return 0;
}

int list_entries(struct bow_dev *dev, struct findings *f, bool json,
		 struct bow_error *e)
{
	struct bow_monitor m = { .stop = signals_stop };
	int r;

	if (f->log.state != BOW_STATE_ACTIVE &&
	    f->log.state != BOW_STATE_RESTORING)
		return 0;
	if (!json)
		puts("log block entry       source         dest       size "
		     "  checksum kind");
	r = bow_log_walk(dev, &f->log, json ? list_json : list_line, NULL, &m,
			 e);
	/* A damaged chain: what comes before the damage is listed. */
	if (r == -EUCLEAN && bow_error_exit(&f->e) == BOW_EXIT_DAMAGED)
		return 0;
	return r;
}
