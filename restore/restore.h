/* SPDX-License-Identifier: GPL-2.0 */
/*
 * restore.h - the parts of bow-restore
 */
#ifndef BOW_RESTORE_H
#define BOW_RESTORE_H

#include "cli.h"

#define PROGRAM "bow-restore"

enum mode {
	MODE_ROLLBACK,
	MODE_COMMIT,
	MODE_CHECK,
};

struct options {
	enum mode mode;
	bool dry_run;
	bool force;		/* with MODE_COMMIT */
	bool verbose;
	bool quiet;
	bool json;
	int progress_fd;
	const char *record;	/* file; NULL: none */
	const char *device;
};

/* What a rollback or commit came to. */
struct outcome {
	const struct options *o;
	struct bow_result result;
	struct bow_error e;
	enum bow_exit status;
	u64 ms;			/* how long it took */
	u64 end;		/* when it ended, seconds since 1970 */
};

/*
 * Each does its mode, reports, and returns the exit status.  `open_err`: -errno, the
 * device could not be opened; that is reported then.
 */
int run_check(struct bow_dev *dev, int open_err, const struct options *o);
int run_restore(struct bow_dev *dev, int open_err, const struct options *o);

/* ---- report.c ---- */

/* For people, above the bar: to which checkpoint, and how much there is. */
void report_begin(const struct outcome *out, u64 backup_bytes);
/* To stdout for people or as JSON, errors to stderr. */
void report_end(const struct outcome *out);
/* The action that was completed, or that was asked for. */
const char *report_action(const struct outcome *out);

/* ---- superblock.c ---- */

/* What block 0 says by an ext superblock, whether its checksum is right or not. */
struct superblock {
	bool found;
	u8 uuid[16];
	char label[17];		/* "": none, or not UTF-8 */
};

/* Not found if it cannot be read. */
void superblock_read(struct bow_dev *dev, struct superblock *sb);
/* Members of an object, or lines "name: value" for people; none if not found. */
void superblock_json(struct json *j, const struct superblock *sb);
void superblock_text(FILE *out, const struct superblock *sb);

/* ---- record.c ---- */

/*
 * Append the outcome to the file o->record, KEY=VALUE lines that bowctl reads
 * in the booted system.  0 or -errno.
 */
int record_append(const struct outcome *out);

#endif /* BOW_RESTORE_H */
