// SPDX-License-Identifier: GPL-2.0
/*
 * host_storm [COUNT]: storms of timer interrupts, IPIs and NMIs (the test module
 * ringvm_storm) on CPUs that run guests.  What was sent was received, once, by a host
 * whose registers are its own, and the guests compute what they would have without.
 * COUNT: of each kind, divided among the kinds of guests; default 2000.
 *
 * host_storm -- COMMAND...: the same while the command runs, to its end.  Exit status: the
 * command's if that is not 0, else 1 if something was lost.  RINGVM_STORM_US in the
 * environment: the shortest time between two, a quarter of the longest; default 100.
 *
 * How late the timer interrupts were is printed: a timer is always armed, so interrupts
 * were never off for longer than the latest one was late, and the longest interval.
 * RINGVM_LATE_NS in the environment: that sum must be below it, but for what the host's
 * own kernel does in its page allocator alone (hosts_own).  Only where the clock counts
 * instructions: any other says how busy the machine is.
 *
 * Out of the storm's sight one would be lost in the world switch: guests that do little
 * but trap make the storm meet it, and ringvm's counters say that it did.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "storm/storm.h"
#include "vmtest.h"

#define STOP	"0xc000"		/* G_DATA: the guest is to end */
#define TURNS	"0xc004"

/* Every turn counts in three registers; where they differ, something was changed. */
#define COUNT_AND_LOOP							\
	"inc %esi\ninc %edi\ninc %ebp\ncmp %esi, %edi\njne 9f\n"	\
	"cmp %esi, %ebp\njne 9f\nmov %esi, " TURNS "\n"			\
	"cmpb $0, " STOP "\nje 1b\nhlt\n9: ud2\n"

GUEST(spin, 32, "1: " COUNT_AND_LOOP);

/* What ring1's gates do by themselves */
GUEST(flags, 32,
      "1: cli\npushf\npop %eax\ntest $0x200, %eax\njnz 9f\nsti\nnop\npushf\npop %eax\n"
      "test $0x200, %eax\njz 9f\npush %eax\npopf\n" COUNT_AND_LOOP);

/* A trap, and enough behind it for no interpreter to go as far as the next one */
GUEST(traps, 32,
      "xor %eax, %eax\ncpuid\nmov %ebx, 0xc010\nmov %ecx, 0xc014\n"
      "1: xor %eax, %eax\ncpuid\ncmp %ebx, 0xc010\njne 9f\ncmp %ecx, 0xc014\njne 9f\n"
      "mov $100, %ecx\n2: dec %ecx\njnz 2b\n" COUNT_AND_LOOP);

/* Two rings: a system call that returns with a change */
GUEST(trips, 32,
      "1: mov %esi, %eax\nint $0x80\ndec %eax\ncmp %esi, %eax\njne 9f\n"
      "mov $100, %ecx\n2: dec %ecx\njnz 2b\n" COUNT_AND_LOOP);
GUEST(service, 32, "inc %eax\niret\n");
#define G_SERVICE	0x9000u

/* XMM registers, and the x87 stack's depth */
GUEST(vectors, 32,
      "mov $1, %eax\nmovd %eax, %xmm7\npxor %xmm0, %xmm0\npxor %xmm6, %xmm6\n"
      "1: paddd %xmm7, %xmm0\npaddd %xmm7, %xmm6\nmovd %xmm0, %eax\nmovd %xmm6, %edx\n"
      "cmp %eax, %edx\njne 9f\nmov %esi, %ecx\ninc %ecx\ncmp %eax, %ecx\njne 9f\n" COUNT_AND_LOOP);

struct guest_kind {
	const char *name;
	struct guest_code code;
	enum guest_mode mode;
	bool user;
};

static struct guest_kind kinds[6];

static void make_kinds(void)
{
	kinds[0] = (struct guest_kind){ "spin", spin, MODE_PG32, false };
	kinds[1] = (struct guest_kind){ "flags", flags, MODE_PAE, false };
	kinds[2] = (struct guest_kind){ "traps", traps, MODE_PG32, false };
	kinds[3] = (struct guest_kind){ "user", spin, MODE_PAE, true };
	kinds[4] = (struct guest_kind){ "trips", trips, MODE_PG32, true };
	kinds[5] = (struct guest_kind){ "vectors", vectors, MODE_PAE, true };
}

static const char *const storm_name[STORM_KINDS] = { "timer", "ipi", "nmi" };
static const char *const word_name[STORM_NR_WORDS] = {
#define X(name) #name,
	STORM_WORDS(X)
#undef X
};

