/* SPDX-License-Identifier: GPL-2.0 */
/*
 * old.h - the modes of bow-verify that hand out the old state
 *
 * They print what goes wrong and return the exit status.
 */
#ifndef BOW_VERIFY_OLD_H
#define BOW_VERIFY_OLD_H

#include "fs.h"
#include "live.h"
#include "verify.h"

/* The old state of a device: its log is scanned, its view open. */
struct old {
	const struct options *o;
	struct bow_dev *dev;
	struct bow_log log;
	struct live live;
	struct fs_view fs;
	struct bow_monitor monitor;
	struct progress progress;
	u64 damaged;		/* backups that do not match, of an export */
	struct bow_error *damage;	/* the first DAMAGE_MAX of them */
};

/* ---- old.c: --dm-table and --cat, and the way to all modes ---- */

enum bow_exit old_state(struct bow_dev *dev, const struct options *o);

/* "PROGRAM: DEVICE: what: why"; the value is `status`. */
enum bow_exit old_failed(const struct old *old, enum bow_exit status,
			 const char *what, const char *why);
/* What the -errno of a view_read() of `v` means. */
enum bow_exit old_unreadable(const struct old *old, const struct view *v,
			     int err);

/* ---- export.c ---- */

/* A sparse image of the old state in a file that is not there yet. */
enum bow_exit old_export(struct old *old, const char *path);

/* ---- files.c ---- */

enum bow_exit old_files(struct old *old);

/* ---- fsck.c ---- */

enum bow_exit old_fsck(struct old *old);

#endif /* BOW_VERIFY_OLD_H */
