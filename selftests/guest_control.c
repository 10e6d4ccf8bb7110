// SPDX-License-Identifier: GPL-2.0
/* Control and debug registers moved by the guest; modes switched; CLTS, LMSW, SMSW, INVLPG. */
#include "vmtest.h"

GUEST(cr32, 32,
      "mov %cr0, %eax\n"
      "mov $0x12345678, %ecx\n"
      "mov %ecx, %cr2\n"
      "mov %cr2, %ebx\n"
      "mov $0x55000, %ecx\n"
      "mov %ecx, %cr3\n"
      "mov %cr3, %edx\n"
      "mov %cr4, %esi\n"
      "or $0x8, %esi\n"			/* CR4.DE */
      "mov %esi, %cr4\n"
      "mov %cr4, %edi\n"
      "or $0x10008, %eax\n"		/* CR0.WP, TS */
      "mov %eax, %cr0\n"
      "mov %cr0, %eax\n"
      "hlt\n");

static void moves(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, cr32);

	run_to_hlt(v);
	EXPECT_EQ(v->regs.rbx, 0x12345678);
	EXPECT_EQ(v->regs.rdx, 0x55000);
	EXPECT_EQ(v->regs.rdi, CR4_DE);
	EXPECT_EQ((uint32_t)v->regs.rax, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_WP);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cr0, CR0_PE | CR0_ET | CR0_NE | CR0_TS | CR0_WP);
	EXPECT_EQ(v->sregs.cr2, 0x12345678);
	EXPECT_EQ(v->sregs.cr3, 0x55000);
	EXPECT_EQ(v->sregs.cr4, CR4_DE);
}

/* TS by way of CLTS and LMSW, SMSW shows the low half (SDM vol. 3 2.5). */
GUEST_ALL(ts, "smsw %bx\nmov %bx, %ax\nor $8, %ax\nlmsw %ax\nsmsw %cx\nclts\nsmsw %dx\nhlt\n");

static void task_switched(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ts);

		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, (v->regs.rbx | CR0_TS) & 0xffff);
		EXPECT_EQ(v->regs.rdx & 0xffff, v->regs.rbx & 0xfff7);
		get_sregs(v);
		EXPECT_EQ(v->sregs.cr0 & CR0_TS, 0);
	}
}

/* With TS set an FPU instruction is #NM, and goes on after CLTS. */
GUEST_ALL(fpu_ts, "fninit\nhlt\n");

static void device_not_available(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, fpu_ts);

		v->sregs.cr0 |= CR0_TS;
		set_sregs(v);
		EXPECT_EQ(run_to_vector(v), NM);
		v->sregs.cr0 &= ~CR0_TS;
		set_sregs(v);
		set_rip(v, G_CODE);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rip, G_CODE + 3);
	}
}

/* What CR0 and CR4 do not take is #GP, and nothing has changed. */
GUEST(wcr0, 64, "mov %rax, %cr0\nhlt\n");
GUEST(wcr4, 64, "mov %rax, %cr4\nhlt\n");
GUEST(wcr3, 64, "mov %rax, %cr3\nhlt\n");
GUEST(wcr8, 64, "mov %rax, %cr8\nmov %cr8, %rbx\nhlt\n");