static int storm = -1;
static uint64_t total = 2000;
static uint32_t shortest_us = 100;
static uint64_t late_limit;		/* ns; 0: none */

/* ---- guests ----------------------------------------------------------------- */

struct runner {
	pthread_t thread;
	struct vcpu *v;
	int cpu, err;
	bool user;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *run_thread(void *arg)
{
	struct runner *r = arg;

	pin(r->cpu);
	do {
		r->err = vcpu_run(r->v);
	} while (r->err == -EINTR);
	return NULL;
}

static bool running(void *arg)
{
	struct runner *r = arg;

	return g32(r->v->vm, G_DATA + 4);
}

static void make_guest(struct runner *r, const struct guest_kind *k, int cpu)
{
	struct vcpu *v = guest_start(k->mode, k->code);
	struct kvm_segment *segs[] = { &v->sregs.cs, &v->sregs.ss, &v->sregs.ds, &v->sregs.es,
				       &v->sregs.fs, &v->sregs.gs };
	unsigned int i;

	r->v = v;
	r->cpu = cpu;
	r->user = k->user;
	v->sregs.cr4 |= CR4_OSFXSR;
	if (k->user)
		for (i = 0; i < KTAP_COUNT(segs); i++) {
			segs[i]->selector = i ? SEL_UDATA : SEL_UCODE;
			segs[i]->dpl = 3;
		}
	set_sregs(v);
	v->regs.rflags |= RFLAGS_IF;
	if (k->user)
		v->regs.rsp = G_STACK - 0x200;
	set_regs(v);
	guest_load(v->vm, G_SERVICE, service);
	guest_handler(v->vm, k->mode, 0x80, G_SERVICE);
	if (k->user)
		g32(v->vm, G_IDT32 + 0x80 * 8 + 4) |= 3u << 13;		/* DPL */
	ASSERT_EQ(pthread_create(&r->thread, NULL, run_thread, r), 0);
	ASSERT(wait_for(running, r, 60000));
}

static void end_guest(struct runner *r, const struct guest_kind *k)
{
	struct vcpu *v = r->v;

	g8(v->vm, G_DATA) = 1;
	pthread_join(r->thread, NULL);
	EXPECT_EQ(r->err, 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	/* HLT is the kernel's; in ring 3 it is #GP. */
	EXPECT_EQ(v->regs.rip, k->user ? G_TRAPS + 13 + 1 : G_CODE + code_len(k->code) - 2);
	ktap_diag("%s on CPU %d: %u turns, native %llu fast %llu, exits: intr %llu nmi %llu; met in %llu back %llu out %llu",
		  k->name, r->cpu, g32(v->vm, G_DATA + 4),
		  (unsigned long long)stat_value(v->fd, "native"), (unsigned long long)stat_value(v->fd, "fast"),
		  (unsigned long long)stat_value(v->fd, "exit_intr"),
		  (unsigned long long)stat_value(v->fd, "exit_nmi"),
		  (unsigned long long)stat_value(v->fd, "met_in"),
		  (unsigned long long)stat_value(v->fd, "met_back"),
		  (unsigned long long)stat_value(v->fd, "met_out"));
}

/* ---- storms ------------------------------------------------------------------ */

static struct storm_status status(int kind, int to)
{
	struct storm_status s = { .kind = kind, .to = to };

	ASSERT_OK(ioctl(storm, STORM_STATUS, &s));
	return s;
}

/* Where ringvm's code is; on kernels from 6.4 on not all of what is there is its. */
static void find_ringvm(uint64_t *from, uint64_t *end)
{
	FILE *f = fopen("/proc/modules", "r");
	char line[512], name[64];
	uint64_t size, at;

	*from = *end = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %" SCNu64 " %*s %*s %*s %" SCNx64, name, &size, &at) == 3 &&
		    !strcmp(name, "ringvm")) {
			*from = at;
			*end = at + size;
		}
	if (f)
		fclose(f);
}

static void start(int kind, int to, int cpus, uint64_t count)
{
	static uint64_t ringvm, ringvm_end;
	struct storm_run run = {
		.kind = kind, .to = to, .from = kind == STORM_TIMER ? to : (to + 1) % cpus,
		.min_ns = shortest_us * 1000, .max_ns = shortest_us * 4000, .count = count,
	};

	if (!ringvm)
		find_ringvm(&ringvm, &ringvm_end);
	run.apart = ringvm;
	run.apart_end = ringvm_end;

	ASSERT_OK(ioctl(storm, STORM_START, &run));
}

static struct storm_late lateness(int to)
{
	struct storm_late l = { .to = to };

