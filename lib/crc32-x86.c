// SPDX-License-Identifier: GPL-2.0
/*
 * crc32-x86.c - raw CRC-32 by carry-less multiplication
 *
 * The message is a polynomial over GF(2).  A part of it that n more bits follow
 * may be replaced by itself times (x^n mod P): the remainder is the same.  So
 * sixteen bytes are folded onto those 64 bytes further on, four lanes at a time,
 * until one lane is left; the tables do the rest.
 */
#include "crc32.h"

#if defined(__x86_64__)

#include <cpuid.h>

typedef long long v128 __attribute__((vector_size(16)));
/* As it lies in memory: anywhere, and of any type. */
typedef v128 unaligned __attribute__((aligned(1), may_alias));

/* No headers of intrinsics: they want more of a libc than klibc is. */
#define WITH_CLMUL __attribute__((target("sse2,pclmul")))

#define LANES 4u
#define LANE 16u
#define STEP (LANES * LANE)

/*
 * x^(d+32) mod P for the low half of a lane and x^(d-32) for the high one,
 * both reflected and one bit up, where a lane moves on by d bits.
 */
static const v128 by_step = { 0x154442bd4, 0x1c6e41596 };	/* d = 512 */
static const v128 by_lane = { 0x1751997d0, 0x0ccaa009e };	/* d = 128 */

static inline WITH_CLMUL v128 fold(v128 lane, v128 by, v128 onto)
{
	return __builtin_ia32_pclmulqdq128(lane, by, 0x00) ^
	       __builtin_ia32_pclmulqdq128(lane, by, 0x11) ^ onto;
}

static inline WITH_CLMUL v128 load(const u8 *p)
{
	return *(const unaligned *)p;
}

static WITH_CLMUL u32 by_folding(u32 seed, const void *data, size_t bytes)
{
	const u8 *p = data;
	v128 a, b, c, d;
	u8 rest[LANE];

	if (bytes < 2 * STEP)
		return bow_crc32_tables(seed, data, bytes);
	/* The register is added to the first bytes of the message. */
	a = load(p) ^ (v128){ seed, 0 };
	b = load(p + LANE);
	c = load(p + 2 * LANE);
	d = load(p + 3 * LANE);
	for (p += STEP, bytes -= STEP; bytes >= STEP; bytes -= STEP) {
		a = fold(a, by_step, load(p));
		b = fold(b, by_step, load(p + LANE));
		c = fold(c, by_step, load(p + 2 * LANE));
		d = fold(d, by_step, load(p + 3 * LANE));
		p += STEP;
	}
	a = fold(fold(fold(a, by_lane, b), by_lane, c), by_lane, d);
	*(unaligned *)rest = a;
	return bow_crc32_tables(bow_crc32_tables(0, rest, LANE), p, bytes);
}

bow_crc32_way bow_crc32_machine(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_PCLMUL))
		return NULL;
	return by_folding;
}

#endif
