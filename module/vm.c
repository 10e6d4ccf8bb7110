// SPDX-License-Identifier: GPL-2.0
/*
 * The VM: its file descriptor, its ioctls (KVM API §4, "vm ioctl"), its life.
 *
 * A VM lives until the last of its descriptors (its own, the vCPUs', the
 * statistics') is closed, in whatever order.  Only the process that made it
 * may use it; that process may be gone by the time the descriptors are closed.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "mmu/mmu.h"

#define RVM_IDENTITY_MAP_DEFAULT	0xfffbc000ull
#define RVM_TSS_PAGES			3

/* ---- capabilities --------------------------------------------------------- */

/**
 * rvm_check_extension - KVM_CHECK_EXTENSION (KVM API §4.4)
 * @mode: the mode of the node or VM that is asked
 * @cap: KVM_CAP_*
 *
 * 0: no such thing here; else 1 or the capability's own value.
 */
int rvm_check_extension(const struct rvm_mode *mode, long cap)
{
	switch (cap) {
	case KVM_CAP_USER_MEMORY:
	case KVM_CAP_SET_TSS_ADDR:
	case KVM_CAP_SET_IDENTITY_MAP_ADDR:
	case KVM_CAP_EXT_CPUID:
	case KVM_CAP_EXT_EMUL_CPUID:
	case KVM_CAP_HLT:
	case KVM_CAP_NOP_IO_DELAY:
	case KVM_CAP_MP_STATE:
	case KVM_CAP_SYNC_MMU:
	case KVM_CAP_DESTROY_MEMORY_REGION_WORKS:
	case KVM_CAP_JOIN_MEMORY_REGIONS_WORKS:
	case KVM_CAP_READONLY_MEM:
	case KVM_CAP_USER_NMI:
	case KVM_CAP_VCPU_EVENTS:
	case KVM_CAP_DEBUGREGS:
	case KVM_CAP_SREGS2:
	case KVM_CAP_INTERNAL_ERROR_DATA:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_GET_TSC_KHZ:
	case KVM_CAP_GET_MSR_FEATURES:
	case KVM_CAP_BINARY_STATS_FD:
	case KVM_CAP_CHECK_EXTENSION_VM:
	case KVM_CAP_ENABLE_CAP_VM:
		return 1;
	case KVM_CAP_XSAVE:
	case KVM_CAP_XCRS:
		return rvm_host_xcr0 != 0;
	case KVM_CAP_XSAVE2:
		return rvm_host_xcr0 ? sizeof(struct kvm_xsave) : 0;
	case KVM_CAP_IRQ_ROUTING:
		/* QEMU insists on it even where it keeps the interrupt controllers
		 * itself and never makes a route. */
		return RVM_MAX_IRQ_ROUTES;
	case KVM_CAP_NR_VCPUS:
		return min_t(u32, num_online_cpus(), RVM_MAX_VCPUS);
	case KVM_CAP_MAX_VCPUS:
	case KVM_CAP_MAX_VCPU_ID:
		return RVM_MAX_VCPUS;
	case KVM_CAP_NR_MEMSLOTS:
		return RVM_MAX_SLOTS;
	case KVM_CAP_MCE:
		return RVM_MCE_BANKS;
	case KVM_CAP_ADJUST_CLOCK:
		return KVM_CLOCK_REALTIME;
	default:
		return rvm_irq_cap(cap);
	}
}

/* ---- ioctls ----------------------------------------------------------------- */

/* KVM_SET_TSS_ADDR (§4.36): three pages below 4 GiB, for modes that need a
 * task-state segment of their own in guest memory.  None does. */
static long rvm_vm_set_tss_addr(struct rvm_vm *vm, unsigned long addr)
{
	if (addr > (u32)(-RVM_TSS_PAGES * PAGE_SIZE))
		return -EINVAL;
	vm->tss_addr = addr;
	return 0;
}

