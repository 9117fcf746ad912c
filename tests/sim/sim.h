/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sim.h - what the files of the crash simulator share
 *
 *   sim.c       options, groups of runs, the TAP
 *   disk.c      a disk with a volatile cache that can lose power
 *   model.c     what the user of the device may see, and D0
 *   watch.c     what must hold at every write
 *   engine.c    the module's shell around the pure core: routing
 *   batch.c     its worker
 *   control.c   its changes of state
 *   workload.c  what the user does, from a seed
 *   shrink.c    of a run that fails, the few operations that it takes
 *   trace.c     ... or from a trace of a real filesystem
 *   examine.c   power cuts, and the states of the disk that each may leave
 *   recover.c   libbow on such a state, itself cut, and what must come out
 *   broken.c    ... and on what a disk leaves that breaks its promises
 *   resume.c    the machine stops, and goes on with the checkpoint
 *
 * A cell is what the disk writes whole: cfg->unit bytes.  The core counts in
 * blocks of cfg->bs bytes and in sectors of 512.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdio.h>

#include "bow.h"
#include "bow_core.h"
#include "bow_freemap.h"
#include "resume.h"
#include "shrink.h"
#include "trace.h"

/* ---- random numbers: the same on every machine ---- */

struct rng {
	u64 s;
};

static inline u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static inline u64 rng_next(struct rng *r)
{
	return mix(r->s += 0x9e3779b97f4a7c15ull);
}

/* 0 .. n - 1; n > 0 */
static inline u32 rng_below(struct rng *r, u32 n)
{
	return (u32)(rng_next(r) % n);
}

static inline bool one_in(struct rng *r, u32 n)
{
	return rng_below(r, n) == 0;
}

/* ---- disk.c ---- */

struct op;

/* A write that may not have reached the medium. */
struct io {
	struct io *next;
	struct op *op;		/* of the user, or NULL: the engine's own */
	u32 cell;
	u32 cells;
	bool fua;
	u8 *alive;		/* per cell: may still reach the medium */
	u8 *data;
};

/* One cell of such a write. */
struct pick {
	struct io *io;
	u32 i;
};

struct disk {
	u32 cells;
	u32 unit;		/* bytes of a cell */
	u8 *view;		/* what a read returns */
	u8 *safe;		/* what a power cut leaves whatever happens */
	/* What the newest flush or FUA write replaced there, each cell once. */
	u32 *older;
	u8 *older_data;
	u32 olders;
	u8 *is_older;
	u32 settles;		/* flushes and FUA writes so far */
	struct io *cache;	/* completed since the last flush, oldest first */
	struct io *flight;	/* submitted, not completed */
	struct pick *pick;	/* scratch of disk_pending() */
	u8 *mark;		/* scratch, per cell */
	u32 *touched;		/* cells changed since disk_copy() */
	u32 touches;
	u8 *is_touched;
	/* May be NULL. */
	void (*submitted)(void *ctx, const struct io *io);
	void (*settled)(void *ctx);	/* a flush or a FUA write is done */
	void *ctx;
};

void disk_init(struct disk *d, u32 cells, u32 unit);
void disk_exit(struct disk *d);
void disk_read(const struct disk *d, u32 cell, u32 cells, u8 *buf);
struct io *disk_submit(struct disk *d, u32 cell, u32 cells, const u8 *data,
		       bool fua, struct op *op);
/* Less than a cell may be written: the rest of it is as it was. */
struct io *disk_submit_bytes(struct disk *d, u64 offset, const void *data,
			     size_t bytes, bool fua);
/* @failed: any part of it may have been written; it is freed or cached. */
void disk_complete(struct disk *d, struct io *io, struct rng *failed);
void disk_flush(struct disk *d);
/* A flush failed: what the engine wrote may be lost. */
void disk_lose(struct disk *d, struct rng *rng);
/* Is any of these cells being written?  By the engine, with @own. */
const struct io *disk_in_flight(const struct disk *d, u32 cell, u32 cells,
				const struct io *but);

/* @kept: what @d has now.  @d goes on; what it held in its cache is gone. */
void disk_fork(struct disk *kept, struct disk *d);
/* The machine stops, the disk does not: any part of each write is done. */
void disk_reset(struct disk *d, struct rng *rng);

