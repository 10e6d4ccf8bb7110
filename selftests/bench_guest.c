// SPDX-License-Identifier: GPL-2.0
/*
 * bench_guest [-t MS] [-r ROUNDS] [-l LOOP] DEVICE...: small guest programs on
 * several device nodes, side by side.
 * bench_guest -c [-r ROUNDS] [-l LOOP] DEVICE: where the time stamp counter counts
 * instructions (Bochs), those of the host for each of the guest's, exactly: the
 * difference of two numbers of turns, each the least of ROUNDS.
 *
 * Each program is a loop whose instructions are known by number: so many for a
 * turn, so many around it.  A measurement is one VM that runs one loop for about
 * MS milliseconds (default 200), as many turns as a trial run said; devices take
 * turns in every round, the one that begins changes from round to round.  Printed
 * are cycles of the time stamp counter for each instruction, median, least and most,
 * and the ratio of the first device to each of the others, of the medians and of the
 * best.  REP MOVS is one instruction however long: its unit is the byte.
 *
 * bench_guest -w PERCENT ...: where the clock counts instructions, fail where one of the
 * guest's takes so much more than one of a loop in this program.
 *
 * Every run's result is checked, and on an interpreter the number of instructions,
 * by its own counter.  Exit status: 0, 1 something was wrong, 2 cannot start.
 */
#include <fcntl.h>
#include <time.h>
#include <x86intrin.h>

#include "vmtest.h"

#define MAX_DEVICES	4
#define MAX_ROUNDS	99

/*
 * A loop in the manner of Dhrystone: a record copied by a procedure, two strings
 * compared by another (they differ at the thirteenth character), arithmetic with a
 * division and a branch by its remainder in a third, both arms of which are equally
 * long.  EBX: turns.  Records at G_DATA and G_DATA + 0x100, strings at + 0x200 and
 * + 0x300, variables at + 0x400.  W: the letter of registers as wide as an address.
 */
#define INTEGER(W)							\
	"1: mov $0xc000, %esi\nmov $0xc100, %edi\ncall 2f\n"		\
	"mov $0xc200, %esi\nmov $0xc300, %edi\ncall 4f\n"		\
	"push %" W "ax\nmov %ebx, %eax\ncall 6f\npop %" W "cx\n"	\
	"add %ecx, 0xc40c\ndec %ebx\njnz 1b\nhlt\n"			\
	/* the record, 48 bytes; a field of the copy counts */		\
	"2: push %" W "bp\nmov %" W "sp, %" W "bp\nmov $4, %ecx\n"	\
	"3: mov (%" W "si), %eax\nmov 4(%" W "si), %edx\n"		\
	"mov %eax, (%" W "di)\nmov %edx, 4(%" W "di)\n"			\
	"mov 8(%" W "si), %eax\nmov %eax, 8(%" W "di)\n"		\
	"add $12, %" W "si\nadd $12, %" W "di\ndec %ecx\njnz 3b\n"	\
	"incl -44(%" W "di)\nleave\nret\n"				\
	/* the strings */						\
	"4: push %" W "bp\nmov %" W "sp, %" W "bp\nxor %ecx, %ecx\n"	\
	"5: movzbl (%" W "si,%" W "cx), %eax\n"				\
	"movzbl (%" W "di,%" W "cx), %edx\ncmp %edx, %eax\njne 7f\n"	\
	"inc %ecx\ntest %eax, %eax\njnz 5b\n"				\
	"7: sub %edx, %eax\nleave\nret\n"				\
	/* the arithmetic */						\
	"6: push %" W "bp\nmov %" W "sp, %" W "bp\nmov 0xc400, %ecx\n"	\
	"lea (%" W "cx,%" W "cx,4), %ecx\nadd %eax, %ecx\n"		\
	"mov %ecx, 0xc400\nmov %ecx, %eax\nxor %edx, %edx\n"		\
	"mov $7, %esi\ndiv %esi\nimul $13, %eax, %edi\nshr $3, %edi\n"	\
	"xor %ecx, %edi\nand $0xffff, %edi\ncmp $3, %edx\njbe 8f\n"	\
	"add %eax, 0xc404\njmp 9f\n"					\
	"8: xor %edi, 0xc404\nincl 0xc408\n"				\
	"9: mov 0xc404, %eax\nleave\nret\n"
