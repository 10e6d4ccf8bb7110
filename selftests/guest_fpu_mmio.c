// SPDX-License-Identifier: GPL-2.0
/*
 * x87, MMX, SSE and AVX instructions whose memory operand is a device's.
 *
 * Each program runs twice, with the operand in memory and with the same bytes in a
 * device, and everything must come out the same.  The device must see every byte of
 * the operand once, and no other.
 */
#include "vmtest.h"

#define OUT	(G_DATA + 0x100)	/* what a program leaves: EDI */
#define OUT_LEN	0x80
#define RAM	(G_FREE + 0x1000)

enum { PLAIN, CONTROL };		/* what the operand holds */

struct form {
	const char *name;
	const struct guest_code *code;
	uint32_t reads, writes, align;
	int holds;
};

#define SSE(op)								\
	"movups (%esi), %xmm0\nmovups 16(%esi), %xmm1\nmov $0x12345678, %eax\n" op "\n" \
	"movups %xmm0, (%edi)\nmovups %xmm1, 16(%edi)\nmov %eax, 32(%edi)\n" \
	"stmxcsr 36(%edi)\nhlt\n"
#define MMX(op)								\
	"movq (%esi), %mm0\n" op "\nmovq %mm0, (%edi)\nemms\nhlt\n"
/* ST(1) is 2.5, ST(0) 75 */
#define X87(op)								\
	"fninit\nfldl 32(%esi)\nfildl 40(%esi)\n" op "\nfnstcw (%edi)\nfnstsw 2(%edi)\n" \
	"fstpt 16(%edi)\nfstpt 32(%edi)\nfstpt 48(%edi)\nhlt\n"
#define AVX(op)								\
	"xor %ecx, %ecx\nxor %edx, %edx\nmov $7, %eax\nxsetbv\n"	\
	"vmovups (%esi), %ymm0\nvmovups 4(%esi), %ymm1\n" op "\n"	\
	"vmovups %ymm0, (%edi)\nvmovups %ymm1, 32(%edi)\nvzeroupper\nhlt\n"

