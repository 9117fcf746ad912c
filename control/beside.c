// SPDX-License-Identifier: GPL-2.0
/*
 * beside.c - what lies beside a checkpoint: other filesystems of the system, which a
 * rollback does not bring back, swap files, whose old contents nobody wants, and a
 * command line that would end it at the next boot, if kexec hands it on
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "bowctl.h"
#include "cli.h"

static bool holds_system(const char *path)
{
	static const char *const dirs[] = { "/boot", "/usr", "/var", "/home" };
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (strcmp(path, dirs[i]) == 0)
			return true;
	/* The EFI partition, and that of a Raspberry Pi's firmware. */
	return strncmp(path, "/boot/", 6) == 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A later mount hides an earlier one. */
static void note(struct ctl_beside *b, const char *path, bool other)
{
	const size_t size = sizeof(b->other[0]);
	unsigned int i;

	for (i = 0; i < b->others; i++)
		if (strncmp(b->other[i], path, size - 1) == 0)
			memmove(b->other[i], b->other[--b->others], size);
	if (other && b->others < CTL_BESIDE_OTHERS)
		snprintf(b->other[b->others++], size, "%.*s", (int)size - 1,
			 path);
}

/* From mountinfo, as a network filesystem might keep stat() waiting for ever. */
static void find_others(struct ctl_beside *b, dev_t root)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	struct ctl_mount m;
	char *line = NULL;
	size_t size = 0;

	while (mounts && getline(&line, &size, mounts) > 0)
		if (!ctl_mountinfo_parse(&m, line) && holds_system(m.path))
			note(b, m.path, makedev(m.major, m.minor) != root);
	free(line);
	if (mounts)
		fclose(mounts);
	qsort(b->other, b->others, sizeof(b->other[0]), compare);
}

/* As the initramfs reads it: the last one counts. */
static bool command_line_commits(void)
{
	FILE *in = fopen("/proc/cmdline", "re");
	bool commits = false;
	char word[4096];

	while (in && fscanf(in, "%4095s", word) == 1)
		if (strncmp(word, "bow=", 4) == 0)
			commits = strcmp(word, "bow=commit") == 0;
	if (in)
		fclose(in);
	return commits;
}

static void find_swaps(struct ctl_beside *b, dev_t dev)
{
	FILE *swaps = fopen("/proc/swaps", "re");
	char path[4096], *line = NULL;
	size_t size = 0;
	struct stat st;

	while (swaps && b->swaps < CTL_BESIDE_SWAPS &&
	       getline(&line, &size, swaps) > 0)
		if (!ctl_swap_parse(path, line) && !stat(path, &st) &&
		    st.st_dev == dev)
			snprintf(b->swap[b->swaps++], sizeof(b->swap[0]),
				 "%.*s", (int)sizeof(b->swap[0]) - 1, path);
	free(line);
	if (swaps)
		fclose(swaps);
}

void ctl_beside_find(struct ctl_beside *b, dev_t dev)
{
	struct stat st;

	memset(b, 0, sizeof(*b));
	if (!stat("/", &st) && st.st_dev == dev) {
		find_others(b, dev);
		b->commits = command_line_commits();
	}
	find_swaps(b, dev);
}

void ctl_beside_json(struct json *j, const struct ctl_beside *b)
{
	unsigned int i;

	json_array(j, "not_covered");
	for (i = 0; i < b->others; i++)
		json_string(j, NULL, b->other[i]);
	json_close_array(j);
	json_array(j, "swap_files");
	for (i = 0; i < b->swaps; i++)
		json_string(j, NULL, b->swap[i]);
	json_close_array(j);
	json_bool(j, "command_line_commits", b->commits);
}

void ctl_beside_text(FILE *out, const struct ctl_beside *b)
{
	struct utsname u;
	bool kernel = false;
	unsigned int i;

	for (i = 0; i < b->others; i++) {
		fprintf(out, "%s%s",
			i ? ", " : "bowctl: not covered, as on other filesystems: ",
			b->other[i]);
		kernel |= strcmp(b->other[i], "/boot") == 0 ||
			  strcmp(b->other[i], "/boot/firmware") == 0;
	}
	/* The boot loader will start the kernel of then, with the modules of now. */
	if (kernel && !uname(&u))
		fprintf(out, "; after a rollback start Linux %s", u.release);
	if (b->others)
		fputc('\n', out);
	for (i = 0; i < b->swaps; i++)
		fprintf(out, "bowctl: %s is in use: what is swapped over is kept too, and takes room\n",
			b->swap[i]);
	if (b->commits)
		fputs("bowctl: this boot is one with bow=commit, which would commit this checkpoint too if handed on by kexec\n",
		      out);
}
