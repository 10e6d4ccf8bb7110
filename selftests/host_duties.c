// SPDX-License-Identifier: GPL-2.0
/*
 * The host goes on with its own affairs while a guest runs: threads move between CPUs,
 * perf counts and samples, functions are traced and probed, breakpoints are armed, the
 * machine sleeps.  The guest notices nothing, and the host's log stays clean.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>

#include "vmtest.h"

#define TRACING	"/sys/kernel/tracing/"

/*
 * Registers, flags, a system call from ring 3, a trap of the kernel's: every turn counts in
 * three registers, and where they differ something was changed.
 */
#define COUNT_AND_LOOP							\
	"inc %esi\ninc %edi\ninc %ebp\ncmp %esi, %edi\njne 9f\n"	\
	"cmp %esi, %ebp\njne 9f\nmov %esi, 0xc004\n"			\
	"cmpb $0, 0xc000\nje 1b\nhlt\n9: ud2\n"
GUEST(user, 32,
      "1: mov %esi, %eax\nint $0x80\ndec %eax\ncmp %esi, %eax\njne 9f\n"
      "mov $200, %ecx\n2: dec %ecx\njnz 2b\n"
      COUNT_AND_LOOP);
/* Ring 3, and no way out */
GUEST(spin, 32, "1: " COUNT_AND_LOOP);
GUEST(service, 32,
      "cli\npushf\npopl %edx\ntest $0x200, %edx\njnz 9f\nsti\nnop\ninc %eax\niret\n9: ud2\n");
#define G_SERVICE	0x9000u

static struct runner {
	pthread_t thread;
	struct vcpu *v;
	pid_t tid;
	int err;
	uint32_t was;
} r;

static void *run_thread(void *arg)
{
	(void)arg;
	r.tid = gettid();
	do {
		r.err = vcpu_run(r.v);
	} while (r.err == -EINTR);
	return NULL;
}

static uint32_t turns(void)
{
	return g32(r.v->vm, G_DATA + 4);
}

static bool went_on(void *arg)
{
	(void)arg;
	return turns() != r.was;
}

/* The guest runs, now. */
static void goes_on(void)
{
	r.was = turns();
	EXPECT(wait_for(went_on, NULL, 60000));
}

static void pin(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_OK(sched_setaffinity(tid, sizeof(set), &set));
}

static void begin(struct guest_code code)
{
	struct vcpu *v = guest_start(MODE_PAE, code);
	struct kvm_segment *segs[] = { &v->sregs.cs, &v->sregs.ss, &v->sregs.ds, &v->sregs.es,
				       &v->sregs.fs, &v->sregs.gs };
	unsigned int i;

	r = (struct runner){ .v = v };
	for (i = 0; i < KTAP_COUNT(segs); i++) {
		segs[i]->selector = i ? SEL_UDATA : SEL_UCODE;
		segs[i]->dpl = 3;
	}
	set_sregs(v);
	v->regs.rflags |= RFLAGS_IF;
	v->regs.rsp = G_STACK - 0x200;
	set_regs(v);
	guest_load(v->vm, G_SERVICE, service);
	guest_handler(v->vm, v->mode, 0x80, G_SERVICE);
	g32(v->vm, G_IDT32 + 0x80 * 8 + 4) |= 3u << 13;		/* DPL */
	ASSERT_EQ(pthread_create(&r.thread, NULL, run_thread, NULL), 0);
	goes_on();
}

static void end(void)
{
	goes_on();
	g8(r.v->vm, G_DATA) = 1;
	pthread_join(r.thread, NULL);
	EXPECT_EQ(r.err, 0);
	EXPECT_EQ(r.v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(r.v);
	EXPECT_EQ(r.v->regs.rip, G_TRAPS + GP + 1);	/* HLT in ring 3 */
}

/* ---- migration ------------------------------------------------------------------- */

static void migration(void)
{
	int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	begin(user);
	for (i = 0; i < 200; i++) {
		pin(r.tid, i & 1);
		if (i % 10 == 0)
			goes_on();
	}
	end();
	EXPECT(stat_value(r.v->fd, "migrations"));
}

/* ---- perf -------------------------------------------------------------------------- */

static int perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	attr->size = sizeof(*attr);
	return syscall(SYS_perf_event_open, attr, pid, cpu, -1, 0);
}

static uint64_t perf_count(int fd)
{
	uint64_t count = 0;

	ASSERT_EQ(read(fd, &count, sizeof(count)), sizeof(count));
	return count;
}

static bool counted(void *arg)
{
	return perf_count(*(int *)arg) > 0;
}

static bool sampled(void *arg)
{
	struct perf_event_mmap_page *p = arg;

	return __atomic_load_n(&p->data_head, __ATOMIC_ACQUIRE) > 2000;
}

