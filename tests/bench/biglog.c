// SPDX-License-Identifier: GPL-2.0
/*
 * biglog.c - an image with a v1.1 log of any length, and the list of its copies
 *
 *   biglog [--sparse | --holes] [--bs N] [--pieces MAX]
 *          ENTRIES IMAGE [LIST]
 *
 * The blocks in use at the checkpoint are parts of MAX blocks (1).  Half of
 * them, or more, were changed: each by one entry of 1, 2, 4 ... MAX blocks, in
 * turn, in an order scattered over the device.  Backups follow one another, as
 * the module writes them.  LIST gets struct copy_line of copies.h.
 * With --holes nothing but the log and the backups is written: for checking only.
 * With --sparse all contents are holes: for logs longer than the disk has room.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "bow_disk.h"
#include "copies.h"

#define CHUNK (1u << 20)

struct image {
	int fd;
	FILE *list;
	bool sparse;
	bool holes;
	u32 bs;
	u32 entries;
	u32 pieces;		/* blocks of the largest change, a power of two */
	u32 parts;		/* of `pieces` blocks, in use: a power of two */
	u32 next;		/* block that is free and not taken */
	u32 filled;		/* bytes of backups in chunk */
	u64 filled_at;		/* byte offset of the first of them */
	u8 log[BOW_BLOCK_SIZE_MAX];
	u8 chunk[CHUNK];
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(struct image *im, u64 offset, const void *data, size_t bytes)
{
	if (pwrite(im->fd, data, bytes, (off_t)offset) != (ssize_t)bytes)
		die("pwrite");
}

static struct bow_header_disk *header(struct image *im)
{
	return (struct bow_header_disk *)im->log;
}

static __le64 sector(const struct image *im, u32 block)
{
	return cpu_to_le64((u64)block * (im->bs / BOW_SECTOR_SIZE));
}

/* Contents of a block at the checkpoint. */
static void contents(const struct image *im, u32 block, u8 *p)
{
	u64 state = block * 0x9e3779b97f4a7c15u + 1;
	u32 i;

	if (im->sparse)
		return;
	for (i = 0; i < im->bs; i += 8) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		memcpy(p + i, &state, 8);
	}
}

static void flush_chunk(struct image *im)
{
	if (!im->sparse && im->filled)
		put(im, im->filled_at, im->chunk, im->filled);
	im->filled = 0;
}

/* The next free blocks; backups gather in the chunk until one is not next. */
static u8 *take(struct image *im, u32 blocks, u32 *block)
{
	u32 bytes = blocks * im->bs;

	*block = im->next;
	im->next += blocks;
	if (im->filled + bytes > CHUNK ||
	    im->filled_at + im->filled != (u64)*block * im->bs)
		flush_chunk(im);
	if (!im->filled)
		im->filled_at = (u64)*block * im->bs;
	im->filled += bytes;
	return im->chunk + im->filled - bytes;
}

static void add_entry(struct image *im, u32 source, u32 dest, u32 blocks,
		      u32 csum)
{
	struct bow_header_disk *h = header(im);
	u32 count = le32_to_cpu(h->count);
	struct bow_entry_disk e = {
		.source = sector(im, source),
		.dest = sector(im, dest),
		.size = cpu_to_le32(blocks * im->bs),
		.checksum = cpu_to_le32(csum),
	};

	memcpy(im->log + BOW_HEADER_SIZE + count * BOW_ENTRY_SIZE, &e,
	       sizeof(e));
	h->count = cpu_to_le32(count + 1);
}

