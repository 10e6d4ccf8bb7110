// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair: see pic.h.
 */
#include <string.h>

#include "pic.h"

#define PIC_CASCADE	2	/* the master's input that the slave drives */

#define ICW1_IC4	0x01
#define ICW1_SNGL	0x02
#define ICW1_LTIM	0x08
#define ICW1_SELECT	0x10
#define ICW4_AEOI	0x02
#define ICW4_SFNM	0x10
#define OCW3_SELECT	0x08
#define OCW3_RIS	0x01
#define OCW3_RR		0x02
#define OCW3_POLL	0x04
#define OCW3_SMM	0x20
#define OCW3_ESMM	0x40

/* Inputs 0, 1 and 2 (cascade) of the master and 8, 13 of the slave are edge. */
static const uint8_t elcr_writable[2] = { 0xf8, 0xde };

/*
 * The highest-priority input among @bits, or -1.  Priority runs upwards from
 * the input behind the one of lowest priority.
 */
static int highest(const struct pic_chip *c, uint8_t bits)
{
	unsigned int i, n;

	for (i = 1; bits && i <= 8; i++) {
		n = (c->lowest + i) & 7;
		if (bits & (1u << n))
			return (int)n;
	}
	return -1;
}

static unsigned int rank(const struct pic_chip *c, int input)
{
	return (unsigned int)(input - c->lowest - 1) & 7;
}

/* The input that asks for the CPU now, or -1. */
static int chip_request(const struct pic_chip *c, bool master)
{
	uint8_t in_service = c->isr;
	int want, busy;

	want = highest(c, c->irr & (uint8_t)~c->imr);
	if (want < 0)
		return -1;
	/*
	 * Special mask mode: a level that is masked and in service does not
	 * hold back the others.
	 */
	if (c->special_mask)
		in_service &= (uint8_t)~c->imr;
	/*
	 * Special fully nested mode: the slave's input does not hold back a
	 * further, more urgent request of the slave.
	 */
	if (c->fully_nested && master)
		in_service &= (uint8_t)~(1u << PIC_CASCADE);
	busy = highest(c, in_service);
	if (busy >= 0 && rank(c, busy) <= rank(c, want))
		return -1;
	return want;
}

static void chip_line(struct pic_chip *c, unsigned int n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (c->elcr & bit) {
		if (level)
			c->irr |= bit;
		else
			c->irr &= (uint8_t)~bit;
	} else if (level && !(c->lines & bit)) {
		c->irr |= bit;
	}
	if (level)
		c->lines |= bit;
	else
		c->lines &= (uint8_t)~bit;
}

/* The slave's INTR output drives an input of the master. */
static void cascade(struct pic *pic)
{
	struct pic_chip *m = &pic->chip[0];
	bool level = chip_request(&pic->chip[1], false) >= 0;
	uint8_t bit = 1u << PIC_CASCADE;

	/*
	 * After an acknowledge the slave's output drops and rises again if
	 * more waits; following the level gives the same and loses no edge.
	 */
	if (level)
		m->irr |= bit;
	else
		m->irr &= (uint8_t)~bit;
}

void pic_init(struct pic *pic)
{
	memset(pic, 0, sizeof(*pic));
	pic->chip[0].lowest = 7;
	pic->chip[1].lowest = 7;
	pic->chip[0].imr = 0xff;
	pic->chip[1].imr = 0xff;
	pic->chip[0].base = 0x08;
	pic->chip[1].base = 0x70;
}

void pic_set_irq(struct pic *pic, unsigned int irq, bool level)
{
	if (irq > 15 || irq == PIC_CASCADE)
		return;
	chip_line(&pic->chip[irq >> 3], irq & 7, level);
	cascade(pic);
}

bool pic_intr(const struct pic *pic)
{
	return chip_request(&pic->chip[0], true) >= 0;
}

/* Moves input @n into service, as the first INTA pulse does. */
static void chip_ack(struct pic_chip *c, int n)
{
	uint8_t bit = (uint8_t)(1u << n);

	/* A level-triggered request stays as long as its pin is high. */
	if (!(c->elcr & bit))
		c->irr &= (uint8_t)~bit;
	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->rotate_on_aeoi)
		c->lowest = (uint8_t)n;
}

uint8_t pic_ack(struct pic *pic)
{
	struct pic_chip *m = &pic->chip[0], *s = &pic->chip[1];
	int n = chip_request(m, true), sn;

	if (n < 0) {
		/* Gone before the INTA: the chip answers with its input 7. */
		pic->spurious++;
		return m->base + 7;
	}
	chip_ack(m, n);
	if (n != PIC_CASCADE)
		return (uint8_t)(m->base + n);
	sn = chip_request(s, false);
	if (sn < 0) {
		pic->spurious++;
		cascade(pic);
		return s->base + 7;
	}
	chip_ack(s, sn);
	cascade(pic);
	return (uint8_t)(s->base + sn);
}

