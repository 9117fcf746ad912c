/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bow_format.h - the on-disk format of a BOW log, versions 0, 1.0 and 1.1
 *
 * The only declaration of the format: the kernel module, libbow, the tools and
 * the tests all include this file.  docs/format.md explains every field: who
 * writes it, and when it is valid.
 *
 * All integers are little-endian.  A sector is 512 bytes.  "bs" is the log's
 * block size in bytes.  "Block 0" is the first bs bytes of the device.  "D0"
 * is the contents of the device at the checkpoint.
 *
 * While a checkpoint is active, block 0 is a log block:
 *
 *   bs 4096, ext2/3/4 superblock in block 0     any other case without guard
 *   (flag GUARD)
 *        0  header, 256 bytes                        0  header, 256 bytes
 *      256  zeros                                  256  entries of 24 bytes
 *     1024  guard superblock, 1024 bytes                up to the end of block
 *     2048  entries, 85 at most
 *
 *   With the flag GUARD and bs 2048 the entries lie at 256..1023 (32 at most)
 *   and the guard superblock at 1024..2047.
 *
 * Layouts of v0 and v1.0 as written by the dm-bow of Android; see
 * docs/format.md.
 */
#ifndef BOW_FORMAT_H
#define BOW_FORMAT_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/stddef.h>
#include <linux/build_bug.h>
#else
#include <stddef.h>
#endif

#define BOW_SECTOR_SHIFT	9
#define BOW_SECTOR_SIZE		512u	/* bytes */

/* First four bytes of block 0. */
#define BOW_MAGIC_LOG		0x00574f42u	/* "BOW\0": a checkpoint is active */
#define BOW_MAGIC_RESTORING	0x00424f57u	/* "WOB\0": a rollback has begun */
#define BOW_MAGIC_FINISHING	0x46574f42u	/* "BOWF": a finishing record */
#define BOW_MAGIC_FREE_MAP	0x4d574f42u	/* "BOWM": a free map block */

#define BOW_VERSION_1_0		0x0100u
#define BOW_VERSION_1_1		0x0101u

#define BOW_BLOCK_SIZE_MIN	512u	/* bytes; block sizes are powers of two */
#define BOW_BLOCK_SIZE_MAX	4096u

/*
 * v0 header: 12 bytes, then entries; bs is always 4096.
 * A v1.x header read as v0 has a count far above BOW_V0_MAX_COUNT.
 */
struct bow_header_v0_disk {
	__le32 magic;
	__le32 count;			/* entries in this block, >= 1 */
	__le32 sequence;		/* 0 for the first log block */
} __attribute__((packed));

#define BOW_V0_BLOCK_SIZE	4096u
#define BOW_V0_MAX_COUNT	170u

/* v1.0 header: 28 bytes; entries start at header_size. */
struct bow_header_v1_disk {
	__le32 magic;
	__le16 header_version;
	__le16 header_size;		/* bytes from the block's start to entry 0 */
	__le32 block_size;		/* bytes */
	__le32 count;
	__le32 sequence;
	__le64 sector0;			/* sector of the live copy of block 0 */
} __attribute__((packed));

/*
 * v1.1 header.  Lies within the first 512 bytes, the only unit that is assumed
 * to be written whole.
 *
 *  offset  size  field
 *       0    28  a v1.0 header; sector0 is never stale
 *      28     4  header_csum        of these 256 bytes, see bow_disk.h
 *      32     4  entries_csum       of entries 0 .. count-1
 *      36     4  prev_count         entries before this append (torn write:
 *                                   the reader goes back to these)
 *      40     4  prev_entries_csum  of entries 0 .. prev_count-1
 *      44     4  flags              BOW_FLAG_*
 *      48    16  checkpoint_id      random, the same in every block of a log
 *      64     8  created            seconds since 1970-01-01 UTC
 *      72    16  fs_uuid            of the filesystem, or zeros
 *      88     8  device_sectors     size of the device at the checkpoint
 *      96     8  backup0            sector: block 0 of D0, as first copied
 *     104     4  backup0_csum       of that copy (CRC seed 0)
 *     108     4  prev_log_csum      of the previous log block's copy (CRC seed 0)
 *     112     8  prev_log           sector of that copy; 0 when sequence is 0
 *     120     8  next_log           sector reserved for the copy of this block
 *     128     8  free_map           sector of the first free map block, 0: none
 *     136     4  free_map_blocks    how many free map blocks there are
 *     140     4  claim_shift        log2 of the bytes of a claim's region, 0: none
 *     144     2  tries_left         boots that may still try this state
 *     146     2  boots              boots that have tried it
 *     148     4  rollback_reason    BOW_REASON_*, with the flag ROLLBACK
 *     152     8  rollback_time      seconds since 1970, with the flag ROLLBACK
 *     160     4  resumed            reboots after which the log was resumed
 *     164     8  prev_sector0       sector0 before this append
 *     172    84  reserved           zeros
 */
