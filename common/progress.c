// SPDX-License-Identifier: GPL-2.0
/*
 * progress.c - a bar for people, lines for programs
 *
 * A line is phase, done and total, as e2fsck -C begins it.  The bar is one for
 * all phases, so that it never runs backwards.
 */
#include <unistd.h>

#include "cli.h"

#define BAR_WIDTH 40u

void progress_init(struct progress *p, const char *program,
		   const char *device, int fd, bool quiet, bool copies)
{
	memset(p, 0, sizeof(*p));
	p->program = program;
	p->device = device;
	p->fd = fd;
	p->copies = copies;
	p->shown = ~0u;
	p->bar = fd == 0 || (fd < 0 && !quiet && isatty(STDERR_FILENO));
}

static void write_line(const struct progress *p, enum bow_phase phase,
		       u64 done, u64 total)
{
	char line[TEXT_MAX];
	int n, r;

	/* KiB, but for log blocks: numbers that programs can hold. */
	if (phase != BOW_PHASE_SCAN) {
		done = (done + 1023) >> 10;
		total = (total + 1023) >> 10;
	}
	n = snprintf(line, sizeof(line), "%d %llu %llu\n", (int)phase + 1,
		     (unsigned long long)done, (unsigned long long)total);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	/* Whoever reads this may be gone; the restore goes on. */
	r = (int)write(p->fd, line, (size_t)n);
	(void)r;
}

static void draw(const struct progress *p, u32 permille)
{
	char bar[BAR_WIDTH + 1];
	u32 full = permille * BAR_WIDTH / 1000;

	memset(bar, '=', full);
	memset(bar + full, ' ', BAR_WIDTH - full);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s: %s: |%s| %3u%%", p->program, p->device, bar,
		permille / 10);
	fflush(stderr);
}

static u32 permille_of(u64 done, u64 total)
{
	if (done >= total)
		return 1000;
	/* total > done: a shift that keeps the product in 64 bits. */
	while (total >> 53) {
		total >>= 1;
		done >>= 1;
	}
	return (u32)(done * 1000 / total);
}

void progress_report(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct progress *p = ctx;
	u32 permille = permille_of(done, total);

	if (p->begun && p->phase == phase && p->last == permille)
		return;
	p->begun = true;
	p->phase = phase;
	p->last = permille;
	if (p->fd > 0)
		write_line(p, phase, done, total);
	/* Reading the log is short and has no share in the bar. */
	if (!p->bar || phase == BOW_PHASE_SCAN)
		return;
	if (p->copies)
		permille = permille / 2 + (phase == BOW_PHASE_COPY ? 500 : 0);
	/* On a serial console each drawing takes milliseconds. */
	if (p->shown == permille / 10)
		return;
	p->shown = permille / 10;
	draw(p, permille);
}

void progress_end(struct progress *p)
{
	if (p->bar && p->begun)
		fprintf(stderr, "\r\033[K");
	p->bar = false;
}
