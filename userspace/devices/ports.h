/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The single ports of a PC board: the ways to a reset (i8042 at 0x64, fast
 * port 0x92, reset control 0xcf9), the POST and delay ports that are written
 * only to pass the time, and PCI configuration mechanism 1 with no bus.
 */
#ifndef RINGVM_PORTS_H
#define RINGVM_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct ports {
	const struct bus *bus;
	bool reset;		/* the guest asked for it */
	const char *reset_by;	/* how */
};

void ports_init(struct ports *p);
void ports_attach(struct ports *p, struct bus *bus);

#endif
