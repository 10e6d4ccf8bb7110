// SPDX-License-Identifier: GPL-2.0
/*
 * x87, SSE and AVX state, and XCR0.
 *
 * While KVM_RUN lasts the guest's registers are the task's user FPU state: the
 * kernel saves and restores them across preemption as it would the task's own.
 * Outside KVM_RUN they are in v->fpu.fpstate, where the ioctls work on them.
 * The kernel's own layout there may be compacted (SDM vol. 1 §13.4.3); the
 * legacy region of 512 bytes is the same in every layout.
 */
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/xcr.h>
#include <asm/msr.h>

#include "cpu.h"
#include "../mode.h"

#define RVM_XCR0_FP	(1ull << 0)
#define RVM_XCR0_SSE	(1ull << 1)
#define RVM_XCR0_YMM	(1ull << 2)
#define RVM_XCR0_AVX512	(7ull << 5)	/* opmask, ZMM_Hi256, Hi16_ZMM */

#define RVM_FCW_INIT	0x037f		/* FNINIT, FXRSTOR of the initial state */
#define RVM_MXCSR_INIT	0x1f80
#define RVM_MXCSR_MASK	0xffbfu		/* where FXSAVE reports none */

u64 rvm_host_xcr0;
u64 rvm_supported_xcr0;
static u64 rvm_host_xss;	/* does not change after boot */
static bool rvm_xsetbv_unseen;	/* an emulated CPU that does not intercept XSETBV */
static u32 rvm_mxcsr_mask = RVM_MXCSR_MASK;

/* The bits of MXCSR that exist (SDM vol. 1 §11.6.6). */
static void rvm_probe_mxcsr(void)
{
	struct fxregs_state fx = {};

	kernel_fpu_begin();
	asm volatile("fxsave64 %0" : "+m" (fx));
	kernel_fpu_end();
	if (fx.mxcsr_mask)
		rvm_mxcsr_mask = fx.mxcsr_mask;
}

/*
 * Is the host's CPU QEMU's emulated one?  It names itself in CPUID.  Its AMD-V does not
 * know the XSETBV intercept, so the guest changes XCR0 unseen; what else its VMRUN does
 * differently is told in svm_inject_irq() and svm_collect().
 */
bool rvm_on_tcg(void)
{
	return boot_cpu_has(X86_FEATURE_HYPERVISOR) &&
		hypervisor_cpuid_base("TCGTCGTCGTCG", 0) != 0;
}

/* At load, in process context. */
void rvm_fpu_setup(void)
{
	u32 xss_lo, xss_hi;

	rvm_probe_mxcsr();
	if (boot_cpu_has(X86_FEATURE_OSXSAVE)) {
		rvm_host_xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		rvm_supported_xcr0 = rvm_host_xcr0 &
			(RVM_XCR0_FP | RVM_XCR0_SSE | RVM_XCR0_YMM | RVM_XCR0_AVX512);
	}
	rvm_xsetbv_unseen = rvm_on_tcg();
	if (boot_cpu_has(X86_FEATURE_XSAVES) &&
	    !rdmsr_safe(MSR_IA32_XSS, &xss_lo, &xss_hi))
		rvm_host_xss = xss_lo | (u64)xss_hi << 32;
}

int rvm_fpu_init(struct rvm_vcpu *v)
{
	/* page aligned, hence as the unit wants it */
	BUILD_BUG_ON(RVM_FPU_AREA != PAGE_SIZE);
	v->insn.fpu_area = (u8 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!v->insn.fpu_area)
		return -ENOMEM;
	if (!fpu_alloc_guest_fpstate(&v->fpu)) {
		free_page((unsigned long)v->insn.fpu_area);
		v->insn.fpu_area = NULL;
		return -ENOMEM;
	}
	return 0;
}

