// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID: what this host can offer a guest, and what the client chose of it.
 *
 * The offer is the host's CPUID under masks: a bit is passed on only if a
 * guest that uses the feature runs correctly here.  Not offered: nested
 * virtualization, performance counters, protection keys, CET, XSAVES and
 * supervisor state, MONITOR/MWAIT, transactional memory.  x2APIC is offered for a
 * local APIC in the kernel, and so is, by its capability alone, the TSC deadline
 * timer: a guest whose APIC is the client's does not see them.  The hypervisor bit
 * and the leaves from 0x40000000 are the client's too.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/kvm_para.h>
#include <asm/processor.h>
#include <asm/special_insns.h>

#include "cpu.h"
#include "../mode.h"

#define B(n)	(1u << (n))

/* Feature bits by leaf; the comment names them from bit 0 up. */
/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE
 * AVX F16C RDRAND */
#define RVM_1_ECX \
	(B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | \
	 B(22) | B(23) | B(25) | B(26) | B(28) | B(29) | B(30))
#define RVM_1_ECX_AVX	(B(12) | B(28) | B(29))
#define RVM_1_ECX_XSAVE	(B(26))
#define RVM_1_ECX_OSXSAVE	(B(27))
#define RVM_1_ECX_X2APIC	(B(21))
#define RVM_1_ECX_TSC_DEADLINE	(B(24))
#define RVM_1_ECX_PCID	(B(17))
/* FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36
 * CLFSH MMX FXSR SSE SSE2 */
#define RVM_1_EDX \
	(B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | \
	 B(9) | B(11) | B(12) | B(13) | B(14) | B(15) | B(16) | B(17) | \
	 B(19) | B(23) | B(24) | B(25) | B(26))
#define RVM_1_EDX_APIC	(B(9))
/* FSGSBASE BMI1 AVX2 FDP_EXCPTN_ONLY SMEP BMI2 ERMS INVPCID ZERO_FCS_FDS
 * AVX512F AVX512DQ RDSEED ADX SMAP AVX512IFMA CLFLUSHOPT CLWB AVX512PF
 * AVX512ER AVX512CD SHA AVX512BW AVX512VL */
#define RVM_7_EBX \
	(B(0) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | B(10) | \
	 B(13) | B(16) | B(17) | B(18) | B(19) | B(20) | B(21) | \
	 B(23) | B(24) | B(26) | B(27) | B(28) | B(29) | B(30) | \
	 B(31))
#define RVM_7_EBX_AVX	(B(5))
#define RVM_7_EBX_AVX512 \
	(B(16) | B(17) | B(21) | B(26) | B(27) | B(28) | B(30) | \
	 B(31))
#define RVM_1_EDX_VME	(B(1))
#define RVM_7_EBX_FSGSBASE	(B(0))
#define RVM_7_EBX_SMEP	(B(7))
#define RVM_7_EBX_INVPCID	(B(10))
#define RVM_7_EBX_SMAP	(B(20))
/* AVX512VBMI UMIP AVX512_VBMI2 GFNI VAES VPCLMULQDQ AVX512_VNNI
 * AVX512_BITALG AVX512_VPOPCNTDQ LA57 */
#define RVM_7_ECX \
	(B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | \
	 B(14) | B(16))
#define RVM_7_ECX_AVX	(B(9) | B(10))
#define RVM_7_ECX_AVX512	(B(1) | B(6) | B(11) | B(12) | B(14))
#define RVM_7_ECX_UMIP	(B(2))
#define RVM_7_ECX_LA57	(B(16))
/* AVX512_4VNNIW AVX512_4FMAPS FSRM AVX512_VP2INTERSECT SERIALIZE */
#define RVM_7_EDX	(B(2) | B(3) | B(4) | B(8) | B(14))
#define RVM_7_EDX_AVX512	(B(2) | B(3) | B(8))
/* subleaf 1: AVX-VNNI AVX512_BF16 FZRM FSRS FSRC AVX-IFMA */
#define RVM_7_1_EAX	(B(4) | B(5) | B(10) | B(11) | B(12) | B(23))
#define RVM_7_1_EAX_AVX	(B(4) | B(23))
#define RVM_7_1_EAX_AVX512	(B(5))
/* 0xd subleaf 1: XSAVEOPT XSAVEC XGETBV_ECX1 */
#define RVM_D_1_EAX	(B(0) | B(1) | B(2))
#define RVM_D_1_EAX_XSAVEC	(B(1))
/* LAHF CMP_LEGACY CR8_LEGACY ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4
 * TBM TOPOEXT */
