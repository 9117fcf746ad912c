// SPDX-License-Identifier: GPL-2.0
/*
 * test_core.c - activation, batches, roll-over and the ends of a checkpoint
 *
 * No disk: what the core says is to be written is looked at as it stands.
 * What a power cut makes of it is the simulator's affair (tests/sim).
 */
#include <string.h>

#include "../tap.h"
#include "memcore.h"

static struct bow_header_disk header_of(const u8 *block)
{
	struct bow_header_disk h;

	memcpy(&h, block, sizeof(h));
	return h;
}

static struct bow_entry_disk entry_of(const u8 *block, u32 index)
{
	struct bow_entry_disk e;

	memcpy(&e, block + le16_to_cpu(header_of(block).header_size) +
			   index * BOW_ENTRY_SIZE, sizeof(e));
	return e;
}

/* A log block whose checksums and count are right. */
static bool sound(const u8 *block, u32 sequence, u32 count)
{
	struct bow_header_disk h = header_of(block);

	return le32_to_cpu(h.magic) == BOW_MAGIC_LOG &&
	       le32_to_cpu(h.header_csum) == bow_header_csum(&h) &&
	       le32_to_cpu(h.sequence) == sequence &&
	       le32_to_cpu(h.count) == count &&
	       le32_to_cpu(h.entries_csum) ==
		       bow_entries_csum(block, le16_to_cpu(h.header_size),
					count);
}

/* What a failed call must leave as it was. */
struct snapshot {
	u8 state[BLOCKS];
	u64 free;
	u64 held;
	u64 live0;
	u64 next_log;
	u32 copies;
	u32 blocks;
	u32 logs;
	u32 last;
};

static struct snapshot snapshot(void)
{
	struct snapshot s;
	u64 i;

	memset(&s, 0, sizeof(s));
	for (i = 0; i < BLOCKS; i++)
		s.state[i] = (u8)bow_map_state(&core.map, i);
	s.free = core.map.free;
	s.held = core.map.held;
	s.live0 = core.live0;
	s.next_log = core.next_log;
	s.copies = batch.copies;
	s.blocks = batch.blocks;
	s.logs = batch.logs;
	s.last = batch.copies ? batch.copy[batch.copies - 1].blocks : 0;
	return s;
}

static bool unchanged(const struct snapshot *before)
{
	struct snapshot now = snapshot();

	return memcmp(before, &now, sizeof(now)) == 0;
}

static bool plain(const struct bow_write *w, u64 sector, u32 bytes)
{
	return w->sector == sector && w->bytes == bytes && !w->preflush &&
	       !w->fua;
}

/* ---- activation ---- */

static void test_activation_order(void)
{
	struct bow_header_disk h;
	u64 backup0;

	active(4096, 1000, 100);
	h = header_of(core.log);
	backup0 = le64_to_cpu(h.backup0);
	CHECK(list.count == 4);
	CHECK(plain(&list.w[0], core.live0 * 8, 4096));
	CHECK(list.w[0].data == block0);
	CHECK(plain(&list.w[1], backup0, 4096) && list.w[1].data == block0);
	CHECK(list.w[2].sector == 0 && list.w[2].bytes == 512);
	CHECK(list.w[2].preflush && list.w[2].fua);
	CHECK(list.w[3].sector == 1 && list.w[3].bytes == 3584);
	CHECK(list.w[3].fua);
	CHECK(sound(core.log, 0, 1));
	CHECK(le64_to_cpu(h.sector0) == core.live0 * 8);
	CHECK(le64_to_cpu(h.next_log) == core.next_log * 8);
	CHECK(le32_to_cpu(h.prev_count) == 0);
	CHECK(le32_to_cpu(h.flags) == (BOW_FLAG_FREE_MAP | BOW_FLAG_CLAIMS));
	CHECK(le32_to_cpu(h.backup0_csum) == bow_crc32(0, block0, 4096));
	CHECK(bow_map_state(&core.map, core.live0) == BOW_HELD);
	CHECK(bow_map_state(&core.map, core.next_log) == BOW_HELD);
	CHECK(bow_map_state(&core.map, backup0 / 8) == BOW_HELD);
}

