// SPDX-License-Identifier: GPL-2.0
/*
 * bow-restore.c - roll back or commit the checkpoint on a device, or say
 * whether there is one
 */
#include <getopt.h>
#include <unistd.h>

#include "restore.h"

#define USAGE_LINE "Usage: bow-restore [OPTION]... DEVICE\n"

static const char usage_text[] =
	USAGE_LINE
	"Undo what was written to DEVICE since its checkpoint.\n"
	"\n"
	"      --rollback   put the device back as it was at the checkpoint\n"
	"                   (the default)\n"
	"      --commit     keep the device as it is, forget the checkpoint\n"
	"      --force      with --commit: where older log blocks are damaged, go by\n"
	"                   the newest one alone\n"
	"      --check      print none, active, restoring or finishing\n"
	"  -n, --dry-run    check everything, write nothing\n"
	"  -v, --verbose    print the facts of the checkpoint too\n"
	"  -q, --quiet      print nothing but errors\n"
	"  -J, --json       print the result as JSON\n"
	"  -C FD            write progress to descriptor FD, 0: draw a bar\n"
	"      --record FILE  append the outcome to FILE, KEY=VALUE lines\n"
	"  -h, --help       print this and exit\n"
	"  -V, --version    print the version and exit\n"
	"\n"
	"DEVICE is a block device or an image file.\n"
	"Exit status: 0 done, or a log is there (--check); 2 there is no log;\n"
	"4 damaged or not understood, nothing was written; 8 error; 16 usage;\n"
	"32 interrupted, run it again.\n";

enum {
	OPT_ROLLBACK = 256,
	OPT_COMMIT,
	OPT_FORCE,
	OPT_CHECK,
	OPT_RECORD,
};

static const struct option long_options[] = {
	{ "rollback", no_argument, NULL, OPT_ROLLBACK },
	{ "commit", no_argument, NULL, OPT_COMMIT },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "record", required_argument, NULL, OPT_RECORD },
	{ "dry-run", no_argument, NULL, 'n' },
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

/* klibc's getopt_long() prints nothing; the other one is told not to. */
static int option_error(char *const *argv)
{
	char letter[] = "-x";
	const char *name = argv[optind - 1];

	/* One of several letters in a word; of a long option it has the value. */
	if (optopt > 0 && optopt < OPT_ROLLBACK) {
		letter[1] = (char)optopt;
		name = letter;
	}
	fprintf(stderr, PROGRAM ": %s: no such option, or its argument is "
		"missing\n", name);
	return usage_error(NULL);
}

/* One of the three; naming the same one twice is no contradiction. */
static bool set_mode(struct options *o, int *seen, enum mode mode)
{
	bool ok = !*seen || o->mode == mode;

	*seen = 1;
	o->mode = mode;
	return ok;
}

/* Returns -1 to go on, or the exit status. */
static int parse_options(int argc, char **argv, struct options *o)
{
	int c, seen = 0;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "nvqJC:hV", long_options, NULL)) !=
	       -1) {
		bool ok = true;

		switch (c) {
		case OPT_ROLLBACK:
			ok = set_mode(o, &seen, MODE_ROLLBACK);
			break;
		case OPT_COMMIT:
			ok = set_mode(o, &seen, MODE_COMMIT);
			break;
		case OPT_FORCE:
			o->force = true;
			break;
		case OPT_CHECK:
			ok = set_mode(o, &seen, MODE_CHECK);
			break;
		case OPT_RECORD:
			o->record = optarg;
			break;
		case 'n':
			o->dry_run = true;
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
			return option_error(argv);
		}
		if (!ok)
			return usage_error("only one of --rollback, --commit "
					   "and --check");
	}
	if (o->force && o->mode != MODE_COMMIT)
		return usage_error("--force goes with --commit");
	if (argc - optind != 1)
		return usage_error("one DEVICE is wanted");
	o->device = argv[optind];
	return -1;
}

int main(int argc, char **argv)
{
	struct options o = { .mode = MODE_ROLLBACK, .progress_fd = -1 };
	struct bow_dev dev;
	bool write;
	int status, r;

	if (open_standard_fds(PROGRAM))
		return BOW_EXIT_ERROR;
	status = parse_options(argc, argv, &o);
	if (status >= 0)
		return status;
	memory_limit();
	write = o.mode != MODE_CHECK && !o.dry_run;
	r = signals_catch();
	if (!r)
		r = bow_dev_open(&dev, o.device, write);
	status = o.mode == MODE_CHECK ? run_check(&dev, r, &o) :
					run_restore(&dev, r, &o);
	if (r)
		return status;
	r = bow_dev_close(&dev);
	if (r) {
		message_close(PROGRAM, o.device, r);
		return BOW_EXIT_ERROR;
	}
	return status;
}
