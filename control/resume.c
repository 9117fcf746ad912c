// SPDX-License-Identifier: GPL-2.0
/*
 * resume.c - bowctl resume
 *
 *   the log is read and checked, block 0 mended       libbow
 *   dm-bow is put over the device; writes to it wait
 *   it is told what has become of each block, and goes on
 *
 * When one of the last fails, the device is removed again: the log is then as
 * it was, and can be resumed, rolled back or committed.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "bowctl.h"
#include "cli.h"
#include "resume.h"

/* What the module is told, in this order: what was free comes first. */
static const struct kind {
	enum bow_resume_kind kind;
	const char *verb;
} kinds[] = {
	{ BOW_RESUME_FREE, "free" },
	{ BOW_RESUME_HELD, "held" },
	{ BOW_RESUME_TAKEN, "taken" },
	{ BOW_RESUME_CHANGED, "changed" },
	{ BOW_RESUME_CLAIMED, "claimed" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct resume {
	struct bow_resume log;
	struct ctl_dm dm;
	struct ctl_error *e;
	struct ctl_batch batch;
	u64 ranges[KINDS];
	u64 sectors[KINDS];
	u64 pool;			/* sectors */
	char message[CTL_BATCH_RANGES];
};

/* ---- the log ---- */

static bool stop(void *ctx)
{
	(void)ctx;
	return ctl_interrupted();
}

static int add_up(void *ctx, u64 start, u64 sectors)
{
	(void)start;
	*(u64 *)ctx += sectors;
	return 0;
}

static int read_log(struct resume *r, struct bow_dev *dev, struct bow_error *le)
{
	const struct bow_monitor monitor = { .stop = stop };
	int err = bow_resume_open(dev, &r->log, &monitor, le);

	if (!err)
		err = bow_resume_mend(dev, &r->log, le);
	if (err)
		bow_error_text(le, r->e->text, sizeof(r->e->text));
	else
		bow_resume_each(&r->log, BOW_RESUME_POOL, add_up, &r->pool);
	return err;
}

/* Exclusively: not mounted, and not below dm-bow already. */
static int open_log(struct resume *r, const char *path, enum bow_exit *status)
{
	struct bow_error le = { 0 };
	struct bow_dev dev;
	int err = bow_dev_open(&dev, path, true), close_err;

	*status = BOW_EXIT_ERROR;
	if (err == -EBUSY)
		return ctl_fail(r->e, err,
				"in use: mounted, or held by a driver");
	if (err)
		return ctl_fail(r->e, err, "%s", strerror(-err));
	err = read_log(r, &dev, &le);
	*status = err ? bow_error_exit(&le) : BOW_EXIT_OK;
	close_err = bow_dev_close(&dev);
	if (!err && close_err) {
		*status = BOW_EXIT_ERROR;
		err = ctl_fail(r->e, close_err, "%s", strerror(-close_err));
	}
	return err;
}

/* ---- the module ---- */

static int send_message(void *context, const char *text)
{
	struct resume *r = context;

	if (ctl_interrupted())
		return ctl_fail(r->e, -EINTR, "interrupted");
	return ctl_dm_message(&r->dm, text, r->e);
}

static int add_range(void *ctx, u64 start, u64 sectors)
{
	struct resume *r = ctx;
	struct ctl_range range = { start, sectors };

	return ctl_batch_add(&r->batch, &range);
}

static int tell_kind(struct resume *r, size_t i)
{
	int err;

	ctl_batch_begin(&r->batch, r->message, sizeof(r->message),
			kinds[i].verb);
	r->batch.send = send_message;
	r->batch.context = r;
	err = bow_resume_each(&r->log, kinds[i].kind, add_range, r);
	if (!err)
		err = ctl_batch_flush(&r->batch);
	r->ranges[i] = r->batch.ranges;
	r->sectors[i] = r->batch.sectors;
	return err;
}

/* The module must take as much for free as we do, no more and no less. */
static int compare_pool(struct resume *r)
{
	struct ctl_status s;
	int err = ctl_dm_status(&r->dm, &s, r->e);

	if (!err && s.free_sectors != r->pool)
		err = ctl_fail(r->e, -EPROTO,
			       "%llu sectors are free, the module has %llu",
			       (unsigned long long)r->pool,
			       (unsigned long long)s.free_sectors);
	return err;
}

static int tell(struct resume *r)
{
	int err = 0;
	size_t i;

	for (i = 0; i < KINDS && !err; i++)
		err = tell_kind(r, i);
	if (!err)
		err = compare_pool(r);
	if (!err)
		err = send_message(r, "resume");
	/* "Structure needs cleaning" would have people run fsck on a log. */
	if (err == -EUCLEAN)
		ctl_fail(r->e, err,
			 "the module does not go on with a log like this: roll back or commit");
	return err;
}

/* The kernel would have loaded it; its own word for that is "Invalid argument". */
static void ask_for_module(struct resume *r)
{
	size_t used = strlen(r->e->text);

	if (access("/sys/module/dm_bow", F_OK))
		snprintf(r->e->text + used, sizeof(r->e->text) - used,
			 ": is the module dm-bow there? see dmesg");
}

/* The reason of the failure stays; a device that stays is told as well. */
static void give_up(struct resume *r, const char *name)
{
	struct ctl_error e = { "" };
	size_t used = strlen(r->e->text);

	if (ctl_dm_remove(name, r->dm.sectors, &e))
		snprintf(r->e->text + used, sizeof(r->e->text) - used,
			 "; and it is not removed: %s", e.text);
}

static int attach(struct resume *r, dev_t under, const char *name)
{
	u64 sectors = r->log.log.sectors;
	char params[64];
	u32 cookie = 0;
	int err;

	snprintf(params, sizeof(params), "%u:%u 2 block_size:%u resume",
		 major(under), minor(under), r->log.log.bs);
	err = ctl_dm_create(&r->dm, name, sectors, params, &cookie, r->e);
	if (err)
		ask_for_module(r);
	if (!err) {
		err = tell(r);
		if (err)
			give_up(r, name);
	}
	/* Not before I/O flows, or fails: udev reads the device. */
	ctl_dm_settle(cookie);
	return err;
}

/* ---- the result ---- */

static void report_json(const struct resume *r)
{
	const struct bow_header *h = &r->log.log.header;
	struct json j = { .out = stdout };
	char text[TEXT_MAX];
	size_t i;

	json_object(&j, NULL);
	json_string(&j, "device", r->dm.path);
	json_string(&j, "underlying", r->dm.under);
	json_string(&j, "id", text_hex(text, h->checkpoint_id));
	json_u64(&j, "created", h->created);
	json_u64(&j, "resumed", h->resumed + 1ull);
	json_u64(&j, "log_blocks", r->log.log.log_blocks);
	json_u64(&j, "entries", r->log.log.entries);
	json_u64(&j, "free_bytes", r->pool << BOW_SECTOR_SHIFT);
	json_object(&j, "sectors");
	for (i = 0; i < KINDS; i++)
		json_u64(&j, kinds[i].verb, r->sectors[i]);
	json_close_object(&j);
	json_object(&j, "ranges");
	for (i = 0; i < KINDS; i++)
		json_u64(&j, kinds[i].verb, r->ranges[i]);
	json_close_object(&j);
	json_close_object(&j);
}

static u64 age(u64 created)
{
	time_t now = time(NULL);

	return now > 0 && (u64)now > created ? (u64)now - created : 0;
}

static void report(const struct resume *r, const struct ctl_options *o)
{
	const struct bow_header *h = &r->log.log.header;
	char id[TEXT_MAX], when[TEXT_MAX], blocks[TEXT_MAX], room[TEXT_MAX];
	size_t i;

	if (o->json) {
		report_json(r);
		return;
	}
	if (o->quiet)
		return;
	printf("checkpoint %s of %s, %s old, resumed as %s: %s, %s free to keep old contents\n",
	       text_hex(id, h->checkpoint_id), r->dm.under,
	       text_age(when, age(h->created)), r->dm.path,
	       text_count(blocks, r->log.log.log_blocks, "log block"),
	       text_size(room, r->pool << BOW_SECTOR_SHIFT));
	for (i = 0; i < KINDS && o->verbose; i++)
		printf("%-8s %s in %s\n", kinds[i].verb,
		       text_size(room, r->sectors[i] << BOW_SECTOR_SHIFT),
		       text_count(blocks, r->ranges[i], "range"));
}

enum bow_exit ctl_resume(const struct ctl_options *o, struct ctl_error *e)
{
	static struct resume r;
	enum bow_exit status;
	struct stat st;
	int err;

	r.e = e;
	if (stat(o->place, &st)) {
		ctl_fail(e, -errno, "%s", strerror(errno));
		return BOW_EXIT_ERROR;
	}
	if (!S_ISBLK(st.st_mode)) {
		ctl_fail(e, -ENOTBLK, "not a block device");
		return BOW_EXIT_ERROR;
	}
	ctl_interrupt_catch();
	err = open_log(&r, o->place, &status);
	if (!err) {
		err = attach(&r, st.st_rdev, o->name);
		/* Not the exit status of a device without dm-bow. */
		status = err == -EINTR ? BOW_EXIT_INTERRUPTED :
			 err == -EUCLEAN ? BOW_EXIT_DAMAGED : BOW_EXIT_ERROR;
	}
	if (!err)
		report(&r, o);
	bow_resume_free(&r.log);
	return err ? status : BOW_EXIT_OK;
}
