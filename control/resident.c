// SPDX-License-Identifier: GPL-2.0
/*
 * resident.c - a process that never waits for the frozen filesystem
 *
 * Its own code and data may lie there.  Memory that is touched and locked
 * needs no reading back, and no reclaim that would wait for writing.
 */
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bowctl.h"

/* Stack that the calls made while frozen may use. */
#define STACK_ROOM (256 * 1024)

static __attribute__((noinline)) void touch_stack(void)
{
	volatile char room[STACK_ROOM];
	size_t i;

	for (i = 0; i < sizeof(room); i += 512)
		room[i] = 0;
}

/* Killed for want of memory, it could not thaw.  Not fatal if refused. */
static void spare_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) != 5)
		errno = 0;
	close(fd);
}

int ctl_resident(struct ctl_error *e)
{
	static const struct rlimit none;

	spare_from_oom();
	/* A core dump would be written to the frozen filesystem. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	/* Keep what malloc() got once, all of it in the one heap. */
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_MMAP_MAX, 0);
	touch_stack();
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return ctl_fail(e, -errno, "cannot lock its memory: %s",
				strerror(errno));
	return 0;
}
