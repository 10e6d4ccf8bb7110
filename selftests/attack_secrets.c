// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest can see of the host, and of the client that runs it: general registers and
 * segments after each kind of trap, the FPU's state and what its save areas leave out, control,
 * debug and model-specific registers, CR2, memory that is not written to; breakpoints on the
 * host's own addresses, and the client's LDT.  All there is to see is the guest's own, as the
 * manual has it; and the client's own is what it was.
 */
#include <asm/ldt.h>
#include <cpuid.h>
#include <sys/syscall.h>

#include "vmtest.h"

#define PG	0x1000u

static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE, MODE_PROT32 };
static struct kvm_sregs before;

/* As guest_start() leaves it, but in a VM that is there, which is faster */
static void restart(struct vcpu *v, enum guest_mode m, unsigned int cpl, struct guest_code code)
{
	struct kvm_sregs *s = &v->sregs;
	struct kvm_segment *data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };
	unsigned int i;

	vcpu_set_mode(v, m);
	guest_load(v->vm, G_CODE, code);
	for (i = 0; cpl == 3 && i < KTAP_COUNT(data); i++) {
		data[i]->selector = SEL_UDATA;
		data[i]->dpl = 3;
	}
	if (cpl == 3) {
		s->cs.selector = SEL_UCODE;
		s->cs.dpl = 3;
		v->regs.rsp = 0x5000;
		v->regs.rflags |= RFLAGS_IF;
	}
	g8(v->vm, G_IDT32 + BP * 8 + 5) = g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
	set_sregs(v);
	set_regs(v);
	before = v->sregs;
}

static struct vcpu *start(enum guest_mode m, unsigned int cpl, struct guest_code code)
{
	struct vcpu *v = guest_start(m, code);

	restart(v, m, cpl, code);
	return v;
}

/* To the HLT at the end: of ring 0, or #GP of ring 3's */
static void to_end(struct vcpu *v, unsigned int cpl)
{
	int vector = run_to_vector(v);

	if (vector != (cpl == 3 ? GP : -1))
		FAIL("%s ring %u: vector %d at RIP %#llx", mode_name[v->mode], cpl, vector, v->regs.rip);
}

/* ---- general registers, flags and segments ------------------------------------------- */

#define R0 1
#define R3 2

#define T(sym, insn) GUEST(sym, 32, insn "\nhlt\n")
T(t_nop, "nop");
T(t_out, "out %al, $0x10");
T(t_store, "mov %eax, 0xd0000000");
T(t_test, "test %eax, 0xd0000004");
T(t_cli, "cli");
T(t_sti, "sti\nnop\ncli");
T(t_pushf, "pushf\nlea 4(%esp), %esp");
T(t_popf, "pushf\npopf");
T(t_clts, "clts");
T(t_invlpg, "invlpg (%ebx)");
T(t_wbinvd, "wbinvd");
T(t_lidt, "sub $8, %esp\nsidt (%esp)\nlidt (%esp)\nlea 8(%esp), %esp");
T(t_lgdt, "sub $8, %esp\nsgdt (%esp)\nlgdt (%esp)\nlea 8(%esp), %esp");
T(t_cr3, "push %eax\nmov %cr3, %eax\nmov %eax, %cr3\npop %eax");
T(t_cr4, "push %eax\nmov %cr4, %eax\nmov %eax, %cr4\npop %eax");
T(t_dr7, "push %eax\nmov %dr7, %eax\nmov %eax, %dr7\npop %eax");
T(t_ds, "push %ds\npop %ds");
T(t_gs, "push %gs\npop %gs");
T(t_ss, "push %ss\npop %ss");
T(t_lss, "push %ss\npush %esp\naddl $4, (%esp)\nlss (%esp), %esp");
T(t_int3, "int3");
T(t_int80, "int $0x80");
T(t_fresh, "movl $1, 0x345678");
T(t_fninit, "fninit");
T(t_iret, "pushf\npush %cs\ncall 1f\n1: addl $2f - 1b, (%esp)\niret\n2: nop");
GUEST(back, 32, "iret\n");

static const struct trap {
	const char *name;
	const struct guest_code *code;
	unsigned int rings;
} traps[] = {
#define E(sym, rings) { #sym, &sym, rings }
	E(t_nop, R0 | R3), E(t_out, R0), E(t_store, R0 | R3), E(t_test, R0 | R3),
	E(t_cli, R0), E(t_sti, R0), E(t_pushf, R0 | R3), E(t_popf, R0 | R3), E(t_clts, R0),
	E(t_invlpg, R0), E(t_wbinvd, R0), E(t_lidt, R0), E(t_lgdt, R0), E(t_cr3, R0), E(t_cr4, R0),
	E(t_dr7, R0), E(t_ds, R0 | R3), E(t_gs, R0 | R3), E(t_ss, R0 | R3), E(t_lss, R0 | R3),
	E(t_int3, R0 | R3), E(t_int80, R0 | R3), E(t_fresh, R0 | R3), E(t_fninit, R0 | R3),
	E(t_iret, R0 | R3),
};

