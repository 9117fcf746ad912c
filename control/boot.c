// SPDX-License-Identifier: GPL-2.0
/*
 * boot.c - what the initramfs did with the log at this boot
 *
 * Its script and bow-restore leave KEY=VALUE lines in /run/bow/boot, in the
 * order of what happened: of a key that comes twice the last counts.
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
	return ctl_boot_fact(b, "action") || ctl_boot_fact(b, "attach_error");
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

static void put_action(FILE *out, const struct ctl_boot *b)
{
	const char *action = ctl_boot_fact(b, "action");
	const char *error = ctl_boot_fact(b, "error");
	char when[TEXT_MAX];

	fprintf(out, "%-14s %s", "at boot", action);
	if (number(b, "status"))
		fprintf(out, " failed (%s)", error ? error : "see the journal");
	if (number(b, "time"))
		fprintf(out, ", %s", text_time(when, number(b, "time")));
	if (!number(b, "status") && ctl_boot_fact(b, "milliseconds"))
		put_amount(out, b);
	fputc('\n', out);
}

void ctl_boot_text(FILE *out, const struct ctl_boot *b)
{
	const char *id = ctl_boot_fact(b, "checkpoint");
	const char *reason = ctl_boot_fact(b, "reason");
	const char *unprotected = ctl_boot_fact(b, "attach_error");
	char when[TEXT_MAX];

	if (unprotected)
		fprintf(out, "%-14s dm-bow is not over the root: %s\n", "at boot",
			unprotected);
	if (!ctl_boot_fact(b, "action"))
		return;
	put_action(out, b);
	if (id)
		fprintf(out, "%-14s %s, taken %s\n", "  checkpoint", id,
			text_time(when, number(b, "created")));
	if (reason)
		fprintf(out, "%-14s %s\n", "  because", reason);
}
