// SPDX-License-Identifier: GPL-2.0
/*
 * signal.c - a signal asks for a stop between two requests
 */
#include <signal.h>

#include "cli.h"

static volatile sig_atomic_t stop;

static void ask_for_stop(int signum)
{
	(void)signum;
	stop = 1;
}

int signals_catch(void)
{
	static const int asking[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa, old;
	size_t i;

	memset(&sa, 0, sizeof(sa));
	sigemptyset(&sa.sa_mask);
	sa.sa_handler = ask_for_stop;
	for (i = 0; i < sizeof(asking) / sizeof(*asking); i++) {
		if (sigaction(asking[i], NULL, &old))
			return -errno;
		/* As nohup, or a shell in the background, wants it. */
		if (old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(asking[i], &sa, NULL))
			return -errno;
	}
	/* A reader of the progress that goes away must not stop a restore. */
	sa.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &sa, NULL) ? -errno : 0;
}

bool signals_stop(void *ctx)
{
	(void)ctx;
	return stop != 0;
}
