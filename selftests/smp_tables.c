// SPDX-License-Identifier: GPL-2.0
/*
 * 32-bit and PAE page tables that another vCPU changes while they are walked and used: to
 * other frames, to none, to no memory, to reserved bits, to the tables themselves, to large
 * pages; and code that is written to while it is executed.  Whatever a read gives is one of
 * the values that the tables have led to; a write lands in one of those frames; nothing
 * lands anywhere else, in the guest or in the client; and once the tables stay as they are
 * the guest sees that.
 */
#include <pthread.h>

#include "vmtest.h"

#define PG	0x1000u
#define SIZE	0x400000u
#define GUARD	0x10000u

#define S_PD	0x90000u	/* the directory that changes: the second GiB's, or all of it */
#define S_PT1	0x94000u	/* two tables */
#define S_PT2	0x95000u
#define S_ONE	0x98000u	/* two frames */
#define S_TWO	0x99000u
#define CHANGE	0xa000u		/* the second vCPU's program */
#define S_STOP	0xb000u		/* words by which the two talk */
#define S_READY	0xb008u
#define S_COUNT	0xb010u
#define S_VALUES 0xb100u	/* entries to be put, one after the other; 8 bytes each */
#define NR_VALUES 16u		/* with those that tables have as well */
#define AT	0x40000000u	/* where the first vCPU reads and writes */
#define MARK1	0x11111111u
#define MARK2	0x22222222u
#define NOWHERE	0x33333333u	/* what the client answers */
#define ENOUGH	1000u		/* accesses */

/* EDI: faults; EDX: accesses; EBP: values that nobody put anywhere.  A write of the value
 * that was read, so that any order leaves frames that are all one value. */
GUEST(use, 32,
      "use_next: movl $1, 0xb008\n"
      "1: pause\n mov (%esi), %eax\n"
      "cmp $0x11111111, %eax\n je 2f\n"
      "cmp $0x22222222, %eax\n je 2f\n"
      "cmp $0x33333333, %eax\n je 3f\n"
      /* an entry, where a table is the page: with or without accessed and dirty */
      "and $~0x60, %eax\n mov $0xb100, %ecx\n"
      "5: cmp (%ecx), %eax\n je 3f\n add $8, %ecx\n cmp $0xb180, %ecx\n jb 5b\n"
      "inc %ebp\n jmp 3f\n"
      "2: mov %eax, 0x100(%esi)\n"
      "3: inc %edx\n mov %edx, 0xb010\n"
      "test $7, %dl\n jnz 4f\n int $0x42\n"
      "4: cmpl $0, 0xb000\n je 1b\n"
      "int $0x42\n mov (%esi), %ebx\n"
      "int $0x41\n"
      /* #PF: the access is given up */
      ".globl guest_use_fault\nguest_use_fault: inc %edi\n add $4, %esp\n movl $0x8000 + 3b - use_next, (%esp)\n iret\n"
      /* flush for ring 3 */
      ".globl guest_use_flush\nguest_use_flush: invlpg (%esi)\n iret\n");
extern const uint8_t guest_use_fault[], guest_use_flush[];

/*
 * Each of the values in turn, by one store of EDI's width: 4 or 8; at the end the last one.
 * At PAUSE QEMU's TCG goes on with another CPU, else only ten times a second.
 */
GUEST(change, 32,
      "2: cmpl $0, 0xb008\n je 2b\n"
      "1: mov $0xb100, %esi\n"
      "3: mov (%esi), %eax\n mov 4(%esi), %edx\n"
      "cmp $8, %edi\n jne 5f\n"
      /* 8 bytes at once: the other sees no halves */
      "movq (%esi), %xmm0\n movq %xmm0, (%ebx)\n jmp 6f\n"
      "5: mov %eax, (%ebx)\n"
      "6: mov $4, %edx\n 4: pause\n dec %edx\n jnz 4b\n"
      "add $8, %esi\n cmp %ebp, %esi\n jb 3b\n"
      "dec %ecx\n jns 1b\n"
      "cmpl $1000, 0xb010\n jb 1b\n"
      "movl $1, 0xb000\n hlt\n");

static uint8_t *arena;
static unsigned int asked;	/* exits for no memory */

