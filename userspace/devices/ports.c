// SPDX-License-Identifier: GPL-2.0
/*
 * The single ports of a PC board: see ports.h.
 */
#include <stddef.h>

#include "ports.h"

#define I8042_DATA	0x60
#define I8042_STATUS	0x64
#define I8042_PULSE	0xf0	/* pulse the output lines whose bit is 0 */
#define I8042_LINE_RST	0x01

/*
 * There is no keyboard controller but for its reset line.  Its status reads
 * as a bus with nothing on it, all ones, except "input buffer full": a driver
 * that looks for a controller finds an output buffer that never empties and
 * gives up at once, and a kernel that resets the machine through 0x64 does
 * not wait for a controller that is not there.
 */
#define I8042_ABSENT	0xfd

#define PORT_92_RESET	0x01
#define PORT_92_A20	0x02
#define PORT_CF9_RESET	0x04

static void reset(struct ports *p, const char *by)
{
	p->reset = true;
	p->reset_by = by;
}

static uint8_t ports_read(void *dev, uint16_t port)
{
	(void)dev;
	switch (port) {
	case I8042_STATUS:
		return I8042_ABSENT;
	case 0x92:
		return PORT_92_A20;	/* address line 20 is never masked */
	case 0xcf9:
		return 0;
	default:
		return 0xff;
	}
}

static void ports_write(void *dev, uint16_t port, uint8_t value)
{
	struct ports *p = dev;

	switch (port) {
	case I8042_STATUS:
		if ((value & 0xf0) == I8042_PULSE && !(value & I8042_LINE_RST))
			reset(p, "keyboard controller, port 0x64");
		break;
	case 0x92:
		if (value & PORT_92_RESET)
			reset(p, "fast reset, port 0x92");
		break;
	case 0xcf9:
		/* Part of a wider access it is the address register. */
		if (p->bus->width == 1 && (value & PORT_CF9_RESET))
			reset(p, "reset control, port 0xcf9");
		break;
	default:
		break;
	}
}

void ports_init(struct ports *p)
{
	p->bus = NULL;
	p->reset = false;
	p->reset_by = "";
}

static const struct bus_ops ports_ops = { ports_read, ports_write };

void ports_attach(struct ports *p, struct bus *bus)
{
	p->bus = bus;
	bus_claim(bus, I8042_DATA, 1, &ports_ops, p);
	bus_claim(bus, I8042_STATUS, 1, &ports_ops, p);
	bus_claim(bus, 0x80, 1, &ports_ops, p);		/* POST code, delay */
	bus_claim(bus, 0xed, 1, &ports_ops, p);		/* delay */
	bus_claim(bus, 0x92, 1, &ports_ops, p);
	/*
	 * PCI configuration mechanism 1: the address register at 0xcf8 does
	 * not hold what is written, which is how its absence is found.  0xcf9
	 * is the reset control register when accessed as a byte.
	 */
	bus_claim(bus, 0xcf8, 8, &ports_ops, p);
}
