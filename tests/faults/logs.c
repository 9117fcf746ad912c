// SPDX-License-Identifier: GPL-2.0
/*
 * logs.c - the logs of the campaign: mklog's, made in memory
 */
#include <setjmp.h>
#include <stdio.h>

#include "faults.h"
#include "../mklog/model.h"

static struct model model;
static jmp_buf given_up;

__attribute__((noreturn)) void __wrap_die(const char *fmt, ...);

/* mklog's die() is linked to this: the dice fell so that no log can be made. */
void __wrap_die(const char *fmt, ...)
{
	(void)fmt;
	longjmp(given_up, 1);
}

static const struct kind {
	const char *name;
	enum version version;
	u32 bs;
} kinds[] = {
	{ "v0", V0, 4096 },	{ "1.1", V1_1, 512 }, { "1.0", V1_0, 512 },
	{ "1.1", V1_1, 4096 },	{ "1.0", V1_0, 1024 }, { "v0", V0, 4096 },
	{ "1.1", V1_1, 1024 },	{ "1.0", V1_0, 4096 }, { "v0", V0, 4096 },
	{ "1.1", V1_1, 2048 },	{ "1.0", V1_0, 2048 },
};

/* The sectors of a torn block 0 that are new are drawn by the caller. */
static const struct start {
	const char *state;
	enum bow_action action;
	bool v1_1;
	bool mask;
	bool torn;		/* needs two sectors */
	bool refused;
} starts[] = {
	{ "active", BOW_ACTION_ROLLBACK, false, false, false, false },
	{ "restoring", BOW_ACTION_ROLLBACK, false, false, false, false },
	{ "active", BOW_ACTION_COMMIT, false, false, false, false },
	{ "torn-append", BOW_ACTION_ROLLBACK, true, true, true, false },
	{ "restoring-ordered", BOW_ACTION_ROLLBACK, false, true, false, false },
	{ "torn-rollover", BOW_ACTION_COMMIT, true, true, true, false },
	{ "restoring", BOW_ACTION_COMMIT, false, false, false, true },
	{ "finishing-rollback", BOW_ACTION_ROLLBACK, false, true, true, false },
	{ "torn-activation", BOW_ACTION_ROLLBACK, true, true, true, false },
	{ "torn-append", BOW_ACTION_COMMIT, true, true, true, false },
	{ "finishing-commit", BOW_ACTION_COMMIT, false, true, true, false },
	{ "torn-rollover", BOW_ACTION_ROLLBACK, true, true, true, false },
	{ "restoring-ordered", BOW_ACTION_COMMIT, false, true, false, true },
	{ "torn-activation", BOW_ACTION_COMMIT, true, true, true, false },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))
#define STARTS (sizeof(starts) / sizeof(*starts))
#define BLOCKS 256u

/* Which sectors got through: what can be at all in this state. */
static u32 draw_mask(const struct start *start, u32 sectors, u64 *rng)
{
	u32 mask = rnd_to(rng, 1u << sectors);

	if (!start->torn)		/* entries undone; 0: none was */
		return start->refused + rnd_to(rng, 8);
	if (start->state[0] == 'f' || !strcmp(start->state, "torn-activation"))
		mask |= 1;
	return mask;
}

static void let_go(struct model *m)
{
	free(m->img);
	free(m->orig);
	free(m->live_img);
	free(m->use);
	free(m->was_free);
	free(m->claimed);
	free(m->map);
	free(m->log);
	free(m->before);
}

/* Until one can be made. */
static void make(struct sample *s, const struct options *o)
{
	static uint64_t seed;
	struct model *m = &model;
	size_t bytes = (size_t)o->bytes;
	bool commit = s->action == BOW_ACTION_COMMIT;
	u32 b;

	seed = o->seed;
	while (setjmp(given_up)) {
		let_go(m);
		seed += 1000003;
	}
	*m = (struct model){ .o = *o };
	m->o.seed = seed;
	device_init(m);
	state_make(m);
	s->image = allocate(bytes);
	s->want = allocate(bytes);
	s->is_free = allocate(BLOCKS);
	memcpy(s->image, m->img, bytes);
	memcpy(s->want, commit ? m->live_img : m->orig, bytes);
	for (b = 0; b < BLOCKS && !commit; b++)
		s->is_free[b] = m->was_free[b];
	let_go(m);
}

static void draw(struct sample *s, u32 n, u32 ops)
{
	const struct kind *kind = &kinds[n % KINDS];
	const struct start *start = &starts[n % STARTS];
	u64 rng = n + 1;
	struct options o = {
		.version = kind->version,
		.bs = kind->bs,
		.bytes = (u64)BLOCKS * kind->bs,
		.seed = n + 1,
		.ops = ops ? ops : 20 + rnd_to(&rng, 40),
		.header_size = 28 + (n % 5 == 1 ? rnd_to(&rng, 200) : 0),
		.nocsum = n % 7 == 3,
		.claims = kind->version == V1_1 && (n % 3 == 0 || n % 5 < 2),
		.map = kind->version == V1_1 && n % 5 < 2,
		.stale = n % 4 == 0,
		.zero0 = n % 11 == 5,
	};

	/* What does not go together becomes the ordinary state. */
	if ((start->v1_1 && kind->version != V1_1) ||
	    (start->torn && kind->bs == BOW_SECTOR_SIZE))
		start = &starts[0];
	/* Without a superblock the commit of a v0 log is refused. */
	if (kind->version == V0 && start->action == BOW_ACTION_COMMIT)
		o.zero0 = false;
	*s = (struct sample){ .format = kind->name, .action = start->action,
			      .bs = kind->bs, .bytes = BLOCKS * kind->bs,
			      .refused = start->refused };
	if (start->mask)
		snprintf(s->name, sizeof(s->name), "%s:%u", start->state,
			 draw_mask(start, kind->bs / BOW_SECTOR_SIZE, &rng));
	else
		snprintf(s->name, sizeof(s->name), "%s", start->state);
	o.state = s->name;
	make(s, &o);
	snprintf(s->name + strlen(s->name), sizeof(s->name) - strlen(s->name),
		 ", format %s, bs %u, log number %u", kind->name, kind->bs, n);
}

/* Most have few entries: more logs in the same time. */
void sample_make(struct sample *s, u32 n)
{
	if (n % 4)
		sample_make_small(s, n);
	else
		draw(s, n, 0);
}

void sample_make_large(struct sample *s, u32 n)
{
	draw(s, n, 90 + n % 30);
}

void sample_make_small(struct sample *s, u32 n)
{
	draw(s, n, 12 + n % 5);
}

void sample_free(struct sample *s)
{
	free(s->image);
	free(s->want);
	free(s->is_free);
}

bool sample_result(const struct sample *s, const u8 *image)
{
	u32 b;

	for (b = 0; b < BLOCKS; b++)
		if (!s->is_free[b] &&
		    memcmp(image + (size_t)b * s->bs,
			   s->want + (size_t)b * s->bs, s->bs))
			return false;
	return true;
}
