// SPDX-License-Identifier: GPL-2.0
/*
 * stress.c - concurrent direct I/O on a block device, every read checked
 *
 * stress DEVICE SECONDS SEED THREADS
 *
 * The device is cut into chunks of 7 sectors, dealt to the threads in turn, so
 * that threads share filesystem and log blocks but never a sector; one thread
 * owns runs of 2048 sectors in the last quarter, for large writes.  A sector's
 * contents follow from its number and how often it was written; the owner
 * remembers that.  Prints one line and exits 0, or says what failed first; and what
 * was read wrongly, whatever had failed before.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* O_DIRECT */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECTOR 512u
#define CHUNK 7u		/* sectors; no multiple of a block */
#define LARGE 2048u		/* sectors of a large run */

struct stress {
	const char *device;
	uint64_t sectors;
	uint64_t large_start;	/* sectors */
	unsigned int threads;
	time_t end;
	/* By sector; touched by its owner only. */
	uint32_t *version;
	bool *known;		/* written, and not discarded since */
	atomic_bool failed;
	atomic_bool wrong;
};

struct worker {
	struct stress *s;
	pthread_t thread;
	unsigned int index;
	uint64_t random;
	uint64_t writes, reads, discards;
	int fd, sync_fd;
	uint8_t *buffer;
};

static uint64_t next_random(struct worker *w)
{
	/* xorshift64*, after Vigna */
	w->random ^= w->random >> 12;
	w->random ^= w->random << 25;
	w->random ^= w->random >> 27;
	return w->random * 0x2545f4914f6cdd1dull;
}

static void fill(uint8_t *p, uint64_t sector, uint32_t version)
{
	uint64_t words[SECTOR / 8];
	size_t i;

	for (i = 0; i < SECTOR / 8; i++)
		words[i] = (sector << 20 ^ version) * 0x9e3779b97f4a7c15ull + i;
	memcpy(p, words, SECTOR);
}

static void say(struct worker *w, const char *what, uint64_t sector)
{
	fprintf(stderr, "stress: thread %u: %s, sector %llu: %s\n", w->index,
		what, (unsigned long long)sector, strerror(errno));
}

static void fail(struct worker *w, const char *what, uint64_t sector)
{
	if (!atomic_exchange(&w->s->failed, true))
		say(w, what, sector);
}

static void fail_wrong(struct worker *w, uint64_t sector)
{
	atomic_store(&w->s->failed, true);
	errno = 0;
	if (!atomic_exchange(&w->s->wrong, true))
		say(w, "wrong contents", sector);
}

/* A run of sectors that belongs to the worker. */
static void pick(struct worker *w, uint64_t *first, uint64_t *count)
{
	struct stress *s = w->s;
	uint64_t chunks = s->large_start / CHUNK;
	uint64_t chunk;

	if (w->index == 0 && next_random(w) % 4 == 0) {
		uint64_t runs = (s->sectors - s->large_start) / LARGE;

		*first = s->large_start + next_random(w) % runs * LARGE;
		*count = 1 + next_random(w) % LARGE;
		*first += next_random(w) % (LARGE - *count + 1);
		return;
	}
	/* Half of the I/O goes to a hot spot that includes block 0. */
	chunk = next_random(w) % 2 ? next_random(w) % 64 : next_random(w);
	chunk %= chunks / s->threads;
	chunk = chunk * s->threads + w->index;
	*count = 1 + next_random(w) % CHUNK;
	*first = chunk * CHUNK + next_random(w) % (CHUNK - *count + 1);
}

/* What a later read gives is not defined. */
static void forget(struct worker *w, uint64_t first, uint64_t count)
{
	memset(w->s->known + first, 0, count * sizeof(*w->s->known));
}

static void do_write(struct worker *w, uint64_t first, uint64_t count)
{
	int fd = next_random(w) % 16 ? w->fd : w->sync_fd;
	uint64_t i;

	for (i = 0; i < count; i++) {
		w->s->known[first + i] = true;
		fill(w->buffer + i * SECTOR, first + i,
		     ++w->s->version[first + i]);
	}
	if (pwrite(fd, w->buffer, count * SECTOR, (off_t)(first * SECTOR)) !=
	    (ssize_t)(count * SECTOR)) {
		fail(w, "write", first);
		forget(w, first, count);
	}
	w->writes++;
}