static void *run_thread(void *arg)
{
	struct vcpu *v = arg;
	int e;

	for (;;) {
		e = vcpu_run(v);
		if (e == -EINTR)
			continue;
		EXPECT_EQ(e, 0);
		if (e || v->run->exit_reason != KVM_EXIT_MMIO)
			break;
		EXPECT_EQ(v->run->mmio.len, 4);
		if (!v->run->mmio.is_write) {
			uint32_t val = NOWHERE;

			memcpy(v->run->mmio.data, &val, 4);
			asked++;
		}
	}
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	if (v->run->exit_reason != KVM_EXIT_HLT)
		show_exit(v);
	get_regs(v);
	EXPECT(v->regs.rip == G_TRAPS + 0x41 + 1 || v->regs.rip == CHANGE + code_len(change));
	/* or the other would wait for ever */
	g32(v->vm, S_STOP) = 1;
	g32(v->vm, S_COUNT) = g32(v->vm, S_READY) = ENOUGH;
	return NULL;
}

static void *run_once(void *arg)
{
	struct vcpu *v = arg;

	EXPECT_EQ(vcpu_run(v), 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	return NULL;
}

static void entry(struct vcpu *v, uint32_t table, uint32_t i, uint64_t val)
{
	if (v->mode == MODE_PAE)
		g64(v->vm, table + i * 8) = val;
	else
		g32(v->vm, table + i * 4) = val;
}

static void user(struct vcpu *v)
{
	struct kvm_sregs *s = &v->sregs;
	struct kvm_segment *data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };
	unsigned int i;

	s->cs.selector = SEL_UCODE;
	s->cs.dpl = 3;
	for (i = 0; i < KTAP_COUNT(data); i++) {
		data[i]->selector = SEL_UDATA;
		data[i]->dpl = 3;
	}
}

static bool untouched(const uint8_t *p, size_t n)
{
	return *p == 0xc5 && !memcmp(p, p + 1, n - 1);
}

/* @at: the entry that changes; the last of @values leads to S_TWO */
static void changed(enum guest_mode m, unsigned int cpl, uint32_t at, const uint64_t *values,
		    unsigned int n)
{
	uint32_t width = m == MODE_PAE ? 8 : 4, i, other = 0;
	struct vm *vm = vm_bare();
	struct vcpu *v, *w;
	pthread_t t[2];

	if (!arena)
		arena = anon(SIZE + 2 * GUARD);
	memset(arena, 0xc5, SIZE + 2 * GUARD);
	memset(arena + GUARD, 0, G_FREE);
	vm->mem = arena + GUARD;
	vm->size = SIZE;
	ASSERT_OK(vm_slot(vm, 0, 0, 0, SIZE, vm->mem));
	memset(vm->mem + G_TRAPS, 0xf4, 256);
	v = vcpu_new(vm, 0, m);
	w = vcpu_new(vm, 1, m);
	memset(vm->mem + S_PD, 0, 6 * PG);
	for (i = 0; i < PG; i += 4) {
		g32(vm, S_ONE + i) = MARK1;
		g32(vm, S_TWO + i) = MARK2;
	}
	if (m == MODE_PAE) {
		g64(vm, G_PDPT_PAE + 8) = S_PD | 1;
		entry(v, S_PD, 0, S_PT1 | 7);
	} else {
		entry(v, G_PD32, AT >> 22, S_PT1 | 7);
	}
	entry(v, S_PT1, 0, S_ONE | 7);
	entry(v, S_PT2, 0, S_TWO | 7);
	for (i = 0; i < n; i++)
		g64(vm, S_VALUES + i * 8) = values[i];
	ASSERT(n + 3 <= NR_VALUES);
	g64(vm, S_VALUES + i++ * 8) = S_ONE | 7;
	g64(vm, S_VALUES + i++ * 8) = S_TWO | 7;
	g64(vm, S_VALUES + i++ * 8) = 7;	/* the first of G_PT32 */
	for (; i < NR_VALUES; i++)
		g64(vm, S_VALUES + i * 8) = values[0];
	guest_load(vm, G_CODE, use);
	guest_load(vm, CHANGE, change);
	guest_handler(vm, m, PF, G_CODE + (guest_use_fault - guest_use));
	guest_handler(vm, m, 0x42, G_CODE + (guest_use_flush - guest_use));
	g8(vm, G_IDT32 + 0x41 * 8 + 5) = g8(vm, G_IDT32 + 0x42 * 8 + 5) = 0xee;
	fpu_on(w);
	if (cpl == 3)
		user(v);
	set_sregs(v);
	set_sregs(w);
	v->regs.rsi = AT;
	v->regs.rsp = cpl == 3 ? 0x5000 : G_STACK;
	v->regs.rflags = RFLAGS_1 | (cpl == 3 ? RFLAGS_IF : 0);
	set_regs(v);
	w->regs.rip = CHANGE;
	w->regs.rbx = at;
	w->regs.rdi = width;
	w->regs.rbp = S_VALUES + n * 8;
	w->regs.rcx = 60;
	set_regs(w);
	asked = 0;
	ASSERT(!pthread_create(&t[0], NULL, run_thread, v));
	ASSERT(!pthread_create(&t[1], NULL, run_thread, w));
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	get_regs(v);
	ktap_diag("%s ring %u: %llu accesses, %llu faults, %u without memory", mode_name[m], cpl,
		  v->regs.rdx, v->regs.rdi, asked);
	EXPECT_EQ(v->regs.rip, G_TRAPS + 0x41 + 1);
	EXPECT_EQ(v->regs.rbp, 0);
	EXPECT_EQ(v->regs.rbx, MARK2);
	EXPECT(v->regs.rdx >= ENOUGH);
	/* Between the read and the write of the same value the tables may have changed. */
	for (i = 0; i < PG; i += 4) {
		uint32_t a = g32(vm, S_ONE + i), b = g32(vm, S_TWO + i);

		if (i == 0x100)
			other += (a != MARK1 && a != MARK2) || (b != MARK1 && b != MARK2);
		else
			other += a != MARK1 || b != MARK2;
	}
	EXPECT_EQ(other, 0);
	/* all other memory is as it was */
	EXPECT(untouched(arena, GUARD));
	EXPECT(untouched(vm->mem + G_FREE, S_PD - G_FREE));
	EXPECT(untouched(vm->mem + S_TWO + PG, SIZE + GUARD - S_TWO - PG));
	vm->mem = NULL;
	vm_free_all();
}

