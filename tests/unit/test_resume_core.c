// SPDX-License-Identifier: GPL-2.0
/*
 * test_resume_core.c - free map, claims, and taking a checkpoint up again
 */
#include <stdlib.h>
#include <string.h>

#include "../tap.h"
#include "bow_core.h"
#include "bow_freemap.h"

#define BLOCKS 100000u
#define BS 4096u
#define PER (BS / 512)

static struct bow_core core, again;
static struct bow_batch batch;
static struct bow_log_writes writes;
static struct bow_write_list list;
static u8 block0[BS];
static u8 disk_map[16][BS];	/* the map blocks that were written */
static u64 map_place[16];
static u32 map_blocks;

static void start(struct bow_core *c)
{
	bow_core_exit(c);
	if (bow_core_init(c, (u64)BLOCKS * PER, BS) ||
	    bow_map_add_free(&c->map, 1000, 300) ||
	    bow_map_add_free(&c->map, 40000, 20000) ||
	    bow_map_add_free(&c->map, 99990, 10))
		abort();
}

static void active(void)
{
	struct bow_core_params p = { .id = { 7 }, .created = 9 };
	struct bow_write w;

	start(&core);
	memset(block0, 0x11, sizeof(block0));
	map_blocks = 0;
	if (bow_core_activate(&core, &p, block0, &list))
		abort();
	while (bow_free_map_next(&core, &w)) {
		u32 i;

		for (i = 0; i < w.bytes / BS; i++) {
			map_place[map_blocks] = w.sector / PER + i;
			memcpy(disk_map[map_blocks++], w.data + i * BS, BS);
		}
	}
	bow_batch_begin(&batch);
}

static void write_blocks(u64 first, u64 count)
{
	if (bow_core_write_direct(&core, first, count))
		return;
	if (bow_batch_add(&core, &batch, first, count))
		abort();
	bow_batch_seal(&core, &batch, &writes);
	bow_batch_done(&core, &batch);
	bow_batch_begin(&batch);
}

static struct bow_free_map_disk map_head(u32 i)
{
	struct bow_free_map_disk d;

	memcpy(&d, disk_map[i], sizeof(d));
	return d;
}

static bool map_bit(u64 block)
{
	u32 i;

	for (i = 0; i < map_blocks; i++) {
		struct bow_free_map_disk d = map_head(i);
		u64 first = le64_to_cpu(d.first_block);
		u64 n = block - first;

		if (block >= first && n < le32_to_cpu(d.bits))
			return disk_map[i][64 + n / 8] >> n % 8 & 1;
	}
	return false;
}

static bool is_map_place(u64 block)
{
	u32 i;

	for (i = 0; i < map_blocks; i++)
		if (map_place[i] == block)
			return true;
	return false;
}

static void test_chain(void)
{
	const struct bow_header_disk *h;
	u32 i;

	active();
	h = bow_core_header(&core);
	CHECK(map_blocks == 3);
	CHECK(le32_to_cpu(h->free_map_blocks) == 3);
	CHECK(le64_to_cpu(h->free_map) == map_place[0] * PER);
	for (i = 0; i < map_blocks; i++) {
		struct bow_free_map_disk d = map_head(i);

		CHECK(le32_to_cpu(d.magic) == BOW_MAGIC_FREE_MAP);
		CHECK(le32_to_cpu(d.csum) == bow_free_map_csum(disk_map[i], BS));
		CHECK(le32_to_cpu(d.index) == i && d.checkpoint_id[0] == 7);
		CHECK(le64_to_cpu(d.next) ==
		      (i + 1 < map_blocks ? map_place[i + 1] * PER : 0));
	}
}

/* All that was free but for the map itself, which is like blocks in use. */
static void test_bits(void)
{
	u64 i, wrong = 0;

	active();
	for (i = 0; i < BLOCKS; i++) {
		bool was_free = (i >= 1000 && i < 1300) ||
				(i >= 40000 && i < 60000) || i >= 99990;

		wrong += map_bit(i) != (was_free && !is_map_place(i));
	}
	CHECK(wrong == 0);
	for (i = 0; i < map_blocks; i++)
		CHECK(bow_map_state(&core.map, map_place[i]) == BOW_USED);
}

