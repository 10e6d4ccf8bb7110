// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's MSRs: which exist, where they are kept, what may be written.
 *
 * The table below is the whole list; what is not in it gives #GP(0), and ends
 * the count of KVM_GET_MSRS and KVM_SET_MSRS.  Numbers and bits are those of
 * SDM vol. 4 and APM vol. 2 appendix A.
 */
#include <linux/kernel.h>
#include <linux/spinlock.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/mtrr.h>
#include <asm/msr-index.h>
#include <asm/kvm_para.h>
#include <asm/mtrr.h>
#include <asm/tsc.h>

#include "cpu.h"
#include "../irq/irq.h"
#include "../mode.h"

/* IA32_MISC_ENABLE: fast strings; no BTS, no PEBS (read only) */
#define RVM_MISC_FAST_STRING	(1ull << 0)
#define RVM_MISC_PMU_RO		((1ull << 11) | (1ull << 12))

#define RVM_DEBUGCTL_DEFINED	((1ull << 0) | (1ull << 1))	/* LBR, BTF */

#define RVM_APIC_DEFAULT_BASE	0xfee00000ull
#define RVM_APIC_FLAGS		0xfffull

/* HWCR: bits that old kernels set and that mean nothing here, and bits kept */
#define RVM_HWCR_IGNORED	((1ull << 3) | (1ull << 6) | (1ull << 8))
#define RVM_HWCR_MCI_STATUS_WR	(1ull << 18)
#define RVM_HWCR_KEPT		(RVM_HWCR_MCI_STATUS_WR | (1ull << 24))

#define RVM_PLATFORM_CPUID_FAULT (1ull << 31)
#define RVM_DE_CFG_LFENCE	(1ull << 1)	/* LFENCE waits for what came before */

#define RVM_MCG_CTL_P		(1ull << 8)
#define RVM_MCG_STATUS_MCIP	(1ull << 2)
#define RVM_MCI_VAL		(1ull << 63)
#define RVM_MCI_OVER		(1ull << 62)
#define RVM_MCI_UC		(1ull << 61)

#define RVM_PAT_RESET		0x0007040600070406ull	/* SDM vol. 3 §11.12.4 */
#define RVM_UCODE_AMD		0x01000065ull
#define RVM_UCODE_INTEL		0x100000000ull

static bool rvm_host_is_intel(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL;
}

static bool rvm_la57(const struct rvm_vcpu *v)
{
	return v->cr4_allowed & RVM_CR4_LA57;
}

/* ---- TSC ---------------------------------------------------------------- */

/* SDM vol. 3 §17.17; also what RDTSC gives */
u64 rvm_guest_tsc(struct rvm_vcpu *v)
{
	return rdtsc() + v->tsc_offset;
}

static void rvm_set_tsc_offset(struct rvm_vcpu *v, u64 offset)
{
	rvm_lapic_tsc_moves(v);
	v->tsc_offset = offset;
	if (v->clock_msr)
		set_bit(RVM_REQ_CLOCK, &v->requests);
	if (v->vm->mode->set_tsc_offset)
		v->vm->mode->set_tsc_offset(v);
	rvm_lapic_tsc_moved(v);
}

/*
 * The client writes the TSCs of a VM's vCPUs one after the other and means
 * them to agree.  A value within a second of what the previous one has become
 * by now is taken to be that value; so is 0 once a TSC runs, for that is a
 * vCPU being created or reset beside others.
 */
static void rvm_sync_tsc(struct rvm_vcpu *v, u64 val)
{
	struct rvm_vm *vm = v->vm;
	u64 now, offset;

	spin_lock(&vm->tsc_lock);
	now = rdtsc();
	offset = val - now;
	if (vm->tsc_written) {
		s64 diff = offset - vm->tsc_last_offset;

		if (!val || abs(diff) < (s64)tsc_khz * 1000)
			offset = vm->tsc_last_offset;
	}
	vm->tsc_written = true;
	vm->tsc_last_offset = offset;
	spin_unlock(&vm->tsc_lock);
	rvm_set_tsc_offset(v, offset);
}

static int rvm_get_tsc(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	*val = rvm_guest_tsc(v);
	return 0;
}

