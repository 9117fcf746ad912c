// SPDX-License-Identifier: GPL-2.0
/*
 * logwrites.c - restore what a power cut leaves, at each moment of a recording
 *
 *   logwrites [option...] RECORDING BASE
 *
 * RECORDING is the log device of dm-log-writes, BASE the disk before.  Marks
 * tell where the run is: "d0", "active", "commit", "committed", "rollback",
 * "rolled-back"; at each of them all is flushed, and D0 and the live contents
 * are what the disk holds at "d0" and "committed".
 *
 * A point is a flush or a FUA write that changed something.  Before each of
 * them states are sampled in which any part of what was not flushed is missing.
 * The last line has the counts, as JSON; the status is 1 if a state is wrong.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "logwrites.h"

#define PER_BLOCK 8u		/* sectors of a log block: dm-bow's default */

static const char usage[] =
	"usage: logwrites [option...] RECORDING BASE\n"
	"  --free PREFIX   PREFIX.N has the ranges free at checkpoint N, lines of\n"
	"                  START LENGTH in sectors, for what was discarded\n"
	"  --d0 PREFIX     write D0 of checkpoint N into PREFIX.N, and end\n"
	"  --samples N     states before each point (4)\n"
	"  --fsck N        every N-th point is committed and checked by e2fsck\n"
	"  --save PREFIX   for images: of the first wrong state, and for e2fsck\n"
	"  --seed N        for what is sampled (1)\n";

static const char *const phase_names[PHASES] = {
	[PHASE_NONE] = "not there",
	[PHASE_STARTING] = "begins",
	[PHASE_ACTIVE] = "is active",
	[PHASE_ENDING] = "is being committed",
	[PHASE_ROLLED_BACK] = "is being rolled back",
};

static struct recording recording;
static struct disk disk;
static struct trial trial = { .disk = &disk };
static const char *free_prefix, *d0_prefix;
static u32 samples = 4, fsck_every, checkpoints;
static bool *discarded;
static u64 rng = 1;

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("logwrites: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

/* xorshift64*, after Vigna */
u32 random_to(u32 limit)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return (u32)((rng * 0x2545f4914f6cdd1dull >> 32) % limit);
}

/* ---- marks ---- */

static void begin_checkpoint(void)
{
	char name[4096];

	checkpoints++;
	disk_checkpoint(&disk);
	if (d0_prefix) {
		snprintf(name, sizeof(name), "%s.%u", d0_prefix, checkpoints);
		disk_save(disk.d0, disk.sectors, name);
	}
	if (free_prefix) {
		snprintf(name, sizeof(name), "%s.%u", free_prefix, checkpoints);
		free_read(disk.is_free, disk.sectors, name);
	} else {
		memcpy(disk.is_free, discarded,
		       disk.sectors * sizeof(*discarded));
	}
}

/* What the disk will hold when the commit is done. */
static void look_ahead(u32 from)
{
	u32 i;

	for (i = from; strcmp(recording.events[i].mark, "committed"); i++)
		if (i + 1 >= recording.count)
			die("a commit without an end");
	disk_live(&disk, &recording.events[from], i - from);
}

static void pass_mark(const struct event *e, u32 i)
{
	static const struct {
		const char *mark;
		enum phase from, to;
	} steps[] = {
		{ "d0", PHASE_NONE, PHASE_STARTING },
		{ "active", PHASE_STARTING, PHASE_ACTIVE },
		{ "commit", PHASE_ACTIVE, PHASE_ENDING },
		{ "committed", PHASE_ENDING, PHASE_NONE },
		{ "rollback", PHASE_ACTIVE, PHASE_ROLLED_BACK },
		{ "rolled-back", PHASE_ROLLED_BACK, PHASE_NONE },
	};
	u32 n, sector;

	if (!strcmp(e->mark, "end"))
		return;
	for (n = 0; n < sizeof(steps) / sizeof(steps[0]); n++)
		if (!strcmp(steps[n].mark, e->mark))
			break;
	if (n == sizeof(steps) / sizeof(steps[0]) ||
	    steps[n].from != trial.phase)
		die("mark \"%s\" in phase \"%s\"", e->mark,
		    phase_names[trial.phase]);
	if (trial.phase == PHASE_ROLLED_BACK && !d0_prefix &&
	    !disk_is_d0(&disk, &sector))
		wrong(&trial, "not D0 after the rollback in the guest", 0,
		      sector);
	trial.phase = steps[n].to;
	if (trial.phase == PHASE_STARTING)
		begin_checkpoint();
	else if (trial.phase == PHASE_ENDING)
		look_ahead(i);
	else if (trial.phase == PHASE_NONE)
		/* The next checkpoint learns anew what is free. */
		memset(discarded, 0, disk.sectors * sizeof(*discarded));
}

/* ---- states ---- */

/* Of the sectors of an event, all or any. */
static void try_event(const struct event *e, bool any)
{
	u32 i;

	for (i = 0; i < e->sectors; i++)
		if (!any || random_to(2))
			disk_try(&disk, e, i);
}

/*
 * Of the events since the last flush a part is there: some of them, some of
 * their sectors, or those up to one that is torn.  FUA writes were complete,
 * all but the last one of the events.
 */