static void perf(void)
{
	struct perf_event_attr clock = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = 1000000,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_REGS_USER |
			PERF_SAMPLE_STACK_USER | PERF_SAMPLE_REGS_INTR,
		.sample_regs_user = 0xff0fff, .sample_regs_intr = 0xff0fff, .sample_stack_user = 256,
		.wakeup_events = 1,
	};
	struct perf_event_attr switches = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_TASK_CLOCK,
	};
	struct perf_event_mmap_page *page;
	int sample, task;

	begin(user);
	task = perf_open(&switches, r.tid, -1);
	ASSERT_OK(task);
	sample = perf_open(&clock, r.tid, -1);
	ASSERT_OK(sample);
	page = mmap(NULL, 65 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, sample, 0);
	ASSERT(page != MAP_FAILED);
	EXPECT(wait_for(counted, &task, 60000));
	EXPECT(wait_for(sampled, page, 60000));
	munmap(page, 65 * 4096);
	close(sample);
	close(task);
	end();
}

/* ---- tracing ------------------------------------------------------------------------- */

static int put(const char *file, const char *text)
{
	char path[128];
	int fd, n, e;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | (strchr(text, '\n') ? O_APPEND : O_TRUNC));
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	e = errno;
	close(fd);
	errno = e;
	return n == (int)strlen(text) ? 0 : -1;
}

/* Is the text in the file? */
static bool traced(const char *file, const char *text)
{
	static char buf[1 << 20];
	char path[128];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	while (len < sizeof(buf) - 1 && (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0)
		len += n;
	close(fd);
	buf[len] = 0;
	return strstr(buf, text);
}

static bool entries_traced(void *arg)
{
	return traced("trace", arg);
}

static void functions(void)
{
	static const char *const filters[] = { "*:mod:ringvm", "*irq_e*", "tick_*" };
	static const char *const tracers[] = { "function", "function_graph" };
	unsigned int i;

	if (access(TRACING "current_tracer", W_OK))
		SKIP("no function tracer");
	begin(user);
	for (i = 0; i < KTAP_COUNT(filters); i++) {
		char line[64];

		snprintf(line, sizeof(line), "%s\n", filters[i]);
		EXPECT_OK(put("set_ftrace_filter", line));
	}
	for (i = 0; i < KTAP_COUNT(tracers); i++) {
		if (put("current_tracer", tracers[i])) {
			EXPECT(i == 1);		/* not every kernel has both */
			continue;
		}
		goes_on();
		EXPECT(wait_for(entries_traced, "rvm_inject_events", 60000));
		EXPECT_OK(put("current_tracer", "nop"));
	}
	EXPECT_OK(put("set_ftrace_filter", " "));
	end();
}

/* Of the module.  All are read at once: it is a long file. */
static bool symbol(const char *name, unsigned long *addr)
{
	static struct {
		char name[48];
		unsigned long addr;
	} known[4096];
	static unsigned int n;
	char line[256], type;
	unsigned int i;
	FILE *f;

	if (!n) {
		f = fopen("/proc/kallsyms", "r");
		ASSERT(f);
		while (n < KTAP_COUNT(known) && fgets(line, sizeof(line), f))
			n += strstr(line, "[ringvm]") &&
				sscanf(line, "%lx %c %47s", &known[n].addr, &type, known[n].name) == 3;
		fclose(f);
		ASSERT(n);
	}
	for (i = 0; i < n; i++)
		if (!strcmp(known[i].name, name)) {
			*addr = known[i].addr;
			return *addr;
		}
	return false;
}

static void probes(void)
{
	static const char *const refused[] = {
		"ring1_switch", "ring1_switch+40", "ring1_gates", "ring1_gates+64", "ring1_ints",
		"ring1_gate_nmi", "ring1_gate_mc", "ring1_world_switch",
	};
	unsigned int i, offset;
	unsigned long addr;
	char line[80];

	if (access(TRACING "kprobe_events", W_OK))
		SKIP("no kprobes");
	begin(user);
	for (i = 0; i < 2; i++) {
		EXPECT_OK(put("kprobe_events", "p:duties/run ringvm:rvm_inject_events\n"));
		EXPECT_OK(put("kprobe_events", "r:duties/ran ringvm:rvm_inject_events\n"));
		/* where an instruction begins, behind the entry that ftrace has */
		for (offset = 10; offset < 64; offset++) {
			snprintf(line, sizeof(line), "p:duties/inside ringvm:rvm_inject_events+%u\n",
				 offset);
			if (!put("kprobe_events", line))
				break;
		}
		EXPECT(offset < 64);
		EXPECT_OK(put("kprobe_events", "p:duties/tick update_process_times\n"));
		EXPECT_OK(put("events/duties/enable", "1"));
		goes_on();
		EXPECT(wait_for(entries_traced, "ran: (", 60000));
		EXPECT(wait_for(entries_traced, "inside: (", 60000));
		EXPECT(wait_for(entries_traced, "tick: (", 60000));
		EXPECT_OK(put("events/duties/enable", "0"));
		EXPECT_OK(put("kprobe_events", " "));
		EXPECT_OK(put("trace", " "));
	}
	/* Not in the world switch, where a trap of the host's would find our IDT. */
	for (i = 0; symbol("ring1_switch", &addr) && i < KTAP_COUNT(refused); i++) {
		snprintf(line, sizeof(line), "p:duties/no ringvm:%s\n", refused[i]);
		EXPECT_ERR(put("kprobe_events", line), EINVAL);
	}
	end();
}

/* ---- breakpoints ---------------------------------------------------------------------- */

static int breakpoint(int type, unsigned long addr, unsigned long len, pid_t pid, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT, .bp_type = type, .bp_addr = addr, .bp_len = len,
	};

	return perf_open(&attr, pid, cpu);
}

