// SPDX-License-Identifier: GPL-2.0
/*
 * journal-scan.c - the transactions of a journal, by the rules of jbd2's recovery
 *
 * A transaction counts if its commit block is there and right, and all before it
 * do.  Of each block the newest copy counts, unless the same or a later
 * transaction revoked it.
 */
#include "cli.h"
#include "journal.h"

/* More records of revoked blocks than any machine has written. */
#define REVOKES_MAX (8u << 20)

/* A block that a transaction has written. */
struct copy {
	u64 block;		/* of the filesystem */
	u64 place;		/* of the filesystem: the copy in the journal */
	size_t order;		/* in the journal */
	u32 sequence;
	u32 csum;
	bool escaped;
};

struct revoke {
	u64 block;
	u32 sequence;
};

struct scan {
	struct journal *j;
	u8 *buf, *data;		/* a block each */
	u32 at;			/* block of the journal */
	u64 left;		/* blocks that may still be read */
	struct copy *copy;
	size_t copies, copies_room, copies_sure;
	struct revoke *revoke;
	size_t revokes, revokes_room, revokes_sure;
	u32 crc;		/* of the transaction, JBD2_COMPAT_CHECKSUM */
	bool suspect;		/* a checksum in it was wrong */
	u64 committed;		/* time of the last commit */
};

static bool has_csum(const struct scan *s)
{
	return jbd2_has_csum(s->j->incompat);
}

/* ---- going through the log, which is a ring ---- */

/* False: it would begin to read what it has read before. */
static bool step(struct scan *s)
{
	if (!s->left)
		return false;
	s->left--;
	if (++s->at >= s->j->end)
		s->at = s->j->first;
	return true;
}

/* 0, 1: it has no such block; or -errno. */
static int get(const struct scan *s, u32 n, void *buf)
{
	int r = journal_block(s->j, n, buf);

	return r == -ERANGE ? 1 : r;
}

/* ---- checksums ---- */

/* In the last word of descriptors and revoke blocks. */
static bool tail_ok(const struct scan *s)
{
	u32 bytes = s->j->bytes - 4;
	u32 csum;
	static const u8 zeros[4];

	if (!has_csum(s))
		return true;
	csum = ext2fs_crc32c_le(s->j->seed, s->buf, bytes);
	csum = ext2fs_crc32c_le(csum, zeros, sizeof(zeros));
	return csum == jbd2_word(s->buf, bytes / 4);
}

static bool commit_ok(struct scan *s)
{
	const u8 *b = s->buf;
	u32 found = jbd2_word(b, JBD2_W_COMMIT_CSUM);

	if (has_csum(s)) {
		memset(s->buf + 4 * JBD2_W_COMMIT_CSUM, 0, 4);
		return ext2fs_crc32c_le(s->j->seed, b, s->j->bytes) == found;
	}
	if (!(s->j->compat & JBD2_COMPAT_CHECKSUM))
		return true;
	/* Type 1 of 4 bytes, or none: some kernels wrote none. */
	return (b[12] == 1 && b[13] == 4 && found == s->crc) ||
	       (!b[12] && !b[13] && !found);
}

static bool copy_ok(const struct scan *s, const struct copy *c)
{
	__be32 sequence = ext2fs_cpu_to_be32(c->sequence);
	u32 csum;

	if (!has_csum(s))
		return true;
	csum = ext2fs_crc32c_le(s->j->seed, (u8 *)&sequence, sizeof(sequence));
	csum = ext2fs_crc32c_le(csum, s->data, s->j->bytes);
	return s->j->incompat & JBD2_INCOMPAT_CSUM_V3 ?
		       csum == c->csum : (csum & 0xffff) == c->csum;
}

/* ---- descriptors ---- */

static void *room_for(void *array, size_t count, size_t *room, size_t item)
{
	size_t more = *room ? *room * 2 : 256;

	if (count < *room)
		return array;
	array = reallocarray(array, more, item);
	if (array)
		*room = more;
	return array;
}

static int add_copy(struct scan *s, const struct copy *c)
{
	void *array = room_for(s->copy, s->copies, &s->copies_room, sizeof(*c));

	if (!array)
		return -ENOMEM;
	s->copy = array;
	s->copy[s->copies] = *c;
	s->copy[s->copies].order = s->copies;
	s->copies++;
	return 0;
}

