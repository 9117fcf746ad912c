/* SPDX-License-Identifier: GPL-2.0 */
/*
 * jbd2.h - the journal of ext3 and ext4 on the disk, as far as it is read here
 *
 * All of it is big-endian.  libext2fs does not install its own declarations.
 *
 * Every block of the journal itself begins with three words: magic, type and the
 * sequence of the transaction.  A descriptor goes on with tags, one for each of
 * the blocks that follow it, a revoke block with numbers of blocks.
 */
#ifndef BOW_VERIFY_JBD2_H
#define BOW_VERIFY_JBD2_H

#include <ext2fs/ext2fs.h>

#define JBD2_MAGIC 0xc03b3998u
#define JBD2_SUPER_SIZE 1024u
#define JBD2_HEADER_SIZE 12u

enum jbd2_type {
	JBD2_DESCRIPTOR = 1,
	JBD2_COMMIT = 2,
	JBD2_SUPER_V1 = 3,
	JBD2_SUPER_V2 = 4,
	JBD2_REVOKE = 5,
};

/* Words of any block, and of the superblock. */
enum jbd2_word {
	JBD2_W_MAGIC = 0,
	JBD2_W_TYPE = 1,
	JBD2_W_SEQUENCE = 2,
	JBD2_W_BLOCK_SIZE = 3,
	JBD2_W_LENGTH = 4,	/* blocks, with the superblock */
	JBD2_W_FIRST = 5,	/* block of the log itself */
	JBD2_W_FIRST_SEQUENCE = 6,
	JBD2_W_START = 7,	/* 0: nothing is to be replayed */
	JBD2_W_COMPAT = 9,
	JBD2_W_INCOMPAT = 10,
	JBD2_W_UUID = 12,	/* four of them */
	JBD2_W_FAST_BLOCKS = 21,
	JBD2_W_CSUM = 63,

	JBD2_W_REVOKE_BYTES = 3,	/* of a revoke block, with its header */
	JBD2_W_COMMIT_CSUM = 4,		/* of a commit block */
	JBD2_W_COMMIT_SECONDS = 12,	/* two */
};

#define JBD2_COMPAT_CHECKSUM 0x01u
#define JBD2_INCOMPAT_REVOKE 0x01u
#define JBD2_INCOMPAT_64BIT 0x02u
#define JBD2_INCOMPAT_ASYNC_COMMIT 0x04u
#define JBD2_INCOMPAT_CSUM_V2 0x08u
#define JBD2_INCOMPAT_CSUM_V3 0x10u
#define JBD2_INCOMPAT_FAST_COMMIT 0x20u
#define JBD2_INCOMPAT_KNOWN 0x3fu

#define JBD2_TAG_ESCAPED 0x01u	/* the block began with the magic */
#define JBD2_TAG_SAME_UUID 0x02u
#define JBD2_TAG_LAST 0x08u

/* Blocks for fast commits, at the end, when the superblock does not say. */
#define JBD2_FAST_BLOCKS 256u
#define JBD2_BLOCKS_MIN 1024u	/* that must be left without them */
/* Little-endian, at the start of the first of them. */
#define JBD2_FAST_HEAD_TAG 9u
#define JBD2_FAST_HEAD_TID 8u	/* offset of the transaction's sequence */

static inline __u32 jbd2_word(const void *block, unsigned int n)
{
	__be32 value;

	memcpy(&value, (const char *)block + 4 * (size_t)n, sizeof(value));
	return ext2fs_be32_to_cpu(value);
}

static inline int jbd2_has_csum(__u32 incompat)
{
	return (incompat & (JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3)) != 0;
}

/*
 * What is wrong with the superblock of a journal of `blocks` blocks; NULL:
 * nothing.  `super`, JBD2_SUPER_SIZE bytes, is changed.
 */
const char *jbd2_super_judge(void *super, __u32 block_size, __u64 blocks);

#endif /* BOW_VERIFY_JBD2_H */
