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

static void prot32(void)	{ interrupt_flag(MODE_PROT32); }
static void paged32(void)	{ interrupt_flag(MODE_PG32); }
static void pae(void)		{ interrupt_flag(MODE_PAE); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "prot32", prot32 }, { "paged32", paged32 }, { "pae", pae },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
