/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A 16550A UART at 0x3f8, IRQ 4: the guest's console.
 *
 * Facts: National PC16550D data sheet (registers, section 8; FIFO modes,
 * section 8.11); the OUT2 pin gating the interrupt is the PC's wiring.
 *
 * Two differences from the chip, both on purpose:
 * - The transmitter is infinitely fast: a byte has left when its write ends,
 *   so LSR always shows an empty transmitter.
 * - Input waits in a queue of its own and shows in the receiver only while
 *   the guest has the receive interrupt enabled.  Drivers flush the receiver
 *   when they open it; what was typed or piped before must survive that.
 *
 * Locking: the caller holds the machine lock around every call.
 */
#ifndef RINGVM_SERIAL8250_H
#define RINGVM_SERIAL8250_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus.h"
#include "irq.h"

#define SERIAL_QUEUE	4096u		/* a power of two */

struct serial_sink {
	void (*transmit)(void *ctx, uint8_t byte);
	void (*room)(void *ctx);	/* a full input queue has room again */
	void *ctx;
};

struct serial8250 {
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t dll, dlm;
	uint8_t msr_delta;
	bool thre;			/* a THRE interrupt is pending */
	bool loop_full;			/* loopback: one byte under way */
	bool was_full;
	uint8_t loop_byte;
	uint8_t queue[SERIAL_QUEUE];
	unsigned int head, tail;	/* free-running; head - tail = fill */
	const struct irq_sink *irq;
	struct serial_sink sink;
};

#define SERIAL_BASE	0x3f8
#define SERIAL_IRQ	4

void serial_init(struct serial8250 *s, const struct irq_sink *irq,
		 const struct serial_sink *sink);
void serial_attach(struct serial8250 *s, struct bus *bus);

/* How many bytes serial_receive() would take now. */
size_t serial_room(const struct serial8250 *s);
void serial_receive(struct serial8250 *s, const uint8_t *bytes, size_t count);

#endif