/* KVM_SET_IDENTITY_MAP_ADDR (§4.41): likewise, before any vCPU; 0: the default. */
static long rvm_vm_set_identity_map(struct rvm_vm *vm, const void __user *argp)
{
	long err = -EINVAL;
	u64 addr;

	if (copy_from_user(&addr, argp, sizeof(addr)))
		return -EFAULT;
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	if (!vm->nr_vcpus) {
		vm->identity_map_addr = addr ? addr : RVM_IDENTITY_MAP_DEFAULT;
		err = 0;
	}
	mutex_unlock(&vm->lock);
	return err;
}

static long rvm_vm_set_memory(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_userspace_memory_region r;

	if (copy_from_user(&r, argp, sizeof(r)))
		return -EFAULT;
	return rvm_set_memory_region(vm, &r);
}

static long rvm_vm_get_dirty_log(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_dirty_log log;

	if (copy_from_user(&log, argp, sizeof(log)))
		return -EFAULT;
	return rvm_get_dirty_log(vm, &log);
}

/* KVM_ENABLE_CAP (§4.37) */
static long rvm_vm_enable_cap(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_enable_cap cap;

	if (copy_from_user(&cap, argp, sizeof(cap)))
		return -EFAULT;
	return cap.flags ? -EINVAL : rvm_irq_enable_cap(vm, &cap);
}

static long rvm_vm_get_clock(struct rvm_vm *vm, void __user *argp)
{
	struct kvm_clock_data d;

	rvm_get_clock(vm, &d);
	return copy_to_user(argp, &d, sizeof(d)) ? -EFAULT : 0;
}

static long rvm_vm_set_clock(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_clock_data d;

	if (copy_from_user(&d, argp, sizeof(d)))
		return -EFAULT;
	return rvm_set_clock(vm, &d);
}

static long rvm_vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct rvm_vm *vm = file->private_data;
	void __user *argp = (void __user *)arg;
	long ret;

	if (vm->mm != current->mm)
		return -EIO;

	switch (cmd) {
	case KVM_CHECK_EXTENSION:
		return rvm_check_extension(vm->mode, arg);
	case KVM_CREATE_VCPU:
		return rvm_vcpu_create(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return rvm_vm_set_memory(vm, argp);
	case KVM_GET_DIRTY_LOG:
		return rvm_vm_get_dirty_log(vm, argp);
	case KVM_SET_TSS_ADDR:
		return rvm_vm_set_tss_addr(vm, arg);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return rvm_vm_set_identity_map(vm, argp);
	case KVM_ENABLE_CAP:
		return rvm_vm_enable_cap(vm, argp);
	case KVM_GET_CLOCK:
		return rvm_vm_get_clock(vm, argp);
	case KVM_SET_CLOCK:
		return rvm_vm_set_clock(vm, argp);
	case KVM_GET_STATS_FD:
		return rvm_vm_stats_fd(vm);
	default:
		ret = rvm_irq_ioctl(vm, cmd, arg);
		return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
	}
}

#ifdef CONFIG_COMPAT
/* The one structure with a pointer in it: only half of that union is written
 * by a 32-bit client. */
struct rvm_compat_dirty_log {
	u32 slot;
	u32 padding1;
	compat_uptr_t dirty_bitmap;
	u32 padding2;
};

static long rvm_vm_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct rvm_vm *vm = file->private_data;
	struct rvm_compat_dirty_log c;
	struct kvm_dirty_log log = {};

	if (cmd != KVM_GET_DIRTY_LOG)
		return rvm_vm_ioctl(file, cmd, (unsigned long)compat_ptr(arg));
	if (vm->mm != current->mm)
		return -EIO;
	if (copy_from_user(&c, compat_ptr(arg), sizeof(c)))
		return -EFAULT;
	log.slot = c.slot;
	log.dirty_bitmap = compat_ptr(c.dirty_bitmap);
	return rvm_get_dirty_log(vm, &log);
}
#endif

/* ---- life ------------------------------------------------------------------- */

static int rvm_mmu_init(struct rvm_vm *vm)
{
	if (rvm_mode_shadow(vm->mode))
		return rvm_shadow_init(vm);
	return vm->mode->nested ? rvm_nested_init(vm) : 0;
}

static void rvm_mmu_destroy(struct rvm_vm *vm)
{
	rvm_nested_destroy(vm);
	rvm_shadow_destroy(vm);
}

