// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - bow-verify --files: every file that a rollback would bring back,
 * change or remove
 */
#include "files.h"

/* What a rollback does. */
enum action { BRING_BACK, REMOVE, CHANGE };

static const char *const action_names[] = { "bring-back", "remove", "change" };

/* One name that it does it to. */
struct record {
	const struct file *file;
	enum action action;
	char *path;		/* as it is now; BRING_BACK: as it was */
	char *old_path;		/* when it was renamed, or NULL */
	bool link;		/* another name of a file that stays */
};

struct report {
	struct files *f;
	struct files_array record;
	u64 counts[3];
};

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

static int add(struct report *rep, enum action action, bool link,
	       const struct file_name *name, const struct file_name *old)
{
	struct record *r = files_add(&rep->record);
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

static int settle(struct report *rep, struct unpaired *u)
{
	const struct file_name *old = u->name[FILES_OLD];
	const struct file_name *now = u->name[FILES_NOW];

	if (!old || !now)
		return 0;
	u->name[FILES_OLD] = u->name[FILES_NOW] = NULL;
	return add(rep, CHANGE, false, now, old);
}

/*
 * The same file: names[FILES_OLD] and [FILES_NOW] are sorted.  A name that both
 * views have is told if the file has changed.
 */
static int same_file(struct report *rep, const struct file *file,
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
				r = add(rep, CHANGE, false, n[1], NULL);
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
			r = add(rep, v == FILES_OLD ? BRING_BACK : REMOVE, true,
				u.name[v], NULL);
		u.name[v] = n[v]++;
		if (!r)
			r = settle(rep, &u);
	}
	if (!r && u.name[FILES_OLD])
		r = add(rep, BRING_BACK, true, u.name[FILES_OLD], NULL);
	if (!r && u.name[FILES_NOW])
		r = add(rep, REMOVE, true, u.name[FILES_NOW], NULL);
	return r;
}

static int one_file(struct report *rep, const struct file_name *name,
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
		r = add(rep, BRING_BACK, false, name + i, NULL);
	for (; i < old + now && !r; i++)
		r = add(rep, REMOVE, false, name + i, NULL);
	return r;
}

static int make_records(struct report *rep)
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

/* ---- telling it ---- */

static const struct {
	u32 change;
	const char *name;
} change_names[] = {
	{ FILES_CONTENT, "content" }, { FILES_MODE, "mode" },
	{ FILES_OWNER, "owner" }, { FILES_XATTR, "xattr" },
	{ FILES_FLAGS, "flags" }, { FILES_TIME, "time" },
};

#define CHANGES (sizeof(change_names) / sizeof(change_names[0]))

static const char *type_name(u16 mode)
{
	if (LINUX_S_ISREG(mode))
		return "file";
	if (LINUX_S_ISDIR(mode))
		return "directory";
	return LINUX_S_ISLNK(mode) ? "symlink" : "special";
}

static const struct file_facts *some_facts(const struct record *r)
{
	return &r->file->facts[r->action == BRING_BACK ? FILES_OLD :
							 FILES_NOW];
}

/* Line feeds and the like would forge lines, or worse, move the cursor. */
static void print_path(const char *path)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (c < 0x20 || c == 0x7f || c == '\\')
			printf("\\%03o", c);
		else
			putchar(c);
	}
}

static void print_facts(const char *when, const struct file_facts *facts)
{
	char time[TEXT_MAX];

	printf("%s %llu bytes, %s", when, (unsigned long long)facts->size,
	       text_time(time, facts->mtime > 0 ? (u64)facts->mtime : 0));
}

static void print_changes(const struct record *r)
{
	const char *before = " (";
	size_t i;

	if (r->link) {
		printf(" (link)");
		return;
	}
	if (r->old_path) {
		printf("%srenamed", before);
		before = ", ";
	}
	for (i = 0; i < CHANGES && r->action == CHANGE; i++) {
		if (!(r->file->changes & change_names[i].change))
			continue;
		printf("%s%s", before, change_names[i].name);
		before = ", ";
	}
	if (before[0] == ',')
		putchar(')');
}

static void print_record(const struct record *r)
{
	const struct file_facts *facts = r->file->facts;

	printf("%-10s ", action_names[r->action]);
	print_path(r->path);
	if (LINUX_S_ISDIR(some_facts(r)->mode) && r->path[1])
		putchar('/');
	if (r->old_path) {
		printf(" -> ");
		print_path(r->old_path);
	}
	print_changes(r);
	if (facts[FILES_OLD].present && r->action != REMOVE)
		print_facts(": old", &facts[FILES_OLD]);
	if (facts[FILES_NOW].present && r->action != BRING_BACK)
		print_facts(r->action == CHANGE ? "; now" : ": now",
			    &facts[FILES_NOW]);
	putchar('\n');
}

static void json_facts(struct json *j, const char *name,
		       const struct file_facts *facts)
{
	json_object(j, name);
	json_u64(j, "size", facts->size);
	json_signed(j, "mtime", facts->mtime);
	json_u64(j, "mode", facts->mode);
	json_u64(j, "uid", facts->owner);
	json_u64(j, "gid", facts->group);
	json_close_object(j);
}

