// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - bow-restore --rollback and --commit: doing it, and saying what was
 * done
 */
#include "restore.h"

struct outcome {
	struct bow_result result;
	struct bow_error e;
	enum bow_exit status;
	u64 ms;
};

static void say_json(const struct options *o, const struct outcome *out)
{
	const struct bow_result *res = &out->result;
	struct json j = { .out = stdout };

	json_object(&j, NULL);
	json_string(&j, "device", o->device);
	json_string(&j, "action", facts_action(res->done ? res->done :
						   o->mode == MODE_COMMIT ?
						   BOW_ACTION_COMMIT :
						   BOW_ACTION_ROLLBACK));
	json_u64(&j, "exit", out->status);
	json_bool(&j, "dry_run", o->dry_run);
	json_bool(&j, "resumed", res->resumed);
	json_bool(&j, "written", res->written);
	facts_json(&j, &res->header, &res->finish, res->found, res->torn);
	json_u64(&j, "log_blocks", res->log_blocks);
	json_u64(&j, "entries", res->entries);
	json_u64(&j, "bytes", res->bytes);
	json_u64(&j, "runs", res->copies);
	json_u64(&j, "milliseconds", out->ms);
	if (out->e.why != BOW_WHY_NONE)
		json_error(&j, "error", &out->e);
	json_close_object(&j);
}

static void say_done(const struct options *o, const struct outcome *out)
{
	const struct bow_result *res = &out->result;
	const char *would = o->dry_run ? "would be " : "";
	char size[TEXT_MAX], runs[TEXT_MAX], time[TEXT_MAX];

	printf("%s: ", o->device);
	if (res->found == BOW_STATE_FINISHING)
		printf("the %s that was under way %s completed, %s\n",
		       facts_action(res->done),
		       o->dry_run ? "would be" : "was",
		       text_duration(time, out->ms));
	else if (res->done == BOW_ACTION_COMMIT)
		printf("%scommitted: the device stays as it is, %s\n", would,
		       text_duration(time, out->ms));
	else
		printf("%srolled back%s: %s in %s put back, %s\n", would,
		       res->resumed ? " (resumed)" : "",
		       text_size(size, res->bytes),
		       text_count(runs, res->copies, "run"),
		       text_duration(time, out->ms));
}

static void say(const struct options *o, const struct outcome *out)
{
	const struct bow_result *res = &out->result;
	bool done = out->status == BOW_EXIT_OK;

	if (out->status != BOW_EXIT_OK && out->status != BOW_EXIT_NO_LOG)
		message_error(PROGRAM, o->device, &out->e);
	if (o->json) {
		say_json(o, out);
		return;
	}
	if (o->quiet)
		return;
	if (out->status == BOW_EXIT_NO_LOG)
		printf("%s: no log, nothing was done\n", o->device);
	if (o->verbose)
		facts_text(stdout, &res->header, &res->finish, res->found,
			   res->torn);
	/* The other action was completed: that is told too. */
	if (done || out->e.why == BOW_WHY_OTHER_ACTION)
		say_done(o, out);
}

int run_restore(struct bow_dev *dev, const struct options *o)
{
	enum bow_action action = o->mode == MODE_COMMIT ? BOW_ACTION_COMMIT :
							  BOW_ACTION_ROLLBACK;
	struct progress p;
	struct bow_monitor m = {
		.ctx = &p,
		.progress = progress_report,
		.stop = signals_stop,
	};
	struct outcome out = { .status = BOW_EXIT_OK };
	u64 start = clock_ms(), end;

	progress_init(&p, PROGRAM, o->device, o->progress_fd,
		      o->quiet || o->json, !o->dry_run);
	if (bow_restore(dev, action, o->dry_run, &m, &out.result, &out.e))
		out.status = bow_error_exit(&out.e);
	progress_end(&p);
	end = clock_ms();
	out.ms = end > start ? end - start : 0;
	say(o, &out);
	return (int)out.status;
}
