// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload, the device nodes with the system ioctls (KVM API §4, "system
 * ioctl"), and the CPUs' virtualization hardware: enabled on all of them while
 * a VM of the mode exists, on none of them otherwise.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/syscore_ops.h>
#include <linux/uaccess.h>
#include <uapi/linux/ringvm.h>

#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* One line for each mode in the tree. */
static const struct rvm_mode *const rvm_modes[] = {
	&rvm_mode_svm,
	&rvm_mode_ring1,
	&rvm_mode_interp,
};

#define RVM_NR_MODES	ARRAY_SIZE(rvm_modes)

/* What became of each at load; written by init alone. */
static struct {
	bool tried;
	bool ok;
	char why[RINGVM_WHY_LEN];
} rvm_mode_state[RVM_NR_MODES];

/* A device node.  The last one is the best mode's second name. */
static struct rvm_node {
	struct miscdevice misc;
	const struct rvm_mode *mode;
	bool registered;
	char name[24];
	char why[RINGVM_WHY_LEN];
} rvm_nodes[RVM_NR_MODES + 1];

struct dentry *rvm_debugfs;

/* ---- the modes parameter ------------------------------------------------ */

static int rvm_modes_get(char *buf, const struct kernel_param *kp)
{
	int len = 0;
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++) {
		const char *name = rvm_modes[i]->name;

		/* The file appears before init ran. */
		if (!smp_load_acquire(&rvm_mode_state[i].tried))
			len += scnprintf(buf + len, PAGE_SIZE - len,
					 "%s: no: still being set up\n", name);
		else if (rvm_mode_state[i].ok)
			len += scnprintf(buf + len, PAGE_SIZE - len, "%s: ok\n", name);
		else
			len += scnprintf(buf + len, PAGE_SIZE - len, "%s: no: %s\n",
					 name, rvm_mode_state[i].why);
	}
	return len;
}

static const struct kernel_param_ops rvm_modes_ops = {
	.get = rvm_modes_get,
};
module_param_cb(modes, &rvm_modes_ops, NULL, 0444);
MODULE_PARM_DESC(modes, "Each mode: ok, or why it does not work here (read only)");

/* ---- hardware on and off ------------------------------------------------ */

/*
 * rvm_main_lock guards rvm_hw_users.  It nests inside cpus_read_lock(): the
 * hotplug callbacks run with that lock held for writing and take
 * rvm_main_lock, so whoever holds rvm_main_lock while it sends work to all
 * CPUs must already keep hotplug out.
 */
static DEFINE_MUTEX(rvm_main_lock);
static unsigned int rvm_hw_users[RVM_NR_MODES];
static int rvm_hp_state = -1;
static bool rvm_shutting_down;

/* Modes (by index) whose hardware is on, on this CPU; interrupts off. */
static DEFINE_PER_CPU(unsigned long, rvm_hw_on);
/* Modes whose hardware should be on here but could not be: after a resume. */
static DEFINE_PER_CPU(unsigned long, rvm_hw_lost);

static size_t rvm_mode_index(const struct rvm_mode *mode)
{
	size_t i;

	for (i = 0; i < RVM_NR_MODES - 1; i++)
		if (rvm_modes[i] == mode)
			break;
	return i;
}

/* Interrupts off. */
static int rvm_hw_enable_here(size_t i)
{
	unsigned long *on = this_cpu_ptr(&rvm_hw_on);
	int err = 0;

	if (*on & BIT(i))
		return 0;
	if (rvm_modes[i]->cpu_enable)
		err = rvm_modes[i]->cpu_enable();
	if (!err)
		*on |= BIT(i);
	return err;
}

/* Interrupts off. */
static void rvm_hw_disable_here(size_t i)
{
	unsigned long *on = this_cpu_ptr(&rvm_hw_on);

	this_cpu_and(rvm_hw_lost, ~BIT(i));
	if (!(*on & BIT(i)))
		return;
	*on &= ~BIT(i);
	if (rvm_modes[i]->cpu_disable)
		rvm_modes[i]->cpu_disable();
}

struct rvm_hw_call {
	size_t index;
	atomic_t err;
};

static void rvm_hw_enable_ipi(void *data)
{
	struct rvm_hw_call *call = data;
	int err = rvm_hw_enable_here(call->index);

	if (err)
		atomic_cmpxchg(&call->err, 0, err);
}

static void rvm_hw_disable_ipi(void *data)
{
	struct rvm_hw_call *call = data;

	rvm_hw_disable_here(call->index);
}

/**
 * rvm_hw_get - one more VM of @mode
 * @mode: a mode whose setup succeeded
 *
 * The first one turns the hardware on, on every CPU or on none.  May sleep.
 * 0, or the mode's error: -EBUSY if someone else holds the hardware.
 */