/* The cells that a power cut may or may not leave written, in d->pick. */
u32 disk_pending(struct disk *d);
/* Power cut: @from's safe contents and the chosen cells onto @to. */
void disk_copy(struct disk *to, const struct disk *from);
void disk_put(struct disk *to, const struct pick *pick);
void disk_set(struct disk *to, u32 cell, const u8 *data);
void disk_revert(struct disk *to, const struct disk *from);
/* Power cut of @d itself: each pending cell survives or does not. */
void disk_cut(struct disk *d, struct rng *rng);
/* ... all survive, but of writes that begin below @cells some, or none. */
void disk_tear(struct disk *d, u32 cells, bool none, struct rng *rng);
/* Choose cells of n pending ones by a random pattern; keep[i] is 0 or 1. */
void pick_pattern(const struct pick *pick, u32 n, struct rng *rng, u8 *keep);

/* ---- model.c ---- */

/* A write of the user that is not known to be durable. */
struct user_write {
	struct user_write *next;
	u32 cell;
	u32 cells;
	bool done;
	u8 *data;
};

/* How far the checkpoint is, as seen on the disk. */
enum phase {
	PHASE_NONE,		/* block 0 is the user's */
	PHASE_ACTIVATING,	/* the first log write may be on the disk */
	PHASE_ACTIVE,
	PHASE_COMMITTING,	/* the finishing record may be on the disk */
	PHASE_CLOSING,		/* it is on the disk */
	PHASE_UNDOING,		/* a failed activation is being taken back */
};

struct model {
	enum phase phase;
	u8 *live;		/* newest completed contents */
	u8 *firm;		/* contents that are durable */
	u8 *live_known;		/* per cell; else undefined: discarded, free */
	u8 *firm_known;
	u8 *discards;		/* per cell: how many are under way */
	struct user_write *writes;
	u8 *d0;
	u8 *is_free;		/* per block: nobody's, for the next checkpoint */
	u8 *was_free;		/* per block: at this one */
	u8 *covered;		/* per block: a durable entry undoes it */
	u32 *covered_by;	/* ... since this of disk.settles */
	u32 sequence;		/* what of the log watch.c has read */
	u32 count;
};

/* ---- engine.c ---- */

enum op_kind { OP_WRITE, OP_DISCARD };

struct op {
	struct op *next;
	enum op_kind kind;
	u64 sector;
	u64 sectors;
	bool fua;
	struct user_write *uw;
	const u8 *data;
	u8 track;
	u8 generation;
};

struct op_list {
	struct op *first;
	struct op *last;
};

enum engine_state { ENGINE_TRIM, ENGINE_CHECKPOINT, ENGINE_COMMITTED };

struct engine {
	enum engine_state state;
	bool failed;
	bool stopped;		/* passing is killed: a checkpoint begins */
	u32 spb;		/* sectors of a block */
	struct bow_core core;
	struct op_list pending;
	struct op_list returning;
	struct op_list returning_next;
	u32 generation;
	u32 writers[2];
	u8 *buffer;		/* BOW_BATCH_BLOCKS blocks */
	u8 *block0;
	struct bow_batch batch;
	struct bow_log_writes log_writes;
};

/* ---- examine.c ---- */

struct examiner {
	struct disk disk;	/* where libbow runs */
	u64 cut;		/* cut points seen */
	u32 stride;		/* examine one in so many */
	u32 states;		/* examined so far */
	u32 subset;		/* of the state at hand */
	bool at_block0;		/* the newest write goes to block 0 */
	u8 *keep;
	bool cutting;		/* the state at hand is to be cut again */
	bool off;		/* power is off */
	u32 one_in;		/* ... at one in so many writes */
	u32 writes;		/* of the last call of libbow */
	struct rng rng;
};

/* ---- resume.c ---- */

enum stop_at {
	STOP_ANYWHERE,
	STOP_AT_ROLLOVER,
	STOP_AT_LIVE,		/* the live copy moves */
	STOP_PLACES
};

struct stop_plan {
	u32 left;		/* times that the machine will still stop */
	enum stop_at at;
	u32 one_in;		/* anywhere: one in so many writes of block 0 */
	u32 done;		/* times that this checkpoint was resumed */
	bool was_full;		/* no free block was left */
	u32 mend_left;		/* times that the mending will */
	bool mending;
	/* The last one. */
	bool reset;		/* the machine alone: the cache is intact */
	bool lost;		/* a log write was lost, and nothing else */
	enum phase phase;
	struct disk disk;	/* as it was left */
};

/* ---- sim.c ---- */

struct config {
	const char *name;
	u32 bs;
	u32 unit;
	bool ext;		/* block 0 has an ext superblock */
	bool faults;		/* writes and flushes fail now and then */
	bool resume;		/* always: the machine stops and goes on */
};

