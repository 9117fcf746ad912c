// SPDX-License-Identifier: GPL-2.0
/*
 * test_torn.c - writes of block 0 of which any subset of sectors got through
 */
#include "../tap.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;
static u8 before[MEM_BS], after[MEM_BS];

/* Block 0 with the sectors of `mask` from `after`. */
static void tear(u32 mask)
{
	u32 i;

	for (i = 0; i < MEM_BS / BOW_SECTOR_SIZE; i++)
		memcpy(l.img + i * BOW_SECTOR_SIZE,
		       (mask & 1u << i ? after : before) + i * BOW_SECTOR_SIZE,
		       BOW_SECTOR_SIZE);
}

/* Roll back; does it give D0 and no log? */
static bool rolls_back(void)
{
	struct bow_result result;
	struct bow_error e;

	mem_init(&m, l.img);
	return !bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			    &e) && log_is_d0(&l, m.now);
}

/* Entries `first` .. `first + n - 1` of backups, n blocks from block 1 on. */
static void backups(u32 first, u32 n)
{
	u32 i;

	for (i = first; i < first + n; i++)
		log_backup(&l, 1 + i, LOG_PLACE + i);
}

static void overwrite(u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		log_overwrite(&l, 1 + i);
}

static void append_of(u32 header_size, u32 old, u32 new)
{
	u32 mask;

	log_begin(&l, header_size);
	log_append(&l);
	backups(0, old);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(old, new);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	/* What the torn append was to protect is not overwritten yet. */
	overwrite(old);
	for (mask = 0; mask < 256; mask++) {
		tear(mask);
		CHECK(rolls_back());
	}
}

static void append_all_sectors(void)
{
	/* 160 entries fit: the append touches all eight sectors. */
	append_of(BOW_HEADER_SIZE, 1, 150);
}

static void append_some(void)
{
	append_of(BOW_HEADER_SIZE, 30, 40);
	append_of(BOW_HEADER_SIZE_GUARD, 10, 60);
	append_of(BOW_HEADER_SIZE_GUARD, 1, 83);
}

/* `n` entries in the old block; `more` in its copy; `new` in the next one. */
static void roll_over_of(u32 header_size, u32 n, u32 more, u32 new)
{
	u32 mask;

	log_begin(&l, header_size);
	log_append(&l);
	backups(0, n);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(n, more);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 1);
	backups(n + more, new);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(n);
	for (mask = 0; mask < 256; mask++) {
		tear(mask);
		CHECK(rolls_back());
	}
}

static void roll_over(void)
{
	roll_over_of(BOW_HEADER_SIZE, 159, 0, 0);
	roll_over_of(BOW_HEADER_SIZE, 159, 0, 80);
	roll_over_of(BOW_HEADER_SIZE, 100, 59, 70);
	roll_over_of(BOW_HEADER_SIZE, 1, 158, 80);
	roll_over_of(BOW_HEADER_SIZE_GUARD, 84, 0, 84);
	roll_over_of(BOW_HEADER_SIZE_GUARD, 50, 34, 0);
	roll_over_of(BOW_HEADER_SIZE_GUARD, 2, 82, 1);
}

/* One write of block 0 that begins three log blocks. */
static void several_roll_overs(void)
{
	u32 mask;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	backups(0, 70);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(70, 14);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 1);
	backups(84, 84);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 2);
	backups(168, 60);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(70);
	for (mask = 0; mask < 256; mask++) {
		tear(mask);
		CHECK(rolls_back());
	}
}

static void activation(void)
{
	u32 sizes[] = { BOW_HEADER_SIZE, BOW_HEADER_SIZE_GUARD };
	u32 mask, i;

	for (i = 0; i < 2; i++) {
		log_begin(&l, sizes[i]);
		memcpy(before, l.d0, MEM_BS);
		memcpy(after, l.img, MEM_BS);
		/* Sector 0 is durable before the others are touched. */
		for (mask = 1; mask < 256; mask += 2) {
			tear(mask);
			CHECK(rolls_back());
		}
	}
	tear(1);
	CHECK(log_torn(&l, &m) == BOW_TORN_ACTIVATION);
}

