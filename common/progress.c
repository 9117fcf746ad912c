// SPDX-License-Identifier: GPL-2.0
/*
 * progress.c - a bar for people, lines for programs
 *
 * A line is phase, done, total and the device, as e2fsck -C writes them.  The
 * bar is one for all phases, and never runs backwards.
 */
#include <poll.h>
#include <unistd.h>

#include "cli.h"

/* With the rate and a usual name it all fits in a line of 80. */
#define BAR_WIDTH 20u

#define LINE_MAX_BYTES 512

/* A rate is told after so long; the bar is drawn again at least so often. */
#define RATE_MS 500u
#define REDRAW_MS 1000u

void progress_init(struct progress *p, const char *program,
		   const char *device, int fd, bool quiet, bool copies)
{
	memset(p, 0, sizeof(*p));
	p->program = program;
	p->device = device;
	p->fd = fd;
	p->copies = copies;
	p->bar = fd == 0 || (fd < 0 && !quiet && isatty(STDERR_FILENO));
}

static void write_line(const struct progress *p, enum bow_phase phase,
		       u64 done, u64 total)
{
	struct pollfd ready = { .fd = p->fd, .events = POLLOUT };
	char line[LINE_MAX_BYTES];
	int n, r;

	/* KiB, but for log blocks: numbers that programs can hold. */
	if (phase != BOW_PHASE_SCAN) {
		done = (done + 1023) >> 10;
		total = (total + 1023) >> 10;
	}
	n = snprintf(line, sizeof(line), "%d %llu %llu %.400s\n",
		     (int)phase + 1, (unsigned long long)done,
		     (unsigned long long)total, p->device);
	if (n < 0 || (size_t)n >= sizeof(line))
		return;
	/*
	 * Whoever reads this may be gone, or hang; the restore goes on.  A pipe that
	 * is ready has room for so short a line.
	 */
	if (poll(&ready, 1, 0) != 1)
		return;
	r = (int)write(p->fd, line, (size_t)n);
	(void)r;
}

/* " 210 MiB/s, 12 s left"; nothing before there is something to tell. */
static void draw_rate(const struct progress *p, u64 done, u64 total, u64 now)
{
	u64 ms = now > p->phase_ms ? now - p->phase_ms : 0, rate, left;
	char speed[TEXT_MAX], time[TEXT_MAX];

	if (ms < RATE_MS || done > total || total >> 50)
		return;
	rate = done * 1000 / ms;
	if (!rate)
		return;
	/* Putting back is taken to be as fast as verifying was. */
	left = total - done;
	if (p->copies && p->phase == BOW_PHASE_VERIFY)
		left += total;
	fprintf(stderr, " %s/s, %s left", text_size(speed, rate),
		text_left(time, left / rate));
}

static void draw(struct progress *p, u64 done, u64 total, u64 now)
{
	char bar[BAR_WIDTH + 1];
	u32 full = p->shown * BAR_WIDTH / 100;

	memset(bar, '=', full);
	memset(bar + full, ' ', BAR_WIDTH - full);
	bar[BAR_WIDTH] = '\0';
	fprintf(stderr, "\r%s: %s: |%s| %3u%%", p->program, p->device, bar,
		p->shown);
	draw_rate(p, done, total, now);
	fputs("\033[K", stderr);
	fflush(stderr);
	p->shown_ms = now;
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

static void report_bar(struct progress *p, u32 permille, u64 done, u64 total)
{
	u64 now = clock_ms();

	if (p->copies)
		permille = permille / 2 +
			   (p->phase == BOW_PHASE_COPY ? 500 : 0);
	/* On a serial console each drawing takes milliseconds. */
	if (p->shown >= permille / 10 && p->shown_ms &&
	    now - p->shown_ms < REDRAW_MS)
		return;
	if (p->shown < permille / 10)
		p->shown = permille / 10;
	draw(p, done, total, now);
}

void progress_report(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct progress *p = ctx;
	u32 permille = permille_of(done, total);
	bool begins = !p->begun || p->phase != phase;

	if (begins)
		p->phase_ms = clock_ms();
	if (p->fd > 0 && (begins || p->last != permille))
		write_line(p, phase, done, total);
	p->begun = true;
	p->phase = phase;
	p->last = permille;
	/* Reading the log is short and has no share in the bar. */
	if (p->bar && phase != BOW_PHASE_SCAN)
		report_bar(p, permille, done, total);
}

void progress_end(struct progress *p)
{
	if (p->bar && p->begun)
		fprintf(stderr, "\r\033[K");
	p->bar = false;
}
