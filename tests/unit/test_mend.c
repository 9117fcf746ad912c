// SPDX-License-Identifier: GPL-2.0
/*
 * test_mend.c - block 0 after a torn write, mended to go on with
 */
#include "../tap.h"
#include "memresume.h"

static u8 before[MEM_BS], after[MEM_BS], mended[MEM_BS];

/* With something in the place of the guard superblock, which is to stay. */
static void guard_log(void)
{
	begin(BOW_HEADER_SIZE_GUARD);
	memset(l.img + BOW_GUARD_OFFSET, 0x77, BOW_GUARD_SIZE);
}

static void sectors_of(u8 *block, const u8 *old, const u8 *new, u32 mask)
{
	u32 i;

	for (i = 0; i < MEM_BS / BOW_SECTOR_SIZE; i++)
		memcpy(block + i * BOW_SECTOR_SIZE,
		       (mask & 1u << i ? new : old) + i * BOW_SECTOR_SIZE,
		       BOW_SECTOR_SIZE);
}

/* Block 0 as mending makes it, before it counts the resume, into `mended`. */
static int mended_block(void)
{
	struct bow_resume r;
	struct bow_error e;
	int err = bow_resume_open(&m.dev, &r, NULL, &e);

	if (!err)
		memcpy(mended, r.block, MEM_BS);
	bow_resume_free(&r);
	return err;
}

/* Behind the last entry there are zeros: they tell the next torn append. */
static bool zeros_behind(const u8 *block)
{
	struct bow_header_disk h;
	u32 i;

	memcpy(&h, block, sizeof(h));
	i = le16_to_cpu(h.header_size) + le32_to_cpu(h.count) * BOW_ENTRY_SIZE;
	while (i < MEM_BS && !block[i])
		i++;
	return i == MEM_BS;
}

/*
 * Block 0 is torn as `mask` says.  Mended, and mended again after that was cut
 * in `subsets` ways (the first sector goes first), it is always the same state.
 */
static bool mends(u32 mask, u32 subsets)
{
	struct states one, two;
	struct bow_error e;
	u8 torn[MEM_BS];
	u32 i;

	sectors_of(m.now, before, after, mask);
	memcpy(torn, m.now, MEM_BS);
	if (resume(&one, false, &e) || mended_block())
		return false;
	for (i = 0; i < subsets; i++) {
		u32 sub = subsets == 256 ? i : (mask * 97 + i * 89 + 1) & 255;

		sectors_of(m.now, torn, mended, sub | 1);
		if (resume(&two, false, &e) || !same(&one, &two))
			return false;
	}
	memcpy(m.now, torn, MEM_BS);
	if (resume(&two, true, &e) || resume(&two, false, &e))
		return false;
	return same(&one, &two) && zeros_behind(m.now);
}

/* All ways to tear the write from `before` to `after`. */
static bool mends_all(void)
{
	u32 mask, i;

	mem_init(&m, l.img);
	for (mask = 0; mask < 256; mask++)
		if (!mends(mask, mask % 16 == 1 ? 256 : 4))
			return false;
	/* And what is mended restores. */
	for (i = 0; i < 2 * 64; i++) {
		struct states s;
		struct bow_error e;

		mem_init(&m, l.img);
		sectors_of(m.now, before, after, (i * 37 + 5) & 255);
		if (resume(&s, true, &e) ||
		    !restores(i % 2 ? BOW_ACTION_COMMIT : BOW_ACTION_ROLLBACK))
			return false;
	}
	return true;
}

static void torn_append(void)
{
	begin(BOW_HEADER_SIZE);
	backups(0, 30);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(30, 120);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(30);
	CHECK(mends_all());
	guard_log();
	backups(0, 2);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(2, 80);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(2);
	CHECK(mends_all());
	mem_init(&m, l.img);
	CHECK(mended_block() == 0);
	CHECK(!memcmp(mended + BOW_GUARD_OFFSET, l.img + BOW_GUARD_OFFSET,
		      BOW_GUARD_SIZE));
}

static void torn_roll_over(void)
{
	u32 more;

	for (more = 0; more < 84; more += 20) {
		begin(BOW_HEADER_SIZE_GUARD);
		backups(0, 84 - more);
		log_seal(&l);
		memcpy(before, l.img, MEM_BS);
		log_append(&l);
		backups(84 - more, more);
		log_seal(&l);
		log_roll_over(&l, LOG_NEXT + 4);
		backups(84, more + 1);
		log_seal(&l);
		memcpy(after, l.img, MEM_BS);
		overwrite(84 - more);
		CHECK(mends_all());
	}
}

static void several_roll_overs(void)
{
	begin(BOW_HEADER_SIZE_GUARD);
	backups(0, 70);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(70, 14);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 4);
	backups(84, 84);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 5);
	backups(168, 60);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(70);
	CHECK(mends_all());
}

