// SPDX-License-Identifier: GPL-2.0
/*
 * ways.c - ways to make the copies of a rollback, to see which is the fastest
 *
 *   ways [OPTION]... place|target IMAGE LIST
 *
 * The list is cut into windows in rising order of places or of targets.  A
 * window is read in the order of places and written in the order of targets;
 * neighbours, in the window's memory too, make one request.  One fsync ends it.
 *
 *   --window MIB  size of a window (16)
 *   --ahead       announce the next 32 reads to the kernel
 *   --ring        32 requests in flight, by io_uring
 *   --direct      past the page cache
 *   --aio         reads through the page cache, writes as libbow makes them
 *   --out         write out each window, and wait for that
 *   --two         another process writes a window while the next is read; not
 *                 with --ring
 *   --read        do not write
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aio.h"
#include "copies.h"
#include "ring.h"

#define REQUEST (1u << 20)
#define DEPTH 32u

static struct {
	int ahead, ring, direct, aio, out, two, read;
	uint64_t window;
} opt = { .window = 16u << 20 };

static struct copy_line *line;
static size_t lines;
static int fd;

struct piece {
	struct copy_line copy;
	uint64_t at;		/* in the window's memory */
};

struct window {
	uint8_t *buf;
	struct piece *piece;
	struct request *request;
	size_t pieces;
	size_t next;		/* line */
};

/* ---- requests ---- */

static int piece_by_place(const void *a, const void *b)
{
	return copies_by_place(a, b);
}

static int piece_by_target(const void *a, const void *b)
{
	return copies_by_target(a, b);
}

static size_t gather(struct window *w, int write)
{
	struct request *r = w->request - 1;
	size_t i;

	qsort(w->piece, w->pieces, sizeof(*w->piece),
	      write ? piece_by_target : piece_by_place);
	for (i = 0; i < w->pieces; i++) {
		const struct piece *p = &w->piece[i];
		uint64_t offset = write ? p->copy.target : p->copy.place;

		if (i && r->offset + r->bytes == offset &&
		    r->at + r->bytes == p->at &&
		    r->bytes + p->copy.bytes <= REQUEST)
			r->bytes += p->copy.bytes;
		else
			*++r = (struct request){ offset, p->at, p->copy.bytes };
	}
	return (size_t)(r + 1 - w->request);
}

static void one_by_one(struct window *w, int write, size_t count)
{
	size_t i, told = 0;

	for (i = 0; i < count; i++) {
		const struct request *r = &w->request[i];
		ssize_t n;

		for (; opt.ahead && !write && told < count && told < i + DEPTH;
		     told++)
			(void)readahead(fd, (off_t)w->request[told].offset,
					w->request[told].bytes);
		n = write ? pwrite(fd, w->buf + r->at, r->bytes,
				   (off_t)r->offset) :
			    pread(fd, w->buf + r->at, r->bytes,
				  (off_t)r->offset);
		if (n != (ssize_t)r->bytes)
			copies_die(write ? "pwrite" : "pread");
	}
}

static void write_all(struct window *w, size_t count)
{
	static struct bow_request *request;
	static struct bow_aio aio;
	size_t i;

	if (!request)
		request = calloc(lines, sizeof(*request));
	if (!request)
		copies_die("calloc");
	for (i = 0; i < count; i++)
		request[i] = (struct bow_request){
			.offset = w->request[i].offset,
			.data = w->buf + w->request[i].at,
			.bytes = (u32)w->request[i].bytes,
		};
	bow_aio_write(&aio, fd, 512, request, (u32)count);
	for (i = 0; i < count; i++)
		if (!request[i].done)
			copies_die("io_submit");
}

static void transfer(struct window *w, int write)
{
	size_t count = gather(w, write);

	if (write && opt.aio)
		write_all(w, count);
	else if (opt.ring)
		ring_run(fd, write, w->buf, w->request, count);
	else
		one_by_one(w, write, count);
	if (write && opt.out &&
	    sync_file_range(fd, 0, 0,
			    SYNC_FILE_RANGE_WAIT_BEFORE |
				    SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER))
		copies_die("sync_file_range");
}

