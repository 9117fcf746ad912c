// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-target.c - "backup on write": a checkpoint of the device below in its
 * filesystem's free space
 *
 * What this target promises, and the log that it writes, are described in
 * docs/design.md and docs/format.md of the bow project.
 */
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "dm-bow.h"

/* ---- map, end_io ---- */

static int bow_map(struct dm_target *ti, struct bio *bio)
{
	struct bow *bow = ti->private;

	bow_bio(bio)->track = BOW_TRACK_NONE;
	bow_bio(bio)->stalled = false;
	bio_set_dev(bio, bow->dev->bdev);
	/*
	 * A flush covers writes that have completed; one that waits for its
	 * backup has not.
	 */
	if (!bio_sectors(bio))
		return DM_MAPIO_REMAPPED;
	bio->bi_iter.bi_sector = dm_target_offset(ti, bio->bi_iter.bi_sector);
	return bow_route(bow, bio);
}

static int bow_end_io(struct dm_target *ti, struct bio *bio,
		      blk_status_t *error)
{
	bow_untrack(ti->private, bow_bio(bio));
	return DM_ENDIO_DONE;
}

/* ---- status ---- */

static const char *const state_names[] = {
	"trim", "checkpoint", "committed", "resume",
};

const char *bow_health(const struct bow *bow)
{
	if (bow->failed)
		return "failed";
	if (bow->waiting)
		return "waiting";
	return bow->full ? "full" : "ok";
}

/*
 * INFO: STATE HEALTH BLOCK_SIZE FREE_SECTORS KEY:VALUE...
 *   STATE   trim | checkpoint | committed |
 *           resume (writes, and reads of block 0, wait)
 *   HEALTH  ok | full (a write was refused for lack of space) |
 *           waiting (writes wait for space) |
 *           failed (the log cannot be written any more)
 */
static void emit_info(struct bow *bow, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;
	const struct bow_counters *n = &bow->shown;

	spin_lock(&bow->lock);
	DMEMIT("%s %s %u %llu", state_names[bow->state], bow_health(bow), bow->bs,
	       bow_sector(bow, bow->core.map.free));
	if (bow->state == BOW_CHECKPOINT)
		DMEMIT(" id:%16phN created:%llu log_blocks:%u", bow->id,
		       bow->created,
		       le32_to_cpu(bow_core_header(&bow->core)->sequence) + 1);
	DMEMIT(" held_sectors:%llu entries:%llu claims:%llu copies:%llu copied_sectors:%llu moved_sectors:%llu batches:%llu claim_batches:%llu log_writes:%llu flushes:%llu stalls:%llu errors:%llu",
	       bow_sector(bow, bow->core.map.held), n->entries, n->claims,
	       n->copies,
	       bow_sector(bow, n->copied_blocks), bow_sector(bow, n->moved),
	       n->batches, n->claim_batches, n->log_writes, bow->flushes,
	       bow->stalls, bow->errors);
	spin_unlock(&bow->lock);
}

#ifdef BOW_HAS_IMA
static void emit_ima(struct bow *bow, char *result, unsigned int maxlen)
{
	unsigned int sz = 0;

	DMEMIT_TARGET_NAME_VERSION(bow->ti->type);
	DMEMIT(",device_name=%s,block_size=%u,on_full=%s;", bow->dev->name,
	       bow->bs, bow_on_full_name(bow));
}
#endif

static void bow_status(struct dm_target *ti, status_type_t type,
		       unsigned int status_flags, char *result,
		       unsigned int maxlen)
{
	struct bow *bow = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		emit_info(bow, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		bow_emit_table(bow, result, maxlen);
		break;
#ifdef BOW_HAS_IMA
	case STATUSTYPE_IMA:
		emit_ima(bow, result, maxlen);
		break;
#endif
	}
}

/* ---- constructor, destructor ---- */

static int check_device(struct bow *bow)
{
	struct dm_target *ti = bow->ti;

	if (bdev_is_zoned(bow->dev->bdev)) {
		ti->error = "Zoned devices are not supported";
		return -EINVAL;
	}
	if (bdev_logical_block_size(bow->dev->bdev) > bow->bs) {
		ti->error = "block_size is below the device's logical block size";
		return -EINVAL;
	}
	if (ti->begin) {
		ti->error = "The target must be the whole of its device";
		return -EINVAL;
	}
	if (ti->len < 16 * (bow->bs >> SECTOR_SHIFT)) {
		ti->error = "The device is too small";
		return -EINVAL;
	}
	return 0;
}

