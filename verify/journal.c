// SPDX-License-Identifier: GPL-2.0
/*
 * journal.c - finding the journal of a filesystem in a view
 *
 * A filesystem that was in use has its newest metadata in its journal only.  A
 * mount would replay it; here its blocks are patched into the view, and nothing
 * is written.
 */
#include "cli.h"
#include "journal.h"

/* As mke2fs allows it. */
#define JOURNAL_BLOCKS_MAX 10240000u

const char *jbd2_super_judge(void *super, __u32 block_size, __u64 blocks)
{
	u32 type = jbd2_word(super, JBD2_W_TYPE);
	u32 length = jbd2_word(super, JBD2_W_LENGTH);
	u32 csum = jbd2_word(super, JBD2_W_CSUM);

	if (jbd2_word(super, JBD2_W_MAGIC) != JBD2_MAGIC ||
	    (type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2))
		return "has no superblock";
	if (jbd2_word(super, JBD2_W_BLOCK_SIZE) != block_size)
		return "has another block size";
	if (length > blocks || jbd2_word(super, JBD2_W_FIRST) >= length)
		return "is longer than its inode";
	if (type == JBD2_SUPER_V1 ||
	    !jbd2_has_csum(jbd2_word(super, JBD2_W_INCOMPAT)))
		return NULL;
	memset((char *)super + 4 * JBD2_W_CSUM, 0, 4);
	return ext2fs_crc32c_le(~0u, super, JBD2_SUPER_SIZE) == csum ?
		       NULL : "superblock: wrong checksum";
}

/* ---- the blocks of the journal ---- */

static int visit_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count,
		       blk64_t ref_block, int ref_offset, void *ctx)
{
	struct journal *j = ctx;
	struct journal_run *last = j->runs ? &j->run[j->runs - 1] : NULL;

	(void)fs;
	(void)ref_block;
	(void)ref_offset;
	if (count < 0 || (u64)count >= JOURNAL_BLOCKS_MAX)
		return count < 0 ? 0 : BLOCK_ABORT;
	if (last && last->first + last->blocks == (u64)count &&
	    last->place + last->blocks == *block) {
		last->blocks++;
		return 0;
	}
	if (j->runs == j->runs_room) {
		size_t room = j->runs_room ? j->runs_room * 2 : 16;
		void *run = reallocarray(j->run, room, sizeof(*j->run));

		if (!run) {
			j->problem = "is in too many pieces for the memory";
			return BLOCK_ABORT;
		}
		j->run = run;
		j->runs_room = room;
	}
	j->run[j->runs++] = (struct journal_run){ (u64)count, *block, 1 };
	return 0;
}

u64 journal_place(const struct journal *j, u64 n)
{
	size_t low = 0, high = j->runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct journal_run *run = &j->run[middle];

		if (n < run->first)
			high = middle;
		else if (n - run->first >= run->blocks)
			low = middle + 1;
		else
			return run->place + (n - run->first);
	}
	return 0;
}

int journal_block(const struct journal *j, u64 n, void *buf)
{
	u64 place = journal_place(j, n);

	if (!place || place >= j->fs_blocks)
		return -ERANGE;
	return view_read(j->view, place * j->bytes, buf, j->bytes);
}

static int find_blocks(struct journal *j, ext2_filsys fs, u64 *blocks)
{
	ext2_ino_t ino = fs->super->s_journal_inum;
	struct ext2_inode inode;
	errcode_t code;

	if (!ino || ino > fs->super->s_inodes_count) {
		j->problem = ino ? "cannot be found" : "is on another device";
		return 0;
	}
	code = ext2fs_read_inode(fs, ino, &inode);
	if (!code)
		code = ext2fs_block_iterate3(fs, ino, BLOCK_FLAG_READ_ONLY, NULL,
					     visit_block, j);
	if (code && j->view->err)
		return j->view->err;
	if (code && !j->problem)
		j->problem = "cannot be found";
	*blocks = EXT2_I_SIZE(&inode) / j->bytes;
	return 0;
}

/* ---- its superblock ---- */

static void set_bounds(struct journal *j, const u8 *super)
{
	u32 fast = jbd2_word(super, JBD2_W_FAST_BLOCKS);

	j->first = jbd2_word(super, JBD2_W_FIRST);
	j->end = jbd2_word(super, JBD2_W_LENGTH);
	if (!(j->incompat & JBD2_INCOMPAT_FAST_COMMIT))
		return;
	if (!fast)
		fast = JBD2_FAST_BLOCKS;
	if (fast < j->end && j->end - fast >= JBD2_BLOCKS_MIN)
		j->end -= fast;
}