/* ---- windows ---- */

/* Contents are shared: another process may write what this one has read. */
static void *memory(size_t bytes, int sharing)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       sharing | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		copies_die("mmap");
	return p;
}

static void make_window(struct window *w)
{
	w->next = 0;
	w->buf = memory(opt.window, MAP_SHARED);
	w->piece = memory(lines * sizeof(*w->piece), MAP_PRIVATE);
	w->request = memory(lines * sizeof(*w->request), MAP_PRIVATE);
}

/* The window that begins with line w->next; false: there is none. */
static int next_window(struct window *w)
{
	uint64_t fill = 0;

	w->pieces = 0;
	while (w->next < lines && fill + line[w->next].bytes <= opt.window) {
		w->piece[w->pieces++] = (struct piece){ line[w->next], fill };
		fill += line[w->next++].bytes;
	}
	return w->pieces != 0;
}

static void alone(void)
{
	struct window w;

	make_window(&w);
	while (next_window(&w)) {
		transfer(&w, 0);
		if (!opt.read)
			transfer(&w, 1);
	}
}

static void token(int from, int to)
{
	char c = 0;

	if ((from >= 0 && read(from, &c, 1) != 1) ||
	    (to >= 0 && write(to, &c, 1) != 1))
		copies_die("pipe");
}

/* Both processes go through the windows; memory is that of every other one. */
static void two_processes(void)
{
	struct window w[2];
	int full[2], empty[2], i, status;
	pid_t pid = -1;

	make_window(&w[0]);
	make_window(&w[1]);
	if (pipe(full) || pipe(empty) || (pid = fork()) < 0)
		copies_die("fork");
	for (i = 0; next_window(&w[i & 1]); i++) {
		w[!(i & 1)].next = w[i & 1].next;
		if (pid) {
			if (i > 1)
				token(empty[0], -1);
			transfer(&w[i & 1], 0);
			token(-1, full[1]);
		} else {
			token(full[0], -1);
			transfer(&w[i & 1], 1);
			token(-1, empty[1]);
		}
	}
	if (!pid)
		_exit(0);
	if (waitpid(pid, &status, 0) != pid || status)
		copies_die("waitpid");
}

static int parse(int argc, char **argv)
{
	const struct option options[] = {
		{ "window", required_argument, NULL, 'w' },
		{ "ahead", no_argument, &opt.ahead, 1 },
		{ "ring", no_argument, &opt.ring, 1 },
		{ "direct", no_argument, &opt.direct, 1 },
		{ "aio", no_argument, &opt.aio, 1 },
		{ "out", no_argument, &opt.out, 1 },
		{ "two", no_argument, &opt.two, 1 },
		{ "read", no_argument, &opt.read, 1 },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'w')
			opt.window = strtoull(optarg, NULL, 0) << 20;
		else if (c)
			return 0;
	}
	/* A ring belongs to one process. */
	return argc - optind == 3 && opt.window >= REQUEST &&
	       !(opt.two && opt.ring);
}

int main(int argc, char **argv)
{
	if (!parse(argc, argv))
		return 16;
	argv += optind;
	line = copies_load(argv[2], &lines);
	qsort(line, lines, sizeof(*line),
	      strcmp(argv[0], "place") ? copies_by_target : copies_by_place);
	fd = open(argv[1], O_RDWR | (opt.direct ? O_DIRECT : 0));
	if (fd < 0)
		copies_die(argv[1]);
	if (opt.ring)
		ring_open(DEPTH);
	if (opt.two)
		two_processes();
	else
		alone();
	if (!opt.read && fsync(fd))
		copies_die("fsync");
	return close(fd) ? 1 : 0;
}
