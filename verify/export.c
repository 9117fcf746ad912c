// SPDX-License-Identifier: GPL-2.0
/*
 * export.c - the old state as a sparse image
 *
 * Free blocks and zeros become holes.
 */
#include <fcntl.h>
#include <unistd.h>

#include "old.h"

#define PIECE 4096u		/* what is a hole or not */
#define CHUNK (1u << 20)

struct export {
	struct old *old;
	const char *path;
	int fd;
	ext2_filsys fs;		/* with block bitmaps, or NULL */
	u8 buf[CHUNK];
};

/* Is no byte of the piece in a block that was in use? */
static bool is_free(const struct export *x, u64 offset, u64 bytes)
{
	blk64_t first, end;

	if (!x->fs)
		return false;
	first = offset / x->fs->blocksize;
	end = (offset + bytes - 1) / x->fs->blocksize + 1;
	if (first < x->fs->super->s_first_data_block ||
	    end > ext2fs_blocks_count(x->fs->super))
		return false;
	return ext2fs_test_block_bitmap_range2(x->fs->block_map, first,
					       (unsigned int)(end - first));
}

static bool is_zero(const u8 *p, size_t bytes)
{
	return !p[0] && !memcmp(p, p + 1, bytes - 1);
}

static int write_all(int fd, u64 offset, const u8 *p, size_t bytes)
{
	while (bytes) {
		ssize_t n = pwrite(fd, p, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		offset += (u64)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static enum bow_exit cannot_write(const struct export *x, int err)
{
	return old_failed(x->old, BOW_EXIT_ERROR, x->path, strerror(-err));
}

/* [offset, offset + bytes) was read into the buffer: write what is not zero. */
static int write_pieces(struct export *x, u64 offset, size_t bytes)
{
	size_t at = 0, end, n;
	int r = 0;

	while (at < bytes && !r) {
		n = bytes - at < PIECE ? bytes - at : PIECE;
		if (is_zero(x->buf + at, n)) {
			at += n;
			continue;
		}
		for (end = at + n; end < bytes; end += n) {
			n = bytes - end < PIECE ? bytes - end : PIECE;
			if (is_zero(x->buf + end, n))
				break;
		}
		r = write_all(x->fd, offset + at, x->buf + at, end - at);
		at = end;
	}
	return r;
}

/* The end of the pieces from `offset` on that are all free, or all in use. */
static u64 run_end(const struct export *x, u64 offset, bool *hole)
{
	u64 size = x->old->dev->size, at = offset;
	u64 n = size - at < PIECE ? size - at : PIECE;

	*hole = is_free(x, at, n);
	do {
		at += n;
		n = size - at < PIECE ? size - at : PIECE;
	} while (n && at - offset < CHUNK && is_free(x, at, n) == *hole);
	return at;
}

static enum bow_exit copy(struct export *x)
{
	struct old *old = x->old;
	u64 at = 0, end;
	bool hole;
	int r;

	for (; at < old->dev->size; at = end) {
		size_t n;

		end = run_end(x, at, &hole);
		n = (size_t)(end - at);
		old->monitor.progress(old, BOW_PHASE_COPY, at, old->dev->size);
		if (old->monitor.stop(NULL))
			return old_unreadable(old, &old->fs.view, -EINTR);
		if (hole)
			continue;
		r = view_read(&old->fs.view, at, x->buf, n);
		if (r)
			return old_unreadable(old, &old->fs.view, r);
		r = write_pieces(x, at, n);
		if (r)
			return cannot_write(x, r);
	}
	return BOW_EXIT_OK;
}

/* ---- before: is it the old state? ---- */

static void on_damage(void *ctx, const struct bow_error *e)
{
	struct old *old = ctx;

	if (old->damage && old->damaged < DAMAGE_MAX)
		old->damage[old->damaged] = *e;
	old->damaged++;
}

/*
 * On a device that is written to meanwhile, a backup that was moved away looks
 * damaged, and so may the log: 1, it has to be looked at again.
 */
static int verify_once(struct old *old, const struct bow_monitor *m, bool last,
		       struct bow_error *e)
{
	bool live = old->fs.view.live;
	int r = 0;

	old->damaged = 0;
	memset(e, 0, sizeof(*e));
	if (live)
		r = live_scan(&old->live, e);
	if (!r)
		r = bow_log_verify(old->dev, &old->log, m, e);
	if (r == -EUCLEAN && live && !last && live_changed(&old->live) == 1)
		return 1;
	return r == -EUCLEAN && old->damaged ? 0 : r;
}

/* A machine that writes all the time moves few of the backups. */
#define TRIES_MAX 10

/*
 * Every backup against its checksum.  A few that are damaged are no reason to
 * keep back all the rest.
 */
static enum bow_exit verify_backups(struct old *old)
{
	struct bow_monitor m = old->monitor;
	struct bow_error e = { 0 };
	int tries = TRIES_MAX, r;
	u64 i;

	if (old->log.state == BOW_STATE_FINISHING)
		return BOW_EXIT_OK;
	m.damage = on_damage;
	old->damage = bow_alloc(DAMAGE_MAX * sizeof(*old->damage));
	do
		r = verify_once(old, &m, !--tries, &e);
	while (r == 1);
	if (r || old->damaged)
		progress_end(&old->progress);
	for (i = 0; old->damage && i < old->damaged && i < DAMAGE_MAX; i++)
		message_error(PROGRAM, old->o->device, &old->damage[i]);
	bow_free(old->damage);
	old->damage = NULL;
	if (!r)
		return BOW_EXIT_OK;
	if (r == -ESTALE)
		return old_unreadable(old, &old->fs.view, r);
	message_error(PROGRAM, old->o->device, &e);
	return bow_error_exit(&e);
}

/*
 * Which blocks were free is believed of a filesystem that is sound only, and as
 * it is: the image is of the disk, with its journal not replayed.
 */
static void learn_free(struct export *x)
{
	struct fs_view *v = &x->old->fs;

	fs_examine_view(v);
	view_patch(&v->view, NULL);
	if (v->verdict == FS_SOUND && !v->journal.pending &&
	    !ext2fs_read_block_bitmap(v->fs))
		x->fs = v->fs;
}

static enum bow_exit fill(struct export *x)
{
	enum bow_exit status;
	int r = 0;

	if (ftruncate(x->fd, (off_t)x->old->dev->size))
		return cannot_write(x, -errno);
	learn_free(x);
	status = copy(x);
	fs_free_view(&x->old->fs);
	if (status == BOW_EXIT_OK && fsync(x->fd))
		r = -errno;
	return r ? cannot_write(x, r) : status;
}

enum bow_exit old_export(struct old *old, const char *path)
{
	struct export *x = calloc(1, sizeof(*x));
	enum bow_exit status;

	if (!x)
		return old_failed(old, BOW_EXIT_ERROR, path, strerror(ENOMEM));
	status = verify_backups(old);
	if (status != BOW_EXIT_OK) {
		free(x);
		return status;
	}
	x->old = old;
	x->path = path;
	/* Never over anything: the device itself is there too. */
	x->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (x->fd < 0) {
		status = cannot_write(x, -errno);
	} else {
		status = fill(x);
		if (close(x->fd) && status == BOW_EXIT_OK)
			status = cannot_write(x, -errno);
		if (status != BOW_EXIT_OK)
			unlink(path);
	}
	free(x);
	if (status == BOW_EXIT_OK && old->damaged)
		return old_failed(old, BOW_EXIT_DAMAGED, path,
				  "is written, but not all of it is right");
	return status;
}
