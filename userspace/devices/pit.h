/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254 interval timer and system control port B (0x61).
 *
 * Facts: Intel 8254 data sheet (order number 231164); port 0x61 as in the
 * 82371 (PIIX) data sheet, "NMI Status and Control Register".
 *
 * Nothing ticks: a channel remembers when its count was loaded, and its count
 * and output are computed from the clock when somebody looks.  Only the next
 * rising edge of channel 0's output has to be waited for; pit_next() says
 * when that is.  Edges that were missed because the guest did not run are
 * dropped but for one, as on a machine whose interrupts were off that long:
 * there are no storms of late ticks.  They are counted.
 *
 * Locking: the caller holds the machine lock around every call.
 */
#ifndef RINGVM_PIT_H
#define RINGVM_PIT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "irq.h"

#define PIT_HZ		1193182u
#define PIT_NEVER	UINT64_MAX

/* Nanoseconds of a clock that never goes back. */
typedef uint64_t (*clock_fn)(void *ctx);

struct pit_channel {
	uint64_t start;		/* when the count was loaded, ns */
	uint64_t stopped_at;	/* ticks elapsed when the gate went low */
	uint32_t reload;	/* 1 to 65536 (BCD: 10000) */
	uint16_t latch;
	uint8_t status_latch;
	uint8_t mode;		/* 0-5 */
	uint8_t access;		/* 1 low byte, 2 high byte, 3 both */
	uint8_t write_low;
	bool bcd;
	bool gate;
	bool loaded;		/* a count was written since the mode was set */
	bool running;
	bool latched;
	bool status_latched;
	bool write_high_next;
	bool read_high_next;
};

struct pit {
	struct pit_channel ch[3];
	const struct irq_sink *irq;
	clock_fn now;
	void *clock;
	uint64_t next;		/* next rising edge of output 0, ns */
	uint64_t edges;		/* interrupts given */
	uint64_t missed;	/* edges dropped */
	bool speaker;
	bool refresh;		/* port 0x61 bit 4: toggles */
};

/* Output 0 is line 0 of @irq, which stays the caller's. */
void pit_init(struct pit *pit, const struct irq_sink *irq, clock_fn now,
	      void *clock);
void pit_attach(struct pit *pit, struct bus *bus);

/* When pit_timer() is to be called next, in ns of the clock, or PIT_NEVER. */
uint64_t pit_next(const struct pit *pit);

/* Raises IRQ 0 if its time has come. */
void pit_timer(struct pit *pit);

#endif
