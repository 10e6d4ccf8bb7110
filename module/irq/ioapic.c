// SPDX-License-Identifier: GPL-2.0
/*
 * The IOAPIC (Intel 82093AA data sheet), with the EOI register that later ones
 * have (version 20h): who suppresses the broadcast of EOIs writes them there.
 *
 * A line's level is its meaning, asserted or not; the polarity bit is kept and
 * changes nothing, for no wire is inverted here.
 */
#include "irq.h"

#define IOAPIC_VERSION		(0x20 | (RVM_IOAPIC_PINS - 1) << 16)
#define IOAPIC_ID_MASK		0x0f000000u

/* Redirection table entry (82093AA §3.2.4) */
#define RTE_VECTOR		0xffull
#define RTE_MODE(e)		((e) >> 8 & 7)
#define RTE_LOGICAL		(1ull << 11)
#define RTE_STATUS		(1ull << 12)
#define RTE_REMOTE_IRR		(1ull << 14)
#define RTE_LEVEL		(1ull << 15)
#define RTE_MASKED		(1ull << 16)
#define RTE_READ_ONLY		(RTE_STATUS | RTE_REMOTE_IRR)
#define RTE_WRITABLE		(0xff0000000001ffffull & ~RTE_READ_ONLY)

/* Sends pin's interrupt; as rvm_set_gsi(). */
static int ioapic_send(struct rvm_irq *irq, u32 pin)
{
	struct rvm_ioapic *io = &irq->ioapic;
	u64 e = io->redir[pin];
	struct rvm_irq_msg m = {
		.dest = e >> 56, .vector = e & RTE_VECTOR, .mode = RTE_MODE(e),
		.logical = e & RTE_LOGICAL, .level = e & RTE_LEVEL, .assert = true,
	};
	int ret;

	if (e & RTE_MASKED || (e & RTE_LEVEL && e & RTE_REMOTE_IRR))
		return -1;
	ret = rvm_irq_send(irq, &m);
	/* Served when the EOI comes; if nobody is there, it never will. */
	if (ret >= 0 && (e & RTE_LEVEL) &&
	    (m.mode == RVM_DM_FIXED || m.mode == RVM_DM_LOWEST))
		io->redir[pin] |= RTE_REMOTE_IRR;
	return ret;
}

int rvm_ioapic_set(struct rvm_irq *irq, u32 pin, enum rvm_irq_source source, bool level)
{
	struct rvm_ioapic *io = &irq->ioapic;
	bool was = io->irr & BIT(pin);

	if (level)
		io->lines[pin] |= 1 << source;
	else
		io->lines[pin] &= ~(1 << source);
	if (!io->lines[pin]) {
		io->irr &= ~BIT(pin);
		return 1;
	}
	io->irr |= BIT(pin);
	if (was && !(io->redir[pin] & RTE_LEVEL))
		return 0;
	return ioapic_send(irq, pin);
}

/* Every vector in the table, masked or not: it may be in service still. */
static void ioapic_list_vectors(struct rvm_ioapic *io)
{
	u32 i;

	bitmap_zero(io->vectors, 256);
	for (i = 0; i < RVM_IOAPIC_PINS; i++)
		__set_bit(io->redir[i] & RTE_VECTOR, io->vectors);
}

/**
 * rvm_ioapic_eoi - a local APIC has ended the service of a vector
 * @irq: with RVM_CHIPS_ALL; lock not held
 * @vector: which
 * @level: it was level-triggered
 *
 * Edge-triggered ones matter to who counts them (the PIT).
 */
void rvm_ioapic_eoi(struct rvm_irq *irq, u8 vector, bool level)
{
	struct rvm_ioapic *io = &irq->ioapic;
	unsigned long flags;
	u32 done = 0, i;

	if (!level && !test_bit(vector, io->vectors))
		return;
	raw_spin_lock_irqsave(&irq->lock, flags);
	for (i = 0; i < RVM_IOAPIC_PINS; i++) {
		u64 e = io->redir[i];

		if ((e & RTE_VECTOR) != vector)
			continue;
		if (!(e & RTE_LEVEL)) {
			done |= BIT(i);
		} else if (level && (e & RTE_REMOTE_IRR)) {
			io->redir[i] &= ~RTE_REMOTE_IRR;
			done |= BIT(i);
		}
	}
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	if (!done)
		return;

	/* Who listens may lower the line, or raise it again. */
	for (i = 0; i < RVM_IOAPIC_PINS; i++)
		if (done & BIT(i))
			rvm_irq_acked(irq, KVM_IRQCHIP_IOAPIC, i);

	raw_spin_lock_irqsave(&irq->lock, flags);
	for (i = 0; i < RVM_IOAPIC_PINS; i++)
		if ((done & io->irr & BIT(i)) && (io->redir[i] & RTE_LEVEL))
			ioapic_send(irq, i);
	raw_spin_unlock_irqrestore(&irq->lock, flags);
}

