// SPDX-License-Identifier: GPL-2.0
/*
 * fs-check.c - superblock, group descriptors and bitmaps of a view
 *
 * All that ext4 records twice or protects by a checksum, but for the inodes and
 * what they lead to: e2fsck does that.
 */
#include "bow_format.h"
#include "fs.h"

struct fs_fault *fs_failed(struct fs_view *v, errcode_t code, const char *what)
{
	/* A code of the system's, not of the library's: a read, or no memory. */
	if (v->view.err || code == EXT2_ET_NO_MEMORY || code < 256)
		v->verdict = FS_UNREADABLE;
	return fs_fault_add(&v->faults, "%s: %s", what, error_message(code));
}

static void in_group(struct fs_fault *fault, dgrp_t g, blk64_t block)
{
	fault->in_group = true;
	fault->group = g;
	fault->in_block = block != 0;
	fault->block = block;
}

/* ---- opening ---- */

/* Before the library takes memory for what the superblock claims. */
static bool check_size(struct fs_view *v, u64 device)
{
	const struct ext2_super_block *sb = &v->super;
	u64 blocks = sb->s_blocks_count;

	if (ext2fs_has_feature_64bit((struct ext2_super_block *)sb))
		blocks |= (u64)sb->s_blocks_count_hi << 32;
	if (sb->s_log_block_size <= 6 &&
	    blocks <= device >> (10 + sb->s_log_block_size))
		return true;
	fs_fault_add(&v->faults,
		     "superblock: %llu blocks of 1 KiB << %u are more than the device has",
		     (unsigned long long)blocks, sb->s_log_block_size);
	return false;
}

static bool open_fs(struct fs_view *v)
{
	errcode_t code = journal_ext2(&v->journal, &v->view, &v->fs);

	switch (code) {
	case 0:
		return true;
	case EXT2_ET_UNSUPP_FEATURE:
	case EXT2_ET_RO_UNSUPP_FEATURE:
	case EXT2_ET_REV_TOO_HIGH:
	case EXT2_ET_UNKNOWN_CSUM:
		v->verdict = FS_NOT_CHECKED;
		snprintf(v->reason, sizeof(v->reason), "%s",
			 error_message(code));
		return false;
	default:
		fs_failed(v, code, "superblock");
		return false;
	}
}

static void check_super(struct fs_view *v)
{
	struct ext2_super_block *sb = v->fs->super;

	if (sb->s_feature_ro_compat & BOW_EXT4_RO_GUARD)
		fs_fault_add(&v->faults,
			     "superblock: is the harmless copy that a log keeps");
	if (sb->s_state & EXT2_ERROR_FS)
		fs_fault_add(&v->faults,
			     "superblock: errors were found while it was mounted");
	if (EXT2_CLUSTERS_PER_GROUP(sb) > v->fs->blocksize * 8 ||
	    EXT2_INODES_PER_GROUP(sb) > v->fs->blocksize * 8)
		fs_fault_add(&v->faults,
			     "superblock: its groups are larger than their bitmaps");
	if (v->journal.problem)
		snprintf(v->unsettled, sizeof(v->unsettled),
			 "its journal is to be replayed first, and %s",
			 v->journal.problem);
	else if (v->journal.fast_commits)
		snprintf(v->unsettled, sizeof(v->unsettled),
			 "its journal is to be replayed first, and has fast commits, which are not read");
	else if (!(sb->s_state & EXT2_VALID_FS) &&
		 !ext2fs_has_feature_journal(sb))
		snprintf(v->unsettled, sizeof(v->unsettled),
			 "it was in use, and has no journal");
}

/* ---- groups ---- */

/* The zeros among the first `bits` bits. */
static u32 count_zeros(const u8 *bitmap, u32 bits)
{
	u32 ones = 0, i;

	for (i = 0; i < bits / 8; i++)
		ones += bow_weight(bitmap[i]);
	if (bits % 8)
		ones += bow_weight(bitmap[i] & ((1u << bits % 8) - 1));
	return bits - ones;
}

static bool inside(ext2_filsys fs, blk64_t first, u64 count)
{
	blk64_t end = ext2fs_blocks_count(fs->super);

	return first >= fs->super->s_first_data_block && first < end &&
	       count <= end - first;
}

static void check_descriptor(struct fs_view *v, dgrp_t g)
{
	ext2_filsys fs = v->fs;
	blk64_t at = ext2fs_descriptor_block_loc2(
		fs, fs->super->s_first_data_block,
		g / EXT2_DESC_PER_BLOCK(fs->super));

	if (!ext2fs_group_desc_csum_verify(fs, g))
		in_group(fs_fault_add(&v->faults,
				      "group descriptor: wrong checksum"),
			 g, at);
	if (!inside(fs, ext2fs_block_bitmap_loc(fs, g), 1) ||
	    !inside(fs, ext2fs_inode_bitmap_loc(fs, g), 1) ||
	    !inside(fs, ext2fs_inode_table_loc(fs, g),
		    fs->inode_blocks_per_group))
		in_group(fs_fault_add(&v->faults,
				      "group descriptor: names blocks that are not the filesystem's"),
			 g, at);
}

