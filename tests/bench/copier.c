// SPDX-License-Identifier: GPL-2.0
/*
 * copier.c - what a rollback is measured against: a plain copier of large blocks
 *
 *   copier place|target|read|compare IMAGE LIST
 *
 * place: reads the list's places in rising order, a megabyte at a time, and
 * writes each part to its target; target: gathers neighbouring targets, in
 * rising order, into megabytes.  One fsync at the end.  read: reads the places
 * as `place` does and writes nothing.  compare: are all targets as their
 * places?  No checksums, no log, no safety.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copies.h"

#define LARGE (1u << 20)

static uint8_t buf[LARGE], other[LARGE];
static struct copy_line *line;
static size_t lines;
static int fd;

static void get(uint64_t at, void *p, size_t bytes)
{
	if (pread(fd, p, bytes, (off_t)at) != (ssize_t)bytes)
		copies_die("pread");
}

static void put(uint64_t at, const void *p, size_t bytes)
{
	if (pwrite(fd, p, bytes, (off_t)at) != (ssize_t)bytes)
		copies_die("pwrite");
}

/* How many lines from i on lie side by side, at most a buffer of them. */
static size_t neighbours(size_t i, uint64_t *bytes)
{
	size_t n = 1;

	*bytes = line[i].bytes;
	while (i + n < lines && line[i + n].place == line[i].place + *bytes &&
	       *bytes + line[i + n].bytes <= LARGE)
		*bytes += line[i + n++].bytes;
	return n;
}

static void copy_by_place(int write_too)
{
	size_t i, n, k;
	uint64_t bytes, at;

	qsort(line, lines, sizeof(*line), copies_by_place);
	for (i = 0; i < lines; i += n) {
		n = neighbours(i, &bytes);
		get(line[i].place, buf, bytes);
		for (k = 0, at = 0; write_too && k < n; k++) {
			put(line[i + k].target, buf + at, line[i + k].bytes);
			at += line[i + k].bytes;
		}
	}
}

static void copy_by_target(void)
{
	uint64_t start = 0, fill = 0;
	size_t i;

	qsort(line, lines, sizeof(*line), copies_by_target);
	for (i = 0; i < lines; i++) {
		if (fill && (line[i].target != start + fill ||
			     fill + line[i].bytes > LARGE)) {
			put(start, buf, fill);
			fill = 0;
		}
		if (!fill)
			start = line[i].target;
		get(line[i].place, buf + fill, line[i].bytes);
		fill += line[i].bytes;
	}
	if (fill)
		put(start, buf, fill);
}

static int compare(void)
{
	size_t i;

	for (i = 0; i < lines; i++) {
		get(line[i].place, buf, line[i].bytes);
		get(line[i].target, other, line[i].bytes);
		if (memcmp(buf, other, line[i].bytes)) {
			printf("differs at byte %llu\n",
			       (unsigned long long)line[i].target);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 16;
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		copies_die(argv[2]);
	line = copies_load(argv[3], &lines);
	if (!strcmp(argv[1], "compare"))
		return compare();
	if (!strcmp(argv[1], "target"))
		copy_by_target();
	else
		copy_by_place(!strcmp(argv[1], "place"));
	if (strcmp(argv[1], "read") && fsync(fd))
		copies_die("fsync");
	return close(fd) ? 1 : 0;
}
