// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.c - e2fsck on the old state
 *
 * It reads an image, not the device: nothing can be changed, and the log may grow
 * meanwhile.
 */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "old.h"

/* Its exit status, or -errno. */
static int run_e2fsck(const char *image)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Not everybody has it in the path. */
		setenv("PATH", "/sbin:/usr/sbin:/bin:/usr/bin", 1);
		execlp("e2fsck", "e2fsck", "-fn", image, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static enum bow_exit judge(struct old *old, int status)
{
	if (status == 127)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  "cannot be run");
	if (status < 0)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  strerror(-status));
	if (status == 0) {
		if (!old->o->quiet)
			printf("%s: e2fsck: the old filesystem is sound\n",
			       old->o->device);
		return BOW_EXIT_OK;
	}
	/* 4: errors that are left, as with -n all are. */
	if (status & ~7)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  "could not check the old filesystem");
	return old_failed(old, BOW_EXIT_DAMAGED, "e2fsck",
			  "the old filesystem is not sound");
}

enum bow_exit old_fsck(struct old *old)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX], image[PATH_MAX + 8];
	enum bow_exit status;
	int n;

	n = snprintf(dir, sizeof(dir), "%s/bow-verify.XXXXXX",
		     tmp && *tmp ? tmp : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(dir) || !mkdtemp(dir))
		return old_failed(old, BOW_EXIT_ERROR, dir, strerror(errno));
	snprintf(image, sizeof(image), "%s/old", dir);
	status = old_export(old, image);
	progress_end(&old->progress);
	if (status == BOW_EXIT_OK)
		status = judge(old, run_e2fsck(image));
	unlink(image);
	rmdir(dir);
	return status;
}
