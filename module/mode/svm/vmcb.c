// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V: struct rvm_cpu to VMCB and back, event injection, windows.
 */
#include "svm.h"
#include "../../cpu/cpu.h"
#include "../../mmu/mmu.h"
#include "../../mmu/walk.h"
#include "../../trace.h"

#include <linux/smp.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>

/* ---- 1. a new control block --------------------------------------------- */

/*
 * What always exits.  Not here: CR3 accesses, INVLPG, task switches, RDTSC,
 * PUSHF, IRET, INT n, descriptor-table accesses: under nested paging the CPU
 * does them for the guest as it would for itself.
 */
static const u8 svm_intercepts[] = {
	INTERCEPT_CR4_WRITE, INTERCEPT_CR8_WRITE, INTERCEPT_SELECTIVE_CR0,
	/* #DB and #AC: a guest whose handler's stack raises them again would
	 * keep the CPU in microcode for ever (CVE-2015-8104, CVE-2015-5307).
	 * #MC is the host's. */
	INTERCEPT_EXCEPTION_OFFSET + RVM_DB,
	INTERCEPT_EXCEPTION_OFFSET + RVM_AC,
	INTERCEPT_EXCEPTION_OFFSET + RVM_MC,
	INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT,
	INTERCEPT_RDPMC, INTERCEPT_CPUID, INTERCEPT_RSM, INTERCEPT_INVD,
	INTERCEPT_HLT, INTERCEPT_INVLPGA, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
	INTERCEPT_FERR_FREEZE, INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
	INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT, INTERCEPT_WBINVD,
	INTERCEPT_MONITOR, INTERCEPT_MWAIT, INTERCEPT_XSETBV, INTERCEPT_RDPRU,
};

/* With shadow paging also what touches the guest's paging.  A task switch loads CR3. */
static const u8 svm_shadow_intercepts[] = {
	INTERCEPT_CR3_READ, INTERCEPT_CR3_WRITE, INTERCEPT_INVLPG, INTERCEPT_INVPCID,
	INTERCEPT_TASK_SWITCH, INTERCEPT_EXCEPTION_OFFSET + RVM_PF,
};

void svm_vmcb_init(struct rvm_vcpu *v, u64 iopm_pa, u64 msrpm_pa)
{
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_control_area *ctl = &s->vmcb->control;
	int i;

	for (i = 0; i < ARRAY_SIZE(svm_intercepts); i++)
		svm_set_intercept(s, svm_intercepts[i], true);
	svm_own_drs(s, false);
	ctl->iopm_base_pa = iopm_pa;
	ctl->msrpm_base_pa = msrpm_pa;
	ctl->int_ctl = V_INTR_MASKING_MASK;
	if (v->vm->shadow) {
		for (i = 0; i < ARRAY_SIZE(svm_shadow_intercepts); i++)
			svm_set_intercept(s, svm_shadow_intercepts[i], true);
	} else {
		ctl->nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
		ctl->nested_cr3 = rvm_nested_root_pa(v->vm);
	}
	s->dirty = SVM_CLEAN_ALL;
}

/* ---- 2. segments -------------------------------------------------------- */

static void svm_put_seg(struct vmcb_seg *d, const struct rvm_seg *src)
{
	d->selector = src->sel;
	d->limit = src->limit;
	d->base = src->base;
	/* §15.5.1: a null selector is a segment that is not present. */
	d->attrib = src->attr & RVM_SEG_UNUSABLE ?
		(src->attr & 0xfff & ~RVM_SEG_P) : src->attr & 0xfff;
}

static void svm_get_seg(struct rvm_seg *d, const struct vmcb_seg *src)
{
	d->sel = src->selector;
	d->limit = src->limit;
	d->base = src->base;
	d->attr = src->attrib & 0xfff;
	if (!(d->attr & RVM_SEG_P))
		d->attr |= RVM_SEG_UNUSABLE;
}

/* ---- 3. out of the VMCB ------------------------------------------------- */

