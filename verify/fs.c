// SPDX-License-Identifier: GPL-2.0
/*
 * fs.c - examining the filesystem in both views
 */
#include <stdarg.h>

#include "fs.h"
#include "log.h"

struct fs_fault *fs_fault_add(struct fs_faults *faults, const char *format, ...)
{
	/* More than are kept only count. */
	static struct fs_fault overflow;
	struct fs_fault *fault = faults->count < FS_FAULTS_MAX ?
					 &faults->fault[faults->count] :
					 &overflow;
	va_list args;

	faults->count++;
	memset(fault, 0, sizeof(*fault));
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return fault;
}

void fs_fault_text(const struct fs_fault *fault, char *buf, size_t bytes)
{
	char where[96] = "";
	int n = 0;

	if (fault->in_entry)
		n = snprintf(where, sizeof(where), "log block %u, entry %u: ",
			     fault->sequence, fault->entry);
	if (fault->in_group)
		n += snprintf(where + n, sizeof(where) - (size_t)n,
			      "group %u: ", fault->group);
	if (fault->in_block)
		snprintf(where + n, sizeof(where) - (size_t)n, "block %llu: ",
			 (unsigned long long)fault->block);
	snprintf(buf, bytes, "%s%s", where, fault->text);
}

int fs_read_super(struct fs_view *v)
{
	struct ext2_super_block *sb = &v->super;
	int r = view_read(&v->view, SUPERBLOCK_OFFSET, sb, sizeof(*sb));

	if (r)
		return r == -ERANGE ? 0 : r;
	v->has_super = ext2fs_le16_to_cpu(sb->s_magic) == EXT2_SUPER_MAGIC;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	ext2fs_swap_super(sb);
#endif
	return 0;
}

static void not_checked(struct fs_view *v, const char *why)
{
	v->verdict = FS_NOT_CHECKED;
	snprintf(v->reason, sizeof(v->reason), "%s", why);
}

void fs_examine_view(struct fs_view *v)
{
	initialize_ext2_error_table();
	if (fs_read_super(v))
		fs_failed(v, -v->view.err, "the superblock");
	else if (!v->has_super)
		not_checked(v, "no ext2, ext3 or ext4 filesystem");
	else
		fs_check(v);
	if (v->verdict == FS_UNREADABLE || v->verdict == FS_NOT_CHECKED)
		return;
	if (v->faults.count)
		v->verdict = FS_DAMAGED;
	else if (v->unsettled[0])
		not_checked(v, v->unsettled);
	else
		v->verdict = FS_SOUND;
}

int fs_read_error(const struct fs_view *v, struct bow_error *e)
{
	if (v->verdict != FS_UNREADABLE)
		return 0;
	if (!v->view.err)
		return bow_no_memory(e);
	return bow_fail(e, v->view.err, BOW_WHY_IO_READ, v->view.bad_sector, 0);
}

/* Bitmaps and descriptors of a filesystem in use are read at different moments. */
static void doubt(struct fs_view *now)
{
	if (!now->faults.count)
		return;
	memset(&now->faults, 0, sizeof(now->faults));
	not_checked(now, "it was written to meanwhile");
}

int fs_examine(struct fs_findings *f, struct bow_dev *dev, struct bow_log *log,
	       bool live, const struct bow_monitor *m, struct bow_error *e)
{
	int r;

	memset(f, 0, sizeof(*f));
	/* What is wrong at present does not matter to a rollback. */
	f->now.monitor = f->old.monitor = m;
	if (!view_open(&f->now.view, dev, log, VIEW_NOW))
		fs_examine_view(&f->now);
	if (live)
		doubt(&f->now);
	if (!view_open(&f->old.view, dev, log, VIEW_OLD))
		fs_examine_view(&f->old);
	r = bow_stopped(m, e);
	if (!r)
		r = fs_read_error(&f->old, e);
	if (r || f->old.verdict == FS_ABSENT)
		return r;
	fs_cross_uuid(f, log);
	/* Of a checkpoint amid writes the bitmaps may be older than the log. */
	if (f->old.verdict == FS_SOUND && !f->old.journal.pending &&
	    log->scanned)
		return fs_cross_check(f, dev, log, m, e);
	return 0;
}

void fs_free_view(struct fs_view *v)
{
	if (v->fs)
		ext2fs_free(v->fs);
	v->fs = NULL;
	view_patch(&v->view, NULL);
	journal_free(&v->journal);
}

void fs_free(struct fs_findings *f)
{
	fs_free_view(&f->old);
	fs_free_view(&f->now);
}
