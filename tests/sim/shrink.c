// SPDX-License-Identifier: GPL-2.0
/*
 * shrink.c - of a run that fails, the few operations that it takes
 *
 * Operations are left out, first half of them at once, then ever fewer, as long
 * as the run still fails for the same reason.  What it takes besides, such as the
 * beginning of the checkpoint, is in every run.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* What it may cost: runs, and states of the disk looked at. */
#define RUNS_MAX 400u
#define STATES_MAX 400000u

/* ---- lists of operations ---- */

bool op_set_parse(struct op_set *set, const char *list)
{
	const char *p = list;
	char *end;

	do {
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end != p && *end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
		}
		if (end == p || last < first || last > 1000000)
			return false;
		if (last >= set->count) {
			set->has = realloc(set->has, last + 1);
			if (!set->has)
				return false;
			memset(set->has + set->count, 0, last + 1 - set->count);
			set->count = (u32)last + 1;
		}
		memset(set->has + first, 1, last - first + 1);
		p = end + 1;
	} while (*end == ',');
	return *end == 0;
}

void op_set_print(const struct op_set *set)
{
	const char *before = " --ops ";
	u32 i, first;

	for (i = 0; i < set->count; i++) {
		if (!set->has[i])
			continue;
		for (first = i; i + 1 < set->count && set->has[i + 1]; i++)
			;
		printf("%s%u", before, first);
		if (i > first)
			printf("-%u", i);
		before = ",";
	}
	/* None at all: one that never comes. */
	if (before[0] == ' ')
		printf(" --ops 1000000");
}

static u32 op_set_size(const struct op_set *set)
{
	u32 n = 0, i;

	for (i = 0; i < set->count; i++)
		n += set->has[i];
	return n;
}

/* ---- attempts ---- */

/* The same but for the numbers in it. */
static bool same_reason(const char *a, const char *b)
{
	for (;;) {
		while (isdigit((unsigned char)*a))
			a++;
		while (isdigit((unsigned char)*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

struct search {
	struct options opt;
	u64 seed;
	struct failure best;
	struct coverage cov;	/* for what it cost */
	u32 runs;
};

static bool too_much(const struct search *s)
{
	return s->runs >= RUNS_MAX || s->cov.states >= STATES_MAX;
}

static bool still_fails(struct search *s)
{
	struct failure f;

	s->runs++;
	f = run_seed(&s->opt, s->seed, &s->cov);
	if (!f.seen || !same_reason(f.text, s->best.text))
		return false;
	s->best = f;
	return true;
}

/* Leave out the operations at [from, from + n), if it fails without them. */
static bool leave_out(struct search *s, u32 from, u32 n)
{
	struct op_set *set = &s->opt.ops;
	u8 *kept = xalloc(n);
	bool gone;

	if (n > set->count - from)
		n = set->count - from;
	memcpy(kept, set->has + from, n);
	if (!memchr(kept, 1, n)) {
		free(kept);
		return false;
	}
	memset(set->has + from, 0, n);
	gone = still_fails(s);
	if (!gone)
		memcpy(set->has + from, kept, n);
	free(kept);
	return gone;
}

static void search(struct search *s)
{
	u32 n, from;
	bool gone = true;

	for (n = s->opt.ops.count / 2; n && !too_much(s);
	     n = n > 1 ? n / 2 : gone) {
		gone = false;
		for (from = 0; from < s->opt.ops.count && !too_much(s);
		     from += n)
			gone |= leave_out(s, from, n);
	}
}

void shrink(const struct options *opt, u64 seed, const struct failure *f)
{
	struct search s = { .opt = *opt, .seed = seed, .best = *f };
	u32 count = f->ops ? f->ops : 1;

	s.opt.quiet = true;
	s.opt.one_cut = false;
	s.opt.ops = (struct op_set){ xalloc(count), count };
	memset(s.opt.ops.has, 1, f->ops);
	/* What comes later is not needed; this must be so, or nothing helps. */
	if (still_fails(&s))
		search(&s);
	else
		memset(s.opt.ops.has, 1, count);
	printf("# shrunk to %u of %u operations, in %u runs: %s\n",
	       op_set_size(&s.opt.ops), f->ops, s.runs, s.best.text);
	print_reproducer(&s.opt, seed, &s.best);
	free(s.opt.ops.has);
}
