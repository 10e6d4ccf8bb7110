// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU: its file descriptor, its ioctls (KVM API §4, "vcpu ioctl"), its
 * shared page, and what it is at power-on.
 *
 * One ioctl at a time, under v->lock; KVM_RUN is one of them.  A vCPU lives as
 * long as its VM, whatever becomes of its descriptor.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include <uapi/linux/ringvm.h>

#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "mmu/mmu.h"

/* ---- power-on state -------------------------------------------------------- */

#define RVM_ATTR_CODE	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_A)
#define RVM_ATTR_DATA	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_A)
#define RVM_ATTR_LDT	(RVM_SEG_P | 2)
#define RVM_ATTR_TSS	(RVM_SEG_P | 11)	/* busy */

/* What power-up and INIT have in common. */
static void rvm_reset_common(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *sig = rvm_cpuid_find(v, 1, 0);
	struct rvm_cpu *c = &v->cpu;
	int i;

	rvm_touch(v, RVM_G_ALL);

	memset(c->gpr, 0, sizeof(c->gpr));
	c->gpr[RVM_RDX] = sig ? sig->eax : 0x600;
	c->rip = 0xfff0;
	c->rflags = RVM_FL_FIXED;
	c->int_shadow = 0;
	c->cpl = 0;

	for (i = RVM_ES; i <= RVM_GS; i++)
		c->seg[i] = (struct rvm_seg) { .limit = 0xffff, .attr = RVM_ATTR_DATA };
	c->seg[RVM_CS].sel = 0xf000;
	c->seg[RVM_CS].base = 0xffff0000;
	c->seg[RVM_CS].attr = RVM_ATTR_CODE;
	c->seg[RVM_LDTR] = (struct rvm_seg) { .limit = 0xffff, .attr = RVM_ATTR_LDT };
	c->seg[RVM_TR] = (struct rvm_seg) { .limit = 0xffff, .attr = RVM_ATTR_TSS };
	c->gdtr = (struct rvm_dtable) { .limit = 0xffff };
	c->idtr = (struct rvm_dtable) { .limit = 0xffff };

	c->cr0 = RVM_CR0_CD | RVM_CR0_NW | RVM_CR0_ET;
	c->cr2 = 0;
	c->cr3 = 0;
	c->cr4 = 0;
	c->cr8 = 0;
	c->efer = 0;
	memset(c->dr, 0, sizeof(c->dr));
	c->dr6 = 0xffff0ff0;
	c->dr7 = 0x400;

	memset(&v->ev, 0, sizeof(v->ev));
	atomic_set(&v->nmis, 0);
	memset(&v->replay, 0, sizeof(v->replay));
	set_bit(RVM_REQ_TLB_FLUSH, &v->requests);
}

/**
 * rvm_vcpu_reset - the state after power-up
 * @v: the vCPU; loaded, or not run yet
 *
 * SDM vol. 3 table 9-1, APM vol. 2 §14.1.3.  The TSC goes on.
 */
void rvm_vcpu_reset(struct rvm_vcpu *v)
{
	rvm_reset_common(v);
	rvm_msr_reset(v);
	rvm_fpu_reset(v);
	if (v->lapic)
		rvm_lapic_reset(v, false);
	/* Without a local APIC here who starts when is up to the client; with one, the
	 * others wait for the boot processor's INIT and SIPI. */
	v->mp_state = !v->lapic || v->id == v->vm->irq->bsp ? KVM_MP_STATE_RUNNABLE :
		KVM_MP_STATE_UNINITIALIZED;
}

/**
 * rvm_vcpu_init_signal - the state after INIT
 * @v: the vCPU in its own thread, loaded; has a local APIC
 *
 * SDM vol. 3 table 9-1: the FPU, MTRRs, machine checks and most MSRs stay as they
 * are, and so do CR0.CD and CR0.NW.  mp_state is the caller's.
 */