/* The torn append moves the live copy from `from` to `to`. */
static void append_live_move(u32 from, u32 to)
{
	struct bow_header_disk *h = log_header(&l);

	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(20, 60);
	log_entry(&l, from, to, 0);
	memcpy(mem_block(l.img, to), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64((u64)to * 8);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
}

static void torn_move_of_live(void)
{
	struct bow_header_disk *h = log_header(&l);
	struct states s;

	/* The first move, to a place that no entry mentions. */
	begin(BOW_HEADER_SIZE_GUARD);
	log_backup(&l, 9, 450);
	append_live_move(LOG_LIVE, 460);
	log_overwrite(&l, 9);
	CHECK(mends_all());

	/* Not the first: the place before it is in the log. */
	begin(BOW_HEADER_SIZE_GUARD);
	log_entry(&l, LOG_LIVE, 400, 0);
	memcpy(mem_block(l.img, 400), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(400 * 8);
	log_backup(&l, 7, LOG_LIVE);
	append_live_move(400, 401);
	log_overwrite(&l, 7);
	CHECK(mends_all());
	mem_init(&m, l.img);
	sectors_of(m.now, before, after, 1);
	CHECK(!resume(&s, true, &(struct bow_error){ 0 }) && s.live == 400);
}

/* The header would name a place that an older entry gave a backup. */
static void torn_move_to_used_place(void)
{
	struct bow_error e;
	struct states s;
	u32 cut;

	begin(BOW_HEADER_SIZE_GUARD);
	log_backup(&l, 9, 450);
	log_backup(&l, 450, 451);
	append_live_move(LOG_LIVE, 450);
	log_overwrite(&l, 9);
	for (cut = 0;; cut++) {
		int err;

		mem_init(&m, l.img);
		sectors_of(m.now, before, after, 1);
		memcpy(m.durable, m.now, MEM_BS);
		m.cut_after = (int)cut;
		err = resume(&s, true, &e);
		CHECK(!err || err == -EIO);
		mem_reboot(&m, cut * 7);
		CHECK(resume(&s, true, &e) == 0 && s.live == LOG_LIVE);
		CHECK(s.of[LOG_LIVE] == 'H' && s.of[450] == 'T');
		CHECK(restores(cut % 2 ? BOW_ACTION_COMMIT :
					 BOW_ACTION_ROLLBACK));
		if (!err)
			break;
	}
	CHECK(cut == 7);
}

/* Power cuts at each request while mending. */
static void cut_while_mending(void)
{
	struct states one, two;
	struct bow_error e;
	u32 mask, seed;
	int cut;

	begin(BOW_HEADER_SIZE_GUARD);
	backups(0, 60);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(60, 24);
	log_seal(&l);
	log_roll_over(&l, LOG_NEXT + 4);
	backups(84, 20);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	overwrite(60);
	for (mask = 0; mask < 256; mask += 5) {
		for (cut = 0; cut < 6; cut++) {
			seed = mask * 31 + (u32)cut;
			mem_init(&m, l.img);
			sectors_of(m.now, before, after, mask);
			memcpy(m.durable, m.now, MEM_BS);
			CHECK(resume(&one, false, &e) == 0);
			m.cut_after = cut;
			(void)resume(&two, true, &e);
			mem_reboot(&m, seed);
			CHECK(resume(&two, true, &e) == 0);
			CHECK(same(&one, &two));
			CHECK(restores(BOW_ACTION_ROLLBACK));
		}
	}
}

/*
 * A roll-over of which nothing got through to block 0 leaves a whole copy of
 * the log block at next_log.  Later its entries are others.
 */
static void copy_of_another_life(void)
{
	struct states s;
	struct bow_error e;
	u32 mask;

	begin(BOW_HEADER_SIZE_GUARD);
	backups(0, 20);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(20, 64);
	log_seal(&l);
	/* The copy; these backups are overwritten by others later. */
	memcpy(mem_block(l.img, LOG_NEXT), l.img, MEM_BS);
	memcpy(l.img, before, MEM_BS);
	overwrite(20);
	mem_init(&m, l.img);
	CHECK(resume(&s, true, &e) == 0 && s.count == 21);
	memcpy(l.img, m.now, MEM_BS);
	memcpy(before, l.img, MEM_BS);
	/* The same entries again, and others in place of the rest. */
	log_append(&l);
	backups(20, 50);
	log_seal(&l);
	memcpy(after, l.img, MEM_BS);
	for (mask = 70; mask < 84; mask++)
		log_overwrite(&l, LOG_PLACE + mask);
	for (mask = 0; mask < 256; mask++) {
		mem_init(&m, l.img);
		sectors_of(m.now, before, after, mask);
		CHECK(resume(&s, false, &e) == 0);
		CHECK(s.count == 21 || s.count == 71);
		CHECK(restores(BOW_ACTION_ROLLBACK));
	}
}

static void counted(void)
{
	struct bow_header_disk h;
	struct states s;
	struct bow_error e;
	u32 i;

	begin(BOW_HEADER_SIZE);
	backups(0, 10);
	log_seal(&l);
	overwrite(10);
	mem_init(&m, l.img);
	for (i = 1; i < 4; i++) {
		CHECK(resume(&s, true, &e) == 0);
		memcpy(&h, m.now, sizeof(h));
		CHECK(le32_to_cpu(h.resumed) == i);
		/* A whole block 0 is not written again but for its count. */
		CHECK(m.writes == (int)i && !memcmp(m.now, m.durable, MEM_BS));
	}
	CHECK(restores(BOW_ACTION_ROLLBACK));
}

int main(void)
{
	RUN(torn_append, "torn append: mended, and mended when torn again");
	RUN(torn_roll_over, "torn roll-over: the same");
	RUN(several_roll_overs, "torn roll-over of several log blocks");
	RUN(torn_move_of_live, "torn append that moved the live block 0");
	RUN(torn_move_to_used_place, "the same, to a place used before");
	RUN(cut_while_mending, "power cuts while block 0 is mended");
	RUN(copy_of_another_life,
	    "a log copy left by a cut does not count after a resume");
	RUN(counted, "each resume is counted, and block 0 stays whole");
	return tap_done();
}