void svm_fetch(struct rvm_vcpu *v, u32 groups)
{
	const struct vmcb_save_area *save = &to_svm(v)->vmcb->save;
	struct rvm_cpu *c = &v->cpu;

	if (groups & RVM_G_SEG) {
		svm_get_seg(&c->seg[RVM_ES], &save->es);
		svm_get_seg(&c->seg[RVM_CS], &save->cs);
		svm_get_seg(&c->seg[RVM_SS], &save->ss);
		svm_get_seg(&c->seg[RVM_DS], &save->ds);
		svm_get_seg(&c->seg[RVM_FS], &save->fs);
		svm_get_seg(&c->seg[RVM_GS], &save->gs);
		svm_get_seg(&c->seg[RVM_LDTR], &save->ldtr);
		svm_get_seg(&c->seg[RVM_TR], &save->tr);
		/* TR is always busy; see svm_put_segs() for why it may not say so. */
		c->seg[RVM_TR].attr |= 2;
		c->gdtr.base = save->gdtr.base;
		c->gdtr.limit = save->gdtr.limit;
		c->idtr.base = save->idtr.base;
		c->idtr.limit = save->idtr.limit;
		c->cpl = save->cpl;
	}
	if (groups & RVM_G_CR) {
		u64 cr0_own = to_svm(v)->cr0_own, cr4_own = to_svm(v)->cr4_own;

		/* What is kept back from the hardware: see svm_put_crs(). */
		c->cr0 = (save->cr0 & ~cr0_own) | (c->cr0 & cr0_own);
		c->cr2 = save->cr2;
		c->cr4 = (save->cr4 & ~cr4_own) | (c->cr4 & cr4_own);
		if (!v->vm->shadow) {
			c->cr3 = save->cr3;
			c->efer = save->efer & ~EFER_SVME;
		}
	}
	if (groups & RVM_G_DR) {
		/* DR0 to DR3 come back by svm_unload_drs(). */
		c->dr6 = save->dr6;
		c->dr7 = save->dr7;
	}
	if (groups & RVM_G_MSR) {
		c->star = save->star;
		c->lstar = save->lstar;
		c->cstar = save->cstar;
		c->sfmask = save->sfmask;
		c->kernel_gs_base = save->kernel_gs_base;
		c->sysenter_cs = save->sysenter_cs;
		c->sysenter_esp = save->sysenter_esp;
		c->sysenter_eip = save->sysenter_eip;
		c->debugctl = save->dbgctl;
	}
}

/* ---- 4. into the VMCB --------------------------------------------------- */

static void svm_put_segs(struct svm_vcpu *s, const struct rvm_cpu *c)
{
	struct vmcb_save_area *save = &s->vmcb->save;

	svm_put_seg(&save->es, &c->seg[RVM_ES]);
	svm_put_seg(&save->cs, &c->seg[RVM_CS]);
	svm_put_seg(&save->ss, &c->seg[RVM_SS]);
	svm_put_seg(&save->ds, &c->seg[RVM_DS]);
	svm_put_seg(&save->fs, &c->seg[RVM_FS]);
	svm_put_seg(&save->gs, &c->seg[RVM_GS]);
	svm_put_seg(&save->ldtr, &c->seg[RVM_LDTR]);
	svm_put_seg(&save->tr, &c->seg[RVM_TR]);
	/*
	 * The VMCB's TR gets the available type, the CPU's state does not depend
	 * on it: QEMU's emulation aborts ("invalid tss type") when a 32-bit guest
	 * takes an exception from ring 3 with the busy type in here.
	 */
	save->tr.attrib &= ~2;
	save->gdtr.base = c->gdtr.base;
	save->gdtr.limit = c->gdtr.limit;
	save->idtr.base = c->idtr.base;
	save->idtr.limit = c->idtr.limit;
	save->cpl = c->cpl;
	s->dirty |= SVM_CLEAN_SEG | SVM_CLEAN_DT;
}

/*
 * Shadow paging: the CPU always pages, with tables of ours in PAE's format or, for
 * a guest in long mode, that mode's.  CR0.WP is set: what CR0.WP clear allows the
 * tables say.  SMEP and SMAP are for the guest's own paging.  NX entries are ours.
 */
