// SPDX-License-Identifier: GPL-2.0
/*
 * The pair of 8259A of a PC (Intel 8259A data sheet), the slave on the master's
 * IR2, and the registers that choose edge or level (ELCR, ports 4D0h and 4D1h).
 *
 * Not there: ICW1's LTIM (ELCR chooses), 8085 mode, buffered mode, ICW3 (the
 * cascade is wired).
 */
#include "irq.h"

#define PIC_CASCADE	2	/* the slave's place */
#define PIC_NONE	8	/* no priority */

/* Input of the highest priority in @mask, counted from chip->top: 0..7, or PIC_NONE. */
static int pic_priority(const struct rvm_8259 *c, u8 mask)
{
	int p;

	for (p = 0; p < 8; p++)
		if (mask & (1 << ((p + c->top) & 7)))
			return p;
	return PIC_NONE;
}

/* The input that asks for service and may have it, or -1. */
static int pic_pending(const struct rvm_8259 *c, bool master)
{
	int p = pic_priority(c, c->irr & ~c->imr);
	u8 serving = c->isr;

	if (p == PIC_NONE)
		return -1;
	if (c->special_mask)
		serving &= ~c->imr;
	/* The slave orders its own: those of higher priority may come in between. */
	if (c->sfnm && master)
		serving &= ~(1 << PIC_CASCADE);
	return p < pic_priority(c, serving) ? (p + c->top) & 7 : -1;
}

/* 1: a request, 0: it was one already */
static int pic_input(struct rvm_8259 *c, int n, bool level)
{
	u8 bit = 1 << n;
	int ret = 1;

	if (c->elcr & bit) {
		if (level) {
			ret = !(c->irr & bit);
			c->irr |= bit;
			c->last |= bit;
		} else {
			c->irr &= ~bit;
			c->last &= ~bit;
		}
	} else if (level) {
		if (!(c->last & bit)) {
			ret = !(c->irr & bit);
			c->irr |= bit;
		}
		c->last |= bit;
	} else {
		/* Latched until it is served. */
		c->last &= ~bit;
	}
	return ret;
}

/* The INT outputs follow the state. */
static void pic_update(struct rvm_irq *irq)
{
	struct rvm_pic *p = &irq->pic;
	bool out;
	u32 i;

	pic_input(&p->chip[0], PIC_CASCADE, pic_pending(&p->chip[1], false) >= 0);
	out = pic_pending(&p->chip[0], true) >= 0;
	if (out == p->out)
		return;
	WRITE_ONCE(p->out, out);
	if (!out)
		return;
	for (i = 0; i < irq->nr_ids; i++)
		if (irq->lapics[i])
			rvm_lapic_lint0(irq->lapics[i]);
}

void rvm_pic_reset(struct rvm_irq *irq)
{
	struct rvm_pic *p = &irq->pic;

	memset(p, 0, sizeof(*p));
	/* IRQ 0 to 2, 8 and 13 are edge-triggered, always. */
	p->chip[0].elcr_mask = 0xf8;
	p->chip[1].elcr_mask = 0xde;
}

int rvm_pic_set(struct rvm_irq *irq, u32 pin, enum rvm_irq_source source, bool level)
{
	struct rvm_pic *p = &irq->pic;
	struct rvm_8259 *c = &p->chip[pin >> 3];
	int ret;

	if (level)
		p->lines[pin] |= 1 << source;
	else
		p->lines[pin] &= ~(1 << source);
	ret = pic_input(c, pin & 7, p->lines[pin]);
	pic_update(irq);
	return c->imr & (1 << (pin & 7)) ? -1 : ret;
}

/* The inputs in @done are no longer in service. */
static void pic_served(struct rvm_irq *irq, int chip, u8 done)
{
	int n;

	for (n = 0; done; n++, done >>= 1)
		if (done & 1)
			rvm_irq_acked(irq, chip ? KVM_IRQCHIP_PIC_SLAVE : KVM_IRQCHIP_PIC_MASTER, n);
}

/* INTA for one chip; the inputs that automatic EOI ends at once. */
static u8 pic_intack(struct rvm_8259 *c, int n)
{
	u8 bit = 1 << n;

	/* A level-triggered request stays as long as its line. */
	if (!(c->elcr & bit))
		c->irr &= ~bit;
	if (!c->auto_eoi) {
		c->isr |= bit;
		return 0;
	}
	if (c->rotate_aeoi)
		c->top = (n + 1) & 7;
	return bit;
}

/**
 * rvm_pic_ack - the CPU's INTA cycles
 * @irq: with RVM_CHIPS_ALL; lock not held
 *
 * The vector.  If the request has gone, that of IR7: the data sheet's default.
 */
int rvm_pic_ack(struct rvm_irq *irq)
{
	struct rvm_8259 *master = &irq->pic.chip[0], *slave = &irq->pic.chip[1];
	u8 done[2] = {};
	unsigned long flags;
	int n, m, vector;

	raw_spin_lock_irqsave(&irq->lock, flags);
	n = pic_pending(master, true);
	if (n >= 0)
		done[0] = pic_intack(master, n);
	else
		n = 7;
	vector = master->base + n;
	if (n == PIC_CASCADE) {
		m = pic_pending(slave, false);
		if (m >= 0)
			done[1] = pic_intack(slave, m);
		else
			m = 7;
		vector = slave->base + m;
	}
	pic_update(irq);
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	pic_served(irq, 0, done[0]);
	pic_served(irq, 1, done[1]);
	return vector;
}

/* ICW1; the inputs whose requests it drops. */
static u8 pic_icw1(struct rvm_8259 *c, u8 val)
{
	u8 dropped = (c->irr & ~c->elcr) | c->isr;

	c->init4 = val & 1;
	c->last = 0;
	c->irr &= c->elcr;
	c->imr = 0;
	c->isr = 0;
	c->top = 0;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	if (!c->init4) {
		c->sfnm = false;
		c->auto_eoi = false;
	}
	c->init_state = 1;
	return dropped;
}

