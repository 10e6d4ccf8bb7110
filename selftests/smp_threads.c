// SPDX-License-Identifier: GPL-2.0
/* Several VMs and vCPUs on several threads: kept apart, moved between CPUs, preempted. */
#include <pthread.h>
#include <sched.h>

#include "vmtest.h"

/* Sums in registers and memory with an exit now and then: any mix-up shows. */
GUEST(mixer, 64,
      "mov $400, %ecx\n"
      "1: add %rsi, %rax\n"
      "rol $7, %rax\n"
      "xor %rdi, %rax\n"
      "add %rax, (%rbx)\n"
      "mov %rax, %r15\n"
      "test $31, %ecx\n"
      "jnz 2f\n"
      "out %al, $0x10\n"
      "2: cmp %rax, %r15\n"
      "jne 3f\n"
      "dec %ecx\n"
      "jnz 1b\n"
      "mov (%rbx), %rdx\n"
      "3: hlt\n");
GUEST(mixer32, 32,
      "mov $400, %ecx\n"
      "1: add %esi, %eax\n"
      "rol $7, %eax\n"
      "xor %edi, %eax\n"
      "add %eax, (%ebx)\n"
      "test $31, %ecx\n"
      "jnz 2f\n"
      "out %al, $0x10\n"
      "2: dec %ecx\n"
      "jnz 1b\n"
      "mov (%ebx), %edx\n"
      "hlt\n");

struct job {
	struct vcpu *v;
	uint64_t seed;
	int rounds;
	bool hop;			/* from CPU to CPU at each exit */
	const char *err;
	volatile int done;
};

static uint64_t rol(uint64_t x, int n, int bits)
{
	if (bits == 64)
		return x << n | x >> (64 - n);
	x = (uint32_t)x;
	return (uint32_t)(x << n | x >> (32 - n));
}

static void *job_run(void *arg)
{
	struct job *j = arg;
	struct vcpu *v = j->v;
	int i, k, bits = mode_bits(v->mode), hops = 0;
	uint64_t mask = bits == 64 ? -1ull : 0xffffffff;

	for (k = 0; k < j->rounds && !j->err; k++) {
		uint64_t rax = 0, sum = 0, at = 0x40000 + v->id * 0x1000;
		struct kvm_regs r = { 0 };

		memset(v->vm->mem + at, 0, 8);
		r.rip = G_CODE;
		r.rsp = G_STACK;
		r.rflags = RFLAGS_1;
		r.rbx = at;
		r.rsi = j->seed & mask;
		r.rdi = (j->seed ^ 0x55aa55aa55aa55aa) & mask;
		if (ioctl(v->fd, KVM_SET_REGS, &r))
			j->err = "KVM_SET_REGS";
		for (;;) {
			int e = vcpu_run(v);

			if (e && e != -EINTR)
				j->err = strerror(-e);
			if (e || v->run->exit_reason != KVM_EXIT_IO)
				break;
			if (j->hop) {
				cpu_set_t s;

				CPU_ZERO(&s);
				CPU_SET(hops++ & 1, &s);
				sched_setaffinity(0, sizeof(s), &s);
			}
		}
		if (!j->err && v->run->exit_reason != KVM_EXIT_HLT)
			j->err = exit_name(v->run->exit_reason);
		ioctl(v->fd, KVM_GET_REGS, &r);
		for (i = 0; i < 400; i++) {
			rax = rol((rax + (j->seed & mask)) & mask, 7, bits);
			rax ^= (j->seed ^ 0x55aa55aa55aa55aa) & mask;
			sum = (sum + rax) & mask;
		}
		if (!j->err && ((r.rax & mask) != rax || (r.rdx & mask) != sum))
			j->err = "wrong result";
		j->done++;
	}
	return NULL;
}

static void run_jobs(struct job *j, int n)
{
	pthread_t t[8];
	int i;

	for (i = 0; i < n; i++)
		ASSERT_EQ(pthread_create(&t[i], NULL, job_run, &j[i]), 0);
	for (i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < n; i++)
		if (j[i].err) {
			show_exit(j[i].v);
			KTAP_FAIL_("job %d (%s): %s after %d rounds", i, mode_name[j[i].v->mode],
				   j[i].err, j[i].done);
		}
}

static struct vcpu *worker(struct vm *vm, int id, enum guest_mode m)
{
	guest_load(vm, G_CODE, m == MODE_LONG ? mixer : mixer32);
	return vcpu_new(vm, id, m);
}

static void two_vms(void)
{
	struct job j[2] = {
		{ .v = worker(vm_new(G_MEM), 0, MODE_LONG), .seed = 0x123456789abcdef1, .rounds = 50 },
		{ .v = worker(vm_new(G_MEM), 0, MODE_PAE), .seed = 0xfedcba9876543211, .rounds = 50 },
	};

	run_jobs(j, 2);
}

static void four_vcpus_of_one_vm(void)
{
	struct vm *vm = vm_new(G_MEM);
	struct job j[4];
	int i;

	for (i = 0; i < 4; i++)
		j[i] = (struct job){ .v = worker(vm, i, MODE_LONG), .seed = 0x1111 * (i + 3),
				     .rounds = 25 };
	run_jobs(j, 4);
}

/* Four modes at once, each in a VM of its own. */
static void four_modes(void)
{
	struct job j[4];
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++)
		j[m - MODE_PROT32] = (struct job){ .v = worker(vm_new(G_MEM), 0, m),
						   .seed = 0x9e3779b97f4a7c15 * (m + 1),
						   .rounds = 20 };
	run_jobs(j, 4);
}

static void need_two_cpus(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU only");
}