#define RVM_81_ECX \
	(B(0) | B(1) | B(4) | B(5) | B(6) | B(7) | B(8) | B(11) | \
	 B(16) | B(21) | B(22))
#define RVM_81_ECX_AVX	(B(11) | B(16))
/* as leaf 1, and SYSCALL NX MMXEXT FFXSR PDPE1GB RDTSCP LM 3DNOWEXT 3DNOW */
#define RVM_81_EDX \
	(B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | \
	 B(9) | B(11) | B(12) | B(13) | B(14) | B(15) | B(16) | B(17) | \
	 B(20) | B(22) | B(23) | B(24) | B(25) | B(26) | B(27) | \
	 B(29) | B(30) | B(31))
#define RVM_81_EDX_NX	(B(20))
#define RVM_81_EDX_FFXSR	(B(25))
#define RVM_81_EDX_1G	(B(26))
#define RVM_81_EDX_LM	(B(29))
/* invariant TSC */
#define RVM_87_EDX	(B(8))
/* CLZERO XSAVEERPTR; SSB_NO BTC_NO say what the CPU is not prone to */
#define RVM_88_EBX	(B(0) | B(2) | B(26) | B(29))

/*
 * What the interpreter does not execute: AVX-512 and what needs it; SSE4A XOP
 * FMA4 TBM; FFXSR 3DNOWEXT 3DNOW; XSAVEERPTR.
 */
#define RVM_INTERP_NO_7_EBX	RVM_7_EBX_AVX512
#define RVM_INTERP_NO_7_ECX	RVM_7_ECX_AVX512
#define RVM_INTERP_NO_7_EDX	RVM_7_EDX_AVX512
#define RVM_INTERP_NO_7_1_EAX	(RVM_7_1_EAX_AVX | RVM_7_1_EAX_AVX512)
#define RVM_INTERP_NO_81_ECX	(B(6) | B(11) | B(16) | B(21))
#define RVM_INTERP_NO_81_EDX	(B(25) | B(30) | B(31))
#define RVM_INTERP_NO_88_EBX	(B(2))
#define RVM_INTERP_XCR0		7ull	/* x87, SSE, AVX */
/* Its walker knows every address width: the leaf is always there. */
#define RVM_INTERP_EXT_MIN	0x80000008u

#define RVM_SIGNATURE_EBX	0x4b4d564bu	/* "KVMK" */
#define RVM_CPUID_BASIC_MAX	0x1f
#define RVM_CPUID_EXT		0x80000000u
#define RVM_CPUID_EXT_MAX	0x8000001fu
#define RVM_CPUID_ARAT		B(2)	/* leaf 6: the client's APIC timer does not stop */

/* XSAVE components, from the host's leaf 0xd at load */
#define RVM_XSAVE_LEGACY	576	/* legacy region and header */
struct rvm_xcomp rvm_xcomp[RVM_NR_XCOMP];

static bool rvm_host_la57;
static u32 rvm_host_7_ebx, rvm_host_7_ecx;

/* At load, after rvm_fpu_setup(). */
void rvm_cpuid_setup(void)
{
	u32 i, a, b, c, d;

	rvm_host_la57 = native_read_cr4() & RVM_CR4_LA57;
	if (cpuid_eax(0) >= 7) {
		rvm_host_7_ebx = cpuid_ebx(7);
		rvm_host_7_ecx = cpuid_ecx(7);
	}
	if (!rvm_supported_xcr0)
		return;
	for (i = 2; i < ARRAY_SIZE(rvm_xcomp); i++) {
		if (!(rvm_supported_xcr0 & (1ull << i)))
			continue;
		cpuid_count(0xd, i, &a, &b, &c, &d);
		rvm_xcomp[i].size = a;
		rvm_xcomp[i].offset = b;
		rvm_xcomp[i].align = c & B(1);
	}
}