/* name, instruction, bytes read, bytes written, alignment it asks for, operand */
#define SSE_FORMS(F)							\
	F(movups_ld, "movups (%ebx), %xmm0", 16, 0, 1, PLAIN)		\
	F(movaps_ld, "movaps (%ebx), %xmm0", 16, 0, 16, PLAIN)		\
	F(movdqa_ld, "movdqa (%ebx), %xmm0", 16, 0, 16, PLAIN)		\
	F(movdqu_ld, "movdqu (%ebx), %xmm0", 16, 0, 1, PLAIN)		\
	F(movss_ld, "movss (%ebx), %xmm0", 4, 0, 1, PLAIN)		\
	F(movsd_ld, "movsd (%ebx), %xmm0", 8, 0, 1, PLAIN)		\
	F(movq_ld, "movq (%ebx), %xmm0", 8, 0, 1, PLAIN)		\
	F(movd_ld, "movd (%ebx), %xmm0", 4, 0, 1, PLAIN)		\
	F(movhps_ld, "movhps (%ebx), %xmm0", 8, 0, 1, PLAIN)		\
	F(movlps_ld, "movlps (%ebx), %xmm0", 8, 0, 1, PLAIN)		\
	F(movups_st, "movups %xmm1, (%ebx)", 0, 16, 1, PLAIN)		\
	F(movaps_st, "movaps %xmm1, (%ebx)", 0, 16, 16, PLAIN)		\
	F(movntps, "movntps %xmm1, (%ebx)", 0, 16, 16, PLAIN)		\
	F(movntdq, "movntdq %xmm1, (%ebx)", 0, 16, 16, PLAIN)		\
	F(movss_st, "movss %xmm1, (%ebx)", 0, 4, 1, PLAIN)		\
	F(movsd_st, "movsd %xmm1, (%ebx)", 0, 8, 1, PLAIN)		\
	F(movq_st, "movq %xmm1, (%ebx)", 0, 8, 1, PLAIN)		\
	F(movd_st, "movd %xmm1, (%ebx)", 0, 4, 1, PLAIN)		\
	F(movhps_st, "movhps %xmm1, (%ebx)", 0, 8, 1, PLAIN)		\
	F(movnti, "movnti %eax, (%ebx)", 0, 4, 1, PLAIN)		\
	F(paddd, "paddd (%ebx), %xmm0", 16, 0, 16, PLAIN)		\
	F(addps, "addps (%ebx), %xmm0", 16, 0, 16, PLAIN)		\
	F(mulsd, "mulsd (%ebx), %xmm0", 8, 0, 1, PLAIN)			\
	F(sqrtss, "sqrtss (%ebx), %xmm0", 4, 0, 1, PLAIN)		\
	F(cmpltps, "cmpltps (%ebx), %xmm0", 16, 0, 16, PLAIN)		\
	F(pshufd, "pshufd $0x1b, (%ebx), %xmm0", 16, 0, 16, PLAIN)	\
	F(punpckhbw, "punpckhbw (%ebx), %xmm0", 16, 0, 16, PLAIN)	\
	F(pinsrw, "pinsrw $2, (%ebx), %xmm0", 2, 0, 1, PLAIN)		\
	F(cvtsi2sd, "cvtsi2sdl (%ebx), %xmm0", 4, 0, 1, PLAIN)		\
	F(cvtpi2ps, "cvtpi2ps (%ebx), %xmm0\nemms", 8, 0, 1, PLAIN)	\
	F(cvttsd2si, "cvttsd2si (%ebx), %eax", 8, 0, 1, PLAIN)		\
	F(comisd, "comisd (%ebx), %xmm0\nsetc %al", 8, 0, 1, PLAIN)	\
	F(ldmxcsr, "ldmxcsr (%ebx)", 4, 0, 1, CONTROL)			\
	F(stmxcsr, "stmxcsr (%ebx)", 0, 4, 1, PLAIN)
#define MMX_FORMS(F)							\
	F(movq_mm_ld, "movq (%ebx), %mm0", 8, 0, 1, PLAIN)		\
	F(movq_mm_st, "movq %mm0, (%ebx)", 0, 8, 1, PLAIN)		\
	F(movntq, "movntq %mm0, (%ebx)", 0, 8, 1, PLAIN)		\
	F(paddusb, "paddusb (%ebx), %mm0", 8, 0, 1, PLAIN)		\
	F(movd_mm_st, "movd %mm0, (%ebx)", 0, 4, 1, PLAIN)
#define X87_FORMS(F)							\
	F(flds, "flds (%ebx)", 4, 0, 1, PLAIN)				\
	F(fldl, "fldl (%ebx)", 8, 0, 1, PLAIN)				\
	F(fldt, "fldt (%ebx)", 10, 0, 1, PLAIN)				\
	F(filds, "filds (%ebx)", 2, 0, 1, PLAIN)			\
	F(fildl, "fildl (%ebx)", 4, 0, 1, PLAIN)			\
	F(fildll, "fildll (%ebx)", 8, 0, 1, PLAIN)			\
	F(fbld, "fbld (%ebx)", 10, 0, 1, PLAIN)				\
	F(fadds, "fadds (%ebx)", 4, 0, 1, PLAIN)			\
	F(fdivrl, "fdivrl (%ebx)", 8, 0, 1, PLAIN)			\
	F(fiaddl, "fiaddl (%ebx)", 4, 0, 1, PLAIN)			\
	F(ficoms, "ficoms (%ebx)", 2, 0, 1, PLAIN)			\
	F(fsts, "fsts (%ebx)", 0, 4, 1, PLAIN)				\
	F(fstps, "fstps (%ebx)", 0, 4, 1, PLAIN)			\
	F(fstpl, "fstpl (%ebx)", 0, 8, 1, PLAIN)			\
	F(fstpt, "fstpt (%ebx)", 0, 10, 1, PLAIN)			\
	F(fists, "fists (%ebx)", 0, 2, 1, PLAIN)			\
	F(fistpl, "fistpl (%ebx)", 0, 4, 1, PLAIN)			\
	F(fistpll, "fistpll (%ebx)", 0, 8, 1, PLAIN)			\
	F(fisttpl, "fisttpl (%ebx)", 0, 4, 1, PLAIN)			\
	F(fbstp, "fbstp (%ebx)", 0, 10, 1, PLAIN)			\
	F(fldcw, "fldcw (%ebx)", 2, 0, 1, CONTROL)			\
	F(fnstcw, "fnstcw (%ebx)", 0, 2, 1, PLAIN)			\
	F(fnstsw, "fnstsw (%ebx)", 0, 2, 1, PLAIN)			\
	F(fldenv, "fldenv (%ebx)", 28, 0, 1, CONTROL)			\
	F(fnstenv, "fnstenv (%ebx)", 0, 28, 1, PLAIN)			\
	F(frstor, "frstor (%ebx)", 108, 0, 1, CONTROL)			\
	F(fnsave, "fnsave (%ebx)", 0, 108, 1, PLAIN)
