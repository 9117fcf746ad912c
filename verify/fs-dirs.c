// SPDX-License-Identifier: GPL-2.0
/*
 * fs-dirs.c - two inodes without which nothing works: the root directory and
 * the journal
 */
#include "fs.h"
#include "jbd2.h"

static void of_group(struct fs_fault *fault, dgrp_t group)
{
	fault->in_group = true;
	fault->group = group;
}

static bool read_inode(struct fs_view *v, ext2_ino_t ino,
		       struct ext2_inode *inode, const char *what)
{
	errcode_t code = ext2fs_read_inode(v->fs, ino, inode);

	if (code)
		of_group(fs_failed(v, code, what),
			 ext2fs_group_of_ino(v->fs, ino));
	return !code;
}

/* ---- the root directory ---- */

struct names {
	struct fs_view *v;
	u32 dots;		/* "." and ".." that are right */
	u32 bad;		/* entries with an impossible inode number */
};

static int look_at_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *d,
			int offset, int blocksize, char *buf, void *private)
{
	struct names *n = private;
	int length = ext2fs_dirent_name_len(d);

	(void)dir;
	(void)offset;
	(void)blocksize;
	(void)buf;
	if (d->inode > n->v->fs->super->s_inodes_count)
		n->bad++;
	if (entry == DIRENT_DOT_FILE)
		n->dots += length == 1 && d->inode == EXT2_ROOT_INO;
	else if (entry == DIRENT_DOT_DOT_FILE)
		n->dots += length == 2 && d->inode == EXT2_ROOT_INO;
	return 0;
}

void fs_check_root(struct fs_view *v)
{
	struct names names = { .v = v };
	struct ext2_inode inode;
	errcode_t code;

	if (!read_inode(v, EXT2_ROOT_INO, &inode, "root directory"))
		return;
	if (!LINUX_S_ISDIR(inode.i_mode) || !inode.i_links_count) {
		fs_fault_add(&v->faults, "root directory: inode 2 is none");
		return;
	}
	code = ext2fs_dir_iterate2(v->fs, EXT2_ROOT_INO, 0, NULL, look_at_name,
				   &names);
	if (code)
		fs_failed(v, code, "root directory");
	else if (names.dots != 2)
		fs_fault_add(&v->faults,
			     "root directory: '.' and '..' are not right");
	else if (names.bad)
		fs_fault_add(&v->faults,
			     "root directory: %u entries name impossible inodes",
			     names.bad);
}

/* ---- the journal ---- */

/* What is wrong with it; NULL: nothing. */
static const char *judge(const struct fs_view *v, u8 *super, u64 blocks)
{
	const char *why = jbd2_super_judge(super, v->fs->blocksize, blocks);

	if (!why && !v->journal.pending && jbd2_word(super, JBD2_W_START))
		return "is not empty, and is not to be replayed";
	return why;
}

static void check_journal_block(struct fs_view *v, u64 blocks, blk64_t at)
{
	struct fs_fault *fault;
	u8 *buf = bow_alloc(v->fs->blocksize);
	const char *why;
	errcode_t code;

	if (!buf) {
		fs_failed(v, EXT2_ET_NO_MEMORY, "journal");
		return;
	}
	code = io_channel_read_blk64(v->fs->io, at, 1, buf);
	why = code ? NULL : judge(v, buf, blocks);
	if (code || why) {
		fault = code ? fs_failed(v, code, "journal") :
			       fs_fault_add(&v->faults, "journal %s", why);
		fault->in_block = true;
		fault->block = at;
	}
	bow_free(buf);
}

void fs_check_journal(struct fs_view *v)
{
	ext2_ino_t ino = v->fs->super->s_journal_inum;
	struct ext2_inode inode;
	blk64_t at = 0;
	errcode_t code;

	/* On another device, or none. */
	if (!ext2fs_has_feature_journal(v->fs->super) || !ino)
		return;
	if (ino > v->fs->super->s_inodes_count) {
		fs_fault_add(&v->faults, "journal: inode %u is impossible",
			     ino);
		return;
	}
	if (!read_inode(v, ino, &inode, "journal"))
		return;
	code = ext2fs_bmap2(v->fs, ino, &inode, NULL, 0, 0, NULL, &at);
	if (code)
		fs_failed(v, code, "journal");
	else if (!at)
		fs_fault_add(&v->faults, "journal: has no blocks");
	else
		check_journal_block(v, EXT2_I_SIZE(&inode) / v->fs->blocksize,
				    at);
}