static void do_read(struct worker *w, uint64_t first, uint64_t count)
{
	uint8_t expected[SECTOR];
	uint64_t i;

	if (pread(w->fd, w->buffer, count * SECTOR, (off_t)(first * SECTOR)) !=
	    (ssize_t)(count * SECTOR)) {
		fail(w, "read", first);
		return;
	}
	for (i = 0; i < count; i++) {
		if (!w->s->known[first + i])
			continue;
		fill(expected, first + i, w->s->version[first + i]);
		if (memcmp(w->buffer + i * SECTOR, expected, SECTOR))
			fail_wrong(w, first + i);
	}
	w->reads++;
}

static void do_discard(struct worker *w, uint64_t first, uint64_t count)
{
	uint64_t range[2] = { first * SECTOR, count * SECTOR };

	if (ioctl(w->fd, BLKDISCARD, range))
		fail(w, "discard", first);
	forget(w, first, count);
	w->discards++;
}

static void *run(void *arg)
{
	struct worker *w = arg;

	while (time(NULL) < w->s->end && !atomic_load(&w->s->failed)) {
		uint64_t what = next_random(w) % 100, first, count;

		pick(w, &first, &count);
		if (what < 60)
			do_write(w, first, count);
		else if (what < 95)
			do_read(w, first, count);
		else if (what < 98)
			do_discard(w, first, count);
		else if (fdatasync(w->fd))
			fail(w, "fdatasync", 0);
	}
	return NULL;
}

/* Everything once more, after all threads have ended. */
static void verify_all(struct stress *s, struct worker *w)
{
	uint64_t first, count;

	for (first = 0; first < s->sectors; first += count) {
		count = s->sectors - first < LARGE ? s->sectors - first : LARGE;
		do_read(w, first, count);
	}
}

static void start(struct stress *s, struct worker *w, unsigned int index,
		  uint64_t seed)
{
	w->s = s;
	w->index = index;
	w->random = (seed + 1) * 0x9e3779b97f4a7c15ull + index + 1;
	w->fd = open(s->device, O_RDWR | O_DIRECT);
	w->sync_fd = open(s->device, O_RDWR | O_DIRECT | O_DSYNC);
	if (w->fd < 0 || w->sync_fd < 0 ||
	    posix_memalign((void **)&w->buffer, 4096, LARGE * SECTOR) ||
	    pthread_create(&w->thread, NULL, run, w)) {
		perror("stress: start");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct stress s = { 0 };
	struct worker *w;
	uint64_t writes = 0, reads = 0, discards = 0;
	unsigned int i;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "usage: stress DEVICE SECONDS SEED THREADS\n");
		return 16;
	}
	s.device = argv[1];
	s.end = time(NULL) + atoi(argv[2]);
	s.threads = (unsigned int)atoi(argv[4]);
	fd = open(s.device, O_RDONLY);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &s.sectors)) {
		perror(s.device);
		return 1;
	}
	close(fd);
	s.sectors /= SECTOR;
	s.large_start = s.sectors / 4 * 3 / LARGE * LARGE;
	s.version = calloc(s.sectors, sizeof(*s.version));
	s.known = calloc(s.sectors, sizeof(*s.known));
	w = calloc(s.threads, sizeof(*w));
	if (!s.version || !s.known || !w)
		return 1;
	for (i = 0; i < s.threads; i++)
		start(&s, &w[i], i, strtoull(argv[3], NULL, 0));
	for (i = 0; i < s.threads; i++)
		pthread_join(w[i].thread, NULL);
	verify_all(&s, &w[0]);
	for (i = 0; i < s.threads; i++) {
		writes += w[i].writes;
		reads += w[i].reads;
		discards += w[i].discards;
	}
	printf("%llu writes, %llu reads, %llu discards\n",
	       (unsigned long long)writes, (unsigned long long)reads,
	       (unsigned long long)discards);
	return atomic_load(&s.failed);
}