static void test_activation_guard(void)
{
	start(4096, 1000, 100);
	block0[BOW_GUARD_OFFSET + BOW_EXT4_OFF_MAGIC] = 0x53;
	block0[BOW_GUARD_OFFSET + BOW_EXT4_OFF_MAGIC + 1] = 0xef;
	CHECK(activate() == 0);
	CHECK(core.max_entries == 85);
	CHECK(le32_to_cpu(header_of(core.log).flags) ==
	      (BOW_FLAG_GUARD | BOW_FLAG_FREE_MAP | BOW_FLAG_CLAIMS));
	CHECK(bow_has_ext_superblock(core.log, 4096));
	CHECK(sound(core.log, 0, 1));
}

static void test_activation_refused(void)
{
	/* The live copy, the backup, the next log block, the free map. */
	start(4096, 1000, 3);
	CHECK(activate() == -ENOSPC);
	CHECK(!core.map.armed && core.map.free == 3 && !core.log);
	CHECK(bow_map_add_free(&core.map, 1500, 1) == 0);
	CHECK(activate() == 0);
	bow_batch_begin(&batch);
	CHECK(add(5, 1) == -ENOSPC);
}

static void test_one_unit(void)
{
	active(512, 1000, 100);
	CHECK(list.count == 3);
	CHECK(list.w[2].sector == 0 && list.w[2].bytes == 512);
}

/* ---- batches ---- */

static void test_append(void)
{
	struct bow_entry_disk e;

	active(4096, 1000, 100);
	claim_all();
	CHECK(add(1050, 1) == 0 && bow_batch_empty(&batch));
	CHECK(bow_map_state(&core.map, 1050) == BOW_TAKEN);
	CHECK(add(5, 1) == 0 && add(5, 1) == 0);
	CHECK(batch.copies == 1 && batch.copy[0].src == 5);
	batch.copy[0].checksum = 0x1234;
	bow_batch_seal(&core, &batch, &writes);
	CHECK(writes.count == 1 && writes.w[0].sector == 0);
	CHECK(writes.w[0].preflush && writes.w[0].fua);
	CHECK(writes.w[0].bytes == 4096 && sound(writes.w[0].data, 0, 2));
	CHECK(le32_to_cpu(header_of(writes.w[0].data).prev_count) == 1);
	CHECK(header_of(writes.w[0].data).prev_entries_csum ==
	      header_of(core.log).entries_csum);
	e = entry_of(writes.w[0].data, 1);
	CHECK(le64_to_cpu(e.source) == 40 && le32_to_cpu(e.size) == 4096);
	CHECK(le64_to_cpu(e.dest) == batch.copy[0].dst * 8);
	CHECK(le32_to_cpu(e.checksum) == 0x1234);
	CHECK(bow_map_state(&core.map, 5) == BOW_USED);
	bow_batch_done(&core, &batch);
	CHECK(bow_map_state(&core.map, 5) == BOW_CHANGED);
	bow_batch_begin(&batch);
	CHECK(add(5, 1) == 0 && bow_batch_empty(&batch));
}

static void test_neighbours(void)
{
	struct snapshot before;

	active(4096, 4000, 2000);
	CHECK(add(5, 2) == 0 && add(7, 3) == 0);
	CHECK(batch.copies == 1 && batch.copy[0].blocks == 5);
	CHECK(batch.blocks == 5);
	/* Too much: the copy that had grown shrinks again. */
	before = snapshot();
	CHECK(add(10, BOW_BATCH_BLOCKS - 2) == -E2BIG);
	CHECK(unchanged(&before));
	CHECK(add(10, BOW_BATCH_BLOCKS - 5) == 0);
	CHECK(batch.blocks == BOW_BATCH_BLOCKS);
	CHECK(add(1900, 1) == -E2BIG);
}

static void test_abort(void)
{
	struct snapshot before;
	u8 log[512];

	active(512, 1000, 100);
	before = snapshot();
	memcpy(log, core.log, sizeof(log));
	CHECK(add(core.next_log, 1) == 0 && add(core.live0, 1) == 0);
	CHECK(add(5, 1) == 0 && add(7, 20) == 0);
	bow_batch_abort(&core, &batch);
	CHECK(unchanged(&before));
	CHECK(!memcmp(log, core.log, sizeof(log)));
	CHECK(!memcmp(log, core.work, sizeof(log)));
}

