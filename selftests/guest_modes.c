// SPDX-License-Identifier: GPL-2.0
/* Flat guests in every CPU mode: registers in, a program, registers out. */
#include "vmtest.h"

GUEST(regs16, 16,
	"xchg %eax, %ebx\n"
	"add %ecx, %edx\n"
	"not %esi\n"
	"lea 1(%edi), %edi\n"
	"push %ebp\n"
	"pop %eax\n"
	"hlt\n");
GUEST(regs32, 32,
	"xchg %eax, %ebx\n"
	"add %ecx, %edx\n"
	"not %esi\n"
	"lea 1(%edi), %edi\n"
	"push %ebp\n"
	"pop %eax\n"
	"hlt\n");
GUEST(regs64, 64,
	"xchg %rax, %rbx\n"
	"add %rcx, %rdx\n"
	"not %rsi\n"
	"lea 1(%rdi), %rdi\n"
	"push %rbp\n"
	"pop %rax\n"
	"add %r8, %r9\n"
	"sub %r10, %r11\n"
	"xor %r12, %r13\n"
	"neg %r14\n"
	"bswap %r15\n"
	"hlt\n");

static void registers(enum guest_mode m)
{
	const struct guest_code code = mode_bits(m) == 16 ? regs16 :
				       mode_bits(m) == 32 ? regs32 : regs64;
	struct vcpu *v = guest_start(m, code);
	struct kvm_regs *r = &v->regs;
	uint64_t k = m == MODE_LONG ? 0x1111111100000000 : 0;

	r->rax = k + 0x11223344;
	r->rbx = k + 0x55667788;
	r->rcx = k + 0x01020304;
	r->rdx = k + 0x10203040;
	r->rsi = k + 0x0f0f0f0f;
	r->rdi = k + 0x7fffffff;
	r->rbp = k + 0xdeadbeef;
	r->r8 = 0x123456789abcdef0;
	r->r9 = 1;
	r->r10 = 2;
	r->r11 = 1;
	r->r12 = 0xff00ff00ff00ff00;
	r->r13 = 0x0ff00ff00ff00ff0;
	r->r14 = 5;
	r->r15 = 0x0102030405060708;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(r->rip, G_CODE + code_len(code));
	EXPECT_EQ(r->rax, k + 0xdeadbeef);
	EXPECT_EQ(r->rbx, k + 0x11223344);
	EXPECT_EQ(r->rcx, k + 0x01020304);
	EXPECT_EQ(r->rdx, 2 * k + 0x11223344);
	EXPECT_EQ(r->rdi, k + 0x80000000);
	EXPECT_EQ(r->rsp, G_STACK);
	EXPECT_EQ(r->rsi, m == MODE_LONG ? ~(k + 0x0f0f0f0f) : 0xf0f0f0f0);
	if (m != MODE_LONG)
		return;
	EXPECT_EQ(r->r8, 0x123456789abcdef0);
	EXPECT_EQ(r->r9, 0x123456789abcdef1);
	EXPECT_EQ(r->r10, 2);
	EXPECT_EQ(r->r11, (uint64_t)-1);
	EXPECT_EQ(r->r12, 0xff00ff00ff00ff00);
	EXPECT_EQ(r->r13, 0xf0f0f0f0f0f0f0f0);
	EXPECT_EQ(r->r14, (uint64_t)-5);
	EXPECT_EQ(r->r15, 0x0807060504030201);
}

static void real(void)		{ registers(MODE_REAL); }
static void prot16(void)	{ registers(MODE_PROT16); }
static void prot32(void)	{ registers(MODE_PROT32); }
static void paged32(void)	{ registers(MODE_PG32); }
static void pae(void)		{ registers(MODE_PAE); }
static void long_mode(void)	{ registers(MODE_LONG); }

/* Flags survive, both ways (SDM vol. 1 3.4.3); bit 1 reads as one. */
GUEST_ALL(flags, "pushf\npopf\nlahf\nhlt\n");

static void rflags(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, flags);

		v->regs.rflags = 0xcd7;		/* OF DF SF ZF AF PF CF */
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rflags & ~RFLAGS_RF, 0xcd7);
		EXPECT_EQ(v->regs.rax >> 8 & 0xff, 0xd7);
	}
}

/* A HLT exit leaves the vCPU runnable behind the HLT. */
GUEST_ALL(hlts, "hlt\ninc %ax\nhlt\ninc %ax\nhlt\n");

static void hlt_resumes(void)
{
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, hlts);

		for (i = 0; i < 3; i++) {
			run_to_hlt(v);
			EXPECT_EQ(v->regs.rax, i);
		}
	}
}

/* Real mode with a segment base: kvmtool starts its guests so. */
GUEST(seg16, 16, "mov %cs, %ax\nmov %ds:(0x10), %bx\nmov %fs:(0x10), %cx\nhlt\n");

