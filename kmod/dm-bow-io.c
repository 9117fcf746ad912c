// SPDX-License-Identifier: GPL-2.0
/*
 * dm-bow-io.c - our own reads and writes of the device below
 *
 * All are issued by the worker, which waits for them holding no lock.
 */
#include <linux/highmem.h>

#include "dm-bow.h"

/* A set of bios in flight; the first error of any is kept. */
struct bow_flight {
	atomic_t left;
	blk_status_t status;
	struct completion done;
};

static void flight_start(struct bow_flight *flight)
{
	/* One for the submitter, so that it cannot complete too early. */
	atomic_set(&flight->left, 1);
	flight->status = BLK_STS_OK;
	init_completion(&flight->done);
}

static void flight_drop(struct bow_flight *flight)
{
	if (atomic_dec_and_test(&flight->left))
		complete(&flight->done);
}

static int flight_wait(struct bow_flight *flight)
{
	flight_drop(flight);
	wait_for_completion_io(&flight->done);
	return blk_status_to_errno(READ_ONCE(flight->status));
}

static void flight_end_io(struct bio *bio)
{
	struct bow_flight *flight = bio->bi_private;

	if (bio->bi_status)
		WRITE_ONCE(flight->status, bio->bi_status);
	bio_put(bio);
	flight_drop(flight);
}

static struct bio *new_bio(struct bow *bow, struct bow_flight *flight,
			   blk_opf_t opf, u64 sector, unsigned int pages)
{
	struct bio *bio = bow_bio_alloc(bow->dev->bdev, pages, opf, GFP_NOIO,
					&bow->bios);

	bio->bi_iter.bi_sector = sector;
	bio->bi_private = flight;
	bio->bi_end_io = flight_end_io;
	atomic_inc(&flight->left);
	return bio;
}

/* The page that holds a kernel address, kmalloc'ed or vmalloc'ed. */
static struct page *page_of(const void *p)
{
	return is_vmalloc_addr(p) ? vmalloc_to_page(p) : virt_to_page(p);
}

int bow_io(struct bow *bow, blk_opf_t opf, u64 sector, void *data, u32 bytes)
{
	unsigned int pages = DIV_ROUND_UP(offset_in_page(data) + bytes,
					  PAGE_SIZE);
	struct bow_flight flight;
	struct bio *bio;
	u32 done = 0;
	int r;

	flight_start(&flight);
	bio = new_bio(bow, &flight, opf, sector, pages);
	while (done < bytes) {
		void *p = data + done;
		u32 n = min_t(u32, bytes - done, PAGE_SIZE - offset_in_page(p));

		__bio_add_page(bio, page_of(p), n, offset_in_page(p));
		done += n;
	}
	/* For caches that know a page by two addresses. */
	if (is_vmalloc_addr(data))
		flush_kernel_vmap_range(data, bytes);
	submit_bio_noacct(bio);
	r = flight_wait(&flight);
	if (is_vmalloc_addr(data) && !op_is_write(opf))
		invalidate_kernel_vmap_range(data, bytes);
	return r;
}

/*
 * Is it less than the device can write?  Its blocks may be 4096 bytes and those of
 * the disk below 512 (dm-crypt): what is written whole is a sector, and the core
 * counts on no more.
 */
static bool is_part(struct bow *bow, const struct bow_write *w)
{
	u32 block = bdev_logical_block_size(bow->dev->bdev);

	return (((u32)w->sector << SECTOR_SHIFT) | w->bytes) & (block - 1);
}

/* Only block 0 is written in parts; nobody else writes there meanwhile. */
static int write_part(struct bow *bow, blk_opf_t opf, const struct bow_write *w)
{
	int r = bow_io(bow, REQ_OP_READ | REQ_SYNC | REQ_META, 0, bow->part,
		       bow->bs);

	if (r)
		return r;
	memcpy(bow->part + (w->sector << SECTOR_SHIFT), w->data, w->bytes);
	return bow_io(bow, opf, 0, bow->part, bow->bs);
}