/**
 * rvm_max_gpa_bits - width of a guest-physical address that can be mapped
 *
 * The nested tables have as many levels as the host's own (APM vol. 2
 * §15.25.3), and hold host-physical addresses of the host's width.
 */
u8 rvm_max_gpa_bits(void)
{
	u8 levels = rvm_host_la57 ? 52 : 48;

	return min_t(u8, boot_cpu_data.x86_phys_bits, levels);
}

/* SDM vol. 1 §13.4.2, §13.4.3 */
static u32 rvm_xsave_size(u64 xcr0, bool compacted)
{
	u32 i, size = RVM_XSAVE_LEGACY;

	for (i = 2; i < ARRAY_SIZE(rvm_xcomp); i++) {
		if (!(xcr0 & (1ull << i)))
			continue;
		if (!compacted) {
			size = max(size, rvm_xcomp[i].offset + rvm_xcomp[i].size);
			continue;
		}
		if (rvm_xcomp[i].align)
			size = ALIGN(size, 64);
		size += rvm_xcomp[i].size;
	}
	return size;
}

/* ---- the offer ------------------------------------------------------------ */

static bool rvm_host_avx(void)
{
	return rvm_supported_xcr0 & (1ull << 2);
}

static bool rvm_host_avx512(void)
{
	return rvm_supported_xcr0 & (1ull << 5);
}

static void rvm_mask_1(struct kvm_cpuid_entry2 *e)
{
	/* APIC id, CLFLUSH size, logical processors: the client's; the size stays */
	e->ebx &= 0x0000ff00;
	e->ecx = (e->ecx & RVM_1_ECX) | RVM_1_ECX_X2APIC;
	e->edx &= RVM_1_EDX;
	if (!rvm_supported_xcr0)
		e->ecx &= ~(RVM_1_ECX_XSAVE | RVM_1_ECX_AVX);
	if (!rvm_host_avx())
		e->ecx &= ~RVM_1_ECX_AVX;
}

static void rvm_mask_7(struct kvm_cpuid_entry2 *e)
{
	if (e->index == 1) {
		e->eax &= RVM_7_1_EAX;
		if (!rvm_host_avx())
			e->eax &= ~RVM_7_1_EAX_AVX;
		if (!rvm_host_avx512())
			e->eax &= ~RVM_7_1_EAX_AVX512;
		e->ebx = 0;
		e->ecx = 0;
		e->edx = 0;
		return;
	}
	e->eax = min(e->eax, 1u);
	e->ebx &= RVM_7_EBX;
	e->ecx &= RVM_7_ECX;
	e->edx &= RVM_7_EDX;
	if (!rvm_host_la57)
		e->ecx &= ~RVM_7_ECX_LA57;
	if (!rvm_host_avx()) {
		e->ebx &= ~RVM_7_EBX_AVX;
		e->ecx &= ~RVM_7_ECX_AVX;
	}
	if (!rvm_host_avx512()) {
		e->ebx &= ~RVM_7_EBX_AVX512;
		e->ecx &= ~RVM_7_ECX_AVX512;
		e->edx &= ~RVM_7_EDX_AVX512;
	}
}

static void rvm_mask_d(struct kvm_cpuid_entry2 *e)
{
	switch (e->index) {
	case 0:
		e->eax = lower_32_bits(rvm_supported_xcr0);
		e->edx = upper_32_bits(rvm_supported_xcr0);
		e->ebx = rvm_xsave_size(rvm_supported_xcr0, false);
		e->ecx = e->ebx;
		break;
	case 1:
		e->eax &= RVM_D_1_EAX;
		e->ebx = e->eax & RVM_D_1_EAX_XSAVEC ?
			rvm_xsave_size(rvm_supported_xcr0, true) : 0;
		e->ecx = 0;
		e->edx = 0;
		break;
	default:
		e->ecx &= B(1);		/* aligned; not a supervisor component */
		e->edx = 0;
	}
}

