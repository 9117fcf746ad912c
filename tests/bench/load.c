// SPDX-License-Identifier: GPL-2.0
/*
 * load.c - direct I/O on a block device at a fixed depth, timed and counted
 *
 *   load DEVICE DISK read|write rand|seq BYTES DEPTH COUNT START SPAN SEED
 *
 * COUNT requests of BYTES, DEPTH of them at a time, inside the SPAN bytes from
 * START.  seq: one after the other; rand: in an order that SEED makes, none
 * twice (SPAN / BYTES is a power of two).  Ends with an fdatasync, so that what
 * a target has put off is paid for.  Prints one line, what it took and what the
 * disk below, DISK of /sys/block, was asked to do:
 *
 *   NANOSECONDS READS WRITES FLUSHES READ-SECTORS WRITTEN-SECTORS
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DEPTH_MAX 64u
#define ALIGN 4096u

struct load {
	const char *disk;
	int fd;
	bool write;
	bool seq;
	uint64_t bytes;		/* of a request */
	uint64_t depth;
	uint64_t count;
	uint64_t start;
	uint64_t slots;		/* requests that fit in the span */
	uint64_t seed;
	aio_context_t aio;
	struct iocb iocb[DEPTH_MAX];
};

/* What /sys/block/DISK/stat counts; see Documentation/block/stat.rst. */
struct counts {
	uint64_t v[17];
};

enum { READS = 0, READ_SECTORS = 2, WRITES = 4, WRITE_SECTORS = 6, FLUSHES = 15 };

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || end == text || n > 1ull << 50) {
		errno = EINVAL;
		die(text);
	}
	return n;
}

static void read_counts(const char *disk, struct counts *c)
{
	char path[128];
	unsigned int i;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/%s/stat", disk);
	f = fopen(path, "r");
	if (!f)
		die(path);
	for (i = 0; i < 17; i++) {
		unsigned long long v;

		if (fscanf(f, "%llu", &v) != 1)
			die(path);
		c->v[i] = v;
	}
	fclose(f);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Maps 0 .. slots - 1 onto itself; every step can be undone. */
static uint64_t shuffled(const struct load *l, uint64_t i)
{
	uint64_t mask = l->slots - 1;
	unsigned int half = 0, round;

	while (mask >> (2 * half) > 1)
		half++;
	for (round = 0; round < 3; round++) {
		i = (i * (2 * l->seed + 0x9e3779b1u) + l->seed) & mask;
		i ^= i >> (half ? half : 1);
	}
	return i;
}

static void submit(struct load *l, struct iocb *io, uint64_t i)
{
	uint64_t slot = l->seq ? i % l->slots : shuffled(l, i % l->slots);

	io->aio_offset = (int64_t)(l->start + slot * l->bytes);
	if (syscall(SYS_io_submit, l->aio, 1l, &io) != 1)
		die("io_submit");
}

static void prepare(struct load *l)
{
	char *buffer;
	uint64_t i;

	if (syscall(SYS_io_setup, l->depth, &l->aio))
		die("io_setup");
	for (i = 0; i < l->depth; i++) {
		buffer = aligned_alloc(ALIGN, l->bytes + ALIGN);
		if (!buffer)
			die("memory");
		memset(buffer, (int)(l->seed + i), l->bytes);
		l->iocb[i] = (struct iocb){
			.aio_lio_opcode = l->write ? IOCB_CMD_PWRITE :
						     IOCB_CMD_PREAD,
			.aio_fildes = (uint32_t)l->fd,
			.aio_buf = (uintptr_t)buffer,
			.aio_nbytes = l->bytes,
		};
	}
}

static void run(struct load *l)
{
	struct io_event done[DEPTH_MAX];
	uint64_t sent, ended = 0;

	for (sent = 0; sent < l->depth && sent < l->count; sent++)
		submit(l, &l->iocb[sent], sent);
	while (ended < l->count) {
		long n = syscall(SYS_io_getevents, l->aio, 1l, (long)l->depth,
				 done, NULL), i;

		if (n < 0)
			die("io_getevents");
		for (i = 0; i < n; i++, ended++) {
			if (done[i].res != (int64_t)l->bytes) {
				errno = done[i].res < 0 ? (int)-done[i].res :
							  EIO;
				die("request");
			}
			if (sent < l->count)
				submit(l, (void *)(uintptr_t)done[i].obj,
				       sent++);
		}
	}
	if (l->write && fdatasync(l->fd))
		die("fdatasync");
}

static void parse(struct load *l, char **argv)
{
	uint64_t span;

	l->disk = argv[2];
	l->write = !strcmp(argv[3], "write");
	l->seq = !strcmp(argv[4], "seq");
	l->bytes = number(argv[5]);
	l->depth = number(argv[6]);
	l->count = number(argv[7]);
	l->start = number(argv[8]);
	span = number(argv[9]);
	l->seed = number(argv[10]);
	errno = EINVAL;
	if (!l->bytes || l->bytes % 512 || l->bytes > 16u << 20 || !l->depth ||
	    l->depth > DEPTH_MAX || span < l->bytes)
		die("arguments");
	l->slots = span / l->bytes;
	if (!l->seq && l->slots & (l->slots - 1))
		die("the requests of a span must be a power of two");
	l->fd = open(argv[1], O_DIRECT | (l->write ? O_RDWR : O_RDONLY));
	if (l->fd < 0)
		die(argv[1]);
}

int main(int argc, char **argv)
{
	static const int shown[] = { READS, WRITES, FLUSHES, READ_SECTORS,
				     WRITE_SECTORS };
	struct counts before, after;
	struct load l = { 0 };
	uint64_t begin, end;
	unsigned int i;

	if (argc != 11) {
		fprintf(stderr, "usage: load DEVICE DISK read|write rand|seq "
				"BYTES DEPTH COUNT START SPAN SEED\n");
		return 1;
	}
	parse(&l, argv);
	prepare(&l);
	read_counts(l.disk, &before);
	begin = now_ns();
	run(&l);
	end = now_ns();
	read_counts(l.disk, &after);
	printf("%llu", (unsigned long long)(end - begin));
	for (i = 0; i < sizeof(shown) / sizeof(*shown); i++)
		printf(" %llu", (unsigned long long)(after.v[shown[i]] -
						     before.v[shown[i]]));
	printf("\n");
	return close(l.fd) ? 1 : 0;
}
