// SPDX-License-Identifier: GPL-2.0
/*
 * faults.c - restores that are made to fail at every possible moment
 *
 *   faults [--states N] [--logs N] [--first LOG] [--seed N] [--stride N]
 *
 * So many states at least, and so many logs of each version of the format.
 *
 * For each log: one fault of one kind, at the k-th request for every k; after a
 * power cut, every subset of up to 8 sectors that were not flushed, or a sample
 * of more; or all of them and any part of the last write.  Then up to three more cuts, at random; then a run to the end.  That
 * is one state, and it ends with the expected contents, durable, or the restore
 * failed.  Only garbage in block 0 may be refused instead, nothing written.
 *
 * Then, on 100 logs, every N-th bit of block 0 is wrong.
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "faults.h"

#define SAMPLES 3u
#define MORE_CUTS 3u
#define FLIP_LOGS 100u

static const char *const titles[FAULT_KINDS] = {
	[FAULT_NONE] = "undisturbed",
	[FAULT_CUT] = "the power fails in a write",
	[FAULT_TORN] = "the power fails and tears the last write",
	[FAULT_GARBAGE] = "the power fails and leaves garbage",
	[FAULT_READ] = "a read fails",
	[FAULT_WRITE] = "a write fails",
	[FAULT_FLUSH] = "a flush fails",
	[FAULT_MEMORY] = "an allocation fails",
	[FAULT_STOP] = "the caller stops it",
	[FAULT_SHORT] = "system calls are short or interrupted",
	[FAULT_REFUSED] = "a commit of a log that is half rolled back",
};

static struct disk disk;
static struct disk_state at_cut;
static struct sample sample;
static u64 states[FAULT_KINDS], failures[FAULT_KINDS], refusals, cuts_more;
static u64 rng = 1, first_seed;
static u32 writes;		/* of an undisturbed run */
static u32 logs[3];		/* v0, v1.0, v1.1 */

/* ---- one run ---- */

static u32 stop_left;
static bool stop_struck;

static bool stop(void *ctx)
{
	(void)ctx;
	if (stop_left) {
		stop_left--;
		return false;
	}
	stop_struck = true;
	return true;
}

static int run(struct bow_dev *dev, const struct bow_monitor *m)
{
	struct bow_result result;
	struct bow_error e;
	int r = bow_restore(dev, sample.action, false, m, &result, &e);

	/* What failed its checks must not have been written. */
	if (r == -EUCLEAN && (result.written || disk.writes))
		return -ENOTRECOVERABLE;
	return r;
}

static int run_disk(void)
{
	disk.writes = 0;
	return run(&disk.dev, NULL);
}

/* ---- a state: what follows the first fault ---- */

static void fail(enum fault fault, u32 k, u32 choice, const char *what, int r)
{
	if (failures[fault]++ < 5)
		printf("# %s: %s: request %u, choice %u: %s (%s)\n",
		       sample.name, titles[fault], k, choice, what,
		       strerror(-r));
}

/*
 * What a rollback has begun to put back is no state to keep: while block 0 durably
 * says that the log is active, and so may be committed, all else is untouched.
 */
static bool mark_came_first(void)
{
	u32 bs = sample.bs;

	return sample.action != BOW_ACTION_ROLLBACK ||
	       bow_get_le32(disk.durable) != BOW_MAGIC_LOG ||
	       !memcmp(disk.durable + bs, sample.image + bs, sample.bytes - bs);
}

static void more_cuts(enum fault fault, u32 k, u32 choice)
{
	u32 n = rnd_to(&rng, MORE_CUTS + 1);

	while (n--) {
		if (!mark_came_first())
			fail(fault, k, choice, "half rolled back, not marked", 0);
		disk_arm(&disk, FAULT_CUT, rnd_to(&rng, writes + 1), false);
		run_disk();
		if (!disk.struck)
			return;
		cuts_more++;
		disk_reboot(&disk, rnd_to(&rng, disk_choices(&disk, SAMPLES)));
	}
}

/*
 * Run to the end.  `refusable`: it may say that it will not.  When the very last
 * write or flush failed, a reader sees the end of the restore while the disk
 * still has the finishing record: that is completed after the next reboot.
 */
static void complete(enum fault fault, u32 k, u32 choice, bool refusable)
{
	int r;

	states[fault]++;
	more_cuts(fault, k, choice);
	if (!mark_came_first())
		fail(fault, k, choice, "half rolled back, not marked", 0);
	disk_disarm(&disk);
	r = run_disk();
	if (r == -ENODATA && sample_result(&sample, disk.now) &&
	    !sample_result(&sample, disk.durable)) {
		disk_reboot(&disk, rnd_to(&rng, disk_choices(&disk, 1)));
		r = run_disk();
	}
	if (sample_result(&sample, disk.durable)) {
		if (r && r != -ENODATA)
			fail(fault, k, choice, "right, but an error", r);
	} else if (refusable && r && !disk.writes) {
		refusals++;
	} else {
		fail(fault, k, choice, "not what it should be", r);
	}
}

