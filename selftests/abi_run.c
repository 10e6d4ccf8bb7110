// SPDX-License-Identifier: GPL-2.0
/* KVM_RUN's surroundings: run page, immediate_exit, signal mask, who may call (KVM API 4.5, 4.10). */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "vmtest.h"

GUEST_ALL(halt, "inc %ax\nhlt\n");
GUEST_ALL(spin, "1: inc %ebx\njmp 1b\n");

static void run_arguments(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);

	EXPECT_ERR(ioctl(v->fd, KVM_RUN, 1), EINVAL);
	get_regs(v);
	EXPECT_EQ(v->regs.rax, 0);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 1);
}

/* The mapping: as long as GET_VCPU_MMAP_SIZE says, and no page longer. */
static void mapping(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);
	long size = v->run_size;
	void *p;
	pid_t pid;
	int st;

	p = mmap(NULL, size, PROT_READ, MAP_SHARED, v->fd, 0);
	ASSERT(p != MAP_FAILED);
	run_to_hlt(v);
	EXPECT_EQ(((struct kvm_run *)p)->exit_reason, KVM_EXIT_HLT);	/* one page, two views */
	munmap(p, size);

	/* Beyond it a mapping fails, or a touch does. */
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 64 * 4096);
	if (p == MAP_FAILED) {
		EXPECT_EQ(errno, EINVAL);
		return;
	}
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		*(volatile char *)p = 1;
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT(WIFSIGNALED(st) && WTERMSIG(st) == SIGBUS);
	munmap(p, 4096);
}

static void bigger_mapping(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);
	char *p = mmap(NULL, v->run_size + 4096, PROT_READ, MAP_SHARED, v->fd, 0);
	pid_t pid;
	int st;

	if (p == MAP_FAILED) {
		EXPECT_EQ(errno, EINVAL);
		return;
	}
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid)
		_exit(((volatile char *)p)[v->run_size] ? 1 : 0);
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT(WIFSIGNALED(st) && WTERMSIG(st) == SIGBUS);
	munmap(p, v->run_size + 4096);
}

static void vm_not_mappable(void)
{
	struct vm *vm = vm_bare();

	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm->fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
}

/* With immediate_exit set the guest does not move at all (KVM API section 5). */
static void immediate_exit(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, halt);

		v->run->immediate_exit = 1;
		EXPECT_EQ(vcpu_run(v), -EINTR);
		EXPECT_EQ(vcpu_run(v), -EINTR);
		get_regs(v);
		EXPECT_EQ(v->regs.rip, G_CODE);
		EXPECT_EQ(v->regs.rax & 0xffff, 0);
		v->run->immediate_exit = 0;
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax & 0xffff, 1);
	}
}

struct kick {
	pthread_t target;
	int sig;
	volatile bool stop;
};

/* Kicks until told to stop: one signal may come before KVM_RUN is entered. */
static void *kicker(void *arg)
{
	struct kick *k = arg;

	while (!k->stop) {
		pthread_kill(k->target, k->sig);
		sched_yield();
	}
	return NULL;
}

struct stop {
	struct vcpu *v;
	pthread_t runner;
};

static void *stopper(void *arg)
{
	struct stop *s = arg;
	uint64_t end = now_ms() + 50;

	while (now_ms() < end)
		sched_yield();
	s->v->run->immediate_exit = 1;
	pthread_kill(s->runner, SIGUSR1);
	return NULL;
}

/* Signals end KVM_RUN, some of them maybe before the guest's first instruction. */
static void goes_on_from(struct vcpu *v, uint64_t ebx)
{
	int e;

	do {
		e = vcpu_run(v);
		EXPECT_EQ(e, -EINTR);
		get_regs(v);
	} while (e == -EINTR && v->regs.rbx == ebx);
}

/* A signal ends KVM_RUN with EINTR and KVM_EXIT_INTR, in every mode. */
static void signal_ends_run(void)
{
	struct kick k = { .target = pthread_self(), .sig = SIGUSR1 };
	enum guest_mode m;
	pthread_t t;

	catch_signal(SIGUSR1);
	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, spin);
		uint64_t ebx = 0;
		int i;

		k.stop = false;
		ASSERT_EQ(pthread_create(&t, NULL, kicker, &k), 0);
		for (i = 0; i < 20; i++) {
			EXPECT_EQ(vcpu_run(v), -EINTR);
			EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTR);
		}
		k.stop = true;
		pthread_join(t, NULL);
		get_regs(v);
		EXPECT(v->regs.rip >= G_CODE && v->regs.rip < G_CODE + 8);
		/* It can go on from there. */
		ebx = v->regs.rbx;
		kick_me_in(20);
		goes_on_from(v, ebx);
		kick_me_in(0);
	}
}