static void rvm_mask_8_8(struct kvm_cpuid_entry2 *e)
{
	/* physical and linear address width */
	e->eax = rvm_max_gpa_bits() | (rvm_host_la57 ? 57 : 48) << 8;
	e->ebx &= RVM_88_EBX;
	e->ecx = 0;
	e->edx = 0;
}

static void rvm_clear(struct kvm_cpuid_entry2 *e)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

/* Turn the host's answer in @e into the offer. */
static void rvm_mask_leaf(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 0:
		e->eax = min_t(u32, e->eax, RVM_CPUID_BASIC_MAX);
		break;
	case 1:
		rvm_mask_1(e);
		break;
	case 2:		/* cache descriptors */
		break;
	case 4:		/* caches; cores and threads are the client's to say */
		e->eax &= 0x3ff;
		break;
	case 6:
		rvm_clear(e);
		e->eax = RVM_CPUID_ARAT;
		break;
	case 7:
		rvm_mask_7(e);
		break;
	case 0xd:
		rvm_mask_d(e);
		break;
	case RVM_CPUID_EXT:
		e->eax = min_t(u32, e->eax, RVM_CPUID_EXT_MAX);
		break;
	case 0x80000001:
		e->ebx = 0;
		e->ecx &= RVM_81_ECX;
		e->edx &= RVM_81_EDX;
		if (!rvm_host_avx())
			e->ecx &= ~RVM_81_ECX_AVX;
		/* Intel shows SYSCALL to 64-bit code alone; this is 64-bit code. */
		break;
	case 0x80000002 ... 0x80000006:	/* brand, caches, TLBs */
		break;
	case 0x80000007:
		rvm_clear(e);
		if (boot_cpu_has(X86_FEATURE_CONSTANT_TSC) &&
		    boot_cpu_has(X86_FEATURE_NONSTOP_TSC))
			e->edx = RVM_87_EDX;
		break;
	case 0x80000008:
		rvm_mask_8_8(e);
		break;
	case 0x80000019:		/* TLBs for 1 GiB pages */
	case 0x8000001a:		/* performance hints */
		break;
	case 0x8000001d:		/* caches, AMD's leaf 4 */
		e->eax &= 0x3ff;
		break;
	default:
		/* 3 5 8 9 0xa 0xb 0xc .. 0x1f, 0x80000009 ..: nothing to offer, and
		 * topology is the client's */
		rvm_clear(e);
	}
}

/*
 * @e shows what the hardware executes: less where all is interpreted, but for
 * virtual-8086 extensions, which the interpreter has on any host.
 */
static void rvm_mask_interp(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 1:
		e->edx |= RVM_1_EDX_VME;
		break;
	case 7:
		if (e->index) {
			e->eax &= ~RVM_INTERP_NO_7_1_EAX;
			break;
		}
		e->ebx &= ~RVM_INTERP_NO_7_EBX;
		e->ecx &= ~RVM_INTERP_NO_7_ECX;
		e->edx &= ~RVM_INTERP_NO_7_EDX;
		break;
	case 0xd:
		if (e->index >= 2 && !(RVM_INTERP_XCR0 & (1ull << e->index))) {
			rvm_clear(e);
		} else if (!e->index) {
			e->eax &= RVM_INTERP_XCR0;
			e->edx = 0;
			e->ebx = rvm_xsave_size(rvm_supported_xcr0 & RVM_INTERP_XCR0, false);
			e->ecx = e->ebx;
		} else if (e->index == 1 && e->ebx) {
			e->ebx = rvm_xsave_size(rvm_supported_xcr0 & RVM_INTERP_XCR0, true);
		}
		break;
	case RVM_CPUID_EXT:
		e->eax = max(e->eax, RVM_INTERP_EXT_MIN);
		break;
	case 0x80000001:
		e->ecx &= ~RVM_INTERP_NO_81_ECX;
		e->edx &= ~RVM_INTERP_NO_81_EDX;
		break;
	case 0x80000008:
		e->ebx &= ~RVM_INTERP_NO_88_EBX;
		break;
	}
}

