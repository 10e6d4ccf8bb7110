// SPDX-License-Identifier: GPL-2.0
/*
 * Ways of an interrupt: from a GSI over the client's table (KVM API §4.52) to pins
 * of the chips and to messages; from a message to local APICs.
 *
 * The table is immutable and replaced whole; readers hold rcu_read_lock(), for they
 * may have interrupts off.
 */
#include "irq.h"

#include <linux/sort.h>
#include <linux/uaccess.h>

struct rvm_route {
	u32 gsi;
	u32 type;			/* KVM_IRQ_ROUTING_IRQCHIP or _MSI */
	union {
		struct {
			u32 chip, pin;
		};
		struct {
			u32 addr_lo, addr_hi, data;
		};
	};
};

#define ROUTING_CHIPS	3
#define ROUTING_NONE	0xffffu

/**
 * struct rvm_routes - a routing table
 * @n: entries, sorted by GSI
 * @gsi_of: GSI that leads to a pin, or ROUTING_NONE
 */
struct rvm_routes {
	struct rcu_head rcu;
	u32 n;
	u16 gsi_of[ROUTING_CHIPS][RVM_IOAPIC_PINS];
	struct rvm_route entry[];
};

/* ---- messages --------------------------------------------------------------- */

/* Less is better: the priority it works at, then how much it got already. */
static bool lapic_rather(struct rvm_lapic *a, struct rvm_lapic *b)
{
	u32 pa = rvm_lapic_ppr(a) >> 4, pb = rvm_lapic_ppr(b) >> 4;

	if (pa != pb)
		return pa < pb;
	return (s32)(READ_ONCE(a->served) - READ_ONCE(b->served)) < 0;
}

static bool lapic_takes(const struct rvm_lapic *l)
{
	return READ_ONCE(l->mode) != RVM_APIC_OFF && (READ_ONCE(l->svr) & (1u << 8));
}

/* SDM vol. 3 §10.6.2.4: one of those it is for. */
static int irq_send_lowest(struct rvm_irq *irq, const struct rvm_irq_msg *m)
{
	struct rvm_lapic *best = NULL, *l;
	u32 n = smp_load_acquire(&irq->nr_ids), i;

	for (i = 0; i < n; i++) {
		l = READ_ONCE(irq->lapics[i]);
		if (l && lapic_takes(l) && rvm_lapic_matches(l, m) &&
		    (!best || lapic_rather(l, best)))
			best = l;
	}
	if (!best)
		return -1;
	WRITE_ONCE(best->served, best->served + 1);
	return rvm_lapic_accept(best, m);
}

int rvm_irq_send(struct rvm_irq *irq, const struct rvm_irq_msg *m)
{
	u32 n = smp_load_acquire(&irq->nr_ids), i;
	struct rvm_lapic *l;
	int ret = -1, r;

	if (m->mode == RVM_DM_LOWEST && m->shorthand == RVM_SH_NONE)
		return irq_send_lowest(irq, m);
	if (m->shorthand == RVM_SH_SELF)
		return rvm_lapic_accept(m->from, m);
	for (i = 0; i < n; i++) {
		l = READ_ONCE(irq->lapics[i]);
		if (!l || !rvm_lapic_matches(l, m))
			continue;
		r = rvm_lapic_accept(l, m);
		if (r >= 0)
			ret = max(ret, 0) + r;
	}
	return ret;
}

/* SDM vol. 3 §10.11 */
static void msi_decode(const struct rvm_irq *irq, u32 lo, u32 hi, u32 data,
		       struct rvm_irq_msg *m)
{
	*m = (struct rvm_irq_msg) {
		.dest = lo >> 12 & 0xff, .vector = data, .mode = data >> 8 & 7,
		.logical = lo & 4, .level = data >> 15 & 1, .assert = true,
	};
	if (irq->x2apic_flags & KVM_X2APIC_API_USE_32BIT_IDS)
		m->dest |= hi & 0xffffff00;
	/* Redirection hint with a set of destinations: one of them (§10.11.1). */
	if ((lo & 8) && m->logical && m->mode == RVM_DM_FIXED)
		m->mode = RVM_DM_LOWEST;
}

int rvm_msi(struct rvm_irq *irq, u32 addr_lo, u32 addr_hi, u32 data)
{
	struct rvm_irq_msg m;

	msi_decode(irq, addr_lo, addr_hi, data, &m);
	return rvm_irq_send(irq, &m);
}

/* ---- GSIs -------------------------------------------------------------------- */