static void seal(struct image *im)
{
	struct bow_header_disk *h = header(im);

	h->entries_csum = cpu_to_le32(bow_entries_csum(
		im->log, BOW_HEADER_SIZE, le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

static void begin(struct image *im, u64 sectors)
{
	struct bow_header_disk *h = header(im);
	u32 live, backup0, next, csum;

	contents(im, 0, take(im, 1, &live));
	contents(im, 0, take(im, 1, &backup0));
	csum = bow_crc32(0, im->chunk + im->bs, im->bs);
	im->next++;
	next = im->next - 1;
	h->magic = cpu_to_le32(BOW_MAGIC_LOG);
	h->header_version = cpu_to_le16(BOW_VERSION_1_1);
	h->header_size = cpu_to_le16(BOW_HEADER_SIZE);
	h->block_size = cpu_to_le32(im->bs);
	h->sector0 = sector(im, live);
	h->created = cpu_to_le64(1700000000);
	h->device_sectors = cpu_to_le64(sectors);
	h->backup0 = sector(im, backup0);
	h->backup0_csum = cpu_to_le32(csum);
	h->next_log = sector(im, next);
	add_entry(im, 0, backup0, 1, csum);
}

static void roll_over(struct image *im)
{
	struct bow_header_disk *h = header(im);
	u64 place = le64_to_cpu(h->next_log);
	u32 csum;

	seal(im);
	csum = bow_crc32(0, im->log, im->bs);
	put(im, place * BOW_SECTOR_SIZE, im->log, im->bs);
	memset(im->log + BOW_HEADER_SIZE, 0, im->bs - BOW_HEADER_SIZE);
	h->sequence = cpu_to_le32(le32_to_cpu(h->sequence) + 1);
	h->count = 0;
	h->prev_log = h->next_log;
	h->prev_log_csum = cpu_to_le32(csum);
	h->next_log = sector(im, im->next++);
	add_entry(im, 0, (u32)(place / (im->bs / BOW_SECTOR_SIZE)), 1, csum);
}

static u32 log2_of(u32 power)
{
	return (u32)__builtin_ctz(power);
}

static u32 change_blocks(const struct image *im, u32 i)
{
	return 1u << i % (log2_of(im->pieces) + 1);
}

static void change(struct image *im, u32 i)
{
	u32 max = bow_max_entries(im->bs, BOW_HEADER_SIZE, false);
	/* Odd: each part of a power of two once, far from the one before. */
	u32 part = (i * 0x9e3779b1u) & (im->parts - 1);
	u32 source = 1 + part * im->pieces;
	u32 blocks = change_blocks(im, i), dest, k;
	u8 *p;

	if (le32_to_cpu(header(im)->count) == max)
		roll_over(im);
	p = take(im, blocks, &dest);
	for (k = 0; k < blocks; k++)
		contents(im, source + k, p + k * im->bs);
	add_entry(im, source, dest, blocks,
		  bow_crc32(source, p, blocks * im->bs));
	if (im->list) {
		struct copy_line line = { (u64)dest * im->bs,
					  (u64)source * im->bs,
					  blocks * im->bs };

		if (fwrite(&line, sizeof(line), 1, im->list) != 1)
			die("list");
	}
}

/* What the filesystem wrote: anything, but there, so that it is allocated. */
static void write_used(struct image *im)
{
	u64 end = ((u64)im->parts * im->pieces + 1) * im->bs, at;

	memset(im->chunk, 0xee, CHUNK);
	for (at = 0; !im->sparse && !im->holes && at < end; at += CHUNK)
		put(im, at, im->chunk, CHUNK);
}

static void generate(struct image *im)
{
	u32 max = bow_max_entries(im->bs, BOW_HEADER_SIZE, false);
	u64 blocks = im->entries / (max - 1) + 64;
	u32 i;

	for (im->parts = 1; im->parts < (im->pieces > 1 ? 1 : 2) * im->entries;
	     im->parts *= 2)
		;
	im->next = im->parts * im->pieces + 1;
	blocks += im->next;
	for (i = 0; i < im->entries; i++)
		blocks += change_blocks(im, i);
	if (ftruncate(im->fd, (off_t)(blocks * im->bs)))
		die("ftruncate");
	write_used(im);
	memset(im->chunk, 0, CHUNK);
	begin(im, blocks * (im->bs / BOW_SECTOR_SIZE));
	for (i = 0; i < im->entries; i++)
		change(im, i);
	flush_chunk(im);
	seal(im);
	put(im, 0, im->log, im->bs);
	if (fsync(im->fd))
		die("fsync");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "sparse", no_argument, NULL, 's' },
		{ "holes", no_argument, NULL, 'h' },
		{ "bs", required_argument, NULL, 'b' },
		{ "pieces", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 }
	};
	static struct image im = { .bs = 4096, .pieces = 1 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			im.sparse = true;
		else if (c == 'h')
			im.holes = true;
		else if (c == 'b')
			im.bs = (u32)strtoul(optarg, NULL, 0);
		else if (c == 'p')
			im.pieces = (u32)strtoul(optarg, NULL, 0);
		else
			return 16;
	}
	argv += optind;
	if (argc - optind < 2 || !bow_block_size_ok(im.bs) || !im.pieces ||
	    im.pieces & (im.pieces - 1) || im.pieces > CHUNK / im.bs)
		return 16;
	im.entries = (u32)strtoul(argv[0], NULL, 0);
	im.fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (im.fd < 0)
		die(argv[1]);
	if (argv[2] && !(im.list = fopen(argv[2], "wb")))
		die(argv[2]);
	generate(&im);
	if (close(im.fd) || (im.list && fclose(im.list)))
		die("close");
	return 0;
}
