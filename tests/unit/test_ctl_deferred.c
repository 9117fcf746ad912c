// SPDX-License-Identifier: GPL-2.0
/*
 * test_ctl_deferred.c - bowctl: what waits for the end of a checkpoint
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tap.h"
#include "../../control/bowctl.h"

#define NAME "boot/grub/grub-install.deferred"

static char dir[] = "/tmp/test_ctl_deferred.XXXXXX";
static struct ctl_place place;

/* Is it told, where the file has this text? */
static bool told(const char *text, char *command, size_t size)
{
	int fd = openat(place.mount_fd, NAME, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
	return ctl_deferred(&place, command, size);
}

static void test_a_line(void)
{
	char command[64];

	CHECK(!ctl_deferred(&place, command, sizeof(command)));
	CHECK(told("grub-install '--target=a b' /dev/sda\n", command,
		   sizeof(command)));
	CHECK(strcmp(command, "grub-install '--target=a b' /dev/sda") == 0);
	/* Later lines are none of it. */
	CHECK(told("grub-install\nx\033\n", command, sizeof(command)));
	CHECK(strcmp(command, "grub-install") == 0);
}

static void test_odd_files(void)
{
	char command[16];

	CHECK(!told("", command, sizeof(command)));
	CHECK(!told("\n", command, sizeof(command)));
	CHECK(!told("no newline", command, sizeof(command)));
	CHECK(!told("longer than there is room for\n", command, sizeof(command)));
	CHECK(!told("grub\033[2J\n", command, sizeof(command)));
	CHECK(told("12345678901234\n", command, sizeof(command)));
	/* Neither a directory, nor what is waited for. */
	CHECK(unlinkat(place.mount_fd, NAME, 0) == 0);
	CHECK(mkdirat(place.mount_fd, NAME, 0700) == 0);
	CHECK(!ctl_deferred(&place, command, sizeof(command)));
	CHECK(unlinkat(place.mount_fd, NAME, AT_REMOVEDIR) == 0);
	CHECK(mkfifoat(place.mount_fd, NAME, 0600) == 0);
	CHECK(!ctl_deferred(&place, command, sizeof(command)));
	CHECK(unlinkat(place.mount_fd, NAME, 0) == 0);
}

static void test_not_mounted(void)
{
	struct ctl_place none = { .mount_fd = -1 };
	char command[16];

	CHECK(!ctl_deferred(&none, command, sizeof(command)));
}

int main(void)
{
	if (!mkdtemp(dir))
		abort();
	place.mount_fd = open(dir, O_RDONLY | O_DIRECTORY);
	if (place.mount_fd < 0 || mkdirat(place.mount_fd, "boot", 0700) ||
	    mkdirat(place.mount_fd, "boot/grub", 0700))
		abort();
	RUN(test_a_line, "deferred: a command");
	RUN(test_odd_files, "deferred: what the script does not write is not told");
	RUN(test_not_mounted, "deferred: of what is not mounted nothing is known");
	unlinkat(place.mount_fd, "boot/grub", AT_REMOVEDIR);
	unlinkat(place.mount_fd, "boot", AT_REMOVEDIR);
	close(place.mount_fd);
	rmdir(dir);
	return tap_done();
}
