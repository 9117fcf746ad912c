// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_resume.c - libFuzzer: what going on with a checkpoint is told, and the
 * mending of block 0
 */
#include <stdlib.h>

#include "fuzz.h"
#include "resume.h"

struct sum {
	u64 end;
	u64 limit;
	u64 sectors;
};

/* In order, in the device, and merged. */
static FUZZ_QUIET int add(void *ctx, u64 start, u64 sectors)
{
	struct sum *sum = ctx;

	if (!sectors || start < sum->end || (start == sum->end && start) ||
	    start + sectors > sum->limit)
		abort();
	sum->end = start + sectors;
	sum->sectors += sectors;
	return 0;
}

static FUZZ_QUIET void count(const struct bow_resume *resume, u64 *sectors)
{
	int kind;

	for (kind = 0; kind < BOW_RESUME_KINDS; kind++) {
		struct sum sum = { .limit = resume->log.sectors };

		bow_resume_each(resume, (enum bow_resume_kind)kind, add, &sum);
		sectors[kind] = sum.sectors;
	}
	if (sectors[BOW_RESUME_FREE] != sectors[BOW_RESUME_HELD] +
						sectors[BOW_RESUME_TAKEN] +
						sectors[BOW_RESUME_POOL])
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static struct fuzz_dev f;
	u64 before[BOW_RESUME_KINDS], after[BOW_RESUME_KINDS];
	struct bow_resume resume;
	struct bow_error e;
	int r;

	fuzz_dev_open(&f, data, bytes);
	r = bow_resume_open(&f.dev, &resume, NULL, &e);
	if (r) {
		bow_resume_free(&resume);
		return 0;
	}
	count(&resume, before);
	f.cut = WRITTEN_MAX + 1;
	if (bow_resume_mend(&f.dev, &resume, &e))
		abort();
	bow_resume_free(&resume);
	/* It says the same again, and nothing is torn any more. */
	if (bow_resume_open(&f.dev, &resume, NULL, &e) || resume.log.torn)
		abort();
	count(&resume, after);
	if (memcmp(before, after, sizeof(before)))
		abort();
	bow_resume_free(&resume);
	return 0;
}
