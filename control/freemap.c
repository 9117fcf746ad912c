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
	if (ext2fs_has_feature_journal(fs->super) && !sb->s_journal_inum)
		return ctl_fail(e, -EOPNOTSUPP,
				"its journal is on another device, which would not go back with it");
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

/* libext2fs cuts the number of bits that are asked for to 32 bits. */
#define PIECE (1u << 20)

/*
 * The bitmaps as one: libext2fs has a call for each bit of interest, and millions of
 * them would be made while the filesystem is frozen.
 */
static int get_bits(struct ctl_freemap *map, struct ctl_error *e)
{
	ext2_filsys fs = map->fs;
	u64 start = EXT2FS_B2C(fs, fs->super->s_first_data_block);
	errcode_t code = 0;
	u64 words, at;

	map->clusters = EXT2FS_NUM_B2C(fs, ext2fs_blocks_count(fs->super)) -
			start;
	words = map->clusters / 64 + 1;
	if (words > SIZE_MAX / sizeof(*map->used))
		return ctl_fail(e, -ENOMEM, "block bitmaps: too large");
	map->used = bow_alloc((size_t)words * sizeof(*map->used));
	if (!map->used)
		return ctl_fail(e, -ENOMEM, "block bitmaps: no memory");
	for (at = 0; !code && at < map->clusters; at += PIECE) {
		u64 n = map->clusters - at;

		code = ext2fs_get_block_bitmap_range2(fs->block_map, start + at,
						      n < PIECE ? n : PIECE,
						      &map->used[at / 64]);
	}
	/* What is behind the end looks used. */
	map->used[words - 1] |= cpu_to_le64(~0ull << map->clusters % 64);
	ext2fs_free_block_bitmap(fs->block_map);
	fs->block_map = NULL;
	return code ? lib_failed(code, "block bitmaps", e) : 0;
}

/* The first cluster of [from, end) that is used, or free; `end`: none is. */
static u64 find(const struct ctl_freemap *map, u64 from, u64 end, bool used)
{
	u64 flip = used ? 0 : ~0ull, word;

	if (from >= end)
		return end;
	word = (le64_to_cpu(map->used[from / 64]) ^ flip) & ~0ull << from % 64;
	while (!word) {
		from = (from / 64 + 1) * 64;
		if (from >= end)
			return end;
		word = le64_to_cpu(map->used[from / 64]) ^ flip;
	}
	from = from / 64 * 64 + (u64)__builtin_ctzll(word);
	return from < end ? from : end;
}

/* The sector where a cluster begins, or the filesystem ends. */
static u64 sector_of(const struct ctl_freemap *map, u64 cluster)
{
	ext2_filsys fs = map->fs;
	u64 block = EXT2FS_C2B(fs, EXT2FS_B2C(fs, fs->super->s_first_data_block) +
				       cluster);

	/* The last cluster may be less than whole. */
	if (block > ext2fs_blocks_count(fs->super))
		block = ext2fs_blocks_count(fs->super);
	return block * map->block_sectors;
}

/*
 * The next free run of clusters [from, end); what follows it, or 0: there is
 * none.
 */
static u64 next_run(const struct ctl_freemap *map, u64 from, u64 end,
		    struct ctl_range *r)
{
	u64 next;

	from = find(map, from, end, false);
	if (from == end)
		return 0;
	next = find(map, from, end, true);
	r->start = sector_of(map, from);
	r->length = sector_of(map, next) - r->start;
	return next;
}

static void count_bitmaps(struct ctl_freemap *map)
{
	struct ctl_range r;
	u64 next = 0;

	while ((next = next_run(map, next, map->clusters, &r))) {
		map->free_sectors += r.length;
		map->free_ranges++;
	}
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
	err = get_bits(map, e);
	if (err)
		goto fail;
	map->block_sectors = fs->blocksize >> BOW_SECTOR_SHIFT;
	map->cluster_sectors = map->block_sectors << (fs->super->s_log_cluster_size -
						      fs->super->s_log_block_size);
	map->first_sector = sector_of(map, 0);
	count_bitmaps(map);
	if (mode == CTL_FREEMAP_EXACT) {
		err = check_counts(fs, map->free_sectors / map->block_sectors, e);
		if (err)
			goto fail;
	}
	map->sectors = ext2fs_blocks_count(fs->super) * map->block_sectors;
	return 0;
fail:
	ctl_freemap_free(map);
	return err;
}

/* Clusters of a stretch: a message is sent for each that is told as a bitmap. */
#define STRETCH (CTL_BATCH_BITS_MAX * 64u)

/*
 * With more runs than this a stretch is shorter as a bitmap, of which four blocks are
 * a digit: a run takes eight characters or so.
 */
#define DENSE (STRETCH / 4 / 8)

/* Are there more than DENSE runs in the clusters [at, end)? */
static bool is_dense(const struct ctl_freemap *map, u64 at, u64 end)
{
	u64 before = 1, runs = 0;

	/* A run begins where a free cluster follows one that is not. */
	for (; at < end; at += 64) {
		u64 unused = ~le64_to_cpu(map->used[at / 64]);

		runs += bow_weight(unused & (~unused << 1 | before));
		before = !(unused >> 63);
	}
	return runs > DENSE;
}

static int walk_ranges(const struct ctl_freemap *map, u64 at, u64 end,
		       const struct ctl_freemap_visitor *v)
{
	struct ctl_range r;
	int err = 0;

	while (!err && (at = next_run(map, at, end, &r)))
		err = v->range(v->context, r);
	return err;
}

int ctl_freemap_walk(const struct ctl_freemap *map,
		     const struct ctl_freemap_visitor *v)
{
	u64 at, end;
	int err = 0;

	for (at = 0; !err && at < map->clusters; at = end) {
		end = map->clusters;
		if (v->bits && end - at > STRETCH)
			end = at + STRETCH;
		if (v->bits && is_dense(map, at, end))
			err = v->bits(v->context, sector_of(map, at),
				      &map->used[at / 64],
				      (size_t)((end - at + 63) / 64));
		else
			err = walk_ranges(map, at, end, v);
	}
	return err;
}

void ctl_freemap_free(struct ctl_freemap *map)
{
	/* Closes the descriptor that open_fs() made. */
	if (map->fs)
		ext2fs_free(map->fs);
	bow_free(map->used);
	map->fs = NULL;
	map->used = NULL;
}