/* OCW2: EOI and rotation; the inputs that are done. */
static u8 pic_ocw2(struct rvm_8259 *c, u8 val)
{
	int cmd = val >> 5, n = val & 7, p;
	u8 done = 0;

	switch (cmd) {
	case 0:			/* rotation with automatic EOI: off, on */
	case 4:
		c->rotate_aeoi = cmd >> 2;
		break;
	case 1:			/* EOI of the highest in service */
	case 5:
		p = pic_priority(c, c->isr);
		if (p == PIC_NONE)
			break;
		n = (p + c->top) & 7;
		done = 1 << n;
		if (cmd == 5)
			c->top = (n + 1) & 7;
		break;
	case 3:			/* EOI of this one */
		done = c->isr & (1 << n);
		break;
	case 6:
		c->top = (n + 1) & 7;
		break;
	case 7:
		done = c->isr & (1 << n);
		c->top = (n + 1) & 7;
		break;
	}
	c->isr &= ~done;
	return done;
}

static u8 pic_command(struct rvm_8259 *c, u8 val)
{
	if (val & 0x10)
		return pic_icw1(c, val);
	if (!(val & 0x08))
		return pic_ocw2(c, val);
	/* OCW3 */
	if (val & 0x04)
		c->poll = true;
	if (val & 0x02)
		c->read_isr = val & 1;
	if (val & 0x40)
		c->special_mask = val & 0x20;
	return 0;
}

static void pic_data(struct rvm_8259 *c, u8 val)
{
	switch (c->init_state) {
	case 1:			/* ICW2 */
		c->base = val & 0xf8;
		c->init_state = 2;
		break;
	case 2:			/* ICW3 */
		c->init_state = c->init4 ? 3 : 0;
		break;
	case 3:			/* ICW4 */
		c->sfnm = val & 0x10;
		c->auto_eoi = val & 0x02;
		c->init_state = 0;
		break;
	default:
		c->imr = val;
	}
}

/* The poll command: a read in place of INTA. */
static u8 pic_poll(struct rvm_8259 *c, bool master, u8 *done)
{
	int n = pic_pending(c, master);

	c->poll = false;
	if (n < 0)
		return 0;
	*done = pic_intack(c, n);
	return 0x80 | n;
}

/**
 * rvm_pic_pio - a byte to or from one of their ports
 * @irq: with RVM_CHIPS_ALL; lock not held
 *
 * False: not theirs.
 */
bool rvm_pic_pio(struct rvm_irq *irq, u16 port, u8 *val, bool out)
{
	struct rvm_8259 *c;
	unsigned long flags;
	u8 done = 0, mask;
	bool opened;
	int chip;

	switch (port) {
	case 0x20:
	case 0x21:
	case 0x4d0:
		chip = 0;
		break;
	case 0xa0:
	case 0xa1:
	case 0x4d1:
		chip = 1;
		break;
	default:
		return false;
	}
	c = &irq->pic.chip[chip];
	raw_spin_lock_irqsave(&irq->lock, flags);
	mask = c->imr;
	if (port & 0x400) {
		if (out)
			c->elcr = *val & c->elcr_mask;
		else
			*val = c->elcr;
	} else if (out) {
		if (port & 1)
			pic_data(c, *val);
		else
			done = pic_command(c, *val);
	} else if (c->poll) {
		*val = pic_poll(c, !chip, &done);
	} else {
		*val = port & 1 ? c->imr : c->read_isr ? c->isr : c->irr;
	}
	opened = !chip && (mask & ~c->imr & 1);
	pic_update(irq);
	raw_spin_unlock_irqrestore(&irq->lock, flags);
	pic_served(irq, chip, done);
	if (opened)
		rvm_irq_unmasked(irq, KVM_IRQCHIP_PIC_MASTER, 0);
	return true;
}

void rvm_pic_get(struct rvm_irq *irq, int chip, struct kvm_pic_state *s)
{
	const struct rvm_8259 *c = &irq->pic.chip[chip];

	*s = (struct kvm_pic_state) {
		.last_irr = c->last, .irr = c->irr, .imr = c->imr, .isr = c->isr,
		.priority_add = c->top, .irq_base = c->base, .read_reg_select = c->read_isr,
		.poll = c->poll, .special_mask = c->special_mask, .init_state = c->init_state,
		.auto_eoi = c->auto_eoi, .rotate_on_auto_eoi = c->rotate_aeoi,
		.special_fully_nested_mode = c->sfnm, .init4 = c->init4,
		.elcr = c->elcr, .elcr_mask = c->elcr_mask,
	};
}

/* What no chip can hold is cut down to what it can. */
void rvm_pic_put(struct rvm_irq *irq, int chip, const struct kvm_pic_state *s)
{
	struct rvm_8259 *c = &irq->pic.chip[chip];

	*c = (struct rvm_8259) {
		.last = s->last_irr, .irr = s->irr, .imr = s->imr, .isr = s->isr,
		.top = s->priority_add & 7, .base = s->irq_base & 0xf8,
		.read_isr = s->read_reg_select, .poll = s->poll,
		.special_mask = s->special_mask,
		.init_state = s->init_state <= 3 ? s->init_state : 0,
		.auto_eoi = s->auto_eoi, .rotate_aeoi = s->rotate_on_auto_eoi,
		.sfnm = s->special_fully_nested_mode, .init4 = s->init4,
		.elcr = s->elcr & c->elcr_mask, .elcr_mask = c->elcr_mask,
	};
	pic_update(irq);
}
