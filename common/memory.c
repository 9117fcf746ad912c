// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - an end of memory that a program is told of
 *
 * The kernel grants more memory than there is, and kills somebody when it is used.
 * Who can do with less has to be refused it instead.
 */
#include <asm/unistd.h>

#include "cli.h"
#include "kernel-call.h"

#define LIMIT_DATA 2		/* klibc has no call that would name it */

/* Of what is available, for the kernel: what is read and written, page tables. */
#define KERNEL_SHARE 4u

/* Less is not enough for the buffers, so that it is tried at least. */
#define LEAST (4ull << 20)

/* No machine has so many KiB: a figure above is no figure. */
#define KIB_MAX (1ull << 44)

/* What the line "KEY: NUMBER kB" says, in KiB; 0 also where there is none. */
static u64 read_kib(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	size_t length = strlen(key);
	char line[128];
	u64 kib = 0;

	if (!f)
		return 0;
	while (!kib && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, length))
			kib = strtoull(line + length, NULL, 10);
	fclose(f);
	return kib < KIB_MAX ? kib : 0;
}

u64 memory_available(const char *meminfo)
{
	u64 kib = read_kib(meminfo, "MemAvailable:");
	u64 bytes;

	if (!kib)
		return 0;
	bytes = (kib - kib / KERNEL_SHARE +
		 read_kib(meminfo, "SwapFree:")) << 10;
	return bytes > LEAST ? bytes : LEAST;
}

void memory_limit(void)
{
	struct {
		u64 now;
		u64 most;
	} limit;
	u64 bytes = memory_available("/proc/meminfo");

	if (!bytes || bow_kernel_call(__NR_prlimit64, 0, LIMIT_DATA, 0,
				      (long)&limit, 0))
		return;
	bytes += read_kib("/proc/self/status", "VmData:") << 10;
	if (bytes >= limit.now)
		return;
	limit.now = bytes;
	(void)bow_kernel_call(__NR_prlimit64, 0, LIMIT_DATA, (long)&limit, 0, 0);
}
