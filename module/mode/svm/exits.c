// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V: what each exit needs (APM vol. 2 §15.7 to §15.14, appendix C).
 *
 * A handler returns 1 (enter again), 0 (to userspace, kvm_run filled) or
 * -errno.
 */
#include "svm.h"
#include "../../cpu/cpu.h"
#include "../../mmu/mmu.h"
#include "../../trace.h"

/* ---- 1. helpers --------------------------------------------------------- */

/* RIP of the next instruction if the CPU says so, else 0: decode. */
static u64 svm_next_rip(struct rvm_vcpu *v)
{
	return svm_features.nrips ? to_svm(v)->vmcb->control.next_rip : 0;
}

static int svm_skip(struct rvm_vcpu *v)
{
	return rvm_skip_insn(v, svm_next_rip(v));
}

/* ---- 2. nothing to do, or the host's business --------------------------- */

static int svm_exit_intr(struct rvm_vcpu *v)
{
	/* The host took it when interrupts came on again. */
	v->stats.exit_intr++;
	return 1;
}

static int svm_exit_nmi(struct rvm_vcpu *v)
{
	/* The host took it at STGI. */
	v->stats.exit_nmi++;
	return 1;
}

static int svm_exit_mc(struct rvm_vcpu *v)
{
	/* The host took it on the CPU that it struck: svm_enter(). */
	v->stats.exit_exception++;
	return 1;
}

/* ---- 3. windows --------------------------------------------------------- */

static int svm_exit_vintr(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	v->stats.exit_irq_window++;
	svm_irq_window(v, false);
	/*
	 * The shadow that the last exit found is still there: the guest has executed
	 * nothing since.  QEMU's VMRUN does not load it, and an interrupt between STI and
	 * HLT would leave the guest asleep.
	 */
	if (unlikely(s->shadow_rip == v->cpu.rip && !v->cpu.int_shadow)) {
		s->shadow_rip = ~0ull;
		v->cpu.int_shadow = RVM_SHADOW_STI;
		return rvm_emulate_one(v);
	}
	return 1;
}

static int svm_exit_iret(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	/* NMIs stay blocked until this IRET is done: svm_collect() sees RIP move. */
	v->stats.exit_nmi_window++;
	svm_set_intercept(s, INTERCEPT_IRET, false);
	s->nmi_iret = true;
	s->nmi_iret_rip = v->cpu.rip;
	return 1;
}

/* ---- 4. exceptions ------------------------------------------------------ */

static int svm_exit_db(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	v->stats.exit_exception++;
	if (s->nmi_step) {
		s->nmi_step = false;
		if (!s->nmi_step_tf)
			return 1;	/* the step was ours alone */
	}
	/* The VMCB's DR6 already shows the cause (§15.12.2). */
	rvm_queue_db(v, 0);
	return 1;
}

static int svm_exit_ac(struct rvm_vcpu *v)
{
	struct rvm_fault f = { .vector = RVM_AC, .has_error = true };

	v->stats.exit_exception++;
	rvm_queue_exception(v, &f);
	return 1;
}

/* ---- 5. instructions ---------------------------------------------------- */

static int svm_exit_cpuid(struct rvm_vcpu *v)
{
	u32 eax = v->cpu.gpr[RVM_RAX], ebx, ecx = v->cpu.gpr[RVM_RCX], edx;

	v->stats.exit_cpuid++;
	rvm_need(v, RVM_G_CR);
	rvm_cpuid(v, &eax, &ebx, &ecx, &edx);
	v->cpu.gpr[RVM_RAX] = eax;
	v->cpu.gpr[RVM_RBX] = ebx;
	v->cpu.gpr[RVM_RCX] = ecx;
	v->cpu.gpr[RVM_RDX] = edx;
	return svm_skip(v);
}

static int svm_exit_msr(struct rvm_vcpu *v)
{
	u32 msr = v->cpu.gpr[RVM_RCX];
	bool write = to_svm(v)->info1 & 1;
	u64 val;

	v->stats.exit_msr++;
	if (write) {
		val = (u32)v->cpu.gpr[RVM_RAX] | v->cpu.gpr[RVM_RDX] << 32;
		if (rvm_set_msr(v, msr, val, false)) {
			rvm_queue_gp(v, 0);
			return 1;
		}
	} else {
		if (rvm_get_msr(v, msr, &val, false)) {
			rvm_queue_gp(v, 0);
			return 1;
		}
		v->cpu.gpr[RVM_RAX] = (u32)val;
		v->cpu.gpr[RVM_RDX] = val >> 32;
	}
	trace_rvm_msr(v, msr, val, write);
	return svm_skip(v);
}