/* ---- the faults ---- */

static u32 choices_after(enum fault fault)
{
	if (fault == FAULT_TORN)
		return disk_choices_torn(&disk, SAMPLES);
	return fault == FAULT_CUT ? disk_choices(&disk, SAMPLES) : 3;
}

/* All that can survive the cut in write k; false: there is no such write. */
static bool cut(enum fault fault, u32 k)
{
	u32 choices, choice;

	disk_again(&disk, rnd_next(&rng));
	disk_arm(&disk, fault, k, false);
	run_disk();
	if (!disk.struck)
		return false;
	disk_save(&disk, &at_cut);
	choices = choices_after(fault);
	for (choice = 0; choice < choices; choice++) {
		bool garbage = fault == FAULT_GARBAGE;

		disk_back(&disk, &at_cut);
		if (fault == FAULT_CUT || (garbage && choice == 2))
			disk_reboot(&disk, choice);
		else
			disk_reboot_torn(&disk, choice);
		if (garbage)
			disk_garbage(&disk);
		complete(fault, k, choice,
			 garbage && disk_garbage_in(&disk, sample.bs));
	}
	return true;
}

/* EIO, once or for good; what follows is another run, or a reboot and a run. */
static bool io_error(enum fault fault, u32 k)
{
	u32 choice;
	int r;

	for (choice = 0; choice < 4; choice++) {
		disk_again(&disk, rnd_next(&rng));
		disk_arm(&disk, fault, k, choice & 1);
		r = run_disk();
		if (!disk.struck)
			return false;
		if (r != -EIO) {
			fail(fault, k, choice, "the error was not told", r);
			continue;
		}
		disk_disarm(&disk);
		if (choice & 2)
			disk_reboot(&disk, 2 + choice);
		complete(fault, k, choice, false);
	}
	return true;
}

static bool no_memory(enum fault fault, u32 k)
{
	u32 choice;
	int r;

	for (choice = 0; choice < 2; choice++) {
		disk_again(&disk, rnd_next(&rng));
		memory_arm(k, choice);
		r = run_disk();
		if (!memory_struck())
			return false;
		if (r != 0 && r != -ENOMEM)
			fail(fault, k, choice, "another error", r);
		else
			complete(fault, k, choice, false);
	}
	return true;
}

static bool stopped(enum fault fault, u32 k)
{
	const struct bow_monitor m = { .stop = stop };
	int r;

	disk_again(&disk, rnd_next(&rng));
	stop_left = k;
	stop_struck = false;
	r = run(&disk.dev, &m);
	if (!stop_struck)
		return false;
	if (r != -EINTR)
		fail(fault, k, 0, "it did not stop", r);
	if (k & 1)
		disk_reboot(&disk, k);
	complete(fault, k, 0, false);
	return true;
}

/* Short transfers are not errors: the run goes through. */
static bool short_io(enum fault fault, u32 k)
{
	struct bow_dev dev;
	u32 choice;
	int r;

	for (choice = 0; choice < 2; choice++) {
		bool struck;

		r = short_open(&dev, sample.image, sample.bytes);
		if (r) {
			fail(fault, k, choice, "cannot open", r);
			return false;
		}
		disk.writes = 0;
		short_arm(k, choice, rnd_next(&rng));
		r = run(&dev, NULL);
		struck = short_struck();
		if (short_close(&dev, disk.now, sample.bytes))
			r = -EIO;
		if (!struck)
			return false;
		states[fault]++;
		if (r || !sample_result(&sample, disk.now))
			fail(fault, k, choice, "not what it should be", r);
	}
	return true;
}

/* ---- the campaign ---- */

static bool (*const harm[FAULT_KINDS])(enum fault fault, u32 k) = {
	[FAULT_CUT] = cut,	     [FAULT_TORN] = cut,
	[FAULT_GARBAGE] = cut,
	[FAULT_READ] = io_error,     [FAULT_WRITE] = io_error,
	[FAULT_FLUSH] = io_error,    [FAULT_MEMORY] = no_memory,
	[FAULT_STOP] = stopped,	     [FAULT_SHORT] = short_io,
};

static u64 all_states(void)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < FAULT_KINDS; i++)
		sum += states[i];
	return sum;
}

/* A commit of what is half rolled back; a rollback of it is another log. */
static void refused_log(int r)
{
	states[FAULT_REFUSED]++;
	if (r != -EPERM || disk.writes)
		fail(FAULT_REFUSED, 0, 0, "it was not refused", r);
}

