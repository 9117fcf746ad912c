// SPDX-License-Identifier: GPL-2.0
/*
 * dm-status.c - the status and table lines of the target
 *
 * Status:  STATE HEALTH BLOCK_SIZE FREE_SECTORS key:value...
 * Table:   DEVICE [N option...]
 *
 * Keys that are not known here are kept: a newer module may have more.
 */
#include <ctype.h>
#include <stdio.h>

#include "bowctl.h"

static const char *const state_name[] = {
	[CTL_STATE_TRIM] = "trim",
	[CTL_STATE_CHECKPOINT] = "checkpoint",
	[CTL_STATE_COMMITTED] = "committed",
	[CTL_STATE_RESUME] = "resume",
};

const char *ctl_state_name(enum ctl_state state)
{
	return state_name[state];
}

/* The next word, into `word`.  Its length, 0: none, -E2BIG: does not fit. */
static int next_word(const char **line, char *word, size_t size)
{
	size_t length;

	while (**line && isspace((unsigned char)**line))
		(*line)++;
	for (length = 0; (*line)[length]; length++)
		if (isspace((unsigned char)(*line)[length]))
			break;
	if (length >= size)
		return -E2BIG;
	memcpy(word, *line, length);
	word[length] = '\0';
	*line += length;
	return (int)length;
}

static bool number(const char *text, u64 *value)
{
	u64 n = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		u64 digit = (u64)(*text - '0');

		if (*text < '0' || *text > '9' ||
		    n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return true;
}

static int parse_state(enum ctl_state *state, const char *word)
{
	int i;

	for (i = 0; i <= CTL_STATE_RESUME; i++) {
		if (strcmp(word, state_name[i]) == 0) {
			*state = (enum ctl_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_fact(struct ctl_fact *f, const char *word)
{
	const char *colon = strchr(word, ':');
	size_t key = colon ? (size_t)(colon - word) : 0;

	if (!key || key >= sizeof(f->key) ||
	    strlen(colon + 1) >= sizeof(f->value))
		return -EINVAL;
	memcpy(f->key, word, key);
	f->key[key] = '\0';
	strcpy(f->value, colon + 1);
	return 0;
}

int ctl_status_parse(struct ctl_status *s, const char *line)
{
	char word[96];
	u64 size;
	int n;

	memset(s, 0, sizeof(*s));
	if (next_word(&line, word, sizeof(word)) <= 0 ||
	    parse_state(&s->state, word))
		return -EINVAL;
	if (next_word(&line, s->health, sizeof(s->health)) <= 0)
		return -EINVAL;
	if (next_word(&line, word, sizeof(word)) <= 0 || !number(word, &size) ||
	    size < 512 || size > 65536 || (size & (size - 1)))
		return -EINVAL;
	s->block_size = (u32)size;
	if (next_word(&line, word, sizeof(word)) <= 0 ||
	    !number(word, &s->free_sectors))
		return -EINVAL;
	while ((n = next_word(&line, word, sizeof(word))) > 0) {
		if (s->facts == CTL_FACTS_MAX ||
		    parse_fact(&s->fact[s->facts], word))
			return -EINVAL;
		s->facts++;
	}
	return n;
}

const char *ctl_status_fact(const struct ctl_status *s, const char *key)
{
	unsigned int i;

	for (i = 0; i < s->facts; i++)
		if (strcmp(s->fact[i].key, key) == 0)
			return s->fact[i].value;
	return NULL;
}

bool ctl_status_number(const struct ctl_status *s, const char *key, u64 *value)
{
	const char *text = ctl_status_fact(s, key);

	return text && number(text, value);
}

int ctl_table_device(const char *line, char *device, size_t size)
{
	int n = next_word(&line, device, size);

	return n > 0 ? 0 : -EINVAL;
}