static bool arithmetic(const char *name)
{
	return !strcmp(name, "t_test") || !strcmp(name, "t_lss") || !strcmp(name, "t_iret") ||
		!strcmp(name, "t_lidt") || !strcmp(name, "t_lgdt");
}

static bool same_seg(const struct kvm_segment *a, const struct kvm_segment *b)
{
	return a->selector == b->selector && a->base == b->base && a->limit == b->limit &&
		a->type == b->type && a->dpl == b->dpl && a->present == b->present &&
		a->db == b->db && a->g == b->g && a->s == b->s && a->l == b->l;
}

static void one_trap(struct vcpu *v, enum guest_mode m, unsigned int cpl, const struct trap *t)
{
	const uint64_t *got = (uint64_t *)&v->regs;
	const struct kvm_segment *segs;
	struct kvm_regs want;
	unsigned int i;
	uint64_t rsp;

	restart(v, m, cpl, *t->code);
	rsp = v->regs.rsp;
	/* on a page that the guest has not had */
	memset(v->vm->mem + 0x340000, 0, 0x10000);
	ASSERT_EQ(madvise(v->vm->mem + 0x340000, 0x10000, MADV_DONTNEED), 0);
	guest_load(v->vm, 0xb000, back);
	guest_handler(v->vm, m, BP, 0xb000);
	guest_handler(v->vm, m, 0x80, 0xb000);
	g8(v->vm, G_IDT32 + BP * 8 + 5) = g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
	v->regs.rax = 0xa1a1a1a1, v->regs.rbx = 0xb2b2b2b2, v->regs.rcx = 0xc3c3c3c3;
	v->regs.rdx = 0xd4d4d4d4, v->regs.rsi = 0xe5e5e5e5, v->regs.rdi = 0xf6f6f6f6;
	v->regs.rbp = 0x97979797;
	set_regs(v);
	want = v->regs;
	do {
		ASSERT_EQ(vcpu_run(v), 0);
	} while (v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_MMIO);
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	get_sregs(v);
	if (cpl == 3) {
		uint32_t *f = (uint32_t *)(v->vm->mem + v->regs.rsp);

		ASSERT_EQ(v->regs.rip, G_TRAPS + GP + 1);
		EXPECT_EQ(f[1], G_CODE + code_len(*t->code) - 1);
		EXPECT_EQ(f[2], SEL_UCODE);
		EXPECT_EQ(f[4], rsp);
		EXPECT_EQ(f[5], SEL_UDATA);
		EXPECT_EQ(v->regs.rsp, G_STACK - 24);
		if (!arithmetic(t->name))
			EXPECT_EQ(f[3], want.rflags | RFLAGS_RF * !guest_on_tcg() |
				  (f[3] & RFLAGS_RF * guest_on_tcg()));
		/* CS and SS are the handler's. */
		v->sregs.cs = before.cs;
		v->sregs.ss = before.ss;
	} else {
		EXPECT_EQ(v->regs.rip, G_CODE + code_len(*t->code));
		EXPECT_EQ(v->regs.rsp, rsp);
		if (!arithmetic(t->name))
			EXPECT_EQ(v->regs.rflags & ~RFLAGS_RF, want.rflags);
	}
	want.rsp = v->regs.rsp, want.rip = v->regs.rip, want.rflags = v->regs.rflags;
	for (i = 0; i < sizeof(want) / 8; i++)
		if (got[i] != ((uint64_t *)&want)[i])
			KTAP_FAIL_("%s ring %u, %s: register %u is %#llx", mode_name[m], cpl, t->name, i,
				   (unsigned long long)got[i]);
	for (i = 0, segs = &v->sregs.cs; i < 6; i++)
		if (!same_seg(segs + i, &before.cs + i))
			KTAP_FAIL_("%s ring %u, %s: segment register %u: %#x, base %#llx, limit %#x, type %u, DPL %u",
				   mode_name[m], cpl, t->name, i, segs[i].selector, segs[i].base,
				   segs[i].limit, segs[i].type, segs[i].dpl);
	EXPECT_EQ(v->sregs.gdt.base, before.gdt.base);
	EXPECT_EQ(v->sregs.idt.base, before.idt.base);
	EXPECT(same_seg(&v->sregs.tr, &before.tr));
	EXPECT_EQ(v->sregs.cr0, before.cr0);
	EXPECT_EQ(v->sregs.cr3, before.cr3);
	EXPECT_EQ(v->sregs.cr4, before.cr4);
	EXPECT_EQ(v->sregs.efer, before.efer);
	EXPECT_EQ(v->sregs.cr2, before.cr2);
}

