/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bowctl.h - the parts of bowctl, a section for each .c file
 *
 * Texts and JSON are those of all programs, in common/.
 *
 * Functions return 0 or -errno and print nothing, unless said otherwise; the
 * reason goes into a struct ctl_error, which main() prints.
 */
#ifndef BOWCTL_H
#define BOWCTL_H

#include <stdarg.h>
#include <stdio.h>
#include <sys/types.h>

#include "bow_shim.h"
#include "exit-codes.h"
#include "../verify/view.h"

/* error.c: why something failed, in words */

struct ctl_error {
	char text[512];
};

/*
 * What has an exit status of its own, negative as an errno is, and none: a disk
 * that fails gives ENODATA, one that is gone ENODEV, and neither tells whether
 * there is a checkpoint.
 */
enum {
	CTL_NO_BOW = 4096,		/* not on dm-bow */
	CTL_NO_CHECKPOINT,
};

/* Set the reason; the value is `err`, for "return ctl_fail(...)". */
int ctl_fail(struct ctl_error *e, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* dm-status.c: the status and table lines of the target; pure */

enum ctl_state {
	CTL_STATE_TRIM,
	CTL_STATE_CHECKPOINT,
	CTL_STATE_COMMITTED,
	CTL_STATE_RESUME,	/* a checkpoint is being resumed; writes wait */
};

#define CTL_FACTS_MAX 32

/* A key:value of the status line. */
struct ctl_fact {
	char key[32];
	char value[48];
};

struct ctl_status {
	enum ctl_state state;
	char health[16];
	u32 block_size;			/* bytes */
	u64 free_sectors;
	bool other_table;		/* loaded, and not live */
	unsigned int facts;
	struct ctl_fact fact[CTL_FACTS_MAX];
};

int ctl_status_parse(struct ctl_status *s, const char *line);
const char *ctl_state_name(enum ctl_state state);
/* The value of a fact, or NULL; as a number: false when absent or not one. */
const char *ctl_status_fact(const struct ctl_status *s, const char *key);
bool ctl_status_number(const struct ctl_status *s, const char *key, u64 *value);
/* The device named by a table line, into `device`. */
int ctl_table_device(const char *line, char *device, size_t size);

/* boot.c: what the initramfs did at this boot */

#define CTL_BOOT_RECORD "/run/bow/boot"

struct ctl_boot_fact {
	char key[32];
	char value[256];
};

struct ctl_boot {
	unsigned int facts;
	struct ctl_boot_fact fact[CTL_FACTS_MAX];
};

/* Lines that are not KEY=VALUE are left out. */
void ctl_boot_parse(struct ctl_boot *b, FILE *in);
/* Of this boot; false: the initramfs found no log, or left no record. */
bool ctl_boot_read(struct ctl_boot *b);
/* The value of a fact, or NULL. */
const char *ctl_boot_fact(const struct ctl_boot *b, const char *key);
/* Lines for people. */
void ctl_boot_text(FILE *out, const struct ctl_boot *b);

/* mountinfo.c: lines of /proc/self/mountinfo and /proc/swaps; pure */

struct ctl_mount {
	unsigned int major, minor;
	bool whole;			/* its root is that of the filesystem */
	char path[4096];
	char type[32];
};

int ctl_mountinfo_parse(struct ctl_mount *m, const char *line);
/* The path of a swap file; -EINVAL: it is none, but a partition or the title. */
int ctl_swap_parse(char path[4096], const char *line);

/* dm.c: the device-mapper calls */

struct ctl_dm {
	dev_t dev;
	u64 sectors;
	char path[160];			/* as /dev/mapper/bow-root */
	char under[192];		/* device below, as /dev/vda1 */
};

/* Prepare libdevmapper: silent, no udev, its control node kept open. */
void ctl_dm_begin(void);
void ctl_dm_end(void);
/* -CTL_NO_BOW: `dev` is not a dm-bow device. */
int ctl_dm_find(struct ctl_dm *dm, dev_t dev, struct ctl_error *e);
int ctl_dm_status(const struct ctl_dm *dm, struct ctl_status *s,
		  struct ctl_error *e);
int ctl_dm_message(const struct ctl_dm *dm, const char *text,
		   struct ctl_error *e);
/*
 * Make a dm-bow device: `params` of its table.  Whoever waits for udev must not
 * do so while the device holds back what udev reads: ctl_dm_settle(cookie),
 * later, on success and on failure.
 */
int ctl_dm_create(struct ctl_dm *dm, const char *name, u64 sectors,
		  const char *params, u32 *cookie, struct ctl_error *e);
void ctl_dm_settle(u32 cookie);
/* Make a read-only device of linear targets over `under`, as `v` has it. */
int ctl_dm_create_view(const char *name, const struct view *v,
		       const char *under, struct ctl_error *e);
/* Also while I/O waits in it, which fails. */
int ctl_dm_remove(const char *name, u64 sectors, struct ctl_error *e);

/* place.c: from the argument to the device and where it is mounted */

struct ctl_place {
	dev_t dev;
	struct ctl_mount mount;		/* path empty: not mounted */
	int mount_fd;			/* open on mount.path, or -1 */
	struct ctl_dm dm;
};

/* `name` is a mount point or file, a device, or a name below /dev/mapper. */
int ctl_place_open(struct ctl_place *p, const char *name, struct ctl_error *e);
/*
 * The same, for a log alone: it is on p->dm.under, which is `name` itself if that is
 * an image, or a device without dm-bow.
 */
int ctl_place_log(struct ctl_place *p, const char *name, struct ctl_error *e);
void ctl_place_close(struct ctl_place *p);

/* ranges.c: ranges of sectors and bitmaps, and messages of many of them; pure */

struct ctl_range {
	u64 start, length;		/* sectors */
};

/* Shrink to whole units of `unit` sectors; false when nothing is left. */
bool ctl_range_inward(struct ctl_range *r, u32 unit);

/* Gathers "VERB START LENGTH GAP+LENGTH..." and sends what is full. */
struct ctl_batch {
	char *text;
	size_t size, used;		/* bytes; used 0: nothing to send */
	const char *verb;
	u64 end;			/* sector: of the range before */
	int (*send)(void *context, const char *text);
	void *context;
	u64 sectors, ranges, messages;	/* added, added, sent */
};

/*
 * Bytes of a message of ranges: device-mapper makes an array of its words, in
 * memory that must be contiguous, while the filesystem is frozen.
 */
#define CTL_BATCH_RANGES 16384
/* Room that a batch needs at least, beside the verb. */
#define CTL_BATCH_ROOM 48

void ctl_batch_begin(struct ctl_batch *b, char *text, size_t size,
		     const char *verb);
int ctl_batch_add(struct ctl_batch *b, const struct ctl_range *r);
/*
 * Words of a bitmap that a message of CTL_BATCH_SIZE bytes has room for: a quarter of
 * that takes a third longer in all, with a message for each.
 */
#define CTL_BATCH_BITS_MAX 4096u
#define CTL_BATCH_SIZE (CTL_BATCH_BITS_MAX * 16 + CTL_BATCH_ROOM)
/*
 * Sends "free_bits START HEX", a message of its own: the free ones of the blocks of
 * `unit` sectors from sector `start` on.  `used`: little-endian words, a bit a block;
 * -EMSGSIZE if they are more than the batch's text has room for.
 */
int ctl_batch_add_free_bits(struct ctl_batch *b, u64 start, u32 unit,
			    const u64 *used, size_t words);
int ctl_batch_flush(struct ctl_batch *b);

/* freemap.c: the free blocks of an ext4 filesystem, by libext2fs */

struct ctl_freemap {
	void *fs;			/* ext2_filsys */
	u64 *used;			/* a bit a cluster, little-endian words */
	u64 clusters;			/* from the first data block's on */
	u32 block_sectors;		/* sectors a filesystem block */
	u32 cluster_sectors;		/* sectors a bit of `used` */
	u64 first_sector;		/* of the first bit */
	u64 sectors;			/* the filesystem's size */
	u64 free_sectors;		/* as the bitmaps say */
	u64 free_ranges;		/* however small */
};

enum ctl_freemap_mode {
	CTL_FREEMAP_ESTIMATE,		/* mounted and in use: no cross-checks */
	CTL_FREEMAP_EXACT,		/* frozen or not mounted: all checks */
};

/* Load libext2fs's messages, which may take memory. */
void ctl_freemap_init(void);
/* Reads all block bitmaps through `fd`, which is not closed. */
int ctl_freemap_read(struct ctl_freemap *map, int fd,
		     enum ctl_freemap_mode mode, struct ctl_error *e);
/* What is done with the free blocks, until it fails; both may be called. */
struct ctl_freemap_visitor {
	int (*range)(void *context, struct ctl_range r);
	/*
	 * For a stretch that has very many ranges, if not NULL: `words` words of the
	 * map that begin at sector `start`.
	 */
	int (*bits)(void *context, u64 start, const u64 *used, size_t words);
	void *context;
};

/* Visits every free block once, in order. */
int ctl_freemap_walk(const struct ctl_freemap *map,
		     const struct ctl_freemap_visitor *v);
void ctl_freemap_free(struct ctl_freemap *map);

/* deferred.c: what waits for the end of a checkpoint */

#define CTL_DEFERRED_MAX 4096		/* bytes */

/* The command to be run then, without a newline; false: there is none. */
bool ctl_deferred(const struct ctl_place *p, char *command, size_t size);

/* interrupt.c: SIGINT, SIGTERM and SIGHUP as a flag */

void ctl_interrupt_catch(void);
bool ctl_interrupted(void);

/* resident.c: a process that never waits for the frozen filesystem */

int ctl_resident(struct ctl_error *e);

/* cgroup.c: out of the control groups that this process was started in */

void ctl_cgroup_leave(void);

/* guardian.c: a process that thaws when this one cannot */

struct ctl_guardian {
	/*
	 * In the guardian, after the death of this process and the thaw; NULL:
	 * nothing.  0: no trace is left.
	 */
	int (*undo)(void *context);
	void *context;
	pid_t pid;			/* 0: none */
	int sock;			/* to it; -1: none */
};

int ctl_guardian_start(struct ctl_guardian *g, int mount_fd,
		       unsigned int limit_ms, struct ctl_error *e);
/* From now on: thaw when this process ends, or after the time limit. */
int ctl_guardian_arm(struct ctl_guardian *g);
/* The filesystem is not frozen any more (or never was). */
void ctl_guardian_end(struct ctl_guardian *g);

/* freeze.c: freezing a filesystem, never for longer than promised */

struct ctl_freeze {
	int mount_fd;
	bool frozen;
	u64 begin_us, frozen_us;	/* when; for how long, once thawed */
	struct ctl_guardian guardian;
};

#define CTL_FREEZE_LIMIT_MS 30000

/*
 * All that takes memory or opens files; ctl_freeze_end() must follow.  The caller
 * has set guardian.undo.
 */
int ctl_freeze_prepare(struct ctl_freeze *f, int mount_fd,
		       unsigned int limit_ms, struct ctl_error *e);
int ctl_freeze_begin(struct ctl_freeze *f, struct ctl_error *e);
/* Is it still frozen?  -ESTALE when somebody thawed it. */
int ctl_freeze_still(struct ctl_freeze *f, struct ctl_error *e);
/* Thaws, whatever happened. */
int ctl_freeze_end(struct ctl_freeze *f, struct ctl_error *e);

/* nbd.c: a block device whose contents are a view */

#define CTL_OLD_NAME 16			/* room for a device's name */
#define CTL_NBD_MAX 64

/* A device that is not in use, as nbd0. */
int ctl_nbd_pick(char name[CTL_OLD_NAME], struct ctl_error *e);
/*
 * Processes that serve it stay behind; `v`, with the device and the log that
 * it is of, may be let go of here.
 */
int ctl_nbd_begin(const char *name, struct view *v, struct ctl_error *e);
int ctl_nbd_end(const char *name, struct ctl_error *e);

/* old.c: the device of an old state, and what it was made for */

struct ctl_old {
	char name[CTL_OLD_NAME];	/* as nbd0 or bow-old */
	char path[32];			/* as /dev/nbd0 */
};

/*
 * Make one of `v`, a view of the device `under` with a log, to be mounted at
 * `place`, where there must be none; processes of ours may stay behind.
 */
int ctl_old_begin(struct ctl_old *old, struct view *v, const char *under,
		  const char *place, struct ctl_error *e);
int ctl_old_end(const struct ctl_old *old, struct ctl_error *e);
/* The one that was made for `place`; false: there is none. */
bool ctl_old_find(struct ctl_old *old, const char *place);

/* beside.c: what a checkpoint does not cover, or need not keep, or what ends it */

#define CTL_BESIDE_OTHERS 16
#define CTL_BESIDE_SWAPS 4

struct ctl_beside {
	unsigned int others, swaps;
	char other[CTL_BESIDE_OTHERS][256];	/* directories, if it is of / */
	char swap[CTL_BESIDE_SWAPS][256];	/* files on it that are in use */
	bool commits;			/* the command line, if it is of / */
};

struct json;

/* Of a checkpoint of the filesystem on `dev`. */
void ctl_beside_find(struct ctl_beside *b, dev_t dev);
/* Members of an object; lines for people, or none. */
void ctl_beside_json(struct json *j, const struct ctl_beside *b);
void ctl_beside_text(FILE *out, const struct ctl_beside *b);

/* The commands: print their result, leave the reason of a failure in `e`. */

struct ctl_options {
	const char *place;		/* the argument, or "/" */
	const char *name;		/* of the dm device to be made */
	const char *device;		/* browse: whose old state; NULL: / */
	bool close;			/* browse: end it */
	bool json, verbose, quiet;
};

/* checkpoint.c */
enum bow_exit ctl_checkpoint(const struct ctl_options *o, struct ctl_error *e);
/* commit.c */
enum bow_exit ctl_commit(const struct ctl_options *o, struct ctl_error *e);
/* status.c */
enum bow_exit ctl_status(const struct ctl_options *o, struct ctl_error *e);
/* resume.c */
enum bow_exit ctl_resume(const struct ctl_options *o, struct ctl_error *e);
/* files.c: becomes bow-verify, and returns only if that fails */
enum bow_exit ctl_files(const struct ctl_options *o, struct ctl_error *e);
/* browse.c */
enum bow_exit ctl_browse(const struct ctl_options *o, struct ctl_error *e);
/* How a failure, as the functions return it, ends the program. */
enum bow_exit ctl_exit(int err);

#endif /* BOWCTL_H */
