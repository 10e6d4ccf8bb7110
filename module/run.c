// SPDX-License-Identifier: GPL-2.0
/*
 * The run loop: KVM_RUN from the ioctl to the guest and back, for every mode.
 *
 * Entering and being kicked.  A thread that changes what a running guest may
 * use (page tables above all) sets a request bit on each vCPU and then needs
 * to know that none is in the guest with the old state:
 *
 *     requester                       vCPU, interrupts off
 *     set request bit                 where = RVM_IN_GUEST
 *     smp_mb                          smp_mb
 *     read where                      read requests: any -> do not enter
 *     RVM_IN_GUEST: IPI and wait      guest runs; the IPI ends it
 *
 * One of the two always sees the other's store.  The IPI is only answered
 * once the vCPU has left the guest and interrupts are on, so when the wait
 * ends the old state is out of use.
 *
 * rvm_wake() asks for a look at interrupts in the same way and waits for nothing: it
 * is called with interrupts off, by timers and other vCPUs.  A vCPU that is halted or
 * waits to be started sleeps in rvm_sleep() and is woken by it, too.
 *
 * A mode that is software alone (struct rvm_mode, slice) is never "in the
 * guest": the wait ends at once.  Its slices are readers of vm->srcu and serve
 * RVM_REQ_TLB_FLUSH after they have become that, so who must know that an old
 * translation is out of use waits for a grace period after the request.
 *
 * Where slices and shadow paging meet nobody can wait so long, for a slice may wait
 * for mmu_lock.  What a slice writes through translations that it had before a page
 * came to be watched, it tells itself as soon as it learns of it (rvm_shadow_news()):
 *
 *     who begins to watch                 vCPU in a slice
 *     frame watched, news + 1             writes
 *     smp_mb                              (nothing but the order of x86)
 *     where is RVM_IN_SLICE: IPI, wait    reads news: more than it has seen -> tells
 *     read the page
 *
 * The IPI orders the write before the read of the page, or the look at the news after
 * their change.  A slice looks between instructions, and before it ends.
 */
#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "mmu/mmu.h"
#include "trace.h"

#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>

/* ---- requests ------------------------------------------------------------ */

static void rvm_ack_ipi(void *unused)
{
	/* Arriving is all: it means that the guest was left. */
}

/**
 * rvm_kick - make a vCPU leave the guest, if it is in it, and wait for that
 * @v: any vCPU of a live VM
 *
 * Preemptible or not, but interrupts on.
 */
void rvm_kick(struct rvm_vcpu *v)
{
	int cpu;

	if (READ_ONCE(v->where) != RVM_IN_GUEST)
		return;
	/* While it is in the guest its CPU cannot change; if it has left already
	 * the IPI is merely wasted. */
	cpu = READ_ONCE(v->last_cpu);
	if (cpu >= 0 && cpu_online(cpu)) {
		v->stats.kicks++;
		smp_call_function_single(cpu, rvm_ack_ipi, NULL, 1);
	}
}

/**
 * rvm_request_all - ask every vCPU of a VM, and wait until none is in the
 * guest without having seen the request
 * @vm: the VM
 * @req: what to ask for
 *
 * Any context with interrupts on; takes no lock but may spin for the IPIs.
 */
void rvm_request_all(struct rvm_vm *vm, enum rvm_req req)
{
	struct rvm_vcpu *v;
	unsigned long i;

	/* A vCPU is counted before it can run. */
	rvm_for_each_vcpu(vm, i, v)
		set_bit(req, &v->requests);
	smp_mb();	/* pairs with the one in rvm_enter_once() */
	rvm_for_each_vcpu(vm, i, v)
		rvm_kick(v);
	if (req == RVM_REQ_TLB_FLUSH)
		vm->stats.remote_flushes++;
}

/**
 * rvm_wake - there may be an interrupt for the vCPU: it is to look, at once
 * @v: any vCPU of a live VM
 *
 * Any context.
 */
