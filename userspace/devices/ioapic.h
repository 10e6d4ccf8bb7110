/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The I/O APIC, for local APICs that are the kernel's.
 *
 * Facts: Intel 82093AA data sheet (order number 290566), names as there.  It has
 * the EOI register of later ones, too, and says so (version 20h): the kernel's
 * local APICs let a guest suppress the broadcast of EOIs when the I/O APIC is
 * not the kernel's, and such a guest writes them here.
 *
 * A pin's message is what an MSI would be (SDM vol. 3 §10.11): made from its
 * entry, told with each change, so that the kernel knows of which vectors the
 * EOI is to be reported, and sent when the pin asks for it.
 *
 * A line's level is its meaning, asserted or not: the polarity bit is kept and
 * changes nothing, no wire is inverted here.
 *
 * Locking: the caller holds the machine lock around every call.
 */
#ifndef RINGVM_IOAPIC_H
#define RINGVM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "irq.h"

#define IOAPIC_PINS	24u
#define IOAPIC_TIMER_PIN 2u		/* where IRQ 0 comes in, as in a PC */
#define IOAPIC_SIZE	0x100u		/* of its registers in memory */

struct ioapic {
	uint32_t select;		/* IOREGSEL */
	uint32_t id;
	uint64_t entry[IOAPIC_PINS];
	uint32_t lines;			/* that are asserted */
	struct msi message[IOAPIC_PINS];	/* its gsi is the pin */
	const struct msi_sink *out;
	uint64_t sent;
};

/* State after reset; @out stays the caller's. */
void ioapic_init(struct ioapic *io, const struct msi_sink *out);

/* The line at @pin goes to @level; there need not be such a pin. */
void ioapic_set_irq(struct ioapic *io, unsigned int pin, bool level);

/* A local APIC has ended the service of a level-triggered @vector. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);

/*
 * An access of @size bytes, at most 8, at @off from its address.  Registers are
 * 32 bits wide: of a wider access the rest is ignored, and reads as 0.
 */
void ioapic_mmio(struct ioapic *io, uint32_t off, unsigned int size,
		 uint8_t *data, bool write);

#endif
