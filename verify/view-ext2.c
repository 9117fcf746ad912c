// SPDX-License-Identifier: GPL-2.0
/*
 * view-ext2.c - an io_manager of libext2fs that reads a view
 */
#include <limits.h>

#include "view.h"

/*
 * The manager's open() is told a name and nothing else: this is the view that
 * view_ext2() is opening.
 */
static struct view *opening;

static errcode_t io_open(const char *name, int flags, io_channel *channel);

static errcode_t io_close(io_channel io)
{
	if (--io->refcount > 0)
		return 0;
	ext2fs_free_mem(&io->name);
	ext2fs_free_mem(&io);
	return 0;
}

static errcode_t io_set_blksize(io_channel io, int blksize)
{
	if (blksize <= 0)
		return EXT2_ET_INVALID_ARGUMENT;
	io->block_size = blksize;
	return 0;
}

/* A negative count is one of bytes. */
static errcode_t io_read64(io_channel io, unsigned long long block, int count,
			   void *data)
{
	struct view *v = io->private_data;
	u64 size = (u64)io->block_size;
	u64 bytes = count < 0 ? (u64)-(long long)count : (u64)count * size;

	if (block > ULLONG_MAX / size || bytes > SIZE_MAX)
		return EXT2_ET_SHORT_READ;
	switch (view_read(v, block * size, data, (size_t)bytes)) {
	case 0:
		return 0;
	case -ERANGE:
		return EXT2_ET_SHORT_READ;
	default:
		return -v->err;
	}
}

static errcode_t io_read(io_channel io, unsigned long block, int count,
			 void *data)
{
	return io_read64(io, block, count, data);
}

static errcode_t io_write64(io_channel io, unsigned long long block, int count,
			    const void *data)
{
	(void)io;
	(void)block;
	(void)count;
	(void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_write(io_channel io, unsigned long block, int count,
			  const void *data)
{
	return io_write64(io, block, count, data);
}

static errcode_t io_write_byte(io_channel io, unsigned long offset, int count,
			       const void *data)
{
	return io_write64(io, offset, count, data);
}

static errcode_t io_flush(io_channel io)
{
	(void)io;
	return 0;
}

static errcode_t io_set_option(io_channel io, const char *option,
			       const char *arg)
{
	(void)io;
	(void)option;
	(void)arg;
	return EXT2_ET_INVALID_ARGUMENT;
}

static errcode_t io_give_up(io_channel io, unsigned long long block,
			    unsigned long long count)
{
	(void)io;
	(void)block;
	(void)count;
	return EXT2_ET_RO_FILSYS;
}

static struct struct_io_manager view_io = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "bow view",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read,
	.read_blk64 = io_read64,
	.write_blk = io_write,
	.write_blk64 = io_write64,
	.write_byte = io_write_byte,
	.flush = io_flush,
	.set_option = io_set_option,
	.discard = io_give_up,
	.zeroout = io_give_up,
};

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
	io_channel io;
	errcode_t code;

	if (flags & IO_FLAG_RW)
		return EXT2_ET_RO_FILSYS;
	code = ext2fs_get_memzero(sizeof(*io), &io);
	if (code)
		return code;
	code = ext2fs_get_mem(strlen(name) + 1, &io->name);
	if (code) {
		ext2fs_free_mem(&io);
		return code;
	}
	strcpy(io->name, name);
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = &view_io;
	io->block_size = 1024;
	io->refcount = 1;
	io->private_data = opening;
	*channel = io;
	return 0;
}

errcode_t view_ext2(struct view *v, int flags, ext2_filsys *fs)
{
	errcode_t code;

	*fs = NULL;
	opening = v;
	code = ext2fs_open2(view_name(v), NULL,
			    flags | EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, 0, 0,
			    &view_io, fs);
	opening = NULL;
	/* A bit a block: the memory does not depend on the contents. */
	if (!code)
		(*fs)->default_bitmap_type = EXT2FS_BMAP64_BITARRAY;
	return code;
}