void rvm_wake(struct rvm_vcpu *v)
{
	int me, cpu;

	set_bit(RVM_REQ_EVENT, &v->requests);
	smp_mb();	/* pairs with the one in rvm_enter_once() */
	me = get_cpu();
	if (READ_ONCE(v->where) == RVM_IN_GUEST) {
		/* A CPU that is here has left the guest, or not entered it.  One in the
		 * guest does not go offline while preemption is off here. */
		cpu = READ_ONCE(v->last_cpu);
		if (cpu != me && cpu >= 0 && cpu_online(cpu))
			rvm_send_reschedule(cpu);
	}
	put_cpu();
	rcuwait_wake_up(&v->wait);
}

void rvm_nmi(struct rvm_vcpu *v)
{
	/* More than two are lost in any case. */
	atomic_add_unless(&v->nmis, 1, 2);
	rvm_wake(v);
}

/**
 * rvm_reach_slices - let slices under way learn what has changed
 * @vm: the VM
 *
 * When it returns, what they wrote without having learned of it can be read.  Preemptible
 * or not, but interrupts on.
 */
void rvm_reach_slices(struct rvm_vm *vm)
{
	struct rvm_vcpu *v;
	unsigned long i;
	int cpu;

	smp_mb();	/* the change before the look; pairs with rvm_slice_begin(), __rvm_load() */
	rvm_for_each_vcpu(vm, i, v) {
		if (READ_ONCE(v->where) != RVM_IN_SLICE)
			continue;
		/* Where it has gone away from, it has gone through the scheduler. */
		cpu = READ_ONCE(v->last_cpu);
		if (cpu >= 0 && cpu_online(cpu))
			smp_call_function_single(cpu, rvm_ack_ipi, NULL, 1);
	}
}

/* 1: go on; 0: to userspace. */
static int rvm_serve_requests(struct rvm_vcpu *v)
{
	v->stats.requests++;
	if (test_and_clear_bit(RVM_REQ_TLB_FLUSH, &v->requests)) {
		v->stats.tlb_flush++;
		v->vm->mode->flush_tlb(v);
	}
	if (test_and_clear_bit(RVM_REQ_CLOCK, &v->requests))
		rvm_clock_update(v);
	if (test_and_clear_bit(RVM_REQ_STEAL, &v->requests))
		rvm_steal_update(v);
	if (test_and_clear_bit(RVM_REQ_EVENT, &v->requests))
		rvm_take_nmis(v);
	if (test_bit(RVM_REQ_VM_DEAD, &v->requests))
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
					  "the owner's address space is gone", 0, NULL);
	return 1;
}

/**
 * rvm_slice_begin - from here to rvm_slice_end() software translations are good
 * @v: a vCPU of a mode with slices, in its own thread; may sleep meanwhile
 *
 * They lead from guest addresses to the owner's, through the memslots.  Returns
 * what rvm_slice_end() wants.
 */
int rvm_slice_begin(struct rvm_vcpu *v)
	__acquires(&v->vm->srcu)
{
	int idx = srcu_read_lock(&v->vm->srcu);
	u64 generation = rvm_slots(v->vm)->generation;

	/* srcu_read_lock() orders the look at the request behind it */
	if (v->slots_generation != generation ||
	    test_and_clear_bit(RVM_REQ_TLB_FLUSH, &v->requests)) {
		v->slots_generation = generation;
		v->stats.tlb_flush++;
		v->vm->mode->flush_tlb(v);
	}
	if (v->vm->shadow) {
		WRITE_ONCE(v->where, RVM_IN_SLICE);
		smp_mb();	/* pairs with the one in rvm_reach_slices() */
		rvm_shadow_no_news(v);
	}
	return idx;
}

void rvm_slice_end(struct rvm_vcpu *v, int idx)
	__releases(&v->vm->srcu)
{
	if (v->vm->shadow) {
		rvm_shadow_news(v);
		smp_store_release(&v->where, RVM_OUTSIDE_GUEST);
	}
	srcu_read_unlock(&v->vm->srcu, idx);
}

/* ---- load and put ---------------------------------------------------------- */