static void test_claims(void)
{
	const struct bow_header_disk *h;
	struct bow_entry_disk e;

	active();
	/* 400 MB: regions of 1 MiB, 256 blocks. */
	CHECK(!bow_core_write_direct(&core, 1000, 1));
	write_blocks(1000, 1);
	h = bow_core_header(&core);
	CHECK(core.n.claims == 1 && le32_to_cpu(h->count) == 2);
	memcpy(&e, core.log + le16_to_cpu(h->header_size) + BOW_ENTRY_SIZE,
	       sizeof(e));
	CHECK(le64_to_cpu(e.source) == 768 * PER && e.dest == e.source);
	CHECK(le32_to_cpu(e.size) == BS && e.checksum == 0);
	/* Once is enough, and blocks that were in use need none. */
	CHECK(bow_core_write_direct(&core, 1005, 10));
	write_blocks(5, 1);
	CHECK(core.n.claims == 1 && core.n.copies == 1);
	CHECK(core.n.batches == 2 && core.n.claim_batches == 1);
	/* A range over two regions. */
	write_blocks(1020, 10);
	CHECK(core.n.claims == 2);
	CHECK(core.n.batches == 3 && core.n.claim_batches == 2);
}

/* An aborted claim must not let the next write pass. */
static void test_claim_aborted(void)
{
	active();
	CHECK(bow_batch_add(&core, &batch, 1000, 1) == 0);
	CHECK(batch.claims == 1);
	bow_batch_abort(&core, &batch);
	CHECK(!bow_core_write_direct(&core, 1000, 1));
}

/* Tell `again` what user space would find on the disk, and this block 0. */
static int take_up_log(const u8 *log)
{
	u64 i;
	int r;

	bow_core_exit(&again);
	if (bow_core_init(&again, (u64)BLOCKS * PER, BS))
		abort();
	for (i = 0; i < BLOCKS; i++)
		if (map_bit(i) && bow_map_add_free(&again.map, i, 1))
			abort();
	r = bow_core_resume_begin(&again);
	if (r)
		return r;
	for (i = 1; i < BLOCKS; i++) {
		enum bow_block_state s = bow_map_state(&core.map, i);

		if (s == BOW_HELD)
			bow_map_resume_held(&again.map, i, 1);
		else if (s == BOW_CHANGED)
			bow_map_resume_changed(&again.map, i, 1);
	}
	for (i = 0; i < BLOCKS; i += 256)
		if (core.claimed[i / 256 / 64] >> i / 256 % 64 & 1)
			bow_core_resume_claim(&again, i, BLOCKS - i < 256 ?
						      BLOCKS - i : 256);
	return bow_core_resume_end(&again, log);
}

static int take_up(void)
{
	return take_up_log(core.log);
}

static void test_take_up(void)
{
	u64 i, wrong = 0, less = 0;

	active();
	for (i = 0; i < 300; i++)
		write_blocks(i * 311 % 99000 + 1, i % 7 + 1);
	CHECK(take_up() == 0);
	CHECK(again.live0 == core.live0 && again.next_log == core.next_log);
	CHECK(again.max_entries == core.max_entries);
	CHECK(memcmp(again.log, core.log, BS) == 0);
	for (i = 1; i < BLOCKS; i++) {
		enum bow_block_state was = bow_map_state(&core.map, i);
		enum bow_block_state is = bow_map_state(&again.map, i);

		/* What is free in a claimed region may not be used again. */
		if (was == BOW_FREE && is == BOW_TAKEN)
			less++;
		else
			wrong += was != is;
	}
	CHECK(wrong == 0);
	CHECK(less > 0 && again.map.held == core.map.held);
	CHECK(again.map.free == core.map.free - less);
	/* And on it goes. */
	bow_batch_begin(&batch);
	CHECK(bow_batch_add(&again, &batch, 98000, 1) == 0);
	bow_batch_seal(&again, &batch, &writes);
	bow_batch_done(&again, &batch);
}

