// SPDX-License-Identifier: GPL-2.0
/*
 * ctl.c - parts of bowctl that work without dm-bow, one at a time
 *
 *   ctl free FILE exact|estimate     free ranges, "START LENGTH" in sectors
 *   ctl free FILE bits               the same, and "bits START UNIT LENGTH", LENGTH units
 *                                    as a bitmap, before what is told of those
 *   ctl hold MOUNTPOINT LIMIT MS     freeze, wait, thaw; both in ms
 *   ctl frozen MOUNTPOINT            is it?  exit 0: yes, 1: no
 *   ctl beside PATH                  what a checkpoint of its filesystem would be told
 *                                    of others and of swap files
 *   ctl states IMAGE                 what resume would say of each block, "START
 *                                    STATE", a line a block
 *   ctl mend IMAGE                   make its block 0 whole, as resume does
 *
 * "hold" writes "frozen" to stdout when it is and tells at the end what
 * bowctl would have been told.  Exit 8: refused or failed.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../control/bowctl.h"
#include "cli.h"
#include "resume.h"

static int failed(const struct ctl_error *e)
{
	fprintf(stderr, "ctl: %s\n", e->text);
	return BOW_EXIT_ERROR;
}

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(BOW_EXIT_ERROR);
	}
	return fd;
}

static int print_range(void *context, struct ctl_range r)
{
	(void)context;
	printf("%llu %llu\n", (unsigned long long)r.start,
	       (unsigned long long)r.length);
	return 0;
}

static u32 unit;	/* sectors a bit */

static int print_bits(void *context, u64 start, const u64 *used, size_t words)
{
	u64 i;

	(void)context;
	printf("bits %llu %u %zu\n", (unsigned long long)start, unit, words * 64);
	for (i = 0; i < words * 64; i++) {
		if (!(le64_to_cpu(used[i / 64]) >> i % 64 & 1))
			printf("%llu %u\n",
			       (unsigned long long)(start + i * unit), unit);
	}
	return 0;
}

static int run_free(const char *path, const char *mode)
{
	struct ctl_freemap_visitor v = { .range = print_range };
	struct ctl_freemap map;
	struct ctl_error e = { "" };
	int fd = open_or_die(path);
	int err;

	if (strcmp(mode, "bits") == 0)
		v.bits = print_bits;
	ctl_freemap_init();
	err = ctl_freemap_read(&map, fd,
			       strcmp(mode, "estimate") ? CTL_FREEMAP_EXACT :
							  CTL_FREEMAP_ESTIMATE,
			       &e);
	close(fd);
	if (err)
		return failed(&e);
	unit = map.cluster_sectors;
	err = ctl_freemap_walk(&map, &v);
	ctl_freemap_free(&map);
	return err ? BOW_EXIT_ERROR : 0;
}

static void wait_ms(unsigned int ms)
{
	struct timespec step = { 0, 10 * 1000000 };

	for (; ms >= 10 && !ctl_interrupted(); ms -= 10)
		nanosleep(&step, NULL);
}

static int run_hold(const char *path, unsigned int limit, unsigned int ms)
{
	struct ctl_freeze f = { .frozen = false };
	struct ctl_error e = { "" }, end = { "" };
	int fd = open_or_die(path);
	int err, end_err;

	ctl_interrupt_catch();
	err = ctl_freeze_prepare(&f, fd, limit, &e);
	if (err)
		return failed(&e);
	err = ctl_freeze_begin(&f, &e);
	if (!err) {
		if (write(STDOUT_FILENO, "frozen\n", 7) != 7)
			return BOW_EXIT_ERROR;
		wait_ms(ms);
		err = ctl_freeze_still(&f, &e);
	}
	end_err = ctl_freeze_end(&f, &end);
	close(fd);
	if (err)
		return failed(&e);
	if (end_err)
		return failed(&end);
	if (ctl_interrupted())
		return BOW_EXIT_INTERRUPTED;
	printf("thawed after %llu ms\n",
	       (unsigned long long)(f.frozen_us / 1000));
	return 0;
}

static int run_frozen(const char *path)
{
	int fd = open_or_die(path);

	if (ioctl(fd, FIFREEZE, 0) && errno == EBUSY)
		return 0;
	ioctl(fd, FITHAW, 0);
	return 1;
}

static int run_beside(const char *path)
{
	struct json j = { .out = stdout };
	struct ctl_beside b;
	struct stat st;

	if (stat(path, &st)) {
		perror(path);
		return BOW_EXIT_ERROR;
	}
	ctl_beside_find(&b, st.st_dev);
	ctl_beside_text(stdout, &b);
	json_object(&j, NULL);
	ctl_beside_json(&j, &b);
	json_close_object(&j);
	return 0;
}

struct states {
	const char *name;
	u32 per;		/* sectors a block */
};

static int print_states(void *ctx, u64 start, u64 sectors)
{
	const struct states *s = ctx;
	u64 i;

	for (i = 0; i < sectors; i += s->per)
		printf("%llu %s\n", (unsigned long long)(start + i), s->name);
	return 0;
}

static void print_all_states(const struct bow_resume *r)
{
	static const struct {
		enum bow_resume_kind kind;
		const char *name;
	} kinds[] = {
		{ BOW_RESUME_HELD, "held" },
		{ BOW_RESUME_TAKEN, "taken" },
		{ BOW_RESUME_CHANGED, "changed" },
		{ BOW_RESUME_POOL, "pool" },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct states s = { kinds[i].name, r->log.bs / 512 };

		bow_resume_each(r, kinds[i].kind, print_states, &s);
	}
}

static int run_resume(const char *path, bool mend)
{
	struct bow_resume r;
	struct bow_error e = { 0 };
	struct ctl_error text;
	struct bow_dev dev;

	if (bow_dev_open(&dev, path, mend)) {
		perror(path);
		return BOW_EXIT_ERROR;
	}
	if (!bow_resume_open(&dev, &r, NULL, &e)) {
		if (mend)
			bow_resume_mend(&dev, &r, &e);
		else
			print_all_states(&r);
	}
	bow_resume_free(&r);
	if (bow_dev_close(&dev) || e.why) {
		bow_error_text(&e, text.text, sizeof(text.text));
		failed(&text);
	}
	return e.why ? bow_error_exit(&e) : BOW_EXIT_OK;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "free") == 0)
		return run_free(argv[2], argv[3]);
	if (argc == 5 && strcmp(argv[1], "hold") == 0)
		return run_hold(argv[2], (unsigned int)atoi(argv[3]),
				(unsigned int)atoi(argv[4]));
	if (argc == 3 && strcmp(argv[1], "frozen") == 0)
		return run_frozen(argv[2]);
	if (argc == 3 && strcmp(argv[1], "beside") == 0)
		return run_beside(argv[2]);
	if (argc == 3 && strcmp(argv[1], "states") == 0)
		return run_resume(argv[2], false);
	if (argc == 3 && strcmp(argv[1], "mend") == 0)
		return run_resume(argv[2], true);
	return BOW_EXIT_USAGE;
}