static void registers(void)
{
	unsigned int m, i;

	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m], 0, t_nop);

		for (i = 0; i < KTAP_COUNT(traps); i++) {
			if (traps[i].rings & R0)
				one_trap(v, modes[m], 0, &traps[i]);
			if (traps[i].rings & R3)
				one_trap(v, modes[m], 3, &traps[i]);
		}
		vm_free_all();
	}
}

/* What the guest itself reads of its segment and system registers, between traps */
GUEST(reads, 32,
      "mov $0xc000, %edi\n mov $3, %ecx\n"
      "1: xor %eax, %eax\n"
      "mov %cs, %eax\n stosl\n mov %ss, %eax\n stosl\n mov %ds, %eax\n stosl\n"
      "mov %es, %eax\n stosl\n mov %fs, %eax\n stosl\n mov %gs, %eax\n stosl\n"
      "push %cs\n pop %eax\n stosl\n push %ss\n pop %eax\n stosl\n"
      "pushf\n pop %eax\n stosl\n"
      "incl 0x310000\n int $0x80\n"
      "dec %ecx\n jnz 1b\n hlt\n");

static void selectors(void)
{
	unsigned int m, cpl, i;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3) {
			const uint32_t code = cpl ? SEL_UCODE : SEL_CODE, data = cpl ? SEL_UDATA : SEL_DATA;
			struct vcpu *v = start(modes[m], cpl, reads);

			guest_load(v->vm, 0xb000, back);
			guest_handler(v->vm, modes[m], 0x80, 0xb000);
			g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
			to_end(v, cpl);
			for (i = 0; i < 27; i++) {
				uint32_t got = g32(v->vm, G_DATA + i * 4), k = i % 9;
				uint32_t want = k == 0 || k == 6 ? code : data;

				/* the upper half of what is pushed is not the selector's */
				if (k == 6 || k == 7)
					got &= 0xffff;
				if (k == 8)
					want = (RFLAGS_1 | (cpl ? RFLAGS_IF : 0)), got &= ~0x8d5u;
				if (got != want)
					KTAP_FAIL_("%s ring %u: value %u is %#x, want %#x", mode_name[modes[m]],
						   cpl, i, got, want);
			}
			vm_free_all();
		}
}

GUEST(tables, 32,
      "sgdt 0xc000\n sidt 0xc008\n sldt %eax\n mov %eax, 0xc010\n str %eax\n mov %eax, 0xc014\n"
      "smsw %eax\n mov %eax, 0xc018\n hlt\n");

static bool host_flag(const char *flag)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[4096], want[32];
	bool yes = false;

	snprintf(want, sizeof(want), " %s ", flag);
	while (f && !yes && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = ' ';
		yes = !strncmp(line, "flags", 5) && strstr(line, want);
	}
	if (f)
		fclose(f);
	return yes;
}

static void table_registers(void)
{
	unsigned int m, cpl;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3) {
			struct vcpu *v;

			/* docs/ring1.md: what a guest can notice */
			if (cpl && dev_is_ring1() && !host_flag("umip"))
				continue;
			v = start(modes[m], cpl, tables);
			to_end(v, cpl);
			EXPECT_EQ(g16(v->vm, G_DATA), before.gdt.limit);
			EXPECT_EQ(g32(v->vm, G_DATA + 2), before.gdt.base);
			EXPECT_EQ(g16(v->vm, G_DATA + 8), before.idt.limit);
			EXPECT_EQ(g32(v->vm, G_DATA + 10), before.idt.base);
			EXPECT_EQ(g16(v->vm, G_DATA + 16), 0);
			EXPECT_EQ(g16(v->vm, G_DATA + 20), SEL_TSS);
			EXPECT_EQ(g16(v->vm, G_DATA + 24), before.cr0 & 0xffff);
			vm_free_all();
		}
}

/* ---- the FPU ------------------------------------------------------------------------------ */

#define AREA1	0x300000u	/* FXSAVE, FNSAVE and XSAVE areas, each filled before */
#define AREA2	0x300400u
#define AREA3	0x300800u
#define AREA4	0x301000u
#define AREA5	0x302000u
#define OWN	0x303000u	/* the guest's own state */
#define FILL	0x5a

