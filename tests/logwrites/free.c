// SPDX-License-Identifier: GPL-2.0
/*
 * free.c - which sectors dm-bow may have used: those free at the checkpoint
 */
#include <inttypes.h>
#include <stdio.h>

#include "logwrites.h"

/*
 * In state 0 a discard makes the whole blocks in it free, a write takes every
 * block away that it touches.  Block 0 is never free.
 */
void free_follow(bool *known, const struct event *e, u32 per_block)
{
	u64 first = e->sector, end = (u64)e->sector + e->sectors, i;
	bool free = e->flags & EVENT_DISCARD;

	if (!e->sectors)
		return;
	if (free) {
		first = (first + per_block - 1) / per_block;
		end /= per_block;
		first += first == 0;
	} else {
		first /= per_block;
		end = (end + per_block - 1) / per_block;
	}
	for (i = first * per_block; i < end * per_block; i++)
		known[i] = free;
}

/* Lines of START LENGTH, in sectors. */
void free_read(bool *known, u32 sectors, const char *path)
{
	FILE *f = fopen(path, "r");
	u64 start, length, i;

	if (!f)
		die("%s: cannot be read", path);
	memset(known, 0, sectors * sizeof(*known));
	while (fscanf(f, "%" SCNu64 " %" SCNu64, &start, &length) == 2) {
		if (start > sectors || length > sectors - start)
			die("%s: a range beyond the end", path);
		for (i = start; i < start + length; i++)
			known[i] = i >= BOW_BLOCK_SIZE_MAX / BOW_SECTOR_SIZE;
	}
	if (!feof(f))
		die("%s: not a list of ranges", path);
	fclose(f);
}
