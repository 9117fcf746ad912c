/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ring.h - io_uring without a library: many reads or writes of one file at once
 */
#ifndef BENCH_RING_H
#define BENCH_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes at `offset` of the file, and at `at` of the buffer. */
struct request {
	uint64_t offset;
	uint64_t at;
	uint64_t bytes;
};

/* Ready for at most `depth` requests in flight; ends the program if it fails. */
void ring_open(unsigned int depth);

/* Make all of them, in any order; ends the program when one fails. */
void ring_run(int fd, bool write, uint8_t *buf, const struct request *request,
	      size_t count);

#endif /* BENCH_RING_H */
