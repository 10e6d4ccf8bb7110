// SPDX-License-Identifier: GPL-2.0
/*
 * bench_trap [-t MS] [-r ROUNDS] [-l KIND] DEVICE...: what it costs a 32-bit guest's kernel
 * to execute what a mode cannot simply run, on several nodes side by side, in time.
 * bench_trap -c [-r ROUNDS] [-l KIND] [-x MOST] DEVICE: where the time stamp counter counts
 * instructions (Bochs), in instructions of the host, without the guest's own; with -x it is
 * a fault if one of them takes more than that.
 *
 * Each kind is a loop; a turn executes it once (or so many times as its line says), and the
 * figures are for one.  Each is measured twice: "dense", with nothing but the loop's end
 * between, and "alone", with 200 harmless instructions: a mode that interprets on for a while
 * after a trap gains by it in the first and loses in the second.
 *
 * A count is the difference between COUNT_TURNS and twice as many turns on a vCPU that has run
 * the loop before, the least of ROUNDS (default 5) each: what the beginning costs is not in it,
 * nor what seldom comes from outside.  A time is that of as many turns as take MS (default 20),
 * the least of ROUNDS.  Exit status: 0, 1 something was wrong, 2 cannot start.
 */
#include <fcntl.h>
#include <time.h>
#include <x86intrin.h>

#include "vmtest.h"

#define MAX_DEVICES	4
#define VEC		0x81
#define VEC_IRQ		0x45
#define G_HANDLER	(G_DATA + 0x1000)	/* not in a page that is written to */
#define CALLS		(G_DATA + 0x410)	/* counted by the handlers */