static void svm_shadow_crs(struct rvm_vcpu *v)
{
	const struct rvm_shadow_tree *sh = rvm_shadow_tree(v);
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_save_area *save = &s->vmcb->save;
	const struct rvm_cpu *c = &v->cpu;
	u32 i;

	save->cr0 |= X86_CR0_PG | X86_CR0_WP;
	save->cr4 |= X86_CR4_PAE;
	save->cr4 &= ~(u64)X86_CR4_PCIDE;
	if (!rvm_is_paging(c))
		save->cr4 &= ~(u64)(X86_CR4_SMEP | X86_CR4_SMAP);
	save->efer = (c->efer & ~(u64)EFER_LME) | EFER_NX | EFER_SVME;
	if (rvm_is_long(c)) {
		save->efer |= EFER_LME;
		save->cr3 = sh->root_pa;
	} else {
		/* PAE's four entries have no rights (APM vol. 2 §5.2.3). */
		for (i = 0; i < 4; i++)
			s->pae_root[i] = sh->top[i] & RVM_PTE_P ?
				(sh->top[i] & RVM_PTE_ADDR) | RVM_PTE_P : 0;
		save->cr3 = __pa(s->pae_root);
	}
	s->cr3 = save->cr3;
}

static void svm_put_crs(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_save_area *save = &s->vmcb->save;
	const struct rvm_cpu *c = &v->cpu;
	bool differs;

	/*
	 * Firmware runs for long with CR0.CD set, as after reset.  A guest's
	 * caches are coherent whatever it says, so CD and NW stay with us.
	 */
	save->cr0 = c->cr0 & ~(RVM_CR0_CD | RVM_CR0_NW);
	save->cr2 = c->cr2;
	save->cr3 = c->cr3;
	save->cr4 = c->cr4;
	save->efer = c->efer | EFER_SVME;
	if (v->vm->shadow)
		svm_shadow_crs(v);

	/*
	 * While the hardware's register is not what the guest believes, it is read and
	 * written through us.  TS may change without us in any case.
	 */
	s->cr0_own = RVM_CR0_CD | RVM_CR0_NW | (v->vm->shadow ? RVM_CR0_PG | RVM_CR0_WP : 0);
	differs = (save->cr0 ^ c->cr0) & s->cr0_own;
	svm_set_intercept(s, INTERCEPT_CR0_READ, differs);
	svm_set_intercept(s, INTERCEPT_CR0_WRITE, differs);
	s->cr4_own = save->cr4 ^ c->cr4;
	svm_set_intercept(s, INTERCEPT_CR4_READ, s->cr4_own);
	s->dirty |= SVM_CLEAN_CR | SVM_CLEAN_CR2;
}

static void svm_put_msrs(struct svm_vcpu *s, const struct rvm_cpu *c)
{
	struct vmcb_save_area *save = &s->vmcb->save;

	save->star = c->star;
	save->lstar = c->lstar;
	save->cstar = c->cstar;
	save->sfmask = c->sfmask;
	save->kernel_gs_base = c->kernel_gs_base;
	save->sysenter_cs = c->sysenter_cs;
	save->sysenter_esp = c->sysenter_esp;
	save->sysenter_eip = c->sysenter_eip;
	save->g_pat = c->pat;
	save->dbgctl = c->debugctl;
	s->dirty |= SVM_CLEAN_NP | SVM_CLEAN_LBR;
}

