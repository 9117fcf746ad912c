// SPDX-License-Identifier: GPL-2.0
/*
 * mklog.c - make device images with BOW logs from a seed, undo and compare them
 *
 *   mklog [option...] PREFIX    writes PREFIX.bow.img (the device with a log),
 *         PREFIX.orig.img (D0), PREFIX.live.img (what a commit keeps) and
 *         PREFIX.free (the sectors that were free at the checkpoint; they are
 *         undefined after a rollback); with the feature map PREFIX.states (what
 *         each block is in the end)
 *   mklog --undo IMAGE          undoes the log in place, as a v1.0 reader
 *   mklog --compare A B FREE    are A and B equal outside of FREE?
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "model.h"

static const char usage[] =
	"usage: mklog [option...] PREFIX | --undo IMAGE | --compare A B FREE\n"
	"  --format v0|1.0|1.1   version of the log (1.1)\n"
	"  --bs N                block size in bytes (4096)\n"
	"  --size N[K|M]         bytes of the device (1024 blocks)\n"
	"  --spread N[T]         pieces of so much on a device of so many bytes:\n"
	"                        around 4 GiB, 2 TiB and 4 TiB, and at its ends\n"
	"  --seed N              everything random comes from it (1)\n"
	"  --ops N               writes and discards (300)\n"
	"  --header-size N       of a v1.0 log (28)\n"
	"  --fs IMAGE            contents to begin with\n"
	"  --free LIST           its free ranges: lines of START LENGTH\n"
	"  --now IMAGE           what they have become: in place of random writes,\n"
	"                        those that lead to it are made\n"
	"  --now-free LIST       its free ranges\n"
	"  --features A,B...     raw: no superblock; zero0: block 0 is zeros;\n"
	"                        claims; map: a free map, and claims; nocsum;\n"
	"                        calm: log copies stay in place;\n"
	"                        stale: the last entry moves the live block 0\n"
	"  --state S             active, torn-append:MASK, torn-rollover:MASK,\n"
	"                        torn-activation:MASK, restoring,\n"
	"                        restoring-ordered:N, finishing-rollback:MASK,\n"
	"                        finishing-commit:MASK\n"
	"  --damage KIND         one thing wrong; KIND \"list\" prints them all\n";

static uint64_t number(const char *text)
{
	char *end;
	uint64_t v = strtoull(text, &end, 0), unit = 1;

	if (*end == 'K')
		unit = 1024;
	else if (*end == 'M')
		unit = 1024 * 1024;
	else if (*end == 'T')
		unit = 1ull << 40;
	if (end == text || end[unit > 1])
		die("%s is not a number", text);
	return v * unit;
}

static enum version version(const char *text)
{
	if (!strcmp(text, "v0"))
		return V0;
	if (!strcmp(text, "1.0"))
		return V1_0;
	if (!strcmp(text, "1.1"))
		return V1_1;
	die("unknown format %s", text);
}

static void features(struct options *o, char *list)
{
	char *name;

	for (name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		if (!strcmp(name, "raw"))
			o->raw = true;
		else if (!strcmp(name, "zero0"))
			o->zero0 = true;
		else if (!strcmp(name, "claims"))
			o->claims = true;
		else if (!strcmp(name, "map"))
			o->claims = o->map = true;
		else if (!strcmp(name, "nocsum"))
			o->nocsum = true;
		else if (!strcmp(name, "stale"))
			o->stale = true;
		else if (!strcmp(name, "calm"))
			o->calm = true;
		else
			die("unknown feature %s", name);
	}
}

static void check_options(struct options *o)
{
	if (o->bs < BOW_BLOCK_SIZE_MIN || o->bs > BOW_BLOCK_SIZE_MAX ||
	    (o->bs & (o->bs - 1)))
		die("block size %u", o->bs);
	if (o->version == V0 && o->bs != BOW_V0_BLOCK_SIZE)
		die("v0 has blocks of 4096 bytes");
	if (o->claims && o->version != V1_1)
		die("only v1.1 has claims");
	if (!o->bytes)
		o->bytes = 1024u * o->bs;
	if (o->bytes % o->bs || o->bytes / o->bs < 256 ||
	    o->bytes / o->bs > 1u << 24)
		die("size must be 256 to 16777216 blocks");
	if (o->header_size < sizeof(struct bow_header_v1_disk) ||
	    o->header_size > o->bs)
		die("header size %u", o->header_size);
	if (o->device && (o->base || o->damage))
		die("--spread makes up its contents, and damages none");
	if (o->damage)
		o->calm = true;
	if (!!o->now != !!o->now_free || (o->now && !o->base))
		die("--now needs --now-free and --fs");
}

static void generate(struct options *o)
{
	static struct model m;	/* reachable to the end, for leak checkers */
	size_t bytes = (size_t)o->bytes;

	m.o = *o;
	device_init(&m);
	state_make(&m);
	if (o->damage)
		bytes = damage_make(&m);
	image_outputs(&m, bytes);
}

static void undo(const char *path)
{
	struct undo u = { 0 };

	u.img = image_map(path, &u.bytes);
	printf("%llu entries undone\n",
	       (unsigned long long)undo_entries(&u, UINT64_MAX));
	munmap(u.img, u.bytes);
}

static const struct option long_options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "bs", required_argument, NULL, 'b' },
	{ "size", required_argument, NULL, 's' },
	{ "spread", required_argument, NULL, 'p' },
	{ "seed", required_argument, NULL, 'r' },
	{ "ops", required_argument, NULL, 'o' },
	{ "header-size", required_argument, NULL, 'H' },
	{ "fs", required_argument, NULL, 'i' },
	{ "free", required_argument, NULL, 'l' },
	{ "now", required_argument, NULL, 'n' },
	{ "now-free", required_argument, NULL, 'N' },
	{ "features", required_argument, NULL, 'F' },
	{ "state", required_argument, NULL, 'S' },
	{ "damage", required_argument, NULL, 'D' },
	{ "undo", no_argument, NULL, 'u' },
	{ "compare", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct options o = { .version = V1_1, .bs = 4096, .seed = 1,
			     .ops = 300, .header_size = 28,
			     .state = "active" };
	int c, mode = 0;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case 'f': o.version = version(optarg); break;
		case 'b': o.bs = (uint32_t)number(optarg); break;
		case 's': o.bytes = number(optarg); break;
		case 'p': o.device = number(optarg); break;
		case 'r': o.seed = number(optarg); break;
		case 'o': o.ops = (uint32_t)number(optarg); break;
		case 'H': o.header_size = (uint32_t)number(optarg); break;
		case 'i': o.base = optarg; break;
		case 'n': o.now = optarg; break;
		case 'N': o.now_free = optarg; break;
		case 'l': o.free_list = optarg; break;
		case 'F': features(&o, optarg); break;
		case 'S': o.state = optarg; break;
		case 'D': o.damage = optarg; break;
		case 'u':
		case 'c': mode = c; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 16;
		}
	}
	if (o.damage && !strcmp(o.damage, "list")) {
		damage_list();
		return 0;
	}
	if (argc - optind != (mode == 'c' ? 3 : 1)) {
		fputs(usage, stderr);
		return 16;
	}
	if (mode == 'c')
		return image_compare(argv[optind], argv[optind + 1],
				     argv[optind + 2]);
	if (mode == 'u') {
		undo(argv[optind]);
		return 0;
	}
	o.prefix = argv[optind];
	check_options(&o);
	generate(&o);
	return 0;
}
