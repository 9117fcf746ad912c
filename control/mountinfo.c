// SPDX-License-Identifier: GPL-2.0
/*
 * mountinfo.c - lines of /proc/self/mountinfo and /proc/swaps, see proc(5)
 *
 *   36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
 *   /swapfile                               file    2097148  0  -2
 */
#include <stdio.h>
#include <string.h>

#include "bowctl.h"

static bool octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Blanks and backslashes are written as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && octal(text[1]) && octal(text[2]) &&
		    octal(text[3])) {
			*to++ = (char)((text[1] - '0') << 6 |
				       (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

int ctl_mountinfo_parse(struct ctl_mount *m, const char *line)
{
	const char *type;
	int root = 0;

	if (sscanf(line, "%*u %*u %u:%u %n%*s %4095s", &m->major, &m->minor,
		   &root, m->path) != 3)
		return -EINVAL;
	m->whole = strncmp(line + root, "/ ", 2) == 0;
	/* A blank within a field is escaped, so this is the separator. */
	type = strstr(line, " - ");
	if (!type || sscanf(type, " - %31s", m->type) != 1)
		return -EINVAL;
	unescape(m->path);
	return 0;
}

int ctl_swap_parse(char path[4096], const char *line)
{
	char type[16];

	if (sscanf(line, "%4095s %15s", path, type) != 2 ||
	    strcmp(type, "file") != 0)
		return -EINVAL;
	unescape(path);
	return 0;
}