static void refused(void)
{
	static const struct {
		struct guest_code code;
		uint64_t val;
	} t[] = {
		{ { guest_wcr0, guest_wcr0_end }, CR0_PG | CR0_ET },		/* no PE */
		{ { guest_wcr0, guest_wcr0_end }, CR0_PG | CR0_PE | CR0_NW },	/* NW, no CD */
		{ { guest_wcr0, guest_wcr0_end }, BIT(32) | CR0_PG | CR0_PE },
		{ { guest_wcr4, guest_wcr4_end }, 0 },				/* PAE off */
		{ { guest_wcr4, guest_wcr4_end }, CR4_PAE | BIT(15) },
		{ { guest_wcr4, guest_wcr4_end }, CR4_PAE | BIT(40) },
		{ { guest_wcr4, guest_wcr4_end }, CR4_PAE | BIT(26) },
		{ { guest_wcr3, guest_wcr3_end }, G_PML4 | BIT(60) },
		{ { guest_wcr8, guest_wcr8_end }, 0x10 },
	};
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		struct vcpu *v = guest_start(MODE_LONG, t[i].code);
		struct kvm_sregs old;
		int vec;

		old = v->sregs;
		v->regs.rax = t[i].val;
		set_regs(v);
		/* Where the CPU does not check, the module may: TCG takes some. */
		ASSERT_EQ(vcpu_run(v), 0);
		get_regs(v);
		vec = v->regs.rip - 1 - G_TRAPS;
		if (v->run->exit_reason == KVM_EXIT_HLT && vec == GP) {
			get_sregs(v);
			EXPECT_EQ(v->sregs.cr0, old.cr0);
			EXPECT_EQ(v->sregs.cr4, old.cr4);
			EXPECT_EQ(v->sregs.cr3, old.cr3);
			EXPECT_EQ(v->sregs.cr8, old.cr8);
		} else if (guest_on_tcg()) {
			ktap_diag("case %u, %#llx: taken by the emulated CPU", i,
				  (unsigned long long)t[i].val);
		} else {
			show_exit(v);
			KTAP_FAIL_("case %u, %#llx: no #GP", i, (unsigned long long)t[i].val);
		}
	}
}

/* CR8 is the guest's own; the client sees it in the run page and in SREGS. */
static void task_priority(void)
{
	struct vcpu *v = guest_start(MODE_LONG, wcr8);

	v->regs.rax = 9;
	set_regs(v);
	for (;;) {
		ASSERT_EQ(vcpu_run(v), 0);
		if (v->run->exit_reason != KVM_EXIT_SET_TPR)
			break;
		EXPECT_EQ(v->run->cr8, 9);
	}
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	EXPECT_EQ(v->regs.rbx, 9);
	EXPECT_EQ(v->run->cr8, 9);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cr8, 9);
	/* What the client writes there is taken over at the next KVM_RUN. */
	v->run->cr8 = 3;
	set_rip(v, G_CODE + 4);			/* MOV RBX, CR8 */
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rbx, 3);
}

GUEST(rd32, 32, "mov %eax, %dr0\nmov %ebx, %dr1\nmov %ecx, %dr2\nmov %edx, %dr3\n"
      "mov %dr3, %eax\nmov %dr2, %ebx\nmov %dr1, %ecx\nmov %dr0, %edx\n"
      "mov %dr6, %esi\nmov %dr7, %edi\nhlt\n");

static void debug_moves(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, rd32);
	struct kvm_debugregs d;

	v->regs.rax = 0x1000;
	v->regs.rbx = 0x2000;
	v->regs.rcx = 0x3000;
	v->regs.rdx = 0x4000;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 0x4000);
	EXPECT_EQ(v->regs.rbx, 0x3000);
	EXPECT_EQ(v->regs.rcx, 0x2000);
	EXPECT_EQ(v->regs.rdx, 0x1000);
	EXPECT_EQ((uint32_t)v->regs.rsi, 0xffff0ff0);
	EXPECT_EQ(v->regs.rdi, 0x400);
	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.db[0], 0x1000);
	EXPECT_EQ(d.db[3], 0x4000);
}

/* INVLPG and a changed entry: the new page is seen (SDM vol. 3 4.10.4.1). */
GUEST(invlpg64, 64, "mov (%rbx), %eax\nmovq $0x61007, 0x16000 + 0x60 * 8\ninvlpg (%rbx)\n"
      "mov (%rbx), %ecx\nhlt\n");
GUEST(invlpg32, 32, "mov (%ebx), %eax\nmovl $0x61007, 0x16000 + 0x60 * 8\ninvlpg (%ebx)\n"
      "mov (%ebx), %ecx\nhlt\n");

static void invalidate(void)
{
	enum guest_mode m;

	for (m = MODE_PAE; m < NR_MODES; m++) {
		struct vcpu *v = guest_start(m, m == MODE_LONG ? invlpg64 : invlpg32);

		g32(v->vm, 0x60000) = 0x600;
		g32(v->vm, 0x61000) = 0x610;
		v->regs.rbx = 0x60000;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x600);
		EXPECT_EQ(v->regs.rcx, 0x610);
	}
}

