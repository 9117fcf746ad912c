// SPDX-License-Identifier: GPL-2.0
/*
 * test_large.c - a device of terabytes: each position that the core writes
 */
#include "largelog.h"

/* ---- the log as it is on the disk ---- */

static bool is_entry(const u8 *block, u32 index, const struct entry *e)
{
	struct bow_entry_disk disk;

	memcpy(&disk, block + BOW_HEADER_SIZE + index * BOW_ENTRY_SIZE,
	       sizeof(disk));
	return le64_to_cpu(disk.source) == e->source &&
	       le64_to_cpu(disk.dest) == e->dest &&
	       le32_to_cpu(disk.size) == e->blocks * d.bs;
}

static void test_header(void)
{
	struct bow_header_disk h;

	memcpy(&h, get(0), sizeof(h));
	CHECK(le32_to_cpu(h.magic) == BOW_MAGIC_LOG);
	CHECK(le64_to_cpu(h.device_sectors) == d.sectors);
	CHECK(le64_to_cpu(h.sector0) == want.live);
	CHECK(le64_to_cpu(h.prev_sector0) == want.before);
	CHECK(le64_to_cpu(h.backup0) == want.backup0);
	CHECK(le64_to_cpu(h.next_log) == want.next);
	CHECK(le64_to_cpu(h.prev_log) == want.prev);
	CHECK(le64_to_cpu(h.free_map) == want.map[0]);
	CHECK(le32_to_cpu(h.free_map_blocks) == want.maps);
	CHECK(1ull << (le32_to_cpu(h.claim_shift) - 9) == want.region);
	CHECK(holds(want.live, contents(0, 1)));
	CHECK(holds(want.backup0, contents(0, 0)));
}

/* All entries, from the newest back through the chain. */
static void test_entries(void)
{
	u32 left = want.entries, i;
	struct bow_header_disk h;
	u64 at = 0;

	for (;;) {
		memcpy(&h, get(at), sizeof(h));
		CHECK(le32_to_cpu(h.magic) == BOW_MAGIC_LOG);
		CHECK(le32_to_cpu(h.count) <= left);
		for (i = le32_to_cpu(h.count); i--;)
			CHECK(is_entry(d.block, i, &want.entry[--left]));
		if (!le32_to_cpu(h.sequence))
			break;
		at = le64_to_cpu(h.prev_log);
		CHECK(at == want.entry[left].dest);
		/* There it was to go from the start. */
		memcpy(&h, get(at), sizeof(h));
		CHECK(le64_to_cpu(h.next_log) == at);
	}
	CHECK(left == 0);
}

static bool is_map_place(u64 sector)
{
	u32 i;

	for (i = 0; i < want.maps; i++)
		if (want.map[i] == sector)
			return true;
	return false;
}

static void test_free_map(void)
{
	u64 first = d.free / d.per / want.map_bits * want.map_bits;
	struct bow_free_map_disk h;
	u64 sector, wrong = 0;
	u32 i, bit;

	for (i = 0; i < want.maps; i++, first += want.map_bits) {
		memcpy(&h, get(want.map[i]), sizeof(h));
		CHECK(le32_to_cpu(h.magic) == BOW_MAGIC_FREE_MAP);
		CHECK(le32_to_cpu(h.index) == i);
		CHECK(le64_to_cpu(h.first_block) == first);
		CHECK(le64_to_cpu(h.next) ==
		      (i + 1 < want.maps ? want.map[i + 1] : 0));
		for (bit = 0; bit < le32_to_cpu(h.bits); bit++) {
			sector = (first + bit) * d.per;
			wrong += (d.block[64 + bit / 8] >> bit % 8 & 1) !=
				 (sector >= d.free &&
				  sector < d.free + FREE_BLOCKS * d.per &&
				  !is_map_place(sector));
		}
		CHECK(first + bit == d.sectors / d.per || bit == want.map_bits);
	}
	CHECK(wrong == 0);
}

/* ---- what has become of the blocks ---- */

static void test_states(void)
{
	u32 p, i;

	for (p = 0; p < d.positions; p++) {
		CHECK(state(target(p, 0)) == BOW_CHANGED);
		CHECK(state(target(p, ROUNDS - 1)) == BOW_CHANGED);
		CHECK(state(target(p, ROUNDS)) == BOW_USED);
	}
	for (i = 1; i < want.entries; i++) {
		const struct entry *e = &want.entry[i];

		if (e->source != e->dest && i != MOVED)
			CHECK(state(e->dest) == BOW_HELD);
	}
	CHECK(state(want.entry[MOVED].dest) == BOW_TAKEN);
	CHECK(state(want.live) == BOW_HELD && state(want.next) == BOW_HELD);
	CHECK(state(want.map[0]) == BOW_USED);
	CHECK(state(d.free) == BOW_TAKEN && state(d.free + d.per) == BOW_FREE);
	/* Discarded, and used again. */
	CHECK(bow_map_return_begin(&d.core.map, d.free / d.per, 1) == 1);
	bow_map_return_end(&d.core.map, d.free / d.per, 1);
	CHECK(state(d.free) == BOW_FREE);
	bow_map_take(&d.core.map, d.free / d.per, 1, NULL);
	CHECK(state(d.free) == BOW_TAKEN);
}

static void test_core_commit(void)
{
	struct bow_finish_disk f;
	u8 final[4096];

	memcpy(final, get(want.live), d.bs);
	bow_core_commit(&d.core, final, &d.list);
	/* A block of one sector has no record. */
	CHECK(d.list.count == (d.bs == 512 ? 1 : 3) && d.list.w[0].sector == 0);
	if (d.bs == 512)
		return;
	memcpy(&f, d.list.w[0].data, sizeof(f));
	CHECK(le64_to_cpu(f.final_sector) == want.live);
	CHECK(le64_to_cpu(f.device_sectors) == d.sectors);
}

/* Who writes one block after the other high up has the next ones copied ahead. */
static void test_ahead(void)
{
	u64 first = target(d.positions - 2, ROUNDS) / d.per;

	CHECK(bow_batch_add(&d.core, &d.batch, first, 2) == 0);
	publish();
	CHECK(bow_batch_add(&d.core, &d.batch, first + 2, 2) == 0);
	bow_batch_ahead(&d.core, &d.batch);
	CHECK(d.batch.copies == 1 && d.batch.copy[0].src == first + 2);
	CHECK(d.batch.copy[0].blocks == 6);
	bow_batch_abort(&d.core, &d.batch);
}

int main(void)
{
	static const struct large_test tests[] = {
		{ test_header, "the places that the header names" },
		{ test_entries, "every entry of the chain" },
		{ test_free_map, "the free map" },
		{ test_states, "what has become of the blocks" },
		{ test_core_commit, "a commit" },
		{ test_ahead, "a writer is copied ahead of" },
	};

	run_tests(tests, sizeof(tests) / sizeof(tests[0]));
	return tap_done();
}