static void json_record(const struct record *r)
{
	struct json j = { .out = stdout, .line = true };
	const struct file_facts *facts = r->file->facts;
	size_t i;

	json_object(&j, NULL);
	json_string(&j, "type", "file");
	json_string(&j, "action", action_names[r->action]);
	json_string(&j, "path", r->path);
	if (r->old_path)
		json_string(&j, "old_path", r->old_path);
	json_string(&j, "kind", type_name(some_facts(r)->mode));
	json_array(&j, "changes");
	if (r->old_path)
		json_string(&j, NULL, "renamed");
	if (r->link)
		json_string(&j, NULL, "link");
	for (i = 0; i < CHANGES && r->action == CHANGE; i++)
		if (r->file->changes & change_names[i].change)
			json_string(&j, NULL, change_names[i].name);
	json_close_array(&j);
	if (facts[FILES_OLD].present && r->action != REMOVE)
		json_facts(&j, "old", &facts[FILES_OLD]);
	if (facts[FILES_NOW].present && r->action != BRING_BACK)
		json_facts(&j, "now", &facts[FILES_NOW]);
	json_close_object(&j);
}

static int by_path(const void *a, const void *b)
{
	const struct record *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (int)x->action - (int)y->action;
}

static bool is_stale(const struct files *f)
{
	return ext2fs_has_feature_journal_needs_recovery(
		f->fs[FILES_NOW]->super);
}

static void print_summary(const struct report *rep)
{
	const struct files *f = rep->f;

	printf("a rollback brings back %llu, removes %llu and changes %llu "
	       "names\n", (unsigned long long)rep->counts[BRING_BACK],
	       (unsigned long long)rep->counts[REMOVE],
	       (unsigned long long)rep->counts[CHANGE]);
	if (is_stale(f))
		puts("the newest changes may be missing: they are still in the "
		     "filesystem's journal");
}

static void json_summary(const struct report *rep)
{
	struct json j = { .out = stdout, .line = true };

	json_object(&j, NULL);
	json_string(&j, "type", "summary");
	json_u64(&j, "bring_back", rep->counts[BRING_BACK]);
	json_u64(&j, "remove", rep->counts[REMOVE]);
	json_u64(&j, "change", rep->counts[CHANGE]);
	json_bool(&j, "journal_pending", is_stale(rep->f));
	json_u64(&j, "unreadable", rep->f->unreadable);
	json_close_object(&j);
}

static void tell(struct report *rep, const struct options *o)
{
	const struct record *r;
	size_t i;

	if (rep->record.count)
		qsort(rep->record.data, rep->record.count, sizeof(*r), by_path);
	r = rep->record.data;
	for (i = 0; i < rep->record.count; i++) {
		if (o->json)
			json_record(&r[i]);
		else
			print_record(&r[i]);
	}
	if (o->json)
		json_summary(rep);
	else if (!o->quiet)
		print_summary(rep);
}

/* ---- the way there ---- */

static enum bow_exit fs_unreadable(const struct files *f, u32 view,
				   errcode_t code)
{
	const char *what = view == FILES_OLD ? "the old filesystem" :
					       "the present filesystem";
	struct view *v = view == FILES_OLD ? &f->old->fs.view :
					     (struct view *)&f->now.view;

	return old_failed(f->old, v->err ? BOW_EXIT_ERROR : BOW_EXIT_DAMAGED,
			  what, error_message(code));
}

static enum bow_exit open_views(struct files *f)
{
	struct view *views[FILES_VIEWS] = { &f->old->fs.view, &f->now.view };
	u32 v;

	if (f->old->log.state == BOW_STATE_FINISHING ||
	    view_open(&f->now.view, f->old->dev, &f->old->log, VIEW_NOW))
		return old_failed(f->old, BOW_EXIT_ERROR, "--files",
				  "there is no present state to compare with");
	initialize_ext2_error_table();
	for (v = 0; v < FILES_VIEWS; v++) {
		errcode_t code = view_ext2(views[v], 0, &f->fs[v]);

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

static enum bow_exit compare(struct files *f)
{
	struct report rep = {
		.f = f, .record = { .item = sizeof(struct record) },
	};
	struct record *r;
	int err = files_scan(f);
	size_t i;

	if (!err)
		err = files_names(f);
	if (!err)
		err = make_records(&rep);
	if (!err)
		tell(&rep, f->old->o);
	r = rep.record.data;
	for (i = 0; i < rep.record.count; i++) {
		bow_free(r[i].path);
		bow_free(r[i].old_path);
	}
	free(rep.record.data);
	if (err == -EINTR)
		return old_unreadable(f->old, err);
	if (err)
		return old_failed(f->old, BOW_EXIT_ERROR, "--files",
				  strerror(-err));
	if (!f->unreadable)
		return BOW_EXIT_OK;
	return old_failed(f->old, BOW_EXIT_DAMAGED, "--files",
			  "inodes or directories that cannot be read are left out");
}

enum bow_exit old_files(struct old *old)
{
	struct files f = {
		.old = old,
		.file = { .item = sizeof(struct file) },
		.dir = { { .item = sizeof(struct file_dir) },
			 { .item = sizeof(struct file_dir) } },
		.name = { .item = sizeof(struct file_name) },
		.text = { .item = 1 },
	};
	enum bow_exit status = open_views(&f);
	u32 v;

	if (status == BOW_EXIT_OK)
		status = compare(&f);
	for (v = 0; v < FILES_VIEWS; v++) {
		if (f.fs[v])
			ext2fs_free(f.fs[v]);
		free(f.dir[v].data);
	}
	free(f.file.data);
	free(f.name.data);
	free(f.text.data);
	bow_free(f.changed);
	bow_free(f.owner_unknown);
	return status;
}
