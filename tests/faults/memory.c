// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - allocations that fail: calloc(), which is all that libbow calls,
 * is linked to this
 */
#include "faults.h"

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);

static bool armed, always, struck;
static u32 left;

void *__wrap_calloc(size_t n, size_t bytes)
{
	if (!armed)
		return __real_calloc(n, bytes);
	if (left) {
		left--;
		return __real_calloc(n, bytes);
	}
	armed = always;
	struck = true;
	return NULL;
}

void memory_arm(u32 k, bool forever)
{
	armed = true;
	always = forever;
	struck = false;
	left = k;
}

bool memory_struck(void)
{
	armed = false;
	return struck;
}