void svm_flush(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_save_area *save = &s->vmcb->save;
	struct vmcb_control_area *ctl = &s->vmcb->control;
	const struct rvm_cpu *c = &v->cpu;
	u32 dirty = v->dirty;

	save->rax = c->gpr[RVM_RAX];
	save->rsp = c->gpr[RVM_RSP];
	save->rip = c->rip;
	save->rflags = c->rflags;
	if (unlikely(s->nmi_step))
		save->rflags |= X86_EFLAGS_TF | X86_EFLAGS_RF;
	/* One bit for STI and MOV SS alike; the bit above it is read-only. */
	ctl->int_state = c->int_shadow ? SVM_INTERRUPT_SHADOW_MASK : 0;

	if (dirty & RVM_G_SEG)
		svm_put_segs(s, c);
	if (dirty & RVM_G_CR) {
		svm_put_crs(v);
		if ((ctl->int_ctl & V_TPR_MASK) != c->cr8) {
			ctl->int_ctl = (ctl->int_ctl & ~V_TPR_MASK) | (c->cr8 & V_TPR_MASK);
			s->dirty |= SVM_CLEAN_TPR;
		}
	}
	if (dirty & RVM_G_DR) {
		save->dr6 = c->dr6;
		save->dr7 = c->dr7;
		s->dirty |= SVM_CLEAN_DR;
	}
	if (dirty & RVM_G_MSR)
		svm_put_msrs(s, c);
	v->dirty = 0;
}

/* struct rvm_mode: prepare */
int svm_prepare(struct rvm_vcpu *v)
{
	int r;

	if (!v->vm->shadow)
		return 1;
	r = rvm_shadow_load(v);
	if (v->shadow.changed) {
		v->shadow.changed = false;
		rvm_touch(v, RVM_G_CR);
		v->vm->mode->flush_tlb(v);
	}
	return r;
}

/* ---- 5. after an exit --------------------------------------------------- */

/*
 * EXITINTINFO: the exit came while an event was being delivered, which has to
 * be injected again (§15.7.2).  INT n and the exceptions of INT3 and INTO are
 * instructions that RIP still points at: they simply run again.
 */
static void svm_collect_events(struct rvm_vcpu *v, u32 info, u32 error)
{
	struct rvm_events *ev = &v->ev;
	u8 vector = info & SVM_EVT_VECTOR;

	ev->exception.injected = false;
	ev->nmi.injected = false;
	ev->irq.injected = false;
	if (likely(!(info & SVM_EVT_VALID)))
		return;

	switch (info & SVM_EVT_TYPE) {
	case SVM_EVT_INTR:
		ev->irq.injected = true;
		ev->irq.soft = false;
		ev->irq.nr = vector;
		break;
	case SVM_EVT_NMI:
		ev->nmi.injected = true;
		break;
	case SVM_EVT_EXCEPTION:
		if (vector == RVM_BP || vector == RVM_OF)
			break;
		ev->exception.injected = true;
		ev->exception.f = (struct rvm_fault) {
			.vector = vector,
			.has_error = info & SVM_EVT_ERROR,
			.error = error,
		};
		break;
	}
}

void svm_collect(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	const struct vmcb_save_area *save = &s->vmcb->save;
	struct vmcb_control_area *ctl = &s->vmcb->control;
	struct rvm_cpu *c = &v->cpu;

	c->gpr[RVM_RAX] = save->rax;
	c->gpr[RVM_RSP] = save->rsp;
	c->rip = save->rip;
	c->rflags = save->rflags;
	c->int_shadow = ctl->int_state & SVM_INTERRUPT_SHADOW_MASK ?
		RVM_SHADOW_STI | RVM_SHADOW_MOV_SS : 0;
	/* CR8 is kept fresh always: kvm_run reports it after every exit. */
	c->cr8 = ctl->int_ctl & V_TPR_MASK;
	v->avail = 0;

	s->exit_code = ctl->exit_code;
	s->info1 = ctl->exit_info_1;
	s->info2 = ctl->exit_info_2;
	s->intr_info = ctl->exit_int_info;
	s->intr_error = ctl->exit_int_info_err;

	/*
	 * QEMU's VMRUN does not load the shadow.  An exit for the host's sake, right behind it,
	 * finds none, and yet the guest has executed nothing.
	 */
	if (unlikely(svm_features.emulated) && s->shadow_rip == c->rip &&
	    (s->exit_code == SVM_EXIT_INTR || s->exit_code == SVM_EXIT_NMI))
		c->int_shadow = RVM_SHADOW_STI;
	if (c->int_shadow)
		s->shadow_rip = c->rip;
	else if (s->exit_code != SVM_EXIT_VINTR)
		s->shadow_rip = ~0ull;

	/* VMRUN refused the state: nothing ran, nothing was delivered. */
	if (unlikely(s->exit_code == (u32)SVM_EXIT_ERR))
		s->intr_info = ctl->event_inj;
	ctl->event_inj = 0;
	svm_collect_events(v, s->intr_info, s->intr_error);

	if (unlikely(s->nmi_step)) {
		/* Our TF; the guest's own comes back, unless IRET just loaded it. */
		if (!s->nmi_step_tf && !(s->nmi_iret && c->rip != s->nmi_iret_rip))
			c->rflags &= ~(u64)X86_EFLAGS_TF;
	}
	if (unlikely(s->nmi_iret) && c->rip != s->nmi_iret_rip) {
		s->nmi_iret = false;
		v->ev.nmi.masked = false;
	}
}

