// SPDX-License-Identifier: GPL-2.0
/*
 * test_resume.c - what has become of each block, and which logs are refused
 */
#include "../tap.h"
#include "memresume.h"

/* ---- states ---- */

static void newest_event_counts(void)
{
	struct states s;

	begin(BOW_HEADER_SIZE);
	log_backup(&l, 7, 300);		/* 7 changed */
	log_backup(&l, 300, 301);	/* its backup moved */
	log_backup(&l, 8, 310);
	log_backup(&l, 310, 311);
	log_backup(&l, 9, 310);		/* discarded, used again */
	claim(400);
	log_backup(&l, 10, 405);	/* a backup in a claimed region */
	log_seal(&l);
	CHECK(resume_log(&s) == 0);
	CHECK(s.of[7] == 'C' && s.of[8] == 'C' && s.of[9] == 'C');
	CHECK(s.of[300] == 'T' && s.of[301] == 'H');
	CHECK(s.of[310] == 'H' && s.of[311] == 'H');
	CHECK(s.of[400] == 'T' && s.of[405] == 'H' && s.of[415] == 'T');
	CHECK(s.of[399] == 'F' && s.of[416] == 'F');
	CHECK(s.claimed[400] && s.claimed[415]);
	CHECK(!s.claimed[399] && !s.claimed[416] && !s.claimed[0]);
	CHECK(s.of[LOG_LIVE] == 'H' && s.of[LOG_BACKUP0] == 'H');
	CHECK(s.of[LOG_NEXT] == 'H' && s.of[MAP_PLACE] == 'U');
	CHECK(s.of[0] == 'U' && s.of[1] == 'U' && s.of[LOG_FREE - 1] == 'U');
	CHECK(s.of[511] == 'F');
}

static void claims_of_used_regions(void)
{
	struct states s;

	begin(BOW_HEADER_SIZE);
	claim(0);
	claim(17);
	claim(511);
	log_seal(&l);
	CHECK(resume_log(&s) == 0);
	CHECK(s.claimed[0] && s.claimed[1] && s.claimed[31]);
	CHECK(!s.claimed[32] && s.claimed[496] && s.claimed[511]);
	/* What was in use stays so. */
	CHECK(s.of[0] == 'U' && s.of[5] == 'U' && s.of[17] == 'U');
	CHECK(s.of[496] == 'T' && s.of[511] == 'T' && s.of[495] == 'F');
}

