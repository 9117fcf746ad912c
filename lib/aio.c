// SPDX-License-Identifier: GPL-2.0
/*
 * aio.c - many writes in flight, past the kernel's cache
 *
 * io_submit(2) with O_DIRECT: requests go from our memory to the disk, as many at
 * a time as it likes.  Through the cache they are copied, become dirty pages,
 * and are written out a little later; where the disk is fast that took twice the
 * time (docs/performance.md).
 */
#include <fcntl.h>
#include <asm/unistd.h>

#include "aio.h"
#include "kernel-call.h"

/* In flight at most, and in one call. */
#define DEPTH 256u
#define BATCH 64u

/*
 * Fewer are not worth it: to give back what the kernel keeps for them takes
 * some milliseconds.  Tests make it small.
 */
#ifndef AIO_LEAST
#define AIO_LEAST 64u
#endif

struct flight {
	struct bow_aio *aio;
	int fd;
	u32 unit;
	struct bow_request *write;
	u32 count;
	u32 next;		/* write that was not submitted yet */
	u32 flying;
};

static bool begin(struct bow_aio *a)
{
	if (!a->useless && !a->context &&
	    bow_kernel_call(__NR_io_setup, DEPTH, (long)&a->context, 0, 0, 0))
		a->useless = true;
	return !a->useless;
}

void bow_aio_close(struct bow_aio *a)
{
	/* Waits for what is in flight. */
	if (a->context)
		(void)bow_kernel_call(__NR_io_destroy, (long)a->context, 0, 0,
				      0, 0);
	a->context = 0;
	a->useless = true;
}

static bool aligned(const struct flight *f, const struct bow_request *w)
{
	return ((w->offset | w->bytes | (uintptr_t)w->data) &
		(f->unit - 1)) == 0;
}

/* Up to BATCH writes that are next; those that are not aligned are left out. */
static u32 prepare(struct flight *f, struct iocb *cb, struct iocb **list)
{
	u32 n = 0, max = DEPTH - f->flying < BATCH ? DEPTH - f->flying : BATCH;

	while (n < max && f->next < f->count) {
		const struct bow_request *w = &f->write[f->next++];

		if (!aligned(f, w))
			continue;
		cb[n] = (struct iocb){
			.aio_data = (u64)(w - f->write),
			.aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_fildes = (u32)f->fd,
			.aio_buf = (uintptr_t)w->data,
			.aio_nbytes = w->bytes,
			.aio_offset = (int64_t)w->offset,
		};
		list[n] = &cb[n];
		n++;
	}
	return n;
}

/* Wait for one at least. */
static void reap(struct flight *f)
{
	struct io_event event[BATCH];
	long i, n;

	do
		n = bow_kernel_call(__NR_io_getevents, (long)f->aio->context,
				    1, BATCH, (long)event, 0);
	while (n == -EINTR);
	if (n <= 0) {
		/* What is not known to be done will be written again. */
		bow_aio_close(f->aio);
		f->flying = 0;
		return;
	}
	for (i = 0; i < n; i++) {
		struct bow_request *w = &f->write[event[i].data];

		w->done = event[i].res == (int64_t)w->bytes;
		/* Stricter about alignment than it said, or not able at all. */
		if (event[i].res == -EINVAL)
			f->aio->useless = true;
	}
	f->flying -= (u32)n;
}

static void submit(struct flight *f)
{
	struct iocb cb[BATCH], *list[BATCH];
	u32 n = prepare(f, cb, list), first = 0;

	while (first < n && !f->aio->useless) {
		long r = bow_kernel_call(__NR_io_submit, (long)f->aio->context,
					 n - first, (long)(list + first), 0, 0);

		if (r > 0) {
			first += (u32)r;
			f->flying += (u32)r;
		} else if (r == -EAGAIN && f->flying) {
			reap(f);
		} else {
			f->aio->useless = true;
		}
	}
}

void bow_aio_write(struct bow_aio *a, int fd, u32 unit,
		   struct bow_request *write, u32 count)
{
	struct flight f = {
		.aio = a, .fd = fd, .unit = unit,
		.write = write, .count = count,
	};
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || count < AIO_LEAST || !begin(a))
		return;
	/* For these writes only: what is read comes from the cache. */
	if (fcntl(fd, F_SETFL, flags | O_DIRECT)) {
		a->useless = true;
		return;
	}
	while (f.next < count && !a->useless) {
		submit(&f);
		if (f.flying > DEPTH - BATCH)
			reap(&f);
	}
	while (f.flying)
		reap(&f);
	/* It was possible to set it. */
	(void)fcntl(fd, F_SETFL, flags);
}
