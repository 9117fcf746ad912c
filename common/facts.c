// SPDX-License-Identifier: GPL-2.0
/*
 * facts.c - what block 0 says about a checkpoint, for people and as JSON
 */
#include <time.h>

#include "cli.h"

const char *facts_state(enum bow_state state)
{
	switch (state) {
	case BOW_STATE_ACTIVE:
		return "active";
	case BOW_STATE_RESTORING:
		return "restoring";
	case BOW_STATE_FINISHING:
		return "finishing";
	default:
		return "none";
	}
}

const char *facts_torn_key(enum bow_torn torn)
{
	switch (torn) {
	case BOW_TORN_APPEND:
		return "append";
	case BOW_TORN_ROLLOVER_NEW:
		return "rollover-new";
	case BOW_TORN_ROLLOVER_OLD:
		return "rollover-old";
	case BOW_TORN_ACTIVATION:
		return "activation";
	default:
		return "none";
	}
}

const char *facts_torn(enum bow_torn torn)
{
	switch (torn) {
	case BOW_TORN_APPEND:
		return "the newest append; the entries before it are used";
	case BOW_TORN_ROLLOVER_NEW:
		return "a roll-over; the log block before this one is used";
	case BOW_TORN_ROLLOVER_OLD:
		return "a roll-over; the copy of this log block is used";
	case BOW_TORN_ACTIVATION:
		return "the activation; the copy of block 0 is used";
	default:
		return NULL;
	}
}

const char *facts_version(u32 version)
{
	if (version == BOW_VERSION_1_1)
		return "1.1";
	return version == BOW_VERSION_1_0 ? "1.0" : "0";
}

const char *facts_action(enum bow_action action)
{
	return action == BOW_ACTION_COMMIT ? "commit" : "rollback";
}

static const char *facts_reason(u32 reason)
{
	switch (reason) {
	case BOW_REASON_USER:
		return "an administrator asked for it";
	case BOW_REASON_TRIES:
		return "no tries left";
	case BOW_REASON_CHECK:
		return "a check of the system failed";
	default:
		return "not told";
	}
}

static u64 age(u64 created)
{
	u64 now = (u64)time(NULL);

	return now > created ? now - created : 0;
}

static void header_json(struct json *j, const struct bow_header *h)
{
	char buf[TEXT_MAX];

	json_string(j, "log_version", facts_version(h->version));
	json_u64(j, "block_size", h->block_size);
	json_u64(j, "header_size", h->header_size);
	json_u64(j, "sequence", h->sequence);
	json_u64(j, "sector0", h->sector0);
	if (h->version != BOW_VERSION_1_1)
		return;
	json_string(j, "checkpoint_id", text_hex(buf, h->checkpoint_id));
	json_u64(j, "created", h->created);
	json_u64(j, "age_seconds", age(h->created));
	json_string(j, "fs_uuid", text_uuid(buf, h->fs_uuid));
	json_u64(j, "device_sectors", h->device_sectors);
	json_u64(j, "flags", h->flags);
	json_bool(j, "guard", h->flags & BOW_FLAG_GUARD);
	if (h->flags & BOW_FLAG_POLICY) {
		json_u64(j, "tries_left", h->tries_left);
		json_u64(j, "boots", h->boots);
	}
	json_u64(j, "resumed", h->resumed);
	json_u64(j, "backup0", h->backup0);
	json_u64(j, "next_log", h->next_log);
	if (h->flags & BOW_FLAG_FREE_MAP) {
		json_u64(j, "free_map", h->free_map);
		json_u64(j, "free_map_blocks", h->free_map_blocks);
	}
	if (h->flags & BOW_FLAG_CLAIMS)
		json_u64(j, "claim_shift", h->claim_shift);
	json_bool(j, "rollback_asked", h->flags & BOW_FLAG_ROLLBACK);
	if (h->flags & BOW_FLAG_ROLLBACK) {
		json_string(j, "rollback_reason",
			    facts_reason(h->rollback_reason));
		json_u64(j, "rollback_time", h->rollback_time);
	}
}

static void finish_json(struct json *j, const struct bow_finish *f)
{
	char buf[TEXT_MAX];

	json_string(j, "finishing", facts_action(f->action));
	json_u64(j, "block_size", f->block_size);
	json_u64(j, "final_sector", f->final_sector);
	json_string(j, "checkpoint_id", text_hex(buf, f->checkpoint_id));
	json_u64(j, "created", f->created);
	json_u64(j, "device_sectors", f->device_sectors);
}

void facts_json(struct json *j, const struct bow_header *h,
		const struct bow_finish *f, enum bow_state state,
		enum bow_torn torn, const struct bow_error *e)
{
	/* Block 0 was not read, or is not understood. */
	if (state == BOW_STATE_NONE && e->why != BOW_WHY_NONE &&
	    e->why != BOW_WHY_NO_LOG)
		return;
	json_string(j, "state", facts_state(state));
	if (state == BOW_STATE_FINISHING)
		finish_json(j, f);
	if (state != BOW_STATE_ACTIVE && state != BOW_STATE_RESTORING)
		return;
	header_json(j, h);
	json_string(j, "torn", facts_torn_key(torn));
}

static void created_text(FILE *out, u64 created)
{
	char when[TEXT_MAX], ago[TEXT_MAX];

	if (!created)
		return;
	fprintf(out, "created: %s (%s ago)\n", text_time(when, created),
		text_age(ago, age(created)));
}

static void header_text(FILE *out, const struct bow_header *h)
{
	char buf[TEXT_MAX];

	fprintf(out, "log version: %s\nblock size: %u\n",
		facts_version(h->version), h->block_size);
	if (h->version != BOW_VERSION_1_1)
		return;
	fprintf(out, "checkpoint: %s\n", text_hex(buf, h->checkpoint_id));
	created_text(out, h->created);
	fprintf(out, "filesystem: %s\n", text_uuid(buf, h->fs_uuid));
	if (h->flags & BOW_FLAG_POLICY)
		fprintf(out, "boots: %u, tries left: %u\n", h->boots,
			h->tries_left);
	if (h->resumed)
		fprintf(out, "resumed: %s\n",
			text_count(buf, h->resumed, "time"));
	if (h->flags & BOW_FLAG_ROLLBACK)
		fprintf(out, "rollback asked for: %s, %s\n",
			text_time(buf, h->rollback_time),
			facts_reason(h->rollback_reason));
}

void facts_text(FILE *out, const struct bow_header *h,
		const struct bow_finish *f, enum bow_state state,
		enum bow_torn torn)
{
	char buf[TEXT_MAX];

	if (state == BOW_STATE_FINISHING) {
		fprintf(out, "finishing: %s\ncheckpoint: %s\n",
			facts_action(f->action),
			text_hex(buf, f->checkpoint_id));
		created_text(out, f->created);
		return;
	}
	if (state == BOW_STATE_NONE)
		return;
	header_text(out, h);
	if (facts_torn(torn))
		fprintf(out, "cut write: %s\n", facts_torn(torn));
}
