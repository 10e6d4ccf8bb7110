// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced MMIO and port writes (KVM API, KVM_REGISTER_COALESCED_MMIO):
 * writes to a zone are put into a ring that the client reads when it comes by.
 *
 * The ring is a page that the client has mapped: what stands there is its word, and
 * checked.
 */
#include "irq.h"

#include <linux/gfp.h>

#define RVM_MAX_ZONES	1000

struct rvm_zone {
	u64 addr;
	u32 size;
	bool pio;
};

struct rvm_zones {
	struct rcu_head rcu;
	u32 n;
	struct rvm_zone entry[];
};

static bool zone_holds(const struct rvm_zone *z, bool pio, u64 addr, u32 len)
{
	return z->pio == pio && addr >= z->addr && len <= z->size &&
		addr - z->addr <= z->size - len;
}

static bool zones_hold(struct rvm_irq *irq, bool pio, u64 addr, u32 len)
{
	const struct rvm_zones *t;
	bool found = false;
	u32 i;

	rcu_read_lock();
	t = rcu_dereference(irq->zones);
	for (i = 0; t && !found && i < t->n; i++)
		found = zone_holds(&t->entry[i], pio, addr, len);
	rcu_read_unlock();
	return found;
}

/* False: not in a zone, or the ring is full: it goes out like any other, and the
 * client empties the ring first. */
bool rvm_coalesce(struct rvm_irq *irq, bool pio, u64 addr, const void *data, u32 len)
{
	struct kvm_coalesced_mmio_ring *ring = irq->ring;
	struct kvm_coalesced_mmio *e;
	bool room;
	u32 last;

	if (!rcu_access_pointer(irq->zones) || len > sizeof(e->data) ||
	    !zones_hold(irq, pio, addr, len))
		return false;
	spin_lock(&irq->ring_lock);
	last = READ_ONCE(ring->last);
	room = last < KVM_COALESCED_MMIO_MAX &&
		READ_ONCE(ring->first) % KVM_COALESCED_MMIO_MAX != (last + 1) % KVM_COALESCED_MMIO_MAX;
	if (room) {
		e = &ring->coalesced_mmio[array_index_nospec(last, KVM_COALESCED_MMIO_MAX)];
		e->phys_addr = addr;
		e->len = len;
		memcpy(e->data, data, len);
		e->pio = pio;
		/* The client reads the entry after it has seen the index. */
		smp_store_release(&ring->last, (last + 1) % KVM_COALESCED_MMIO_MAX);
	}
	spin_unlock(&irq->ring_lock);
	return room;
}

/* ---- ioctls --------------------------------------------------------------------- */

/**
 * rvm_coalesce_zone - KVM_REGISTER_COALESCED_MMIO, KVM_UNREGISTER_COALESCED_MMIO
 * @vm: the VM
 * @z: copied in
 * @add: the former
 *
 * All zones within @z go.  -EINVAL: neither memory nor ports; -ENOSPC; -ENOMEM.
 */
long rvm_coalesce_zone(struct rvm_vm *vm, const struct kvm_coalesced_mmio_zone *z, bool add)
{
	struct rvm_zone new = { .addr = z->addr, .size = z->size, .pio = z->pio };
	struct rvm_irq *irq = vm->irq;
	struct rvm_zones *old, *t;
	long err = 0;
	u32 i, n;

	if (z->pio > 1)
		return -EINVAL;
	mutex_lock(&irq->mutex);
	old = rcu_dereference_protected(irq->zones, lockdep_is_held(&irq->mutex));
	n = old ? old->n : 0;
	err = -ENOSPC;
	if (add && n >= RVM_MAX_ZONES)
		goto out;
	t = kvmalloc(struct_size(t, entry, n + 1), GFP_KERNEL_ACCOUNT);
	err = -ENOMEM;
	if (!t)
		goto out;
	t->n = 0;
	for (i = 0; i < n; i++)
		if (add || !zone_holds(&new, old->entry[i].pio, old->entry[i].addr,
				       old->entry[i].size))
			t->entry[t->n++] = old->entry[i];
	if (add)
		t->entry[t->n++] = new;
	rcu_assign_pointer(irq->zones, t);
	if (old)
		kvfree_rcu(old, rcu);
	err = 0;
out:
	mutex_unlock(&irq->mutex);
	return err;
}

int rvm_coalesce_init(struct rvm_irq *irq)
{
	spin_lock_init(&irq->ring_lock);
	irq->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return irq->ring ? 0 : -ENOMEM;
}

void rvm_coalesce_free(struct rvm_irq *irq)
{
	kvfree(rcu_dereference_protected(irq->zones, 1));
	free_page((unsigned long)irq->ring);
}
