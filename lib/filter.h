/* SPDX-License-Identifier: GPL-2.0 */
/*
 * filter.h - a set of sectors in bounded memory
 *
 * A bitmap of the device.  A bit is a block, or, where there is no room for so
 * many, several: what was added is always found, and maybe more.
 */
#ifndef BOW_FILTER_H
#define BOW_FILTER_H

#include "bow_shim.h"

struct bow_filter {
	u64 *word;
	u32 shift;		/* a bit is 1 << shift sectors */
};

/*
 * For sectors below `sectors`, in `bytes` bytes or less, 1024 at least.
 * 0 or -ENOMEM.
 */
int bow_filter_init(struct bow_filter *f, u64 sectors, u32 block_sectors,
		    size_t bytes);
/* The same, a bit for each block, however many bytes that takes. */
int bow_filter_init_exact(struct bow_filter *f, u64 sectors,
			  u32 block_sectors);
void bow_filter_free(struct bow_filter *f);

/* Ranges are not empty and lie below `sectors`. */
void bow_filter_add(struct bow_filter *f, u64 start, u64 n);
/* What is in `f` already is added to `again`, of the same shape, as well. */
void bow_filter_add_again(struct bow_filter *f, struct bow_filter *again,
			  u64 start, u64 n);
bool bow_filter_any(const struct bow_filter *f, u64 start, u64 n);
bool bow_filter_all(const struct bow_filter *f, u64 start, u64 n);

#endif /* BOW_FILTER_H */
