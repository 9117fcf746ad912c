/* SPDX-License-Identifier: GPL-2.0 */
/*
 * faults.h - libbow on a disk that fails at every possible moment
 *
 * Logs come from mklog, which shares no code with libbow; so does the D0 that a
 * rollback is compared with.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include "bow.h"

/* ---- the disk (disk.c) ---- */

/* What goes wrong, at the k-th request or allocation of its kind. */
enum fault {
	FAULT_NONE,
	FAULT_CUT,	/* the power fails in the k-th write */
	FAULT_TORN,	/* the same, all is durable but parts of that write */
	FAULT_GARBAGE,	/* the same, and its last 4 KiB become garbage */
	FAULT_READ,	/* EIO */
	FAULT_WRITE,	/* EIO, any part of it done */
	FAULT_FLUSH,	/* EIO, any part of it done, and never tried again */
	FAULT_MEMORY,	/* no memory */
	FAULT_STOP,	/* the caller wants to stop */
	FAULT_SHORT,	/* system calls transfer less than asked for */
	FAULT_REFUSED,	/* none: what is asked for is not allowed */
	FAULT_KINDS
};

#define DISK_MAX (1u << 20)
#define DISK_SECTORS (DISK_MAX / BOW_SECTOR_SIZE)

struct disk {
	struct bow_dev dev;
	u8 now[DISK_MAX];	/* what a reader sees */
	u8 durable[DISK_MAX];	/* what a power cut leaves at least */
	u16 dirty[DISK_SECTORS];	/* written since the last flush */
	bool is_dirty[DISK_SECTORS];
	u32 dirties;
	u16 touched[DISK_SECTORS];	/* may differ from `image` */
	bool is_touched[DISK_SECTORS];
	u32 touches;
	const u8 *image;	/* to begin with */
	enum fault fault;
	u32 left;		/* requests until it strikes */
	bool forever;		/* and from then on */
	bool struck;
	bool off;		/* after a power cut */
	u64 last_write;		/* bytes */
	size_t last_bytes;
	u32 writes;
	u64 rng;
};

u64 rnd_next(u64 *state);
u32 rnd_to(u64 *state, u32 limit);

/* The disk holds this image, which must stay, or begins with it once more. */
void disk_load(struct disk *d, const u8 *image, size_t bytes);
void disk_again(struct disk *d, u64 seed);
void disk_flip(struct disk *d, u32 bit);
void disk_arm(struct disk *d, enum fault fault, u32 k, bool forever);
void disk_disarm(struct disk *d);

/* All of the disk as it is, to come back to. */
struct disk_state {
	u8 now[DISK_MAX];
	u8 durable[DISK_MAX];	/* of both, the touched sectors */
	u16 touched[DISK_SECTORS];
	u32 touches;
	u16 dirty[DISK_SECTORS];
	u32 dirties;
	u64 last_write;
	size_t last_bytes;
};

void disk_save(const struct disk *d, struct disk_state *s);
void disk_back(struct disk *d, const struct disk_state *s);

/*
 * After a power cut.  Of up to 8 dirty sectors those survive whose bits are set
 * in `choice`; of more, none, all, or a sample for each choice.
 */
void disk_reboot(struct disk *d, u32 choice);
/* How many choices there are to try. */
u32 disk_choices(const struct disk *d, u32 samples);
/*
 * The same of the last write's sectors alone; all that was written before
 * survives.  Every subset in the log block; elsewhere none, all, and a sample:
 * a part from the start or to the end.
 */
void disk_reboot_torn(struct disk *d, u32 choice);
u32 disk_choices_torn(const struct disk *d, u32 samples);
/* The last 4 KiB of the write that was cut. */
void disk_garbage(struct disk *d);
/* Was any of it in block 0? */
bool disk_garbage_in(const struct disk *d, u32 bytes);

/* ---- allocations (memory.c) ---- */

void memory_arm(u32 k, bool forever);
/* Disarms; did an allocation fail? */
bool memory_struck(void);

/* ---- short transfers (short.c): a file whose calls are cut short ---- */

int short_open(struct bow_dev *dev, const u8 *image, size_t bytes);
void short_arm(u32 k, bool forever, u64 seed);
bool short_struck(void);
int short_close(struct bow_dev *dev, u8 *image, size_t bytes);

/* ---- logs (logs.c) ---- */

struct sample {
	const char *format;	/* "v0", "1.0", "1.1" */
	char name[128];		/* of its making, for whoever looks into it */
	enum bow_action action;
	u32 bs;
	u32 bytes;
	u8 *image;
	u8 *want;		/* the result, outside the free blocks */
	u8 *is_free;		/* by blocks; all 0 after a commit */
	bool refused;		/* a commit of what is half rolled back */
};

/* Log number n; every format, block size and state comes by and by. */
void sample_make(struct sample *s, u32 n);
/* The same with many entries, and with few. */
void sample_make_large(struct sample *s, u32 n);
void sample_make_small(struct sample *s, u32 n);
void sample_free(struct sample *s);
bool sample_result(const struct sample *s, const u8 *image);

/* ---- flips.c ---- */

struct flips {
	u64 logs;
	u64 done;
	u64 refused;		/* and nothing written */
	u64 right;		/* restored all the same */
	u64 unprotected;	/* restored wrong; the format cannot tell */
	u64 wrong;
};

/*
 * Every stride-th bit of block 0 of `logs` logs that are rolled back, and of
 * the v1.1 logs that are committed and the finishing records among them.
 */
void flips(u32 logs, u32 stride, struct flips *count);

#endif /* TESTS_FAULTS_H */
