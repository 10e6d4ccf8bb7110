/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Counters: one list for vCPUs, one for VMs.  A line here is all a new counter
 * needs: stats.c makes the binary stats descriptors (KVM API §4.133) and the
 * debugfs files from the same lists.
 */
#ifndef RVM_STATS_H
#define RVM_STATS_H

#include <linux/types.h>

/* X(name): cumulative, monotonic, counted by the vCPU's own thread */
#define RVM_VCPU_STATS(X)						\
	X(entries) X(exits)						\
	X(exit_intr) X(exit_nmi) X(exit_irq_window) X(exit_nmi_window)	\
	X(exit_hlt) X(exit_io) X(exit_io_string) X(exit_cpuid)		\
	X(exit_msr) X(exit_cr) X(exit_dr) X(exit_xsetbv) X(exit_npf)	\
	X(exit_exception) X(exit_hypercall) X(exit_invlpg) X(exit_pause)\
	X(exit_shutdown) X(exit_other)					\
	X(npf_fixed) X(npf_mmio)					\
	X(exit_pf) X(shadow_fixed) X(shadow_guest) X(shadow_emulate)	\
	X(shadow_mmio) X(shadow_slow) X(shadow_prefetched)		\
	X(emulated) X(emulated_unhandled) X(rep_left) X(slice_news)	\
	X(internal_error)						\
	X(inject_exception) X(inject_irq) X(inject_nmi)			\
	X(native) X(fast) X(met_in) X(met_back) X(met_out)		\
	X(soft_event) X(soft_trap) X(soft_real) X(soft_long) X(soft_v86)\
	X(soft_if) X(soft_shadow) X(soft_tf) X(soft_iopl) X(soft_wp)	\
	X(soft_cpl) X(soft_bits16) X(soft_seg) X(soft_views)	\
	X(view_found) X(view_kept) X(view_reads)				\
	X(exit_gp) X(exit_ud) X(exit_nm)				\
	X(tlb_flush) X(kicks) X(requests) X(preempted) X(migrations)	\
	X(halts) X(halt_polled) X(pv_eoi) X(pv_kick)			\
	X(user_io) X(user_mmio) X(user_hlt) X(user_intr)		\
	X(user_irq_window) X(user_other)

/* X(name, kind): kind is CUMULATIVE or INSTANT */
#define RVM_VM_STATS(X)							\
	X(pages_4k, INSTANT) X(pages_2m, INSTANT) X(table_pages, INSTANT)\
	X(nested_zaps, CUMULATIVE) X(nested_retries, CUMULATIVE)	\
	X(shadow_pages, INSTANT) X(shadow_roots, CUMULATIVE)		\
	X(shadow_pt_writes, CUMULATIVE) X(shadow_zapped, CUMULATIVE)	\
	X(shadow_recycled, CUMULATIVE) X(shadow_unsync, CUMULATIVE)	\
	X(shadow_sync, CUMULATIVE)					\
	X(notifier_invalidations, CUMULATIVE)				\
	X(remote_flushes, CUMULATIVE)

struct rvm_vcpu_stats {
#define X(name) u64 name;
	RVM_VCPU_STATS(X)
#undef X
};

struct rvm_vm_stats {
#define X(name, kind) u64 name;
	RVM_VM_STATS(X)
#undef X
};

struct rvm_vm;
struct rvm_vcpu;

/* KVM_GET_STATS_FD: new fd or -errno.  The fd keeps the object alive. */
int rvm_vm_stats_fd(struct rvm_vm *vm);
int rvm_vcpu_stats_fd(struct rvm_vcpu *v);
/* debugfs: <debugfs>/ringvm/<pid>-<fd>/... */
void rvm_vm_debugfs(struct rvm_vm *vm, int fd);
void rvm_vcpu_debugfs(struct rvm_vcpu *v);

#endif /* RVM_STATS_H */