struct bow_header_disk {
	__le32 magic;
	__le16 header_version;
	__le16 header_size;
	__le32 block_size;
	__le32 count;
	__le32 sequence;
	__le64 sector0;
	__le32 header_csum;
	__le32 entries_csum;
	__le32 prev_count;
	__le32 prev_entries_csum;
	__le32 flags;
	__u8 checkpoint_id[16];
	__le64 created;
	__u8 fs_uuid[16];
	__le64 device_sectors;
	__le64 backup0;
	__le32 backup0_csum;
	__le32 prev_log_csum;
	__le64 prev_log;
	__le64 next_log;
	__le64 free_map;
	__le32 free_map_blocks;
	__le32 claim_shift;
	__le16 tries_left;
	__le16 boots;
	__le32 rollback_reason;
	__le64 rollback_time;
	__le32 resumed;
	__le64 prev_sector0;
	__u8 reserved[84];
} __attribute__((packed));

#define BOW_HEADER_SIZE		256u
#define BOW_HEADER_SIZE_GUARD	2048u	/* header_size with bs 4096 and GUARD */

#define BOW_FLAG_GUARD		0x00000001u	/* bytes 1024..2047: guard superblock */
#define BOW_FLAG_FREE_MAP	0x00000002u	/* free_map* are valid */
#define BOW_FLAG_CLAIMS		0x00000004u	/* claim_shift valid, claims are kept */
#define BOW_FLAG_POLICY		0x00000008u	/* tries_left and boots are valid */
#define BOW_FLAG_ROLLBACK	0x00000010u	/* rollback asked for; reason, time valid */
#define BOW_FLAGS_KNOWN		0x0000001fu

enum bow_rollback_reason {
	BOW_REASON_NONE = 0,
	BOW_REASON_USER = 1,		/* an administrator asked for it */
	BOW_REASON_TRIES = 2,		/* no tries left */
	BOW_REASON_CHECK = 3,		/* a health check failed */
};

/*
 * One undoable move: `size` bytes at `source` were copied to `dest` before
 * they were overwritten.  Sectors; size is a multiple of bs.  checksum: raw
 * CRC-32 seeded with (u32)(source / (bs / 512)); 0: not recorded.
 * source == dest with checksum 0 is a claim (v1.1): undoing it does nothing.
 */
struct bow_entry_disk {
	__le64 source;
	__le64 dest;
	__le32 size;
	__le32 checksum;
} __attribute__((packed));

#define BOW_ENTRY_SIZE		24u

/*
 * Finishing record: sector 0 while block 0 is being replaced by its final
 * contents.  Whoever finds a valid one copies the bs bytes at final_sector to
 * block 0: first all but the first write unit, flush, then that.
 *
 *  offset  size  field
 *       0     4  magic           "BOWF"
 *       4     2  version         0x0101
 *       6     2  record_size     128
 *       8     4  block_size      bytes
 *      12     4  record_csum     of these 128 bytes, see bow_disk.h
 *      16     8  final_sector    where the final contents of block 0 are
 *      24     4  final_csum      of those bs bytes (CRC seed 0)
 *      28     4  action          BOW_ACTION_*
 *      32    16  checkpoint_id   zeros when the log was v0 or v1.0
 *      48     8  device_sectors
 *      56     8  created         of the checkpoint, seconds since 1970
 *      64    64  reserved        zeros
 */
struct bow_finish_disk {
	__le32 magic;
	__le16 version;
	__le16 record_size;
	__le32 block_size;
	__le32 record_csum;
	__le64 final_sector;
	__le32 final_csum;
	__le32 action;
	__u8 checkpoint_id[16];
	__le64 device_sectors;
	__le64 created;
	__u8 reserved[64];
} __attribute__((packed));

#define BOW_FINISH_SIZE		128u

enum bow_action {
	BOW_ACTION_ROLLBACK = 1,
	BOW_ACTION_COMMIT = 2,
};

/*
 * A block of the free map: which blocks were free at the checkpoint.  One bit
 * a block of bs bytes, bit n of byte m is block first_block + 8 * m + n, 1 is
 * free.  Blocks that no map block covers were in use.  Fills bs bytes.
 *
 *  offset  size  field
 *       0     4  magic           "BOWM"
 *       4     4  csum            of the bs bytes, see bow_disk.h
 *       8    16  checkpoint_id
 *      24     8  first_block     in blocks of bs bytes, a multiple of 8
 *      32     8  next            sector of the next map block, 0: the last
 *      40     4  index           0, 1, 2 ... along the chain
 *      44     4  bits            bits that count, <= 8 * (bs - 64)
 *      48    16  reserved        zeros
 *      64  bs-64 the bits
 */
