// SPDX-License-Identifier: GPL-2.0
/*
 * test_chain.c - older log blocks, copies and final contents that are not what
 * they must be, each with all checksums made right again but the one at issue
 */
#include "../tap.h"
#include "log.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;
static struct bow_error e;

/* The reason for which it is refused; nothing is written. */
static enum bow_why refusal(enum bow_action action)
{
	struct bow_result result;

	mem_init(&m, l.img);
	if (bow_restore(&m.dev, action, false, NULL, &result, &e))
		return m.writes || m.flushes ? BOW_WHY_END : e.why;
	return BOW_WHY_NONE;
}

static void backups(u32 first, u32 n)
{
	u32 i;

	for (i = first; i < first + n; i++)
		log_backup(&l, 1 + i, LOG_PLACE + i);
}

/* Two log blocks, the older one at LOG_NEXT, and a backup or two in each. */
static void two_blocks(void)
{
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	log_append(&l);
	backups(0, 3);
	log_roll_over(&l, LOG_NEXT + 1);
	backups(3, 2);
	log_seal(&l);
	for (i = 0; i < 5; i++)
		log_overwrite(&l, 1 + i);
}

/* Older blocks at equal distances, down to where there is nothing to fetch ahead. */
static void four_blocks(void)
{
	struct bow_result result;
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	log_header(&l)->next_log = cpu_to_le64((LOG_FREE + 40) * 8);
	for (i = 0; i < 4; i++) {
		if (i)
			log_roll_over(&l, LOG_FREE + 40 + 30 * i);
		log_backup(&l, 1 + i, LOG_PLACE + i);
	}
	log_seal(&l);
	for (i = 0; i < 4; i++)
		log_overwrite(&l, 1 + i);
	mem_init(&m, l.img);
	CHECK(bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			  &e) == 0);
	CHECK(log_is_d0(&l, m.now));
}

static u8 *older(void)
{
	return mem_block(l.img, LOG_NEXT);
}

static struct bow_header_disk *older_header(void)
{
	return (struct bow_header_disk *)older();
}

static void seal_older(void)
{
	struct bow_header_disk *h = older_header();

	h->entries_csum = cpu_to_le32(bow_entries_csum(
		older(), le16_to_cpu(h->header_size), le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

/* The newer block vouches for whatever the older one is now. */
static void vouch(void)
{
	struct bow_header_disk *h = log_header(&l);
	struct bow_entry_disk entry;
	u8 *first = l.img + BOW_HEADER_SIZE;

	h->prev_log_csum = cpu_to_le32(bow_log_block_csum(older(), MEM_BS));
	memcpy(&entry, first, sizeof(entry));
	entry.checksum = h->prev_log_csum;
	memcpy(first, &entry, sizeof(entry));
	log_seal(&l);
}

#define BAD_OLDER(field, value, why_)                            \
	do {                                                     \
		two_blocks();                                    \
		older_header()->prev_log = cpu_to_le64(460 * 8); \
		older_header()->field = value;                   \
		seal_older();                                    \
		vouch();                                         \
		CHECK(refusal(BOW_ACTION_ROLLBACK) == why_);     \
		CHECK(why_ == BOW_WHY_NONE || e.sequence == 0);  \
		CHECK(refusal(BOW_ACTION_COMMIT) == why_);       \
	} while (0)

static void good_chain(void)
{
	two_blocks();
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_NONE);
	CHECK(log_is_d0(&l, m.now));
	/* Behind the last entry anything may be, if it is vouched for. */
	two_blocks();
	older()[MEM_BS - 1] ^= 1;
	vouch();
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_NONE);
	CHECK(log_is_d0(&l, m.now));
}

static void links(void)
{
	BAD_OLDER(sequence, cpu_to_le32(1), BOW_WHY_CHAIN_SEQUENCE);
	BAD_OLDER(sequence, cpu_to_le32(2), BOW_WHY_CHAIN_SEQUENCE);
	BAD_OLDER(sequence, cpu_to_le32(~0u), BOW_WHY_CHAIN_SEQUENCE);
	BAD_OLDER(checkpoint_id[15], 0x5b, BOW_WHY_CHAIN_ID);
	BAD_OLDER(device_sectors, cpu_to_le64(MEM_SECTORS - 8),
		  BOW_WHY_CHAIN_ID);
	BAD_OLDER(block_size, cpu_to_le32(2048), BOW_WHY_CHAIN_BLOCK_SIZE);
	BAD_OLDER(magic, 0, BOW_WHY_CHAIN_MAGIC);
	BAD_OLDER(magic, cpu_to_le32(BOW_MAGIC_FINISHING), BOW_WHY_CHAIN_MAGIC);
	BAD_OLDER(sector0, cpu_to_le64(~0ull), BOW_WHY_SECTOR0);
	/* A v1.0 tool leaves its mark in older blocks too. */
	BAD_OLDER(magic, cpu_to_le32(BOW_MAGIC_RESTORING), BOW_WHY_NONE);
}

/* v1.1 once, v1.0 before: no writer changes that within a log. */
static void versions(void)
{
	two_blocks();
	older_header()->header_version = cpu_to_le16(BOW_VERSION_1_0);
	/* Not the checksum of a v1.1 header: a v1.0 block, really. */
	older_header()->header_csum = 0;
	vouch();
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_VERSION);
}