/* main, record, strings, arithmetic */
#define INTEGER_TURN	(13 + (3 + 4 * 10 + 3) + (3 + 12 * 7 + 4 + 3) + (16 + 2 + 3))

GUEST(integer64, 64, INTEGER("r"));
GUEST(integer32, 32, INTEGER("e"));

#define SAME_UNTIL	12
static const char strings[2][24] = { "the record, 1st of two", "the record, 2nd of two" };

/* Moves, additions, loads, a store, a taken branch: what the interpreter is to be best at. */
#define SIMPLE(W)							\
	"mov $0xc000, %esi\n1: mov %ebx, %eax\nadd $3, %ecx\nmov %eax, (%" W "si)\n" \
	"add 8(%" W "si), %ecx\nmov 8(%" W "si), %edx\nadd %edx, %ecx\ndec %ebx\njnz 1b\nhlt\n"
#define SIMPLE_TURN	8

GUEST(simple64, 64, SIMPLE("r"));
GUEST(simple32, 32, SIMPLE("e"));

/* 64 KiB, EBX times, by loads and stores as wide as a register. */
#define SOURCE		G_FREE
#define TARGET		0x40000u
#define COPIED		0x10000u
#define COPY(W, step)							\
	"1: mov $0x30000, %esi\nmov $0x50000, %edi\nmov $-0x10000, %" W "cx\n" \
	"2: mov (%" W "si,%" W "cx), %" W "ax\nmov %" W "ax, (%" W "di,%" W "cx)\n" \
	"add $" step ", %" W "cx\njnz 2b\ndec %ebx\njnz 1b\nhlt\n"
#define COPY_TURN(step)	(3 + 4 * (COPIED / (step)) + 2)

GUEST(copy64, 64, COPY("r", "8"));
GUEST(copy32, 32, COPY("e", "4"));

#define REP(insn, count)						\
	"1: mov $0x20000, %esi\nmov $0x40000, %edi\nmov $" count ", %ecx\n" \
	"rep " insn "\ndec %ebx\njnz 1b\nhlt\n"
#define REP_TURN	6

GUEST(movsb64, 64, REP("movsb", "0x10000"));
GUEST(movsb32, 32, REP("movsb", "0x10000"));
GUEST(movsl64, 64, REP("movsl", "0x4000"));
GUEST(movsl32, 32, REP("movsl", "0x4000"));

/*
 * System calls from ring 3, EBX of them, and what a kernel does around them: its
 * own GS and stack, registers saved, the number checked.  The last ends in HLT in
 * place of the way back.
 */
GUEST(syscall64, 64,
      "lea 1f(%rip), %rcx\nmov $2, %r11d\nmov $0x5000, %esp\nsysretq\n"
      "1: mov $39, %eax\nsyscall\njmp 1b\n");
GUEST(kernel64, 64,
      "swapgs\nmov %rsp, %gs:8\nmov %gs:0, %rsp\npush %rcx\npush %r11\n"
      "cmp $64, %eax\njae 1f\nincl %gs:16\n1: pop %r11\npop %rcx\n"
      "mov %gs:8, %rsp\nswapgs\ndec %ebx\njz 2f\nsysretq\n2: hlt\n");
#define SYSCALL64_TURN	(2 + 15 + 1)
#define SYSCALL64_REST	(4 - 1)

GUEST(int80, 32,
      "mov $0x33, %eax\nmov %eax, %ds\nmov %eax, %es\n"
      "push $0x33\npush $0x5000\npush $2\npush $0x2b\ncall 1f\n"
      "1: addl $(2f - 1b), (%esp)\niret\n"
      "2: mov $39, %eax\nint $0x80\njmp 2b\n");
GUEST(kernel32, 32,
      "push %eax\npush %ecx\npush %edx\npush %ds\npush %es\n"
      "mov $0x33, %edx\nmov %edx, %ds\nmov %edx, %es\n"
      "cmp $64, %eax\njae 1f\nincl 0xc410\n"
      "1: pop %es\npop %ds\npop %edx\npop %ecx\npop %eax\ndec %ebx\njz 2f\niret\n2: hlt\n");