int rvm_hw_get(const struct rvm_mode *mode)
{
	struct rvm_hw_call call = { .index = rvm_mode_index(mode) };
	int err = 0;

	cpus_read_lock();
	mutex_lock(&rvm_main_lock);
	if (rvm_shutting_down) {
		err = -EIO;
	} else if (!rvm_hw_users[call.index]) {
		on_each_cpu(rvm_hw_enable_ipi, &call, 1);
		err = atomic_read(&call.err);
		if (err)
			on_each_cpu(rvm_hw_disable_ipi, &call, 1);
	}
	if (!err)
		rvm_hw_users[call.index]++;
	mutex_unlock(&rvm_main_lock);
	cpus_read_unlock();
	if (err == -EBUSY)
		pr_info_ratelimited("%s: the hardware is in use by another hypervisor module (see lsmod for kvm_amd, kvm_intel): end its VMs, or unload it\n",
				    mode->name);
	return err;
}

/**
 * rvm_hw_put - one VM of @mode less
 * @mode: as given to a successful rvm_hw_get()
 */
void rvm_hw_put(const struct rvm_mode *mode)
{
	struct rvm_hw_call call = { .index = rvm_mode_index(mode) };

	cpus_read_lock();
	mutex_lock(&rvm_main_lock);
	if (!--rvm_hw_users[call.index])
		on_each_cpu(rvm_hw_disable_ipi, &call, 1);
	mutex_unlock(&rvm_main_lock);
	cpus_read_unlock();
}

/**
 * rvm_hw_check - may this CPU enter a guest now?
 * @mode: the VM's mode
 *
 * Interrupts off, right before the entry.  The hardware goes away under a
 * running VM when its CPU is unplugged (the vCPU's thread is about to be moved)
 * and when the machine reboots.
 */
int rvm_hw_check(const struct rvm_mode *mode)
{
	unsigned long bit = BIT(rvm_mode_index(mode));

	if (likely(this_cpu_read(rvm_hw_on) & bit))
		return 0;
	if (READ_ONCE(rvm_shutting_down) || (this_cpu_read(rvm_hw_lost) & bit))
		return -EIO;
	return -EAGAIN;
}

/* A CPU comes online: it must not, if a running VM could not run on it. */
static int rvm_cpu_online(unsigned int cpu)
{
	unsigned long flags;
	int err = 0;
	size_t i;

	mutex_lock(&rvm_main_lock);
	local_irq_save(flags);
	for (i = 0; i < RVM_NR_MODES && !err; i++)
		if (rvm_hw_users[i])
			err = rvm_hw_enable_here(i);
	if (err)
		for (i = 0; i < RVM_NR_MODES; i++)
			rvm_hw_disable_here(i);
	local_irq_restore(flags);
	mutex_unlock(&rvm_main_lock);
	if (err)
		pr_err("CPU %u stays offline: its virtualization hardware is not to be had (%d) and VMs need it\n",
		       cpu, err);
	return err;
}

static int rvm_cpu_offline(unsigned int cpu)
{
	unsigned long flags;
	size_t i;

	mutex_lock(&rvm_main_lock);
	local_irq_save(flags);
	for (i = 0; i < RVM_NR_MODES; i++)
		rvm_hw_disable_here(i);
	local_irq_restore(flags);
	mutex_unlock(&rvm_main_lock);
	return 0;
}

/*
 * Suspend: every other CPU went through rvm_cpu_offline(); one is left, with
 * interrupts off, and nobody holds rvm_main_lock that could use it.
 */
static int rvm_suspend(void)
{
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++)
		rvm_hw_disable_here(i);
	return 0;
}

static void rvm_resume(void)
{
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++) {
		if (!rvm_hw_users[i] || !rvm_hw_enable_here(i))
			continue;
		this_cpu_or(rvm_hw_lost, BIT(i));
		pr_err("%s: the hardware is not to be had after resume: its VMs cannot run on CPU %d\n",
		       rvm_modes[i]->name, smp_processor_id());
	}
}

static struct syscore_ops rvm_syscore_ops = {
	.suspend = rvm_suspend,
	.resume = rvm_resume,
};

/* Some firmware hangs when it gets a CPU with virtualization on. */
static int rvm_reboot(struct notifier_block *nb, unsigned long code, void *unused)
{
	struct rvm_hw_call call = {};

	cpus_read_lock();
	mutex_lock(&rvm_main_lock);
	WRITE_ONCE(rvm_shutting_down, true);
	for (call.index = 0; call.index < RVM_NR_MODES; call.index++)
		if (rvm_hw_users[call.index])
			on_each_cpu(rvm_hw_disable_ipi, &call, 1);
	mutex_unlock(&rvm_main_lock);
	cpus_read_unlock();
	return NOTIFY_OK;
}