void rvm_vcpu_init_signal(struct rvm_vcpu *v)
{
	u64 caches;

	rvm_need(v, RVM_G_ALL);
	caches = v->cpu.cr0 & (RVM_CR0_CD | RVM_CR0_NW);
	rvm_reset_common(v);
	v->cpu.cr0 = RVM_CR0_ET | caches;
	rvm_lapic_reset(v, true);
}

/* ---- ioctls ------------------------------------------------------------------ */

/* GET and SET of a structure that fits on the stack; what SET refuses leaves
 * everything as it was. */
#define RVM_GET_IOCTL(name, type, get)						\
static noinline long rvm_vcpu_get_##name(struct rvm_vcpu *v, void __user *argp)	\
{										\
	type x;									\
										\
	get(v, &x);								\
	return copy_to_user(argp, &x, sizeof(x)) ? -EFAULT : 0;			\
}

#define RVM_SET_IOCTL(name, type, set)						\
static noinline long rvm_vcpu_set_##name(struct rvm_vcpu *v, void __user *argp)	\
{										\
	type x;									\
										\
	if (copy_from_user(&x, argp, sizeof(x)))				\
		return -EFAULT;							\
	return set(v, &x);							\
}

static long rvm_set_regs_ok(struct rvm_vcpu *v, const struct kvm_regs *r)
{
	rvm_set_regs(v, r);
	if (v->vm->mode->client_set)
		v->vm->mode->client_set(v);
	return 0;
}

RVM_GET_IOCTL(regs, struct kvm_regs, rvm_get_regs)
RVM_SET_IOCTL(regs, struct kvm_regs, rvm_set_regs_ok)
RVM_GET_IOCTL(sregs, struct kvm_sregs, rvm_get_sregs)
RVM_SET_IOCTL(sregs, struct kvm_sregs, rvm_set_sregs)
RVM_GET_IOCTL(fpu, struct kvm_fpu, rvm_get_fpu)
RVM_SET_IOCTL(fpu, struct kvm_fpu, rvm_set_fpu)
RVM_GET_IOCTL(xcrs, struct kvm_xcrs, rvm_get_xcrs)
RVM_SET_IOCTL(xcrs, struct kvm_xcrs, rvm_set_xcrs)
RVM_GET_IOCTL(debugregs, struct kvm_debugregs, rvm_get_debugregs)
RVM_SET_IOCTL(debugregs, struct kvm_debugregs, rvm_set_debugregs)
RVM_GET_IOCTL(events, struct kvm_vcpu_events, rvm_get_events)
RVM_SET_IOCTL(events, struct kvm_vcpu_events, rvm_set_events)
RVM_SET_IOCTL(mce, struct kvm_x86_mce, rvm_set_mce)

/*
 * KVM_GET_SREGS2, KVM_SET_SREGS2 (§4.132, §4.133): as SREGS, with the PAE
 * page-directory pointers in place of the interrupt bitmap.  Under nested paging
 * the CPU reads those as it walks: none are given, and given ones are taken for
 * what memory holds already.
 */
#define RVM_SREGS_COMMON	offsetof(struct kvm_sregs, interrupt_bitmap)

static noinline long rvm_vcpu_get_sregs2(struct rvm_vcpu *v, void __user *argp)
{
	struct kvm_sregs2 s2 = {};
	struct kvm_sregs s;

	BUILD_BUG_ON(RVM_SREGS_COMMON != offsetof(struct kvm_sregs2, flags));
	rvm_get_sregs(v, &s);
	memcpy(&s2, &s, RVM_SREGS_COMMON);
	if (v->cpu.pdptes_kept && rvm_is_paging(&v->cpu) && !rvm_is_long(&v->cpu) &&
	    (v->cpu.cr4 & RVM_CR4_PAE)) {
		s2.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
		memcpy(s2.pdptrs, v->cpu.pdpte, sizeof(s2.pdptrs));
	}
	return copy_to_user(argp, &s2, sizeof(s2)) ? -EFAULT : 0;
}

