// SPDX-License-Identifier: GPL-2.0
/*
 * passes.c - restores with too little memory for the map of the log
 *
 *   passes [LOGS]
 *
 * Logs of every format, block size and state, small chunks, and only so many of
 * them: the result is the right one, or memory was short and nothing was
 * written.  What is damaged is refused for the same reason as with memory.
 */
#include <stdlib.h>
#include <string.h>

#include "../faults/faults.h"
#include "../tap.h"
#include "runs.h"

#define CHUNKS_MIN 4u
#define CHUNKS_MAX 24u

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);

static u32 logs = 120;
static u32 chunks_left = UINT32_MAX;

/* Only the chunks of the map are counted. */
void *__wrap_calloc(size_t n, size_t bytes)
{
	if (n * bytes == sizeof(struct bow_chunk) && chunks_left != UINT32_MAX &&
	    !chunks_left--) {
		chunks_left = UINT32_MAX;
		return NULL;
	}
	return __real_calloc(n, bytes);
}

static struct disk disk;
static struct sample sample;
static u64 in_passes, most, none_written;
static u64 of_version[3];

/* ---- one restore ---- */

struct outcome {
	int r;
	struct bow_error e;
	struct bow_result result;
};

static u32 stop_left;

static bool stop(void *ctx)
{
	(void)ctx;
	return !stop_left || !--stop_left;
}

static void begin(const u8 *image, u32 n)
{
	disk_load(&disk, image, sample.bytes);
	disk_again(&disk, n + 1);
}

/* False: to be refused anyway. */
static bool make(u32 n)
{
	sample_make_large(&sample, n);
	if (sample.refused)
		sample_free(&sample);
	return !sample.refused;
}

static void restore(u32 chunks, u32 until, struct outcome *o)
{
	struct bow_monitor m = { .stop = stop };

	stop_left = until;
	chunks_left = chunks;
	disk.writes = 0;
	o->r = bow_restore(&disk.dev, sample.action, false, &m, &o->result,
			   &o->e);
	chunks_left = UINT32_MAX;
}

static void count(const struct outcome *o)
{
	if (o->r || o->result.passes < 2)
		return;
	in_passes++;
	of_version[sample.format[0] == 'v' ? 0 : sample.format[2] - '0' + 1]++;
	if (o->result.passes > most)
		most = o->result.passes;
}

/* ---- tests ---- */

static void right_or_nothing(void)
{
	u32 n, chunks;

	for (n = 0; n < logs; n++) {
		if (!make(n))
			continue;
		for (chunks = CHUNKS_MIN; chunks < CHUNKS_MAX; chunks++) {
			struct outcome o;

			begin(sample.image, n);
			restore(chunks, UINT32_MAX, &o);
			count(&o);
			none_written += o.r == -ENOMEM;
			if (o.r)
				CHECK(o.r == -ENOMEM && !disk.writes);
			else
				CHECK(sample_result(&sample, disk.durable));
		}
		sample_free(&sample);
	}
}

static void passes_were_needed(void)
{
	printf("# %llu restores in passes, up to %llu of them; %llu times too "
	       "little memory for that\n", (unsigned long long)in_passes,
	       (unsigned long long)most, (unsigned long long)none_written);
	CHECK(in_passes > 2 * logs && most > 4);
	CHECK(of_version[0] && of_version[1] && of_version[2]);
}

/* Stopped anywhere, perhaps with a power cut, and begun again. */
static void interrupted(void)
{
	u32 n, until, resumed = 0;

	for (n = 0; n < logs; n++) {
		if (!make(n))
			continue;
		for (until = 1; until < 120; until += 7 + n % 5) {
			struct outcome o;

			begin(sample.image, n);
			restore(10 + n % 8, until, &o);
			if (o.r != -EINTR)
				continue;
			resumed += disk.writes != 0;
			if (until & 1)
				disk_reboot(&disk, until);
			restore(11 + until % 8, UINT32_MAX, &o);
			if (o.r == -ENOMEM)
				restore(UINT32_MAX, UINT32_MAX, &o);
			CHECK(!o.r && sample_result(&sample, disk.durable));
		}
		sample_free(&sample);
	}
	CHECK(resumed > logs);
}

/* One wrong byte anywhere: as with memory, or, rarely, not enough of that. */
static void damage(void)
{
	static u8 spoilt[DISK_MAX];
	u64 rng = 1, same = 0, refused = 0, i;
	struct outcome full, less;
	u32 n;

	for (n = 0; n < logs; n++) {
		if (!make(n))
			continue;
		for (i = 0; i < 60; i++) {
			u64 at = rnd_to(&rng, sample.bytes);

			/* Half of them in block 0. */
			if (i & 1)
				at %= sample.bs;
			memcpy(spoilt, sample.image, sample.bytes);
			spoilt[at] ^= (u8)(1 + rnd_to(&rng, 255));
			begin(spoilt, n);
			restore(UINT32_MAX, UINT32_MAX, &full);
			begin(spoilt, n);
			restore(12, UINT32_MAX, &less);
			if (less.r == -ENOMEM) {
				CHECK(!disk.writes);
				continue;
			}
			CHECK(less.r == full.r);
			CHECK(less.e.why == full.e.why || !full.r);
			CHECK(less.result.bytes == full.result.bytes);
			same++;
			refused += full.r == -EUCLEAN;
		}
		sample_free(&sample);
	}
	printf("# %llu the same, %llu of them refused\n",
	       (unsigned long long)same, (unsigned long long)refused);
	CHECK(same > 20 * logs && refused > 2 * logs);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		logs = (u32)strtoul(argv[1], NULL, 0);
	RUN(right_or_nothing, "passes: the right result, or nothing written");
	RUN(passes_were_needed, "passes: every version needed several");
	RUN(interrupted, "passes: stopped anywhere and begun again");
	RUN(damage, "passes: damage is refused as with memory");
	return tap_done();
}
