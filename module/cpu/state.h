/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a virtual CPU is: the architectural state that every mode shares.
 *
 * The registers live here in one canonical form.  A hardware mode keeps part
 * of them in its control block while the guest runs; enum rvm_group names the
 * parts that may be stale here, and mode.h says how they are brought up to
 * date.  The interpreter (insn/) works on this structure directly.
 *
 * No kernel dependency: this header also builds in userspace.
 */
#ifndef RVM_CPU_STATE_H
#define RVM_CPU_STATE_H

#include "shim.h"

/* GPR numbers are the encoding's (SDM vol. 2 table 2-2). */
enum rvm_gpr {
	RVM_RAX, RVM_RCX, RVM_RDX, RVM_RBX, RVM_RSP, RVM_RBP, RVM_RSI, RVM_RDI,
	RVM_R8, RVM_R9, RVM_R10, RVM_R11, RVM_R12, RVM_R13, RVM_R14, RVM_R15,
	RVM_NR_GPRS,
};

/* Segment numbers are the encoding's too; LDTR and TR follow. */
enum rvm_sreg {
	RVM_ES, RVM_CS, RVM_SS, RVM_DS, RVM_FS, RVM_GS, RVM_LDTR, RVM_TR,
	RVM_NR_SREGS,
};

/*
 * Cached segment descriptor.  @attr has the layout of a VMCB attribute word
 * (APM vol. 2 §15.5.1): descriptor bits 40..47 in 0..7, bits 52..55 in 8..11.
 * @limit is in bytes, granularity applied.
 */
struct rvm_seg {
	u64 base;
	u32 limit;
	u16 sel;
	u16 attr;
};

#define RVM_SEG_TYPE		0x000f
#define RVM_SEG_A		0x0001	/* accessed */
#define RVM_SEG_W		0x0002	/* data: writable; code: readable */
#define RVM_SEG_E		0x0004	/* data: expand-down; code: conforming */
#define RVM_SEG_CODE		0x0008
#define RVM_SEG_S		0x0010	/* code or data, not a system segment */
#define RVM_SEG_DPL		0x0060
#define RVM_SEG_DPL_SHIFT	5
#define RVM_SEG_P		0x0080
#define RVM_SEG_AVL		0x0100
#define RVM_SEG_L		0x0200
#define RVM_SEG_DB		0x0400
#define RVM_SEG_G		0x0800
#define RVM_SEG_UNUSABLE	0x1000	/* loaded with a null selector */

/* GDTR, IDTR */
struct rvm_dtable {
	u64 base;
	u16 limit;
};

/* Values of KVM_X86_SHADOW_INT_* in the ABI */
#define RVM_SHADOW_MOV_SS	1
#define RVM_SHADOW_STI		2

struct rvm_cpu {
	u64 gpr[RVM_NR_GPRS];
	u64 rip;
	u64 rflags;

	struct rvm_seg seg[RVM_NR_SREGS];
	struct rvm_dtable gdtr, idtr;

	u64 cr0, cr2, cr3, cr4;
	u64 cr8;		/* 0..15 */
	u64 efer;
	u64 xcr0;
	u64 dr[4], dr6, dr7;

	/* MSRs that are plain storage for every mode */
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 pat, tsc_aux, apic_base, misc_enable, debugctl;

	u32 pkru;
	/* PAE page-directory pointers as last loaded, where the mode keeps them */
	u64 pdpte[4];
	bool pdptes_kept;
	u8 cpl;
	u8 int_shadow;		/* RVM_SHADOW_*: one instruction's worth */
	u8 phys_bits;		/* guest MAXPHYADDR, from CPUID 0x80000008 */
	bool no_1g;		/* CPUID shows no pages of 1 GiB */
	bool a20_masked;	/* address bit 20 forced to zero */
};

/* Parts of struct rvm_cpu that a mode may hold elsewhere; see mode.h. */
enum rvm_group {
	RVM_G_SEG	= 1 << 0,	/* seg[], cpl, gdtr, idtr */
	RVM_G_CR	= 1 << 1,	/* cr0 cr2 cr3 cr4 cr8 efer */
	RVM_G_DR	= 1 << 2,	/* dr[] dr6 dr7 */
	RVM_G_MSR	= 1 << 3,	/* star .. sysenter_eip, pat, debugctl */
	RVM_G_ALL	= (1 << 4) - 1,
};

/* Control-register and flag bits, by the manuals' names (SDM vol. 3 §2.3-2.5). */
#define RVM_FL_CF	(1ull << 0)
#define RVM_FL_PF	(1ull << 2)
#define RVM_FL_AF	(1ull << 4)
#define RVM_FL_ZF	(1ull << 6)
#define RVM_FL_SF	(1ull << 7)
#define RVM_FL_TF	(1ull << 8)
#define RVM_FL_IF	(1ull << 9)
#define RVM_FL_DF	(1ull << 10)
#define RVM_FL_OF	(1ull << 11)
#define RVM_FL_IOPL	(3ull << 12)
#define RVM_FL_NT	(1ull << 14)
#define RVM_FL_RF	(1ull << 16)
#define RVM_FL_VM	(1ull << 17)
#define RVM_FL_AC	(1ull << 18)
#define RVM_FL_VIF	(1ull << 19)
#define RVM_FL_VIP	(1ull << 20)
#define RVM_FL_ID	(1ull << 21)
#define RVM_FL_FIXED	(1ull << 1)	/* always reads 1 */

