// SPDX-License-Identifier: GPL-2.0
/*
 * test_header.c - bad values in headers, entries and records, one at a time
 */
#include "../tap.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;

/* The reason for which the log on l.img is refused; nothing is written. */
static enum bow_why refusal(void)
{
	struct bow_result result;
	struct bow_error e;

	mem_init(&m, l.img);
	if (bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result, &e))
		return m.writes || m.flushes ? BOW_WHY_END : e.why;
	return BOW_WHY_NONE;
}

/* A log with one ordinary backup. */
static void fresh(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_append(&l);
	log_backup(&l, 5, LOG_PLACE);
	log_seal(&l);
	log_overwrite(&l, 5);
}

/* Change a header field, seal the header again, expect `why`. */
#define BAD(field, value, why_)                                         \
	do {                                                            \
		struct bow_header_disk *h_;                             \
		fresh();                                                \
		h_ = log_header(&l);                                    \
		h_->field = value;                                      \
		h_->header_csum = cpu_to_le32(bow_header_csum(h_));     \
		CHECK(refusal() == why_);                               \
	} while (0)

static void good_log(void)
{
	fresh();
	CHECK(refusal() == BOW_WHY_NONE);
	CHECK(log_is_d0(&l, m.now));
}

static void header_fields(void)
{
	BAD(header_version, cpu_to_le16(0x0102), BOW_WHY_VERSION);
	BAD(header_version, 0, BOW_WHY_VERSION);
	BAD(header_size, cpu_to_le16(28), BOW_WHY_HEADER_SIZE);
	BAD(header_size, cpu_to_le16(4097), BOW_WHY_HEADER_SIZE);
	BAD(block_size, 0, BOW_WHY_BLOCK_SIZE);
	BAD(block_size, cpu_to_le32(256), BOW_WHY_BLOCK_SIZE);
	BAD(block_size, cpu_to_le32(1000), BOW_WHY_BLOCK_SIZE);
	BAD(block_size, cpu_to_le32(8192), BOW_WHY_BLOCK_SIZE);
	BAD(block_size, cpu_to_le32(~0u), BOW_WHY_BLOCK_SIZE);
	BAD(count, 0, BOW_WHY_COUNT);
	BAD(count, cpu_to_le32(161), BOW_WHY_COUNT);
	BAD(count, cpu_to_le32(~0u), BOW_WHY_COUNT);
	BAD(prev_count, cpu_to_le32(3), BOW_WHY_COUNT);
	/* Flags that are not known concern writers of the log only. */
	BAD(flags, cpu_to_le32(0x80000000u), BOW_WHY_NONE);
	BAD(sequence, cpu_to_le32(MEM_BLOCKS), BOW_WHY_PREV_LOG);
}

/* Two fields that are wrong together. */
static void header_pairs(void)
{
	struct bow_header_disk *h = log_header(&l);

	/* Neither a version nor what v0 has there, a count. */
	fresh();
	h->header_version = 0;
	h->header_size = 0;
	CHECK(refusal() == BOW_WHY_VERSION);
	/* A guard leaves less room for entries. */
	fresh();
	h->flags = cpu_to_le32(BOW_FLAG_GUARD);
	h->count = cpu_to_le32(33);
	h->header_csum = cpu_to_le32(bow_header_csum(h));
	CHECK(refusal() == BOW_WHY_COUNT);
}

/* A device that is smaller than the block, or larger than any. */
static void device_sizes(void)
{
	const struct bow_header_v0_disk v0 = {
		.magic = cpu_to_le32(BOW_MAGIC_LOG), .count = cpu_to_le32(1),
	};
	struct bow_error e;
	struct bow_log log;

	fresh();
	mem_init(&m, l.img);
	m.dev.size = 2048;
	CHECK(bow_log_open(&m.dev, &log, &e) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_BLOCK_SIZE && e.value == MEM_BS);
	bow_log_free(&log);
	memcpy(m.now, &v0, sizeof(v0));
	CHECK(bow_log_open(&m.dev, &log, &e) == -EUCLEAN);
	CHECK(e.why == BOW_WHY_BLOCK_SIZE);
	bow_log_free(&log);
	m.dev.size = 511;
	CHECK(!bow_log_open(&m.dev, &log, &e) && log.state == BOW_STATE_NONE);
	bow_log_free(&log);
	m.dev.size = 1ull << 60;
	CHECK(!bow_log_open(&m.dev, &log, &e));
	CHECK(log.sectors == 1ull << 48);
	bow_log_free(&log);
}

static void header_places(void)
{
	const __le64 huge = cpu_to_le64(~0ull), odd = cpu_to_le64(9);
	const __le64 past = cpu_to_le64(MEM_SECTORS - 4);

	BAD(sector0, 0, BOW_WHY_SECTOR0);
	BAD(sector0, odd, BOW_WHY_SECTOR0);
	BAD(sector0, huge, BOW_WHY_SECTOR0);
	BAD(sector0, cpu_to_le64(MEM_SECTORS), BOW_WHY_SECTOR0);
	BAD(sector0, past, BOW_WHY_SECTOR0);
	BAD(backup0, 0, BOW_WHY_BACKUP0);
	BAD(backup0, huge, BOW_WHY_BACKUP0);
	BAD(next_log, odd, BOW_WHY_NEXT_LOG);
	BAD(next_log, huge, BOW_WHY_NEXT_LOG);
	BAD(device_sectors, cpu_to_le64(MEM_SECTORS + 8), BOW_WHY_DEVICE_SHORT);
	BAD(device_sectors, huge, BOW_WHY_DEVICE_SHORT);
	BAD(device_sectors, cpu_to_le64(8), BOW_WHY_SECTOR0);
}

