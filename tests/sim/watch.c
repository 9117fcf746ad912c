// SPDX-License-Identifier: GPL-2.0
/*
 * watch.c - what must hold at every write, whatever a restore would make of it
 *
 * Reads the log from the medium by the letter of bow_format.h, without libbow.
 */
#include <string.h>

#include "sim.h"

static const u8 *safe_sector(const struct sim *sim, u64 sector)
{
	return sim->disk.safe + sector * BOW_SECTOR_SIZE;
}

static bool is_free(const struct sim *sim, u64 sector)
{
	u64 block = sector / sim->engine.spb;

	return sector % sim->engine.spb == 0 && block > 0 &&
	       block < sim->blocks && sim->model.was_free[block];
}

/*
 * One block of a durable entry.  Where the source was in use at the
 * checkpoint and had no undo yet, its copy must be durable and right.
 */
static bool block_ok(struct sim *sim, u64 source, u64 dest)
{
	struct model *m = &sim->model;
	u64 block = source / sim->engine.spb;

	if (!is_free(sim, dest)) {
		sim_fail(sim, "dest %llu was not free at the checkpoint",
			 (unsigned long long)dest);
		return false;
	}
	if (block >= sim->blocks || source % sim->engine.spb) {
		sim_fail(sim, "source %llu is not a block of the device",
			 (unsigned long long)source);
		return false;
	}
	if (!block || m->was_free[block])
		return true;
	if (m->covered[block]) {
		sim_fail(sim, "source %llu is backed up twice",
			 (unsigned long long)source);
		return false;
	}
	if (memcmp(safe_sector(sim, dest),
		   m->d0 + source * BOW_SECTOR_SIZE, sim->cfg->bs)) {
		sim_fail(sim, "the entry of %llu is durable, its copy is not",
			 (unsigned long long)source);
		return false;
	}
	m->covered[block] = 1;
	m->covered_by[block] = sim->disk.settles;
	return true;
}

static bool entry_ok(struct sim *sim, const struct bow_entry_disk *e)
{
	u64 source = le64_to_cpu(e->source);
	u64 dest = le64_to_cpu(e->dest);
	u32 size = le32_to_cpu(e->size);
	u32 i;

	if (!size || size % sim->cfg->bs) {
		sim_fail(sim, "an entry of %u bytes", size);
		return false;
	}
	/* A claim backs nothing up. */
	if (source == dest && !e->checksum)
		return true;
	for (i = 0; i < size / BOW_SECTOR_SIZE; i += sim->engine.spb) {
		if (!block_ok(sim, source + i, dest + i))
			return false;
	}
	return true;
}

/* Entries from @first on of the log block at @block. */
static void read_entries(struct sim *sim, const u8 *block, u32 first)
{
	const struct bow_header_disk *h = (const void *)block;
	u32 count = le32_to_cpu(h->count);
	u32 at = le16_to_cpu(h->header_size);
	u32 i;

	if (at > sim->cfg->bs || count > (sim->cfg->bs - at) / BOW_ENTRY_SIZE) {
		sim_fail(sim, "a log block with %u entries", count);
		return;
	}
	for (i = first; i < count; i++) {
		struct bow_entry_disk e;

		memcpy(&e, block + at + i * BOW_ENTRY_SIZE, sizeof(e));
		if (!entry_ok(sim, &e))
			return;
	}
}

/* The log block of this sequence, followed back from block 0. */
static const u8 *find_block(struct sim *sim, u32 sequence)
{
	const struct bow_header_disk *h = (const void *)sim->disk.safe;

	while (le32_to_cpu(h->sequence) > sequence) {
		u64 prev = le64_to_cpu(h->prev_log);
		u32 was = le32_to_cpu(h->sequence);

		if (!is_free(sim, prev))
			break;
		h = (const void *)safe_sector(sim, prev);
		if (le32_to_cpu(h->magic) != BOW_MAGIC_LOG ||
		    le32_to_cpu(h->sequence) != was - 1)
			break;
	}
	return le32_to_cpu(h->sequence) == sequence ? (const u8 *)h : NULL;
}

void watch_log(struct sim *sim)
{
	const struct bow_header_disk *h = (const void *)sim->disk.safe;
	struct model *m = &sim->model;
	u32 newest = le32_to_cpu(h->sequence);

	if (le32_to_cpu(h->magic) != BOW_MAGIC_LOG) {
		sim_fail(sim, "a log write is done, and block 0 is no log");
		return;
	}
	if (!is_free(sim, le64_to_cpu(h->next_log)) ||
	    !is_free(sim, le64_to_cpu(h->sector0)))
		sim_fail(sim, "next_log or sector0 is not a place of ours");
	for (; m->sequence <= newest && !sim->failed; m->sequence++) {
		const u8 *block = find_block(sim, m->sequence);

		if (!block) {
			sim_fail(sim, "log block %u cannot be found",
				 m->sequence);
			return;
		}
		read_entries(sim, block, m->count);
		m->count = 0;
	}
	m->sequence = newest;
	m->count = le32_to_cpu(h->count);
}

/* Block 0 is written by the engine alone, and never logged to once closing. */
static void check_block0(struct sim *sim, const struct io *io)
{
	bool log = io->cells && sim->cfg->unit >= sizeof(u32) &&
		   bow_get_le32(io->data) == BOW_MAGIC_LOG;

	if (io->op && sim->model.phase != PHASE_NONE)
		sim_fail(sim, "the user's write reaches block 0");
	if (!io->cell && log && sim->model.phase == PHASE_CLOSING)
		sim_fail(sim, "a log write follows the commit");
}

/* What the user has written is not the engine's to write to. */
static void check_users(struct sim *sim, const struct io *io)
{
	const struct model *m = &sim->model;
	u32 c;

	for (c = io->cell; !io->op && c < io->cell + io->cells; c++) {
		if (c >= sim->cpb && m->live_known[c] && !m->discards[c]) {
			sim_fail(sim, "the engine overwrites block %u of the user",
				 c / sim->cpb);
			return;
		}
	}
}

void watch_write(struct sim *sim, const struct io *io)
{
	const struct model *m = &sim->model;
	const struct io *other = disk_in_flight(&sim->disk, io->cell,
						io->cells, io);
	u32 c;

	if (other && !(io->op && other->op))
		sim_fail(sim, "two writes in flight at cell %u", io->cell);
	if (io->cell < sim->cpb)
		check_block0(sim, io);
	if (m->phase == PHASE_NONE || m->phase == PHASE_CLOSING)
		return;
	check_users(sim, io);
	for (c = io->cell; c < io->cell + io->cells; c++) {
		u32 block = c / sim->cpb;

		if (block && (block >= sim->blocks || (!m->was_free[block] &&
						       !m->covered[block]))) {
			sim_fail(sim, "block %u is overwritten without undo",
				 block);
			return;
		}
	}
}