/* A new CR3 means new page tables. */
GUEST(newcr3, 64, "mov (%rbx), %eax\nmov %rdx, %cr3\nmov (%rbx), %ecx\nhlt\n");

static void switch_tables(void)
{
	struct vcpu *v = guest_start(MODE_LONG, newcr3);
	struct vm *vm = v->vm;

	/* A second tree, equal but for one page. */
	memcpy(vm->mem + 0x80000, vm->mem + G_PML4, 0x1000);
	memcpy(vm->mem + 0x81000, vm->mem + G_PDPT, 0x1000);
	memcpy(vm->mem + 0x82000, vm->mem + G_PD, 0x1000);
	memcpy(vm->mem + 0x83000, vm->mem + G_PT, 0x1000);
	g64(vm, 0x80000) = 0x81007;
	g64(vm, 0x81000) = 0x82007;
	g64(vm, 0x82000) = 0x83007;
	g64(vm, 0x83000 + 0x60 * 8) = 0x61007;
	g32(vm, 0x60000) = 0x600;
	g32(vm, 0x61000) = 0x610;
	v->regs.rbx = 0x60000;
	v->regs.rdx = 0x80000;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 0x600);
	EXPECT_EQ(v->regs.rcx, 0x610);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cr3, 0x80000);
	/* The client may change it as well. */
	v->sregs.cr3 = G_PML4;
	set_sregs(v);
	set_rip(v, G_CODE);
	v->regs.rdx = G_PML4;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rcx, 0x600);
}

/* PAE loads four PDPTEs with CR3; a reserved bit in one is #GP (SDM vol. 3 4.4.1). */
GUEST(pae_cr3, 32, "mov %edx, %cr3\nmov (%ebx), %ecx\nhlt\n");

static void pae_pointers(void)
{
	struct vcpu *v = guest_start(MODE_PAE, pae_cr3);
	struct vm *vm = v->vm;

	memcpy(vm->mem + 0x82000, vm->mem + G_PD, 0x1000);
	memcpy(vm->mem + 0x83000, vm->mem + G_PT, 0x1000);
	memcpy(vm->mem + 0x80020, vm->mem + G_PDPT_PAE, 32);	/* any multiple of 32 */
	g64(vm, 0x80020) = 0x82001;
	g64(vm, 0x82000) = 0x83007;
	g64(vm, 0x83000 + 0x60 * 8) = 0x61007;
	g32(vm, 0x61000) = 0x610;
	v->regs.rbx = 0x60000;
	v->regs.rdx = 0x80020;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rcx, 0x610);
}

/* The guest turns paging off and on. */
GUEST(pg_toggle, 32, "mov %cr0, %eax\nand $0x7fffffff, %eax\nmov %eax, %cr0\n"
      "mov (%ebx), %ecx\nor $0x80000000, %eax\nmov %eax, %cr0\nmov (%ebx), %edx\nhlt\n");

static void paging_off_and_on(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(modes); i++) {
		struct vcpu *v = guest_start(modes[i], pg_toggle);

		/*
		 * TCG sets the Accessed bit in PDPTEs, where it is reserved; KVM
		 * then answers #GP to the guest that turns paging on.
		 */
		if (modes[i] == MODE_PAE && guest_on_tcg() && dev_is_kvm())
			continue;
		if (modes[i] == MODE_PG32)
			g32(v->vm, G_PT32 + 0x60 * 4) = 0x61007;
		else
			g64(v->vm, G_PT + 0x60 * 8) = 0x61007;
		g32(v->vm, 0x60000) = 0x600;
		g32(v->vm, 0x61000) = 0x610;
		v->regs.rbx = 0x60000;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 0x600);
		EXPECT_EQ(v->regs.rdx, 0x610);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "moves", moves }, { "task_switched", task_switched },
		{ "device_not_available", device_not_available }, { "refused", refused },
		{ "task_priority", task_priority }, { "debug_moves", debug_moves },
		{ "invalidate", invalidate }, { "switch_tables", switch_tables },
		{ "pae_pointers", pae_pointers }, { "paging_off_and_on", paging_off_and_on },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
