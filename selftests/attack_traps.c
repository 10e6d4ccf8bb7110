// SPDX-License-Identifier: GPL-2.0
/*
 * Every way from ring 3 into ring 0, and what ring 0 may do to itself: software
 * interrupts, SYSENTER and SYSCALL, privileged instructions, flags that are not for ring 3,
 * MOV SS before a trap, single steps over whatever traps.  Which exception, which
 * error code, which EIP and EFLAGS the handler finds, is the manual's (SDM vol. 2 for each
 * instruction; vol. 3 §6 and §17), and the same in every mode.
 */
#include "vmtest.h"

#define BR 5
#define TS 10

/* In which ring; IDT gates with DPL 3 */
#define R0	1
#define R3	2
#define USER	4
#define NOT_TCG	8	/* TCG's IRET of ring 3 goes to virtual-8086 mode */
#define NOT_SVM	16	/* nor where TCG is the guest's CPU in all: INT1, MOV CR1, LTR of null, a step over STI */

struct probe {
	const char *name;
	const uint8_t *start, *at, *end;
	unsigned int where;
	uint32_t flags;
	int vector;
	uint32_t error;
	/* Of the flags that the handler finds, those that are not as before */
	uint32_t changed;
};

#define PROBE_(sym, before, at, after)						\
	GUEST(sym, 32, before "\n.globl guest_" #sym "_at\nguest_" #sym "_at:\n" after); \
	extern const uint8_t guest_##sym##_at[]

/* At @insn, and after it */
#define FAULT(sym, before, insn)	PROBE_(sym, before, , insn "\nhlt\n")
#define TRAP(sym, before, insn)		PROBE_(sym, before "\n" insn, , "nop\nhlt\n")

/* HLT of ring 0 is no exception, that of ring 3 one: the code's end. */
#define NONE	-1

FAULT(int_0d, "", "int $0x0d");
TRAP(int_80, "", "int $0x80");
FAULT(int_80_shut, "", "int $0x80");
TRAP(int_3, "", "int3");
FAULT(int_3_shut, "", "int3");
TRAP(int_o, "", "into");
FAULT(int_o_shut, "", "into");
TRAP(int_o_not, "", "into");
TRAP(int_1, "", "int1");
FAULT(bound_not, "movl $5, (%ebx)\nmovl $9, 4(%ebx)\nmov $10, %eax", "bound %eax, (%ebx)");
FAULT(ud_2, "", "ud2");
FAULT(divide, "xor %eax, %eax\nxor %edx, %edx", "div %eax");
FAULT(enter_null, "", "sysenter");
FAULT(exit_null, "", "sysexit");
FAULT(call_off, "", "syscall");
FAULT(return_off, "", "sysretl");
FAULT(p_cli, "", "cli");
FAULT(p_sti, "", "sti");
FAULT(p_hlt, "", "hlt");
FAULT(p_inb, "", "inb $0x80");
FAULT(p_in_dx, "mov $0x3f8, %edx", "inl %dx");
FAULT(p_outb, "", "outb $0x80");
FAULT(p_insb, "mov %ebx, %edi", "insb");
FAULT(p_lgdt, "", "lgdt (%ebx)");
FAULT(p_lidt, "", "lidt (%ebx)");
FAULT(p_lldt, "", "lldt %ax");
FAULT(p_ltr, "", "ltr %ax");
FAULT(p_lmsw, "", "lmsw %ax");
FAULT(p_clts, "", "clts");
FAULT(p_cr0, "", "mov %cr0, %eax");
FAULT(p_cr3, "", "mov %eax, %cr3");
FAULT(p_cr4, "mov %ebx, %eax", "mov %eax, %cr4");
FAULT(p_cr1, "", "mov %cr1, %eax");
FAULT(p_dr0, "", "mov %eax, %dr0");
FAULT(p_dr6, "", "mov %dr6, %eax");
FAULT(p_dr7, "", "mov %eax, %dr7");
FAULT(p_invlpg, "", "invlpg (%ebx)");
FAULT(p_wbinvd, "", "wbinvd");
FAULT(p_invd, "", "invd");
FAULT(p_rdmsr, "mov $0x1b, %ecx", "rdmsr");
FAULT(p_wrmsr, "mov $0x174, %ecx", "wrmsr");
FAULT(p_wrmsr_efer, "mov $0xc0000080, %ecx\nmov $0x501, %eax", "wrmsr");
FAULT(p_rdpmc, "mov $0, %ecx", "rdpmc");
FAULT(m_rsm, "", "rsm");
FAULT(m_swapgs, "", ".byte 0x0f, 0x01, 0xf8");
FAULT(m_rdfsbase, "", ".byte 0xf3, 0x0f, 0xae, 0xc0");
FAULT(m_wrgsbase, "", ".byte 0xf3, 0x0f, 0xae, 0xd8");
FAULT(m_xgetbv, "mov $0, %ecx", "xgetbv");
FAULT(m_rdpkru, "mov $0, %ecx", ".byte 0x0f, 0x01, 0xee");
FAULT(m_clac, "", ".byte 0x0f, 0x01, 0xca");
FAULT(m_mov_cs, "", ".byte 0x8e, 0xc8");
FAULT(m_lock_nop, "", ".byte 0xf0, 0x90");

/* POPF and IRET of ring 3 change neither IF nor IOPL, nor VM (SDM vol. 2, POPF, IRET). */
TRAP(f_popf, "push $0x247cd7\npopf", "int $0x80");
TRAP(f_popf_nt, "push $0x4002\npopf", "int $0x80");
TRAP(f_iret, "push $0x247cd7\npush %cs\ncall 1f\n1: addl $2f - 1b, (%esp)\niret\n2:",
     "int $0x80");
TRAP(f_iret_vm, "push $0x267cd7\npush %cs\ncall 1f\n1: addl $2f - 1b, (%esp)\niret\n2:",
     "int $0x80");
FAULT(f_iret_nt, "push $0x4002\npopf", "iret");
TRAP(f_popf_tf, "push $0x102\npopf", "nop");
FAULT(f_popf_tf_cli, "push $0x102\npopf", "cli");
TRAP(f_iret_tf, "push $0x102\npush %cs\ncall 1f\n1: addl $2f - 1b, (%esp)\niret\n2:", "nop");

/* MOV SS, and what comes after it. */
TRAP(ss_int3, "mov %ecx, %ss", "int3");
TRAP(ss_int1, "mov %ecx, %ss", "int1");
TRAP(ss_int80, "push %ecx\npop %ss", "int $0x80");
FAULT(ss_int0d, "mov %ecx, %ss", "int $0x0d");
FAULT(ss_ud2, "push %ecx\npop %ss", "ud2");
FAULT(ss_cli, "mov %ecx, %ss", "cli");
FAULT(ss_enter, "mov %ecx, %ss", "sysenter");
FAULT(ss_call, "mov %ecx, %ss", "syscall");
TRAP(ss_lss_int3, "mov %esp, 8(%ebx)\nmov %ecx, 12(%ebx)\nlss 8(%ebx), %esp", "int3");
/* Stepped: not after MOV SS, but after what follows it. */
TRAP(ss_step, "mov %ecx, %ss", "nop");
TRAP(ss_step_int3, "mov %ecx, %ss", "int3");
FAULT(ss_step_cli, "mov %ecx, %ss", "cli");
TRAP(step_nop, "", "nop");
TRAP(step_pushf, "", "pushf");
TRAP(step_cpuid, "", "cpuid");
TRAP(step_rdtsc, "", "rdtsc");
TRAP(step_load, "", "mov %ecx, %es");
TRAP(step_null, "", "mov %eax, %gs");
TRAP(step_lar, "", "lar %ecx, %eax");
TRAP(step_sidt, "", "sidt (%ebx)");
TRAP(step_smsw, "", "smsw %eax");
TRAP(step_fninit, "", "fninit");
/* and over all else that traps in ring 1 */
TRAP(step_cli0, "", "cli");
TRAP(step_sti, "", "sti");
TRAP(step_popf, "", "popf");
TRAP(step_pop_es, "", "pop %es");
TRAP(step_push_ds, "", "push %ds");
TRAP(step_mov_ds, "", "mov %ecx, %ds");
TRAP(step_r_cr0, "", "mov %cr0, %edx");
TRAP(step_r_cr3, "", "mov %cr3, %edx");
TRAP(step_w_cr2, "", "mov %eax, %cr2");
TRAP(step_r_dr7, "", "mov %dr7, %edx");
TRAP(step_clts, "", "clts");
TRAP(step_lmsw, "", "lmsw %ax");
TRAP(step_invlpg, "", "invlpg (%ebx)");
TRAP(step_wbinvd, "", "wbinvd");
TRAP(step_rdmsr, "", "rdmsr");
TRAP(step_lldt, "", "lldt %ax");
TRAP(step_str, "", "str %edx");
TRAP(step_sldt, "", "sldt %edx");
TRAP(step_sgdt, "", "sgdt (%ebx)");
TRAP(step_verr, "", "verr %cx");
TRAP(step_lsl, "", "lsl %ecx, %edx");
TRAP(step_ljmp0, "", "ljmp $8, $0x8007");
TRAP(step_ljmp3, "", "ljmp $0x2b, $0x8007");
TRAP(step_call, "", "call 1f\n1:");
TRAP(step_pusha, "", "pusha");
TRAP(step_popa, "", "popa");
TRAP(step_cmpxchg8b, "", "lock cmpxchg8b (%ebx)");
FAULT(step_cli, "", "cli");
FAULT(step_int_shut, "", "int $0x80");
TRAP(step_int, "", "int $0x80");
TRAP(step_int3, "", "int3");
FAULT(step_ud, "", "ud2");

#define P(sym, ...)	{ #sym, guest_##sym, guest_##sym##_at, guest_##sym##_end, __VA_ARGS__ }
#define TF		RFLAGS_TF

static const struct probe probes[] = {
	P(int_0d, R3, 0, GP, 0x0d * 8 + 2, 0),
	P(int_80, R0 | R3 | USER, 0, 0x80, 0, 0),
	P(int_80_shut, R3, 0, GP, 0x80 * 8 + 2, 0),
	P(int_3, R0 | R3 | USER, 0, BP, 0, 0),
	P(int_3_shut, R3, 0, GP, 3 * 8 + 2, 0),
	P(int_o, R0 | R3 | USER, BIT(11), OF, 0, 0),
	P(int_o_shut, R3, BIT(11), GP, 4 * 8 + 2, 0),
	P(int_o_not, R0 | R3, 0, NONE, 0, 0),
	P(int_1, R0 | R3 | NOT_SVM, 0, DB, 0, 0),
	P(bound_not, R0 | R3, 0, BR, 0, 0),
	P(ud_2, R0 | R3, 0, UD, 0, 0),
	P(divide, R0 | R3, 0x44, DE, 0, 0),
	P(enter_null, R0 | R3, 0, GP, 0, 0),
	P(exit_null, R0 | R3, 0, GP, 0, 0),
	P(call_off, R0 | R3, 0, UD, 0, 0),
	P(return_off, R0 | R3, 0, UD, 0, 0),
	P(p_cli, R3, 0, GP, 0, 0), P(p_sti, R3, 0, GP, 0, 0), P(p_hlt, R3, 0, GP, 0, 0),
	P(p_inb, R3, 0, GP, 0, 0), P(p_in_dx, R3, 0, GP, 0, 0), P(p_outb, R3, 0, GP, 0, 0),
	P(p_insb, R3, 0, GP, 0, 0), P(p_lgdt, R3, 0, GP, 0, 0), P(p_lidt, R3, 0, GP, 0, 0),
	P(p_lldt, R3, 0, GP, 0, 0), P(p_ltr, R3, 0, GP, 0, 0), P(p_ltr, R0 | NOT_SVM, 0, GP, 0, 0),
	P(p_lmsw, R3, 0, GP, 0, 0), P(p_clts, R3, 0, GP, 0, 0), P(p_cr0, R3, 0, GP, 0, 0),
	P(p_cr3, R3, 0, GP, 0, 0), P(p_cr4, R3, 0, GP, 0, 0), P(p_cr4, R0, 0, GP, 0, 0),
	P(p_cr1, R0 | R3 | NOT_SVM, 0, UD, 0, 0), P(p_dr0, R3, 0, GP, 0, 0), P(p_dr6, R3, 0, GP, 0, 0),
	P(p_dr7, R3, 0, GP, 0, 0), P(p_invlpg, R3, 0, GP, 0, 0), P(p_wbinvd, R3, 0, GP, 0, 0),
	P(p_invd, R3, 0, GP, 0, 0), P(p_rdmsr, R3, 0, GP, 0, 0), P(p_wrmsr, R3, 0, GP, 0, 0),
	P(p_wrmsr_efer, R3, 0, GP, 0, 0), P(p_rdpmc, R3, 0, GP, 0, 0),
	P(m_rsm, R0 | R3, 0, UD, 0, 0),
	P(m_swapgs, R0 | R3, 0, UD, 0, 0), P(m_rdfsbase, R0 | R3, 0, UD, 0, 0),
	P(m_wrgsbase, R0 | R3, 0, UD, 0, 0), P(m_xgetbv, R0 | R3, 0, UD, 0, 0),
	P(m_rdpkru, R0 | R3, 0, UD, 0, 0), P(m_mov_cs, R0 | R3, 0, UD, 0, 0),
	P(m_lock_nop, R0 | R3, 0, UD, 0, 0), P(m_clac, R3, 0, UD, 0, 0),

	P(f_popf, R3 | USER, 0, 0x80, 0, 0x244cd5),
	P(f_popf_nt, R3 | USER, 0, 0x80, 0, 0x4000),
	P(f_iret, R3 | USER, 0, 0x80, 0, 0x244cd5),
	P(f_iret_vm, R3 | USER | NOT_TCG, 0, 0x80, 0, 0x244cd5),
	P(f_iret_nt, R3, 0, TS, 0, 0x4000),
	P(f_popf_tf, R0 | R3, 0, DB, 0, TF),
	P(f_popf_tf_cli, R3, 0, GP, 0, TF),
	P(f_iret_tf, R0 | R3, 0, DB, 0, TF),

	P(ss_int3, R0 | R3 | USER, 0, BP, 0, 0),
	P(ss_int1, R0 | R3 | NOT_SVM, 0, DB, 0, 0),
	P(ss_int80, R0 | R3 | USER, 0, 0x80, 0, 0),
	P(ss_int0d, R3, 0, GP, 0x0d * 8 + 2, 0),
	P(ss_ud2, R0 | R3, 0, UD, 0, 0),
	P(ss_cli, R3, 0, GP, 0, 0),
	P(ss_enter, R0 | R3, 0, GP, 0, 0),
	P(ss_call, R0 | R3, 0, UD, 0, 0),
	P(ss_lss_int3, R0 | R3 | USER, 0, BP, 0, 0),
	P(ss_step, R0 | R3, TF, DB, 0, 0),
	P(ss_step_int3, R0 | R3 | USER, TF, BP, 0, 0),
	P(ss_step_cli, R3, TF, GP, 0, 0),
	P(step_nop, R0 | R3, TF, DB, 0, 0),
	P(step_pushf, R0 | R3, TF, DB, 0, 0),
	P(step_cpuid, R0 | R3, TF, DB, 0, 0),
	P(step_rdtsc, R0 | R3, TF, DB, 0, 0),
	P(step_load, R0 | R3, TF, DB, 0, 0),
	P(step_null, R0 | R3, TF, DB, 0, 0),
	P(step_lar, R0 | R3, TF, DB, 0, 0x40),
	P(step_sidt, R0 | R3, TF, DB, 0, 0),
	P(step_smsw, R0 | R3, TF, DB, 0, 0),
	P(step_fninit, R0 | R3, TF, DB, 0, 0),
	P(step_cli0, R0, TF, DB, 0, 0),
	P(step_sti, R0 | NOT_SVM, TF, DB, 0, 0x200),
	P(step_popf, R0 | R3, TF, DB, 0, TF),
	P(step_pop_es, R0 | R3, TF, DB, 0, 0),
	P(step_push_ds, R0 | R3, TF, DB, 0, 0),
	P(step_mov_ds, R0 | R3, TF, DB, 0, 0),
	P(step_r_cr0, R0, TF, DB, 0, 0),
	P(step_r_cr3, R0, TF, DB, 0, 0),
	P(step_w_cr2, R0, TF, DB, 0, 0),
	P(step_r_dr7, R0, TF, DB, 0, 0),
	P(step_clts, R0, TF, DB, 0, 0),
	P(step_lmsw, R0, TF, DB, 0, 0),
	P(step_invlpg, R0, TF, DB, 0, 0),
	P(step_wbinvd, R0, TF, DB, 0, 0),
	P(step_rdmsr, R0, TF, DB, 0, 0),
	P(step_lldt, R0, TF, DB, 0, 0),
	P(step_str, R0 | R3, TF, DB, 0, 0),
	P(step_sldt, R0 | R3, TF, DB, 0, 0),
	P(step_sgdt, R0 | R3, TF, DB, 0, 0),
	P(step_verr, R0 | R3, TF, DB, 0, 0x40),
	P(step_lsl, R0 | R3, TF, DB, 0, 0x40),
	P(step_ljmp0, R0, TF, DB, 0, 0),
	P(step_ljmp3, R3, TF, DB, 0, 0),
	P(step_call, R0 | R3, TF, DB, 0, 0),
	P(step_pusha, R0 | R3, TF, DB, 0, 0),
	P(step_popa, R0 | R3, TF, DB, 0, 0),
	P(step_cmpxchg8b, R0 | R3, TF, DB, 0, 0x40),
	P(step_cli, R3, TF, GP, 0, 0),
	P(step_int_shut, R3, TF, GP, 0x80 * 8 + 2, 0),
	P(step_int, R0 | R3 | USER, TF, 0x80, 0, 0),
	P(step_int3, R0 | R3 | USER, TF, BP, 0, 0),
	P(step_ud, R0 | R3, TF, UD, 0, 0),
};

static bool has_error(int vector)
{
	return vector == DF || (vector >= 10 && vector <= 14) || vector == 17;
}

static bool is_fault(int vector)
{
	return vector != DB && vector != BP && vector != OF && vector < 32;
}

/* In ring 3, at G_CODE, with a stack below 0x5000. */
static void to_ring3(struct vcpu *v)
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
	set_sregs(v);
	v->regs.rsp = 0x5000;
}

