// SPDX-License-Identifier: GPL-2.0
/*
 * boot.c - what the initramfs did with the log at this boot
 *
 * Its script and bow-restore leave KEY=VALUE lines in /run/bow/boot, in the
 * order of what happened: of a key that comes twice the last counts.  When the
 * machine had to start again after a rollback, or that was done by a crash kernel, it
 * begins with those of the boot before, the last of which is "left", the kernel of that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bowctl.h"
#include "cli.h"

static bool parse_line(struct ctl_boot_fact *f, char *line)
{
	char *value = strchr(line, '=');

	if (!value || value == line)
		return false;
	*value++ = '\0';
	value[strcspn(value, "\n")] = '\0';
	if (strlen(line) >= sizeof(f->key) || strlen(value) >= sizeof(f->value))
		return false;
	strcpy(f->key, line);
	strcpy(f->value, value);
	return true;
}

static struct ctl_boot_fact *find(const struct ctl_boot *b, const char *key)
{
	unsigned int i;

	for (i = 0; i < b->facts; i++)
		if (strcmp(b->fact[i].key, key) == 0)
			return (struct ctl_boot_fact *)&b->fact[i];
	return NULL;
}

/* What cannot be held is left out: a record, not something to act on. */
static void keep(struct ctl_boot *b, const struct ctl_boot_fact *f)
{
	struct ctl_boot_fact *old = find(b, f->key);

	if (old)
		*old = *f;
	else if (b->facts < CTL_FACTS_MAX)
		b->fact[b->facts++] = *f;
}

void ctl_boot_parse(struct ctl_boot *b, FILE *in)
{
	struct ctl_boot_fact f;
	char *line = NULL;
	size_t size = 0;

	memset(b, 0, sizeof(*b));
	while (getline(&line, &size, in) >= 0)
		if (parse_line(&f, line))
			keep(b, &f);
	free(line);
}

bool ctl_boot_read(struct ctl_boot *b)
{
	FILE *in = fopen(CTL_BOOT_RECORD, "re");

	if (!in)
		return false;
	ctl_boot_parse(b, in);
	fclose(in);
	return ctl_boot_fact(b, "action") || ctl_boot_fact(b, "settled") ||
	       ctl_boot_fact(b, "attach_error");
}

const char *ctl_boot_fact(const struct ctl_boot *b, const char *key)
{
	const struct ctl_boot_fact *f = find(b, key);

	return f ? f->value : NULL;
}

/* 0 when there is none, or none that is a number. */
static u64 number(const struct ctl_boot *b, const char *key)
{
	const char *text = ctl_boot_fact(b, key);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* ---- for people ---- */

static void put_amount(FILE *out, const struct ctl_boot *b)
{
	char size[TEXT_MAX], runs[TEXT_MAX], time[TEXT_MAX];

	if (strcmp(ctl_boot_fact(b, "action"), "rollback") == 0)
		fprintf(out, ", %s in %s put back",
			text_size(size, number(b, "bytes")),
			text_count(runs, number(b, "runs"), "run"));
	fprintf(out, ", %s", text_duration(time, number(b, "milliseconds")));
}

/* bow=off, and a log that was left alone. */
static void put_none(FILE *out, const struct ctl_boot *b)
{
	const char *found = ctl_boot_fact(b, "found");

	fprintf(out, "%s: mounted read-only (bow=off)\n",
		found && strcmp(found, "damaged") == 0 ?
			"the log is damaged" : "a checkpoint is active");
}

static void put_action(FILE *out, const struct ctl_boot *b, const char *action)
{
	const char *error = ctl_boot_fact(b, "error");
	char when[TEXT_MAX];

	fputs(action, out);
	if (number(b, "status"))
		fprintf(out, " failed (%s)", error ? error : "see the journal");
	if (number(b, "time"))
		fprintf(out, ", %s", text_time(when, number(b, "time")));
	if (!number(b, "status") && ctl_boot_fact(b, "milliseconds"))
		put_amount(out, b);
	if (number(b, "status") && ctl_boot_fact(b, "settled"))
		fputs(", then settled by hand in the rescue shell", out);
	fputc('\n', out);
}

/* The kernel that was started need not be one of the system that came back. */
static void put_kernels(FILE *out, const struct ctl_boot *b)
{
	const char *left = ctl_boot_fact(b, "left");
	const char *lacking = ctl_boot_fact(b, "no_modules");
	const char *others = ctl_boot_fact(b, "kernels");

	if (left)
		fprintf(out, "%-14s Linux %s was running, %s\n", "  kernel", left,
			ctl_boot_fact(b, "crash") ?
				"after a crash" : "and is no part of this system");
	if (lacking)
		fprintf(out, "%-14s Linux %s has no modules here: restart, and choose Linux %s\n",
			"  kernel", lacking, others ? others : "");
}

void ctl_boot_text(FILE *out, const struct ctl_boot *b)
{
	const char *action = ctl_boot_fact(b, "action");
	const char *id = ctl_boot_fact(b, "checkpoint");
	const char *reason = ctl_boot_fact(b, "reason");
	const char *unprotected = ctl_boot_fact(b, "attach_error");
	char when[TEXT_MAX];

	if (unprotected)
		fprintf(out, "%-14s dm-bow is not over the root: %s\n", "at boot",
			unprotected);
	if (!action && !ctl_boot_fact(b, "settled"))
		return;
	fprintf(out, "%-14s ", ctl_boot_fact(b, "left") ? "boot before" : "at boot");
	if (!action)
		fputs("settled by hand in the rescue shell\n", out);
	else if (strcmp(action, "none") == 0)
		put_none(out, b);
	else
		put_action(out, b, action);
	if (id)
		fprintf(out, "%-14s %s, taken %s\n", "  checkpoint", id,
			text_time(when, number(b, "created")));
	if (reason)
		fprintf(out, "%-14s %s\n", "  because", reason);
	put_kernels(out, b);
}
