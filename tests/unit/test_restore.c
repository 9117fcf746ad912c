// SPDX-License-Identifier: GPL-2.0
/*
 * test_restore.c - rollback and commit, cut at every write and run again
 */
#include "../tap.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;

/* Three log blocks, moved backups, a moved live copy, claims, reuse. */
static void build(void)
{
	struct bow_header_disk *h = log_header(&l);
	u32 i;

	log_begin(&l, BOW_HEADER_SIZE_GUARD);
	log_append(&l);
	for (i = 0; i < 60; i++)
		log_backup(&l, 1 + 2 * i, LOG_PLACE + i);
	log_seal(&l);
	for (i = 0; i < 60; i++)
		log_overwrite(&l, 1 + 2 * i);
	/* Backups that the filesystem overwrites, believing them free. */
	for (i = 0; i < 20; i++)
		log_backup(&l, LOG_PLACE + i, LOG_PLACE + 100 + i);
	log_roll_over(&l, LOG_NEXT + 1);
	for (i = 0; i < 20; i++)
		log_overwrite(&l, LOG_PLACE + i);
	log_entry(&l, LOG_LIVE, 500, 0);
	log_fill(l.live0, 4711);
	memcpy(mem_block(l.img, 500), l.live0, MEM_BS);
	h->sector0 = cpu_to_le64(500 * 8);
	log_entry(&l, 480, 480, 0);
	/* Places that were given back are used a second time. */
	log_backup(&l, 200, LOG_LIVE);
	log_backup(&l, 201, LOG_PLACE + 3);
	log_seal(&l);
	log_overwrite(&l, 200);
	log_overwrite(&l, 201);
	log_roll_over(&l, LOG_NEXT + 2);
	/* The copy of a log block moves as well. */
	log_backup(&l, LOG_NEXT, 490);
	log_seal(&l);
	log_overwrite(&l, LOG_NEXT);
}

static int run(enum bow_action action, const struct bow_monitor *monitor)
{
	struct bow_result result;
	struct bow_error e;

	return bow_restore(&m.dev, action, false, monitor, &result, &e);
}

static bool committed(void)
{
	return !memcmp(m.now, l.live0, MEM_BS) &&
	       !memcmp(m.now + MEM_BS, l.img + MEM_BS, MEM_BYTES - MEM_BS);
}

static bool finished(enum bow_action action)
{
	return action == BOW_ACTION_COMMIT ? committed() :
					     log_is_d0(&l, m.now);
}

static void whole(void)
{
	build();
	mem_init(&m, l.img);
	CHECK(run(BOW_ACTION_ROLLBACK, NULL) == 0);
	CHECK(log_is_d0(&l, m.durable));
	CHECK(m.flushes == 5);
	CHECK(run(BOW_ACTION_ROLLBACK, NULL) == -ENODATA);
	mem_init(&m, l.img);
	CHECK(run(BOW_ACTION_COMMIT, NULL) == 0);
	CHECK(committed() && !memcmp(m.now, m.durable, MEM_BYTES));
	CHECK(run(BOW_ACTION_COMMIT, NULL) == -ENODATA);
}

/*
 * Cut `action` after k requests for every k; then once more, `second`
 * requests later; then let it finish.  What survives varies by seed.
 */
static void cuts(enum bow_action action, int second)
{
	static const u32 seeds[] = { 0, ~0u, 1, 2, 3, 4, 5, 6 };
	int k, r;
	size_t i;

	build();
	for (i = 0; i < sizeof(seeds) / sizeof(*seeds); i++) {
		for (k = 0, r = -EIO; r; k++) {
			mem_init(&m, l.img);
			m.cut_after = k;
			r = run(action, NULL);
			CHECK(r == 0 || r == -EIO);
			mem_reboot(&m, seeds[i]);
			m.cut_after = second;
			if (r && run(action, NULL))
				mem_reboot(&m, seeds[i] + 77);
			m.cut_after = -1;
			if (!finished(action))
				CHECK(run(action, NULL) == 0);
			CHECK(finished(action));
			CHECK(run(action, NULL) == -ENODATA);
		}
		CHECK(k > 3);
	}
}

static void rollback_cut(void)
{
	cuts(BOW_ACTION_ROLLBACK, -1);
}

static void rollback_cut_twice(void)
{
	cuts(BOW_ACTION_ROLLBACK, 3);
	cuts(BOW_ACTION_ROLLBACK, 40);
}

static void commit_cut(void)
{
	cuts(BOW_ACTION_COMMIT, -1);
	cuts(BOW_ACTION_COMMIT, 2);
}

