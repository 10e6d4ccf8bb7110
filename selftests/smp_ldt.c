// SPDX-License-Identifier: GPL-2.0
/*
 * Another thread of the client replaces the process's LDT (modify_ldt) while
 * this one is in KVM_RUN: the kernel loads the new table here by an IPI and
 * frees the old one.  Leaving the guest must not bring the old one back.
 */
#include <asm/ldt.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

#include "vmtest.h"

#define FIRST	0		/* an entry in a small table */
#define LATER	600		/* one that needs a larger table, and so a new one */
#define LIMIT	0x6666u

/* 32 bits, which every mode runs its own way. */
GUEST(loop, 32, "1: incl (%ebx)\ncmpb $0, (%edi)\nje 1b\nhlt\n");

static struct vcpu *v;
static volatile uint32_t *word;
static uint32_t was;

static int set_ldt(unsigned int entry, unsigned int limit)
{
	struct user_desc d = {
		.entry_number = entry, .base_addr = 0x1000, .limit = limit,
		.seg_32bit = 1, .useable = 1,
	};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d));
}

/* The limit of an LDT entry as this CPU sees it now; 0: there is none. */
static unsigned int ldt_limit(unsigned int entry)
{
	unsigned int selector = entry << 3 | 7, limit = 0;
	bool ok;

	asm volatile("lsl %2, %1\n\tsetz %0" : "=q"(ok), "+r"(limit) : "r"(selector) : "cc");
	return ok ? limit : 0;
}

static void *run_thread(void *limit)
{
	cpu_set_t set;
	int e;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	do {
		e = vcpu_run(v);
	} while (e == -EINTR);
	/* Before anything else makes the kernel load the LDT once more. */
	*(unsigned int *)limit = ldt_limit(LATER);
	return NULL;
}

static bool progressed(void *arg)
{
	(void)arg;
	return *word != was;
}

static void replaced_while_running(void)
{
	unsigned int limit = 0;
	pthread_t t;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	if (set_ldt(FIRST, 0x1111))
		SKIP("this kernel has no modify_ldt()");
	v = guest_start(MODE_PG32, loop);
	v->regs.rdi = G_DATA;
	v->regs.rbx = G_DATA + 0x100;
	set_regs(v);
	word = (volatile uint32_t *)(v->vm->mem + G_DATA + 0x100);
	was = *word;
	ASSERT_EQ(pthread_create(&t, NULL, run_thread, &limit), 0);
	ASSERT(wait_for(progressed, NULL, 60000));

	ASSERT_EQ(set_ldt(LATER, LIMIT), 0);
	was = *word;
	EXPECT(wait_for(progressed, NULL, 60000));
	g8(v->vm, G_DATA) = 1;
	ASSERT_EQ(pthread_join(t, NULL), 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	EXPECT_EQ(limit, LIMIT);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "replaced_while_running", replaced_while_running },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
