// SPDX-License-Identifier: GPL-2.0
/*
 * ending.c - the atomic replacement of block 0 that ends every restore
 */
#include "log.h"

int bow_end_no_log(const u8 *final, u64 sector, struct bow_error *e)
{
	switch (bow_get_le32(final)) {
	case BOW_MAGIC_LOG:
	case BOW_MAGIC_RESTORING:
	case BOW_MAGIC_FINISHING:
		return bow_bad(e, BOW_WHY_FINAL_LOG, sector, 0);
	default:
		return 0;
	}
}

int bow_end_check(struct bow_dev *dev, const struct bow_finish *f, u8 *final,
		  struct bow_error *e)
{
	int r = bow_get(dev, f->final_sector, final, f->block_size, e);

	if (!r && bow_crc32(0, final, f->block_size) != f->final_csum)
		r = bow_bad(e, BOW_WHY_FINAL_CSUM, f->final_sector, 0);
	return r ? r : bow_end_no_log(final, f->final_sector, e);
}

int bow_finish_check(struct bow_dev *dev, struct bow_log *log,
		     struct bow_error *e)
{
	return bow_end_check(dev, &log->finish, log->scratch, e);
}

/* A flush is a preflush, or what makes the write before it FUA. */
static int run_list(struct bow_dev *dev, const struct bow_write_list *list,
		    struct bow_error *e)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < list->count && !r; i++) {
		const struct bow_write *w = &list->w[i];

		if (w->preflush)
			r = bow_sync(dev, e);
		if (!r)
			r = bow_put(dev, w->sector, w->data, w->bytes, e);
		if (!r && w->fua)
			r = bow_sync(dev, e);
	}
	return r;
}

int bow_end(struct bow_dev *dev, const struct bow_finish *f, const u8 *final,
	    struct bow_error *e)
{
	struct bow_finish_disk record = {
		.final_sector = cpu_to_le64(f->final_sector),
		.action = cpu_to_le32(f->action),
		.device_sectors = cpu_to_le64(f->device_sectors),
		.created = cpu_to_le64(f->created),
	};
	struct bow_write_list list;
	u8 *scratch;
	int r;

	memcpy(record.checkpoint_id, f->checkpoint_id,
	       sizeof(record.checkpoint_id));
	scratch = bow_alloc(BOW_SECTOR_SIZE);
	if (!scratch)
		return bow_no_memory(e);
	bow_ending_build(&list, scratch, final, f->block_size, &record);
	r = run_list(dev, &list, e);
	bow_free(scratch);
	return r;
}
