// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions in the middle of something: a page of the stack, the IDT, the GDT, the LDT or the
 * I/O map is not there, or not to be written, or a device's, when an instruction or the delivery
 * of an event comes to it; code that loses its right to be executed.  The page fault is told
 * with its address and error code, at the instruction, with nothing done (SDM vol. 3 §6.5,
 * §6.15); the device is asked, and the instruction ends.
 *
 * #PF and #DF have tasks of their own, as there may be no stack.
 */
#include "vmtest.h"

#define PG	0x1000u
#define TSS_PF	0x31000u
#define TSS_DF	0x31100u
#define TASK	0x31800u	/* their code: HLT each */
#define TASK_ESP 0x33000u
#define SEL_PF	0x40
#define SEL_DF	0x48
#define LIST	0x34000u	/* stack pointers, one for each turn */
#define GOOD	0x36800u	/* a stack */
#define TURNS	40u

static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
static uint32_t old_tss;

static void page(struct vcpu *v, uint32_t nr, uint64_t entry)
{
	if (v->mode == MODE_PG32)
		g32(v->vm, G_PT32 + nr * 4) = entry;
	else
		g64(v->vm, G_PT + nr * 8) = entry;
}

static void task(struct vcpu *v, uint32_t tss, uint16_t sel, uint32_t eip)
{
	struct vm *vm = v->vm;
	unsigned int i;

	memset(vm->mem + tss, 0, 104);
	g32(vm, tss + 0x1c) = v->sregs.cr3;
	g32(vm, tss + 0x20) = eip;
	g32(vm, tss + 0x24) = RFLAGS_1;
	g32(vm, tss + 0x38) = TASK_ESP;
	for (i = 0; i < 6; i++)
		g16(vm, tss + 0x48 + i * 4) = i == 1 ? SEL_CODE : SEL_DATA;
	g16(vm, tss + 0x66) = 0x68;
	g64(vm, v->sregs.gdt.base + sel) = 0x0000890000000067ull | (uint64_t)tss << 16;
}

static void begin(struct vcpu *v, enum guest_mode m, unsigned int cpl, struct guest_code code)
{
	struct kvm_sregs *s = &v->sregs;
	struct kvm_segment *data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };
	unsigned int i;

	vcpu_set_mode(v, m);
	old_tss = s->tr.base;
	guest_load(v->vm, G_CODE, code);
	memset(v->vm->mem + TASK, 0xf4, 16);
	task(v, TSS_PF, SEL_PF, TASK);
	task(v, TSS_DF, SEL_DF, TASK + 4);
	g64(v->vm, G_IDT32 + PF * 8) = 0x850000000000ull | SEL_PF << 16;
	g64(v->vm, G_IDT32 + DF * 8) = 0x850000000000ull | SEL_DF << 16;
	g8(v->vm, G_IDT32 + 0x41 * 8 + 5) = g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
	/* what a good stack has: flags that do no harm */
	for (i = 0; i < 4 * PG; i += 4)
		g32(v->vm, 0x40000 + i) = RFLAGS_1;
	for (i = 0; i < PG; i += 4)
		g32(v->vm, GOOD - PG / 2 + i) = RFLAGS_1;
	if (cpl == 3) {
		s->cs.selector = SEL_UCODE;
		s->cs.dpl = 3;
		for (i = 0; i < KTAP_COUNT(data); i++) {
			data[i]->selector = SEL_UDATA;
			data[i]->dpl = 3;
		}
	}
	v->regs.rsp = GOOD;
	v->regs.rflags = RFLAGS_1 | (cpl == 3 ? RFLAGS_IF : 0);
}

/* The fault's task stands at its HLT: what it was told, and what the other was doing. */
static void expect_pf(struct vcpu *v, const char *what, unsigned int cpl, uint32_t eip, uint32_t esp,
		      uint32_t error, uint32_t cr2, uint32_t or_cr2)
{
	struct vm *vm = v->vm;
	uint32_t got_cr2;

	run_to(v, KVM_EXIT_HLT);
	get_regs(v);
	get_sregs(v);
	got_cr2 = v->sregs.cr2;
	if (v->regs.rip != TASK + 1) {
		KTAP_FAIL_("%s ring %u: %s: RIP %#llx, CR2 %#x", mode_name[v->mode], cpl, what,
			   v->regs.rip, got_cr2);
		return;
	}
	if (g32(vm, TASK_ESP - 4) != error || (got_cr2 != cr2 && got_cr2 != or_cr2) ||
	    g32(vm, old_tss + 0x20) != eip || g32(vm, old_tss + 0x38) != esp ||
	    g16(vm, old_tss + 0x4c) != (cpl ? SEL_UCODE : SEL_CODE))
		KTAP_FAIL_("%s ring %u: %s: error code %#x, CR2 %#x, EIP %#x, ESP %#x, CS %#x; want %#x, %#x, %#x, %#x",
			   mode_name[v->mode], cpl, what, g32(vm, TASK_ESP - 4), got_cr2,
			   g32(vm, old_tss + 0x20), g32(vm, old_tss + 0x38), g16(vm, old_tss + 0x4c),
			   error, cr2, eip, esp);
}

