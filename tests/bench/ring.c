// SPDX-License-Identifier: GPL-2.0
/*
 * ring.c - io_uring without a library
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "copies.h"
#include "ring.h"

static int ring;
static unsigned int room, *sq_tail, *sq_mask, *sq_array;
static unsigned int *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqe;
static struct io_uring_cqe *cqe;

static void *map(size_t bytes, off_t what)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_POPULATE, ring, what);

	if (p == MAP_FAILED)
		copies_die("mmap");
	return p;
}

void ring_open(unsigned int depth)
{
	struct io_uring_params p = { 0 };
	uint8_t *sq, *cq;

	ring = (int)syscall(__NR_io_uring_setup, depth, &p);
	if (ring < 0)
		copies_die("io_uring_setup");
	room = p.sq_entries;
	sq = map(p.sq_off.array + p.sq_entries * sizeof(*sq_array),
		 IORING_OFF_SQ_RING);
	cq = map(p.cq_off.cqes + p.cq_entries * sizeof(*cqe),
		 IORING_OFF_CQ_RING);
	sqe = map(p.sq_entries * sizeof(*sqe), IORING_OFF_SQES);
	sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	sq_array = (unsigned int *)(sq + p.sq_off.array);
	cq_head = (unsigned int *)(cq + p.cq_off.head);
	cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	cqe = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void add(int fd, bool write, uint8_t *buf, const struct request *r)
{
	unsigned int tail = *sq_tail, slot = tail & *sq_mask;

	sqe[slot] = (struct io_uring_sqe){
		.opcode = write ? IORING_OP_WRITE : IORING_OP_READ,
		.fd = fd,
		.off = r->offset,
		.addr = (uint64_t)(uintptr_t)(buf + r->at),
		.len = (uint32_t)r->bytes,
		.user_data = r->bytes,
	};
	sq_array[slot] = slot;
	/* The kernel sees the entry before it sees that there is one. */
	__atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* How many requests have ended. */
static unsigned int ended(void)
{
	unsigned int head = *cq_head;
	unsigned int tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
	unsigned int i;

	for (i = head; i != tail; i++) {
		const struct io_uring_cqe *c = &cqe[i & *cq_mask];

		if (c->res < 0 || (uint64_t)c->res != c->user_data) {
			errno = c->res < 0 ? -c->res : EIO;
			copies_die("io_uring");
		}
	}
	__atomic_store_n(cq_head, tail, __ATOMIC_RELEASE);
	return tail - head;
}

void ring_run(int fd, bool write, uint8_t *buf, const struct request *request,
	      size_t count)
{
	unsigned int flying = 0, added;
	size_t next = 0;

	while (next < count || flying) {
		for (added = 0; next < count && flying + added < room; added++)
			add(fd, write, buf, &request[next++]);
		flying += added;
		if (syscall(__NR_io_uring_enter, ring, added, 1,
			    IORING_ENTER_GETEVENTS, NULL, 0) < (long)added)
			copies_die("io_uring_enter");
		flying -= ended();
	}
}