/* How often each case was reached, over all runs. */
struct coverage {
	u64 states;
	u64 torn;		/* libbow found a torn write of block 0 */
	u64 recovery_cuts;
	u64 rollbacks;
	u64 commits;
	u64 finished;		/* finishing records completed */
	u64 checkpoints;
	u64 committed;
	u64 batches;
	u64 grouped;		/* batches of several writes */
	u64 ahead;		/* blocks copied ahead of writers */
	u64 claimed_ahead;	/* regions */
	u64 dropped;		/* batches that do without, as a copy has failed */
	u64 parts;		/* writes too large for any batch */
	u64 rolled;		/* roll-overs */
	u64 rolled_twice;	/* batches with several */
	u64 live_moves;
	u64 next_moves;
	u64 next_moves_rolled;	/* with a roll-over in the same batch */
	u64 backup_moves;
	u64 returned;
	u64 full;
	u64 aborted;
	u64 lost;
	u64 resumed;
	u64 resumed_append;	/* after a torn append */
	u64 resumed_old;	/* after a torn roll-over, old header */
	u64 resumed_new;	/* ... new header */
	u64 resumed_again;	/* a second time */
	u64 resumed_thrice;
	u64 mend_stops;
	u64 resets;
	u64 refused;
	/* A cell is garbage, a flush was a lie: see broken.c. */
	u64 garbage;
	u64 garbage_refused;
	u64 garbage_unseen;
	u64 unflushed;
	u64 unflushed_refused;
	u64 unflushed_unseen;
	/* In a checkpoint that was resumed: */
	u64 states_after;
	u64 batches_after;
	u64 rolled_after;
	u64 next_moves_after;
	u64 live_moves_after;
	u64 backup_moves_after;
	u64 committed_after;
};

struct options {
	const char *program;	/* as it was called: there are two of it */
	struct op_set ops;
	struct trace *trace;	/* NULL: from the seed alone */
	const char *trace_path;
	bool quiet;
	bool first;
	bool one_seed;
	u64 seed;
	bool one_cut;
	u64 cut;
	bool one_subset;
	u32 subset;
	u64 states;
	bool verbose;
};

struct sim {
	const struct config *cfg;
	const struct options *opt;
	struct coverage *cov;
	u64 seed;
	struct rng rng;		/* of the workload */
	u32 ops;		/* of the user, begun or left out */
	struct window *window;	/* of opt->trace */
	struct failure failure;
	bool failed;
	bool examining;
	bool in_tick;
	bool in_worker;
	bool off;		/* the machine has stopped */
	u64 writes;		/* names the contents of each cell */
	u8 *garbage;		/* what discarded cells hold */
	u32 blocks;		/* whole ones */
	u32 cells;
	u32 cpb;		/* cells of a block */
	u32 complete_one_in;	/* how slow the disk is */
	u32 mood;		/* of the workload */
	u32 claim_shift;	/* log2 of the blocks of a region */
	u32 claims_ahead;	/* regions claimed by a guess at most */
	struct stop_plan stop;
	struct disk disk;
	struct engine engine;
	struct model model;
	struct examiner ex;
};

/* The first failure of a run: says why and how to see it again. */
__attribute__((format(printf, 2, 3)))
void sim_fail(struct sim *sim, const char *fmt, ...);

void *xalloc(size_t bytes);

static inline u32 to_cell(const struct sim *sim, u64 sector)
{
	return (u32)(sector * BOW_SECTOR_SIZE / sim->cfg->unit);
}

static inline u64 op_end(const struct op *op)
{
	return op->sector + op->sectors;
}

/* The blocks that an op touches, rounded outwards. */
static inline u64 op_first(const struct sim *sim, const struct op *op)
{
	return op->sector / sim->engine.spb;
}

static inline u64 op_count(const struct sim *sim, const struct op *op)
{
	return (op_end(op) - 1) / sim->engine.spb - op_first(sim, op) + 1;
}

static inline bool op_in_block0(const struct sim *sim, const struct op *op)
{
	return op->sector < sim->engine.spb;
}

/* model.c */
void model_init(struct sim *sim);
void model_exit(struct sim *sim);
struct user_write *model_write(struct sim *sim, u32 cell, u32 cells);
/* Cut a write in two; returns the second part. */
struct user_write *model_split(struct sim *sim, struct user_write *uw, u32 at);
void model_written(struct sim *sim, struct user_write *uw, bool fua);
/* @sent: a part of it may be on the disk. */
void model_write_failed(struct sim *sim, struct user_write *uw, bool sent);
/* A discard: until it is done, its cells may change at any time. */
void model_discard(struct sim *sim, u32 cell, u32 cells);
void model_discarded(struct sim *sim, u32 cell, u32 cells);
void model_flushed(struct sim *sim);
/* Before a checkpoint: sectors that nobody uses, and what becomes of them. */
void model_freed(struct sim *sim, u64 sector, u64 sectors);
void model_passing(struct sim *sim, const struct op *op);
/* The engine begins anew, and knows of none. */
void model_none_free(struct sim *sim);
void model_checkpoint(struct sim *sim);
/* The machine stops.  What is not known to be done is not defined. */
void model_off(struct sim *sim);
/*
 * What the disk shows is what the user has; NULL, or what is wrong with it.
 * It is durable after model_rebooted().
 */
