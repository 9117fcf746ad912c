// SPDX-License-Identifier: GPL-2.0
/*
 * record.c - the outcome of a rollback or commit as KEY=VALUE lines
 */
#include "restore.h"

static void put_u64(FILE *f, const char *key, u64 value)
{
	fprintf(f, "%s=%llu\n", key, (unsigned long long)value);
}

static void put_checkpoint(FILE *f, const u8 id[16], u64 created)
{
	char hex[TEXT_MAX];

	fprintf(f, "checkpoint=%s\n", text_hex(hex, id));
	put_u64(f, "created", created);
}

static void put_log(FILE *f, const struct bow_result *res)
{
	if (res->found == BOW_STATE_FINISHING)
		put_checkpoint(f, res->finish.checkpoint_id,
			       res->finish.created);
	else if (res->header.version == BOW_VERSION_1_1)
		put_checkpoint(f, res->header.checkpoint_id,
			       res->header.created);
	fprintf(f, "torn=%s\n", facts_torn_key(res->torn));
	put_u64(f, "log_blocks", res->log_blocks);
	put_u64(f, "entries", res->entries);
	put_u64(f, "bytes", res->bytes);
	put_u64(f, "runs", res->copies);
}

static void put_outcome(FILE *f, const struct outcome *out)
{
	char text[256];

	fprintf(f, "action=%s\n", report_action(out));
	put_u64(f, "status", out->status);
	put_u64(f, "time", out->end);
	put_u64(f, "milliseconds", out->ms);
	if (out->result.found != BOW_STATE_NONE)
		put_log(f, &out->result);
	if (out->e.why == BOW_WHY_NONE)
		return;
	bow_error_text(&out->e, text, sizeof(text));
	fprintf(f, "error=%s\n", text);
}

int record_append(const struct outcome *out)
{
	FILE *f = fopen(out->o->record, "a");
	bool failed;

	if (!f)
		return -errno;
	put_outcome(f, out);
	failed = ferror(f);
	if (fclose(f))
		return -errno;
	return failed ? -EIO : 0;
}