static struct notifier_block rvm_reboot_nb = {
	.notifier_call = rvm_reboot,
};

/* ---- system ioctls ------------------------------------------------------ */

/* KVM_GET_SUPPORTED_CPUID (KVM API §4.46), KVM_GET_EMULATED_CPUID (§4.88) */
static long rvm_dev_get_cpuid(const struct rvm_mode *mode, struct kvm_cpuid2 __user *user,
			      int (*get)(const struct rvm_mode *, struct kvm_cpuid_entry2 *,
					 u32, u32 *))
{
	struct kvm_cpuid_entry2 *e;
	struct kvm_cpuid2 head;
	u32 n = 0;
	long err;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > RVM_MAX_CPUID)
		head.nent = RVM_MAX_CPUID;

	e = kvcalloc(max(head.nent, 1u), sizeof(*e), GFP_KERNEL);
	if (!e)
		return -ENOMEM;
	err = get(mode, e, head.nent, &n);
	if (err)
		goto out;
	head.nent = n;
	head.padding = 0;
	if (copy_to_user(user, &head, sizeof(head)) ||
	    copy_to_user(user->entries, e, array_size(n, sizeof(*e))))
		err = -EFAULT;
out:
	kvfree(e);
	return err;
}

/* KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST (KVM API §4.3) */
static long rvm_dev_get_msr_list(struct kvm_msr_list __user *user, const u32 *list, u32 n)
{
	u32 room;

	if (get_user(room, &user->nmsrs) || put_user(n, &user->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	if (copy_to_user(user->indices, list, array_size(n, sizeof(*list))))
		return -EFAULT;
	return 0;
}

/* KVM_GET_MSRS on the system fd: the feature MSRs' values (KVM API §4.18) */
static long rvm_dev_get_msrs(struct kvm_msrs __user *user)
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
	for (i = 0; i < head.nmsrs; i++)
		if (rvm_get_msr_feature(e[i].index, &e[i].data))
			break;
	ret = copy_to_user(user->entries, e, size) ? -EFAULT : i;
	kvfree(e);
	return ret;
}

static long rvm_dev_get_info(const struct rvm_node *node, void __user *user)
{
	struct ringvm_info info = { .mode = node->mode->id };

	strscpy(info.name, node->mode->name, sizeof(info.name));
	strscpy(info.why, node->why, sizeof(info.why));
	return copy_to_user(user, &info, sizeof(info)) ? -EFAULT : 0;
}

static long rvm_dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct rvm_node *node = file->private_data;
	void __user *argp = (void __user *)arg;
	u64 mce_cap = RVM_MCG_CAP_SUPPORTED;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return arg ? -EINVAL : KVM_API_VERSION;
	case KVM_CREATE_VM:
		return rvm_vm_create(node->mode, arg);
	case KVM_CHECK_EXTENSION:
		return rvm_check_extension(node->mode, arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return arg ? -EINVAL : RVM_MMAP_PAGES * PAGE_SIZE;
	case KVM_GET_MSR_INDEX_LIST:
		return rvm_dev_get_msr_list(argp, rvm_msr_list, rvm_nr_msr_list);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return rvm_dev_get_msr_list(argp, rvm_msr_feature_list,
					    rvm_nr_msr_feature_list);
	case KVM_GET_MSRS:
		return rvm_dev_get_msrs(argp);
	case KVM_GET_SUPPORTED_CPUID:
		return rvm_dev_get_cpuid(node->mode, argp, rvm_supported_cpuid);
	case KVM_GET_EMULATED_CPUID:
		return rvm_dev_get_cpuid(node->mode, argp, rvm_emulated_cpuid);
	case KVM_X86_GET_MCE_CAP_SUPPORTED:
		return copy_to_user(argp, &mce_cap, sizeof(mce_cap)) ? -EFAULT : 0;
	case RINGVM_GET_INFO:
		return rvm_dev_get_info(node, argp);
	default:
		return -ENOTTY;
	}
}

static int rvm_dev_open(struct inode *inode, struct file *file)
{
	/* misc_open() left its miscdevice here */
	file->private_data = container_of(file->private_data, struct rvm_node, misc);
	return 0;
}