#define INT80_TURN	(2 + 19 + 1)
#define INT80_REST	(10 - 1)

#define CALLS		(G_DATA + 0x410)	/* counted by either kernel */

/* ---- setting up, and what must have come out ---------------------------------- */

static void simple_setup(struct vcpu *v)
{
	g32(v->vm, G_DATA) = 0;
}

static bool simple_check(struct vcpu *v, uint32_t turns)
{
	return g32(v->vm, G_DATA) == 1 && v->regs.rcx == 3ull * turns;
}

static void integer_setup(struct vcpu *v)
{
	memcpy(v->vm->mem + G_DATA + 0x200, strings[0], sizeof(strings[0]));
	memcpy(v->vm->mem + G_DATA + 0x300, strings[1], sizeof(strings[1]));
	memset(v->vm->mem + G_DATA, 0x5a, 48);
	g32(v->vm, G_DATA + 0x400) = 1;
}

/* The arithmetic again. */
static bool integer_check(struct vcpu *v, uint32_t turns)
{
	int diff = strings[0][SAME_UNTIL] - strings[1][SAME_UNTIL];
	uint32_t x = 1, sum = 0, odd = 0, n;

	for (n = turns; n; n--) {
		x = x * 5 + n;
		if (x % 7 > 3) {
			sum += x / 7;
		} else {
			sum ^= (x / 7 * 13 >> 3 ^ x) & 0xffff;
			odd++;
		}
	}
	return g32(v->vm, G_DATA + 0x400) == x && g32(v->vm, G_DATA + 0x404) == sum &&
	       g32(v->vm, G_DATA + 0x408) == odd &&
	       g32(v->vm, G_DATA + 0x40c) == turns * (uint32_t)diff &&
	       g32(v->vm, G_DATA + 0x104) == 0x5a5a5a5b && g8(v->vm, G_DATA + 0x12f) == 0x5a;
}

static void copy_setup(struct vcpu *v)
{
	uint32_t i;

	for (i = 0; i < COPIED; i++)
		v->vm->mem[SOURCE + i] = i ^ i >> 8;
}

static bool copy_check(struct vcpu *v, uint32_t turns)
{
	(void)turns;
	return !memcmp(v->vm->mem + SOURCE, v->vm->mem + TARGET, COPIED);
}

static void syscall64_setup(struct vcpu *v)
{
	guest_load(v->vm, G_DATA, kernel64);
	g64(v->vm, G_DATA + 0x400) = G_STACK;
	ASSERT_EQ(set_msr(v, MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE), 1);
	/* SYSRET's CS is 16 above what STAR says (SDM vol. 3 5.8.8). */
	ASSERT_EQ(set_msr(v, MSR_STAR, (uint64_t)SEL_CODE << 32 |
				       (uint64_t)(SEL_UCODE - 16) << 48), 1);
	ASSERT_EQ(set_msr(v, MSR_LSTAR, G_DATA), 1);
	ASSERT_EQ(set_msr(v, MSR_SFMASK, RFLAGS_IF), 1);
	ASSERT_EQ(set_msr(v, MSR_KERNEL_GS, G_DATA + 0x400), 1);
}

static void int80_setup(struct vcpu *v)
{
	guest_load(v->vm, G_DATA, kernel32);
	guest_handler(v->vm, v->mode, 0x80, G_DATA);
	g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
}

static bool syscall_check(struct vcpu *v, uint32_t turns)
{
	return g32(v->vm, CALLS) == turns;
}

/* ---- the loops ---------------------------------------------------------------- */