static void leaves(enum guest_mode m, unsigned int cpl)
{
	const uint64_t reserved = m == MODE_PAE ? BIT(62) : 0;
	const uint64_t values[] = {
		S_ONE | 7, 0, S_TWO | 7, G_HOLE | 7, S_PT1 | 5, S_ONE | 7 | reserved, S_ONE | 1,
		S_TWO | 5, S_TWO | 7,
	};

	changed(m, cpl, S_PT1, values, KTAP_COUNT(values));
}

static void directories(enum guest_mode m, unsigned int cpl)
{
	const uint64_t values[] = {
		S_PT1 | 7, 0, S_PT2 | 7, G_HOLE | 0x87, S_PT1 | 1, (m == MODE_PAE ? BIT(62) : 0) | S_PT1 | 7,
		(m == MODE_PAE ? S_PD : G_PD32) | 5, S_PT2 | 7,
	};

	changed(m, cpl, m == MODE_PAE ? S_PD : G_PD32 + (AT >> 22) * 4, values, KTAP_COUNT(values));
}

static void leaves32(void)	{ leaves(MODE_PG32, 0); leaves(MODE_PG32, 3); }
static void leaves_pae(void)	{ leaves(MODE_PAE, 0); leaves(MODE_PAE, 3); }
static void dirs32(void)	{ directories(MODE_PG32, 0); directories(MODE_PG32, 3); }
static void dirs_pae(void)	{ directories(MODE_PAE, 0); directories(MODE_PAE, 3); }

/* ---- code ------------------------------------------------------------------------------ */

/*
 * Four bytes of code are stored to, over and over, and what is executed is some of the old and
 * some of the new (SDM vol. 3 §8.1.3): each byte is an instruction, CLI, STI, INT3 and HLT
 * among them.  EDX: how often; EDI: INT3s.
 */
GUEST(patched, 32,
      "patched_next: movl $1, 0xb008\n"
      "1: .fill 16 - (1b - patched_next), 1, 0x90\n"	/* on a boundary of 8 bytes */
      ".globl guest_patch\nguest_patch:\n"
      "2: nop\nnop\nnop\nnop\n"
      "pause\n inc %edx\n mov %edx, 0xb010\n"
      "cmpl $0, 0xb000\n je 1b\n"
      /* CPUID serialises; then what is there is what was last put */
      "mov %edx, %esi\n xor %eax, %eax\n cpuid\n mov %esi, %edx\n"
      "mov $0x1234, %ecx\n jmp 2b\n"
      ".globl guest_patched_bp\nguest_patched_bp: inc %edi\n iret\n");
extern const uint8_t guest_patch[], guest_patched_bp[];

