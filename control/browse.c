// SPDX-License-Identifier: GPL-2.0
/*
 * browse.c - bowctl browse: the old filesystem, mounted beside the present one
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bowctl.h"
#include "cli.h"

struct browse {
	const struct ctl_options *o;
	struct ctl_error *e;
	char place[PATH_MAX];		/* to mount on */
	char device[192];		/* that holds the log */
	struct bow_dev dev;
	struct bow_log log;
	struct live live;
	struct view view;
	struct ctl_old old;
};

/* ---- opening ---- */

static int find_log_device(struct browse *b)
{
	const char *name = b->o->device ? b->o->device : "/";
	struct ctl_place place;
	int err = ctl_place_log(&place, name, b->e);

	ctl_place_close(&place);
	snprintf(b->device, sizeof(b->device), "%s", place.dm.under);
	return err;
}

static int log_failed(struct browse *b, int err, const struct bow_error *le)
{
	int n = snprintf(b->e->text, sizeof(b->e->text), "%s: ", b->device);

	if (err == -ESTALE)
		return ctl_fail(b->e, err, "%s: the checkpoint has just ended",
				b->device);
	bow_error_text(le, b->e->text + n, sizeof(b->e->text) - (size_t)n);
	return err;
}

static int open_view(struct browse *b)
{
	struct bow_error le = { 0 };
	int err = live_dev_open(&b->dev, b->device);

	if (err)
		return ctl_fail(b->e, err, "%s: %s", b->device, strerror(-err));
	err = bow_log_open(&b->dev, &b->log, &le);
	if (!err && b->log.state == BOW_STATE_NONE)
		return ctl_fail(b->e, -CTL_NO_CHECKPOINT,
				"%s: there is no checkpoint", b->device);
	b->live = (struct live){ .dev = &b->dev, .log = &b->log };
	if (!err)
		err = live_scan(&b->live, &le);
	if (err)
		return log_failed(b, err, &le);
	err = view_open(&b->view, &b->dev, &b->log, VIEW_OLD);
	if (err)
		return ctl_fail(b->e, err, "%s: there is no old state: %s",
				b->device, strerror(-err));
	view_follow(&b->view, &b->live);
	return 0;
}

static int mount_old(struct browse *b)
{
	struct ctl_error unused;

	/*
	 * Neither its journal nor its orphans are touched.  After a commit its
	 * reads fail: a filesystem that is set to panic then must not.
	 */
	if (!mount(b->old.path, b->place, "ext4",
		   MS_RDONLY | MS_NOSUID | MS_NODEV, "noload,errors=continue"))
		return 0;
	ctl_fail(b->e, -errno, "mounting %s: %s", b->old.path, strerror(errno));
	ctl_old_end(&b->old, &unused);
	return -EIO;
}

static void report(const struct browse *b)
{
	char id[TEXT_MAX], when[TEXT_MAX];
	const struct bow_header *h = &b->log.header;
	struct json j = { .out = stdout };

	if (b->o->json) {
		json_object(&j, NULL);
		json_string(&j, "mountpoint", b->place);
		json_string(&j, "device", b->old.path);
		json_string(&j, "underlying", b->device);
		json_string(&j, "id", text_hex(id, h->checkpoint_id));
		json_u64(&j, "created", h->created);
		json_close_object(&j);
	} else if (!b->o->quiet) {
		printf("%s: as it was at %s, read-only; bowctl browse --close %s\n",
		       b->place, text_time(when, h->created), b->place);
	}
}

static int open_browse(struct browse *b)
{
	int err;

	if (!realpath(b->o->place, b->place))
		return ctl_fail(b->e, -EIO, "%s", strerror(errno));
	err = find_log_device(b);
	if (!err)
		err = open_view(b);
	if (!err)
		err = ctl_old_begin(&b->old, &b->view, b->device, b->place,
				    b->e);
	if (!err)
		err = mount_old(b);
	if (!err)
		report(b);
	return err;
}

/* ---- closing ---- */

/* Is the newest mount there, if there is one, of this device? */
static bool is_mounted(const char *path, const char *device)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	struct stat st = { 0 };
	struct ctl_mount m;
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	stat(device, &st);
	while (mounts && getline(&line, &size, mounts) > 0)
		if (!ctl_mountinfo_parse(&m, line) && !strcmp(m.path, path))
			found = makedev(m.major, m.minor) == st.st_rdev;
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

static int close_browse(const struct ctl_options *o, struct ctl_error *e)
{
	char place[PATH_MAX];
	struct ctl_old old;

	if (!realpath(o->place, place))
		return ctl_fail(e, -errno, "%s", strerror(errno));
	if (!ctl_old_find(&old, place))
		return ctl_fail(e, -CTL_NO_CHECKPOINT,
				"no old filesystem is there");
	if (is_mounted(place, old.path) && umount2(place, UMOUNT_NOFOLLOW))
		return ctl_fail(e, -errno, "unmounting: %s", strerror(errno));
	return ctl_old_end(&old, e);
}

enum bow_exit ctl_browse(const struct ctl_options *o, struct ctl_error *e)
{
	static struct browse b;
	int err;

	if (o->close)
		return ctl_exit(close_browse(o, e));
	b.o = o;
	b.e = e;
	err = open_browse(&b);
	bow_log_free(&b.log);
	if (b.dev.ops)
		bow_dev_close(&b.dev);
	return err == -EUCLEAN ? BOW_EXIT_DAMAGED : ctl_exit(err);
}