void rvm_fpu_free(struct rvm_vcpu *v)
{
	if (v->fpu.fpstate)
		fpu_free_guest_fpstate(&v->fpu);
	free_page((unsigned long)v->insn.fpu_area);
	v->insn.fpu_area = NULL;
}

/* Every component in its initial configuration.  Not loaded. */
static void rvm_fpu_init_state(struct rvm_vcpu *v)
{
	struct fxregs_state *fx = &v->fpu.fpstate->regs.fxsave;

	memset(fx, 0, sizeof(*fx));
	fx->cwd = RVM_FCW_INIT;
	fx->mxcsr = RVM_MXCSR_INIT;
	/* XSTATE_BV zero: XRSTOR initializes every component.  That differs from
	 * power-up in FCW (0040h, SDM vol. 3 table 9-1); KVM does the same. */
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		v->fpu.fpstate->regs.xsave.header.xfeatures = 0;
}

/*
 * The image is a new one: the client's, or that of a reset.  What the unit has is another's, and
 * the unit's own pointers may outlive the load of an image (see rvm_x87_take_pointers()).
 */
static void rvm_fpu_take_pointers(struct rvm_vcpu *v)
{
	const union fpregs_state *regs = &v->fpu.fpstate->regs;
	const struct fxregs_state *fx = &regs->fxsave;
	struct rvm_x87 *x = &v->insn.x87;

	*x = (struct rvm_x87) {};
	/* Where the guest uses the unit itself, they belong there. */
	if (v->vm->mode->enter)
		return;
	x->soft = true;
	if (boot_cpu_has(X86_FEATURE_XSAVE) && !(regs->xsave.header.xfeatures & RVM_XCR0_FP))
		return;
	x->fop = fx->fop & 0x7ff;
	x->fip = fx->rip;
	x->fdp = fx->rdp;
}

/* Power-on state (SDM vol. 3 table 9-1), XCR0 included. */
void rvm_fpu_reset(struct rvm_vcpu *v)
{
	bool loaded = v->fpu_loaded;

	v->cpu.xcr0 = RVM_XCR0_FP;
	/* A guest that is reset in the middle of KVM_RUN */
	v->insn.x87 = (struct rvm_x87) {};
	if (loaded)
		rvm_fpu_put(v);
	rvm_fpu_init_state(v);
	rvm_fpu_take_pointers(v);
	if (loaded)
		rvm_fpu_load(v);
}

/**
 * rvm_fpu_load - KVM_RUN begins: the guest's FPU state becomes the task's
 * @v: the vCPU; v->lock held, preemption on
 */
void rvm_fpu_load(struct rvm_vcpu *v)
{
	if (v->fpu_loaded)
		return;
	fpu_swap_kvm_fpstate(&v->fpu, true);
	v->fpu_loaded = true;
}

/*
 * What the interpreter knows of the x87 pointers, into the image that the unit
 * left: it has the addresses of our own code there.  Kept beside it all the
 * same, for AMD's CPUs lose the pointers on their way through an image unless an
 * exception is pending.
 */
static void rvm_fpu_put_pointers(struct rvm_vcpu *v)
{
	union fpregs_state *regs = &v->fpu.fpstate->regs;
	struct fxregs_state *fx = &regs->fxsave;
	const struct rvm_x87 *x = &v->insn.x87;

	if (!x->soft)
		return;
	if (boot_cpu_has(X86_FEATURE_XSAVE) && !(regs->xsave.header.xfeatures & RVM_XCR0_FP)) {
		if (!x->fip && !x->fdp && !x->fop)
			return;
		fx->cwd = RVM_FCW_INIT;
		fx->swd = 0;
		fx->twd = 0;
		memset(fx->st_space, 0, sizeof(fx->st_space));
		regs->xsave.header.xfeatures |= RVM_XCR0_FP;
	}
	fx->fop = x->fop;
	fx->rip = x->fip;
	fx->rdp = x->fdp;
}

