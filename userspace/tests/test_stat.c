// SPDX-License-Identifier: GPL-2.0
/*
 * Live counters: a tree as the module makes it, odd ones, and the report.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../stat.h"
#include "ktap.h"

static char root[64];
static struct stat_list list, later;
static struct diag diag;
static char report[65536];

static void put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	f = fopen(full, "we");
	if (!f || fputs(text, f) < 0 || fclose(f))
		abort();
}

static void folder(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	if (mkdir(full, 0700))
		abort();
}

static void clear(void)
{
	char command[160];

	snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", root, root);
	if (system(command))
		abort();
}

static int print(const struct stat_list *before, bool all)
{
	FILE *f = fmemopen(report, sizeof(report), "w");
	int ret;

	if (!f)
		abort();
	ret = stat_print(f, &list, before, all);
	fclose(f);
	return ret;
}

static void tree(void)
{
	clear();
	folder("12-3");
	put("12-3/pages_4k", "7\n");
	put("12-3/zeros", "0\n");
	folder("12-3/vcpu0");
	put("12-3/vcpu0/native", "18446744073709551615\n");
	put("12-3/vcpu0/soft_trap", "5\n");
	folder("9-4");
	put("9-4/pages_4k", "1\n");
}

static void reads(void)
{
	tree();
	CHECK_EQ(stat_read(root, &list, &diag), 0);
	CHECK_EQ(list.n, 5);
	CHECK_EQ(print(NULL, false), 0);
	CHECK(!strcmp(report,
		      "12-3\n"
		      "  pages_4k                                    7\n"
		      "12-3 vcpu0\n"
		      "  native                   18446744073709551615\n"
		      "  soft_trap                                   5\n"
		      "9-4\n"
		      "  pages_4k                                    1\n"));
	CHECK_EQ(print(NULL, true), 0);
	CHECK(strstr(report, "  zeros                                       0\n"));
	stat_free(&list);
}

/* Growth, a counter that shrinks, a VM that came. */
static void grows(void)
{
	tree();
	CHECK_EQ(stat_read(root, &later, &diag), 0);
	put("12-3/vcpu0/soft_trap", "12\n");
	put("12-3/pages_4k", "3\n");
	folder("13-3");
	put("13-3/pages_4k", "8\n");
	CHECK_EQ(stat_read(root, &list, &diag), 0);
	CHECK_EQ(print(&later, false), 0);
	CHECK(strstr(report, "  soft_trap                                  12             +7\n"));
	CHECK(strstr(report, "  pages_4k                                    3             -4\n"));
	CHECK(strstr(report, "13-3\n  pages_4k                                    8\n"));
	stat_free(&later);
	stat_free(&list);
}

/* What is no counter is passed over: it may be anybody's. */
static void odd(void)
{
	char path[128];

	clear();
	put("loose", "1\n");
	folder("1-1");
	put("1-1/empty", "");
	put("1-1/word", "x\n");
	put("1-1/minus", "-1\n");
	put("1-1/large", "99999999999999999999\n");
	put("1-1/two words", "1\n");
	put("1-1/\x1b[2J", "1\n");
	put("1-1/good", "1\n");
	folder("1-1/vcpu0");
	folder("1-1/vcpu0/deep");
	put("1-1/vcpu0/deep/er", "1\n");
	snprintf(path, sizeof(path), "%s/1-1/link", root);
	if (symlink("good", path))
		abort();
	snprintf(path, sizeof(path), "%s/1-1/fifo", root);
	if (mkfifo(path, 0600))
		abort();
	CHECK_EQ(stat_read(root, &list, &diag), 0);
	CHECK_EQ(list.n, 1);
	CHECK_EQ(print(NULL, true), 0);
	CHECK(!strcmp(report, "1-1\n  good                                        1\n"));
	stat_free(&list);
}

static void nothing(void)
{
	clear();
	CHECK_EQ(stat_read(root, &list, &diag), 0);
	CHECK_EQ(print(NULL, false), 0);
	CHECK(!strcmp(report, "no VMs\n"));
	rmdir(root);
	CHECK_EQ(stat_read(root, &list, &diag), -1);
	CHECK(strstr(diag.text, "modprobe ringvm"));
}

static const struct test tests[] = {
	{ "stat_reads", reads },
	{ "stat_grows", grows },
	{ "stat_odd", odd },
	{ "stat_nothing", nothing },
};

int main(void)
{
	snprintf(root, sizeof(root), "/tmp/ringvm-stat-%d", (int)getpid());
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
