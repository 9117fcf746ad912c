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

/*
 * The length of the UTF-8 character at `s`, 0 if there is none or it controls a
 * terminal.  What is read ends with a 0, which is no part of a character.
 */
static unsigned int character(const u8 *s)
{
	static const u32 least[5] = { 0, 0, 0xa0, 0x800, 0x10000 };
	unsigned int i, bytes = 1;
	u32 c = s[0];

	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	while (bytes < 4 && c & 0x80 >> bytes)
		bytes++;
	c &= 0xffu >> (bytes + 1);
	for (i = 1; i < bytes; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (bytes == 1 || c < least[bytes] || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	return bytes;
}

static bool is_text(const u8 *s)
{
	unsigned int bytes = 1;

	for (; *s && bytes; s += bytes)
		bytes = character(s);
	return bytes;
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
	if (!is_text((const u8 *)sb->label))
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
