// SPDX-License-Identifier: GPL-2.0
/*
 * kvmclock: the clock that unmodified Linux guests look for under KVM's
 * signature (kernel documentation, virt/kvm/x86/msr.rst and cpuid.rst).
 *
 * A page of the guest's holds "at TSC t it was n ns, and this is how TSC turns
 * into ns"; the guest computes the time from its TSC without an exit.  The
 * pair is taken anew when the guest registers its page, when its TSC changes
 * and when the vCPU moves to another CPU.  PVCLOCK_TSC_STABLE_BIT is never set:
 * whether the host's own TSCs agree is not for a module to know; guests then
 * keep the clock monotonic between their CPUs themselves.
 *
 * Time is the host's boot time plus vm->clock_offset: 0 at the VM's creation,
 * or what KVM_SET_CLOCK says.
 */
#include "cpu.h"
#include "../mode.h"
#include "../mmu/mmu.h"

#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <asm/kvm_para.h>
#include <asm/pvclock-abi.h>
#include <asm/tsc.h>

#define RVM_CLOCK_ENABLE	1ull	/* MSR_KVM_SYSTEM_TIME: bit 0 */

static u64 rvm_clock_now(struct rvm_vm *vm)
{
	return ktime_get_boottime_ns() + READ_ONCE(vm->clock_offset);
}

void rvm_clock_init(struct rvm_vm *vm)
{
	vm->clock_offset = -ktime_get_boottime_ns();
}

/* ns = ((tsc << shift) * mul) >> 32, with mul as large as 32 bits hold. */
static void rvm_clock_scale(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = (u64)khz * 1000;
	int s = 0;

	while (hz > 2 * NSEC_PER_SEC) {
		hz >>= 1;
		s--;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		s++;
	}
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, hz);
	*shift = s;
}

/**
 * rvm_clock_update - write the vCPU's clock page
 * @v: the vCPU, in its own thread; may sleep
 *
 * RVM_REQ_CLOCK.  A page that is not memory leaves the guest without a clock,
 * as KVM does.
 */
void rvm_clock_update(struct rvm_vcpu *v)
{
	u64 gpa = v->clock_msr & ~RVM_CLOCK_ENABLE;
	struct pvclock_vcpu_time_info t = {};
	unsigned long flags;
	u32 version;

	if (!(v->clock_msr & RVM_CLOCK_ENABLE))
		return;
	if (rvm_gpa_read(v->vm, gpa, &version, sizeof(version)))
		return;
	local_irq_save(flags);
	t.tsc_timestamp = rvm_guest_tsc(v);
	t.system_time = rvm_clock_now(v->vm);
	local_irq_restore(flags);
	rvm_clock_scale(tsc_khz, &t.tsc_to_system_mul, &t.tsc_shift);

	/* Odd while it changes: other vCPUs may be reading. */
	t.version = (version & ~1u) + 1;
	if (rvm_gpa_write(v->vm, gpa, &t.version, sizeof(t.version)))
		return;
	smp_wmb();
	rvm_gpa_write(v->vm, gpa + sizeof(t.version), (u8 *)&t + sizeof(t.version),
		      sizeof(t) - sizeof(t.version));
	smp_wmb();
	t.version++;
	rvm_gpa_write(v->vm, gpa, &t.version, sizeof(t.version));
}

/* Wall-clock time at the clock's zero, written once at the guest's request. */
static void rvm_write_wall_clock(struct rvm_vm *vm, u64 gpa)
{
	struct pvclock_wall_clock w;
	u64 wall;
	u32 ns;

	if (rvm_gpa_read(vm, gpa, &w.version, sizeof(w.version)))
		return;
	w.version = (w.version & ~1u) + 1;
	if (rvm_gpa_write(vm, gpa, &w.version, sizeof(w.version)))
		return;
	wall = ktime_get_real_ns() - rvm_clock_now(vm);
	w.sec = div_u64_rem(wall, NSEC_PER_SEC, &ns);
	w.nsec = ns;
	smp_wmb();
	rvm_gpa_write(vm, gpa + sizeof(w.version), &w.sec, sizeof(w) - sizeof(w.version));
	smp_wmb();
	w.version++;
	rvm_gpa_write(vm, gpa, &w.version, sizeof(w.version));
}

/* MSR_KVM_WALL_CLOCK(_NEW).  0, or 1: #GP(0). */
int rvm_set_wall_clock(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	/* The structure stays within a page: that is what rvm_gpa_write() does. */
	if ((val & ~PAGE_MASK) > PAGE_SIZE - sizeof(struct pvclock_wall_clock))
		return 1;
	v->vm->wall_clock_msr = val;
	/* A client that restores the register does not ask for a new reading. */
	if (!host && val)
		rvm_write_wall_clock(v->vm, val);
	return 0;
}