/* It cannot be written; the filesystem's own writes there are its affair. */
static void test_avoided_place(void)
{
	u64 place;

	active(4096, 1000, 100);
	claim_all();
	CHECK(add(5, 3) == 0);
	place = batch.copy[0].dst;
	bow_batch_avoid(&core, &batch);
	CHECK(bow_map_state(&core.map, 5) == BOW_USED);
	CHECK(bow_map_state(&core.map, place) == BOW_TAKEN);
	CHECK(bow_map_state(&core.map, place + 2) == BOW_TAKEN);
	bow_batch_begin(&batch);
	CHECK(add(5, 1) == 0 && batch.copy[0].dst != place);
	/* An entry would say that something of the checkpoint was there. */
	CHECK(add(place, 1) == 0 && batch.copies == 1);
}

static void test_too_big(void)
{
	struct snapshot before;
	u64 i;

	/* Every second block is free: no two places side by side. */
	start(512, 1000, 0);
	for (i = 1000; i < BLOCKS; i += 2)
		CHECK(bow_map_add_free(&core.map, i, 1) == 0);
	CHECK(activate() == 0);
	bow_batch_begin(&batch);
	CHECK(add(1, 256) == 0 && batch.copies == 256);
	before = snapshot();
	CHECK(add(300, 1) == -E2BIG);
	CHECK(unchanged(&before));
	bow_batch_seal(&core, &batch, &writes);
	CHECK(writes.count <= sizeof(writes.w) / sizeof(writes.w[0]));
	CHECK(writes.count == 1 + (256 - 9 + 8) / 9);
}

/*
 * The log has room for one entry more, and a copy that needs none is planned when the
 * next free block is not beside it.
 */
static void test_no_place_for_nothing(void)
{
	u64 first = 1004, i;
	u32 logs;

	active(512, 1000, 20);
	claim_all();
	bow_map_take(&core.map, 1018, 2, NULL);
	for (i = 0; le32_to_cpu(header_of(core.log).count) <
		    core.max_entries - 1; i++) {
		CHECK(add(5 + 2 * i, 1) == 0);
		publish();
	}
	CHECK(add(500, 1) == 0);
	CHECK(batch.copy[0].dst == first + i);
	CHECK(add(600, 20) == -ENOSPC);
	CHECK(bow_map_return_begin(&core.map, 1019, 1) == 1);
	bow_map_return_end(&core.map, 1019, 1);
	CHECK(add(501, 1) == 0);
	logs = batch.logs;
	publish();
	CHECK(le32_to_cpu(header_of(core.log).sequence) == logs);
}

static void test_own_places(void)
{
	active(4096, 1000, 100);
	CHECK(add(5, 1) == 0);
	CHECK(add(batch.copy[0].dst, 1) == -E2BIG);
	publish();
	CHECK(add(core.live0, 1) == 0 && batch.moves_live0);
}

/* ---- roll-over ---- */

/* The chain that a batch of so many copies writes, from @first_sequence on. */
static bool chain_ok(u32 full, u64 place, u32 sequence)
{
	u32 i;

	for (i = 0; i < full; i++, sequence++) {
		const struct bow_write *w = &writes.w[i];
		const u8 *next = writes.w[i + 1].data;
		struct bow_header_disk h = header_of(next);
		struct bow_entry_disk e = entry_of(next, 0);
		u32 csum = bow_crc32(0, w->data, core.bs);

		if (!plain(w, place, core.bs) ||
		    !sound(w->data, sequence, core.max_entries) ||
		    le64_to_cpu(header_of(w->data).next_log) != place ||
		    le64_to_cpu(h.prev_log) != place ||
		    le32_to_cpu(h.prev_log_csum) != csum ||
		    le32_to_cpu(h.prev_count) != 0 ||
		    le64_to_cpu(e.source) != 0 ||
		    le64_to_cpu(e.dest) != place ||
		    le32_to_cpu(e.checksum) != csum)
			return false;
		place = le64_to_cpu(h.next_log);
	}
	return true;
}

static void test_roll_over(void)
{
	u64 place, i;

	active(512, 1000, 600);
	place = core.next_log;
	/* 1 + 30 entries, 10 a block, one of each new block for the last. */
	for (i = 0; i < 30; i++)
		CHECK(add(5 + 2 * i, 1) == 0);
	CHECK(batch.copies == 30);
	bow_batch_seal(&core, &batch, &writes);
	CHECK(writes.count == 4);
	CHECK(chain_ok(3, place, 0));
	CHECK(writes.w[3].sector == 0 && writes.w[3].preflush);
	CHECK(writes.w[3].fua && sound(writes.w[3].data, 3, 4));
	bow_batch_done(&core, &batch);
	CHECK(core.n.entries == 34 && core.n.log_writes == 5);
	CHECK(bow_map_state(&core.map, core.next_log) == BOW_HELD);
	CHECK(bow_map_state(&core.map, place) == BOW_HELD);
}

