// SPDX-License-Identifier: GPL-2.0
/*
 * guardian.c - a process that thaws when this one cannot
 *
 * A filesystem stays frozen when the process that froze it dies.  The guardian
 * is forked before the freeze and holds a socket to its parent.  It thaws when
 *
 *   - the socket is closed without a goodbye: the parent died;
 *   - the time limit has passed: it kills the parent first.
 *
 * Then it undoes what the parent may have left half done, and says so.
 *
 * It must not thaw beside a living parent: free ranges that the parent hands
 * to the module after the thaw may be in use by then.
 */
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bowctl.h"

/* The messages, a byte each. */
#define SAY_READY	'r'	/* guardian: in place */
#define SAY_FREEZE	'f'	/* parent: about to freeze */
#define SAY_DONE	'd'	/* parent: not frozen any more */

static bool say(int sock, char what)
{
	ssize_t n;

	do
		n = send(sock, &what, 1, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* The next byte; 0: the other side is gone; -1: nothing within the time. */
static int hear(int sock, int timeout_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char what;
	ssize_t n;
	int ready;

	do
		ready = poll(&p, 1, timeout_ms);
	while (ready < 0 && errno == EINTR);
	if (ready == 0)
		return -1;
	do
		n = recv(sock, &what, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 ? what : 0;
}

static void tell(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(2);
}

/* The parent is gone and the filesystem thawed. */
static void clear_up(const struct ctl_guardian *g, const char *why)
{
	int err = g->undo ? g->undo(g->context) : 0;

	tell("bowctl: ");
	tell(why);
	tell(err ? ": thawed; what has become of the checkpoint tells bowctl status\n" :
		   ": thawed, no checkpoint was taken\n");
}

/* The parent overran: end it, then thaw; again and again until it is gone. */
static void overrun(int sock, int mount_fd, pid_t parent)
{
	do {
		if (getppid() == parent)
			kill(parent, SIGKILL);
		/*
		 * A parent that hangs in the kernel does not go away.  It will
		 * never return from there, so thawing is right even then.
		 */
		if (hear(sock, 1000) == 0)
			break;
		ioctl(mount_fd, FITHAW, 0);
	} while (1);
	ioctl(mount_fd, FITHAW, 0);
}

static void guard(const struct ctl_guardian *g, int sock, int mount_fd,
		  unsigned int limit_ms, pid_t parent)
{
	struct ctl_error unused = { "" };
	sigset_t all;
	int heard;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/*
	 * Not to be killed with the parent: by the name, as its process group, or as
	 * the service that it belongs to.
	 */
	prctl(PR_SET_NAME, "bow-guardian");
	setsid();
	ctl_cgroup_leave();
	if (ctl_resident(&unused) || !say(sock, SAY_READY))
		return;
	if (hear(sock, -1) != SAY_FREEZE)
		return;
	heard = hear(sock, (int)limit_ms);
	if (heard < 0) {
		overrun(sock, mount_fd, parent);
		clear_up(g, "frozen for too long");
	} else if (heard != SAY_DONE) {
		ioctl(mount_fd, FITHAW, 0);
		clear_up(g, "killed");
	}
}

int ctl_guardian_start(struct ctl_guardian *g, int mount_fd,
		       unsigned int limit_ms, struct ctl_error *e)
{
	pid_t parent = getpid();
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return ctl_fail(e, -errno, "socketpair: %s", strerror(errno));
	g->pid = fork();
	if (g->pid < 0) {
		err = ctl_fail(e, -errno, "fork: %s", strerror(errno));
		g->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	if (g->pid == 0) {
		/* The parent's end must be closed for its death to be seen. */
		close(pair[0]);
		guard(g, pair[1], mount_fd, limit_ms, parent);
		_exit(0);
	}
	close(pair[1]);
	g->sock = pair[0];
	if (hear(g->sock, 10000) == SAY_READY)
		return 0;
	ctl_guardian_end(g);
	return ctl_fail(e, -ECHILD,
			"the process that watches over the freeze did not start");
}

int ctl_guardian_arm(struct ctl_guardian *g)
{
	return say(g->sock, SAY_FREEZE) ? 0 : -ECHILD;
}

void ctl_guardian_end(struct ctl_guardian *g)
{
	if (!g->pid)
		return;
	say(g->sock, SAY_DONE);
	close(g->sock);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	g->pid = 0;
	g->sock = -1;
}
