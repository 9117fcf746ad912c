// SPDX-License-Identifier: GPL-2.0
/*
 * bytes.c - mklog: random numbers, checksums, memory
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("mklog: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void *allocate(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		die("out of memory");
	return p;
}

/* splitmix64: any seed, 0 included, gives a usable sequence. */
uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t rnd_below(struct model *m, uint32_t limit)
{
	return (uint32_t)(rnd(&m->rng) % limit);
}

/* `bytes`, a multiple of 8, from `seed`; seed 0 stands for zeros. */
void fill(uint8_t *p, size_t bytes, uint64_t seed)
{
	uint64_t state = seed;
	size_t i;

	if (!seed) {
		memset(p, 0, bytes);
		return;
	}
	for (i = 0; i < bytes; i += 8) {
		uint64_t word = htole64(rnd(&state));

		memcpy(p + i, &word, 8);
	}
}

static uint32_t crc_reflected(uint32_t poly, uint32_t crc, const uint8_t *p,
			      size_t bytes)
{
	uint32_t table[256];
	uint32_t i, bit;

	for (i = 0; i < 256; i++) {
		table[i] = i;
		for (bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? poly : 0);
	}
	while (bytes--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return crc;
}

/* Neither inverted before nor after, as the log wants it. */
uint32_t crc32_raw(uint32_t seed, const void *data, size_t bytes)
{
	return crc_reflected(0xedb88320u, seed, data, bytes);
}

/* ext4's checksum of its superblock. */
uint32_t crc32c_raw(uint32_t seed, const void *data, size_t bytes)
{
	return crc_reflected(0x82f63b78u, seed, data, bytes);
}
