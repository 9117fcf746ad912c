// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-peers.c - other tables for the same disk
 *
 * A table may be loaded long before it goes live, and it looks for a log when it is
 * loaded.  If a checkpoint began after that, the table would find it only when
 * device-mapper has dropped the old one, and with it what the checkpoint needs: the
 * device would stay suspended.  So a checkpoint is refused while there is another
 * table for the disk, and a table while a checkpoint is being taken; a table that
 * comes later finds the log.
 */
#include "dm-bow.h"

static DEFINE_MUTEX(peers_lock);
static LIST_HEAD(peers);

static bool same_disk(const struct bow *a, const struct bow *b)
{
	return a->dev->bdev->bd_dev == b->dev->bdev->bd_dev;
}

int bow_peers_join(struct bow *bow)
{
	struct bow *peer;
	int r = 0;

	mutex_lock(&peers_lock);
	list_for_each_entry(peer, &peers, peers)
		if (peer->alone && same_disk(peer, bow))
			r = -EBUSY;
	if (!r)
		list_add(&bow->peers, &peers);
	mutex_unlock(&peers_lock);
	return r;
}

void bow_peers_leave(struct bow *bow)
{
	mutex_lock(&peers_lock);
	list_del(&bow->peers);
	mutex_unlock(&peers_lock);
}

int bow_peers_exclude(struct bow *bow)
{
	struct bow *peer;
	int r = 0;

	mutex_lock(&peers_lock);
	list_for_each_entry(peer, &peers, peers)
		if (peer != bow && same_disk(peer, bow))
			r = -EBUSY;
	bow->alone = !r;
	mutex_unlock(&peers_lock);
	if (r)
		DMERR("%s: another table is loaded for it", bow->dev->name);
	return r;
}

void bow_peers_admit(struct bow *bow)
{
	mutex_lock(&peers_lock);
	bow->alone = false;
	mutex_unlock(&peers_lock);
}
