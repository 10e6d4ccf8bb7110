// SPDX-License-Identifier: GPL-2.0
/*
 * host_state [COUNT]: the state of the host's CPU and of the client's thread before and
 * after so many world switches (default 20000), on each of up to two CPUs: registers,
 * MSRs, descriptor tables, TSS, page-table root, by the test module ringvm_storm; the
 * thread's own registers, all of them, around KVM_RUN.
 *
 * Changed under the test's hands is what a VM needs of the CPU: the first VM may
 * take it, the last must give it back.
 */
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/syscall.h>

#include "storm/storm.h"
#include "vmtest.h"

static const char *const word_name[STORM_NR_WORDS] = {
#define X(name) #name,
	STORM_WORDS(X)
#undef X
};

#define USER_DS	0x2b		/* Linux's own, for 32-bit programs */

static int storm = -1;
static uint64_t total = 20000;

/* A world switch for each turn: a trap, and enough behind it for no interpreter to go as
 * far as the next one.  Out to the client now and then. */
#define TURNS_A_RUN	"500"
GUEST(kernel, 32,
      "1: mov $" TURNS_A_RUN ", %esi\n2: xor %eax, %eax\ncpuid\nmov $40, %ecx\n"
      "3: dec %ecx\njnz 3b\nmovd %esi, %xmm3\nfld1\nfstp %st(0)\ndec %esi\njnz 2b\n"
      "out %al, $0x10\njmp 1b\n");
/* The same from ring 3, by system calls. */
GUEST(user, 32,
      "1: mov $" TURNS_A_RUN ", %esi\n2: int $0x80\nmov $40, %ecx\n"
      "3: dec %ecx\njnz 3b\nmovd %esi, %xmm3\nfld1\nfstp %st(0)\ndec %esi\njnz 2b\n"
      "int $0x81\njmp 1b\n");
/* CPUID, for INT and IRET alone the gates do without a world switch. */
GUEST(service, 32, "xor %eax, %eax\ncpuid\niret\n");
GUEST(service_out, 32, "out %al, $0x10\niret\n");
#define G_SERVICE	0x9000u
#define G_SERVICE_OUT	0x9100u

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_OK(sched_setaffinity(0, sizeof(set), &set));
}

static struct storm_state state(void)
{
	struct storm_state s;

	ASSERT_OK(ioctl(storm, STORM_STATE, &s));
	ASSERT_EQ(s.nr, STORM_NR_WORDS);
	return s;
}

/* False, and a failure for each word that differs. */
static bool same_state(const struct storm_state *was, const struct storm_state *is, const char *when)
{
	bool same = true;
	int i;

	EXPECT_EQ(is->cpu, was->cpu);
	for (i = 0; i < STORM_NR_WORDS; i++)
		if (is->word[i] != was->word[i]) {
			same = false;
			KTAP_FAIL_("%s: %s was %#llx and is %#llx", when, word_name[i],
				   was->word[i], is->word[i]);
		}
	return same;
}

/* ---- the thread's registers -------------------------------------------------------- */

struct thread_regs {
	uint64_t gpr[9];		/* rbx rbp r8 r9 r10 r12 r13 r14 r15 */
	uint64_t args[3];		/* rdi rsi rdx */
	uint64_t flags;
	uint64_t ds, es, gs;
	uint8_t fpu[512];		/* FXSAVE */
	uint8_t ymm[16][32];
} __attribute__((aligned(16)));

_Static_assert(offsetof(struct thread_regs, args) == 72 && offsetof(struct thread_regs, flags) == 96 &&
	       offsetof(struct thread_regs, ds) == 104 && offsetof(struct thread_regs, fpu) == 128 &&
	       offsetof(struct thread_regs, ymm) == 640, "the assembly below");

/*
 * long run_raw(const struct thread_regs *in, struct thread_regs *out, bool avx): the system
 * call of @in->args with every register that it leaves alone holding @in's; what they hold
 * afterwards into @out.  GS is not loaded, for its base would be lost.
 */