/* QEMU's SVM has no intercept of task switches, and does not begin them anew after a nested
 * page fault. */
static void need_tasks(void)
{
	if (guest_on_tcg())
		SKIP("TCG switches tasks without the intercept");
}

/* ---- instructions at a stack that is not there ----------------------------------------- */

/* Again and again with another ESP, so that it has been executed often before it fails */
#define WARM(sym, insn)									\
	GUEST(sym, 32, "1: mov (%ebx), %esp\nadd $4, %ebx\n"				\
	      ".globl guest_" #sym "_at\nguest_" #sym "_at: " insn "\njmp 1b\n");	\
	extern const uint8_t guest_##sym##_at[]

WARM(w_pushf, "pushf");
WARM(w_push, "push %eax");
WARM(w_push_ds, "push %ds");
WARM(w_popf, "popf");
WARM(w_pop, "pop %eax");
WARM(w_mov, "mov %eax, -4(%esp)");

static const struct warm {
	const char *name;
	const struct guest_code *code;
	const uint8_t *start, *at;
	bool write;
} warms[] = {
#define W(sym, write) { #sym, &sym, guest_##sym, guest_##sym##_at, write }
	W(w_pushf, true), W(w_push, true), W(w_push_ds, true), W(w_mov, true), W(w_popf, false),
	W(w_pop, false),
};

enum how { ABSENT, READ_ONLY, DEVICE };

static void one_warm(struct vcpu *v, enum guest_mode m, unsigned int cpl, const struct warm *w,
		     uint32_t esp, uint32_t bad, enum how how)
{
	uint32_t at = w->write ? esp - 4 : esp, eip = G_CODE + (w->at - w->start), i, cr2;
	uint32_t us = cpl ? 4 : 0;

	begin(v, m, cpl, *w->code);
	page(v, bad, how == ABSENT ? 0 : how == READ_ONLY ? (uint64_t)bad << 12 | 5 : G_HOLE | 7);
	for (i = 0; i < TURNS; i++)
		g32(v->vm, LIST + i * 4) = GOOD + i % 8 * 4;
	g32(v->vm, LIST + i * 4) = esp;
	v->regs.rbx = LIST;
	v->regs.rax = 0x12345678;
	set_sregs(v);
	set_regs(v);
	if (how == DEVICE) {
		uint32_t val = RFLAGS_1;

		ASSERT_EQ(vcpu_run(v), 0);
		if (v->run->exit_reason != KVM_EXIT_MMIO ||
		    v->run->mmio.phys_addr != G_HOLE + (at & 0xfff) || v->run->mmio.len < 2 ||
		    v->run->mmio.is_write != w->write) {
			show_exit(v);
			FAIL("%s ring %u: %s to a device", mode_name[m], cpl, w->name);
		}
		if (!w->write)
			memcpy(v->run->mmio.data, &val, 4);
		else if (w->code == &w_push || w->code == &w_mov)
			EXPECT_EQ(*(uint32_t *)v->run->mmio.data, 0x12345678);
		else if (w->code == &w_pushf)
			EXPECT_EQ(*(uint32_t *)v->run->mmio.data, v->regs.rflags);
		return;
	}
	/* the first byte that is on that page */
	cr2 = at >> 12 == bad ? at : bad << 12;
	expect_pf(v, w->name, cpl, eip, esp, (how == READ_ONLY) | (w->write ? 2 : 0) | us, cr2, cr2);
}

static void stacks(void)
{
	unsigned int m, cpl, i;

	need_tasks();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = guest_start(modes[m], w_push);

		for (cpl = 0; cpl <= 3; cpl += 3)
			for (i = 0; i < KTAP_COUNT(warms); i++) {
				const struct warm *w = &warms[i];
				uint32_t end = w->write ? 4 : 0;

				one_warm(v, modes[m], cpl, w, 0x41000 + end, 0x41, ABSENT);
				one_warm(v, modes[m], cpl, w, 0x41ffc + end, 0x41, ABSENT);
				one_warm(v, modes[m], cpl, w, 0x41800 + end, 0x41, DEVICE);
				/* a selector's upper half may not be written */
				if (w->code != &w_push_ds) {
					/* across two pages, either of which is missing */
					one_warm(v, modes[m], cpl, w, 0x40ffe + end, 0x41, ABSENT);
					one_warm(v, modes[m], cpl, w, 0x41ffd + end, 0x41, ABSENT);
				}
				if (w->write)
					one_warm(v, modes[m], cpl, w, 0x41800, 0x41, READ_ONLY);
			}
		vm_free_all();
	}
}

