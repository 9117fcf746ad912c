// SPDX-License-Identifier: GPL-2.0
/*
 * ranges.c - ranges of sectors, and messages of many of them
 *
 * Pure: the caller sends.
 */
#include <stdio.h>
#include <string.h>

#include "bowctl.h"

bool ctl_range_inward(struct ctl_range *r, u32 unit)
{
	u64 skip = r->start % unit ? unit - r->start % unit : 0;

	if (r->length < skip)
		return false;
	r->start += skip;
	r->length -= skip;
	r->length -= r->length % unit;
	return r->length != 0;
}

void ctl_batch_begin(struct ctl_batch *b, char *text, size_t size,
		     const char *verb)
{
	*b = (struct ctl_batch){ .text = text, .size = size };
	b->empty = (size_t)snprintf(text, size, "%s", verb);
	b->used = b->empty;
}

int ctl_batch_flush(struct ctl_batch *b)
{
	if (b->used == b->empty)
		return 0;
	b->used = b->empty;
	b->messages++;
	return b->send(b->context, b->text);
}

/* snprintf() takes ten times as long, and there are millions. */
static void put_number(struct ctl_batch *b, char before, u64 n)
{
	char digits[20];
	size_t i = sizeof(digits);

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	b->text[b->used++] = before;
	memcpy(b->text + b->used, digits + i, sizeof(digits) - i);
	b->used += sizeof(digits) - i;
	b->text[b->used] = '\0';
}

int ctl_batch_add(struct ctl_batch *b, const struct ctl_range *r)
{
	int err;

	if (b->size - b->used < CTL_BATCH_ROOM) {
		err = ctl_batch_flush(b);
		if (err)
			return err;
	}
	/*
	 * Two numbers of at most 20 digits, two characters: CTL_BATCH_ROOM.  What
	 * such a message takes is the reading of its digits.
	 */
	if (b->used > b->empty && r->start >= b->end) {
		put_number(b, ' ', r->start - b->end);
		put_number(b, '+', r->length);
	} else {
		put_number(b, ' ', r->start);
		put_number(b, ' ', r->length);
	}
	b->end = r->start + r->length;
	b->sectors += r->length;
	b->ranges++;
	return 0;
}