static const struct loop {
	const char *name, *what;
	const struct guest_code *code;
	enum guest_mode mode;
	void (*setup)(struct vcpu *v);
	bool (*check)(struct vcpu *v, uint32_t turns);
	uint32_t turn, rest;		/* instructions */
	uint32_t bytes;			/* the unit, if not the instruction: so many a turn */
	bool int_n;			/* out of ring 3, one a turn */
} loops[] = {
	{ "simple64", "mov, add, load, store, taken branch", &simple64, MODE_LONG,
	  simple_setup, simple_check, SIMPLE_TURN, 2, 0, false },
	{ "simple32", "the same, 32-bit code", &simple32, MODE_PG32,
	  simple_setup, simple_check, SIMPLE_TURN, 2, 0, false },
	{ "integer64", "records, strings, arithmetic, calls", &integer64, MODE_LONG,
	  integer_setup, integer_check, INTEGER_TURN, 1, 0, false },
	{ "integer32", "the same, 32-bit code", &integer32, MODE_PG32,
	  integer_setup, integer_check, INTEGER_TURN, 1, 0, false },
	{ "copy64", "64 KiB by mov, 8 bytes each", &copy64, MODE_LONG,
	  copy_setup, copy_check, COPY_TURN(8), 1, 0, false },
	{ "copy32", "64 KiB by mov, 4 bytes each", &copy32, MODE_PG32,
	  copy_setup, copy_check, COPY_TURN(4), 1, 0, false },
	{ "movsb64", "64 KiB by rep movsb", &movsb64, MODE_LONG,
	  copy_setup, copy_check, REP_TURN, 1, COPIED, false },
	{ "movsb32", "the same, 32-bit code", &movsb32, MODE_PG32,
	  copy_setup, copy_check, REP_TURN, 1, COPIED, false },
	{ "movsl64", "64 KiB by rep movsl", &movsl64, MODE_LONG,
	  copy_setup, copy_check, REP_TURN, 1, COPIED, false },
	{ "movsl32", "the same, 32-bit code", &movsl32, MODE_PG32,
	  copy_setup, copy_check, REP_TURN, 1, COPIED, false },
	{ "syscall64", "SYSCALL and SYSRET", &syscall64, MODE_LONG,
	  syscall64_setup, syscall_check, SYSCALL64_TURN, SYSCALL64_REST, 0, false },
	{ "int80", "INT 80h and IRET, 32-bit code", &int80, MODE_PG32,
	  int80_setup, syscall_check, INT80_TURN, INT80_REST, 0, true },
};

struct device {
	const char *path;
	bool interp, kvm;
	bool native;			/* an interpreter in part only */
	uint32_t turns;			/* a measurement's, of the loop being measured */
	double cycles[MAX_ROUNDS];	/* for each unit */
	double rate[MAX_ROUNDS];	/* million units a second */
};

static struct device devices[MAX_DEVICES];
static int nr_devices;
static unsigned int target_ms = 200, rounds = 5;
static const char *only;
static double own_cycles;		/* of an instruction in this program; 0: not asked for */
static double within;			/* of these, at most */

/* The vCPU's counter of interpreted instructions. */
static uint64_t interpreted(struct vcpu *v)
{
	return stat_value(v->fd, "emulated");
}

static uint64_t instructions(const struct loop *l, uint32_t turns)
{
	return (uint64_t)l->turn * turns + l->rest;
}

/* One VM, so many turns: nanoseconds; *cycles of the TSC. */
static uint64_t run(const struct loop *l, struct device *dev, uint32_t turns, uint64_t *cycles)
{
	struct timespec from, to;
	struct vcpu *v;
	uint64_t want;

	setenv("RINGVM_DEV", dev->path, 1);
	v = guest_start(l->mode, *l->code);
	l->setup(v);
	get_regs(v);
	v->regs.rbx = turns;
	set_regs(v);
	clock_gettime(CLOCK_MONOTONIC, &from);
	*cycles = __rdtsc();
	run_to(v, KVM_EXIT_HLT);
	*cycles = __rdtsc() - *cycles;
	clock_gettime(CLOCK_MONOTONIC, &to);
	get_regs(v);
	if ((uint32_t)v->regs.rbx || !l->check(v, turns)) {
		show_exit(v);
		FAIL("%s on %s, %u turns: wrong result", l->name, dev->path, turns);
	}
	/* INT n ends as an event to be delivered, and is not in that counter. */
	want = instructions(l, turns) - (l->int_n ? turns : 0);
	if (dev->interp && !dev->native && interpreted(v) != want)
		FAIL("%s on %s, %u turns: %llu instructions by the interpreter's counter, "
		     "not %llu", l->name, dev->path, turns,
		     (unsigned long long)interpreted(v), (unsigned long long)want);
	vm_free_all();
	return (to.tv_sec - from.tv_sec) * 1000000000ull + to.tv_nsec - from.tv_nsec;
}

