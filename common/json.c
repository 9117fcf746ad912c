// SPDX-License-Identifier: GPL-2.0
/*
 * json.c - writing JSON, a member a line, or an object a line
 */
#include "cli.h"

static void put_string(struct json *j, const char *s)
{
	fputc('"', j->out);
	while (*s) {
		u32 c;
		unsigned int bytes = text_utf8(s, &c);

		if (!bytes)
			fputs("\\ufffd", j->out);
		else if (c == '"' || c == '\\')
			fprintf(j->out, "\\%c", (char)c);
		else if (text_is_control(c))
			fprintf(j->out, "\\u%04x", c);
		else
			fprintf(j->out, "%.*s", (int)bytes, s);
		s += bytes ? bytes : 1;
	}
	fputc('"', j->out);
}

static void new_line(struct json *j)
{
	unsigned int i;

	if (j->line)
		return;
	fputc('\n', j->out);
	for (i = 0; i < j->depth; i++)
		fputs("  ", j->out);
}

static void begin(struct json *j, const char *name)
{
	if (j->comma)
		fputc(',', j->out);
	if (j->depth)
		new_line(j);
	if (name) {
		put_string(j, name);
		fputs(": ", j->out);
	}
	j->comma = true;
}

static void open_with(struct json *j, const char *name, char bracket)
{
	begin(j, name);
	fputc(bracket, j->out);
	j->depth++;
	j->comma = false;
}

static void close_with(struct json *j, char bracket)
{
	j->depth--;
	if (j->comma)
		new_line(j);
	fputc(bracket, j->out);
	j->comma = true;
	if (!j->depth)
		fputc('\n', j->out);
}

void json_object(struct json *j, const char *name)
{
	open_with(j, name, '{');
}

void json_array(struct json *j, const char *name)
{
	open_with(j, name, '[');
}

void json_close_object(struct json *j)
{
	close_with(j, '}');
}

void json_close_array(struct json *j)
{
	close_with(j, ']');
}

void json_string(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	put_string(j, value);
}

void json_hex(struct json *j, const char *name, const char *value)
{
	begin(j, name);
	fputc('"', j->out);
	while (*value)
		fprintf(j->out, "%02x", (unsigned char)*value++);
	fputc('"', j->out);
}

void json_u64(struct json *j, const char *name, u64 value)
{
	begin(j, name);
	fprintf(j->out, "%llu", (unsigned long long)value);
}

void json_signed(struct json *j, const char *name, long long value)
{
	begin(j, name);
	fprintf(j->out, "%lld", value);
}

void json_bool(struct json *j, const char *name, bool value)
{
	begin(j, name);
	fputs(value ? "true" : "false", j->out);
}

void json_error(struct json *j, const char *name, const struct bow_error *e)
{
	char text[256];

	bow_error_text(e, text, sizeof(text));
	json_object(j, name);
	json_string(j, "message", text);
	if (e->in_block)
		json_u64(j, "log_block", e->sequence);
	if (e->in_entry)
		json_u64(j, "entry", e->entry);
	if (bow_error_has_value(e))
		json_u64(j, "value", e->value);
	if (bow_error_has_limit(e))
		json_u64(j, "limit", e->limit);
	json_close_object(j);
}
