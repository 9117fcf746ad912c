// SPDX-License-Identifier: GPL-2.0
/*
 * test_ctl_status.c - bowctl: the lines it reads from the kernel
 */
#include "../tap.h"
#include "../../control/bowctl.h"

static void test_full(void)
{
	struct ctl_status s;
	u64 n;

	CHECK(ctl_status_parse(&s, "checkpoint ok 4096 81920 "
				   "id:00112233445566778899aabbccddeeff "
				   "created:1767225600 entries:17 "
				   "copied_sectors:1234\n") == 0);
	CHECK(s.state == CTL_STATE_CHECKPOINT && s.block_size == 4096);
	CHECK(strcmp(s.health, "ok") == 0 && s.free_sectors == 81920);
	CHECK(s.facts == 4);
	CHECK(strcmp(ctl_status_fact(&s, "id"),
		     "00112233445566778899aabbccddeeff") == 0);
	CHECK(!ctl_status_number(&s, "id", &n));
	CHECK(ctl_status_number(&s, "created", &n) && n == 1767225600);
	CHECK(!ctl_status_fact(&s, "none"));
	CHECK(!ctl_status_number(&s, "none", &n));
}

static void test_states(void)
{
	struct ctl_status s;

	CHECK(ctl_status_parse(&s, "trim ok 512 0") == 0);
	CHECK(s.state == CTL_STATE_TRIM && s.facts == 0);
	CHECK(ctl_status_parse(&s, "committed failed 4096 8 x:y") == 0);
	CHECK(s.state == CTL_STATE_COMMITTED);
	CHECK(strcmp(ctl_state_name(s.state), "committed") == 0);
	CHECK(strcmp(s.health, "failed") == 0);
	CHECK(ctl_status_parse(&s, "resume ok 4096 8") == 0);
	CHECK(s.state == CTL_STATE_RESUME);
	CHECK(strcmp(ctl_state_name(s.state), "resume") == 0);
}

static void test_refused(void)
{
	static const char *const bad[] = {
		"", " ", "trim", "trim ok", "trim ok 4096", "active ok 4096 0",
		"trim ok 4095 0", "trim ok 0 0", "trim ok 4096 -1",
		"trim ok 4096 0x10", "trim ok 4096 18446744073709551616",
		"trim ok 4096 1 fact", "trim ok 4096 1 :value",
		"trim 01234567890123456789 4096 1",
		"trim ok 4096 1 k:0123456789012345678901234567890123456789012345678",
		"trim ok 4096 1 k23456789012345678901234567890123:1",
	};
	struct ctl_status s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		printf("# %s\n", bad[i]);
		CHECK(ctl_status_parse(&s, bad[i]) != 0);
	}
	CHECK(ctl_status_parse(&s, "trim ok 4096 18446744073709551615") == 0);
	CHECK(s.free_sectors == UINT64_MAX);
}

static void test_too_many(void)
{
	char line[32 + 4 * (CTL_FACTS_MAX + 1)] = "trim ok 4096 0";
	struct ctl_status s;
	int i;

	for (i = 0; i < CTL_FACTS_MAX; i++)
		strcat(line, " k:1");
	CHECK(ctl_status_parse(&s, line) == 0 && s.facts == CTL_FACTS_MAX);
	strcat(line, " k:1");
	CHECK(ctl_status_parse(&s, line) != 0);
}

static void test_table(void)
{
	char device[8];

	CHECK(ctl_table_device("8:2", device, sizeof(device)) == 0);
	CHECK(strcmp(device, "8:2") == 0);
	CHECK(ctl_table_device("8:2 1 block_size:512", device,
			       sizeof(device)) == 0);
	CHECK(strcmp(device, "8:2") == 0);
	CHECK(ctl_table_device("", device, sizeof(device)) != 0);
	CHECK(ctl_table_device("1234:5678", device, sizeof(device)) != 0);
}

static void test_swaps(void)
{
	char path[4096];

	CHECK(ctl_swap_parse(path, "Filename\t\t\t\tType\t\tSize\t\tUsed\n") != 0);
	CHECK(ctl_swap_parse(path, "/dev/vda2                               "
				   "partition\t1000\t\t0\t\t-2\n") != 0);
	CHECK(ctl_swap_parse(path, "/swap\\040file                           "
				   "file\t\t2097148\t\t0\t\t-3\n") == 0);
	CHECK(strcmp(path, "/swap file") == 0);
	CHECK(ctl_swap_parse(path, "") != 0);
}

static void test_mountinfo(void)
{
	static struct ctl_mount m;

	CHECK(ctl_mountinfo_parse(&m, "36 35 253:0 / / rw,relatime shared:1 "
				      "- ext4 /dev/mapper/bow-root rw\n") == 0);
	CHECK(m.major == 253 && m.minor == 0 && m.whole);
	CHECK(strcmp(m.path, "/") == 0 && strcmp(m.type, "ext4") == 0);
	CHECK(ctl_mountinfo_parse(&m, "36 35 8:17 /a\\040b /mnt/a\\040b\\134c rw "
				      "- xfs /dev/sdb1 rw\n") == 0);
	CHECK(strcmp(m.path, "/mnt/a b\\c") == 0);
	CHECK(strcmp(m.type, "xfs") == 0 && !m.whole);
	CHECK(ctl_mountinfo_parse(&m, "36 35 8:17 / /mnt\\04 rw a:1 b:2 c "
				      "- ext4 x rw") == 0);
	CHECK(strcmp(m.path, "/mnt\\04") == 0);
	CHECK(ctl_mountinfo_parse(&m, "") != 0);
	CHECK(ctl_mountinfo_parse(&m, "36 35 8:17 / /mnt rw") != 0);
	CHECK(ctl_mountinfo_parse(&m, "36 35 8-17 / /mnt rw - ext4 x rw") != 0);
}

/* A disk that fails must not look like one without a checkpoint. */
static void test_exit(void)
{
	CHECK(ctl_exit(0) == BOW_EXIT_OK);
	CHECK(ctl_exit(-CTL_NO_BOW) == BOW_EXIT_NO_LOG);
	CHECK(ctl_exit(-CTL_NO_CHECKPOINT) == BOW_EXIT_NO_LOG);
	CHECK(ctl_exit(-EINTR) == BOW_EXIT_INTERRUPTED);
	CHECK(ctl_exit(-ENODEV) == BOW_EXIT_ERROR);
	CHECK(ctl_exit(-ENODATA) == BOW_EXIT_ERROR);
}

int main(void)
{
	RUN(test_full, "status: all fields and facts");
	RUN(test_states, "status: every state");
	RUN(test_refused, "status: lines that are refused");
	RUN(test_too_many, "status: more facts than there is room for");
	RUN(test_table, "table: the device below");
	RUN(test_swaps, "swaps: files, and what is none");
	RUN(test_mountinfo, "mountinfo: mount points, escapes, types");
	RUN(test_exit, "exit status: of each failure");
	return tap_done();
}