static void one_log(u32 n)
{
	enum fault fault;
	int r;

	sample_make(&sample, n);
	logs[sample.format[0] == 'v' ? 0 : sample.format[2] == '0' ? 1 : 2]++;
	disk_load(&disk, sample.image, sample.bytes);
	r = run_disk();
	writes = disk.writes;
	if (sample.refused)
		refused_log(r);
	else if (r || !sample_result(&sample, disk.durable))
		fail(FAULT_NONE, 0, 0, "not what it should be", r);
	for (fault = FAULT_CUT; fault < FAULT_REFUSED && !sample.refused;
	     fault++) {
		u32 k = 0;

		while (harm[fault](fault, k))
			k++;
	}
	sample_free(&sample);
}

static void record_flips(const struct flips *c, long seconds)
{
	printf("# record {\"what\": \"flips\", \"logs\": %llu, \"flips\": %llu, "
	       "\"refused\": %llu, \"right\": %llu, \"unprotected\": %llu, "
	       "\"findings\": %llu, \"seconds\": %ld}\n",
	       (unsigned long long)c->logs,
	       (unsigned long long)c->done, (unsigned long long)c->refused,
	       (unsigned long long)c->right,
	       (unsigned long long)c->unprotected,
	       (unsigned long long)c->wrong, seconds);
}

static bool report_flips(u32 stride)
{
	time_t begin = time(NULL);
	struct flips c;

	flips(FLIP_LOGS, stride, &c);
	printf("%sok %d - every bit of a log block: %llu flips\n",
	       c.wrong ? "not " : "", FAULT_KINDS + 1,
	       (unsigned long long)c.done);
	printf("# %llu refused, nothing written; %llu restored right; %llu in "
	       "what v0 and v1.0 do not protect\n",
	       (unsigned long long)c.refused, (unsigned long long)c.right,
	       (unsigned long long)c.unprotected);
	if (stride == 1)
		record_flips(&c, (long)(time(NULL) - begin));
	return c.wrong != 0;
}

static bool report_states(void)
{
	u32 n = logs[0] + logs[1] + logs[2];
	bool bad = failures[FAULT_NONE] != 0;
	int i;

	printf("%sok 1 - %u logs, undisturbed\n", bad ? "not " : "", n);
	for (i = 1; i < FAULT_KINDS; i++) {
		bool good = states[i] && !failures[i];

		bad |= !good;
		printf("%sok %d - %s: %llu states\n", good ? "" : "not ", i + 1,
		       titles[i], (unsigned long long)states[i]);
	}
	printf("# %llu states of %u logs, %llu more cuts, %llu refused with "
	       "garbage in block 0\n", (unsigned long long)all_states(), n,
	       (unsigned long long)cuts_more, (unsigned long long)refusals);
	return bad;
}

/* For docs/reliability.md: see tests/record.sh. */
static void record_states(long seconds)
{
	u64 wrong = failures[FAULT_NONE];
	int i;

	printf("# record {\"what\": \"faults\", \"seed\": %llu, \"states\": %llu, "
	       "\"cuts_more\": %llu, \"refused\": %llu, \"seconds\": %ld, "
	       "\"logs\": {\"v0\": %u, \"v1.0\": %u, \"v1.1\": %u}, "
	       "\"kinds\": {", (unsigned long long)first_seed,
	       (unsigned long long)all_states(),
	       (unsigned long long)cuts_more, (unsigned long long)refusals,
	       seconds, logs[0], logs[1], logs[2]);
	for (i = 1; i < FAULT_KINDS; i++) {
		printf("\"%s\": %llu%s", titles[i],
		       (unsigned long long)states[i],
		       i + 1 < FAULT_KINDS ? ", " : "");
		wrong += failures[i];
	}
	printf("}, \"findings\": %llu}\n", (unsigned long long)wrong);
}

static bool logs_left(u32 want)
{
	return logs[0] < want || logs[1] < want || logs[2] < want;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "states", required_argument, NULL, 's' },
		{ "logs", required_argument, NULL, 'l' },
		{ "first", required_argument, NULL, 'f' },
		{ "seed", required_argument, NULL, 'r' },
		{ "stride", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 }
	};
	u64 want = 100000;
	u32 first = 0, stride = 61, each = 1, n;
	time_t begin = time(NULL);
	bool bad;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's': want = strtoull(optarg, NULL, 0); break;
		case 'l': each = (u32)strtoul(optarg, NULL, 0); break;
		case 'f': first = (u32)strtoul(optarg, NULL, 0); break;
		case 'r': rng = strtoull(optarg, NULL, 0); break;
		case 't': stride = (u32)strtoul(optarg, NULL, 0); break;
		default: return 16;
		}
	}
	first_seed = rng;
	for (n = 0; all_states() < want || logs_left(each); n++)
		one_log(first + n);
	bad = report_states();
	record_states((long)(time(NULL) - begin));
	bad |= report_flips(stride ? stride : 1);
	printf("1..%d\n", FAULT_KINDS + 1);
	return bad;
}
