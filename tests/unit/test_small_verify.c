// SPDX-License-Identifier: GPL-2.0
/*
 * test_small_verify.c - how much is read to verify backups that were moved again and
 * again
 */
#include "../tap.h"
#include "failing.h"
#include "log.h"
#include "memdev.h"

#define SIZE 100u		/* blocks of an entry */
#define IN_USE 10u		/* the first that were backed up */
#define HERE LOG_PLACE		/* where the backups go, back and forth */
#define THERE (LOG_PLACE + SIZE)
#define MOVES 60u

static struct memlog l;
static struct memdev m;
static struct bow_error e;
static u64 read_bytes;

static int counting_read(struct bow_dev *dev, u64 offset, void *buf,
			 size_t bytes)
{
	read_bytes += bytes;
	return mem_read(dev, offset, buf, bytes);
}

static const struct bow_dev_ops counting = {
	.read = counting_read, .write = mem_write, .flush = mem_flush,
};

/* Of `blocks` blocks whose contents are those of `from` in D0. */
static void add(u32 source, u32 dest, u32 blocks, u32 from)
{
	u32 count = le32_to_cpu(log_header(&l)->count);
	struct bow_entry_disk *d = (struct bow_entry_disk *)
		(l.img + BOW_HEADER_SIZE + count * BOW_ENTRY_SIZE);
	const u8 *data = l.d0 + from * MEM_BS;

	log_entry(&l, source, dest,
		  bow_crc32(source, data, blocks * MEM_BS));
	d->size = cpu_to_le32(blocks * MEM_BS);
	memcpy(mem_block(l.img, dest), data, blocks * MEM_BS);
}

/* A log that any writer may make, of a backup that moves back and forth. */
static void make(u32 moves)
{
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	add(IN_USE, HERE, SIZE, IN_USE);
	for (i = 0; i < moves; i++)
		add(i % 2 ? THERE : HERE, i % 2 ? HERE : THERE, SIZE, IN_USE);
	/* One of them in the middle of what moves. */
	add(200, LOG_PLACE + 2 * SIZE, 1, 200);
	log_seal(&l);
	for (i = 0; i < SIZE; i++)
		log_overwrite(&l, IN_USE + i);
	log_overwrite(&l, 200);
}

static int verify(void)
{
	struct bow_log log;
	int r;

	mem_init(&m, l.img);
	m.dev.ops = &counting;
	read_bytes = 0;
	r = bow_log_open(&m.dev, &log, &e);
	if (!r)
		r = bow_log_verify(&m.dev, &log, NULL, &e);
	bow_log_free(&log);
	return r;
}

static void bounded(void)
{
	struct bow_result result;

	make(MOVES);
	CHECK(!verify() && read_bytes < 2 * MEM_BYTES);
	CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			   &e));
	CHECK(log_is_d0(&l, m.now));
}

/* Whatever is left out, what is put back has been read. */
static void damage_is_seen(void)
{
	u32 at;

	for (at = 0; at < SIZE * MEM_BS; at += 9973) {
		make(MOVES);
		mem_block(l.img, HERE)[at] ^= 1;
		CHECK(verify() == -EUCLEAN && e.why == BOW_WHY_ENTRY_CSUM);
		CHECK(e.in_entry && e.entry == 1);
	}
	make(MOVES);
	mem_block(l.img, LOG_PLACE + 2 * SIZE)[7] ^= 1;
	CHECK(verify() == -EUCLEAN && e.entry == MOVES + 2);
}

/* Of what is backed up twice no entry would be verified: the log must be short. */
static void backed_up_twice(void)
{
	struct bow_result result;
	u32 moves;

	for (moves = 0; moves <= MOVES; moves += MOVES) {
		int r;

		make(moves);
		add(200, LOG_PLACE + 2 * SIZE + 1, 1, 201);
		log_seal(&l);
		mem_init(&m, l.img);
		r = bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL,
				&result, &e);
		if (!moves) {
			CHECK(!r && log_is_d0(&l, m.now));
			continue;
		}
		CHECK(r == -EUCLEAN && e.why == BOW_WHY_SOURCE_TWICE);
		CHECK(e.value == 200 * 8);
		CHECK(!memcmp(m.now, l.img, MEM_BYTES));
	}
}

