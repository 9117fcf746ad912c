// SPDX-License-Identifier: GPL-2.0
/*
 * sim.c - a crash simulator of dm-bow and libbow
 *
 *   sim [--states N] [--long] [--first] [--seed N [--ops LIST] [--cut K [--subset S]]] [-v]
 *
 * Runs the module's pure core on a simulated disk under a random workload, cuts
 * the power at its writes, and lets libbow restore what each cut may have
 * left.  Prints TAP.  A seed alone determines the configuration and the run; of
 * the operations of its user, --ops makes only some.  With --first the first
 * failure is the end, and is not shrunk.  With --trace FILE the operations are those
 * of parts of a trace, which the seed chooses.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

#define STATES_DEFAULT 200000u
#define STATES_LONG 4000000u
/* The devices are small: with larger batches every write fits in one. */
#define SMALL_BATCH 64u
/* With fewer, some rare case may be missing; of small batches none. */
#define STATES_COVER (BOW_BATCH_BLOCKS > SMALL_BATCH ? 200000u : 100000u)

static const struct config configs[] = {
	{ "bs 512", 512, 512, false, false, false },
	{ "bs 1024", 1024, 512, false, false, false },
	{ "bs 2048", 2048, 512, false, false, false },
	{ "bs 2048, guard", 2048, 512, true, false, false },
	{ "bs 4096", 4096, 512, false, false, false },
	{ "bs 4096, guard", 4096, 512, true, false, false },
	{ "bs 4096, unit 4096", 4096, 4096, false, false, false },
	{ "bs 4096, unit 4096, guard", 4096, 4096, true, false, false },
	{ "bs 512, faults", 512, 512, false, true, false },
	{ "bs 2048, guard, faults", 2048, 512, true, true, false },
	{ "bs 4096, guard, faults", 4096, 512, true, true, false },
	{ "bs 4096, unit 4096, faults", 4096, 4096, false, true, false },
	{ "bs 512, resume", 512, 512, false, false, true },
	{ "bs 2048, guard, resume", 2048, 512, true, false, true },
	{ "bs 4096, resume", 4096, 512, false, false, true },
	{ "bs 4096, guard, resume", 4096, 512, true, false, true },
	{ "bs 4096, guard, resume, again", 4096, 512, true, false, true },
	{ "bs 4096, unit 4096, resume", 4096, 4096, false, false, true },
	{ "bs 1024, faults, resume", 1024, 512, false, true, true },
};

#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

void *xalloc(size_t bytes)
{
	void *p = calloc(1, bytes);

	if (!p) {
		fputs("Bail out! out of memory\n", stdout);
		exit(1);
	}
	return p;
}

void sim_fail(struct sim *sim, const char *fmt, ...)
{
	struct failure *f = &sim->failure;
	va_list args;

	if (sim->failed)
		return;
	sim->failed = true;
	f->seen = true;
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
	f->at_cut = sim->examining;
	f->cut = sim->ex.cut;
	f->subset = sim->ex.subset;
	f->ops = sim->ops;
}

void print_reproducer(const struct options *opt, u64 seed,
		      const struct failure *f)
{
	printf("# %s --seed %llu", opt->program, (unsigned long long)seed);
	if (opt->trace)
		printf(" --trace %s", opt->trace_path);
	if (opt->ops.count)
		op_set_print(&opt->ops);
	if (f->at_cut)
		printf(" --cut %llu --subset %u", (unsigned long long)f->cut,
		       f->subset);
	putchar('\n');
}

/* ---- what the disk tells ---- */

static void submitted(void *ctx, const struct io *io)
{
	struct sim *sim = ctx;

	if (sim->off)
		return;
	watch_write(sim, io);
	sim->ex.at_block0 = io->cell < sim->cpb;
	examine(sim);
	resume_point(sim, io);
}

static void settled(void *ctx)
{
	struct sim *sim = ctx;

	if (sim->off)
		return;
	if (sim->model.phase == PHASE_COMMITTING &&
	    bow_get_le32(sim->disk.safe) != BOW_MAGIC_LOG)
		sim->model.phase = PHASE_CLOSING;
	examine(sim);
	resume_point(sim, NULL);
}

/* ---- one run ---- */

struct failure run_seed(const struct options *opt, u64 seed,
			struct coverage *cov)
{
	struct sim *sim = xalloc(sizeof(*sim));
	struct failure failure;