/* The checksum in entry 0 covers what those of the older block do not. */
static void checksums(void)
{
	two_blocks();
	older()[MEM_BS - 1] ^= 1;
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_CSUM);
	CHECK(e.in_block && e.sequence == 0);
	CHECK(refusal(BOW_ACTION_COMMIT) == BOW_WHY_CHAIN_CSUM);
	/* And the other way round. */
	two_blocks();
	older()[BOW_HEADER_SIZE + BOW_ENTRY_SIZE + 20] ^= 1;
	vouch();
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_CSUM);
	/* 0 is a checksum, and not that of this block. */
	two_blocks();
	vouch();
	log_header(&l)->prev_log_csum = 0;
	memset(l.img + BOW_HEADER_SIZE + 20, 0, 4);
	log_seal(&l);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_CSUM);
}

/* More log blocks than the device has room for: refused at once. */
static void length(void)
{
	const u32 sequences[] = { MEM_BLOCKS, 1u << 31, ~0u };
	u32 i;

	for (i = 0; i < 3; i++) {
		two_blocks();
		log_header(&l)->sequence = cpu_to_le32(sequences[i]);
		log_seal(&l);
		CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_SEQUENCE_LONG);
		CHECK(e.value == sequences[i] && e.limit == MEM_BLOCKS);
		/* Block 0 alone was read. */
		CHECK(m.reads == 1);
	}
	two_blocks();
	log_header(&l)->sequence = cpu_to_le32(MEM_BLOCKS - 1);
	log_seal(&l);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_SEQUENCE);
}

/* The newest entry says that the older block was moved to where none is. */
static void places(void)
{
	two_blocks();
	log_entry(&l, LOG_NEXT, 450, 0);
	log_seal(&l);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_CHAIN_MAGIC);
	CHECK(e.value == 450 * 8 && e.sequence == 0);
}

/* ---- torn writes that could be taken for others ---- */

static u8 before[MEM_BS];

/* An append of which sector 0 alone got through; LOG_NEXT is as it was. */
static void torn_append(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_append(&l);
	backups(0, 30);
	log_seal(&l);
	memcpy(before, l.img, MEM_BS);
	log_append(&l);
	backups(30, 60);
	log_seal(&l);
	memcpy(l.img + BOW_SECTOR_SIZE, before + BOW_SECTOR_SIZE,
	       MEM_BS - BOW_SECTOR_SIZE);
	log_overwrite(&l, 1);
}

static struct bow_header_disk *copy_header(void)
{
	return (struct bow_header_disk *)mem_block(l.img, LOG_NEXT);
}

/* At LOG_NEXT: what looks like a copy of this log block, with no entry. */
static struct bow_header_disk *put_copy(void)
{
	u8 *copy = mem_block(l.img, LOG_NEXT);

	memcpy(copy, l.img, MEM_BS);
	memset(copy + BOW_HEADER_SIZE + 2 * BOW_ENTRY_SIZE, 0,
	       MEM_BS - BOW_HEADER_SIZE - 2 * BOW_ENTRY_SIZE);
	return copy_header();
}

static void seal_copy(void)
{
	u8 *copy = mem_block(l.img, LOG_NEXT);
	struct bow_header_disk *h = copy_header();

	h->entries_csum = cpu_to_le32(
		bow_entries_csum(copy, BOW_HEADER_SIZE, le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

#define OTHER_COPY(field, value)                                 \
	do {                                                     \
		torn_append();                                   \
		put_copy()->field = value;                       \
		seal_copy();                                     \
		CHECK(log_torn(&l, &m) == BOW_TORN_APPEND);           \
		CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_NONE); \
		CHECK(log_is_d0(&l, m.now));                     \
	} while (0)

static void other_copies(void)
{
	/* As it is, it would count. */
	torn_append();
	put_copy();
	seal_copy();
	CHECK(log_torn(&l, &m) == BOW_TORN_ROLLOVER_OLD);
	OTHER_COPY(checkpoint_id[0], 0x5b);
	OTHER_COPY(device_sectors, cpu_to_le64(MEM_SECTORS - 8));
	OTHER_COPY(resumed, cpu_to_le32(1));
	OTHER_COPY(count, cpu_to_le32(90));
	OTHER_COPY(magic, cpu_to_le32(BOW_MAGIC_RESTORING));
	OTHER_COPY(header_size, cpu_to_le16(4));
	OTHER_COPY(header_version, cpu_to_le16(BOW_VERSION_1_0));
	/* Whole, but of other blocks, or later in the chain. */
	torn_append();
	put_copy()->block_size = cpu_to_le32(2048);
	copy_header()->count = cpu_to_le32(2);
	copy_header()->prev_count = 0;
	seal_copy();
	CHECK(log_torn(&l, &m) == BOW_TORN_APPEND);
	torn_append();
	put_copy()->sequence = cpu_to_le32(1);
	copy_header()->prev_log = cpu_to_le64(460 * 8);
	seal_copy();
	CHECK(log_torn(&l, &m) == BOW_TORN_APPEND);
	/* No copy is named at all. */
	torn_append();
	log_header(&l)->next_log = 0;
	log_header(&l)->header_csum =
		cpu_to_le32(bow_header_csum(log_header(&l)));
	CHECK(log_torn(&l, &m) == BOW_TORN_APPEND);
}

/* Entries of a copy that do not match their checksum. */
static void rotten_copy(void)
{
	torn_append();
	put_copy();
	seal_copy();
	mem_block(l.img, LOG_NEXT)[BOW_HEADER_SIZE + 30] ^= 1;
	CHECK(log_torn(&l, &m) == BOW_TORN_APPEND);
}

/* A torn roll-over of which the header got through, the block before rotted. */
static void rotten_previous(void)
{
	two_blocks();
	memset(l.img + BOW_HEADER_SIZE, 0xee, 60);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_ENTRIES_CSUM);
	/* The block before is whole, but not the one that was meant. */
	two_blocks();
	older_header()->created = cpu_to_le64(1);
	seal_older();
	memset(l.img + BOW_HEADER_SIZE, 0xee, 60);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_ENTRIES_CSUM);
}

