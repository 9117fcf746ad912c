// SPDX-License-Identifier: GPL-2.0
/*
 * error.c - what an error says and which exit status it means
 */
#include <stdio.h>

#include "bow.h"

/*
 * "SUBJECT VALUE TEXT (LIMIT N)": the value is printed when there is a
 * subject, the limit when there is a text for it.
 */
struct why {
	enum bow_exit status;
	const char *subject;
	const char *text;
	const char *limit;
};

#define DAMAGED BOW_EXIT_DAMAGED
#define ERROR BOW_EXIT_ERROR

static const struct why whys[BOW_WHY_END] = {
	[BOW_WHY_NONE] = { ERROR, NULL, "failed, no reason is known", NULL },
	[BOW_WHY_NO_LOG] = { BOW_EXIT_NO_LOG, NULL, "there is no log", NULL },
	[BOW_WHY_OPEN] = { ERROR, NULL, "cannot open", NULL },
	[BOW_WHY_IO_READ] = { ERROR, "reading at sector", "failed", NULL },
	[BOW_WHY_IO_WRITE] = { ERROR, "writing at sector", "failed", NULL },
	[BOW_WHY_IO_FLUSH] = { ERROR, NULL, "making writes durable failed",
			       NULL },
	[BOW_WHY_MEMORY] = { ERROR, NULL, "not enough memory", NULL },
	[BOW_WHY_MEMORY_MAP] = { ERROR, NULL, "not enough memory for the log",
				 "may need, in MiB:" },
	[BOW_WHY_INTERRUPTED] = { BOW_EXIT_INTERRUPTED, NULL,
				  "interrupted; run it again", NULL },
	[BOW_WHY_VERSION] = { DAMAGED, "header version", "is not known", NULL },
	[BOW_WHY_HEADER_SIZE] = { DAMAGED, "header size", "is wrong",
				  "block size" },
	[BOW_WHY_BLOCK_SIZE] = { DAMAGED, "block size", "is not possible",
				 NULL },
	[BOW_WHY_COUNT] = { DAMAGED, "entry count", "is wrong", "at most" },
	[BOW_WHY_HEADER_CSUM] = { DAMAGED, NULL, "the header's checksum is wrong",
				  NULL },
	[BOW_WHY_DEVICE_SHORT] = { DAMAGED, "the device's size of",
				   "sectors is less than at the checkpoint",
				   "sectors then:" },
	[BOW_WHY_SECTOR0] = { DAMAGED, "sector0", "is not a block of the device",
			      "sectors:" },
	[BOW_WHY_PREV_SECTOR0] = { DAMAGED, "prev_sector0",
				   "is not a block of the device", "sectors:" },
	[BOW_WHY_BACKUP0] = { DAMAGED, "backup0", "is not a block of the device",
			      "sectors:" },
	[BOW_WHY_PREV_LOG] = { DAMAGED, "prev_log",
			       "is not a block of the device", "sectors:" },
	[BOW_WHY_NEXT_LOG] = { DAMAGED, "next_log",
			       "is not a block of the device", "sectors:" },
	[BOW_WHY_ENTRIES_CSUM] = { DAMAGED, NULL,
				   "the checksum of the entries is wrong, and "
				   "not because a write was cut", NULL },
	[BOW_WHY_SEQUENCE_LONG] = { DAMAGED, "sequence",
				    "is more than the device can hold",
				    "blocks:" },
	[BOW_WHY_CHAIN_MAGIC] = { DAMAGED, "sector", "holds no log block",
				  NULL },
	[BOW_WHY_CHAIN_SEQUENCE] = { DAMAGED, "sequence",
				     "does not continue the chain",
				     "expected" },
	[BOW_WHY_CHAIN_VERSION] = { DAMAGED, "header version",
				    "differs from that of block 0", NULL },
	[BOW_WHY_CHAIN_BLOCK_SIZE] = { DAMAGED, "block size",
				       "differs from that of block 0", NULL },
	[BOW_WHY_CHAIN_ID] = { DAMAGED, NULL, "belongs to another checkpoint",
			       NULL },
	[BOW_WHY_CHAIN_CSUM] = { DAMAGED, "the log block at sector",
				 "does not match its checksum", NULL },
	[BOW_WHY_CHAIN_PLACE] = { DAMAGED, "sector",
				  "cannot hold the previous log block", NULL },
	[BOW_WHY_ENTRY0] = { DAMAGED, NULL,
			     "entry 0 is not the one of block 0", NULL },
	[BOW_WHY_SOURCE_ALIGN] = { DAMAGED, "source",
				   "is not a multiple of the block size",
				   "sectors a block:" },
	[BOW_WHY_SOURCE_RANGE] = { DAMAGED, "source",
				   "lies beyond the device", "sectors:" },
	[BOW_WHY_SOURCE_BLOCK0] = { DAMAGED, "source", "lies in block 0",
				    NULL },
	[BOW_WHY_DEST_ALIGN] = { DAMAGED, "dest",
				 "is not a multiple of the block size",
				 "sectors a block:" },
	[BOW_WHY_DEST_RANGE] = { DAMAGED, "dest", "lies beyond the device",
				 "sectors:" },
	[BOW_WHY_DEST_BLOCK0] = { DAMAGED, "dest", "lies in block 0", NULL },
	[BOW_WHY_SIZE] = { DAMAGED, "size",
			   "is not a positive multiple of the block size",
			   "bytes a block:" },
	[BOW_WHY_OVERLAP] = { DAMAGED, "source", "overlaps its dest", "dest" },
	[BOW_WHY_ENTRY_CSUM] = { DAMAGED, "the backup at sector",
				 "does not match its checksum", NULL },
	[BOW_WHY_AMOUNT] = { DAMAGED, "with it the entries are about",
			     "bytes, more than any writer copies", "bytes:" },
	[BOW_WHY_NOT_DISJOINT] = { DAMAGED, "sector",
				   "would be written and is still needed: the "
				   "backups and the blocks to put back are "
				   "not disjoint", NULL },
	[BOW_WHY_LOG_NOT_KEPT] = { DAMAGED, "sector",
				   "would be written and holds this log block, "
				   "which is needed to the end", NULL },
	[BOW_WHY_SOURCE_TWICE] = { DAMAGED, "sector",
				   "is backed up twice, which no writer does", NULL },
	[BOW_WHY_LATER_BACKUP] = { DAMAGED, "sector",
				   "is backed up twice, and the later backup "
				   "would be written over",
				   "at sector" },
	[BOW_WHY_RECORD] = { DAMAGED, NULL,
			     "the finishing record is not understood", NULL },
	[BOW_WHY_RECORD_CSUM] = { DAMAGED, NULL,
				  "the finishing record's checksum is wrong",
				  NULL },
	[BOW_WHY_FINAL_SECTOR] = { DAMAGED, "final_sector",
				   "is not a block of the device", "sectors:" },
	[BOW_WHY_FINAL_CSUM] = { DAMAGED, "the final block 0 at sector",
				 "does not match its checksum", NULL },
	[BOW_WHY_FINAL_LOG] = { DAMAGED, "the final block 0 at sector",
				"is itself a log", NULL },
	[BOW_WHY_COMMIT_RESTORING] = { ERROR, NULL,
				       "a rollback has begun: it can only be "
				       "rolled back", NULL },
	[BOW_WHY_COMMIT_UNSURE] = { DAMAGED, "sector",
				    "should hold the live block 0 and does not "
				    "look like a filesystem", NULL },
	[BOW_WHY_FORCE_VERSION] = { ERROR, NULL,
				    "only a log of version 1.1 can be committed "
				    "by its newest block alone", NULL },
	[BOW_WHY_OTHER_ACTION] = { ERROR, NULL,
				   "the other action was already under way and "
				   "was completed", NULL },
	[BOW_WHY_OTHER_UNDER_WAY] = { ERROR, NULL,
				      "the other action is under way and would "
				      "be completed", NULL },
	[BOW_WHY_RESUME_RESTORING] = { ERROR, NULL,
				       "a rollback or a commit has begun: it can "
				       "only be completed", NULL },
	[BOW_WHY_RESUME_VERSION] = { ERROR, NULL,
				     "a log of this version can be rolled back "
				     "or committed, but not resumed",
				     NULL },
	[BOW_WHY_RESUME_NO_MAP] = { ERROR, NULL,
				    "the log does not tell which blocks were "
				    "free: roll back or commit", NULL },
	[BOW_WHY_RESUME_ACTIVATION] = { ERROR, NULL,
					"the checkpoint was not complete: roll "
					"back, which changes block 0 alone",
					NULL },
	[BOW_WHY_RESUME_ROLLBACK] = { ERROR, NULL, "a rollback was asked for",
				      NULL },
	[BOW_WHY_CLAIM_SHIFT] = { DAMAGED, "claim_shift", "is not possible",
				  NULL },
	[BOW_WHY_CLAIM] = { DAMAGED, "source",
			    "is not the start of a region that can be claimed",
			    NULL },
	[BOW_WHY_MAP_PLACE] = { DAMAGED, "sector",
				"cannot hold a block of the free map", NULL },
	[BOW_WHY_MAP_CSUM] = { DAMAGED, "the free map's block of sector",
			       "does not match its checksum", NULL },
	[BOW_WHY_MAP_CHAIN] = { DAMAGED, "the free map's block of sector",
				"does not continue the chain", "index" },
	[BOW_WHY_MAP_RANGE] = { DAMAGED, "the free map's block of sector",
				"describes blocks that it must not",
				"from block" },
	[BOW_WHY_MAP_FREE] = { DAMAGED, "the free map calls sector",
			       "free, and it was not", NULL },
	[BOW_WHY_MAP_HELD] = { DAMAGED, "sector",
			       "holds something of the log's, and was not free",
			       NULL },
};

