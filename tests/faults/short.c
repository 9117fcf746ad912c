// SPDX-License-Identifier: GPL-2.0
/*
 * short.c - a file whose reads and writes transfer less than asked for, or are
 * interrupted: pread() and pwrite() of lib/device.c are linked to this
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults.h"

ssize_t __real_pread64(int fd, void *buf, size_t bytes, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t bytes, off_t offset);
ssize_t __real_pwrite64(int fd, const void *buf, size_t bytes, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t bytes, off_t offset);

static int file = -1;
static bool armed, always, struck;
static u32 left;
static u64 rng;

/* How much of this call is done; -1: it is interrupted. */
static ssize_t allowed(size_t bytes)
{
	if (!armed || left) {
		left -= armed;
		return (ssize_t)bytes;
	}
	armed = always;
	struck = true;
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
