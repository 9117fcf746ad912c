// SPDX-License-Identifier: GPL-2.0
/*
 * message.c - what goes wrong, said once, to stderr
 */
#include <fcntl.h>
#include <unistd.h>

#include "cli.h"

#define REASON_MAX 256

void message_error(const char *program, const char *device,
		   const struct bow_error *e)
{
	char reason[REASON_MAX];

	bow_error_text(e, reason, sizeof(reason));
	fprintf(stderr, "%s: %s: %s\n", program, device, reason);
}

void message_open(const char *program, const char *device, int err)
{
	struct bow_error e = bow_open_error(err);

	message_error(program, device, &e);
}

void message_close(const char *program, const char *device, int err)
{
	fprintf(stderr, "%s: %s: closing: %s\n", program, device,
		strerror(-err));
}

void message_memory_short(const char *program, const char *device, u64 passes,
			  bool bar)
{
	fprintf(stderr, "%s%s: %s: memory is short: the copies take %llu passes "
		"over the log, which is slower\n", bar ? "\r\033[K" : "",
		program, device, (unsigned long long)passes);
}

int message_flush_stdout(const char *program)
{
	int err = fflush(stdout) ? errno : 0;

	/* Why an earlier write failed is not known any more. */
	if (!err && ferror(stdout))
		err = EIO;
	if (err)
		fprintf(stderr, "%s: standard output: %s\n", program,
			strerror(err));
	return -err;
}

int open_standard_fds(const char *program)
{
	int fd;

	for (fd = 0; fd < 3; fd++) {
		/* The lowest that is free, so it is this one. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
			message_open(program, "/dev/null", -errno);
			return -EBADF;
		}
	}
	return 0;
}

bool parse_fd(const char *program, const char *arg, int *fd)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (end == arg || *end || errno || n < 0 || n > 0xffff)
		return false;
	*fd = (int)n;
	if (fcntl(*fd, F_GETFD) < 0) {
		fprintf(stderr, "%s: -C %d: not open, no progress is written\n",
			program, *fd);
		*fd = -1;
	}
	return true;
}