void rvm_fpu_put(struct rvm_vcpu *v)
{
	if (!v->fpu_loaded)
		return;
	fpu_swap_kvm_fpstate(&v->fpu, false);
	v->fpu_loaded = false;
	rvm_fpu_put_pointers(v);
}

void rvm_fpu_settle(struct rvm_vcpu *v)
{
	/* Does not fail: FXSAVE, and FXRSTOR of what FXSAVE gave. */
	rvm_insn_settle_x87(&v->insn);
	v->insn.x87 = (struct rvm_x87) {};
}

/* SDM vol. 1 §13.3: x87 always; AVX needs SSE; AVX-512 needs AVX, all or none. */
static bool rvm_xcr0_valid(u64 val)
{
	if (!(val & RVM_XCR0_FP))
		return false;
	if ((val & RVM_XCR0_YMM) && !(val & RVM_XCR0_SSE))
		return false;
	if (val & RVM_XCR0_AVX512) {
		if (!(val & RVM_XCR0_YMM))
			return false;
		if ((val & RVM_XCR0_AVX512) != RVM_XCR0_AVX512)
			return false;
	}
	return true;
}

/**
 * rvm_xcr_load_guest - XCR0 and IA32_XSS for the guest
 * @v: the vCPU that is entered; interrupts off until rvm_xcr_load_host()
 *
 * Unconditional on the guest's CR4.OSXSAVE: with the host's XCR0 the guest
 * could change state that is not switched (PKRU above all).
 */
void rvm_xcr_load_guest(struct rvm_vcpu *v)
{
	if (rvm_host_xcr0 && v->cpu.xcr0 != rvm_host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, v->cpu.xcr0);
	if (rvm_host_xss)
		wrmsr(MSR_IA32_XSS, 0, 0);
}

void rvm_xcr_load_host(struct rvm_vcpu *v)
{
	u64 xcr0 = v->cpu.xcr0;

	if (unlikely(rvm_xsetbv_unseen) && rvm_host_xcr0) {
		xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK);
		/* What the intercept would have refused does not stay. */
		if (rvm_xcr0_valid(xcr0) && !(xcr0 & ~v->xcr0_mask))
			v->cpu.xcr0 = xcr0;
	}
	if (rvm_host_xcr0 && xcr0 != rvm_host_xcr0)
		xsetbv(XCR_XFEATURE_ENABLED_MASK, rvm_host_xcr0);
	if (rvm_host_xss)
		wrmsr(MSR_IA32_XSS, lower_32_bits(rvm_host_xss), upper_32_bits(rvm_host_xss));
}

/**
 * rvm_set_xcr0 - XSETBV with ECX 0
 * @v: the vCPU
 * @val: new value
 *
 * The caller has checked CPL and CR4.OSXSAVE.  0, or 1: #GP(0).
 */
int rvm_set_xcr0(struct rvm_vcpu *v, u64 val)
{
	/* FP is always there, even before the client has given a CPUID. */
	if (!rvm_host_xcr0 || (val & ~(v->xcr0_mask | RVM_XCR0_FP)) || !rvm_xcr0_valid(val))
		return 1;
	v->cpu.xcr0 = val;
	return 0;
}

/* KVM_GET_FPU (KVM API §4.22) */
void rvm_get_fpu(struct rvm_vcpu *v, struct kvm_fpu *f)
{
	const union fpregs_state *regs = &v->fpu.fpstate->regs;
	const struct fxregs_state *fx = &regs->fxsave;
	u64 in_use = RVM_XCR0_FP | RVM_XCR0_SSE;

	/* What XSAVE found in its initial state it did not write. */
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		in_use = regs->xsave.header.xfeatures;

	memset(f, 0, sizeof(*f));
	f->fcw = RVM_FCW_INIT;
	f->mxcsr = RVM_MXCSR_INIT;
	BUILD_BUG_ON(sizeof(f->fpr) != sizeof(fx->st_space));
	BUILD_BUG_ON(sizeof(f->xmm) != sizeof(fx->xmm_space));
	if (in_use & RVM_XCR0_FP) {
		memcpy(f->fpr, fx->st_space, sizeof(f->fpr));
		f->fcw = fx->cwd;
		f->fsw = fx->swd;
		f->ftwx = fx->twd;
		f->last_opcode = fx->fop;
		f->last_ip = fx->rip;
		f->last_dp = fx->rdp;
	}
	if (in_use & RVM_XCR0_SSE)
		memcpy(f->xmm, fx->xmm_space, sizeof(f->xmm));
	/* MXCSR goes with SSE or with AVX (SDM vol. 1 §13.5.2). */
	if (in_use & (RVM_XCR0_SSE | RVM_XCR0_YMM))
		f->mxcsr = fx->mxcsr;
}