#define AVX_FORMS(F)							\
	F(vmovups_ld, "vmovups (%ebx), %ymm0", 32, 0, 1, PLAIN)		\
	F(vmovaps_ld, "vmovaps (%ebx), %ymm0", 32, 0, 32, PLAIN)	\
	F(vmovups_st, "vmovups %ymm1, (%ebx)", 0, 32, 1, PLAIN)		\
	F(vmovntps, "vmovntps %ymm1, (%ebx)", 0, 32, 32, PLAIN)		\
	F(vaddps, "vaddps (%ebx), %ymm1, %ymm0", 32, 0, 1, PLAIN)	\
	F(vxorps_x, "vxorps (%ebx), %xmm1, %xmm0", 16, 0, 1, PLAIN)	\
	F(vbroadcastss, "vbroadcastss (%ebx), %ymm0", 4, 0, 1, PLAIN)	\
	F(vbroadcastf128, "vbroadcastf128 (%ebx), %ymm0", 16, 0, 1, PLAIN) \
	F(vextractf128, "vextractf128 $1, %ymm1, (%ebx)", 0, 16, 1, PLAIN)

#define DEFINE_SSE(name, op, ...)	GUEST_ALL(name, SSE(op));
#define DEFINE_MMX(name, op, ...)	GUEST_ALL(name, MMX(op));
#define DEFINE_X87(name, op, ...)	GUEST_ALL(name, X87(op));
#define DEFINE_AVX(name, op, ...)	GUEST(name, 64, AVX(op));
SSE_FORMS(DEFINE_SSE)
MMX_FORMS(DEFINE_MMX)
X87_FORMS(DEFINE_X87)
AVX_FORMS(DEFINE_AVX)

#define ROW(name, op, reads, writes, align, holds)			\
	{ #name, name, reads, writes, align, holds },
#define ROW_AVX(name, op, reads, writes, align, holds)			\
	{ #name, &name, reads, writes, align, holds },

static const struct form legacy[] = { SSE_FORMS(ROW) MMX_FORMS(ROW) X87_FORMS(ROW) };
static const struct form avx[] = { AVX_FORMS(ROW_AVX) };

static uint32_t operand_len(const struct form *f)
{
	return f->reads + f->writes;
}

/* Every digit is a decimal one, for FBLD; as floating-point numbers of any length they are
 * finite and normal. */
static void fill_operand(uint8_t *at, const struct form *f)
{
	/* FNSAVE's format: default control word, two registers in use */
	static const uint32_t env[7] = { 0x37f, 0x3000, 0xfff, 0x1234, 0, 0x5678, 0 };
	uint32_t i;

	for (i = 0; i < operand_len(f); i++)
		at[i] = (i * 7 % 6 + 3) << 4 | (i * 5 + 2) % 10;
	if (f->holds == CONTROL)
		memcpy(at, env, f->reads < sizeof(env) ? f->reads : sizeof(env));
}

static struct vcpu *start(enum guest_mode m)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, m);

	v->sregs.cr0 |= CR0_NE;
	if (m == MODE_LONG && has_avx())
		v->sregs.cr4 |= CR4_OSXSAVE;
	fpu_on(v);
	return v;
}

