// SPDX-License-Identifier: GPL-2.0
/* Hardware task switches and virtual-8086 mode (SDM vol. 3 7.3, 20.2). */
#include "vmtest.h"

#define SEL_TSS2	0x40
#define TSS2		(G_DATA + 0x800)
#define GDT32		(G_GDT + MODE_PROT32 * 0x100)

GUEST(jump_task, 32, "mov $0x1234, %ebx\nljmp $0x40, $0\ninc %ecx\nhlt\n");
/* The other task: shows its registers, comes back by a far jump. */
GUEST(other_task, 32, "str %dx\nmov %eax, 0xc700\nmov %esp, 0xc704\nljmp $0x18, $0\n");
GUEST(call_task, 32, "mov $0x1234, %ebx\nlcall $0x40, $0\ninc %ecx\nhlt\n");
GUEST(other_called, 32, "str %dx\nmov %eax, 0xc700\nmov %esp, 0xc704\npushf\npop %esi\niret\n");

static struct vcpu *start(struct guest_code first, struct guest_code second)
{
	struct vcpu *v = guest_start(MODE_PROT32, first);
	struct vm *vm = v->vm;

	guest_load(vm, G_DATA, second);
	memset(vm->mem + TSS2, 0, 104);
	g32(vm, TSS2 + 0x20) = G_DATA;		/* EIP */
	g32(vm, TSS2 + 0x24) = RFLAGS_1;
	g32(vm, TSS2 + 0x28) = 0xabcd;		/* EAX */
	g32(vm, TSS2 + 0x38) = G_STACK - 0x800;	/* ESP */
	g16(vm, TSS2 + 0x48) = SEL_DATA;	/* ES CS SS DS FS GS */
	g16(vm, TSS2 + 0x4c) = SEL_CODE;
	g16(vm, TSS2 + 0x50) = SEL_DATA;
	g16(vm, TSS2 + 0x54) = SEL_DATA;
	g16(vm, TSS2 + 0x58) = SEL_DATA;
	g16(vm, TSS2 + 0x5c) = SEL_DATA;
	g16(vm, TSS2 + 0x66) = 0x68;
	g64(vm, GDT32 + SEL_TSS2) = 0x0000890000000067ull | (uint64_t)(TSS2 & 0xffffff) << 16;
	return v;
}

static void check(struct vcpu *v, struct guest_code first)
{
	EXPECT_EQ(v->regs.rip, G_CODE + code_len(first));
	EXPECT_EQ(v->regs.rbx, 0x1234);		/* its own registers are back */
	EXPECT_EQ(v->regs.rcx, 1);
	EXPECT_EQ(v->regs.rsp, G_STACK);
	EXPECT_EQ(g32(v->vm, 0xc700), 0xabcd);
	EXPECT_EQ(g32(v->vm, 0xc704), G_STACK - 0x800);
	EXPECT_EQ(g32(v->vm, TSS2 + 0x30) & 0xffff, SEL_TSS2);	/* EDX, saved with STR's answer */
	get_sregs(v);
	EXPECT_EQ(v->sregs.tr.selector, SEL_TSS);
	EXPECT_EQ(v->sregs.tr.type & 0xd, 9);
	EXPECT_EQ(v->sregs.cr0 & CR0_TS, CR0_TS);
	/* The first is busy, the other available again. */
	EXPECT_EQ(g64(v->vm, GDT32 + SEL_TSS) >> 40 & 0xf, 0xb);
	EXPECT_EQ(g64(v->vm, GDT32 + SEL_TSS2) >> 40 & 0xf, 9);
}

/* Shadow paging needs the intercept of task switches, which QEMU's SVM has not. */
#define NO_SWITCHES	"TCG switches tasks without the intercept"

static bool no_switches(void)
{
	return guest_on_tcg() && dev_is_shadow();
}

static void by_jump(void)
{
	struct vcpu *v;

	if (no_switches())
		SKIP(NO_SWITCHES);
	v = start(jump_task, other_task);
	/* The way back is a jump to a task that the first jump left available. */
	run_to_hlt(v);
	check(v, jump_task);
}

static void by_call(void)
{
	struct vcpu *v;

	if (no_switches())
		SKIP(NO_SWITCHES);
	v = start(call_task, other_called);
	run_to_hlt(v);
	check(v, call_task);
	EXPECT_EQ(g32(v->vm, TSS2), SEL_TSS);		/* the link back */
	EXPECT_EQ(g32(v->vm, TSS2 + 0x40) & BIT(14), BIT(14));	/* ESI: NT was set */
}

/* A task gate for an exception, as 32-bit kernels have one for #DF. */
GUEST(fault, 32, "nop\nud2\nhlt\n");
GUEST(gate_task, 32, "str %dx\nhlt\n");