static void code(void)
{
	static const uint8_t values[][4] = {
		{ 0x90, 0x90, 0x90, 0x90 },	/* NOP */
		{ 0xfb, 0x90, 0xfa, 0x40 },	/* STI, CLI, INC EAX */
		{ 0xf8, 0xcc, 0xfb, 0x90 },	/* CLC, INT3 */
		{ 0x48, 0xf4, 0xfa, 0xcc },	/* DEC EAX, HLT */
		{ 0xfa, 0xf9, 0x48, 0xfb },	/* STC */
		{ 0xf4, 0x90, 0x90, 0xfc },	/* CLD */
	};
	const uint32_t patch = G_CODE + (guest_patch - guest_patched);
	struct vcpu *v = guest_start(MODE_PG32, patched), *w = vcpu_new(v->vm, 1, MODE_PG32);
	unsigned int i, halts = 0;
	pthread_t t;

	for (i = 0; i < KTAP_COUNT(values); i++)
		memcpy(v->vm->mem + S_VALUES + i * 8, values[i], 4);
	guest_load(v->vm, CHANGE, change);
	guest_handler(v->vm, MODE_PG32, BP, G_CODE + (guest_patched_bp - guest_patched));
	w->regs.rip = CHANGE;
	w->regs.rbx = patch;
	w->regs.rdi = 4;
	w->regs.rbp = S_VALUES + i * 8;
	w->regs.rcx = 100;
	set_regs(w);
	ASSERT(!pthread_create(&t, NULL, run_thread, w));
	/* HLT is among them, too: on with the next */
	for (;;) {
		int e = vcpu_run(v);

		if (e == -EINTR)
			continue;
		EXPECT_EQ(e, 0);
		if (e || v->run->exit_reason != KVM_EXIT_HLT)
			break;
		get_regs(v);
		EXPECT(v->regs.rip > patch && v->regs.rip <= patch + 4);
		if (v->regs.rip <= patch || v->regs.rip > patch + 4 || v->regs.rcx == 0x1234)
			break;
		halts++;
	}
	g32(v->vm, S_COUNT) = g32(v->vm, S_READY) = ENOUGH;
	pthread_join(t, NULL);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	ktap_diag("%llu times, %llu breakpoints, %u halts", v->regs.rdx, v->regs.rdi, halts);
	EXPECT_EQ(v->regs.rip, patch + 1);
	EXPECT_EQ(v->regs.rsp, G_STACK);
	EXPECT(v->regs.rdx >= ENOUGH);
}

/*
 * One byte, once, after the code has been executed for long: INT3 in place of a NOP.  Nothing
 * serialises; the store is seen all the same, at some time (SDM vol. 3 §11.6).
 */
GUEST(awaits, 32,
      "movl $1, 0xb008\n"
      "1: .globl guest_awaited\nguest_awaited: nop\n"
      "inc %edx\n mov %edx, 0xb010\n jmp 1b\n");
extern const uint8_t guest_awaited[];
GUEST(once, 32,
      "1: pause\n cmp %ecx, 0xb010\n jb 1b\n"
      "movb $0xcc, (%ebx)\n hlt\n");

static void code_once(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE, MODE_PROT32 };
	unsigned int m, cpl;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3) {
			struct vcpu *v = guest_start(modes[m], awaits);
			struct vcpu *w = vcpu_new(v->vm, 1, modes[m]);
			pthread_t t;

			guest_load(v->vm, CHANGE, once);
			g8(v->vm, G_IDT32 + BP * 8 + 5) = 0xee;
			if (cpl == 3)
				user(v);
			set_sregs(v);
			v->regs.rflags = RFLAGS_1 | (cpl == 3 ? RFLAGS_IF : 0);
			set_regs(v);
			w->regs.rip = CHANGE;
			w->regs.rbx = G_CODE + (guest_awaited - guest_awaits);
			w->regs.rcx = 20000;
			set_regs(w);
			ASSERT(!pthread_create(&t, NULL, run_once, w));
			kick_me_in(60000);
			EXPECT_EQ(vcpu_run(v), 0);
			kick_me_in(0);
			g32(v->vm, S_COUNT) = 0x7fffffff;
			pthread_join(t, NULL);
			get_regs(v);
			if (v->regs.rip != G_TRAPS + BP + 1)
				KTAP_FAIL_("%s ring %u: the store was not seen, RIP %#llx",
					   mode_name[modes[m]], cpl, v->regs.rip);
			vm_free_all();
		}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "leaves, 32-bit", leaves32 }, { "leaves, PAE", leaves_pae },
		{ "directories, 32-bit", dirs32 }, { "directories, PAE", dirs_pae },
		{ "code", code }, { "code, once", code_once },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