/* The beginning, a turn, what follows the loop; EBX: turns. */
#define KIND(id, start, turn, rest)						\
	GUEST(id##_dense, 32, start "\n1: " turn "\ndec %ebx\njnz 1b\nhlt\n" rest); \
	GUEST(id##_alone, 32, start "\n1: " turn				\
	      "\n.rept 200\nlea 1(%esi), %esi\n.endr\ndec %ebx\njnz 1b\nhlt\n" rest)
#define SPACED	200

#define COUNT_TURNS	100

KIND(nothing, "", "nop", "");
KIND(cli, "", "cli", "");
KIND(sti, "", "sti\ncli", "");
/* The stack's page has to have been written to, as any kernel's has. */
KIND(pushf, "push %edi\npop %edi", "pushf\nlea 4(%esp), %esp", "");
KIND(popf, "pushf\npop %edi", "push %edi\npopf", "");
KIND(rdtsc, "", "rdtsc", "");
KIND(readcr, "", "mov %cr3, %eax", "");
KIND(cr3, "mov %cr3, %edx", "mov %edx, %cr3", "");
KIND(invlpg, "", "invlpg 0x30000", "");
KIND(fill, "", "invlpg 0x30000\nmov 0x30000, %eax", "");
KIND(rdmsr, "mov $0x174, %ecx", "rdmsr", "");
KIND(cpuid, "", "xor %eax, %eax\nmov %ebx, %edi\ncpuid\nmov %edi, %ebx", "");
KIND(load, "mov %ds, %edx", "mov %edx, %ds", "");
KIND(iret, "", "push $2\npush $8\ncall 3f\njmp 2f\n3: iret\n2:", "");
KIND(intn, "", "int $0x81", "");
KIND(fault, "", "mov 0xc0000000, %eax", "");
KIND(port, "", "in $0x10, %al", "");
KIND(sleep, "sti", "hlt", "");
KIND(ring3, "mov $0x33, %eax\nmov %eax, %ds\nmov %eax, %es\npush $0x33\npush $0x5000\npush $0x202\n"
	    "push $0x2b\ncall 4f\n4: addl $(1f - 4b), (%esp)\niret", "int $0x81", "");

GUEST(counts, 32, "incl 0xc410\niret\n");
GUEST(skips, 32, "incl 0xc410\naddl $5, 4(%esp)\nadd $4, %esp\niret\n");

static const struct kind {
	const char *name, *what;
	const struct guest_code *code[2];	/* dense, alone */
	uint32_t insns;		/* a turn's, with handlers, without the loop's two */
	uint32_t units;		/* executions that a turn's figure is divided by */
	bool calls;		/* a handler is entered once a turn */
	uint32_t exit;		/* to the client, once a turn; 0: none */
	bool irq;		/* which then sends an interrupt */
} kinds[] = {
#define K(id)	{ &id##_dense, &id##_alone }
	{ "nothing", "NOP: what the method itself adds", K(nothing), 1, 1, false, 0, false },
	{ "cli", "CLI", K(cli), 1, 1, false, 0, false },
	{ "sti", "STI and CLI by turns, each", K(sti), 2, 2, false, 0, false },
	{ "pushf", "PUSHF", K(pushf), 2, 1, false, 0, false },
	{ "popf", "POPF", K(popf), 2, 1, false, 0, false },
	{ "rdtsc", "RDTSC, an offset being added", K(rdtsc), 1, 1, false, 0, false },
	{ "readcr", "MOV from CR3", K(readcr), 1, 1, false, 0, false },
	{ "cr3", "MOV to CR3, the same value", K(cr3), 1, 1, false, 0, false },
	{ "invlpg", "INVLPG", K(invlpg), 1, 1, false, 0, false },
	{ "fill", "INVLPG and a load that fills the shadow entry", K(fill), 2, 1, false, 0, false },
	{ "rdmsr", "RDMSR", K(rdmsr), 1, 1, false, 0, false },
	{ "cpuid", "CPUID", K(cpuid), 4, 1, false, 0, false },
	{ "load", "MOV to DS", K(load), 1, 1, false, 0, false },
	{ "iret", "IRET within ring 0", K(iret), 5, 1, false, 0, false },
	{ "int", "INT n and IRET within ring 0", K(intn), 3, 1, true, 0, false },
	{ "ring3", "INT n out of ring 3 and IRET", K(ring3), 3, 1, true, 0, false },
	{ "fault", "page fault of the guest's own, its handler, IRET", K(fault), 5, 1, true, 0, false },
	{ "port", "IN, to the client and back", K(port), 1, 1, false, KVM_EXIT_IO, false },
	{ "hlt", "HLT, to the client and back", K(sleep), 1, 1, false, KVM_EXIT_HLT, false },
	{ "irq", "HLT, an interrupt from the client, its handler, IRET", K(sleep), 3, 1, true,
	  KVM_EXIT_HLT, true },
};

static const char *devices[MAX_DEVICES];
static int nr_devices;
static unsigned int target_ms = 20, rounds = 5;
static const char *only;
static double most;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* What the last run left in DS and ES (user segments in "ring3") serves ring 0 as well. */
static void start(struct vcpu *v, uint32_t turns)
{
	get_regs(v);
	v->regs.rbx = turns;
	v->regs.rsp = G_STACK;
	v->regs.rip = G_CODE;
	v->regs.rflags = RFLAGS_1;
	set_regs(v);
}

/* So many turns: time stamps if @counting, else nanoseconds. */
static uint64_t run(const struct kind *k, struct vcpu *v, uint32_t turns, bool counting)
{
	struct kvm_interrupt irq = { .irq = VEC_IRQ };
	uint32_t calls = g32(v->vm, CALLS), n;
	uint64_t from, took;

	start(v, turns);
	from = counting ? __rdtsc() : now_ns();
	for (n = 0; k->exit && n < turns; n++) {
		if (ioctl(v->fd, KVM_RUN, 0) || v->run->exit_reason != k->exit)
			break;
		if (k->irq)
			ASSERT_OK(ioctl(v->fd, KVM_INTERRUPT, &irq));
	}
	run_to(v, KVM_EXIT_HLT);
	took = (counting ? __rdtsc() : now_ns()) - from;
	get_regs(v);
	if ((k->exit && n != turns) || (uint32_t)v->regs.rbx ||
	    g32(v->vm, CALLS) - calls != (k->calls ? turns : 0)) {
		show_exit(v);
		FAIL("%s: %u turns did not come out", k->name, turns);
	}
	return took;
}

static struct vcpu *prepare(const struct kind *k, int far)
{
	struct vcpu *v = guest_start(MODE_PG32, *k->code[far]);

	guest_load(v->vm, G_HANDLER, counts);
	guest_load(v->vm, G_HANDLER + 0x100, skips);
	guest_handler(v->vm, MODE_PG32, VEC, G_HANDLER);
	guest_handler(v->vm, MODE_PG32, VEC_IRQ, G_HANDLER);
	guest_handler(v->vm, MODE_PG32, PF, G_HANDLER + 0x100);
	g8(v->vm, G_IDT32 + VEC * 8 + 5) = 0xee;
	g32(v->vm, G_PD32 + (0xc0000000u >> 22) * 4) = 0;
	return v;
}

/* For one execution: instructions besides the guest's, or nanoseconds. */
static double measure(const struct kind *k, int far, bool counting)
{
	uint64_t least[2] = { ~0ull, ~0ull }, took;
	struct vcpu *v = prepare(k, far);
	uint32_t turns = counting ? COUNT_TURNS : 4, round, i;
	double turn;

	run(k, v, turns, counting);
	if (!counting) {
		while ((took = run(k, v, turns, false)) < target_ms * 1000000ull && turns < 1u << 24)
			turns *= 2;
	}
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 2; i++) {
			took = run(k, v, turns << i, counting);
			if (took < least[i])
				least[i] = took;
		}
	}
	vm_free_all();
	if (counting)
		turn = ((double)least[1] - least[0]) / turns -
		       (k->insns + 2 + (far ? SPACED : 0));
	else
		turn = (double)least[1] / (2 * turns);
	return turn / k->units;
}