static void take_super(struct journal *j, u8 *super, u64 blocks)
{
	j->problem = jbd2_super_judge(super, j->bytes, blocks);
	if (j->problem)
		return;
	if (jbd2_word(super, JBD2_W_TYPE) == JBD2_SUPER_V2) {
		j->compat = jbd2_word(super, JBD2_W_COMPAT);
		j->incompat = jbd2_word(super, JBD2_W_INCOMPAT);
	}
	set_bounds(j, super);
	j->sequence = j->next = jbd2_word(super, JBD2_W_FIRST_SEQUENCE);
	j->start = jbd2_word(super, JBD2_W_START);
	j->seed = ext2fs_crc32c_le(~0u, super + 4 * JBD2_W_UUID, 16);
	if (j->incompat & ~JBD2_INCOMPAT_KNOWN)
		j->problem = "has features that are not known";
	else if (j->start && (!j->first || j->start < j->first ||
			      j->start >= j->end))
		j->problem = "begins outside of itself";
}

static int read_super(struct journal *j, u64 blocks)
{
	u8 *buf = bow_alloc(j->bytes);
	int r = buf ? journal_block(j, 0, buf) : -ENOMEM;

	if (!r)
		take_super(j, buf, blocks);
	bow_free(buf);
	if (r != -ERANGE)
		return r;
	j->problem = "has no blocks";
	return 0;
}

/*
 * Fast commits are replayed on top of the transactions: names and extents, not
 * blocks.  The kernel takes them if they belong to the one that comes next.
 */
static int find_fast_commits(struct journal *j)
{
	u8 *buf;
	__le32 tid;
	__le16 tag;
	int r;

	if (!(j->incompat & JBD2_INCOMPAT_FAST_COMMIT))
		return 0;
	buf = bow_alloc(j->bytes);
	/* The kernel leaves one block between the two. */
	r = buf ? journal_block(j, j->end + 1, buf) : -ENOMEM;
	if (!r) {
		memcpy(&tag, buf, sizeof(tag));
		memcpy(&tid, buf + JBD2_FAST_HEAD_TID, sizeof(tid));
		j->fast_commits = ext2fs_le16_to_cpu(tag) ==
					  JBD2_FAST_HEAD_TAG &&
				  ext2fs_le32_to_cpu(tid) == j->next;
	}
	bow_free(buf);
	return r == -ERANGE ? 0 : r;
}

/* ---- all of it ---- */

static int load(struct journal *j, ext2_filsys fs)
{
	u64 blocks = 0;
	int r = find_blocks(j, fs, &blocks);

	if (!r && !j->problem)
		r = read_super(j, blocks);
	if (!r && !j->problem && j->start)
		r = journal_scan(j);
	if (!r && !j->problem)
		r = find_fast_commits(j);
	return r;
}

int journal_load(struct journal *j, struct view *v, ext2_filsys fs)
{
	int r;

	memset(j, 0, sizeof(*j));
	j->view = v;
	j->bytes = fs->blocksize;
	j->fs_blocks = ext2fs_blocks_count(fs->super);
	j->patches.bytes = j->bytes;
	/* Without the mark a mount empties the journal instead. */
	j->pending = ext2fs_has_feature_journal_needs_recovery(fs->super);
	if (!j->pending)
		return 0;
	r = load(j, fs);
	free(j->run);
	j->run = NULL;
	return r;
}

void journal_free(struct journal *j)
{
	free(j->patches.patch);
	j->patches.patch = NULL;
	j->patches.count = 0;
}

errcode_t journal_ext2(struct journal *j, struct view *v, ext2_filsys *fs)
{
	errcode_t code;
	int r;

	memset(j, 0, sizeof(*j));
	view_patch(v, NULL);
	code = view_ext2(v, 0, fs);
	if (code)
		return code;
	r = journal_load(j, v, *fs);
	if (!r && !j->patches.count)
		return 0;
	ext2fs_free(*fs);
	*fs = NULL;
	if (r)
		return -r;
	view_patch(v, &j->patches);
	return view_ext2(v, 0, fs);
}

/* Read without the patches, which may not be right any more. */
int journal_moved(struct view *v, ext2_filsys fs, const struct journal *before)
{
	const struct view_patches *patches = v->patches;
	struct journal now;
	int r;

	view_patch(v, NULL);
	r = journal_load(&now, v, fs);
	view_patch(v, patches);

	if (!r)
		r = now.next != before->next || now.start != before->start ||
		    now.fast_commits != before->fast_commits ||
		    now.problem != before->problem;
	journal_free(&now);
	return r;
}
