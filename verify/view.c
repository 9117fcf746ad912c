// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - reading the device as it was at the checkpoint, or as it is now
 */
#include "jbd2.h"
#include "log.h"
#include "view.h"

static bool has_chain(const struct bow_log *log)
{
	return log->state == BOW_STATE_ACTIVE ||
	       log->state == BOW_STATE_RESTORING;
}

/* Block 0 is elsewhere, all else in its place. */
static int redirect(struct view *v, u64 sector)
{
	v->block0 = sector;
	v->block0_sectors = bow_block_sectors(v->log->bs);
	return bow_place_ok(sector, v->log->bs, v->log->sectors) ? 0 : -EUCLEAN;
}

static int open_chain(struct view *v)
{
	if (!v->log->scanned)
		return -EINVAL;
	if (v->which == VIEW_OLD) {
		v->mapped = true;
		return 0;
	}
	/* Some blocks are put back already, and some not. */
	if (v->log->state == BOW_STATE_RESTORING)
		return -ENOENT;
	return redirect(v, v->log->live);
}

/* All blocks but block 0 are what the action makes them. */
static int open_finishing(struct view *v)
{
	enum view_state left = v->log->finish.action == BOW_ACTION_COMMIT ?
				       VIEW_NOW : VIEW_OLD;

	if (v->which != left)
		return -ENOENT;
	return redirect(v, v->log->finish.final_sector);
}

int view_open(struct view *v, struct bow_dev *dev, const struct bow_log *log,
	      enum view_state which)
{
	memset(v, 0, sizeof(*v));
	v->dev = dev;
	v->log = log;
	v->which = which;
	if (has_chain(log))
		return open_chain(v);
	return log->state == BOW_STATE_FINISHING ? open_finishing(v) : 0;
}

u64 view_place(const struct view *v, u64 sector, u64 *sectors)
{
	/* A scan for another view of the same log may have seen it move. */
	u64 block0 = has_chain(v->log) ? v->log->live : v->block0;

	if (v->mapped)
		return bow_where_get(v->log->where, sector, sectors);
	if (sector >= v->block0_sectors)
		return sector;
	if (*sectors > v->block0_sectors - sector)
		*sectors = v->block0_sectors - sector;
	return block0 + sector;
}

bool view_run(const struct view *v, u64 at, struct bow_run *run)
{
	u64 end = v->dev->size >> BOW_SECTOR_SHIFT, n;

	run->target = at;
	run->place = at;
	run->sectors = 0;
	for (; at < end; at += n) {
		u64 place;

		n = end - at;
		place = view_place(v, at, &n);
		if (!run->sectors)
			run->place = place;
		else if (place != run->place + run->sectors)
			break;
		run->sectors += n;
	}
	return run->sectors;
}

void view_follow(struct view *v, struct live *live)
{
	v->live = live;
}

void view_patch(struct view *v, const struct view_patches *patches)
{
	v->patches = patches;
}

/* After another scan of the log. */
static int reopen(struct view *v)
{
	const struct view_patches *patches = v->patches;
	struct live *live = v->live;
	int r = view_open(v, v->dev, v->log, v->which);

	v->patches = patches;
	v->live = live;
	return r;
}

/*
 * [sector, sector + sectors) was read at `place`: was it still there?  1: it
 * was; 0: read it again; or -errno.
 */
static int still_there(struct view *v, u64 sector, u64 sectors, u64 place)
{
	struct live *live = v->live;
	struct bow_error e;
	u64 n = sectors;
	int r;

	if (!live)
		return 1;
	r = live_changed(live);
	if (r <= 0)
		return r ? r : 1;
	r = live_scan(live, &e);
	if (!r)
		r = reopen(v);
	/* There is no map of it any more, in any view: libext2fs may read on. */
	live->lost = r;
	return r ? r : view_place(v, sector, &n) == place && n == sectors;
}

/* The first piece of a request, which lies in one run; *bytes is cut to it. */
static int read_piece(struct view *v, u64 offset, void *buf, size_t *bytes)
{
	u64 sector = offset >> BOW_SECTOR_SHIFT;
	u32 skip = offset & (BOW_SECTOR_SIZE - 1);
	size_t want = *bytes;
	u64 n, place;
	int r;

	if (v->live && v->live->lost)
		return v->live->lost;
	do {
		n = (skip + want + BOW_SECTOR_SIZE - 1) >> BOW_SECTOR_SHIFT;
		place = view_place(v, sector, &n);
		*bytes = (size_t)(n << BOW_SECTOR_SHIFT) - skip;
		if (*bytes > want)
			*bytes = want;
		r = bow_dev_read(v->dev, (place << BOW_SECTOR_SHIFT) + skip,
				 buf, *bytes);
		if (!r)
			r = still_there(v, sector, n, place);
	} while (!r);
	return r < 0 ? r : 0;
}

/* ---- patches ---- */

/* The first patch that is not below `block`; NULL: none. */
static const struct view_patch *find_patch(const struct view_patches *p,
					   u64 block)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->patch[middle].block < block)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->count ? &p->patch[low] : NULL;
}

/* The journal has zeros where the block begins with the journal's own magic. */
static void unescape(u8 *p, size_t bytes, u32 skip)
{
	__be32 magic = ext2fs_cpu_to_be32(JBD2_MAGIC);

	for (; skip < sizeof(magic) && bytes; bytes--)
		*p++ = ((u8 *)&magic)[skip++];
}

/* As read_piece(), of a part of one block or of what lies between two patches. */
static int read_patched(struct view *v, u64 offset, u8 *buf, size_t *bytes)
{
	u32 size = v->patches->bytes, skip = (u32)(offset % size);
	u64 block = offset / size;
	const struct view_patch *patch = find_patch(v->patches, block);
	int r;

	if (!patch || patch->block - block > (skip + *bytes - 1) / size)
		return read_piece(v, offset, buf, bytes);
	if (patch->block != block) {
		*bytes = (size_t)(patch->block - block) * size - skip;
		return read_piece(v, offset, buf, bytes);
	}
	if (*bytes > size - skip)
		*bytes = size - skip;
	r = read_piece(v, patch->place * size + skip, buf, bytes);
	if (!r && patch->escaped)
		unescape(buf, *bytes, skip);
	return r;
}

int view_read(struct view *v, u64 offset, void *buf, size_t bytes)
{
	u8 *p = buf;

	if (bytes > v->dev->size || offset > v->dev->size - bytes)
		return -ERANGE;
	while (bytes) {
		size_t part = bytes;
		int r = v->patches ? read_patched(v, offset, p, &part) :
				     read_piece(v, offset, p, &part);

		if (r) {
			v->err = r;
			v->bad_sector = offset >> BOW_SECTOR_SHIFT;
			return r;
		}
		p += part;
		offset += part;
		bytes -= part;
	}
	return 0;
}

const char *view_name(const struct view *v)
{
	return v->which == VIEW_OLD ? "old" : "now";
}