/* The first entry of @gsi, or where it would be. */
static u32 routes_find(const struct rvm_routes *t, u32 gsi)
{
	u32 lo = 0, hi = t->n;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (t->entry[mid].gsi < gsi)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int route_set(struct rvm_irq *irq, const struct rvm_route *e,
		     enum rvm_irq_source source, bool level)
{
	unsigned long flags;
	int ret;

	if (e->type == KVM_IRQ_ROUTING_MSI)
		/* Its level is an event, and only up. */
		return level ? rvm_msi(irq, e->addr_lo, e->addr_hi, e->data) : -1;
	raw_spin_lock_irqsave(&irq->lock, flags);
	if (e->chip == KVM_IRQCHIP_IOAPIC)
		ret = rvm_ioapic_set(irq, e->pin, source, level);
	else
		ret = rvm_pic_set(irq, e->pin + (e->chip == KVM_IRQCHIP_PIC_SLAVE ? 8 : 0),
				  source, level);
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	return ret;
}

int rvm_set_gsi(struct rvm_irq *irq, u32 gsi, enum rvm_irq_source source, bool level)
{
	const struct rvm_routes *t;
	int ret = -1, r;
	u32 i;

	rcu_read_lock();
	t = rcu_dereference(irq->routes);
	for (i = t ? routes_find(t, gsi) : 0; t && i < t->n && t->entry[i].gsi == gsi; i++) {
		r = route_set(irq, &t->entry[i], source, level);
		if (r >= 0)
			ret = max(ret, 0) + r;
	}
	rcu_read_unlock();
	return ret;
}

static u32 routes_gsi_of(struct rvm_irq *irq, u32 chip, u32 pin)
{
	const struct rvm_routes *t;
	u32 gsi = ROUTING_NONE;

	rcu_read_lock();
	t = rcu_dereference(irq->routes);
	if (t)
		gsi = t->gsi_of[chip][pin];
	rcu_read_unlock();
	return gsi;
}

void rvm_irq_acked(struct rvm_irq *irq, u32 chip, u32 pin)
{
	u32 gsi = routes_gsi_of(irq, chip, pin);
	struct rvm_pit *pit = smp_load_acquire(&irq->pit);

	if (gsi == ROUTING_NONE)
		return;
	if (!gsi && pit)
		rvm_pit_acked(pit);
	rvm_irqfd_acked(irq, gsi);
}

void rvm_irq_unmasked(struct rvm_irq *irq, u32 chip, u32 pin)
{
	struct rvm_pit *pit = smp_load_acquire(&irq->pit);

	if (pit && !routes_gsi_of(irq, chip, pin))
		rvm_pit_unmasked(pit);
}

/*
 * By the vector alone, as on the bus (82093AA §3.2.4, remote IRR): the message may have
 * been sent elsewhere since.
 */
bool rvm_routes_eoi(struct rvm_irq *irq, u8 vector)
{
	const struct rvm_routes *t;
	struct rvm_irq_msg m;
	bool found = false;
	u32 i;

	rcu_read_lock();
	t = rcu_dereference(irq->routes);
	for (i = 0; t && !found && i < t->n && t->entry[i].gsi < irq->split_pins; i++) {
		const struct rvm_route *e = &t->entry[i];

		if (e->type != KVM_IRQ_ROUTING_MSI)
			continue;
		msi_decode(irq, e->addr_lo, e->addr_hi, e->data, &m);
		found = m.level && m.vector == vector;
	}
	rcu_read_unlock();
	return found;
}

/* ---- tables -------------------------------------------------------------------- */

static struct rvm_routes *routes_alloc(u32 n)
{
	struct rvm_routes *t = kvzalloc(struct_size(t, entry, n), GFP_KERNEL_ACCOUNT);

	if (t)
		memset(t->gsi_of, 0xff, sizeof(t->gsi_of));
	return t;
}

static void routes_publish(struct rvm_irq *irq, struct rvm_routes *t)
{
	struct rvm_routes *old = rcu_replace_pointer(irq->routes, t,
						     lockdep_is_held(&irq->mutex));

	if (old)
		kvfree_rcu(old, rcu);
}

void rvm_routes_free(struct rvm_irq *irq)
{
	kvfree(rcu_dereference_protected(irq->routes, 1));
}

static void routes_add_pin(struct rvm_routes *t, u32 gsi, u32 chip, u32 pin)
{
	t->entry[t->n++] = (struct rvm_route) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP, .chip = chip, .pin = pin,
	};
	t->gsi_of[chip][pin] = gsi;
}

/*
 * Until the client says otherwise: GSI n is the PIC's input n and the IOAPIC's pin n.
 * mutex held.
 */
