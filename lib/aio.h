/* SPDX-License-Identifier: GPL-2.0 */
/*
 * aio.h - many writes in flight, past the kernel's cache
 */
#ifndef BOW_AIO_H
#define BOW_AIO_H

#include <linux/aio_abi.h>

#include "bow.h"

/* All zeros at the beginning. */
struct bow_aio {
	aio_context_t context;
	bool useless;		/* it was tried, and cannot be had */
};

/*
 * Write what can be written so: sets `done` of these.  When it returns nothing
 * is in flight.  It has no error: who writes the others in the usual way finds
 * out what is wrong.  `unit` is what offsets, lengths and memory must be
 * multiples of, bytes.
 */
void bow_aio_write(struct bow_aio *a, int fd, u32 unit,
		   struct bow_request *write, u32 count);

void bow_aio_close(struct bow_aio *a);

#endif /* BOW_AIO_H */
