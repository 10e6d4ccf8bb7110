/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small KTAP producer (Documentation/dev-tools/ktap.rst), header only.
 *
 * A program lists its cases in an array of struct ktap_case and returns
 * ktap_run(cases, KTAP_COUNT(cases)) from main().  A failed ASSERT ends its
 * case, not the program; EXPECT records the failure and goes on.  Asserting
 * is for the main thread; other threads only EXPECT.
 */
#ifndef RVM_SELFTESTS_KTAP_H
#define RVM_SELFTESTS_KTAP_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Exit statuses of kselftest: the runner tells a skip from a pass by them. */
#define KTAP_EXIT_PASS	0
#define KTAP_EXIT_FAIL	1
#define KTAP_EXIT_SKIP	4

#define KTAP_DEADLINE	120	/* seconds for a whole program, emulated hosts are slow */

struct ktap_case {
	const char *name;
	void (*run)(void);
};

struct ktap_state {
	sigjmp_buf out;
	volatile int failed;		/* of the running case */
	volatile int skipped;
	const char *current;
	char why[160];
	void (*teardown)(void);		/* after each case, also after a failed one */
	unsigned int deadline;		/* seconds, 0 = KTAP_DEADLINE */
};

/* Weak, so that every file of a program shares the one object. */
__attribute__((weak)) struct ktap_state ktap;

#define KTAP_COUNT(a)	(sizeof(a) / sizeof((a)[0]))

__attribute__((format(printf, 1, 2)))
static inline void ktap_diag(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One write: lines of several threads and processes stay whole. */
	printf("# %s\n", line);
	fflush(stdout);
}

static inline void ktap_alarm(int sig)
{
	static const char msg[] = "\nBail out! deadline passed\n";
	ssize_t n;

	(void)sig;
	n = write(STDOUT_FILENO, msg, sizeof(msg) - 1);
	(void)n;
	_exit(KTAP_EXIT_FAIL);
}

__attribute__((noreturn))
static inline void ktap_skip_all(const char *why)
{
	printf("KTAP version 1\n1..0 # SKIP %s\n", why);
	exit(KTAP_EXIT_SKIP);
}

__attribute__((noreturn))
static inline void ktap_abort_case(void)
{
	siglongjmp(ktap.out, 1);
}

/* Apart, so that siglongjmp() finds no local of ktap_run() in a register. */
__attribute__((noinline, unused))
static void ktap_run_case(void (*run)(void))
{
	if (!sigsetjmp(ktap.out, 1))
		run();
}

static inline int ktap_run(const struct ktap_case *cases, int n)
{
	int i, fails = 0, skips = 0;

	signal(SIGALRM, ktap_alarm);
	alarm(ktap.deadline ? ktap.deadline : KTAP_DEADLINE);
	printf("KTAP version 1\n1..%d\n", n);
	fflush(stdout);
	for (i = 0; i < n; i++) {
		ktap.failed = ktap.skipped = 0;
		ktap.current = cases[i].name;
		ktap_run_case(cases[i].run);
		if (ktap.teardown)
			ktap_run_case(ktap.teardown);
		if (ktap.failed) {
			fails++;
			printf("not ok %d %s\n", i + 1, cases[i].name);
		} else if (ktap.skipped) {
			skips++;
			printf("ok %d %s # SKIP %s\n", i + 1, cases[i].name, ktap.why);
		} else {
			printf("ok %d %s\n", i + 1, cases[i].name);
		}
		fflush(stdout);
	}
	printf("# Totals: pass:%d fail:%d skip:%d\n", n - fails - skips, fails, skips);
	fflush(stdout);
	if (fails)
		return KTAP_EXIT_FAIL;
	return skips == n ? KTAP_EXIT_SKIP : KTAP_EXIT_PASS;
}

#define SKIP(...) do {							\
	snprintf(ktap.why, sizeof(ktap.why), __VA_ARGS__);		\
	ktap.skipped = 1;						\
	ktap_abort_case();						\
} while (0)

#define KTAP_FAIL_(fmt, ...) do {					\
	ktap.failed = 1;						\
	ktap_diag("%s:%d: " fmt, __FILE__, __LINE__, ##__VA_ARGS__);	\
} while (0)

#define FAIL(fmt, ...) do {						\
	KTAP_FAIL_(fmt, ##__VA_ARGS__);					\
	ktap_abort_case();						\
} while (0)

#define KTAP_COND_(cond, act) do {					\
	if (!(cond)) {							\
		KTAP_FAIL_("false: %s", #cond);				\
		act;							\
	}								\
} while (0)

#define KTAP_EQ_(a, b, act) do {					\
	unsigned long long a_ = (unsigned long long)(a);		\
	unsigned long long b_ = (unsigned long long)(b);		\
	if (a_ != b_) {							\
		KTAP_FAIL_("%s is %#llx, want %s = %#llx", #a, a_, #b, b_); \
		act;							\
	}								\
} while (0)

/* A system call that must succeed, and one that must fail with this errno. */
#define KTAP_OK_(call, act) do {					\
	errno = 0;							\
	if ((long)(call) < 0) {						\
		KTAP_FAIL_("%s: %s", #call, strerror(errno));		\
		act;							\
	}								\
} while (0)

#define KTAP_ERR_(call, err, act) do {					\
	long r_;							\
	errno = 0;							\
	r_ = (long)(call);						\
	if (r_ >= 0 || errno != (err)) {				\
		KTAP_FAIL_("%s: returned %ld, %s; want %s", #call, r_,	\
			   r_ < 0 ? strerror(errno) : "no error", strerror(err)); \
		act;							\
	}								\
} while (0)

#define ASSERT(cond)		KTAP_COND_(cond, ktap_abort_case())
#define ASSERT_EQ(a, b)		KTAP_EQ_(a, b, ktap_abort_case())
#define ASSERT_OK(call)		KTAP_OK_(call, ktap_abort_case())
#define ASSERT_ERR(call, err)	KTAP_ERR_(call, err, ktap_abort_case())
#define EXPECT(cond)		KTAP_COND_(cond, (void)0)
#define EXPECT_EQ(a, b)		KTAP_EQ_(a, b, (void)0)
#define EXPECT_OK(call)		KTAP_OK_(call, (void)0)
#define EXPECT_ERR(call, err)	KTAP_ERR_(call, err, (void)0)

#endif