/* immediate_exit set by another thread, then a kick: no way to miss it. */
static void immediate_exit_and_kick(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, spin);
	struct stop a = { v, pthread_self() };
	pthread_t t;

	catch_signal(SIGUSR1);
	ASSERT_EQ(pthread_create(&t, NULL, stopper, &a), 0);
	EXPECT_EQ(vcpu_run(v), -EINTR);
	pthread_join(t, NULL);
	v->run->immediate_exit = 0;
}

struct sigmask {
	struct kvm_signal_mask h;
	uint64_t set;
} __attribute__((packed));

/*
 * KVM_SET_SIGNAL_MASK (4.17): a signal blocked outside and open inside ends
 * KVM_RUN and stays pending.
 */
static void signal_mask(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, spin);
	struct sigmask m = { .h.len = 8, .set = 0 };
	sigset_t block, old, pend;

	catch_signal(SIGUSR1);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	ASSERT_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &m));
	pthread_kill(pthread_self(), SIGUSR1);
	EXPECT_EQ(vcpu_run(v), -EINTR);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTR);
	sigpending(&pend);
	EXPECT_EQ(sigismember(&pend, SIGUSR1), 1);
	EXPECT_EQ(vcpu_run(v), -EINTR);		/* still pending, so again */
	/* The mask outside is as it was. */
	sigprocmask(SIG_BLOCK, NULL, &pend);
	EXPECT_EQ(sigismember(&pend, SIGUSR1), 1);
	/* Shut inside too, it does not disturb: SIGALRM's kin does. */
	m.set = 1ull << (SIGUSR1 - 1);
	ASSERT_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &m));
	kick_me_in(30);
	get_regs(v);
	goes_on_from(v, v->regs.rbx);
	kick_me_in(0);
	/* No mask: the thread's own counts, and SIGUSR1 stays out. */
	ASSERT_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, NULL));
	kick_me_in(30);
	EXPECT_EQ(vcpu_run(v), -EINTR);
	kick_me_in(0);
	sigpending(&pend);
	EXPECT_EQ(sigismember(&pend, SIGUSR1), 1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void signal_mask_arguments(void)
{
	struct vcpu *v = vcpu_bare(vm_bare(), 0);
	static const unsigned int bad[] = { 0, 1, 4, 7, 9, 16, 128, 0xffffffff };
	struct sigmask m = { .set = 0 };
	uint8_t *edge = anon(0x2000);
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(bad); i++) {
		m.h.len = bad[i];
		EXPECT_ERR(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &m), EINVAL);
	}
	m.h.len = 8;
	EXPECT_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &m));
	munmap(edge + 0x1000, 0x1000);
	memcpy(edge + 0xffc, &m.h.len, 4);
	EXPECT_ERR(ioctl(v->fd, KVM_SET_SIGNAL_MASK, edge + 0xffc), EFAULT);
	munmap(edge, 0x1000);
}

/* Another process's descriptors are no use: its memory is not the VM's (EIO). */
static void other_process(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);
	struct kvm_regs r;
	pid_t pid = fork();
	int st;

	ASSERT(pid >= 0);
	if (!pid) {
		if (ioctl(v->fd, KVM_RUN, 0) != -1 || errno != EIO)
			_exit(1);
		if (ioctl(v->fd, KVM_GET_REGS, &r) != -1 || errno != EIO)
			_exit(2);
		if (ioctl(v->vm->fd, KVM_CREATE_VCPU, 1) != -1 || errno != EIO)
			_exit(3);
		if (ioctl(v->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) != -1 ||
		    errno != EIO)
			_exit(4);
		/* A VM of its own it may have. */
		if (ioctl(v->vm->dev, KVM_CREATE_VM, 0) < 0)
			_exit(5);
		_exit(0);
	}
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT(WIFEXITED(st));
	EXPECT_EQ(WEXITSTATUS(st), 0);
	run_to_hlt(v);			/* and it did no harm here */
	EXPECT_EQ(v->regs.rax, 1);
}

static void *run_thread(void *arg)
{
	struct vcpu *v = arg;

	return (void *)(long)vcpu_run(v);
}

/* A vCPU may be run by one thread, then by another. */
static void changing_threads(void)
{
	enum guest_mode m;
	pthread_t t;
	void *r;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, halt);

		for (i = 1; i < 5; i++) {
			ASSERT_EQ(pthread_create(&t, NULL, run_thread, v), 0);
			pthread_join(t, &r);
			EXPECT_EQ((long)r, 0);
			EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
			get_regs(v);
			EXPECT_EQ(v->regs.rax & 0xffff, i);
			set_rip(v, G_CODE);
		}
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "run_arguments", run_arguments }, { "mapping", mapping },
		{ "bigger_mapping", bigger_mapping }, { "vm_not_mappable", vm_not_mappable },
		{ "immediate_exit", immediate_exit }, { "signal_ends_run", signal_ends_run },
		{ "immediate_exit_and_kick", immediate_exit_and_kick },
		{ "signal_mask", signal_mask },
		{ "signal_mask_arguments", signal_mask_arguments },
		{ "other_process", other_process }, { "changing_threads", changing_threads },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
