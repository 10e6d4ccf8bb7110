/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cpu/: what a virtual CPU is, for every mode alike.
 *   cpuid.c  what this host can offer, what the client chose
 *   msr.c    the MSRs that exist, their checks, and the index list
 *   regs.c   control registers and segments: checks, and the ABI's structures
 *   fpu.c    x87/SSE/AVX state, XCR0
 *   fpu_exec.c  single instructions on the host's unit, for insn/
 *   pvclock.c  kvmclock
 */
#ifndef RVM_CPU_H
#define RVM_CPU_H

#include "../ringvm.h"

/* ---- cpuid.c ----------------------------------------------------------- */
void rvm_cpuid_setup(void);			/* at load */
int rvm_supported_cpuid(const struct rvm_mode *mode, struct kvm_cpuid_entry2 *e, u32 max,
			u32 *n);		/* -E2BIG */
int rvm_emulated_cpuid(const struct rvm_mode *mode, struct kvm_cpuid_entry2 *e, u32 max, u32 *n);
/* Takes over @e (kvmalloc'd).  Recomputes what depends on it. */
int rvm_set_cpuid(struct rvm_vcpu *v, struct kvm_cpuid_entry2 *e, u32 n);
/* The guest's CPUID instruction; needs RVM_G_CR (OSXSAVE, APIC bits follow it). */
void rvm_cpuid(struct rvm_vcpu *v, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
const struct kvm_cpuid_entry2 *rvm_cpuid_find(struct rvm_vcpu *v, u32 fn, u32 idx);
/* Widest guest-physical address this host's CPU and paging mode can map. */
u8 rvm_max_gpa_bits(void);
/* Derive what follows from the guest's CPUID: cr4_allowed and so on. */
void rvm_cpuid_update(struct rvm_vcpu *v);

extern struct rvm_xcomp rvm_xcomp[RVM_NR_XCOMP];	/* XSAVE components, from load on */

/* ---- msr.c ------------------------------------------------------------- */
extern const u32 rvm_msr_list[];		/* for KVM_GET_MSR_INDEX_LIST */
extern const u32 rvm_nr_msr_list;
/* 0, or 1 when the guest gets #GP (an ABI call stops counting there).  @host:
 * asked by the client, which may also set what the guest may only read. */
int rvm_get_msr(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);
int rvm_set_msr(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
u64 rvm_guest_tsc(struct rvm_vcpu *v);
void rvm_msr_reset(struct rvm_vcpu *v);		/* power-on values */
void rvm_msr_init(struct rvm_vcpu *v);		/* what only creation sets: TSC, MCG_CAP */
/* Feature MSRs: what the host can offer (KVM API §4.18).  0, or 1: no such. */
extern const u32 rvm_msr_feature_list[];
extern const u32 rvm_nr_msr_feature_list;
int rvm_get_msr_feature(u32 msr, u64 *val);
/* MCG_CAP: CTL_P, SER_P */
#define RVM_MCG_CAP_SUPPORTED	((1ull << 8) | (1ull << 24))
int rvm_setup_mce(struct rvm_vcpu *v, u64 mcg_cap);	/* 0 or -EINVAL */
int rvm_set_mce(struct rvm_vcpu *v, const struct kvm_x86_mce *m); /* likewise */

/* ---- regs.c ------------------------------------------------------------ */
/* The guest writes a control register.  0, or 1: #GP(0).  They touch the
 * groups they change, flush what has to be flushed. */
int rvm_set_cr0(struct rvm_vcpu *v, u64 val);
int rvm_set_cr3(struct rvm_vcpu *v, u64 val);
int rvm_set_cr4(struct rvm_vcpu *v, u64 val);
int rvm_set_cr8(struct rvm_vcpu *v, u64 val);
int rvm_set_efer(struct rvm_vcpu *v, u64 val, bool host);
int rvm_set_dr(struct rvm_vcpu *v, u32 nr, u64 val);
u64 rvm_host_efer_bits(void);			/* EFER bits this host's CPU has */
bool rvm_apic_base_valid(struct rvm_vcpu *v, u64 val);
void rvm_put_apic_base(struct rvm_vcpu *v, u64 val);	/* valid */

void rvm_get_regs(struct rvm_vcpu *v, struct kvm_regs *r);
void rvm_set_regs(struct rvm_vcpu *v, const struct kvm_regs *r);
void rvm_get_sregs(struct rvm_vcpu *v, struct kvm_sregs *s);
int rvm_set_sregs(struct rvm_vcpu *v, const struct kvm_sregs *s);
void rvm_get_debugregs(struct rvm_vcpu *v, struct kvm_debugregs *d);
int rvm_set_debugregs(struct rvm_vcpu *v, const struct kvm_debugregs *d);

/* ---- pvclock.c --------------------------------------------------------- */
void rvm_clock_init(struct rvm_vm *vm);
void rvm_clock_update(struct rvm_vcpu *v);
void rvm_get_clock(struct rvm_vm *vm, struct kvm_clock_data *d);
int rvm_set_clock(struct rvm_vm *vm, const struct kvm_clock_data *d);
void rvm_steal_update(struct rvm_vcpu *v);
/* for msr.c's table */
int rvm_set_steal(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
int rvm_set_wall_clock(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
int rvm_get_wall_clock(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);
int rvm_set_system_time(struct rvm_vcpu *v, u32 msr, u64 val, bool host);

/* ---- fpu.c ------------------------------------------------------------- */
bool rvm_on_tcg(void);				/* the host's CPU is emulated by QEMU */
void rvm_fpu_setup(void);			/* at load: what XCR0 bits exist */
extern u64 rvm_host_xcr0;
extern u64 rvm_supported_xcr0;
int rvm_fpu_init(struct rvm_vcpu *v);
void rvm_fpu_free(struct rvm_vcpu *v);
void rvm_fpu_reset(struct rvm_vcpu *v);
void rvm_fpu_load(struct rvm_vcpu *v);		/* KVM_RUN begins; process context */
void rvm_fpu_put(struct rvm_vcpu *v);		/* KVM_RUN ends */
/* around the entry, interrupts off: XCR0 (and XSS) */
void rvm_xcr_load_guest(struct rvm_vcpu *v);
void rvm_xcr_load_host(struct rvm_vcpu *v);
/* The interpreter's knowledge of the x87 pointers goes into the unit; KVM_RUN. */
void rvm_fpu_settle(struct rvm_vcpu *v);
int rvm_set_xcr0(struct rvm_vcpu *v, u64 val);	/* 0, or 1: #GP(0) */
void rvm_get_fpu(struct rvm_vcpu *v, struct kvm_fpu *f);
int rvm_set_fpu(struct rvm_vcpu *v, const struct kvm_fpu *f);
void rvm_get_xsave(struct rvm_vcpu *v, struct kvm_xsave *x);	/* 4 KiB */
int rvm_set_xsave(struct rvm_vcpu *v, struct kvm_xsave *x);
void rvm_get_xcrs(struct rvm_vcpu *v, struct kvm_xcrs *x);
int rvm_set_xcrs(struct rvm_vcpu *v, const struct kvm_xcrs *x);

/* ---- fpu_exec.c -------------------------------------------------------- */
int rvm_fpu_exec_setup(void);
void rvm_fpu_exec_teardown(void);
u32 rvm_fpu_exec(struct rvm_fpu_job *job);	/* 0, or a vector */

#endif /* RVM_CPU_H */
