// SPDX-License-Identifier: GPL-2.0
/*
 * bow_freemap.c - the free map on the disk; see bow_freemap.h
 *
 * A bitmap cut into blocks that name each other: bounded by the size of the
 * device whatever the fragmentation, each block checksummed by itself, and
 * nothing for parts of the device that had no free block.
 */
#include "bow_freemap.h"
#include "bow_work.h"

/* 64-bit words of the bitmap in one map block. */
static u32 words_per_block(const struct bow_core *core)
{
	return (core->bs - BOW_FREE_MAP_HEADER) / sizeof(u64);
}

static u64 words_of_device(const struct bow_core *core)
{
	return (core->map.blocks + 63) / 64;
}

static bool has_free(const struct bow_core *core, u64 region)
{
	u64 word = region * words_per_block(core);
	u64 end = word + words_per_block(core);

	if (end > words_of_device(core))
		end = words_of_device(core);
	for (; word < end; word++) {
		if (bow_map_free_word(&core->map, word))
			return true;
	}
	return false;
}

static u64 regions(const struct bow_core *core)
{
	return bow_div_u64(words_of_device(core) + words_per_block(core) - 1,
			   words_per_block(core));
}

u32 bow_free_map_count(const struct bow_core *core)
{
	u64 region;
	u32 n = 0;

	for (region = 0; region < regions(core); region++)
		n += has_free(core, region);
	return n;
}

/* The first place for a map block at or above @block; 0: none. */
static u64 next_place(const struct bow_core *core, u64 block)
{
	u64 word = block / 64;
	u64 mask = ~0ull << block % 64;

	for (; word < words_of_device(core); word++, mask = ~0ull) {
		u64 bits = bow_map_reserved(&core->map, word) & mask;

		if (bits)
			return word * 64 + (u32)__builtin_ctzll(bits);
	}
	return 0;
}

void bow_free_map_plan(struct bow_core *core, u32 blocks)
{
	u32 taken = 0;

	memset(&core->free_map, 0, sizeof(core->free_map));
	core->free_map.blocks = blocks;
	/*
	 * All places before the first block is built: no block may call one
	 * of them free.
	 */
	while (taken < blocks) {
		u64 first;
		u64 n = bow_map_alloc(&core->map, blocks - taken, &first);

		bow_map_reserve(&core->map, first, n);
		taken += (u32)n;
	}
	core->free_map.place = next_place(core, 0);
}

/* The map block of a region, which lies at plan->place. */
static void build_block(struct bow_core *core, u8 *block, u64 region, u64 next)
{
	const struct bow_header_disk *h = bow_work_header(core);
	u64 first = region * words_per_block(core);
	u64 bits = core->map.blocks - first * 64;
	struct bow_free_map_disk d = {
		.magic = cpu_to_le32(BOW_MAGIC_FREE_MAP),
		.first_block = cpu_to_le64(first * 64),
		.next = cpu_to_le64(bow_core_sector(core, next)),
		.index = cpu_to_le32(core->free_map.index),
	};
	u32 i;

	if (bits > words_per_block(core) * 64)
		bits = words_per_block(core) * 64;
	d.bits = cpu_to_le32((u32)bits);
	memcpy(d.checkpoint_id, h->checkpoint_id, sizeof(d.checkpoint_id));
	for (i = 0; i < words_per_block(core); i++) {
		__le64 word = 0;

		if (first + i < words_of_device(core))
			word = cpu_to_le64(
				bow_map_free_word(&core->map, first + i) &
				~bow_map_reserved(&core->map, first + i));
		memcpy(block + sizeof(d) + i * sizeof(word), &word,
		       sizeof(word));
	}
	memcpy(block, &d, sizeof(d));
	d.csum = cpu_to_le32(bow_free_map_csum(block, core->bs));
	memcpy(block, &d, sizeof(d));
}

bool bow_free_map_next(struct bow_core *core, struct bow_write *write)
{
	struct bow_free_map_plan *plan = &core->free_map;
	u64 start = plan->place;
	u32 n = 0;

	if (plan->index == plan->blocks) {
		bow_map_end_reserve(&core->map);
		return false;
	}
	while (plan->index < plan->blocks && n < BOW_BATCH_LOGS &&
	       plan->place == start + n) {
		u64 next = 0;

		while (!has_free(core, plan->region))
			plan->region++;
		if (plan->index + 1 < plan->blocks)
			next = next_place(core, plan->place + 1);
		build_block(core, core->full + (size_t)n * core->bs,
			    plan->region++, next);
		plan->place = next;
		plan->index++;
		n++;
	}
	*write = (struct bow_write){ bow_core_sector(core, start), core->full,
				     n * core->bs, false, false };
	return true;
}