static int svm_exit_io(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	u64 info = s->info1;

	if (info & SVM_IOIO_STR_MASK) {
		v->stats.exit_io_string++;
		return rvm_emulate_one(v);
	}
	/* The intercept comes before a breakpoint on the port (APM vol. 2 §15.10.2,
	 * §13.1): the interpreter looks for those. */
	rvm_need(v, RVM_G_DR);
	if (unlikely(rvm_debug_armed(v)))
		return rvm_emulate_one(v);
	/* Permission was checked before the intercept; EXITINFO2 is the next RIP
	 * on every CPU (§15.10.2). */
	v->stats.exit_io++;
	return rvm_fast_pio(v, info & SVM_IOIO_TYPE_MASK, info >> 16,
			    (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT, s->info2);
}

static int svm_exit_hlt(struct rvm_vcpu *v)
{
	int r = svm_skip(v);

	v->stats.exit_hlt++;
	return r == 1 ? rvm_halt(v) : r;
}

static int svm_exit_cr(struct rvm_vcpu *v)
{
	/* Which register, which operand: only the bytes tell (no decode assists
	 * in every CPU). */
	v->stats.exit_cr++;
	return rvm_emulate_one(v);
}

static int svm_exit_dr(struct rvm_vcpu *v)
{
	v->stats.exit_dr++;
	svm_own_drs(to_svm(v), true);
	return 1;
}

static int svm_exit_xsetbv(struct rvm_vcpu *v)
{
	u64 val = (u32)v->cpu.gpr[RVM_RAX] | v->cpu.gpr[RVM_RDX] << 32;

	v->stats.exit_xsetbv++;
	rvm_need(v, RVM_G_SEG);
	if (v->cpu.cpl || (u32)v->cpu.gpr[RVM_RCX] || rvm_set_xcr0(v, val)) {
		rvm_queue_gp(v, 0);
		return 1;
	}
	return svm_skip(v);
}

static int svm_exit_vmmcall(struct rvm_vcpu *v)
{
	v->stats.exit_hypercall++;
	rvm_hypercall(v);
	return svm_skip(v);
}

static int svm_exit_rdpmc(struct rvm_vcpu *v)
{
	/* No performance counters are offered: every index is out of range. */
	v->stats.exit_other++;
	rvm_queue_gp(v, 0);
	return 1;
}

/* INVD, WBINVD: guest memory is coherent. */
static int svm_exit_cache(struct rvm_vcpu *v)
{
	v->stats.exit_other++;
	return svm_skip(v);
}

/* Instructions of features that no guest is told of. */
static int svm_exit_ud(struct rvm_vcpu *v)
{
	v->stats.exit_other++;
	rvm_queue_ud(v);
	return 1;
}

/* ---- 6. memory ---------------------------------------------------------- */

static int svm_exit_npf(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	u64 data[4];
	int r;

	v->stats.exit_npf++;
	trace_rvm_npf(v, s->info2, s->info1);
	/* Low bits of EXITINFO1 are a page-fault code (§15.25.6). */
	r = rvm_nested_fault(v, s->info2, s->info1 & 0x1f);
	if (r < 0)
		return r;
	if (r == RVM_NPF_FIXED) {
		v->stats.npf_fixed++;
		return 1;
	}

	v->stats.npf_mmio++;
	if (s->intr_info & SVM_EVT_VALID) {
		/* Delivering an event needed a device's memory: a stack or a
		 * descriptor table there.  No instruction to emulate. */
		data[0] = s->intr_info;
		data[1] = s->exit_code;
		data[2] = s->info1;
		data[3] = s->info2;
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_DELIVERY_EV,
					  "event delivery touched device memory", 4, data);
	}
	return rvm_emulate_one(v);
}

