// SPDX-License-Identifier: GPL-2.0
/*
 * superblock.c - the names of the filesystem whose superblock is in block 0
 *
 * A cut that leaves one sector of an old and one of a new superblock leaves a
 * wrong checksum: blkid then knows neither UUID nor label, and the boot does not
 * find its root.  Both are in the first sector, the same in either version.
 */
#include "bow_disk.h"
#include "restore.h"

#define OFF_LABEL 0x78u

/* UTF-8, of which no character controls a terminal? */
static bool is_text(const char *s)
{
	unsigned int bytes;
	u32 c;

	for (; *s; s += bytes) {
		bytes = text_utf8(s, &c);
		if (!bytes || text_is_control(c))
			return false;
	}
	return true;
}

void superblock_read(struct bow_dev *dev, struct superblock *sb)
{
	u8 block[BOW_GUARD_OFFSET + BOW_GUARD_SIZE];
	const u8 *super = block + BOW_GUARD_OFFSET;

	memset(sb, 0, sizeof(*sb));
	if (bow_dev_read(dev, 0, block, sizeof(block)) ||
	    !bow_has_ext_superblock(block, sizeof(block)))
		return;
	sb->found = true;
	memcpy(sb->uuid, super + BOW_EXT4_OFF_UUID, sizeof(sb->uuid));
	memcpy(sb->label, super + OFF_LABEL, sizeof(sb->label) - 1);
	/* Any bytes can be there; what is no text could not be asked for. */
	if (!is_text(sb->label))
		sb->label[0] = '\0';
}

void superblock_json(struct json *j, const struct superblock *sb)
{
	char buf[TEXT_MAX];

	if (sb->found)
		json_string(j, "superblock_uuid", text_uuid(buf, sb->uuid));
	if (sb->label[0])
		json_string(j, "superblock_label", sb->label);
}

void superblock_text(FILE *out, const struct superblock *sb)
{
	char buf[TEXT_MAX];

	if (sb->found)
		fprintf(out, "superblock UUID: %s\n", text_uuid(buf, sb->uuid));
	if (sb->label[0])
		fprintf(out, "superblock label: %s\n", sb->label);
}
