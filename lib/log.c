// SPDX-License-Identifier: GPL-2.0
/*
 * log.c - opening a log, and walking its chain from the newest entry back
 */
#include "log.h"
#include "passes.h"

/* How many log blocks ahead the next places are guessed. */
#define AHEAD_BLOCKS 16u

/* ---- device access with the error filled in ---- */

int bow_get(struct bow_dev *dev, u64 sector, void *buf, size_t bytes,
	    struct bow_error *e)
{
	int r = bow_dev_read(dev, sector << BOW_SECTOR_SHIFT, buf, bytes);

	return r ? bow_fail(e, r, BOW_WHY_IO_READ, sector, 0) : 0;
}

int bow_put(struct bow_dev *dev, u64 sector, const void *buf, size_t bytes,
	    struct bow_error *e)
{
	int r = bow_dev_write(dev, sector << BOW_SECTOR_SHIFT, buf, bytes);

	return r ? bow_fail(e, r, BOW_WHY_IO_WRITE, sector, 0) : 0;
}

int bow_sync(struct bow_dev *dev, struct bow_error *e)
{
	int r = bow_dev_flush(dev);

	return r ? bow_fail(e, r, BOW_WHY_IO_FLUSH, 0, 0) : 0;
}

int bow_stopped(const struct bow_monitor *m, struct bow_error *e)
{
	if (!m || !m->stop || !m->stop(m->ctx))
		return 0;
	e->in_block = false;
	e->in_entry = false;
	return bow_fail(e, -EINTR, BOW_WHY_INTERRUPTED, 0, 0);
}

/* ---- block 0 ---- */

static int alloc_log(struct bow_log *log, struct bow_error *e)
{
	log->block = bow_alloc(BOW_BLOCK_SIZE_MAX);
	log->scratch = bow_alloc(BOW_BLOCK_SIZE_MAX);
	log->where = bow_where_new();
	if (!log->block || !log->scratch || !log->where)
		return bow_no_memory(e);
	return 0;
}

static int open_header(struct bow_dev *dev, struct bow_log *log, u32 room,
		       struct bow_error *e)
{
	struct bow_header *h = &log->header;
	int r;

	e->in_block = true;
	r = bow_header_parse(log->block, room, log->sectors, h, e);
	e->sequence = h->sequence;
	if (r)
		return r;
	log->state = h->restoring ? BOW_STATE_RESTORING : BOW_STATE_ACTIVE;
	log->bs = h->block_size;
	log->newest = *h;
	if (h->version == BOW_VERSION_1_1) {
		log->sectors = h->device_sectors;
		r = bow_torn_resolve(dev, log, &log->newest, e);
		log->live = log->newest.sector0;
	}
	if (!r)
		e->in_block = false;
	return r;
}

int bow_log_open(struct bow_dev *dev, struct bow_log *log, struct bow_error *e)
{
	u32 room = BOW_BLOCK_SIZE_MAX;
	int r;

	memset(log, 0, sizeof(*log));
	memset(e, 0, sizeof(*e));
	log->sectors = dev->size >> BOW_SECTOR_SHIFT;
	if (log->sectors == 0)
		return 0;
	/* What lies beyond is not in reach of a log. */
	if (log->sectors > BOW_WHERE_SECTORS)
		log->sectors = BOW_WHERE_SECTORS;
	if (dev->size < room)
		room = (u32)(log->sectors << BOW_SECTOR_SHIFT);
	r = alloc_log(log, e);
	if (!r)
		r = bow_get(dev, 0, log->block, room, e);
	if (r)
		return r;
	switch (bow_get_le32(log->block)) {
	case BOW_MAGIC_LOG:
	case BOW_MAGIC_RESTORING:
		return open_header(dev, log, room, e);
	case BOW_MAGIC_FINISHING:
		log->state = BOW_STATE_FINISHING;
		r = bow_finish_parse(log->block, log->sectors, &log->finish, e);
		log->bs = log->finish.block_size;
		return r;
	default:
		return 0;
	}
}

void bow_log_free(struct bow_log *log)
{
	bow_free(log->block);
	bow_free(log->scratch);
	bow_places_free(log);
	bow_where_free(log->where);
	bow_passes_free(log->passes);
	memset(log, 0, sizeof(*log));
}

