// SPDX-License-Identifier: GPL-2.0
/*
 * test_ctl_boot.c - bowctl: the record that the initramfs leaves
 */
#include "../tap.h"
#include "../../control/bowctl.h"

static void parse(struct ctl_boot *b, const char *text)
{
	FILE *in = fmemopen((void *)text, strlen(text), "r");

	CHECK(in != NULL);
	ctl_boot_parse(b, in);
	fclose(in);
}

static bool is(const struct ctl_boot *b, const char *key, const char *value)
{
	const char *is = ctl_boot_fact(b, key);

	return is && strcmp(is, value) == 0;
}

static void test_last_counts(void)
{
	struct ctl_boot b;

	parse(&b, "device=/dev/vda\naction=commit\nstatus=8\n"
		  "action=rollback\nstatus=0\nresult=a=b c\nempty=\n");
	CHECK(b.facts == 5);
	CHECK(is(&b, "action", "rollback") && is(&b, "status", "0"));
	CHECK(is(&b, "device", "/dev/vda") && is(&b, "result", "a=b c"));
	CHECK(is(&b, "empty", ""));
	CHECK(!ctl_boot_fact(&b, "none"));
}

static void test_odd_lines(void)
{
	struct ctl_boot b;
	char text[4096];

	parse(&b, "no equals sign\n=value\n\nk=v");
	CHECK(b.facts == 1 && is(&b, "k", "v"));
	/* Too long a value, and too long a key with its own '='. */
	memset(text, 'x', sizeof(text));
	memcpy(text, "k=", 2);
	memcpy(text + 300, "\na=1\n", 5);
	text[520] = '=';
	text[2000] = '\n';
	memcpy(text + 2001, "b=2\n", 5);
	parse(&b, text);
	CHECK(!ctl_boot_fact(&b, "k"));
	CHECK(is(&b, "a", "1") && is(&b, "b", "2"));
	CHECK(b.facts == 2);
}

static void test_full(void)
{
	struct ctl_boot b;
	char text[4096];
	size_t used = 0;
	int i;

	for (i = 0; i < 2 * CTL_FACTS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "k%d=%d\n", i, i);
	snprintf(text + used, sizeof(text) - used, "k0=last\n");
	parse(&b, text);
	CHECK(b.facts == CTL_FACTS_MAX);
	CHECK(is(&b, "k0", "last"));
}

/* The text for people of `record` has all of the words. */
static void check_text(const char *record, const char *const *words)
{
	char text[2048] = "";
	struct ctl_boot b;
	FILE *out = fmemopen(text, sizeof(text), "w");

	CHECK(out != NULL);
	parse(&b, record);
	ctl_boot_text(out, &b);
	fclose(out);
	printf("# %s", text);
	for (; *words; words++)
		CHECK(strstr(text, *words) != NULL);
}

static void test_text(void)
{
	static const char *const done[] = {
		"rollback, 2026-01-01 00:00:09 UTC, 3 MiB in 7 runs put back",
		"1.234 s", "00ff", "taken 2026-01-01 00:00:00 UTC",
		"because", "it was not committed", NULL
	};
	static const char *const failed[] = {
		"rollback failed (reading at sector 8 failed)", NULL
	};
	static const char *const commit[] = { "commit, 2026", ", 0.005 s", NULL };
	static const char *const alone[] = { "not over the root: no module", NULL };

	check_text("action=rollback\nstatus=0\ntime=1767225609\n"
		   "milliseconds=1234\ncheckpoint=00ff\ncreated=1767225600\n"
		   "bytes=3145728\nruns=7\nreason=it was not committed\n", done);
	check_text("action=rollback\nstatus=8\ntime=1767225609\nbytes=0\n"
		   "error=reading at sector 8 failed\n", failed);
	check_text("action=commit\nstatus=0\ntime=1767225609\n"
		   "milliseconds=5\n", commit);
	check_text("attach_error=no module\n", alone);
}

/* What was not the script's own doing, or nothing. */
static void test_text_decided(void)
{
	static const char *const repaired[] = {
		"at boot        rollback failed (reading failed)",
		", then settled by hand in the rescue shell\n", NULL
	};
	static const char *const by_hand[] = {
		"at boot        settled by hand in the rescue shell\n", NULL
	};
	static const char *const off[] = {
		"at boot        a checkpoint is active: mounted read-only (bow=off)\n",
		NULL
	};
	static const char *const damaged[] = {
		"at boot        the log is damaged: mounted read-only (bow=off)\n",
		NULL
	};

	check_text("reason=x\naction=rollback\nstatus=8\nerror=reading failed\n"
		   "refused=the rollback failed\nsettled=by hand\n", repaired);
	check_text("found=active\nrefused=bow=shell\nsettled=by hand\n", by_hand);
	check_text("mode=off\nfound=active\naction=none\n", off);
	check_text("mode=off\nfound=damaged\naction=none\n", damaged);
}

static void test_text_kernel(void)
{
	static const char *const again[] = {
		"boot before    rollback, 2026",
		"  kernel       Linux 9.9.9 was running, and is no part of this system\n",
		NULL
	};
	static const char *const lacking[] = {
		"at boot        rollback, 2026",
		"Linux 9.9.9 has no modules here: restart, and choose Linux 1.2.3, 4.5\n",
		NULL
	};
	static const char *const crash[] = {
		"boot before    rollback, 2026",
		"  kernel       Linux 1.2.3 was running, after a crash\n", NULL
	};

	check_text("action=rollback\nstatus=0\ntime=1767225609\nsettled=rollback\n"
		   "left=9.9.9\ndevice=/dev/vda\nmode=auto\n"
		   "attached=/dev/mapper/bow-root\n", again);
	check_text("crash=yes\naction=rollback\nstatus=0\ntime=1767225609\n"
		   "settled=rollback\nleft=1.2.3\n", crash);
	check_text("action=rollback\nstatus=0\ntime=1767225609\nsettled=rollback\n"
		   "no_modules=9.9.9\nkernels=1.2.3, 4.5\n", lacking);
}

int main(void)
{
	RUN(test_last_counts, "boot record: the last of a key counts");
	RUN(test_odd_lines, "boot record: odd lines are left out");
	RUN(test_full, "boot record: more facts than there is room for");
	RUN(test_text, "boot record: in words");
	RUN(test_text_decided, "boot record: in words, what was decided by others");
	RUN(test_text_kernel, "boot record: in words, the kernel that was left");
	return tap_done();
}
