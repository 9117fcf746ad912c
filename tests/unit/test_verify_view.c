// SPDX-License-Identifier: GPL-2.0
/*
 * test_verify_view.c - the views of a device, and libext2fs on top of one
 */
#include "../../verify/view.h"
#include "../tap.h"
#include "memdev.h"

static struct memlog l;
static struct memdev m;
static struct bow_log log_;
static struct bow_error e;
static struct view v;
static u8 read_back[MEM_BYTES];

static int scan(void)
{
	int r;

	mem_init(&m, l.img);
	bow_log_free(&log_);
	r = bow_log_open(&m.dev, &log_, &e);
	return r ? r : bow_log_scan(&m.dev, &log_, NULL, &e);
}

/* Backups of 10 (moved) and 20, both overwritten; block 0 has changed too. */
static void build(void)
{
	log_begin(&l, BOW_HEADER_SIZE);
	log_backup(&l, 10, LOG_PLACE);
	log_overwrite(&l, 10);
	log_backup(&l, LOG_PLACE, LOG_PLACE + 3);
	log_overwrite(&l, LOG_PLACE);
	log_backup(&l, 20, LOG_PLACE + 1);
	log_overwrite(&l, 20);
	log_overwrite(&l, LOG_LIVE);
	log_seal(&l);
}

static void old_is_d0(void)
{
	build();
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
	CHECK(!view_read(&v, 0, read_back, MEM_BYTES));
	CHECK(log_is_d0(&l, read_back));
	CHECK(!log_is_d0(&l, m.now));
}

static void now_is_the_present(void)
{
	build();
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_NOW));
	CHECK(!view_read(&v, 0, read_back, MEM_BYTES));
	CHECK(!memcmp(read_back, mem_block(l.img, LOG_LIVE), MEM_BS));
	CHECK(!memcmp(read_back + MEM_BS, l.img + MEM_BS, MEM_BYTES - MEM_BS));
}

/* Any offset and length, over the ends of runs, as of all in one. */
static void pieces(void)
{
	static u8 whole[MEM_BYTES];
	u64 at, n;

	build();
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
	CHECK(!view_read(&v, 0, whole, MEM_BYTES));
	for (at = 0, n = 1; at + n <= MEM_BYTES; at += n, n = n % 9001 + 611)
		CHECK(!view_read(&v, at, read_back, n) &&
		      !memcmp(read_back, whole + at, n));
}

static void bounds(void)
{
	CHECK(view_read(&v, MEM_BYTES, read_back, 1) == -ERANGE);
	CHECK(view_read(&v, MEM_BYTES - 1, read_back, 2) == -ERANGE);
	CHECK(view_read(&v, ~0ull, read_back, 2) == -ERANGE);
	CHECK(view_read(&v, 1, read_back, SIZE_MAX) == -ERANGE);
	CHECK(!view_read(&v, MEM_BYTES - 1, read_back, 1));
}

static void failing_read(void)
{
	m.fail_read = 0;
	CHECK(view_read(&v, 9 * MEM_BS, read_back, 4 * MEM_BS) == -EIO);
	CHECK(v.err == -EIO && v.bad_sector == 72);
	m.fail_read = 1;
	CHECK(view_read(&v, 9 * MEM_BS, read_back, 4 * MEM_BS) == -EIO);
	CHECK(v.bad_sector == 80);
	m.fail_read = -1;
}

static void what_is_gone(void)
{
	build();
	log_header(&l)->magic = cpu_to_le32(BOW_MAGIC_RESTORING);
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
	CHECK(view_open(&v, &m.dev, &log_, VIEW_NOW) == -ENOENT);
	log_.scanned = false;
	CHECK(view_open(&v, &m.dev, &log_, VIEW_OLD) == -EINVAL);
}

/* What bow_end() leaves when it is cut after the record. */
static void finishing(void)
{
	enum bow_action action;

	for (action = BOW_ACTION_ROLLBACK; action <= BOW_ACTION_COMMIT;
	     action++) {
		struct bow_log f = { .state = BOW_STATE_FINISHING,
				     .bs = MEM_BS, .sectors = MEM_SECTORS };
		bool commit = action == BOW_ACTION_COMMIT;

		f.finish.action = action;
		f.finish.final_sector = LOG_PLACE * 8;
		CHECK(view_open(&v, &m.dev, &f, commit ? VIEW_OLD : VIEW_NOW) ==
		      -ENOENT);
		CHECK(!view_open(&v, &m.dev, &f, commit ? VIEW_NOW : VIEW_OLD));
		CHECK(!view_read(&v, 0, read_back, 2 * MEM_BS));
		CHECK(!memcmp(read_back, mem_block(m.now, LOG_PLACE), MEM_BS));
		CHECK(!memcmp(read_back + MEM_BS, m.now + MEM_BS, MEM_BS));
	}
}