static void header_is_newest(void)
{
	struct bow_header_disk *h = log_header(&l);
	struct states s;

	begin(BOW_HEADER_SIZE);
	log_backup(&l, 7, 300);
	log_backup(&l, 300, 301);
	/* The filesystem gave 300 back: reserved for the next log block. */
	h->next_log = cpu_to_le64(300 * 8);
	log_entry(&l, LOG_LIVE, 320, 0);
	memcpy(mem_block(l.img, 320), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(320 * 8);
	log_seal(&l);
	CHECK(resume_log(&s) == 0);
	CHECK(s.of[300] == 'H' && s.of[LOG_NEXT] == 'F');
	CHECK(s.of[320] == 'H' && s.of[LOG_LIVE] == 'T' && s.live == 320);
}

static void several_log_blocks(void)
{
	struct states s;
	u32 i;

	begin(BOW_HEADER_SIZE_GUARD);
	backups(0, 84);
	log_roll_over(&l, LOG_NEXT + 3);
	backups(84, 84);
	log_roll_over(&l, LOG_NEXT + 4);
	backups(168, 10);
	log_seal(&l);
	overwrite(178);
	CHECK(resume_log(&s) == 0);
	for (i = 0; i < 178; i++)
		CHECK(s.of[1 + i] == 'C' && s.of[LOG_PLACE + i] == 'H');
	CHECK(s.of[LOG_NEXT] == 'H' && s.of[LOG_NEXT + 3] == 'H');
	CHECK(s.of[LOG_NEXT + 4] == 'H' && s.of[179] == 'U');
	CHECK(s.of[LOG_PLACE + 178] == 'F' && s.sequence == 2);
}

static void moved_map(void)
{
	struct states s;

	begin(BOW_HEADER_SIZE);
	log_backup(&l, MAP_PLACE, 300);
	log_backup(&l, 300, 301);
	log_seal(&l);
	log_overwrite(&l, MAP_PLACE);
	log_overwrite(&l, 300);
	CHECK(resume_log(&s) == 0);
	CHECK(s.of[MAP_PLACE] == 'C' && s.of[300] == 'T' && s.of[301] == 'H');
	CHECK(s.of[302] == 'F' && s.of[5] == 'U');
}

/* ---- refusals ---- */

static enum bow_why why_not(int err)
{
	struct states s;
	struct bow_error e;

	mem_init(&m, l.img);
	if (resume(&s, true, &e) != err || m.writes)
		return BOW_WHY_END;
	return e.why;
}

static void header_refused(u32 flags, u32 drop, enum bow_why why)
{
	struct bow_header_disk *h = log_header(&l);

	begin(BOW_HEADER_SIZE);
	h->flags |= cpu_to_le32(flags);
	h->flags &= cpu_to_le32(~drop);
	log_seal(&l);
	CHECK(why_not(-EPERM) == why);
}

/* The live copy before a torn append is where the next log block is to go. */
static void live_is_next_log(void)
{
	struct bow_header_disk *h = log_header(&l);
	u8 old[MEM_BS];

	begin(BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	log_entry(&l, LOG_LIVE, LOG_NEXT, 0);
	h->sector0 = h->next_log;
	log_seal(&l);
	memcpy(old, l.img, MEM_BS);
	log_append(&l);
	log_entry(&l, LOG_NEXT, 310, 0);
	h->sector0 = cpu_to_le64(310 * 8);
	log_seal(&l);
	log_tear(&l, old);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_NEXT_LOG);
}

static void refused(void)
{
	header_refused(0, BOW_FLAG_FREE_MAP, BOW_WHY_RESUME_NO_MAP);
	header_refused(0, BOW_FLAG_CLAIMS, BOW_WHY_RESUME_NO_MAP);
	header_refused(BOW_FLAG_ROLLBACK, 0, BOW_WHY_RESUME_ROLLBACK);
	header_refused(0x80000000u, 0, BOW_WHY_RESUME_VERSION);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->magic = cpu_to_le32(BOW_MAGIC_RESTORING);
	CHECK(why_not(-EPERM) == BOW_WHY_RESUME_RESTORING);
	begin(BOW_HEADER_SIZE);
	memset(l.img, 0, MEM_BS);
	CHECK(why_not(-ENODATA) == BOW_WHY_NO_LOG);
	begin(BOW_HEADER_SIZE_GUARD);
	log_header(&l)->prev_count = 0;
	log_seal(&l);
	memset(l.img + BOW_HEADER_SIZE_GUARD, 0xff, 512);
	CHECK(why_not(-EPERM) == BOW_WHY_RESUME_ACTIVATION);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->header_version = cpu_to_le16(BOW_VERSION_1_0);
	log_header(&l)->header_size =
		cpu_to_le16(sizeof(struct bow_header_v1_disk));
	memmove(l.img + sizeof(struct bow_header_v1_disk),
		l.img + BOW_HEADER_SIZE, BOW_ENTRY_SIZE);
	CHECK(why_not(-EPERM) == BOW_WHY_RESUME_VERSION);
}

static void bad_header(void)
{
	struct bow_header_disk *h = log_header(&l);
	u32 shift;

	for (shift = 0; shift < 70; shift++) {
		begin(BOW_HEADER_SIZE);
		h->claim_shift = cpu_to_le32(shift);
		log_seal(&l);
		if (shift < 12 || shift > 62)
			CHECK(why_not(-EUCLEAN) == BOW_WHY_CLAIM_SHIFT);
		else
			CHECK(resume_log(&(struct states){ 0 }) == 0);
	}
	begin(BOW_HEADER_SIZE);
	h->next_log = 0;
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_NEXT_LOG);
	begin(BOW_HEADER_SIZE);
	h->next_log = h->sector0;
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_NEXT_LOG);
	/* Neither may be where something was in use. */
	begin(BOW_HEADER_SIZE);
	h->next_log = cpu_to_le64(8 * 8);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_HELD);
	begin(BOW_HEADER_SIZE);
	h->sector0 = cpu_to_le64(8 * 8);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_HELD);
	begin(BOW_HEADER_SIZE);
	log_backup(&l, 9, 10);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_HELD);
	/* What could not be rolled back: block 10 is put back, and holds 9's. */
	begin(BOW_HEADER_SIZE);
	log_backup(&l, 10, LOG_FREE + 30);
	log_backup(&l, 9, 10);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_NOT_DISJOINT);
	begin(BOW_HEADER_SIZE);
	log_entry(&l, 401, 401, 0);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_CLAIM);
}

#define BAD_MAP(field, value, why)                                             \
	do {                                                                   \
		begin(BOW_HEADER_SIZE);                                        \
		map_head()->field = (value);                                   \
		map_seal();                                                    \
		CHECK(why_not(-EUCLEAN) == (why));                             \
	} while (0)