static const struct why *why_of(const struct bow_error *e)
{
	return &whys[e->why < BOW_WHY_END ? e->why : BOW_WHY_NONE];
}

enum bow_exit bow_error_exit(const struct bow_error *e)
{
	return why_of(e)->status;
}

struct bow_error bow_open_error(int err)
{
	return (struct bow_error){ .why = BOW_WHY_OPEN, .err = err };
}

static const char *open_reason(int err)
{
	switch (err) {
	case -EBUSY:
		return "in use: mounted, or held by another program or driver";
	case -ENOTBLK:
		return "neither a block device nor a regular file";
	case -EROFS:
		return "it is read-only";
	case -EAGAIN:
		return "something else was put there meanwhile";
	default:
		return strerror(-err);
	}
}

/* NULL: the text says it all. */
static const char *reason(const struct bow_error *e)
{
	if (e->err >= 0 || why_of(e)->status != ERROR)
		return NULL;
	if (e->why == BOW_WHY_OPEN)
		return open_reason(e->err);
	/* Refused, by us. */
	if (e->err == -EPERM || e->why == BOW_WHY_MEMORY ||
	    e->why == BOW_WHY_MEMORY_MAP)
		return NULL;
	return strerror(-e->err);
}

bool bow_error_has_value(const struct bow_error *e)
{
	return why_of(e)->subject;
}