static noinline long rvm_vcpu_set_sregs2(struct rvm_vcpu *v, void __user *argp)
{
	struct kvm_sregs2 s2;
	struct kvm_sregs s = {};
	long err;

	if (copy_from_user(&s2, argp, sizeof(s2)))
		return -EFAULT;
	if (s2.flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if ((s2.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) &&
	    (!(s2.cr0 & RVM_CR0_PG) || !(s2.cr4 & RVM_CR4_PAE) || (s2.efer & RVM_EFER_LMA)))
		return -EINVAL;
	memcpy(&s, &s2, RVM_SREGS_COMMON);
	err = rvm_set_sregs(v, &s);
	if (!err && rvm_keeps_pdptes(v) && (s2.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)) {
		memcpy(v->cpu.pdpte, s2.pdptrs, sizeof(s2.pdptrs));
		v->cpu.pdptes_kept = true;
	}
	return err;
}

static long rvm_vcpu_get_xsave(struct rvm_vcpu *v, void __user *argp)
{
	struct kvm_xsave *x;
	long err;

	if (!rvm_host_xcr0)
		return -EINVAL;
	x = kzalloc(sizeof(*x), GFP_KERNEL_ACCOUNT);
	if (!x)
		return -ENOMEM;
	rvm_get_xsave(v, x);
	err = copy_to_user(argp, x, sizeof(*x)) ? -EFAULT : 0;
	kfree(x);
	return err;
}

static long rvm_vcpu_set_xsave(struct rvm_vcpu *v, const void __user *argp)
{
	struct kvm_xsave *x;
	long err;

	if (!rvm_host_xcr0)
		return -EINVAL;
	x = memdup_user(argp, sizeof(*x));
	if (IS_ERR(x))
		return PTR_ERR(x);
	err = rvm_set_xsave(v, x);
	kfree(x);
	return err;
}

/* KVM_GET_MSRS, KVM_SET_MSRS (§4.18, §4.19): the number of entries done. */
static long rvm_vcpu_msrs(struct rvm_vcpu *v, struct kvm_msrs __user *user, bool set)
{
	struct kvm_msr_entry *e;
	struct kvm_msrs head;
	size_t size;
	long ret;
	u32 i;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= RVM_MAX_MSRS)
		return -E2BIG;
	size = array_size(head.nmsrs, sizeof(*e));
	e = vmemdup_user(user->entries, size);
	if (IS_ERR(e))
		return PTR_ERR(e);
	for (i = 0; i < head.nmsrs; i++) {
		if (set ? rvm_set_msr(v, e[i].index, e[i].data, true) :
			  rvm_get_msr(v, e[i].index, &e[i].data, true))
			break;
	}
	ret = i;
	if (!set && copy_to_user(user->entries, e, size))
		ret = -EFAULT;
	kvfree(e);
	return ret;
}

/* KVM_SET_CPUID2 (§4.20) */
static long rvm_vcpu_set_cpuid2(struct rvm_vcpu *v, const struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *e = NULL;
	struct kvm_cpuid2 head;
	long err;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > RVM_MAX_CPUID)
		return -E2BIG;
	if (head.nent) {
		e = kvmalloc_array(head.nent, sizeof(*e), GFP_KERNEL_ACCOUNT);
		if (!e)
			return -ENOMEM;
		if (copy_from_user(e, user->entries, array_size(head.nent, sizeof(*e)))) {
			kvfree(e);
			return -EFAULT;
		}
	}
	err = rvm_set_cpuid(v, e, head.nent);
	if (err)
		kvfree(e);
	return err;
}

/* KVM_GET_CPUID2 */
static long rvm_vcpu_get_cpuid2(struct rvm_vcpu *v, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid2 head;
	u32 room;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	room = head.nent;
	head.nent = v->nr_cpuid;
	if (copy_to_user(user, &head, sizeof(head)))
		return -EFAULT;
	if (room < v->nr_cpuid)
		return -E2BIG;
	if (v->nr_cpuid && copy_to_user(user->entries, v->cpuid,
					array_size(v->nr_cpuid, sizeof(*v->cpuid))))
		return -EFAULT;
	return 0;
}