	sim->opt = opt;
	sim->cov = cov;
	sim->seed = seed;
	sim->cfg = &configs[seed % CONFIGS];
	sim->rng.s = mix(seed);
	sim->cpb = sim->cfg->bs / sim->cfg->unit;
	sim->blocks = (32 + rng_below(&sim->rng, 32))
		      << rng_below(&sim->rng, 4);
	if (opt->trace) {
		sim->window = trace_window(sim, opt->trace);
		sim->blocks = sim->window->blocks *
			      (BOW_BLOCK_SIZE_MAX / sim->cfg->bs);
	}
	/* Some devices end with less than a block. */
	sim->cells = sim->blocks * sim->cpb + rng_below(&sim->rng, sim->cpb);
	/* One write touches no more of them than one batch claims. */
	sim->claim_shift = 3 + rng_below(&sim->rng, 3);
	sim->claims_ahead = rng_below(&sim->rng, 4);
	sim->garbage = xalloc((size_t)sim->cells * sim->cfg->unit);
	memset(sim->garbage, 0xa5, (size_t)sim->cells * sim->cfg->unit);

	disk_init(&sim->disk, sim->cells, sim->cfg->unit);
	sim->disk.ctx = sim;
	sim->disk.submitted = submitted;
	sim->disk.settled = settled;
	examiner_init(sim);
	workload_run(sim);
	examiner_exit(sim);
	disk_exit(&sim->disk);
	free(sim->garbage);
	trace_window_free(sim->window);
	failure = sim->failure;
	if (failure.seen && !opt->quiet) {
		printf("# %s: %s\n", sim->cfg->name, failure.text);
		print_reproducer(opt, seed, &failure);
	}
	free(sim);
	return failure;
}

/* ---- groups ---- */

static void print_resumes(const struct coverage *c)
{
	printf("# resumed %llu times (%llu a second, %llu a third), %llu after a torn append, %llu after a torn roll-over (%llu old header, %llu new); %llu resets, mending stopped %llu times, %llu refused\n",
	       (unsigned long long)c->resumed,
	       (unsigned long long)c->resumed_again,
	       (unsigned long long)c->resumed_thrice,
	       (unsigned long long)c->resumed_append,
	       (unsigned long long)(c->resumed_old + c->resumed_new),
	       (unsigned long long)c->resumed_old,
	       (unsigned long long)c->resumed_new,
	       (unsigned long long)c->resets, (unsigned long long)c->mend_stops,
	       (unsigned long long)c->refused);
	printf("# after a resume: %llu states, %llu batches, %llu roll-overs, %llu commits; moved: %llu live, %llu reserved, %llu backups\n",
	       (unsigned long long)c->states_after,
	       (unsigned long long)c->batches_after,
	       (unsigned long long)c->rolled_after,
	       (unsigned long long)c->committed_after,
	       (unsigned long long)c->live_moves_after,
	       (unsigned long long)c->next_moves_after,
	       (unsigned long long)c->backup_moves_after);
}

static void print_coverage(const struct coverage *c)
{
	printf("# %llu states (%llu torn): %llu rolled back, %llu committed, %llu finished, cut again %llu times\n",
	       (unsigned long long)c->states, (unsigned long long)c->torn,
	       (unsigned long long)c->rollbacks,
	       (unsigned long long)c->commits, (unsigned long long)c->finished,
	       (unsigned long long)c->recovery_cuts);
	printf("# %llu checkpoints, %llu commits; %llu batches, %llu of several writes, %llu writes in parts, %llu roll-overs, %llu batches with two or more\n",
	       (unsigned long long)c->checkpoints,
	       (unsigned long long)c->committed, (unsigned long long)c->batches,
	       (unsigned long long)c->grouped, (unsigned long long)c->parts,
	       (unsigned long long)c->rolled,
	       (unsigned long long)c->rolled_twice);
	printf("# moved: %llu live, %llu reserved (%llu with a roll-over), %llu backups; %llu blocks returned, %llu copied ahead, %llu regions claimed ahead; %llu full, %llu without the guess, %llu aborted, %llu lost\n",
	       (unsigned long long)c->live_moves,
	       (unsigned long long)c->next_moves,
	       (unsigned long long)c->next_moves_rolled,
	       (unsigned long long)c->backup_moves,
	       (unsigned long long)c->returned, (unsigned long long)c->ahead,
	       (unsigned long long)c->claimed_ahead,
	       (unsigned long long)c->full, (unsigned long long)c->dropped,
	       (unsigned long long)c->aborted, (unsigned long long)c->lost);
	printf("# disks that break a promise: %llu times garbage (%llu refused, %llu no log seen), %llu flushes that were lies (%llu refused, %llu unseen)\n",
	       (unsigned long long)c->garbage,
	       (unsigned long long)c->garbage_refused,
	       (unsigned long long)c->garbage_unseen,
	       (unsigned long long)c->unflushed,
	       (unsigned long long)c->unflushed_refused,
	       (unsigned long long)c->unflushed_unseen);
	if (c->resumed)
		print_resumes(c);
}