static const struct file_operations rvm_dev_fops = {
	.owner = THIS_MODULE,
	.open = rvm_dev_open,
	.unlocked_ioctl = rvm_dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

/* ---- load and unload ---------------------------------------------------- */

/*
 * A node that cannot be registered is reported and missing; the load goes on,
 * for once one node is there a client may already have it open.
 */
static void __init rvm_add_node(struct rvm_node *node, const struct rvm_mode *mode)
{
	int err;

	node->mode = mode;
	node->misc.minor = MISC_DYNAMIC_MINOR;
	node->misc.name = node->name;
	node->misc.mode = 0600;
	node->misc.fops = &rvm_dev_fops;
	err = misc_register(&node->misc);
	if (err)
		pr_err("/dev/%s cannot be registered (%d)\n", node->name, err);
	else
		node->registered = true;
}

static void rvm_remove_nodes(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rvm_nodes); i++)
		if (rvm_nodes[i].registered)
			misc_deregister(&rvm_nodes[i].misc);
}

/* Nodes for what works; the best mode's second name last. */
static void __init rvm_add_nodes(void)
{
	const struct rvm_mode *best = NULL;
	struct rvm_node *node;
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++) {
		const struct rvm_mode *mode = rvm_modes[i];

		if (!rvm_mode_state[i].ok)
			continue;
		node = &rvm_nodes[i];
		snprintf(node->name, sizeof(node->name), "ringvm-%s", mode->name);
		snprintf(node->why, sizeof(node->why), "%s was asked for by name", mode->name);
		rvm_add_node(node, mode);
		if (!best || mode->rank > best->rank)
			best = mode;
	}
	if (!best)
		return;

	node = &rvm_nodes[RVM_NR_MODES];
	strscpy(node->name, "ringvm", sizeof(node->name));
	snprintf(node->why, sizeof(node->why), "%s is the best mode that works here",
		 best->name);
	rvm_add_node(node, best);
}

static void rvm_teardown_modes(void)
{
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++) {
		if (rvm_mode_state[i].ok && rvm_modes[i]->teardown)
			rvm_modes[i]->teardown();
		rvm_mode_state[i].ok = false;
	}
}

static void __init rvm_setup_modes(void)
{
	size_t i;

	for (i = 0; i < RVM_NR_MODES; i++) {
		const struct rvm_mode *mode = rvm_modes[i];
		char *why = rvm_mode_state[i].why;
		int err = mode->setup(why, RINGVM_WHY_LEN);

		if (err && !why[0])
			snprintf(why, RINGVM_WHY_LEN, "setup failed (%d)", err);
		rvm_mode_state[i].ok = !err;
		/* pairs with rvm_modes_get() */
		smp_store_release(&rvm_mode_state[i].tried, true);
		if (err)
			pr_info("%s: no: %s\n", mode->name, why);
		else
			pr_info("%s: ok\n", mode->name);
	}
}

static int __init rvm_init(void)
{
	int err;

	err = rvm_fpu_exec_setup();
	if (err)
		return err;
	err = rvm_irqfd_setup();
	if (err)
		goto out_fpu;
	rvm_fpu_setup();
	rvm_cpuid_setup();
	rvm_setup_modes();

	rvm_debugfs = debugfs_create_dir(KBUILD_MODNAME, NULL);

	err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "virt/ringvm:online",
					rvm_cpu_online, rvm_cpu_offline);
	if (err < 0)
		goto out_modes;
	rvm_hp_state = err;
	register_syscore_ops(&rvm_syscore_ops);
	err = register_reboot_notifier(&rvm_reboot_nb);
	if (err)
		goto out_syscore;

	/*
	 * The scheduler calls vCPUs' preempt notifiers (run.c).  On for as long as
	 * the module is there, not for each VM: it patches the scheduler's code.
	 */
	preempt_notifier_inc();

	/* last: from here on there may be VMs, and nothing may fail */
	rvm_add_nodes();
	return 0;

out_syscore:
	unregister_syscore_ops(&rvm_syscore_ops);
	cpuhp_remove_state_nocalls(rvm_hp_state);
out_modes:
	debugfs_remove(rvm_debugfs);
	rvm_teardown_modes();
	rvm_irqfd_teardown();
out_fpu:
	rvm_fpu_exec_teardown();
	return err;
}

static void __exit rvm_exit(void)
{
	/* Every fd holds the module, so there is no VM left. */
	rvm_remove_nodes();
	preempt_notifier_dec();
	unregister_reboot_notifier(&rvm_reboot_nb);
	unregister_syscore_ops(&rvm_syscore_ops);
	cpuhp_remove_state_nocalls(rvm_hp_state);
	debugfs_remove(rvm_debugfs);
	rvm_teardown_modes();
	rvm_irqfd_teardown();
	rvm_fpu_exec_teardown();
}

module_init(rvm_init);
module_exit(rvm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Virtual machines in whichever CPU mode the machine offers, behind KVM's ABI");