/* From the mark on, a commit is refused; before it, it is not. */
static void no_commit_after_mark(void)
{
	int k;

	build();
	for (k = 2; k < 20; k++) {
		mem_init(&m, l.img);
		m.cut_after = k;
		CHECK(run(BOW_ACTION_ROLLBACK, NULL) == -EIO);
		mem_reboot(&m, 0);
		m.writes = 0;
		CHECK(run(BOW_ACTION_COMMIT, NULL) == -EPERM);
		CHECK(m.writes == 0);
		CHECK(run(BOW_ACTION_ROLLBACK, NULL) == 0);
		CHECK(log_is_d0(&l, m.now));
	}
}

/* An ending that has begun is completed, and the other action told so. */
static void other_action(void)
{
	struct bow_result result;
	struct bow_error e;

	build();
	mem_init(&m, l.img);
	/* preflush, record, flush: then the power fails. */
	m.cut_after = 3;
	CHECK(run(BOW_ACTION_COMMIT, NULL) == -EIO);
	mem_reboot(&m, 0);
	CHECK(bow_restore(&m.dev, BOW_ACTION_ROLLBACK, true, NULL, &result,
			  &e) == -EPERM);
	CHECK(e.why == BOW_WHY_OTHER_UNDER_WAY && !result.written);
	CHECK(!committed());
	CHECK(bow_restore(&m.dev, BOW_ACTION_ROLLBACK, false, NULL, &result,
			  &e) == -EPERM);
	CHECK(e.why == BOW_WHY_OTHER_ACTION && result.written);
	CHECK(committed());
}

static void read_errors(void)
{
	int k, r = -EIO;

	build();
	for (k = 0; r; k++) {
		mem_init(&m, l.img);
		m.fail_read = k;
		r = run(BOW_ACTION_ROLLBACK, NULL);
		CHECK(r == 0 || r == -EIO);
		m.fail_read = -1;
		if (r)
			CHECK(run(BOW_ACTION_ROLLBACK, NULL) == 0);
		CHECK(log_is_d0(&l, m.now));
	}
	CHECK(k > 10);
}

struct stopper {
	int left;
	u64 last;
	enum bow_phase phase;
	bool backwards;
};

static bool stop(void *ctx)
{
	struct stopper *s = ctx;

	return s->left-- == 0;
}

static void progress(void *ctx, enum bow_phase phase, u64 done, u64 total)
{
	struct stopper *s = ctx;

	if (phase < s->phase || (phase == s->phase && done < s->last) ||
	    done > total)
		s->backwards = true;
	s->phase = phase;
	s->last = done;
}

static void stops(void)
{
	int k, r = -EINTR;

	build();
	for (k = 0; r; k++) {
		struct stopper s = { .left = k };
		struct bow_monitor monitor = { .ctx = &s, .stop = stop,
					       .progress = progress };

		mem_init(&m, l.img);
		r = run(BOW_ACTION_ROLLBACK, &monitor);
		CHECK(r == 0 || r == -EINTR);
		CHECK(!s.backwards);
		if (r)
			CHECK(run(BOW_ACTION_ROLLBACK, NULL) == 0);
		CHECK(log_is_d0(&l, m.now));
	}
	CHECK(k > 10);
}

static void dry_run(void)
{
	struct bow_result result;
	struct bow_error e;

	build();
	mem_init(&m, l.img);
	CHECK(!bow_restore(&m.dev, BOW_ACTION_ROLLBACK, true, NULL, &result,
			   &e));
	CHECK(result.bytes && result.copies && !result.written);
	CHECK(!bow_restore(&m.dev, BOW_ACTION_COMMIT, true, NULL, &result,
			   &e));
	CHECK(!m.writes && !m.flushes);
}

/* With large write units the ending is one write. */
/* The disk below a device with blocks of 4096 bytes may still write 512. */
static void large_blocks(void)
{
	build();
	mem_init(&m, l.img);
	m.dev.unit = MEM_BS;
	CHECK(run(BOW_ACTION_ROLLBACK, NULL) == 0);
	CHECK(log_is_d0(&l, m.durable) && m.flushes == 5);
}

int main(void)
{
	RUN(whole, "restore: a rollback gives D0, a commit the live contents");
	RUN(rollback_cut, "rollback: cut at every request, run again");
	RUN(rollback_cut_twice, "rollback: cut twice, run again");
	RUN(commit_cut, "commit: cut at every request, run again");
	RUN(no_commit_after_mark, "commit: refused once a rollback has begun");
	RUN(other_action, "an ending that has begun is completed");
	RUN(read_errors, "rollback: every read fails once, run again");
	RUN(stops, "rollback: stopped between requests, run again");
	RUN(dry_run, "a dry run writes nothing");
	RUN(large_blocks, "restore: the ending of a device with larger blocks");
	return tap_done();
}