int bow_run_writes(struct bow *bow, const struct bow_write *w,
		   unsigned int count, unsigned int *done)
{
	for (*done = 0; *done < count; w++, ++*done) {
		blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_META;
		int r;

		if (w->preflush) {
			opf |= REQ_PREFLUSH;
			bow->flushes++;
		}
		if (w->fua)
			opf |= REQ_FUA;
		r = is_part(bow, w) ?
			    write_part(bow, opf, w) :
			    bow_io(bow, opf, w->sector, (void *)w->data,
				   w->bytes);
		if (r) {
			DMERR("%s: write of %u bytes at sector %llu failed: %d",
			      bow->dev->name, w->bytes, w->sector, r);
			return r;
		}
	}
	return 0;
}

/* Add so many bytes of the buffer to a bio; *at, where they begin, moves on. */
static void add_buffer(struct bow *bow, struct bio *bio, size_t *at,
		       size_t bytes)
{
	while (bytes) {
		u32 n = min_t(size_t, bytes, PAGE_SIZE - offset_in_page(*at));

		__bio_add_page(bio, bow->buffer[*at >> PAGE_SHIFT], n,
			       offset_in_page(*at));
		*at += n;
		bytes -= n;
	}
}

/*
 * Read or write blocks of the buffer, from block @offset of it on, in requests
 * that are as large as a bio can be.
 */
static void submit_blocks(struct bow *bow, struct bow_flight *flight,
			  blk_opf_t opf, u64 block, u32 offset, u32 blocks)
{
	size_t at = (size_t)offset * bow->bs;

	while (blocks) {
		u32 room = (BIO_MAX_VECS << PAGE_SHIFT) - offset_in_page(at);
		u32 n = min(blocks, room / bow->bs);
		size_t bytes = (size_t)n * bow->bs;
		struct bio *bio = new_bio(bow, flight, opf,
					  bow_sector(bow, block),
					  DIV_ROUND_UP(offset_in_page(at) + bytes,
						       PAGE_SIZE));

		add_buffer(bow, bio, &at, bytes);
		submit_bio_noacct(bio);
		block += n;
		blocks -= n;
	}
}

static void checksum_copy(struct bow *bow, struct bow_copy *c)
{
	size_t offset = (size_t)c->offset * bow->bs;
	size_t bytes = (size_t)c->blocks * bow->bs;
	u32 crc = bow_copy_seed(c);

	while (bytes) {
		u32 n = min_t(size_t, bytes, PAGE_SIZE - offset_in_page(offset));

		crc = bow_crc32(crc,
				page_address(bow->buffer[offset >> PAGE_SHIFT]) +
					offset_in_page(offset), n);
		offset += n;
		bytes -= n;
	}
	c->checksum = crc;
}

int bow_read_copies(struct bow *bow, struct bow_batch *batch)
{
	struct bow_flight flight;
	struct blk_plug plug;
	unsigned int i;

	flight_start(&flight);
	blk_start_plug(&plug);
	for (i = 0; i < batch->copies; i++)
		submit_blocks(bow, &flight, REQ_OP_READ | REQ_SYNC,
			      batch->copy[i].src, batch->copy[i].offset,
			      batch->copy[i].blocks);
	blk_finish_plug(&plug);
	return flight_wait(&flight);
}

/*
 * Places are taken in a row where they can be: copies of what was scattered
 * are one write.
 */
int bow_write_copies(struct bow *bow, struct bow_batch *batch)
{
	struct bow_copy *c = batch->copy, *end = c + batch->copies;
	struct bow_flight flight;
	struct blk_plug plug;

	flight_start(&flight);
	blk_start_plug(&plug);
	while (c < end) {
		u64 dst = c->dst;
		u32 offset = c->offset, blocks = 0;

		for (; c < end && c->dst == dst + blocks &&
		       c->offset == offset + blocks; c++)
			blocks += c->blocks;
		submit_blocks(bow, &flight, REQ_OP_WRITE | REQ_SYNC, dst,
			      offset, blocks);
	}
	blk_finish_plug(&plug);
	/* The disk is busy meanwhile. */
	for (c = batch->copy; c < end; c++)
		checksum_copy(bow, c);
	return flight_wait(&flight);
}
