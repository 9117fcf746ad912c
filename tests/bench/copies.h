/* SPDX-License-Identifier: GPL-2.0 */
/*
 * copies.h - a list of copies, as biglog writes and the copiers read it
 */
#ifndef BENCH_COPIES_H
#define BENCH_COPIES_H

#include <stddef.h>
#include <stdint.h>

/* All in bytes. */
struct copy_line {
	uint64_t place;
	uint64_t target;
	uint64_t bytes;
};

/* Print what failed, and exit with 1. */
void copies_die(const char *what);

/* All lines of a list; ends the program when they cannot be read. */
struct copy_line *copies_load(const char *path, size_t *lines);

/* Orders for qsort(). */
int copies_by_place(const void *a, const void *b);
int copies_by_target(const void *a, const void *b);

#endif /* BENCH_COPIES_H */
