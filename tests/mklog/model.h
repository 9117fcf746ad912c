/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model.h - mklog: a model of the three writers of BOW logs, and its oracle
 *
 * Shares nothing with lib/ and kmod/ but the declaration of the format: what
 * the library reads was written by other code, and what it restores is
 * compared with an image that was never a log.
 *
 * The model counts in blocks of bs bytes; only the structures on the disk
 * count in sectors.
 */
#ifndef MKLOG_MODEL_H
#define MKLOG_MODEL_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include "bow_format.h"

enum version { V0, V1_0, V1_1 };

/* What a block is to the writer. */
enum use {
	USE_ZERO,	/* block 0: holds the log, reads and writes go to live */
	USE_DATA,	/* in use at the checkpoint, not overwritten since */
	USE_FS,		/* the filesystem may write: saved, or was free */
	USE_POOL,	/* free at the checkpoint, nobody uses it */
	USE_BACKUP,	/* old contents of another block */
	USE_LOG,	/* copy of an older log block */
	USE_LIVE,	/* live copy of block 0 */
	USE_RESERVE,	/* v1.1: where the present log block will be copied */
};

/* Neighbouring blocks of the model that are neighbours on the device; see spread.c. */
struct piece {
	uint32_t first, blocks;
	uint64_t at;		/* number of the first on the device */
};

#define PIECES_MAX 5u

/* One entry, in blocks. */
struct move {
	uint32_t source, dest, blocks, checksum;
	bool live;	/* moves the live copy of block 0 to dest */
};

/* A write that waits for its batch of entries to be on the disk. */
struct waiting {
	uint32_t block, blocks;
	uint64_t seed;	/* of the data; 0: zeros */
};

#define BATCH_MAX 256u

struct options {
	enum version version;
	uint32_t bs;
	uint64_t bytes, seed;
	uint64_t device;	/* bytes that the model is spread over; 0: it is all */
	uint32_t ops;
	uint32_t header_size;	/* v1.0 only; 0: 28 */
	const char *base;	/* image to begin with, or NULL */
	const char *free_list;	/* its free sectors */
	const char *now, *now_free;	/* what --fs has become, or NULL */
	const char *state, *damage, *prefix;
	bool raw;		/* no superblock in the invented contents */
	bool zero0;		/* block 0 of D0 is all zeros (implies raw) */
	bool claims;		/* v1.1 */
	bool map;		/* v1.1: a free map; implies claims */
	bool nocsum;		/* v0, v1.0: some entries without checksum */
	bool stale;		/* the last entry moves the live copy */
	bool calm;		/* log copies stay where they were written */
};

struct model {
	struct options o;
	uint32_t bs, spb, nb;		/* bytes, sectors a block, blocks */
	struct piece piece[PIECES_MAX];
	uint32_t pieces;
	uint64_t device_sectors;
	uint8_t *img, *orig;
	uint8_t *live_img;		/* what a reader of the dm device sees */
	uint8_t *use;			/* enum use of each block */
	uint8_t *was_free;
	uint32_t pool;			/* blocks that are USE_POOL */
	uint64_t rng;

	uint8_t *log;			/* the log block being built */
	uint8_t *before;		/* block 0 before the newest log write */
	uint32_t header_size, max;	/* of a log block; max: entries */
	uint32_t count, sequence;
	bool guard;
	uint32_t live;			/* block of the live copy */
	uint32_t named;			/* live copy, as the next header has it */
	uint32_t named_before;		/* ... as the header on the disk has it */
	uint32_t backup0, backup0_csum;
	uint32_t prev_log, prev_log_csum, reserve;
	uint32_t region;		/* blocks of a claim's region, or 0 */
	uint8_t *claimed;
	uint32_t *map, maps;		/* places of the free map's blocks */

	struct move batch[BATCH_MAX];
	uint32_t batched;
	struct waiting wait[BATCH_MAX];
	uint32_t waits;
};

static inline uint8_t *block_at(struct model *m, uint8_t *image, uint32_t b)
{
	return image + (size_t)b * m->bs;
}

/* bytes.c */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
void *allocate(size_t bytes);
uint64_t rnd(uint64_t *state);
uint32_t rnd_below(struct model *m, uint32_t limit);
void fill(uint8_t *p, size_t bytes, uint64_t seed);
uint32_t crc32_raw(uint32_t seed, const void *data, size_t bytes);
uint32_t crc32c_raw(uint32_t seed, const void *data, size_t bytes);

/* spread.c */
void spread_init(struct model *m);
uint64_t device_block(const struct model *m, uint32_t b);
uint32_t piece_left(const struct model *m, uint32_t b);
uint32_t model_block(const struct model *m, uint64_t byte);

static inline uint64_t device_sector(const struct model *m, uint32_t b)
{
	return device_block(m, b) * m->spb;
}

/* image.c */
uint8_t *image_read(const char *path, size_t *bytes);
uint8_t *image_map(const char *path, size_t *bytes);
void image_outputs(struct model *m, size_t bow_bytes);
void free_list_read(const char *path, uint32_t spb, uint8_t *is_free,
		    uint32_t nb);
int image_compare(const char *a, const char *b, const char *free_list);

/* device.c */
void device_init(struct model *m);
uint32_t pool_take(struct model *m, uint32_t want, uint32_t *got);
uint32_t pool_take_one(struct model *m, enum use use);
void set_use(struct model *m, uint32_t b, enum use use);

/* log.c */
void log_activate(struct model *m);
void log_append(struct model *m, const struct move *moves, uint32_t n);
uint32_t log_roll_over(struct model *m, const struct move *e, uint32_t n,
		       bool more);
void log_new_reserve(struct model *m);
void log_seal(uint8_t *block);
uint8_t *log_entries(uint8_t *block, uint32_t *count);

/* freemap.c */
void freemap_make(struct model *m);
void freemap_states(const struct model *m, FILE *out);

/* writer.c */
void writer_write(struct model *m, uint32_t b, uint32_t blocks, uint64_t seed);
void writer_discard(struct model *m, uint32_t b);
void writer_publish(struct model *m);
void writer_release(struct model *m);

/* workload.c */
void workload_run(struct model *m);
/* In place of random writes: what makes the other image of this one. */
void workload_become(struct model *m);
void workload_last_append(struct model *m);
void workload_last_roll_over(struct model *m);

/* state.c */
void state_make(struct model *m);

/* damage.c */
size_t damage_make(struct model *m);
void damage_list(void);

/* undo.c */
struct undo {
	uint8_t *img;
	size_t bytes;
	const struct model *m;	/* whose image it is; NULL: of the whole device */
	uint32_t *tag;		/* NULL, or for each block where it came from */
	uint32_t tag_bs;
};

uint64_t undo_entries(struct undo *u, uint64_t limit);
void undo_stop(struct undo *u, uint64_t undone);

#endif /* MKLOG_MODEL_H */
