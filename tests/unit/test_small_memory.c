// SPDX-License-Identifier: GPL-2.0
/*
 * test_small_memory.c - each allocation of each call fails once: the call says
 * so, and can be made again
 */
#include "../tap.h"
#include "bow_core.h"
#include "failing.h"
#include "freemap.h"
#include "log.h"
#include "memresume.h"
#include "mend.h"

static struct bow_error e;

/* Several log blocks, a map that needs many chunks, a torn roll-over. */
static void make_log(void)
{
	u32 i;

	begin(BOW_HEADER_SIZE_GUARD);
	for (i = 0; i < 60; i++)
		log_backup(&l, 1 + 2 * i, LOG_PLACE + i);
	log_roll_over(&l, LOG_NEXT + 3);
	for (i = 60; i < 110; i++)
		log_backup(&l, 1 + 2 * i, LOG_PLACE + i);
	log_seal(&l);
	for (i = 0; i < 110; i++)
		log_overwrite(&l, 1 + 2 * i);
}

static int check_all(void)
{
	struct bow_log log;
	struct bow_plan plan;
	int r = bow_log_open(&m.dev, &log, &e);

	if (!r)
		r = bow_rollback_check(&m.dev, &log, NULL, &plan, &e);
	bow_log_free(&log);
	return r;
}

static int restore_all(void)
{
	struct bow_result result;

	return bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			   &e);
}

static int resume_all(void)
{
	struct states s;

	return resume(&s, true, &e);
}

static int count_place(void *ctx, u64 place)
{
	(void)place;
	++*(u32 *)ctx;
	return 0;
}

static int each_place(void)
{
	struct bow_log log;
	u32 places = 0;
	int r = bow_log_open(&m.dev, &log, &e);

	if (!r)
		r = bow_log_scan(&m.dev, &log, NULL, &e);
	if (!r)
		r = bow_free_map_each(&m.dev, &log, count_place, &places, &e);
	bow_log_free(&log);
	return r ? r : places == 1 ? 0 : -EDOM;
}

/*
 * The k-th allocation fails, for all k that there are: -ENOMEM with its reason,
 * and with memory it is done then; or, where one can do with less, success.
 */
static bool told(int (*call)(void), bool stays, u32 least)
{
	bool failed = true;
	u32 k, with = 0;

	for (k = 0; failed; k++) {
		enum bow_why why;
		int r;

		mem_init(&m, l.img);
		alloc_fail(k, stays);
		r = call();
		why = e.why;
		failed = alloc_end();
		if (!failed)
			break;
		with += r != 0;
		if (r && (r != -ENOMEM || (why != BOW_WHY_MEMORY &&
					   why != BOW_WHY_MEMORY_MAP) ||
			  call())) {
			printf("# allocation %u: %d, why %d\n", k, r, why);
			return false;
		}
	}
	if (with < least)
		printf("# %u of %u failed\n", with, k);
	return with >= least;
}

static void library(void)
{
	make_log();
	CHECK(told(check_all, false, 8) && told(check_all, true, 8));
	CHECK(told(restore_all, false, 4) && told(restore_all, true, 8));
	CHECK(told(each_place, false, 5) && told(each_place, true, 5));
	CHECK(told(resume_all, false, 10) && told(resume_all, true, 10));
}

/* A roll-over that was torn: the blocks before are read into memory. */
static void torn(void)
{
	make_log();
	memset(l.img + BOW_HEADER_SIZE_GUARD + 512, 0, 1024);
	CHECK(told(check_all, false, 8));
	mem_init(&m, l.img);
	CHECK(!check_all());
}

/* ---- the core ---- */

#define BLOCKS 70000u		/* three leaves of the map */

static struct bow_core core;
static u8 block0[MEM_BS];

static int start_core(void)
{
	bow_core_exit(&core);
	if (bow_core_init(&core, (u64)BLOCKS * 8, MEM_BS))
		return -ENOMEM;
	/* One leaf has nothing free. */
	return bow_map_add_free(&core.map, 40000, 20000);
}

static bool map_is_bare(void)
{
	u64 i;

	for (i = 0; i < core.map.leaves; i++)
		if (core.map.leaf[i].copy || core.map.leaf[i].pool)
			return false;
	return !core.map.armed;
}

static bool as_before(void)
{
	return map_is_bare() && !core.log && !core.work && !core.full &&
	       !core.claimed && core.map.free == 20000;
}

static void core_start(void)
{
	u32 k;
	bool failed = true;

	for (k = 0; failed; k++) {
		int r;

		bow_core_exit(&core);
		alloc_fail(k, false);
		r = start_core();
		failed = alloc_end();
		CHECK(failed == (r == -ENOMEM));
	}
	CHECK(k > 2 && core.map.free == 20000);
}

static int activate(void)
{
	struct bow_core_params p = { .id = { 7 } };
	struct bow_write_list list;

	return bow_core_activate(&core, &p, block0, &list);
}

static int resume_begin(void)
{
	return bow_core_resume_begin(&core);
}

/* Each allocation of it fails once, and then the core is as it was. */
static void core_call(int (*call)(void))
{
	bool failed = true;
	u32 k;

	CHECK(!start_core());
	for (k = 0; failed; k++) {
		int r;

		alloc_fail(k, false);
		r = call();
		failed = alloc_end();
		CHECK(r == (failed ? -ENOMEM : 0));
		CHECK(!failed || as_before());
	}
	CHECK(k > 8 && core.map.armed);
}

static void core_activation(void)
{
	core_call(activate);
}

/*
 * Blocks may become free after the memory was had for those that were.  Here it is
 * the last leaf that needs more: those before it are armed by then.
 */
static void core_arming(void)
{
	bool failed = true;
	u32 k;

	CHECK(!start_core() && !bow_core_prepare(&core));
	CHECK(!bow_map_add_free(&core.map, BLOCKS - 10, 10));
	for (k = 0; failed; k++) {
		int r;

		alloc_fail(k, false);
		r = bow_map_arm(&core.map);
		failed = alloc_end();
		CHECK(r == (failed ? -ENOMEM : 0));
		CHECK(failed ? map_is_bare() : core.map.armed);
		CHECK(core.map.free == 20010);
	}
	CHECK(k > 1);
}

static void core_resume(void)
{
	core_call(resume_begin);
}

int main(void)
{
	RUN(library, "memory: checks, restores, resumes say that there is none");
	RUN(torn, "memory: so does what looks into a torn roll-over");
	RUN(core_start, "memory: the core's map");
	RUN(core_activation, "memory: an activation that failed left no trace");
	RUN(core_arming, "core: arming the map without memory");
	RUN(core_resume, "memory: nor did taking a checkpoint up again");
	bow_core_exit(&core);
	return tap_done();
}