/* No process-context identifiers: shadow tables have addresses of their own.  No
 * fifth level. */
static void rvm_mask_shadow(struct kvm_cpuid_entry2 *e)
{
	if (e->function == 1)
		e->ecx &= ~RVM_1_ECX_PCID;
	if (e->function == 7 && !e->index) {
		e->ebx &= ~RVM_7_EBX_INVPCID;
		e->ecx &= ~RVM_7_ECX_LA57;
	}
}

struct rvm_offer {
	struct kvm_cpuid_entry2 *e;
	u32 max, n;
	bool interp;		/* for a mode that interprets everything */
	bool shadow;		/* for one with shadow paging */
	bool no_smap;
};

static int rvm_offer_leaf(struct rvm_offer *o, u32 fn, u32 idx, bool indexed)
{
	struct kvm_cpuid_entry2 e = {
		.function = fn,
		.index = idx,
		.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
	};

	/* Beyond its last leaf a CPU answers with another one. */
	if (fn <= cpuid_eax(fn & RVM_CPUID_EXT))
		cpuid_count(fn, idx, &e.eax, &e.ebx, &e.ecx, &e.edx);
	rvm_mask_leaf(&e);
	if (o->interp)
		rvm_mask_interp(&e);
	if (o->shadow)
		rvm_mask_shadow(&e);
	if (o->no_smap && fn == 7 && !idx)
		e.ebx &= ~RVM_7_EBX_SMAP;
	/* A leaf that is not listed reads as zeros too; subleaves end by one. */
	if (!indexed && !e.eax && !e.ebx && !e.ecx && !e.edx)
		return 0;
	if (o->n >= o->max)
		return -E2BIG;
	o->e[o->n++] = e;
	return 0;
}

/* Cache leaves: subleaves until one of type 0, which is part of the list. */
static int rvm_offer_caches(struct rvm_offer *o, u32 fn)
{
	u32 i;

	for (i = 0; i < 16; i++) {
		int err = rvm_offer_leaf(o, fn, i, true);

		if (err)
			return err;
		if (!(o->e[o->n - 1].eax & 0x1f))
			break;
	}
	return 0;
}

static int rvm_offer_xsave(struct rvm_offer *o)
{
	u32 i;
	int err;

	if (!rvm_supported_xcr0)
		return 0;
	for (i = 0; i < ARRAY_SIZE(rvm_xcomp); i++) {
		if (i >= 2 && !(rvm_supported_xcr0 & (1ull << i)))
			continue;
		err = rvm_offer_leaf(o, 0xd, i, true);
		if (err)
			return err;
	}
	return 0;
}

/*
 * The leaves under KVM's signature (kernel documentation, virt/kvm/x86/cpuid.rst):
 * what unmodified guests know to use.  Ports need no delay here: there is no
 * slow bus behind them.
 */
static int rvm_offer_paravirt(struct rvm_offer *o)
{
	if (o->n + 2 > o->max)
		return -E2BIG;
	o->e[o->n] = (struct kvm_cpuid_entry2) {
		.function = KVM_CPUID_SIGNATURE, .eax = KVM_CPUID_FEATURES,
	};
	memcpy(&o->e[o->n].ebx, "KVMKVMKVM\0\0\0", 4);
	memcpy(&o->e[o->n].ecx, "KVMKVMKVM\0\0\0" + 4, 4);
	memcpy(&o->e[o->n].edx, "KVMKVMKVM\0\0\0" + 8, 4);
	o->n++;
	o->e[o->n++] = (struct kvm_cpuid_entry2) {
		.function = KVM_CPUID_FEATURES,
		.eax = 1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_CLOCKSOURCE2 |
			1u << KVM_FEATURE_NOP_IO_DELAY | 1u << KVM_FEATURE_PV_EOI |
			1u << KVM_FEATURE_PV_UNHALT |
			(IS_ENABLED(CONFIG_SCHED_INFO) ? 1u << KVM_FEATURE_STEAL_TIME : 0),
	};
	return 0;
}

