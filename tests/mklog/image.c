// SPDX-License-Identifier: GPL-2.0
/*
 * image.c - mklog: the files it reads and writes, and the masked comparison
 *
 * A free list is text, a line a range: first sector, number of sectors.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "model.h"

static int image_open(const char *path, int flags, size_t *bytes)
{
	int fd = open(path, flags);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size < 0)
		die("%s: %s", path, strerror(errno));
	*bytes = (size_t)size;
	return fd;
}

static void image_get(int fd, const char *path, uint8_t *data, size_t bytes,
		      uint64_t at)
{
	while (bytes) {
		ssize_t n = pread(fd, data, bytes, (off_t)at);

		if (n <= 0)
			die("%s: short read", path);
		data += n;
		at += (size_t)n;
		bytes -= (size_t)n;
	}
}

uint8_t *image_read(const char *path, size_t *bytes)
{
	int fd = image_open(path, O_RDONLY, bytes);
	uint8_t *data = allocate(*bytes);

	image_get(fd, path, data, *bytes, 0);
	close(fd);
	return data;
}

/* What is written there is in the file. */
uint8_t *image_map(const char *path, size_t *bytes)
{
	int fd = image_open(path, O_RDWR, bytes);
	uint8_t *data = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			     fd, 0);

	if (data == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	return data;
}

static FILE *output(struct model *m, const char *suffix)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s.%s", m->o.prefix, suffix);
	FILE *f;

	if (n < 0 || (size_t)n >= sizeof(path))
		die("%s: name too long", m->o.prefix);
	f = fopen(path, "wb");
	if (!f)
		die("%s: %s", path, strerror(errno));
	return f;
}

static void output_end(struct model *m, const char *suffix, FILE *f)
{
	if (fclose(f))
		die("%s.%s: %s", m->o.prefix, suffix, strerror(errno));
}

/* The first `bytes` bytes of the model, each piece where the device has it. */
static void output_image(struct model *m, const char *suffix,
			 const uint8_t *data, size_t bytes)
{
	FILE *f = output(m, suffix);
	uint32_t i;

	for (i = 0; i < m->pieces && bytes; i++) {
		size_t n = (size_t)m->piece[i].blocks * m->bs;

		/* A damaged image may be shorter. */
		n = n < bytes ? n : bytes;
		if (fseeko(f, (off_t)(m->piece[i].at * m->bs), SEEK_SET) ||
		    fwrite(data, 1, n, f) != n)
			die("%s.%s: %s", m->o.prefix, suffix, strerror(errno));
		data += n;
		bytes -= n;
	}
	output_end(m, suffix, f);
}

static void output_free_list(struct model *m)
{
	FILE *f = output(m, "free");
	uint32_t b, end, left;

	for (b = 0; b < m->nb; b = end + !!left) {
		left = piece_left(m, b);
		for (end = b; left && m->was_free[end]; end++)
			left--;
		if (end > b)
			fprintf(f, "%" PRIu64 " %" PRIu64 "\n",
				device_sector(m, b),
				(uint64_t)(end - b) * m->spb);
	}
	output_end(m, "free", f);
}

static void output_states(struct model *m)
{
	FILE *f = output(m, "states");

	freemap_states(m, f);
	output_end(m, "states", f);
}

void image_outputs(struct model *m, size_t bow_bytes)
{
	output_image(m, "bow.img", m->img, bow_bytes);
	output_image(m, "orig.img", m->orig, (size_t)m->o.bytes);
	output_image(m, "live.img", m->live_img, (size_t)m->o.bytes);
	output_free_list(m);
	if (m->o.map)
		output_states(m);
}

/* ---- free lists ---- */

struct ranges {
	uint64_t (*range)[2];	/* start, end; sectors */
	size_t count;
	size_t at;		/* the one that was asked for last */
};

static struct ranges ranges_read(const char *path)
{
	FILE *f = fopen(path, "r");
	struct ranges r = { 0 };
	uint64_t start, sectors;

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fscanf(f, "%" SCNu64 " %" SCNu64, &start, &sectors) == 2) {
		/* Room for twice as many, whenever that is a power of two. */
		if (!(r.count & (r.count - 1)))
			r.range = realloc(r.range, (2 * r.count + 1) *
							   sizeof(*r.range));
		if (!r.range)
			die("out of memory");
		r.range[r.count][0] = start;
		r.range[r.count++][1] = start + sectors;
	}
	if (!feof(f))
		die("%s: not a list of ranges", path);
	fclose(f);
	return r;
}

/* Ranges are rounded inwards to blocks; block 0 is never free. */
void free_list_read(const char *path, uint32_t spb, uint8_t *is_free,
		    uint32_t nb)
{
	struct ranges r = ranges_read(path);
	uint64_t b;
	size_t i;

	for (i = 0; i < r.count; i++) {
		b = r.range[i][0] / spb + (r.range[i][0] % spb != 0);
		for (; b < nb && (b + 1) * spb <= r.range[i][1]; b++)
			is_free[b] = b != 0;
	}
	free(r.range);
}

/* ---- comparison ---- */

/* Sector 0 is in none. */
static bool is_in(struct ranges *r, uint64_t sector)
{
	size_t i;

	for (i = 0; sector && i < r->count; i++, r->at = (r->at + 1) % r->count)
		if (sector >= r->range[r->at][0] && sector < r->range[r->at][1])
			return true;
	return false;
}

/* Where there is something at or above `at`, as far as the file says. */
static size_t next_data(int fd, size_t at, size_t end)
{
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? end : at;
	return (size_t)data < end ? (size_t)data : end;
}

/*
 * 0 if equal in every sector that is not free, else 1 and the first one.  The
 * images may be larger than the memory, and than any disk: holes are not read.
 */
int image_compare(const char *a, const char *b, const char *free_list)
{
	static uint8_t x[1u << 16], y[1u << 16];
	struct ranges is_free = ranges_read(free_list);
	size_t bytes_a, bytes_b, at = 0, n, i, differ = 0, first = 0;
	int f = image_open(a, O_RDONLY, &bytes_a);
	int g = image_open(b, O_RDONLY, &bytes_b);

	if (bytes_a != bytes_b) {
		printf("%s has %zu bytes, %s %zu\n", a, bytes_a, b, bytes_b);
		return 1;
	}
	bytes_a -= bytes_a % BOW_SECTOR_SIZE;
	for (; at < bytes_a; at += n) {
		size_t data_a = next_data(f, at, bytes_a);
		size_t data_b = next_data(g, at, bytes_a);

		at = data_a < data_b ? data_a : data_b;
		at -= at % BOW_SECTOR_SIZE;
		n = sizeof(x) < bytes_a - at ? sizeof(x) : bytes_a - at;
		image_get(f, a, x, n, at);
		image_get(g, b, y, n, at);
		for (i = 0; i < n; i += BOW_SECTOR_SIZE) {
			if (!memcmp(x + i, y + i, BOW_SECTOR_SIZE) ||
			    is_in(&is_free, (at + i) / BOW_SECTOR_SIZE))
				continue;
			if (!differ++)
				first = (at + i) / BOW_SECTOR_SIZE;
		}
	}
	if (differ)
		printf("%zu of %zu sectors differ, the first is %zu\n", differ,
		       bytes_a / BOW_SECTOR_SIZE, first);
	close(f);
	close(g);
	free(is_free.range);
	return differ != 0;
}
