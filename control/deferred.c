// SPDX-License-Identifier: GPL-2.0
/*
 * deferred.c - what waits for the end of a checkpoint
 *
 * initramfs-hook/grub-install does not install GRUB while there is one, and keeps what
 * the script of a package had asked for.
 */
#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bowctl.h"

bool ctl_deferred(const struct ctl_place *p, char *command, size_t size)
{
	ssize_t got = -1;
	char *c;
	int fd;

	if (p->mount_fd < 0)
		return false;
	fd = openat(p->mount_fd, "boot/grub/grub-install.deferred",
		    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		got = read(fd, command, size - 1);
		close(fd);
	}
	if (got <= 0)
		return false;
	command[got] = '\0';
	/* A line that the script would not write is told to nobody's terminal. */
	c = strchr(command, '\n');
	if (!c)
		return false;
	*c = '\0';
	for (c = command; *c; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	return c != command;
}
