// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest's own paging does: Accessed and Dirty bits, large pages, WP,
 * self-modifying code, pages shared and aliased, ring 3.
 */
#include "vmtest.h"

GUEST_ALL(rd, "mov (%ebx), %eax\nhlt\n");
GUEST_ALL(wr, "mov %ecx, (%ebx)\nhlt\n");

static uint64_t pte(struct vcpu *v, uint32_t page)
{
	return v->mode == MODE_PG32 ? g32(v->vm, G_PT32 + page * 4) : g64(v->vm, G_PT + page * 8);
}

static void set_pte(struct vcpu *v, uint32_t page, uint64_t val)
{
	if (v->mode == MODE_PG32)
		g32(v->vm, G_PT32 + page * 4) = val;
	else
		g64(v->vm, G_PT + page * 8) = val;
}

static void run_at(struct vcpu *v, const struct guest_code prog[3], uint64_t addr)
{
	guest_load(v->vm, G_CODE, guest_for(prog, v->mode));
	/* A new CR3 drops what the TLB has. */
	set_sregs(v);
	v->regs.rip = G_CODE;
	v->regs.rbx = addr;
	v->regs.rcx = 0x5a5a;
	set_regs(v);
	run_to_hlt(v);
}

/* A by a read, D by a write only, none without either (SDM vol. 3 4.8). */
static void accessed_dirty(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, rd);

		EXPECT_EQ(pte(v, 0x50) & 0x60, 0);
		run_at(v, rd, 0x50000);
		EXPECT_EQ(pte(v, 0x50) & 0x60, 0x20);
		EXPECT_EQ(pte(v, 0x51) & 0x60, 0);
		run_at(v, wr, 0x50000);
		EXPECT_EQ(pte(v, 0x50) & 0x60, 0x60);
		EXPECT_EQ(pte(v, G_CODE >> 12) & 0x60, 0x20);	/* fetched, not written */
		EXPECT_EQ(g32(v->vm, 0x50000), 0x5a5a);
	}
}

/* The guest clears the bits, flushes, and finds them set again. */
GUEST(ad64, 64,
      "mov %ecx, (%rbx)\n"
      "andq $~0x60, 0x16000 + 0x50 * 8\n"
      "invlpg (%rbx)\n"
      "mov (%rbx), %eax\n"
      "mov 0x16000 + 0x50 * 8, %rsi\n"
      "mov %ecx, 8(%rbx)\n"
      "mov 0x16000 + 0x50 * 8, %rdi\n"
      "hlt\n");

static void guest_reads_own_bits(void)
{
	struct vcpu *v = guest_start(MODE_LONG, ad64);

	v->regs.rbx = 0x50000;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rsi, 0x50027);
	EXPECT_EQ(v->regs.rdi, 0x50067);
}

/* Bits by accesses that the module emulates: MOVS between RAM and MMIO. */
GUEST_ALL(movs, "movsl\nhlt\n");

static void accessed_dirty_emulated(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, movs);

		v->regs.rsi = G_HOLE;
		v->regs.rdi = 0x52000;
		set_regs(v);
		run_to(v, KVM_EXIT_MMIO);
		memcpy(v->run->mmio.data, "\x01\x02\x03\x04", 4);
		run_to_hlt(v);
		EXPECT_EQ(g32(v->vm, 0x52000), 0x04030201);
		EXPECT_EQ(pte(v, 0x52) & 0x60, 0x60);

		v = guest_start_all(m, movs);
		v->regs.rsi = 0x53000;
		v->regs.rdi = G_HOLE;
		set_regs(v);
		g32(v->vm, 0x53000) = 0x99;
		run_to(v, KVM_EXIT_MMIO);
		EXPECT_EQ(v->run->mmio.data[0], 0x99);
		run_to_hlt(v);
		EXPECT_EQ(pte(v, 0x53) & 0x60, 0x20);
	}
}

/* CR0.WP decides whether ring 0 writes to read-only pages. */
static void write_protect(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, wr);

		set_pte(v, 0x50, 0x50005);
		v->sregs.cr0 &= ~CR0_WP;
		run_at(v, wr, 0x50000);
		EXPECT_EQ(v->regs.rip, G_CODE + code_len(guest_for(wr, m)));
		EXPECT_EQ(g32(v->vm, 0x50000), 0x5a5a);
		v->sregs.cr0 |= CR0_WP;
		run_at(v, wr, 0x50000);
		EXPECT_EQ(v->regs.rip, G_TRAPS + PF + 1);
	}
}

/* 2 and 4 MiB pages next to small ones; a guest-physical page under two names. */
static void large_and_alias(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vm *vm = vm_new(0x800000);
		struct vcpu *v = vcpu_new(vm, 0, m);

		run_at(v, wr, 0x600010);		/* by the large page */
		EXPECT_EQ(g32(vm, 0x600010), 0x5a5a);
		set_pte(v, 0x60, 0x600007);
		g32(vm, 0x600010) = 0x1234;
		run_at(v, rd, 0x60010);			/* by a small one */
		EXPECT_EQ((uint32_t)v->regs.rax, 0x1234);
	}
}

