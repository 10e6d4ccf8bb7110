/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KTAP for the launcher's host-side tests (Documentation/dev-tools/ktap.rst).
 *
 * A test program is a table of functions.  A function fails by any CHECK()
 * that does not hold; each says where and what, as a diagnostic line.
 */
#ifndef TEST_KTAP_H
#define TEST_KTAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct test {
	const char *name;
	void (*run)(void);
};

static bool test_failed;
static const char *test_skip;

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("# %s:%d: not true: %s\n", __FILE__,	\
			       __LINE__, #cond);			\
			test_failed = true;				\
		}							\
	} while (0)

#define CHECK_EQ(a, b)							\
	do {								\
		unsigned long long a_ = (unsigned long long)(a);	\
		unsigned long long b_ = (unsigned long long)(b);	\
		if (a_ != b_) {						\
			printf("# %s:%d: %s is 0x%llx, not 0x%llx (%s)\n", \
			       __FILE__, __LINE__, #a, a_, b_, #b);	\
			test_failed = true;				\
		}							\
	} while (0)

/* A deterministic generator (xorshift64*): the seed is all its state. */
static inline uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static inline int run_tests(const struct test *tests, unsigned int count)
{
	unsigned int i, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", count);
	for (i = 0; i < count; i++) {
		test_failed = false;
		test_skip = NULL;
		tests[i].run();
		if (test_skip && !test_failed)
			printf("ok %u %s # SKIP %s\n", i + 1, tests[i].name,
			       test_skip);
		else
			printf("%sok %u %s\n", test_failed ? "not " : "",
			       i + 1, tests[i].name);
		bad += test_failed;
	}
	return bad ? 1 : 0;
}

#define TEST_MAIN(tests)						\
	int main(void)							\
	{								\
		return run_tests(tests,					\
				 sizeof(tests) / sizeof((tests)[0]));	\
	}

#endif
