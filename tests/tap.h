/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tap.h - the few lines a C test needs to print TAP, the Test Anything Protocol
 *
 * A test is a sequence of CHECK()s inside functions run by RUN(); one result
 * line per RUN().  The first failed CHECK() of a function is reported with
 * file, line and expression, and the function returns.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <stdio.h>

static int tap_count, tap_failed, tap_current_failed;

#define CHECK(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			printf("# %s:%d: not true: %s\n", __FILE__, __LINE__,  \
			       #cond);                                         \
			tap_current_failed = 1;                                \
			return;                                                \
		}                                                              \
	} while (0)

#define RUN(function, title)                                                   \
	do {                                                                   \
		tap_current_failed = 0;                                        \
		function();                                                    \
		tap_failed += tap_current_failed;                              \
		printf("%sok %d - %s\n", tap_current_failed ? "not " : "",     \
		       ++tap_count, title);                                    \
	} while (0)

/* Print the plan; the value for main() to return. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif /* TESTS_TAP_H */