static void probe(struct vcpu *v, enum guest_mode m, const struct probe *p, unsigned int cpl)
{
	struct vm *vm = v->vm;
	uint32_t want, at = G_CODE + (p->at - p->start), *f, before;
	struct guest_code code = { p->start, p->end };
	int got;

	vcpu_set_mode(v, m);
	guest_load(vm, G_CODE, code);
	memset(vm->mem + G_DATA, 0, 16);
	/* what is popped */
	memset(vm->mem + 0x5000, 0, 64);
	memset(vm->mem + G_STACK, 0, 64);
	if (p->where & USER) {
		g8(vm, G_IDT32 + BP * 8 + 5) = 0xee;
		g8(vm, G_IDT32 + OF * 8 + 5) = 0xee;
		g8(vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
	}
	if (cpl == 3)
		to_ring3(v);
	v->regs.rbx = G_DATA;
	v->regs.rcx = cpl == 3 ? SEL_UDATA : SEL_DATA;
	v->regs.rflags = RFLAGS_1 | p->flags | (cpl == 3 ? RFLAGS_IF : 0);
	before = v->regs.rflags;
	set_regs(v);

	got = run_to_vector(v);
	if (p->vector == NONE) {
		if (got != (cpl == 3 ? GP : NONE))
			KTAP_FAIL_("%s from ring %u, %s: vector %d, want none", p->name, cpl,
				   mode_name[m], got);
		return;
	}
	if (got != p->vector) {
		KTAP_FAIL_("%s from ring %u, %s: vector %d, want %d", p->name, cpl, mode_name[m],
			   got, p->vector);
		return;
	}
	f = (uint32_t *)(vm->mem + v->regs.rsp);
	if (has_error(got) && *f++ != p->error)
		KTAP_FAIL_("%s from ring %u, %s: error code %#x, want %#x", p->name, cpl,
			   mode_name[m], f[-1], p->error);
	if (f[0] != at)
		KTAP_FAIL_("%s from ring %u, %s: EIP %#x, want %#x", p->name, cpl, mode_name[m],
			   f[0], at);
	if (f[1] != (cpl == 3 ? SEL_UCODE : SEL_CODE))
		KTAP_FAIL_("%s from ring %u, %s: CS %#x", p->name, cpl, mode_name[m], f[1]);
	want = (before ^ p->changed) | (is_fault(got) ? RFLAGS_RF : 0);
	/* TCG does not set RF in what it pushes, and what undefined flags are is its own. */
	if ((f[2] ^ want) & ~(guest_on_tcg() ? RFLAGS_RF : 0))
		KTAP_FAIL_("%s from ring %u, %s: EFLAGS %#x, want %#x", p->name, cpl, mode_name[m],
			   f[2], want);
}

/* Does TCG execute ring 3's code? */
static bool on_tcg(void)
{
	return host_is_tcg() && (!dev_is_interp() || dev_is_ring1());
}

static void all_probes(unsigned int cpl)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PG32, MODE_PAE };
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int i, m;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (i = 0; i < KTAP_COUNT(probes); i++)
			if ((probes[i].where & (cpl == 3 ? R3 : R0)) &&
			    !((probes[i].where & NOT_TCG) && on_tcg()) &&
			    !((probes[i].where & NOT_SVM) && guest_on_tcg()))
				probe(v, modes[m], &probes[i], cpl);
}

