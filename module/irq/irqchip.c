// SPDX-License-Identifier: GPL-2.0
/*
 * The chips' creation, the client's view of them, and where the guest finds them:
 * ports and memory that are answered here.
 */
#include "irq.h"

#include <linux/uaccess.h>

#define RVM_X2APIC_API	(KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

/* ---- the guest's accesses ----------------------------------------------------- */

bool rvm_irq_mmio(struct rvm_vcpu *v, u64 gpa, void *data, u32 len, bool write)
{
	struct rvm_irq *irq = v->vm->irq;
	struct rvm_lapic *l = v->lapic;

	if (l && l->mode == RVM_APIC_X && !((gpa ^ v->cpu.apic_base) & ~(u64)(RVM_LAPIC_SIZE - 1))) {
		rvm_lapic_mmio(l, gpa & (RVM_LAPIC_SIZE - 1), data, len, write);
		return true;
	}
	if (rvm_chips(v->vm) == RVM_CHIPS_ALL &&
	    gpa - READ_ONCE(irq->ioapic.base) < RVM_IOAPIC_SIZE) {
		rvm_ioapic_mmio(irq, gpa & (RVM_IOAPIC_SIZE - 1), data, len, write);
		return true;
	}
	return write && (rvm_ioeventfd_write(irq, false, gpa, data, len) ||
			 rvm_coalesce(irq, false, gpa, data, len));
}

static bool pio_byte(struct rvm_irq *irq, u16 port, u8 *val, bool out)
{
	return rvm_pic_pio(irq, port, val, out) ||
		(irq->pit && rvm_pit_pio(irq, port, val, out));
}

bool rvm_irq_pio(struct rvm_vcpu *v, u16 port, void *data, u32 size, bool out)
{
	struct rvm_irq *irq = v->vm->irq;
	u8 *byte = data;
	u32 i;

	if (out && (rvm_ioeventfd_write(irq, true, port, data, size) ||
		    rvm_coalesce(irq, true, port, data, size)))
		return true;
	if (rvm_chips(v->vm) != RVM_CHIPS_ALL || !pio_byte(irq, port, byte, out))
		return false;
	/* The bus splits a wider access; beyond the chip nothing answers. */
	for (i = 1; i < size; i++)
		if (!pio_byte(irq, port + i, &byte[i], out) && !out)
			byte[i] = 0xff;
	return true;
}

/* ---- creation ------------------------------------------------------------------- */

int rvm_irq_init(struct rvm_vm *vm)
{
	struct rvm_irq *irq = kzalloc(sizeof(*irq), GFP_KERNEL_ACCOUNT);

	if (!irq)
		return -ENOMEM;
	if (rvm_coalesce_init(irq)) {
		kfree(irq);
		return -ENOMEM;
	}
	irq->vm = vm;
	mutex_init(&irq->mutex);
	raw_spin_lock_init(&irq->lock);
	spin_lock_init(&irq->irqfds_lock);
	INIT_LIST_HEAD(&irq->irqfds);
	vm->irq = irq;
	return 0;
}

/* Nothing comes in from outside after this. */
void rvm_irq_destroy(struct rvm_vm *vm)
{
	rvm_irqfds_release(vm->irq);
	rvm_pit_stop(vm->irq);
}

void rvm_irq_free(struct rvm_vm *vm)
{
	rvm_pit_free(vm->irq);
	rvm_routes_free(vm->irq);
	rvm_ioeventfds_free(vm->irq);
	rvm_coalesce_free(vm->irq);
	kfree(vm->irq);
}

/* vm->lock held; the vCPU is made, and has a local APIC or none. */
void rvm_irq_add(struct rvm_vcpu *v)
{
	struct rvm_irq *irq = v->vm->irq;

	if (!v->lapic)
		return;
	WRITE_ONCE(irq->lapics[v->id], v->lapic);
	/* pairs with rvm_irq_send() */
	smp_store_release(&irq->nr_ids, max(irq->nr_ids, v->id + 1));
}

/* -EEXIST, or @late if there is a vCPU already: it has no local APIC. */
static long rvm_irq_make(struct rvm_vm *vm, enum rvm_chips chips, u32 pins, long late)
{
	struct rvm_irq *irq = vm->irq;
	long err;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	mutex_lock(&irq->mutex);
	err = -EEXIST;
	if (irq->chips != RVM_CHIPS_NONE)
		goto out;
	err = late;
	if (vm->nr_vcpus)
		goto out;
	rvm_pic_reset(irq);
	rvm_ioapic_reset(irq);
	irq->split_pins = pins;
	WRITE_ONCE(irq->chips, chips);
	err = rvm_routes_default(irq);
	if (err)
		WRITE_ONCE(irq->chips, RVM_CHIPS_NONE);
out:
	mutex_unlock(&irq->mutex);
	mutex_unlock(&vm->lock);
	return err;
}

