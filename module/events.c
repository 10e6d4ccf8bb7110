// SPDX-License-Identifier: GPL-2.0
/*
 * Events on their way into the guest: exceptions, NMIs, external interrupts;
 * their order (SDM vol. 3 §6.9), the merging of exceptions into double and
 * triple faults (§6.15), and the ABI's view of them.
 */
#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "trace.h"

/* ---- exceptions ------------------------------------------------------------ */

enum rvm_exc_class { RVM_EXC_BENIGN, RVM_EXC_CONTRIBUTORY, RVM_EXC_PF };

/* SDM vol. 3 table 6-4 */
static enum rvm_exc_class rvm_exc_class(u8 vector)
{
	switch (vector) {
	case RVM_PF:
		return RVM_EXC_PF;
	case RVM_DE:
	case RVM_TS:
	case RVM_NP:
	case RVM_SSF:
	case RVM_GP:
		return RVM_EXC_CONTRIBUTORY;
	default:
		return RVM_EXC_BENIGN;
	}
}

/* Faults push RF set so that the restarted instruction does not meet its
 * breakpoint again (SDM vol. 3 §17.3.1.1). */
static bool rvm_exc_is_fault(u8 vector)
{
	switch (vector) {
	case RVM_DB:	/* fault or trap: DR6 knows, RF is the debugger's then */
	case RVM_BP:
	case RVM_OF:
	case RVM_DF:
	case RVM_MC:
		return false;
	default:
		return true;
	}
}

/**
 * rvm_queue_exception - the guest gets an exception before its next instruction
 * @v: the vCPU, loaded
 * @f: copied
 *
 * If one is being delivered already the two merge as the CPU merges them.
 */
void rvm_queue_exception(struct rvm_vcpu *v, const struct rvm_fault *f)
{
	struct rvm_events *ev = &v->ev;
	enum rvm_exc_class first, second;

	if (!ev->exception.injected && !ev->exception.pending)
		goto queue;
	if (ev->exception.f.vector == RVM_DF) {
		ev->exception.injected = false;
		ev->exception.pending = false;
		ev->triple_fault = true;
		return;
	}
	first = rvm_exc_class(ev->exception.f.vector);
	second = rvm_exc_class(f->vector);
	if ((first == RVM_EXC_CONTRIBUTORY && second == RVM_EXC_CONTRIBUTORY) ||
	    (first == RVM_EXC_PF && second != RVM_EXC_BENIGN)) {
		ev->exception.f = (struct rvm_fault) { .vector = RVM_DF, .has_error = true };
		ev->exception.injected = false;
		ev->exception.pending = true;
		return;
	}
queue:
	/* Handled one after the other: the first one comes up again by itself. */
	ev->exception.f = *f;
	ev->exception.injected = false;
	ev->exception.pending = true;
}

void rvm_queue_gp(struct rvm_vcpu *v, u32 error)
{
	struct rvm_fault f = { .vector = RVM_GP, .has_error = true, .error = error };

	rvm_queue_exception(v, &f);
}

void rvm_queue_ud(struct rvm_vcpu *v)
{
	struct rvm_fault f = { .vector = RVM_UD };

	rvm_queue_exception(v, &f);
}

void rvm_queue_db(struct rvm_vcpu *v, u64 dr6_bits)
{
	struct rvm_fault f = { .vector = RVM_DB, .dr6 = dr6_bits };

	rvm_queue_exception(v, &f);
}

/* CR2 and DR6 change when the exception is delivered, not when it is noticed. */
static void rvm_apply_payload(struct rvm_vcpu *v, const struct rvm_fault *f)
{
	if (f->vector == RVM_PF) {
		rvm_touch(v, RVM_G_CR);
		v->cpu.cr2 = f->cr2;
	} else if (f->vector == RVM_DB) {
		rvm_touch(v, RVM_G_DR);
		v->cpu.dr6 |= f->dr6;
		v->cpu.dr7 &= ~(1ull << 13);	/* GD is cleared on delivery, §17.2.4 */
	}
	if (rvm_exc_is_fault(f->vector))
		v->cpu.rflags |= RVM_FL_RF;
}

