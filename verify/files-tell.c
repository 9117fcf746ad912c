// SPDX-License-Identifier: GPL-2.0
/*
 * files-tell.c - bow-verify --files: what was found, for people and as JSON lines
 */
#include "files.h"

static const char *const action_names[] = { "bring-back", "remove", "change" };

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

static const struct file_facts *some_facts(const struct files_record *r)
{
	return &r->file->facts[r->action == FILES_BRING_BACK ? FILES_OLD :
							 FILES_NOW];
}

/*
 * Line feeds and the like would forge lines, or worse, move the cursor.  A byte that
 * is no UTF-8 may be a control character to a terminal of another mind.
 */
static void print_path(const char *path)
{
	while (*path) {
		u32 c;
		unsigned int bytes = text_utf8(path, &c), i = 0;
		bool plain = bytes && !text_is_control(c) && c != '\\';

		do
			printf(plain ? "%c" : "\\%03o", (unsigned char)path[i++]);
		while (i < bytes);
		path += i;
	}
}

/* What is shown of a name that is no UTF-8 may be shown of others too. */
static void json_path(struct json *j, const char *name, const char *hex,
		      const char *path)
{
	json_string(j, name, path);
	if (!text_is_utf8(path))
		json_hex(j, hex, path);
}

static void print_facts(const char *when, const struct file_facts *facts)
{
	char time[TEXT_MAX];

	printf("%s %llu bytes, %s", when, (unsigned long long)facts->size,
	       text_time(time, facts->mtime > 0 ? (u64)facts->mtime : 0));
}

static void print_changes(const struct files_record *r)
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
	for (i = 0; i < CHANGES && r->action == FILES_CHANGE; i++) {
		if (!(r->file->changes & change_names[i].change))
			continue;
		printf("%s%s", before, change_names[i].name);
		before = ", ";
	}
	if (before[0] == ',')
		putchar(')');
}

static void print_record(const struct files_record *r)
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
	if (facts[FILES_OLD].present && r->action != FILES_REMOVE)
		print_facts(": old", &facts[FILES_OLD]);
	if (facts[FILES_NOW].present && r->action != FILES_BRING_BACK)
		print_facts(r->action == FILES_CHANGE ? "; now" : ": now",
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

static void json_record(const struct files_record *r)
{
	struct json j = { .out = stdout, .line = true };
	const struct file_facts *facts = r->file->facts;
	size_t i;

	json_object(&j, NULL);
	json_string(&j, "type", "file");
	json_string(&j, "action", action_names[r->action]);
	json_path(&j, "path", "path_hex", r->path);
	if (r->old_path)
		json_path(&j, "old_path", "old_path_hex", r->old_path);
	json_string(&j, "kind", type_name(some_facts(r)->mode));
	json_array(&j, "changes");
	if (r->old_path)
		json_string(&j, NULL, "renamed");
	if (r->link)
		json_string(&j, NULL, "link");
	for (i = 0; i < CHANGES && r->action == FILES_CHANGE; i++)
		if (r->file->changes & change_names[i].change)
			json_string(&j, NULL, change_names[i].name);
	json_close_array(&j);
	if (facts[FILES_OLD].present && r->action != FILES_REMOVE)
		json_facts(&j, "old", &facts[FILES_OLD]);
	if (facts[FILES_NOW].present && r->action != FILES_BRING_BACK)
		json_facts(&j, "now", &facts[FILES_NOW]);
	json_close_object(&j);
}

static int by_path(const void *a, const void *b)
{
	const struct files_record *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (int)x->action - (int)y->action;
}

/* Why the newest changes may be missing; NULL: they are not. */
static const char *is_stale(const struct files *f)
{
	const struct journal *j = &f->view[FILES_NOW]->journal;

	if (j->problem)
		return j->problem;
	return j->fast_commits ? "has fast commits, which are not read" : NULL;
}

static void print_summary(const struct files_report *rep)
{
	const struct files *f = rep->f;

	printf("a rollback brings back %llu, removes %llu and changes %llu "
	       "names\n", (unsigned long long)rep->counts[FILES_BRING_BACK],
	       (unsigned long long)rep->counts[FILES_REMOVE],
	       (unsigned long long)rep->counts[FILES_CHANGE]);
	if (is_stale(f))
		printf("the newest changes may be missing: the filesystem's "
		       "journal %s\n", is_stale(f));
	if (f->changing)
		puts("files were written meanwhile: some may be missing, or be "
		     "told as they were before");
}

static void json_summary(const struct files_report *rep)
{
	struct json j = { .out = stdout, .line = true };

	json_object(&j, NULL);
	json_string(&j, "type", "summary");
	json_u64(&j, "bring_back", rep->counts[FILES_BRING_BACK]);
	json_u64(&j, "remove", rep->counts[FILES_REMOVE]);
	json_u64(&j, "change", rep->counts[FILES_CHANGE]);
	json_u64(&j, "journal_transactions",
		 rep->f->view[FILES_NOW]->journal.transactions);
	json_bool(&j, "journal_pending", is_stale(rep->f));
	json_bool(&j, "changed_meanwhile", rep->f->changing);
	json_u64(&j, "unreadable", rep->f->unreadable);
	json_close_object(&j);
}

void files_tell(struct files_report *rep, const struct options *o)
{
	const struct files_record *r;
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