static int rvm_set_tsc(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (host)
		rvm_sync_tsc(v, val);
	else
		rvm_set_tsc_offset(v, val - rdtsc());
	return 0;
}

/* ---- IA32_APIC_BASE ------------------------------------------------------ */

static bool rvm_has_x2apic(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, 1, 0);

	return v->lapic && e && e->ecx >> 21 & 1;
}

/* SDM vol. 3 §10.4.4, §10.12.1: the base must be an address; x2APIC is a mode of an
 * enabled APIC, where there is one that has it. */
bool rvm_apic_base_valid(struct rvm_vcpu *v, u64 val)
{
	u64 flags = val & RVM_APIC_FLAGS;

	if (flags & ~(RVM_APIC_BASE_BSP | RVM_APIC_BASE_ENABLE | RVM_APIC_BASE_X2))
		return false;
	if ((flags & RVM_APIC_BASE_X2) &&
	    (!(flags & RVM_APIC_BASE_ENABLE) || !rvm_has_x2apic(v)))
		return false;
	return v->cpu.phys_bits >= 64 || !(val >> v->cpu.phys_bits);
}

void rvm_put_apic_base(struct rvm_vcpu *v, u64 val)
{
	u64 old = v->cpu.apic_base;

	v->cpu.apic_base = val;
	if (v->lapic)
		rvm_lapic_base(v, old);
}

static int rvm_set_apic_base(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	u64 old = v->cpu.apic_base;

	if (!rvm_apic_base_valid(v, val))
		return 1;
	/* From x2APIC mode the way out leads through "disabled", and the other way round
	 * (SDM vol. 3 §10.12.5). */
	if (!host && (old & RVM_APIC_BASE_X2) &&
	    (val & (RVM_APIC_BASE_ENABLE | RVM_APIC_BASE_X2)) == RVM_APIC_BASE_ENABLE)
		return 1;
	if (!host && !(old & RVM_APIC_BASE_ENABLE) && (val & RVM_APIC_BASE_X2))
		return 1;
	rvm_put_apic_base(v, val);
	return 0;
}

/* ---- EFER ---------------------------------------------------------------- */

static int rvm_msr_set_efer(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	return rvm_set_efer(v, val, host);
}

/* ---- segment bases -------------------------------------------------------- */

static struct rvm_seg *rvm_base_seg(struct rvm_vcpu *v, u32 msr)
{
	return &v->cpu.seg[msr == MSR_FS_BASE ? RVM_FS : RVM_GS];
}

static int rvm_get_seg_base(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	rvm_need(v, RVM_G_SEG);
	*val = rvm_base_seg(v, msr)->base;
	return 0;
}

static int rvm_set_seg_base(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!rvm_canonical(val, rvm_la57(v)))
		return 1;
	rvm_touch(v, RVM_G_SEG);
	rvm_base_seg(v, msr)->base = val;
	return 0;
}

/* ---- PAT and MTRRs (SDM vol. 3 §11.11, §11.12) --------------------------- */

static bool rvm_memtype_valid(u8 type, bool pat)
{
	switch (type) {
	case 0:		/* UC */
	case 1:		/* WC */
	case 4:		/* WT */
	case 5:		/* WP */
	case 6:		/* WB */
		return true;
	case 7:		/* UC- */
		return pat;
	default:
		return false;
	}
}

static bool rvm_memtypes_valid(u64 val, bool pat)
{
	int i;

	for (i = 0; i < 8; i++)
		if (!rvm_memtype_valid(val >> (8 * i), pat))
			return false;
	return true;
}

static int rvm_set_pat(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!rvm_memtypes_valid(val, true))
		return 1;
	rvm_touch(v, RVM_G_MSR);
	v->cpu.pat = val;
	return 0;
}

static u64 *rvm_mtrr(struct rvm_vcpu *v, u32 msr)
{
	struct rvm_msr_store *m = &v->msrs;

	switch (msr) {
	case MSR_MTRRfix64K_00000:
		return &m->mtrr_fixed[0];
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return &m->mtrr_fixed[1 + msr - MSR_MTRRfix16K_80000];
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		return &m->mtrr_fixed[3 + msr - MSR_MTRRfix4K_C0000];
	case MSR_MTRRdefType:
		return &m->mtrr_def;
	default:
		return &m->mtrr_var[(msr - MTRRphysBase_MSR(0)) % (2 * RVM_MTRR_VAR)];
	}
}

