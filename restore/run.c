// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - bow-restore --rollback and --commit: doing it
 */
#include <time.h>

#include "restore.h"

struct run {
	struct outcome out;
	struct progress progress;
	bool begun;		/* the first line was written */
};

static void report(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct run *run = ctx;

	/* What there is to do is known when the log has been read. */
	if (phase != BOW_PHASE_SCAN && !run->begun && run->progress.bar) {
		report_begin(&run->out, total);
		run->begun = true;
	}
	progress_report(&run->progress, phase, done, total);
}

static void memory_short(void *ctx, u64 passes)
{
	const struct run *run = ctx;

	if (!run->out.o->quiet)
		message_memory_short(PROGRAM, run->out.o->device, passes,
				     run->progress.bar);
}

static int restore(struct run *run, struct bow_dev *dev)
{
	struct outcome *out = &run->out;
	const struct options *o = out->o;
	struct bow_monitor m = {
		.ctx = run,
		.progress = report,
		.stop = signals_stop,
		.memory_short = memory_short,
	};
	enum bow_action action = o->mode == MODE_COMMIT ? BOW_ACTION_COMMIT :
							  BOW_ACTION_ROLLBACK;

	if (o->force)
		return bow_commit_force(dev, o->dry_run, &m, &out->result,
					&out->e);
	return bow_restore(dev, action, o->dry_run, &m, &out->result, &out->e);
}

static void time_restore(struct run *run, struct bow_dev *dev, int open_err)
{
	struct outcome *out = &run->out;
	u64 start = clock_ms(), end;

	if (open_err)
		out->e = bow_open_error(open_err);
	if (open_err || restore(run, dev))
		out->status = bow_error_exit(&out->e);
	/* What was read anew after the first write may be wrong for once. */
	if (out->result.written && (out->status == BOW_EXIT_DAMAGED ||
				    out->status == BOW_EXIT_NO_LOG))
		out->status = BOW_EXIT_ERROR;
	end = clock_ms();
	out->ms = end > start ? end - start : 0;
	out->end = (u64)time(NULL);
}

/* Not of what was only asked: who reads it would take it for done. */
static void record(const struct outcome *out)
{
	const struct options *o = out->o;
	int r;

	if (!o->record || o->dry_run || o->mode == MODE_CHECK)
		return;
	r = record_append(out);
	if (r)
		/* What was done was done: the exit status tells of that. */
		fprintf(stderr, PROGRAM ": %s: not recorded: %s\n", o->record,
			strerror(-r));
}

int run_restore(struct bow_dev *dev, int open_err, const struct options *o)
{
	struct run run = { .out = { .o = o, .status = BOW_EXIT_OK } };

	progress_init(&run.progress, PROGRAM, o->device, o->progress_fd,
		      o->quiet || o->json, !o->dry_run);
	time_restore(&run, dev, open_err);
	progress_end(&run.progress);
	report_end(&run.out);
	record(&run.out);
	/* A dry run has no other product than what it says. */
	if (message_flush_stdout(PROGRAM) && o->dry_run &&
	    (run.out.status == BOW_EXIT_OK || run.out.status == BOW_EXIT_NO_LOG))
		run.out.status = BOW_EXIT_ERROR;
	return (int)run.out.status;
}
