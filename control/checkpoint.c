// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint.c - bowctl checkpoint
 *
 *   checks; guardian; memory locked; a first look at the bitmaps
 *   freeze
 *     bitmaps read and checked, free ranges to the module, state 1
 *   thaw
 *   report
 *
 * Between freeze and thaw nothing is printed and no file is opened.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bow_format.h"
#include "bowctl.h"
#include "cli.h"

/* Below this the module could not even begin; see also on_full. */
#define FREE_MIN (1024 * 1024)

struct checkpoint {
	struct ctl_place place;
	struct ctl_status status;
	struct ctl_freeze freeze;
	struct ctl_batch batch;
	struct ctl_error *e;
	u64 free_ranges;
	int dev_fd;
	char message[CTL_BATCH_SIZE];
};

/*
 * Locked until this process and its guardian are gone: of two at once, the guardian
 * of one that was killed would end the checkpoint of the other.
 */
static int open_device(struct checkpoint *c)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/dm-%u", minor(c->place.dev));
	c->dev_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->dev_fd < 0)
		return ctl_fail(c->e, -errno, "%s: %s", path, strerror(errno));
	if (fstat(c->dev_fd, &st) || !S_ISBLK(st.st_mode) ||
	    st.st_rdev != c->place.dev)
		return ctl_fail(c->e, -ENOTBLK, "%s: not the device meant",
				path);
	if (!flock(c->dev_fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return ctl_fail(c->e, -EBUSY,
				"%s is locked: is another checkpoint being taken?",
				path);
	return ctl_fail(c->e, -errno, "%s: flock: %s", path, strerror(errno));
}

/* Ready for a checkpoint?  A committed one makes place for the next. */
static int check_state(struct checkpoint *c)
{
	int err = ctl_dm_status(&c->place.dm, &c->status, c->e);

	if (!err && c->status.state == CTL_STATE_COMMITTED) {
		err = ctl_dm_message(&c->place.dm, "restart", c->e);
		if (!err)
			err = ctl_dm_status(&c->place.dm, &c->status, c->e);
	}
	if (err)
		return err;
	if (c->status.state == CTL_STATE_CHECKPOINT)
		return ctl_fail(c->e, -EEXIST,
				"there is a checkpoint already: commit it, or reboot to roll it back");
	if (c->status.state != CTL_STATE_TRIM)
		return ctl_fail(c->e, -EBUSY, "the module is in state %s",
				ctl_state_name(c->status.state));
	if (c->status.other_table)
		return ctl_fail(c->e, -EBUSY,
				"another table is loaded for %s: clear it with dmsetup clear",
				c->place.dm.path);
	return 0;
}

static int check_mount(struct checkpoint *c)
{
	const struct ctl_mount *m = &c->place.mount;

	if (c->place.mount_fd < 0)
		return ctl_fail(c->e, -ENOENT, "%s is not mounted",
				c->place.dm.path);
	if (strcmp(m->type, "ext4") != 0)
		return ctl_fail(c->e, -EOPNOTSUPP,
				"%s is %s: the free blocks can be learnt from ext4 only",
				m->path, m->type);
	return 0;
}

/* The same reads as when frozen, so that these find all in memory. */
static int look_first(struct checkpoint *c)
{
	struct ctl_freemap map;
	u64 bytes;
	int err;

	ctl_freemap_init();
	err = ctl_freemap_read(&map, c->dev_fd, CTL_FREEMAP_ESTIMATE, c->e);
	if (err)
		return err;
	bytes = map.free_sectors << BOW_SECTOR_SHIFT;
	ctl_freemap_free(&map);
	if (bytes < FREE_MIN)
		return ctl_fail(c->e, -ENOSPC,
				"%llu bytes are free: too little to keep old contents",
				(unsigned long long)bytes);
	return 0;
}

static int send_message(void *context, const char *text)
{
	struct checkpoint *c = context;

	return ctl_dm_message(&c->place.dm, text, c->e);
}

static int add_range(void *context, struct ctl_range r)
{
	struct checkpoint *c = context;

	if (ctl_interrupted())
		return ctl_fail(c->e, -EINTR, "interrupted");
	if (!ctl_range_inward(&r, c->status.block_size >> BOW_SECTOR_SHIFT))
		return 0;
	return ctl_batch_add(&c->batch, &r);
}

static int add_bits(void *context, u64 start, const u64 *used, size_t words)
{
	struct checkpoint *c = context;

	if (ctl_interrupted())
		return ctl_fail(c->e, -EINTR, "interrupted");
	return ctl_batch_add_free_bits(&c->batch, start,
				       c->status.block_size >> BOW_SECTOR_SHIFT,
				       used, words);
}

/* The module must hold what was handed over, no more and no less. */
static int compare_free(struct checkpoint *c)
{
	int err = ctl_dm_status(&c->place.dm, &c->status, c->e);

	if (!err && c->status.free_sectors != c->batch.sectors)
		return ctl_fail(c->e, -EPROTO,
				"%llu free sectors were handed over, the module has %llu",
				(unsigned long long)c->batch.sectors,
				(unsigned long long)c->status.free_sectors);
	return err;
}

/* Tell the module what is free, and nothing else. */
static int tell_free(struct checkpoint *c, const struct ctl_freemap *map,
		     const struct ctl_freemap_visitor *v)
{
	int err;

	ctl_batch_begin(&c->batch, c->message, sizeof(c->message), "free");
	c->batch.send = send_message;
	c->batch.context = c;
	err = ctl_dm_message(&c->place.dm, "clear", c->e);
	if (!err)
		err = ctl_freemap_walk(map, v);
	if (!err)
		err = ctl_batch_flush(&c->batch);
	return err;
}

static int hand_over(struct checkpoint *c)
{
	struct ctl_freemap_visitor v = { .range = add_range, .context = c };
	struct ctl_freemap map;
	int err;

	err = ctl_freemap_read(&map, c->dev_fd, CTL_FREEMAP_EXACT, c->e);
	if (err)
		return err;
	c->free_ranges = map.free_ranges;
	/* The module takes bits of its own blocks, and whole words of them. */
	if (map.first_sector == 0 &&
	    map.cluster_sectors == c->status.block_size >> BOW_SECTOR_SHIFT)
		v.bits = add_bits;
	if (c->place.dm.sectors < map.sectors)
		err = ctl_fail(c->e, -EUCLEAN,
			       "the filesystem (%llu sectors) is larger than the device (%llu)",
			       (unsigned long long)map.sectors,
			       (unsigned long long)c->place.dm.sectors);
	if (!err)
		err = tell_free(c, &map, &v);
	/*
	 * A module below v1.3.0 (dmsetup targets) knows no bitmaps: bow may have been
	 * upgraded, and the machine not been restarted.
	 */
	if (err == -EINVAL && v.bits) {
		v.bits = NULL;
		err = tell_free(c, &map, &v);
	}
	ctl_freemap_free(&map);
	return err ? err : compare_free(c);
}

/*
 * Thawed by somebody meanwhile, blocks that were handed over as free may have
 * come into use.  Only a freeze that lasted until state 1 proves they have not.
 */
static int begin_state1(struct checkpoint *c)
{
	struct ctl_error unused = { "" };
	int err = ctl_dm_message(&c->place.dm, "checkpoint", c->e);

	if (err)
		return err;
	err = ctl_freeze_still(&c->freeze, c->e);
	if (err)
		ctl_dm_message(&c->place.dm, "commit", &unused);
	return err;
}

/* What is done while frozen. */
static int begin_checkpoint(struct checkpoint *c)
{
	struct ctl_error unused = { "" };
	int err = hand_over(c);

	if (!err)
		err = ctl_freeze_still(&c->freeze, c->e);
	if (!err && ctl_interrupted())
		err = ctl_fail(c->e, -EINTR, "interrupted");
	if (err) {
		ctl_dm_message(&c->place.dm, "clear", &unused);
		return err;
	}
	return begin_state1(c);
}

static int prepare(struct checkpoint *c, const char *name)
{
	int err = ctl_place_open(&c->place, name, c->e);

	if (!err)
		err = open_device(c);
	if (!err)
		err = check_state(c);
	if (!err)
		err = check_mount(c);
	return err;
}

/*
 * For the guardian.  The module may still be at it, though nobody waits for that:
 * the commit comes after it.  EBUSY: there was none, or the device is suspended.
 */
static int undo(void *context)
{
	struct checkpoint *c = context;
	struct ctl_error unused = { "" };
	int err = ctl_dm_message(&c->place.dm, "commit", &unused);

	if (err != -EBUSY)
		return err;
	err = ctl_dm_status(&c->place.dm, &c->status, &unused);
	return !err && c->status.state == CTL_STATE_CHECKPOINT ? -EBUSY : err;
}

/* Freeze, do it, thaw: a failed thaw counts more than all else. */
static int frozen_part(struct checkpoint *c)
{
	struct ctl_error thaw = { "" };
	int err, thaw_err;

	c->freeze.guardian.undo = undo;
	c->freeze.guardian.context = c;
	err = ctl_freeze_prepare(&c->freeze, c->place.mount_fd,
				 CTL_FREEZE_LIMIT_MS, c->e);
	if (err)
		return err;
	err = look_first(c);
	if (!err && ctl_interrupted())
		err = ctl_fail(c->e, -EINTR, "interrupted");
	if (!err)
		err = ctl_freeze_begin(&c->freeze, c->e);
	if (!err)
		err = begin_checkpoint(c);
	thaw_err = ctl_freeze_end(&c->freeze, &thaw);
	if (thaw_err && !err) {
		*c->e = thaw;
		err = thaw_err;
	}
	return err;
}

static void report_json(const struct checkpoint *c, const struct ctl_beside *b)
{
	const char *id = ctl_status_fact(&c->status, "id");
	struct json j = { .out = stdout };

	json_object(&j, NULL);
	json_string(&j, "mountpoint", c->place.mount.path);
	json_string(&j, "device", c->place.dm.path);
	json_string(&j, "underlying", c->place.dm.under);
	json_string(&j, "id", id ? id : "");
	json_u64(&j, "frozen_us", c->freeze.frozen_us);
	json_u64(&j, "free_bytes",
			c->batch.sectors << BOW_SECTOR_SHIFT);
	json_u64(&j, "free_ranges", c->free_ranges);
	ctl_beside_json(&j, b);
	json_close_object(&j);
}

static void report(const struct checkpoint *c, const struct ctl_options *o)
{
	const char *id = ctl_status_fact(&c->status, "id");
	struct ctl_beside beside;
	char text[TEXT_MAX];

	ctl_beside_find(&beside, c->place.dev);
	if (o->json) {
		report_json(c, &beside);
		return;
	}
	if (o->quiet)
		return;
	printf("checkpoint %s of %s: frozen for %llu ms, %s free to keep old contents\n",
	       id ? id : "(no id)", c->place.mount.path,
	       (unsigned long long)(c->freeze.frozen_us / 1000),
	       text_size(text, c->batch.sectors << BOW_SECTOR_SHIFT));
	fflush(stdout);
	ctl_beside_text(stderr, &beside);
	if (!o->verbose)
		return;
	printf("%s in ", text_count(text, c->free_ranges, "free range"));
	printf("%s to %s over %s\n",
	       text_count(text, c->batch.messages, "message"),
	       c->place.dm.path, c->place.dm.under);
}

enum bow_exit ctl_checkpoint(const struct ctl_options *o, struct ctl_error *e)
{
	static struct checkpoint c;
	struct ctl_error unused = { "" };
	int err;

	c.e = e;
	c.dev_fd = -1;
	c.place.mount_fd = -1;
	ctl_interrupt_catch();
	err = prepare(&c, o->place);
	if (!err)
		err = frozen_part(&c);
	if (!err) {
		/* The checkpoint exists: its id is for information only. */
		ctl_dm_status(&c.place.dm, &c.status, &unused);
		report(&c, o);
	}
	if (c.dev_fd >= 0)
		close(c.dev_fd);
	ctl_place_close(&c.place);
	return ctl_exit(err);
}
