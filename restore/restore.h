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
	bool verbose;
	bool quiet;
	bool json;
	int progress_fd;
	const char *device;
};

/* Each does its mode, reports, and returns the exit status. */
int run_check(struct bow_dev *dev, const struct options *o);
int run_restore(struct bow_dev *dev, const struct options *o);

#endif /* BOW_RESTORE_H */
