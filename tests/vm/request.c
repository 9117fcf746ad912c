// SPDX-License-Identifier: GPL-2.0
/*
 * request.c - single requests to a block device that no common tool sends
 *
 *   request write DEVICE START LENGTH BYTE [nowait] [dsync]
 *   request read DEVICE START LENGTH [nowait]      prints the first byte
 *   request stripes DEVICE START COUNT STEP BYTE   4 KiB at every STEP
 *   request zero|discard|erase DEVICE START LENGTH
 *   request sync DEVICE
 *   request loop DEVICE                            asks it for its loop file
 *   request wait FILE MILLISECONDS                 poll() of a sysfs file
 *   request race DEVICE BELOW MILLISECONDS         see race()
 *
 * In sectors, of direct I/O.  Prints "ok" or the name of the error; ends with 0
 * in both cases.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* O_DIRECT, pwritev2 */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512u
#define BLOCK 8u		/* sectors */
#define HUGE (2u << 20)		/* bytes */
/* In a log block: the sector of the live copy of block 0. */
#define SECTOR0_AT 20u

static int usage(void)
{
	fprintf(stderr, "request: see tests/vm/request.c\n");
	return 16;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	if (fd < 0)
		die(path);
	return fd;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 0);
}

/* Contiguous in memory where that can be had: large bios have few pages. */
static uint8_t *buffer(size_t bytes)
{
	size_t room = (bytes + HUGE - 1) / HUGE * HUGE;
	void *p;

	if (posix_memalign(&p, HUGE, room))
		die("memory");
	madvise(p, room, MADV_HUGEPAGE);
	memset(p, 0, room);
	return p;
}

static int result(ssize_t done, size_t wanted)
{
	if (done == (ssize_t)wanted)
		puts("ok");
	else if (done >= 0)
		puts("short");
	else
		puts(strerrorname_np(errno));
	return 0;
}

static int flags_of(char **words)
{
	int flags = 0;

	for (; *words; words++) {
		if (!strcmp(*words, "nowait"))
			flags |= RWF_NOWAIT;
		else if (!strcmp(*words, "dsync"))
			flags |= RWF_DSYNC;
	}
	return flags;
}

static int do_write(char **arg)
{
	size_t bytes = number(arg[2]) * SECTOR;
	struct iovec v = { buffer(bytes), bytes };

	memset(v.iov_base, (int)number(arg[3]), bytes);
	return result(pwritev2(open_device(arg[0]), &v, 1,
			       (off_t)(number(arg[1]) * SECTOR),
			       flags_of(arg + 4)), bytes);
}

static int do_read(char **arg)
{
	size_t bytes = number(arg[2]) * SECTOR;
	struct iovec v = { buffer(bytes), bytes };
	ssize_t n = preadv2(open_device(arg[0]), &v, 1,
			    (off_t)(number(arg[1]) * SECTOR),
			    flags_of(arg + 3));

	if (n == (ssize_t)bytes)
		printf("%u ", *(uint8_t *)v.iov_base);
	return result(n, bytes);
}

static int do_stripes(char **arg)
{
	int fd = open_device(arg[0]);
	uint64_t start = number(arg[1]), count = number(arg[2]);
	uint64_t step = number(arg[3]), i;
	uint8_t *buf = buffer(BLOCK * SECTOR);

	memset(buf, (int)number(arg[4]), BLOCK * SECTOR);
	for (i = 0; i < count; i++) {
		if (pwrite(fd, buf, BLOCK * SECTOR,
			   (off_t)((start + i * step) * SECTOR)) !=
		    BLOCK * SECTOR)
			die("stripes");
	}
	return result(0, 0);
}

static int do_range(char **arg, unsigned long request)
{
	uint64_t range[2] = { number(arg[1]) * SECTOR,
			      number(arg[2]) * SECTOR };

	return result(ioctl(open_device(arg[0]), request, range), 0);
}

static int do_loop(char **arg)
{
	struct loop_info64 info;
	int r = ioctl(open_device(arg[0]), LOOP_GET_STATUS64, &info);

	if (!r)
		printf("%s ", info.lo_file_name);
	return result(r, 0);
}

static int do_wait(char **arg)
{
	struct pollfd p = { .fd = open(arg[0], O_RDONLY),
			    .events = POLLPRI | POLLERR };
	char value[64];

	if (p.fd < 0 || read(p.fd, value, sizeof(value)) < 0)
		die(arg[0]);
	puts(poll(&p, 1, atoi(arg[1])) == 1 ? "woken" : "not woken");
	return 0;
}