static void real_segments(void)
{
	struct vcpu *v = guest_start(MODE_REAL, seg16);

	v->sregs.cs.selector = G_CODE >> 4;
	v->sregs.cs.base = G_CODE;
	v->sregs.ds.selector = G_DATA >> 4;
	v->sregs.ds.base = G_DATA;
	v->sregs.fs.selector = 0x1000;
	v->sregs.fs.base = 0x10000;
	set_sregs(v);
	v->regs.rip = 0;
	set_regs(v);
	g16(v->vm, G_DATA + 0x10) = 0x1234;
	g16(v->vm, 0x10010) = 0x5678;
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, G_CODE >> 4);
	EXPECT_EQ(v->regs.rbx, 0x1234);
	EXPECT_EQ(v->regs.rcx, 0x5678);
}

/* From the reset vector through to long mode, as a loader does it. */
GUEST(climb, 16,
	"cli\n"
	"lgdtl %cs:(1f - guest_climb)\n"
	"mov %cr0, %eax\n"
	"or $1, %al\n"
	"mov %eax, %cr0\n"
	"ljmpl $8, $(0x8000 + 2f - guest_climb)\n"
	"1: .word 0x2f\n"
	".long 0x8000 + 3f - guest_climb\n"
	".balign 8\n"
	"3: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff\n"
	".quad 0, 0\n"
	".code32\n"
	"2: mov $0x10, %eax\n"
	"mov %eax, %ds\n"
	"mov %eax, %ss\n"
	"mov $0x10000, %eax\n"
	"mov %eax, %cr3\n"
	"mov %cr4, %eax\n"
	"or $0x20, %eax\n"
	"mov %eax, %cr4\n"
	"mov $0xc0000080, %ecx\n"
	"rdmsr\n"
	"or $0x100, %eax\n"
	"wrmsr\n"
	"mov %cr0, %eax\n"
	"or $0x80000000, %eax\n"
	"mov %eax, %cr0\n"
	"ljmp $0x18, $(0x8000 + 4f - guest_climb)\n"
	".code64\n"
	"4: mov $0xc0000080, %ecx\n"
	"rdmsr\n"
	"mov %eax, %ebx\n"
	"movabs $0x123456789abcdef0, %r15\n"
	"hlt\n");

static void climb_to_long(void)
{
	struct vcpu *v = guest_start(MODE_LONG, climb);

	vcpu_set_mode(v, MODE_REAL);
	v->sregs.cs.selector = G_CODE >> 4;
	v->sregs.cs.base = G_CODE;
	set_sregs(v);
	v->regs.rip = 0;
	set_regs(v);
	run_to_hlt(v);
	get_sregs(v);
	EXPECT_EQ(v->regs.r15, 0x123456789abcdef0);
	EXPECT_EQ(v->regs.rbx & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
	EXPECT_EQ(v->sregs.efer & (EFER_LME | EFER_LMA), EFER_LME | EFER_LMA);
	EXPECT_EQ(v->sregs.cs.selector, 0x18);
	EXPECT_EQ(v->sregs.cs.l, 1);
	EXPECT_EQ(v->sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	EXPECT_EQ(v->sregs.cr3, G_PML4);
	EXPECT_EQ(v->sregs.cr4 & CR4_PAE, CR4_PAE);
}

/* A vCPU as created stands at the reset vector (SDM vol. 3 table 10-1). */
GUEST(resetcode, 16, "mov $0x5a, %al\nhlt\n");

static void reset_vector(void)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *v = vcpu_bare(vm, 0);
	uint8_t *rom = anon(0x1000);

	memcpy(rom + 0xff0, resetcode.start, resetcode.end - resetcode.start);
	ASSERT_OK(vm_slot(vm, 1, 0, 0xfffff000, 0x1000, rom));
	get_regs(v);
	EXPECT_EQ(v->regs.rip, 0xfff0);
	EXPECT_EQ(v->regs.rflags, RFLAGS_1);
	get_sregs(v);
	EXPECT_EQ(v->sregs.cs.selector, 0xf000);
	EXPECT_EQ(v->sregs.cs.base, 0xffff0000);
	EXPECT_EQ(v->sregs.cs.limit, 0xffff);
	EXPECT_EQ(v->sregs.cr0, CR0_ET | CR0_NW | CR0_CD);
	EXPECT_EQ(v->sregs.cr4, 0);
	EXPECT_EQ(v->sregs.efer, 0);
	EXPECT_EQ(v->sregs.idt.limit, 0xffff);
	EXPECT_EQ(v->sregs.apic_base & 0xfffff900, 0xfee00900);	/* enabled, boot CPU */
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax & 0xff, 0x5a);
	munmap(rom, 0x1000);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "real", real }, { "prot16", prot16 }, { "prot32", prot32 },
		{ "paged32", paged32 }, { "pae", pae }, { "long", long_mode },
		{ "rflags", rflags }, { "hlt_resumes", hlt_resumes },
		{ "real_segments", real_segments }, { "climb_to_long", climb_to_long },
		{ "reset_vector", reset_vector },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