static void __rvm_load(struct rvm_vcpu *v, int cpu)
{
	if (v->vm->mode->load)
		v->vm->mode->load(v, cpu);
	if (v->last_cpu != cpu) {
		if (v->last_cpu >= 0)
			v->stats.migrations++;
		WRITE_ONCE(v->last_cpu, cpu);
		smp_mb();	/* before any look at news; pairs with the one in rvm_reach_slices() */
		if (v->clock_msr)
			set_bit(RVM_REQ_CLOCK, &v->requests);
	}
	if (v->steal_msr)
		set_bit(RVM_REQ_STEAL, &v->requests);
}

static void rvm_put(struct rvm_vcpu *v)
{
	if (v->vm->mode->put)
		v->vm->mode->put(v);
}

static void rvm_sched_in(struct preempt_notifier *pn, int cpu)
{
	__rvm_load(container_of(pn, struct rvm_vcpu, pn), cpu);
}

static void rvm_sched_out(struct preempt_notifier *pn, struct task_struct *next)
{
	struct rvm_vcpu *v = container_of(pn, struct rvm_vcpu, pn);

	if (current->on_rq)
		v->stats.preempted++;
	rvm_put(v);
}

static struct preempt_ops rvm_preempt_ops = {
	.sched_in = rvm_sched_in,
	.sched_out = rvm_sched_out,
};

/**
 * rvm_vcpu_load - the calling thread is going to use the vCPU
 * @v: the vCPU
 *
 * v->lock held.  Until rvm_vcpu_put() the mode's hardware state follows the
 * thread through preemption and migration.
 */
void rvm_vcpu_load(struct rvm_vcpu *v)
{
	int cpu = get_cpu();

	preempt_notifier_register(&v->pn);
	__rvm_load(v, cpu);
	put_cpu();
}

void rvm_vcpu_put(struct rvm_vcpu *v)
{
	preempt_disable();
	rvm_put(v);
	preempt_notifier_unregister(&v->pn);
	preempt_enable();
}

/* At creation.  All of v->cpu is ours until the first entry. */
void rvm_run_init(struct rvm_vcpu *v)
{
	preempt_notifier_init(&v->pn, &rvm_preempt_ops);
	v->last_cpu = -1;
	v->where = RVM_OUTSIDE_GUEST;
	v->avail = RVM_G_ALL;
	v->dirty = RVM_G_ALL;
	rvm_insn_init(v);
}

/* ---- one way to give up -------------------------------------------------- */

int rvm_internal_error(struct rvm_vcpu *v, u32 suberror, const char *reason,
		       u32 ndata, const u64 *data)
{
	struct kvm_run *run = v->run;
	u32 i;

	v->stats.internal_error++;
	v->reason = reason;
	trace_rvm_internal_error(v, suberror, reason);
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = ndata;
	for (i = 0; i < ndata; i++)
		run->internal.data[i] = data[i];
	return 0;
}

/* ---- the loop -------------------------------------------------------------- */

static bool rvm_wants_irq_window(struct rvm_vcpu *v)
{
	return rvm_client_wants_irq(v) && rvm_irq_ready(v);
}

/* The same for a mode that is software alone: nothing to enter, no interrupt to
 * hold off.  Long runs without a sleep must let RCU and others through. */
static int rvm_run_slice(struct rvm_vcpu *v)
{
	int idx, r;

	cond_resched();
	idx = rvm_slice_begin(v);
	rvm_need(v, RVM_G_ALL);
	rvm_inject_events(v);
	trace_rvm_entry(v);
	v->stats.entries++;
	r = v->vm->mode->slice(v);
	v->dirty |= RVM_G_ALL;
	v->stats.exits++;
	rvm_slice_end(v, idx);
	trace_rvm_exit(v);
	return r;
}