static int rvm_offer_one(struct rvm_offer *o, u32 fn)
{
	int err;

	switch (fn) {
	case 4:
	case 0x8000001d:
		return rvm_offer_caches(o, fn);
	case 7:
		err = rvm_offer_leaf(o, fn, 0, true);
		if (!err && o->e[o->n - 1].eax >= 1)
			err = rvm_offer_leaf(o, fn, 1, true);
		return err;
	case 0xd:
		return rvm_offer_xsave(o);
	default:
		return rvm_offer_leaf(o, fn, 0, false);
	}
}

static int rvm_offer_class(struct rvm_offer *o, u32 base)
{
	u32 last = cpuid_eax(base), fn;
	int err;

	last = base ? clamp(last, base, RVM_CPUID_EXT_MAX) : min_t(u32, last, RVM_CPUID_BASIC_MAX);
	if (base && o->interp)
		last = max(last, RVM_INTERP_EXT_MIN);
	for (fn = base; fn <= last; fn++) {
		err = rvm_offer_one(o, fn);
		if (err)
			return err;
	}
	return 0;
}

/**
 * rvm_supported_cpuid - KVM_GET_SUPPORTED_CPUID (KVM API §4.46)
 * @mode: what would run the guest
 * @e: room for the entries
 * @max: how many fit
 * @n: how many there are
 *
 * 0 or -E2BIG.
 */
int rvm_supported_cpuid(const struct rvm_mode *mode, struct kvm_cpuid_entry2 *e, u32 max,
			u32 *n)
{
	struct rvm_offer o = {
		.e = e, .max = max, .interp = mode->slice, .shadow = rvm_mode_shadow(mode),
		.no_smap = mode->no_smap,
	};
	int err;

	err = rvm_offer_class(&o, 0);
	if (!err)
		err = rvm_offer_class(&o, RVM_CPUID_EXT);
	if (!err)
		err = rvm_offer_paravirt(&o);
	*n = o.n;
	return err;
}

/* KVM_GET_EMULATED_CPUID (§4.88): features that the hardware lacks and the
 * interpreter adds.  None: an unknown instruction raises #UD in the guest
 * without ever reaching us.  So leaf 0 alone, saying that there is no other. */
int rvm_emulated_cpuid(const struct rvm_mode *mode, struct kvm_cpuid_entry2 *e, u32 max, u32 *n)
{
	if (!max)
		return -E2BIG;
	e[0] = (struct kvm_cpuid_entry2) {};
	*n = 1;
	return 0;
}

/* ---- the client's choice ---------------------------------------------------- */

/* The entry of the client's list for a leaf, or NULL. */
const struct kvm_cpuid_entry2 *rvm_cpuid_find(struct rvm_vcpu *v, u32 fn, u32 idx)
{
	u32 i;

	for (i = 0; i < v->nr_cpuid; i++) {
		const struct kvm_cpuid_entry2 *e = &v->cpuid[i];

		if (e->function == fn &&
		    (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == idx))
			return e;
	}
	return NULL;
}

/* EFER bits this host's CPU has (APM vol. 2 §3.1.7). */
u64 rvm_host_efer_bits(void)
{
	u64 bits = RVM_EFER_SCE | RVM_EFER_LME | RVM_EFER_LMA;

	if (boot_cpu_has(X86_FEATURE_NX))
		bits |= RVM_EFER_NXE;
	if (boot_cpu_has(X86_FEATURE_FXSR_OPT))
		bits |= RVM_EFER_FFXSR;
	return bits;
}

