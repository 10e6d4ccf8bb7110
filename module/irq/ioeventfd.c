// SPDX-License-Identifier: GPL-2.0
/*
 * ioeventfd: a guest's write to an address or a port signals an eventfd and goes no
 * further (KVM API §4.59).
 *
 * The table is immutable, sorted, and replaced whole; readers hold rcu_read_lock().
 */
#include "irq.h"

#include <linux/eventfd.h>
#include <linux/uaccess.h>

/* A client could have as many with one eventfd as it likes. */
#define RVM_MAX_IOEVENTFDS	16384

/**
 * struct rvm_ioeventfd - one of them
 * @len: of the access; 0: any
 * @match: it is for @data alone
 * @event: held
 */
struct rvm_ioeventfd {
	u64 addr, data;
	u32 len;
	bool pio, match;
	struct eventfd_ctx *event;
};

struct rvm_ioeventfds {
	struct rcu_head rcu;
	u32 n;
	struct rvm_ioeventfd entry[];
};

/* Where those of this address begin, or would. */
static u32 ioeventfd_find(const struct rvm_ioeventfds *t, bool pio, u64 addr)
{
	u32 lo = 0, hi = t->n;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		const struct rvm_ioeventfd *e = &t->entry[mid];

		if (e->pio < pio || (e->pio == pio && e->addr < addr))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool ioeventfd_at(const struct rvm_ioeventfds *t, u32 i, bool pio, u64 addr)
{
	return i < t->n && t->entry[i].pio == pio && t->entry[i].addr == addr;
}

bool rvm_ioeventfd_write(struct rvm_irq *irq, bool pio, u64 addr, const void *data, u32 len)
{
	const struct rvm_ioeventfds *t;
	bool found = false;
	u64 val = 0;
	u32 i;

	if (!rcu_access_pointer(irq->ioeventfds))
		return false;
	memcpy(&val, data, min_t(u32, len, sizeof(val)));
	rcu_read_lock();
	t = rcu_dereference(irq->ioeventfds);
	for (i = t ? ioeventfd_find(t, pio, addr) : 0; t && ioeventfd_at(t, i, pio, addr); i++) {
		const struct rvm_ioeventfd *e = &t->entry[i];

		if ((e->len && e->len != len) || (e->match && e->data != val))
			continue;
		rvm_eventfd_signal(e->event);
		found = true;
		break;
	}
	rcu_read_unlock();
	return found;
}

/* ---- ioctl ---------------------------------------------------------------------- */

/* Could one access be for both? */
static bool ioeventfd_clash(const struct rvm_ioeventfd *a, const struct rvm_ioeventfd *b)
{
	return (!a->len || !b->len || a->len == b->len) &&
		(!a->match || !b->match || a->data == b->data);
}

/* @old with @add at @at, or without the entry there.  mutex held. */
static long ioeventfds_replace(struct rvm_irq *irq, const struct rvm_ioeventfds *old, u32 at,
			       const struct rvm_ioeventfd *add)
{
	u32 n = old ? old->n : 0, tail = n - at - !add;
	struct rvm_ioeventfds *t;

	t = kvmalloc(struct_size(t, entry, n + 1), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->n = add ? n + 1 : n - 1;
	if (old) {
		memcpy(t->entry, old->entry, at * sizeof(*add));
		memcpy(&t->entry[at + !!add], &old->entry[at + !add], tail * sizeof(*add));
	}
	if (add)
		t->entry[at] = *add;
	rcu_assign_pointer(irq->ioeventfds, t);
	return 0;
}

static long ioeventfd_add(struct rvm_irq *irq, const struct rvm_ioeventfd *add)
{
	struct rvm_ioeventfds *old = rcu_dereference_protected(irq->ioeventfds,
							       lockdep_is_held(&irq->mutex));
	u32 at = old ? ioeventfd_find(old, add->pio, add->addr) : 0, i;
	long err;

	if (old && old->n >= RVM_MAX_IOEVENTFDS)
		return -ENOSPC;
	for (i = at; old && ioeventfd_at(old, i, add->pio, add->addr); i++)
		if (ioeventfd_clash(&old->entry[i], add))
			return -EEXIST;
	err = ioeventfds_replace(irq, old, at, add);
	if (!err && old)
		kvfree_rcu(old, rcu);
	return err;
}

static long ioeventfd_remove(struct rvm_irq *irq, const struct rvm_ioeventfd *gone)
{
	struct rvm_ioeventfds *old = rcu_dereference_protected(irq->ioeventfds,
							       lockdep_is_held(&irq->mutex));
	struct eventfd_ctx *event;
	long err;
	u32 i;

	for (i = old ? ioeventfd_find(old, gone->pio, gone->addr) : 0;
	     old && ioeventfd_at(old, i, gone->pio, gone->addr); i++) {
		const struct rvm_ioeventfd *e = &old->entry[i];

		if (e->event != gone->event || e->len != gone->len || e->match != gone->match ||
		    (e->match && e->data != gone->data))
			continue;
		event = e->event;
		err = ioeventfds_replace(irq, old, i, NULL);
		if (err)
			return err;
		synchronize_rcu();
		eventfd_ctx_put(event);
		kvfree(old);
		return 0;
	}
	return -ENOENT;
}

/**
 * rvm_ioeventfd - KVM_IOEVENTFD (KVM API §4.59)
 * @vm: the VM
 * @a: copied in
 *
 * -EINVAL: length, flags, an address that wraps around, not an eventfd; -EBADF;
 * -EEXIST: an access could be for two; -ENOENT: no such one to take away; -ENOSPC,
 * -ENOMEM.
 */
long rvm_ioeventfd(struct rvm_vm *vm, const struct kvm_ioeventfd *a)
{
	struct rvm_irq *irq = vm->irq;
	struct rvm_ioeventfd e = {
		.addr = a->addr, .len = a->len, .data = a->datamatch,
		.pio = a->flags & KVM_IOEVENTFD_FLAG_PIO,
		.match = a->flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
	};
	bool remove = a->flags & KVM_IOEVENTFD_FLAG_DEASSIGN;
	long err;

	if (a->flags & ~(u32)(KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH |
			      KVM_IOEVENTFD_FLAG_DEASSIGN))
		return -EINVAL;
	switch (a->len) {
	case 0:
		/* no data to compare where the length is open */
		if (e.match)
			return -EINVAL;
		break;
	case 1:
	case 2:
	case 4:
	case 8:
		break;
	default:
		return -EINVAL;
	}
	if (a->addr + a->len < a->addr)
		return -EINVAL;
	/* Only what the access carries is compared. */
	if (a->len && a->len < 8)
		e.data &= (1ull << (8 * a->len)) - 1;
	e.event = eventfd_ctx_fdget(a->fd);
	if (IS_ERR(e.event))
		return PTR_ERR(e.event);
	mutex_lock(&irq->mutex);
	err = remove ? ioeventfd_remove(irq, &e) : ioeventfd_add(irq, &e);
	mutex_unlock(&irq->mutex);
	/* The table holds it from now on. */
	if (remove || err)
		eventfd_ctx_put(e.event);
	return err;
}

void rvm_ioeventfds_free(struct rvm_irq *irq)
{
	struct rvm_ioeventfds *t = rcu_dereference_protected(irq->ioeventfds, 1);
	u32 i;

	for (i = 0; t && i < t->n; i++)
		eventfd_ctx_put(t->entry[i].event);
	kvfree(t);
}
