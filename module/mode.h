/* SPDX-License-Identifier: GPL-2.0 */
/*
 * THE SEAM between the core and the modes.
 *
 * The core (vm.c, vcpu.c, run.c, events.c, emulate.c) knows ioctls and no
 * mode; a mode knows how to run a guest and no ioctl.  They meet here.
 *
 * Register state: v->cpu is canonical.  A mode may keep the groups of enum
 * rvm_group in its own control block while it runs.  v->avail says which
 * groups are up to date in v->cpu; rvm_need() fetches the missing ones.
 * Whoever changes a group calls rvm_touch(); the mode takes dirty groups over
 * before the next entry.  gpr[], rip, rflags and int_shadow are always up to
 * date outside run().
 */
#ifndef RVM_MODE_H
#define RVM_MODE_H

#include "ringvm.h"

/* What the hardware said about the last exit, for the tracepoint rvm_exit.
 * @isa as in kvm:kvm_exit: 1 VMX, 2 SVM; 0 when no hardware was asked. */
struct rvm_exit_info {
	u32 reason, isa;
	u64 info1, info2;
	u32 intr_info, error_code;
};

/**
 * struct rvm_mode - what a mode provides
 * @name: "svm"; the node is /dev/ringvm-@name
 * @id: RINGVM_MODE_*
 * @rank: /dev/ringvm gives the working mode with the highest rank
 * @nested: the mode uses mmu/nested.c for guest-physical memory, unless @shadow
 *   says that it uses mmu/shadow.c; fixed from @setup on
 * @no_smap: SMAP costs its guests much: it is not offered to them
 *
 * @setup: at load: can this machine do it?  0, or -errno with a one-line
 *   reason (what, and what to do) in @why.
 * @teardown: at unload, after a successful @setup.
 * @cpu_enable: on each CPU, interrupts off, when the first VM of the mode
 *   appears or a CPU comes online or wakes; -EBUSY if someone else holds it.
 * @cpu_disable: the reverse.  Both may be NULL.
 *
 * @vm_init, @vm_destroy: mode data of a VM; process context.  May be NULL.
 * @vcpu_init, @vcpu_destroy: mode data of a vCPU; process context.
 *
 * @load: the vCPU is about to be used on this CPU; preemption off.  v->last_cpu
 *   is still the previous one.
 * @put: the reverse: everything of the host's that was changed is restored.
 * @fetch: bring @groups (RVM_G_*) up to date in v->cpu.  Between load and put.
 * @prepare: before @enter or with it in mind, as often as the run loop comes by;
 *   requests served, interrupts and preemption on, may sleep.  1: go on;
 *   RVM_TO_SLICE: not @enter, but @slice; 0, -errno: as @handle.  May be NULL.
 * @enter: run the guest until the next exit; interrupts and preemption off,
 *   vCPU loaded, v->requests checked.  Takes dirty groups over first.  Leaves
 *   gpr, rip, rflags, int_shadow and v->ev (interrupted injections) up to
 *   date and every other group stale (clears v->avail accordingly).
 * @handle: after @enter, interrupts and preemption on: what the exit needs.
 *   1: enter again; 0: to userspace, v->run filled; -errno.
 * @slice: run the guest for a bounded number of instructions in software.
 *   Process context, preemptible, may sleep; requests served, event injected,
 *   rvm_slice_begin() done.  Returns as @handle.  All of v->cpu is up to date
 *   before and after.  A mode that has nothing else needs no @enter, @handle,
 *   @fetch, @load, @put.
 * @client_set: the client has set the general registers: it may have written the
 *   guest's code, too.  Under v->lock, vCPU loaded.  May be NULL.
 * @exit_info: the last exit, for tracing; before @handle.  May be NULL.
 *
 * @inject_exception, @inject_irq, @inject_nmi: deliver at the next entry.  One
 *   per entry.
 * @irq_window, @nmi_window: exit as soon as the guest can take one.
 * @flush_tlb: forget every translation of this vCPU before the next entry; with
 *   @slice: before the next instruction.
 * @set_intercepts: v->cpu state that changes what must be intercepted changed
 *   (debug registers, TSC offset); may be NULL.
 */
#define RVM_TO_SLICE	2

struct rvm_mode {
	const char *name;
	u32 id;
	int rank;
	bool nested;
	bool no_smap;
	bool (*shadow)(void);

	int (*setup)(char *why, size_t len);
	void (*teardown)(void);
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);

	int (*vm_init)(struct rvm_vm *vm);
	void (*vm_destroy)(struct rvm_vm *vm);
	int (*vcpu_init)(struct rvm_vcpu *v);
	void (*vcpu_destroy)(struct rvm_vcpu *v);

	void (*load)(struct rvm_vcpu *v, int cpu);
	void (*put)(struct rvm_vcpu *v);
	void (*fetch)(struct rvm_vcpu *v, u32 groups);
	int (*prepare)(struct rvm_vcpu *v);
	void (*enter)(struct rvm_vcpu *v);
	int (*handle)(struct rvm_vcpu *v);
	int (*slice)(struct rvm_vcpu *v);
	void (*client_set)(struct rvm_vcpu *v);
	void (*exit_info)(struct rvm_vcpu *v, struct rvm_exit_info *info);

	void (*inject_exception)(struct rvm_vcpu *v, const struct rvm_fault *f);
	void (*inject_irq)(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len);
	void (*inject_nmi)(struct rvm_vcpu *v);
	void (*irq_window)(struct rvm_vcpu *v, bool on);
	void (*nmi_window)(struct rvm_vcpu *v, bool on);
	void (*flush_tlb)(struct rvm_vcpu *v);
	void (*set_tsc_offset)(struct rvm_vcpu *v);
};

static inline bool rvm_mode_shadow(const struct rvm_mode *mode)
{
	return mode->shadow && mode->shadow();
}

extern const struct rvm_mode rvm_mode_svm;
extern const struct rvm_mode rvm_mode_ring1;
extern const struct rvm_mode rvm_mode_interp;

/* Does software translate, so that PAE's page-directory pointers are kept in
 * v->cpu.pdpte (SDM vol. 3 §4.4.1)? */
static inline bool rvm_keeps_pdptes(const struct rvm_vcpu *v)
{
	return v->vm->mode->slice || v->vm->shadow;
}

/* Bring @groups up to date in v->cpu.  The vCPU is loaded. */
static inline void rvm_need(struct rvm_vcpu *v, u32 groups)
{
	u32 missing = groups & ~v->avail;

	if (missing) {
		v->vm->mode->fetch(v, missing);
		v->avail |= missing;
	}
}

/* The caller is about to change @groups of v->cpu. */
static inline void rvm_touch(struct rvm_vcpu *v, u32 groups)
{
	rvm_need(v, groups);
	v->dirty |= groups;
}

#endif /* RVM_MODE_H */
