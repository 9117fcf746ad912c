// SPDX-License-Identifier: GPL-2.0
/*
 * files-scan.c - bow-verify --files: the inodes that differ, and how
 *
 * All that was in use at the checkpoint and has been written since is in the
 * plan of a rollback, but for what is in the journal only.  So only those blocks
 * of the inode tables are compared that one of the two names.  A file may also
 * have been overwritten in place without a change of its inode: blocks of the plan
 * that none of the inodes found so far owns are looked for in all the others.
 *
 * A block of the plan need not differ: it may be a neighbour in the same block of
 * the log, or copied ahead of a writer that went no further.
 */
#include "files.h"
#include "log.h"

void *files_add(struct files_array *a)
{
	char *item;

	if (a->count == a->room) {
		size_t room = a->room ? a->room * 2 : 64;
		void *data = reallocarray(a->data, room, a->item);

		if (!data)
			return NULL;
		a->data = data;
		a->room = room;
	}
	item = (char *)a->data + a->count++ * a->item;
	return memset(item, 0, a->item);
}

/* ---- bits, one a block of the filesystem ---- */

static bool has(const u8 *bits, u64 blocks, u64 block)
{
	return block < blocks && bits[block / 8] >> block % 8 & 1;
}

static void clear(struct files *f, u64 block, u64 count)
{
	for (; count-- && block < f->blocks; block++)
		f->owner_unknown[block / 8] &= (u8)~(1u << block % 8);
}

static void mark(struct files *f, u64 block)
{
	if (block < f->blocks)
		f->changed[block / 8] |= (u8)(1u << block % 8);
}

static void mark_patches(struct files *f, const struct view_patches *p)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		mark(f, p->patch[i].block);
}

static int mark_changed(struct files *f)
{
	const struct bow_log *log = &f->old->log;
	u32 bytes = f->fs[FILES_OLD]->blocksize;
	struct bow_run run = { 0 };
	u64 b, end;

	f->changed = bow_alloc((size_t)(f->blocks / 8 + 1));
	f->owner_unknown = bow_alloc((size_t)(f->blocks / 8 + 1));
	f->contents = bow_alloc((size_t)FILES_VIEWS * bytes);
	if (!f->changed || !f->owner_unknown || !f->contents)
		return -ENOMEM;
	while (bow_plan_next(log, run.target + run.sectors, &run)) {
		b = (run.target << BOW_SECTOR_SHIFT) / bytes;
		end = (((run.target + run.sectors) << BOW_SECTOR_SHIFT) +
		       bytes - 1) / bytes;
		for (; b < end && b < f->blocks; b++)
			mark(f, b);
	}
	/* Block 0 is always put back; the plan leaves it out. */
	for (b = 0; b * bytes < log->bs && b < f->blocks; b++)
		mark(f, b);
	mark_patches(f, &f->view[FILES_OLD]->journal.patches);
	mark_patches(f, &f->view[FILES_NOW]->journal.patches);
	memcpy(f->owner_unknown, f->changed, (size_t)(f->blocks / 8 + 1));
	return 0;
}

/* ---- the blocks of a file ---- */

struct owner {
	struct files *f;
	bool touched;
};

/* Are the contents of a block of the plan not the same?  Not known: yes. */
static bool differs(const struct files *f, u64 block)
{
	u32 bytes = f->fs[FILES_OLD]->blocksize, v;
	u8 *data[FILES_VIEWS] = { f->contents, f->contents + bytes };

	for (v = 0; v < FILES_VIEWS; v++)
		if (io_channel_read_blk64(f->fs[v]->io, block, 1, data[v]))
			return true;
	return memcmp(data[FILES_OLD], data[FILES_NOW], bytes);
}

static int visit_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count,
		       blk64_t ref_block, int ref_offset, void *ctx)
{
	struct owner *o = ctx;

	(void)fs;
	(void)count;
	(void)ref_block;
	(void)ref_offset;
	if (has(o->f->changed, o->f->blocks, *block)) {
		o->touched = o->touched || differs(o->f, *block);
		clear(o->f, *block, 1);
	}
	return 0;
}

/* Does the plan put back a block of this old inode?  Its owner is known now. */
static bool touched(struct files *f, ext2_ino_t ino, struct ext2_inode *inode)
{
	ext2_filsys fs = f->fs[FILES_OLD];
	struct owner o = { .f = f };

	if (!ext2fs_inode_has_valid_blocks2(fs, inode))
		return false;
	if (ext2fs_block_iterate3(fs, ino, BLOCK_FLAG_READ_ONLY, NULL,
				  visit_block, &o))
		f->unreadable++;
	return o.touched;
}