#define SECRET	0xfeedface5ec2e700ull

struct fpu {
	uint8_t fx[512] __attribute__((aligned(64)));
	uint8_t ymm[16 * 16];
};

static void fill_client(struct fpu *f)
{
	unsigned int i;

	asm volatile("fninit\n\tfxsave64 %0" : "=m"(f->fx));
	for (i = 0; i < 8; i++) {
		uint64_t val[2] = { SECRET + i, 0x4000 + i };

		memcpy(f->fx + 32 + i * 16, val, 10);
	}
	f->fx[4] = 0xff;		/* all in use */
	for (i = 0; i < 32; i++) {
		uint64_t val = SECRET + 0x10 + i;

		memcpy(f->fx + 160 + i * 8, &val, 8);
		memcpy(f->ymm + i * 8, &val, 8);
		f->ymm[i * 8] ^= 0x80;
	}
}

/* KVM_RUN between loading all of the client's FPU and storing it, with nothing else there */
static int run_with(struct vcpu *v, const struct fpu *in, struct fpu *out, bool avx)
{
	long ret = SYS_ioctl;

	if (!avx) {
		asm volatile("fxrstor64 (%[in])\n\tsyscall\n\tfxsave64 (%[out])"
			     : "+a"(ret)
			     : [in]"r"(in), [out]"r"(out), "D"((long)v->fd), "S"((long)KVM_RUN), "d"(0l)
			     : "rcx", "r11", "memory");
		return ret;
	}
#define HIGH(n) "vinsertf128 $1, 512+16*" #n "(%[in]), %%ymm" #n ", %%ymm" #n "\n\t"
#define STORE(n) "vextractf128 $1, %%ymm" #n ", 512+16*" #n "(%[out])\n\t"
	asm volatile("fxrstor64 (%[in])\n\t"
		     HIGH(0) HIGH(1) HIGH(2) HIGH(3) HIGH(4) HIGH(5) HIGH(6) HIGH(7)
		     HIGH(8) HIGH(9) HIGH(10) HIGH(11) HIGH(12) HIGH(13) HIGH(14) HIGH(15)
		     "syscall\n\t"
		     STORE(0) STORE(1) STORE(2) STORE(3) STORE(4) STORE(5) STORE(6) STORE(7)
		     STORE(8) STORE(9) STORE(10) STORE(11) STORE(12) STORE(13) STORE(14) STORE(15)
		     "fxsave64 (%[out])\n\tvzeroupper"
		     : "+a"(ret)
		     : [in]"r"(in), [out]"r"(out), "D"((long)v->fd), "S"((long)KVM_RUN), "d"(0l)
		     : "rcx", "r11", "memory");
	return ret;
}

/* Is any of the client's, or 4 bytes of it, there? */
static bool has_secret(const uint8_t *p, uint32_t n)
{
	uint32_t i;

	for (i = 0; i + 4 <= n; i += 2) {
		uint32_t w;

		memcpy(&w, p + i, 4);
		if (w == SECRET >> 32 || (w & ~0xffu) == (uint32_t)SECRET)
			return true;
	}
	return false;
}

#define FPU_LOOK(xsave)								\
      "fxsave 0x300000\n" xsave " fnsave 0x300400\n fxsave 0x300800\n out %al, $0x10\n"	\
      "fxrstor 0x303000\n out %al, $0x10\n fxsave 0x302000\n hlt\n"
GUEST(look_fx, 32, FPU_LOOK(""));
GUEST(look_xsave, 32, FPU_LOOK("mov $7, %eax\n xor %edx, %edx\n xsave 0x301000\n"));

