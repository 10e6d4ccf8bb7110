// SPDX-License-Identifier: GPL-2.0
/* A host CPU goes off-line under a running guest, and comes back. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

#include "vmtest.h"

/* 32 bits, which every mode runs its own way. */
GUEST(loop, 32, "1: incl (%ebx)\ncmpb $0, (%edi)\nje 1b\nhlt\n");

struct runner {
	struct vcpu *v;
	volatile int err, done;
	volatile uint32_t *word;
	uint32_t was;
};

static void *run_thread(void *arg)
{
	struct runner *r = arg;
	cpu_set_t set;
	int e;

	CPU_ZERO(&set);
	CPU_SET(1, &set);
	sched_setaffinity(0, sizeof(set), &set);
	do {
		e = vcpu_run(r->v);
	} while (e == -EINTR);
	r->err = e ? -e : r->v->run->exit_reason != KVM_EXIT_HLT;
	r->done = 1;
	return NULL;
}

static bool progressed(void *arg)
{
	struct runner *r = arg;

	return *r->word != r->was || r->done;
}

static bool goes_on(struct runner *r)
{
	r->was = *r->word;
	return wait_for(progressed, r, 60000);
}

static int cpu1(const char *on)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY), n, e;

	if (fd < 0)
		return -1;
	n = write(fd, on, 1);
	e = errno;
	close(fd);
	errno = e;
	return n == 1 ? 0 : -1;
}

static void off_and_on(void)
{
	struct runner r = { 0 };
	pthread_t t;
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU only");
	if (access("/sys/devices/system/cpu/cpu1/online", W_OK))
		SKIP("no hotplug of CPU 1");
	r.v = guest_start(MODE_PG32, loop);
	r.word = (uint32_t *)(r.v->vm->mem + 0x40000);
	r.v->regs.rbx = 0x40000;
	r.v->regs.rdi = G_DATA;
	set_regs(r.v);
	ASSERT_EQ(pthread_create(&t, NULL, run_thread, &r), 0);
	EXPECT(goes_on(&r));
	for (i = 0; i < 3 && !r.done; i++) {
		if (cpu1("0")) {
			KTAP_FAIL_("off: %s", strerror(errno));
			break;
		}
		EXPECT(goes_on(&r));
		/* A VM made meanwhile runs as well. */
		{
			struct vcpu *v = vcpu_new(r.v->vm, i + 1, MODE_PG32);

			v->run->immediate_exit = 1;
			EXPECT_EQ(vcpu_run(v), -EINTR);
		}
		EXPECT_OK(cpu1("1"));
		EXPECT(goes_on(&r));
	}
	/* The CPU that came back runs guests too. */
	{
		struct runner s = { 0 };
		pthread_t u;

		s.v = guest_start(MODE_PG32, loop);
		s.word = (uint32_t *)(s.v->vm->mem + 0x40000);
		s.v->regs.rbx = 0x40000;
		s.v->regs.rdi = G_DATA;
		set_regs(s.v);
		ASSERT_EQ(pthread_create(&u, NULL, run_thread, &s), 0);
		EXPECT(goes_on(&s));
		g8(s.v->vm, G_DATA) = 1;
		pthread_join(u, NULL);
		EXPECT_EQ(s.err, 0);
	}
	g8(r.v->vm, G_DATA) = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(r.err, 0);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "off_and_on", off_and_on },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
