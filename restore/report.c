// SPDX-License-Identifier: GPL-2.0
/*
 * report.c - what a rollback or commit does and did, for people and as JSON
 */
#include "restore.h"

const char *report_action(const struct outcome *out)
{
	enum bow_action action = out->result.done;

	if (!action)
		action = out->o->mode == MODE_COMMIT ? BOW_ACTION_COMMIT :
						       BOW_ACTION_ROLLBACK;
	return facts_action(action);
}

void report_begin(const struct outcome *out, u64 backup_bytes)
{
	const struct bow_result *res = &out->result;
	const struct bow_header *h = &res->header;
	char buf[TEXT_MAX];

	fprintf(stderr, "%s: %s", out->o->device,
		out->o->dry_run ? "checking a rollback" :
		res->resumed ? "continuing the rollback" : "rolling back");
	if (h->created)
		fprintf(stderr, " to the checkpoint of %s",
			text_time(buf, h->created));
	fprintf(stderr, ", %s of backups\n", text_size(buf, backup_bytes));
}

/* ---- the end ---- */

static void say_json(const struct outcome *out)
{
	const struct bow_result *res = &out->result;
	struct json j = { .out = stdout };

	json_object(&j, NULL);
	json_string(&j, "device", out->o->device);
	json_string(&j, "action", report_action(out));
	json_u64(&j, "exit", out->status);
	json_bool(&j, "dry_run", out->o->dry_run);
	json_bool(&j, "continued", res->resumed);
	json_bool(&j, "written", res->written);
	json_bool(&j, "forced", res->forced);
	facts_json(&j, &res->header, &res->finish, res->found, res->torn,
		   &out->e);
	json_u64(&j, "log_blocks", res->log_blocks);
	json_u64(&j, "entries", res->entries);
	json_u64(&j, "bytes", res->bytes);
	json_u64(&j, "runs", res->copies);
	json_u64(&j, "passes", res->passes);
	json_u64(&j, "milliseconds", out->ms);
	json_u64(&j, "time", out->end);
	if (out->e.why != BOW_WHY_NONE)
		json_error(&j, "error", &out->e);
	json_close_object(&j);
}

static void say_done(const struct outcome *out)
{
	const struct bow_result *res = &out->result;
	const char *would = out->o->dry_run ? "would be " : "";
	char size[TEXT_MAX], runs[TEXT_MAX], time[TEXT_MAX];

	printf("%s: ", out->o->device);
	if (res->found == BOW_STATE_FINISHING)
		printf("the %s that was under way %s completed, %s\n",
		       facts_action(res->done),
		       out->o->dry_run ? "would be" : "was",
		       text_duration(time, out->ms));
	else if (res->done == BOW_ACTION_COMMIT)
		printf("%scommitted%s: the device stays as it is, %s\n", would,
		       res->forced ? " by the newest log block alone" : "",
		       text_duration(time, out->ms));
	else
		printf("%srolled back%s: %s in %s put back, %s\n", would,
		       res->resumed ? " (continued)" : "",
		       text_size(size, res->bytes),
		       text_count(runs, res->copies, "run"),
		       text_duration(time, out->ms));
}

/* What is or would be completed is told of as such. */
static bool is_other(const struct outcome *out)
{
	return out->e.why == BOW_WHY_OTHER_ACTION ||
	       out->e.why == BOW_WHY_OTHER_UNDER_WAY;
}

/* After an error: in what state that leaves the device, and what to do. */
static void say_next(const struct outcome *out)
{
	const char *what = "nothing was written";

	if (is_other(out) || out->e.why == BOW_WHY_OPEN)
		return;
	if (out->result.written)
		what = "it is not complete; run it again";
	else if (out->status == BOW_EXIT_DAMAGED &&
		 out->o->mode == MODE_COMMIT && !out->o->force)
		what = "nothing was written; --commit --force may do";
	else if (out->status == BOW_EXIT_DAMAGED)
		what = "nothing was written; bow-verify tells more";
	fprintf(stderr, PROGRAM ": %s: %s\n", out->o->device, what);
}

static void say_text(const struct outcome *out)
{
	const struct bow_result *res = &out->result;

	if (out->status == BOW_EXIT_NO_LOG)
		printf("%s: no log, nothing was done\n", out->o->device);
	if (out->o->verbose)
		facts_text(stdout, &res->header, &res->finish, res->found,
			   res->torn);
	if (out->status == BOW_EXIT_OK || is_other(out))
		say_done(out);
}

void report_end(const struct outcome *out)
{
	if (out->status != BOW_EXIT_OK && out->status != BOW_EXIT_NO_LOG) {
		message_error(PROGRAM, out->o->device, &out->e);
		say_next(out);
	}
	if (out->o->json)
		say_json(out);
	else if (!out->o->quiet)
		say_text(out);
}