	ASSERT_OK(ioctl(storm, STORM_LATE, &l));
	return l;
}

/* Interrupts were off for no longer than so many ns, if one was late by @ns. */
static uint64_t longest_off(uint64_t ns)
{
	return ns + shortest_us * 4000;
}

static bool get_site(int to, unsigned int n, struct storm_site *s)
{
	*s = (struct storm_site){ .to = to, .n = n };
	if (!ioctl(storm, STORM_SITE, s))
		return true;
	ASSERT_EQ(errno, ENOENT);
	return false;
}

static bool within(const char *at, const char *function)
{
	size_t len = strlen(function);

	return !strncmp(at, function, len) && at[len] == '+';
}

/*
 * A CPU's list of free pages gives pages back with interrupts off, thousands at once after
 * many were freed, whoever freed them, as "host" shows.  No code of ringvm's runs
 * meanwhile: the lock is taken and given back by the allocator's own function.
 */
static bool hosts_own(const struct storm_site *s)
{
	static const char *const functions[] = { "free_unref_page", "free_unref_page_list" };
	size_t i;

	for (i = 0; i < KTAP_COUNT(functions); i++)
		if (within(s->at[0], functions[i]) ||
		    (within(s->at[0], "_raw_spin_unlock_irqrestore") &&
		     within(s->at[1], functions[i])))
			return true;
	return false;
}

/* How late CPU @to's were; with @limit: a failure where that is too much. */
static void show_late(int to, uint64_t limit)
{
	static const char *const whose[] = { "all", "in ringvm" };
	struct storm_late l = lateness(to);
	char text[STORM_LATE_POWERS * 24];
	struct storm_site site;
	size_t i, n, used;

	for (i = 0; i < KTAP_COUNT(l.of); i++) {
		const struct storm_lateness *of = &l.of[i];

		if (!of->count)
			continue;
		for (text[0] = 0, used = 0, n = 10; n < STORM_LATE_POWERS && of->reached[n]; n++)
			used += snprintf(text + used, sizeof(text) - used, ", %llu by %u or more",
					 of->reached[n], 1u << n);
		ktap_diag("CPU %d, %s: %llu timer interrupts, late by %llu ns at most%s", to,
			  whose[i], of->count, of->worst, text);
	}
	for (i = 0; get_site(to, i, &site); i++) {
		ktap_diag("%llu late by %llu ns at most: %s < %s < %s < %s", site.count, site.worst,
			  site.at[0], site.at[1], site.at[2], site.at[3]);
		if (limit && longest_off(site.worst) >= limit && !hosts_own(&site))
			KTAP_FAIL_("interrupts off for up to %" PRIu64 " ns, want less than %" PRIu64,
				   longest_off(site.worst), limit);
	}
}

/* What a storm that is over must have come to. */
static void judge(struct storm_status s)
{
	if (s.kind == STORM_TIMER)
		show_late(s.to, late_limit);
	ktap_diag("%s to CPU %u: sent %llu, received %llu", storm_name[s.kind], s.to, s.sent,
		  s.received);
	EXPECT(s.sent);
	EXPECT_EQ(s.received, s.sent);
	EXPECT_EQ(s.extra, 0);
	if (s.bad)
		KTAP_FAIL_("%llu handlers found %s changed, last by bits %#llx", s.bad,
			   s.bad_word < STORM_NR_WORDS ? word_name[s.bad_word] : "?", s.bad_bits);
}

/* All received, or nothing at all received for a long time. */
static void wait_storms(int first_kind, int nr_kinds, int cpus, uint64_t count)
{
	uint64_t sum, last = 0, since = now_ms();
	int kind, to;

	do {
		usleep(50000);
		sum = 0;
		for (to = 0; to < cpus; to++)
			for (kind = first_kind; kind < nr_kinds; kind++)
				sum += status(kind, to).received;
		if (sum != last)
			since = now_ms();
		last = sum;
	} while (sum < count * cpus * (nr_kinds - first_kind) && now_ms() - since < 30000);

	for (to = 0; to < cpus; to++)
		for (kind = first_kind; kind < nr_kinds; kind++) {
			EXPECT_EQ(status(kind, to).sent, count);
			judge(status(kind, to));
		}
}

static void storms(int which)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1, cpu, kind;
	uint64_t count = total / KTAP_COUNT(kinds) / cpus + 1;
	struct runner r[2] = { 0 };