static u64 rvm_cr4_from_cpuid(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e;
	u64 cr4;

	/* On every CPU with long mode; KVM does not ask the guest's CPUID either. */
	cr4 = RVM_CR4_VME | RVM_CR4_PVI | RVM_CR4_TSD | RVM_CR4_DE | RVM_CR4_PSE |
	      RVM_CR4_PAE | RVM_CR4_MCE | RVM_CR4_PGE | RVM_CR4_PCE | RVM_CR4_OSFXSR |
	      RVM_CR4_OSXMM;

	e = rvm_cpuid_find(v, 1, 0);
	if (e && (e->ecx & RVM_1_ECX_XSAVE) && rvm_supported_xcr0)
		cr4 |= RVM_CR4_OSXSAVE;
	if (e && (e->ecx & RVM_1_ECX_PCID) && (cpuid_ecx(1) & RVM_1_ECX_PCID))
		cr4 |= RVM_CR4_PCIDE;

	e = rvm_cpuid_find(v, 7, 0);
	if (!e)
		return cr4;
	if ((e->ebx & RVM_7_EBX_FSGSBASE) && (rvm_host_7_ebx & RVM_7_EBX_FSGSBASE))
		cr4 |= RVM_CR4_FSGSBASE;
	if ((e->ebx & RVM_7_EBX_SMEP) && (rvm_host_7_ebx & RVM_7_EBX_SMEP))
		cr4 |= RVM_CR4_SMEP;
	if ((e->ebx & RVM_7_EBX_SMAP) && (rvm_host_7_ebx & RVM_7_EBX_SMAP))
		cr4 |= RVM_CR4_SMAP;
	if ((e->ecx & RVM_7_ECX_UMIP) && (rvm_host_7_ecx & RVM_7_ECX_UMIP))
		cr4 |= RVM_CR4_UMIP;
	if ((e->ecx & RVM_7_ECX_LA57) && rvm_host_la57)
		cr4 |= RVM_CR4_LA57;
	return cr4;
}

static u64 rvm_efer_from_cpuid(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, 0x80000001, 0);
	u64 efer = RVM_EFER_SCE;

	if (e && (e->edx & RVM_81_EDX_LM))
		efer |= RVM_EFER_LME | RVM_EFER_LMA;
	if (e && (e->edx & RVM_81_EDX_NX))
		efer |= RVM_EFER_NXE;
	if (e && (e->edx & RVM_81_EDX_FFXSR))
		efer |= RVM_EFER_FFXSR;
	return efer & rvm_host_efer_bits();
}

/**
 * rvm_cpuid_update - derive what follows from the guest's CPUID
 * @v: the vCPU; before KVM_SET_CPUID2 the list is empty, and the minimum holds
 */
void rvm_cpuid_update(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e;
	u8 bits = 36;		/* SDM vol. 2, CPUID leaf 80000008h: where it is missing */

	v->cr4_allowed = rvm_cr4_from_cpuid(v);
	if (v->vm->shadow)
		v->cr4_allowed &= ~(RVM_CR4_PCIDE | RVM_CR4_LA57);
	v->efer_allowed = rvm_efer_from_cpuid(v);

	v->xcr0_mask = 0;
	e = rvm_cpuid_find(v, 0xd, 0);
	if (e && (v->cr4_allowed & RVM_CR4_OSXSAVE))
		v->xcr0_mask = (e->eax | (u64)e->edx << 32) & rvm_supported_xcr0;
	if (v->vm->mode->slice)
		v->xcr0_mask &= RVM_INTERP_XCR0;

	e = rvm_cpuid_find(v, 0x80000008, 0);
	if (e)
		bits = e->eax & 0xff;
	v->cpu.phys_bits = clamp_t(u8, bits, 32, RVM_MAX_GPA_BITS);
	/* Beside hardware that walks the interpreter walks as the hardware does. */
	e = rvm_cpuid_find(v, 0x80000001, 0);
	v->cpu.no_1g = (v->vm->mode->slice || v->vm->shadow) && e ? !(e->edx & RVM_81_EDX_1G) :
		!boot_cpu_has(X86_FEATURE_GBPAGES);
	rvm_insn_cpuid(v);
}

/**
 * rvm_set_cpuid - KVM_SET_CPUID2 (KVM API §4.20)
 * @v: the vCPU
 * @e: kvmalloc'd list, ours if 0 is returned
 * @n: its entries
 *
 * -EINVAL: a linear address width that no CPU has.
 */