bool bow_error_has_limit(const struct bow_error *e)
{
	return why_of(e)->limit;
}

/* snprintf() at the end of what buf holds; cut when it is full. */
#define APPEND(buf, bytes, used, ...)                                          \
	do {                                                                   \
		int n_ = snprintf((buf) + (used), (bytes) - (used),            \
				  __VA_ARGS__);                                \
		if (n_ > 0)                                                    \
			(used) += (size_t)n_ < (bytes) - (used) ?              \
					  (size_t)n_ : (bytes) - (used) - 1;   \
	} while (0)

void bow_error_text(const struct bow_error *e, char *buf, size_t bytes)
{
	const struct why *why = why_of(e);
	size_t used = 0;

	if (!bytes)
		return;
	buf[0] = '\0';
	if (e->in_block)
		APPEND(buf, bytes, used, "log block %u", e->sequence);
	if (e->in_entry)
		APPEND(buf, bytes, used, ", entry %u", e->entry);
	if (e->in_block)
		APPEND(buf, bytes, used, ": ");
	if (bow_error_has_value(e))
		APPEND(buf, bytes, used, "%s %llu ", why->subject,
		       (unsigned long long)e->value);
	APPEND(buf, bytes, used, "%s", why->text);
	if (bow_error_has_limit(e))
		APPEND(buf, bytes, used, " (%s %llu)", why->limit,
		       (unsigned long long)e->limit);
	if (reason(e))
		APPEND(buf, bytes, used, ": %s", reason(e));
}
