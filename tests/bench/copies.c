// SPDX-License-Identifier: GPL-2.0
/*
 * copies.c - reading and sorting a list of copies
 */
#include <stdio.h>
#include <stdlib.h>

#include "copies.h"

void copies_die(const char *what)
{
	perror(what);
	exit(1);
}

int copies_by_place(const void *a, const void *b)
{
	const struct copy_line *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

int copies_by_target(const void *a, const void *b)
{
	const struct copy_line *x = a, *y = b;

	return x->target < y->target ? -1 : x->target > y->target;
}

struct copy_line *copies_load(const char *path, size_t *lines)
{
	FILE *f = fopen(path, "rb");
	struct copy_line *line;
	long size = -1;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0)
		copies_die(path);
	rewind(f);
	*lines = (size_t)size / sizeof(*line);
	line = malloc(*lines ? (size_t)size : 1);
	if (!line || fread(line, sizeof(*line), *lines, f) != *lines)
		copies_die(path);
	fclose(f);
	return line;
}
