// SPDX-License-Identifier: GPL-2.0
/*
 * undo.c - mklog: the oracle: a log undone as a v1.0 reader does it
 *
 * Newest entry first, one after the other, each copied at once over its
 * source; entry 0 of a block brings the previous log block, or the original
 * block 0, back to the front.  No plan, no map, no checksum: if this does not
 * give D0, neither would the tools of an Android phone.
 */
#include <stdlib.h>
#include "model.h"

struct header {
	uint32_t header_size, bs, count, sequence;
};

static struct header read_header(const uint8_t *block0)
{
	struct bow_header_v1_disk h;
	struct bow_header_v0_disk h0;
	struct header r;
	uint32_t magic;

	memcpy(&h, block0, sizeof(h));
	memcpy(&h0, block0, sizeof(h0));
	magic = le32toh(h.magic);
	if (magic != BOW_MAGIC_LOG && magic != BOW_MAGIC_RESTORING)
		die("undo: no log in block 0");
	if (le32toh(h0.count) <= BOW_V0_MAX_COUNT) {
		r.header_size = sizeof(h0);
		r.bs = BOW_V0_BLOCK_SIZE;
		r.count = le32toh(h0.count);
		r.sequence = le32toh(h0.sequence);
		return r;
	}
	r.header_size = le16toh(h.header_size);
	r.bs = le32toh(h.block_size);
	r.count = le32toh(h.count);
	r.sequence = le32toh(h.sequence);
	if (r.bs < BOW_BLOCK_SIZE_MIN || r.bs > BOW_BLOCK_SIZE_MAX ||
	    r.header_size > r.bs ||
	    r.count > (r.bs - r.header_size) / BOW_ENTRY_SIZE)
		die("undo: header not understood");
	return r;
}

/* Of a byte that the image of a model must have. */
static uint64_t offset(const struct undo *u, __le64 sector)
{
	uint64_t byte = le64toh(sector) * BOW_SECTOR_SIZE;

	return u->m ? (uint64_t)model_block(u->m, byte) * u->m->bs : byte;
}

static void undo_one(struct undo *u, const struct bow_entry_disk *e)
{
	uint64_t source = offset(u, e->source);
	uint64_t dest = offset(u, e->dest);
	uint32_t size = le32toh(e->size);

	if (size > u->bytes || source > u->bytes - size ||
	    dest > u->bytes - size)
		die("undo: entry beyond the end of the image");
	memmove(u->img + source, u->img + dest, size);
	if (u->tag)
		memmove(u->tag + source / u->tag_bs, u->tag + dest / u->tag_bs,
			size / u->tag_bs * sizeof(*u->tag));
}

/* Undo at most `limit` entries; returns how many there were to undo. */
uint64_t undo_entries(struct undo *u, uint64_t limit)
{
	uint8_t block[BOW_BLOCK_SIZE_MAX];
	struct bow_entry_disk e;
	struct header h;
	uint64_t done = 0;

	do {
		h = read_header(u->img);
		memcpy(block, u->img, h.bs);
		while (h.count && done < limit) {
			memcpy(&e, block + h.header_size +
					   --h.count * BOW_ENTRY_SIZE,
			       sizeof(e));
			undo_one(u, &e);
			done++;
		}
	} while (h.sequence && done < limit);
	return done;
}

/*
 * Stop as Android's tool leaves a device: as many entries of the present block
 * as are still to be undone, and the other magic.
 */
void undo_stop(struct undo *u, uint64_t undone)
{
	uint32_t magic = htole32(BOW_MAGIC_RESTORING), count;
	uint64_t left = undone;
	struct header h = read_header(u->img);
	size_t at = offsetof(struct bow_header_v1_disk, count);

	if (h.header_size == sizeof(struct bow_header_v0_disk))
		at = offsetof(struct bow_header_v0_disk, count);
	while (left >= h.count) {
		left -= h.count;
		undo_entries(u, h.count);
		h = read_header(u->img);
	}
	undo_entries(u, left);
	count = htole32(h.count - (uint32_t)left);
	memcpy(u->img + at, &count, sizeof(count));
	memcpy(u->img, &magic, sizeof(magic));
}
