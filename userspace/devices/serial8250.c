// SPDX-License-Identifier: GPL-2.0
/*
 * The 16550A: see serial8250.h.
 */
#include <string.h>

#include "serial8250.h"

#define IER_RDI		0x01
#define IER_THRI	0x02
#define IER_MSI		0x08
#define IER_MASK	0x0f

#define IIR_NONE	0x01
#define IIR_MSI		0x00
#define IIR_THRI	0x02
#define IIR_RDI		0x04
#define IIR_TIMEOUT	0x0c
#define IIR_FIFOS	0xc0

#define FCR_ENABLE	0x01
#define FCR_CLEAR_RX	0x02

#define LCR_DLAB	0x80

#define MCR_DTR		0x01
#define MCR_RTS		0x02
#define MCR_OUT1	0x04
#define MCR_OUT2	0x08
#define MCR_LOOP	0x10
#define MCR_MASK	0x1f

#define LSR_DR		0x01
#define LSR_THRE	0x20
#define LSR_TEMT	0x40

#define MSR_CTS		0x10
#define MSR_DSR		0x20
#define MSR_RI		0x40
#define MSR_DCD		0x80

static unsigned int fill(const struct serial8250 *s)
{
	return s->head - s->tail;
}

static bool data_ready(const struct serial8250 *s)
{
	if (s->mcr & MCR_LOOP)
		return s->loop_full;
	return (s->ier & IER_RDI) && fill(s);
}

/* The highest-priority cause (data sheet, table "Interrupt Control"). */
static uint8_t cause(const struct serial8250 *s)
{
	static const uint8_t trigger[4] = { 1, 4, 8, 14 };

	if ((s->ier & IER_RDI) && data_ready(s)) {
		if (!(s->fcr & FCR_ENABLE) || fill(s) >= trigger[s->fcr >> 6])
			return IIR_RDI;
		return IIR_TIMEOUT;
	}
	if ((s->ier & IER_THRI) && s->thre)
		return IIR_THRI;
	if ((s->ier & IER_MSI) && s->msr_delta)
		return IIR_MSI;
	return IIR_NONE;
}

static void update_irq(struct serial8250 *s)
{
	/* In loopback mode the modem outputs, OUT2 too, are disconnected. */
	bool wired = (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	s->irq->set(s->irq->ctx, SERIAL_IRQ, wired && cause(s) != IIR_NONE);
}

static uint8_t modem_lines(const struct serial8250 *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (uint8_t)((s->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (s->mcr & MCR_RTS ? MSR_CTS : 0) |
			 (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
			 (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static uint8_t take_byte(struct serial8250 *s)
{
	uint8_t byte;

	if (!data_ready(s))
		return 0;
	if (s->mcr & MCR_LOOP) {
		s->loop_full = false;
		return s->loop_byte;
	}
	byte = s->queue[s->tail++ % SERIAL_QUEUE];
	if (s->was_full && fill(s) <= SERIAL_QUEUE / 2) {
		s->was_full = false;
		s->sink.room(s->sink.ctx);
	}
	return byte;
}

static uint8_t serial_read(void *dev, uint16_t port)
{
	struct serial8250 *s = dev;
	uint8_t value = 0;

	switch (port - SERIAL_BASE) {
	case 0:
		if (s->lcr & LCR_DLAB)
			return s->dll;
		value = take_byte(s);
		break;
	case 1:
		return s->lcr & LCR_DLAB ? s->dlm : s->ier;
	case 2:
		value = cause(s);
		if (value == IIR_THRI)
			s->thre = false;
		if (s->fcr & FCR_ENABLE)
			value |= IIR_FIFOS;
		break;
	case 3:
		return s->lcr;
	case 4:
		return s->mcr;
	case 5:
		return LSR_THRE | LSR_TEMT | (data_ready(s) ? LSR_DR : 0);
	case 6:
		value = modem_lines(s) | s->msr_delta;
		s->msr_delta = 0;
		break;
	default:
		return s->scr;
	}
	update_irq(s);
	return value;
}

static void write_mcr(struct serial8250 *s, uint8_t value)
{
	uint8_t before = modem_lines(s), changed;

	s->mcr = value & MCR_MASK;
	if (!(s->mcr & MCR_LOOP))
		s->loop_full = false;
	changed = before ^ modem_lines(s);
	/* Delta bits 0, 1 and 3; bit 2 is the trailing edge of RI only. */
	s->msr_delta |= (uint8_t)((changed & (MSR_CTS | MSR_DSR | MSR_DCD)) >>
				  4);
	if (changed & before & MSR_RI)
		s->msr_delta |= MSR_RI >> 4;
}

static void serial_write(void *dev, uint16_t port, uint8_t value)
{
	struct serial8250 *s = dev;

	switch (port - SERIAL_BASE) {
	case 0:
		if (s->lcr & LCR_DLAB) {
			s->dll = value;
			return;
		}
		if (s->mcr & MCR_LOOP) {
			s->loop_byte = value;
			s->loop_full = true;
		} else {
			s->sink.transmit(s->sink.ctx, value);
		}
		/* Two edges in one: the holding register filled and emptied. */
		s->thre = false;
		update_irq(s);
		s->thre = true;
		break;
	case 1:
		if (s->lcr & LCR_DLAB) {
			s->dlm = value;
			return;
		}
		/* Enabling the THRE interrupt on an empty transmitter fires. */
		if ((value & IER_THRI) && !(s->ier & IER_THRI))
			s->thre = true;
		s->ier = value & IER_MASK;
		break;
	case 2:
		s->fcr = value & (FCR_ENABLE | 0xc8);
		if (value & FCR_CLEAR_RX)
			s->loop_full = false;
		break;
	case 3:
		s->lcr = value;
		return;
	case 4:
		write_mcr(s, value);
		break;
	case 7:
		s->scr = value;
		return;
	default:
		return;		/* LSR and MSR: factory tests only */
	}
	update_irq(s);
}

static const struct bus_ops serial_ops = { serial_read, serial_write };

void serial_init(struct serial8250 *s, const struct irq_sink *irq,
		 const struct serial_sink *sink)
{
	memset(s, 0, sizeof(*s));
	s->irq = irq;
	s->sink = *sink;
	s->dll = 1;		/* 115200 baud */
}

void serial_attach(struct serial8250 *s, struct bus *bus)
{
	bus_claim(bus, SERIAL_BASE, 8, &serial_ops, s);
}

size_t serial_room(const struct serial8250 *s)
{
	return SERIAL_QUEUE - fill(s);
}

void serial_receive(struct serial8250 *s, const uint8_t *bytes, size_t count)
{
	size_t i;

	for (i = 0; i < count && fill(s) < SERIAL_QUEUE; i++)
		s->queue[s->head++ % SERIAL_QUEUE] = bytes[i];
	/* Who reads input waits while there is room for less than two bytes. */
	if (fill(s) >= SERIAL_QUEUE - 1)
		s->was_full = true;
	update_irq(s);
}