/* ---- the walk ---- */

struct walk {
	struct bow_dev *dev;
	struct bow_log *log;
	bow_visit visit;
	void *ctx;
	const struct bow_monitor *monitor;
	struct bow_error *e;
	struct bow_header h;	/* of the log block being walked */
	u8 *block;
	u64 live;		/* where the live copy was at this point */
	bool live_found;	/* an entry has moved it to where the header says */
	u64 last_dest0;		/* dest of the last entry 0 seen */
	u64 last_place;		/* of the log block being walked; 0: block 0 */
	u64 distance;		/* of it from the one before */
};

/* Is `sector` among the `bytes` bytes at `start`? */
static bool covers(u64 start, u32 bytes, u64 sector)
{
	return sector >= start && sector - start < bytes >> BOW_SECTOR_SHIFT;
}

/*
 * Does this entry move the live copy of block 0?  Going back in time, w->live
 * is where it was after the entry; set it to where it was before.
 */
static bool moves_live(struct walk *w, const struct bow_entry *entry)
{
	/* Its contents change in place, so no writer gave it a checksum. */
	if (!w->live || entry->checksum)
		return false;
	if (covers(entry->dest, entry->size, w->live)) {
		w->live = entry->source + (w->live - entry->dest);
		w->live_found = true;
		return true;
	}
	/* v1.0: the header may still name the place that was moved away. */
	if (!w->live_found && w->h.version == BOW_VERSION_1_0 &&
	    covers(entry->source, entry->size, w->live)) {
		w->log->live = entry->dest + (w->live - entry->source);
		w->live_found = true;
		return true;
	}
	return false;
}

static enum bow_entry_kind kind_of(struct walk *w, u32 index,
				   const struct bow_entry *entry)
{
	if (index == 0)
		return w->h.sequence ? BOW_ENTRY_LOG : BOW_ENTRY_BLOCK0;
	if (bow_entry_is_claim(entry))
		return BOW_ENTRY_CLAIM;
	return moves_live(w, entry) ? BOW_ENTRY_LIVE : BOW_ENTRY_BACKUP;
}

static void count_entry(struct walk *w, const struct bow_entry *entry,
			enum bow_entry_kind kind)
{
	struct bow_log *log = w->log;

	log->entries++;
	if (kind == BOW_ENTRY_CLAIM) {
		log->claims++;
		return;
	}
	log->backup_bytes += entry->size;
	if (kind == BOW_ENTRY_LIVE)
		log->live_moves++;
	else if (!bow_entry_has_csum(entry, kind, w->h.version))
		log->no_checksum++;
}

/*
 * In v1.1, whose headers are checked, the old places of the live copy are
 * known for certain: they were free, and may hold a backup by now.  v1.0 and
 * v0 do not use a place twice; following a sector0 that nothing protects could
 * leave out a block that must be put back, so these moves are undone.
 */
static bool undone(const struct walk *w, enum bow_entry_kind kind)
{
	if (kind == BOW_ENTRY_LIVE)
		return w->h.version != BOW_VERSION_1_1;
	return kind != BOW_ENTRY_CLAIM;
}

/* Say how much the map needs if every entry makes a run of its own. */
static int no_memory_for_map(const struct walk *w)
{
	const struct bow_header *h = &w->log->newest;
	u32 max = bow_max_entries(h->block_size, h->header_size, false);
	u64 entries = (h->sequence + 1ull) * max;

	w->e->in_block = false;
	w->e->in_entry = false;
	return bow_fail(w->e, -ENOMEM, BOW_WHY_MEMORY_MAP, 0,
			(entries * BOW_WHERE_RUN_BYTES >> 20) + 1);
}

static int undo(struct walk *w, const struct bow_entry *entry, u32 index)
{
	int r = 0;

	/* Block 0 is superseded by each log block: those are kept anyway. */
	if (index)
		r = bow_places_supersede(w->log, entry, w->e);
	if (r)
		return r;
	if (w->log->passes)
		r = bow_passes_undo(w->log, entry, index);
	else
		r = bow_where_undo(w->log->where, entry->source, entry->dest,
				   entry->size >> BOW_SECTOR_SHIFT);
	if (r == -EUCLEAN)
		return bow_bad(w->e, BOW_WHY_CHAIN_PLACE, entry->dest, 0);
	return r ? no_memory_for_map(w) : 0;
}