/* One vCPU runs all programs of a mode: an interpreter's first slice takes long. */
static void prepare(struct vcpu *v, struct guest_code code, uint64_t operand)
{
	static const double two_and_a_half = 2.5;
	uint32_t i;

	guest_load(v->vm, G_CODE, code);
	memset(v->vm->mem + OUT, 0, OUT_LEN);
	for (i = 0; i < 48; i++)
		g8(v->vm, G_DATA + i) = i & 3 ? 0x35 + i : i;
	memcpy(v->vm->mem + G_DATA + 32, &two_and_a_half, 8);
	g32(v->vm, G_DATA + 40) = 75;
	v->regs.rbx = operand;
	v->regs.rsi = G_DATA;
	v->regs.rdi = OUT;
	v->regs.rip = G_CODE;
	v->regs.rsp = G_STACK;
	set_regs(v);
}

/* The device's window begins 16 bytes below the operand or the page it ends in. */
static void compare(struct vcpu *v, const struct form *f, struct guest_code code,
		    uint64_t operand, uint64_t ram_operand)
{
	uint64_t base = operand < G_HOLE ? G_MEM : operand - 16, at;
	struct mmio_window w = { 0 };
	uint8_t want[OUT_LEN], result[128], got[128], bytes[128];
	uint32_t i, len = operand_len(f), in_ram = operand < G_HOLE ? G_MEM - operand : 0;
	/* in one of the two at least */
	bool tcg = guest_on_tcg() || (guest_partly_on_tcg() && v->mode != MODE_LONG);

	prepare(v, code, ram_operand);
	fill_operand(v->vm->mem + ram_operand, f);
	memcpy(bytes, v->vm->mem + ram_operand, len);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip, G_CODE + code_len(code));
	memcpy(want, v->vm->mem + OUT, OUT_LEN);
	memcpy(result, v->vm->mem + ram_operand, len);

	prepare(v, code, operand);
	at = operand + in_ram - base;
	if (in_ram)
		memcpy(v->vm->mem + operand, bytes, in_ram);
	memcpy(w.bytes + at, bytes + in_ram, len - in_ram);
	run_window(v, &w, base);
	EXPECT_EQ(v->regs.rip, G_CODE + code_len(code));
	/* TCG's FLDENV reads three words of the seven, its FNSTENV has zeros for ones */
	if (tcg && f->code == fldenv && in_ram)
		return;
	memcpy(got + in_ram, w.bytes + at, len - in_ram);
	if (in_ram)
		memcpy(got, v->vm->mem + operand, in_ram);
	if (!dev_is_interp() && (f->code == fnstenv || f->code == fnsave)) {
		/* FCS, FDS: the host's kernel keeps wide pointers alone over an exit */
		memset(result + 16, 0, 2);
		memset(got + 16, 0, 2);
		memset(result + 24, 0, 2);
		memset(got + 24, 0, 2);
	}
	if (tcg && (f->code == fnstenv || f->code == fnsave)) {
		memset(result, 0, 28);
		memset(got, 0, 28);
	}
	if (memcmp(v->vm->mem + OUT, want, OUT_LEN))
		KTAP_FAIL_("%s %s at %#llx: another result than from memory", mode_name[v->mode], f->name,
			   (unsigned long long)operand);
	if (memcmp(got, result, len))
		KTAP_FAIL_("%s %s at %#llx: another operand than in memory", mode_name[v->mode], f->name,
			   (unsigned long long)operand);
	for (i = 0; i < sizeof(w.bytes); i++) {
		bool within = i >= at && i < at + len - in_ram;

		if (w.reads[i] != (within && f->reads) || w.writes[i] != (within && f->writes))
			KTAP_FAIL_("%s %s at %#llx: byte %u of the device read %u times, written %u",
				   mode_name[v->mode], f->name, (unsigned long long)operand,
				   i - (uint32_t)at, w.reads[i], w.writes[i]);
	}
}