/*
 * How many turns last as long as was asked for.  Small numbers say little: an
 * emulator translates the loop first.
 */
static uint32_t trial(const struct loop *l, struct device *dev)
{
	uint64_t want = target_ms * 1000000ull, ns, cycles, more;
	uint32_t turns = 1;

	while ((ns = run(l, dev, turns, &cycles)) < want / 2 && turns < 1u << 28) {
		more = want / (ns ? ns : 1);
		turns *= more < 2 ? 2 : more > 8 ? 8 : more;
	}
	more = want * turns / (ns ? ns : 1);
	return more < 1 ? 1 : more > 1u << 30 ? 1u << 30 : more;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *values)
{
	qsort(values, rounds, sizeof(*values), by_value);
	return (values[(rounds - 1) / 2] + values[rounds / 2]) / 2;
}

/* The emulator below aborts on the way out of ring 3 with a TSS that a client of KVM
 * loaded busy. */
static bool can_run(const struct loop *l, const struct device *dev)
{
	return !(l->int_n && dev->kvm && host_is_tcg());
}

/* Cycles for each instruction of a loop of our own, as long as those of the guests. */
static double host_loop(void)
{
	uint64_t turns = 1000, cycles;
	struct timespec from, to;
	uint64_t ns;

	for (;;) {
		uint64_t n = turns, x = 0;

		clock_gettime(CLOCK_MONOTONIC, &from);
		cycles = __rdtsc();
		asm volatile("1: add $3, %1\n\tlea (%1,%0), %1\n\tdec %0\n\tjnz 1b"
			     : "+r"(n), "+r"(x) : : "cc");
		cycles = __rdtsc() - cycles;
		clock_gettime(CLOCK_MONOTONIC, &to);
		ns = (to.tv_sec - from.tv_sec) * 1000000000ull + to.tv_nsec - from.tv_nsec;
		if (ns >= target_ms * 500000ull)
			return (double)cycles / (4 * turns);
		turns *= 2;
	}
}

static void measure(const struct loop *l)
{
	unsigned int round;
	double first = 0, first_best = 0;
	int i;

	for (i = 0; i < nr_devices; i++)
		if (can_run(l, &devices[i]))
			devices[i].turns = trial(l, &devices[i]);
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < nr_devices; i++) {
			struct device *d = &devices[(round + i) % nr_devices];
			uint64_t ns, cycles;
			double units;

			if (!can_run(l, d))
				continue;
			ns = run(l, d, d->turns, &cycles);
			units = l->bytes ? (double)l->bytes * d->turns : instructions(l, d->turns);
			d->cycles[round] = cycles / units;
			d->rate[round] = units * 1000 / ns;
		}
	}
	printf("%s: %s; ", l->name, l->what);
	if (l->bytes)
		printf("figures for each byte\n");
	else
		printf("%u instructions a turn\n", l->turn);
	for (i = 0; i < nr_devices; i++) {
		struct device *d = &devices[i];
		double mid;

		if (!can_run(l, d)) {
			printf("  %-20s not run: this emulator would abort\n", d->path);
			continue;
		}
		mid = median(d->cycles);
		printf("  %-20s %9.3f %9.3f to %9.3f %10.1f", d->path, mid, d->cycles[0],
		       d->cycles[rounds - 1], median(d->rate));
		if (i) {
			printf(" %8.2f %8.2f", first / mid, first_best / d->cycles[0]);
		} else {
			first = mid;
			first_best = d->cycles[0];
		}
		printf("\n");
		if (own_cycles && mid > own_cycles * within)
			FAIL("%s on %s: %.3f times as long as this program's own", l->name,
			     d->path, mid / own_cycles);
	}
	fflush(stdout);
}

/* Turns of the shorter run: two of them take less than a tick of the host's clock. */
#define COUNT_INSNS	600

/* So many turns on a vCPU that has run them before: TSC cycles. */
static uint64_t again(const struct loop *l, struct vcpu *v, uint32_t turns)
{
	uint64_t cycles;

	l->setup(v);
	v->regs.rbx = turns;
	v->regs.rcx = 0;
	v->regs.rsp = G_STACK;
	v->regs.rip = G_CODE;
	set_regs(v);
	cycles = __rdtsc();
	run_to(v, KVM_EXIT_HLT);
	cycles = __rdtsc() - cycles;
	get_regs(v);
	if ((uint32_t)v->regs.rbx)
		FAIL("%s: not done", l->name);
	return cycles;
}