static void bad_map(void)
{
	BAD_MAP(magic, 0, BOW_WHY_MAP_CSUM);
	BAD_MAP(checkpoint_id[3], 1, BOW_WHY_MAP_CHAIN);
	BAD_MAP(index, cpu_to_le32(1), BOW_WHY_MAP_CHAIN);
	BAD_MAP(next, cpu_to_le64(MAP_PLACE * 8), BOW_WHY_MAP_CHAIN);
	BAD_MAP(first_block, cpu_to_le64(4), BOW_WHY_MAP_RANGE);
	BAD_MAP(first_block, cpu_to_le64(8), BOW_WHY_MAP_RANGE);
	BAD_MAP(first_block, cpu_to_le64(~7ull), BOW_WHY_MAP_RANGE);
	BAD_MAP(bits, 0, BOW_WHY_MAP_RANGE);
	BAD_MAP(bits, cpu_to_le32(MEM_BLOCKS + 1), BOW_WHY_MAP_RANGE);
	BAD_MAP(bits, cpu_to_le32(~0u), BOW_WHY_MAP_RANGE);
	begin(BOW_HEADER_SIZE);
	map_head()->reserved[0] = 1;
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_CSUM);
	begin(BOW_HEADER_SIZE);
	mem_block(l.img, MAP_PLACE)[BOW_FREE_MAP_HEADER] = 1;
	map_seal();
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_FREE);
	begin(BOW_HEADER_SIZE);
	mem_block(l.img, MAP_PLACE)[BOW_FREE_MAP_HEADER + MAP_PLACE / 8] |=
		1u << MAP_PLACE % 8;
	map_seal();
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_FREE);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->free_map = cpu_to_le64(MEM_SECTORS);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_PLACE);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->free_map = 0;
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_PLACE);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->free_map_blocks = cpu_to_le32(2);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_CHAIN);
	begin(BOW_HEADER_SIZE);
	log_header(&l)->free_map_blocks = cpu_to_le32(~0u);
	log_seal(&l);
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_CHAIN);
}

/* Two map blocks; the second must go on where the first ended. */
static void chain_of_map_blocks(void)
{
	struct bow_free_map_disk *d, *second;
	struct states one, s;
	u8 *bits;

	begin(BOW_HEADER_SIZE);
	CHECK(resume_log(&one) == 0);
	d = map_head();
	second = (struct bow_free_map_disk *)mem_block(l.img, 400);
	memcpy(second, d, MEM_BS);
	d->bits = cpu_to_le32(320);
	d->next = cpu_to_le64(400 * 8);
	bits = (u8 *)second + BOW_FREE_MAP_HEADER;
	memmove(bits, bits + 40, 24);
	memset(bits + 24, 0, 40);
	bits[(400 - 320) / 8] &= (u8) ~(1u << 400 % 8);
	second->index = cpu_to_le32(1);
	second->first_block = cpu_to_le64(320);
	second->bits = cpu_to_le32(MEM_BLOCKS - 320);
	second->csum = cpu_to_le32(bow_free_map_csum(second, MEM_BS));
	map_seal();
	log_header(&l)->free_map_blocks = cpu_to_le32(2);
	log_seal(&l);
	CHECK(resume_log(&s) == 0);
	CHECK(s.of[400] == 'U' && s.of[399] == 'F' && s.of[401] == 'F');
	s.of[400] = 'F';
	CHECK(same(&one, &s));
	second->first_block = cpu_to_le64(312);
	second->csum = cpu_to_le32(bow_free_map_csum(second, MEM_BS));
	CHECK(why_not(-EUCLEAN) == BOW_WHY_MAP_RANGE);
}

/* An error or a failed read at any request: -EIO, and all can be done again. */
static void read_errors(void)
{
	struct states s;
	struct bow_error e;
	int k, err = -EIO;

	begin(BOW_HEADER_SIZE_GUARD);
	backups(0, 84);
	log_roll_over(&l, LOG_NEXT + 4);
	backups(84, 20);
	log_seal(&l);
	overwrite(104);
	for (k = 0; err; k++) {
		mem_init(&m, l.img);
		m.fail_read = k;
		err = resume(&s, true, &e);
		CHECK(err == 0 || (err == -EIO && e.why == BOW_WHY_IO_READ));
	}
	CHECK(k > 3);
}

int main(void)
{
	RUN(newest_event_counts, "the newest mention of a block counts");
	RUN(claims_of_used_regions, "a claim takes what was free, no more");
	RUN(header_is_newest, "what the header names is held");
	RUN(several_log_blocks, "a chain of log blocks");
	RUN(moved_map, "a free map that was overwritten is found");
	RUN(chain_of_map_blocks, "a free map of two blocks");
	RUN(live_is_next_log,
	    "resume: the live copy is not where the next log block goes");
	RUN(refused, "logs that cannot be gone on with are refused");
	RUN(bad_header, "wrong values of the header and of claims");
	RUN(bad_map, "wrong values of the free map");
	RUN(read_errors, "errors of each read");
	return tap_done();
}