/* With a PIC of its own a client waits for the moment to pass its interrupts on. */
bool rvm_client_wants_irq(struct rvm_vcpu *v)
{
	if (rvm_chips(v->vm) == RVM_CHIPS_ALL || !READ_ONCE(v->run->request_interrupt_window))
		return false;
	return !v->lapic || rvm_lapic_takes_extint(v->lapic);
}

/* ---- before an entry ------------------------------------------------------- */

static bool rvm_nmi_allowed(const struct rvm_vcpu *v)
{
	return !v->ev.nmi.masked && !v->cpu.int_shadow;
}

static bool rvm_irq_allowed(const struct rvm_vcpu *v)
{
	return (v->cpu.rflags & RVM_FL_IF) && !v->cpu.int_shadow;
}

/* Could the guest take an external interrupt at the next entry?  What kvm_run
 * reports as ready_for_interrupt_injection. */
bool rvm_irq_ready(struct rvm_vcpu *v)
{
	const struct rvm_events *ev = &v->ev;

	return rvm_irq_allowed(v) && !ev->irq.pending && !ev->irq.injected &&
		!ev->exception.pending && !ev->exception.injected && !ev->nmi.injected;
}

/* ---- from the interrupt controllers ---------------------------------------- */

/**
 * rvm_take_irq - acknowledge the local APIC's interrupt if the guest can take it
 * @v: the vCPU in its own thread, with v->lapic
 *
 * Nothing else may be on its way at the same entry, so that what is acknowledged is
 * injected next, whatever the loop has to do in between.
 */
void rvm_take_irq(struct rvm_vcpu *v)
{
	struct rvm_events *ev = &v->ev;
	int vector;

	if (!rvm_irq_ready(v) || (atomic_read(&ev->nmi.pending) && !ev->nmi.masked))
		return;
	vector = rvm_lapic_ack(v);
	if (vector < 0)
		return;
	ev->irq.nr = vector;
	ev->irq.soft = false;
	ev->irq.pending = true;
	rvm_pv_eoi_offer(v);
}

/* One in service and one waiting is all that a CPU keeps. */
void rvm_take_nmis(struct rvm_vcpu *v)
{
	struct rvm_events *ev = &v->ev;
	int n = atomic_xchg(&v->nmis, 0);
	int limit = ev->nmi.masked || ev->nmi.injected ? 1 : 2;

	if (n)
		atomic_set(&ev->nmi.pending, min(atomic_read(&ev->nmi.pending) + n, limit));
}

/* An NMI, an interrupt that IF lets in (SDM vol. 2, HLT); another vCPU's word for it. */
bool rvm_wakes_halt(struct rvm_vcpu *v)
{
	const struct rvm_events *ev = &v->ev;

	if (ev->exception.pending || ev->nmi.injected || ev->irq.injected)
		return true;
	if ((atomic_read(&ev->nmi.pending) || atomic_read(&v->nmis)) && !ev->nmi.masked)
		return true;
	if (READ_ONCE(v->lapic->unhalted))
		return true;
	return (v->cpu.rflags & RVM_FL_IF) && (ev->irq.pending || rvm_lapic_ready(v));
}

/**
 * rvm_event_due - would an entry now deliver an event?
 * @v: the vCPU, in its own thread
 *
 * For a mode that delivers them in software: then the guest is not entered.
 */
bool rvm_event_due(const struct rvm_vcpu *v)
{
	const struct rvm_events *ev = &v->ev;

	return ev->exception.injected || ev->nmi.injected || ev->irq.injected ||
		ev->exception.pending ||
		(atomic_read(&ev->nmi.pending) && rvm_nmi_allowed(v)) ||
		(ev->irq.pending && rvm_irq_allowed(v));
}

