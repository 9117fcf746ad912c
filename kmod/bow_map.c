// SPDX-License-Identifier: GPL-2.0
/*
 * bow_map.c - what each block of the device is; see bow_map.h
 */
#include "bow_map.h"

#define BITS 64u
/* A window is as large as most disks take in one request. */
#define BOW_WINDOW_BLOCKS 256u

/* The part of a range that lies in one word of one leaf. */
struct bow_span {
	struct bow_leaf *leaf;
	u32 word;
	u64 mask;
	u64 count;
};

static struct bow_span span_at(const struct bow_map *map, u64 first, u64 count)
{
	u32 bit = (u32)(first % BITS);
	u64 n = BITS - bit < count ? BITS - bit : count;
	struct bow_span s = {
		.leaf = &map->leaf[first >> BOW_LEAF_SHIFT],
		.word = (u32)(first % BOW_LEAF_BLOCKS) / BITS,
		.mask = (n == BITS ? ~0ull : (1ull << n) - 1) << bit,
		.count = n,
	};

	return s;
}

static u64 get(const u64 *plane, u32 word)
{
	return plane ? plane[word] : 0;
}

static void add_free(struct bow_map *map, struct bow_leaf *leaf, u32 n)
{
	leaf->free += n;
	map->free += n;
}

static void sub_free(struct bow_map *map, struct bow_leaf *leaf, u32 n)
{
	leaf->free -= n;
	map->free -= n;
}

int bow_map_init(struct bow_map *map, u64 blocks)
{
	memset(map, 0, sizeof(*map));
	map->blocks = blocks;
	map->leaves = (blocks + BOW_LEAF_BLOCKS - 1) >> BOW_LEAF_SHIFT;
	if (map->leaves > SIZE_MAX / sizeof(*map->leaf))
		return -ENOMEM;
	map->leaf = bow_alloc((size_t)map->leaves * sizeof(*map->leaf));
	return map->leaf ? 0 : -ENOMEM;
}

void bow_map_free(struct bow_map *map)
{
	if (!map->leaf)
		return;
	bow_map_clear(map);
	bow_free(map->spare);
	bow_free(map->leaf);
	map->spare = NULL;
	map->leaf = NULL;
}

void bow_map_unprepare(struct bow_map *map)
{
	u64 i;

	for (i = 0; i < map->leaves; i++) {
		bow_free(map->leaf[i].copy);
		bow_free(map->leaf[i].pool);
		map->leaf[i].copy = NULL;
		map->leaf[i].pool = NULL;
	}
}

/* Of an armed map nothing is left; no free block is at @cursor or above. */
static void disarm(struct bow_map *map, u64 cursor)
{
	bow_map_unprepare(map);
	map->free = 0;
	map->held = 0;
	map->cursor = cursor;
	map->window = 0;
	map->window_end = 0;
	map->armed = false;
}

void bow_map_clear(struct bow_map *map)
{
	u64 i;

	disarm(map, 0);
	for (i = 0; i < map->leaves; i++) {
		bow_free(map->leaf[i].was_free);
		map->leaf[i].was_free = NULL;
		map->leaf[i].free = 0;
	}
}

static u64 *take_spare(struct bow_map *map)
{
	u64 *plane = map->spare;

	map->spare = NULL;
	return plane ? plane : bow_alloc_plane(false);
}

int bow_map_add_free_word(struct bow_map *map, u64 word, u64 bits)
{
	struct bow_leaf *leaf = &map->leaf[word / BOW_LEAF_WORDS];
	u64 *free, fresh, end;

	if (word == 0)
		bits &= ~1ull;
	if (!bits)
		return 0;
	if (!leaf->was_free) {
		leaf->was_free = take_spare(map);
		if (!leaf->was_free)
			return -ENOMEM;
	}
	free = &leaf->was_free[word % BOW_LEAF_WORDS];
	fresh = bits & ~*free;
	*free |= fresh;
	add_free(map, leaf, bow_weight(fresh));
	end = word * BITS + bow_fls(fresh);
	if (fresh && map->cursor < end)
		map->cursor = end;
	return 0;
}