/* 1: handled, enter again; 0: to userspace; -errno. */
static int rvm_enter_once(struct rvm_vcpu *v)
{
	const struct rvm_mode *mode = v->vm->mode;
	int r;

	if (rvm_test_request(v)) {
		r = rvm_serve_requests(v);
		if (r <= 0)
			return r;
	}
	if (v->lapic && rvm_lapic_event_due(v->lapic)) {
		rvm_lapic_events(v);
		if (v->mp_state != KVM_MP_STATE_RUNNABLE)
			return 1;
	}
	if (unlikely(v->ev.triple_fault)) {
		/* An exception while a double fault was delivered (SDM vol. 3
		 * §6.15): the CPU shuts down, and is as after reset when revived. */
		v->stats.exit_shutdown++;
		rvm_vcpu_reset(v);
		v->run->exit_reason = KVM_EXIT_SHUTDOWN;
		return 0;
	}
	if (v->lapic) {
		rvm_vapic_read(v);
		rvm_pv_eoi_read(v);
		rvm_take_irq(v);
		rvm_vapic_write(v);
	}
	r = mode->prepare ? mode->prepare(v) : mode->slice ? RVM_TO_SLICE : 1;
	if (r <= 0)
		return r;
	if (r == RVM_TO_SLICE)
		return rvm_run_slice(v);

	preempt_disable();
	local_irq_disable();
	rvm_guest_prepare();
	WRITE_ONCE(v->where, RVM_IN_GUEST);
	smp_mb();	/* pairs with the one in rvm_request_all() */
	r = rvm_hw_check(mode);
	if (unlikely(r || rvm_test_request(v) || rvm_guest_work_pending())) {
		WRITE_ONCE(v->where, RVM_OUTSIDE_GUEST);
		local_irq_enable();
		preempt_enable();
		if (r == -EAGAIN)
			cond_resched();
		return r && r != -EAGAIN ? r : 1;
	}

	/* Nothing can stop the entry any more: injection is never undone. */
	rvm_inject_events(v);
	trace_rvm_entry(v);
	v->stats.entries++;

	/* The guest's registers are the task's user FPU state while KVM_RUN lasts;
	 * a preemption may have moved them to memory. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();

	rvm_guest_timing_enter();
	mode->enter(v);
	smp_store_release(&v->where, RVM_OUTSIDE_GUEST);

	/*
	 * The interrupt that ended the guest is taken here, still on the guest's
	 * account.  Not without an instruction between the two: STI's shadow
	 * covers the next one.
	 */
	local_irq_enable();
	v->stats.exits++;
	barrier();
	local_irq_disable();
	rvm_guest_timing_exit();
	local_irq_enable();
	preempt_enable();

	trace_rvm_exit(v);
	return mode->handle(v);
}

/* ---- waiting ------------------------------------------------------------------ */

static uint halt_poll_ns = 200000;
module_param(halt_poll_ns, uint, 0644);
MODULE_PARM_DESC(halt_poll_ns, "how long a halted vCPU looks for interrupts, at most, before it sleeps (ns; 0: not at all)");

#define RVM_POLL_START	10000u		/* ns */

/* May the vCPU execute instructions?  Serves what has come for it. */
static bool rvm_runnable(struct rvm_vcpu *v)
{
	rvm_lapic_events(v);
	rvm_pv_eoi_read(v);
	if (v->mp_state == KVM_MP_STATE_HALTED && rvm_wakes_halt(v)) {
		WRITE_ONCE(v->lapic->unhalted, false);
		v->mp_state = KVM_MP_STATE_RUNNABLE;
	}
	return v->mp_state == KVM_MP_STATE_RUNNABLE;
}

/* Is there a reason to look again?  Changes nothing. */
static bool rvm_stirs(struct rvm_vcpu *v)
{
	return rvm_lapic_event_due(v->lapic) ||
		(v->mp_state == KVM_MP_STATE_HALTED && rvm_wakes_halt(v));
}

/*
 * Guests that wait for a device or another vCPU are often woken at once, and sleeping
 * and waking cost more than that.  The time spent looking grows while that is so, and
 * shrinks when it was in vain.
 */
static bool rvm_poll_event(struct rvm_vcpu *v)
{
	u64 end = local_clock() + v->poll_ns;

	while (!rvm_stirs(v)) {
		if (local_clock() >= end || need_resched() || signal_pending(current))
			return false;
		cpu_relax();
	}
	return true;
}

