// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-table.c - the options of a table line, read and written
 */
#include "dm-bow.h"

/* How long on_full:wait waits unless told. */
#define BOW_WAIT_SECONDS 60

/* block_size:N, in bytes */
static int parse_block_size(struct bow *bow, const char *value)
{
	u32 bs;

	if (kstrtou32(value, 10, &bs) || !bow_block_size_ok(bs)) {
		bow->ti->error = "block_size must be 512, 1024, 2048 or 4096";
		return -EINVAL;
	}
	bow->bs = bs;
	return 0;
}

/* on_full:error|commit|wait|wait:SECONDS */
static int parse_on_full(struct bow *bow, const char *value)
{
	bow->wait_seconds = BOW_WAIT_SECONDS;
	if (!strcmp(value, "error")) {
		bow->on_full = BOW_FULL_ERROR;
	} else if (!strcmp(value, "commit")) {
		bow->on_full = BOW_FULL_COMMIT;
	} else if (!strcmp(value, "wait") ||
		   (!strncmp(value, "wait:", 5) &&
		    !kstrtouint(value + 5, 10, &bow->wait_seconds) &&
		    bow->wait_seconds && bow->wait_seconds <= 86400)) {
		bow->on_full = BOW_FULL_WAIT;
	} else {
		bow->ti->error = "on_full must be error, commit or wait[:SECONDS]";
		return -EINVAL;
	}
	return 0;
}

int bow_parse_options(struct bow *bow, struct dm_arg_set *as)
{
	static const struct dm_arg args[] = {
		{ 0, 3, "Invalid number of options" },
	};
	unsigned int argc;
	int r;

	if (!as->argc)
		return 0;
	r = dm_read_arg_group(args, as, &argc, &bow->ti->error);
	while (!r && argc--) {
		const char *arg = dm_shift_arg(as);

		if (!strncmp(arg, "block_size:", 11)) {
			r = parse_block_size(bow, arg + 11);
		} else if (!strncmp(arg, "on_full:", 8)) {
			r = parse_on_full(bow, arg + 8);
		} else if (!strcmp(arg, "resume")) {
			bow->state = BOW_RESUME;
		} else {
			bow->ti->error = "Unknown option";
			r = -EINVAL;
		}
	}
	if (!r && as->argc) {
		bow->ti->error = "Trailing arguments";
		r = -EINVAL;
	}
	return r;
}

const char *bow_on_full_name(const struct bow *bow)
{
	static const char *const names[] = { "error", "commit", "wait" };

	return names[bow->on_full];
}

void bow_emit_table(struct bow *bow, char *result, unsigned int maxlen)
{
	bool resume = READ_ONCE(bow->state) == BOW_RESUME;
	unsigned int sz = 0;

	DMEMIT("%s %d block_size:%u", bow->dev->name,
	       1 + (bow->on_full != BOW_FULL_ERROR) + resume, bow->bs);
	if (bow->on_full == BOW_FULL_COMMIT)
		DMEMIT(" on_full:commit");
	else if (bow->on_full == BOW_FULL_WAIT)
		DMEMIT(" on_full:wait:%u", bow->wait_seconds);
	/* Another table would be refused: there is a log. */
	if (resume)
		DMEMIT(" resume");
}