static void count(const struct loop *l)
{
	uint32_t turns = COUNT_INSNS / l->turn + 1, round, k;
	uint64_t least[2] = { ~0ull, ~0ull }, before, done;
	struct vcpu *v = guest_start(l->mode, *l->code);

	get_regs(v);
	again(l, v, turns);
	for (round = 0; round < rounds; round++)
		for (k = 0; k < 2; k++) {
			uint64_t cycles;

			before = interpreted(v);
			cycles = again(l, v, turns << k);
			done = interpreted(v) - before;
			if (done != instructions(l, turns << k))
				FAIL("%s: %llu instructions by the interpreter's counter", l->name,
				     (unsigned long long)done);
			if (cycles < least[k])
				least[k] = cycles;
		}
	printf("  %-10s %8.1f  %s\n", l->name,
	       (double)(least[1] - least[0]) / (l->turn * turns), l->what);
	fflush(stdout);
	vm_free_all();
}

static void count_all(void)
{
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(loops); i++)
		if (only ? !strcmp(loops[i].name, only) :
		    loops[i].turn < COUNT_INSNS && !loops[i].bytes && !loops[i].int_n)
			count(&loops[i]);
}

static void measure_all(void)
{
	unsigned int i;

	printf("%u rounds of about %u ms in turn, medians%s\n", rounds, target_ms,
	       host_is_tcg() ? "; the host is emulated: only ratios mean something" : "");
	printf("  %-20s %9s %22s %10s %8s %8s\n", "", "cycles", "from, to", "million/s",
	       "ratio", "of best");
	for (i = 0; i < KTAP_COUNT(loops); i++)
		if (!only || !strcmp(loops[i].name, only))
			measure(&loops[i]);
}

static int usage(void)
{
	unsigned int i;

	fprintf(stderr, "bench_guest [-c] [-w PERCENT] [-t MS] [-r ROUNDS, 1 to %d] [-l LOOP] DEVICE... (1 to %d)\n"
		"LOOP:", MAX_ROUNDS, MAX_DEVICES);
	for (i = 0; i < KTAP_COUNT(loops); i++)
		fprintf(stderr, " %s", loops[i].name);
	fprintf(stderr, "\n");
	return 2;
}

static bool known(const char *name)
{
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(loops); i++)
		if (!strcmp(loops[i].name, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	bool counting = false;
	int opt, fd;

	while ((opt = getopt(argc, argv, "ct:r:l:w:")) != -1) {
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
		case 'w':
			within = 1 + strtoul(optarg, NULL, 10) / 100.0;
			break;
		default:
			return usage();
		}
	}
	if (optind == argc || argc - optind > MAX_DEVICES || !rounds || rounds > MAX_ROUNDS ||
	    !target_ms || target_ms > 60000 || (only && !known(only)))
		return usage();
	for (; optind < argc; optind++) {
		struct device *d = &devices[nr_devices++];

		d->path = argv[optind];
		fd = open(d->path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			fprintf(stderr, "bench_guest: %s: %s\n", d->path, strerror(errno));
			return 2;
		}
		if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
			fprintf(stderr, "bench_guest: %s: does not speak KVM's API\n", d->path);
			return 2;
		}
		close(fd);
		setenv("RINGVM_DEV", d->path, 1);
		d->interp = dev_is_interp();
		d->native = dev_is_ring1();
		d->kvm = dev_is_kvm();
	}
	if (counting && (nr_devices != 1 || !devices[0].interp || devices[0].native)) {
		fprintf(stderr, "bench_guest -c: an interpreter's node, and no other\n");
		return 2;
	}
	if (within) {
		own_cycles = host_loop();
		printf("this program's own loop: %.3f cycles an instruction\n", own_cycles);
	}
	ktap_run_case(counting ? count_all : measure_all);
	if (ktap.failed) {
		ktap_run_case(vm_free_all);
		return 1;
	}
	return 0;
}