int rvm_routes_default(struct rvm_irq *irq)
{
	struct rvm_routes *t = routes_alloc(RVM_PIC_PINS + RVM_IOAPIC_PINS);
	u32 i;

	if (!t)
		return -ENOMEM;
	for (i = 0; rvm_chips(irq->vm) == RVM_CHIPS_ALL && i < RVM_IOAPIC_PINS; i++) {
		if (i < RVM_PIC_PINS)
			routes_add_pin(t, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				       i & 7);
		routes_add_pin(t, i, KVM_IRQCHIP_IOAPIC, i);
	}
	routes_publish(irq, t);
	return 0;
}

static int route_by_gsi(const void *a, const void *b)
{
	const struct rvm_route *x = a, *y = b;

	return x->gsi < y->gsi ? -1 : x->gsi > y->gsi;
}

/* 0, or -EINVAL: not a route, or not with these chips. */
static int route_check(const struct rvm_irq *irq, const struct kvm_irq_routing_entry *u)
{
	if (u->gsi >= RVM_MAX_IRQ_ROUTES || u->flags)
		return -EINVAL;
	switch (u->type) {
	case KVM_IRQ_ROUTING_MSI:
		/* With 32-bit ids the low byte is not theirs (KVM API §4.52). */
		if ((irq->x2apic_flags & KVM_X2APIC_API_USE_32BIT_IDS) &&
		    (u->u.msi.address_hi & 0xff))
			return -EINVAL;
		return 0;
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (irq->chips != RVM_CHIPS_ALL)
			return -EINVAL;
		switch (u->u.irqchip.irqchip) {
		case KVM_IRQCHIP_PIC_MASTER:
		case KVM_IRQCHIP_PIC_SLAVE:
			return u->u.irqchip.pin < 8 ? 0 : -EINVAL;
		case KVM_IRQCHIP_IOAPIC:
			return u->u.irqchip.pin < RVM_IOAPIC_PINS ? 0 : -EINVAL;
		}
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

/*
 * The entries of one GSI: one message, or pins of different chips.  @t sorted.
 */
static int routes_check_shared(const struct rvm_routes *t)
{
	u32 i, j;

	for (i = 0; i < t->n; i++) {
		for (j = i + 1; j < t->n && t->entry[j].gsi == t->entry[i].gsi; j++) {
			/* Three chips, so no more than three are alike in GSI. */
			if (t->entry[i].type != KVM_IRQ_ROUTING_IRQCHIP ||
			    t->entry[j].type != KVM_IRQ_ROUTING_IRQCHIP ||
			    t->entry[i].chip == t->entry[j].chip)
				return -EINVAL;
		}
	}
	return 0;
}

static int routes_fill(const struct rvm_irq *irq, struct rvm_routes *t,
		       const struct kvm_irq_routing_entry *u, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		int err = route_check(irq, &u[i]);

		if (err)
			return err;
		if (u[i].type == KVM_IRQ_ROUTING_IRQCHIP) {
			routes_add_pin(t, u[i].gsi, u[i].u.irqchip.irqchip, u[i].u.irqchip.pin);
			continue;
		}
		t->entry[t->n++] = (struct rvm_route) {
			.gsi = u[i].gsi, .type = u[i].type, .addr_lo = u[i].u.msi.address_lo,
			.addr_hi = u[i].u.msi.address_hi, .data = u[i].u.msi.data,
		};
	}
	sort(t->entry, t->n, sizeof(t->entry[0]), route_by_gsi, NULL);
	return routes_check_shared(t);
}

/**
 * rvm_routes_set - KVM_SET_GSI_ROUTING (KVM API §4.52)
 * @vm: the VM
 * @user: the client's table
 *
 * -EINVAL and the old table stays: no local APICs in the kernel, too many routes, or
 * one that cannot be.
 */
long rvm_routes_set(struct rvm_vm *vm, const struct kvm_irq_routing __user *user)
{
	struct rvm_irq *irq = vm->irq;
	struct kvm_irq_routing_entry *u = NULL;
	struct kvm_irq_routing head;
	struct rvm_routes *t;
	long err;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (rvm_chips(vm) == RVM_CHIPS_NONE || head.nr > RVM_MAX_IRQ_ROUTES || head.flags)
		return -EINVAL;
	if (head.nr) {
		u = vmemdup_user(user->entries, array_size(head.nr, sizeof(*u)));
		if (IS_ERR(u))
			return PTR_ERR(u);
	}
	t = routes_alloc(head.nr);
	if (!t) {
		kvfree(u);
		return -ENOMEM;
	}
	mutex_lock(&irq->mutex);
	err = routes_fill(irq, t, u, head.nr);
	if (err)
		kvfree(t);
	else
		routes_publish(irq, t);
	mutex_unlock(&irq->mutex);
	kvfree(u);
	return err;
}