static void ring3(void)		{ all_probes(3); }
static void ring0(void)		{ all_probes(0); }

/* INT n of ring 3, for each n: #GP where the gate's DPL is 0, and the handler where it is 3. */
GUEST(int_n, 32, "int $0\nhlt\n");

static void each_interrupt(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PG32);
	unsigned int n, dpl;

	for (n = 0; n < 256; n++)
		for (dpl = 0; dpl <= 3; dpl += 3) {
			int want = dpl ? (int)n : GP, got;
			uint32_t *f;

			vcpu_set_mode(v, MODE_PG32);
			guest_load(v->vm, G_CODE, int_n);
			g8(v->vm, G_CODE + 1) = n;
			g8(v->vm, G_IDT32 + n * 8 + 5) = dpl ? 0xee : 0x8e;
			to_ring3(v);
			v->regs.rflags = RFLAGS_1 | RFLAGS_IF;
			set_regs(v);
			got = run_to_vector(v);
			if (got != want) {
				KTAP_FAIL_("int %#x, gate of DPL %u: vector %d, want %d", n, dpl, got,
					   want);
				continue;
			}
			f = (uint32_t *)(v->vm->mem + v->regs.rsp);
			if (!dpl)
				EXPECT_EQ(*f++, n * 8 + 2);
			EXPECT_EQ(f[0], G_CODE + (dpl ? 2 : 0));
		}
}