static int rvm_get_mtrr(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	*val = *rvm_mtrr(v, msr);
	return 0;
}

static int rvm_set_mtrr_fixed(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!rvm_memtypes_valid(val, false))
		return 1;
	*rvm_mtrr(v, msr) = val;
	return 0;
}

static int rvm_set_mtrr_var(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	u64 reserved = ~0ull << v->cpu.phys_bits;

	if (msr & 1) {			/* mask: bits 0..10 are reserved, 11 is V */
		reserved |= 0x7ff;
	} else {			/* base: type in 0..7 */
		if (!rvm_memtype_valid(val, false))
			return 1;
		reserved |= 0xf00;
	}
	if (val & reserved)
		return 1;
	*rvm_mtrr(v, msr) = val;
	return 0;
}

static int rvm_set_mtrr_def(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	/* type in 0..7, FE in 10, E in 11 */
	if ((val & ~0xcffull) || !rvm_memtype_valid(val, false))
		return 1;
	*rvm_mtrr(v, msr) = val;
	return 0;
}

/* ---- machine check (SDM vol. 3 §15.3) ------------------------------------ */

static u32 rvm_mce_banks(const struct rvm_vcpu *v)
{
	return v->msrs.mcg_cap & 0xff;
}

static int rvm_set_mcg_status(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!host && val)
		return 1;
	v->msrs.mcg_status = val;
	return 0;
}

static int rvm_get_mcg_ctl(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	if (!(v->msrs.mcg_cap & RVM_MCG_CTL_P) && !host)
		return 1;
	*val = v->msrs.mcg_ctl;
	return 0;
}

static int rvm_set_mcg_ctl(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!(v->msrs.mcg_cap & RVM_MCG_CTL_P) && (val || !host))
		return 1;
	if (val && val != ~0ull)
		return 1;
	v->msrs.mcg_ctl = val;
	return 0;
}

static u64 *rvm_mce_reg(struct rvm_vcpu *v, u32 msr)
{
	u32 i = msr - MSR_IA32_MC0_CTL;

	return i < 4 * rvm_mce_banks(v) ? &v->msrs.mce[i] : NULL;
}

static int rvm_get_mce_reg(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	u64 *reg = rvm_mce_reg(v, msr);

	if (!reg)
		return 1;
	*val = *reg;
	return 0;
}

static int rvm_set_mce_reg(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	u64 *reg = rvm_mce_reg(v, msr);

	if (!reg)
		return 1;
	switch ((msr - MSR_IA32_MC0_CTL) & 3) {
	case 0:
		/* All or none; Linux clears bit 10 of bank 4 against a BIOS
		 * fault on AMD K8, and bit 0 on Intel P6. */
		if (val && (val | (1ull << 10) | 1) != ~0ull)
			return 1;
		break;
	case 1:
		if (!host && val && !(v->msrs.hwcr & RVM_HWCR_MCI_STATUS_WR))
			return 1;
		break;
	}
	*reg = val;
	return 0;
}

/**
 * rvm_setup_mce - KVM_X86_SETUP_MCE (KVM API §4.104)
 * @v: the vCPU
 * @mcg_cap: the guest's IA32_MCG_CAP
 */
int rvm_setup_mce(struct rvm_vcpu *v, u64 mcg_cap)
{
	u32 banks = mcg_cap & 0xff, i;

	if (!banks || banks > RVM_MCE_BANKS)
		return -EINVAL;
	/* bits 16..23: number of extended state registers */
	if (mcg_cap & ~(RVM_MCG_CAP_SUPPORTED | 0xff | 0xff0000))
		return -EINVAL;
	v->msrs.mcg_cap = mcg_cap;
	if (mcg_cap & RVM_MCG_CTL_P)
		v->msrs.mcg_ctl = ~0ull;
	for (i = 0; i < banks; i++)
		v->msrs.mce[4 * i] = ~0ull;
	return 0;
}

