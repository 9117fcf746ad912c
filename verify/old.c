// SPDX-License-Identifier: GPL-2.0
/*
 * old.c - handing out the old state: as a device-mapper table, or one file of it
 */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "old.h"

enum bow_exit old_failed(const struct old *old, enum bow_exit status,
			 const char *what, const char *why)
{
	fprintf(stderr, PROGRAM ": %s: %s: %s\n", old->o->device, what, why);
	return status;
}

enum bow_exit old_unreadable(const struct old *old, const struct view *v,
			     int err)
{
	char what[64];

	if (err == -ESTALE)
		return old_failed(old, BOW_EXIT_ERROR, "the old state",
				  "the checkpoint has ended meanwhile");
	if (err == -EINTR)
		return old_failed(old, BOW_EXIT_INTERRUPTED, "interrupted",
				  "run it again");
	snprintf(what, sizeof(what), "reading %s sector %llu",
		 v->which == VIEW_OLD ? "old" : "present",
		 (unsigned long long)v->bad_sector);
	return old_failed(old, BOW_EXIT_ERROR, what, strerror(-err));
}

/* ---- --dm-table ---- */

static enum bow_exit dm_table(struct old *old)
{
	char path[PATH_MAX];
	const char *device = realpath(old->o->device, path);
	struct bow_run run = { 0 };

	while (view_run(&old->fs.view, run.target + run.sectors, &run))
		printf("%llu %llu linear %s %llu\n",
		       (unsigned long long)run.target,
		       (unsigned long long)run.sectors,
		       device ? device : old->o->device,
		       (unsigned long long)run.place);
	return BOW_EXIT_OK;
}

/* ---- --cat ---- */

static enum bow_exit cat_failed(const struct old *old, errcode_t code)
{
	if (code == EINTR)
		return old_unreadable(old, &old->fs.view, -EINTR);
	if (old->fs.view.err)
		return old_unreadable(old, &old->fs.view,
				      old->fs.view.err);
	return old_failed(old, BOW_EXIT_ERROR, old->o->cat,
			  error_message(code));
}

/*
 * Of a file that is kept in its inode libext2fs 1.47.0 reads all that there is room
 * for, beyond the end too.
 */
static errcode_t copy_out(ext2_file_t file)
{
	static char buf[1 << 16];
	__u64 left;
	unsigned int got;
	errcode_t code = ext2fs_file_get_lsize(file, &left);

	while (!code && left) {
		/* A hole may be as long as a day. */
		code = signals_stop(NULL) ? EINTR :
		       ext2fs_file_read(file, buf, sizeof(buf), &got);
		if (code || !got)
			break;
		if (got > left)
			got = (unsigned int)left;
		left -= got;
		if (fwrite(buf, 1, got, stdout) != got)
			code = signals_stop(NULL) ? EINTR : EIO;
	}
	return code;
}

static enum bow_exit cat(struct old *old)
{
	ext2_filsys fs = old->fs.fs;
	struct ext2_inode inode;
	ext2_file_t file;
	ext2_ino_t ino;
	errcode_t code;

	code = ext2fs_namei_follow(fs, EXT2_ROOT_INO, EXT2_ROOT_INO,
				   old->o->cat, &ino);
	if (!code)
		code = ext2fs_read_inode(fs, ino, &inode);
	if (code)
		return cat_failed(old, code);
	if (!LINUX_S_ISREG(inode.i_mode))
		return old_failed(old, BOW_EXIT_ERROR, old->o->cat,
				  "not a regular file");
	code = ext2fs_file_open(fs, ino, 0, &file);
	if (code)
		return cat_failed(old, code);
	code = copy_out(file);
	ext2fs_file_close(file);
	return code ? cat_failed(old, code) : BOW_EXIT_OK;
}

static enum bow_exit open_and_cat(struct old *old)
{
	errcode_t code = journal_ext2(&old->fs.journal, &old->fs.view,
				      &old->fs.fs);
	enum bow_exit status;

	initialize_ext2_error_table();
	status = code ? cat_failed(old, code) : cat(old);
	fs_free_view(&old->fs);
	return status;
}

/* ---- the way there ---- */

static void on_progress(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct old *old = ctx;

	progress_report(&old->progress, phase, done, total);
}

static bool stop(void *ctx)
{
	(void)ctx;
	return signals_stop(NULL);
}

static enum bow_exit open_old(struct old *old)
{
	struct bow_error e = { 0 };
	int r;

	r = bow_log_open(old->dev, &old->log, &e);
	if (!r && old->log.state == BOW_STATE_NONE) {
		if (!old->o->quiet)
			fprintf(stderr, PROGRAM ": %s: no log\n",
				old->o->device);
		return BOW_EXIT_NO_LOG;
	}
	if (!r)
		r = live_scan(&old->live, &e);
	if (!r && old->log.state == BOW_STATE_FINISHING)
		r = bow_finish_check(old->dev, &old->log, &e);
	if (r == -ESTALE)
		return old_unreadable(old, &old->fs.view, r);
	if (r) {
		message_error(PROGRAM, old->o->device, &e);
		return bow_error_exit(&e);
	}
	r = view_open(&old->fs.view, old->dev, &old->log, VIEW_OLD);
	if (r == -ENOENT)
		return old_failed(old, BOW_EXIT_ERROR, "there is no old state",
				  "a commit has been decided");
	if (r)
		return old_failed(old, BOW_EXIT_DAMAGED, "the old state",
				  strerror(-r));
	if (live_is(old->o->device))
		view_follow(&old->fs.view, &old->live);
	return BOW_EXIT_OK;
}

enum bow_exit old_state(struct bow_dev *dev, const struct options *o)
{
	struct old *old = calloc(1, sizeof(*old));
	enum bow_exit status;

	if (!old) {
		message_open(PROGRAM, o->device, -ENOMEM);
		return BOW_EXIT_ERROR;
	}
	old->o = o;
	old->dev = dev;
	old->monitor = (struct bow_monitor){ .ctx = old, .stop = stop,
					     .progress = on_progress };
	old->live = (struct live){ .dev = dev, .log = &old->log,
				   .monitor = NULL };
	progress_init(&old->progress, PROGRAM, o->device, o->progress_fd,
		      o->quiet, false);
	status = open_old(old);
	if (status == BOW_EXIT_OK) {
		if (o->export)
			status = old_export(old, o->export);
		else if (o->files)
			status = old_files(old);
		else if (o->fsck)
			status = old_fsck(old);
		else if (o->cat)
			status = open_and_cat(old);
		else
			status = dm_table(old);
	}
	progress_end(&old->progress);
	bow_log_free(&old->log);
	free(old);
	if (message_flush_stdout(PROGRAM) && status == BOW_EXIT_OK)
		status = BOW_EXIT_ERROR;
	return status;
}
