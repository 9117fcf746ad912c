// SPDX-License-Identifier: GPL-2.0
/*
 * check.c - bow-restore --check: is there a log, and can its chain be read?
 *
 * On a device without one this is a single read: it runs at every boot.
 */
#include "restore.h"

static void say_facts(const struct bow_log *log, const struct superblock *sb)
{
	char size[TEXT_MAX];

	facts_text(stdout, &log->header, &log->finish, log->state, log->torn);
	superblock_text(stdout, sb);
	if (!log->scanned)
		return;
	printf("log blocks: %llu\nentries: %llu\nbackups: %s\n",
	       (unsigned long long)log->log_blocks,
	       (unsigned long long)log->entries,
	       text_size(size, log->backup_bytes));
	if (log->passes)
		puts("memory is short: a rollback will be slower");
}

static void say_json(const struct bow_log *log, const struct superblock *sb,
		     const struct options *o, const struct bow_error *e,
		     enum bow_exit status)
{
	struct json j = { .out = stdout };

	json_object(&j, NULL);
	json_string(&j, "device", o->device);
	json_string(&j, "action", "check");
	json_u64(&j, "exit", status);
	facts_json(&j, &log->header, &log->finish, log->state, log->torn, e);
	superblock_json(&j, sb);
	if (log->scanned) {
		json_u64(&j, "log_blocks", log->log_blocks);
		json_u64(&j, "entries", log->entries);
		json_u64(&j, "claims", log->claims);
		json_u64(&j, "live_moves", log->live_moves);
		json_u64(&j, "entries_without_checksum", log->no_checksum);
		json_u64(&j, "live_sector", log->live);
		json_u64(&j, "backup_bytes", log->backup_bytes);
	}
	if (e->why != BOW_WHY_NONE)
		json_error(&j, "error", e);
	json_close_object(&j);
}

static int check_log(struct bow_dev *dev, struct bow_log *log,
		     struct bow_error *e)
{
	struct bow_monitor m = { .stop = signals_stop };
	int r = bow_log_open(dev, log, e);

	if (r || log->state == BOW_STATE_NONE)
		return r;
	if (log->state == BOW_STATE_FINISHING)
		return bow_finish_check(dev, log, e);
	log->frugal = true;
	return bow_log_scan(dev, log, &m, e);
}

int run_check(struct bow_dev *dev, int open_err, const struct options *o)
{
	struct superblock sb = { .found = false };
	struct bow_log log = { .state = BOW_STATE_NONE };
	struct bow_error e;
	enum bow_exit status = BOW_EXIT_OK;
	int r = open_err;

	if (open_err)
		e = bow_open_error(open_err);
	else
		r = check_log(dev, &log, &e);
	if (r)
		status = bow_error_exit(&e);
	else if (log.state == BOW_STATE_NONE)
		status = BOW_EXIT_NO_LOG;
	if (!open_err && status != BOW_EXIT_NO_LOG && (o->json || o->verbose))
		superblock_read(dev, &sb);
	if (r)
		message_error(PROGRAM, o->device, &e);
	if (o->json)
		say_json(&log, &sb, o, &e, status);
	else if (!r && !o->quiet)
		puts(facts_state(log.state));
	if (!r && !o->json && o->verbose && !o->quiet)
		say_facts(&log, &sb);
	bow_log_free(&log);
	if (message_flush_stdout(PROGRAM) && !r)
		status = BOW_EXIT_ERROR;
	return status;
}
