// SPDX-License-Identifier: GPL-2.0
/*
 * freemap.c - the free blocks of an ext4 filesystem, by libext2fs
 *
 * A block that is called free here will be overwritten with backups: a wrong
 * bitmap costs data.  So everything that ext4 records twice is compared, and a
 * filesystem that is marked as damaged, or that has features which may change
 * what a bitmap means, is refused.
 */
#include <ext2fs/ext2fs.h>
#include <string.h>
#include <unistd.h>

#include "bow_format.h"
#include "bowctl.h"

void ctl_freemap_init(void)
{
	initialize_ext2_error_table();
}

static int lib_failed(errcode_t code, const char *what, struct ctl_error *e)
{
	return ctl_fail(e, code == EXT2_ET_NO_MEMORY ? -ENOMEM : -EIO,
			"%s: %s", what, error_message(code));
}

static int check_features(ext2_filsys fs, enum ctl_freemap_mode mode,
			  struct ctl_error *e)
{
	const struct ext2_super_block *sb = fs->super;

	if (sb->s_feature_ro_compat & ~(__u32)EXT2_LIB_FEATURE_RO_COMPAT_SUPP)
		return ctl_fail(e, -EOPNOTSUPP,
				"the filesystem has unknown features (0x%x)",
				sb->s_feature_ro_compat &
				~(__u32)EXT2_LIB_FEATURE_RO_COMPAT_SUPP);
	if (sb->s_state & EXT2_ERROR_FS)
		return ctl_fail(e, -EUCLEAN,
				"the filesystem is marked as damaged: run e2fsck");
	/* A freeze empties the journal: else the bitmaps are not the latest. */
	if (mode == CTL_FREEMAP_EXACT &&
	    ext2fs_has_feature_journal_needs_recovery(fs->super))
		return ctl_fail(e, -EUCLEAN,
				"the filesystem's journal was not replayed");
	return 0;
}

/* Free blocks as the group descriptors have it, their checksums checked. */
static int count_descriptors(ext2_filsys fs, u64 *blocks, struct ctl_error *e)
{
	dgrp_t g;

	*blocks = 0;
	for (g = 0; g < fs->group_desc_count; g++) {
		if (!ext2fs_group_desc_csum_verify(fs, g))
			return ctl_fail(e, -EUCLEAN,
					"block group %u: wrong checksum", g);
		*blocks += (u64)ext2fs_bg_free_blocks_count(fs, g)
			   << (fs->super->s_log_cluster_size -
			       fs->super->s_log_block_size);
	}
	return 0;
}

/* The next run of free blocks at or after `from`; false: there is none. */
static bool next_run(ext2_filsys fs, blk64_t from, blk64_t *first, blk64_t *end)
{
	blk64_t blocks = ext2fs_blocks_count(fs->super);

	if (from >= blocks ||
	    ext2fs_find_first_zero_block_bitmap2(fs->block_map, from,
						 blocks - 1, first))
		return false;
	if (ext2fs_find_first_set_block_bitmap2(fs->block_map, *first,
						blocks - 1, end))
		*end = blocks;
	return *end > *first;
}

static u64 count_bitmaps(ext2_filsys fs)
{
	blk64_t first, end = fs->super->s_first_data_block;
	u64 blocks = 0;

	while (next_run(fs, end, &first, &end))
		blocks += end - first;
	return blocks;
}

/* Superblock, group descriptors and bitmaps must tell the same. */
static int check_counts(ext2_filsys fs, u64 in_bitmaps, struct ctl_error *e)
{
	u64 in_super = ext2fs_free_blocks_count(fs->super), in_groups;
	int err;

	err = count_descriptors(fs, &in_groups, e);
	if (err)
		return err;
	if (in_super != in_bitmaps || in_groups != in_bitmaps)
		return ctl_fail(e, -EUCLEAN,
				"free blocks: %llu by the bitmaps, %llu by the group descriptors, %llu by the superblock: run e2fsck",
				(unsigned long long)in_bitmaps,
				(unsigned long long)in_groups,
				(unsigned long long)in_super);
	return 0;
}

static int open_fs(ext2_filsys *fs, int fd, enum ctl_freemap_mode mode,
		   struct ctl_error *e)
{
	int flags = EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP;
	char name[16];
	errcode_t code;
	int own = dup(fd);

	if (own < 0)
		return ctl_fail(e, -errno, "dup: %s", strerror(errno));
	/* Checksums of blocks that are being changed may be wrong. */
	if (mode == CTL_FREEMAP_ESTIMATE)
		flags |= EXT2_FLAG_IGNORE_CSUM_ERRORS;
	snprintf(name, sizeof(name), "%d", own);
	code = ext2fs_open2(name, NULL, flags, 0, 0, unixfd_io_manager, fs);
	if (!code)
		return 0;
	close(own);
	if (code == EXT2_ET_BAD_MAGIC)
		return ctl_fail(e, -EOPNOTSUPP, "no ext4 filesystem");
	return lib_failed(code, "superblock", e);
}

int ctl_freemap_read(struct ctl_freemap *map, int fd,
		     enum ctl_freemap_mode mode, struct ctl_error *e)
{
	ext2_filsys fs;
	errcode_t code;
	u64 blocks;
	int err;

	memset(map, 0, sizeof(*map));
	err = open_fs(&fs, fd, mode, e);
	if (err)
		return err;
	map->fs = fs;
	/* A bit a block: the memory needed does not depend on the contents. */
	fs->default_bitmap_type = EXT2FS_BMAP64_BITARRAY;
	err = check_features(fs, mode, e);
	if (err)
		goto fail;
	code = ext2fs_read_block_bitmap(fs);
	if (code) {
		err = lib_failed(code, "block bitmaps", e);
		goto fail;
	}
	blocks = count_bitmaps(fs);
	if (mode == CTL_FREEMAP_EXACT) {
		err = check_counts(fs, blocks, e);
		if (err)
			goto fail;
	}
	map->block_sectors = fs->blocksize >> BOW_SECTOR_SHIFT;
	map->sectors = ext2fs_blocks_count(fs->super) * map->block_sectors;
	map->free_sectors = blocks * map->block_sectors;
	return 0;
fail:
	ctl_freemap_free(map);
	return err;
}

int ctl_freemap_walk(const struct ctl_freemap *map,
		     int (*each)(void *context, struct ctl_range r),
		     void *context)
{
	ext2_filsys fs = map->fs;
	blk64_t first, end = fs->super->s_first_data_block;
	int err = 0;

	while (!err && next_run(fs, end, &first, &end))
		err = each(context, (struct ctl_range){
					    first * map->block_sectors,
					    (end - first) * map->block_sectors });
	return err;
}

void ctl_freemap_free(struct ctl_freemap *map)
{
	/* Closes the descriptor that open_fs() made. */
	if (map->fs)
		ext2fs_free(map->fs);
	map->fs = NULL;
}