int bow_map_add_free(struct bow_map *map, u64 first, u64 count)
{
	int err = 0;

	while (count && !err) {
		struct bow_span s = span_at(map, first, count);

		err = bow_map_add_free_word(map, first / BITS, s.mask);
		first += s.count;
		count -= s.count;
	}
	return err;
}

void bow_map_remove_free(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 gone = s.mask & get(s.leaf->was_free, s.word);

		if (gone) {
			s.leaf->was_free[s.word] &= ~gone;
			sub_free(map, s.leaf, bow_weight(gone));
		}
		first += s.count;
		count -= s.count;
	}
}

/* The planes that the leaf needs now. */
static int prepare_leaf(struct bow_leaf *leaf)
{
	if (!leaf->copy)
		leaf->copy = bow_alloc_plane(true);
	if (!leaf->copy)
		return -ENOMEM;
	if (leaf->free && !leaf->pool)
		leaf->pool = bow_alloc_plane(true);
	return leaf->free && !leaf->pool ? -ENOMEM : 0;
}

int bow_map_prepare(struct bow_map *map)
{
	u64 i;

	for (i = 0; i < map->leaves; i++) {
		if (prepare_leaf(&map->leaf[i]))
			return -ENOMEM;
	}
	return 0;
}

static int arm_leaf(struct bow_leaf *leaf)
{
	u32 i;

	if (prepare_leaf(leaf))
		return -ENOMEM;
	if (!leaf->free) {
		memset(leaf->copy, 0xff, BOW_LEAF_WORDS * sizeof(u64));
		/* None is free any more: a missing plane and zeros are the same. */
		return 0;
	}
	for (i = 0; i < BOW_LEAF_WORDS; i++) {
		leaf->pool[i] = leaf->was_free[i];
		leaf->copy[i] = ~leaf->was_free[i];
	}
	return 0;
}

int bow_map_arm(struct bow_map *map)
{
	u64 i;

	for (i = 0; i < map->leaves; i++) {
		if (arm_leaf(&map->leaf[i])) {
			bow_map_disarm(map);
			return -ENOMEM;
		}
	}
	map->armed = true;
	map->held = 0;
	return 0;
}

void bow_map_disarm(struct bow_map *map)
{
	u64 i;

	disarm(map, map->blocks);
	for (i = 0; i < map->leaves; i++) {
		struct bow_leaf *leaf = &map->leaf[i];
		u32 w;

		leaf->free = 0;
		for (w = 0; leaf->was_free && w < BOW_LEAF_WORDS; w++)
			leaf->free += bow_weight(leaf->was_free[w]);
		map->free += leaf->free;
	}
}

u64 bow_map_free_word(const struct bow_map *map, u64 word)
{
	return get(map->leaf[word / BOW_LEAF_WORDS].was_free,
		   (u32)(word % BOW_LEAF_WORDS));
}

bool bow_map_any_free(const struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);

		if (get(s.leaf->was_free, s.word) & s.mask)
			return true;
		first += s.count;
		count -= s.count;
	}
	return false;
}

/* Between the two calls these blocks look like RETURNING ones; there are none. */
void bow_map_reserve(struct bow_map *map, u64 first, u64 count)
{
	map->held -= count;
	while (count) {
		struct bow_span s = span_at(map, first, count);

		s.leaf->pool[s.word] |= s.mask;
		first += s.count;
		count -= s.count;
	}
}

u64 bow_map_reserved(const struct bow_map *map, u64 word)
{
	const struct bow_leaf *leaf = &map->leaf[word / BOW_LEAF_WORDS];
	u32 i = (u32)(word % BOW_LEAF_WORDS);

	return get(leaf->was_free, i) & get(leaf->copy, i) &
	       get(leaf->pool, i);
}

