// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - where a commit finds the contents that block 0 shall have
 */
#include "log.h"

/* Offsets and magic numbers from the headers of each filesystem in Linux. */
static bool is_filesystem(const u8 *block, u32 bs)
{
	static const u8 xfs[4] = { 'X', 'F', 'S', 'B' };
	const u32 f2fs = 0xf2f52010, erofs = 0xe0f5e1e2;

	if (bow_has_ext_superblock(block, bs) || !memcmp(block, xfs, 4))
		return true;
	return bs >= BOW_GUARD_OFFSET + 4 &&
	       (bow_get_le32(block + BOW_GUARD_OFFSET) == f2fs ||
		bow_get_le32(block + BOW_GUARD_OFFSET) == erofs);
}

int bow_commit_find(struct bow_dev *dev, struct bow_log *log, u64 *sector,
		    struct bow_error *e)
{
	int r;

	if (log->state == BOW_STATE_RESTORING)
		return bow_fail(e, -EPERM, BOW_WHY_COMMIT_RESTORING, 0, 0);
	*sector = log->live;
	if (!bow_place_ok(log->live, log->bs, log->sectors))
		return bow_bad(e, BOW_WHY_SECTOR0, log->live, log->sectors);
	r = bow_get(dev, log->live, log->scratch, log->bs, e);
	/* v0 does not record the place: it was inferred. */
	if (!r && log->header.version == 0 &&
	    !is_filesystem(log->scratch, log->bs))
		r = bow_bad(e, BOW_WHY_COMMIT_UNSURE, log->live, 0);
	return r;
}