/* KVM_SET_SIGNAL_MASK (§4.21): the signals blocked while KVM_RUN lasts; a null
 * pointer takes it back. */
static long rvm_vcpu_set_sigmask(struct rvm_vcpu *v, const struct kvm_signal_mask __user *user)
{
	struct kvm_signal_mask head;
	sigset_t set;

	if (!user) {
		v->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	/* 32 and 64-bit clients lay it out alike: little endian, 64 signals */
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user->sigset, sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	v->sigset = set;
	v->sigset_active = true;
	return 0;
}

/* KVM_INTERRUPT (§4.16): the client's interrupt controller was acknowledged; with split
 * chips that is its PIC. */
static long rvm_vcpu_interrupt(struct rvm_vcpu *v, const void __user *argp)
{
	struct kvm_interrupt irq;

	if (copy_from_user(&irq, argp, sizeof(irq)))
		return -EFAULT;
	if (irq.irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	if (rvm_chips(v->vm) == RVM_CHIPS_ALL)
		return -ENXIO;
	if (v->ev.irq.pending || v->ev.irq.injected)
		return -EEXIST;
	v->ev.irq.nr = irq.irq;
	v->ev.irq.soft = false;
	v->ev.irq.pending = true;
	return 0;
}

/* KVM_NMI (§4.64): one in service and one waiting is all that a CPU keeps. */
static long rvm_vcpu_nmi(struct rvm_vcpu *v)
{
	int limit = v->ev.nmi.masked || v->ev.nmi.injected ? 1 : 2;

	/* No client but this thread adds; the run loop only takes away.  Those of other
	 * vCPUs are in v->nmis until then. */
	if (atomic_read(&v->ev.nmi.pending) < limit)
		atomic_inc(&v->ev.nmi.pending);
	return 0;
}

static long rvm_vcpu_get_reason(struct rvm_vcpu *v, void __user *argp)
{
	struct ringvm_reason r = {};

	if (v->reason)
		strscpy(r.text, v->reason, sizeof(r.text));
	return copy_to_user(argp, &r, sizeof(r)) ? -EFAULT : 0;
}

/* KVM_GET_MP_STATE, KVM_SET_MP_STATE (§4.38, §4.39): with the local APICs in
 * the client a vCPU is always runnable; HLT is an exit. */
static long rvm_vcpu_get_mp_state(struct rvm_vcpu *v, void __user *argp)
{
	struct kvm_mp_state mp = {};

	/* What has come is done: no other call could show it. */
	if (v->lapic)
		rvm_lapic_events(v);
	mp.mp_state = v->mp_state;
	return copy_to_user(argp, &mp, sizeof(mp)) ? -EFAULT : 0;
}

static long rvm_vcpu_set_mp_state(struct rvm_vcpu *v, const void __user *argp)
{
	struct kvm_mp_state mp;

	if (copy_from_user(&mp, argp, sizeof(mp)))
		return -EFAULT;
	switch (mp.mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!v->lapic)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (v->lapic)
		rvm_lapic_set_mp_state(v, mp.mp_state);
	else
		v->mp_state = mp.mp_state;
	return 0;
}

static noinline long rvm_vcpu_lapic(struct rvm_vcpu *v, void __user *argp, bool set)
{
	struct kvm_lapic_state *s;
	long err;

	if (!v->lapic)
		return -EINVAL;
	s = set ? memdup_user(argp, sizeof(*s)) : kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (IS_ERR_OR_NULL(s))
		return s ? PTR_ERR(s) : -ENOMEM;
	err = set ? rvm_set_lapic(v, s) : rvm_get_lapic(v, s);
	if (!err && !set && copy_to_user(argp, s, sizeof(*s)))
		err = -EFAULT;
	kfree(s);
	return err;
}

/* KVM_SET_TSC_KHZ (§4.55): the guest's TSC runs at the host's rate. */
static long rvm_vcpu_set_tsc_khz(unsigned long khz)
{
	return !khz || khz == tsc_khz ? 0 : -EINVAL;
}

/* KVM_TPR_ACCESS_REPORTING (§4.50): for a local APIC in the kernel */
static long rvm_vcpu_tpr_access(struct rvm_vcpu *v, void __user *argp)
{
	struct kvm_tpr_access_ctl ctl;

	if (copy_from_user(&ctl, argp, sizeof(ctl)))
		return -EFAULT;
	if (!v->lapic || ctl.flags)
		return -EINVAL;
	v->lapic->tpr_report = ctl.enabled;
	return copy_to_user(argp, &ctl, sizeof(ctl)) ? -EFAULT : 0;
}

static long rvm_vcpu_set_vapic(struct rvm_vcpu *v, const void __user *argp)
{
	struct kvm_vapic_addr a;

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	return rvm_set_vapic(v, a.vapic_addr);
}

/* KVM_ENABLE_CAP (§4.37): nothing here is off until it is enabled. */
static long rvm_vcpu_enable_cap(const void __user *argp)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, argp, sizeof(cap)))
		return -EFAULT;
	return -EINVAL;
}

