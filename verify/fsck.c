// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.c - e2fsck on the old state
 *
 * It reads an image, not the device: nothing can be changed, the log may grow
 * meanwhile, and what a mount would do first can be done.  A read-only device of
 * D0 would leave the journal and the orphans to e2fsck -n, which takes them for
 * errors.
 */
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "old.h"

/* A signal may come at any time, and may have come to this process only. */
static int wait_for(pid_t pid)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	bool asked = false;
	int status;
	pid_t r;

	while (!(r = waitpid(pid, &status, WNOHANG)) ||
	       (r < 0 && errno == EINTR)) {
		if (!asked && signals_stop(NULL))
			asked = !kill(pid, SIGTERM);
		nanosleep(&pause, NULL);
	}
	if (r < 0)
		return -errno;
	return WIFEXITED(status) && !asked ? WEXITSTATUS(status) : -EINTR;
}

/* Its exit status, or -errno. */
static int run_e2fsck(const char *option, const char *image, bool quiet)
{
	pid_t pid;

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
	return wait_for(pid);
}

static enum bow_exit judge(struct old *old, int status)
{
	if (status == 127)
		return old_failed(old, BOW_EXIT_ERROR, "e2fsck",
				  "cannot be run");
	if (status == -EINTR || signals_stop(NULL))
		return old_unreadable(old, &old->fs.view, -EINTR);
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

/* ---- where the image is ---- */

/* Upper bound, bytes: what was in use may be zeros. */
static u64 room_wanted(const struct old *old)
{
	struct fs_view v = old->fs;
	u64 blocks;

	if (fs_read_super(&v) || !v.has_super || v.super.s_log_block_size > 6)
		return old->dev->size;
	blocks = ext2fs_blocks_count(&v.super) -
		 ext2fs_free_blocks_count(&v.super);
	if (blocks > old->dev->size >> (10 + v.super.s_log_block_size))
		return old->dev->size;
	return blocks << (10 + v.super.s_log_block_size);
}

/*
 * Is the directory on the device that is examined, below a dm-bow that is running?
 * The image would take the space that is there to keep old contents.
 */
static bool is_on_device(const struct old *old, const char *dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	struct stat st, dev;
	bool found = false;
	DIR *slaves;

	if (stat(dir, &st) || stat(old->o->device, &dev) ||
	    !S_ISBLK(dev.st_mode))
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves",
		 major(st.st_dev), minor(st.st_dev));
	slaves = opendir(path);
	while (slaves && !found && (entry = readdir(slaves))) {
		unsigned int major_no, minor_no;
		char file[PATH_MAX + 300];
		FILE *f;

		snprintf(file, sizeof(file), "%s/%s/dev", path, entry->d_name);
		f = entry->d_name[0] == '.' ? NULL : fopen(file, "re");
		if (!f)
			continue;
		found = fscanf(f, "%u:%u", &major_no, &minor_no) == 2 &&
			makedev(major_no, minor_no) == dev.st_rdev;
		fclose(f);
	}
	if (slaves)
		closedir(slaves);
	return found;
}

static bool has_room(const char *dir, u64 wanted)
{
	struct statvfs s;

	/* One in memory, as of an initramfs, need not have a limit. */
	return !statvfs(dir, &s) &&
	       (!s.f_blocks || (u64)s.f_bavail * s.f_frsize >= wanted);
}

/* $TMPDIR, or one of the usual places; NULL: none will do. */
static const char *choose_dir(const struct old *old, u64 wanted)
{
	static const char *const usual[] = { "/tmp", "/var/tmp", "/dev/shm",
					     "/run" };
	const char *tmp = getenv("TMPDIR");
	size_t i;

	if (tmp && *tmp)
		return has_room(tmp, wanted) ? tmp : NULL;
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (has_room(usual[i], wanted) && !is_on_device(old, usual[i]))
			return usual[i];
	return NULL;
}

static enum bow_exit no_room(const struct old *old, u64 wanted)
{
	const char *tmp = getenv("TMPDIR");
	char why[128], size[TEXT_MAX];
	struct statvfs s;

	if (tmp && *tmp && statvfs(tmp, &s))
		return old_failed(old, BOW_EXIT_ERROR, tmp, strerror(errno));
	snprintf(why, sizeof(why),
		 "needs up to %s elsewhere for a temporary image: set TMPDIR",
		 text_size(size, wanted));
	return old_failed(old, BOW_EXIT_ERROR, "--fsck", why);
}

enum bow_exit old_fsck(struct old *old)
{
	u64 wanted = room_wanted(old);
	const char *tmp = choose_dir(old, wanted);
	char dir[PATH_MAX], image[PATH_MAX + 8];
	enum bow_exit status;
	int n;

	if (!tmp)
		return no_room(old, wanted);
	n = snprintf(dir, sizeof(dir), "%s/bow-verify.XXXXXX", tmp);
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