/* KVM_SET_FPU.  -EINVAL: reserved bits of MXCSR, which XRSTOR would refuse. */
int rvm_set_fpu(struct rvm_vcpu *v, const struct kvm_fpu *f)
{
	union fpregs_state *regs = &v->fpu.fpstate->regs;
	struct fxregs_state *fx = &regs->fxsave;

	if (f->mxcsr & ~rvm_mxcsr_mask)
		return -EINVAL;
	memcpy(fx->st_space, f->fpr, sizeof(f->fpr));
	fx->cwd = f->fcw;
	fx->swd = f->fsw;
	fx->twd = f->ftwx;
	fx->fop = f->last_opcode;
	fx->rip = f->last_ip;
	fx->rdp = f->last_dp;
	memcpy(fx->xmm_space, f->xmm, sizeof(f->xmm));
	fx->mxcsr = f->mxcsr;
	if (boot_cpu_has(X86_FEATURE_XSAVE))
		regs->xsave.header.xfeatures |= RVM_XCR0_FP | RVM_XCR0_SSE;
	rvm_fpu_take_pointers(v);
	return 0;
}

/* KVM_GET_XSAVE, KVM_GET_XSAVE2 (KVM API §4.42): 4 KiB hold all that a guest
 * can have here, for dynamically enabled components are not offered. */
void rvm_get_xsave(struct rvm_vcpu *v, struct kvm_xsave *x)
{
	memset(x, 0, sizeof(x->region));
	fpu_copy_guest_fpstate_to_uabi(&v->fpu, x->region, sizeof(x->region),
				       rvm_supported_xcr0 | RVM_XCR0_FP | RVM_XCR0_SSE, 0);
}

/* KVM_SET_XSAVE (§4.43).  -EINVAL: a component or MXCSR bit that is not there. */
int rvm_set_xsave(struct rvm_vcpu *v, struct kvm_xsave *x)
{
	u32 pkru = 0;
	int err;

	err = fpu_copy_uabi_to_guest_fpstate(&v->fpu, x->region, rvm_supported_xcr0, &pkru);
	rvm_fpu_take_pointers(v);
	return err;
}

/* KVM_GET_XCRS (§4.44) */
void rvm_get_xcrs(struct rvm_vcpu *v, struct kvm_xcrs *x)
{
	memset(x, 0, sizeof(*x));
	x->nr_xcrs = 1;
	x->xcrs[0].xcr = XCR_XFEATURE_ENABLED_MASK;
	x->xcrs[0].value = v->cpu.xcr0;
}

/* KVM_SET_XCRS (§4.45): only XCR0 exists; others in the list are ignored. */
int rvm_set_xcrs(struct rvm_vcpu *v, const struct kvm_xcrs *x)
{
	u32 i;

	if (x->nr_xcrs > KVM_MAX_XCRS || x->flags)
		return -EINVAL;
	for (i = 0; i < x->nr_xcrs; i++)
		if (x->xcrs[i].xcr == XCR_XFEATURE_ENABLED_MASK)
			return rvm_set_xcr0(v, x->xcrs[i].value) ? -EINVAL : 0;
	return 0;
}
