/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files.h - which files a rollback would bring back, change or remove
 *
 *   files-scan.c   the inodes that differ between the views, and how
 *   files-names.c  the names of these inodes in each view
 *   files.c        what that means for each name
 *   files-tell.c   telling it
 */
#ifndef BOW_VERIFY_FILES_H
#define BOW_VERIFY_FILES_H

#include "old.h"

/* The views, as an index. */
enum { FILES_OLD, FILES_NOW, FILES_VIEWS };

#define FILES_CONTENT 0x01u
#define FILES_MODE 0x02u
#define FILES_OWNER 0x04u	/* user, group or project */
#define FILES_XATTR 0x08u
#define FILES_TIME 0x10u
#define FILES_FLAGS 0x20u	/* as chattr sets them */

/* Of an inode in one view. */
struct file_facts {
	bool present;		/* and has a name */
	u16 mode;
	u32 owner, group, project, flags;
	u64 size;
	long long mtime;	/* seconds since 1970 */
	u32 mtime_ns;		/* and nanoseconds */
};

struct file {
	ext2_ino_t ino;
	struct file_facts facts[FILES_VIEWS];
	bool same;		/* in both views, and the same file */
	u32 changes;		/* FILES_s; of the same file */
};

struct file_dir {
	ext2_ino_t ino;
	u32 parent;		/* index of a directory before this one */
	size_t name;		/* offset in the names' text */
};

struct file_name {
	u32 file;		/* index */
	u32 view;
	u32 parent;		/* index of a directory of that view */
	ext2_ino_t parent_ino;
	size_t name;
};

/* An array that grows; `item` bytes each. */
struct files_array {
	void *data;
	size_t count, room, item;
};

struct files {
	struct old *old;
	struct fs_view *view[FILES_VIEWS];
	ext2_filsys fs[FILES_VIEWS];	/* of the views */
	u64 blocks;
	u8 *changed;		/* a bit a block: may differ between the views */
	u8 *owner_unknown;	/* of those, whose owner was not met yet */
	u8 *contents;		/* of a block in each view */
	struct files_array file;	/* struct file, by rising inode */
	struct files_array dir[FILES_VIEWS];	/* struct file_dir, root first */
	struct files_array name;	/* struct file_name */
	struct files_array text;	/* the names themselves */
	u64 unreadable;		/* inodes and directories */
	bool changing;		/* files were written meanwhile */
	int err;		/* -errno in a callback of libext2fs */
};

/* What a rollback does, */
enum files_action { FILES_BRING_BACK, FILES_REMOVE, FILES_CHANGE };

/* and a name that it does it to. */
struct files_record {
	const struct file *file;
	enum files_action action;
	char *path;		/* as it is now; FILES_BRING_BACK: as it was */
	char *old_path;		/* when it was renamed, or NULL */
	bool link;		/* another name of a file that stays */
};

struct files_report {
	struct files *f;
	struct files_array record;
	u64 counts[3];
};

/* A new zeroed item at the end, or NULL. */
void *files_add(struct files_array *a);

/* The file of that inode among the first `count`, or NULL. */
const struct file *files_find(const struct files *f, ext2_ino_t ino,
			      size_t count);

/* 0 or -errno; what cannot be read is counted and left out. */
int files_scan(struct files *f);
int files_names(struct files *f);

/* The path of a name in `dir` of a view; the caller frees it.  NULL: memory. */
char *files_path(const struct files *f, const struct file_name *name);

/* Sorts the records by path. */
void files_tell(struct files_report *rep, const struct options *o);

#endif /* BOW_VERIFY_FILES_H */