static void test_not_ours(void)
{
	u8 *log;

	active();
	CHECK(take_up() == 0);
	log = core.log;
	log[260] ^= 1;			/* an entry */
	CHECK(take_up() == -EUCLEAN);
	log[260] ^= 1;
	log[100] ^= 1;			/* the header */
	CHECK(take_up() == -EUCLEAN);
	log[100] ^= 1;
	bow_map_unalloc(&core.map, core.live0, 1);
	CHECK(take_up() == -EUCLEAN);
}

static void make_whole(struct bow_header_disk *h)
{
	h->entries_csum = cpu_to_le32(bow_entries_csum(h, le16_to_cpu(h->header_size),
						       le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

/* A whole header in which one bit is another. */
static int take_up_flipped(size_t byte)
{
	active();
	core.log[byte] ^= 1;
	make_whole((struct bow_header_disk *)core.log);
	return take_up();
}

static int take_up_count(u32 count)
{
	/* What is summed up may reach beyond the block. */
	static u8 log[2 * BS];
	struct bow_header_disk *h = (struct bow_header_disk *)log;

	active();
	memcpy(log, core.log, BS);
	h->count = cpu_to_le32(count);
	make_whole(h);
	return take_up_log(log);
}

static void test_other_device(void)
{
	u32 most;

	active();
	most = core.max_entries;
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, created)) == 0);
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, magic)) == -EUCLEAN);
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, header_version)) ==
	      -EUCLEAN);
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, block_size)) ==
	      -EUCLEAN);
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, device_sectors)) ==
	      -EUCLEAN);
	CHECK(take_up_flipped(offsetof(struct bow_header_disk, claim_shift)) ==
	      -EUCLEAN);
	CHECK(take_up_count(0) == -EUCLEAN);
	CHECK(take_up_count(1) == 0);
	CHECK(take_up_count(most) == 0);
	CHECK(take_up_count(most + 1) == -EUCLEAN);
}

/* A whole header with another value in it. */
static int take_up_with(u32 header_size, u32 flags, bool one_place)
{
	struct bow_header_disk *h;

	active();
	h = (struct bow_header_disk *)core.log;
	h->header_size = cpu_to_le16((u16)header_size);
	h->flags |= cpu_to_le32(flags);
	if (one_place)
		h->next_log = h->sector0;
	h->count = cpu_to_le32(1);
	make_whole(h);
	return take_up();
}

static void test_other_writers(void)
{
	u32 size;

	CHECK(take_up_with(BOW_HEADER_SIZE, 0, false) == 0);
	for (size = 1; size <= BS - BOW_ENTRY_SIZE; size++)
		if (size != BOW_HEADER_SIZE &&
		    take_up_with(size, 0, false) != -EUCLEAN)
			break;
	CHECK(size > BS - BOW_ENTRY_SIZE);
	/* Entries would lie over the guard. */
	CHECK(take_up_with(BOW_HEADER_SIZE, BOW_FLAG_GUARD, false) == -EUCLEAN);
	CHECK(take_up_with(BOW_HEADER_SIZE, 0, true) == -EUCLEAN);
}

int main(void)
{
	RUN(test_chain, "the free map is a chain of checksummed blocks");
	RUN(test_bits, "the free map has every free block but its own");
	RUN(test_claims, "a region is claimed once, before its first write");
	RUN(test_claim_aborted, "an aborted claim claims nothing");
	RUN(test_take_up, "a checkpoint that is taken up has the same blocks");
	RUN(test_other_device, "a log of other sizes, or of another kind, is refused");
	RUN(test_other_writers, "a header that this writer does not make is refused");
	RUN(test_not_ours, "a log block that is not whole or not ours is refused");
	bow_core_exit(&core);
	bow_core_exit(&again);
	return tap_done();
}
