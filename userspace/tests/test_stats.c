// SPDX-License-Identifier: GPL-2.0
/*
 * The reader of binary statistics: a good file, hostile ones, mutated ones.
 */
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "../stats.h"
#include "ktap.h"

#define NAME_SIZE	48u
#define DESC_SIZE	(sizeof(struct kvm_stats_desc) + NAME_SIZE)
#define DESC_AT		(sizeof(struct kvm_stats_header) + NAME_SIZE)
#define DATA_AT		(DESC_AT + 3 * DESC_SIZE)
#define FILE_SIZE	(DATA_AT + 6 * 8)

static uint8_t file[FILE_SIZE];
static struct diag diag;
static char seen[4096];
static unsigned int calls;

static void collect(void *ctx, const char *name, int index, uint64_t value)
{
	size_t at = strlen(seen);

	(void)ctx;
	calls++;
	snprintf(seen + at, sizeof(seen) - at, "%s/%d=%llu ", name, index,
		 (unsigned long long)value);
}

static void put_desc(unsigned int i, const char *name, uint16_t size,
		     uint32_t offset)
{
	struct kvm_stats_desc desc = { .size = size, .offset = offset };
	uint8_t *at = file + DESC_AT + i * DESC_SIZE;

	memcpy(at, &desc, sizeof(desc));
	memset(at + sizeof(desc), 0, NAME_SIZE);
	memcpy(at + sizeof(desc), name, strlen(name));
}

static void put_header(uint32_t name_size, uint32_t num, uint32_t desc,
		       uint32_t data)
{
	struct kvm_stats_header h = {
		.name_size = name_size, .num_desc = num,
		.id_offset = sizeof(h), .desc_offset = desc,
		.data_offset = data,
	};

	memcpy(file, &h, sizeof(h));
}

static void make(void)
{
	uint64_t v[6] = { 7, 10, 20, 30, ~0ull, 0 };

	memset(file, 0, sizeof(file));
	put_header(NAME_SIZE, 3, DESC_AT, DATA_AT);
	put_desc(0, "exits", 1, 0);
	put_desc(1, "hist", 3, 8);
	put_desc(2, "last", 1, 32);
	memcpy(file + DATA_AT, v, sizeof(v));
}

static int parse(size_t size)
{
	int fd = memfd_create("stats", MFD_CLOEXEC), ret;

	if (fd < 0 || write(fd, file, size) != (ssize_t)size)
		abort();
	seen[0] = '\0';
	calls = 0;
	diag.text[0] = '\0';
	ret = stats_read(fd, collect, NULL, &diag);
	close(fd);
	return ret;
}

static bool refused(size_t size, const char *part)
{
	if (parse(size) == -1 && strstr(diag.text, part) &&
	    !strchr(diag.text, '\n'))
		return true;
	printf("# wanted '%s', got '%s'\n", part, diag.text);
	return false;
}

static void good(void)
{
	make();
	CHECK(!parse(FILE_SIZE));
	CHECK(!strcmp(seen, "exits/-1=7 hist/0=10 hist/1=20 hist/2=30 last/-1=18446744073709551615 "));
	put_header(NAME_SIZE, 0, DESC_AT, DATA_AT);
	CHECK(!parse(FILE_SIZE));
	CHECK_EQ(calls, 0);
}

static void truncated(void)
{
	size_t size;

	make();
	CHECK(refused(0, "header"));
	CHECK(refused(sizeof(struct kvm_stats_header) - 1, "header"));
	CHECK(refused(DESC_AT, "descriptor 0"));
	CHECK(refused(DATA_AT, "data of 'exits'"));
	for (size = 0; size < DATA_AT + 40; size++)
		CHECK(parse(size) == -1 && diag.text[0]);
	CHECK(!parse(DATA_AT + 40));
}

static void hostile_header(void)
{
	make();
	put_header(0, 3, DESC_AT, DATA_AT);
	CHECK(refused(FILE_SIZE, "no sense"));
	put_header(0xffffffff, 3, DESC_AT, DATA_AT);
	CHECK(refused(FILE_SIZE, "no sense"));
	put_header(NAME_SIZE, 0xffffffff, DESC_AT, DATA_AT);
	CHECK(refused(FILE_SIZE, "no sense"));
	put_header(NAME_SIZE, 4096, DESC_AT, DATA_AT);
	CHECK(parse(FILE_SIZE) == -1);
	put_header(NAME_SIZE, 3, 0xffffffff, DATA_AT);
	CHECK(refused(FILE_SIZE, "descriptor 0"));
	put_header(NAME_SIZE, 3, DESC_AT, 0xffffffff);
	CHECK(refused(FILE_SIZE, "data of 'exits'"));
}

static void hostile_descriptors(void)
{
	make();
	put_desc(1, "zero", 0, 8);
	CHECK(refused(FILE_SIZE, "'zero' has 0 values"));
	put_desc(1, "huge", 0xffff, 8);
	CHECK(refused(FILE_SIZE, "'huge' has 65535 values"));
	put_desc(1, "far", 1, 0xffffffff);
	CHECK(refused(FILE_SIZE, "data of 'far'"));
	make();
	put_desc(0, "a\x1b[2Jb c\n", 1, 0);	/* nothing for the terminal */
	CHECK(!parse(FILE_SIZE));
	CHECK(!strncmp(seen, "a?[2Jb?c?/-1=7 ", 15));
	make();
	memset(file + DESC_AT + sizeof(struct kvm_stats_desc), 'n', NAME_SIZE);
	CHECK(!parse(FILE_SIZE));		/* a name without its NUL */
	CHECK_EQ(strcspn(seen, "/"), NAME_SIZE - 1);
}

static void fuzz(void)
{
	uint64_t seed = 0x57a75, r;
	unsigned int i, n, good_ones = 0;

	printf("# seed 0x%llx, 100000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 100000 && !test_failed; i++) {
		make();
		for (n = 1 + (unsigned int)(test_random(&seed) % 4); n; n--) {
			r = test_random(&seed);
			file[(r >> 16) % (r & 1 ? sizeof(file) :
					  sizeof(struct kvm_stats_header))] =
				(uint8_t)(r >> 8);
		}
		if (parse(test_random(&seed) % 4 ? FILE_SIZE :
			  test_random(&seed) % FILE_SIZE))
			CHECK(diag.text[0] && !strchr(diag.text, '\n'));
		else
			good_ones++;
	}
	CHECK(good_ones > 100);
}

static const struct test tests[] = {
	{ "stats_good", good },
	{ "stats_truncated", truncated },
	{ "stats_hostile_header", hostile_header },
	{ "stats_hostile_descriptors", hostile_descriptors },
	{ "stats_fuzz", fuzz },
};

TEST_MAIN(tests)