static void one_kind(const struct kind *k, bool counting)
{
	int i, far;

	printf("%-8s", k->name);
	for (i = 0; i < nr_devices; i++) {
		setenv("RINGVM_DEV", devices[i], 1);
		for (far = 0; far < 2; far++) {
			double figure = measure(k, far, counting);

			printf(" %11.1f", figure);
			if (most && figure > most)
				FAIL("%s: %.1f, more than %.1f", k->name, figure, most);
		}
	}
	printf("  %s\n", k->what);
	fflush(stdout);
}

static bool counting;

static void all(void)
{
	unsigned int i;

	printf("%s\n%-8s", counting ? "host instructions besides the guest's own" :
	       "nanoseconds; the host's clock, so look at ratios if it is emulated", "");
	for (i = 0; i < (unsigned int)nr_devices; i++)
		printf(" %23s", devices[i]);
	printf("\n%-8s", "");
	for (i = 0; i < (unsigned int)nr_devices; i++)
		printf(" %11s %11s", "dense", "alone");
	printf("\n");
	for (i = 0; i < KTAP_COUNT(kinds); i++)
		if (!only || !strcmp(kinds[i].name, only))
			one_kind(&kinds[i], counting);
}

static int usage(void)
{
	unsigned int i;

	fprintf(stderr, "bench_trap [-c] [-t MS] [-r ROUNDS] [-l KIND] [-x MOST] DEVICE... (1 to %d)\n"
		"KIND:", MAX_DEVICES);
	for (i = 0; i < KTAP_COUNT(kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static bool known(const char *name)
{
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "ct:r:l:x:")) != -1) {
		switch (opt) {
		case 'c':
			counting = true;
			break;
		case 't':
			target_ms = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			rounds = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			only = optarg;
			break;
		case 'x':
			most = strtod(optarg, NULL);
			break;
		default:
			return usage();
		}
	}
	if (optind == argc || argc - optind > MAX_DEVICES || !rounds || !target_ms ||
	    target_ms > 10000 || (only && !known(only)))
		return usage();
	for (; optind < argc; optind++) {
		if (access(argv[optind], R_OK | W_OK)) {
			fprintf(stderr, "bench_trap: %s: %s\n", argv[optind], strerror(errno));
			return 2;
		}
		devices[nr_devices++] = argv[optind];
	}
	ktap_run_case(all);
	if (ktap.failed) {
		ktap_run_case(vm_free_all);
		return 1;
	}
	return 0;
}
