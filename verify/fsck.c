// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.c - e2fsck on the old state
 *
 * It reads an image, not the device: nothing can be changed, and the log may grow
 * meanwhile.
 */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "old.h"

/* Its exit status, or -errno. */
static int run_e2fsck(const char *option, const char *image, bool quiet)
{
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Not everybody has it in the path. */
		setenv("PATH", "/sbin:/usr/sbin:/bin:/usr/bin", 1);
		if (quiet && !freopen("/dev/null", "w", stdout))
			_exit(127);
		execlp("e2fsck", "e2fsck", option, image, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static enum bow_exit judge(struct old *old, int status)
{
	if (status == 127)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  "cannot be run");
	if (status < 0)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  strerror(-status));
	if (status == 0) {
		if (!old->o->quiet)
			printf("%s: e2fsck: the old filesystem is sound\n",
			       old->o->device);
		return BOW_EXIT_OK;
	}
	/* 4: errors that are left, as with -n all are. */
	if (status & ~7)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  "could not check the old filesystem");
	return old_failed(old, BOW_EXIT_DAMAGED, "e2fsck",
			  "the old filesystem is not sound");
}

/* ---- what a mount would do first ---- */

/* Journal and orphans: files that were deleted and still open. */
static bool is_unfinished(ext2_filsys fs)
{
	struct ext2_super_block *sb = fs->super;

	return sb->s_last_orphan || ext2fs_has_feature_orphan_present(sb) ||
	       ext2fs_has_feature_journal_needs_recovery(sb);
}

/*
 * e2fsck -n leaves both alone, and takes the blocks of orphans for an error.
 * In the image they can be dealt with by -p, which does no more than that if the
 * filesystem is marked as clean and no check is due.
 */
static void finish(struct old *old, const char *image)
{
	ext2_filsys fs;
	bool unfinished;

	if (ext2fs_open(image, EXT2_FLAG_RW | EXT2_FLAG_64BITS |
				       EXT2_FLAG_SKIP_MMP,
			0, 0, unix_io_manager, &fs))
		return;
	unfinished = is_unfinished(fs) && fs->super->s_state == EXT2_VALID_FS;
	if (unfinished) {
		fs->super->s_max_mnt_count = -1;
		fs->super->s_checkinterval = 0;
		fs->flags |= EXT2_FLAG_SUPER_ONLY;
		ext2fs_mark_super_dirty(fs);
	}
	if (ext2fs_close_free(&fs) || !unfinished)
		return;
	if (!old->o->quiet)
		printf("%s: the journal is replayed and open files that were deleted are removed in a copy, as by a mount\n",
		       old->o->device);
	run_e2fsck("-p", image, true);
}

enum bow_exit old_fsck(struct old *old)
{
	const char *tmp = getenv("TMPDIR");
	char dir[PATH_MAX], image[PATH_MAX + 8];
	enum bow_exit status;
	int n;

	n = snprintf(dir, sizeof(dir), "%s/bow-verify.XXXXXX",
		     tmp && *tmp ? tmp : "/tmp");
	if (n < 0 || (size_t)n >= sizeof(dir) || !mkdtemp(dir))
		return old_failed(old, BOW_EXIT_ERROR, dir, strerror(errno));
	snprintf(image, sizeof(image), "%s/old", dir);
	status = old_export(old, image);
	progress_end(&old->progress);
	if (status == BOW_EXIT_OK) {
		finish(old, image);
		status = judge(old, run_e2fsck("-fn", image, false));
	}
	unlink(image);
	rmdir(dir);
	return status;
}
