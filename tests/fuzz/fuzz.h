/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz.h - a device in few bytes, and keeping its checksums right
 *
 * An input is a u16, the sectors of the device, and records of a u16, a sector,
 * with the 512 bytes that it holds.  All others hold zeros.  What is written
 * goes elsewhere: the input stays.
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

#define WRITTEN_MAX 2048u

struct fuzz_dev {
	struct bow_dev dev;
	const u8 *sector[65536];	/* NULL: zeros */
	u16 used[RECORDS_MAX + WRITTEN_MAX];	/* those that are not NULL */
	u32 count;
	u8 written[WRITTEN_MAX][BOW_SECTOR_SIZE];
	u32 writes;		/* sectors of `written` in use */
	u32 cut;		/* sectors left to write before -EIO, and 1 */
};

/* The device of an input, whose bytes must stay.  Writes abort while cut is 0. */
void fuzz_dev_open(struct fuzz_dev *f, const u8 *data, size_t bytes);
/* Do two devices hold the same? */
bool fuzz_dev_same(const struct fuzz_dev *a, const struct fuzz_dev *b);

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