/*
 * An event was on its way into the guest when the CPU met something that has to be
 * interpreted: then its delivery is.
 */
static bool svm_event_interrupted(struct rvm_vcpu *v)
{
	return v->ev.exception.injected || v->ev.nmi.injected || v->ev.irq.injected;
}

/* Shadow paging: every page fault of the guest. */
static int svm_exit_pf(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	struct rvm_fault f;
	bool delivered;
	int r;

	v->stats.exit_pf++;
	r = rvm_shadow_fault(v, s->info2, s->info1, &f);
	switch (r) {
	case RVM_SPF_FIXED:
		return 1;
	case RVM_SPF_GUEST:
		/* In the middle of a delivery: an exception merges, an interrupt has
		 * been acknowledged and is gone. */
		v->ev.nmi.injected = false;
		v->ev.irq.injected = false;
		rvm_queue_exception(v, &f);
		return 1;
	case RVM_SPF_EMULATE:
		return svm_event_interrupted(v) ? rvm_deliver_injected(v, &delivered) :
			rvm_emulate_one(v);
	default:
		return r;
	}
}

/* Shadow paging: the new task's CR3 is not for the hardware (APM vol. 2 §15.14.1). */
static int svm_exit_task(struct rvm_vcpu *v)
{
	bool delivered;

	v->stats.exit_other++;
	return svm_event_interrupted(v) ? rvm_deliver_injected(v, &delivered) :
		rvm_emulate_one(v);
}

static int svm_exit_invlpg(struct rvm_vcpu *v)
{
	v->stats.exit_invlpg++;
	return rvm_emulate_one(v);
}

/* ---- 7. the end --------------------------------------------------------- */

