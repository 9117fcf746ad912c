// SPDX-License-Identifier: GPL-2.0
/*
 * flips.c - every bit of the newest log block is wrong, one at a time
 */
#include <stdio.h>

#include "faults.h"

/* Did this entry save zeros?  Then any other zeros are as good. */
static bool saved_zeros(const struct sample *s, const u8 *entry)
{
	static const u8 zeros[BOW_BLOCK_SIZE_MAX];
	u32 source = bow_get_le32(entry), size = bow_get_le32(entry + 16);
	u32 crc = source / (s->bs / BOW_SECTOR_SIZE);

	for (; size >= s->bs; size -= s->bs)
		crc = bow_crc32(crc, zeros, s->bs);
	return crc == bow_get_le32(entry + 20);
}

/*
 * v0 and v1.0 have no checksum of a log block.  With another count the newest
 * entries are not undone, or old ones that lie behind them are; an entry that
 * carries no checksum can be anything; and one that saved zeros can name the
 * zeros of another block, which is then taken for one that was free.
 */
static bool unprotected(const struct sample *s, u32 byte)
{
	bool v0 = s->format[0] == 'v';
	u32 count_at = v0 ? 4 : 12;
	u32 first = v0 ? 12 : s->image[6] + 256u * s->image[7];
	u32 entry = byte - (byte - first) % BOW_ENTRY_SIZE;

	if (!strcmp(s->format, "1.1"))
		return false;
	if (byte < first)
		return byte >= count_at && byte < count_at + 4;
	return entry + BOW_ENTRY_SIZE <= s->bs &&
	       (bow_get_le32(s->image + entry + 20) == 0 ||
		saved_zeros(s, s->image + entry));
}

/* A commit reads no backup: in v0 and v1.0 it has nothing to tell by. */
static bool flippable(const struct sample *s)
{
	if (s->refused)
		return false;
	return s->action == BOW_ACTION_ROLLBACK || !strcmp(s->format, "1.1") ||
	       bow_get_le32(s->image) == BOW_MAGIC_FINISHING;
}

/* Count what became of it. */
static void one_flip(struct disk *d, const struct sample *s, u32 bit,
		     struct flips *count)
{
	struct bow_result result;
	struct bow_error e;

	count->done++;
	disk_again(d, 1);
	disk_flip(d, bit);
	if (bow_restore(&d->dev, s->action, false, NULL, &result, &e) &&
	    !d->writes)
		count->refused++;
	else if (sample_result(s, d->durable))
		count->right++;
	else if (unprotected(s, bit / 8))
		count->unprotected++;
	else if (count->wrong++ < 5)
		printf("# %s: bit %u of byte %u\n", s->name, bit % 8, bit / 8);
}

void flips(u32 logs, u32 stride, struct flips *count)
{
	static struct disk disk;
	struct sample s;
	u32 n, bit;

	memset(count, 0, sizeof(*count));
	for (n = 0; logs; n++) {
		sample_make(&s, n);
		if (flippable(&s)) {
			/* Records and commits come on top of the logs. */
			logs -= s.action == BOW_ACTION_ROLLBACK &&
				bow_get_le32(s.image) != BOW_MAGIC_FINISHING;
			count->logs++;
			disk_load(&disk, s.image, s.bytes);
			for (bit = n % stride; bit < 8 * s.bs; bit += stride)
				one_flip(&disk, &s, bit, count);
		}
		sample_free(&s);
	}
}
