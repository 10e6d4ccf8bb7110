// SPDX-License-Identifier: GPL-2.0
/*
 * The client is killed, interrupted or ends at random moments; nothing of it
 * stays behind: no reference on the module, no memory, no page locked.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

#include "vmtest.h"

GUEST(busy, 64,
      "1: mov $0x100000, %ebx\n"
      "2: incl (%rbx)\nadd $0x1000, %ebx\ncmp $0x300000, %ebx\njb 2b\n"
      "out %al, $0x10\nmov 0xd0000000, %eax\njmp 1b\n");

#define ROUNDS	40

/* A number behind a name in a /proc file of "name: 123 kB" or "name 123 4" lines. */
static long proc_number(const char *file, const char *name)
{
	char line[256];
	FILE *f = fopen(file, "r");
	size_t n = strlen(name);
	long v = -1;

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && (line[n] == ':' || line[n] == ' '))
			v = strtol(line + n + 1, NULL, 10);
	fclose(f);
	return v;
}

/* Users of the module: the second number of its line in /proc/modules. */
static long module_users(void)
{
	char line[256], name[64];
	FILE *f = fopen("/proc/modules", "r");
	long size, users, got = -1;
	const char *want = dev_is_kvm() ? "kvm" : "ringvm";

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %ld %ld", name, &size, &users) == 3 && !strcmp(name, want))
			got = users;
	fclose(f);
	return got;
}

struct want {
	long users;
};

static bool users_back(void *arg)
{
	return module_users() == ((struct want *)arg)->users;
}

static void *vcpu_thread(void *arg)
{
	for (;;) {
		int e = vcpu_run(arg);

		if (e && e != -EINTR)
			_exit(3);
	}
	return NULL;
}

/* Two vCPUs and threads that make and close things as they go. */
static void child(int ready)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *v[2];
	pthread_t t;
	int i;

	guest_load(vm, G_CODE, busy);
	for (i = 0; i < 2; i++) {
		v[i] = vcpu_new(vm, i, MODE_LONG);
		if (pthread_create(&t, NULL, vcpu_thread, v[i]))
			_exit(4);
	}
	if (write(ready, "x", 1) != 1)
		_exit(5);
	for (i = 0;; i++) {
		uint8_t *m = anon(0x10000);

		vm_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x10000000, 0x10000, m);
		if (i & 1)
			madvise(vm->mem + 0x100000, 0x100000, MADV_DONTNEED);
		vm_slot(vm, 1, 0, 0, 0, NULL);
		munmap(m, 0x10000);
		if (i % 16 == 0) {
			int fd = ioctl(vm->dev, KVM_CREATE_VM, 0);

			if (fd >= 0)
				close(fd);
		}
	}
}

static void one_round(int sig)
{
	int ready[2], st;
	uint64_t spins = rnd() % 4000000, i;
	pid_t pid;
	char c;

	ASSERT_OK(pipe(ready));
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		close(ready[0]);
		alarm(60);
		child(ready[1]);
		_exit(6);
	}
	close(ready[1]);
	/* Half of them early, while the VM is still being made. */
	if (rnd() & 1)
		EXPECT_EQ(read(ready[0], &c, 1), 1);
	/* Not PAUSE: with it a CPU of the lab's emulator hands over to the other. */
	for (i = 0; i < spins; i++)
		__asm__ volatile("nop");
	if (rnd() & 1)
		sched_yield();
	ASSERT_OK(kill(pid, sig));
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	if (!WIFSIGNALED(st) || WTERMSIG(st) != sig)
		KTAP_FAIL_("the child ended with status %#x", st);
	close(ready[0]);
}

static void killed(int sig)
{
	long free0, free1, slab0, slab1;
	struct want w = { module_users() };
	int i;

	rnd_seed();
	/* The first rounds fill caches that stay. */
	for (i = 0; i < 4; i++)
		one_round(sig);
	free0 = proc_number("/proc/meminfo", "MemAvailable");
	slab0 = proc_number("/proc/meminfo", "SUnreclaim");
	for (i = 0; i < ROUNDS; i++)
		one_round(sig);
	/* The last references go by way of RCU and work queues: wait for them. */
	if (w.users >= 0 && !wait_for(users_back, &w, 60000))
		KTAP_FAIL_("module in use %ld times, %ld before", module_users(), w.users);
	free1 = proc_number("/proc/meminfo", "MemAvailable");
	slab1 = proc_number("/proc/meminfo", "SUnreclaim");
	ktap_diag("available %ld to %ld kB, unreclaimable slab %ld to %ld kB", free0, free1,
		  slab0, slab1);
	/* A leak of the guest's memory alone would be 4 MiB a round. */
	EXPECT(free0 - free1 < 32 * 1024);
	EXPECT(slab1 - slab0 < 8 * 1024);
}

static void by_sigkill(void)	{ killed(SIGKILL); }
static void by_sigterm(void)	{ killed(SIGTERM); }

/* Guest memory is not pinned: nothing shows as locked or as pinned. */
static void nothing_locked(void)
{
	struct vcpu *v = guest_start(MODE_LONG, busy);

	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(proc_number("/proc/self/status", "VmLck"), 0);
	EXPECT_EQ(proc_number("/proc/self/status", "VmPin"), 0);
}

/* Signals at random moments: KVM_RUN always comes back and the guest goes on. */
struct pest {
	pthread_t who;
	volatile bool stop;
};

static void *pester(void *arg)
{
	struct pest *p = arg;
	uint64_t seed = 12345;

	while (!p->stop) {
		volatile int i;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		for (i = seed >> 50; i > 0; i--)
			;
		pthread_kill(p->who, SIGUSR1);
	}
	return NULL;
}

GUEST_ALL(counting, "mov $2000, %ecx\n1: inc %eax\nout %al, $0x10\ndec %ecx\njnz 1b\nhlt\n");

static void signals_at_random(void)
{
	struct pest p = { .who = pthread_self() };
	enum guest_mode m;
	pthread_t t;

	catch_signal(SIGUSR1);
	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, counting);
		unsigned int intr = 0, io = 0;

		p.stop = false;
		ASSERT_EQ(pthread_create(&t, NULL, pester, &p), 0);
		for (;;) {
			int e = vcpu_run(v);

			if (e == -EINTR) {
				intr++;
				continue;
			}
			if (e || v->run->exit_reason != KVM_EXIT_IO)
				break;
			io++;
		}
		p.stop = true;
		pthread_join(t, NULL);
		EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
		get_regs(v);
		EXPECT_EQ(io, 2000);
		EXPECT_EQ(v->regs.rax, 2000);
		ktap_diag("%s: %u exits, %u interrupted", mode_name[m], io, intr);
	}
}

/* exit() of one thread's process while others are in KVM_RUN, VM fd shared by fork. */
static void exit_while_running(void)
{
	int i, st;

	for (i = 0; i < 10; i++) {
		pid_t pid = fork();

		ASSERT(pid >= 0);
		if (!pid) {
			struct vm *vm = vm_new(G_MEM);
			pthread_t t;

			guest_load(vm, G_CODE, busy);
			if (pthread_create(&t, NULL, vcpu_thread, vcpu_new(vm, 0, MODE_LONG)))
				_exit(1);
			sched_yield();
			exit(0);
		}
		ASSERT_EQ(waitpid(pid, &st, 0), pid);
		EXPECT_EQ(st, 0);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "sigkill", by_sigkill }, { "sigterm", by_sigterm },
		{ "nothing_locked", nothing_locked },
		{ "signals_at_random", signals_at_random },
		{ "exit_while_running", exit_while_running },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
