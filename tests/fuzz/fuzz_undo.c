// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_undo.c - libFuzzer: a restore that writes, and the same one cut once
 *
 * Whatever the bytes are: a refusal has written nothing; a restore leaves no
 * log; and one that was cut, then run again, leaves what it leaves uncut.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "log.h"

#define NO_CUT (WRITTEN_MAX + 1)

static int restore(struct fuzz_dev *f, enum bow_action action, u32 cut)
{
	struct bow_result result;
	struct bow_error e;
	u32 before = f->writes;
	int r;

	f->cut = cut;
	r = bow_restore(&f->dev, action, false, NULL, &result, &e);
	if (r == -EUCLEAN && (f->writes != before || result.written))
		abort();
	return r;
}

static FUZZ_QUIET bool has_log(struct fuzz_dev *f)
{
	struct bow_log log;
	struct bow_error e;
	bool has = bow_log_open(&f->dev, &log, &e) ||
		   log.state != BOW_STATE_NONE;

	bow_log_free(&log);
	return has;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static struct fuzz_dev whole, cut;
	u32 dice = bow_crc32(0, data, bytes < RECORD ? bytes : RECORD);
	enum bow_action action = dice & 1 ? BOW_ACTION_COMMIT :
					    BOW_ACTION_ROLLBACK;
	int r;

	fuzz_dev_open(&whole, data, bytes);
	r = restore(&whole, action, NO_CUT);
	/* Too much for the memory of this device, or none of its business. */
	if (r == -EIO || !whole.writes)
		return 0;
	if (r != -EPERM && (r || has_log(&whole)))
		abort();
	fuzz_dev_open(&cut, data, bytes);
	if (restore(&cut, action, 1 + (dice >> 1) % whole.writes) != -EIO)
		abort();
	r = restore(&cut, action, NO_CUT);
	if ((r && r != -ENODATA && r != -EPERM) || !fuzz_dev_same(&whole, &cut))
		abort();
	return 0;
}
