/* SPDX-License-Identifier: GPL-2.0 */
/*
 * exit-codes.h - the exit status of every program, a contract with scripts
 */
#ifndef BOW_EXIT_CODES_H
#define BOW_EXIT_CODES_H

enum bow_exit {
	BOW_EXIT_OK = 0,	  /* done; a log is there; the log is sound */
	BOW_EXIT_NO_LOG = 2,	  /* there is no log, nothing was done */
	BOW_EXIT_DAMAGED = 4,	  /* damaged or not understood, not written */
	BOW_EXIT_ERROR = 8,	  /* cannot open, in use, I/O, refused */
	BOW_EXIT_USAGE = 16,	  /* wrong arguments */
	BOW_EXIT_INTERRUPTED = 32 /* stopped by a signal: run it again */
};

#endif /* BOW_EXIT_CODES_H */