GUEST(smc32, 32,
      "mov $100, %ecx\n"
      "1: movb %cl, 0x8000 + (2f - guest_smc32) + 1\n"
      "jmp 2f\n"
      "2: mov $0, %al\n"
      "cmp %cl, %al\n"
      "jne 3f\n"
      "dec %ecx\n"
      "jnz 1b\n"
      "3: hlt\n");
GUEST(smc64, 64,
      "mov $100, %ecx\n"
      "1: movb %cl, 2f+1(%rip)\n"
      "jmp 2f\n"
      "2: mov $0, %al\n"
      "cmp %cl, %al\n"
      "jne 3f\n"
      "dec %ecx\n"
      "jnz 1b\n"
      "3: hlt\n");

static void self_modifying(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start(m, m == MODE_LONG ? smc64 : smc32);

		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 0);
		EXPECT_EQ(v->regs.rax & 0xff, 1);
	}
}

/* Code changed by the client between two runs. */
GUEST_ALL(one, "mov $1, %al\nhlt\n");
GUEST_ALL(two, "mov $2, %al\nhlt\n");

static void code_by_client(void)
{
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, one);

		for (i = 0; i < 6; i++) {
			guest_load(v->vm, G_CODE, guest_for(i & 1 ? two : one, m));
			set_rip(v, G_CODE);
			run_to_hlt(v);
			EXPECT_EQ(v->regs.rax & 0xff, (i & 1) + 1);
		}
	}
}

/* Ring 3 under long mode: down by IRET, up by INT, faults on ring 0's ways. */
GUEST(ring3, 64,
      "mov $0x10, %eax\nmov %eax, %ss\n"
      "push $0x33\npush $0x5000\npush $0x202\npush $0x2b\n"
      "lea 1f(%rip), %rax\npush %rax\niretq\n"
      "1: mov %cs, %ecx\nint $0x80\n");
GUEST(ring3_hlt, 64,
      "push $0x33\npush $0x5000\npush $0x202\npush $0x2b\n"
      "lea 1f(%rip), %rax\npush %rax\niretq\n1: hlt\n");
GUEST(ring3_in, 64,
      "push $0x33\npush $0x5000\npush $0x202\npush $0x2b\n"
      "lea 1f(%rip), %rax\npush %rax\niretq\n1: in $0x60, %al\n");

static void user_mode(void)
{
	struct vcpu *v = guest_start(MODE_LONG, ring3);
	uint64_t at;

	/* The TSS must be known to the CPU for its stack: TR is set already. */
	g8(v->vm, G_IDT64 + 0x80 * 16 + 5) = 0xee;		/* a gate for ring 3 */
	EXPECT_EQ(run_to_vector(v), 0x80);
	EXPECT_EQ(v->regs.rcx, SEL_UCODE);
	at = v->regs.rsp;
	EXPECT_EQ(at, G_STACK - 40);
	EXPECT_EQ(g64(v->vm, at + 8), SEL_UCODE);
	EXPECT_EQ(g64(v->vm, at + 24), 0x5000);
	EXPECT_EQ(g64(v->vm, at + 32), SEL_UDATA);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cs.dpl, 0);

	EXPECT_EQ(run_to_vector(guest_start(MODE_LONG, ring3_hlt)), GP);
	v = guest_start(MODE_LONG, ring3_in);
	EXPECT_EQ(run_to_vector(v), GP);	/* the TSS has no I/O map, IOPL is 0 */
}

/* A supervisor page from ring 3: #PF with U, and SYSCALL and SYSRET between. */
GUEST(ring3_read, 64,
      "push $0x33\npush $0x5000\npush $0x202\npush $0x2b\n"
      "lea 1f(%rip), %rax\npush %rax\niretq\n1: mov 0x50000, %eax\n");

static void user_page_fault(void)
{
	struct vcpu *v = guest_start(MODE_LONG, ring3_read);

	set_pte(v, 0x50, 0x50003);
	EXPECT_EQ(run_to_vector(v), PF);
	EXPECT_EQ(g64(v->vm, v->regs.rsp), 5);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cr2, 0x50000);
}

GUEST(sysc, 64, "mov %cs, %edi\nsyscall\nud2\n");
GUEST(sysr, 64, "mov %rcx, %rbx\nmov %r11, %rdx\nhlt\n");

static void system_call(void)
{
	struct vcpu *v = guest_start(MODE_LONG, sysc);

	guest_load(v->vm, G_DATA, sysr);
	ASSERT_EQ(set_msr(v, MSR_STAR, (uint64_t)SEL_CODE << 32 | 0x20ull << 48), 1);
	ASSERT_EQ(set_msr(v, MSR_LSTAR, G_DATA), 1);
	ASSERT_EQ(set_msr(v, MSR_SFMASK, RFLAGS_IF), 1);
	ASSERT_EQ(set_msr(v, MSR_EFER, EFER_LME | EFER_LMA | EFER_SCE), 1);
	v->regs.rflags |= RFLAGS_IF;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip, G_DATA + code_len(sysr));
	EXPECT_EQ(v->regs.rbx, G_CODE + code_len(sysc) - 2);
	EXPECT_EQ(v->regs.rdx & RFLAGS_IF, RFLAGS_IF);
	EXPECT_EQ(v->regs.rflags & RFLAGS_IF, 0);
}

