// SPDX-License-Identifier: GPL-2.0
/*
 * bow_work.c - the log block that is being built, core->work
 */
#include "bow_work.h"

void bow_work_append(struct bow_core *core, u64 src, u64 dst, u32 blocks,
		     u32 checksum)
{
	struct bow_header_disk *h = bow_work_header(core);
	u32 count = le32_to_cpu(h->count);
	struct bow_entry_disk e = {
		.source = cpu_to_le64(bow_core_sector(core, src)),
		.dest = cpu_to_le64(bow_core_sector(core, dst)),
		.size = cpu_to_le32(blocks * core->bs),
		.checksum = cpu_to_le32(checksum),
	};

	memcpy(core->work + le16_to_cpu(h->header_size) +
		       count * BOW_ENTRY_SIZE,
	       &e, sizeof(e));
	h->count = cpu_to_le32(count + 1);
}

void bow_work_seal(struct bow_core *core)
{
	const struct bow_header_disk *old = bow_core_header(core);
	struct bow_header_disk *h = bow_work_header(core);

	if (h->sequence == old->sequence && old->magic) {
		h->prev_count = old->count;
		h->prev_entries_csum = old->entries_csum;
		h->prev_sector0 = old->sector0;
	} else {
		h->prev_count = 0;
		h->prev_entries_csum = 0;
		h->prev_sector0 = 0;
	}
	h->entries_csum = cpu_to_le32(
		bow_entries_csum(core->work, le16_to_cpu(h->header_size),
				 le32_to_cpu(h->count)));
	h->header_csum = cpu_to_le32(bow_header_csum(h));
}

void bow_work_roll_over(struct bow_core *core, u8 *full, u64 next,
			struct bow_write *write)
{
	struct bow_header_disk *h = bow_work_header(core);
	u64 place = core->next_log;
	u32 header_size = le16_to_cpu(h->header_size);
	u32 used = le32_to_cpu(h->count) * BOW_ENTRY_SIZE;
	u32 csum;

	bow_work_seal(core);
	memcpy(full, core->work, core->bs);
	csum = bow_crc32(0, full, core->bs);
	*write = (struct bow_write){ bow_core_sector(core, place), full, core->bs,
				     false, false };

	memset(core->work + header_size, 0, used);
	h->sequence = cpu_to_le32(le32_to_cpu(h->sequence) + 1);
	h->count = 0;
	h->prev_log = cpu_to_le64(bow_core_sector(core, place));
	h->prev_log_csum = cpu_to_le32(csum);
	h->next_log = cpu_to_le64(bow_core_sector(core, next));
	core->next_log = next;
	bow_work_append(core, 0, place, 1, csum);
}
