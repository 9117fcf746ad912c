// SPDX-License-Identifier: GPL-2.0
/*
 * freeze.c - freezing a filesystem, never for longer than promised
 */
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bowctl.h"

static u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000 + (u64)t.tv_nsec / 1000;
}

int ctl_freeze_prepare(struct ctl_freeze *f, int mount_fd,
		       unsigned int limit_ms, struct ctl_error *e)
{
	int err;

	f->frozen = false;
	f->frozen_us = 0;
	f->mount_fd = mount_fd;
	f->guardian.pid = 0;
	f->guardian.sock = -1;
	err = ctl_guardian_start(&f->guardian, mount_fd, limit_ms, e);
	if (err)
		return err;
	/* After the fork, which made all memory copy-on-write again. */
	err = ctl_resident(e);
	if (err)
		ctl_guardian_end(&f->guardian);
	return err;
}

int ctl_freeze_begin(struct ctl_freeze *f, struct ctl_error *e)
{
	/* The freeze writes all that is dirty: let it find little. */
	if (syncfs(f->mount_fd))
		return ctl_fail(e, -errno, "sync: %s", strerror(errno));
	if (ctl_guardian_arm(&f->guardian))
		return ctl_fail(e, -ECHILD,
				"the process that watches over the freeze died");
	f->begin_us = now_us();
	if (ioctl(f->mount_fd, FIFREEZE, 0) == 0) {
		f->frozen = true;
		return 0;
	}
	if (errno == EBUSY)
		return ctl_fail(e, -EBUSY,
				"the filesystem is frozen by another program");
	return ctl_fail(e, -errno, "cannot freeze the filesystem: %s",
			strerror(errno));
}

int ctl_freeze_still(struct ctl_freeze *f, struct ctl_error *e)
{
	/* Frozen already is the good answer. */
	if (ioctl(f->mount_fd, FIFREEZE, 0) == 0)
		return ctl_fail(e, -ESTALE,
				"the filesystem was thawed by another program");
	if (errno != EBUSY)
		return ctl_fail(e, -errno, "freeze: %s", strerror(errno));
	return 0;
}

int ctl_freeze_end(struct ctl_freeze *f, struct ctl_error *e)
{
	int err = 0;

	if (f->frozen) {
		/* EINVAL: not frozen, which is what is wanted here. */
		if (ioctl(f->mount_fd, FITHAW, 0) && errno != EINVAL)
			err = ctl_fail(e, -errno,
				       "cannot thaw the filesystem: %s",
				       strerror(errno));
		f->frozen_us = now_us() - f->begin_us;
		f->frozen = false;
	}
	ctl_guardian_end(&f->guardian);
	return err;
}