long run_raw(const struct thread_regs *in, struct thread_regs *out, long avx);
__asm__(".pushsection .text\n"
	".globl run_raw\n"
	"run_raw:\n"
	"push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\npush %rdx\npush %rsi\n"
	"mov %rdi, %rax\n"
	"fxrstor 128(%rax)\n"
	"test %edx, %edx\njz 1f\n"
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"vmovdqu 640 + \\n * 32(%rax), %ymm\\n\n"
	".endr\n"
	"1: mov 104(%rax), %ds\nmov 112(%rax), %es\n"
	"mov (%rax), %rbx\nmov 8(%rax), %rbp\nmov 16(%rax), %r8\nmov 24(%rax), %r9\n"
	"mov 32(%rax), %r10\nmov 40(%rax), %r12\nmov 48(%rax), %r13\nmov 56(%rax), %r14\n"
	"mov 64(%rax), %r15\nmov 72(%rax), %rdi\nmov 80(%rax), %rsi\nmov 88(%rax), %rdx\n"
	"pushq 96(%rax)\npopf\n"
	"mov $16, %eax\n"			/* ioctl */
	"syscall\n"
	"pushf\ncld\n"
	"mov 8(%rsp), %rcx\n"
	"mov %rbx, (%rcx)\nmov %rbp, 8(%rcx)\nmov %r8, 16(%rcx)\nmov %r9, 24(%rcx)\n"
	"mov %r10, 32(%rcx)\nmov %r12, 40(%rcx)\nmov %r13, 48(%rcx)\nmov %r14, 56(%rcx)\n"
	"mov %r15, 64(%rcx)\nmov %rdi, 72(%rcx)\nmov %rsi, 80(%rcx)\nmov %rdx, 88(%rcx)\n"
	"popq 96(%rcx)\n"
	"xor %edx, %edx\n"
	"mov %ds, %edx\nmov %rdx, 104(%rcx)\nmov %es, %edx\nmov %rdx, 112(%rcx)\n"
	"mov %gs, %edx\nmov %rdx, 120(%rcx)\n"
	"cmpl $0, 8(%rsp)\nje 2f\n"
	".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
	"vmovdqu %ymm\\n, 640 + \\n * 32(%rcx)\n"
	".endr\n"
	"vzeroupper\n"
	"2: fxsave 128(%rcx)\nfninit\n"
	"pop %rsi\npop %rdx\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\n"
	"ret\n"
	".popsection\n");

static void fill_regs(struct thread_regs *r, struct vcpu *v, bool ldt)
{
	uint8_t *b = (uint8_t *)r;
	unsigned int i;

	for (i = 0; i < sizeof(*r); i++)
		b[i] = rnd();
	r->args[0] = v->fd;
	r->args[1] = KVM_RUN;
	r->args[2] = 0;
	r->flags = 0xed7;		/* carry to overflow, with DF */
	r->ds = USER_DS;
	r->es = ldt ? 7 : 0;
	*(uint16_t *)r->fpu = 0x0f7f;	/* rounding and precision changed, all masked */
	*(uint16_t *)(r->fpu + 2) = 0x2900;	/* TOP 5 */
	r->fpu[4] = 0xff;
	*(uint32_t *)(r->fpu + 24) = 0xff80;	/* FTZ, rounding to zero, all masked */
	for (i = 0; i < 16; i++)		/* XMM is YMM's lower half */
		memcpy(r->ymm[i], r->fpu + 160 + i * 16, 16);
}

static bool same_bytes(const char *what, unsigned int n, const void *a, const void *b, size_t len)
{
	if (!memcmp(a, b, len))
		return true;
	KTAP_FAIL_("the thread's %s %u changed", what, n);
	return false;
}

