// SPDX-License-Identifier: GPL-2.0
/*
 * record.c - the log of the device-mapper target log-writes
 *
 * Sector 0 has a magic number, the version and the number of entries.  Each
 * entry is a sector, then the data, if it is a write.  A mark has its name
 * behind the head.  What was not flushed when a flush was sent stands before
 * it; a FUA write stands where it was complete.  All integers little-endian.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "logwrites.h"

#define MAGIC 0x6a736677736872ull
#define HEAD 32u		/* sector, sectors, flags, bytes of data */

static u64 get(const u8 *p)
{
	return bow_get_le32(p) | (u64)bow_get_le32(p + 4) << 32;
}

/* The entry at `at`; where the next one is. */
static u64 read_event(struct event *e, const u8 *log, u64 at, u64 bytes)
{
	const u8 *p = log + at;
	u64 sector, sectors, length;

	if (at + BOW_SECTOR_SIZE > bytes)
		die("the recording ends early");
	sector = get(p);
	sectors = get(p + 8);
	e->flags = get(p + 16);
	length = get(p + 24);
	if (sector > UINT32_MAX || sectors > UINT32_MAX ||
	    length >= sizeof(e->mark))
		die("not an entry, at byte %llu", (unsigned long long)at);
	e->sector = (u32)sector;
	e->sectors = (u32)sectors;
	at += BOW_SECTOR_SIZE;
	if (e->flags & EVENT_MARK) {
		memcpy(e->mark, p + HEAD, length);
		e->sectors = 0;
		return at;
	}
	if (e->flags & EVENT_DISCARD || !sectors)
		return at;
	e->data = log + at;
	at += sectors * BOW_SECTOR_SIZE;
	if (at > bytes)
		die("the recording ends early");
	return at;
}

void recording_read(struct recording *r, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	u64 at = BOW_SECTOR_SIZE;
	u8 *log;
	u32 i;

	if (fd < 0 || fstat(fd, &st) || st.st_size < (off_t)BOW_SECTOR_SIZE)
		die("%s: cannot be read", path);
	log = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (log == MAP_FAILED || get(log) != MAGIC || get(log + 8) != 1 ||
	    bow_get_le32(log + 24) != BOW_SECTOR_SIZE)
		die("%s: not a recording of log-writes, version 1", path);
	if (get(log + 16) > (u64)st.st_size / BOW_SECTOR_SIZE)
		die("%s: too many entries", path);
	r->count = (u32)get(log + 16);
	r->events = calloc(r->count + 1, sizeof(*r->events));
	if (!r->events)
		die("no memory");
	for (i = 0; i < r->count; i++)
		at = read_event(&r->events[i], log, at, (u64)st.st_size);
}
