// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - the device behind libbow: a block device or an image file
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "aio.h"
#include "bow.h"
#include "kernel-call.h"

/* Linux transfers at most this much in one call; keep requests below it. */
#define REQUEST_MAX (1u << 30)

struct file {
	int fd;
	struct bow_aio aio;
	bool disk;		/* a block device */
	bool write;
	u64 told;		/* where the last announcement ended */
};

/*
 * What follows at a distance of so many bytes, as behind a log block between
 * backups, the kernel's own reading ahead of a block device gets as well, and
 * cheaper, in large folios.  Of a file, announced reads take less of the
 * processor's time than the kernel's own reading ahead (docs/performance.md).
 */
#define HOLE 32768u

static int dev_fd(const struct bow_dev *dev)
{
	return ((const struct file *)dev->priv)->fd;
}

static int fd_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	u8 *p = buf;

	while (bytes) {
		size_t want = bytes < REQUEST_MAX ? bytes : REQUEST_MAX;
		ssize_t n = pread(dev_fd(dev), p, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;	/* the device became shorter */
		p += n;
		offset += (u64)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int fd_write(struct bow_dev *dev, u64 offset, const void *buf,
		    size_t bytes)
{
	const u8 *p = buf;

	while (bytes) {
		size_t want = bytes < REQUEST_MAX ? bytes : REQUEST_MAX;
		ssize_t n = pwrite(dev_fd(dev), p, want, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		offset += (u64)n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int fd_flush(struct bow_dev *dev)
{
	int r;

	/* A signal may interrupt that of a file on FUSE or NFS. */
	do
		r = fsync(dev_fd(dev)) ? -errno : 0;
	while (r == -EINTR);
	return r;
}

static void fd_ahead(struct bow_dev *dev, u64 offset, size_t bytes)
{
	struct file *file = dev->priv;
	bool follows = offset >= file->told && offset - file->told <= HOLE;

	file->told = offset + bytes;
	if (!file->disk || !follows)
		bow_kernel_ahead(file->fd, offset, bytes);
}

static void fd_drop(struct bow_dev *dev, u64 offset, size_t bytes)
{
	bow_kernel_drop(dev_fd(dev), offset, bytes);
}

/*
 * Let a range reach the disk: the kernel would keep it all in memory, and the
 * last flush last long after the bar has reached its end.  With the wait, since
 * Linux throttles writes that nobody waits for: 1 GiB took 12 s that way, 5 s
 * this way.  Failed writes are reported here, and the flush does not report them
 * again.
 */
static int write_out(struct bow_dev *dev, u64 start, u64 end)
{
	if (sync_file_range(dev_fd(dev), (off_t)start, (off_t)(end - start),
			    SYNC_FILE_RANGE_WAIT_BEFORE |
				    SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER))
		return errno == ENOSYS ? 0 : -errno;
	return 0;
}

static int fd_write_many(struct bow_dev *dev, struct bow_request *write,
			 u32 count, u32 *failed)
{
	struct file *file = dev->priv;
	u64 start = UINT64_MAX, end = 0;
	u32 i;

	bow_aio_write(&file->aio, file->fd, dev->unit, write, count);
	for (i = 0; i < count; i++) {
		const struct bow_request *w = &write[i];
		int r = w->done ? 0 : fd_write(dev, w->offset, w->data,
					       w->bytes);

		*failed = i;
		if (r)
			return r;
		if (!w->done && w->offset < start)
			start = w->offset;
		if (!w->done && w->offset + w->bytes > end)
			end = w->offset + w->bytes;
	}
	return start < end ? write_out(dev, start, end) : 0;
}

/*
 * Drop what the kernel has of the block device in memory.  It may be old: dm-bow
 * writes past it, and it stays for as long as anybody has the device open, a
 * monitor or a shell, also when dm-bow is gone.  A rollback by an old log would be
 * wrong, and writing back an old page would destroy the newer one.
 */
static int forget(int fd)
{
	return ioctl(fd, BLKFLSBUF, 0) ? -errno : 0;
}

static int fd_close(struct bow_dev *dev)
{
	struct file *file = dev->priv;
	int r = 0;

	/* Who has read meanwhile what was written past the page cache has it old. */
	if (file->disk && file->write)
		r = forget(file->fd);
	if (close(file->fd))
		r = -errno;
	bow_aio_close(&file->aio);
	bow_free(file);
	return r;
}

static const struct bow_dev_ops fd_ops = {
	.read = fd_read,
	.write = fd_write,
	.flush = fd_flush,
	.close = fd_close,
	.ahead = fd_ahead,
	.drop = fd_drop,
	.write_many = fd_write_many,
};

/* Size and write unit of the open device. */
static int measure(struct bow_dev *dev, int fd, const struct stat *st)
{
	u64 size;
	int unit;

	if (S_ISREG(st->st_mode)) {
		dev->size = (u64)st->st_size;
		dev->unit = BOW_SECTOR_SIZE;
		return 0;
	}
	if (ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &unit))
		return -errno;
	if (unit < (int)BOW_SECTOR_SIZE || (unit & (unit - 1)))
		return -EINVAL;
	dev->size = size;
	dev->unit = (u32)unit;
	return 0;
}

/* A block device that has just been opened. */
static int begin_disk(int fd, bool write)
{
	int read_only = 0, r;

	/* Linux lets it be opened for writing, and fails the writes. */
	if (write && !ioctl(fd, BLKROGET, &read_only) && read_only)
		return -EROFS;
	r = forget(fd);
	/* Without the right to do it: what is only read destroys nothing. */
	return write ? r : 0;
}

static bool type_ok(const struct stat *st)
{
	return S_ISREG(st->st_mode) || S_ISBLK(st->st_mode);
}

/* The descriptor, and what it is in *st; or -errno. */
static int open_fd(const char *path, bool write, struct stat *st)
{
	int flags = O_RDONLY, fd, r = 0;
	mode_t type;

	/* Before opening: a FIFO would wait, a tape would rewind. */
	if (stat(path, st))
		return -errno;
	if (!type_ok(st))
		return -ENOTBLK;
	type = st->st_mode & S_IFMT;
	if (write)
		flags = O_RDWR | (S_ISBLK(type) ? O_EXCL : 0);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st))
		r = -errno;
	else if ((st->st_mode & S_IFMT) != type)
		/* Put there meanwhile, and not opened as its kind needs. */
		r = -EAGAIN;
	if (r)
		close(fd);
	return r ? r : fd;
}

int bow_dev_open(struct bow_dev *dev, const char *path, bool write)
{
	struct file *file;
	struct stat st;
	int fd, r = 0;

	fd = open_fd(path, write, &st);
	if (fd < 0)
		return fd;
	if (write && S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB))
		r = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!r && S_ISBLK(st.st_mode))
		r = begin_disk(fd, write);
	if (!r)
		r = measure(dev, fd, &st);
	file = r ? NULL : bow_alloc(sizeof(*file));
	if (!r && !file)
		r = -ENOMEM;
	if (r) {
		close(fd);
		return r;
	}
	file->fd = fd;
	file->disk = S_ISBLK(st.st_mode);
	file->write = write;
	dev->ops = &fd_ops;
	dev->priv = file;
	return 0;
}