/* All members are counters of the same type. */
static void coverage_add(struct coverage *sum, const struct coverage *c)
{
	u64 *to = (u64 *)sum;
	const u64 *from = (const u64 *)c;
	size_t i;

	for (i = 0; i < sizeof(*c) / sizeof(u64); i++)
		to[i] += from[i];
}

static u64 states_of[CONFIGS];

static bool run_group(const struct options *opt, u32 index,
		      struct coverage *all)
{
	/* More where each run goes a way of its own, and some are rare. */
	u64 share = (opt->states / CONFIGS + 1) *
		    (configs[index].resume ? 3 : 1);
	struct coverage cov = { 0 };
	struct failure f = { 0 };
	bool failed;
	u64 seed;

	for (seed = index + CONFIGS; cov.states < share && !f.seen;
	     seed += CONFIGS)
		f = run_seed(opt, seed, &cov);
	failed = f.seen;
	if (failed && !opt->first)
		shrink(opt, seed - CONFIGS, &f);
	printf("%sok %u - %s: %llu states in %llu runs\n",
	       failed ? "not " : "", index + 1, configs[index].name,
	       (unsigned long long)cov.states,
	       (unsigned long long)(seed / CONFIGS - 1));
	if (opt->verbose)
		print_coverage(&cov);
	coverage_add(all, &cov);
	states_of[index] = cov.states;
	fflush(stdout);
	return failed;
}

/* A workload that misses a case proves nothing about it. */
static bool covered(const struct coverage *c)
{
	return c->torn && c->recovery_cuts && c->rollbacks && c->commits &&
	       c->finished && c->committed && c->grouped && c->rolled &&
	       c->rolled_twice && c->live_moves && c->next_moves &&
	       c->next_moves_rolled && c->backup_moves && c->returned &&
	       c->ahead && c->claimed_ahead && c->dropped && c->full &&
	       c->aborted && c->lost && c->garbage_refused &&
	       c->garbage_unseen && c->unflushed_refused &&
	       c->unflushed_unseen &&
	       (c->parts || BOW_BATCH_BLOCKS > SMALL_BATCH);
}

static bool covered_resumes(const struct coverage *c)
{
	return c->resumed_append && c->resumed_old && c->resumed_new &&
	       c->resumed_again && c->resumed_thrice &&
	       c->mend_stops && c->resets && c->refused && c->states_after &&
	       c->batches_after && c->rolled_after && c->committed_after &&
	       c->live_moves_after && c->next_moves_after &&
	       c->backup_moves_after;
}

