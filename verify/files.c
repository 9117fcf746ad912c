// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - bow-verify --files: every name that a rollback would bring back,
 * change or remove
 */
#include "files.h"

/* ---- the names of one file ---- */

static int by_file(const void *a, const void *b, void *text)
{
	const struct file_name *x = a, *y = b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->view != y->view)
		return x->view < y->view ? -1 : 1;
	if (x->parent_ino != y->parent_ino)
		return x->parent_ino < y->parent_ino ? -1 : 1;
	return strcmp((const char *)text + x->name,
		      (const char *)text + y->name);
}

static int add(struct files_report *rep, enum files_action action, bool link,
	       const struct file_name *name, const struct file_name *old)
{
	struct files_record *r = files_add(&rep->record);
	const struct file *file = rep->f->file.data;

	if (!r)
		return -ENOMEM;
	r->file = file + name->file;
	r->action = action;
	r->link = link;
	r->path = files_path(rep->f, name);
	if (old)
		r->old_path = files_path(rep->f, old);
	rep->counts[action]++;
	return !r->path || (old && !r->old_path) ? -ENOMEM : 0;
}

/* Names in one view and not in the other: renamed, as far as they pair. */
struct unpaired {
	const struct file_name *name[FILES_VIEWS];
};

static int settle(struct files_report *rep, struct unpaired *u)
{
	const struct file_name *old = u->name[FILES_OLD];
	const struct file_name *now = u->name[FILES_NOW];

	if (!old || !now)
		return 0;
	u->name[FILES_OLD] = u->name[FILES_NOW] = NULL;
	return add(rep, FILES_CHANGE, false, now, old);
}

/*
 * The same file: names[FILES_OLD] and [FILES_NOW] are sorted.  A name that both
 * views have is told if the file has changed.
 */
static int same_file(struct files_report *rep, const struct file *file,
		     const struct file_name *n[FILES_VIEWS],
		     size_t count[FILES_VIEWS])
{
	const char *text = rep->f->text.data;
	const struct file_name *end[FILES_VIEWS] = { n[0] + count[0],
						     n[1] + count[1] };
	struct unpaired u = { { NULL, NULL } };
	int r = 0;

	while (!r && (n[0] < end[0] || n[1] < end[1])) {
		u32 v;

		if (n[0] < end[0] && n[1] < end[1] &&
		    n[0]->parent_ino == n[1]->parent_ino &&
		    !strcmp(text + n[0]->name, text + n[1]->name)) {
			if (file->changes)
				r = add(rep, FILES_CHANGE, false, n[1], NULL);
			n[0]++;
			n[1]++;
			continue;
		}
		if (n[0] == end[0])
			v = FILES_NOW;
		else if (n[1] == end[1])
			v = FILES_OLD;
		else if (n[0]->parent_ino != n[1]->parent_ino)
			v = n[0]->parent_ino > n[1]->parent_ino;
		else
			v = strcmp(text + n[0]->name, text + n[1]->name) > 0;
		/* A second one of the same view: the first stays alone. */
		if (u.name[v])
			r = add(rep, v == FILES_OLD ? FILES_BRING_BACK : FILES_REMOVE, true,
				u.name[v], NULL);
		u.name[v] = n[v]++;
		if (!r)
			r = settle(rep, &u);
	}
	if (!r && u.name[FILES_OLD])
		r = add(rep, FILES_BRING_BACK, true, u.name[FILES_OLD], NULL);
	if (!r && u.name[FILES_NOW])
		r = add(rep, FILES_REMOVE, true, u.name[FILES_NOW], NULL);
	return r;
}

static int one_file(struct files_report *rep, const struct file_name *name,
		    size_t old, size_t now)
{
	const struct file *file =
		(const struct file *)rep->f->file.data + name->file;
	const struct file_name *n[FILES_VIEWS] = { name, name + old };
	size_t count[FILES_VIEWS] = { old, now }, i;
	int r = 0;

	if (file->same)
		return same_file(rep, file, n, count);
	for (i = 0; i < old && !r; i++)
		r = add(rep, FILES_BRING_BACK, false, name + i, NULL);
	for (; i < old + now && !r; i++)
		r = add(rep, FILES_REMOVE, false, name + i, NULL);
	return r;
}

static int make_records(struct files_report *rep)
{
	struct files *f = rep->f;
	const struct file_name *name;
	size_t i = 0, first, old;
	int r = 0;

	if (f->name.count)
		qsort_r(f->name.data, f->name.count, sizeof(*name), by_file,
			f->text.data);
	name = f->name.data;
	while (i < f->name.count && !r) {
		for (first = i; i < f->name.count &&
				name[i].file == name[first].file &&
				name[i].view == FILES_OLD; i++)
			;
		old = i - first;
		for (; i < f->name.count && name[i].file == name[first].file;
		     i++)
			;
		r = one_file(rep, name + first, old, i - first - old);
	}
	return r;
}

/* ---- the way there ---- */

static enum bow_exit fs_unreadable(const struct files *f, u32 view,
				   errcode_t code)
{
	const char *what = view == FILES_OLD ? "the old filesystem" :
					       "the present filesystem";
	const struct view *v = &f->view[view]->view;

	if (code == EINTR || v->err)
		return old_unreadable(f->old, v, code == EINTR ? -EINTR : v->err);
	return old_failed(f->old,
			  code < 256 ? BOW_EXIT_ERROR : BOW_EXIT_DAMAGED,
			  what, error_message(code));
}

