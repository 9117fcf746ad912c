// SPDX-License-Identifier: GPL-2.0
/*
 * dm.c - the device-mapper calls
 *
 * Some of them are made while the root filesystem is frozen: libdevmapper is
 * set up so that it opens no file, logs nothing and waits for no udev then.
 */
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bowctl.h"

/*
 * What libdevmapper said about the call in progress.  It has no context
 * argument for its log function, hence static.
 */
static char dm_said[160];

static void keep_error(int level, const char *file, int line, int dm_errno,
		       const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static void keep_error(int level, const char *file, int line, int dm_errno,
		       const char *format, ...)
{
	va_list args;

	(void)file;
	(void)line;
	(void)dm_errno;
	/* The low three bits are the syslog level; 3 is an error. */
	if ((level & 7) > 3 || dm_said[0])
		return;
	va_start(args, format);
	vsnprintf(dm_said, sizeof(dm_said), format, args);
	va_end(args);
}

void ctl_dm_begin(void)
{
	dm_log_with_errno_init(keep_error);
	dm_udev_set_sync_support(0);
	dm_udev_set_checking(0);
	dm_hold_control_dev(1);
}

void ctl_dm_end(void)
{
	dm_hold_control_dev(0);
	dm_lib_release();
}

/* libdevmapper opens /dev/mapper/control here: NULL also when that failed. */
static struct dm_task *task_create(int type)
{
	dm_said[0] = '\0';
	return dm_task_create(type);
}

static int no_task(struct ctl_error *e)
{
	return ctl_fail(e, -ENOMEM, "%s",
			dm_said[0] ? dm_said : "out of memory");
}

/* A task for the device; NULL when there is none to be had. */
static struct dm_task *task_new(int type, dev_t dev)
{
	struct dm_task *task = task_create(type);

	if (task && (!dm_task_set_major_minor(task, (int)major(dev),
					      (int)minor(dev), 0) ||
		     !dm_task_no_open_count(task))) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

/* Run it; on failure the kernel's errno, or EIO when it never got there. */
static int task_run(struct dm_task *task)
{
	int err;

	dm_said[0] = '\0';
	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

static int task_failed(int err, const char *what, struct ctl_error *e)
{
	if (err == -CTL_NO_BOW)
		return ctl_fail(e, err, "not a dm-bow device");
	return ctl_fail(e, err, "device-mapper: %s: %s", what,
			err == -EIO && dm_said[0] ? dm_said : strerror(-err));
}

/* "8:2", as the kernel prints a table, into "/dev/sda2" where sysfs knows. */
static void name_device(char *name, size_t size)
{
	char path[192], line[160];
	FILE *uevent;

	snprintf(path, sizeof(path), "/sys/dev/block/%s/uevent", name);
	uevent = fopen(path, "re");
	if (!uevent)
		return;
	while (fgets(line, sizeof(line), uevent)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "DEVNAME=", 8) == 0)
			snprintf(name, size, "/dev/%s", line + 8);
	}
	fclose(uevent);
}

/*
 * The one target of the device.  `type` is DM_DEVICE_STATUS or
 * DM_DEVICE_TABLE; `params` is valid until the task is destroyed.
 */
static int task_target(struct dm_task *task, u64 *sectors, const char **params)
{
	uint64_t start, length;
	char *type, *text;
	void *next;
	int err;

	err = task_run(task);
	if (err)
		return err;
	next = dm_get_next_target(task, NULL, &start, &length, &type, &text);
	if (next || !type || strcmp(type, "bow") != 0 || start != 0 || !text)
		return -CTL_NO_BOW;
	*sectors = length;
	*params = text;
	return 0;
}

static bool is_dm(dev_t dev)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/dm", major(dev),
		 minor(dev));
	return access(path, F_OK) == 0;
}

int ctl_dm_find(struct ctl_dm *dm, dev_t dev, struct ctl_error *e)
{
	struct dm_task *task;
	const char *params, *name;
	int err;

	memset(dm, 0, sizeof(*dm));
	dm->dev = dev;
	if (!is_dm(dev))
		return ctl_fail(e, -CTL_NO_BOW, "not a device-mapper device");
	task = task_new(DM_DEVICE_TABLE, dev);
	if (!task)
		return no_task(e);
	err = task_target(task, &dm->sectors, &params);
	if (err) {
		task_failed(err, "table", e);
	} else {
		name = dm_task_get_name(task);
		snprintf(dm->path, sizeof(dm->path), "%s/%s", dm_dir(),
			 name ? name : "?");
		ctl_table_device(params, dm->under, sizeof(dm->under));
		name_device(dm->under, sizeof(dm->under));
	}
	dm_task_destroy(task);
	return err;
}

int ctl_dm_status(const struct ctl_dm *dm, struct ctl_status *s,
		  struct ctl_error *e)
{
	struct dm_task *task = task_new(DM_DEVICE_STATUS, dm->dev);
	struct dm_info info;
	const char *params;
	u64 sectors;
	int err;

	if (!task)
		return no_task(e);
	err = task_target(task, &sectors, &params);
	if (err)
		task_failed(err, "status", e);
	else if (ctl_status_parse(s, params))
		err = ctl_fail(e, -EPROTO,
			       "the module's status is not understood: %.200s",
			       params);
	else
		s->other_table = dm_task_get_info(task, &info) &&
				 info.inactive_table;
	dm_task_destroy(task);
	return err;
}

