// SPDX-License-Identifier: GPL-2.0
/*
 * files-names.c - bow-verify --files: the names of the inodes that differ
 *
 * Each view's tree is walked once, from its root.  Directories are kept in the
 * order in which they are met, so that the parent of each is before it.
 */
#include "files.h"

struct walk {
	struct files *f;
	u32 view;
	u32 parent;		/* index of the directory being read */
	ext2_ino_t parent_ino;
	u8 *seen;		/* a bit an inode: directories met */
};

static size_t keep_text(struct files *f, const char *name, size_t length)
{
	size_t at = f->text.count, i;

	for (i = 0; i <= length; i++) {
		char *c = files_add(&f->text);

		if (!c)
			return SIZE_MAX;
		*c = i < length ? name[i] : '\0';
	}
	return at;
}

static bool is_directory(const struct walk *w, const struct ext2_dir_entry *d)
{
	struct ext2_inode inode;

	switch (ext2fs_dirent_file_type(d)) {
	case EXT2_FT_DIR:
		return true;
	case EXT2_FT_UNKNOWN:
		return !ext2fs_read_inode(w->f->fs[w->view], d->inode,
					  &inode) &&
		       LINUX_S_ISDIR(inode.i_mode);
	default:
		return false;
	}
}

static int add_directory(struct walk *w, ext2_ino_t ino, size_t text)
{
	struct file_dir *dir;

	/* Met twice, in a tree that is none. */
	if (w->seen[ino / 8] >> ino % 8 & 1)
		return 0;
	w->seen[ino / 8] |= (u8)(1u << ino % 8);
	dir = files_add(&w->f->dir[w->view]);
	if (!dir)
		return -ENOMEM;
	*dir = (struct file_dir){ ino, w->parent, text };
	return 0;
}

static int add_name(struct walk *w, const struct file *file, size_t text)
{
	struct file_name *name = files_add(&w->f->name);

	if (!name)
		return -ENOMEM;
	*name = (struct file_name){
		.file = (u32)(file - (const struct file *)w->f->file.data),
		.view = w->view,
		.parent = w->parent,
		.parent_ino = w->parent_ino,
		.name = text,
	};
	return 0;
}

static int visit_entry(struct ext2_dir_entry *d, int offset, int blocksize,
		       char *buf, void *ctx)
{
	struct walk *w = ctx;
	int length = ext2fs_dirent_name_len(d);
	const struct file *file;
	bool dir;
	size_t text;

	(void)offset;
	(void)blocksize;
	(void)buf;
	if (d->inode > w->f->fs[w->view]->super->s_inodes_count ||
	    (length == 1 && d->name[0] == '.') ||
	    (length == 2 && d->name[0] == '.' && d->name[1] == '.'))
		return 0;
	dir = is_directory(w, d);
	file = files_find(w->f, d->inode, w->f->file.count);
	if (!dir && !file)
		return 0;
	text = keep_text(w->f, d->name, (size_t)length);
	w->f->err = text == SIZE_MAX ? -ENOMEM : 0;
	if (!w->f->err && file)
		w->f->err = add_name(w, file, text);
	if (!w->f->err && dir)
		w->f->err = add_directory(w, d->inode, text);
	return w->f->err ? DIRENT_ABORT : 0;
}

static int walk_tree(struct walk *w)
{
	struct files *f = w->f;
	ext2_filsys fs = f->fs[w->view];
	size_t text = keep_text(f, "", 0), i;
	int r = text == SIZE_MAX ? -ENOMEM :
				   add_directory(w, EXT2_ROOT_INO, text);
	const struct file *file;

	/* No directory names the root. */
	file = files_find(f, EXT2_ROOT_INO, f->file.count);
	w->parent_ino = EXT2_ROOT_INO;
	if (!r && file)
		r = add_name(w, file, text);
	for (i = 0; i < f->dir[w->view].count && !r; i++) {
		const struct file_dir *dir = f->dir[w->view].data;

		w->parent = (u32)i;
		w->parent_ino = dir[i].ino;
		if (ext2fs_dir_iterate(fs, w->parent_ino, 0, NULL, visit_entry,
				       w))
			f->unreadable++;
		r = signals_stop(NULL) ? -EINTR : f->err;
	}
	return r;
}

int files_names(struct files *f)
{
	u32 v;
	int r = 0;

	for (v = 0; v < FILES_VIEWS && !r; v++) {
		struct walk w = { .f = f, .view = v };

		w.seen = bow_alloc(f->fs[v]->super->s_inodes_count / 8 + 1);
		r = w.seen ? walk_tree(&w) : -ENOMEM;
		bow_free(w.seen);
	}
	return r;
}

char *files_path(const struct files *f, const struct file_name *name)
{
	const struct file_dir *dir = f->dir[name->view].data;
	const char *text = f->text.data;
	size_t length = strlen(text + name->name) + 1, at;
	char *path;
	u32 i;

	for (i = name->parent; i; i = dir[i].parent)
		length += strlen(text + dir[i].name) + 1;
	path = bow_alloc(length + 1);
	if (!path)
		return NULL;
	at = length - strlen(text + name->name);
	memcpy(path + at, text + name->name, length - at);
	path[--at] = '/';
	for (i = name->parent; i; i = dir[i].parent) {
		size_t n = strlen(text + dir[i].name);

		at -= n;
		memcpy(path + at, text + dir[i].name, n);
		path[--at] = '/';
	}
	return path;
}
