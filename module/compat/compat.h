/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between kernel versions, and nothing else.
 *
 * Also the wrappers for what the kernel offers its own kvm module in an
 * awkward shape.  Known to build: 6.1, 6.12.
 */
#ifndef RVM_COMPAT_H
#define RVM_COMPAT_H

#include <linux/version.h>
#include <linux/context_tracking.h>
#include <linux/entry-kvm.h>
#include <linux/eventfd.h>
#include <linux/irqflags.h>
#include <linux/kvm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/vtime.h>
#include <asm/processor.h>

/*
 * Work that the kernel wants done before this thread may stay away from
 * userspace any longer (signals, rescheduling, task work).  0, or -EINTR for a
 * signal.  compat.c.
 */
int rvm_handle_guest_work(void);

/* Is there such work?  With interrupts on the answer may be out of date. */
static inline bool rvm_guest_work_pending(void)
{
	return __xfer_to_guest_mode_work_pending();
}

/* Interrupts off, before the last look for such work. */
static inline void rvm_guest_prepare(void)
{
	xfer_to_guest_mode_prepare();
}

/* CPU time from here to rvm_guest_timing_exit() is the guest's. */
static __always_inline void rvm_guest_timing_enter(void)
{
	vtime_account_guest_enter();
}

static __always_inline void rvm_guest_timing_exit(void)
{
	vtime_account_guest_exit();
}

/* kvm_run.immediate_exit, which the client may change at any time. */
static inline bool rvm_immediate_exit(const struct kvm_run *run)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	return READ_ONCE(run->immediate_exit);
#else
	return READ_ONCE(run->immediate_exit__unsafe);
#endif
}

static __always_inline void rvm_rcu_note_guest(void)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	rcu_virt_note_context_switch(smp_processor_id());
#else
	rcu_virt_note_context_switch();
#endif
}

/*
 * Between these two the guest runs: RCU and context tracking must see it as
 * an extended quiescent state, lockdep as "interrupts on".  No code that can
 * be traced may stand between them.
 */
static __always_inline void rvm_guest_state_enter(void)
{
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	if (!context_tracking_guest_enter())
		rvm_rcu_note_guest();
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void rvm_guest_state_exit(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();
	trace_hardirqs_off_finish();
}

/*
 * The running CPU's TSS.  Interrupts or preemption off.  RSP0 is where traps out of
 * rings 1 and 3 begin to push; the kernel itself needs it, and the I/O bitmap's
 * base, for userspace alone.
 */
struct rvm_tss {
	unsigned long sp0;
	u16 io_bitmap_base;
};

static inline void rvm_tss_take(struct rvm_tss *old, void *sp0)
{
	old->sp0 = this_cpu_read(cpu_tss_rw.x86_tss.sp0);
	old->io_bitmap_base = this_cpu_read(cpu_tss_rw.x86_tss.io_bitmap_base);
	this_cpu_write(cpu_tss_rw.x86_tss.sp0, (unsigned long)sp0);
	this_cpu_write(cpu_tss_rw.x86_tss.io_bitmap_base, IO_BITMAP_OFFSET_INVALID);
}

static inline void rvm_tss_give_back(const struct rvm_tss *old)
{
	this_cpu_write(cpu_tss_rw.x86_tss.io_bitmap_base, old->io_bitmap_base);
	this_cpu_write(cpu_tss_rw.x86_tss.sp0, old->sp0);
}

/* An interrupt stack that the kernel does not use (1 to 7): 0, or -EBUSY if it does. */
static inline int rvm_tss_set_ist(int ist, void *top)
{
	if (this_cpu_read(cpu_tss_rw.x86_tss.ist[ist - 1]))
		return -EBUSY;
	this_cpu_write(cpu_tss_rw.x86_tss.ist[ist - 1], (unsigned long)top);
	return 0;
}

static inline void rvm_tss_clear_ist(int ist)
{
	this_cpu_write(cpu_tss_rw.x86_tss.ist[ist - 1], 0);
}

/* What CR4 is, not what the kernel remembers of it. */
static __always_inline u64 rvm_read_cr4(void)
{
	u64 val;

	asm volatile("mov %%cr4, %0" : "=r" (val));
	return val;
}

/* Does the kernel clear the CPU's buffers (VERW) before it goes to userspace? */
static inline bool rvm_host_clears_buffers(void)
{
#ifdef X86_FEATURE_CLEAR_CPU_BUF
	return boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF);
#else
	return boot_cpu_has_bug(X86_BUG_MDS) || boot_cpu_has_bug(X86_BUG_TAA) ||
		boot_cpu_has_bug(X86_BUG_MMIO_STALE_DATA);
#endif
}

static inline void rvm_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* An IPI that only interrupts; from 6.4 on the plain name has a tracepoint in it, which is
 * the kernel's. */
static inline void rvm_send_reschedule(int cpu)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	smp_send_reschedule(cpu);
#else
	arch_smp_send_reschedule(cpu);
#endif
}

/* ns that the calling thread was runnable and waited for a CPU */
static inline u64 rvm_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}

/* Under FRED there are no rings 1 and 2 (Intel FRED specification §3). */
static inline bool rvm_host_has_fred(void)
{
	return rvm_read_cr4() >> 32 & 1;
}

#endif /* RVM_COMPAT_H */
