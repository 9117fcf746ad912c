// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_restore.c - libFuzzer: all of a dry run, of a rollback and of a commit
 */
#include <stdlib.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static struct fuzz_dev f;
	struct bow_result result;
	struct bow_error e;
	char text[256];
	int action, r;

	fuzz_dev_open(&f, data, bytes);
	for (action = BOW_ACTION_ROLLBACK; action <= BOW_ACTION_COMMIT;
	     action++) {
		r = bow_restore(&f.dev, (enum bow_action)action, true, NULL,
				&result, &e);
		if (result.written || (r && e.err != r))
			abort();
		if (r)
			bow_error_text(&e, text, sizeof(text));
	}
	return 0;
}