/* An append of entries, all published, originals overwritten. */
static void published(u32 old, u32 new)
{
	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	backups(0, old);
	log_seal(&l);
	log_append(&l);
	backups(old, new);
	log_seal(&l);
	overwrite(old + new);
	memcpy(after, l.img, MEM_BS);
}

/* Entries that rotted are not a torn append: going back would lose them. */
static void rot_is_not_torn(void)
{
	u32 bit, first = 8 * BOW_HEADER_SIZE_GUARD;
	u32 end = first + 8 * BOW_ENTRY_SIZE * 50;

	published(20, 29);
	for (bit = first; bit < end; bit += 3) {
		struct bow_result result;
		struct bow_error e;

		memcpy(l.img, after, MEM_BS);
		l.img[bit / 8] ^= (u8)(1u << bit % 8);
		mem_init(&m, l.img);
		CHECK(bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL,
				  &result, &e) == -EUCLEAN);
		CHECK(e.why == BOW_WHY_ENTRIES_CSUM && !m.writes);
	}
}

/* The same right after a roll-over, where there is no state to go back to. */
static void rot_after_roll_over(void)
{
	u32 bit, first = 8 * BOW_HEADER_SIZE_GUARD;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	backups(0, 84);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 1);
	backups(84, 40);
	log_seal(&l);
	overwrite(124);
	memcpy(after, l.img, MEM_BS);
	CHECK(rolls_back());
	for (bit = first; bit < first + 8 * 41 * BOW_ENTRY_SIZE; bit += 7) {
		memcpy(l.img, after, MEM_BS);
		l.img[bit / 8] ^= (u8)(1u << bit % 8);
		CHECK(!rolls_back() && !m.writes);
	}
}

