// SPDX-License-Identifier: GPL-2.0
/*
 * test_disk.c - building and checking the structures of the format
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../tap.h"
#include "bow_disk.h"

static void test_sizes(void)
{
	CHECK(bow_header_size(4096, true) == 2048);
	CHECK(bow_header_size(2048, true) == 256);
	CHECK(bow_header_size(4096, false) == 256);
	CHECK(bow_max_entries(4096, 2048, true) == 85);
	CHECK(bow_max_entries(4096, 256, false) == 160);
	CHECK(bow_max_entries(2048, 256, true) == 32);
	CHECK(bow_max_entries(2048, 256, false) == 74);
	CHECK(bow_max_entries(1024, 256, false) == 32);
	CHECK(bow_max_entries(512, 256, false) == 10);
	CHECK(bow_max_entries(512, 513, false) == 0);
	CHECK(bow_block_size_ok(512) && bow_block_size_ok(4096));
	CHECK(!bow_block_size_ok(256) && !bow_block_size_ok(8192));
	CHECK(!bow_block_size_ok(1536) && !bow_block_size_ok(0));
}

static void test_header_csum(void)
{
	struct bow_header_disk h;
	u32 csum;
	size_t i;

	memset(&h, 0, sizeof(h));
	h.magic = cpu_to_le32(BOW_MAGIC_LOG);
	csum = bow_header_csum(&h);
	h.header_csum = cpu_to_le32(csum);
	CHECK(bow_header_csum(&h) == csum);
	h.magic = cpu_to_le32(BOW_MAGIC_RESTORING);
	CHECK(bow_header_csum(&h) == csum);
	for (i = 4; i < sizeof(h); i++) {
		if (i >= offsetof(struct bow_header_disk, header_csum) &&
		    i < offsetof(struct bow_header_disk, entries_csum))
			continue;
		((u8 *)&h)[i] ^= 1;
		CHECK(bow_header_csum(&h) != csum);
		((u8 *)&h)[i] ^= 1;
	}
}

static void test_free_map_csum(void)
{
	u8 block[4096] = { 0 };
	u32 csum = bow_free_map_csum(block, sizeof(block));

	block[4] = 0xff;	/* the field itself */
	CHECK(bow_free_map_csum(block, sizeof(block)) == csum);
	block[63] ^= 1;
	CHECK(bow_free_map_csum(block, sizeof(block)) != csum);
	block[63] ^= 1;
	block[4095] ^= 1;
	CHECK(bow_free_map_csum(block, sizeof(block)) != csum);
}

static void test_ending(void)
{
	struct bow_finish_disk in = {
		.final_sector = cpu_to_le64(80),
		.action = cpu_to_le32(BOW_ACTION_COMMIT),
	}, f;
	struct bow_write_list list;
	u8 final[4096], scratch[512];

	memset(final, 0x5a, sizeof(final));
	bow_ending_build(&list, scratch, final, 4096, &in);
	CHECK(list.count == 3);
	CHECK(list.w[0].sector == 0 && list.w[0].bytes == 512);
	CHECK(list.w[0].preflush && list.w[0].fua);
	CHECK(list.w[1].sector == 1 && list.w[1].bytes == 3584);
	CHECK(list.w[1].data == final + 512 && list.w[1].fua);
	CHECK(list.w[2].sector == 0 && list.w[2].bytes == 512);
	CHECK(list.w[2].data == final && list.w[2].fua);
	memcpy(&f, list.w[0].data, sizeof(f));
	CHECK(le32_to_cpu(f.magic) == BOW_MAGIC_FINISHING);
	CHECK(le32_to_cpu(f.record_csum) == bow_finish_csum(&f));
	CHECK(le32_to_cpu(f.final_csum) == bow_crc32(0, final, 4096));
	CHECK(le64_to_cpu(f.final_sector) == 80);
	CHECK(le32_to_cpu(f.block_size) == 4096);
}

