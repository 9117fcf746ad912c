// SPDX-License-Identifier: GPL-2.0
/*
 * spent.c - what a command took
 *
 *   spent FILE COMMAND [ARGUMENT]...
 *
 * Adds a line to FILE: microseconds from fork to exit, microseconds of
 * processor, peak of memory in KiB.  The peak is never less than this program's
 * own, which is why it is linked statically.  What the command prints goes
 * nowhere; its status is returned.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static long long micros(const struct timeval *t)
{
	return t->tv_sec * 1000000ll + t->tv_usec;
}

static void run(char **command)
{
	int null = open("/dev/null", O_WRONLY);

	if (null >= 0 && dup2(null, 1) == 1)
		execv(command[0], command);
	perror(command[0]);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage used;
	long long begin, end;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3)
		return 16;
	begin = now();
	pid = fork();
	if (pid == 0)
		run(argv + 2);
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid) {
		perror("spent");
		return 8;
	}
	end = now();
	f = fopen(argv[1], "a");
	if (!f ||
	    fprintf(f, "%lld %lld %ld\n", end - begin,
		    micros(&used.ru_utime) + micros(&used.ru_stime),
		    used.ru_maxrss) < 0 ||
	    fclose(f)) {
		perror(argv[1]);
		return 8;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}
