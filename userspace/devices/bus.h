/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The port-I/O bus: 65536 ports, each claimed by at most one device.
 *
 * What nobody claims reads as all ones and swallows writes, as an ISA or PCI
 * bus with nothing on it does; such accesses are counted.
 */
#ifndef RINGVM_BUS_H
#define RINGVM_BUS_H

#include <stdint.h>

#define BUS_MAX_DEVICES	32

/* One byte-wide access; @port is the absolute port number. */
struct bus_ops {
	uint8_t (*read)(void *dev, uint16_t port);
	void (*write)(void *dev, uint16_t port, uint8_t value);
};

struct bus {
	const struct bus_ops *ops[BUS_MAX_DEVICES];
	void *dev[BUS_MAX_DEVICES];
	unsigned int devices;
	unsigned int width;	/* bytes of the access being served */
	uint64_t unclaimed_reads;
	uint64_t unclaimed_writes;
	uint8_t owner[65536];	/* index + 1 into ops and dev; 0: nobody */
};

void bus_init(struct bus *bus);

/* A port that is claimed twice goes to the later device. */
void bus_claim(struct bus *bus, uint16_t first, unsigned int count,
	       const struct bus_ops *ops, void *dev);

/*
 * One access of @size 1, 2 or 4 bytes at @data, little-endian.  All our
 * devices are 8 bits wide: a wider access is split into bytes at ascending
 * ports, as the bus controller of a PC does.
 */
void bus_read(struct bus *bus, uint16_t port, unsigned int size, uint8_t *data);
void bus_write(struct bus *bus, uint16_t port, unsigned int size,
	       const uint8_t *data);

#endif