static void test_ending_of_one_sector(void)
{
	struct bow_finish_disk in = { .action = 0 };
	struct bow_write_list list;
	u8 final[512] = { 0 }, scratch[512];

	bow_ending_build(&list, scratch, final, 512, &in);
	CHECK(list.count == 1 && list.w[0].data == final);
	CHECK(list.w[0].preflush && list.w[0].fua);
	CHECK(list.w[0].sector == 0 && list.w[0].bytes == 512);
}

static void test_has_superblock(void)
{
	u8 block[4096] = { 0 };

	CHECK(!bow_has_ext_superblock(block, 4096));
	block[1024 + 0x38] = 0x53;
	block[1024 + 0x39] = 0xef;
	CHECK(bow_has_ext_superblock(block, 4096));
	CHECK(bow_has_ext_superblock(block, 2048));
	CHECK(!bow_has_ext_superblock(block, 1024));
	CHECK(!bow_has_ext_superblock(block, 512));
}

static void test_guard_fields(void)
{
	u8 sb[1024], guard[1024];
	size_t i;

	memset(sb, 0xff, sizeof(sb));
	bow_guard_build(guard, sb);
	CHECK(bow_get_le32(guard + 0x5c) == 0xfffffffb);
	CHECK(bow_get_le32(guard + 0x60) == 0xfffffffb);
	CHECK(bow_get_le32(guard + 0x64) == 0xffffffff);
	CHECK(bow_get_le32(guard + 0xe0) == 0);
	CHECK(bow_get_le32(guard + 0xe8) == 0);
	memset(sb, 0, sizeof(sb));
	bow_guard_build(guard, sb);
	CHECK(bow_get_le32(guard + 0x64) == 0x80000000);
	/* Without metadata_csum there is no checksum to set. */
	for (i = 0; i < sizeof(guard); i++)
		CHECK(guard[i] == (i == 0x67 ? 0x80 : 0));
}

/* The superblock of a real ext4 with its guard in place, in a file. */
static bool guarded_image(const char *path)
{
	char command[256];
	u8 block[4096], guard[1024];
	FILE *f;
	bool ok;

	snprintf(command, sizeof(command),
		 "mke2fs -q -F -t ext4 -b 4096 -O metadata_csum %s 16M", path);
	if (system(command))
		return false;
	f = fopen(path, "r+");
	if (!f)
		return false;
	ok = fread(block, sizeof(block), 1, f) == 1 &&
	     bow_has_ext_superblock(block, sizeof(block));
	bow_guard_build(guard, block + BOW_GUARD_OFFSET);
	ok = ok && fseek(f, BOW_GUARD_OFFSET, SEEK_SET) == 0 &&
	     fwrite(guard, sizeof(guard), 1, f) == 1;
	return fclose(f) == 0 && ok;
}

/* dumpe2fs refuses a superblock whose checksum is wrong. */
static void test_guard_of_ext4(void)
{
	char path[64] = "/tmp/bow-guard-XXXXXX", command[512];
	int fd = mkstemp(path);
	bool built;
	int r;

	CHECK(fd >= 0);
	close(fd);
	built = guarded_image(path);
	snprintf(command, sizeof(command),
		 "dumpe2fs -h %s >%s.out 2>&1 && grep -q FEATURE_R31 %s.out && ! grep -q has_journal %s.out && ! e2fsck -fy %s >/dev/null 2>&1",
		 path, path, path, path, path);
	r = system(command);
	unlink(path);
	strcat(path, ".out");
	unlink(path);
	CHECK(built);
	CHECK(r == 0);
}

int main(void)
{
	RUN(test_sizes, "header sizes and entries a block");
	RUN(test_header_csum, "the header's checksum covers all but two fields");
	RUN(test_free_map_csum, "a free map block's checksum covers the block");
	RUN(test_ending, "the ending is record, rest, first unit");
	RUN(test_ending_of_one_sector, "a block 0 of one sector is one write");
	RUN(test_has_superblock, "an ext superblock must lie whole in block 0");
	RUN(test_guard_fields, "the guard superblock changes five fields");
	RUN(test_guard_of_ext4, "e2fsprogs reads the guard, and e2fsck refuses it");
	return tap_done();
}