static void no_log(void)
{
	mem_init(&m, l.d0);
	bow_log_free(&log_);
	CHECK(!bow_log_open(&m.dev, &log_, &e));
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_NOW));
	CHECK(!view_read(&v, 0, read_back, MEM_BYTES));
	CHECK(!memcmp(read_back, l.d0, MEM_BYTES));
}

/* ---- a log that grows while it is read ---- */

static struct live live;
static int until_change;

/* After some reads the filesystem overwrites what is read next. */
static int read_and_change(struct bow_dev *dev, u64 offset, void *buf,
			   size_t bytes)
{
	int r = mem_read(dev, offset, buf, bytes);

	if (until_change-- == 0) {
		log_append(&l);
		log_backup(&l, 30, LOG_PLACE + 5);
		log_backup(&l, LOG_PLACE + 3, LOG_PLACE + 6);
		log_seal(&l);
		log_overwrite(&l, 30);
		log_overwrite(&l, LOG_PLACE + 3);
		memcpy(m.now, l.img, MEM_BYTES);
	}
	return r;
}

static void growing_log(void)
{
	static const struct bow_dev_ops ops = { .read = read_and_change };
	int when;
	u32 b;

	/* The change comes before, during and after each read of the block. */
	for (when = 0; when < 40; when++) {
		build();
		CHECK(!scan());
		m.dev.ops = &ops;
		until_change = -1;
		live = (struct live){ .dev = &m.dev, .log = &log_ };
		CHECK(!live_look(&live) && !live_scan(&live, &e));
		CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
		view_follow(&v, &live);
		until_change = when;
		for (b = 8; b < 32; b += 2)
			CHECK(!view_read(&v, b * MEM_BS, read_back, MEM_BS) &&
			      !memcmp(read_back, mem_block(l.d0, b), MEM_BS));
		CHECK(until_change < 0 || when > 20);
	}
}

static void log_that_ends(void)
{
	build();
	CHECK(!scan());
	live = (struct live){ .dev = &m.dev, .log = &log_ };
	CHECK(!live_scan(&live, &e));
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
	view_follow(&v, &live);
	CHECK(!view_read(&v, 0, read_back, MEM_BS));
	memcpy(m.now, l.live0, MEM_BS);
	CHECK(view_read(&v, 0, read_back, MEM_BS) == -ESTALE);
}

/* Each read fails in turn; what is read after one that failed fails as well. */
static void failing_while_it_grows(void)
{
	int k, failed = 0;

	for (k = 0; k < 20; k++) {
		build();
		CHECK(!scan());
		live = (struct live){ .dev = &m.dev, .log = &log_ };
		CHECK(!live_scan(&live, &e));
		CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
		view_follow(&v, &live);
		/* The log has grown: a read scans it again. */
		m.now[MEM_BS - 1] ^= 1;
		m.fail_read = k;
		if (!view_read(&v, 8 * MEM_BS, read_back, MEM_BS))
			break;
		failed++;
		m.fail_read = -1;
		if (live.lost)
			CHECK(view_read(&v, 8 * MEM_BS, read_back, MEM_BS) == -EIO);
	}
	CHECK(failed > 3 && k < 20);
}

static void scan_of_a_failing_device(void)
{
	int k, r;

	build();
	CHECK(!scan());
	live = (struct live){ .dev = &m.dev, .log = &log_ };
	for (k = 0; k < 20; k++) {
		memset(&e, 0, sizeof(e));
		m.fail_read = k;
		r = live_scan(&live, &e);
		m.fail_read = -1;
		if (!r)
			break;
		CHECK(r == -EIO && e.why == BOW_WHY_IO_READ);
		CHECK(!scan());
	}
	CHECK(k > 1 && k < 20);
}

/* ---- libext2fs ---- */

