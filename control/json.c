// SPDX-License-Identifier: GPL-2.0
/*
 * json.c - one flat JSON object, a member a line
 */
#include <stdio.h>

#include "bowctl.h"

static void json_text(FILE *out, const char *s)
{
	putc('"', out);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void json_name(struct ctl_json *j, const char *name)
{
	fputs(j->members++ ? ",\n   " : "\n   ", j->out);
	json_text(j->out, name);
	fputs(": ", j->out);
}

void ctl_json_begin(struct ctl_json *j, FILE *out)
{
	j->out = out;
	j->members = 0;
	putc('{', out);
}

void ctl_json_string(struct ctl_json *j, const char *name, const char *value)
{
	json_name(j, name);
	json_text(j->out, value);
}

void ctl_json_number(struct ctl_json *j, const char *name, u64 value)
{
	json_name(j, name);
	fprintf(j->out, "%llu", (unsigned long long)value);
}

void ctl_json_end(struct ctl_json *j)
{
	fputs("\n}\n", j->out);
}
