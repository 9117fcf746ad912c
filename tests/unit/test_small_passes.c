// SPDX-License-Identifier: GPL-2.0
/*
 * test_small_passes.c - restores in passes, on devices that change meanwhile,
 * fail or are stopped
 */
#include "../tap.h"
#include "failing.h"
#include "log.h"
#include "memdev.h"

#define CHAIN 70u		/* log blocks */
#define CHAIN_PLACE 400u	/* of the oldest */

static struct memlog l;
static struct memdev m;
static struct bow_error e;
static u32 before_last, oldest;	/* blocks of log blocks */

/* ---- a log of many log blocks ---- */

static void make_chain(void)
{
	u32 i;

	before_last = CHAIN_PLACE + CHAIN - 2;
	log_begin(&l, BOW_HEADER_SIZE);
	log_header(&l)->next_log = cpu_to_le64(CHAIN_PLACE * 8);
	for (i = 0; i < 110; i++) {
		if (i && i < CHAIN)
			log_roll_over(&l, CHAIN_PLACE + i);
		log_backup(&l, 1 + 2 * i, LOG_PLACE + i);
	}
	log_seal(&l);
	for (i = 0; i < 110; i++)
		log_overwrite(&l, 1 + 2 * i);
}

/*
 * A log of which in the end all older log blocks are overwritten and moved: who
 * reads it from its end meets these moves before it is known what they move.
 */
static void make_moved_chain(void)
{
	const u32 backups = 105, first = LOG_PLACE + backups;
	u32 i;

	before_last = first;
	log_begin(&l, BOW_HEADER_SIZE);
	log_header(&l)->next_log = cpu_to_le64(CHAIN_PLACE * 8);
	for (i = 0; i < backups; i++) {
		if (i && i < CHAIN)
			log_roll_over(&l, CHAIN_PLACE + i);
		log_backup(&l, 1 + 2 * i, LOG_PLACE + i);
	}
	for (i = 0; i + 1 < CHAIN; i++) {
		/* Below the log blocks and above, two of them a run. */
		u32 to = first + (CHAIN - 2) / 2 * 2 - i / 2 * 2 + i % 2;

		if (to >= CHAIN_PLACE)
			to += CHAIN;
		if (i == 0)
			oldest = to;
		log_backup(&l, CHAIN_PLACE + i, to);
		log_overwrite(&l, CHAIN_PLACE + i);
	}
	log_seal(&l);
	for (i = 0; i < backups; i++)
		log_overwrite(&l, 1 + 2 * i);
}

/* Where the log block before block 0 is. */
static u8 *older(void)
{
	return mem_block(l.img, CHAIN_PLACE + CHAIN - 2);
}

/* ---- a device that changes ---- */

/* Reads of the log block before block 0, each of which begins a walk. */
static u32 walks, in_walk;
static bool spoil;		/* in walk n the n-th log block */
static u32 swap_at;		/* from this walk on, `other` is there */
static u8 other[MEM_BS];

static int changing_read(struct bow_dev *dev, u64 offset, void *buf,
			 size_t bytes)
{
	u32 block = (u32)(offset / MEM_BS);
	int r = mem_read(dev, offset, buf, bytes);

	if (r || !alloc_failed || bytes != MEM_BS)
		return r;
	if (block == before_last) {
		walks++;
		in_walk = 0;
		if (swap_at && walks >= swap_at)
			memcpy(buf, other, MEM_BS);
	}
	if (spoil && block >= CHAIN_PLACE && ++in_walk == walks)
		memset(buf, 0, 4);
	return 0;
}

static const struct bow_dev_ops changing = {
	.read = changing_read, .write = mem_write, .flush = mem_flush,
};

static int stops;		/* asked so often, then it stops; -1: never */

static bool stop(void *ctx)
{
	(void)ctx;
	if (stops > 0)
		stops--;
	return stops == 0;
}

static u64 short_of;

static void memory_short(void *ctx, u64 passes)
{
	(void)ctx;
	short_of = passes;
}

/* A restore whose `k`-th allocation fails. */
static int restore(u32 k, struct bow_result *result)
{
	struct bow_monitor monitor = { .stop = stop,
				       .memory_short = memory_short };
	int r;

	walks = 0;
	short_of = 0;
	mem_init(&m, l.img);
	m.dev.ops = &changing;
	alloc_fail(k, false);
	r = bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, &monitor, result,
			&e);
	alloc_end();
	return r;
}

/* The first allocation of which the failure means passes. */
static u32 first_of_passes(void)
{
	struct bow_result result;
	u32 k;

	stops = -1;
	spoil = false;
	swap_at = 0;
	for (k = 0; k < 100; k++)
		if (!restore(k, &result) && result.passes > 1)
			return k;
	return UINT32_MAX;
}

static void told(void)
{
	struct bow_result result;
	u32 k;

	make_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	CHECK(!restore(k, &result) && result.passes > 1);
	CHECK(short_of == result.passes && log_is_d0(&l, m.now));
}

/* A log block is found a walk later each time: as many walks as log blocks. */
static void slowly_learnt(void)
{
	struct bow_result result;
	u32 k;

	make_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	spoil = true;
	CHECK(!restore(k, &result) && result.passes > 1);
	CHECK(walks > CHAIN && log_is_d0(&l, m.now));
	spoil = false;
}

