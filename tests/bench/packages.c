// SPDX-License-Identifier: GPL-2.0
/*
 * packages.c - replace all files below a directory as dpkg does
 *
 * packages DIRECTORY
 *
 * Each of its subdirectories is a package.  Its files are written anew beside the
 * old ones, a byte longer, as NAME.dpkg-new; then each is flushed; then each takes
 * the place of the old one; then DIRECTORY/status grows by a line and is flushed.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 4096

static char *name[NAMES_MAX];
static int names;

static void write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n <= 0)
			err(1, "write");
		data += n;
		bytes -= (size_t)n;
	}
}

static void close_checked(int fd)
{
	if (close(fd))
		err(1, "close");
}

/* The regular files of a directory, which is the working one. */
static void list(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	struct stat st;

	if (!d)
		err(1, "opendir");
	while (names)
		free(name[--names]);
	while ((e = readdir(d))) {
		if (stat(e->d_name, &st))
			err(1, "%s", e->d_name);
		if (!S_ISREG(st.st_mode))
			continue;
		if (names == NAMES_MAX)
			errx(1, "more than %d files", NAMES_MAX);
		name[names] = strdup(e->d_name);
		if (!name[names++])
			err(1, "strdup");
	}
	closedir(d);
}

static void new_name(char *to, size_t room, const char *old)
{
	if (snprintf(to, room, "%s.dpkg-new", old) >= (int)room)
		errx(1, "%s: the name is too long", old);
}

static void unpack(const char *old)
{
	static char data[65536];
	char to[NAME_MAX + 16];
	int in, out;
	ssize_t n;

	new_name(to, sizeof(to), old);
	in = open(old, O_RDONLY);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (in < 0 || out < 0)
		err(1, "%s", to);
	while ((n = read(in, data, sizeof(data))) > 0)
		write_all(out, data, (size_t)n);
	if (n < 0)
		err(1, "%s", old);
	write_all(out, "+", 1);
	close_checked(in);
	close_checked(out);
}

static void flush(const char *old)
{
	char to[NAME_MAX + 16];
	int fd;

	new_name(to, sizeof(to), old);
	fd = open(to, O_WRONLY);
	if (fd < 0 || fsync(fd))
		err(1, "%s", to);
	close_checked(fd);
}

static void replace(const char *old)
{
	char to[NAME_MAX + 16];

	new_name(to, sizeof(to), old);
	if (rename(to, old))
		err(1, "%s", to);
}

static void for_all(void (*fn)(const char *))
{
	int i;

	for (i = 0; i < names; i++)
		fn(name[i]);
}

static void package(const char *top, const char *dir, int status)
{
	if (chdir(dir))
		err(1, "%s", dir);
	list();
	for_all(unpack);
	for_all(flush);
	for_all(replace);
	if (chdir(top))
		err(1, "%s", top);
	if (dprintf(status, "%s\n", dir) < 0 || fsync(status))
		err(1, "status");
}

int main(int argc, char **argv)
{
	struct dirent **e;
	int i, n, status;

	if (argc != 2 || argv[1][0] != '/')
		errx(16, "usage: packages DIRECTORY (an absolute path)");
	if (chdir(argv[1]))
		err(1, "%s", argv[1]);
	n = scandir(".", &e, NULL, alphasort);
	status = open("status", O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (n < 0 || status < 0)
		err(1, "%s", argv[1]);
	for (i = 0; i < n; i++) {
		struct stat st;

		if (e[i]->d_name[0] != '.' && !stat(e[i]->d_name, &st) &&
		    S_ISDIR(st.st_mode))
			package(argv[1], e[i]->d_name, status);
	}
	close_checked(status);
	return 0;
}
