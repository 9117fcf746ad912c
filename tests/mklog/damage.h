/* SPDX-License-Identifier: GPL-2.0 */
/*
 * damage.h - mklog: the kinds of damage, a table in each file
 */
#ifndef MKLOG_DAMAGE_H
#define MKLOG_DAMAGE_H

#include "model.h"

#define ONLY_V0 (1u << V0)
#define ONLY_V1_0 (1u << V1_0)
#define ONLY_V1_1 (1u << V1_1)
#define V1 (ONLY_V1_0 | ONLY_V1_1)
#define ALL (ONLY_V0 | V1)

struct damage {
	const char *name;
	void (*make)(struct model *m, const struct damage *d);
	uint64_t arg;
	uint32_t formats;
	bool unsealed;		/* leave block 0's checksums as they are */
	size_t at, bytes;	/* a field, for those that change one */
};

/* Ended by one without a name. */
extern const struct damage damages_header[], damages_chain[],
	damages_entry[], damages_map[], damages_finish[];

/* For tables: a field of a disk structure. */
#define FIELD(type, name)                                                      \
	.at = offsetof(struct type, name),                                     \
	.bytes = sizeof(((struct type *)0)->name)

/* damage.c: what they have in common */

void put_le(uint8_t *p, uint64_t value, size_t bytes);
uint64_t get_le(const uint8_t *p, size_t bytes);

/* The newest backup of the newest log block, and where that entry is. */
struct bow_entry_disk last_entry(uint8_t *block, uint8_t **at);
/* The log block before the newest one, in the place that *entry0 names. */
uint8_t *previous_log(struct model *m, struct bow_entry_disk *entry0);
/* Entry 0 of the newest log block, and the header, become `e`. */
void put_entry0(struct model *m, const struct bow_entry_disk *e);
/* The newest log block believes the previous one as it is now. */
void accept_previous(struct model *m);
/* The field of block 0 becomes arg. */
void set_field(struct model *m, const struct damage *d);

/* Lengths of the image; see damage_make(). */
void shorten(struct model *m, const struct damage *d);

#endif /* MKLOG_DAMAGE_H */