struct bow_free_map_disk {
	__le32 magic;
	__le32 csum;
	__u8 checkpoint_id[16];
	__le64 first_block;
	__le64 next;
	__le32 index;
	__le32 bits;
	__u8 reserved[16];
} __attribute__((packed));

#define BOW_FREE_MAP_HEADER	64u

/*
 * Guard superblock: what is changed in the copy of the ext2/3/4 superblock
 * that stays readable at bytes 1024..2047.  Offsets within the superblock, from
 * Linux fs/ext4/ext4.h, struct ext4_super_block.
 */
#define BOW_GUARD_OFFSET	1024u	/* of the superblock in block 0 */
#define BOW_GUARD_SIZE		1024u
#define BOW_EXT4_MAGIC		0xef53u
#define BOW_EXT4_OFF_MAGIC	0x38u	/* __le16 */
#define BOW_EXT4_OFF_COMPAT	0x5cu	/* __le32 */
#define BOW_EXT4_OFF_INCOMPAT	0x60u	/* __le32 */
#define BOW_EXT4_OFF_RO_COMPAT	0x64u	/* __le32 */
#define BOW_EXT4_OFF_UUID	0x68u	/* 16 bytes */
#define BOW_EXT4_OFF_JOURNAL	0xe0u	/* __le32 s_journal_inum */
#define BOW_EXT4_OFF_ORPHAN	0xe8u	/* __le32 s_last_orphan */
#define BOW_EXT4_OFF_CSUM	0x3fcu	/* __le32 crc32c of all before it */
#define BOW_EXT4_HAS_JOURNAL	0x00000004u	/* compat */
#define BOW_EXT4_RECOVER	0x00000004u	/* incompat, needs_recovery */
#define BOW_EXT4_METADATA_CSUM	0x00000400u	/* ro_compat */
#define BOW_EXT4_RO_GUARD	0x80000000u	/* ro_compat bit nobody knows */

#define BOW_DISK_ASSERT(cond) _Static_assert(cond, #cond)

BOW_DISK_ASSERT(sizeof(struct bow_header_v0_disk) == 12);
BOW_DISK_ASSERT(offsetof(struct bow_header_v0_disk, count) == 4);
BOW_DISK_ASSERT(offsetof(struct bow_header_v0_disk, sequence) == 8);

BOW_DISK_ASSERT(sizeof(struct bow_header_v1_disk) == 28);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, header_version) == 4);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, header_size) == 6);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, block_size) == 8);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, count) == 12);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, sequence) == 16);
BOW_DISK_ASSERT(offsetof(struct bow_header_v1_disk, sector0) == 20);

BOW_DISK_ASSERT(sizeof(struct bow_header_disk) == BOW_HEADER_SIZE);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, sequence) == 16);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, sector0) == 20);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, header_csum) == 28);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, entries_csum) == 32);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, prev_count) == 36);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, prev_entries_csum) == 40);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, flags) == 44);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, checkpoint_id) == 48);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, created) == 64);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, fs_uuid) == 72);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, device_sectors) == 88);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, backup0) == 96);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, backup0_csum) == 104);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, prev_log_csum) == 108);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, prev_log) == 112);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, next_log) == 120);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, free_map) == 128);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, free_map_blocks) == 136);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, claim_shift) == 140);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, tries_left) == 144);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, boots) == 146);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, rollback_reason) == 148);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, rollback_time) == 152);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, resumed) == 160);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, prev_sector0) == 164);
BOW_DISK_ASSERT(offsetof(struct bow_header_disk, reserved) == 172);

BOW_DISK_ASSERT(sizeof(struct bow_entry_disk) == BOW_ENTRY_SIZE);
BOW_DISK_ASSERT(offsetof(struct bow_entry_disk, dest) == 8);
BOW_DISK_ASSERT(offsetof(struct bow_entry_disk, size) == 16);
BOW_DISK_ASSERT(offsetof(struct bow_entry_disk, checksum) == 20);

BOW_DISK_ASSERT(sizeof(struct bow_finish_disk) == BOW_FINISH_SIZE);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, record_csum) == 12);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, final_sector) == 16);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, final_csum) == 24);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, action) == 28);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, checkpoint_id) == 32);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, device_sectors) == 48);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, created) == 56);
BOW_DISK_ASSERT(offsetof(struct bow_finish_disk, reserved) == 64);

BOW_DISK_ASSERT(sizeof(struct bow_free_map_disk) == BOW_FREE_MAP_HEADER);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, csum) == 4);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, checkpoint_id) == 8);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, first_block) == 24);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, next) == 32);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, index) == 40);
BOW_DISK_ASSERT(offsetof(struct bow_free_map_disk, bits) == 44);

#endif /* BOW_FORMAT_H */