	for (cpu = 0; cpu < cpus; cpu++)
		make_guest(&r[cpu], &kinds[which], cpu);
	for (cpu = 0; cpu < cpus; cpu++)
		for (kind = 0; kind < (cpus > 1 ? STORM_KINDS : 1); kind++)
			start(kind, cpu, cpus, count);
	wait_storms(0, cpus > 1 ? STORM_KINDS : 1, cpus, count);
	ASSERT_OK(ioctl(storm, STORM_STOP));
	for (cpu = 0; cpu < cpus; cpu++)
		end_guest(&r[cpu], &kinds[which]);
}

/*
 * NMIs do come in ring1's switch: in the way in, in the gates and the way out, and in the
 * way back that the gates take by themselves.  How many that takes is chance.
 */
#define MOST_ROUNDS	60
#define ROUND		500

static void met(void)
{
	static const char *const names[] = { "met_in", "met_out", "met_back" };
	struct runner r = { 0 };
	unsigned int round, i, seen = 0;
	struct storm_status s;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU: nobody sends NMIs");
	make_guest(&r, &kinds[1], 1);
	for (round = 0; round < MOST_ROUNDS && seen < KTAP_COUNT(names); round++) {
		start(STORM_NMI, 1, 2, ROUND);
		do {
			usleep(20000);
			s = status(STORM_NMI, 1);
			if (!stat_value(r.v->fd, "native"))
				break;
		} while (s.received < ROUND);
		for (seen = i = 0; i < KTAP_COUNT(names); i++)
			seen += stat_value(r.v->fd, names[i]) > 0;
	}
	ASSERT_OK(ioctl(storm, STORM_STOP));
	end_guest(&r, &kinds[1]);
	if (!stat_value(r.v->fd, "native"))
		SKIP("kernel code does not run natively here");
	EXPECT_EQ(seen, KTAP_COUNT(names));
}

/*
 * With interrupts held off for a known time that is what is measured: no less than that
 * without one interval, and, where nothing else is longer, not much more.
 */
static void hold(void)
{
	static const unsigned int us[] = { 500, 2000, 8000 };
	struct storm_late l;
	struct storm_site s;
	unsigned int i, n;
	bool seen;

	pin(0);
	for (i = 0; i < KTAP_COUNT(us); i++) {
		uint64_t ns = us[i] * 1000ull, interval = shortest_us * 4000;

		start(STORM_TIMER, 0, 1, ~0ull);
		ASSERT_OK(ioctl(storm, STORM_HOLD, ns));
		ASSERT_OK(ioctl(storm, STORM_STOP));
		l = lateness(0);
		ktap_diag("held for %u us: late by %llu ns at most", us[i], l.of[0].worst);
		EXPECT(longest_off(l.of[0].worst) >= ns);
		for (seen = false, n = 0; get_site(0, n, &s); n++)
			if (within(s.at[0], "storm_hold")) {
				seen = true;
				EXPECT(!hosts_own(&s));
				EXPECT(s.worst + interval >= ns);
				if (late_limit)
					EXPECT(s.worst < ns + late_limit);
			}
		EXPECT(seen);
	}
}

/*
 * A timer's storm on a CPU that frees memory and runs programs, and no guest: what its
 * kernel does without ringvm, for comparison and not judged.
 */
#define MUCH	(128u << 20)

