// SPDX-License-Identifier: GPL-2.0
/*
 * bowctl.c - checkpoints of a running system: options and messages
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bowctl.h"
#include "cli.h"

static const char help[] =
	"Usage: bowctl [OPTION]... COMMAND [DEVICE|MOUNTPOINT]\n"
	"Checkpoints of a filesystem on dm-bow; of / when none is named.\n"
	"\n"
	"Commands:\n"
	"  status      tell what the device is doing\n"
	"  checkpoint  keep the contents of this moment until commit or rollback\n"
	"  commit      keep what was written since, give up the old contents\n"
	"  files       name the files that a rollback would change\n"
	"  resume      resume the checkpoint on DEVICE after a reboot\n"
	"  browse      mount the old filesystem at MOUNTPOINT, read-only\n"
	"\n"
	"Options:\n"
	"  -J, --json       print the result as JSON; files: one object a line\n"
	"  -d, --device DEVICE\n"
	"                   browse: whose old state, for that of /\n"
	"      --close      browse: unmount it, and let go of it\n"
	"  -N, --name NAME  resume: name of the new device, for bow-root\n"
	"  -v, --verbose    tell more\n"
	"  -q, --quiet      print errors only\n"
	"  -h, --help       print this help\n"
	"  -V, --version    print the version\n"
	"\n"
	"Exit status: 0 done, 2 no checkpoint or no dm-bow there, 4 the log is\n"
	"damaged, 8 failed, 16 usage, 32 interrupted.  See bowctl(8).\n";

enum {
	OPT_CLOSE = 256,
};

static const struct command {
	const char *name;
	enum bow_exit (*run)(const struct ctl_options *o, struct ctl_error *e);
} commands[] = {
	{ "status", ctl_status },
	{ "checkpoint", ctl_checkpoint },
	{ "commit", ctl_commit },
	{ "files", ctl_files },
	{ "resume", ctl_resume },
	{ "browse", ctl_browse },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static enum bow_exit usage(const char *what, const char *arg)
{
	fprintf(stderr, "bowctl: %s%s\nTry 'bowctl --help'.\n", what, arg);
	return BOW_EXIT_USAGE;
}

/* A result that could not be written is not a success. */
static enum bow_exit flush_stdout(enum bow_exit code)
{
	bool failed = message_flush_stdout("bowctl");

	return failed && code == BOW_EXIT_OK ? BOW_EXIT_ERROR : code;
}

/* dm-bow is not there: what to do about it depends on why. */
static void hint(const struct ctl_options *o)
{
	struct ctl_boot b = { .facts = 0 };
	const char *why, *mode;

	if (strcmp(o->place, "/") != 0)
		return;
	ctl_boot_read(&b);
	why = ctl_boot_fact(&b, "attach_error");
	mode = ctl_boot_fact(&b, "mode");
	if (why)
		fprintf(stderr, "bowctl: at boot: %s\n", why);
	else if (mode && strcmp(mode, "off") == 0)
		fprintf(stderr, "bowctl: this boot is one with bow=off\n");
	else
		fprintf(stderr,
			"bowctl: dm-bow is put under the root at boot: install the initramfs hook,\n"
			"run 'update-initramfs -u -k all' and reboot\n");
}

static enum bow_exit run(const struct command *c, const struct ctl_options *o)
{
	struct ctl_error e = { "" };
	enum bow_exit code;

	ctl_dm_begin();
	code = c->run(o, &e);
	ctl_dm_end();
	if (code != BOW_EXIT_OK)
		fprintf(stderr, "bowctl: %s: %s: %s\n", c->name, o->place,
			e.text);
	if (code == BOW_EXIT_NO_LOG && c->run == ctl_checkpoint)
		hint(o);
	return flush_stdout(code);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'J' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "name", required_argument, NULL, 'N' },
		{ "device", required_argument, NULL, 'd' },
		{ "close", no_argument, NULL, OPT_CLOSE },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct ctl_options o = { .place = "/" };
	const struct command *c;
	int opt;

	if (open_standard_fds("bowctl"))
		return BOW_EXIT_ERROR;
	while ((opt = getopt_long(argc, argv, "JN:d:vqhV", options, NULL)) != -1) {
		switch (opt) {
		case 'J':
			o.json = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'q':
			o.quiet = true;
			break;
		case 'N':
			o.name = optarg;
			break;
		case 'd':
			o.device = optarg;
			break;
		case OPT_CLOSE:
			o.close = true;
			break;
		case 'h':
			fputs(help, stdout);
			return flush_stdout(BOW_EXIT_OK);
		case 'V':
			puts("bowctl " BOW_VERSION);
			return flush_stdout(BOW_EXIT_OK);
		default:
			fprintf(stderr, "Try 'bowctl --help'.\n");
			return BOW_EXIT_USAGE;
		}
	}
	if (optind == argc)
		return usage("no command given", "");
	c = find_command(argv[optind]);
	if (!c && strcmp(argv[optind], "rollback") == 0)
		return usage("to roll back, reboot, or run bow-restore from a rescue system", "");
	if (!c)
		return usage("unknown command: ", argv[optind]);
	if (argc - optind > 2)
		return usage("too many arguments: ", argv[optind + 2]);
	if (argc - optind == 2)
		o.place = argv[optind + 1];
	else if (c->run == ctl_resume)
		return usage("resume needs the device that holds the log", "");
	else if (c->run == ctl_browse)
		return usage("browse needs the directory to mount on", "");
	if (c->run != ctl_browse && (o.device || o.close))
		return usage("--device and --close are for browse", "");
	if (c->run != ctl_resume && o.name)
		return usage("--name is for resume", "");
	if (!o.name)
		o.name = "bow-root";
	if (!*o.name)
		return usage("--name is empty", "");
	return run(c, &o);
}
