/* SPDX-License-Identifier: GPL-2.0 */
/*
 * journal.h - what a replay of the journal would change, without replaying it
 *
 *   journal.c       finding the journal, and putting its blocks into a view
 *   journal-scan.c  the transactions in it, by the rules of jbd2's recovery
 */
#ifndef BOW_VERIFY_JOURNAL_H
#define BOW_VERIFY_JOURNAL_H

#include "jbd2.h"
#include "view.h"

/* Blocks of the journal that lie in one piece in the filesystem. */
struct journal_run {
	u64 first;		/* of the journal */
	u64 place;		/* of the filesystem */
	u64 blocks;
};

struct journal {
	struct view *view;
	bool pending;		/* it is to be replayed, says the superblock */
	/* Why some of it is left out, or all of it; NULL: nothing is. */
	const char *problem;
	bool fast_commits;	/* there are some, which are not read */
	u64 transactions;	/* that are complete */
	u32 next;		/* the sequence of the one after these */
	struct view_patches patches;

	/* The rest is for reading it. */
	u32 bytes;		/* a block */
	u64 fs_blocks;
	struct journal_run *run;
	size_t runs, runs_room;
	u32 first, end, start;	/* of the log itself, in blocks */
	u32 sequence;		/* of its first transaction */
	u32 compat, incompat;
	u32 seed;		/* of checksums */
};

/*
 * Read the journal of `fs`, which is the filesystem in `v`.  What is wrong with
 * it is told in j->problem; only memory, an interruption and reads that fail give
 * -errno.  journal_free() always.  `j` is zeroed here.
 */
int journal_load(struct journal *j, struct view *v, ext2_filsys fs);
void journal_free(struct journal *j);

/*
 * As view_ext2(), and as after a replay of the journal: its blocks are patched
 * into the view.  `j` must outlive the view; journal_free() always.
 */
errcode_t journal_ext2(struct journal *j, struct view *v, ext2_filsys *fs);

/* Has anything been committed or replayed since?  1, 0 or -errno. */
int journal_moved(struct view *v, ext2_filsys fs, const struct journal *before);

/* Block `n` of the journal. */
int journal_block(const struct journal *j, u64 n, void *buf);
/* Where it is in the filesystem; 0: nowhere. */
u64 journal_place(const struct journal *j, u64 n);

/* ---- journal-scan.c ---- */

/* From j->start on: fills patches, transactions, next and perhaps problem. */
int journal_scan(struct journal *j);

#endif /* BOW_VERIFY_JOURNAL_H */