/*
 * The I/O permission map is the guest's TSS's: ports are open bit by bit, all
 * bits of an access, and none where the map ends (SDM vol. 1 §19.5.2).
 */
GUEST(in_b, 32, "inb %dx\nnop\nhlt\n");
GUEST(in_l, 32, "inl %dx\nnop\nhlt\n");

static void io_map(void)
{
	static const struct {
		uint16_t port;
		bool wide, open;
	} t[] = {
		{ 0x40, false, true }, { 0x41, false, false }, { 0x3f, false, false },
		{ 0x48, true, true }, { 0x4a, true, false }, { 0x45, true, false },
		{ 0x77, false, true }, { 0x78, false, false }, { 0xffff, false, false },
		{ 0x74, true, true }, { 0x75, true, false },
	};
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PG32);
	uint32_t tss = 0x30000, i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		vcpu_set_mode(v, MODE_PG32);
		memset(v->vm->mem + tss, 0xff, 0x100);
		memset(v->vm->mem + tss, 0, 0x68);
		g32(v->vm, tss + 4) = G_STACK;
		g16(v->vm, tss + 8) = SEL_DATA;
		g16(v->vm, tss + 0x66) = 0x68;
		/* 0x40, 0x48 to 0x4b, 0x70 to 0x77; 0x78 and on are behind the limit */
		g8(v->vm, tss + 0x68 + 8) = 0xfe;
		g8(v->vm, tss + 0x68 + 9) = 0xf0;
		g8(v->vm, tss + 0x68 + 14) = 0;
		v->sregs.tr.base = tss;
		v->sregs.tr.limit = 0x68 + 15;
		guest_load(v->vm, G_CODE, t[i].wide ? in_l : in_b);
		to_ring3(v);
		v->regs.rdx = t[i].port;
		v->regs.rflags = RFLAGS_1 | RFLAGS_IF;
		set_regs(v);
		if (!t[i].open) {
			int got = run_to_vector(v);

			if (got != GP)
				KTAP_FAIL_("port %#x: vector %d", t[i].port, got);
			continue;
		}
		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.port, t[i].port);
		memset(pio_data(v), 0x5a, 4);
		EXPECT_EQ(run_to_vector(v), GP);	/* HLT */
		EXPECT_EQ(v->regs.rax & 0xff, 0x5a);
	}
}