/* ---- others, once ---------------------------------------------------------------------------- */

GUEST(o_int, 32, "int $0x41\nhlt\n");
GUEST(o_int80, 32, "int $0x80\nhlt\n");
GUEST(o_ud, 32, "ud2\nhlt\n");
GUEST(o_hlt, 32, "hlt\n");
GUEST(o_call, 32, "call .+20\n");
GUEST(o_ret, 32, "ret\n");
GUEST(o_iret, 32, "iret\n");
GUEST(o_pusha, 32, "pusha\n");
GUEST(o_popa, 32, "popa\n");
GUEST(o_es, 32, "mov %eax, %es\nhlt\n");
GUEST(o_lar, 32, "lar %eax, %ecx\nhlt\n");
GUEST(o_verr, 32, "verr %ax\nhlt\n");
GUEST(o_lret, 32, "push %eax\npush $0x9000\nlret\n");
GUEST(o_in, 32, "in $0x10, %al\nhlt\n");

/* In ring 0: the stack in use */
static void same_ring(void)
{
	static const struct {
		const char *name;
		const struct guest_code *code;
		uint32_t esp, cr2;
		bool write;
	} t[] = {
		{ "int", &o_int, 0x42000, 0x41ffc, true }, { "int", &o_int, 0x42004, 0x41ffc, true },
		{ "int", &o_int, 0x42008, 0x41ffc, true }, { "ud2", &o_ud, 0x42004, 0x41ffc, true },
		{ "call", &o_call, 0x42000, 0x41ffc, true }, { "ret", &o_ret, 0x41000, 0x41000, false },
		{ "pusha", &o_pusha, 0x42000, 0x41ffc, true }, { "pusha", &o_pusha, 0x42010, 0x41ffc, true },
		{ "popa", &o_popa, 0x41000, 0x41000, false }, { "popa", &o_popa, 0x40ff0, 0x41000, false },
		{ "iret", &o_iret, 0x41000, 0x41000, false },
	};
	unsigned int m, i;

	need_tasks();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = guest_start(modes[m], o_int);

		for (i = 0; i < KTAP_COUNT(t); i++) {
			begin(v, modes[m], 0, *t[i].code);
			page(v, 0x41, 0);
			v->regs.rsp = t[i].esp;
			set_sregs(v);
			set_regs(v);
			/* TCG does PUSHA from its end. */
			expect_pf(v, t[i].name, 0, G_CODE, t[i].esp, t[i].write ? 2 : 0, t[i].cr2,
				  t[i].code == &o_pusha && host_is_tcg() ? t[i].esp - 32 : t[i].cr2);
		}
		vm_free_all();
	}
}

/* Out of ring 3: the stack that the TSS names, in parts */
static void inner_stack(void)
{
	static const struct { const char *name; const struct guest_code *code; } t[] = {
		{ "int", &o_int }, { "ud2", &o_ud }, { "hlt", &o_hlt },
	};
	unsigned int m, i, room;

	need_tasks();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = guest_start(modes[m], o_int);

		for (i = 0; i < KTAP_COUNT(t); i++)
			for (room = 0; room < 5; room++) {
				begin(v, modes[m], 3, *t[i].code);
				page(v, 0x41, room & 1 ? 0x41005 : 0);
				g32(v->vm, old_tss + 4) = 0x42000 + room * 4;
				set_sregs(v);
				set_regs(v);
				expect_pf(v, t[i].name, 3, G_CODE, GOOD, room & 1 ? 3 : 2, 0x41ffc, 0x41ffc);
			}
		vm_free_all();
	}
}

/* A descriptor table that ends in a page which is not there: the CPU's own reads are a
 * supervisor's, in ring 3 too. */
