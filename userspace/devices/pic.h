/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two cascaded 8259A interrupt controllers, as in every PC.
 *
 * Facts: Intel 8259A data sheet (order number 231468), names as there; the
 * edge/level registers at 0x4d0 are those of the 82371 (PIIX) data sheet.
 *
 * Locking: the caller holds the machine lock around every call.
 */
#ifndef RINGVM_PIC_H
#define RINGVM_PIC_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct pic_chip {
	uint8_t irr;		/* requests latched */
	uint8_t imr;		/* masks, OCW1 */
	uint8_t isr;		/* in service */
	uint8_t lines;		/* what the input pins show */
	uint8_t elcr;		/* 1 = level-triggered input */
	uint8_t base;		/* vector base, ICW2 */
	uint8_t lowest;		/* input of lowest priority; 7 = fixed order */
	uint8_t icw_next;	/* the ICW expected at the odd port, 0 = none */
	bool icw4_needed;
	bool single;		/* ICW1.SNGL: no ICW3 */
	bool auto_eoi;
	bool rotate_on_aeoi;
	bool special_mask;
	bool fully_nested;	/* ICW4.SFNM */
	bool read_isr;		/* OCW3: the even port reads the ISR */
	bool poll;		/* OCW3: the next read is a poll */
};

struct pic {
	struct pic_chip chip[2];	/* master, slave */
	uint64_t spurious;
};

void pic_init(struct pic *pic);
void pic_attach(struct pic *pic, struct bus *bus);

/* Input pin @irq (0-15) goes to @level. */
void pic_set_irq(struct pic *pic, unsigned int irq, bool level);

/* The INTR output: an interrupt waits to be acknowledged. */
bool pic_intr(const struct pic *pic);

/* The INTA cycle: returns the vector and moves the request into service. */
uint8_t pic_ack(struct pic *pic);

#endif