/* A vCPU that changes the CPU at every exit. */
static void migrating(void)
{
	struct vm *vm = vm_new(G_MEM);
	struct job j[2];
	int i;

	need_two_cpus();
	for (i = 0; i < 2; i++)
		j[i] = (struct job){ .v = worker(vm, i, MODE_LONG), .seed = 77 + i, .rounds = 30,
				     .hop = true };
	run_jobs(j, 2);
}

/* Moved by another's hand while it is in the guest, and TSC never runs back. */
GUEST(tsc_loop, 64,
      "1: rdtsc\nshl $32, %rdx\nor %rdx, %rax\ncmp %rsi, %rax\njb 2f\nmov %rax, %rsi\n"
      "incl (%rbx)\ncmpb $0, (%rdi)\nje 1b\n2: hlt\n");

struct spinner {
	struct vcpu *v;
	volatile int err, done;
	volatile pid_t tid;
};

static void *spin_thread(void *arg)
{
	struct spinner *s = arg;
	int e;

	s->tid = gettid();
	do {
		e = vcpu_run(s->v);
	} while (e == -EINTR);
	s->err = e ? -e : s->v->run->exit_reason != KVM_EXIT_HLT;
	s->done = 1;
	return NULL;
}

struct progress {
	volatile uint32_t *word;
	uint32_t was;
	struct spinner *s;
};

static bool progressed(void *arg)
{
	struct progress *p = arg;

	return *p->word != p->was || p->s->done;
}

static void migrated_from_outside(void)
{
	struct vcpu *v = guest_start(MODE_LONG, tsc_loop);
	struct spinner s = { .v = v };
	struct progress p = { (uint32_t *)(v->vm->mem + 0x40000), 0, &s };
	pthread_t t;
	cpu_set_t set;
	int i;

	need_two_cpus();
	v->regs.rbx = 0x40000;
	v->regs.rdi = G_DATA;
	set_regs(v);
	ASSERT_EQ(pthread_create(&t, NULL, spin_thread, &s), 0);
	EXPECT(wait_for(progressed, &p, 60000));
	for (i = 0; i < 40 && !s.done; i++) {
		CPU_ZERO(&set);
		CPU_SET(i & 1, &set);
		EXPECT_OK(sched_setaffinity(s.tid, sizeof(set), &set));
		p.was = *p.word;
		if (!wait_for(progressed, &p, 60000)) {
			KTAP_FAIL_("no progress after move %d", i);
			break;
		}
	}
	g8(v->vm, G_DATA) = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(s.err, 0);
	get_regs(v);
	/* Ended by the word, and not by a TSC that ran back. */
	EXPECT(v->regs.rax >= v->regs.rsi);
}

/* Two guests that never exit share one CPU: both must get on, and so the client. */
static void preempted(void)
{
	struct spinner s[2];
	pthread_t t[2];
	cpu_set_t set, old;
	int i, k;

	sched_getaffinity(0, sizeof(old), &old);
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (i = 0; i < 2; i++) {
		struct vcpu *v = guest_start(MODE_LONG, tsc_loop);

		v->regs.rbx = 0x40000;
		v->regs.rdi = G_DATA;
		set_regs(v);
		s[i] = (struct spinner){ .v = v };
		ASSERT_EQ(pthread_create(&t[i], NULL, spin_thread, &s[i]), 0);
	}
	for (k = 0; k < 10; k++)
		for (i = 0; i < 2; i++) {
			struct progress p = { (uint32_t *)(s[i].v->vm->mem + 0x40000), 0, &s[i] };

			p.was = *p.word;
			if (!wait_for(progressed, &p, 60000))
				KTAP_FAIL_("guest %d stands still in round %d", i, k);
		}
	for (i = 0; i < 2; i++)
		g8(s[i].v->vm, G_DATA) = 1;
	for (i = 0; i < 2; i++) {
		pthread_join(t[i], NULL);
		EXPECT_EQ(s[i].err, 0);
	}
	sched_setaffinity(0, sizeof(old), &old);
}

/* ioctls on a vCPU that another thread runs wait for it; those on others do not. */
static void *late_stop(void *arg)
{
	struct spinner *s = arg;
	struct progress p = { (uint32_t *)(s->v->vm->mem + 0x40000), 0, s };

	wait_for(progressed, &p, 60000);
	g8(s->v->vm, G_DATA) = 1;
	return NULL;
}

static void ioctl_while_running(void)
{
	struct vcpu *v = guest_start(MODE_LONG, tsc_loop), *other = vcpu_new(v->vm, 1, MODE_LONG);
	struct spinner s = { .v = v };
	struct progress p = { (uint32_t *)(v->vm->mem + 0x40000), 0, &s };
	pthread_t t, u;

	v->regs.rbx = 0x40000;
	v->regs.rdi = G_DATA;
	set_regs(v);
	ASSERT_EQ(pthread_create(&t, NULL, spin_thread, &s), 0);
	EXPECT(wait_for(progressed, &p, 60000));
	get_regs(other);			/* at once */
	EXPECT_EQ(s.done, 0);
	ASSERT_EQ(pthread_create(&u, NULL, late_stop, &s), 0);
	get_regs(v);				/* only once it has stopped */
	EXPECT_EQ(g8(v->vm, G_DATA), 1);
	EXPECT(v->regs.rip > G_CODE);
	pthread_join(u, NULL);
	pthread_join(t, NULL);
	EXPECT_EQ(s.err, 0);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "two_vms", two_vms }, { "four_vcpus_of_one_vm", four_vcpus_of_one_vm },
		{ "four_modes", four_modes }, { "migrating", migrating },
		{ "migrated_from_outside", migrated_from_outside }, { "preempted", preempted },
		{ "ioctl_while_running", ioctl_while_running },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
