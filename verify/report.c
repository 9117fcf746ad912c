// SPDX-License-Identifier: GPL-2.0
/*
 * report.c - the findings as a summary for people, and as JSON
 */
#include "verify.h"

static bool has_chain(const struct findings *f)
{
	return f->log.state == BOW_STATE_ACTIVE ||
	       f->log.state == BOW_STATE_RESTORING;
}

/* What is left to do, in the order of what one would rather do. */
static const char *choice(const struct findings *f)
{
	if (f->log.state == BOW_STATE_FINISHING && f->can_roll_back)
		return "complete the rollback";
	if (f->log.state == BOW_STATE_FINISHING && f->can_commit)
		return "complete the commit";
	if (f->can_roll_back && f->can_commit)
		return f->can_resume ? "roll back, commit, or resume" :
				       "roll back or commit";
	if (f->can_roll_back)
		return "roll back only";
	return f->can_commit ? "commit only" : "neither roll back nor commit";
}

static void refusal_text(const char *what, const struct bow_error *e)
{
	char reason[256];

	if (e->why == BOW_WHY_NONE)
		return;
	bow_error_text(e, reason, sizeof(reason));
	printf("no %s: %s\n", what, reason);
}

static void verdict_text(const struct options *o, const struct findings *f)
{
	printf("can be done: %s\n", choice(f));
	/* The reason against a rollback is among the errors. */
	if (!f->can_commit)
		refusal_text("commit", &f->no_commit);
	if (o->verbose && !f->can_resume)
		refusal_text("resume", &f->no_resume);
}

static void counts_text(const struct options *o, const struct findings *f)
{
	const struct bow_log *log = &f->log;
	char size[TEXT_MAX], runs[TEXT_MAX];

	printf("log blocks: %llu\nentries: %llu\n",
	       (unsigned long long)log->log_blocks,
	       (unsigned long long)log->entries);
	if (log->claims)
		printf("claims: %llu\n", (unsigned long long)log->claims);
	printf("backups: %s\n", text_size(size, log->backup_bytes));
	if (o->verbose) {
		printf("moves of the live block 0: %llu\n"
		       "entries without a checksum: %llu\n"
		       "live block 0 at sector: %llu\n",
		       (unsigned long long)log->live_moves,
		       (unsigned long long)log->no_checksum,
		       (unsigned long long)log->live);
	}
	if (f->can_roll_back)
		printf("a rollback puts back: %s in %s\n",
		       text_size(size, f->plan.bytes),
		       text_count(runs, f->plan.copies, "run"));
}

static void damage_text(const struct options *o, const struct findings *f)
{
	u64 i;

	if (f->e.why != BOW_WHY_NONE && !f->damaged)
		message_error(PROGRAM, o->device, &f->e);
	if (!f->damage)
		return;
	for (i = 0; i < f->damaged && i < DAMAGE_MAX; i++)
		message_error(PROGRAM, o->device, &f->damage[i]);
	if (f->damaged > DAMAGE_MAX)
		fprintf(stderr, PROGRAM ": %s: and %llu more\n", o->device,
			(unsigned long long)(f->damaged - DAMAGE_MAX));
	/* What ended the examination after that, if anything did. */
	if (f->damaged && f->e.why != BOW_WHY_ENTRY_CSUM)
		message_error(PROGRAM, o->device, &f->e);
}

void report_text(const struct options *o, const struct findings *f)
{
	damage_text(o, f);
	if (f->map.why != BOW_WHY_NONE)
		message_error(PROGRAM, o->device, &f->map);
	fs_messages(PROGRAM, o->device, &f->fs);
	if (o->quiet)
		return;
	if (f->status == BOW_EXIT_NO_LOG) {
		printf("%s: no log\n", o->device);
		return;
	}
	/* Without a header that can be trusted there is little to tell. */
	if (!f->log.bs || (!has_chain(f) && f->e.why != BOW_WHY_NONE)) {
		if (f->status == BOW_EXIT_DAMAGED) {
			printf("%s: DAMAGED\n", o->device);
			verdict_text(o, f);
		}
		return;
	}
	printf("%s: %s, %s\n", o->device, facts_state(f->log.state),
	       f->e.why == BOW_WHY_NONE			 ? "sound" :
	       bow_error_exit(&f->e) == BOW_EXIT_DAMAGED ? "DAMAGED" :
							   "not examined");
	facts_text(stdout, &f->log.header, &f->log.finish, f->log.state,
		   f->log.torn);
	if (has_chain(f))
		counts_text(o, f);
	verdict_text(o, f);
	fs_text(stdout, &f->fs, o->verbose);
}

void report_json(struct json *j, const struct options *o,
		 const struct findings *f)
{
	const struct bow_log *log = &f->log;
	u64 i;

	json_string(j, "device", o->device);
	json_u64(j, "exit", f->status);
	json_bool(j, "sound", f->status == BOW_EXIT_OK);
	facts_json(j, &log->header, &log->finish, log->state, log->torn, &f->e);
	if (has_chain(f)) {
		json_u64(j, "log_blocks", log->log_blocks);
		json_u64(j, "entries", log->entries);
		json_u64(j, "claims", log->claims);
		json_u64(j, "live_moves", log->live_moves);
		json_u64(j, "entries_without_checksum", log->no_checksum);
		json_u64(j, "backup_bytes", log->backup_bytes);
		json_u64(j, "live_sector", log->live);
		json_u64(j, "rollback_bytes", f->plan.bytes);
		json_u64(j, "rollback_runs", f->plan.copies);
	}
	json_bool(j, "can_roll_back", f->can_roll_back);
	json_bool(j, "can_commit", f->can_commit);
	json_bool(j, "can_resume", f->can_resume);
	if (f->no_commit.why != BOW_WHY_NONE)
		json_error(j, "no_commit", &f->no_commit);
	json_u64(j, "damaged_backups", f->damaged);
	if (f->e.why != BOW_WHY_NONE)
		json_error(j, "error", &f->e);
	json_array(j, "damage");
	for (i = 0; f->damage && i < f->damaged && i < DAMAGE_MAX; i++)
		json_error(j, NULL, &f->damage[i]);
	json_close_array(j);
	if (f->map.why != BOW_WHY_NONE)
		json_error(j, "free_map_error", &f->map);
	fs_json(j, &f->fs);
}
