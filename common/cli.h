/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cli.h - what the programs have in common: messages, progress, signals, JSON, and
 * the facts of a log in words
 */
#ifndef BOW_CLI_H
#define BOW_CLI_H

#include <stdio.h>

#include "bow.h"

/* ---- text.c: figures for people ---- */

#define TEXT_MAX 64

/* "392 KiB", "1.4 GiB" */
const char *text_size(char buf[TEXT_MAX], u64 bytes);
/* "2026-11-23 08:09:43 UTC" of seconds since 1970 */
const char *text_time(char buf[TEXT_MAX], u64 seconds);
/* "3 days", "5 minutes" */
const char *text_age(char buf[TEXT_MAX], u64 seconds);
/* "12 s", "3 min", "2 h" */
const char *text_left(char buf[TEXT_MAX], u64 seconds);
/* "0.127 s" */
const char *text_duration(char buf[TEXT_MAX], u64 ms);
/* 32 hexadecimal digits */
const char *text_hex(char buf[TEXT_MAX], const u8 id[16]);
/* As blkid prints it */
const char *text_uuid(char buf[TEXT_MAX], const u8 id[16]);
/* "n things", with the plural s where it belongs */
const char *text_count(char buf[TEXT_MAX], u64 n, const char *thing);

/*
 * Bytes of the UTF-8 character at `s`, a string, and its number in *c; 0: there is
 * none.  A file's name may be anything.
 */
unsigned int text_utf8(const char *s, u32 *c);
bool text_is_utf8(const char *s);
/* Of C0 or C1, or DEL: a terminal may obey it. */
bool text_is_control(u32 c);

/* Milliseconds of some clock; only differences have a meaning. */
u64 clock_ms(void);

/* ---- message.c: what goes wrong, to stderr ---- */

/* "PROGRAM: DEVICE: reason" */
void message_error(const char *program, const char *device,
		   const struct bow_error *e);
/* "PROGRAM: DEVICE: cannot open: reason" */
void message_open(const char *program, const char *device, int err);
/* "PROGRAM: DEVICE: closing: reason" */
void message_close(const char *program, const char *device, int err);
/* A log that is read several times; `bar`: over the bar that is drawn. */
void message_memory_short(const char *program, const char *device, u64 passes,
			  bool bar);

/* Was everything written to stdout?  0, or -errno and the reason is told. */
int message_flush_stdout(const char *program);

/*
 * Standard input, output and error that are not open become /dev/null: else the
 * next file gets the number, and it may be the device.  0, or -EBADF and the
 * reason is told.
 */
int open_standard_fds(const char *program);

/*
 * The value of -C; false: not a number that can be a descriptor.  Before anything
 * is opened: one that is not open is told of and becomes -1, none, or the lines
 * would go to whatever gets the number.
 */
bool parse_fd(const char *program, const char *arg, int *fd);

/* ---- memory.c ---- */

/*
 * From here on let allocations fail that would take more than is available now, so
 * that who can do with less does so.  Without /proc nothing changes.
 */
void memory_limit(void);
/* Bytes that may be taken by what this file says; 0: it says nothing of that. */
u64 memory_available(const char *meminfo);

/* ---- progress.c, signal.c ---- */

struct progress {
	const char *program;
	const char *device;
	int fd;			/* of -C; -1: none, 0: draw a bar */
	bool bar;		/* a bar is drawn */
	bool copies;		/* verifying is the first half only */
	enum bow_phase phase;	/* last reported */
	u32 last;		/* last permille reported */
	u32 shown;		/* percent that the bar shows */
	u64 shown_ms;		/* since when */
	u64 phase_ms;		/* when the phase began */
	bool begun;
};

void progress_init(struct progress *p, const char *program,
		   const char *device, int fd, bool quiet, bool copies);
/* For struct bow_monitor, with the struct progress as its ctx. */
void progress_report(void *ctx, enum bow_phase phase, u64 done, u64 total);
/* Take the bar away. */
void progress_end(struct progress *p);

/*
 * SIGINT, SIGTERM and SIGHUP ask for a stop, but for those that were ignored
 * before; SIGPIPE does nothing.
 */
int signals_catch(void);
/* For struct bow_monitor. */
bool signals_stop(void *ctx);

/* ---- json.c ---- */

struct json {
	FILE *out;
	unsigned int depth;
	bool comma;		/* the next member needs one before it */
	bool line;		/* an outermost object is one line */
};

/* A name is NULL for the outermost object and inside arrays. */
void json_object(struct json *j, const char *name);
void json_array(struct json *j, const char *name);
void json_close_object(struct json *j);
void json_close_array(struct json *j);
/* What is no UTF-8 in the value becomes U+FFFD, a byte each. */
void json_string(struct json *j, const char *name, const char *value);
/* The bytes of the value, two digits each. */
void json_hex(struct json *j, const char *name, const char *value);
void json_u64(struct json *j, const char *name, u64 value);
void json_signed(struct json *j, const char *name, long long value);
void json_bool(struct json *j, const char *name, bool value);
void json_error(struct json *j, const char *name, const struct bow_error *e);

/* ---- facts.c: the facts of a log ---- */

const char *facts_state(enum bow_state state);
/* What a torn write was, and what is used; NULL: nothing was torn. */
const char *facts_torn(enum bow_torn torn);
const char *facts_torn_key(enum bow_torn torn);
const char *facts_version(u32 version);
const char *facts_action(enum bow_action action);

/* Members of an object, or lines "name: value" for people; `e`: what went wrong. */
void facts_json(struct json *j, const struct bow_header *h,
		const struct bow_finish *f, enum bow_state state,
		enum bow_torn torn, const struct bow_error *e);
void facts_text(FILE *out, const struct bow_header *h,
		const struct bow_finish *f, enum bow_state state,
		enum bow_torn torn);

#endif /* BOW_CLI_H */
