// SPDX-License-Identifier: GPL-2.0
/*
 * interrupt.c - SIGINT, SIGTERM and SIGHUP as a flag
 *
 * A checkpoint must thaw before it gives way, so that these signals are looked
 * at between its steps.
 */
#include <signal.h>

#include "bowctl.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

void ctl_interrupt_catch(void)
{
	static const int catch[] = { SIGINT, SIGTERM, SIGHUP };
	/*
	 * A stop from the terminal would keep the filesystem frozen; a broken
	 * pipe would keep the result from being told by the exit status.
	 */
	static const int ignore[] = { SIGTSTP, SIGTTIN, SIGTTOU, SIGPIPE,
				      SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM };
	struct sigaction act = { .sa_handler = on_signal };
	size_t i;

	for (i = 0; i < sizeof(catch) / sizeof(catch[0]); i++)
		sigaction(catch[i], &act, NULL);
	act.sa_handler = SIG_IGN;
	for (i = 0; i < sizeof(ignore) / sizeof(ignore[0]); i++)
		sigaction(ignore[i], &act, NULL);
}

bool ctl_interrupted(void)
{
	return interrupted;
}