/* As long as the entries are no larger than the device, each is verified. */
static void few_moves(void)
{
	make(2);
	mem_block(l.img, HERE)[5] ^= 1;
	CHECK(verify() == -EUCLEAN && e.entry == 3);
}

/* Sources that overlap, each with a block of its own: twice the device at most. */
static void overlapping(void)
{
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE);
	for (i = 0; i < 2 * MEM_BLOCKS / SIZE + 4; i++)
		add(1 + 10 * (i % 11), LOG_PLACE, SIZE, IN_USE);
	log_seal(&l);
	CHECK(!verify() && read_bytes < 3 * MEM_BYTES);
	CHECK(read_bytes > SIZE * MEM_BS);
}

/* Each allocation fails once, those of the list of later backups among them. */
static void twice_without_memory(void)
{
	bool failed = true;
	u32 k, i;

	make(0);
	for (i = 0; i < 4; i++)
		add(200, LOG_PLACE + 2 * SIZE + 1 + i, 1, 201 + i);
	log_seal(&l);
	for (k = 0; failed; k++) {
		int r;

		alloc_fail(k, false);
		r = verify();
		failed = alloc_end();
		CHECK(failed || !r);
		CHECK(!r || (r == -ENOMEM && !e.in_entry));
	}
	CHECK(k > 5);
}

/* Without memory to tell what was moved, all is read: slower, and as right. */
static void no_memory(void)
{
	u32 k, slower = 0;
	bool failed = true;

	make(MOVES);
	for (k = 0; failed; k++) {
		int r;

		alloc_fail(k, false);
		r = verify();
		failed = alloc_end();
		CHECK(!r || r == -ENOMEM);
		slower += !r && read_bytes > 10 * MEM_BYTES;
	}
	CHECK(slower == 2);
	m.fail_read = -1;
}

/* The log cannot be read again. */
static void read_error(void)
{
	struct bow_log log;
	int k, r = -EIO;

	make(MOVES);
	log_roll_over(&l, LOG_NEXT + 1);
	log_seal(&l);
	for (k = 0; r; k++) {
		mem_init(&m, l.img);
		m.fail_read = k;
		r = bow_log_open(&m.dev, &log, &e);
		if (!r)
			r = bow_log_verify(&m.dev, &log, NULL, &e);
		CHECK(!r || (r == -EIO && e.why == BOW_WHY_IO_READ));
		bow_log_free(&log);
	}
	CHECK(k > 4);
}

/* Ranges that are moved about: refused before it takes any time. */
static void too_much(void)
{
	u32 refused = 0, n;

	for (n = 20; n < 40; n++) {
		u64 bytes = (n * 120ull + 1) * MEM_BS;
		struct bow_log log;
		u32 i;
		int r;

		log_begin(&l, BOW_HEADER_SIZE);
		for (i = 0; i < n; i++)
			add(1, LOG_PLACE, 120, 1);
		log_seal(&l);
		mem_init(&m, l.img);
		r = bow_log_open(&m.dev, &log, &e);
		if (!r)
			r = bow_log_scan(&m.dev, &log, NULL, &e);
		if (r) {
			CHECK(r == -EUCLEAN && e.why == BOW_WHY_AMOUNT);
			refused++;
		} else {
			CHECK(bytes <= MEM_BYTES + (n + 1ull) * BOW_ENTRY_BYTES);
		}
		bow_log_free(&log);
	}
	CHECK(refused > 5 && refused < 15);
}

int main(void)
{
	RUN(too_much, "scan: more than any writer copies is refused");
	RUN(bounded, "verify: what was moved often is not read as often");
	RUN(damage_is_seen, "verify: what is put back is verified all the same");
	RUN(backed_up_twice, "verify: a long log backs up each block once");
	RUN(few_moves, "verify: moves too, of a log that is not so large");
	RUN(overlapping, "verify: entries that overlap are bounded as well");
	RUN(twice_without_memory, "verify: no memory for the list of later backups");
	RUN(no_memory, "verify: without memory all is read");
	RUN(read_error, "verify: each read may fail");
	return tap_done();
}