static void header_checksum(void)
{
	fresh();
	log_header(&l)->created = cpu_to_le64(1);
	CHECK(refusal() == BOW_WHY_HEADER_CSUM);
	/* One bit makes it look like v1.0, which has no checksum. */
	fresh();
	log_header(&l)->header_version = cpu_to_le16(BOW_VERSION_1_0);
	CHECK(refusal() == BOW_WHY_HEADER_CSUM);
}

static void bad_entry(struct bow_entry_disk *e, u64 source, u64 dest, u32 size,
		      u32 checksum)
{
	e->source = cpu_to_le64(source);
	e->dest = cpu_to_le64(dest);
	e->size = cpu_to_le32(size);
	e->checksum = cpu_to_le32(checksum);
}

static enum bow_why entry_refusal(u32 index, u64 source, u64 dest, u32 size,
				  u32 checksum)
{
	struct bow_entry_disk e;

	fresh();
	bad_entry(&e, source, dest, size, checksum);
	memcpy(l.img + BOW_HEADER_SIZE + index * BOW_ENTRY_SIZE, &e, sizeof(e));
	log_seal(&l);
	return refusal();
}

static void entry_fields(void)
{
	const u64 s = 5 * 8, d = LOG_PLACE * 8, end = MEM_SECTORS;
	const u32 bs = MEM_BS;

	CHECK(entry_refusal(1, s + 1, d, bs, 0) == BOW_WHY_SOURCE_ALIGN);
	CHECK(entry_refusal(1, end, d, bs, 0) == BOW_WHY_SOURCE_RANGE);
	CHECK(entry_refusal(1, ~7ull, d, bs, 0) == BOW_WHY_SOURCE_RANGE);
	CHECK(entry_refusal(1, 0, d, bs, 0) == BOW_WHY_SOURCE_BLOCK0);
	CHECK(entry_refusal(1, s, d + 4, bs, 0) == BOW_WHY_DEST_ALIGN);
	CHECK(entry_refusal(1, s, end, bs, 0) == BOW_WHY_DEST_RANGE);
	CHECK(entry_refusal(1, s, end - 8, 2 * bs, 0) == BOW_WHY_DEST_RANGE);
	CHECK(entry_refusal(1, s, ~7ull, bs, 0) == BOW_WHY_DEST_RANGE);
	CHECK(entry_refusal(1, s, 0, bs, 0) == BOW_WHY_DEST_BLOCK0);
	CHECK(entry_refusal(1, s, d, 0, 0) == BOW_WHY_SIZE);
	CHECK(entry_refusal(1, s, d, bs + 512, 0) == BOW_WHY_SIZE);
	CHECK(entry_refusal(1, s, d, 0u - bs, 0) == BOW_WHY_SOURCE_RANGE);
	CHECK(entry_refusal(1, s, s, bs, 1) == BOW_WHY_OVERLAP);
	CHECK(entry_refusal(1, s, s + 8, 2 * bs, 0) == BOW_WHY_OVERLAP);
	CHECK(entry_refusal(1, s, d, bs, 77) == BOW_WHY_ENTRY_CSUM);
	/* A claim; in all else 0 is a checksum too. */
	CHECK(entry_refusal(1, d, d, bs, 0) == BOW_WHY_NONE);
	CHECK(entry_refusal(1, s, d, bs, 0) == BOW_WHY_ENTRY_CSUM);
}

/* The last block of the device lacks a sector. */
static void partial_block(void)
{
	struct bow_entry_disk e;
	u32 i;

	for (i = 0; i < 2; i++) {
		fresh();
		log_header(&l)->device_sectors = cpu_to_le64(MEM_SECTORS - 1);
		bad_entry(&e, i ? 5 * 8 : MEM_SECTORS - 8,
			  i ? MEM_SECTORS - 8 : LOG_PLACE * 8, MEM_BS, 0);
		memcpy(l.img + BOW_HEADER_SIZE + BOW_ENTRY_SIZE, &e, sizeof(e));
		log_seal(&l);
		CHECK(refusal() == (i ? BOW_WHY_DEST_RANGE :
					BOW_WHY_SOURCE_RANGE));
	}
}