static bool same_regs(const struct thread_regs *a, const struct thread_regs *b, bool avx)
{
	bool same = true;
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(a->gpr); i++)
		same &= same_bytes("general register", i, &a->gpr[i], &b->gpr[i], 8);
	same &= same_bytes("argument registers", 0, a->args, b->args, sizeof(a->args));
	/* IF and bit 1 are the system's */
	same &= (a->flags | 0x202) == b->flags;
	if ((a->flags | 0x202) != b->flags)
		KTAP_FAIL_("flags %#lx", b->flags);
	same &= same_bytes("DS, ES", 0, &a->ds, &b->ds, 16);
	same &= same_bytes("FCW, FSW, FTW", 0, a->fpu, b->fpu, 5);
	same &= same_bytes("MXCSR", 0, a->fpu + 24, b->fpu + 24, 4);
	for (i = 0; i < 8; i++)
		same &= same_bytes("ST", i, a->fpu + 32 + i * 16, b->fpu + 32 + i * 16, 10);
	for (i = 0; i < 16; i++) {
		same &= same_bytes("XMM", i, a->fpu + 160 + i * 16, b->fpu + 160 + i * 16, 16);
		if (avx)
			same &= same_bytes("YMM", i, a->ymm[i], b->ymm[i], 32);
	}
	return same;
}

/* ---- cases ---------------------------------------------------------------------------- */

static struct vcpu *make_guest(bool ring3)
{
	struct vcpu *v = guest_start(ring3 ? MODE_PAE : MODE_PG32, ring3 ? user : kernel);
	struct kvm_segment *segs[] = { &v->sregs.cs, &v->sregs.ss, &v->sregs.ds, &v->sregs.es,
				       &v->sregs.fs, &v->sregs.gs };
	unsigned int i;

	fpu_on(v);
	if (ring3)
		for (i = 0; i < KTAP_COUNT(segs); i++) {
			segs[i]->selector = i ? SEL_UDATA : SEL_UCODE;
			segs[i]->dpl = 3;
		}
	set_sregs(v);
	v->regs.rflags |= RFLAGS_IF;
	if (ring3)
		v->regs.rsp = G_STACK - 0x200;
	set_regs(v);
	guest_load(v->vm, G_SERVICE, service);
	guest_load(v->vm, G_SERVICE_OUT, service_out);
	guest_handler(v->vm, v->mode, 0x80, G_SERVICE);
	guest_handler(v->vm, v->mode, 0x81, G_SERVICE_OUT);
	for (i = 0x80; i < 0x82; i++)
		g32(v->vm, G_IDT32 + i * 8 + 4) |= 3u << 13;		/* DPL */
	return v;
}

static int set_ldt(unsigned int base)
{
	struct user_desc d = {
		.base_addr = base, .limit = 0x6666, .seg_32bit = 1, .useable = 1,
	};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d));
}

static unsigned int ldt_limit(void)
{
	unsigned int limit = 0;

	asm volatile("lsl %1, %0" : "+r"(limit) : "r"(7) : "cc");
	return limit;
}