static void rvm_vm_destroy(struct rvm_vm *vm)
{
	struct rvm_vcpu *v;
	unsigned long i;

	debugfs_remove(vm->debugfs);
	/* First what could still come in from outside: it kicks vCPUs. */
	rvm_notifier_destroy(vm);
	rvm_irq_destroy(vm);
	xa_for_each(&vm->vcpus, i, v)
		rvm_vcpu_destroy(v);
	xa_destroy(&vm->vcpus);
	rvm_irq_free(vm);
	if (vm->mode->vm_destroy)
		vm->mode->vm_destroy(vm);
	rvm_mmu_destroy(vm);
	rvm_slots_free(vm);
	rvm_hw_put(vm->mode);
	mmdrop(vm->mm);
	kfree(vm);
}

/* One user less; the last one ends the VM.  May sleep. */
void rvm_vm_put(struct rvm_vm *vm)
{
	if (refcount_dec_and_test(&vm->users))
		rvm_vm_destroy(vm);
}

static int rvm_vm_release(struct inode *inode, struct file *file)
{
	rvm_vm_put(file->private_data);
	return 0;
}

static const struct file_operations rvm_vm_fops = {
	.owner = THIS_MODULE,
	.release = rvm_vm_release,
	.unlocked_ioctl = rvm_vm_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = rvm_vm_compat_ioctl,
#endif
	.llseek = noop_llseek,
};

static struct rvm_vm *rvm_vm_alloc(const struct rvm_mode *mode)
{
	struct rvm_vm *vm;
	int err;

	vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);
	refcount_set(&vm->users, 1);
	vm->mode = mode;
	vm->creator = task_tgid_nr(current);
	mutex_init(&vm->lock);
	xa_init(&vm->vcpus);
	rwlock_init(&vm->mmu_lock);
	spin_lock_init(&vm->tsc_lock);
	vm->identity_map_addr = RVM_IDENTITY_MAP_DEFAULT;
	/* The structure alone, not what it maps: a VM must not keep its dead
	 * process's memory. */
	vm->mm = current->mm;
	mmgrab(vm->mm);
	rvm_clock_init(vm);

	err = rvm_irq_init(vm);
	if (err)
		goto out_mm;
	err = rvm_slots_init(vm);
	if (err)
		goto out_irq;
	err = rvm_hw_get(mode);
	if (err)
		goto out_slots;
	err = rvm_mmu_init(vm);
	if (err)
		goto out_hw;
	if (mode->vm_init) {
		err = mode->vm_init(vm);
		if (err)
			goto out_mmu;
	}
	err = rvm_notifier_init(vm);
	if (err)
		goto out_mode;
	return vm;

out_mode:
	if (mode->vm_destroy)
		mode->vm_destroy(vm);
out_mmu:
	rvm_mmu_destroy(vm);
out_hw:
	rvm_hw_put(mode);
out_slots:
	rvm_slots_free(vm);
out_irq:
	rvm_irq_free(vm);
out_mm:
	mmdrop(vm->mm);
	kfree(vm);
	return ERR_PTR(err);
}

/**
 * rvm_vm_create - KVM_CREATE_VM (KVM API §4.2)
 * @mode: what will run it
 * @type: machine type; only 0 exists on x86
 *
 * A new descriptor, or -EINVAL, -ENOMEM, -EMFILE, -EBUSY (somebody else has the
 * hardware).
 */
long rvm_vm_create(const struct rvm_mode *mode, unsigned long type)
{
	struct file *file;
	struct rvm_vm *vm;
	int fd;

	if (type)
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	vm = rvm_vm_alloc(mode);
	if (IS_ERR(vm)) {
		put_unused_fd(fd);
		return PTR_ERR(vm);
	}
	file = anon_inode_getfile("ringvm-vm", &rvm_vm_fops, vm, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		rvm_vm_put(vm);
		return PTR_ERR(file);
	}
	rvm_vm_debugfs(vm, fd);
	/* From here on another thread may close it. */
	fd_install(fd, file);
	return fd;
}
