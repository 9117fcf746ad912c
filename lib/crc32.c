// SPDX-License-Identifier: GPL-2.0
/*
 * crc32.c - raw CRC-32: from tables, or as the machine does it fastest
 */
#include "crc32.h"

/*
 * The tables are linear in the index: each entry is the sum (xor) of the
 * entries of its bits, so eight constants make a table of 256.  Table k is the
 * effect of a byte that k more bytes follow.
 */
#define T1(x, a) (x), (x) ^ (a)
#define T2(x, a, b) T1(x, a), T1((x) ^ (b), a)
#define T3(x, a, b, c) T2(x, a, b), T2((x) ^ (c), a, b)
#define T4(x, a, b, c, d) T3(x, a, b, c), T3((x) ^ (d), a, b, c)
#define T5(x, a, b, c, d, e) T4(x, a, b, c, d), T4((x) ^ (e), a, b, c, d)
#define T6(x, a, b, c, d, e, f) \
	T5(x, a, b, c, d, e), T5((x) ^ (f), a, b, c, d, e)
#define T7(x, a, b, c, d, e, f, g) \
	T6(x, a, b, c, d, e, f), T6((x) ^ (g), a, b, c, d, e, f)
#define TABLE(a, b, c, d, e, f, g, h)                \
	{                                            \
		T7(0u, a, b, c, d, e, f, g),         \
		T7(0u ^ (h), a, b, c, d, e, f, g)    \
	}

static const u32 table[8][256] = {
	TABLE(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
	      0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320),
	TABLE(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08,
	      0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b),
	TABLE(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8,
	      0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80),
	TABLE(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef,
	      0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b),
	TABLE(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1,
	      0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092),
	TABLE(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d,
	      0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8),
	TABLE(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67,
	      0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2),
	TABLE(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5,
	      0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da),
};

static u32 byte_step(u32 crc, u8 byte)
{
	return crc >> 8 ^ table[0][(crc ^ byte) & 0xff];
}

u32 bow_crc32_tables(u32 seed, const void *data, size_t bytes)
{
	const u8 *p = data;
	u32 crc = seed;

	for (; bytes >= 8; p += 8, bytes -= 8) {
		u32 low = crc ^ bow_get_le32(p);
		u32 high = bow_get_le32(p + 4);

		crc = table[7][low & 0xff] ^ table[6][low >> 8 & 0xff] ^
		      table[5][low >> 16 & 0xff] ^ table[4][low >> 24] ^
		      table[3][high & 0xff] ^ table[2][high >> 8 & 0xff] ^
		      table[1][high >> 16 & 0xff] ^ table[0][high >> 24];
	}
	while (bytes--)
		crc = byte_step(crc, *p++);
	return crc;
}

#if !BOW_CRC32_MACHINE
bow_crc32_way bow_crc32_machine(void)
{
	return NULL;
}
#endif

u32 bow_crc32(u32 seed, const void *data, size_t bytes)
{
	/* Asked once: under a hypervisor the question is a slow one. */
	static bow_crc32_way way;

	if (!way)
		way = bow_crc32_machine();
	if (!way)
		way = bow_crc32_tables;
	return way(seed, data, bytes);
}
