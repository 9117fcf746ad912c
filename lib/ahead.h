/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ahead.h - telling the kernel what will be read, so that many reads are in
 * flight without a thread for each
 */
#ifndef BOW_AHEAD_H
#define BOW_AHEAD_H

#include "bow_shim.h"

#ifndef __KLIBC__

#include <fcntl.h>

static inline void bow_kernel_ahead(int fd, u64 offset, size_t bytes)
{
	(void)readahead(fd, (off_t)offset, bytes);
}

#elif defined(__x86_64__)

#include <asm/unistd.h>

/* klibc has neither readahead() nor syscall(). */
static inline void bow_kernel_ahead(int fd, u64 offset, size_t bytes)
{
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(__NR_readahead), "D"((long)fd), "S"(offset),
			   "d"(bytes)
			 : "rcx", "r11", "memory");
	(void)r;
}

#elif defined(__aarch64__)

#include <asm/unistd.h>

static inline void bow_kernel_ahead(int fd, u64 offset, size_t bytes)
{
	register long number __asm__("x8") = __NR_readahead;
	register long first __asm__("x0") = fd;
	register u64 second __asm__("x1") = offset;
	register size_t third __asm__("x2") = bytes;

	__asm__ volatile("svc #0"
			 : "+r"(first)
			 : "r"(number), "r"(second), "r"(third)
			 : "memory");
}

#else

/* Only a hint. */
static inline void bow_kernel_ahead(int fd, u64 offset, size_t bytes)
{
	(void)fd;
	(void)offset;
	(void)bytes;
}

#endif

#endif /* BOW_AHEAD_H */