/*
 * SMAP and SMEP hold from the instruction on that switches them on, also for pages that
 * have been used without; and EFLAGS.AC lifts the one, however it is set (SDM vol. 3 4.6.1).
 */
/* long enough for ring1 to go on natively */
#define A_WHILE	"mov $100, %esi\n9: dec %esi\njnz 9b\n"
#define AFTER(a, b)								\
	A_WHILE									\
	"inc %edx\n"								\
	a "\n" b "\n"
#define SET_CR4(a, bit) "mov %cr4, %" a "\nor $" bit ", %" a "\nmov %" a ", %cr4\n"
#define AC_BY_POPF(a) "pushf\npop %" a "\nxor $0x40000, %" a "\npush %" a "\npopf\n"

GUEST(smap_on32, 32, "mov (%ebx), %ecx\n" SET_CR4("eax", "0x200000") AFTER("mov (%ebx), %ecx", "hlt"));
GUEST(smap_on64, 64, "mov (%rbx), %ecx\n" SET_CR4("rax", "0x200000") AFTER("mov (%rbx), %ecx", "hlt"));
GUEST(smap_ac32, 32, SET_CR4("eax", "0x200000") "stac\n" A_WHILE "mov (%ebx), %ecx\nclac\n" AFTER("mov (%ebx), %ecx", "hlt"));
GUEST(smap_ac64, 64, SET_CR4("rax", "0x200000") "stac\n" A_WHILE "mov (%rbx), %ecx\nclac\n" AFTER("mov (%rbx), %ecx", "hlt"));
GUEST(smap_popf32, 32, SET_CR4("eax", "0x200000") AC_BY_POPF("eax") A_WHILE "mov (%ebx), %ecx\n" AC_BY_POPF("eax") AFTER("mov (%ebx), %ecx", "hlt"));
GUEST(smap_popf64, 64, SET_CR4("rax", "0x200000") AC_BY_POPF("rax") A_WHILE "mov (%rbx), %ecx\n" AC_BY_POPF("rax") AFTER("mov (%rbx), %ecx", "hlt"));
GUEST(smep_on32, 32, "call *%ebx\n" SET_CR4("eax", "0x100000") AFTER("call *%ebx", "hlt"));
GUEST(smep_on64, 64, "call *%rbx\n" SET_CR4("rax", "0x100000") AFTER("call *%rbx", "hlt"));

static void smep_smap(void)
{
	static const struct {
		struct guest_code code32, code64;
		uint32_t error;
	} t[] = {
#define PROG(name, error) { { guest_##name##32, guest_##name##32_end },		\
			    { guest_##name##64, guest_##name##64_end }, error }
		PROG(smap_on, 1), PROG(smap_ac, 1), PROG(smap_popf, 1), PROG(smep_on, 0x11),
#undef PROG
	};
	enum guest_mode m;
	uint32_t i, k;

	for (m = MODE_PG32; m < NR_MODES; m++)
		for (i = 0; i < KTAP_COUNT(t); i++) {
			struct vcpu *v = guest_start(m, m == MODE_LONG ? t[i].code64 : t[i].code32);
			struct kvm_sregs with = v->sregs;

			vcpu_cpuid_and(v, CPUID7_SMAP);
			with.cr4 |= BIT(20) | BIT(21);
			if (ioctl(v->fd, KVM_SET_SREGS, &with))
				SKIP("no SMEP and SMAP here");
			/* all of it is the supervisor's but one page */
			for (k = 0; k < 512; k++)
				set_pte(v, k, pte(v, k) & ~4ull);
			set_pte(v, 0x50, 0x50007);
			g8(v->vm, 0x50000) = 0xc3;	/* RET */
			set_sregs(v);
			v->regs.rbx = 0x50000;
			v->regs.rdx = 0;
			set_regs(v);
			EXPECT_EQ(run_to_vector(v), 14);
			EXPECT_EQ(v->regs.rdx, 1);
			EXPECT_EQ(v->regs.rcx & 0xff, i < 3 ? 0xc3 : v->regs.rcx & 0xff);
			EXPECT_EQ(m == MODE_LONG ? (uint32_t)g64(v->vm, v->regs.rsp) :
				  g32(v->vm, v->regs.rsp), t[i].error);
			get_sregs(v);
			EXPECT_EQ(v->sregs.cr2, 0x50000);
			vm_free_all();
		}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "accessed_dirty", accessed_dirty },
		{ "guest_reads_own_bits", guest_reads_own_bits },
		{ "accessed_dirty_emulated", accessed_dirty_emulated },
		{ "write_protect", write_protect }, { "large_and_alias", large_and_alias },
		{ "self_modifying", self_modifying }, { "code_by_client", code_by_client },
		{ "user_mode", user_mode }, { "user_page_fault", user_page_fault },
		{ "system_call", system_call }, { "smep_smap", smep_smap },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
