// SPDX-License-Identifier: GPL-2.0
/*
 * examine.c - power cuts, and the states of the disk that each may leave
 *
 * A cut point is every write submitted and every flush or FUA write done.
 * Completing an ordinary write changes nothing: in flight or in the cache, its
 * cells may be lost.  After the states that a disk may leave, one for each way in
 * which it may break its promises: subsets of a number beyond the others.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* All subsets of at most so many cells; beyond, so many samples. */
#define EXHAUSTIVE_CELLS 8u
#define SAMPLES 8u

void examiner_init(struct sim *sim)
{
	struct examiner *ex = &sim->ex;

	memset(ex, 0, sizeof(*ex));
	disk_init(&ex->disk, sim->cells, sim->cfg->unit);
}

void examiner_exit(struct sim *sim)
{
	disk_exit(&sim->ex.disk);
}

/*
 * Cuts while block 0 changes are the ones that matter most.  After many states
 * of one run, another run teaches more.
 */
static bool wanted(const struct sim *sim)
{
	const struct examiner *ex = &sim->ex;
	u32 stride = ex->stride;

	if (sim->opt->one_cut)
		return ex->cut == sim->opt->cut;
	if (ex->at_block0 && sim->model.phase != PHASE_NONE)
		stride = 1;
	if (sim->model.phase == PHASE_NONE)
		stride *= 4;
	/* Where the machine stops, each run goes another way. */
	if (sim->cfg->resume)
		stride *= 12;
	stride <<= ex->states / 1000 < 16 ? ex->states / 1000 : 16;
	return mix(sim->seed ^ mix(ex->cut)) % stride == 0;
}

static void choose(struct sim *sim, const struct pick *pick, u32 n, u32 subset,
		   u8 *keep)
{
	u32 i;

	if (n > EXHAUSTIVE_CELLS && subset >= 2) {
		pick_pattern(pick, n, &sim->ex.rng, keep);
		return;
	}
	for (i = 0; i < n; i++)
		keep[i] = n > EXHAUSTIVE_CELLS ? subset : subset >> i & 1;
}

static u32 subsets(u32 n)
{
	return n <= EXHAUSTIVE_CELLS ? 1u << n : SAMPLES;
}

static const char *examine_honest(struct sim *sim, u32 n, u32 subset, u8 *keep)
{
	u32 i;

	choose(sim, sim->disk.pick, n, subset, keep);
	for (i = 0; i < n; i++) {
		if (keep[i])
			disk_put(&sim->ex.disk, &sim->disk.pick[i]);
	}
	return recover(sim);
}

static void examine_subset(struct sim *sim, u32 n, u32 subset, u8 *keep)
{
	struct examiner *ex = &sim->ex;
	const char *why;

	ex->subset = subset;
	ex->rng.s = mix(sim->seed) ^ mix(ex->cut << 32 | subset);
	sim->cov->states++;
	sim->cov->states_after += sim->stop.done != 0;
	ex->states++;
	if (subset < subsets(n)) {
		why = examine_honest(sim, n, subset, keep);
	} else {
		pick_pattern(sim->disk.pick, n, &ex->rng, keep);
		why = recover_broken(sim, (enum broken)(subset - subsets(n)), n,
				     keep);
	}
	if (why)
		sim_fail(sim, "%s", why);
	disk_revert(&ex->disk, &sim->disk);
}

void examine(struct sim *sim)
{
	struct examiner *ex = &sim->ex;
	u32 n, count, subset;
	u8 *keep;

	ex->cut++;
	if (sim->failed || !wanted(sim))
		return;
	n = disk_pending(&sim->disk);
	count = subsets(n) + (recover_breaks(sim, n) ? BROKEN_WAYS : 0);
	keep = xalloc(n + 1);
	disk_copy(&ex->disk, &sim->disk);
	sim->examining = true;
	for (subset = 0; subset < count && !sim->failed; subset++) {
		if (!sim->opt->one_subset || subset == sim->opt->subset)
			examine_subset(sim, n, subset, keep);
	}
	sim->examining = false;
	free(keep);
}