/* The block of extended attributes, which block_iterate leaves out. */
static bool touched_xattr(struct files *f, struct ext2_inode *inode)
{
	u64 block = ext2fs_file_acl_block(f->fs[FILES_OLD], inode);

	if (!block || !has(f->changed, f->blocks, block))
		return false;
	clear(f, block, 1);
	return differs(f, block);
}

/* ---- two inodes ---- */

/* An inode with all that its size allows. */
struct inode_pair {
	struct ext2_inode_large *inode[FILES_VIEWS];
	size_t bytes;
};

/* Does it have so many bytes behind those of an old inode? */
static bool has_extra(const struct ext2_inode_large *i, size_t bytes,
		      unsigned int extra)
{
	return bytes > EXT2_GOOD_OLD_INODE_SIZE && i->i_extra_isize >= extra;
}

static u32 project_of(const struct ext2_inode_large *i, size_t bytes)
{
	return has_extra(i, bytes, 32) ? i->i_projid : 0;
}

static long long mtime_of(const struct ext2_inode_large *i, size_t bytes)
{
	long long t = (int)i->i_mtime;

	if (has_extra(i, bytes, 12))
		t += (long long)(i->i_mtime_extra & 3) << 32;
	return t;
}

static void get_facts(struct file_facts *facts,
		      const struct ext2_inode_large *i, size_t bytes)
{
	facts->present = true;
	facts->mode = i->i_mode;
	facts->owner = inode_uid(*i);
	facts->group = inode_gid(*i);
	facts->project = project_of(i, bytes);
	facts->flags = i->i_flags & EXT2_FL_USER_VISIBLE & ~EXT4_EXTENTS_FL;
	facts->size = EXT2_I_SIZE(i);
	facts->mtime = mtime_of(i, bytes);
	if (has_extra(i, bytes, 12))
		facts->mtime_ns = i->i_mtime_extra >> 2;
}

/* False: free, without a name, or it cannot be read. */
static bool read_inode(struct files *f, u32 view, ext2_ino_t ino,
		       struct inode_pair *pair)
{
	ext2_filsys fs = f->fs[view];
	struct ext2_inode *inode = (struct ext2_inode *)pair->inode[view];

	if (ino > fs->super->s_inodes_count ||
	    !ext2fs_test_inode_bitmap2(fs->inode_map, ino))
		return false;
	if (ext2fs_read_inode_full(fs, ino, inode, (int)pair->bytes)) {
		f->unreadable++;
		return false;
	}
	return inode->i_links_count && inode->i_mode;
}

/* Where in a large inode the extended attributes begin. */
static size_t extra_end(const struct ext2_inode_large *i, size_t bytes)
{
	size_t end = EXT2_GOOD_OLD_INODE_SIZE;

	if (bytes > end)
		end += i->i_extra_isize;
	return end < bytes ? end : bytes;
}

static bool xattrs_differ(const struct inode_pair *p)
{
	const struct ext2_inode_large *a = p->inode[FILES_OLD];
	const struct ext2_inode_large *b = p->inode[FILES_NOW];
	size_t at = extra_end(a, p->bytes);

	return a->i_file_acl != b->i_file_acl ||
	       a->osd2.linux2.l_i_file_acl_high !=
		       b->osd2.linux2.l_i_file_acl_high ||
	       at != extra_end(b, p->bytes) ||
	       memcmp((const u8 *)a + at, (const u8 *)b + at, p->bytes - at);
}

static u32 differences(const struct file *file, const struct inode_pair *p)
{
	const struct file_facts *a = &file->facts[FILES_OLD];
	const struct file_facts *b = &file->facts[FILES_NOW];
	u32 changes = 0;

	if (a->size != b->size ||
	    memcmp(p->inode[FILES_OLD]->i_block, p->inode[FILES_NOW]->i_block,
		   sizeof(p->inode[FILES_OLD]->i_block)))
		changes |= FILES_CONTENT;
	if (a->mode != b->mode)
		changes |= FILES_MODE;
	if (a->owner != b->owner || a->group != b->group ||
	    a->project != b->project)
		changes |= FILES_OWNER;
	if (a->mtime != b->mtime || a->mtime_ns != b->mtime_ns)
		changes |= FILES_TIME;
	if (a->flags != b->flags)
		changes |= FILES_FLAGS;
	return xattrs_differ(p) ? changes | FILES_XATTR : changes;
}