/**
 * rvm_set_mce - KVM_X86_SET_MCE (KVM API §4.105): a machine check happens
 * @v: the vCPU, loaded
 * @m: bank and its registers
 *
 * -EINVAL if there is no such bank or no error in @m.
 */
int rvm_set_mce(struct rvm_vcpu *v, const struct kvm_x86_mce *m)
{
	struct rvm_fault f = { .vector = RVM_MC };
	u64 status = m->status;
	u64 *bank;

	if (m->bank >= rvm_mce_banks(v) || !(status & RVM_MCI_VAL))
		return -EINVAL;
	bank = &v->msrs.mce[4 * m->bank];

	if (status & RVM_MCI_UC) {
		/* Reporting switched off, globally or for the bank */
		if ((v->msrs.mcg_cap & RVM_MCG_CTL_P) && v->msrs.mcg_ctl != ~0ull)
			return 0;
		if (bank[0] != ~0ull)
			return 0;
		rvm_need(v, RVM_G_CR);
		if ((v->msrs.mcg_status & RVM_MCG_STATUS_MCIP) ||
		    !(v->cpu.cr4 & RVM_CR4_MCE)) {
			v->ev.triple_fault = true;
			return 0;
		}
		if (bank[1] & RVM_MCI_VAL)
			status |= RVM_MCI_OVER;
		v->msrs.mcg_status = m->mcg_status;
		rvm_queue_exception(v, &f);
	} else if ((bank[1] & RVM_MCI_VAL) && (bank[1] & RVM_MCI_UC)) {
		/* A corrected error never displaces an uncorrected one. */
		bank[1] |= RVM_MCI_OVER;
		return 0;
	} else if (bank[1] & RVM_MCI_VAL) {
		status |= RVM_MCI_OVER;
	}
	bank[1] = status;
	bank[2] = m->addr;
	bank[3] = m->misc;
	return 0;
}

/* ---- the rest with rules of their own ------------------------------------ */

static int rvm_set_ucode(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	/* The guest writes 0 before CPUID to have it filled in (SDM §9.11.7). */
	if (host)
		v->msrs.ucode_rev = val;
	return 0;
}

static int rvm_set_platform_info(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!host || (val & RVM_PLATFORM_CPUID_FAULT))
		return 1;
	v->msrs.platform_info = val;
	return 0;
}

static int rvm_set_misc_enable(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (!host && ((v->cpu.misc_enable ^ val) & RVM_MISC_PMU_RO))
		return 1;
	v->cpu.misc_enable = val;
	return 0;
}

static int rvm_set_debugctl(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (val & ~RVM_DEBUGCTL_DEFINED)
		return 1;
	rvm_touch(v, RVM_G_MSR);
	v->cpu.debugctl = val;
	return 0;
}

/* RDTSCP and RDPID read 32 bits of it. */
static int rvm_set_tsc_aux(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (val >> 32)
		return 1;
	v->cpu.tsc_aux = val;
	return 0;
}

static int rvm_set_hwcr(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	val &= ~RVM_HWCR_IGNORED;
	if (val & ~RVM_HWCR_KEPT)
		return 1;
	v->msrs.hwcr = val;
	return 0;
}

static u64 rvm_host_de_cfg(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? RVM_DE_CFG_LFENCE : 0;
}

static int rvm_set_de_cfg(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (val & ~rvm_host_de_cfg())
		return 1;
	if (!host && val != v->msrs.de_cfg)
		return 1;
	v->msrs.de_cfg = val;
	return 0;
}

/* ---- the table ------------------------------------------------------------ */

enum rvm_msr_kind {
	MSR_CONST,	/* reads .val; writing that value is accepted */
	MSR_IGNORE,	/* reads 0, writes go nowhere */
	MSR_PLAIN,	/* any value, kept at .off */
	MSR_CANON,	/* kept at .off; non-canonical: #GP */
	MSR_SYSENTER,	/* kept at .off; non-canonical: #GP on Intel's CPUs alone */
	MSR_RULED,	/* .set judges; .get, or the value at .off */
};

