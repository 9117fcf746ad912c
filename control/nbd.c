// SPDX-License-Identifier: GPL-2.0
/*
 * nbd.c - a read-only block device whose contents a process of ours gives
 *
 * The old state cannot be a device-mapper table while the checkpoint is used:
 * with each write of the filesystem something of it moves.  So the kernel asks,
 * over a socket, by the protocol of network block devices, and every answer is
 * checked against the log as it is by then.  Two processes stay behind: one
 * answers, the other is in the kernel for as long as the device is there.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/nbd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bowctl.h"

#define UNIT 512u
#define REQUEST_MAX (32u << 20)		/* the kernel asks for no more */
#define WAIT_MS 5000

static void wait_10ms(void)
{
	struct timespec t = { 0, 10 * 1000000 };

	nanosleep(&t, NULL);
}

/* ---- the process that answers ---- */

/* All of it; false: the other side is gone. */
static bool receive(int sock, void *buf, size_t bytes)
{
	u8 *p = buf;

	while (bytes) {
		ssize_t n = recv(sock, p, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool send_all(int sock, const void *buf, size_t bytes)
{
	const u8 *p = buf;

	while (bytes) {
		ssize_t n = send(sock, p, bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		bytes -= (size_t)n;
	}
	return true;
}

static int answer_with(struct view *v, u64 from, u32 bytes, u8 *buf)
{
	int r;

	if (bytes > REQUEST_MAX)
		return EINVAL;
	r = view_read(v, from, buf, bytes);
	return r ? EIO : 0;
}

static void answer(int sock, struct view *v)
{
	u8 *buf = malloc(REQUEST_MAX);
	struct nbd_request q;

	while (buf && receive(sock, &q, sizeof(q))) {
		u32 type = be32toh(q.type), bytes = be32toh(q.len);
		struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
		int err = EPERM;

		if (be32toh(q.magic) != NBD_REQUEST_MAGIC ||
		    type == NBD_CMD_DISC)
			break;
		memcpy(reply.handle, q.handle, sizeof(reply.handle));
		if (type == NBD_CMD_READ)
			err = answer_with(v, be64toh(q.from), bytes, buf);
		reply.error = htobe32((u32)err);
		if (!send_all(sock, &reply, sizeof(reply)) ||
		    (!err && !send_all(sock, buf, bytes)))
			break;
	}
	free(buf);
}

/* ---- the process that is the device ---- */

static int be_device(int sock, const char *path, u64 size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	if (ioctl(fd, NBD_SET_SOCK, (unsigned long)sock) ||
	    ioctl(fd, NBD_SET_BLKSIZE, (unsigned long)UNIT) ||
	    ioctl(fd, NBD_SET_SIZE_BLOCKS, (unsigned long)(size / UNIT)) ||
	    ioctl(fd, NBD_SET_FLAGS,
		  (unsigned long)(NBD_FLAG_HAS_FLAGS | NBD_FLAG_READ_ONLY)))
		return errno;
	/* Until it is disconnected. */
	ioctl(fd, NBD_DO_IT);
	ioctl(fd, NBD_CLEAR_SOCK);
	return 0;
}

/*
 * Out of the way of the shell and of whoever reads our output.  SIGTERM ends it:
 * a shutdown must not wait.
 */
static void stay_behind(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
	}
	if (chdir("/"))
		_exit(errno);
}

/* ---- making and ending it ---- */

static bool in_use(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/pid", name);
	return access(path, F_OK) == 0;
}

static bool exists(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s", name);
	return access(path, F_OK) == 0;
}

static void load_module(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		setenv("PATH", "/sbin:/usr/sbin:/bin:/usr/bin", 1);
		execlp("modprobe", "modprobe", "-q", "nbd", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

int ctl_nbd_pick(char name[CTL_OLD_NAME], struct ctl_error *e)
{
	int i;

	if (!exists("nbd0"))
		load_module();
	for (i = 0; i < CTL_NBD_MAX; i++) {
		snprintf(name, CTL_OLD_NAME, "nbd%d", i);
		if (!exists(name))
			break;
		if (!in_use(name))
			return 0;
	}
	return i ? ctl_fail(e, -EBUSY, "all network block devices are in use") :
		   ctl_fail(e, -ENODEV,
			    "the kernel has no network block devices (module nbd)");
}

static u64 sectors_of(const char *name)
{
	unsigned long long sectors = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/size", name);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &sectors) != 1)
		sectors = 0;
	fclose(f);
	return sectors;
}

/*
 * The kernel says who drives the device before it gives it its size; until
 * then every read lies beyond its end.
 */
static int await(const char *name, pid_t device, u64 sectors,
		 struct ctl_error *e)
{
	int status, ms;

	for (ms = 0; ms < WAIT_MS; ms += 10) {
		if (in_use(name) && sectors_of(name) == sectors)
			return 0;
		if (waitpid(device, &status, WNOHANG) == device)
			return ctl_fail(e, -EIO, "/dev/%s: %s", name,
					strerror(WIFEXITED(status) ?
							 WEXITSTATUS(status) :
							 EIO));
		wait_10ms();
	}
	return ctl_fail(e, -ETIMEDOUT, "/dev/%s did not start", name);
}

static int start(const char *name, struct view *v, const int sock[2],
		 struct ctl_error *e)
{
	char path[32];
	pid_t device, server;
	int err;

	snprintf(path, sizeof(path), "/dev/%s", name);
	server = fork();
	if (server == 0) {
		close(sock[0]);
		stay_behind();
		answer(sock[1], v);
		_exit(0);
	}
	device = server < 0 ? -1 : fork();
	if (device == 0) {
		close(sock[1]);
		stay_behind();
		_exit(be_device(sock[0], path, v->dev->size));
	}
	if (device < 0)
		return ctl_fail(e, -errno, "fork: %s", strerror(errno));
	err = await(name, device, v->dev->size / UNIT, e);
	/* Nobody would end it; without it the server has nobody to answer. */
	if (err == -ETIMEDOUT)
		kill(device, SIGKILL);
	return err;
}

int ctl_nbd_begin(const char *name, struct view *v, struct ctl_error *e)
{
	int sock[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return ctl_fail(e, -errno, "socketpair: %s", strerror(errno));
	err = start(name, v, sock, e);
	/* With the last descriptor of a side the other one ends. */
	close(sock[0]);
	close(sock[1]);
	return err;
}

int ctl_nbd_end(const char *name, struct ctl_error *e)
{
	char path[48];
	int fd, ms;

	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return ctl_fail(e, -errno, "%s: %s", path, strerror(errno));
	ioctl(fd, NBD_DISCONNECT);
	ioctl(fd, NBD_CLEAR_SOCK);
	close(fd);
	for (ms = 0; in_use(name) && ms < WAIT_MS; ms += 10)
		wait_10ms();
	if (in_use(name))
		return ctl_fail(e, -EBUSY, "%s: still in use", path);
	return 0;
}
