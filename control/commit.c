// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - bowctl commit
 */
#include <stdio.h>
#include <string.h>

#include "bow_format.h"
#include "bowctl.h"
#include "cli.h"

static void report(const struct ctl_place *p, const struct ctl_status *before,
		   const struct ctl_options *o)
{
	const char *id = ctl_status_fact(before, "id");
	u64 copied = 0;
	char text[TEXT_MAX], deferred[CTL_DEFERRED_MAX];
	bool waits = ctl_deferred(p, deferred, sizeof(deferred));
	struct json j = { .out = stdout };

	ctl_status_number(before, "copied_sectors", &copied);
	if (o->json) {
		json_object(&j, NULL);
		json_string(&j, "mountpoint", p->mount.path);
		json_string(&j, "device", p->dm.path);
		json_string(&j, "underlying", p->dm.under);
		json_string(&j, "id", id ? id : "");
		json_u64(&j, "copied_bytes",
				copied << BOW_SECTOR_SHIFT);
		if (waits)
			json_string(&j, "deferred", deferred);
		json_close_object(&j);
	} else if (!o->quiet) {
		printf("checkpoint %s of %s committed: %s of old contents given up\n",
		       id ? id : "(no id)",
		       p->mount.path[0] ? p->mount.path : p->dm.path,
		       text_size(text, copied << BOW_SECTOR_SHIFT));
		if (waits)
			printf("GRUB was upgraded, but not installed; now run: %s\n",
			       deferred);
	}
}

enum bow_exit ctl_commit(const struct ctl_options *o, struct ctl_error *e)
{
	struct ctl_status before;
	struct ctl_place p;
	int err;

	err = ctl_place_open(&p, o->place, e);
	if (!err)
		err = ctl_dm_status(&p.dm, &before, e);
	if (!err && before.state != CTL_STATE_CHECKPOINT)
		err = ctl_fail(e, -CTL_NO_CHECKPOINT,
			       "there is no checkpoint to commit");
	/* Cannot be stopped from here on: who tries that is told how it ended. */
	ctl_interrupt_catch();
	if (!err)
		err = ctl_dm_message(&p.dm, "commit", e);
	if (!err)
		report(&p, &before, o);
	ctl_place_close(&p);
	return ctl_exit(err);
}