/*
 * What is done for an entry takes time by its size.  A writer backs up each block
 * once, in entries of any size, and may move what it has backed up for ever, but then
 * in many entries: without this a forged log of a megabyte would take days.
 */
static int check_amount(const struct walk *w)
{
	const struct bow_log *log = w->log;
	u64 limit = (log->sectors << BOW_SECTOR_SHIFT) +
		    log->entries * BOW_ENTRY_BYTES;

	return log->backup_bytes <= limit ?
		       0 : bow_bad(w->e, BOW_WHY_AMOUNT, log->backup_bytes, limit);
}

static int walk_entry(struct walk *w, u32 index)
{
	struct bow_entry entry;
	enum bow_entry_kind kind;
	int r;

	w->e->in_entry = true;
	w->e->entry = index;
	bow_entry_get(w->block, &w->h, index, &entry);
	r = bow_entry_check(&entry, &w->h, index, w->log->sectors, w->e);
	if (r)
		return r;
	kind = kind_of(w, index, &entry);
	count_entry(w, &entry, kind);
	r = check_amount(w);
	if (!r && w->visit)
		r = w->visit(w->ctx, w->log, w->h.sequence, index, &entry, kind,
			     w->e);
	if (!r && undone(w, kind))
		r = undo(w, &entry, index);
	if (index == 0)
		w->last_dest0 = entry.dest;
	if (!r)
		w->e->in_entry = false;
	return r;
}

static int check_link(const struct walk *w, const struct bow_header *h)
{
	if (h->version != w->h.version)
		return bow_bad(w->e, BOW_WHY_CHAIN_VERSION, h->version, 0);
	if (h->block_size != w->log->bs)
		return bow_bad(w->e, BOW_WHY_CHAIN_BLOCK_SIZE, h->block_size,
			       0);
	if (h->sequence != w->h.sequence - 1)
		return bow_bad(w->e, BOW_WHY_CHAIN_SEQUENCE, h->sequence,
			       w->h.sequence - 1);
	if (h->device_sectors != w->h.device_sectors ||
	    memcmp(h->checkpoint_id, w->h.checkpoint_id,
		   sizeof(h->checkpoint_id)))
		return bow_bad(w->e, BOW_WHY_CHAIN_ID, 0, 0);
	return 0;
}

/*
 * Log blocks are read one after the other, each named by the one before.  Where
 * they lie at equal distances let the kernel fetch what will be one.
 */
static void guess_ahead(struct walk *w, u64 place)
{
	u64 distance = w->last_place - place;
	u64 ahead = AHEAD_BLOCKS * distance;

	if (w->last_place > place && distance == w->distance && ahead < place)
		bow_dev_ahead(w->dev, (place - ahead) << BOW_SECTOR_SHIFT,
			      w->log->bs);
	w->distance = distance;
	w->last_place = place;
}

/* Read the log block before this one, from where undoing has put it. */
static int previous_block(struct walk *w)
{
	struct bow_log *log = w->log;
	struct bow_entry entry0;
	struct bow_header h;
	u64 n = bow_block_sectors(log->bs);
	u64 place = bow_where_get(log->where, 0, &n);
	u32 magic;
	int r;

	bow_entry_get(w->block, &w->h, 0, &entry0);
	w->e->sequence = w->h.sequence - 1;
	/* Entries are of whole blocks, and none has block 0 as its dest. */
	if (BOW_NEVER(n != bow_block_sectors(log->bs) || place == 0))
		return bow_bad(w->e, BOW_WHY_CHAIN_PLACE, place, 0);
	guess_ahead(w, place);
	r = bow_get(w->dev, place, w->block, log->bs, w->e);
	if (r)
		return r;
	magic = bow_get_le32(w->block);
	if (magic != BOW_MAGIC_LOG && magic != BOW_MAGIC_RESTORING)
		return bow_bad(w->e, BOW_WHY_CHAIN_MAGIC, place, 0);
	if (bow_entry_has_csum(&entry0, BOW_ENTRY_LOG, w->h.version) &&
	    bow_log_block_csum(w->block, log->bs) != entry0.checksum)
		return bow_bad(w->e, BOW_WHY_CHAIN_CSUM, place, 0);
	r = bow_header_parse(w->block, log->bs,
			     w->dev->size >> BOW_SECTOR_SHIFT, &h, w->e);
	if (!r)
		r = check_link(w, &h);
	if (!r && h.version == BOW_VERSION_1_1 &&
	    !bow_entries_ok(w->block, &h, h.count, h.entries_csum))
		r = bow_bad(w->e, BOW_WHY_CHAIN_CSUM, place, 0);
	w->h = h;
	return r;
}