int rvm_get_wall_clock(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	*val = v->vm->wall_clock_msr;
	return 0;
}

/* MSR_KVM_SYSTEM_TIME(_NEW).  0, or 1: #GP(0). */
int rvm_set_system_time(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if ((val & ~PAGE_MASK & ~RVM_CLOCK_ENABLE) >
	    PAGE_SIZE - sizeof(struct pvclock_vcpu_time_info))
		return 1;
	v->clock_msr = val;
	set_bit(RVM_REQ_CLOCK, &v->requests);
	return 0;
}

/* ---- steal time ------------------------------------------------------------ */

#define RVM_STEAL_RESERVED	0x3eull

/**
 * rvm_steal_update - tell the guest how long its vCPU could have run and did not
 * @v: the vCPU, in its own thread; may sleep
 *
 * RVM_REQ_STEAL.  struct kvm_steal_time; the guest reads it as it reads the clock.
 */
void rvm_steal_update(struct rvm_vcpu *v)
{
	u64 gpa = v->steal_msr & ~(RVM_STEAL_RESERVED | KVM_MSR_ENABLED);
	u64 delay = rvm_run_delay();
	struct kvm_steal_time t;

	if (!(v->steal_msr & KVM_MSR_ENABLED) || rvm_gpa_read(v->vm, gpa, &t, sizeof(t)))
		return;
	if (v->steal_pid != task_pid_nr(current)) {
		/* Another thread's past is none of the guest's. */
		v->steal_pid = task_pid_nr(current);
		v->steal_seen = delay;
	}
	t.steal += delay - v->steal_seen;
	v->steal_seen = delay;
	t.flags = 0;
	t.preempted = 0;
	t.version = (t.version & ~1u) + 1;
	if (rvm_gpa_write(v->vm, gpa + offsetof(struct kvm_steal_time, version), &t.version,
			  sizeof(t.version)))
		return;
	smp_wmb();
	rvm_gpa_write(v->vm, gpa, &t.steal, sizeof(t.steal));
	rvm_gpa_write(v->vm, gpa + offsetof(struct kvm_steal_time, flags), &t.flags,
		      offsetof(struct kvm_steal_time, preempted) + 1 -
		      offsetof(struct kvm_steal_time, flags));
	smp_wmb();
	t.version++;
	rvm_gpa_write(v->vm, gpa + offsetof(struct kvm_steal_time, version), &t.version,
		      sizeof(t.version));
}

/* MSR_KVM_STEAL_TIME.  0, or 1: #GP(0). */
int rvm_set_steal(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	if (val & RVM_STEAL_RESERVED)
		return 1;
	v->steal_msr = val;
	v->steal_pid = 0;
	set_bit(RVM_REQ_STEAL, &v->requests);
	return 0;
}

/**
 * rvm_get_clock - KVM_GET_CLOCK (KVM API §4.29)
 * @vm: the VM
 * @d: result, with KVM_CLOCK_REALTIME: the wall clock of the same moment
 */
void rvm_get_clock(struct rvm_vm *vm, struct kvm_clock_data *d)
{
	unsigned long flags;

	memset(d, 0, sizeof(*d));
	local_irq_save(flags);
	d->clock = rvm_clock_now(vm);
	d->realtime = ktime_get_real_ns();
	local_irq_restore(flags);
	d->flags = KVM_CLOCK_REALTIME;
}

/**
 * rvm_set_clock - KVM_SET_CLOCK (KVM API §4.30)
 * @vm: the VM
 * @d: flags may have KVM_CLOCK_REALTIME: add the wall time passed since
 *
 * -EINVAL for other flags; nothing changed then.
 */
int rvm_set_clock(struct rvm_vm *vm, const struct kvm_clock_data *d)
{
	s64 offset;
	u64 now;

	/* These two are outputs that a client may hand back. */
	if (d->flags & ~(KVM_CLOCK_REALTIME | KVM_CLOCK_TSC_STABLE | KVM_CLOCK_HOST_TSC))
		return -EINVAL;
	offset = d->clock - ktime_get_boottime_ns();
	if (d->flags & KVM_CLOCK_REALTIME) {
		now = ktime_get_real_ns();
		if (now > d->realtime)
			offset += now - d->realtime;
	}
	WRITE_ONCE(vm->clock_offset, offset);
	rvm_request_all(vm, RVM_REQ_CLOCK);
	return 0;
}