void bow_map_end_reserve(struct bow_map *map)
{
	u64 word;

	for (word = 0; word < map->leaves * BOW_LEAF_WORDS; word++) {
		struct bow_leaf *leaf = &map->leaf[word / BOW_LEAF_WORDS];
		u64 bits = bow_map_reserved(map, word);

		if (bits) {
			leaf->was_free[word % BOW_LEAF_WORDS] &= ~bits;
			leaf->pool[word % BOW_LEAF_WORDS] &= ~bits;
		}
	}
}

void bow_map_resume_held(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 held = s.mask & get(s.leaf->was_free, s.word) &
			   ~s.leaf->copy[s.word];

		if (held) {
			sub_free(map, s.leaf,
				 bow_weight(held & s.leaf->pool[s.word]));
			map->held += bow_weight(held);
			s.leaf->pool[s.word] &= ~held;
			s.leaf->copy[s.word] |= held;
		}
		first += s.count;
		count -= s.count;
	}
}

void bow_map_resume_changed(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);

		s.leaf->copy[s.word] &=
			~(s.mask & ~get(s.leaf->was_free, s.word));
		first += s.count;
		count -= s.count;
	}
}

enum bow_block_state bow_map_state(const struct bow_map *map, u64 block)
{
	struct bow_span s = span_at(map, block, 1);
	bool copy = get(s.leaf->copy, s.word) & s.mask;
	bool pool = get(s.leaf->pool, s.word) & s.mask;

	if (!(get(s.leaf->was_free, s.word) & s.mask))
		return copy ? BOW_USED : BOW_CHANGED;
	if (copy)
		return pool ? BOW_RETURNING : BOW_HELD;
	return pool ? BOW_FREE : BOW_TAKEN;
}

u64 bow_map_state_run(const struct bow_map *map, u64 first, u64 count,
		      enum bow_block_state state)
{
	u64 n = 0;

	while (n < count && first + n < map->blocks &&
	       bow_map_state(map, first + n) == state)
		n++;
	return n;
}

u64 bow_map_run(const struct bow_map *map, u64 first, u64 count, bool *copy)
{
	struct bow_span at = span_at(map, first, 1);
	u64 done = 0;

	*copy = get(at.leaf->copy, at.word) & at.mask;
	while (done < count) {
		struct bow_span s = span_at(map, first + done, count - done);
		u64 bits = get(s.leaf->copy, s.word);
		u64 other = s.mask & (*copy ? ~bits : bits);

		if (other) {
			u32 start = (u32)((first + done) % BITS);

			return done + (u32)__builtin_ctzll(other) - start;
		}
		done += s.count;
	}
	return done;
}

void bow_map_take(struct bow_map *map, u64 first, u64 count, u64 *taken)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 bits = s.mask & get(s.leaf->pool, s.word) &
			   ~s.leaf->copy[s.word];

		if (bits) {
			s.leaf->pool[s.word] &= ~bits;
			sub_free(map, s.leaf, bow_weight(bits));
		}
		if (taken)
			*taken++ = bits;
		first += s.count;
		count -= s.count;
	}
}

void bow_map_untake(struct bow_map *map, u64 first, u64 count,
		    const u64 *taken)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);

		if (*taken) {
			s.leaf->pool[s.word] |= *taken;
			add_free(map, s.leaf, bow_weight(*taken));
			if (map->cursor < first + s.count)
				map->cursor = first + s.count;
		}
		taken++;
		first += s.count;
		count -= s.count;
	}
}

/* The highest FREE block below map->cursor; the caller knows there is one. */
static u64 highest_free(struct bow_map *map)
{
	while (map->cursor) {
		u64 last = map->cursor - 1;
		struct bow_leaf *leaf = &map->leaf[last >> BOW_LEAF_SHIFT];
		u32 word = (u32)(last % BOW_LEAF_BLOCKS) / BITS;
		u32 bit = (u32)(last % BITS);
		u64 free;

		if (!leaf->free) {
			map->cursor = last & ~(u64)(BOW_LEAF_BLOCKS - 1);
			continue;
		}
		free = leaf->pool[word] & ~leaf->copy[word];
		free &= ~0ull >> (BITS - 1 - bit);
		if (free) {
			last = (last & ~(u64)(BITS - 1)) + BITS - 1 -
			       (u32)__builtin_clzll(free);
			map->cursor = last + 1;
			return last;
		}
		map->cursor = last & ~(u64)(BITS - 1);
	}
	return 0;
}