static int walk_chain(struct walk *w)
{
	u64 blocks = w->log->newest.sequence + 1ull;
	int r = 0;

	w->e->in_block = true;
	w->e->sequence = w->h.sequence;
	/* Each log block but one has its own place: this bounds the chain. */
	if (blocks > w->log->sectors / bow_block_sectors(w->log->bs))
		return bow_bad(w->e, BOW_WHY_SEQUENCE_LONG, w->h.sequence,
			       w->log->sectors / bow_block_sectors(w->log->bs));
	for (;;) {
		u32 i;

		r = bow_places_add(w->log, w->last_place, w->e);
		for (i = w->h.count; i-- && !r;)
			r = walk_entry(w, i);
		if (r || w->h.sequence == 0)
			break;
		bow_report(w->monitor, BOW_PHASE_SCAN, w->log->log_blocks,
			   blocks);
		r = bow_stopped(w->monitor, w->e);
		if (!r)
			r = previous_block(w);
		if (r)
			break;
	}
	if (r)
		return r;
	w->e->in_block = false;
	bow_report(w->monitor, BOW_PHASE_SCAN, blocks, blocks);
	return 0;
}

static void reset_counters(struct bow_log *log)
{
	bow_where_clear(log->where);
	if (log->passes)
		bow_passes_start(log->passes, log->sectors);
	log->scanned = false;
	bow_places_clear(log);
	log->entries = 0;
	log->claims = 0;
	log->live_moves = 0;
	log->no_checksum = 0;
	log->backup_bytes = 0;
}

/*
 * v0 does not say where the live copy is.  It was first put into the free
 * block just below the backup of block 0; the map knows where that went.
 */
static u64 live_of_v0(const struct walk *w)
{
	u64 n = bow_block_sectors(w->log->bs);

	if (w->last_dest0 < 2 * n)
		return 0;
	return bow_where_get(w->log->where, w->last_dest0 - n, &n);
}

int bow_log_walk(struct bow_dev *dev, struct bow_log *log, bow_visit visit,
		 void *ctx, const struct bow_monitor *m, struct bow_error *e)
{
	struct walk w = {
		.dev = dev, .log = log, .visit = visit, .ctx = ctx,
		.monitor = m, .e = e, .h = log->newest,
		.last_place = bow_places_newest(log),
	};
	int r;

	/* A copy: block 0 is needed again, by the next walk. */
	w.block = log->passes ? log->passes->block :
				bow_alloc(BOW_BLOCK_SIZE_MAX);
	if (!w.block)
		return bow_no_memory(e);
	memcpy(w.block, log->block, log->bs);
	reset_counters(log);
	if (w.h.version)
		log->live = w.h.sector0;
	w.live = log->live;
	r = walk_chain(&w);
	if (!r && w.h.version == 0)
		log->live = live_of_v0(&w);
	log->scanned = !r;
	if (!log->passes)
		bow_free(w.block);
	return r;
}

int bow_log_scan(struct bow_dev *dev, struct bow_log *log,
		 const struct bow_monitor *m, struct bow_error *e)
{
	int r = log->passes ? -ENOMEM :
			      bow_log_walk(dev, log, NULL, NULL, m, e);

	if (r == -ENOMEM && log->frugal) {
		r = bow_passes_begin(dev, log, m, e);
		if (!r)
			r = bow_log_walk(dev, log, NULL, NULL, m, e);
	}
	/* Again, now that the moves of the live copy can be told. */
	if (!r && log->newest.version == 0)
		r = bow_log_walk(dev, log, NULL, NULL, m, e);
	return r;
}
