// SPDX-License-Identifier: GPL-2.0
/* The interrupt flag as a kernel sees it: PUSHF, POPF, CLI, STI in a row, over and over. */
#include "vmtest.h"

#define LOOPS	30000

/*
 * EBX counts down.  Each disagreement with what a CPU shows goes into ESI, one bit for
 * each place.
 */
GUEST(flags32, 32,
	"1:\n"
	"sti\n"
	"nop\n"
	"pushf\n"
	"pop %eax\n"
	"test $0x200, %eax\n"
	"jnz 2f\n"
	"or $1, %esi\n"
	"2:\n"
	"pushf\n"
	"pop %edi\n"
	"cli\n"
	"mov %eax, %edx\n"
	"pushf\n"
	"pop %eax\n"
	"test $0x200, %eax\n"
	"jz 3f\n"
	"or $2, %esi\n"
	"3:\n"
	/* nested: still off afterwards */
	"pushf\n"
	"cli\n"
	"popf\n"
	"pushf\n"
	"pop %eax\n"
	"test $0x200, %eax\n"
	"jz 4f\n"
	"or $4, %esi\n"
	"4:\n"
	/* arithmetic flags come through a POPF that sets IF */
	"push %edi\n"
	"orl $0x8c5, (%esp)\n"
	"popf\n"
	"pushf\n"
	"pop %eax\n"
	"and $0xac5, %eax\n"
	"cmp $0xac5, %eax\n"
	"je 5f\n"
	"or $8, %esi\n"
	"5:\n"
	"cmp $0xcafe, %ebp\n"
	"je 6f\n"
	"or $16, %esi\n"
	"6:\n"
	"dec %ebx\n"
	"jnz 1b\n"
	"cli\n"
	"hlt\n");

static void interrupt_flag(enum guest_mode m)
{
	struct vcpu *v = guest_start(m, flags32);

	v->regs.rbx = LOOPS;
	v->regs.rsi = 0;
	v->regs.rbp = 0xcafe;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rsi, 0);
	EXPECT_EQ(v->regs.rbx, 0);
	EXPECT_EQ(v->regs.rsp, G_STACK);
}

/* The control registers, each into several registers, many times. */
GUEST(crs32, 32,
	"1:\n"
	"mov %cr0, %eax\n cmp %edi, %eax\n je 2f\n or $1, %esi\n"
	"2: mov %cr3, %edx\n cmp %ebp, %edx\n je 3f\n or $2, %esi\n"
	"3: mov %cr4, %ecx\n cmp 0xc000, %ecx\n je 4f\n or $4, %esi\n"
	"4: mov %cr2, %eax\n cmp 0xc004, %eax\n je 5f\n or $8, %esi\n"
	"5: mov %cr0, %ecx\n cmp %edi, %ecx\n je 6f\n or $16, %esi\n"
	"6: dec %ebx\n"
	"jnz 1b\n"
	"hlt\n");

static void control_registers(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m <= MODE_PAE; m++) {
		struct vcpu *v = guest_start(m, crs32);

		v->sregs.cr2 = 0x12345678;
		set_sregs(v);
		g32(v->vm, G_DATA) = v->sregs.cr4;
		g32(v->vm, G_DATA + 4) = v->sregs.cr2;
		v->regs.rbx = LOOPS / 10;
		v->regs.rdi = v->sregs.cr0;
		v->regs.rbp = v->sregs.cr3;
		v->regs.rsi = 0;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rsi, 0);
		EXPECT_EQ(v->regs.rbx, 0);
	}
}

static void prot32(void)	{ interrupt_flag(MODE_PROT32); }
static void paged32(void)	{ interrupt_flag(MODE_PG32); }
static void pae(void)		{ interrupt_flag(MODE_PAE); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "prot32", prot32 }, { "paged32", paged32 }, { "pae", pae },
		{ "control_registers", control_registers },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
