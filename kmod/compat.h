/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - differences between kernel versions, 5.10 and later
 *
 * The rest of the module is written for the newest kernel.  dkms.conf states
 * the same range.
 */
#ifndef BOW_COMPAT_H
#define BOW_COMPAT_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 10, 0)
#error "dm-bow needs Linux 5.10 or later"
#endif

/* Of linux/kernel.h before 6.4, and for some time after that. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/hex.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 0, 0)
typedef unsigned int blk_opf_t;
#endif

#ifndef REQ_POLLED	/* before 5.16 a bio of ours is not polled for */
#define REQ_POLLED 0
#endif

#ifndef BIO_MAX_VECS	/* before 5.12 */
#define BIO_MAX_VECS BIO_MAX_PAGES
#endif

/* A bio to @bdev from the set @bs; never NULL with a @gfp that may sleep. */
static inline struct bio *bow_bio_alloc(struct block_device *bdev,
					unsigned short pages, blk_opf_t opf,
					gfp_t gfp, struct bio_set *bs)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 18, 0)
	struct bio *bio = bio_alloc_bioset(gfp, pages, bs);

	if (bio) {
		bio_set_dev(bio, bdev);
		bio->bi_opf = opf;
	}
	return bio;
#else
	return bio_alloc_bioset(bdev, pages, opf, gfp, bs);
#endif
}

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 11, 0)
static inline sector_t bdev_nr_sectors(struct block_device *bdev)
{
	return i_size_read(bdev->bd_inode) >> SECTOR_SHIFT;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(5, 19, 0)
static inline unsigned int bdev_max_discard_sectors(struct block_device *bdev)
{
	struct request_queue *q = bdev_get_queue(bdev);

	return blk_queue_discard(q) ? q->limits.max_discard_sectors : 0;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete_sync del_timer_sync
#endif

/* The table as the integrity subsystem measures it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 15, 0)
#define BOW_HAS_IMA
#endif

/* Since 6.16 a target is told the ioctl that it lets through. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define BOW_PREPARE_IOCTL_EXTRA , unsigned int cmd, unsigned long arg, bool *forward
#else
#define BOW_PREPARE_IOCTL_EXTRA
#endif

/* Newer kernels warn of a workqueue that does not say that it is bound. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define BOW_WQ_PERCPU WQ_PERCPU
#else
#define BOW_WQ_PERCPU 0
#endif

#endif /* BOW_COMPAT_H */
