/* SPDX-License-Identifier: GPL-2.0 */
/*
 * copies.h - a list of copies, as biglog writes and copier reads it
 */
#ifndef BENCH_COPIES_H
#define BENCH_COPIES_H

#include <stdint.h>

/* All in bytes. */
struct copy_line {
	uint64_t place;
	uint64_t target;
	uint64_t bytes;
};

#endif /* BENCH_COPIES_H */