static void by_gate(void)
{
	struct vcpu *v;

	if (no_switches())
		SKIP(NO_SWITCHES);
	v = start(fault, gate_task);
	g64(v->vm, G_IDT32 + UD * 8) = 0x850000000000ull | SEL_TSS2 << 16;
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip, G_DATA + code_len(gate_task));
	EXPECT_EQ(v->regs.rdx, SEL_TSS2);
	EXPECT_EQ(v->regs.rax, 0xabcd);
	EXPECT_EQ(g32(v->vm, G_TSS + MODE_PROT32 * 0x80 + 0x20), G_CODE + 1);	/* saved EIP */
}

/* To a TSS that is busy: #GP with its selector, and no task is left half done. */
GUEST(jump_busy, 32, "ljmp $0x18, $0\nhlt\n");

static void busy(void)
{
	struct vcpu *v = start(jump_busy, other_task);

	EXPECT_EQ(run_to_vector(v), GP);
	EXPECT_EQ(g32(v->vm, v->regs.rsp), SEL_TSS);
	EXPECT_EQ(g32(v->vm, v->regs.rsp + 4), G_CODE);
}

/* V86 by IRET, 16-bit code at segment 0x1000, out by INT into ring 0. */
GUEST(enter_v86, 32,
      "push $0x1000\npush $0x1000\npush $0x1000\npush $0x1000\n"	/* GS FS DS ES */
      "push $0x1000\npush $0x0ff0\n"					/* SS ESP */
      "pushl $0x23002\npush $0x1000\npush $0\n"			/* EFLAGS: VM, IOPL 3 */
      "iret\n");
GUEST(in_v86, 16,
      "mov %cs, %ax\nmov %cs:0x100, %bx\npush %ax\npop %cx\nmov %sp, %dx\nmovw $0x77, 0x102\n"
      "int $0x41\n");

static void virtual_8086(void)
{
	struct vcpu *v;

	if (guest_on_tcg() && dev_is_kvm())
		SKIP("TCG aborts on an interrupt out of ring 3 with a busy TSS");
	v = guest_start(MODE_PROT32, enter_v86);
	guest_load(v->vm, 0x10000, in_v86);
	g16(v->vm, 0x10100) = 0x4321;
	g8(v->vm, G_IDT32 + 0x41 * 8 + 5) = 0xee;
	EXPECT_EQ(run_to_vector(v), 0x41);
	EXPECT_EQ(v->regs.rax & 0xffff, 0x1000);
	EXPECT_EQ(v->regs.rbx & 0xffff, 0x4321);
	EXPECT_EQ(v->regs.rcx & 0xffff, 0x1000);
	EXPECT_EQ(v->regs.rdx & 0xffff, 0x0ff0);
	EXPECT_EQ(g16(v->vm, 0x10102), 0x77);
	EXPECT_EQ(g32(v->vm, v->regs.rsp), code_len(in_v86));
	EXPECT_EQ(g32(v->vm, v->regs.rsp + 4), 0x1000);
	EXPECT_EQ(g32(v->vm, v->regs.rsp + 8) & BIT(17), BIT(17));
	EXPECT_EQ(g32(v->vm, v->regs.rsp + 12), 0x0ff0);
}

/* Ring 3 under 32-bit protected mode, and an exception out of it. */
GUEST(enter_ring3, 32, "push $0x33\npush $0x5000\npush $0x2\npush $0x2b\npush $0xc000\niret\n");
GUEST(in_ring3, 32, "mov %cs, %eax\ncli\n");

static void ring3(void)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PG32, MODE_PAE };
	unsigned int i;

	if (guest_on_tcg() && dev_is_kvm())
		SKIP("TCG aborts on an exception out of ring 3 with a busy TSS");
	for (i = 0; i < KTAP_COUNT(modes); i++) {
		struct vcpu *v = guest_start(modes[i], enter_ring3);

		guest_load(v->vm, G_DATA, in_ring3);
		EXPECT_EQ(run_to_vector(v), GP);
		EXPECT_EQ(v->regs.rax, SEL_UCODE);
		EXPECT_EQ(g32(v->vm, v->regs.rsp), 0);
		EXPECT_EQ(g32(v->vm, v->regs.rsp + 4), G_DATA + 2);
		EXPECT_EQ(g32(v->vm, v->regs.rsp + 16), 0x5000);
		get_sregs(v);
		EXPECT_EQ(v->sregs.tr.type, 0xb);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "by_jump", by_jump }, { "by_call", by_call }, { "by_gate", by_gate },
		{ "busy", busy }, { "virtual_8086", virtual_8086 }, { "ring3", ring3 },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
