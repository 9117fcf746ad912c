// SPDX-License-Identifier: GPL-2.0
/*
 * crc32-arm.c - raw CRC-32 by the instructions of ARMv8
 */
#include "crc32.h"

#if defined(__aarch64__)

#include <sys/auxv.h>

/* Linux, arch/arm64/include/uapi/asm/hwcap.h, and the type in auxvec.h. */
#define CAP_TYPE 16	/* AT_HWCAP */
#define CAP_CRC32 (1ul << 7)

static inline u32 eight(u32 crc, u64 word)
{
	__asm__(".arch_extension crc\n\tcrc32x %w0, %w0, %x1"
		: "+r"(crc) : "r"(word));
	return crc;
}

static inline u32 one(u32 crc, u8 byte)
{
	__asm__(".arch_extension crc\n\tcrc32b %w0, %w0, %w1"
		: "+r"(crc) : "r"(byte));
	return crc;
}

static u32 by_instructions(u32 seed, const void *data, size_t bytes)
{
	const u8 *p = data;
	__le64 word;

	for (; bytes >= sizeof(word); bytes -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		seed = eight(seed, le64_to_cpu(word));
		p += sizeof(word);
	}
	while (bytes--)
		seed = one(seed, *p++);
	return seed;
}

bow_crc32_way bow_crc32_machine(void)
{
	return getauxval(CAP_TYPE) & CAP_CRC32 ? by_instructions : NULL;
}

#endif