const char *model_reboot(struct sim *sim, u32 live0, u32 *cell);
void model_rebooted(struct sim *sim);
/* Does the engine show the user what it should? */
void model_check_view(struct sim *sim);
/* NULL, or what is wrong with a recovered disk; *cell says where. */
const char *model_check_d0(struct sim *sim, const u8 *image, u32 *cell);
const char *model_check_live(struct sim *sim, const u8 *image, u32 *cell);

/* watch.c */
/* A log write is durable: read what it added. */
void watch_log(struct sim *sim);
/* Called for every write before it can reach the medium. */
void watch_write(struct sim *sim, const struct io *io);

/* engine.c */
struct op *op_pop(struct op_list *list);
void op_add(struct op_list *list, struct op *op);
void op_put_back(struct op_list *list, struct op *op);
void engine_submit(struct sim *sim, struct op *op);
/* States 0 and 2.  False: the state is changing or has changed. */
bool engine_route_passing(struct sim *sim, struct op *op);
/* To the disk below. */
void engine_send(struct sim *sim, struct op *op, u64 sector);
void engine_track_writer(struct sim *sim, struct op *op);
/* The disk completes this write of the user. */
void engine_complete(struct sim *sim, struct io *io);
/* Status 0 of a discard, or the failure of an op that was not sent. */
void engine_end(struct sim *sim, struct op *op, int status);
/* Wait until no write with any of these tracks is in flight. */
void engine_wait(struct sim *sim, u8 track);
/* Discarded blocks go back to the pool when no write can reach them. */
void engine_return(struct sim *sim);

/* batch.c */
void engine_work(struct sim *sim);
int engine_run_writes(struct sim *sim, const struct bow_write *w, u32 count);

enum op_track {
	TRACK_PASSING = 1,
	TRACK_BLOCK0 = 2,
	TRACK_WRITER = 4,
};

/* control.c: 0 or -errno */
void engine_init(struct sim *sim);
void engine_exit(struct sim *sim);
int engine_add_free(struct sim *sim, u64 first_sector, u64 sectors);
int engine_checkpoint(struct sim *sim);
int engine_commit(struct sim *sim);
int engine_restart(struct sim *sim);
/* Taking up a checkpoint: ranges of all kinds, what is free first. */
int engine_add_range(struct sim *sim, enum bow_resume_kind kind, u64 start,
		     u64 sectors);
int engine_resume(struct sim *sim);

/* workload.c */
void workload_run(struct sim *sim);
/* The world goes on while the engine waits for the disk. */
void workload_tick(struct sim *sim);
/* Should this request of the engine fail? */
bool workload_fault(struct sim *sim);

/* examine.c */
void examiner_init(struct sim *sim);
void examiner_exit(struct sim *sim);
/* A power cut here. */
void examine(struct sim *sim);

/* resume.c */
void resume_plan(struct sim *sim);
/* The machine may stop here: at a write, or where @io is NULL. */
void resume_point(struct sim *sim, const struct io *io);
/* It has.  False: the checkpoint does not go on. */
bool resume_run(struct sim *sim);

/* recover.c: NULL, or what is wrong with the state on sim->ex.disk */
const char *recover(struct sim *sim);
/* What block 0 is now, for libbow; 0 or -errno. */
int recover_look(struct sim *sim, enum bow_state *state,
		 enum bow_action *finishing, struct bow_error *e);
/* bow_restore(); sim->ex.writes counts what it writes. */
int recover_run(struct sim *sim, enum bow_action action, bool dry_run,
		struct bow_error *e);
/* A sentence, until the next one is made. */
const char *recover_say(const char *what, int r, const struct bow_error *e);
/* May libbow find this, so far as the checkpoint is? */
bool recover_may_find(const struct sim *sim, enum bow_state found);

/* broken.c: the same as recover() where the disk broke a promise */
enum broken { BROKEN_GARBAGE, BROKEN_FLUSH, BROKEN_WAYS };
/* Is there anything here to break? */
bool recover_breaks(const struct sim *sim, u32 pending);
const char *recover_broken(struct sim *sim, enum broken how, u32 pending,
			   const u8 *keep);

#endif /* SIM_H */