/* Not one log block is where it was put, however little memory there is. */
static void moved_log_blocks(void)
{
	struct bow_result result;
	u32 k, short_memory = 0;

	make_moved_chain();
	CHECK(first_of_passes() != UINT32_MAX);
	for (k = 0; k < 100; k++) {
		int r = restore(k, &result);

		CHECK(!r || r == -ENOMEM);
		short_memory += !r && result.passes > 1;
		/* Most moves are known before it is asked for them. */
		if (!r && result.passes > 1)
			CHECK(walks < 2 * result.passes + CHAIN / 4);
		if (r)
			CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false,
					   NULL, &result, &e));
		CHECK(log_is_d0(&l, m.now));
	}
	CHECK(short_memory > 10);
}

/* Memory is short, and the oldest log block is none: as with memory. */
static void damaged(void)
{
	struct bow_result result;
	u32 k;

	make_moved_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	mem_block(l.img, oldest)[0] ^= 1;
	CHECK(restore(k, &result) == -EUCLEAN && !m.writes);
	CHECK(e.why == BOW_WHY_CHAIN_MAGIC && e.sequence == 0);
}

/* Nothing vouches for the log block but itself, nor for what it names. */
static void as_v1_0(u8 *block)
{
	struct bow_header_disk *h = (struct bow_header_disk *)block;
	u32 i;

	h->header_version = cpu_to_le16(BOW_VERSION_1_0);
	h->header_csum = 0;
	for (i = 0; i < le32_to_cpu(h->count); i++)
		memset(block + BOW_HEADER_SIZE + i * BOW_ENTRY_SIZE + 20, 0, 4);
}

/* A walk meets a dest that the first one did not. */
static void changed(void)
{
	struct bow_result result;
	u32 k, at = BOW_HEADER_SIZE + BOW_ENTRY_SIZE + 8, i;

	make_chain();
	as_v1_0(l.img);
	for (i = 0; i < CHAIN - 1; i++)
		as_v1_0(mem_block(l.img, CHAIN_PLACE + i));
	memcpy(other, older(), MEM_BS);
	bow_put_le32(other + at, 500 * 8);
	k = first_of_passes();
	CHECK(k != UINT32_MAX && walks > 3);
	swap_at = 2;
	CHECK(restore(k, &result) == -EUCLEAN && !m.writes);
	CHECK(e.why == BOW_WHY_CHAIN_PLACE && e.value == 500 * 8);
	swap_at = 0;
}

/*
 * Memory is short, and then there is none for the passes either: at the latest
 * when block 0 is to be replaced, and then it can be begun again.
 */
static void none_for_passes(void)
{
	struct bow_result result;
	u32 k, then, refused = 0;

	make_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	for (then = 0; then < 40; then++) {
		int r;

		alloc_then = then;
		r = restore(k, &result);
		CHECK(!r || r == -ENOMEM);
		refused += r && !m.writes;
		if (r)
			CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false,
					   NULL, &result, &e));
		CHECK(log_is_d0(&l, m.now));
	}
	CHECK(refused > 8);
}

/* Stopped in any walk: so it says, and the next restore is complete. */
static void stopped(void)
{
	struct bow_result result;
	u32 k;
	int n, late = 0;

	make_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	for (n = 1; n < 20000; n += 41) {
		int r;

		stops = n;
		r = restore(k, &result);
		stops = -1;
		if (!r)
			break;
		CHECK(r == -EINTR);
		late += m.writes != 0;
		CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL,
				   &result, &e));
		CHECK(log_is_d0(&l, m.now));
	}
	CHECK(n > 200 && late);
}

/* The plan is asked for twice, and the log cannot be read the second time. */
static void plan_again(void)
{
	struct bow_plan plan, again;
	struct bow_log log;
	u32 k;

	make_chain();
	k = first_of_passes();
	CHECK(k != UINT32_MAX);
	mem_init(&m, l.img);
	alloc_fail(k, false);
	CHECK(!bow_log_open(&m.dev, &log, &e));
	log.frugal = true;
	CHECK(!bow_log_scan(&m.dev, &log, NULL, &e));
	CHECK(alloc_end() && log.passes);
	CHECK(!bow_plan_all(&m.dev, &log, NULL, &plan, &e));
	CHECK(!bow_plan_all(&m.dev, &log, NULL, &again, &e));
	CHECK(plan.passes > 1 && !memcmp(&plan, &again, sizeof(plan)));
	m.fail_read = 3;
	CHECK(bow_plan_all(&m.dev, &log, NULL, &again, &e) == -EIO);
	CHECK(e.why == BOW_WHY_IO_READ);
	bow_log_free(&log);
}

/* A caller that is not frugal is told how much the map would need. */
static void not_frugal(void)
{
	struct bow_log log;
	u32 k, map = 0;

	make_chain();
	for (k = 0; k < 60; k++) {
		mem_init(&m, l.img);
		alloc_fail(k, true);
		if (bow_log_open(&m.dev, &log, &e) ||
		    bow_log_verify(&m.dev, &log, NULL, &e)) {
			CHECK(e.err == -ENOMEM && !log.passes);
			map += e.why == BOW_WHY_MEMORY_MAP && e.limit == 1;
		}
		alloc_end();
		bow_log_free(&log);
	}
	CHECK(map > 10);
}

int main(void)
{
	RUN(told, "passes: the caller is told how many");
	RUN(slowly_learnt, "passes: a first walk begins again for each log block");
	RUN(moved_log_blocks, "passes: each log block of a long chain has moved");
	RUN(damaged, "passes: a log block that is nowhere ends them");
	RUN(changed, "passes: a log that changes meanwhile is refused");
	RUN(none_for_passes, "passes: without memory for them, and begun again");
	RUN(stopped, "passes: stopped in any of them, and begun again");
	RUN(plan_again, "passes: a plan can be made twice, and fail");
	RUN(not_frugal, "passes: without them, the memory that is missing is told");
	return tap_done();
}