struct rvm_msr {
	u32 first, last;
	enum rvm_msr_kind kind;
	u32 group;		/* RVM_G_* of the field at .off */
	u32 off;		/* in struct rvm_vcpu */
	u64 val;
	int (*get)(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);
	int (*set)(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
};

#define OFF(field)	.off = offsetof(struct rvm_vcpu, field)
#define CPU(field, g)	OFF(cpu.field), .group = (g)

/* Sorted by number: found by binary search. */
static const struct rvm_msr rvm_msrs[] = {
	/* Pentium machine check address and type */
	{ 0x00000000, 0x00000001, MSR_CONST },
	{ MSR_IA32_TSC, MSR_IA32_TSC, MSR_RULED, .get = rvm_get_tsc, .set = rvm_set_tsc },
	/* kvmclock, the numbers of its first version */
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, MSR_RULED,
		.get = rvm_get_wall_clock, .set = rvm_set_wall_clock },
	{ MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME, MSR_RULED, OFF(clock_msr),
		.set = rvm_set_system_time },
	{ MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, MSR_CONST },
	{ MSR_IA32_APICBASE, MSR_IA32_APICBASE, MSR_RULED, CPU(apic_base, 0),
		.set = rvm_set_apic_base },
	{ MSR_IA32_EBL_CR_POWERON, MSR_IA32_EBL_CR_POWERON, MSR_CONST },
	/* bus frequency: 100 MHz, in the encoding of the Pentium 4 */
	{ MSR_EBC_FREQUENCY_ID, MSR_EBC_FREQUENCY_ID, MSR_CONST, .val = 1 << 24 },
	{ MSR_IA32_UCODE_WRITE, MSR_IA32_UCODE_WRITE, MSR_IGNORE },
	{ MSR_IA32_UCODE_REV, MSR_IA32_UCODE_REV, MSR_RULED, OFF(msrs.ucode_rev),
		.set = rvm_set_ucode },
	{ MSR_P6_PERFCTR0, MSR_P6_PERFCTR1, MSR_CONST },
	{ MSR_FSB_FREQ, MSR_FSB_FREQ, MSR_CONST, .val = 3 },	/* 166 MHz, Core 2's code */
	{ MSR_PLATFORM_INFO, MSR_PLATFORM_INFO, MSR_RULED, OFF(msrs.platform_info),
		.set = rvm_set_platform_info },
	/* 8 variable ranges, fixed ranges, write combining */
	{ MSR_MTRRcap, MSR_MTRRcap, MSR_CONST, .val = 0x500 | RVM_MTRR_VAR },
	{ MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_CS, MSR_PLAIN, CPU(sysenter_cs, RVM_G_MSR) },
	{ MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_ESP, MSR_SYSENTER,
		CPU(sysenter_esp, RVM_G_MSR) },
	{ MSR_IA32_SYSENTER_EIP, MSR_IA32_SYSENTER_EIP, MSR_SYSENTER,
		CPU(sysenter_eip, RVM_G_MSR) },
	{ MSR_IA32_MCG_CAP, MSR_IA32_MCG_CAP, MSR_RULED, OFF(msrs.mcg_cap) },
	{ MSR_IA32_MCG_STATUS, MSR_IA32_MCG_STATUS, MSR_RULED, OFF(msrs.mcg_status),
		.set = rvm_set_mcg_status },
	{ MSR_IA32_MCG_CTL, MSR_IA32_MCG_CTL, MSR_RULED, .get = rvm_get_mcg_ctl,
		.set = rvm_set_mcg_ctl },
	{ MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1, MSR_CONST },
	/* a ratio that divides the bus frequency out of nothing: 1000, 4x */
	{ MSR_IA32_PERF_STATUS, MSR_IA32_PERF_STATUS, MSR_CONST, .val = 1000 | 4ull << 40 },
	{ MSR_IA32_PERF_CTL, MSR_IA32_PERF_CTL, MSR_IGNORE },
	{ MSR_IA32_MISC_ENABLE, MSR_IA32_MISC_ENABLE, MSR_RULED, CPU(misc_enable, 0),
		.set = rvm_set_misc_enable },
	{ MSR_IA32_DEBUGCTLMSR, MSR_IA32_DEBUGCTLMSR, MSR_RULED, CPU(debugctl, RVM_G_MSR),
		.set = rvm_set_debugctl },
	{ MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP, MSR_CONST },
	{ MTRRphysBase_MSR(0), MTRRphysMask_MSR(RVM_MTRR_VAR - 1), MSR_RULED,
		.get = rvm_get_mtrr, .set = rvm_set_mtrr_var },
	{ MSR_MTRRfix64K_00000, MSR_MTRRfix64K_00000, MSR_RULED,
		.get = rvm_get_mtrr, .set = rvm_set_mtrr_fixed },
	{ MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000, MSR_RULED,
		.get = rvm_get_mtrr, .set = rvm_set_mtrr_fixed },
	{ MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_F8000, MSR_RULED,
		.get = rvm_get_mtrr, .set = rvm_set_mtrr_fixed },
	{ MSR_IA32_CR_PAT, MSR_IA32_CR_PAT, MSR_RULED, CPU(pat, RVM_G_MSR),
		.set = rvm_set_pat },
	{ MSR_MTRRdefType, MSR_MTRRdefType, MSR_RULED,
		.get = rvm_get_mtrr, .set = rvm_set_mtrr_def },
	{ MSR_IA32_MC0_CTL, MSR_IA32_MC0_CTL + 4 * RVM_MCE_BANKS - 1, MSR_RULED,
		.get = rvm_get_mce_reg, .set = rvm_set_mce_reg },
	{ MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, MSR_RULED,
		.get = rvm_get_tsc_deadline, .set = rvm_set_tsc_deadline },
	/* x2APIC (SDM vol. 3 table 10-6) */
	{ 0x800, 0x8ff, MSR_RULED, .get = rvm_lapic_get_msr, .set = rvm_lapic_set_msr },

