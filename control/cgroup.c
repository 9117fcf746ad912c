// SPDX-License-Identifier: GPL-2.0
/*
 * cgroup.c - out of the control groups that this process was started in
 *
 * A service or a session can be killed as a whole: systemd and systemd-oomd kill all
 * processes of its control group at once.  The root of a hierarchy is no unit of theirs.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bowctl.h"

/* Not fatal if refused, as where the cgroups are read-only. */
static void join(const char *path)
{
	char procs[sizeof(((struct ctl_mount *)0)->path) + 16];
	int fd;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* 0: who writes it. */
	if (write(fd, "0", 1) != 1)
		errno = 0;
	close(fd);
}

void ctl_cgroup_leave(void)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	struct ctl_mount m;
	char *line = NULL;
	size_t size = 0;

	/* Of a part of a hierarchy the top is a group like any other. */
	while (mounts && getline(&line, &size, mounts) > 0)
		if (!ctl_mountinfo_parse(&m, line) && m.whole &&
		    (!strcmp(m.type, "cgroup2") || !strcmp(m.type, "cgroup")))
			join(m.path);
	free(line);
	if (mounts)
		fclose(mounts);
}
