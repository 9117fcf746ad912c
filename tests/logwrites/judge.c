// SPDX-License-Identifier: GPL-2.0
/*
 * judge.c - is what a restore makes of a state what it has to be?
 *
 * While a checkpoint is active a rollback gives D0.  While it begins, there is
 * a log of D0, or none and D0 itself; while it ends, a log of D0, or the live
 * contents and no log, or something that is completed to them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "logwrites.h"

#define CUT_ONE_OF 4u

void wrong(struct trial *t, const char *what, int r, u32 sector)
{
	char name[4096];

	printf("# event %u, phase %d: %s: %s, sector %u\n", t->event, t->phase,
	       what, strerror(-r), sector);
	if (t->count.wrong++ || !t->save)
		return;
	snprintf(name, sizeof(name), "%s.wrong", t->save);
	disk_save(t->disk->now, t->disk->sectors, name);
	snprintf(name, sizeof(name), "%s.durable", t->save);
	disk_save(t->disk->durable, t->disk->sectors, name);
	snprintf(name, sizeof(name), "%s.d0", t->save);
	disk_save(t->disk->d0, t->disk->sectors, name);
}

static int restore(struct trial *t, enum bow_action action)
{
	struct bow_result result;
	struct bow_error e;
	char text[256];
	u32 before = t->disk->writes;
	int r = bow_restore(&t->disk->dev, action, false, NULL, &result, &e);

	t->writes = t->disk->writes - before;
	if (r && r != -ENODATA && r != -EPERM && !t->disk->off) {
		bow_error_text(&e, text, sizeof(text));
		printf("# %s\n", text);
	}
	return r;
}

/* Once in a while the power fails in the restore, too. */
static bool cut(struct trial *t, enum bow_action action)
{
	if (random_to(CUT_ONE_OF))
		return false;
	t->disk->writes_left = random_to(t->writes + 1);
	restore(t, action);
	disk_reboot(t->disk);
	t->count.cuts++;
	return true;
}

static void expect_d0(struct trial *t, int r, bool may_be_none)
{
	u32 sector = 0;

	if (r && !(r == -ENODATA && may_be_none))
		wrong(t, "no rollback", r, 0);
	else if (!disk_is_d0(t->disk, &sector))
		wrong(t, "not D0", r, sector);
	else if (r)
		t->count.none++;
	else
		t->count.rollbacks++;
}

static void expect_live(struct trial *t, int r)
{
	u32 sector = 0;

	if (r && r != -ENODATA && r != -EPERM)
		wrong(t, "no commit", r, 0);
	else if (!disk_is_live(t->disk, &sector))
		wrong(t, "not the live contents", r, sector);
	else
		t->count.commits++;
}

/* Either way is open, as long as the disk has not decided. */
static void judge_ending(struct trial *t)
{
	enum bow_action action = random_to(2) ? BOW_ACTION_COMMIT :
						BOW_ACTION_ROLLBACK;
	bool was_cut = cut(t, action);
	int r = restore(t, action);

	if (action == BOW_ACTION_ROLLBACK && r == 0)
		expect_d0(t, r, false);
	else if (action == BOW_ACTION_ROLLBACK && r == -ENODATA && was_cut &&
		 disk_is_d0(t->disk, &(u32){ 0 }))
		expect_d0(t, r, true);
	else
		expect_live(t, r);
}

void judge(struct trial *t)
{
	bool was_cut;
	int r;

	t->count.phases[t->phase]++;
	switch (t->phase) {
	case PHASE_NONE:
		r = restore(t, BOW_ACTION_ROLLBACK);
		if (r != -ENODATA)
			wrong(t, "a log before or after a checkpoint", r, 0);
		else
			t->count.none++;
		break;
	case PHASE_ENDING:
		judge_ending(t);
		break;
	default:
		was_cut = cut(t, BOW_ACTION_ROLLBACK);
		r = restore(t, BOW_ACTION_ROLLBACK);
		expect_d0(t, r, was_cut || t->phase != PHASE_ACTIVE);
	}
}

static int e2fsck(const char *how, const char *image)
{
	char command[4096];
	int status;

	snprintf(command, sizeof(command), "e2fsck %s '%s' >'%s.fsck' 2>&1",
		 how, image, image);
	status = system(command);
	return status < 0 || status % 256 ? 255 : status / 256;
}

/*
 * As after any power cut the journal has to be replayed and orphans are to be
 * removed, which e2fsck -p does alone, as long as nothing is marked as damaged.
 */
void judge_fsck(struct trial *t)
{
	char image[1500];
	int r = restore(t, BOW_ACTION_COMMIT);

	if (r) {
		wrong(t, "no commit", r, 0);
		return;
	}
	snprintf(image, sizeof(image), "%s.committed", t->save);
	disk_save(t->disk->now, t->disk->sectors, image);
	if (e2fsck("-p", image) > 1 || e2fsck("-fn", image))
		wrong(t, "not a sound filesystem after a commit", 0, 0);
	t->count.fscks++;
}