static long rvm_vcpu_setup_mce(struct rvm_vcpu *v, const void __user *argp)
{
	u64 cap;

	if (copy_from_user(&cap, argp, sizeof(cap)))
		return -EFAULT;
	return rvm_setup_mce(v, cap);
}

/* v->lock held, vCPU loaded. */
static long rvm_vcpu_do_ioctl(struct rvm_vcpu *v, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : rvm_vcpu_run(v);
	case KVM_GET_REGS:
		return rvm_vcpu_get_regs(v, argp);
	case KVM_SET_REGS:
		return rvm_vcpu_set_regs(v, argp);
	case KVM_GET_SREGS:
		return rvm_vcpu_get_sregs(v, argp);
	case KVM_SET_SREGS:
		return rvm_vcpu_set_sregs(v, argp);
	case KVM_GET_SREGS2:
		return rvm_vcpu_get_sregs2(v, argp);
	case KVM_SET_SREGS2:
		return rvm_vcpu_set_sregs2(v, argp);
	case KVM_GET_FPU:
		return rvm_vcpu_get_fpu(v, argp);
	case KVM_SET_FPU:
		return rvm_vcpu_set_fpu(v, argp);
	case KVM_GET_XSAVE:
	case KVM_GET_XSAVE2:
		return rvm_vcpu_get_xsave(v, argp);
	case KVM_SET_XSAVE:
		return rvm_vcpu_set_xsave(v, argp);
	case KVM_GET_XCRS:
		return rvm_host_xcr0 ? rvm_vcpu_get_xcrs(v, argp) : -EINVAL;
	case KVM_SET_XCRS:
		return rvm_host_xcr0 ? rvm_vcpu_set_xcrs(v, argp) : -EINVAL;
	case KVM_GET_DEBUGREGS:
		return rvm_vcpu_get_debugregs(v, argp);
	case KVM_SET_DEBUGREGS:
		return rvm_vcpu_set_debugregs(v, argp);
	case KVM_GET_VCPU_EVENTS:
		return rvm_vcpu_get_events(v, argp);
	case KVM_SET_VCPU_EVENTS:
		return rvm_vcpu_set_events(v, argp);
	case KVM_GET_MSRS:
		return rvm_vcpu_msrs(v, argp, false);
	case KVM_SET_MSRS:
		return rvm_vcpu_msrs(v, argp, true);
	case KVM_GET_CPUID2:
		return rvm_vcpu_get_cpuid2(v, argp);
	case KVM_SET_CPUID2:
		return rvm_vcpu_set_cpuid2(v, argp);
	case KVM_GET_MP_STATE:
		return rvm_vcpu_get_mp_state(v, argp);
	case KVM_SET_MP_STATE:
		return rvm_vcpu_set_mp_state(v, argp);
	case KVM_SET_SIGNAL_MASK:
		return rvm_vcpu_set_sigmask(v, argp);
	case KVM_INTERRUPT:
		return rvm_vcpu_interrupt(v, argp);
	case KVM_NMI:
		return rvm_vcpu_nmi(v);
	case RINGVM_GET_REASON:
		return rvm_vcpu_get_reason(v, argp);
	case KVM_GET_TSC_KHZ:
		return tsc_khz;
	case KVM_SET_TSC_KHZ:
		return rvm_vcpu_set_tsc_khz(arg);
	case KVM_X86_SETUP_MCE:
		return rvm_vcpu_setup_mce(v, argp);
	case KVM_X86_SET_MCE:
		return rvm_vcpu_set_mce(v, argp);
	case KVM_ENABLE_CAP:
		return rvm_vcpu_enable_cap(argp);
	case KVM_TPR_ACCESS_REPORTING:
		return rvm_vcpu_tpr_access(v, argp);
	case KVM_GET_LAPIC:
		return rvm_vcpu_lapic(v, argp, false);
	case KVM_SET_LAPIC:
		return rvm_vcpu_lapic(v, argp, true);
	case KVM_SET_VAPIC_ADDR:
		return rvm_vcpu_set_vapic(v, argp);
	default:
		return -ENOTTY;
	}
}