static void tables(void)
{
	static const struct { const char *name; const struct guest_code *code; uint32_t esp, eip; } t[] = {
		{ "mov es", &o_es, 0, 0 }, { "lar", &o_lar, 0, 0 }, { "verr", &o_verr, 0, 0 },
		{ "lret", &o_lret, 8, 6 },
	};
	unsigned int m, cpl, i, local;

	need_tasks();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = guest_start(modes[m], o_int);

		for (cpl = 0; cpl <= 3; cpl += 3) {
			/* the IDT from vector 80h on */
			begin(v, modes[m], cpl, o_int80);
			memcpy(v->vm->mem + 0x43c00, v->vm->mem + G_IDT32, 0x400);
			page(v, 0x44, 0);
			v->sregs.idt.base = 0x43c00;
			set_sregs(v);
			set_regs(v);
			expect_pf(v, "IDT", cpl, G_CODE, GOOD, 0, 0x44000, 0x44004);

			for (i = 0; i < KTAP_COUNT(t); i++)
				for (local = 0; local < 2; local++) {
					/* docs/ring1.md: what a guest can notice */
					if (cpl && dev_is_ring1() && (i == 1 || i == 2))
						continue;
					begin(v, modes[m], cpl, *t[i].code);
					memcpy(v->vm->mem + 0x45f80, v->vm->mem + v->sregs.gdt.base, 0x80);
					page(v, 0x46, 0);
					v->sregs.gdt.base = 0x45f80;
					if (local)
						v->sregs.ldt = (struct kvm_segment){
							.base = 0x46000 - 8, .limit = 0xff, .type = 2,
							.present = 1, .selector = 0x68 };
					v->regs.rax = (local ? 0xc : 0x80) | cpl;
					set_sregs(v);
					set_regs(v);
					expect_pf(v, t[i].name, cpl, G_CODE + t[i].eip, GOOD - t[i].esp, 0,
						  0x46000, 0x46004);
				}
		}
		/* the I/O map */
		begin(v, modes[m], 3, o_in);
		memcpy(v->vm->mem + 0x48f00, v->vm->mem + old_tss, 104);
		g16(v->vm, 0x48f00 + 0x66) = 0x100;
		page(v, 0x49, 0);
		v->sregs.tr.base = old_tss = 0x48f00;
		v->sregs.tr.limit = 0x2100;
		set_sregs(v);
		set_regs(v);
		expect_pf(v, "I/O map", 3, G_CODE, GOOD, 0, 0x49002, 0x49002);
		vm_free_all();
	}
}

/* ---- code that may not be executed any longer --------------------------------------------------- */

GUEST(nx_loop, 32,
      "mov $100, %ecx\n 1: call *%esi\n dec %ecx\n jnz 1b\n"
      "movl $0x80000000, 4(%ebx)\n invlpg (%esi)\n call *%esi\n hlt\n");
GUEST(gone_loop, 32,
      "mov $100, %ecx\n 1: call *%esi\n dec %ecx\n jnz 1b\n"
      "movl $0, (%ebx)\n invlpg (%esi)\n call *%esi\n hlt\n");
GUEST(called, 32, "cli\npushf\npopf\nret\n");

static void code(void)
{
	unsigned int m;
	struct vcpu *v;

	need_tasks();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		v = guest_start(modes[m], gone_loop);
		begin(v, modes[m], 0, gone_loop);
		guest_load(v->vm, 0x42000, called);
		v->regs.rsi = 0x42000;
		v->regs.rbx = m ? G_PT + 0x42 * 8 : G_PT32 + 0x42 * 4;
		set_sregs(v);
		set_regs(v);
		expect_pf(v, "gone", 0, 0x42000, GOOD - 4, 0, 0x42000, 0x42000);
		vm_free_all();
	}
	v = guest_start(MODE_PAE, nx_loop);
	begin(v, MODE_PAE, 0, nx_loop);
	guest_load(v->vm, 0x42000, called);
	v->sregs.efer |= EFER_NX;
	v->regs.rsi = 0x42000;
	v->regs.rbx = G_PT + 0x42 * 8;
	set_sregs(v);
	set_regs(v);
	expect_pf(v, "NX", 0, 0x42000, GOOD - 4, 0x11, 0x42000, 0x42000);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "stacks", stacks }, { "same ring", same_ring }, { "inner stack", inner_stack },
		{ "tables", tables }, { "code", code },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