static void switches(bool ring3, bool ldt)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1, cpu;
	bool avx = __builtin_cpu_supports("avx"), same = true;
	struct storm_state before, while_vm, is;
	struct thread_regs in, out;
	uint64_t count, tsc_aux, sum = 0;
	struct vcpu *v;

	if (ldt && set_ldt(0x12345000))
		SKIP("this kernel has no modify_ldt()");
	if (ldt)
		asm volatile("mov %0, %%gs" : : "r"(7));
	else
		ASSERT_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000));
	asm volatile("mov %0, %%ds\nmov %1, %%es" : : "r"(USER_DS), "r"(ldt ? 7 : 0));
	/* rights of a key that no page has: PKRU is not as it always is, if there is one */
	pkey_alloc(0, PKEY_DISABLE_WRITE);
	for (cpu = 0; cpu < cpus; cpu++) {
		pin(cpu);
		is = state();
		tsc_aux = is.word[STORM_W_tsc_aux];
		ioctl(storm, STORM_TSC_AUX, 0x5a5a);
		before = state();
		v = make_guest(ring3);
		run_to(v, KVM_EXIT_IO);
		while_vm = state();
		do {
			v->run->exit_reason = 0;
			fill_regs(&in, v, ldt);
			ASSERT_EQ(run_raw(&in, &out, avx), 0);
			ASSERT_EQ(v->run->exit_reason, KVM_EXIT_IO);
			same = same_regs(&in, &out, avx);
			is = state();
			same &= same_state(&while_vm, &is, "with a VM");
			EXPECT_EQ(out.gs, ldt ? 7 : 0);
			if (ldt)
				EXPECT_EQ(ldt_limit(), 0x6666);
			count = stat_value(v->fd, "native") ?: stat_value(v->fd, "entries");
		} while (same && !ktap.failed && count < total / 4 / cpus);
		ktap_diag("CPU %d: %llu world switches", cpu, (unsigned long long)count);
		sum += count;
		vm_free(v->vm);
		is = state();
		same_state(&before, &is, "after the last VM");
		ioctl(storm, STORM_TSC_AUX, tsc_aux);
	}
	asm volatile("mov %0, %%ds\nmov %0, %%es" : : "r"(0));
	if (ldt)
		asm volatile("mov %0, %%gs" : : "r"(0));
	EXPECT(sum >= total / 4);
}

/*
 * The thread's I/O ports are its own: ring 3 of a guest whose TSS has no map for them
 * gets #GP, and the thread still has them afterwards.
 */
GUEST(port, 32, "in $0x80, %al\nhlt\n");

static void ports_hidden(void)
{
	struct vcpu *v;

	if (ioperm(0x80, 1, 1))
		SKIP("no ioperm()");
	v = make_guest(true);
	guest_load(v->vm, G_CODE, port);
	ASSERT_EQ(run_to_vector(v), GP);
	EXPECT_EQ(g32(v->vm, v->regs.rsp + 4), G_CODE);
	outb(0, 0x80);		/* a signal, if it has not */
	ioperm(0x80, 1, 0);
}

/* The thread's LDT is its own: to a guest without one a selector of it is nothing. */
GUEST(load_es, 32, "mov $7, %eax\nmov %eax, %es\nhlt\n");

static void ldt_hidden(void)
{
	struct vcpu *v;
	int ring3;

	if (set_ldt(0x12345000))
		SKIP("this kernel has no modify_ldt()");
	for (ring3 = 0; ring3 < 2; ring3++) {
		v = make_guest(ring3);
		guest_load(v->vm, G_CODE, load_es);
		ASSERT_EQ(run_to_vector(v), GP);
		EXPECT_EQ(g32(v->vm, v->regs.rsp), 4);
		EXPECT_EQ(ldt_limit(), 0x6666);
		vm_free(v->vm);
	}
}

static void kernel_code(void)	{ switches(false, false); }
static void user_code(void)	{ switches(true, false); }
static void kernel_ldt(void)	{ switches(false, true); }
static void user_ldt(void)	{ switches(true, true); }

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		{ "kernel_code", kernel_code }, { "user_code", user_code },
		{ "kernel_ldt", kernel_ldt }, { "user_ldt", user_ldt },
		{ "ldt_hidden", ldt_hidden }, { "ports_hidden", ports_hidden },
	};

	if (argc > 1)
		total = strtoull(argv[1], NULL, 0);
	vmtest_init();
	rnd_seed_fixed(1);
	storm = open("/dev/ringvm-storm", O_RDWR);
	if (storm < 0)
		ktap_skip_all("no /dev/ringvm-storm: insmod ringvm_storm.ko first");
	ktap.deadline = 120 + total / 500;
	return ktap_run(cases, KTAP_COUNT(cases));
}
