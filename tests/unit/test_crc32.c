// SPDX-License-Identifier: GPL-2.0
/*
 * test_crc32.c - the checksum against known values and a bitwise one
 */
#include "../tap.h"
#include "crc32.h"

static u32 bitwise(u32 crc, const u8 *p, size_t bytes)
{
	while (bytes--) {
		int bit;

		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return crc;
}

static void known_values(void)
{
	static const u8 zeros[4096];

	/* The check value of CRC-32 is 0xcbf43926 after inversion. */
	CHECK(bow_crc32(~0u, "123456789", 9) == ~0xcbf43926u);
	CHECK(bow_crc32(0, "123456789", 9) == 0x2dfd2d88u);
	CHECK(bow_crc32(0, zeros, sizeof(zeros)) == 0);
	CHECK(bow_crc32(0x12345678, zeros, 0) == 0x12345678);
}

static void every_length_and_alignment(void)
{
	u8 buf[96];
	size_t start, bytes;

	for (start = 0; start < sizeof(buf); start++)
		buf[start] = (u8)(start * 37 + 11);
	for (start = 0; start < 9; start++)
		for (bytes = 0; bytes <= sizeof(buf) - start; bytes++)
			CHECK(bow_crc32(start, buf + start, bytes) ==
			      bitwise((u32)start, buf + start, bytes));
}

static void in_pieces(void)
{
	u8 buf[64];
	size_t cut;

	for (cut = 0; cut < sizeof(buf); cut++)
		buf[cut] = (u8)(cut * cut);
	for (cut = 0; cut <= sizeof(buf); cut++)
		CHECK(bow_crc32(bow_crc32(7, buf, cut), buf + cut,
				sizeof(buf) - cut) ==
		      bow_crc32(7, buf, sizeof(buf)));
}

/* Long enough for every loop of the machine's way, which may be missing. */
static void machine_as_tables(void)
{
	static u8 buf[5000];
	bow_crc32_way machine = bow_crc32_machine();
	size_t start, bytes;
	u32 state = 1;

	for (bytes = 0; bytes < sizeof(buf); bytes++) {
		state = state * 1664525u + 1013904223u;
		buf[bytes] = (u8)(state >> 24);
	}
	for (start = 0; machine && start < 17; start++)
		for (bytes = 0; bytes < 700; bytes++)
			CHECK(machine(state + (u32)bytes, buf + start, bytes) ==
			      bow_crc32_tables(state + (u32)bytes, buf + start,
					       bytes));
	for (bytes = 700; machine && bytes < sizeof(buf) - 3; bytes += 61)
		CHECK(machine(~0u, buf + 3, bytes) ==
		      bitwise(~0u, buf + 3, bytes));
	for (bytes = 0; bytes < sizeof(buf); bytes += 61)
		CHECK(bow_crc32_tables(5, buf, bytes) ==
		      bitwise(5, buf, bytes));
	printf("# this machine has %s way of its own\n", machine ? "a" : "no");
}

int main(void)
{
	RUN(known_values, "crc32: known values");
	RUN(every_length_and_alignment,
	    "crc32: every length and alignment as bit by bit");
	RUN(in_pieces, "crc32: in two pieces as in one");
	RUN(machine_as_tables,
	    "crc32: the machine's way gives what the tables give");
	return tap_done();
}