/*
 * A roll-over of which sector 0 got through.  The block before, whole by itself,
 * is used only if it is the very one.
 */
static void other_previous(void)
{
	u32 i;

	for (i = 0; i < 2; i++) {
		log_begin(&l, BOW_HEADER_SIZE);
		log_append(&l);
		backups(0, 60);
		log_roll_over(&l, LOG_NEXT + 1);
		backups(60, 60);
		log_seal(&l);
		log_tear(&l, older());
		older_header()->created = cpu_to_le64(1700000000 - i);
		seal_older();
		CHECK(log_torn(&l, &m) ==
		      (i ? BOW_TORN_NONE : BOW_TORN_ROLLOVER_NEW));
		CHECK(refusal(BOW_ACTION_ROLLBACK) ==
		      (i ? BOW_WHY_ENTRIES_CSUM : BOW_WHY_NONE));
	}
}

/* ---- what becomes block 0 ---- */

/* Block 0 of D0 begins like a log. */
static void backup_begins_with(u32 magic)
{
	struct bow_header_disk *h = log_header(&l);
	u8 *p = mem_block(l.img, LOG_BACKUP0);

	two_blocks();
	bow_put_le32(p, magic);
	h = older_header();
	h->backup0_csum = cpu_to_le32(bow_crc32(0, p, MEM_BS));
	memcpy(older() + BOW_HEADER_SIZE + 20, &h->backup0_csum, 4);
	seal_older();
	log_header(&l)->backup0_csum = h->backup0_csum;
	vouch();
}

static void final_is_no_log(void)
{
	const u32 magics[] = { BOW_MAGIC_LOG, BOW_MAGIC_RESTORING,
			       BOW_MAGIC_FINISHING };
	u32 i;

	for (i = 0; i < 3; i++) {
		backup_begins_with(magics[i]);
		CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_FINAL_LOG);
		CHECK(e.value == LOG_BACKUP0 * 8);
		two_blocks();
		bow_put_le32(mem_block(l.img, LOG_LIVE), magics[i]);
		CHECK(refusal(BOW_ACTION_COMMIT) == BOW_WHY_FINAL_LOG);
		CHECK(e.value == LOG_LIVE * 8);
	}
	backup_begins_with(12345);
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_NONE);
}

/* The same in a finishing record, whose checksums are right. */
static void record_of_a_log(void)
{
	struct bow_finish_disk f;

	backup_begins_with(BOW_MAGIC_LOG);
	f = log_record(&l);
	f.record_csum = cpu_to_le32(bow_finish_csum(&f));
	memcpy(l.img, &f, sizeof(f));
	CHECK(refusal(BOW_ACTION_ROLLBACK) == BOW_WHY_FINAL_LOG);
}

int main(void)
{
	RUN(good_chain, "chain: of two log blocks it is rolled back");
	RUN(four_blocks, "chain: of four, in a row on the disk");
	RUN(links, "chain: an older block of another log, or place, is refused");
	RUN(versions, "chain: so is one of another version");
	RUN(checksums, "chain: each checksum of an older block is checked");
	RUN(length, "chain: one that cannot fit is refused, unread");
	RUN(places, "chain: an older block that is not where it was put");
	RUN(other_copies, "torn: the copy of another log block is not used");
	RUN(rotten_copy, "torn: nor one whose entries are wrong");
	RUN(rotten_previous, "torn: nor a previous block that is not the one");
	RUN(other_previous, "torn: nor one that is whole, but another");
	RUN(final_is_no_log, "restore: what becomes block 0 must be no log");
	RUN(record_of_a_log, "restore: nor what a finishing record names");
	return tap_done();
}
