/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kernel-call.h - system calls that klibc does not have
 */
#ifndef BOW_KERNEL_CALL_H
#define BOW_KERNEL_CALL_H

#include "bow_shim.h"

/*
 * Number `nr` of asm/unistd.h: what the kernel returned, or -errno.  -ENOSYS
 * with klibc on machines other than x86-64 and arm64: callers can do without.
 */
long bow_kernel_call(long nr, long a, long b, long c, long d, long e);

/* A hint: these bytes of the file will be read soon. */
void bow_kernel_ahead(int fd, u64 offset, size_t bytes);

/* A hint: these bytes will not be read from the kernel's cache soon. */
void bow_kernel_drop(int fd, u64 offset, size_t bytes);

#endif /* BOW_KERNEL_CALL_H */