/* Until something comes for the vCPU, or a signal for its thread. */
static void rvm_sleep(struct rvm_vcpu *v)
{
	u64 max = READ_ONCE(halt_poll_ns), start = local_clock(), slept;

	v->stats.halts++;
	if (v->poll_ns && rvm_poll_event(v)) {
		v->stats.halt_polled++;
		return;
	}
	rcuwait_wait_event(&v->wait, rvm_stirs(v), TASK_INTERRUPTIBLE);
	slept = local_clock() - start;
	if (slept > max)
		v->poll_ns = 0;
	else
		v->poll_ns = clamp_t(u64, v->poll_ns * 2, min_t(u64, RVM_POLL_START, max), max);
}

static int rvm_irq_window_exit(struct rvm_vcpu *v)
{
	v->stats.user_irq_window++;
	v->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	return 0;
}

static int rvm_run_loop(struct rvm_vcpu *v)
{
	int r;

	for (;;) {
		if (v->lapic && rvm_lapic_exit(v))
			return 0;
		if (unlikely(v->mp_state != KVM_MP_STATE_RUNNABLE) && !rvm_runnable(v)) {
			/* STI and HLT: it is the client's interrupt that is waited for. */
			if (rvm_wants_irq_window(v))
				return rvm_irq_window_exit(v);
			rvm_sleep(v);
			if (signal_pending(current)) {
				v->stats.user_intr++;
				v->run->exit_reason = KVM_EXIT_INTR;
				return -EINTR;
			}
			continue;
		}
		/* Before the entry as after it: with the window open already, a
		 * round through the guest would be wasted. */
		if (rvm_wants_irq_window(v))
			return rvm_irq_window_exit(v);
		if (rvm_guest_work_pending()) {
			r = rvm_handle_guest_work();
			if (r) {
				v->stats.user_intr++;
				v->run->exit_reason = KVM_EXIT_INTR;
				return -EINTR;
			}
		}
		r = rvm_enter_once(v);
		if (r <= 0)
			return r;
	}
}

static void rvm_count_user_exit(struct rvm_vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		v->stats.user_io++;
		break;
	case KVM_EXIT_MMIO:
		v->stats.user_mmio++;
		break;
	case KVM_EXIT_HLT:
		v->stats.user_hlt++;
		break;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	default:
		v->stats.user_other++;
	}
}

/**
 * rvm_vcpu_run - KVM_RUN (KVM API §4.10)
 * @v: the vCPU
 *
 * v->lock held, vCPU loaded.  0 with v->run filled, or -EINTR (signal,
 * immediate_exit), -EINVAL (cr8 out of range), -EFAULT (a memslot's host
 * address is not mapped: the guest stands at the access, and KVM_RUN may be
 * called again).
 */
int rvm_vcpu_run(struct rvm_vcpu *v)
{
	struct kvm_run *run = v->run;
	sigset_t saved;
	int r;

	if (v->sigset_active)
		sigprocmask(SIG_SETMASK, &v->sigset, &saved);
	run->flags = 0;
	v->reason = NULL;
	rvm_fpu_load(v);

	/* Userspace's local APIC: its TPR is an input (KVM API, kvm_run.cr8). */
	if (!v->lapic && run->cr8 != v->cpu.cr8 && rvm_set_cr8(v, READ_ONCE(run->cr8))) {
		r = -EINVAL;
		goto out;
	}

	r = rvm_complete_exit(v);
	if (r > 0) {
		if (rvm_immediate_exit(run)) {
			run->exit_reason = KVM_EXIT_INTR;
			r = -EINTR;
		} else {
			r = rvm_run_loop(v);
		}
	}
	if (!r) {
		rvm_count_user_exit(v);
		trace_rvm_userspace_exit(v, run->exit_reason);
	}

out:
	if (v->lapic)
		rvm_vapic_read(v);
	rvm_fpu_put(v);
	run->if_flag = !!(v->cpu.rflags & RVM_FL_IF);
	run->cr8 = v->cpu.cr8;
	run->apic_base = v->cpu.apic_base;
	run->ready_for_interrupt_injection = rvm_chips(v->vm) == RVM_CHIPS_ALL ||
		(rvm_irq_ready(v) && (!v->lapic || rvm_lapic_takes_extint(v->lapic)));
	if (v->sigset_active)
		sigprocmask(SIG_SETMASK, &saved, NULL);
	return r;
}