/*
 * A log in block 0 means that a checkpoint has not been decided: passing I/O
 * to such a device would destroy it, and nothing else can be resumed.  0,
 * -EBUSY or -EINVAL (*error set), or an I/O error.
 */
static int check_log(struct bow *bow, char **error)
{
	u8 *block0 = kzalloc(bow->bs, GFP_NOIO);
	bool log, undecided;
	int r;

	if (!block0)
		return -ENOMEM;
	r = bow_io(bow, REQ_OP_READ, 0, block0, bow->bs);
	log = bow_get_le32(block0) == BOW_MAGIC_LOG;
	undecided = bow_undecided(block0);
	kfree(block0);
	if (r) {
		*error = "Block 0 cannot be read";
		return r;
	}
	if (bow->state == BOW_RESUME) {
		if (log)
			return 0;
		*error = "The device holds no checkpoint to resume";
		return -EINVAL;
	}
	if (undecided) {
		*error = "The device holds an undecided checkpoint; run bow-restore";
		return -EBUSY;
	}
	return 0;
}

static void bow_set_features(struct dm_target *ti)
{
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->num_write_zeroes_bios = 1;
	/* FITRIM must work on any disk: that is how free space is learnt. */
	ti->discards_supported = true;
	ti->per_io_data_size = sizeof(struct bow_bio);
}

/*
 * Construct: <device> [<number of options> <option>...]
 *   device             what holds the filesystem
 *   block_size:<bytes> block size of the log, default 4096
 *   on_full:POLICY     when no block is free, writes that need a backup
 *                        error           fail (the default)
 *                        commit          end the checkpoint
 *                        wait[:SECONDS]  wait so long (60), then fail
 *   resume             resume the checkpoint that is on the device: writes wait
 *                      until messages have said what has become of the blocks
 */
static int bow_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct bow *bow;
	int r;

	if (!argc) {
		ti->error = "A device is needed";
		return -EINVAL;
	}
	bow = kzalloc(sizeof(*bow), GFP_KERNEL);
	if (!bow) {
		ti->error = "Cannot allocate the context";
		return -ENOMEM;
	}
	bow->ti = ti;
	bow->bs = BOW_BLOCK_SIZE_MAX;
	bow->sectors = ti->len;
	r = dm_get_device(ti, dm_shift_arg(&as), dm_table_get_mode(ti->table),
			  &bow->dev);
	if (r) {
		ti->error = "Device lookup failed";
		goto out_context;
	}
	r = bow_parse_options(bow, &as);
	if (!r)
		r = check_device(bow);
	if (r)
		goto out_device;
	bow->block_shift = ilog2(bow->bs) - SECTOR_SHIFT;
	r = bow_engine_init(bow);
	if (r) {
		ti->error = "Cannot allocate the engine";
		goto out_device;
	}
	r = bow_core_init(&bow->core, bow->sectors, bow->bs);
	if (r) {
		ti->error = "Cannot allocate the block map";
		goto out_engine;
	}
	/* Before the look for a log: see dm-bow-peers.c. */
	r = bow_peers_join(bow);
	if (r) {
		ti->error = "A checkpoint of the device is being taken";
		goto out_core;
	}
	r = check_log(bow, &ti->error);
	if (r)
		goto out_peers;
	bow_set_features(ti);
	ti->private = bow;
	return 0;

out_peers:
	bow_peers_leave(bow);
out_core:
	bow_core_exit(&bow->core);
out_engine:
	bow_engine_exit(bow);
out_device:
	dm_put_device(ti, bow->dev);
out_context:
	kfree(bow);
	return r;
}

static void bow_dtr(struct dm_target *ti)
{
	struct bow *bow = ti->private;

	bow_sysfs_remove(bow);
	bow_engine_exit(bow);
	bow_free_buffers(bow);
	bow_core_exit(&bow->core);
	bow_peers_leave(bow);
	dm_put_device(ti, bow->dev);
	kfree(bow);
}