/* What is to be known to check one bitmap. */
struct bitmap {
	const char *what;
	blk64_t at;
	__u16 uninit;		/* EXT2_BG_*_UNINIT: not on the disk */
	u32 bits;		/* that stand for something */
	u32 bytes;		/* under the checksum */
	u32 free;		/* by the descriptor */
	int (*verify)(ext2_filsys fs, dgrp_t group, char *bitmap, int size);
};

static void check_bitmap(struct fs_view *v, dgrp_t g, const struct bitmap *b,
			 u8 *buf)
{
	ext2_filsys fs = v->fs;
	errcode_t code;
	u32 zeros;

	if (ext2fs_has_group_desc_csum(fs) &&
	    ext2fs_bg_flags_test(fs, g, b->uninit))
		return;
	code = io_channel_read_blk64(fs->io, b->at, 1, buf);
	if (code) {
		in_group(fs_failed(v, code, b->what), g, b->at);
		return;
	}
	zeros = count_zeros(buf, b->bits);
	if (!b->verify(fs, g, (char *)buf, (int)b->bytes))
		in_group(fs_fault_add(&v->faults, "%s: wrong checksum",
				      b->what), g, b->at);
	else if (zeros != b->free)
		in_group(fs_fault_add(&v->faults,
				      "%s: has %u free, its group descriptor says %u",
				      b->what, zeros, b->free), g, b->at);
}

static void check_group(struct fs_view *v, dgrp_t g, u8 *buf)
{
	ext2_filsys fs = v->fs;
	u32 ratio = 1u << fs->cluster_ratio_bits;
	struct bitmap blocks = {
		.what = "block bitmap",
		.at = ext2fs_block_bitmap_loc(fs, g),
		.uninit = EXT2_BG_BLOCK_UNINIT,
		.bits = ((u32)ext2fs_group_blocks_count(fs, g) + ratio - 1) /
			ratio,
		.bytes = EXT2_CLUSTERS_PER_GROUP(fs->super) / 8,
		.free = ext2fs_bg_free_blocks_count(fs, g),
		.verify = ext2fs_block_bitmap_csum_verify,
	};
	struct bitmap inodes = {
		.what = "inode bitmap",
		.at = ext2fs_inode_bitmap_loc(fs, g),
		.uninit = EXT2_BG_INODE_UNINIT,
		.bits = EXT2_INODES_PER_GROUP(fs->super),
		.bytes = EXT2_INODES_PER_GROUP(fs->super) / 8,
		.free = ext2fs_bg_free_inodes_count(fs, g),
		.verify = ext2fs_inode_bitmap_csum_verify,
	};
	u64 before = v->faults.count;

	check_descriptor(v, g);
	if (v->faults.count != before)
		return;
	check_bitmap(v, g, &blocks, buf);
	check_bitmap(v, g, &inodes, buf);
}

static void check_totals(struct fs_view *v)
{
	ext2_filsys fs = v->fs;
	u64 blocks = 0, inodes = 0;
	dgrp_t g;

	for (g = 0; g < fs->group_desc_count; g++) {
		blocks += (u64)ext2fs_bg_free_blocks_count(fs, g)
			  << fs->cluster_ratio_bits;
		inodes += ext2fs_bg_free_inodes_count(fs, g);
	}
	if (blocks != ext2fs_free_blocks_count(fs->super))
		fs_fault_add(&v->faults,
			     "superblock: %llu free blocks, by the groups %llu",
			     (unsigned long long)
				     ext2fs_free_blocks_count(fs->super),
			     (unsigned long long)blocks);
	if (inodes != fs->super->s_free_inodes_count)
		fs_fault_add(&v->faults,
			     "superblock: %u free inodes, by the groups %llu",
			     fs->super->s_free_inodes_count,
			     (unsigned long long)inodes);
}

static bool stopped(const struct fs_view *v)
{
	const struct bow_monitor *m = v->monitor;

	return m && m->stop && m->stop(m->ctx);
}

static void check_groups(struct fs_view *v)
{
	u8 *buf = bow_alloc(v->fs->blocksize);
	dgrp_t g;

	if (!buf) {
		fs_failed(v, EXT2_ET_NO_MEMORY, "bitmaps");
		return;
	}
	for (g = 0; g < v->fs->group_desc_count && !stopped(v); g++)
		check_group(v, g, buf);
	bow_free(buf);
}

void fs_check(struct fs_view *v)
{
	if (!check_size(v, v->view.dev->size) || !open_fs(v))
		return;
	check_super(v);
	/* Without its journal the metadata may be of different moments. */
	if (v->unsettled[0] || v->faults.count)
		return;
	check_groups(v);
	/* While it is mounted those in the superblock are not kept. */
	if (!v->journal.pending)
		check_totals(v);
	/* What a wrong descriptor leads to is not worth a message. */
	if (v->faults.count || stopped(v))
		return;
	fs_check_root(v);
	fs_check_journal(v);
}