static u32 tag_bytes(const struct scan *s)
{
	u32 bytes = 8;

	if (s->j->incompat & JBD2_INCOMPAT_CSUM_V3)
		return 16;
	/* Two that nothing uses: the kernel counted its checksum twice. */
	if (s->j->incompat & JBD2_INCOMPAT_CSUM_V2)
		bytes += 2;
	return s->j->incompat & JBD2_INCOMPAT_64BIT ? bytes + 4 : bytes;
}

/* The tag at `p`; returns its flags. */
static u32 get_tag(const struct scan *s, const u8 *p, struct copy *c)
{
	bool v3 = s->j->incompat & JBD2_INCOMPAT_CSUM_V3;
	u32 second = jbd2_word(p, 1);

	c->block = jbd2_word(p, 0);
	if (s->j->incompat & JBD2_INCOMPAT_64BIT)
		c->block |= (u64)jbd2_word(p, 2) << 32;
	c->csum = v3 ? jbd2_word(p, 3) : second >> 16;
	return v3 ? second : second & 0xffff;
}

/* The transaction's own checksum, before there was one for each block. */
static int sum_up(struct scan *s, u32 n)
{
	int r;

	if (has_csum(s) || !(s->j->compat & JBD2_COMPAT_CHECKSUM))
		return 0;
	r = get(s, n, s->data);
	if (!r)
		s->crc = ext2fs_crc32_be(s->crc, s->data, s->j->bytes);
	return r;
}

/* 0: go on behind its blocks; 1: the log ends here; or -errno. */
static int descriptor(struct scan *s)
{
	u32 bytes = tag_bytes(s), at = JBD2_HEADER_SIZE, flags;
	u32 end = s->j->bytes - (has_csum(s) ? 4 : 0);
	int r;

	if (!tail_ok(s))
		s->suspect = true;
	r = sum_up(s, s->at);
	while (!r && at + bytes <= end) {
		struct copy c = {
			.sequence = s->j->next,
		};

		flags = get_tag(s, s->buf + at, &c);
		if (!step(s))
			return 1;
		c.escaped = flags & JBD2_TAG_ESCAPED;
		c.place = journal_place(s->j, s->at);
		r = sum_up(s, s->at);
		if (!r)
			r = add_copy(s, &c);
		at += bytes + (flags & JBD2_TAG_SAME_UUID ? 0 : 16);
		if (flags & JBD2_TAG_LAST)
			break;
	}
	return r;
}

/* ---- revoke blocks ---- */

static int add_revoke(struct scan *s, u64 block)
{
	struct revoke *array;

	if (s->revokes >= REVOKES_MAX)
		return -ENOMEM;
	array = room_for(s->revoke, s->revokes, &s->revokes_room,
			 sizeof(*array));
	if (!array)
		return -ENOMEM;
	s->revoke = array;
	array[s->revokes++] = (struct revoke){ block, s->j->next };
	return 0;
}

static int revoke_block(struct scan *s)
{
	bool wide = s->j->incompat & JBD2_INCOMPAT_64BIT;
	u32 end = jbd2_word(s->buf, JBD2_W_REVOKE_BYTES);
	u32 bytes = wide ? 8 : 4, at;
	int r = 0;

	if (!tail_ok(s) || end > s->j->bytes - (has_csum(s) ? 4 : 0)) {
		s->suspect = true;
		return 0;
	}
	for (at = 16; at + bytes <= end && !r; at += bytes) {
		u64 block = jbd2_word(s->buf + at, 0);

		if (wide)
			block = block << 32 | jbd2_word(s->buf + at, 1);
		r = add_revoke(s, block);
	}
	return r;
}

/* ---- commit blocks ---- */

/*
 * A wrong checksum before a commit: with a commit that is older than the one
 * before it, this is the rest of what was there before, else it is damage.
 */
static int commit(struct scan *s)
{
	u64 seconds = (u64)jbd2_word(s->buf, JBD2_W_COMMIT_SECONDS) << 32 |
		      jbd2_word(s->buf, JBD2_W_COMMIT_SECONDS + 1);

	if (!commit_ok(s))
		return 1;
	if (s->suspect) {
		if (seconds >= s->committed)
			s->j->problem = "has a transaction with a wrong checksum, and what follows is left out";
		return 1;
	}
	s->committed = seconds;
	s->copies_sure = s->copies;
	s->revokes_sure = s->revokes;
	s->crc = ~0u;
	s->j->transactions++;
	s->j->next++;
	return 0;
}