static void chip_icw1(struct pic_chip *c, uint8_t value)
{
	/* Data sheet, "Initialization Command Words": edge sense reset, ... */
	c->irr = 0;
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->auto_eoi = false;
	c->rotate_on_aeoi = false;
	c->fully_nested = false;
	c->single = value & ICW1_SNGL;
	c->icw4_needed = value & ICW1_IC4;
	c->icw_next = 2;
	/* ICW1.LTIM has no effect on chips that have the ELCR. */
}

static void chip_ocw2(struct pic_chip *c, uint8_t value)
{
	unsigned int level = value & 7;
	int n;

	switch (value >> 5) {
	case 0:			/* rotate in automatic EOI mode: clear */
		c->rotate_on_aeoi = false;
		break;
	case 4:			/* rotate in automatic EOI mode: set */
		c->rotate_on_aeoi = true;
		break;
	case 1:			/* non-specific EOI */
	case 5:			/* rotate on non-specific EOI */
		/*
		 * In special mask mode a masked in-service bit is not cleared
		 * by a non-specific EOI.
		 */
		n = highest(c, c->special_mask ? c->isr & (uint8_t)~c->imr :
						 c->isr);
		if (n < 0)
			break;
		c->isr &= (uint8_t)~(1u << n);
		if (value >> 5 == 5)
			c->lowest = (uint8_t)n;
		break;
	case 3:			/* specific EOI */
	case 7:			/* rotate on specific EOI */
		c->isr &= (uint8_t)~(1u << level);
		if (value >> 5 == 7)
			c->lowest = (uint8_t)level;
		break;
	case 6:			/* set priority */
		c->lowest = (uint8_t)level;
		break;
	default:		/* 2: no operation */
		break;
	}
}

static void chip_ocw3(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_POLL)
		c->poll = true;
	if (value & OCW3_RR)
		c->read_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		c->special_mask = value & OCW3_SMM;
}

static void chip_odd_write(struct pic_chip *c, uint8_t value)
{
	switch (c->icw_next) {
	case 2:
		c->base = value & 0xf8;
		c->icw_next = !c->single ? 3 : c->icw4_needed ? 4 : 0;
		break;
	case 3:		/* the wiring is fixed: the value changes nothing */
		c->icw_next = c->icw4_needed ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = value & ICW4_AEOI;
		c->fully_nested = value & ICW4_SFNM;
		c->icw_next = 0;
		break;
	default:
		c->imr = value;
		break;
	}
}

/* OCW3.P: the read is the acknowledge, bit 7 says whether one waited. */
static uint8_t chip_poll(struct pic_chip *c, bool master)
{
	int n = chip_request(c, master);

	c->poll = false;
	if (n < 0)
		return 0;
	chip_ack(c, n);
	return (uint8_t)(0x80 | n);
}

static struct pic_chip *chip_at(struct pic *pic, uint16_t port)
{
	return &pic->chip[(port & 0x80) ? 1 : 0];
}

static uint8_t pic_read(void *dev, uint16_t port)
{
	struct pic *pic = dev;
	struct pic_chip *c = chip_at(pic, port);
	uint8_t value;

	if (c->poll) {
		value = chip_poll(c, c == &pic->chip[0]);
		cascade(pic);
		return value;
	}
	if (port & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static void pic_write(void *dev, uint16_t port, uint8_t value)
{
	struct pic *pic = dev;
	struct pic_chip *c = chip_at(pic, port);

	if (port & 1)
		chip_odd_write(c, value);
	else if (value & ICW1_SELECT)
		chip_icw1(c, value);
	else if (value & OCW3_SELECT)
		chip_ocw3(c, value);
	else
		chip_ocw2(c, value);
	cascade(pic);
}

static uint8_t elcr_read(void *dev, uint16_t port)
{
	struct pic *pic = dev;

	return pic->chip[port & 1].elcr;
}

static void elcr_write(void *dev, uint16_t port, uint8_t value)
{
	struct pic *pic = dev;
	struct pic_chip *c = &pic->chip[port & 1];

	c->elcr = value & elcr_writable[port & 1];
	c->irr |= c->lines & c->elcr;
	cascade(pic);
}

static const struct bus_ops pic_ops = { pic_read, pic_write };
static const struct bus_ops elcr_ops = { elcr_read, elcr_write };

void pic_attach(struct pic *pic, struct bus *bus)
{
	bus_claim(bus, 0x20, 2, &pic_ops, pic);
	bus_claim(bus, 0xa0, 2, &pic_ops, pic);
	bus_claim(bus, 0x4d0, 2, &elcr_ops, pic);
}