/* The inode has 60 bytes of the data of a small file; an attribute has the rest. */
static bool inline_differs(const struct files *f, ext2_ino_t ino,
			   const struct inode_pair *p)
{
	u32 bytes = f->fs[FILES_OLD]->blocksize, v;
	size_t size[FILES_VIEWS];

	for (v = 0; v < FILES_VIEWS; v++)
		if (!(p->inode[v]->i_flags & EXT4_INLINE_DATA_FL))
			return false;
	for (v = 0; v < FILES_VIEWS; v++)
		if (ext2fs_inline_data_size(f->fs[v], ino, &size[v]) ||
		    size[v] > bytes ||
		    ext2fs_inline_data_get(f->fs[v], ino, NULL,
					   f->contents + v * bytes, &size[v]))
			return true;
	return size[FILES_OLD] != size[FILES_NOW] ||
	       memcmp(f->contents, f->contents + bytes, size[FILES_OLD]);
}

/* An inode that was given up may be another file by now. */
static bool same_file(const struct inode_pair *p)
{
	const struct ext2_inode_large *a = p->inode[FILES_OLD];
	const struct ext2_inode_large *b = p->inode[FILES_NOW];

	if (a->i_generation != b->i_generation ||
	    (a->i_mode & LINUX_S_IFMT) != (b->i_mode & LINUX_S_IFMT))
		return false;
	return p->bytes <= EXT2_GOOD_OLD_INODE_SIZE || a->i_extra_isize < 24 ||
	       b->i_extra_isize < 24 || a->i_crtime == b->i_crtime;
}

/* Reading a file is no change that anybody wants to hear of. */
static bool identical(const struct inode_pair *p)
{
	struct ext2_inode_large *a = p->inode[FILES_OLD];
	struct ext2_inode_large *b = p->inode[FILES_NOW];

	return a->i_ctime == b->i_ctime && a->i_mtime == b->i_mtime &&
	       a->i_links_count == b->i_links_count &&
	       a->i_mode == b->i_mode && inode_uid(*a) == inode_uid(*b) &&
	       inode_gid(*a) == inode_gid(*b) && a->i_flags == b->i_flags &&
	       a->i_generation == b->i_generation &&
	       EXT2_I_SIZE(a) == EXT2_I_SIZE(b) &&
	       !memcmp(a->i_block, b->i_block, sizeof(a->i_block)) &&
	       (p->bytes <= EXT2_GOOD_OLD_INODE_SIZE ||
		a->i_ctime_extra == b->i_ctime_extra);
}

/* `all`: also one whose inodes are the same, if its blocks are not. */
static int compare_inode(struct files *f, ext2_ino_t ino, bool all,
			 struct inode_pair *p)
{
	struct file file = { .ino = ino }, *added;
	bool is_same = false, blocks = false, xattr = false;
	u32 v;

	for (v = 0; v < FILES_VIEWS; v++)
		if (read_inode(f, v, ino, p))
			get_facts(&file.facts[v], p->inode[v], p->bytes);
	if (!file.facts[FILES_OLD].present && !file.facts[FILES_NOW].present)
		return 0;
	if (file.facts[FILES_OLD].present && file.facts[FILES_NOW].present)
		is_same = identical(p);
	if (is_same && !all)
		return 0;
	if (file.facts[FILES_OLD].present) {
		struct ext2_inode *inode = (void *)p->inode[FILES_OLD];

		blocks = touched(f, ino, inode);
		xattr = touched_xattr(f, inode);
	}
	if (is_same && !blocks && !xattr)
		return 0;
	file.same = file.facts[FILES_OLD].present &&
		    file.facts[FILES_NOW].present && same_file(p);
	if (file.same) {
		file.changes = differences(&file, p);
		file.changes |= blocks || inline_differs(f, ino, p) ?
					FILES_CONTENT : 0;
		file.changes |= xattr ? FILES_XATTR : 0;
	}
	added = files_add(&f->file);
	if (!added)
		return -ENOMEM;
	*added = file;
	return 0;
}

/* ---- all inodes ---- */

/* The journal and the like have no names. */
static bool is_named(const struct files *f, ext2_ino_t ino)
{
	return ino == EXT2_ROOT_INO ||
	       ino >= EXT2_FIRST_INODE(f->fs[FILES_OLD]->super);
}

/* May any of the inodes in this block of an inode table differ? */
static bool table_differs(const struct files *f, u32 group, u32 index)
{
	ext2_filsys old = f->fs[FILES_OLD], now = f->fs[FILES_NOW];
	u64 at;

	if (group >= old->group_desc_count || group >= now->group_desc_count)
		return true;
	at = ext2fs_inode_table_loc(old, group);
	return at != ext2fs_inode_table_loc(now, group) ||
	       has(f->changed, f->blocks, at + index);
}

