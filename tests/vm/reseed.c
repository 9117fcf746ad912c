// SPDX-License-Identifier: GPL-2.0
/*
 * reseed.c - give the kernel's random numbers a new beginning
 *
 * reseed TEXT: guests that wake from the same memory would all draw the same
 * numbers, for the ids of checkpoints too.
 */
#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open("/dev/urandom", O_WRONLY);
	size_t length;

	if (argc != 2) {
		fputs("usage: reseed TEXT\n", stderr);
		return 16;
	}
	length = strlen(argv[1]);
	if (fd < 0 || write(fd, argv[1], length) != (ssize_t)length ||
	    ioctl(fd, RNDRESEEDCRNG)) {
		perror("reseed");
		return 8;
	}
	return 0;
}