static void fpu_state(void)
{
	bool avx = has_avx() && host_flag("avx");
	static struct fpu in, out;
	unsigned int m, turn;

	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m], 0, avx ? look_xsave : look_fx);
		uint8_t *mem = v->vm->mem;
		uint32_t i;

		fpu_on(v);
		if (avx) {
			struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0] = { .value = 7 } };

			v->sregs.cr4 |= CR4_OSXSAVE;
			set_sregs(v);
			ASSERT_OK(ioctl(v->fd, KVM_SET_XCRS, &x));
		}
		memset(mem + AREA1, FILL, AREA5 + 0x1000 - AREA1);
		/* XSAVE reads its header (SDM vol. 1 §13.7). */
		memset(mem + AREA4 + 512, 0, 64);
		memset(mem + OWN, 0x11, 512);
		memcpy(mem + OWN, "\x7f\x03\x00\x00\xff\x00", 6);
		memset(mem + OWN + 6, 0, 18);
		memcpy(mem + OWN + 24, "\x80\x1f\x00\x00", 4);
		fill_client(&in);
		for (turn = 0; turn < 3; turn++) {
			memset(&out, 0, sizeof(out));
			ASSERT_EQ(run_with(v, &in, &out, avx), 0);
			EXPECT_EQ(v->run->exit_reason, turn < 2 ? KVM_EXIT_IO : KVM_EXIT_HLT);
			/* MXCSR's mask and what is reserved are not the state. */
			EXPECT_EQ(memcmp(in.fx, out.fx, 28), 0);
			for (i = 0; i < 8; i++)
				EXPECT_EQ(memcmp(in.fx + 32 + i * 16, out.fx + 32 + i * 16, 10), 0);
			EXPECT_EQ(memcmp(in.fx + 160, out.fx + 160, 256), 0);
			if (avx)
				EXPECT_EQ(memcmp(in.ymm, out.ymm, sizeof(in.ymm)), 0);
		}
		/* As after reset (SDM vol. 3 table 9-1), in every area */
		EXPECT_EQ(g16(v->vm, AREA1), 0x37f);
		EXPECT_EQ(g16(v->vm, AREA1 + 2), 0);
		EXPECT_EQ(g8(v->vm, AREA1 + 4), 0);
		for (i = 8; i < 24; i++)
			EXPECT_EQ(g8(v->vm, AREA1 + i), 0);
		/* the opcode: TCG leaves it alone */
		EXPECT(!g16(v->vm, AREA1 + 6) || (host_is_tcg() && g8(v->vm, AREA1 + 6) == FILL));
		EXPECT_EQ(g32(v->vm, AREA1 + 24), 0x1f80);
		for (i = 32; i < 160; i++)
			if (i % 16 < 10)
				EXPECT_EQ(g8(v->vm, AREA1 + i), 0);
		for (i = 160; i < 288; i++)
			EXPECT_EQ(g8(v->vm, AREA1 + i), 0);
		/* XMM8 to 15 are not there, and what is behind is not written. */
		for (i = 288; i < 512; i++)
			if (g8(v->vm, AREA1 + i) != FILL && g8(v->vm, AREA1 + i))
				KTAP_FAIL_("%s: FXSAVE wrote %#x at %u", mode_name[modes[m]],
					   g8(v->vm, AREA1 + i), i);
		/*
		 * FIP and FDP.  Where its code runs natively a guest sees what every process
		 * sees: on AMD's CPUs that do not load them the kernel has an x87 instruction of
		 * its own before each return, and TCG never loads them.
		 */
		if (!host_is_tcg() || (dev_is_interp() && !dev_is_ring1())) {
			EXPECT_EQ(g32(v->vm, AREA2 + 12), 0);
			EXPECT_EQ(g32(v->vm, AREA2 + 20), 0);
		}
		EXPECT(!has_secret(mem + AREA1, AREA5 + PG - AREA1));
		/* and its own, after the client had its turn */
		for (i = 32; i < 160; i++)
			if (i % 16 < 10)
				EXPECT_EQ(g8(v->vm, AREA5 + i), 0x11);
		for (i = 160; i < 288; i++)
			EXPECT_EQ(g8(v->vm, AREA5 + i), 0x11);
		vm_free_all();
	}
}

/* x87 pointers: the guest's instruction, operand and selectors, or nothing (CPUs that have
 * done away with the selectors). */
GUEST(pointers, 32,
      "mov $50, %ecx\n 1: fninit\n fldl 0xc100\n dec %ecx\n jnz 1b\n"
      "fnstenv 0xc000\n hlt\n");

static void fpu_pointers(void)
{
	unsigned int m, cpl;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3) {
			struct vcpu *v = start(modes[m], cpl, pointers);
			uint32_t fip, fcs, fdp, fds;

			v->sregs.cr0 = (v->sregs.cr0 | CR0_MP) & ~(CR0_EM | CR0_TS);
			set_sregs(v);
			to_end(v, cpl);
			fip = g32(v->vm, G_DATA + 12);
			fcs = g16(v->vm, G_DATA + 16);
			fdp = g32(v->vm, G_DATA + 20);
			fds = g16(v->vm, G_DATA + 24);
			if ((fip && fip != G_CODE + 7) || (fdp && fdp != 0xc100) ||
			    /* docs/ring1.md: what a guest can notice */
			    (fcs && fcs != (cpl ? SEL_UCODE : SEL_CODE) &&
			     !(dev_is_ring1() && !cpl && fcs == 0xffd1)) ||
			    (fds && fds != (cpl ? SEL_UDATA : SEL_DATA)))
				KTAP_FAIL_("%s ring %u: %#x:%#x, %#x:%#x", mode_name[modes[m]], cpl, fcs,
					   fip, fds, fdp);
			vm_free_all();
		}
}

