/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memcore.h - the core of the module, to be asked what it would do
 *
 * No disk: what the core says is to be written is looked at as it stands.
 */
#ifndef TESTS_MEMCORE_H
#define TESTS_MEMCORE_H

#include <stdlib.h>
#include <string.h>

#include "bow_core.h"

#define BLOCKS 2000u

static struct bow_core core;
static struct bow_batch batch;
static struct bow_log_writes writes;
static struct bow_write_list list;
static u8 block0[4096];

/* State 0 with blocks [first, first + count) free. */
static inline void start(u32 bs, u64 first, u64 count)
{
	bow_core_exit(&core);
	memset(block0, 0x11, sizeof(block0));
	if (bow_core_init(&core, (u64)BLOCKS * (bs / 512), bs) ||
	    bow_map_add_free(&core.map, first, count))
		abort();
}

static inline int activate(void)
{
	struct bow_core_params p = { .id = { 7 }, .created = 9 };

	return bow_core_activate(&core, &p, block0, &list);
}

static inline void active(u32 bs, u64 first, u64 count)
{
	start(bs, first, count);
	if (activate())
		abort();
	bow_batch_begin(&batch);
}

static inline int add(u64 first, u64 count)
{
	return bow_batch_add(&core, &batch, first, count);
}

static inline void publish(void)
{
	bow_batch_seal(&core, &batch, &writes);
	bow_batch_done(&core, &batch);
	bow_batch_begin(&batch);
}

/* As if every region had been claimed: tests of other things. */
static inline void claim_all(void)
{
	memset(core.claimed, 0xff, sizeof(*core.claimed));
}

#endif /* TESTS_MEMCORE_H */