static int svm_exit_shutdown(struct rvm_vcpu *v)
{
	/* The state area is undefined after this (§15.14.3), and the CPU it
	 * stands for would be reset. */
	v->stats.exit_shutdown++;
	rvm_vcpu_reset(v);
	v->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

/*
 * Which of VMRUN's consistency checks it was (APM vol. 2 §15.5.1), as far as
 * the block shows it.
 */
static const char *svm_invalid_reason(const struct vmcb *b)
{
	const struct vmcb_save_area *s = &b->save;
	u64 long_paging = EFER_LME | ((u64)X86_CR0_PG << 32);

	if (!(s->efer & EFER_SVME))
		return "EFER.SVME is clear";
	if ((s->cr0 & X86_CR0_NW) && !(s->cr0 & X86_CR0_CD))
		return "CR0.NW is set and CD is not";
	if (s->cr0 >> 32)
		return "CR0 has high bits set";
	if ((s->dr6 >> 32) || (s->dr7 >> 32))
		return "DR6 or DR7 has high bits set";
	if (((s->efer | s->cr0 << 32) & long_paging) == long_paging) {
		if (!(s->cr4 & X86_CR4_PAE))
			return "long mode without CR4.PAE";
		if (!(s->cr0 & X86_CR0_PE))
			return "long mode without CR0.PE";
		if ((s->cs.attrib & RVM_SEG_L) && (s->cs.attrib & RVM_SEG_DB))
			return "CS has both L and D set";
	}
	if (!b->control.asid)
		return "ASID is 0";
	return "another check: a reserved bit of CR3, CR4 or EFER, or the event to inject";
}

static int svm_exit_invalid(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	/* VMRUN's consistency checks (§15.5.1). */
	v->stats.exit_other++;
	v->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	v->run->fail_entry.hardware_entry_failure_reason = (u32)SVM_EXIT_ERR;
	v->run->fail_entry.cpu = v->last_cpu;
	v->reason = svm_invalid_reason(s->vmcb);
	trace_rvm_internal_error(v, 0, v->reason);
	return 0;
}

/* ---- 8. the array ------------------------------------------------------- */

static int (*const svm_handlers[])(struct rvm_vcpu *v) = {
	[SVM_EXIT_READ_CR0]			= svm_exit_cr,
	[SVM_EXIT_READ_CR3]			= svm_exit_cr,
	[SVM_EXIT_READ_CR4]			= svm_exit_cr,
	[SVM_EXIT_WRITE_CR0]			= svm_exit_cr,
	[SVM_EXIT_WRITE_CR3]			= svm_exit_cr,
	[SVM_EXIT_WRITE_CR4]			= svm_exit_cr,
	[SVM_EXIT_WRITE_CR8]			= svm_exit_cr,
	[SVM_EXIT_CR0_SEL_WRITE]		= svm_exit_cr,
	[SVM_EXIT_READ_DR0 ... SVM_EXIT_READ_DR7]	= svm_exit_dr,
	[SVM_EXIT_WRITE_DR0 ... SVM_EXIT_WRITE_DR7]	= svm_exit_dr,
	[SVM_EXIT_EXCP_BASE + RVM_DB]		= svm_exit_db,
	[SVM_EXIT_EXCP_BASE + RVM_PF]		= svm_exit_pf,
	[SVM_EXIT_EXCP_BASE + RVM_AC]		= svm_exit_ac,
	[SVM_EXIT_EXCP_BASE + RVM_MC]		= svm_exit_mc,
	[SVM_EXIT_INTR]				= svm_exit_intr,
	[SVM_EXIT_SMI]				= svm_exit_intr,
	[SVM_EXIT_INIT]				= svm_exit_intr,
	[SVM_EXIT_NMI]				= svm_exit_nmi,
	[SVM_EXIT_VINTR]			= svm_exit_vintr,
	[SVM_EXIT_IRET]				= svm_exit_iret,
	[SVM_EXIT_RDPMC]			= svm_exit_rdpmc,
	[SVM_EXIT_CPUID]			= svm_exit_cpuid,
	[SVM_EXIT_INVD]				= svm_exit_cache,
	[SVM_EXIT_WBINVD]			= svm_exit_cache,
	[SVM_EXIT_HLT]				= svm_exit_hlt,
	[SVM_EXIT_INVLPG]			= svm_exit_invlpg,
	[SVM_EXIT_TASK_SWITCH]			= svm_exit_task,
	[SVM_EXIT_INVPCID]			= svm_exit_ud,
	[SVM_EXIT_IOIO]				= svm_exit_io,
	[SVM_EXIT_MSR]				= svm_exit_msr,
	[SVM_EXIT_FERR_FREEZE]			= svm_exit_intr,
	[SVM_EXIT_SHUTDOWN]			= svm_exit_shutdown,
	[SVM_EXIT_XSETBV]			= svm_exit_xsetbv,
	[SVM_EXIT_VMMCALL]			= svm_exit_vmmcall,
	[SVM_EXIT_RSM]				= svm_exit_ud,
	[SVM_EXIT_INVLPGA]			= svm_exit_ud,
	[SVM_EXIT_VMRUN]			= svm_exit_ud,
	[SVM_EXIT_VMLOAD]			= svm_exit_ud,
	[SVM_EXIT_VMSAVE]			= svm_exit_ud,
	[SVM_EXIT_STGI]				= svm_exit_ud,
	[SVM_EXIT_CLGI]				= svm_exit_ud,
	[SVM_EXIT_SKINIT]			= svm_exit_ud,
	[SVM_EXIT_MONITOR]			= svm_exit_ud,
	[SVM_EXIT_MWAIT]			= svm_exit_ud,
	[SVM_EXIT_RDPRU]			= svm_exit_ud,
	[SVM_EXIT_NPF]				= svm_exit_npf,
};

int svm_handle_exit(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	u32 code = s->exit_code;
	u64 data[3];

	if (unlikely(code == (u32)SVM_EXIT_ERR))
		return svm_exit_invalid(v);
	/*
	 * Only a task switch could have done that, and it is intercepted: but not in
	 * QEMU's emulation, where the guest has now run on what its own CR3 meets in
	 * the host's memory.
	 */
	if (unlikely(v->vm->shadow && s->vmcb->save.cr3 != s->cr3))
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
					  "the CPU loaded CR3 without the intercept", 0, NULL);
	if (likely(code < ARRAY_SIZE(svm_handlers))) {
		code = array_index_nospec(code, ARRAY_SIZE(svm_handlers));
		if (svm_handlers[code])
			return svm_handlers[code](v);
	}
	data[0] = s->exit_code;
	data[1] = s->info1;
	data[2] = s->info2;
	return rvm_internal_error(v, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
				  "exit code that is not intercepted", 3, data);
}