/* The highest run of FREE blocks, or its end, becomes the window. */
static void open_window(struct bow_map *map)
{
	u64 last = highest_free(map);

	map->window_end = last + 1;
	map->window = last;
	while (map->window > 1 &&
	       map->window_end - map->window < BOW_WINDOW_BLOCKS &&
	       bow_map_state(map, map->window - 1) == BOW_FREE)
		map->window--;
}

static void hold(struct bow_map *map, u64 first, u64 count)
{
	map->held += count;
	while (count) {
		struct bow_span s = span_at(map, first, count);

		s.leaf->pool[s.word] &= ~s.mask;
		s.leaf->copy[s.word] |= s.mask;
		sub_free(map, s.leaf, bow_weight(s.mask));
		first += s.count;
		count -= s.count;
	}
}

u64 bow_map_alloc(struct bow_map *map, u64 want, u64 *first)
{
	u64 n = 0;

	if (!map->free || !want)
		return 0;
	/* The filesystem may have taken blocks of the window meanwhile. */
	while (map->window < map->window_end) {
		u64 left = map->window_end - map->window;

		n = bow_map_state_run(map, map->window,
				      left < want ? left : want, BOW_FREE);
		if (n)
			break;
		map->window++;
	}
	if (!n) {
		open_window(map);
		n = map->window_end - map->window;
		if (n > want)
			n = want;
	}
	*first = map->window;
	map->window += n;
	hold(map, *first, n);
	return n;
}

void bow_map_unalloc(struct bow_map *map, u64 first, u64 count)
{
	map->held -= count;
	if (map->cursor < first + count)
		map->cursor = first + count;
	while (count) {
		struct bow_span s = span_at(map, first, count);

		s.leaf->pool[s.word] |= s.mask;
		s.leaf->copy[s.word] &= ~s.mask;
		add_free(map, s.leaf, bow_weight(s.mask));
		first += s.count;
		count -= s.count;
	}
}

void bow_map_release(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 held = s.mask & s.leaf->copy[s.word] &
			   get(s.leaf->was_free, s.word);

		s.leaf->copy[s.word] &= ~s.mask;
		map->held -= bow_weight(held);
		first += s.count;
		count -= s.count;
	}
}

u64 bow_map_return_begin(struct bow_map *map, u64 first, u64 count)
{
	u64 returning = 0;

	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 taken = s.mask & get(s.leaf->was_free, s.word) &
			    ~s.leaf->copy[s.word] & ~get(s.leaf->pool, s.word);

		if (taken) {
			s.leaf->pool[s.word] |= taken;
			s.leaf->copy[s.word] |= taken;
			returning += bow_weight(taken);
		}
		first += s.count;
		count -= s.count;
	}
	return returning;
}

void bow_map_return_end(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 back = s.mask & s.leaf->copy[s.word] &
			   get(s.leaf->pool, s.word);

		if (back) {
			s.leaf->copy[s.word] &= ~back;
			add_free(map, s.leaf, bow_weight(back));
			if (map->cursor < first + s.count)
				map->cursor = first + s.count;
		}
		first += s.count;
		count -= s.count;
	}
}

void bow_map_return_cancel(struct bow_map *map, u64 first, u64 count)
{
	while (count) {
		struct bow_span s = span_at(map, first, count);
		u64 back = s.mask & s.leaf->copy[s.word] &
			   get(s.leaf->pool, s.word);

		if (back) {
			s.leaf->copy[s.word] &= ~back;
			s.leaf->pool[s.word] &= ~back;
		}
		first += s.count;
		count -= s.count;
	}
}
