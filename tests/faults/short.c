// SPDX-License-Identifier: GPL-2.0
/*
 * short.c - a file whose reads and writes transfer less than asked for, or are
 * interrupted or refused: pread() and pwrite() of lib/device.c, and the system
 * calls of lib/aio.c, are linked to this
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <asm/unistd.h>

#include "faults.h"
#include "kernel-call.h"

ssize_t __real_pread64(int fd, void *buf, size_t bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t bytes, off_t offset);
ssize_t __real_pwrite64(int fd, const void *buf, size_t bytes, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t bytes, off_t offset);
long __real_bow_kernel_call(long nr, long a, long b, long c, long d, long e);
long __wrap_bow_kernel_call(long nr, long a, long b, long c, long d, long e);

static int file = -1;
static bool armed, always, struck;
static u32 left;
static u64 rng;
static aio_context_t kept;

/* Is it this call that goes wrong? */
static bool strikes(void)
{
	if (!armed || left) {
		left -= armed;
		return false;
	}
	armed = always;
	struck = true;
	return true;
}

/* How much of this call is done; -1: it is interrupted. */
static ssize_t allowed(size_t bytes)
{
	if (!strikes())
		return (ssize_t)bytes;
	if (!rnd_to(&rng, 4)) {
		errno = EINTR;
		return -1;
	}
	return 1 + rnd_to(&rng, (u32)bytes);
}

ssize_t __wrap_pread64(int fd, void *buf, size_t bytes, off_t offset)
{
	ssize_t n = allowed(bytes);

	return n < 0 ? n : __real_pread64(fd, buf, (size_t)n, offset);
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t bytes, off_t offset)
{
	ssize_t n = allowed(bytes);

	return n < 0 ? n : __real_pwrite64(fd, buf, (size_t)n, offset);
}

/* Some of the requests, the first of them in part, or none. */
static long submit(long context, long count, struct iocb **list)
{
	struct iocb *cb = list[0];
	u32 sectors = (u32)(cb->aio_nbytes / BOW_SECTOR_SIZE);

	switch (strikes() ? rnd_to(&rng, 3) : 3) {
	case 0:
		return -EAGAIN;
	case 1:
		count = 1 + rnd_to(&rng, (u32)count);
		break;
	case 2:
		cb->aio_nbytes = rnd_to(&rng, sectors) * BOW_SECTOR_SIZE;
		break;
	}
	return __real_bow_kernel_call(__NR_io_submit, context, count,
				      (long)list, 0, 0);
}

/* Nothing yet, or an error that the kernel has only found now. */
static long get_events(long context, long least, long most,
		       struct io_event *event)
{
	static const int wrong[] = { -EIO, -EINVAL, -EAGAIN, 0 };
	bool hit = strikes();
	long n;

	if (hit && !rnd_to(&rng, 4))
		return -EINTR;
	n = __real_bow_kernel_call(__NR_io_getevents, context, least, most,
				   (long)event, 0);
	if (hit && n > 0)
		event[rnd_to(&rng, (u32)n)].res = wrong[rnd_to(&rng, 4)];
	return n;
}

/* One for all: to destroy it waits for all processors, some milliseconds. */
static long set_up(long count, aio_context_t *context)
{
	long r = 0;

	if (strikes())
		return -EAGAIN;
	if (!kept)
		r = __real_bow_kernel_call(__NR_io_setup, count, (long)&kept, 0,
					   0, 0);
	*context = kept;
	return r;
}

long __wrap_bow_kernel_call(long nr, long a, long b, long c, long d, long e)
{
	switch (nr) {
	case __NR_io_submit:
		return submit(a, b, (struct iocb **)c);
	case __NR_io_getevents:
		return get_events(a, b, c, (struct io_event *)d);
	case __NR_io_setup:
		return set_up(a, (aio_context_t *)b);
	case __NR_io_destroy:
		return 0;
	}
	return __real_bow_kernel_call(nr, a, b, c, d, e);
}

int short_open(struct bow_dev *dev, const u8 *image, size_t bytes)
{
	char path[32];

	if (file < 0)
		file = memfd_create("image", 0);
	if (file < 0 || ftruncate(file, (off_t)bytes) ||
	    __real_pwrite64(file, image, bytes, 0) != (ssize_t)bytes)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return bow_dev_open(dev, path, true);
}

void short_arm(u32 k, bool forever, u64 seed)
{
	armed = true;
	always = forever;
	struck = false;
	left = k;
	rng = seed;
}

bool short_struck(void)
{
	armed = false;
	return struck;
}

int short_close(struct bow_dev *dev, u8 *image, size_t bytes)
{
	if (__real_pread64(file, image, bytes, 0) != (ssize_t)bytes)
		return -EIO;
	return bow_dev_close(dev);
}