static void first_entry(void)
{
	const u64 b = LOG_BACKUP0 * 8;
	u32 csum;

	fresh();
	csum = le32_to_cpu(log_header(&l)->backup0_csum);
	CHECK(entry_refusal(0, 0, b, MEM_BS, csum) == BOW_WHY_NONE);
	CHECK(entry_refusal(0, 8, b, MEM_BS, csum) == BOW_WHY_ENTRY0);
	CHECK(entry_refusal(0, 0, b, 2 * MEM_BS, csum) == BOW_WHY_ENTRY0);
	CHECK(entry_refusal(0, 0, b + 8, MEM_BS, csum) == BOW_WHY_ENTRY0);
	CHECK(entry_refusal(0, 0, b, MEM_BS, csum + 1) == BOW_WHY_ENTRY0);
}

static struct bow_finish_disk good_record(void)
{
	fresh();
	return log_record(&l);
}

static enum bow_why record_refusal(struct bow_finish_disk f)
{
	f.record_csum = cpu_to_le32(bow_finish_csum(&f));
	memcpy(l.img, &f, sizeof(f));
	return refusal();
}

#define BAD_RECORD(field, value, why_)                   \
	do {                                             \
		struct bow_finish_disk f_ = good_record(); \
		f_.field = value;                        \
		CHECK(record_refusal(f_) == why_);       \
	} while (0)

static void records(void)
{
	struct bow_finish_disk f = good_record();

	CHECK(record_refusal(f) == BOW_WHY_NONE);
	CHECK(!memcmp(m.now, l.d0, MEM_BS));
	BAD_RECORD(version, cpu_to_le16(0x0102), BOW_WHY_RECORD);
	BAD_RECORD(record_size, cpu_to_le16(127), BOW_WHY_RECORD);
	BAD_RECORD(block_size, cpu_to_le32(8192), BOW_WHY_RECORD);
	BAD_RECORD(action, 0, BOW_WHY_RECORD);
	BAD_RECORD(action, cpu_to_le32(3), BOW_WHY_RECORD);
	BAD_RECORD(reserved[63], 1, BOW_WHY_RECORD);
	BAD_RECORD(final_sector, 0, BOW_WHY_FINAL_SECTOR);
	BAD_RECORD(final_sector, cpu_to_le64(~7ull), BOW_WHY_FINAL_SECTOR);
	BAD_RECORD(final_csum, 0, BOW_WHY_FINAL_CSUM);
	BAD_RECORD(device_sectors, cpu_to_le64(~0ull), BOW_WHY_DEVICE_SHORT);
	f = good_record();
	memcpy(l.img, &f, sizeof(f));
	CHECK(refusal() == BOW_WHY_RECORD_CSUM);
}

static void every_bit_of_block_0(void)
{
	u32 bit;

	/* Either refused and untouched, or rolled back right. */
	for (bit = 0; bit < 8 * (BOW_HEADER_SIZE + 2 * BOW_ENTRY_SIZE); bit++) {
		enum bow_why why;

		fresh();
		l.img[bit / 8] ^= (u8)(1u << bit % 8);
		why = refusal();
		CHECK(why != BOW_WHY_END);
		CHECK(why != BOW_WHY_NONE || log_is_d0(&l, m.now));
	}
}

/* Texts for all reasons, cut to any room. */
static void texts(void)
{
	struct bow_error e = { .in_block = true, .in_entry = true,
			       .sequence = 3, .entry = 17, .value = 99,
			       .limit = 77 };
	char buf[300], small[20];
	int why;

	for (why = 0; why < BOW_WHY_END; why++) {
		e.why = (enum bow_why)why;
		bow_error_text(&e, buf, sizeof(buf));
		CHECK(!strncmp(buf, "log block 3, entry 17: ", 23));
		CHECK(buf[23]);
		memset(small, 'x', sizeof(small));
		bow_error_text(&e, small, sizeof(small) - 1);
		CHECK(strlen(small) == sizeof(small) - 2);
	}
	e.why = BOW_WHY_DEST_RANGE;
	bow_error_text(&e, buf, sizeof(buf));
	CHECK(!strcmp(buf, "log block 3, entry 17: dest 99 lies beyond the "
			   "device (sectors: 77)"));
	CHECK(bow_error_exit(&e) == BOW_EXIT_DAMAGED);
	/* Whoever asks has failed, whether it was said why or not. */
	e = (struct bow_error){ .why = BOW_WHY_NONE };
	CHECK(bow_error_exit(&e) == BOW_EXIT_ERROR);
	e.why = BOW_WHY_END;
	CHECK(bow_error_exit(&e) == BOW_EXIT_ERROR);
}

int main(void)
{
	RUN(good_log, "header: a good log is rolled back");
	RUN(header_fields, "header: bad versions, sizes and counts are refused");
	RUN(header_pairs, "header: nor are pairs of values that do not fit");
	RUN(device_sizes, "header: devices smaller than a block, or enormous");
	RUN(header_places, "header: bad places and sizes are refused");
	RUN(header_checksum, "header: a wrong checksum is refused");
	RUN(entry_fields, "entry: every bad field is refused, with the reason");
	RUN(partial_block, "entry: none lies in a block that is not whole");
	RUN(first_entry, "entry: entry 0 must be the one of block 0");
	RUN(records, "finishing record: bad fields are refused");
	RUN(every_bit_of_block_0,
	    "block 0: with any bit flipped, refused or restored right");
	RUN(texts, "error: a text for every reason, in any room");
	return tap_done();
}
