// SPDX-License-Identifier: GPL-2.0
/*
 * seeds.c - inputs to begin with: the logs of the fault campaign, packed
 *
 *   seeds DIRECTORY COUNT
 */
#include <stdio.h>

#include "../faults/faults.h"
#include "fuzz.h"

static bool zeros(const u8 *p)
{
	u32 i;

	for (i = 0; i < BOW_SECTOR_SIZE; i++)
		if (p[i])
			return false;
	return true;
}

static u64 get64(const u8 *p)
{
	return bow_get_le32(p) | (u64)bow_get_le32(p + 4) << 32;
}

/*
 * Which sectors a reader may look at: block 0, and in all that look like log
 * blocks the places that are named.  A sector too many does no harm.
 */
static void mark(const struct sample *s, u8 *wanted)
{
	u32 spb = s->bs / BOW_SECTOR_SIZE, b, at, i;
	u32 blocks = s->bytes / s->bs;

	memset(wanted, 1, spb);
	for (b = 0; b < blocks; b++) {
		const u8 *p = s->image + (size_t)b * s->bs;

		if (bow_get_le32(p) != BOW_MAGIC_LOG &&
		    bow_get_le32(p) != BOW_MAGIC_RESTORING &&
		    bow_get_le32(p) != BOW_MAGIC_FINISHING)
			continue;
		memset(wanted + b * spb, 1, spb);
		/* Any aligned number that is a place of the device. */
		for (at = 0; at + 8 <= s->bs; at += 4) {
			u64 place = get64(p + at);

			for (i = 0; place && place < blocks * spb && i < spb;
			     i++)
				wanted[place / spb * spb + i] = 1;
		}
	}
}

static void write_seed(const struct sample *s, const char *path)
{
	static u8 wanted[DISK_SECTORS];
	FILE *f = fopen(path, "wb");
	u16 sectors = (u16)(s->bytes / BOW_SECTOR_SIZE), i;

	memset(wanted, 0, sizeof(wanted));
	mark(s, wanted);
	if (!f || fwrite(&sectors, sizeof(sectors), 1, f) != 1)
		exit(1);
	for (i = 0; i < sectors; i++) {
		const u8 *p = s->image + (size_t)i * BOW_SECTOR_SIZE;

		if (!wanted[i] || (i && zeros(p)))
			continue;
		if (fwrite(&i, sizeof(i), 1, f) != 1 ||
		    fwrite(p, BOW_SECTOR_SIZE, 1, f) != 1)
			exit(1);
	}
	if (fclose(f))
		exit(1);
}

int main(int argc, char **argv)
{
	u32 n, count = argc == 3 ? (u32)strtoul(argv[2], NULL, 0) : 0;
	char path[4096];
	struct sample s;

	if (!count)
		return 16;
	for (n = 0; n < count; n++) {
		sample_make_small(&s, n);
		snprintf(path, sizeof(path), "%s/%04u", argv[1], n);
		write_seed(&s, path);
		sample_free(&s);
	}
	return 0;
}