/* ---- ioctls ------------------------------------------------------------------------ */

/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP (KVM API §4.26, §4.27) */
static long rvm_irqchip(struct rvm_vm *vm, void __user *argp, bool set)
{
	struct rvm_irq *irq = vm->irq;
	struct kvm_irqchip *c;
	unsigned long flags;
	long err = 0;

	c = memdup_user(argp, sizeof(*c));
	if (IS_ERR(c))
		return PTR_ERR(c);
	if (rvm_chips(vm) != RVM_CHIPS_ALL) {
		kfree(c);
		return -ENXIO;
	}
	raw_spin_lock_irqsave(&irq->lock, flags);
	switch (c->chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		if (set)
			rvm_pic_put(irq, c->chip_id == KVM_IRQCHIP_PIC_SLAVE, &c->chip.pic);
		else
			rvm_pic_get(irq, c->chip_id == KVM_IRQCHIP_PIC_SLAVE, &c->chip.pic);
		break;
	case KVM_IRQCHIP_IOAPIC:
		if (set)
			rvm_ioapic_put(irq, &c->chip.ioapic);
		else
			rvm_ioapic_get(irq, &c->chip.ioapic);
		break;
	default:
		err = -EINVAL;
	}
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	if (!err && !set && copy_to_user(argp, c, sizeof(*c)))
		err = -EFAULT;
	kfree(c);
	return err;
}

/* KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS (§4.25) */
static long rvm_irq_line(struct rvm_vm *vm, struct kvm_irq_level __user *argp, bool status)
{
	struct kvm_irq_level l;

	if (copy_from_user(&l, argp, sizeof(l)))
		return -EFAULT;
	if (rvm_chips(vm) == RVM_CHIPS_NONE)
		return -ENXIO;
	l.status = rvm_set_gsi(vm->irq, l.irq, RVM_IRQ_CLIENT, l.level);
	return status && copy_to_user(argp, &l, sizeof(l)) ? -EFAULT : 0;
}

/* KVM_SIGNAL_MSI (§4.70): more than 0 if it was taken, 0 if not */
static long rvm_signal_msi(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_msi msi;

	if (copy_from_user(&msi, argp, sizeof(msi)))
		return -EFAULT;
	if (rvm_chips(vm) == RVM_CHIPS_NONE || msi.flags)
		return -EINVAL;
	if ((vm->irq->x2apic_flags & KVM_X2APIC_API_USE_32BIT_IDS) && (msi.address_hi & 0xff))
		return -EINVAL;
	return max(rvm_msi(vm->irq, msi.address_lo, msi.address_hi, msi.data), 0);
}

static long rvm_create_pit2(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_pit_config c;

	if (copy_from_user(&c, argp, sizeof(c)))
		return -EFAULT;
	return rvm_pit_create(vm, c.flags);
}

/* @size: of struct kvm_pit_state, or of the one with flags */
static long rvm_get_pit(struct rvm_vm *vm, void __user *argp, size_t size)
{
	struct rvm_pit *pit = smp_load_acquire(&vm->irq->pit);
	struct kvm_pit_state2 s;

	if (!pit)
		return -ENXIO;
	rvm_pit_get(pit, &s);
	return copy_to_user(argp, &s, size) ? -EFAULT : 0;
}

static long rvm_set_pit(struct rvm_vm *vm, const void __user *argp, size_t size)
{
	struct rvm_pit *pit = smp_load_acquire(&vm->irq->pit);
	struct kvm_pit_state2 s = {};

	BUILD_BUG_ON(offsetof(struct kvm_pit_state2, flags) != sizeof(struct kvm_pit_state));
	if (copy_from_user(&s, argp, size))
		return -EFAULT;
	return pit ? rvm_pit_put(pit, &s) : -ENXIO;
}

/* KVM_REINJECT_CONTROL: are ticks made up for that the guest was too late for? */
static long rvm_reinject_control(struct rvm_vm *vm, const void __user *argp)
{
	struct rvm_pit *pit = smp_load_acquire(&vm->irq->pit);
	struct kvm_reinject_control c;

	if (copy_from_user(&c, argp, sizeof(c)))
		return -EFAULT;
	if (!pit)
		return -ENXIO;
	rvm_pit_reinject(pit, c.pit_reinject);
	return 0;
}

/* KVM_SET_BOOT_CPU_ID (§4.41): before any vCPU */
static long rvm_set_boot_cpu(struct rvm_vm *vm, unsigned long id)
{
	long err = -EBUSY;

	if (id >= RVM_MAX_VCPUS)
		return -EINVAL;
	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	if (!vm->nr_vcpus) {
		vm->irq->bsp = id;
		err = 0;
	}
	mutex_unlock(&vm->lock);
	return err;
}

