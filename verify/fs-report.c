// SPDX-License-Identifier: GPL-2.0
/*
 * fs-report.c - what was found of the filesystems, for people and as JSON
 */
#include <e2p/e2p.h>

#include "fs.h"

/* ---- facts of a superblock ---- */

typedef struct ext2_super_block super_block;

struct fact {
	const char *key;	/* of JSON */
	const char *name;
	u64 (*number)(const super_block *sb);	/* or */
	void (*text)(const super_block *sb, char *buf, size_t bytes);
	bool time;		/* the number is one of seconds */
};

/* What was read from the disk may be anything. */
static void put_clean(char *buf, size_t bytes, const void *text, size_t most)
{
	const char *s = text;
	size_t i;

	for (i = 0; i < most && i + 1 < bytes && s[i]; i++)
		buf[i] = s[i] >= ' ' && s[i] <= '~' ? s[i] : '?';
	buf[i] = '\0';
}

static void uuid(const super_block *sb, char *buf, size_t bytes)
{
	u8 copy[16];

	memcpy(copy, sb->s_uuid, sizeof(copy));
	snprintf(buf, bytes, "%s", e2p_uuid2str(copy));
}

static void label(const super_block *sb, char *buf, size_t bytes)
{
	put_clean(buf, bytes, sb->s_volume_name, sizeof(sb->s_volume_name));
}

static void mounted_on(const super_block *sb, char *buf, size_t bytes)
{
	put_clean(buf, bytes, sb->s_last_mounted, sizeof(sb->s_last_mounted));
}

static void state(const super_block *sb, char *buf, size_t bytes)
{
	FILE *f = fmemopen(buf, bytes, "w");

	buf[0] = '\0';
	if (!f)
		return;
	print_fs_state(f, sb->s_state);
	fclose(f);
	/* " not clean" */
	if (buf[0] == ' ')
		memmove(buf, buf + 1, strlen(buf));
}

static void add_features(char *buf, size_t bytes, int set, __u32 mask)
{
	size_t used = strlen(buf);
	__u32 bit;

	for (bit = 1; bit; bit <<= 1) {
		if (!(mask & bit))
			continue;
		snprintf(buf + used, bytes - used, "%s%s", used ? " " : "",
			 e2p_feature2string(set, bit));
		used += strlen(buf + used);
	}
}

static void features(const super_block *sb, char *buf, size_t bytes)
{
	buf[0] = '\0';
	add_features(buf, bytes, E2P_FEATURE_COMPAT, sb->s_feature_compat);
	add_features(buf, bytes, E2P_FEATURE_INCOMPAT, sb->s_feature_incompat);
	add_features(buf, bytes, E2P_FEATURE_RO_INCOMPAT,
		     sb->s_feature_ro_compat);
}

static u64 block_size(const super_block *sb)
{
	return sb->s_log_block_size <= 6 ? 1024ull << sb->s_log_block_size : 0;
}

static u64 wide(const super_block *sb, __u32 low, __u32 high)
{
	return low | (sb->s_feature_incompat & EXT4_FEATURE_INCOMPAT_64BIT ?
			      (u64)high << 32 : 0);
}

static u64 blocks(const super_block *sb)
{
	return wide(sb, sb->s_blocks_count, sb->s_blocks_count_hi);
}

static u64 free_blocks(const super_block *sb)
{
	return wide(sb, sb->s_free_blocks_count, sb->s_free_blocks_hi);
}

static u64 inodes(const super_block *sb)
{
	return sb->s_inodes_count;
}

static u64 free_inodes(const super_block *sb)
{
	return sb->s_free_inodes_count;
}

static u64 mounts(const super_block *sb)
{
	return sb->s_mnt_count;
}

static u64 mounted(const super_block *sb)
{
	return sb->s_mtime | (u64)sb->s_mtime_hi << 32;
}

static u64 written(const super_block *sb)
{
	return sb->s_wtime | (u64)sb->s_wtime_hi << 32;
}

static const struct fact facts[] = {
	{ "uuid", "UUID", NULL, uuid, false },
	{ "label", "label", NULL, label, false },
	{ "state", "state", NULL, state, false },
	{ "features", "features", NULL, features, false },
	{ "block_size", "block size", block_size, NULL, false },
	{ "blocks", "blocks", blocks, NULL, false },
	{ "free_blocks", "free blocks", free_blocks, NULL, false },
	{ "inodes", "inodes", inodes, NULL, false },
	{ "free_inodes", "free inodes", free_inodes, NULL, false },
	{ "mounts", "mounts", mounts, NULL, false },
	{ "mounted_on", "mounted on", NULL, mounted_on, false },
	{ "mounted", "mounted at", mounted, NULL, true },
	{ "written", "written at", written, NULL, true },
};

#define FACTS (sizeof(facts) / sizeof(facts[0]))
#define FACT_MAX 1024

static void fact_text(const struct fact *fact, const struct fs_view *v,
		      char buf[FACT_MAX])
{
	buf[0] = '\0';
	if (!v->has_super)
		snprintf(buf, FACT_MAX, "-");
	else if (fact->time)
		text_time(buf, fact->number(&v->super));
	else if (fact->number)
		snprintf(buf, FACT_MAX, "%llu",
			 (unsigned long long)fact->number(&v->super));
	else
		fact->text(&v->super, buf, FACT_MAX);
}

