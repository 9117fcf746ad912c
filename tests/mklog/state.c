// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - mklog: the device as a power cut or an interrupted tool leaves it
 *
 * A mask says which sectors of block 0 are the newer ones, bit n for sector n.
 */
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

static uint32_t number(const char *arg, const char *state)
{
	char *end;
	unsigned long v;

	if (!arg)
		die("--state %s needs a number", state);
	v = strtoul(arg, &end, 0);
	if (*end || end == arg)
		die("--state %s: %s is not a number", state, arg);
	return (uint32_t)v;
}

static void capture_live(struct model *m)
{
	memcpy(m->live_img, m->img, (size_t)m->o.bytes);
	memcpy(m->live_img, block_at(m, m->img, m->live), m->bs);
}

/* Block 0 becomes a mixture of what it was before and what it is. */
static void tear(struct model *m, const uint8_t *before, uint32_t mask)
{
	uint32_t i;

	for (i = 0; i < m->spb; i++)
		if (!(mask >> i & 1))
			memcpy(m->img + i * BOW_SECTOR_SIZE,
			       before + i * BOW_SECTOR_SIZE, BOW_SECTOR_SIZE);
}

/* For each block, where its contents at the checkpoint are now. */
static uint32_t *where(struct model *m)
{
	struct undo u = { .bytes = (size_t)m->o.bytes, .m = m, .tag_bs = m->bs };
	uint32_t b;

	u.img = allocate(u.bytes);
	memcpy(u.img, m->img, u.bytes);
	u.tag = allocate(m->nb * sizeof(*u.tag));
	for (b = 0; b < m->nb; b++)
		u.tag[b] = b;
	undo_entries(&u, UINT64_MAX);
	free(u.img);
	return u.tag;
}

/* Put back all blocks (or half of them, at random) but block 0. */
static uint32_t put_back(struct model *m, bool all)
{
	uint32_t *from = where(m), zero = from[0], b;

	for (b = 1; b < m->nb; b++) {
		if (m->was_free[b] || from[b] == b)
			continue;
		if (!m->was_free[from[b]])
			die("block %u lies in block %u, which was in use", b,
			    from[b]);
		if (all || rnd_below(m, 2))
			memcpy(block_at(m, m->img, b),
			       block_at(m, m->img, from[b]), m->bs);
	}
	free(from);
	return zero;
}

/* A rollback by plan: marked, some copies done, the log untouched. */
static void make_restoring(struct model *m, const char *arg)
{
	uint32_t magic = htole32(BOW_MAGIC_RESTORING);

	(void)arg;
	put_back(m, false);
	memcpy(m->img, &magic, sizeof(magic));
}

/* A rollback entry by entry: so many undone. */
static void make_ordered(struct model *m, const char *arg)
{
	struct undo u = { .img = m->img, .bytes = (size_t)m->o.bytes, .m = m };

	undo_stop(&u, number(arg, "restoring-ordered"));
}

static void finish(struct model *m, uint32_t final, uint32_t action,
		   uint32_t mask)
{
	const uint8_t *contents = block_at(m, m->img, final);
	struct bow_finish_disk f = {
		.magic = htole32(BOW_MAGIC_FINISHING),
		.version = htole16(BOW_VERSION_1_1),
		.record_size = htole16(BOW_FINISH_SIZE),
		.block_size = htole32(m->bs),
		.final_sector = htole64(device_sector(m, final)),
		.final_csum = htole32(crc32_raw(0, contents, m->bs)),
		.action = htole32(action),
		.device_sectors = htole64(m->device_sectors),
	};
	uint8_t log0[BOW_BLOCK_SIZE_MAX];

	if (m->bs == BOW_SECTOR_SIZE)
		die("a block of one sector is replaced by one write");
	if (m->o.version == V1_1) {
		fill(f.checkpoint_id, sizeof(f.checkpoint_id), m->o.seed + 2);
		f.created = htole64(1700000000u + m->o.seed);
	}
	f.record_csum = htole32(crc32_raw(~0u, &f, sizeof(f)));
	memcpy(log0, m->img, m->bs);
	memcpy(m->img, contents, m->bs);
	tear(m, log0, mask | 1);
	memset(m->img, 0, BOW_SECTOR_SIZE);
	memcpy(m->img, &f, sizeof(f));
}

static void make_finishing_rollback(struct model *m, const char *arg)
{
	finish(m, put_back(m, true), BOW_ACTION_ROLLBACK,
	       number(arg, "finishing-rollback"));
}

static void make_finishing_commit(struct model *m, const char *arg)
{
	finish(m, m->live, BOW_ACTION_COMMIT, number(arg, "finishing-commit"));
}

static void make_torn(struct model *m, const char *arg)
{
	tear(m, m->before, number(arg, "torn"));
}

/* Only sector 0, made durable first, may be alone. */
static void make_torn_activation(struct model *m, const char *arg)
{
	uint32_t mask = number(arg, "torn-activation");

	if (!(mask & 1) && mask)
		die("at activation sector 0 is written first");
	tear(m, m->before, mask);
}

static void make_active(struct model *m, const char *arg)
{
	(void)m;
	(void)arg;
}

static const struct state {
	const char *name;
	void (*work)(struct model *m);	/* NULL: only the workload */
	void (*make)(struct model *m, const char *arg);
	bool bare;			/* no workload before */
	bool v1_1;			/* only in this version */
} states[] = {
	{ "active", NULL, make_active, false, false },
	{ "torn-append", workload_last_append, make_torn, false, true },
	{ "torn-rollover", workload_last_roll_over, make_torn, false, true },
	{ "torn-activation", NULL, make_torn_activation, true, true },
	{ "restoring", NULL, make_restoring, false, false },
	{ "restoring-ordered", NULL, make_ordered, false, false },
	{ "finishing-rollback", NULL, make_finishing_rollback, false, false },
	{ "finishing-commit", NULL, make_finishing_commit, false, false },
};

/* The whole life of the device, up to the state that was asked for. */
void state_make(struct model *m)
{
	const char *arg = strchr(m->o.state, ':');
	size_t length = arg ? (size_t)(arg - m->o.state) : strlen(m->o.state);
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		const struct state *s = &states[i];

		if (strlen(s->name) != length ||
		    memcmp(s->name, m->o.state, length))
			continue;
		if (s->v1_1 && m->o.version != V1_1)
			die("%s is a state of v1.1", s->name);
		log_activate(m);
		if (!s->bare)
			m->o.now ? workload_become(m) : workload_run(m);
		if (s->work)
			s->work(m);
		capture_live(m);
		s->make(m, arg ? arg + 1 : NULL);
		return;
	}
	die("unknown state %s", m->o.state);
}