/* ---- suspend, resume ---- */

static void bow_presuspend(struct dm_target *ti)
{
	struct bow *bow = ti->private;

	/* Device-mapper will wait for these; nobody will resume them now. */
	bow_give_up(bow);
	if (dm_noflush_suspending(ti))
		bow_unstall(bow);
}

/* The suspend has failed. */
static void bow_presuspend_undo(struct dm_target *ti)
{
	struct bow *bow = ti->private;

	bow_take_up(bow);
}

static void bow_postsuspend(struct dm_target *ti)
{
	struct bow *bow = ti->private;

	bow_sysfs_remove(bow);
	flush_workqueue(bow->wq);
}

/*
 * A table that takes a checkpoint up may have been loaded before that was committed.
 * It stays suspended then, and a table without `resume` lets the I/O go on.
 */
static int bow_preresume(struct dm_target *ti)
{
	struct bow *bow = ti->private;
	char *error = "";
	int r;

	bow_take_up(bow);
	if (bow->state == BOW_RESUME) {
		r = check_log(bow, &error);
		if (r) {
			DMERR("%s: %s", bow->dev->name, error);
			return r;
		}
	}
	return bow_sysfs_add(bow);
}

/* ---- what lies below ---- */

static int bow_prepare_ioctl(struct dm_target *ti,
			     struct block_device **bdev BOW_PREPARE_IOCTL_EXTRA)
{
	struct bow *bow = ti->private;

	*bdev = bow->dev->bdev;
	/* Not to be passed on when the target is only a part of the device. */
	return ti->len != bdev_nr_sectors(bow->dev->bdev);
}

static int bow_iterate_devices(struct dm_target *ti,
			       iterate_devices_callout_fn fn, void *data)
{
	struct bow *bow = ti->private;

	return fn(ti, bow->dev, 0, ti->len, data);
}

static void bow_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct bow *bow = ti->private;

	/*
	 * The logical block size stays that of the disk.  Where the disk takes
	 * no discards we do: they say what is free.
	 */
	if (!limits->max_discard_sectors) {
		limits->max_discard_sectors = UINT_MAX;
		limits->max_hw_discard_sectors = UINT_MAX;
		limits->discard_granularity = bow->bs;
	}
}

/* ---- messages ---- */

static const char *const range_verbs[] = {
	[BOW_RANGE_FREE] = "free",
	[BOW_RANGE_HELD] = "held",
	[BOW_RANGE_TAKEN] = "taken",
	[BOW_RANGE_CHANGED] = "changed",
	[BOW_RANGE_CLAIMED] = "claimed",
};

/*
 * One range of a message, in sectors: "START LENGTH", or "GAP+LENGTH" for one that
 * begins so far after @end, where the range before it ends.  Returns how many
 * arguments it is.
 */
static int parse_range(unsigned int argc, char **argv, u64 end,
		       struct bow_range *range)
{
	char *length = strchr(argv[0], '+');

	if (length) {
		*length++ = '\0';
		if (kstrtou64(argv[0], 10, &range->start) ||
		    kstrtou64(length, 10, &range->length) ||
		    check_add_overflow(end, range->start, &range->start))
			return -EINVAL;
		return 1;
	}
	if (argc < 2 || kstrtou64(argv[0], 10, &range->start) ||
	    kstrtou64(argv[1], 10, &range->length))
		return -EINVAL;
	return 2;
}

/* The ranges of the @argc > 0 arguments; returns how many they are. */
static int parse_ranges(unsigned int argc, char **argv, struct bow_range *ranges)
{
	unsigned int count = 0;
	u64 end = 0;

	while (argc) {
		int used = parse_range(argc, argv, end, &ranges[count]);

		if (used < 0)
			return used;
		/* If this overflows, bow_add_ranges() refuses the range. */
		end = ranges[count].start + ranges[count].length;
		count++;
		argc -= used;
		argv += used;
	}
	return count;
}