/* One event for this entry, the most urgent first.  True: the slot is taken. */
static bool rvm_inject_one(struct rvm_vcpu *v)
{
	const struct rvm_mode *mode = v->vm->mode;
	struct rvm_events *ev = &v->ev;

	/* Interrupted half-way: the CPU had already taken these. */
	if (ev->exception.injected) {
		mode->inject_exception(v, &ev->exception.f);
		return true;
	}
	if (ev->nmi.injected) {
		mode->inject_nmi(v);
		return true;
	}
	if (ev->irq.injected) {
		mode->inject_irq(v, ev->irq.nr, ev->irq.soft, ev->irq.insn_len);
		return true;
	}

	if (ev->exception.pending) {
		rvm_apply_payload(v, &ev->exception.f);
		ev->exception.pending = false;
		ev->exception.injected = true;
		v->stats.inject_exception++;
		trace_rvm_inj_exception(v, ev->exception.f.vector, ev->exception.f.has_error,
					ev->exception.f.error);
		mode->inject_exception(v, &ev->exception.f);
		return true;
	}
	if (atomic_read(&ev->nmi.pending) && rvm_nmi_allowed(v)) {
		atomic_dec(&ev->nmi.pending);
		ev->nmi.injected = true;
		ev->nmi.masked = true;
		v->stats.inject_nmi++;
		mode->inject_nmi(v);
		return true;
	}
	if (ev->irq.pending && rvm_irq_allowed(v)) {
		ev->irq.pending = false;
		ev->irq.injected = true;
		v->stats.inject_irq++;
		trace_rvm_inj_virq(v, ev->irq.nr);
		mode->inject_irq(v, ev->irq.nr, ev->irq.soft, ev->irq.insn_len);
		return true;
	}
	return false;
}

/**
 * rvm_inject_events - give the mode what the guest must receive at this entry
 * @v: the vCPU, loaded
 *
 * Interrupts off, but for a mode with slices; the entry follows without fail.
 * What does not fit into this entry asks for an exit as soon as it does.
 */
void rvm_inject_events(struct rvm_vcpu *v)
{
	const struct rvm_mode *mode = v->vm->mode;
	struct rvm_events *ev = &v->ev;

	rvm_inject_one(v);
	mode->nmi_window(v, atomic_read(&ev->nmi.pending) != 0);
	mode->irq_window(v, ev->irq.pending || rvm_client_wants_irq(v) ||
			 (v->lapic && rvm_lapic_ready(v)));
}

/* ---- the ABI (KVM API §4.31, §4.32) ---------------------------------------- */

#define RVM_EVENT_FLAGS	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | \
			 KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SMM)

void rvm_get_events(struct rvm_vcpu *v, struct kvm_vcpu_events *e)
{
	const struct rvm_events *ev = &v->ev;

	memset(e, 0, sizeof(*e));
	rvm_take_nmis(v);
	e->exception.injected = ev->exception.injected || ev->exception.pending;
	e->exception.nr = ev->exception.f.vector;
	e->exception.has_error_code = ev->exception.f.has_error;
	e->exception.error_code = ev->exception.f.error;
	e->interrupt.injected = (ev->irq.injected || ev->irq.pending) && !ev->irq.soft;
	e->interrupt.nr = ev->irq.nr;
	e->interrupt.shadow = v->cpu.int_shadow;
	e->nmi.injected = ev->nmi.injected;
	e->nmi.pending = atomic_read(&ev->nmi.pending) != 0;
	e->nmi.masked = ev->nmi.masked;
	e->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
}

int rvm_set_events(struct rvm_vcpu *v, const struct kvm_vcpu_events *e)
{
	struct rvm_events *ev = &v->ev;

	if (e->flags & ~RVM_EVENT_FLAGS)
		return -EINVAL;
	/* No system-management mode here. */
	if ((e->flags & KVM_VCPUEVENT_VALID_SMM) &&
	    (e->smi.smm || e->smi.pending || e->smi.smm_inside_nmi))
		return -EINVAL;
	if (e->exception.injected && (e->exception.nr > 31 || e->exception.nr == RVM_NMI))
		return -EINVAL;

	ev->exception.pending = false;
	ev->exception.injected = e->exception.injected;
	ev->exception.f = (struct rvm_fault) {
		.vector = e->exception.nr,
		.has_error = e->exception.has_error_code,
		.error = e->exception.error_code,
	};
	ev->irq.injected = e->interrupt.injected;
	ev->irq.pending = false;
	ev->irq.soft = e->interrupt.soft;
	ev->irq.nr = e->interrupt.nr;
	if (e->flags & KVM_VCPUEVENT_VALID_SHADOW)
		v->cpu.int_shadow = e->interrupt.shadow &
			(RVM_SHADOW_STI | RVM_SHADOW_MOV_SS);
	ev->nmi.injected = e->nmi.injected;
	if (e->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		atomic_set(&ev->nmi.pending, e->nmi.pending != 0);
	ev->nmi.masked = e->nmi.masked;
	ev->triple_fault = false;
	return 0;
}