static void run_form(struct vcpu *v, const struct form *f, struct guest_code code)
{
	uint32_t len = operand_len(f), cut[2] = { 1, len / 2 }, i;

	compare(v, f, code, G_HOLE + 0x40, RAM);
	/* over the edge of a page: of a device's; from memory into a device's */
	for (i = 0; i < 2 && f->align == 1 && len > 2; i++) {
		compare(v, f, code, G_HOLE + 0x1000 - cut[i], RAM - cut[i]);
		compare(v, f, code, G_MEM - cut[i], RAM - cut[i]);
	}
}

static void run_legacy(enum guest_mode m)
{
	struct vcpu *v = start(m);
	uint32_t i;

	for (i = 0; i < KTAP_COUNT(legacy); i++)
		run_form(v, &legacy[i], guest_for(legacy[i].code, m));
}

static void prot32(void)	{ run_legacy(MODE_PROT32); }
static void long_mode(void)	{ run_legacy(MODE_LONG); }

static void avx_long_mode(void)
{
	struct vcpu *v;
	uint32_t i;

	if (!has_avx())
		SKIP("no AVX offered");
	if (guest_on_tcg())
		SKIP("TCG does not see the guest's XCR0");
	v = start(MODE_LONG);
	for (i = 0; i < KTAP_COUNT(avx); i++)
		run_form(v, &avx[i], *avx[i].code);
}

/*
 * Where an x87 instruction was executed by the interpreter, its pointers are the guest's,
 * for the guest and for the client: never the host's code and buffers.
 */
#define IMAGE	(G_DATA + 0x200)

GUEST_ALL(load, "fninit\nfld1\n1: fldl (%ebx)\nfnstenv (%edi)\nfnsave 32(%edi)\nhlt\n");
GUEST_ALL(store, "fninit\nfld1\n1: fstpt (%ebx)\nfnstenv (%edi)\nfnsave 32(%edi)\nhlt\n");
GUEST_ALL(fx, "fninit\nfld1\n1: fstpt (%ebx)\nfxsave (%edi)\nhlt\n");

/* Where "1:" is. */
#define POINT	(G_CODE + 4)

static void expect_pointers(struct vcpu *v, const char *what, uint64_t fip, uint64_t fdp,
			    bool may_lack)
{
	if (may_lack && !fip && !fdp)
		return;
	if (fip != POINT || fdp != v->regs.rbx)
		KTAP_FAIL_("%s %s: FIP %#llx, want %#x; FDP %#llx, want %#llx", mode_name[v->mode],
			   what, (unsigned long long)fip, POINT, (unsigned long long)fdp,
			   v->regs.rbx);
}

/* Before the instruction has ended they are still FLD1's, of which FDP is none. */
static void client_sees(struct vcpu *v, uint64_t fip)
{
	struct kvm_fpu f;

	ASSERT_OK(ioctl(v->fd, KVM_GET_FPU, &f));
	if ((f.last_ip && f.last_ip != fip && f.last_ip != POINT) ||
	    (f.last_dp && f.last_dp != v->regs.rbx))
		KTAP_FAIL_("%s: the client sees FIP %#llx, FDP %#llx", mode_name[v->mode], f.last_ip,
			   f.last_dp);
}