static long rvm_irqfd_ioctl(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_irqfd a;

	return copy_from_user(&a, argp, sizeof(a)) ? -EFAULT : rvm_irqfd(vm, &a);
}

static long rvm_ioeventfd_ioctl(struct rvm_vm *vm, const void __user *argp)
{
	struct kvm_ioeventfd a;

	return copy_from_user(&a, argp, sizeof(a)) ? -EFAULT : rvm_ioeventfd(vm, &a);
}

static long rvm_zone_ioctl(struct rvm_vm *vm, const void __user *argp, bool add)
{
	struct kvm_coalesced_mmio_zone z;

	return copy_from_user(&z, argp, sizeof(z)) ? -EFAULT : rvm_coalesce_zone(vm, &z, add);
}

long rvm_irq_ioctl(struct rvm_vm *vm, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case KVM_CREATE_IRQCHIP:
		return rvm_irq_make(vm, RVM_CHIPS_ALL, 0, -EINVAL);
	case KVM_GET_IRQCHIP:
		return rvm_irqchip(vm, argp, false);
	case KVM_SET_IRQCHIP:
		return rvm_irqchip(vm, argp, true);
	case KVM_IRQ_LINE:
		return rvm_irq_line(vm, argp, false);
	case KVM_IRQ_LINE_STATUS:
		return rvm_irq_line(vm, argp, true);
	case KVM_SET_GSI_ROUTING:
		return rvm_routes_set(vm, argp);
	case KVM_SIGNAL_MSI:
		return rvm_signal_msi(vm, argp);
	case KVM_CREATE_PIT:
		return rvm_pit_create(vm, KVM_PIT_SPEAKER_DUMMY);
	case KVM_CREATE_PIT2:
		return rvm_create_pit2(vm, argp);
	case KVM_GET_PIT:
		return rvm_get_pit(vm, argp, sizeof(struct kvm_pit_state));
	case KVM_SET_PIT:
		return rvm_set_pit(vm, argp, sizeof(struct kvm_pit_state));
	case KVM_GET_PIT2:
		return rvm_get_pit(vm, argp, sizeof(struct kvm_pit_state2));
	case KVM_SET_PIT2:
		return rvm_set_pit(vm, argp, sizeof(struct kvm_pit_state2));
	case KVM_REINJECT_CONTROL:
		return rvm_reinject_control(vm, argp);
	case KVM_SET_BOOT_CPU_ID:
		return rvm_set_boot_cpu(vm, arg);
	case KVM_IRQFD:
		return rvm_irqfd_ioctl(vm, argp);
	case KVM_IOEVENTFD:
		return rvm_ioeventfd_ioctl(vm, argp);
	case KVM_REGISTER_COALESCED_MMIO:
		return rvm_zone_ioctl(vm, argp, true);
	case KVM_UNREGISTER_COALESCED_MMIO:
		return rvm_zone_ioctl(vm, argp, false);
	default:
		return -ENOIOCTLCMD;
	}
}

/* KVM_ENABLE_CAP on a VM (§4.37): what is this room's; @cap->flags is 0. */
long rvm_irq_enable_cap(struct rvm_vm *vm, const struct kvm_enable_cap *cap)
{
	switch (cap->cap) {
	case KVM_CAP_SPLIT_IRQCHIP:
		if (cap->args[0] > RVM_MAX_IRQ_ROUTES)
			return -EINVAL;
		return rvm_irq_make(vm, RVM_CHIPS_SPLIT, cap->args[0], -EEXIST);
	case KVM_CAP_X2APIC_API:
		if (cap->args[0] & ~(u64)RVM_X2APIC_API)
			return -EINVAL;
		WRITE_ONCE(vm->irq->x2apic_flags, vm->irq->x2apic_flags | cap->args[0]);
		return 0;
	default:
		return -EINVAL;
	}
}

int rvm_irq_cap(long cap)
{
	switch (cap) {
	case KVM_CAP_IRQCHIP:
	case KVM_CAP_IRQ_INJECT_STATUS:
	case KVM_CAP_PIT2:
	case KVM_CAP_PIT_STATE2:
	case KVM_CAP_REINJECT_CONTROL:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_VAPIC:
	case KVM_CAP_TSC_DEADLINE_TIMER:
	case KVM_CAP_SET_BOOT_CPU_ID:
	case KVM_CAP_IRQFD:
	case KVM_CAP_IRQFD_RESAMPLE:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_IOEVENTFD_NO_LENGTH:
	case KVM_CAP_IOEVENTFD_ANY_LENGTH:
	case KVM_CAP_COALESCED_PIO:
	case KVM_CAP_SPLIT_IRQCHIP:
		return 1;
	case KVM_CAP_COALESCED_MMIO:
		return KVM_COALESCED_MMIO_PAGE_OFFSET;
	case KVM_CAP_X2APIC_API:
		return RVM_X2APIC_API;
	default:
		return 0;
	}
}
