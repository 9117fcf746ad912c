// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - bowctl files: what a rollback would bring back, change or remove
 *
 * bow-verify tells it, of the device below dm-bow, which takes no part in it.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bowctl.h"

/* The bow-verify that was installed with this program; else one in the path. */
static void find_program(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);
	char *name = NULL;

	if (n > 0) {
		path[n] = '\0';
		name = strrchr(path, '/');
	}
	if (name && (size_t)(name - path) + sizeof("/bow-verify") <= size) {
		strcpy(name, "/bow-verify");
		if (!access(path, X_OK))
			return;
	}
	snprintf(path, size, "bow-verify");
}

static int run(const struct ctl_options *o, const char *device,
	       struct ctl_error *e)
{
	char path[PATH_MAX];
	const char *args[7] = { "bow-verify", "--files" };
	int n = 2;

	if (o->json)
		args[n++] = "--json";
	if (o->quiet)
		args[n++] = "--quiet";
	args[n++] = "--";
	args[n] = device;
	find_program(path, sizeof(path));
	fflush(NULL);
	/* It changes neither the texts nor the array. */
	execvp(path, (char *const *)args);
	return ctl_fail(e, -errno, "bow-verify: %s", strerror(errno));
}

enum bow_exit ctl_files(const struct ctl_options *o, struct ctl_error *e)
{
	struct ctl_place place;
	int err = ctl_place_log(&place, o->place, e);

	/* What is in memory only is to be compared too. */
	if (!err && place.mount_fd >= 0 && syncfs(place.mount_fd))
		err = ctl_fail(e, -errno, "writing out what is in memory: %s",
			       strerror(errno));
	ctl_place_close(&place);
	if (!err)
		err = run(o, place.dm.under, e);
	return ctl_exit(err);
}