static bool in_device(const struct bow_dev *dev, u64 offset, size_t bytes)
{
	return bytes <= dev->size && offset <= dev->size - bytes;
}

int bow_dev_read(struct bow_dev *dev, u64 offset, void *buf, size_t bytes)
{
	if (!in_device(dev, offset, bytes))
		return -ERANGE;
	return dev->ops->read(dev, offset, buf, bytes);
}

int bow_dev_write(struct bow_dev *dev, u64 offset, const void *buf,
		  size_t bytes)
{
	if (!in_device(dev, offset, bytes))
		return -ERANGE;
	return dev->ops->write(dev, offset, buf, bytes);
}

int bow_dev_flush(struct bow_dev *dev)
{
	return dev->ops->flush(dev);
}

void bow_dev_ahead(struct bow_dev *dev, u64 offset, size_t bytes)
{
	if (dev->ops->ahead && in_device(dev, offset, bytes))
		dev->ops->ahead(dev, offset, bytes);
}

void bow_dev_drop(struct bow_dev *dev, u64 offset, size_t bytes)
{
	if (dev->ops->drop && in_device(dev, offset, bytes))
		dev->ops->drop(dev, offset, bytes);
}

int bow_dev_write_many(struct bow_dev *dev, struct bow_request *write, u32 count,
		       u32 *failed)
{
	int r = 0;
	u32 i;

	for (i = 0; i < count; i++) {
		*failed = i;
		write[i].done = false;
		if (!in_device(dev, write[i].offset, write[i].bytes))
			return -ERANGE;
	}
	if (dev->ops->write_many)
		return dev->ops->write_many(dev, write, count, failed);
	for (i = 0; i < count && !r; i++) {
		*failed = i;
		r = dev->ops->write(dev, write[i].offset, write[i].data,
				    write[i].bytes);
	}
	return r;
}

int bow_dev_close(struct bow_dev *dev)
{
	return dev->ops->close ? dev->ops->close(dev) : 0;
}
