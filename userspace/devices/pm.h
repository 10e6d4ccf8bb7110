/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI's fixed hardware (ACPI 6.4 §4.8): the PM1 event and control registers
 * and the power management timer.  No event ever happens; writing "off" to the
 * control register is what they are for.
 *
 * Locking: the caller holds the machine lock around every call.
 */
#ifndef RINGVM_PM_H
#define RINGVM_PM_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "pit.h"

#define PM_HZ	3579545u

struct pm {
	clock_fn now;
	void *clock;
	uint16_t enable, control;
	uint32_t latch;		/* the timer, when its lowest byte was read */
	bool off;		/* the guest switched off */
};

void pm_init(struct pm *pm, clock_fn now, void *clock);
void pm_attach(struct pm *pm, struct bus *bus);

#endif