static void test_next_log_moves(void)
{
	struct bow_header_disk h;
	u64 old;

	active(4096, 1000, 100);
	claim_all();
	old = core.next_log;
	CHECK(add(old, 1) == 0 && add(old, 1) == 0);
	CHECK(batch.copies == 0 && !bow_batch_empty(&batch));
	bow_batch_seal(&core, &batch, &writes);
	CHECK(writes.count == 1 && sound(writes.w[0].data, 0, 1));
	h = header_of(writes.w[0].data);
	CHECK(le64_to_cpu(h.next_log) == core.next_log * 8);
	CHECK(core.next_log != old);
	CHECK(bow_map_state(&core.map, old) == BOW_HELD);
	bow_batch_done(&core, &batch);
	CHECK(bow_map_state(&core.map, old) == BOW_TAKEN);
}

/* The new place is known to the disk before the block is copied to it. */
static void test_next_log_moves_and_rolls(void)
{
	struct bow_header_disk h;
	u64 i, old;

	active(512, 1000, 600);
	claim_all();
	old = core.next_log;
	CHECK(add(old, 1) == 0);
	for (i = 0; i < 12; i++)
		CHECK(add(5 + 2 * i, 1) == 0);
	bow_batch_seal(&core, &batch, &writes);
	CHECK(writes.count == 3);
	CHECK(writes.w[0].sector == 0 && writes.w[0].preflush);
	CHECK(writes.w[0].fua && sound(writes.w[0].data, 0, 1));
	h = header_of(writes.w[0].data);
	CHECK(le64_to_cpu(h.next_log) == writes.w[1].sector);
	CHECK(writes.w[1].sector != old);
	CHECK(sound(writes.w[1].data, 0, 10) && !writes.w[1].fua);
	CHECK(writes.w[2].sector == 0 && sound(writes.w[2].data, 1, 4));
	CHECK(writes.w[2].preflush && writes.w[2].fua);
}

/* ---- the live copy, a lost batch, a full device ---- */

static void test_live_copy_moves(void)
{
	struct bow_entry_disk e;
	u64 old, place;

	active(4096, 1000, 100);
	claim_all();
	old = core.live0;
	CHECK(add(old - 1, 3) == 0);
	CHECK(batch.moves_live0 && core.live0 == old);
	place = batch.new_live0;
	bow_batch_seal(&core, &batch, &writes);
	CHECK(le64_to_cpu(header_of(core.work).sector0) == place * 8);
	CHECK(le64_to_cpu(header_of(core.log).sector0) == old * 8);
	e = entry_of(core.work, 2);
	CHECK(le64_to_cpu(e.source) == old * 8);
	CHECK(le64_to_cpu(e.dest) == place * 8);
	CHECK(le32_to_cpu(e.size) == 4096 && !e.checksum);
	bow_batch_done(&core, &batch);
	CHECK(core.live0 == place);
	CHECK(bow_map_state(&core.map, old) == BOW_TAKEN);
}

static void test_lost(void)
{
	u64 live, next;

	active(4096, 1000, 100);
	live = core.live0;
	next = core.next_log;
	CHECK(add(next, 1) == 0 && add(live, 1) == 0 && add(5, 1) == 0);
	bow_batch_seal(&core, &batch, &writes);
	bow_batch_lost(&core, &batch);
	CHECK(core.live0 == live && core.next_log == next);
	CHECK(!memcmp(core.work, core.log, 4096));
	/* Nothing that either log may name can be had or overwritten. */
	CHECK(bow_map_state(&core.map, 5) == BOW_USED);
	CHECK(bow_map_state(&core.map, live) == BOW_HELD);
	CHECK(bow_map_state(&core.map, next) == BOW_HELD);
	CHECK(bow_map_state(&core.map, batch.copy[0].dst) == BOW_HELD);
	CHECK(bow_map_state(&core.map, batch.log_place[0]) == BOW_HELD);
}