static volatile uint64_t watched;

static void breakpoints(void)
{
	static const char *const refused[] = { "ring1_switch", "ring1_gates", "ring1_world_switch" };
	unsigned long addr;
	int kernel[2] = { -1, -1 }, data, fd;
	unsigned int i;

	begin(user);
	/* of the kernel's, while the guest runs on that CPU: in all its entries */
	for (i = 0; i < 2 && i < (unsigned int)sysconf(_SC_NPROCESSORS_ONLN); i++) {
		ASSERT(symbol("rvm_inject_events", &addr));
		kernel[i] = breakpoint(HW_BREAKPOINT_X, addr, sizeof(long), -1, i);
		ASSERT_OK(kernel[i]);
		pin(r.tid, i);
		goes_on();
		EXPECT(wait_for(counted, &kernel[i], 60000));
	}
	/* what the switch itself reads: nothing comes of it */
	data = -1;
	if (symbol("ring1_idt", &addr)) {
		data = breakpoint(HW_BREAKPOINT_RW, addr + 13 * 16, 8, r.tid, -1);
		ASSERT_OK(data);
		goes_on();
		EXPECT_EQ(perf_count(data), 0);
	}
	for (i = 0; i < KTAP_COUNT(refused); i++)
		if (symbol(refused[i], &addr)) {
			fd = breakpoint(HW_BREAKPOINT_X, addr, sizeof(long), r.tid, -1);
			EXPECT(fd < 0);
			if (fd >= 0)
				close(fd);
		}
	end();
	close(kernel[0]);
	close(kernel[1]);
	close(data);
}

/* A thread's own breakpoint survives its trips into the guest: every write counts. */
static void own_breakpoint(void)
{
	struct vcpu *v;
	int fd, i;

	GUEST(out, 32, "1: cli\nsti\nxor %eax, %eax\ncpuid\nout %al, $0x10\njmp 1b\n");
	v = guest_start(MODE_PG32, out);
	fd = breakpoint(HW_BREAKPOINT_W, (unsigned long)&watched, 8, 0, -1);
	ASSERT_OK(fd);
	for (i = 0; i < 100; i++) {
		watched = i;
		run_to(v, KVM_EXIT_IO);
	}
	EXPECT_EQ(perf_count(fd), 100);
	close(fd);
}

/* ---- sleep ------------------------------------------------------------------------------ */

static int put_sys(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (int)strlen(text) ? 0 : -1;
}

static void sleep_and_wake(void)
{
	static const char *const alarm = "/sys/class/rtc/rtc0/wakealarm";
	int i;

	if (access(alarm, W_OK) || access("/sys/power/state", W_OK))
		SKIP("this machine cannot sleep, or has no clock to wake it");
	begin(user);
	for (i = 0; i < 2; i++) {
		put_sys(alarm, "0");
		ASSERT_OK(put_sys(alarm, "+2"));
		ASSERT_OK(put_sys("/sys/power/state", "mem"));
		goes_on();
	}
	end();
}

/* ---- watchdogs ---------------------------------------------------------------------------- */

static bool with_watchdogs;

/* For longer than a lockup or an RCU stall takes to be complained of, in user code that never
 * leaves the guest by itself.  What there is to see is in the kernel's log. */
static void watchdogs(void)
{
	char line[32] = "";
	int fd = open("/proc/sys/kernel/watchdog_thresh", O_RDONLY), threshold;
	uint64_t until;

	if (!with_watchdogs)
		SKIP("takes long: host_duties watchdogs");
	ASSERT(fd >= 0);
	ASSERT(read(fd, line, sizeof(line) - 1) > 0);
	close(fd);
	threshold = atoi(line);
	ASSERT(threshold > 0 && threshold <= 10);
	begin(spin);
	for (until = now_ms() + threshold * 4500; now_ms() < until; )
		goes_on();
	end();
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		{ "migration", migration }, { "perf", perf }, { "functions", functions },
		{ "probes", probes }, { "breakpoints", breakpoints },
		{ "own_breakpoint", own_breakpoint }, { "sleep_and_wake", sleep_and_wake },
		{ "watchdogs", watchdogs },
	};

	with_watchdogs = argc > 1 && !strcmp(argv[1], "watchdogs");
	vmtest_init();
	ktap.deadline = 400;
	return ktap_run(cases, KTAP_COUNT(cases));
}
