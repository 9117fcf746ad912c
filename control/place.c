// SPDX-License-Identifier: GPL-2.0
/*
 * place.c - from the argument to the device and where it is mounted
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bowctl.h"

/* The device that `name` is, or that the filesystem with it is on. */
static int find_device(dev_t *dev, const char *name, struct ctl_error *e)
{
	char path[256];
	struct stat st;

	if (stat(name, &st)) {
		int err = -errno;

		snprintf(path, sizeof(path), "/dev/mapper/%s", name);
		if (strchr(name, '/') || stat(path, &st))
			return ctl_fail(e, err, "%s", strerror(-err));
	}
	if (S_ISBLK(st.st_mode)) {
		*dev = st.st_rdev;
		return 0;
	}
	*dev = st.st_dev;
	if (major(st.st_dev) == 0)
		return ctl_fail(e, -CTL_NO_BOW,
				"its filesystem is not on a block device");
	return 0;
}

/*
 * A descriptor of the filesystem by one of its mounts.  A mount may be hidden
 * under another one, so that what was opened is compared.
 */
static int open_mount(const char *path, dev_t dev)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || st.st_dev != dev ||
			!(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int find_mount(struct ctl_place *p, struct ctl_error *e)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	struct ctl_mount m;
	char *line = NULL;
	size_t size = 0;

	if (!mounts)
		return ctl_fail(e, -errno, "/proc/self/mountinfo: %s",
				strerror(errno));
	while (p->mount_fd < 0 && getline(&line, &size, mounts) > 0) {
		if (ctl_mountinfo_parse(&m, line) ||
		    makedev(m.major, m.minor) != p->dev)
			continue;
		p->mount_fd = open_mount(m.path, p->dev);
		if (p->mount_fd >= 0)
			p->mount = m;
	}
	free(line);
	fclose(mounts);
	return 0;
}

int ctl_place_open(struct ctl_place *p, const char *name, struct ctl_error *e)
{
	struct ctl_error why = { "" };
	int err;

	memset(p, 0, sizeof(*p));
	p->mount_fd = -1;
	err = find_device(&p->dev, name, e);
	if (err)
		return err;
	err = ctl_dm_find(&p->dm, p->dev, &why);
	if (err)
		return ctl_fail(e, err, "block device %u:%u: %s",
				major(p->dev), minor(p->dev), why.text);
	return find_mount(p, e);
}

int ctl_place_log(struct ctl_place *p, const char *name, struct ctl_error *e)
{
	struct stat st;
	bool there = !stat(name, &st);
	int err;

	if (there && S_ISREG(st.st_mode)) {
		/* An image, wherever it lies: that may be on dm-bow. */
		memset(p, 0, sizeof(*p));
		p->mount_fd = -1;
	} else {
		err = ctl_place_open(p, name, e);
		if (err != -CTL_NO_BOW || !there || S_ISDIR(st.st_mode))
			return err;
	}
	if (strlen(name) >= sizeof(p->dm.under))
		return ctl_fail(e, -ENAMETOOLONG, "its name is too long");
	strcpy(p->dm.under, name);
	return 0;
}

void ctl_place_close(struct ctl_place *p)
{
	if (p->mount_fd >= 0)
		close(p->mount_fd);
	p->mount_fd = -1;
}