/* ---- all blocks ---- */

/* One block of the log and what belongs to it: 0; 1: it ends; or -errno. */
static int one_block(struct scan *s)
{
	int r = get(s, s->at, s->buf);

	if (r)
		return r;
	if (jbd2_word(s->buf, JBD2_W_MAGIC) != JBD2_MAGIC ||
	    jbd2_word(s->buf, JBD2_W_SEQUENCE) != s->j->next)
		return 1;
	switch (jbd2_word(s->buf, JBD2_W_TYPE)) {
	case JBD2_DESCRIPTOR:
		return descriptor(s);
	case JBD2_COMMIT:
		return commit(s);
	case JBD2_REVOKE:
		return revoke_block(s);
	default:
		return 1;
	}
}

static int all_blocks(struct scan *s)
{
	int r;

	do {
		r = signals_stop(NULL) ? -EINTR : one_block(s);
	} while (!r && step(s));
	return r < 0 ? r : 0;
}

/* ---- what it comes to ---- */

static int compare(u64 a, u64 b)
{
	return (a > b) - (a < b);
}

/* Sequences wrap around. */
static bool is_later(u32 a, u32 b)
{
	return (int)(a - b) > 0;
}

static int by_revoked(const void *a, const void *b)
{
	const struct revoke *x = a, *y = b;
	int order = compare(x->block, y->block);

	if (order || x->sequence == y->sequence)
		return order;
	return is_later(x->sequence, y->sequence) ? -1 : 1;
}

static int by_block(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;
	int order = compare(x->block, y->block);

	return order ? order : compare(y->order, x->order);
}

static bool is_revoked(const struct scan *s, const struct copy *c)
{
	size_t low = 0, high = s->revokes_sure;

	/* The first of this block, which is its latest. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->revoke[middle].block < c->block)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->revokes_sure && s->revoke[low].block == c->block &&
	       !is_later(c->sequence, s->revoke[low].sequence);
}

/* 1: it is right; 0: it is not, and the block stays as it is; or -errno. */
static int check_copy(struct scan *s, const struct copy *c)
{
	int r;

	if (c->block >= s->j->fs_blocks || !c->place ||
	    c->place >= s->j->fs_blocks) {
		s->j->problem = "names blocks that are not the filesystem's";
		return 0;
	}
	if (!has_csum(s))
		return 1;
	r = view_read(s->j->view, c->place * s->j->bytes, s->data, s->j->bytes);
	if (r)
		return r;
	if (copy_ok(s, c))
		return 1;
	s->j->problem = "has blocks with a wrong checksum, which are left out";
	return 0;
}

static int make_patches(struct scan *s)
{
	struct view_patches *p = &s->j->patches;
	size_t i;
	int r = 0;

	if (!s->copies_sure)
		return 0;
	qsort(s->copy, s->copies_sure, sizeof(*s->copy), by_block);
	if (s->revokes_sure)
		qsort(s->revoke, s->revokes_sure, sizeof(*s->revoke),
		      by_revoked);
	p->patch = calloc(s->copies_sure, sizeof(*p->patch));
	if (!p->patch)
		return -ENOMEM;
	for (i = 0; i < s->copies_sure && r >= 0; i++) {
		const struct copy *c = &s->copy[i];

		if ((i && c[-1].block == c->block) || is_revoked(s, c))
			continue;
		r = signals_stop(NULL) ? -EINTR : check_copy(s, c);
		if (r == 1)
			p->patch[p->count++] = (struct view_patch){
				c->block, c->place, c->escaped };
	}
	return r < 0 ? r : 0;
}

int journal_scan(struct journal *j)
{
	struct scan s = {
		.j = j,
		.buf = bow_alloc(j->bytes),
		.data = bow_alloc(j->bytes),
		.at = j->start,
		.left = j->end - j->first - 1,
		.crc = ~0u,
	};
	int r = s.buf && s.data ? all_blocks(&s) : -ENOMEM;

	if (!r)
		r = make_patches(&s);
	free(s.copy);
	free(s.revoke);
	bow_free(s.buf);
	bow_free(s.data);
	return r;
}
