// SPDX-License-Identifier: GPL-2.0
/*
 * status.c - bowctl status
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bow_format.h"
#include "bowctl.h"
#include "cli.h"

/* Facts that are told in their own line, and those that most people want. */
static bool told_apart(const char *key)
{
	return strcmp(key, "id") == 0 || strcmp(key, "created") == 0;
}

static bool told_always(const char *key)
{
	static const char *const keys[] = { "copied_sectors", "entries",
					    "log_blocks", "errors" };
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

static bool is_sectors(const char *key)
{
	size_t n = strlen(key);

	return n > 8 && strcmp(key + n - 8, "_sectors") == 0;
}

static u64 age(u64 created)
{
	time_t now = time(NULL);

	return now > 0 && (u64)now > created ? (u64)now - created : 0;
}

static void line(const char *name, const char *text)
{
	printf("%-14s %s\n", name, text);
}

static void print_facts(const struct ctl_status *s, bool all)
{
	char text[TEXT_MAX], name[40];
	unsigned int i;
	u64 n;

	for (i = 0; i < s->facts; i++) {
		const struct ctl_fact *f = &s->fact[i];

		if (told_apart(f->key) || !(all || told_always(f->key)))
			continue;
		if (is_sectors(f->key) && ctl_status_number(s, f->key, &n)) {
			snprintf(name, sizeof(name), "%.*s",
				 (int)strlen(f->key) - 8, f->key);
			line(name, text_size(text, n << BOW_SECTOR_SHIFT));
		} else {
			line(f->key, f->value);
		}
	}
}

static void print_checkpoint(const struct ctl_status *s)
{
	char when[TEXT_MAX], ago[TEXT_MAX];
	const char *id = ctl_status_fact(s, "id");
	u64 created;

	if (id)
		line("id", id);
	if (ctl_status_number(s, "created", &created))
		printf("%-14s %s (%s ago)\n", "created",
		       text_time(when, created),
		       text_age(ago, age(created)));
}

/* Is what happened at boot about this device?  NULL: about the root's. */
static bool boot_of(struct ctl_boot *b, const char *path)
{
	const char *attached;

	if (!ctl_boot_read(b))
		return false;
	attached = ctl_boot_fact(b, "attached");
	return !path || (attached && strcmp(attached, path) == 0);
}

static void print_boot(const char *path)
{
	struct ctl_boot b;

	if (boot_of(&b, path))
		ctl_boot_text(stdout, &b);
}

static void json_boot(struct json *j, const char *path)
{
	struct ctl_boot b;
	unsigned int i;

	if (!boot_of(&b, path))
		return;
	json_object(j, "boot");
	for (i = 0; i < b.facts; i++)
		json_string(j, b.fact[i].key, b.fact[i].value);
	json_close_object(j);
}

static void print(const struct ctl_place *p, const struct ctl_status *s,
		  bool verbose)
{
	bool active = s->state == CTL_STATE_CHECKPOINT;
	char text[TEXT_MAX], deferred[CTL_DEFERRED_MAX];

	printf("%-14s %s over %s\n", "device", p->dm.path,
	       p->dm.under);
	line("mounted", p->mount.path[0] ? p->mount.path : "no");
	line("state", ctl_state_name(s->state));
	line("health", s->health);
	print_checkpoint(s);
	if (verbose)
		printf("%-14s %u bytes\n", "block size", s->block_size);
	/* Before a checkpoint, what is free is not known yet. */
	if (active || verbose)
		line("free", text_size(text, s->free_sectors
							  << BOW_SECTOR_SHIFT));
	if (active || verbose)
		print_facts(s, verbose);
	if (ctl_deferred(p, deferred, sizeof(deferred)))
		line("deferred", deferred);
	print_boot(p->dm.path);
}

static void json_facts(struct json *j, const struct ctl_status *s)
{
	unsigned int i;
	u64 n;

	for (i = 0; i < s->facts; i++) {
		const struct ctl_fact *f = &s->fact[i];

		/* An id of decimal digits alone is still a text. */
		if (strcmp(f->key, "id") != 0 &&
		    ctl_status_number(s, f->key, &n))
			json_u64(j, f->key, n);
		else
			json_string(j, f->key, f->value);
	}
}

static void print_json(const struct ctl_place *p, const struct ctl_status *s)
{
	char deferred[CTL_DEFERRED_MAX];
	struct json j = { .out = stdout };
	u64 created;

	json_object(&j, NULL);
	json_string(&j, "mountpoint", p->mount.path);
	json_string(&j, "device", p->dm.path);
	json_string(&j, "underlying", p->dm.under);
	json_string(&j, "state", ctl_state_name(s->state));
	json_string(&j, "health", s->health);
	json_u64(&j, "block_size", s->block_size);
	json_u64(&j, "free_sectors", s->free_sectors);
	json_u64(&j, "free_bytes", s->free_sectors << BOW_SECTOR_SHIFT);
	if (ctl_status_number(s, "created", &created))
		json_u64(&j, "age", age(created));
	json_facts(&j, s);
	if (ctl_deferred(p, deferred, sizeof(deferred)))
		json_string(&j, "deferred", deferred);
	json_boot(&j, p->dm.path);
	json_close_object(&j);
}

/* Without dm-bow, after a rollback that is what one wants to know. */
static void print_none(const struct ctl_options *o)
{
	struct json j = { .out = stdout };
	bool root = strcmp(o->place, "/") == 0;

	if (!o->json) {
		if (root && !o->quiet)
			print_boot(NULL);
		return;
	}
	json_object(&j, NULL);
	json_string(&j, "state", "none");
	if (root)
		json_boot(&j, NULL);
	json_close_object(&j);
}

enum bow_exit ctl_status(const struct ctl_options *o, struct ctl_error *e)
{
	struct ctl_status s;
	struct ctl_place p;
	int err;

	err = ctl_place_open(&p, o->place, e);
	if (!err)
		err = ctl_dm_status(&p.dm, &s, e);
	if (!err && o->json)
		print_json(&p, &s);
	else if (!err && !o->quiet)
		print(&p, &s, o->verbose);
	else if (err == -CTL_NO_BOW)
		print_none(o);
	ctl_place_close(&p);
	return ctl_exit(err);
}