static void no_filesystem(void)
{
	ext2_filsys fs;

	CHECK(view_ext2(&v, 0, &fs) == EXT2_ET_BAD_MAGIC && !fs);
	CHECK(view_ext2(&v, EXT2_FLAG_RW, &fs) == EXT2_ET_RO_FILSYS && !fs);
	m.fail_read = 0;
	CHECK(view_ext2(&v, 0, &fs) == EIO && !fs);
	m.fail_read = -1;
}

/* A filesystem of 2 MiB is made in `path`: its image becomes the device. */
static bool make_filesystem(u8 *img, const char *path)
{
	char command[256];
	FILE *f;
	bool ok;

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin mke2fs -q -F -t ext4 -b 4096 -O ^has_journal %s %u 2>/dev/null",
		 path, MEM_BLOCKS);
	if (system(command))
		return false;
	f = fopen(path, "rb");
	ok = f && fread(img, MEM_BYTES, 1, f) == 1;
	if (f)
		fclose(f);
	return ok;
}

static void with_filesystem(ext2_filsys fs)
{
	static u8 buf[3 * MEM_BS];
	io_channel io = fs->io;

	CHECK(fs->super->s_log_block_size == 2);
	CHECK(!ext2fs_read_bitmaps(fs));
	CHECK(!ext2fs_check_directory(fs, EXT2_ROOT_INO));
	CHECK(!io_channel_read_blk64(io, 1, 2, buf));
	CHECK(!memcmp(buf, l.d0 + MEM_BS, 2 * MEM_BS));
	CHECK(!io_channel_read_blk64(io, 1, -77, buf + 1));
	CHECK(!memcmp(buf + 1, l.d0 + MEM_BS, 77));
	CHECK(io_channel_read_blk64(io, MEM_BLOCKS - 1, 2, buf) ==
	      EXT2_ET_SHORT_READ);
	CHECK(io_channel_read_blk64(io, ~0ull, 1, buf) == EXT2_ET_SHORT_READ);
	CHECK(io_channel_write_blk64(io, 1, 1, buf) == EXT2_ET_RO_FILSYS);
	CHECK(io_channel_write_byte(io, 1, 1, buf) == EXT2_ET_RO_FILSYS);
	CHECK(io_channel_discard(io, 1, 1) == EXT2_ET_RO_FILSYS);
	CHECK(io_channel_zeroout(io, 1, 1) == EXT2_ET_RO_FILSYS);
}

static void filesystem(void)
{
	char path[] = "/tmp/bow-view.XXXXXX";
	int fd = mkstemp(path);
	ext2_filsys fs;
	bool made;

	CHECK(fd >= 0);
	made = make_filesystem(l.d0, path);
	remove(path);
	CHECK(made);
	/* The log is in the half that the filesystem does not use. */
	build();
	log_overwrite(&l, 1);
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_NOW));
	CHECK(view_ext2(&v, 0, &fs) == EXT2_ET_BAD_MAGIC);
	build();
	log_backup(&l, 1, LOG_PLACE + 7);
	log_overwrite(&l, 1);
	log_seal(&l);
	CHECK(!scan());
	CHECK(!view_open(&v, &m.dev, &log_, VIEW_OLD));
	CHECK(!view_ext2(&v, 0, &fs));
	with_filesystem(fs);
	ext2fs_free(fs);
}

int main(void)
{
	RUN(old_is_d0, "view: the old one is the device at the checkpoint");
	RUN(pieces, "view: any piece of it is the same");
	RUN(bounds, "view: nothing is read past the end");
	RUN(failing_read, "view: a failed read is told, with its sector");
	RUN(now_is_the_present, "view: block 0 of the present is the live one");
	RUN(what_is_gone, "view: a rollback has begun: there is no present");
	RUN(finishing, "view: a finishing record leaves one state");
	RUN(no_log, "view: without a log the device is the view");
	RUN(growing_log, "view: the old one is right while the log grows");
	RUN(log_that_ends, "view: the log was committed: no old view");
	RUN(failing_while_it_grows, "view: a log that cannot be followed is not read");
	RUN(scan_of_a_failing_device, "live: a scan that fails says why");
	RUN(no_filesystem, "view: no filesystem, a failing device: refused");
	RUN(filesystem, "view: libext2fs reads a filesystem, and cannot write");
	bow_log_free(&log_);
	return tap_done();
}
