/* SPDX-License-Identifier: GPL-2.0 */
/*
 * failing.h - the k-th allocation fails, or all from then on
 *
 * For programs that are linked with --wrap=calloc.
 */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);

static uint32_t alloc_left = UINT32_MAX;	/* until one fails; max: never */
static bool alloc_failed;
static bool alloc_stays;	/* the later ones fail as well */
static uint32_t alloc_then = UINT32_MAX;	/* or after so many more */

void *__wrap_calloc(size_t n, size_t bytes)
{
	if (alloc_left == UINT32_MAX)
		return __real_calloc(n, bytes);
	if (alloc_left) {
		alloc_left--;
		return __real_calloc(n, bytes);
	}
	if (alloc_failed && !alloc_stays) {
		if (alloc_then != UINT32_MAX && !alloc_then--)
			alloc_stays = true;
		if (!alloc_stays)
			return __real_calloc(n, bytes);
	}
	alloc_failed = true;
	return NULL;
}

/* Allocation number `k`, from 0, is the one. */
static inline void alloc_fail(uint32_t k, bool stays)
{
	alloc_left = k;
	alloc_stays = stays;
	alloc_failed = false;
}

/* They all succeed again.  Was there one that failed? */
static inline bool alloc_end(void)
{
	alloc_left = UINT32_MAX;
	alloc_then = UINT32_MAX;
	return alloc_failed;
}

#endif /* TESTS_FAILING_H */
