/* SPDX-License-Identifier: GPL-2.0 */
/*
 * verify.h - the parts of bow-verify
 */
#ifndef BOW_VERIFY_H
#define BOW_VERIFY_H

#include "cli.h"
#include "fs.h"

#define PROGRAM "bow-verify"

struct options {
	bool verbose;
	bool quiet;
	bool json;
	bool list;
	bool dm_table;		/* the modes that hand out the old state */
	bool fsck;
	bool files;
	const char *export;
	const char *cat;
	int progress_fd;
	const char *device;
};

/* What was found; filled by examine(), told by the report. */
struct findings {
	bool live;		/* dm-bow is running over the device */
	struct bow_log log;
	struct bow_error e;	/* the first fault; why NONE: sound */
	struct bow_plan plan;
	bool can_roll_back;
	bool can_commit;
	struct bow_error no_commit;	/* why not, when !can_commit */
	bool can_resume;	/* go on with the checkpoint after a reboot */
	struct bow_error no_resume;
	u64 damaged;		/* backups that do not match */
	struct bow_error *damage;	/* the first DAMAGE_MAX of them */
	struct bow_error map;	/* what is wrong with the free map */
	struct fs_findings fs;
	enum bow_exit status;
};

#define DAMAGE_MAX 1000u

/* examine.c; the device is only read.  findings_free() always. */
void examine(struct bow_dev *dev, const struct options *o, struct findings *f);
void findings_free(struct findings *f);

/* report.c */
void report_text(const struct options *o, const struct findings *f);
void report_json(struct json *j, const struct options *o,
		 const struct findings *f);

/*
 * list.c: every entry, newest first, a line each, with `json` an object.  0, or
 * -errno with the reason in `e`; -EUCLEAN: the log, which was sound, is not any
 * more.
 */
int list_entries(struct bow_dev *dev, struct findings *f, bool json,
		 struct bow_error *e);

#endif /* BOW_VERIFY_H */
