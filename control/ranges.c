// SPDX-License-Identifier: GPL-2.0
/*
 * ranges.c - ranges of sectors and bitmaps, and messages of many of them
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
	*b = (struct ctl_batch){ .text = text, .size = size, .verb = verb };
}

int ctl_batch_flush(struct ctl_batch *b)
{
	if (!b->used)
		return 0;
	b->used = 0;
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
	size_t size = b->size < CTL_BATCH_RANGES ? b->size : CTL_BATCH_RANGES;
	bool first;
	int err;

	if (size - b->used < CTL_BATCH_ROOM) {
		err = ctl_batch_flush(b);
		if (err)
			return err;
	}
	first = !b->used;
	if (first)
		b->used = (size_t)snprintf(b->text, b->size, "%s", b->verb);
	/*
	 * Two numbers of at most 20 digits, two characters: CTL_BATCH_ROOM.  What
	 * such a message takes is the reading of its digits.
	 */
	if (!first && r->start >= b->end) {
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

int ctl_batch_add_free_bits(struct ctl_batch *b, u64 start, u32 unit,
			    const u64 *used, size_t words)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *bytes = (const u8 *)used;
	int err = ctl_batch_flush(b);
	size_t i;

	if (err)
		return err;
	if (words > (b->size - CTL_BATCH_ROOM) / 16)
		return -EMSGSIZE;
	b->used = (size_t)snprintf(b->text, b->size, "free_bits %llu ",
				   (unsigned long long)start);
	for (i = 0; i < words; i++)
		b->sectors += (u64)bow_weight(~used[i]) * unit;
	for (i = 0; i < words * 8; i++) {
		u8 unused = (u8)~bytes[i];

		b->text[b->used++] = digits[unused >> 4];
		b->text[b->used++] = digits[unused & 15];
	}
	b->text[b->used] = '\0';
	return ctl_batch_flush(b);
}
