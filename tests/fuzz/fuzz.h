/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz.h - a device in few bytes, and keeping its checksums right
 *
 * An input is a u16, the sectors of the device, and records of a u16, a sector,
 * with the 512 bytes that it holds.  All others hold zeros.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include "bow.h"
#include "bow_disk.h"

#define RECORD (2u + BOW_SECTOR_SIZE)
#define HEAD 2u
#define RECORDS_MAX 512u

/* What is not to be covered: the target's own code. */
#ifdef __clang__
#define FUZZ_QUIET __attribute__((no_sanitize("coverage")))
#else
#define FUZZ_QUIET
#endif

/* ---- device.c ---- */

struct fuzz_dev {
	struct bow_dev dev;
	const u8 *sector[65536];	/* NULL: zeros */
	u16 used[RECORDS_MAX];
	u32 count;
};

/* The device of an input, whose bytes must stay.  Its writes abort. */
void fuzz_dev_open(struct fuzz_dev *f, const u8 *data, size_t bytes);

/* ---- seal.c ---- */

/*
 * Make the checksums of an input right, oldest log block first, but for some
 * that `dice` leaves alone.
 */
void fuzz_seal(u8 *data, size_t bytes, u32 dice);

/* libFuzzer's. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t bytes, size_t max, u32 seed);
size_t LLVMFuzzerMutate(u8 *data, size_t bytes, size_t max);

#endif /* TESTS_FUZZ_H */