static void test_full(void)
{
	struct snapshot before;
	u64 i;

	active(512, 1000, 25);
	for (i = 0; i < 100; i++) {
		before = snapshot();
		if (add(5 + 2 * i, 1))
			break;
		publish();
	}
	CHECK(i > 10 && i < 25);
	CHECK(add(5 + 2 * i, 1) == -ENOSPC);
	CHECK(unchanged(&before));
	CHECK(add(1000, 25) == -ENOSPC);
	CHECK(sound(core.log, le32_to_cpu(bow_core_header(&core)->sequence),
		    le32_to_cpu(bow_core_header(&core)->count)));
}

/* ---- the ends ---- */

/* Nothing is written of a write that is refused: what was free is free. */
static void test_refused_takes_nothing(void)
{
	u64 free, held;

	active(4096, 1000, 500);
	claim_all();
	free = core.map.free;
	held = core.map.held;
	/* 400 free blocks and 500 to copy, for which there are not enough. */
	CHECK(add(1100, 900) == -ENOSPC);
	CHECK(core.map.free == free && core.map.held == held);
	CHECK(bow_map_state(&core.map, 1100) == BOW_FREE);
	/* Nor of one that does not fit in this batch. */
	CHECK(add(5, BOW_BATCH_BLOCKS + 1) == -E2BIG);
	CHECK(core.map.free == free && core.map.held == held);
	/* What goes is taken. */
	CHECK(add(1100, 400) == 0);
	CHECK(bow_map_state(&core.map, 1100) == BOW_TAKEN);
}

static void test_commit(void)
{
	struct bow_finish_disk f;

	active(4096, 1000, 100);
	bow_core_commit(&core, block0, &list);
	CHECK(list.count == 3 && list.w[0].preflush && list.w[0].fua);
	memcpy(&f, list.w[0].data, sizeof(f));
	CHECK(le32_to_cpu(f.action) == BOW_ACTION_COMMIT);
	CHECK(le64_to_cpu(f.final_sector) == core.live0 * 8);
	CHECK(f.checkpoint_id[0] == 7 && le64_to_cpu(f.created) == 9);
	CHECK(le64_to_cpu(f.device_sectors) == BLOCKS * 8);
	bow_core_reset(&core);
	CHECK(!core.map.armed && core.map.free == 0 && !core.log);
}

static void test_deactivate(void)
{
	struct bow_finish_disk f;
	u64 backup0;

	active(4096, 1000, 100);
	backup0 = le64_to_cpu(bow_core_header(&core)->backup0);
	bow_core_deactivate(&core, block0, &list);
	CHECK(list.count == 4);
	CHECK(plain(&list.w[0], backup0, 4096) && list.w[0].data == block0);
	CHECK(list.w[1].sector == 0 && list.w[1].preflush && list.w[1].fua);
	memcpy(&f, list.w[1].data, sizeof(f));
	CHECK(le32_to_cpu(f.action) == BOW_ACTION_ROLLBACK);
	CHECK(le64_to_cpu(f.final_sector) == backup0);
	CHECK(list.w[2].sector == 1 && list.w[2].fua);
	CHECK(list.w[3].sector == 0 && list.w[3].data == block0);
}

int main(void)
{
	RUN(test_activation_order, "activation: copies, first unit, rest");
	RUN(test_activation_guard, "an ext superblock stays readable");
	RUN(test_activation_refused, "two free blocks are too few");
	RUN(test_one_unit, "a log block of one unit is one write");
	RUN(test_append, "a backup is an entry, published by one write");
	RUN(test_neighbours, "neighbours share an entry, and part again");
	RUN(test_abort, "an aborted batch leaves everything as before");
	RUN(test_avoided_place, "a place that cannot be written is left alone");
	RUN(test_too_big, "256 copies fit, one more does not");
	RUN(test_no_place_for_nothing, "no place is held for a log block that never comes");
	RUN(test_own_places, "a place of the batch waits for the next batch");
	RUN(test_roll_over, "one batch may fill several log blocks");
	RUN(test_next_log_moves, "the reserved place moves out of the way");
	RUN(test_next_log_moves_and_rolls, "it is published before it is used");
	RUN(test_live_copy_moves, "the live copy moves, and sector0 with it");
	RUN(test_lost, "a lost batch keeps all that either log may name");
	RUN(test_full, "a full device refuses, and the log stays sound");
	RUN(test_refused_takes_nothing, "a write that is refused takes no free block");
	RUN(test_commit, "a commit names the live copy");
	RUN(test_deactivate, "a failed activation is taken back");
	bow_core_exit(&core);
	return tap_done();
}