int ctl_dm_message(const struct ctl_dm *dm, const char *text,
		   struct ctl_error *e)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, dm->dev);
	char what[48];
	int err;

	if (!task || !dm_task_set_sector(task, 0) ||
	    !dm_task_set_message(task, text)) {
		err = no_task(e);
	} else {
		snprintf(what, sizeof(what), "message %.32s", text);
		err = task_run(task);
		if (err == -EINVAL)
			ctl_fail(e, err,
				 "device-mapper: %s: the module that is loaded does not know this: it is of another version",
				 what);
		else if (err)
			task_failed(err, what, e);
	}
	if (task)
		dm_task_destroy(task);
	return err;
}

/* ---- making and removing a device ---- */

/* A task for the device with this name. */
static struct dm_task *named_task(int type, const char *name)
{
	struct dm_task *task = task_create(type);

	if (task && (!dm_task_set_name(task, name) ||
		     !dm_task_no_open_count(task))) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

/* udev knows the devices of bow by this; see 60-bow.rules. */
static void uuid_of(char *uuid, size_t size, const char *name)
{
	snprintf(uuid, size, "BOW-%s",
		 strncmp(name, "bow-", 4) == 0 ? name + 4 : name);
}

int ctl_dm_create(struct ctl_dm *dm, const char *name, u64 sectors,
		  const char *params, u32 *cookie, struct ctl_error *e)
{
	struct dm_task *task = named_task(DM_DEVICE_CREATE, name);
	struct dm_info info;
	char uuid[128];
	int err = -ENOMEM;

	uuid_of(uuid, sizeof(uuid), name);
	/* Where udev does not run, libdevmapper makes the node itself. */
	dm_udev_set_sync_support(1);
	if (!task || !dm_task_set_uuid(task, uuid) ||
	    !dm_task_add_target(task, 0, sectors, "bow", params) ||
	    !dm_task_set_cookie(task, cookie, 0)) {
		ctl_fail(e, err, "device-mapper: create %s: %s", name,
			 dm_said[0] ? dm_said : "out of memory");
	} else {
		err = task_run(task);
		if (err)
			task_failed(err, "create", e);
	}
	if (!err && !dm_task_get_info(task, &info))
		err = ctl_fail(e, -EIO, "device-mapper: no info of %s", name);
	if (!err) {
		memset(dm, 0, sizeof(*dm));
		dm->dev = makedev(info.major, info.minor);
		dm->sectors = sectors;
		snprintf(dm->path, sizeof(dm->path), "%s/%s", dm_dir(), name);
		ctl_table_device(params, dm->under, sizeof(dm->under));
		name_device(dm->under, sizeof(dm->under));
	}
	if (task)
		dm_task_destroy(task);
	return err;
}

static bool add_view(struct dm_task *task, const struct view *v,
		     const char *under)
{
	struct bow_run run = { 0 };
	char params[256];

	while (view_run(v, run.target + run.sectors, &run)) {
		snprintf(params, sizeof(params), "%s %llu", under,
			 (unsigned long long)run.place);
		if (!dm_task_add_target(task, run.target, run.sectors,
					"linear", params))
			return false;
	}
	return true;
}

int ctl_dm_create_view(const char *name, const struct view *v,
		       const char *under, struct ctl_error *e)
{
	struct dm_task *task = named_task(DM_DEVICE_CREATE, name);
	u32 cookie = 0;
	int err = -ENOMEM;

	dm_udev_set_sync_support(1);
	/* Its UUID and label are those of the present filesystem: no links. */
	if (!task || !dm_task_set_ro(task) || !add_view(task, v, under) ||
	    !dm_task_set_cookie(task, &cookie,
				DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |
					DM_UDEV_DISABLE_DISK_RULES_FLAG |
					DM_UDEV_DISABLE_OTHER_RULES_FLAG)) {
		ctl_fail(e, err, "device-mapper: create %s: %s", name,
			 dm_said[0] ? dm_said : "out of memory");
	} else {
		err = task_run(task);
		if (err)
			task_failed(err, "create", e);
	}
	ctl_dm_settle(cookie);
	if (task)
		dm_task_destroy(task);
	return err;
}

void ctl_dm_settle(u32 cookie)
{
	dm_udev_wait(cookie);
}

/* From now on every request fails, and what waits is failed first. */
static int load_error(const char *name, u64 sectors)
{
	struct dm_task *task = named_task(DM_DEVICE_RELOAD, name);
	int err = -ENOMEM;

	if (task && dm_task_add_target(task, 0, sectors, "error", ""))
		err = task_run(task);
	if (task)
		dm_task_destroy(task);
	if (err)
		return err;
	task = named_task(DM_DEVICE_RESUME, name);
	err = task ? task_run(task) : -ENOMEM;
	if (task)
		dm_task_destroy(task);
	return err;
}

int ctl_dm_remove(const char *name, u64 sectors, struct ctl_error *e)
{
	struct dm_task *task;
	int err = load_error(name, sectors);

	if (err)
		return task_failed(err, "replacing the table", e);
	task = named_task(DM_DEVICE_REMOVE, name);
	/* udev may be looking at the device for a moment. */
	if (!task || !dm_task_retry_remove(task)) {
		err = no_task(e);
	} else {
		err = task_run(task);
		if (err)
			task_failed(err, "remove", e);
	}
	if (task)
		dm_task_destroy(task);
	return err;
}