/* IOPL 3: ring 3 may do what changes IF, and I/O; V86 comes from ring 0's IRET alone. */
GUEST(iopl3, 32, "cli\npushf\npop %eax\nsti\nnop\npushf\npop %ebx\npush $0x2\npopf\npushf\npop %ecx\n"
      "inb $0x80\nmov %al, %dl\nhlt\n");

static void iopl(void)
{
	struct vcpu *v = guest_start(MODE_PG32, iopl3);

	to_ring3(v);
	v->regs.rflags = RFLAGS_1 | RFLAGS_IF | 0x3000;
	set_regs(v);
	run_to(v, KVM_EXIT_IO);
	*pio_data(v) = 0x77;
	EXPECT_EQ(run_to_vector(v), GP);
	EXPECT_EQ(v->regs.rax & ~0xffull, 0x3000);
	EXPECT_EQ(v->regs.rbx & 0x3200, 0x3200);
	EXPECT_EQ(v->regs.rcx, 0x3002);
	EXPECT_EQ(v->regs.rdx & 0xff, 0x77);
}

/* The code segment ends behind an instruction that ring1's gate does by itself: #GP there. */
GUEST(at_limit, 32, "mov $20, %ecx\n1: sti\nnop\ncli\ndec %ecx\njnz 1b\ncli\n");