/* ---- 6. injection and windows ------------------------------------------- */

void svm_inject_exception(struct rvm_vcpu *v, const struct rvm_fault *f)
{
	struct vmcb_control_area *ctl = &to_svm(v)->vmcb->control;

	ctl->event_inj = f->vector | SVM_EVT_EXCEPTION | SVM_EVT_VALID |
		(f->has_error ? SVM_EVT_ERROR : 0);
	ctl->event_inj_err = f->error;
}

void svm_inject_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len)
{
	to_svm(v)->vmcb->control.event_inj =
		vector | (soft ? SVM_EVT_SOFT : SVM_EVT_INTR) | SVM_EVT_VALID;
	/*
	 * QEMU 7.2's VMRUN remembers an interrupt that it has delivered until something
	 * else happens to the guest.  When QEMU leaves the emulated CPU meanwhile, as it
	 * does ten times a second to emulate another, it delivers it again, IF or not.  An
	 * IPI that waits behind VMRUN ends the guest before its first instruction.
	 */
	if (unlikely(svm_features.emulated) && !soft)
		rvm_send_reschedule(smp_processor_id());
}

void svm_inject_nmi(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	s->vmcb->control.event_inj = RVM_NMI | SVM_EVT_NMI | SVM_EVT_VALID;
	/* Without virtual NMIs, the end of blocking is the guest's IRET (§15.21.10
	 * has the newer way). */
	s->nmi_iret = false;
	svm_set_intercept(s, INTERCEPT_IRET, true);
}

void svm_irq_window(struct rvm_vcpu *v, bool on)
{
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_control_area *ctl = &s->vmcb->control;
	u32 want = ctl->int_ctl & ~V_IRQ_INJECTION_BITS_MASK;

	/*
	 * A virtual interrupt of the highest priority, whatever TPR is, whose
	 * delivery is intercepted: it exits as soon as IF and the shadow allow.
	 */
	if (on)
		want |= V_IRQ_MASK | (0xf << V_INTR_PRIO_SHIFT) | V_IGN_TPR_MASK;
	if (want == ctl->int_ctl)
		return;
	ctl->int_ctl = want;
	ctl->int_vector = 0;
	s->dirty |= SVM_CLEAN_TPR;
	svm_set_intercept(s, INTERCEPT_VINTR, on);
}

void svm_nmi_window(struct rvm_vcpu *v, bool on)
{
	struct svm_vcpu *s = to_svm(v);

	if (!on) {
		if (s->nmi_step) {
			s->nmi_step = false;
			if (!s->nmi_step_tf)
				v->cpu.rflags &= ~(u64)X86_EFLAGS_TF;
		}
		return;
	}
	/*
	 * Blocked until IRET: its intercept comes first.  Once it has come, or
	 * when only an interrupt shadow is in the way, one single step ends the
	 * wait.
	 */
	if (v->ev.nmi.masked && !s->nmi_iret)
		return;
	if (!s->nmi_step) {
		s->nmi_step = true;
		s->nmi_step_tf = v->cpu.rflags & X86_EFLAGS_TF;
		if (!s->nmi_iret)
			s->nmi_iret_rip = v->cpu.rip;
	}
}