/* ---- reads of sector 0 while it moves ---- */

struct race {
	const char *device;
	_Atomic uint64_t written;	/* the newest value that was written */
	_Atomic uint64_t writing;	/* the newest that may be there */
	atomic_bool over;
	_Atomic uint64_t reads, wrong, torn;
};

static void *read_sector0(void *arg)
{
	struct race *race = arg;
	int fd = open_device(race->device);
	uint64_t *buf = (uint64_t *)buffer(SECTOR);

	while (!atomic_load(&race->over)) {
		uint64_t low = atomic_load(&race->written), high;
		uint64_t *last = &buf[SECTOR / 8 - 1];

		if (pread(fd, buf, SECTOR, 0) != SECTOR)
			die("read");
		high = atomic_load(&race->writing);
		/*
		 * They may differ: an emulated disk reads a part of a sector from
		 * before a write that is under way, and a part from after it.
		 */
		if (buf[0] < low || buf[0] > high || *last < low || *last > high) {
			race->wrong++;
			fprintf(stderr, "read %llu .. %llu, not in %llu .. %llu\n",
				(unsigned long long)buf[0],
				(unsigned long long)*last,
				(unsigned long long)low,
				(unsigned long long)high);
		}
		if (buf[0] != *last)
			race->torn++;
		race->reads++;
	}
	return NULL;
}

static uint64_t live_sector(int below, uint8_t *buf)
{
	uint64_t sector;

	if (pread(below, buf, SECTOR, 0) != SECTOR)
		die("below");
	memcpy(&sector, buf + SECTOR0_AT, sizeof(sector));
	return sector;
}

static void write_sector0(struct race *race, int fd, uint64_t *buf,
			  uint64_t value)
{
	buf[0] = buf[SECTOR / 8 - 1] = value;
	atomic_store(&race->writing, value);
	if (pwrite(fd, buf, SECTOR, 0) != SECTOR)
		die("write of sector 0");
	atomic_store(&race->written, value);
}

/*
 * Write, again and again, where the live copy of block 0 is, which moves it,
 * and to block 0 between; a read must never see anything older than the last
 * write before it.  Prints how often it moved and "ok", or "wrong".
 */
static int do_race(char **arg)
{
	struct race race = { .device = arg[0] };
	int fd = open_device(arg[0]), below = open_device(arg[1]);
	uint64_t *buf = (uint64_t *)buffer(BLOCK * SECTOR);
	uint64_t i, before = 0, moves = 0;
	pthread_t thread[3];
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += atoi(arg[2]) / 1000;
	write_sector0(&race, fd, buf, 1);
	for (i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, read_sector0, &race);
	for (i = 2; ; i++) {
		uint64_t live = live_sector(below, (uint8_t *)buf);

		moves += live != before;
		before = live;
		if (pwrite(fd, buf, BLOCK * SECTOR, (off_t)(live * SECTOR)) !=
		    BLOCK * SECTOR)
			die("write");
		write_sector0(&race, fd, buf, i);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec)
			break;
	}
	atomic_store(&race.over, true);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	fprintf(stderr, "%llu reads, %llu of them torn\n",
		(unsigned long long)race.reads, (unsigned long long)race.torn);
	printf("%llu %s\n", (unsigned long long)moves,
	       race.wrong || !race.reads ? "wrong" : "ok");
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	char **arg = argv + 2;

	if (!strcmp(verb, "sync"))
		return result(fsync(open_device(arg[0])), 0);
	if (!strcmp(verb, "loop"))
		return do_loop(arg);
	if (!strcmp(verb, "wait") && argc == 4)
		return do_wait(arg);
	if (argc < 5)
		return usage();
	if (!strcmp(verb, "race"))
		return do_race(arg);
	if (!strcmp(verb, "zero"))
		return do_range(arg, BLKZEROOUT);
	if (!strcmp(verb, "discard"))
		return do_range(arg, BLKDISCARD);
	if (!strcmp(verb, "erase"))
		return do_range(arg, BLKSECDISCARD);
	if (!strcmp(verb, "read"))
		return do_read(arg);
	if (!strcmp(verb, "write") && argc >= 6)
		return do_write(arg);
	if (!strcmp(verb, "stripes") && argc == 7)
		return do_stripes(arg);
	return usage();
}
