// SPDX-License-Identifier: GPL-2.0
/*
 * churn.c - a load of files that are overwritten, deleted, created and synced
 *
 * churn DIRECTORY ROUNDS [MILLISECONDS]
 *
 * In DIRECTORY are a/1 ... a/60 and b/1 ... b/60, see make_tree in scenarios.bash.
 * With MILLISECONDS there is a pause of that length after each round, for a load
 * that is still there, and has not filled the disk, when it is cut.  A disk that is
 * full or gone is what some tests are about: what fails is left out, and the rest
 * goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAME 4096u
#define PIECE 4096u	/* bytes; every write is of no more */

/* The rest of a file that a write has failed in is left out. */
static void put(int fd, const char *buffer, size_t length)
{
	while (length) {
		ssize_t n = write(fd, buffer, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		buffer += n;
		length -= (size_t)n;
	}
}

/* count writes of size bytes that no other write is like, from byte offset on. */
static void scribble(const char *name, int flags, off_t offset, size_t size,
		     unsigned int count)
{
	char buffer[PIECE];
	int fd = open(name, O_WRONLY | O_CREAT | flags, 0644);

	if (fd < 0)
		return;
	if (lseek(fd, offset, SEEK_SET) == offset) {
		while (count--) {
			if (getrandom(buffer, size, 0) == (ssize_t)size)
				put(fd, buffer, size);
		}
	}
	close(fd);
}

static void copy(const char *from, const char *to)
{
	char buffer[PIECE];
	int in = open(from, O_RDONLY);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ssize_t n;

	while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof(buffer))) > 0)
		put(out, buffer, (size_t)n);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
}

static void work(const char *directory, unsigned int round)
{
	char name[NAME], from[NAME];

	snprintf(name, sizeof(name), "%s/a/2%u", directory, round % 10);
	scribble(name, O_TRUNC, 0, 4096, round % 40);
	snprintf(name, sizeof(name), "%s/a/5%u", directory, round % 10);
	scribble(name, 0, 3000 * (off_t)(round % 11), 3000, 9);
	snprintf(name, sizeof(name), "%s/b/%u", directory, round);
	unlink(name);
	snprintf(name, sizeof(name), "%s/new%u", directory, round % 5);
	mkdir(name, 0755);
	snprintf(name, sizeof(name), "%s/new%u/dir%u", directory, round % 5, round);
	mkdir(name, 0755);
	snprintf(from, sizeof(from), "%s/a/4%u", directory, round % 10);
	snprintf(name, sizeof(name), "%s/new%u/file%u", directory, round % 5, round);
	copy(from, name);
	if (round % 3 == 0)
		sync();
}

int main(int argc, char **argv)
{
	struct timespec pause = { 0, 0 };
	unsigned long rounds, milliseconds = 0, round;

	if (argc < 3 || argc > 4) {
		fputs("usage: churn DIRECTORY ROUNDS [MILLISECONDS]\n", stderr);
		return 16;
	}
	rounds = strtoul(argv[2], NULL, 10);
	if (argc == 4)
		milliseconds = strtoul(argv[3], NULL, 10);
	pause.tv_sec = (time_t)(milliseconds / 1000);
	pause.tv_nsec = (long)(milliseconds % 1000) * 1000000;
	for (round = 1; round <= rounds; round++) {
		work(argv[1], (unsigned int)round);
		nanosleep(&pause, NULL);
	}
	return 0;
}