/* KIND RANGE... */
static int message_ranges(struct bow *bow, enum bow_range_kind kind,
			  unsigned int argc, char **argv)
{
	struct bow_range *ranges;
	unsigned int noio;
	int r;

	if (argc < 2)
		return -EINVAL;
	/*
	 * A fragmented filesystem has many: all of a message in one request.  It may
	 * be frozen, and the device may wait for this message.
	 */
	noio = memalloc_noio_save();
	ranges = kvmalloc_array(argc - 1, sizeof(*ranges), GFP_KERNEL);
	memalloc_noio_restore(noio);
	if (!ranges)
		return -ENOMEM;
	r = parse_ranges(argc - 1, argv + 1, ranges);
	if (r > 0)
		r = bow_add_ranges(bow, kind, ranges, r);
	kvfree(ranges);
	return r;
}

/*
 * free_bits START HEX: free blocks as a bitmap, two digits a byte.  The lowest bit of
 * the first byte is the block at sector START, a multiple of 64 blocks.  For a
 * filesystem that is so fragmented that its ranges would be longer.
 */
static int message_free_bits(struct bow *bow, unsigned int argc, char **argv)
{
	unsigned int noio;
	size_t digits;
	__le64 *bits;
	u64 start;
	int r;

	if (argc != 3 || kstrtou64(argv[1], 10, &start))
		return -EINVAL;
	digits = strlen(argv[2]);
	if (!digits || digits % 2)
		return -EINVAL;
	noio = memalloc_noio_save();
	bits = kvcalloc(DIV_ROUND_UP(digits, 16), sizeof(*bits), GFP_KERNEL);
	memalloc_noio_restore(noio);
	if (!bits)
		return -ENOMEM;
	r = hex2bin((u8 *)bits, argv[2], digits / 2) ? -EINVAL :
		bow_add_free_bits(bow, start, bits, DIV_ROUND_UP(digits, 16));
	kvfree(bits);
	return r;
}

static int bow_message(struct dm_target *ti, unsigned int argc, char **argv,
		       char *result, unsigned int maxlen)
{
	struct bow *bow = ti->private;
	int kind = match_string(range_verbs, ARRAY_SIZE(range_verbs), argv[0]);

	/* All of them write to the device below, or change what it means. */
	if (dm_suspended(ti))
		return -EBUSY;
	if (kind >= 0)
		return message_ranges(bow, kind, argc, argv);
	if (!strcmp(argv[0], "free_bits"))
		return message_free_bits(bow, argc, argv);
	if (argc != 1)
		return -EINVAL;
	if (!strcasecmp(argv[0], "clear"))
		return bow_clear_free(bow);
	if (!strcasecmp(argv[0], "checkpoint"))
		return bow_checkpoint(bow);
	if (!strcasecmp(argv[0], "commit"))
		return bow_commit(bow);
	if (!strcasecmp(argv[0], "resume"))
		return bow_resume_checkpoint(bow);
	if (!strcasecmp(argv[0], "restart"))
		return bow_restart(bow);
	return -EINVAL;
}

static struct target_type bow_target = {
	.name = "bow",
	.version = { 1, 4, 0 },
	/*
	 * Not DM_TARGET_PASSES_INTEGRITY: a backup has no tags, and the live
	 * block 0 is elsewhere.
	 */
	.features = DM_TARGET_SINGLETON | DM_TARGET_ALWAYS_WRITEABLE |
		    DM_TARGET_NOWAIT,
	.module = THIS_MODULE,
	.ctr = bow_ctr,
	.dtr = bow_dtr,
	.map = bow_map,
	.end_io = bow_end_io,
	.status = bow_status,
	.message = bow_message,
	.presuspend = bow_presuspend,
	.presuspend_undo = bow_presuspend_undo,
	.postsuspend = bow_postsuspend,
	.preresume = bow_preresume,
	.prepare_ioctl = bow_prepare_ioctl,
	.iterate_devices = bow_iterate_devices,
	.io_hints = bow_io_hints,
};

static int __init dm_bow_init(void)
{
	int r = dm_register_target(&bow_target);

	if (r)
		DMERR("register failed: %d", r);
	return r;
}

static void __exit dm_bow_exit(void)
{
	dm_unregister_target(&bow_target);
}

module_init(dm_bow_init);
module_exit(dm_bow_exit);

MODULE_DESCRIPTION("device-mapper target that backs up blocks before they are overwritten");
MODULE_LICENSE("GPL");
