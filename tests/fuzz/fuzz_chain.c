// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_chain.c - libFuzzer: block 0 and the chain of log blocks, as --check
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t bytes)
{
	static struct fuzz_dev f;
	struct bow_log log;
	struct bow_error e;

	fuzz_dev_open(&f, data, bytes);
	if (!bow_log_open(&f.dev, &log, &e)) {
		if (log.state == BOW_STATE_FINISHING)
			bow_finish_check(&f.dev, &log, &e);
		else if (log.state != BOW_STATE_NONE)
			bow_log_scan(&f.dev, &log, NULL, &e);
	}
	bow_log_free(&log);
	return 0;
}