static enum bow_exit open_views(struct files *f)
{
	u32 v;

	initialize_ext2_error_table();
	for (v = 0; v < FILES_VIEWS; v++) {
		struct fs_view *view = f->view[v];
		errcode_t code = journal_ext2(&view->journal, &view->view,
					      &view->fs);

		f->fs[v] = view->fs;
		if (!code)
			code = ext2fs_read_inode_bitmap(f->fs[v]);
		if (code)
			return fs_unreadable(f, v, code);
	}
	f->blocks = ext2fs_blocks_count(f->fs[FILES_OLD]->super);
	if (f->blocks > f->old->dev->size / f->fs[FILES_OLD]->blocksize)
		return old_failed(f->old, BOW_EXIT_DAMAGED,
				  "the old filesystem",
				  "is larger than the device");
	if (f->fs[0]->blocksize != f->fs[1]->blocksize ||
	    EXT2_INODE_SIZE(f->fs[0]->super) !=
		    EXT2_INODE_SIZE(f->fs[1]->super) ||
	    f->fs[0]->super->s_inodes_per_group !=
		    f->fs[1]->super->s_inodes_per_group)
		return old_failed(f->old, BOW_EXIT_ERROR, "--files",
				  "another filesystem has been made since");
	return BOW_EXIT_OK;
}

/*
 * Below a dm-bow that is running: has the log grown, or a transaction been
 * committed, since the views were opened?  1, 0 or -errno.
 */
static int has_changed(struct files *f, struct live *before)
{
	struct fs_view *now = f->view[FILES_NOW];
	int r;

	if (!f->old->fs.view.live)
		return 0;
	r = live_changed(before);
	return r ? r : journal_moved(&now->view, now->fs, &now->journal);
}

static enum bow_exit judge(const struct files *f, int err)
{
	u32 v;

	if (err == -EINTR)
		return old_unreadable(f->old, &f->old->fs.view, err);
	/* What is compared with nothing seems to be gone, or to be new. */
	for (v = 0; v < FILES_VIEWS; v++)
		if (f->view[v]->view.err)
			return old_unreadable(f->old, &f->view[v]->view,
					      f->view[v]->view.err);
	if (err)
		return old_failed(f->old, BOW_EXIT_ERROR, "--files",
				  strerror(-err));
	if (!f->unreadable)
		return BOW_EXIT_OK;
	return old_failed(f->old,
			  f->changing ? BOW_EXIT_ERROR : BOW_EXIT_DAMAGED,
			  "--files",
			  "inodes or directories that cannot be read are left out");
}

static enum bow_exit compare(struct files *f, struct live *before, bool last)
{
	struct files_report rep = {
		.f = f, .record = { .item = sizeof(struct files_record) },
	};
	struct files_record *r;
	int err = files_scan(f);
	size_t i;

	if (!err)
		err = files_names(f);
	if (!err)
		err = make_records(&rep);
	if (!err)
		err = has_changed(f, before);
	if (err == 1) {
		f->changing = true;
		err = 0;
	}
	if (!err && (last || !f->changing))
		files_tell(&rep, f->old->o);
	r = rep.record.data;
	for (i = 0; i < rep.record.count; i++) {
		bow_free(r[i].path);
		bow_free(r[i].old_path);
	}
	free(rep.record.data);
	return f->changing && !last ? BOW_EXIT_OK : judge(f, err);
}

/* *again: it changed meanwhile, and nothing was told. */
static enum bow_exit compare_once(struct old *old, struct fs_view *now,
				  bool last, bool *again)
{
	struct live before = { .dev = old->dev };
	struct files f = {
		.old = old,
		.view = { &old->fs, now },
		.file = { .item = sizeof(struct file) },
		.dir = { { .item = sizeof(struct file_dir) },
			 { .item = sizeof(struct file_dir) } },
		.name = { .item = sizeof(struct file_name) },
		.text = { .item = 1 },
	};
	int r = live_look(&before);
	enum bow_exit status;
	u32 v;

	/* What the last try could not read does not count. */
	for (v = 0; v < FILES_VIEWS; v++)
		f.view[v]->view.err = 0;
	status = r ? old_unreadable(old, &old->fs.view, r) : open_views(&f);
	if (status == BOW_EXIT_OK)
		status = compare(&f, &before, last);
	*again = status == BOW_EXIT_OK && f.changing && !last;
	for (v = 0; v < FILES_VIEWS; v++) {
		fs_free_view(f.view[v]);
		free(f.dir[v].data);
	}
	free(f.file.data);
	free(f.name.data);
	free(f.text.data);
	bow_free(f.changed);
	bow_free(f.contents);
	bow_free(f.owner_unknown);
	return status;
}

/* A machine that writes all the time is told as it was, more or less. */
#define TRIES_MAX 4

enum bow_exit old_files(struct old *old)
{
	struct fs_view now = { .monitor = NULL };
	int tries = TRIES_MAX;
	enum bow_exit status;
	bool again;

	if (old->log.state == BOW_STATE_FINISHING ||
	    view_open(&now.view, old->dev, &old->log, VIEW_NOW))
		return old_failed(old, BOW_EXIT_ERROR, "--files",
				  "there is no present state to compare with");
	view_follow(&now.view, old->fs.view.live);
	do
		status = compare_once(old, &now, !--tries, &again);
	while (again);
	return status;
}