/* For docs/reliability.md: see tests/record.sh. */
static void print_record(const struct options *opt, const struct coverage *c,
			 u32 failures, long seconds)
{
	u32 i;

	printf("# record {");
	if (opt->trace)
		printf("\"what\": \"trace\", \"trace\": \"%s\", \"ops\": %u, ",
		       trace_name(opt->trace), trace_ops(opt->trace));
	else
		printf("\"what\": \"%s\", ",
		       BOW_BATCH_BLOCKS > SMALL_BATCH ? "sim" : "sim-small");
	printf("\"states\": %llu, \"torn\": %llu, "
	       "\"cuts_more\": %llu, \"rollbacks\": %llu, "
	       "\"commits\": %llu, \"resumes\": %llu, "
	       "\"garbage\": %llu, \"garbage_refused\": %llu, "
	       "\"garbage_unseen\": %llu, \"unflushed\": %llu, "
	       "\"unflushed_refused\": %llu, \"unflushed_unseen\": %llu, "
	       "\"seconds\": %ld, "
	       "\"findings\": %u, \"kinds\": {",
	       (unsigned long long)c->states, (unsigned long long)c->torn,
	       (unsigned long long)c->recovery_cuts,
	       (unsigned long long)c->rollbacks,
	       (unsigned long long)c->commits, (unsigned long long)c->resumed,
	       (unsigned long long)c->garbage,
	       (unsigned long long)c->garbage_refused,
	       (unsigned long long)c->garbage_unseen,
	       (unsigned long long)c->unflushed,
	       (unsigned long long)c->unflushed_refused,
	       (unsigned long long)c->unflushed_unseen, seconds, failures);
	for (i = 0; i < CONFIGS; i++)
		printf("\"%s\": %llu%s", configs[i].name,
		       (unsigned long long)states_of[i],
		       i + 1 < CONFIGS ? ", " : "}}\n");
}

static int run_all(const struct options *opt)
{
	struct coverage all = { 0 };
	time_t begin = time(NULL);
	bool failed, reached;
	u32 failures = 0, i;

	printf("1..%u\n", (u32)CONFIGS + 1);
	for (i = 0; i < CONFIGS && !(failures && opt->first); i++)
		failures += run_group(opt, i, &all);
	failed = failures != 0;
	print_coverage(&all);
	print_record(opt, &all, failures, (long)(time(NULL) - begin));
	/* A trace has the cases that it has. */
	if (opt->states < STATES_COVER || opt->trace) {
		printf("ok %u - every case was reached # SKIP %s\n",
		       (u32)CONFIGS + 1,
		       opt->trace ? "of a trace" : "too few states");
		return failed;
	}
	/* Small batches change nothing about resuming. */
	reached = covered(&all) && (BOW_BATCH_BLOCKS <= SMALL_BATCH ||
				    covered_resumes(&all));
	failed |= !reached;
	printf("%sok %u - every case was reached\n", reached ? "" : "not ",
	       (u32)CONFIGS + 1);
	return failed;
}

static int run_one(const struct options *opt)
{
	struct coverage cov = { 0 };
	bool failed = run_seed(opt, opt->seed, &cov).seen;

	print_coverage(&cov);
	printf("%sok 1 - seed %llu\n1..1\n", failed ? "not " : "",
	       (unsigned long long)opt->seed);
	return failed;
}

/* ---- options ---- */

static u64 number(const char *text)
{
	char *end;
	u64 n = strtoull(text, &end, 0);

	if (!*text || *end) {
		fprintf(stderr, "sim: not a number: %s\n", text);
		exit(16);
	}
	return n;
}

static struct options parse(int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "states", required_argument, NULL, 'n' },
		{ "long", no_argument, NULL, 'l' },
		{ "first", no_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 's' },
		{ "ops", required_argument, NULL, 'o' },
		{ "trace", required_argument, NULL, 't' },
		{ "cut", required_argument, NULL, 'c' },
		{ "subset", required_argument, NULL, 'S' },
		{ "verbose", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct options opt = { .program = argv[0], .states = STATES_DEFAULT };
	int c;

	while ((c = getopt_long(argc, argv, "v", longopts, NULL)) != -1) {
		switch (c) {
		case 'n':
			opt.states = number(optarg);
			break;
		case 'l':
			opt.states = STATES_LONG;
			break;
		case 'f':
			opt.first = true;
			break;
		case 's':
			opt.seed = number(optarg);
			opt.one_seed = true;
			break;
		case 'o':
			if (!op_set_parse(&opt.ops, optarg)) {
				fprintf(stderr, "sim: not a list: %s\n",
					optarg);
				exit(16);
			}
			break;
		case 't':
			opt.trace_path = optarg;
			opt.trace = trace_read(optarg);
			if (!opt.trace)
				exit(16);
			break;
		case 'c':
			opt.cut = number(optarg);
			opt.one_cut = true;
			break;
		case 'S':
			opt.subset = (u32)number(optarg);
			opt.one_subset = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		default:
			exit(16);
		}
	}
	return opt;
}

int main(int argc, char **argv)
{
	struct options opt = parse(argc, argv);

	return opt.one_seed ? run_one(&opt) : run_all(&opt);
}
