/* SPDX-License-Identifier: GPL-2.0 */
/*
 * crc32.h - the ways to compute the raw CRC-32, and which this machine has
 */
#ifndef BOW_CRC32_H
#define BOW_CRC32_H

#include "bow_shim.h"

typedef u32 (*bow_crc32_way)(u32 seed, const void *data, size_t bytes);

/* Eight bytes a step from tables: everywhere. */
u32 bow_crc32_tables(u32 seed, const void *data, size_t bytes);

/* The machine's own way, or NULL; crc32-x86.c and crc32-arm.c. */
bow_crc32_way bow_crc32_machine(void);

#if defined(__x86_64__) || defined(__aarch64__)
#define BOW_CRC32_MACHINE 1
#else
#define BOW_CRC32_MACHINE 0
#endif

#endif /* BOW_CRC32_H */
