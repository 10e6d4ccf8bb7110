// SPDX-License-Identifier: GPL-2.0
/*
 * Port-I/O dispatch: see bus.h.
 */
#include <string.h>

#include "bus.h"

void bus_init(struct bus *bus)
{
	memset(bus, 0, sizeof(*bus));
}

void bus_claim(struct bus *bus, uint16_t first, unsigned int count,
	       const struct bus_ops *ops, void *dev)
{
	unsigned int i;

	if (bus->devices == BUS_MAX_DEVICES)
		return;
	bus->ops[bus->devices] = ops;
	bus->dev[bus->devices] = dev;
	bus->devices++;
	for (i = 0; i < count; i++)
		bus->owner[(uint16_t)(first + i)] = (uint8_t)bus->devices;
}

void bus_read(struct bus *bus, uint16_t port, unsigned int size, uint8_t *data)
{
	unsigned int i, owner;

	bus->width = size;
	for (i = 0; i < size; i++, port++) {
		owner = bus->owner[port];
		if (owner) {
			data[i] = bus->ops[owner - 1]->read(bus->dev[owner - 1],
							    port);
		} else {
			data[i] = 0xff;
			bus->unclaimed_reads++;
		}
	}
}

void bus_write(struct bus *bus, uint16_t port, unsigned int size,
	       const uint8_t *data)
{
	unsigned int i, owner;

	bus->width = size;
	for (i = 0; i < size; i++, port++) {
		owner = bus->owner[port];
		if (owner)
			bus->ops[owner - 1]->write(bus->dev[owner - 1], port,
						   data[i]);
		else
			bus->unclaimed_writes++;
	}
}
