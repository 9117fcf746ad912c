// SPDX-License-Identifier: GPL-2.0
/*
 * test_commit.c - what a commit finds, above all in v0, which does not say where
 * the live copy is; and what verifying tells of every wrong backup
 */
#include "../tap.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;
static struct bow_error e;

/* ---- v0 ---- */

/* Block 0 of D0 is backed up to block `dest`, the live copy is just below. */
static void v0_log(u32 dest)
{
	const struct bow_header_v0_disk h = {
		.magic = cpu_to_le32(BOW_MAGIC_LOG), .count = cpu_to_le32(1),
	};
	struct bow_entry_disk entry = {
		.dest = cpu_to_le64(dest * 8ull),
		.size = cpu_to_le32(MEM_BS),
	};

	log_begin(&l, BOW_HEADER_SIZE);	/* for its d0 */
	memcpy(l.img, l.d0, sizeof(l.img));
	memcpy(mem_block(l.img, dest), l.d0, MEM_BS);
	entry.checksum = cpu_to_le32(bow_crc32(0, l.d0, MEM_BS));
	memset(l.img, 0, MEM_BS);
	memcpy(l.img, &h, sizeof(h));
	memcpy(l.img + sizeof(h), &entry, sizeof(entry));
}

static int commit(void)
{
	struct bow_result result;

	mem_init(&m, l.img);
	return bow_restore(&m.dev, BOW_ACTION_COMMIT, false, NULL, &result, &e);
}

/* `bytes` at `offset` of the live copy: is it a filesystem's block 0? */
static int commit_with(u32 offset, const char *bytes, u32 n)
{
	u8 *live = mem_block(l.img, LOG_PLACE - 1);

	v0_log(LOG_PLACE);
	memset(live, 0x77, MEM_BS);
	memcpy(live + offset, bytes, n);
	memcpy(l.live0, live, MEM_BS);
	return commit();
}

static void v0_filesystems(void)
{
	static const struct {
		u32 offset, n;
		const char *bytes;
	} known[] = {
		{ 1024 + 56, 2, "\x53\xef" },		/* ext2, 3, 4 */
		{ 0, 4, "XFSB" },
		{ 1024, 4, "\x10\x20\xf5\xf2" },	/* f2fs */
		{ 1024, 4, "\xe2\xe1\xf5\xe0" },	/* erofs */
	};
	u32 i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		CHECK(!commit_with(known[i].offset, known[i].bytes,
				   known[i].n));
		CHECK(!memcmp(m.now, l.live0, MEM_BS));
	}
	CHECK(commit_with(0, "XFSb", 4) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_COMMIT_UNSURE && !m.writes);
}

/* There is no block between block 0 and the backup of it. */
static void v0_no_room(void)
{
	struct bow_result result;

	v0_log(1);
	CHECK(commit() == -EUCLEAN && e.why == BOW_WHY_SECTOR0 && !m.writes);
	mem_init(&m, l.img);
	CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			   &e));
	CHECK(!memcmp(m.now, l.d0, MEM_BS));
}

/* ---- v1.1 ---- */

static void of_a_scanned_log(void)
{
	struct bow_log log;
	u64 sector = 0, again = 0;
	int reads;

	log_begin(&l, BOW_HEADER_SIZE);
	log_append(&l);
	log_backup(&l, 5, LOG_PLACE);
	log_seal(&l);
	mem_init(&m, l.img);
	CHECK(!bow_log_open(&m.dev, &log, &e));
	CHECK(!bow_commit_check(&m.dev, &log, NULL, &sector, &e));
	CHECK(sector == LOG_LIVE * 8);
	/* Once more: the chain is not read again. */
	reads = m.reads;
	CHECK(!bow_commit_check(&m.dev, &log, NULL, &again, &e));
	CHECK(again == sector && log.scanned && m.reads <= reads + 2);
	bow_log_free(&log);
}

/* ---- every wrong backup ---- */

static u32 told;
static struct bow_error last;

static void damage(void *ctx, const struct bow_error *error)
{
	(void)ctx;
	told++;
	last = *error;
}

/* `size` bytes of block `source` on, in one entry. */
static void large_backup(u32 source, u32 dest, u32 size)
{
	u32 count = le32_to_cpu(log_header(&l)->count);
	u8 *p = mem_block(l.img, source);
	struct bow_entry_disk entry = {
		.source = cpu_to_le64(source * 8ull),
		.dest = cpu_to_le64(dest * 8ull),
		.size = cpu_to_le32(size),
		.checksum = cpu_to_le32(bow_crc32(source, p, size)),
	};

	memcpy(mem_block(l.img, dest), p, size);
	log_entry(&l, source, dest, 0);
	memcpy(l.img + BOW_HEADER_SIZE + count * BOW_ENTRY_SIZE, &entry,
	       sizeof(entry));
}

static int verify(const struct bow_monitor *monitor)
{
	struct bow_log log;
	int r;

	told = 0;
	mem_init(&m, l.img);
	r = bow_log_open(&m.dev, &log, &e);
	if (!r)
		r = bow_log_verify(&m.dev, &log, monitor, &e);
	bow_log_free(&log);
	return r;
}

/* Backups of one block, and one that is moved on and so lies in pieces. */
static void damaged_backups(void)
{
	struct bow_monitor all = { .damage = damage }, quiet = { 0 };

	log_begin(&l, BOW_HEADER_SIZE);
	log_append(&l);
	log_backup(&l, 5, LOG_PLACE);
	large_backup(20, LOG_PLACE + 10, 8 * MEM_BS);
	log_backup(&l, 6, LOG_PLACE + 1);
	log_backup(&l, LOG_PLACE + 12, LOG_PLACE + 30);
	log_seal(&l);
	CHECK(!verify(&all) && !told);
	CHECK(!verify(&quiet));
	mem_block(l.img, LOG_PLACE)[9] ^= 1;
	mem_block(l.img, LOG_PLACE + 1)[9] ^= 1;
	mem_block(l.img, LOG_PLACE + 30)[9] ^= 1;
	CHECK(verify(&all) == -EUCLEAN && e.why == BOW_WHY_ENTRY_CSUM);
	/* Entry 4 moved a part of entry 2 on: both are wrong. */
	CHECK(told == 4 && last.why == BOW_WHY_ENTRY_CSUM && last.in_entry);
	/* Without somebody to tell, the first ends it. */
	CHECK(verify(&quiet) == -EUCLEAN && verify(NULL) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_ENTRY_CSUM && e.in_block);
}

int main(void)
{
	RUN(v0_filesystems, "commit: of v0, what is found must be a filesystem");
	RUN(v0_no_room, "commit: of v0, where there is no place for it");
	RUN(of_a_scanned_log, "commit: of a log that was read already");
	RUN(damaged_backups, "verify: each wrong backup is told, or the first");
	return tap_done();
}
