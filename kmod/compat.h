/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - differences between kernel versions; the rest of the module is
 * written for the newest kernel in the range that dkms.conf states.
 */
#ifndef BOW_COMPAT_H
#define BOW_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "dm-bow needs Linux 6.1 or later"
#endif

#endif /* BOW_COMPAT_H */
