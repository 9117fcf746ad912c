/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_shim.h - what the pure core needs from its surroundings
 *
 * The pure files (bow_*.c of kmod/) do no I/O and take no locks.
 * They compile into the module, into libbow (hosted and klibc) and into the
 * tests; this header is the only place that knows which.
 */
#ifndef BOW_SHIM_H
#define BOW_SHIM_H

#ifdef __KERNEL__

#include <linux/types.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/crc32.h>
#include <asm/byteorder.h>

/* Zeroed memory of `bytes` bytes, or NULL.  The caller set the GFP scope. */
static inline void *bow_alloc(size_t bytes)
{
	return kvzalloc(bytes, GFP_KERNEL);
}

/* Without RETRY_MAYFAIL a page is waited for for ever, and -ENOMEM never comes. */
#define BOW_GFP_WAIT (GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* One zeroed plane of a leaf, 4096 bytes; sleeps for memory only with @wait. */
static inline void *bow_alloc_plane(bool wait)
{
	return kzalloc(4096, wait ? BOW_GFP_WAIT : GFP_NOWAIT | __GFP_NOWARN);
}

static inline void bow_free(void *p)
{
	kvfree(p);
}

/* How many bits of a word are set. */
static inline u32 bow_weight(u64 word)
{
	return hweight64(word);
}

/* The number of the highest bit that is set, the lowest being 1; 0: none is. */
static inline u32 bow_fls(u64 word)
{
	return (u32)fls64(word);
}

/* A 32-bit kernel has no u64 / u32 of the compiler's. */
static inline u64 bow_div_u64(u64 n, u32 by)
{
	return div_u64(n, by);
}

/* Raw CRC-32 (0xEDB88320, reflected), no pre- or post-inversion. */
static inline u32 bow_crc32(u32 seed, const void *data, size_t bytes)
{
	return crc32_le(seed, data, bytes);
}

#else /* user space: glibc or klibc */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* klibc's endian.h has no htole32(); the compiler knows the byte order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BOW_SWAP(bits, x) ((u##bits)(x))
#else
#define BOW_SWAP(bits, x) __builtin_bswap##bits((u##bits)(x))
#endif
#define cpu_to_le16(x) ((__le16)BOW_SWAP(16, x))
#define cpu_to_le32(x) ((__le32)BOW_SWAP(32, x))
#define cpu_to_le64(x) ((__le64)BOW_SWAP(64, x))
#define le16_to_cpu(x) BOW_SWAP(16, x)
#define le32_to_cpu(x) BOW_SWAP(32, x)
#define le64_to_cpu(x) BOW_SWAP(64, x)

static inline void *bow_alloc(size_t bytes)
{
	return calloc(1, bytes);
}

static inline void *bow_alloc_plane(bool wait)
{
	(void)wait;
	return calloc(1, 4096);
}

static inline void bow_free(void *p)
{
	free(p);
}

static inline u32 bow_weight(u64 word)
{
	return (u32)__builtin_popcountll(word);
}

static inline u32 bow_fls(u64 word)
{
	return word ? 64 - (u32)__builtin_clzll(word) : 0;
}

static inline u64 bow_div_u64(u64 n, u32 by)
{
	return n / by;
}

/* lib/crc32.c: raw CRC-32 (0xEDB88320, reflected), no inversion. */
u32 bow_crc32(u32 seed, const void *data, size_t bytes);

#endif /* __KERNEL__ */

/* Unaligned little-endian fields inside foreign structures. */
static inline u32 bow_get_le32(const u8 *p)
{
	return (u32)p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static inline void bow_put_le32(u8 *p, u32 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
	p[2] = (u8)(v >> 16);
	p[3] = (u8)(v >> 24);
}

#endif /* BOW_SHIM_H */
