// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - bowctl commit
 */
#include <stdio.h>
#include <string.h>

#include "bow_format.h"
#include "bowctl.h"

static void report(const struct ctl_place *p, const struct ctl_status *before,
		   const struct ctl_options *o)
{
	const char *id = ctl_status_fact(before, "id");
	u64 copied = 0;
	char text[CTL_TEXT_SIZE];
	struct ctl_json j;

	ctl_status_number(before, "copied_sectors", &copied);
	if (o->json) {
		ctl_json_begin(&j, stdout);
		ctl_json_string(&j, "mountpoint", p->mount.path);
		ctl_json_string(&j, "device", p->dm.path);
		ctl_json_string(&j, "underlying", p->dm.under);
		ctl_json_string(&j, "id", id ? id : "");
		ctl_json_number(&j, "copied_bytes",
				copied << BOW_SECTOR_SHIFT);
		ctl_json_end(&j);
	} else if (!o->quiet) {
		printf("checkpoint %s of %s committed: %s of old contents given up\n",
		       id ? id : "(no id)",
		       p->mount.path[0] ? p->mount.path : p->dm.path,
		       ctl_bytes_text(text, copied << BOW_SECTOR_SHIFT));
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
		err = ctl_fail(e, -ENODATA, "there is no checkpoint to commit");
	if (!err)
		err = ctl_dm_message(&p.dm, "commit", e);
	if (!err)
		report(&p, &before, o);
	ctl_place_close(&p);
	return ctl_exit(err);
}
