// SPDX-License-Identifier: GPL-2.0
/* Alignment checks: #AC in ring 3 with CR0.AM and EFLAGS.AC, and nowhere else. */
#include "vmtest.h"

#define RFLAGS_AC	BIT(18)
#define AC		17

GUEST_ALL(byte, "movb %al, (%ebx)\nhlt\n");
GUEST_ALL(word, "movw %ax, (%ebx)\nhlt\n");
GUEST_ALL(dword, "movl (%ebx), %eax\nhlt\n");
GUEST_ALL(rmw, "lock incl (%ebx)\nhlt\n");
GUEST_ALL(real64, "fldl (%ebx)\nhlt\n");
GUEST_ALL(real80, "fldt (%ebx)\nhlt\n");
GUEST_ALL(string, "movsl\nhlt\n");
GUEST_ALL(push, "push $1\nhlt\n");
GUEST_ALL(address, "leal (%ebx), %eax\nhlt\n");

/* By what the address must be divisible (SDM vol. 3 §6.15, interrupt 17, table 6-7). */
static const struct {
	const char *name;
	const struct guest_code *prog;
	unsigned int align32, align64;
} accesses[] = {
	{ "byte", byte, 1, 1 }, { "word", word, 2, 2 }, { "dword", dword, 4, 4 },
	{ "rmw", rmw, 4, 4 }, { "real64", real64, 8, 8 }, { "real80", real80, 8, 8 },
	{ "string", string, 4, 4 }, { "push", push, 4, 8 }, { "address", address, 1, 1 },
};

static const enum guest_mode modes[] = { MODE_PROT32, MODE_PG32, MODE_PAE, MODE_LONG };

/* TCG checks no alignment.  In ring 3 ring1 interprets none of this. */
static bool cannot_see(void)
{
	return guest_on_tcg() || guest_partly_on_tcg();
}

static void start(struct vcpu *v, enum guest_mode m, bool user, bool am, uint64_t rflags)
{
	vcpu_set_mode(v, m);
	if (user)
		vcpu_to_user(v);
	v->sregs.cr0 |= am ? CR0_AM : 0;
	set_sregs(v);
	v->regs.rflags = RFLAGS_1 | RFLAGS_IF | rflags;
}

static void one(struct vcpu *v, enum guest_mode m, unsigned int i, unsigned int off,
		unsigned int which)
{
	bool user = which & 1, am = which & 2, ac = which & 4;
	unsigned int align = m == MODE_LONG ? accesses[i].align64 : accesses[i].align32;
	bool fault = user && am && ac && off % align;
	int want = fault ? AC : user ? GP : -1, got;	/* HLT in ring 3; and in ring 0 */

	if (fault && cannot_see())
		return;
	start(v, m, user, am, ac ? RFLAGS_AC : 0);
	guest_load(v->vm, G_CODE, guest_for(accesses[i].prog, m));
	v->regs.rbx = v->regs.rsi = G_DATA + 0x100 + off;
	v->regs.rdi = G_DATA + 0x200;
	v->regs.rsp = (user ? 0x5000 : G_STACK) - 0x100 + off;
	set_regs(v);
	got = run_to_vector(v);
	if (got != want)
		KTAP_FAIL_("%s %s at %u, cpl %d am %d ac %d: vector %d, want %d", mode_name[m],
			   accesses[i].name, off, user ? 3 : 0, am, ac, got, want);
	if (got != AC)
		return;
	if (m == MODE_LONG) {
		EXPECT_EQ(g64(v->vm, v->regs.rsp), 0);
		EXPECT_EQ(g64(v->vm, v->regs.rsp + 8), G_CODE);
		EXPECT_EQ(g64(v->vm, v->regs.rsp + 24) & RFLAGS_AC, RFLAGS_AC);
	} else {
		EXPECT_EQ(g32(v->vm, v->regs.rsp), 0);
		EXPECT_EQ(g32(v->vm, v->regs.rsp + 4), G_CODE);
		EXPECT_EQ(g32(v->vm, v->regs.rsp + 12) & RFLAGS_AC, RFLAGS_AC);
	}
	/* The handler has it still. */
	EXPECT_EQ(v->regs.rflags & RFLAGS_AC, RFLAGS_AC);
}

static void every(bool faulting)
{
	static const unsigned int offs[] = { 0, 1, 2, 4 };
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int m, i, k, which;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (i = 0; i < KTAP_COUNT(accesses); i++)
			for (k = 0; k < KTAP_COUNT(offs); k++)
				for (which = 0; which < 8; which++)
					if ((which == 7) == faulting)
						one(v, modes[m], i, offs[k], which);
	if (dev_is_ring1())
		EXPECT(stat_value(v->fd, "native") > 0);
}

static void checked(void)
{
	every(true);
	if (cannot_see())
		SKIP("TCG checks no alignment");
}

static void not_checked(void)	{ every(false); }

/* The guest sets the flag by itself, and sees it, in ring 0 as well. */
GUEST(flag32, 32, "push $0x40002\npopf\npushf\npop %ecx\nmov (%ebx), %eax\n"
      "push $2\npopf\npushf\npop %edx\nhlt\n");
GUEST(flag64, 64, "push $0x40002\npopfq\npushfq\npop %rcx\nmov (%ebx), %eax\n"
      "push $2\npopfq\npushfq\npop %rdx\nhlt\n");

static void flag_is_the_guests(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int i, user;

	for (i = 0; i < KTAP_COUNT(modes); i++)
		for (user = 0; user < 2; user++) {
			start(v, modes[i], user, true, 0);
			guest_load(v->vm, G_CODE, modes[i] == MODE_LONG ? flag64 : flag32);
			/* In ring 0 nothing is checked. */
			v->regs.rbx = G_DATA + 0x100 + !user;
			v->regs.rsp = user ? 0x5000 : G_STACK;
			set_regs(v);
			EXPECT_EQ(run_to_vector(v), user ? GP : -1);
			EXPECT_EQ(v->regs.rcx & RFLAGS_AC, RFLAGS_AC);
			EXPECT_EQ(v->regs.rdx & RFLAGS_AC, 0);
		}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "checked", checked }, { "not_checked", not_checked },
		{ "flag_is_the_guests", flag_is_the_guests },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