/* The torn append moved the live copy; the old place was used again. */
static void live_copy_moved(void)
{
	struct bow_header_disk *h = log_header(&l);
	u32 mask;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	log_entry(&l, LOG_LIVE, 400, 0);
	memcpy(mem_block(l.img, 400), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(400 * 8);
	log_backup(&l, 7, LOG_LIVE);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(20, 30);
	log_entry(&l, 400, 401, 0);
	memcpy(mem_block(l.img, 401), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(401 * 8);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	log_overwrite(&l, 7);
	for (mask = 0; mask < 256; mask++) {
		struct bow_result result;
		struct bow_error e;

		tear(mask);
		CHECK(rolls_back());
		mem_init(&m, l.img);
		CHECK(!bow_restore(&m.dev, BOW_ACTION_COMMIT, false, NULL,
				   &result, &e));
		CHECK(!memcmp(m.now, l.live0, MEM_BS));
	}
}

/* The torn append moved it to a place that had held a backup before. */
static void live_copy_moved_to_used_place(void)
{
	struct bow_header_disk *h = log_header(&l);
	u32 mask;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	log_backup(&l, 9, 450);
	log_backup(&l, 450, 451);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(20, 30);
	log_entry(&l, LOG_LIVE, 450, 0);
	memcpy(mem_block(l.img, 450), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(450 * 8);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	log_overwrite(&l, 9);
	for (mask = 0; mask < 256; mask++) {
		tear(mask);
		CHECK(rolls_back());
	}
}

/* What a checksum without inversion has come to takes it back to 0. */
static void make_crc_zero(u8 *block, u32 number)
{
	bow_put_le32(block + MEM_BS - 4,
		     bow_crc32(number, block, MEM_BS - 4));
}

/*
 * The append that was torn has moved the live copy.  An older backup whose checksum
 * is 0 by its contents looks like a move, and is none.
 */
static void backup_with_checksum_zero(void)
{
	struct bow_header_disk *h = log_header(&l);
	u32 mask;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	make_crc_zero(mem_block(l.d0, 5), 5);
	memcpy(mem_block(l.img, 5), mem_block(l.d0, 5), MEM_BS);
	CHECK(bow_crc32(5, mem_block(l.img, 5), MEM_BS) == 0);
	log_backup(&l, 5, 470);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(20, 30);
	log_entry(&l, LOG_LIVE, 450, 0);
	h->sector0 = cpu_to_le64(450 * 8);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	log_overwrite(&l, 5);
	for (mask = 1; mask < 256; mask += 2) {
		tear(mask);
		CHECK(rolls_back());
	}
}

static int open_log(struct bow_error *e)
{
	struct bow_log log;
	int r;

	mem_init(&m, l.img);
	r = bow_log_open(&m.dev, &log, e);
	bow_log_free(&log);
	return r;
}

/* Without the place before the append there is no going back to it. */
static void place_before_append(void)
{
	struct bow_header_disk *h = log_header(&l);
	struct bow_error e;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	h->prev_sector0 = cpu_to_le64(MEM_SECTORS);
	backups(20, 30);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	tear(1);
	CHECK(open_log(&e) == -EUCLEAN && e.why == BOW_WHY_PREV_SECTOR0);
	/* Not torn, it does not count. */
	tear(255);
	CHECK(open_log(&e) == 0);
}

/* Rot in the first log block, without a state before it, is no activation. */
static void rot_in_first_block(void)
{
	struct bow_error e;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	backups(0, 5);
	log_seal(&l);
	l.img[BOW_HEADER_SIZE_GUARD + 30] ^= 1;
	CHECK(open_log(&e) == -EUCLEAN && e.why == BOW_WHY_ENTRIES_CSUM);
}

/* `n` log blocks before the newest, whose entries have rotted. */
static void rotten_after(u32 n)
{
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_header(&l)->next_log = cpu_to_le64(400 * 8);
	for (i = 0; i < n; i++) {
		log_backup(&l, 1 + i, LOG_PLACE + i);
		log_roll_over(&l, 401 + i);
	}
	backups(n, 60);
	log_seal(&l);
	memset(l.img + BOW_HEADER_SIZE_GUARD, 0xee, 2048);
}

/* Evidence is looked for in so many older log blocks, and in what is sound. */
static void evidence_has_an_end(void)
{
	struct bow_error e;

	rotten_after(3);
	CHECK(open_log(&e) == -EUCLEAN && e.why == BOW_WHY_ENTRIES_CSUM);
	CHECK(m.reads == 5);
	rotten_after(70);
	CHECK(open_log(&e) == -EUCLEAN && e.why == BOW_WHY_ENTRIES_CSUM);
	CHECK(m.reads == 2 + 1 + 64);
	rotten_after(3);
	mem_block(l.img, 401)[BOW_HEADER_SIZE_GUARD + 30] ^= 1;
	CHECK(open_log(&e) == -EUCLEAN && e.why == BOW_WHY_ENTRIES_CSUM);
	rotten_after(3);
	mem_init(&m, l.img);
	m.fail_read = 3;
	{
		struct bow_log log;

		CHECK(bow_log_open(&m.dev, &log, &e) == -EIO);
		bow_log_free(&log);
	}
}

int main(void)
{
	RUN(append_all_sectors,
	    "torn append: each of the 254 proper subsets of eight sectors");
	RUN(append_some, "torn append: into blocks filled in part");
	RUN(roll_over, "torn roll-over: every subset, few and many entries");
	RUN(several_roll_overs, "torn roll-over: several in one write");
	RUN(activation, "torn activation: every subset that has sector 0");
	RUN(rot_is_not_torn, "a flipped bit in an append is not a torn write");
	RUN(rot_after_roll_over, "nor is one right after a roll-over");
	RUN(live_copy_moved, "torn append that moved the live block 0");
	RUN(live_copy_moved_to_used_place,
	    "torn append that moved it to a place that was used before");
	RUN(backup_with_checksum_zero,
	    "torn append: a backup whose checksum is 0 is no move of block 0");
	RUN(place_before_append,
	    "torn append: the place of block 0 before it is checked");
	RUN(rot_in_first_block, "rot in the first log block is no activation");
	RUN(evidence_has_an_end, "evidence of a roll-over is not sought for ever");
	return tap_done();
}
