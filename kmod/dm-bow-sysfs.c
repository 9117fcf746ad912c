// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-sysfs.c - /sys/block/dm-N/bow: state and free, as in the RFC of 2018,
 * and what the status line counts
 *
 * free and health can be polled: they wake when free blocks get few and when
 * the health changes, as dm events do.
 *
 * The directory exists from a resume to the next suspend, so that a new table for
 * the same device finds the name unused.  Removal waits until the last reader has
 * gone, and wakes who polls.
 */
#include <linux/sched/mm.h>
#include <linux/sysfs.h>

#include "dm-bow.h"

struct bow_attribute {
	struct attribute attr;
	ssize_t (*show)(struct bow *bow, char *buf);
	ssize_t (*store)(struct bow *bow, const char *buf, size_t count);
};

static ssize_t state_show(struct bow *bow, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(bow->state));
}

static ssize_t state_store(struct bow *bow, const char *buf, size_t count)
{
	unsigned int state;
	int r = kstrtouint(buf, 10, &state);

	if (!r)
		r = bow_set_state(bow, state);
	return r ? r : count;
}

/* Sectors that a backup could still use. */
static ssize_t free_show(struct bow *bow, char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  bow_sector(bow, READ_ONCE(bow->core.map.free)));
}

static struct bow_attribute state_attr = {
	.attr = { .name = "state", .mode = 0600 },
	.show = state_show,
	.store = state_store,
};

static struct bow_attribute free_attr = {
	.attr = { .name = "free", .mode = 0444 },
	.show = free_show,
};

static ssize_t health_show(struct bow *bow, char *buf)
{
	return sysfs_emit(buf, "%s\n", bow_health(bow));
}

static struct bow_attribute health_attr = {
	.attr = { .name = "health", .mode = 0444 },
	.show = health_show,
};

/* A number of the status line, by its name there. */
#define BOW_COUNTER(key, value)						\
static ssize_t key##_show(struct bow *bow, char *buf)			\
{									\
	u64 n;								\
									\
	spin_lock(&bow->lock);						\
	n = value;							\
	spin_unlock(&bow->lock);					\
	return sysfs_emit(buf, "%llu\n", n);				\
}									\
static struct bow_attribute key##_attr = {				\
	.attr = { .name = #key, .mode = 0444 },				\
	.show = key##_show,						\
}

BOW_COUNTER(held_sectors, bow_sector(bow, bow->core.map.held));
BOW_COUNTER(entries, bow->shown.entries);
BOW_COUNTER(claims, bow->shown.claims);
BOW_COUNTER(copies, bow->shown.copies);
BOW_COUNTER(copied_sectors, bow_sector(bow, bow->shown.copied_blocks));
BOW_COUNTER(moved_sectors, bow_sector(bow, bow->shown.moved));
BOW_COUNTER(batches, bow->shown.batches);
BOW_COUNTER(claim_batches, bow->shown.claim_batches);
BOW_COUNTER(log_writes, bow->shown.log_writes);
BOW_COUNTER(flushes, bow->flushes);
BOW_COUNTER(stalls, bow->stalls);
BOW_COUNTER(errors, bow->errors);

static struct attribute *bow_attrs[] = {
	&state_attr.attr,
	&free_attr.attr,
	&health_attr.attr,
	&held_sectors_attr.attr,
	&entries_attr.attr,
	&claims_attr.attr,
	&copies_attr.attr,
	&copied_sectors_attr.attr,
	&moved_sectors_attr.attr,
	&batches_attr.attr,
	&claim_batches_attr.attr,
	&log_writes_attr.attr,
	&flushes_attr.attr,
	&stalls_attr.attr,
	&errors_attr.attr,
	NULL,
};
ATTRIBUTE_GROUPS(bow);

static struct bow *to_bow(struct kobject *kobj)
{
	return container_of(kobj, struct bow, kobj);
}

static ssize_t bow_attr_show(struct kobject *kobj, struct attribute *attr,
			     char *buf)
{
	struct bow_attribute *a = container_of(attr, struct bow_attribute,
					       attr);

	return a->show ? a->show(to_bow(kobj), buf) : -EIO;
}

static ssize_t bow_attr_store(struct kobject *kobj, struct attribute *attr,
			      const char *buf, size_t count)
{
	struct bow_attribute *a = container_of(attr, struct bow_attribute,
					       attr);

	return a->store ? a->store(to_bow(kobj), buf, count) : -EIO;
}

static const struct sysfs_ops bow_sysfs_ops = {
	.show = bow_attr_show,
	.store = bow_attr_store,
};

static void bow_kobj_release(struct kobject *kobj)
{
	complete(&to_bow(kobj)->kobj_released);
}

static struct kobj_type bow_ktype = {
	.release = bow_kobj_release,
	.sysfs_ops = &bow_sysfs_ops,
	.default_groups = bow_groups,
};

int bow_sysfs_add(struct bow *bow)
{
	struct gendisk *disk = dm_disk(dm_table_get_md(bow->ti->table));
	unsigned int noio;
	int r;

	if (bow->kobj_added)
		return 0;
	memset(&bow->kobj, 0, sizeof(bow->kobj));
	init_completion(&bow->kobj_released);
	/* The device is suspended: memory must be had without writing to it. */
	noio = memalloc_noio_save();
	r = kobject_init_and_add(&bow->kobj, &bow_ktype,
				 &disk_to_dev(disk)->kobj, "bow");
	memalloc_noio_restore(noio);
	if (r) {
		kobject_put(&bow->kobj);
		wait_for_completion(&bow->kobj_released);
		return r;
	}
	mutex_lock(&bow->sysfs_lock);
	bow->kobj_added = true;
	mutex_unlock(&bow->sysfs_lock);
	return 0;
}

static const char *const polled[] = { "free", "health" };

void bow_sysfs_remove(struct bow *bow)
{
	struct kernfs_node *file[ARRAY_SIZE(polled)];
	unsigned int i;

	if (!bow->kobj_added)
		return;
	mutex_lock(&bow->sysfs_lock);
	bow->kobj_added = false;
	mutex_unlock(&bow->sysfs_lock);
	for (i = 0; i < ARRAY_SIZE(polled); i++)
		file[i] = sysfs_get_dirent(bow->kobj.sd, polled[i]);
	/* Not under the lock: a store that is waited for waits for the worker. */
	kobject_del(&bow->kobj);
	/*
	 * Nothing else would wake who polls a file that is gone.  Not before, or he
	 * could be back in time.
	 */
	for (i = 0; i < ARRAY_SIZE(polled); i++) {
		if (!file[i])
			continue;
		sysfs_notify_dirent(file[i]);
		sysfs_put(file[i]);
	}
	kobject_put(&bow->kobj);
	wait_for_completion(&bow->kobj_released);
}

/* sysfs_notify() must not meet kobject_del(), which drops what it looks at. */
void bow_sysfs_notify(struct bow *bow)
{
	unsigned int i;

	mutex_lock(&bow->sysfs_lock);
	for (i = 0; bow->kobj_added && i < ARRAY_SIZE(polled); i++)
		sysfs_notify(&bow->kobj, NULL, polled[i]);
	mutex_unlock(&bow->sysfs_lock);
}
