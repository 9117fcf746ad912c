/* SPDX-License-Identifier: GPL-2.0 */
/*
 * shrink.h - a run that failed, and the operations that it takes
 */
#ifndef SIM_SHRINK_H
#define SIM_SHRINK_H

#include "bow_shim.h"

struct coverage;
struct options;

/* Which operations of the user are made; of a run that fails, some do. */
struct op_set {
	u8 *has;		/* per operation, in order */
	u32 count;		/* 0: all are made */
};

/* The first thing that went wrong in a run. */
struct failure {
	bool seen;
	bool at_cut;		/* `cut` and `subset` are valid */
	u64 cut;
	u32 subset;
	u32 ops;		/* operations begun by then */
	char text[320];
};

/* One run, from its seed alone. */
struct failure run_seed(const struct options *opt, u64 seed,
			struct coverage *cov);
/* How to see it again, one line. */
void print_reproducer(const struct options *opt, u64 seed,
		      const struct failure *f);

/* "3,7-9": false if it is not such a list. */
bool op_set_parse(struct op_set *set, const char *list);
void op_set_print(const struct op_set *set);
/* Of a run that failed.  Prints what is left. */
void shrink(const struct options *opt, u64 seed, const struct failure *f);

#endif /* SIM_SHRINK_H */
