// SPDX-License-Identifier: GPL-2.0
/*
 * image.c - mklog: the files it reads and writes, and the masked comparison
 *
 * A free list is text, a line a range: first sector, number of sectors.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "model.h"

static FILE *image_open(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0)
		die("%s: %s", path, strerror(errno));
	rewind(f);
	*bytes = (size_t)size;
	return f;
}

static void image_get(FILE *f, const char *path, uint8_t *data, size_t bytes)
{
	if (fread(data, 1, bytes, f) != bytes)
		die("%s: short read", path);
}

uint8_t *image_read(const char *path, size_t *bytes)
{
	FILE *f = image_open(path, bytes);
	uint8_t *data = allocate(*bytes);

	image_get(f, path, data, *bytes);
	fclose(f);
	return data;
}

void image_write(const char *path, const uint8_t *data, size_t bytes)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f))
		die("%s: %s", path, strerror(errno));
}

static void output(struct model *m, const char *suffix, const uint8_t *data,
		   size_t bytes)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s.%s", m->o.prefix, suffix);

	if (n < 0 || (size_t)n >= sizeof(path))
		die("%s: name too long", m->o.prefix);
	image_write(path, data, bytes);
}

static void output_free_list(struct model *m)
{
	char *text = allocate((size_t)m->nb * 48);
	size_t used = 0;
	uint32_t b, end;

	for (b = 0; b < m->nb; b = end + 1) {
		for (end = b; end < m->nb && m->was_free[end]; end++)
			;
		if (end > b)
			used += (size_t)sprintf(text + used,
						"%" PRIu64 " %" PRIu64 "\n",
						(uint64_t)b * m->spb,
						(uint64_t)(end - b) * m->spb);
	}
	output(m, "free", (const uint8_t *)text, used);
	free(text);
}

static void output_states(struct model *m)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s.states", m->o.prefix);
	FILE *f;

	if (n < 0 || (size_t)n >= sizeof(path))
		die("%s: name too long", m->o.prefix);
	f = fopen(path, "w");
	if (!f)
		die("%s: %s", path, strerror(errno));
	freemap_states(m, f);
	if (fclose(f))
		die("%s: %s", path, strerror(errno));
}

void image_outputs(struct model *m, size_t bow_bytes)
{
	output(m, "bow.img", m->img, bow_bytes);
	output(m, "orig.img", m->orig, (size_t)m->o.bytes);
	output(m, "live.img", m->live_img, (size_t)m->o.bytes);
	output_free_list(m);
	if (m->o.map)
		output_states(m);
}

/* Ranges are rounded inwards to blocks; block 0 is never free. */
void free_list_read(const char *path, uint32_t spb, uint8_t *is_free,
		    uint32_t nb)
{
	FILE *f = fopen(path, "r");
	uint64_t start, sectors, b;

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, "%" SCNu64 " %" SCNu64, &start, &sectors) == 2) {
		b = start / spb + (start % spb != 0);
		for (; b < nb && (b + 1) * spb <= start + sectors; b++)
			is_free[b] = b != 0;
	}
	if (!feof(f))
		die("%s: not a list of ranges", path);
	fclose(f);
}

/*
 * 0 if equal in every sector that is not free, else 1 and the first one.  The
 * images may be larger than the memory.
 */
int image_compare(const char *a, const char *b, const char *free_list)
{
	size_t bytes_a, bytes_b, i, sectors, differ = 0, first = 0;
	FILE *f = image_open(a, &bytes_a), *g = image_open(b, &bytes_b);
	uint8_t x[BOW_SECTOR_SIZE], y[BOW_SECTOR_SIZE], *is_free;

	if (bytes_a != bytes_b) {
		printf("%s has %zu bytes, %s %zu\n", a, bytes_a, b, bytes_b);
		return 1;
	}
	sectors = bytes_a / BOW_SECTOR_SIZE;
	is_free = allocate(sectors);
	free_list_read(free_list, 1, is_free, (uint32_t)sectors);
	for (i = 0; i < sectors; i++) {
		image_get(f, a, x, sizeof(x));
		image_get(g, b, y, sizeof(y));
		if (is_free[i] || !memcmp(x, y, sizeof(x)))
			continue;
		if (!differ++)
			first = i;
	}
	if (differ)
		printf("%zu of %zu sectors differ, the first is %zu\n", differ,
		       sectors, first);
	fclose(f);
	fclose(g);
	free(is_free);
	return differ != 0;
}