#define RVM_CR0_PE	(1ull << 0)
#define RVM_CR0_MP	(1ull << 1)
#define RVM_CR0_EM	(1ull << 2)
#define RVM_CR0_TS	(1ull << 3)
#define RVM_CR0_ET	(1ull << 4)
#define RVM_CR0_NE	(1ull << 5)
#define RVM_CR0_WP	(1ull << 16)
#define RVM_CR0_AM	(1ull << 18)
#define RVM_CR0_NW	(1ull << 29)
#define RVM_CR0_CD	(1ull << 30)
#define RVM_CR0_PG	(1ull << 31)

#define RVM_CR4_VME	(1ull << 0)
#define RVM_CR4_PVI	(1ull << 1)
#define RVM_CR4_TSD	(1ull << 2)
#define RVM_CR4_DE	(1ull << 3)
#define RVM_CR4_PSE	(1ull << 4)
#define RVM_CR4_PAE	(1ull << 5)
#define RVM_CR4_MCE	(1ull << 6)
#define RVM_CR4_PGE	(1ull << 7)
#define RVM_CR4_PCE	(1ull << 8)
#define RVM_CR4_OSFXSR	(1ull << 9)
#define RVM_CR4_OSXMM	(1ull << 10)
#define RVM_CR4_UMIP	(1ull << 11)
#define RVM_CR4_LA57	(1ull << 12)
#define RVM_CR4_FSGSBASE (1ull << 16)
#define RVM_CR4_PCIDE	(1ull << 17)
#define RVM_CR4_OSXSAVE	(1ull << 18)
#define RVM_CR4_SMEP	(1ull << 20)
#define RVM_CR4_SMAP	(1ull << 21)
#define RVM_CR4_PKE	(1ull << 22)

/* Debug registers (SDM vol. 3 §17.2) */
#define RVM_DR6_BD	(1ull << 13)
#define RVM_DR6_BS	(1ull << 14)
#define RVM_DR6_BT	(1ull << 15)
#define RVM_DR7_GD	(1ull << 13)

#define RVM_EFER_SCE	(1ull << 0)
#define RVM_EFER_LME	(1ull << 8)
#define RVM_EFER_LMA	(1ull << 10)
#define RVM_EFER_NXE	(1ull << 11)
#define RVM_EFER_SVME	(1ull << 12)
#define RVM_EFER_FFXSR	(1ull << 14)

/* Exception vectors (SDM vol. 3 table 6-1) */
enum rvm_vector {
	RVM_DE = 0, RVM_DB = 1, RVM_NMI = 2, RVM_BP = 3, RVM_OF = 4, RVM_BR = 5,
	RVM_UD = 6, RVM_NM = 7, RVM_DF = 8, RVM_TS = 10, RVM_NP = 11,
	RVM_SSF = 12, RVM_GP = 13, RVM_PF = 14, RVM_MF = 16, RVM_AC = 17,
	RVM_MC = 18, RVM_XM = 19,
};

/* Page-fault error code (SDM vol. 3 §4.7) */
#define RVM_PF_P	(1u << 0)
#define RVM_PF_W	(1u << 1)
#define RVM_PF_U	(1u << 2)
#define RVM_PF_RSVD	(1u << 3)
#define RVM_PF_I	(1u << 4)
#define RVM_PF_PK	(1u << 5)

/**
 * struct rvm_fault - an exception the guest is to get
 * @vector: enum rvm_vector
 * @has_error: @error is pushed
 * @soft: raised by INT n, INT3, INTO or INT1: RIP pushed is the next instruction's
 * @int1: with @soft: raised by INT1, for which the gate's DPL is not looked at
 * @error: error code
 * @cr2: value for CR2, for #PF
 * @dr6: bits to set in DR6, for #DB
 */
struct rvm_fault {
	u8 vector;
	bool has_error;
	bool soft;
	bool int1;
	u32 error;
	u64 cr2;
	u64 dr6;
};

static inline bool rvm_is_protmode(const struct rvm_cpu *c)
{
	return c->cr0 & RVM_CR0_PE;
}

static inline bool rvm_is_v86(const struct rvm_cpu *c)
{
	return (c->cr0 & RVM_CR0_PE) && (c->rflags & RVM_FL_VM);
}

static inline bool rvm_is_long(const struct rvm_cpu *c)
{
	return c->efer & RVM_EFER_LMA;
}

static inline bool rvm_is_64bit(const struct rvm_cpu *c)
{
	return (c->efer & RVM_EFER_LMA) && (c->seg[RVM_CS].attr & RVM_SEG_L);
}

static inline bool rvm_is_paging(const struct rvm_cpu *c)
{
	return c->cr0 & RVM_CR0_PG;
}

static inline bool rvm_canonical(u64 addr, bool la57)
{
	int shift = la57 ? 7 : 16;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

#endif /* RVM_CPU_STATE_H */