static long rvm_vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct rvm_vcpu *v = file->private_data;
	long ret;

	if (v->vm->mm != current->mm)
		return -EIO;
	/* Counters can be had while the vCPU runs. */
	if (cmd == KVM_GET_STATS_FD)
		return rvm_vcpu_stats_fd(v);

	if (mutex_lock_killable(&v->lock))
		return -EINTR;
	rvm_vcpu_load(v);
	ret = rvm_vcpu_do_ioctl(v, cmd, arg);
	rvm_vcpu_put(v);
	mutex_unlock(&v->lock);
	return ret;
}

/* ---- the shared page ------------------------------------------------------------ */

static vm_fault_t rvm_run_fault(struct vm_fault *vmf)
{
	struct rvm_vcpu *v = vmf->vma->vm_file->private_data;
	struct page *page;

	/* mremap() may have grown the mapping. */
	if (vmf->pgoff >= RVM_MMAP_PAGES)
		return VM_FAULT_SIGBUS;
	BUILD_BUG_ON(RVM_RING_PAGE != RVM_RUN_PAGES);
	page = vmf->pgoff == RVM_RING_PAGE ? virt_to_page(v->vm->irq->ring) :
		virt_to_page((char *)v->run + (vmf->pgoff << PAGE_SHIFT));
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct rvm_run_vm_ops = {
	.fault = rvm_run_fault,
};

/* struct kvm_run, the port I/O data, and the ring of coalesced writes (KVM API §5). */
static int rvm_vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned long n = vma_pages(vma);

	if (vma->vm_pgoff >= RVM_MMAP_PAGES || n > RVM_MMAP_PAGES - vma->vm_pgoff)
		return -EINVAL;
	vma->vm_ops = &rvm_run_vm_ops;
	return 0;
}

/* ---- life ----------------------------------------------------------------------- */

static int rvm_vcpu_release(struct inode *inode, struct file *file)
{
	struct rvm_vcpu *v = file->private_data;

	rvm_vm_put(v->vm);
	return 0;
}

static const struct file_operations rvm_vcpu_fops = {
	.owner = THIS_MODULE,
	.release = rvm_vcpu_release,
	.unlocked_ioctl = rvm_vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = rvm_vcpu_mmap,
	.llseek = noop_llseek,
};

/* When nobody can reach it any more: from rvm_vm_destroy(), or not yet. */
void rvm_vcpu_destroy(struct rvm_vcpu *v)
{
	rvm_lapic_destroy(v);
	rvm_shadow_vcpu_destroy(v);
	v->vm->mode->vcpu_destroy(v);
	rvm_soft_free(v);
	rvm_fpu_free(v);
	kvfree(v->cpuid);
	free_pages_exact(v->run, RVM_RUN_PAGES * PAGE_SIZE);
	kfree(v);
}