	{ MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_WALL_CLOCK_NEW, MSR_RULED,
		.get = rvm_get_wall_clock, .set = rvm_set_wall_clock },
	{ MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_SYSTEM_TIME_NEW, MSR_RULED, OFF(clock_msr),
		.set = rvm_set_system_time },
	{ MSR_KVM_STEAL_TIME, MSR_KVM_STEAL_TIME, MSR_RULED, OFF(steal_msr),
		.set = rvm_set_steal },
	{ MSR_KVM_PV_EOI_EN, MSR_KVM_PV_EOI_EN, MSR_RULED,
		.get = rvm_get_pv_eoi, .set = rvm_set_pv_eoi },

	{ MSR_EFER, MSR_EFER, MSR_RULED, CPU(efer, RVM_G_CR), .set = rvm_msr_set_efer },
	{ MSR_STAR, MSR_STAR, MSR_PLAIN, CPU(star, RVM_G_MSR) },
	{ MSR_LSTAR, MSR_LSTAR, MSR_CANON, CPU(lstar, RVM_G_MSR) },
	{ MSR_CSTAR, MSR_CSTAR, MSR_CANON, CPU(cstar, RVM_G_MSR) },
	{ MSR_SYSCALL_MASK, MSR_SYSCALL_MASK, MSR_PLAIN, CPU(sfmask, RVM_G_MSR) },
	{ MSR_FS_BASE, MSR_GS_BASE, MSR_RULED,
		.get = rvm_get_seg_base, .set = rvm_set_seg_base },
	{ MSR_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, MSR_CANON, CPU(kernel_gs_base, RVM_G_MSR) },
	{ MSR_TSC_AUX, MSR_TSC_AUX, MSR_RULED, CPU(tsc_aux, 0), .set = rvm_set_tsc_aux },