/* ---- control, debug and model-specific registers --------------------------------------------- */

GUEST(controls, 32,
      "mov $0xc000, %edi\n mov $0x12345678, %eax\n mov %eax, %cr2\n"
      /* pages that the host has not seen yet, and a device */
      "mov $0x200000, %esi\n mov $64, %ecx\n 1: incl (%esi)\n add $0x1000, %esi\n dec %ecx\n jnz 1b\n"
      "mov 0xd0000000, %eax\n"
      "mov %cr0, %eax\n stosl\n mov %cr2, %eax\n stosl\n mov %cr3, %eax\n stosl\n mov %cr4, %eax\n stosl\n"
      "mov %dr0, %eax\n stosl\n mov %dr1, %eax\n stosl\n mov %dr2, %eax\n stosl\n mov %dr3, %eax\n stosl\n"
      "mov %dr6, %eax\n stosl\n mov %dr7, %eax\n stosl\n hlt\n");

static void control_registers(void)
{
	unsigned int m, i;

	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m], 0, controls);
		const uint32_t want[] = {
			before.cr0, 0x12345678, before.cr3, before.cr4, 0, 0, 0, 0, 0xffff0ff0, 0x400,
		};

		run_to(v, KVM_EXIT_MMIO);
		run_to_hlt(v);
		for (i = 0; i < KTAP_COUNT(want); i++)
			if (g32(v->vm, G_DATA + i * 4) != want[i])
				KTAP_FAIL_("%s: register %u of CR0, 2, 3, 4, DR0 to 3, 6, 7 is %#x, want %#x",
					   mode_name[modes[m]], i, g32(v->vm, G_DATA + i * 4), want[i]);
		vm_free_all();
	}
}

#define M_LIST	0x200000u	/* index, then EAX, EDX, and if there was one */

/* ESI: the list; ECX is wanted by RDMSR. */
GUEST(rdmsrs, 32,
      "rdmsrs_next: mov (%esi), %ecx\n cmp $-1, %ecx\n je 3f\n"
      "mov $0x5a5a5a5a, %eax\n mov %eax, %edx\n"
      "rdmsr\n"
      "mov %eax, 4(%esi)\n mov %edx, 8(%esi)\n movl $1, 12(%esi)\n"
      "2: add $16, %esi\n jmp rdmsrs_next\n"
      "3: hlt\n"
      ".globl guest_rdmsrs_gp\nguest_rdmsrs_gp: add $4, %esp\n"
      "movl $0x8000 + 2b - rdmsrs_next, (%esp)\n iret\n");
extern const uint8_t guest_rdmsrs_gp[];

static void msrs(void)
{
	static const struct { uint32_t first, n; } ranges[] = {
		{ 0, 0x1000 }, { 0x1000, 0x400 }, { 0x4b564d00, 0x20 }, { 0x40000000, 0x20 },
		{ 0xc0000000, 0x200 }, { 0xc0010000, 0x200 }, { 0xc0011000, 0x40 },
	};
	struct vcpu *v = start(MODE_PG32, 0, rdmsrs);
	uint32_t at = M_LIST, r, i, n = 0;

	for (r = 0; r < KTAP_COUNT(ranges); r++)
		for (i = 0; i < ranges[r].n; i++, at += 16)
			g32(v->vm, at) = ranges[r].first + i;
	g32(v->vm, at) = -1;
	guest_handler(v->vm, MODE_PG32, GP, G_CODE + (guest_rdmsrs_gp - guest_rdmsrs));
	v->regs.rsi = M_LIST;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rsi, at);
	for (at = M_LIST; g32(v->vm, at) != -1u; at += 16) {
		uint64_t val = g32(v->vm, at + 4) | (uint64_t)g32(v->vm, at + 8) << 32, mine;
		uint32_t msr = g32(v->vm, at);

		if (!g32(v->vm, at + 12))
			continue;
		n++;
		/* an address of the kernel's, that is; all ones are none */
		if (val >> 47 == 0x1ffff && val != ~0ull)
			KTAP_FAIL_("MSR %#x is %#llx", msr, (unsigned long long)val);
		/* what the client sees of it, but for clocks and counters */
		if (msr == MSR_TSC || msr == 0xe7 || msr == 0xe8 || get_msr(v, msr, &mine) != 1)
			continue;
		if (mine != val)
			KTAP_FAIL_("MSR %#x is %#llx, to the client %#llx", msr, (unsigned long long)val,
				   (unsigned long long)mine);
	}
	ktap_diag("%u model-specific registers can be read", n);
	EXPECT(n >= 20);
}

