// SPDX-License-Identifier: GPL-2.0
/*
 * kernel-call.c - system calls that klibc does not have
 */
#include <fcntl.h>
#include <unistd.h>
#include <asm/unistd.h>

#include "kernel-call.h"

#ifndef __KLIBC__

long bow_kernel_call(long nr, long a, long b, long c, long d, long e)
{
	long r = syscall(nr, a, b, c, d, e);

	return r < 0 ? -errno : r;
}

#elif defined(__x86_64__)

long bow_kernel_call(long nr, long a, long b, long c, long d, long e)
{
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(fourth),
			   "r"(fifth)
			 : "rcx", "r11", "memory");
	return r;
}

#elif defined(__aarch64__)

long bow_kernel_call(long nr, long a, long b, long c, long d, long e)
{
	register long number __asm__("x8") = nr;
	register long first __asm__("x0") = a;
	register long second __asm__("x1") = b;
	register long third __asm__("x2") = c;
	register long fourth __asm__("x3") = d;
	register long fifth __asm__("x4") = e;

	__asm__ volatile("svc #0"
			 : "+r"(first)
			 : "r"(number), "r"(second), "r"(third), "r"(fourth),
			   "r"(fifth)
			 : "memory");
	return first;
}

#else

long bow_kernel_call(long nr, long a, long b, long c, long d, long e)
{
	(void)nr;
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	(void)e;
	return -ENOSYS;
}

#endif

/*
 * Where a long has 32 bits these are no calls of longs, and on some machines they
 * have other names: a C library knows, and klibc has neither.
 */
#if !defined(__KLIBC__)

static void ahead(int fd, u64 offset, size_t bytes)
{
	(void)readahead(fd, (off_t)offset, bytes);
}

static void drop(int fd, u64 offset, size_t bytes)
{
	(void)posix_fadvise(fd, (off_t)offset, (off_t)bytes,
			    POSIX_FADV_DONTNEED);
}

#elif defined(__x86_64__) || defined(__aarch64__)

#define FADV_DONTNEED 4		/* klibc does not name it */

static void ahead(int fd, u64 offset, size_t bytes)
{
	(void)bow_kernel_call(__NR_readahead, fd, (long)offset, (long)bytes, 0,
			      0);
}

static void drop(int fd, u64 offset, size_t bytes)
{
	(void)bow_kernel_call(__NR_fadvise64, fd, (long)offset, (long)bytes,
			      FADV_DONTNEED, 0);
}

#else

/* Hints: it is slower without them. */
static void ahead(int fd, u64 offset, size_t bytes)
{
	(void)fd;
	(void)offset;
	(void)bytes;
}

static void drop(int fd, u64 offset, size_t bytes)
{
	ahead(fd, offset, bytes);
}

#endif

/*
 * Of a request longer than the device's read_ahead_kb and its largest request
 * the kernel fetches only the beginning; 128 KiB is the least that is usual.
 */
#define AHEAD_PIECE (128u << 10)

void bow_kernel_ahead(int fd, u64 offset, size_t bytes)
{
	while (bytes) {
		size_t n = bytes < AHEAD_PIECE ? bytes : AHEAD_PIECE;

		ahead(fd, offset, n);
		offset += n;
		bytes -= n;
	}
}

void bow_kernel_drop(int fd, u64 offset, size_t bytes)
{
	drop(fd, offset, bytes);
}