	/* AMD's; Linux reads most of them with no fault handler in place */
	{ MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, MSR_CONST },
	{ MSR_AMD64_SYSCFG, MSR_AMD64_SYSCFG, MSR_CONST },
	{ MSR_K7_HWCR, MSR_K7_HWCR, MSR_RULED, OFF(msrs.hwcr), .set = rvm_set_hwcr },
	{ MSR_K8_TOP_MEM1, MSR_K8_TOP_MEM1, MSR_CONST },
	{ MSR_K7_CLK_CTL, MSR_K7_CLK_CTL, MSR_CONST, .val = 0x20000000 },
	{ MSR_K8_TOP_MEM2, MSR_K8_TOP_MEM2, MSR_CONST },
	{ MSR_AMD64_NB_CFG, MSR_AMD64_NB_CFG, MSR_IGNORE },
	{ MSR_AMD64_PATCH_LOADER, MSR_AMD64_PATCH_LOADER, MSR_IGNORE },
	{ MSR_K8_INT_PENDING_MSG, MSR_K8_INT_PENDING_MSG, MSR_CONST },
	{ MSR_FAM10H_MMIO_CONF_BASE, MSR_FAM10H_MMIO_CONF_BASE, MSR_CONST },
	{ MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK, MSR_CONST },
	/* no SVM in the guest: disabled and locked */
	{ MSR_VM_CR, MSR_VM_CR, MSR_CONST, .val = 0x18 },
	{ MSR_VM_HSAVE_PA, MSR_VM_HSAVE_PA, MSR_CONST },
	{ MSR_AMD64_DC_CFG, MSR_AMD64_DC_CFG, MSR_IGNORE },
	{ MSR_AMD64_DE_CFG, MSR_AMD64_DE_CFG, MSR_RULED, OFF(msrs.de_cfg),
		.set = rvm_set_de_cfg },
	{ MSR_AMD64_BU_CFG2, MSR_AMD64_BU_CFG2, MSR_IGNORE },
	{ MSR_F15H_EX_CFG, MSR_F15H_EX_CFG, MSR_IGNORE },
};

/* What a client has to save and restore beside the other state ioctls. */
const u32 rvm_msr_list[] = {
	MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME_NEW,
	MSR_KVM_STEAL_TIME, MSR_KVM_PV_EOI_EN,
	MSR_IA32_TSC, MSR_IA32_TSC_DEADLINE, MSR_IA32_UCODE_REV, MSR_PLATFORM_INFO,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL, MSR_IA32_MISC_ENABLE, MSR_IA32_DEBUGCTLMSR,
	MTRRphysBase_MSR(0), MTRRphysMask_MSR(0), MTRRphysBase_MSR(1), MTRRphysMask_MSR(1),
	MTRRphysBase_MSR(2), MTRRphysMask_MSR(2), MTRRphysBase_MSR(3), MTRRphysMask_MSR(3),
	MTRRphysBase_MSR(4), MTRRphysMask_MSR(4), MTRRphysBase_MSR(5), MTRRphysMask_MSR(5),
	MTRRphysBase_MSR(6), MTRRphysMask_MSR(6), MTRRphysBase_MSR(7), MTRRphysMask_MSR(7),
	MSR_MTRRfix64K_00000, MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000,
	MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_C8000, MSR_MTRRfix4K_D0000, MSR_MTRRfix4K_D8000,
	MSR_MTRRfix4K_E0000, MSR_MTRRfix4K_E8000, MSR_MTRRfix4K_F0000, MSR_MTRRfix4K_F8000,
	MSR_MTRRdefType, MSR_IA32_CR_PAT,
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE, MSR_TSC_AUX,
	MSR_K7_HWCR,
};
const u32 rvm_nr_msr_list = ARRAY_SIZE(rvm_msr_list);

const u32 rvm_msr_feature_list[] = { MSR_IA32_UCODE_REV, MSR_AMD64_DE_CFG };
const u32 rvm_nr_msr_feature_list = ARRAY_SIZE(rvm_msr_feature_list);

static const struct rvm_msr *rvm_find_msr(u32 msr)
{
	size_t lo = 0, hi = ARRAY_SIZE(rvm_msrs);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (msr < rvm_msrs[mid].first)
			hi = mid;
		else if (msr > rvm_msrs[mid].last)
			lo = mid + 1;
		else
			return &rvm_msrs[mid];
	}
	return NULL;
}

static u64 *rvm_msr_field(struct rvm_vcpu *v, const struct rvm_msr *m)
{
	return (u64 *)((char *)v + m->off);
}