static void try_part(u32 from, u32 to)
{
	u32 how = random_to(3), stop = from + random_to(to - from), i;

	for (i = from; i < to; i++) {
		const struct event *e = &recording.events[i];

		if (e->flags & EVENT_FUA && i + 1 < to)
			try_event(e, false);
		else if (how == 0 && (random_to(2) || e->flags & EVENT_FUA))
			try_event(e, e->flags & EVENT_FUA);
		else if (how == 1)
			try_event(e, true);
		else if (how == 2 && i <= stop)
			try_event(e, i == stop);
	}
}

static void try_states(u32 from, u32 to)
{
	u32 i;

	/* Without a checkpoint nothing is at stake but that there is no log. */
	for (i = 0; i < samples && trial.phase != PHASE_NONE; i++) {
		try_part(from, to);
		judge(&trial);
		disk_again(&disk);
		trial.count.samples++;
	}
	for (i = from; i < to; i++)
		try_event(&recording.events[i], false);
	judge(&trial);
	disk_again(&disk);
	trial.count.points++;
	if (!fsck_every || trial.phase != PHASE_ACTIVE ||
	    trial.count.points % fsck_every)
		return;
	for (i = from; i < to; i++)
		try_event(&recording.events[i], false);
	judge_fsck(&trial);
	disk_again(&disk);
}

static void point(u32 from, u32 to)
{
	u32 i;

	if (!checkpoints || d0_prefix)
		return;
	for (i = from; i < to; i++)
		if (recording.events[i].sectors) {
			try_states(from, to);
			return;
		}
}

/* All before event `to` is on the disk. */
static void replay(u32 *from, u32 to)
{
	for (; *from < to; ++*from)
		disk_replay(&disk, &recording.events[*from]);
}

static void walk(void)
{
	u32 from = 0, i;	/* from there on nothing is flushed */

	for (i = 0; i < recording.count; i++) {
		const struct event *e = &recording.events[i];

		trial.event = i;
		if (trial.phase == PHASE_NONE)
			free_follow(discarded, e, PER_BLOCK);
		if (e->flags & EVENT_FLUSH)
			point(from, i);
		/* The guest flushes, then marks. */
		if (e->flags & (EVENT_FLUSH | EVENT_MARK))
			replay(&from, i);
		if (e->flags & EVENT_FUA)
			point(from, i + 1);
		if (e->flags & EVENT_MARK)
			pass_mark(e, i);
	}
}

/* A run that was cut short is none, whatever its part is worth. */
static void check_whole(void)
{
	u32 i = recording.count;

	while (i && !(recording.events[i - 1].flags & EVENT_MARK))
		i--;
	if (!i || (strcmp(recording.events[i - 1].mark, "end") &&
		   strcmp(recording.events[i - 1].mark, "rolled-back")))
		die("the recording has no end");
	if (!checkpoints)
		die("the recording has no checkpoint");
	if (!d0_prefix && !trial.count.rollbacks && !trial.count.wrong)
		die("nothing was rolled back");
}

/* ---- options and counts ---- */

static void print_counts(void)
{
	const struct counts *c = &trial.count;
	int i;

	printf("{\"checkpoints\": %u, \"points\": %llu, \"samples\": %llu, "
	       "\"rollbacks\": %llu, \"commits\": %llu, \"no_log\": %llu, "
	       "\"cuts_more\": %llu, \"fscks\": %llu, \"kinds\": {",
	       checkpoints, (unsigned long long)c->points,
	       (unsigned long long)c->samples,
	       (unsigned long long)c->rollbacks,
	       (unsigned long long)c->commits, (unsigned long long)c->none,
	       (unsigned long long)c->cuts, (unsigned long long)c->fscks);
	for (i = 0; i < PHASES; i++)
		printf("\"%s\": %llu%s", phase_names[i],
		       (unsigned long long)c->phases[i],
		       i + 1 < PHASES ? ", " : "");
	printf("}, \"findings\": %llu}\n", (unsigned long long)c->wrong);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "free", required_argument, NULL, 'f' },
		{ "d0", required_argument, NULL, 'd' },
		{ "samples", required_argument, NULL, 's' },
		{ "fsck", required_argument, NULL, 'e' },
		{ "save", required_argument, NULL, 'w' },
		{ "seed", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f': free_prefix = optarg; break;
		case 'd': d0_prefix = optarg; break;
		case 's': samples = (u32)strtoul(optarg, NULL, 0); break;
		case 'e': fsck_every = (u32)strtoul(optarg, NULL, 0); break;
		case 'w': trial.save = optarg; break;
		case 'r': rng = strtoull(optarg, NULL, 0); break;
		default: fputs(usage, stderr); return 16;
		}
	}
	if (argc - optind != 2 || !rng || (fsck_every && !trial.save)) {
		fputs(usage, stderr);
		return 16;
	}
	recording_read(&recording, argv[optind]);
	disk_init(&disk, argv[optind + 1]);
	discarded = calloc(disk.sectors + PER_BLOCK, sizeof(*discarded));
	if (!discarded)
		die("no memory");
	walk();
	check_whole();
	print_counts();
	return trial.count.wrong != 0;
}