/* Old and new side by side; long values one above the other. */
static void facts_table(FILE *out, const struct fs_findings *f)
{
	char old[FACT_MAX], now[FACT_MAX];
	size_t i;

	if (!f->old.has_super && !f->now.has_super)
		return;
	fprintf(out, "  %-12s %-38s %s\n", "superblock", "after a rollback",
		"at present");
	for (i = 0; i < FACTS; i++) {
		fact_text(&facts[i], &f->old, old);
		fact_text(&facts[i], &f->now, now);
		if (strlen(old) <= 38)
			fprintf(out, "  %-12s %-38s %s\n", facts[i].name, old,
				now);
		else
			fprintf(out, "  %-12s %s\n  %-51s %s\n", facts[i].name,
				old, "", strcmp(old, now) ? now : "the same");
	}
}

/* ---- verdicts ---- */

static const char *verdict(const struct fs_view *v)
{
	switch (v->verdict) {
	case FS_SOUND:
		return "sound";
	case FS_DAMAGED:
		return "damaged";
	case FS_UNREADABLE:
		return "unreadable";
	case FS_NOT_CHECKED:
		return "not checked";
	default:
		return "absent";
	}
}

static void verdict_text(FILE *out, const char *which, const struct fs_view *v)
{
	fprintf(out, "filesystem %s: %s", which,
		v->verdict == FS_DAMAGED ? "DAMAGED" : verdict(v));
	if (v->verdict == FS_NOT_CHECKED)
		fprintf(out, ": %s", v->reason);
	else if (v->journal.pending)
		fprintf(out, ", with its journal replayed");
	fputc('\n', out);
}

static void cross_text(FILE *out, const struct fs_cross *c)
{
	char size[TEXT_MAX];

	fprintf(out, "old bitmaps and log: %s\n",
		c->faults.count ? "DO NOT AGREE" :
		c->done		? "agree" : "not compared");
	if (!c->done)
		return;
	fprintf(out, "free at the checkpoint: %s",
		text_size(size, c->bitmap_bytes));
	if (c->map_bytes)
		fprintf(out, ", for old contents: %s",
			text_size(size, c->map_bytes));
	fputc('\n', out);
	if (c->put_back_free)
		fprintf(out, "put back without need, it was free: %s\n",
			text_size(size, c->put_back_free));
}

void fs_text(FILE *out, const struct fs_findings *f, bool verbose)
{
	if (f->old.verdict != FS_ABSENT)
		verdict_text(out, "after a rollback", &f->old);
	if (f->now.verdict == FS_DAMAGED || f->now.verdict == FS_UNREADABLE ||
	    (f->now.verdict != FS_ABSENT && verbose))
		verdict_text(out, "at present", &f->now);
	if (f->cross.faults.count || (f->cross.done && verbose))
		cross_text(out, &f->cross);
	if (verbose)
		facts_table(out, f);
}

static void messages(const char *program, const char *device, const char *whose,
		     const struct fs_faults *faults)
{
	char text[320];
	u64 i;

	for (i = 0; i < faults->count && i < FS_FAULTS_MAX; i++) {
		fs_fault_text(&faults->fault[i], text, sizeof(text));
		fprintf(stderr, "%s: %s: %s%s\n", program, device, whose, text);
	}
	if (faults->count > FS_FAULTS_MAX)
		fprintf(stderr, "%s: %s: %sand %llu more\n", program, device,
			whose,
			(unsigned long long)(faults->count - FS_FAULTS_MAX));
}

void fs_messages(const char *program, const char *device,
		 const struct fs_findings *f)
{
	messages(program, device, "old filesystem: ", &f->old.faults);
	messages(program, device, "present filesystem: ", &f->now.faults);
	messages(program, device, "", &f->cross.faults);
}

/* ---- JSON ---- */

static void faults_json(struct json *j, const char *name,
			const struct fs_faults *faults)
{
	char text[320];
	u64 i;

	json_array(j, name);
	for (i = 0; i < faults->count && i < FS_FAULTS_MAX; i++) {
		const struct fs_fault *fault = &faults->fault[i];

		fs_fault_text(fault, text, sizeof(text));
		json_object(j, NULL);
		json_string(j, "message", text);
		if (fault->in_entry) {
			json_u64(j, "log_block", fault->sequence);
			json_u64(j, "entry", fault->entry);
		}
		if (fault->in_group)
			json_u64(j, "group", fault->group);
		if (fault->in_block)
			json_u64(j, "block", fault->block);
		json_close_object(j);
	}
	json_close_array(j);
}

static void view_json(struct json *j, const char *name, const struct fs_view *v)
{
	char buf[FACT_MAX];
	size_t i;

	json_object(j, name);
	json_string(j, "verdict", verdict(v));
	if (v->verdict == FS_NOT_CHECKED)
		json_string(j, "reason", v->reason);
	if (v->journal.pending)
		json_u64(j, "journal_transactions", v->journal.transactions);
	for (i = 0; v->has_super && i < FACTS; i++) {
		if (facts[i].number) {
			json_u64(j, facts[i].key, facts[i].number(&v->super));
			continue;
		}
		fact_text(&facts[i], v, buf);
		json_string(j, facts[i].key, buf);
	}
	json_u64(j, "fault_count", v->faults.count);
	faults_json(j, "faults", &v->faults);
	json_close_object(j);
}

void fs_json(struct json *j, const struct fs_findings *f)
{
	view_json(j, "old_filesystem", &f->old);
	view_json(j, "present_filesystem", &f->now);
	json_object(j, "bitmaps");
	json_bool(j, "compared", f->cross.done);
	json_u64(j, "free_bytes", f->cross.bitmap_bytes);
	json_u64(j, "free_map_bytes", f->cross.map_bytes);
	json_u64(j, "put_back_free_bytes", f->cross.put_back_free);
	json_u64(j, "fault_count", f->cross.faults.count);
	faults_json(j, "faults", &f->cross.faults);
	json_close_object(j);
}
