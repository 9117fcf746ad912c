/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fs.h - the filesystem in each view: is it sound, and does the log fit it?
 */
#ifndef BOW_VERIFY_FS_H
#define BOW_VERIFY_FS_H

#include "cli.h"
#include "journal.h"
#include "view.h"

enum fs_verdict {
	FS_ABSENT,		/* there is no such view */
	FS_NOT_CHECKED,		/* see reason */
	FS_SOUND,
	FS_DAMAGED,		/* see the faults */
	FS_UNREADABLE,		/* a read failed; see the faults */
};

/* Something wrong in a filesystem, or between it and the log. */
struct fs_fault {
	char text[160];
	bool in_entry;
	u32 sequence, entry;	/* of the log */
	bool in_group;
	u32 group;
	bool in_block;
	u64 block;		/* of the filesystem */
};

#define FS_FAULTS_MAX 50u

struct fs_faults {
	u64 count;
	struct fs_fault fault[FS_FAULTS_MAX];	/* the first of them */
};

/* One view of the device, and the filesystem in it. */
struct fs_view {
	struct view view;
	ext2_filsys fs;		/* NULL: could not be opened */
	struct journal journal;	/* as far as it is patched into the view */
	bool has_super;		/* `super` is one of ext2/3/4, host order */
	struct ext2_super_block super;
	char unsettled[160];	/* why its bitmaps need not be right, or "" */
	const struct bow_monitor *monitor;
	enum fs_verdict verdict;
	char reason[160];	/* why it was not checked */
	struct fs_faults faults;
};

/* What the log and the bitmaps of D0 say about each other. */
struct fs_cross {
	bool done;
	u64 put_back_free;	/* log blocks put back that were free, bytes */
	u64 map_bytes;		/* free by the free map; 0: no map */
	u64 bitmap_bytes;	/* free by the bitmaps */
	struct fs_faults faults;
};

struct fs_findings {
	struct fs_view old, now;
	struct fs_cross cross;
};

/* ---- fs.c ---- */

/*
 * Examine both views of a scanned log; `live`: below a dm-bow that is running.  0, or -EINTR, -EIO or -ENOMEM with the
 * reason in `e`; fs_free() always.  `f` is zeroed.
 */
int fs_examine(struct fs_findings *f, struct bow_dev *dev, struct bow_log *log,
	       bool live, const struct bow_monitor *m, struct bow_error *e);
void fs_free(struct fs_findings *f);

/* The filesystem in one view, which is open; fs_free_view() always. */
void fs_examine_view(struct fs_view *v);
void fs_free_view(struct fs_view *v);

/* -EIO or the like, with the reason, if what is in the view could not be read. */
int fs_read_error(const struct fs_view *v, struct bow_error *e);

/* Would a rollback give a filesystem that is known not to be sound? */
static inline bool fs_is_bad(const struct fs_findings *f)
{
	return f->old.verdict == FS_DAMAGED || f->cross.faults.count;
}

/* As it is on the disk; 0 or -errno. */
int fs_read_super(struct fs_view *v);

/* A new fault to be filled in further; never NULL. */
struct fs_fault *fs_fault_add(struct fs_faults *faults, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void fs_fault_text(const struct fs_fault *fault, char *buf, size_t bytes);

/* ---- fs-check.c: everything that can be told without reading all inodes ---- */

void fs_check(struct fs_view *v);

/* A call of libext2fs failed: damage, or a read that failed. */
struct fs_fault *fs_failed(struct fs_view *v, errcode_t code, const char *what);

/* ---- fs-dirs.c: the root directory and the journal ---- */

void fs_check_root(struct fs_view *v);
void fs_check_journal(struct fs_view *v);

/* ---- fs-cross.c ---- */

/* Needs the block bitmaps of the old view.  The log is walked again. */
int fs_cross_check(struct fs_findings *f, struct bow_dev *dev,
		   struct bow_log *log, const struct bow_monitor *m,
		   struct bow_error *e);
/* Do superblock, guard and header name the same filesystem? */
void fs_cross_uuid(struct fs_findings *f, const struct bow_log *log);

/* ---- fs-report.c ---- */

void fs_text(FILE *out, const struct fs_findings *f, bool verbose);
/* The faults, to stderr. */
void fs_messages(const char *program, const char *device,
		 const struct fs_findings *f);
void fs_json(struct json *j, const struct fs_findings *f);

#endif /* BOW_VERIFY_FS_H */
