// SPDX-License-Identifier: GPL-2.0
/*
 * old.c - the device of an old state: made, marked, found again, ended
 *
 * While the checkpoint is used the old state moves with each write, and the
 * device is one that a process of ours serves.  When nothing can write to the
 * device below, a device-mapper table of the old state does, and needs nobody.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bowctl.h"

/* One is enough where nothing runs; it keeps others from writing below it. */
#define OLD_DM "bow-old"

static bool is_dm(const struct ctl_old *old)
{
	return strcmp(old->name, OLD_DM) == 0;
}

static void set_path(struct ctl_old *old)
{
	snprintf(old->path, sizeof(old->path), "/dev/%s%s",
		 is_dm(old) ? "mapper/" : "", old->name);
}

/* ---- marks, for udev and for ctl_old_find(): the mount point is in it ---- */

static void mark_path(char *path, size_t size, const char *name)
{
	snprintf(path, size, "/run/bow/browse-%s", name);
}

static int mark(const char *name, const char *place, struct ctl_error *e)
{
	char path[64];
	FILE *f;
	int err = 0;

	mark_path(path, sizeof(path), name);
	f = fopen(path, "we");
	if (!f)
		return ctl_fail(e, -errno, "%s: %s", path, strerror(errno));
	if (fputs(place, f) < 0)
		err = -EIO;
	if (fclose(f) || err)
		return ctl_fail(e, -EIO, "%s: cannot be written", path);
	return 0;
}

static void unmark(const char *name)
{
	char path[64];

	mark_path(path, sizeof(path), name);
	unlink(path);
}

static bool is_marked(const char *name, const char *place)
{
	char path[64], line[PATH_MAX];
	bool same;
	FILE *f;

	mark_path(path, sizeof(path), name);
	f = fopen(path, "re");
	if (!f)
		return false;
	line[fread(line, 1, sizeof(line) - 1, f)] = '\0';
	same = strcmp(line, place) == 0;
	fclose(f);
	return same;
}

/* ---- the device ---- */

bool ctl_old_find(struct ctl_old *old, const char *place)
{
	bool found = false;
	int i;

	for (i = -1; i < CTL_NBD_MAX && !found; i++) {
		if (i < 0)
			strcpy(old->name, OLD_DM);
		else
			snprintf(old->name, sizeof(old->name), "nbd%d", i);
		found = is_marked(old->name, place);
	}
	set_path(old);
	return found;
}

static bool wants_dm(const char *under)
{
	struct stat st;

	return !live_is(under) && !stat(under, &st) && S_ISBLK(st.st_mode);
}

/* Returns a file descriptor, or an error. */
static int lock_marks(struct ctl_error *e)
{
	int fd, err;

	mkdir("/run/bow", 0755);
	fd = open("/run/bow", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ctl_fail(e, -errno, "/run/bow: %s", strerror(errno));
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR && !ctl_interrupted())
			continue;
		err = ctl_fail(e, -errno, "/run/bow: lock: %s",
			       strerror(errno));
		close(fd);
		return err;
	}
	return fd;
}

/* Not by closing it alone: the process that serves the device has it too. */
static void unlock_marks(int fd)
{
	flock(fd, LOCK_UN);
	close(fd);
}

/* With the marks locked: nobody else picks the same device or place. */
static int begin(struct ctl_old *old, struct view *v, const char *under,
		 const char *place, struct ctl_error *e)
{
	bool dm = wants_dm(under);
	struct ctl_old other;
	int err = 0;

	if (ctl_old_find(&other, place))
		return ctl_fail(e, -EBUSY,
				"an old filesystem is there already: bowctl browse --close ends it");
	if (dm)
		strcpy(old->name, OLD_DM);
	else
		err = ctl_nbd_pick(old->name, e);
	if (err)
		return err;
	set_path(old);
	if (dm && !access(old->path, F_OK))
		return ctl_fail(e, -EBUSY, "%s is there already", old->path);
	/* udev sees the mark when it sees the device. */
	err = mark(old->name, place, e);
	if (!err)
		err = dm ? ctl_dm_create_view(old->name, v, under, e) :
			   ctl_nbd_begin(old->name, v, e);
	if (err)
		unmark(old->name);
	return err;
}

int ctl_old_begin(struct ctl_old *old, struct view *v, const char *under,
		  const char *place, struct ctl_error *e)
{
	int fd = lock_marks(e), err;

	if (fd < 0)
		return fd;
	err = begin(old, v, under, place, e);
	unlock_marks(fd);
	return err;
}

int ctl_old_end(const struct ctl_old *old, struct ctl_error *e)
{
	int err = 0;

	if (!is_dm(old))
		err = ctl_nbd_end(old->name, e);
	else if (!access(old->path, F_OK))
		err = ctl_dm_remove(old->name, 1, e);
	if (!err)
		unmark(old->name);
	return err;
}
