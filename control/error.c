// SPDX-License-Identifier: GPL-2.0
/*
 * error.c - why something failed, in words
 */
#include <errno.h>

#include "bowctl.h"

int ctl_fail(struct ctl_error *e, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	return err;
}

enum bow_exit ctl_exit(int err)
{
	switch (err) {
	case 0:
		return BOW_EXIT_OK;
	case -CTL_NO_BOW:
	case -CTL_NO_CHECKPOINT:
		return BOW_EXIT_NO_LOG;
	case -EINTR:
		return BOW_EXIT_INTERRUPTED;
	default:
		return BOW_EXIT_ERROR;
	}
}