static struct rvm_vcpu *rvm_vcpu_alloc(struct rvm_vm *vm, u32 id)
{
	struct rvm_vcpu *v;
	int err = -ENOMEM;

	v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);
	if (!v)
		return ERR_PTR(-ENOMEM);
	v->vm = vm;
	v->id = id;
	v->index = vm->nr_vcpus;
	mutex_init(&v->lock);
	rcuwait_init(&v->wait);
	rvm_shadow_vcpu_init(v);
	/* Pages of their own, that a mapping can hold one by one. */
	v->run = alloc_pages_exact(RVM_RUN_PAGES * PAGE_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!v->run)
		goto out_free;
	err = rvm_fpu_init(v);
	if (err)
		goto out_run;

	rvm_run_init(v);
	rvm_cpuid_update(v);
	err = rvm_lapic_create(v);
	if (err)
		goto out_fpu;
	rvm_vcpu_reset(v);
	err = vm->mode->vcpu_init(v);
	if (err)
		goto out_lapic;
	rvm_msr_init(v);
	return v;

out_lapic:
	rvm_lapic_destroy(v);
out_fpu:
	rvm_fpu_free(v);
out_run:
	free_pages_exact(v->run, RVM_RUN_PAGES * PAGE_SIZE);
out_free:
	kfree(v);
	return ERR_PTR(err);
}

static bool rvm_vcpu_id_taken(struct rvm_vm *vm, u32 id)
{
	struct rvm_vcpu *v;
	unsigned long i;

	rvm_for_each_vcpu(vm, i, v)
		if (v->id == id)
			return true;
	return false;
}

/* vm->lock held.  The new descriptor is installed last, when all is made. */
static int rvm_vcpu_create_locked(struct rvm_vm *vm, u32 id)
{
	struct rvm_vcpu *v;
	struct file *file;
	char name[24];
	int fd, err;

	if (vm->nr_vcpus >= RVM_MAX_VCPUS)
		return -EINVAL;
	if (rvm_vcpu_id_taken(vm, id))
		return -EEXIST;

	v = rvm_vcpu_alloc(vm, id);
	if (IS_ERR(v))
		return PTR_ERR(v);
	err = xa_reserve(&vm->vcpus, v->index, GFP_KERNEL_ACCOUNT);
	if (err)
		goto out_vcpu;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto out_reserve;
	}
	snprintf(name, sizeof(name), "ringvm-vcpu:%u", id);
	file = anon_inode_getfile(name, &rvm_vcpu_fops, v, O_RDWR);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto out_fd;
	}

	rvm_vm_get(vm);			/* the file's */
	xa_store(&vm->vcpus, v->index, v, GFP_KERNEL_ACCOUNT);	/* reserved: cannot fail */
	/* pairs with readers that walk by number */
	smp_store_release(&vm->nr_vcpus, vm->nr_vcpus + 1);
	rvm_irq_add(v);
	rvm_vcpu_debugfs(v);
	fd_install(fd, file);
	return fd;

out_fd:
	put_unused_fd(fd);
out_reserve:
	xa_release(&vm->vcpus, v->index);
out_vcpu:
	rvm_vcpu_destroy(v);
	return err;
}

/**
 * rvm_vcpu_create - KVM_CREATE_VCPU (KVM API §4.7)
 * @vm: the VM
 * @id: the client's number for it, which is its local APIC's id too
 *
 * A new descriptor, or -EINVAL (number or count too high), -EEXIST, -ENOMEM,
 * -EMFILE, -EINTR.
 */
int rvm_vcpu_create(struct rvm_vm *vm, unsigned long id)
{
	int ret;

	if (id >= RVM_MAX_VCPUS)
		return -EINVAL;
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	ret = rvm_vcpu_create_locked(vm, id);
	mutex_unlock(&vm->lock);
	return ret;
}