int rvm_set_cpuid(struct rvm_vcpu *v, struct kvm_cpuid_entry2 *e, u32 n)
{
	u32 i, width;

	for (i = 0; i < n; i++) {
		if (e[i].function != 0x80000008)
			continue;
		width = (e[i].eax >> 8) & 0xff;
		if (width && width != 48 && width != 57)
			return -EINVAL;
	}
	kvfree(v->cpuid);
	v->cpuid = e;
	v->nr_cpuid = n;
	rvm_cpuid_update(v);
	return 0;
}

/* ---- the guest asks --------------------------------------------------------- */

/* Leaves above the maximum: Intel answers with the highest basic leaf, AMD
 * with zeros (SDM vol. 2, CPUID; APM vol. 3 §D.1). */
static const struct kvm_cpuid_entry2 *rvm_cpuid_out_of_range(struct rvm_vcpu *v, u32 fn, u32 idx)
{
	const struct kvm_cpuid_entry2 *basic = rvm_cpuid_find(v, 0, 0);
	const struct kvm_cpuid_entry2 *class;

	/* "GenuineIntel": EBX is enough to tell */
	if (!basic || basic->ebx != 0x756e6547)
		return NULL;
	class = fn >= 0x40000000 ? rvm_cpuid_find(v, fn & 0xffff0000, 0) : basic;
	if (class && fn <= class->eax)
		return NULL;	/* in range, just not there */
	return rvm_cpuid_find(v, basic->eax, idx);
}

/**
 * rvm_cpuid - the guest executes CPUID
 * @v: the vCPU; RVM_G_CR up to date
 * @eax: in: leaf; out
 * @ebx: out
 * @ecx: in: subleaf; out
 * @edx: out
 */
void rvm_cpuid(struct rvm_vcpu *v, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 fn = *eax, idx = *ecx;
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, fn, idx), *first;

	if (!e) {
		e = rvm_cpuid_out_of_range(v, fn, idx);
		if (e)
			fn = e->function;
	}
	if (!e) {
		*eax = 0;
		*ebx = 0;
		*ecx = 0;
		*edx = 0;
		/* Topology: past the last level, the level asked for and the x2APIC
		 * id are still given (SDM vol. 2, CPUID leaf 0Bh). */
		first = fn == 0xb || fn == 0x1f ? rvm_cpuid_find(v, fn, 1) : NULL;
		if (first) {
			*ecx = idx & 0xff;
			*edx = first->edx;
		}
		return;
	}
	*eax = e->eax;
	*ebx = e->ebx;
	*ecx = e->ecx;
	*edx = e->edx;

	/* What follows the CPU's state */
	switch (fn) {
	case 1:
		*ecx &= ~RVM_1_ECX_OSXSAVE;
		if (!v->lapic)
			*ecx &= ~(RVM_1_ECX_X2APIC | RVM_1_ECX_TSC_DEADLINE);
		if (v->cpu.cr4 & RVM_CR4_OSXSAVE)
			*ecx |= RVM_1_ECX_OSXSAVE;
		if (!(v->cpu.apic_base & (1ull << 11)))
			*edx &= ~RVM_1_EDX_APIC;
		break;
	case KVM_CPUID_FEATURES:
		/* Both are a local APIC's here; elsewhere the leaf may be another's. */
		first = rvm_cpuid_find(v, KVM_CPUID_SIGNATURE, 0);
		if (!v->lapic && first && first->ebx == RVM_SIGNATURE_EBX)
			*eax &= ~(1u << KVM_FEATURE_PV_EOI | 1u << KVM_FEATURE_PV_UNHALT);
		break;
	case 7:
		if (!idx)
			*ecx &= ~B(4);		/* OSPKE: CR4.PKE cannot be set */
		break;
	case 0xd:
		if (idx == 0)
			*ebx = rvm_xsave_size(v->cpu.xcr0, false);
		else if (idx == 1 && (*eax & RVM_D_1_EAX_XSAVEC))
			*ebx = rvm_xsave_size(v->cpu.xcr0, true);
		break;
	}
}