static void host(void)
{
	struct storm_status s;
	unsigned int i;
	int p[2];
	char c;

	pin(0);
	ASSERT_OK(pipe(p));
	start(STORM_TIMER, 0, 1, ~0ull);
	for (i = 0; i < 2; i++) {
		void *m = mmap(NULL, MUCH, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pid_t pid;

		ASSERT(m != MAP_FAILED);
		madvise(m, MUCH, MADV_NOHUGEPAGE);
		memset(m, 1, MUCH);
		munmap(m, MUCH);
		pid = fork();
		ASSERT(pid >= 0);
		if (!pid)
			_exit(write(p[1], "", 1) != 1);
		ASSERT_EQ(read(p[0], &c, 1), 1);
		ASSERT_EQ(waitpid(pid, NULL, 0), pid);
	}
	close(p[0]);
	close(p[1]);
	ASSERT_OK(ioctl(storm, STORM_STOP));
	s = status(STORM_TIMER, 0);
	EXPECT_EQ(s.received, s.sent);
	show_late(0, 0);
}

/*
 * A guest whose code lies all over a large memory, and how its VM ends: what has been
 * gathered about each place is a lot by then.
 */
#define PLACES	2000u
#define APART	0x40000u

static void wide(void)
{
	struct vm *vm;
	struct vcpu *v;
	unsigned int i;

	pin(0);
	vm = vm_new((PLACES + 1) * (size_t)APART);
	madvise(vm->mem, vm->size, MADV_NOHUGEPAGE);
	v = vcpu_new(vm, 0, MODE_PROT32);
	for (i = 1; i < PLACES; i++) {
		g8(vm, i * APART) = 0xe9;		/* JMP to the next one */
		g32(vm, i * APART + 1) = APART - 5;
	}
	g8(vm, i * APART) = 0xf4;
	v->regs.rip = APART;
	set_regs(v);
	start(STORM_TIMER, 0, 1, ~0ull);
	EXPECT_EQ(vcpu_run(v), 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	EXPECT_EQ(v->regs.rip, PLACES * APART + 1);
	ktap_diag("%u places, native %llu, views %llu", PLACES,
		  (unsigned long long)stat_value(v->fd, "native"),
		  (unsigned long long)stat_value(v->fd, "view_found"));
	vm_free_all();
	ASSERT_OK(ioctl(storm, STORM_STOP));
	judge(status(STORM_TIMER, 0));
}

static void case_spin(void)	{ storms(0); }
static void case_flags(void)	{ storms(1); }
static void case_traps(void)	{ storms(2); }
static void case_user(void)	{ storms(3); }
static void case_trips(void)	{ storms(4); }
static void case_vectors(void)	{ storms(5); }

/* ---- beside a command ----------------------------------------------------------- */

static bool all_received(void *arg)
{
	int to, kind;

	for (to = 0; to < *(int *)arg; to++)
		for (kind = 0; kind < STORM_KINDS; kind++)
			if (status(kind, to).sent != status(kind, to).received)
				return false;
	return true;
}

static char **command;
static int command_status;

static void beside(void)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1, cpu, kind;
	int kinds_here = cpus > 1 ? STORM_KINDS : 1, w;
	pid_t pid;

	for (cpu = 0; cpu < cpus; cpu++)
		for (kind = 0; kind < kinds_here; kind++)
			start(kind, cpu, cpus, ~0ull);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		execvp(command[0], command);
		_exit(127);
	}
	ASSERT_EQ(waitpid(pid, &w, 0), pid);
	command_status = WIFEXITED(w) ? WEXITSTATUS(w) : 128 + WTERMSIG(w);
	ASSERT_OK(ioctl(storm, STORM_STOP));
	EXPECT(wait_for(all_received, &cpus, 60000));
	for (cpu = 0; cpu < cpus; cpu++)
		for (kind = 0; kind < kinds_here; kind++)
			judge(status(kind, cpu));
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		{ "hold", hold }, { "host", host }, { "spin", case_spin }, { "flags", case_flags }, { "traps", case_traps },
		{ "user", case_user }, { "trips", case_trips }, { "vectors", case_vectors },
		{ "wide", wide }, { "met", met },
	};

	if (argc > 2 && !strcmp(argv[1], "--"))
		command = argv + 2;
	else if (argc > 1)
		total = strtoull(argv[1], NULL, 0);
	if (getenv("RINGVM_STORM_US"))
		shortest_us = strtoul(getenv("RINGVM_STORM_US"), NULL, 0);
	if (getenv("RINGVM_LATE_NS"))
		late_limit = strtoull(getenv("RINGVM_LATE_NS"), NULL, 0);
	if (!shortest_us || shortest_us > 1000000) {
		fprintf(stderr, "RINGVM_STORM_US: from 1 to 1000000\n");
		return 2;
	}
	vmtest_init();
	make_kinds();
	storm = open("/dev/ringvm-storm", O_RDWR);
	if (storm < 0)
		ktap_skip_all("no /dev/ringvm-storm: insmod ringvm_storm.ko first");
	ktap.deadline = 120 + total / 100;
	if (command) {
		static const struct ktap_case one[] = { { "beside", beside } };
		int r;

		ktap.deadline = 3600;
		r = ktap_run(one, 1);
		return command_status ? command_status : r;
	}
	return ktap_run(cases, KTAP_COUNT(cases));
}