/**
 * rvm_get_msr - RDMSR, KVM_GET_MSRS
 * @v: the vCPU, loaded
 * @msr: number
 * @val: result
 * @host: the client asks
 *
 * 0, or 1: #GP(0).
 */
int rvm_get_msr(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	const struct rvm_msr *m = rvm_find_msr(msr);

	if (!m)
		return 1;
	switch (m->kind) {
	case MSR_CONST:
		*val = m->val;
		return 0;
	case MSR_IGNORE:
		*val = 0;
		return 0;
	default:
		if (m->get)
			return m->get(v, msr, val, host);
		rvm_need(v, m->group);
		*val = *rvm_msr_field(v, m);
		return 0;
	}
}

/**
 * rvm_set_msr - WRMSR, KVM_SET_MSRS
 * @v: the vCPU, loaded
 * @msr: number
 * @val: new value
 * @host: the client writes
 *
 * 0, or 1: #GP(0), nothing changed.
 */
int rvm_set_msr(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	const struct rvm_msr *m = rvm_find_msr(msr);
	int shift;

	if (!m)
		return 1;
	switch (m->kind) {
	case MSR_CONST:
		return val != m->val;
	case MSR_IGNORE:
		return 0;
	case MSR_CANON:
		if (!rvm_canonical(val, rvm_la57(v)))
			return 1;
		break;
	case MSR_SYSENTER:
		/* AMD's use 32 bits of it (APM vol. 2 §6.1.2); the rest is made canonical */
		if (v->insn.intel && !rvm_canonical(val, rvm_la57(v)))
			return 1;
		shift = rvm_la57(v) ? 7 : 16;
		val = (u64)((s64)(val << shift) >> shift);
		break;
	case MSR_PLAIN:
		break;
	case MSR_RULED:
		return m->set ? m->set(v, msr, val, host) : val != *rvm_msr_field(v, m);
	}
	rvm_touch(v, m->group);
	*rvm_msr_field(v, m) = val;
	return 0;
}

int rvm_get_msr_feature(u32 msr, u64 *val)
{
	switch (msr) {
	case MSR_IA32_UCODE_REV:
		*val = rvm_host_is_intel() ? RVM_UCODE_INTEL : RVM_UCODE_AMD;
		return 0;
	case MSR_AMD64_DE_CFG:
		*val = rvm_host_de_cfg();
		return 0;
	default:
		return 1;
	}
}

/* Power-on values (SDM vol. 3 table 9-1, §10.4.4).  TSC and machine-check
 * banks are left: they survive a reset. */
void rvm_msr_reset(struct rvm_vcpu *v)
{
	struct rvm_cpu *c = &v->cpu;

	rvm_touch(v, RVM_G_MSR);
	c->star = 0;
	c->lstar = 0;
	c->cstar = 0;
	c->sfmask = 0;
	c->kernel_gs_base = 0;
	c->sysenter_cs = 0;
	c->sysenter_esp = 0;
	c->sysenter_eip = 0;
	c->tsc_aux = 0;
	c->debugctl = 0;
	c->pat = RVM_PAT_RESET;
	c->misc_enable = RVM_MISC_FAST_STRING | RVM_MISC_PMU_RO;
	c->apic_base = RVM_APIC_DEFAULT_BASE | RVM_APIC_BASE_ENABLE;
	if (v->id == v->vm->irq->bsp)
		c->apic_base |= RVM_APIC_BASE_BSP;

	v->clock_msr = 0;
	v->steal_msr = 0;
	v->msrs.mtrr_def = 0;
	memset(v->msrs.mtrr_fixed, 0, sizeof(v->msrs.mtrr_fixed));
	memset(v->msrs.mtrr_var, 0, sizeof(v->msrs.mtrr_var));
	v->msrs.hwcr = 0;
}

/* At creation, after the mode's own: the TSC offset goes into its state. */
void rvm_msr_init(struct rvm_vcpu *v)
{
	rvm_get_msr_feature(MSR_IA32_UCODE_REV, &v->msrs.ucode_rev);
	v->msrs.de_cfg = rvm_host_de_cfg();
	v->msrs.mcg_cap = RVM_MCE_BANKS;
	rvm_sync_tsc(v, 0);
}
