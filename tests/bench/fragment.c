// SPDX-License-Identifier: GPL-2.0
/*
 * fragment.c - free space in very many pieces
 *
 * fragment IMAGE
 *
 * Of every sixteen blocks of an ext4 that are free, four are marked as used.  They
 * are nobody's, which e2fsck would tell; the kernel does not mind.
 */
#include <et/com_err.h>
#include <ext2fs/ext2fs.h>
#include <stdio.h>

static unsigned long long fragment(ext2_filsys fs)
{
	blk64_t blocks = ext2fs_blocks_count(fs->super), b;
	unsigned long long extents = 0;
	int i;

	for (b = 16; b + 16 <= blocks; b += 16) {
		if (ext2fs_test_block_bitmap_range2(fs->block_map, b, 16)) {
			for (i = 0; i < 4; i++)
				ext2fs_block_alloc_stats2(fs, b + (blk64_t)i, 1);
			extents++;
		}
	}
	return extents;
}

int main(int argc, char **argv)
{
	unsigned long long extents;
	ext2_filsys fs;
	errcode_t err;

	if (argc != 2) {
		fprintf(stderr, "usage: fragment IMAGE\n");
		return 16;
	}
	err = ext2fs_open(argv[1], EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0,
			  unix_io_manager, &fs);
	if (!err)
		err = ext2fs_read_bitmaps(fs);
	if (!err) {
		extents = fragment(fs);
		err = ext2fs_close_free(&fs);
	}
	if (err) {
		com_err("fragment", err, "%s", argv[1]);
		return 1;
	}
	printf("extents %llu\n", extents);
	return 0;
}