/* ---- memory --------------------------------------------------------------------------------------- */

/*
 * Traps and exits of all kinds, in ring 3 and ring 0: of the guest's memory nothing changes but
 * what the manual says, and nothing in it looks like half of an address of the kernel's.
 */
GUEST(busy, 32,
      "mov $40, %ecx\n"
      "1: int $0x80\n incl 0x310000\n pushf\n popf\n push %ds\n pop %ds\n"
      "mov %ecx, 0xd0000000\n fninit\n fnstsw %ax\n"
      "mov $0, %eax\n mov %cs, %edx\n dec %ecx\n jnz 1b\n hlt\n");
GUEST(busy_kernel, 32,
      "push %eax\n cli\n sti\n cli\n pushf\n popf\n mov %cr0, %eax\n mov %cr3, %eax\n mov %eax, %cr3\n"
      "out %al, $0x10\n invlpg 0x310000\n clts\n pop %eax\n iret\n");

static bool kernel_half(uint32_t w)
{
	return w >= 0xffff8000 && w != 0xffffffff;
}

static void memory(void)
{
	static uint8_t was[G_MEM];
	unsigned int m;
	uint32_t i, n;

	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m], 3, busy);

		guest_load(v->vm, 0xb000, busy_kernel);
		guest_handler(v->vm, modes[m], 0x80, 0xb000);
		g8(v->vm, G_IDT32 + 0x80 * 8 + 5) = 0xee;
		memcpy(was, v->vm->mem, G_MEM);
		do {
			ASSERT_EQ(vcpu_run(v), 0);
		} while (v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_MMIO);
		ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
		for (i = n = 0; i < G_MEM && n < 8; i += 4) {
			uint32_t w = g32(v->vm, i), old;

			memcpy(&old, was + i, 4);
			if (w == old)
				continue;
			/* two stacks: as deep as this program's are */
			if (i >= G_STACK - 40 && i < G_STACK) {
				if (kernel_half(w))
					KTAP_FAIL_("%s: on the stack at %#x: %#x", mode_name[modes[m]], i, w);
				continue;
			}
			if (i >= 0x5000 - 8 && i < 0x5000 && !kernel_half(w))
				continue;
			if (i == 0x310000 && w == 40)
				continue;
			/* accessed and dirty of pages, accessed of segments */
			if (i >= G_PML4 && i < G_FREE && !((w ^ old) & ~0x60u))
				continue;
			if (i >= G_GDT && i < G_TSS && !((w ^ old) & ~0x100u))
				continue;
			n++;
			KTAP_FAIL_("%s: memory at %#x was %#x, is %#x", mode_name[modes[m]], i, old, w);
		}
		vm_free_all();
	}
}

/* ---- breakpoints on what is the host's ---------------------------------------------------------------- */

GUEST(watched, 32,
      "mov $20, %ecx\n"
      "1: cli\n sti\n pushf\n popf\n mov %cr0, %eax\n out %al, $0x10\n cpuid\n mov $20, %ecx\n"
      "incl 0xc000\n cmp %ecx, 0xc000\n jb 1b\n cli\n hlt\n");

static void breakpoints(void)
{
	static uint64_t at[64];
	static const uint8_t kinds[] = { 0, 1, 3, 5, 7, 13, 15, 9, 11 };	/* R/W and LEN */
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned int n = 0, i, k, half;
	char line[256], name[128];
	unsigned long long addr;
	struct vcpu *v;

	while (f && fgets(line, sizeof(line), f) && n < 40)
		if ((strstr(line, "ring1_") || strstr(line, "asm_exc_") || strstr(line, " cpu_tss_rw")) &&
		    sscanf(line, "%llx %*c %127s", &addr, name) == 2 && addr >> 63 &&
		    (!strncmp(name, "ring1_", 6) || n < 10))
			at[n++] = addr;
	if (f)
		fclose(f);
	/* the CPU entry area: IDT, GDT, stack and TSS of the first CPU */
	for (i = 0; i < 8; i++)
		at[n++] = 0xfffffe0000000000ull + i * PG + (i == 3 ? 4 : 0);
	ktap_diag("%u addresses of the host's", n);
	v = start(MODE_PG32, 0, watched);
	for (i = 0; i < n; i += 4)
		for (k = 0; k < KTAP_COUNT(kinds); k += 2)
			for (half = 0; half < 2; half++) {
				struct kvm_debugregs d = { .dr6 = 0xffff0ff0, .dr7 = 0x4ff }, got;
				unsigned int b;

				restart(v, MODE_PG32, 0, watched);
				g32(v->vm, G_DATA) = 0;
				for (b = 0; b < 4; b++) {
					uint32_t kind = kinds[(k + b) % KTAP_COUNT(kinds)];

					/* cut to 32 bits: what the guest itself has there it leaves alone */
					d.db[b] = half ? at[(i + b) % n] | 0xd0000000 : at[(i + b) % n];
					if (half)
						d.db[b] = (uint32_t)d.db[b];
					d.db[b] &= ~7ull;
					d.dr7 |= (uint64_t)kind << (16 + 4 * b);
				}
				ASSERT_OK(ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
				do {
					ASSERT_EQ(vcpu_run(v), 0);
				} while (v->run->exit_reason == KVM_EXIT_IO);
				ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
				get_regs(v);
				EXPECT_EQ(v->regs.rip, G_CODE + code_len(watched));
				EXPECT_EQ(g32(v->vm, G_DATA), 20);
				ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &got));
				EXPECT_EQ(got.dr6, d.dr6);
				for (b = 0; b < 4; b++)
					EXPECT_EQ(got.db[b], d.db[b]);
			}
}