static void pointers_in(struct vcpu *v, const struct guest_code *prog, uint64_t operand)
{
	/*
	 * Neither FLDENV nor FXRSTOR loads them in TCG, and at each return to the guest the
	 * host's kernel executes an x87 instruction of its own (it does where FXRSTOR may
	 * leave the last user's pointers).
	 */
	bool tcg = guest_on_tcg() || (guest_partly_on_tcg() && v->mode != MODE_LONG);

	prepare(v, guest_for(prog, v->mode), operand);
	memset(v->vm->mem + IMAGE, 0, 0x200);
	v->regs.rdi = IMAGE;
	set_regs(v);
	do {
		ASSERT_EQ(vcpu_run(v), 0);
		/* its FNSTSW sets them, too: the interpreter uses that before it looks */
		if (!guest_partly_on_tcg() || v->mode == MODE_LONG)
			client_sees(v, G_CODE + 2);
	} while (v->run->exit_reason == KVM_EXIT_MMIO);
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	if (tcg && prog == store)
		return;
	if (prog == fx) {
		/* AMD's CPUs write them with an exception pending alone */
		expect_pointers(v, "fxsave", g32(v->vm, IMAGE + 8), g32(v->vm, IMAGE + 16), true);
		return;
	}
	expect_pointers(v, "fnstenv", g32(v->vm, IMAGE + 12), g32(v->vm, IMAGE + 20), tcg);
	expect_pointers(v, "fnsave", g32(v->vm, IMAGE + 44), g32(v->vm, IMAGE + 52), tcg);
}

static void pointers(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = start(m);

		pointers_in(v, load, G_HOLE + 0x40);
		pointers_in(v, load, G_MEM - 3);
		pointers_in(v, store, G_HOLE + 0x40);
		pointers_in(v, store, G_MEM - 3);
		pointers_in(v, fx, G_HOLE + 0x40);
		pointers_in(v, fx, G_MEM - 3);
	}
}

/* #NM and #UD come before the device sees anything; EM, TS: SDM vol. 3 table 9-3. */
GUEST_ALL(bare_x87, "flds (%ebx)\nhlt\n");
GUEST_ALL(bare_mmx, "movq %mm0, (%ebx)\nhlt\n");
GUEST_ALL(bare_sse, "movaps (%ebx), %xmm0\nhlt\n");

static void not_usable(void)
{
	const struct {
		const struct guest_code *code;
		uint64_t cr0;
		int vector;
	} cases[] = {
		{ bare_x87, CR0_TS, NM }, { bare_x87, CR0_EM, NM },
		{ bare_mmx, CR0_TS, NM }, { bare_mmx, CR0_EM, UD },
		{ bare_sse, CR0_TS, NM }, { bare_sse, CR0_EM, UD },
		/* TCG looks at TS first */
		{ bare_sse, CR0_EM | CR0_TS, guest_on_tcg() ? NM : UD },
	};
	enum guest_mode m;
	uint32_t i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = start(m);
		uint64_t cr0 = v->sregs.cr0;

		for (i = 0; i < KTAP_COUNT(cases); i++) {
			prepare(v, guest_for(cases[i].code, m), G_HOLE + 0x40);
			v->sregs.cr0 = cr0 | cases[i].cr0;
			set_sregs(v);
			EXPECT_EQ(run_to_vector(v), cases[i].vector);
		}
	}
}

/* Misaligned operands of a device's: #GP, and the device sees nothing. */
static void misaligned(void)
{
	enum guest_mode m;
	uint32_t i;

	if (guest_on_tcg())
		SKIP("TCG does not look at alignment");
	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = start(m);

		for (i = 0; i < KTAP_COUNT(legacy); i++) {
			if (legacy[i].align == 1)
				continue;
			prepare(v, guest_for(legacy[i].code, m), G_HOLE + 0x48);
			EXPECT_EQ(run_to_vector(v), GP);
		}
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "prot32", prot32 }, { "long_mode", long_mode },
		{ "avx_long_mode", avx_long_mode }, { "pointers", pointers },
		{ "not_usable", not_usable }, { "misaligned", misaligned },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