static void code_limit(void)
{
	struct vcpu *v = guest_start(MODE_PG32, at_limit);
	uint32_t end = G_CODE + code_len(at_limit), *f;

	if (guest_on_tcg())
		SKIP("TCG fetches beyond the limit");
	memset(v->vm->mem + end, 0x90, 64);
	g8(v->vm, end + 64) = 0xf4;
	v->sregs.cs.limit = end - 1;
	v->sregs.cs.g = 0;
	set_sregs(v);
	EXPECT_EQ(run_to_vector(v), GP);
	f = (uint32_t *)(v->vm->mem + v->regs.rsp);
	EXPECT_EQ(f[0], 0);
	EXPECT_EQ(f[1], end);
	EXPECT_EQ(v->regs.rcx, 0);
}

/*
 * SYSENTER with what the guest has made of its MSRs: flat ring 0 at the given EIP, the host's
 * own never.
 */
GUEST(enter, 32, "sysenter\n");

static void sysenter(void)
{
	struct vcpu *v = guest_start(MODE_PG32, enter);

	to_ring3(v);
	v->regs.rflags = RFLAGS_1 | RFLAGS_IF;
	set_regs(v);
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_CS, SEL_CODE), 1);
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_EIP, G_TRAPS + 0x55), 1);
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_ESP, 0x5800), 1);
	EXPECT_EQ(run_to_vector(v), 0x55);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cs.selector, SEL_CODE);
	EXPECT_EQ(v->sregs.ss.selector, SEL_DATA);
	EXPECT_EQ(v->sregs.ss.dpl, 0);
	EXPECT_EQ(v->regs.rsp, 0x5800);
	EXPECT_EQ(v->regs.rflags & (RFLAGS_IF | BIT(17)), 0);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "ring 3", ring3 }, { "ring 0", ring0 }, { "each interrupt", each_interrupt },
		{ "I/O map", io_map }, { "IOPL 3", iopl }, { "sysenter", sysenter },
		{ "code limit", code_limit },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