/* ---- the client's LDT ---------------------------------------------------------------------------------- */

#define LDT	0x30000u
#define LOW_PAGE 0x30000000ul	/* of the client's, below 4 GiB */

GUEST(ldt_load, 32, "mov %eax, %es\nmov %es:(%ebx), %edx\nhlt\n");
GUEST(ldt_look, 32, "lsl %eax, %edx\nsetz %cl\nhlt\n");

static void client_ldt(void)
{
	struct user_desc d = { .base_addr = LOW_PAGE, .limit = 0x6666, .seg_32bit = 1, .useable = 1 };
	uint32_t *page = mmap((void *)LOW_PAGE, PG, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), val, entry;
	unsigned int m, cpl, gs;
	struct vcpu *v;

	ASSERT(page == (void *)LOW_PAGE);
	*page = 0x5ec2e7;
	for (entry = 0; entry < 4; entry++) {
		d.entry_number = entry;
		d.contents = entry == 3 ? 2 : 0;	/* one of code */
		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
			SKIP("this kernel has no modify_ldt()");
	}
	asm volatile("mov %0, %%gs" : : "r"(0xf));	/* entry 1 */
	v = start(MODE_PG32, 0, ldt_load);
	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3)
			for (entry = 0; entry < 5; entry++) {
				uint16_t sel = entry * 8 + 4 + cpl;
				uint32_t *f;

				restart(v, modes[m], cpl, ldt_load);
				/* without one of its own */
				v->regs.rax = sel;
				v->regs.rbx = G_DATA;
				set_regs(v);
				ASSERT_EQ(run_to_vector(v), GP);
				f = (uint32_t *)(v->vm->mem + v->regs.rsp);
				EXPECT_EQ(f[0], sel & ~3);
				EXPECT_EQ(f[1], G_CODE);

				restart(v, modes[m], cpl, ldt_look);
				v->regs.rax = sel;
				set_regs(v);
				to_end(v, cpl);
				EXPECT_EQ(v->regs.rcx & 0xff, 0);

				/* with one, of two entries */
				restart(v, modes[m], cpl, ldt_load);
				g64(v->vm, LDT) = g64(v->vm, LDT + 8) =
					0x0040f30000001fffull | (uint64_t)0x1000 << 16;
				v->sregs.ldt = (struct kvm_segment){ .base = LDT, .limit = 15, .type = 2,
								     .present = 1, .selector = 0x68 };
				set_sregs(v);
				g32(v->vm, G_DATA) = 0x600d;
				g32(v->vm, 0x1000 + 0x100) = 0x900d;
				v->regs.rax = sel;
				v->regs.rbx = 0x100;
				set_regs(v);
				if (entry >= 2) {
					ASSERT_EQ(run_to_vector(v), GP);
				} else {
					to_end(v, cpl);
					EXPECT_EQ(v->regs.rdx, 0x900d);
				}

				asm volatile("mov %%gs, %0" : "=r"(gs));
				EXPECT_EQ(gs, 0xf);
				asm volatile("mov %%gs:0, %0" : "=r"(val));
				EXPECT_EQ(val, 0x5ec2e7);
			}
	asm volatile("mov %0, %%gs" : : "r"(0));
	munmap(page, PG);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "registers", registers }, { "selectors", selectors },
		{ "table registers", table_registers }, { "FPU state", fpu_state },
		{ "FPU pointers", fpu_pointers }, { "control registers", control_registers },
		{ "MSRs", msrs }, { "memory", memory }, { "breakpoints", breakpoints },
		{ "client's LDT", client_ldt },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