static void ioapic_write_entry(struct rvm_irq *irq, u32 pin, u32 val, bool high)
{
	struct rvm_ioapic *io = &irq->ioapic;
	u64 old = io->redir[pin], e;

	if (high)
		e = (u32)old | (u64)val << 32;
	else
		e = (old & ~0xffffffffull) | val;
	e = (e & RTE_WRITABLE) | (old & RTE_READ_ONLY);
	/* An edge has no remote IRR: operating systems clear a stuck one this way. */
	if (!(e & RTE_LEVEL))
		e &= ~RTE_REMOTE_IRR;
	io->redir[pin] = e;
	ioapic_list_vectors(io);
	/* An edge that came while it was masked is lost, a level is not. */
	if ((e & RTE_LEVEL) && (io->irr & BIT(pin)))
		ioapic_send(irq, pin);
}

/* The pin that it opened, or -1. */
static int ioapic_write_reg(struct rvm_irq *irq, u32 reg, u32 val)
{
	struct rvm_ioapic *io = &irq->ioapic;
	bool masked;
	u32 pin;

	switch (reg) {
	case 0:
		io->id = val & IOAPIC_ID_MASK;
		return -1;
	case 0x10 ... 0x10 + 2 * RVM_IOAPIC_PINS - 1:
		pin = (reg - 0x10) / 2;
		masked = io->redir[pin] & RTE_MASKED;
		ioapic_write_entry(irq, pin, val, reg & 1);
		return masked && !(io->redir[pin] & RTE_MASKED) ? pin : -1;
	default:
		return -1;
	}
}

static u32 ioapic_read_reg(const struct rvm_ioapic *io, u32 reg)
{
	u64 e;

	switch (reg) {
	case 0:			/* identification */
	case 2:			/* arbitration: loaded with it */
		return io->id;
	case 1:
		return IOAPIC_VERSION;
	case 0x10 ... 0x10 + 2 * RVM_IOAPIC_PINS - 1:
		e = io->redir[(reg - 0x10) / 2];
		return reg & 1 ? e >> 32 : e;
	default:
		return 0;
	}
}

/**
 * rvm_ioapic_mmio - an access to its page
 * @irq: with RVM_CHIPS_ALL; lock not held
 * @off: from its base
 *
 * Registers are 32 bits wide; of a wider access the upper half is ignored, and
 * reads as 0.
 */
void rvm_ioapic_mmio(struct rvm_irq *irq, u32 off, void *data, u32 len, bool write)
{
	struct rvm_ioapic *io = &irq->ioapic;
	int eoi = -1, opened = -1;
	unsigned long flags;
	u32 val = 0;

	if (write)
		memcpy(&val, data, min(len, 4u));
	raw_spin_lock_irqsave(&irq->lock, flags);
	switch (off) {
	case 0x00:
		if (write)
			io->ioregsel = val & 0xff;
		else
			val = io->ioregsel;
		break;
	case 0x10:
		if (write)
			opened = ioapic_write_reg(irq, io->ioregsel, val);
		else
			val = ioapic_read_reg(io, io->ioregsel);
		break;
	case 0x40:
		if (write)
			eoi = val & 0xff;
		break;
	}
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	if (eoi >= 0)
		rvm_ioapic_eoi(irq, eoi, true);
	if (opened >= 0)
		rvm_irq_unmasked(irq, KVM_IRQCHIP_IOAPIC, opened);
	if (!write) {
		memset(data, 0, len);
		memcpy(data, &val, min(len, 4u));
	}
}

void rvm_ioapic_reset(struct rvm_irq *irq)
{
	struct rvm_ioapic *io = &irq->ioapic;
	u32 i;

	memset(io, 0, sizeof(*io));
	io->base = RVM_IOAPIC_BASE;
	for (i = 0; i < RVM_IOAPIC_PINS; i++)
		io->redir[i] = RTE_MASKED;
	ioapic_list_vectors(io);
}

void rvm_ioapic_get(struct rvm_irq *irq, struct kvm_ioapic_state *s)
{
	const struct rvm_ioapic *io = &irq->ioapic;
	u32 i;

	memset(s, 0, sizeof(*s));
	s->base_address = io->base;
	s->ioregsel = io->ioregsel;
	s->id = io->id >> 24;
	for (i = 0; i < RVM_IOAPIC_PINS; i++) {
		s->redirtbl[i].bits = io->redir[i];
		/* An edge that has been sent must not be sent again when it is put back. */
		if (io->redir[i] & (RTE_LEVEL | RTE_MASKED))
			s->irr |= io->irr & BIT(i);
	}
}

/* What it cannot hold is left out.  Lines that are up in @s are up by the client. */
void rvm_ioapic_put(struct rvm_irq *irq, const struct kvm_ioapic_state *s)
{
	struct rvm_ioapic *io = &irq->ioapic;
	u32 i;

	io->base = s->base_address & ~(u64)(RVM_IOAPIC_SIZE - 1);
	io->ioregsel = s->ioregsel & 0xff;
	io->id = s->id << 24 & IOAPIC_ID_MASK;
	for (i = 0; i < RVM_IOAPIC_PINS; i++) {
		io->redir[i] = s->redirtbl[i].bits & (RTE_WRITABLE | RTE_REMOTE_IRR);
		if (!(io->redir[i] & RTE_LEVEL))
			io->redir[i] &= ~RTE_REMOTE_IRR;
	}
	ioapic_list_vectors(io);
	io->irr = 0;
	for (i = 0; i < RVM_IOAPIC_PINS; i++) {
		if (!(s->irr & BIT(i)))
			continue;
		io->irr |= BIT(i);
		ioapic_send(irq, i);
	}
}
