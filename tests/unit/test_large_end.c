// SPDX-License-Identifier: GPL-2.0
/*
 * test_large_end.c - a device of terabytes: what libbow makes of the log, and the
 * core of the module when it goes on with it
 */
#include "largelog.h"
#include "../tellcore.h"
#include "filter.h"
#include "resume.h"

/* ---- taken up again ---- */

static struct bow_core again;

static int add_free(void *ctx, u64 start, u64 sectors)
{
	(void)ctx;
	return bow_map_add_free(&again.map, start / d.per, sectors / d.per);
}

static int tell_other(void *ctx, u64 start, u64 sectors)
{
	const enum bow_resume_kind *kind = ctx;

	return tell_core(&again, *kind, start / d.per, sectors / d.per);
}

static int tell(const struct bow_resume *r)
{
	static enum bow_resume_kind others[] = { BOW_RESUME_HELD, BOW_RESUME_TAKEN,
						 BOW_RESUME_CHANGED,
						 BOW_RESUME_CLAIMED };
	int err = bow_core_init(&again, d.sectors, d.bs);
	size_t i;

	if (!err)
		err = bow_resume_each(r, BOW_RESUME_FREE, add_free, NULL);
	share_planes(&again);
	for (i = 0; !err && i < sizeof(others) / sizeof(others[0]); i++)
		err = bow_resume_each(r, others[i], tell_other, &others[i]);
	return err ? err : bow_core_resume_end(&again, get(0));
}

static u64 wrong_states(u64 sector, u32 blocks)
{
	u64 wrong = 0;

	for (; blocks--; sector += d.per) {
		enum bow_block_state is = bow_map_state(&again.map, sector / d.per);

		/* What is free in a claimed region may not be used again. */
		wrong += is != state(sector) &&
			 !(is == BOW_TAKEN && state(sector) == BOW_FREE);
	}
	return wrong;
}

static void test_resume(void)
{
	struct bow_resume r;
	struct bow_error e;
	struct bow_dev dev;
	u32 p;

	CHECK(bow_dev_open(&dev, d.path, false) == 0);
	CHECK(bow_resume_open(&dev, &r, NULL, &e) == 0);
	CHECK(r.log.entries == want.entries && r.log.live == want.live);
	CHECK(tell(&r) == 0);
	CHECK(again.live0 * d.per == want.live);
	CHECK(again.next_log * d.per == want.next);
	CHECK(again.map.held == d.core.map.held);
	for (p = 0; p < d.positions; p++)
		CHECK(wrong_states(d.position[p], STRETCH) == 0);
	CHECK(wrong_states(d.free, FREE_BLOCKS) == 0);
	large_core_exit(&again);
	bow_resume_free(&r);
	bow_dev_close(&dev);
}

/* ---- with little memory: what several passes go by ---- */

static void test_filter(void)
{
	struct bow_filter f;
	u32 p, q;

	CHECK(bow_filter_init(&f, d.sectors, d.per, 1u << 20) == 0);
	for (p = 0; p < d.positions; p++)
		CHECK(!bow_filter_any(&f, d.position[p], STRETCH * d.per));
	/* Those far from each other: of a bit each. */
	for (p = 0; p < d.positions; p += 2) {
		bow_filter_add(&f, d.position[p], d.per);
		CHECK(bow_filter_all(&f, d.position[p], d.per));
		for (q = p + 2; q < d.positions; q += 2)
			CHECK(!bow_filter_any(&f, d.position[q], d.per));
	}
	bow_filter_free(&f);
}

/* ---- the device ---- */

static bool is_known(u64 sector)
{
	u32 i;

	if (sector < d.per || (sector >= d.free &&
			       sector < d.free + FREE_BLOCKS * d.per))
		return true;
	for (i = 0; i < d.positions; i++)
		if (sector >= d.position[i] &&
		    sector < d.position[i] + STRETCH * d.per)
			return true;
	return false;
}

/* The first sector that was written and none was to be; 0: there is none. */
static u64 stray(void)
{
	static const u8 zeros[512];
	off_t at = 0, end;
	u8 data[512];

	while ((at = lseek(d.fd, at, SEEK_DATA)) >= 0) {
		for (end = lseek(d.fd, at, SEEK_HOLE); at < end; at += 512) {
			if (pread(d.fd, data, 512, at) != 512)
				abort();
			if (memcmp(data, zeros, 512) && !is_known((u64)at / 512))
				return (u64)at / 512;
		}
	}
	return 0;
}

static void test_device(void)
{
	struct bow_dev dev;
	u8 data[4096];
	u64 sector;
	u32 p;

	CHECK(bow_dev_open(&dev, d.path, true) == 0);
	CHECK(dev.size == d.sectors * 512);
	for (p = 0; p < d.positions; p++) {
		sector = target(p, ROUNDS);
		CHECK(bow_dev_write(&dev, sector * 512, contents(sector, 1),
				    d.bs) == 0);
		CHECK(holds(sector, contents(sector, 1)));
		put(sector, contents(sector, 0), d.bs);
		CHECK(bow_dev_read(&dev, sector * 512, data, d.bs) == 0);
		CHECK(memcmp(data, contents(sector, 0), d.bs) == 0);
	}
	CHECK(bow_dev_read(&dev, d.sectors * 512, data, d.bs) == -ERANGE);
	CHECK(bow_dev_close(&dev) == 0);
	CHECK(stray() == 0);
}

/* ---- the ends ---- */

/* Blocks that are not of this version, though they were overwritten. */
static u64 not_version(u64 version)
{
	u64 wrong = !holds(0, contents(0, version));
	u32 i, p;

	for (p = 0; p < d.positions; p++)
		for (i = 0; i < ROUNDS; i++)
			wrong += !holds(target(p, i), contents(target(p, i), version));
	return wrong + !holds(d.sectors - d.per, contents(d.sectors - d.per, version));
}

static u64 untouched_changed(void)
{
	u64 wrong = 0;
	u32 i, p;

	/* Those between would be others' where positions touch. */
	for (p = 0; p < d.positions; p++)
		for (i = ROUNDS + 1; i < ROUNDS + 3; i++)
			wrong += !holds(target(p, i), contents(target(p, i), 0));
	return wrong;
}

static int end(enum bow_action action, struct bow_result *result)
{
	struct bow_error e;
	struct bow_dev dev;
	int err = bow_dev_open(&dev, d.path, true), close_err;

	if (err)
		return err;
	err = bow_restore(&dev, action, false, NULL, result, &e);
	close_err = bow_dev_close(&dev);
	return err ? err : close_err;
}

static void test_commit(void)
{
	struct bow_result result;
	u8 log[4096];

	memcpy(log, get(0), d.bs);
	CHECK(end(BOW_ACTION_COMMIT, &result) == 0);
	CHECK(not_version(1) == 0 && untouched_changed() == 0);
	CHECK(stray() == 0);
	put(0, log, d.bs);
}

static void test_rollback(void)
{
	struct bow_result result;

	CHECK(end(BOW_ACTION_ROLLBACK, &result) == 0);
	CHECK(result.bytes == (u64)(ROUNDS * d.positions + 1) * d.bs);
	CHECK(not_version(0) == 0 && untouched_changed() == 0);
	CHECK(stray() == 0);
}

int main(void)
{
	static const struct large_test tests[] = {
		{ test_resume, "a checkpoint is taken up again" },
		{ test_filter, "a set of sectors in little memory" },
		{ test_device, "reading and writing" },
		{ test_commit, "a commit" },
		{ test_rollback, "a rollback" },
	};

	run_tests(tests, sizeof(tests) / sizeof(tests[0]));
	return tap_done();
}
