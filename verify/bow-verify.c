// SPDX-License-Identifier: GPL-2.0
/*
 * bow-verify.c - is the log on a device sound, and what is in it?
 */
#include <getopt.h>
#include <unistd.h>

#include "live.h"
#include "old.h"
#include "verify.h"

#define USAGE_LINE "Usage: bow-verify [OPTION]... DEVICE\n"

static const char usage_text[] =
	USAGE_LINE
	"Check the log on DEVICE, entry by entry, and the filesystem that a\n"
	"rollback would give; write nothing.\n"
	"\n"
	"      --list       print every entry, newest first\n"
	"      --files      name every file that a rollback would bring back,\n"
	"                   change or remove\n"
	"      --fsck       run e2fsck -fn on the old filesystem\n"
	"      --dm-table   print a device-mapper table of the old state\n"
	"      --export FILE\n"
	"                   write the old state to FILE, a sparse image\n"
	"      --cat PATH   print an old file, PATH from the filesystem's root\n"
	"  -v, --verbose    print more figures\n"
	"  -q, --quiet      print nothing but errors\n"
	"  -J, --json       print the result as JSON\n"
	"  -C FD            write progress to descriptor FD, 0: draw a bar\n"
	"  -h, --help       print this and exit\n"
	"  -V, --version    print the version and exit\n"
	"\n"
	"DEVICE is a block device or an image file.\n"
	"Exit status: 0 sound; 2 there is no log; 4 damaged or not understood;\n"
	"8 error; 16 usage; 32 interrupted, run it again.\n";

enum {
	OPT_LIST = 256,
	OPT_FILES,
	OPT_FSCK,
	OPT_DM_TABLE,
	OPT_EXPORT,
	OPT_CAT,
};

static const struct option long_options[] = {
	{ "list", no_argument, NULL, OPT_LIST },
	{ "files", no_argument, NULL, OPT_FILES },
	{ "fsck", no_argument, NULL, OPT_FSCK },
	{ "dm-table", no_argument, NULL, OPT_DM_TABLE },
	{ "export", required_argument, NULL, OPT_EXPORT },
	{ "cat", required_argument, NULL, OPT_CAT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, 'J' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static int usage_error(const char *why)
{
	if (why)
		fprintf(stderr, PROGRAM ": %s\n", why);
	fputs(USAGE_LINE "Try '" PROGRAM " --help'.\n", stderr);
	return BOW_EXIT_USAGE;
}

/* How many of the modes that hand out the old state are asked for. */
static int modes(const struct options *o)
{
	return o->files + o->fsck + o->dm_table + !!o->export + !!o->cat;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int c;

	while ((c = getopt_long(argc, argv, "vqJC:hV", long_options, NULL)) !=
	       -1) {
		switch (c) {
		case OPT_LIST:
			o->list = true;
			break;
		case OPT_FILES:
			o->files = true;
			break;
		case OPT_FSCK:
			o->fsck = true;
			break;
		case OPT_DM_TABLE:
			o->dm_table = true;
			break;
		case OPT_EXPORT:
			o->export = optarg;
			break;
		case OPT_CAT:
			o->cat = optarg;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'J':
			o->json = true;
			break;
		case 'C':
			if (!parse_fd(PROGRAM, optarg, &o->progress_fd))
				return usage_error("-C: not a descriptor");
			break;
		case 'h':
			fputs(usage_text, stdout);
			return message_flush_stdout(PROGRAM) ? BOW_EXIT_ERROR :
							       BOW_EXIT_OK;
		case 'V':
			puts(PROGRAM " " BOW_VERSION);
			return message_flush_stdout(PROGRAM) ? BOW_EXIT_ERROR :
							       BOW_EXIT_OK;
		default:
			return usage_error(NULL);
		}
	}
	if (argc - optind != 1)
		return usage_error("one DEVICE is wanted");
	o->device = argv[optind];
	if (modes(o) > 1 || (modes(o) && (o->list || (o->json && !o->files))))
		return usage_error("these options do not go together");
	return -1;
}

/* What goes wrong while the list is printed decides about the exit status. */
static void list(struct bow_dev *dev, const struct options *o,
		 struct findings *f)
{
	struct bow_error e = { 0 };
	int r = list_entries(dev, f, o->json, &e);

	if (!r)
		return;
	message_error(PROGRAM, o->device, &e);
	f->status = bow_error_exit(&e);
	if (r == -EUCLEAN) {
		fprintf(stderr, PROGRAM ": %s: the log has changed meanwhile: "
			"the list is not complete; run it again\n", o->device);
		f->status = BOW_EXIT_ERROR;
	}
	if (f->e.why == BOW_WHY_NONE)
		f->e = e;
}

/* Tell what was found. */
static enum bow_exit report(struct bow_dev *dev, const struct options *o,
			    struct findings *f)
{
	struct json j = { .out = stdout };

	if (o->json) {
		j.line = o->list;
		if (o->list)
			list(dev, o, f);
		json_object(&j, NULL);
		if (o->list)
			json_string(&j, "type", "result");
		report_json(&j, o, f);
		json_close_object(&j);
	} else {
		report_text(o, f);
		if (o->list)
			list(dev, o, f);
	}
	if (message_flush_stdout(PROGRAM))
		f->status = BOW_EXIT_ERROR;
	return f->status;
}

/* The modes that hand out the old state have no object for it. */
static enum bow_exit report_not_opened(const struct options *o, int err)
{
	struct findings f = { .status = BOW_EXIT_ERROR,
			      .e = bow_open_error(err) };

	message_error(PROGRAM, o->device, &f.e);
	return o->json && !modes(o) ? report(NULL, o, &f) : f.status;
}

int main(int argc, char **argv)
{
	struct options o = { .progress_fd = -1 };
	struct findings f;
	struct bow_dev dev;
	int status, r;

	if (open_standard_fds(PROGRAM))
		return BOW_EXIT_ERROR;
	status = parse_options(argc, argv, &o);
	if (status >= 0)
		return status;
	memory_limit();
	r = signals_catch();
	if (!r)
		r = live_dev_open(&dev, o.device);
	if (r)
		return report_not_opened(&o, r);
	if (modes(&o)) {
		status = (int)old_state(&dev, &o);
	} else {
		examine(&dev, &o, &f);
		status = (int)report(&dev, &o, &f);
		findings_free(&f);
	}
	r = bow_dev_close(&dev);
	if (r) {
		message_close(PROGRAM, o.device, r);
		return BOW_EXIT_ERROR;
	}
	return status;
}