static int compare_group(struct files *f, u32 group, struct inode_pair *p)
{
	ext2_filsys fs = f->fs[FILES_NOW];
	u32 per_group = fs->super->s_inodes_per_group;
	u32 per_block = (u32)(fs->blocksize / p->bytes);
	u64 base = (u64)group * per_group + 1;
	u32 i;
	int r = 0;

	for (i = 0; i < per_group && !r; i++) {
		if (!table_differs(f, group, i / per_block)) {
			i += per_block - 1;
			continue;
		}
		if (is_named(f, (ext2_ino_t)(base + i)))
			r = compare_inode(f, (ext2_ino_t)(base + i), false, p);
	}
	return r;
}

/* Blocks that belong to the filesystem itself. */
static void know_metadata(struct files *f, struct inode_pair *p)
{
	ext2_filsys fs = f->fs[FILES_OLD];
	struct ext2_inode *inode = (void *)p->inode[FILES_OLD];
	ext2_ino_t ino;
	dgrp_t g;

	for (g = 0; g < fs->group_desc_count; g++) {
		blk64_t super, old_desc, new_desc;
		blk_t used;

		ext2fs_super_and_bgd_loc2(fs, g, &super, &old_desc, &new_desc,
					  &used);
		clear(f, super, 1);
		clear(f, new_desc, new_desc ? 1 : 0);
		clear(f, old_desc, old_desc ? fs->desc_blocks +
			fs->super->s_reserved_gdt_blocks : 0);
		clear(f, ext2fs_block_bitmap_loc(fs, g), 1);
		clear(f, ext2fs_inode_bitmap_loc(fs, g), 1);
		clear(f, ext2fs_inode_table_loc(fs, g),
		      fs->inode_blocks_per_group);
	}
	clear(f, 0, (f->old->log.bs + fs->blocksize - 1) / fs->blocksize);
	for (ino = 1; ino < EXT2_FIRST_INODE(fs->super); ino++)
		if (!is_named(f, ino) && !ext2fs_read_inode(fs, ino, inode))
			touched(f, ino, inode);
}

static bool any_unknown(const struct files *f)
{
	size_t i;

	for (i = 0; i < f->blocks / 8 + 1; i++)
		if (f->owner_unknown[i])
			return true;
	return false;
}

static int by_ino(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

const struct file *files_find(const struct files *f, ext2_ino_t ino,
			      size_t count)
{
	struct file key = { .ino = ino };

	return count ? bsearch(&key, f->file.data, count, sizeof(key), by_ino) :
		       NULL;
}

/* Files that were written in place, and whose inodes do not show it. */
static int find_owners(struct files *f, struct inode_pair *p)
{
	ext2_filsys fs = f->fs[FILES_OLD];
	size_t known = f->file.count;
	ext2_ino_t ino;
	int r = 0;

	for (ino = EXT2_ROOT_INO; ino <= fs->super->s_inodes_count && !r; ino++) {
		if (!is_named(f, ino) ||
		    !ext2fs_test_inode_bitmap2(fs->inode_map, ino) ||
		    files_find(f, ino, known))
			continue;
		r = signals_stop(NULL) ? -EINTR : compare_inode(f, ino, true, p);
	}
	if (f->file.count)
		qsort(f->file.data, f->file.count, sizeof(struct file), by_ino);
	return r;
}

static int scan(struct files *f, struct inode_pair *p)
{
	u32 groups = f->fs[FILES_NOW]->group_desc_count, g;
	int r = 0;

	if (groups < f->fs[FILES_OLD]->group_desc_count)
		groups = f->fs[FILES_OLD]->group_desc_count;
	for (g = 0; g < groups && !r; g++)
		r = signals_stop(NULL) ? -EINTR : compare_group(f, g, p);
	if (r)
		return r;
	know_metadata(f, p);
	return any_unknown(f) ? find_owners(f, p) : 0;
}

int files_scan(struct files *f)
{
	struct inode_pair p = {
		.bytes = EXT2_INODE_SIZE(f->fs[FILES_OLD]->super),
	};
	int r = mark_changed(f);
	u32 v;

	for (v = 0; v < FILES_VIEWS; v++) {
		p.inode[v] = bow_alloc(p.bytes > sizeof(*p.inode[v]) ?
					       p.bytes : sizeof(*p.inode[v]));
		if (!p.inode[v])
			r = -ENOMEM;
	}
	if (!r)
		r = scan(f, &p);
	for (v = 0; v < FILES_VIEWS; v++)
		bow_free(p.inode[v]);
	return r;
}
