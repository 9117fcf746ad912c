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
	struct ctl_nbd nbd;
};

/* ---- opening ---- */

/* Below dm-bow, or what was named, when that is not dm-bow. */
static int find_log_device(struct browse *b)
{
	const char *name = b->o->device ? b->o->device : "/";
	struct ctl_place place;
	struct stat st;
	int err = ctl_place_open(&place, name, b->e);

	ctl_place_close(&place);
	if (!err) {
		snprintf(b->device, sizeof(b->device), "%s", place.dm.under);
		return 0;
	}
	if (err != -ENODEV || !b->o->device || stat(name, &st) ||
	    S_ISDIR(st.st_mode))
		return err;
	snprintf(b->device, sizeof(b->device), "%s", name);
	return 0;
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
		return ctl_fail(b->e, -ENODATA, "%s: there is no checkpoint",
				b->device);
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
	char device[48];
	struct ctl_error unused;

	snprintf(device, sizeof(device), "/dev/%s", b->nbd.name);
	/* Neither its journal nor its orphans are touched. */
	if (!mount(device, b->place, "ext4",
		   MS_RDONLY | MS_NOSUID | MS_NODEV, "noload"))
		return 0;
	ctl_fail(b->e, -errno, "mounting %s: %s", device, strerror(errno));
	ctl_nbd_end(&b->nbd, &unused);
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
		json_string(&j, "device", b->nbd.name);
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
	struct ctl_nbd other;
	int err;

	if (!realpath(b->o->place, b->place))
		return ctl_fail(b->e, -EIO, "%s", strerror(errno));
	if (ctl_nbd_find(&other, b->place))
		return ctl_fail(b->e, -EBUSY,
				"an old filesystem is there already");
	err = find_log_device(b);
	if (!err)
		err = open_view(b);
	if (!err)
		err = ctl_nbd_begin(&b->nbd, &b->view, b->place, b->e);
	if (!err)
		err = mount_old(b);
	if (!err)
		report(b);
	return err;
}

/* ---- closing ---- */

/* Is what is mounted there, if anything is, on this device? */
static bool is_mounted(const char *path, const char *device)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	struct ctl_mount m;
	char *line = NULL, name[160];
	size_t size = 0;
	bool found = false;

	while (mounts && getline(&line, &size, mounts) > 0) {
		if (ctl_mountinfo_parse(&m, line) || strcmp(m.path, path))
			continue;
		/* The newest mount counts. */
		snprintf(name, sizeof(name), "%u:%u", m.major, m.minor);
		ctl_name_device(name, sizeof(name));
		found = strcmp(name, device) == 0;
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

static int close_browse(const struct ctl_options *o, struct ctl_error *e)
{
	char place[PATH_MAX], device[48];
	struct ctl_nbd nbd;

	if (!realpath(o->place, place))
		return ctl_fail(e, -errno, "%s", strerror(errno));
	if (!ctl_nbd_find(&nbd, place))
		return ctl_fail(e, -ENODATA, "no old filesystem is there");
	snprintf(device, sizeof(device), "/dev/%s", nbd.name);
	if (is_mounted(place, device) && umount2(place, UMOUNT_NOFOLLOW))
		return ctl_fail(e, -errno, "unmounting: %s", strerror(errno));
	return ctl_nbd_end(&nbd, e);
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
