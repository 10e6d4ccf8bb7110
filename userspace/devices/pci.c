// SPDX-License-Identifier: GPL-2.0
/*
 * A PCI bus: see pci.h.
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "pci.h"

#define CONFIG_ADDRESS	0xcf8u
#define CONFIG_DATA	0xcfcu
#define CONFIG_ENABLE	0x80000000u

/* The window of I/O space that is the bus's; below are the board's ports. */
#define IO_WINDOW	0x1000u

/*
 * IRQs that no device of the board has, and whose trigger mode the 8259A pair
 * lets be chosen.
 */
static const uint8_t lines[] = { 11, 10, 5, 12 };

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

unsigned int pci_line(unsigned int slot)
{
	return lines[slot % sizeof(lines)];
}

unsigned int pci_lines(void)
{
	unsigned int mask = 0, i;

	for (i = 0; i < sizeof(lines); i++)
		mask |= 1u << lines[i];
	return mask;
}

void pci_init(struct pci_bus *bus, const struct irq_sink *irq)
{
	/* No driver and no special treatment in any kernel: a plain bridge. */
	static const uint8_t bridge[12] = {
		0x36, 0x1b, 0x08, 0x00,		/* vendor, device */
		0, 0, 0, 0,
		0, 0, 0, 6,			/* class: host bridge */
	};

	memset(bus, 0, sizeof(*bus));
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->intx_lock, NULL);
	bus->irq = irq;
	memcpy(bus->bridge.config, bridge, sizeof(bridge));
	bus->bridge.bus = bus;
	bus->slot[0] = &bus->bridge;
}

void pci_destroy(struct pci_bus *bus)
{
	pthread_mutex_destroy(&bus->lock);
	pthread_mutex_destroy(&bus->intx_lock);
}

uint8_t pci_add_cap(struct pci_dev *dev, uint8_t id, unsigned int len)
{
	uint8_t *link = &dev->config[PCI_CAP_LIST];
	uint8_t at = PCI_CAPS;

	/* Each lies behind the one before, whose length its own user knows. */
	while (*link) {
		at = *link;
		link = &dev->config[at + 1];
	}
	if (dev->config[PCI_CAP_LIST])
		at = (uint8_t)(at + dev->cap_len);
	*link = at;
	dev->cap_len = (uint8_t)((len + 3) & ~3u);
	dev->config[at] = id;
	dev->config[at + 1] = 0;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

static void place_bars(struct pci_dev *dev)
{
	uint32_t io = PCI_IO_START + dev->slot * PCI_IO_STEP;
	uint32_t mem = PCI_MEM_START + dev->slot * PCI_MEM_STEP;
	uint8_t *reg;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		reg = &dev->config[PCI_BASE_ADDRESS_0 + 4 * i];
		if (!dev->bar[i].size)
			continue;
		/* §6.2.5.1: bits below the size read as 0. */
		put32(&dev->writable[PCI_BASE_ADDRESS_0 + 4 * i],
		      ~(dev->bar[i].size - 1) &
		      (dev->bar[i].io ? 0xffffu : 0xffffffffu));
		if (dev->bar[i].io) {
			put32(reg, io | PCI_BASE_ADDRESS_SPACE_IO);
			io += dev->bar[i].size;
		} else {
			put32(reg, mem);
			mem += dev->bar[i].size;
		}
	}
}

bool pci_add(struct pci_bus *bus, struct pci_dev *dev)
{
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS && bus->slot[slot]; slot++)
		;
	if (slot == PCI_SLOTS)
		return false;
	dev->bus = bus;
	dev->slot = slot;
	dev->line = pci_line(slot);
	place_bars(dev);
	dev->writable[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
				     PCI_COMMAND_MASTER;
	dev->writable[PCI_COMMAND + 1] = PCI_COMMAND_INTX_DISABLE >> 8;
	dev->config[PCI_COMMAND] = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
	dev->config[PCI_INTERRUPT_LINE] = (uint8_t)dev->line;
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
	dev->config[PCI_INTERRUPT_PIN] = 1;	/* INTA */
	bus->slot[slot] = dev;
	dev->ops->moved(dev->dev);
	return true;
}

uint32_t pci_bar_addr(const struct pci_dev *dev, unsigned int bar)
{
	uint32_t value = get32(&dev->config[PCI_BASE_ADDRESS_0 + 4 * bar]);
	uint8_t enable = dev->bar[bar].io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;

	if (!dev->bar[bar].size || !(dev->config[PCI_COMMAND] & enable))
		return 0;
	return value & ~(dev->bar[bar].size - 1);
}

/* The interrupt input is driven by whoever of its slots wants that. */
void pci_intx(struct pci_dev *dev, bool level)
{
	struct pci_bus *bus = dev->bus;
	uint32_t bit = 1u << dev->slot, before, after;

	pthread_mutex_lock(&bus->intx_lock);
	before = bus->intx[dev->line];
	after = level ? before | bit : before & ~bit;
	bus->intx[dev->line] = after;
	/* The level is set within the lock, or an older one might win. */
	if (!before != !after)
		bus->irq->set(bus->irq->ctx, dev->line, after);
	pthread_mutex_unlock(&bus->intx_lock);
}

static void config_write(struct pci_dev *dev, uint8_t off, unsigned int size,
			 const uint8_t *data)
{
	bool moves = off < PCI_BASE_ADDRESS_0 + 24 && off + size > PCI_COMMAND;
	unsigned int i;

	for (i = 0; i < size; i++)
		dev->config[off + i] = (uint8_t)
			((dev->config[off + i] & ~dev->writable[off + i]) |
			 (data[i] & dev->writable[off + i]));
	if (!dev->ops)
		return;
	if (moves)
		dev->ops->moved(dev->dev);
	if (dev->ops->config_write)
		dev->ops->config_write(dev->dev, off, size);
}

static void config_data(struct pci_bus *bus, unsigned int byte,
			unsigned int size, uint8_t *data, bool write)
{
	uint8_t off = (uint8_t)((bus->address & 0xfc) + byte);
	struct pci_dev *dev = NULL;

	/* Bus 0, function 0 (§3.2.2.3.2) */
	if ((bus->address & CONFIG_ENABLE) && !(bus->address & 0x00ff0700) &&
	    byte + size <= 4)
		dev = bus->slot[bus->address >> 11 & 31];
	if (!dev) {
		if (!write)
			memset(data, 0xff, size);
		return;
	}
	if (write) {
		config_write(dev, off, size, data);
		return;
	}
	if (dev->ops && dev->ops->config_read)
		dev->ops->config_read(dev->dev, off, size);
	memcpy(data, &dev->config[off], size);
}

/* The region that holds all of an access, or none. */
static bool region(struct pci_bus *bus, uint64_t addr, unsigned int size,
		   uint8_t *data, bool write, bool io)
{
	struct pci_dev *dev;
	unsigned int s, b;
	uint64_t start;

	for (s = 1; s < PCI_SLOTS; s++) {
		dev = bus->slot[s];
		for (b = 0; dev && b < 6; b++) {
			if (!dev->bar[b].size || dev->bar[b].io != io)
				continue;
			start = pci_bar_addr(dev, b);
			if (!start || addr < start ||
			    addr + size > start + dev->bar[b].size)
				continue;
			if (write)
				dev->ops->write(dev->dev, b,
						(uint32_t)(addr - start), size,
						data);
			else
				dev->ops->read(dev->dev, b,
					       (uint32_t)(addr - start), size,
					       data);
			return true;
		}
	}
	bus->unclaimed++;
	if (!write)
		memset(data, 0xff, size);
	return false;
}

bool pci_owns_port(uint16_t port, unsigned int size)
{
	if (port >= IO_WINDOW)
		return true;
	return port >= CONFIG_ADDRESS && port < CONFIG_DATA + 4 &&
	       (port != 0xcf9 || size > 1);
}

void pci_io(struct pci_bus *bus, uint16_t port, unsigned int size,
	    uint8_t *data, bool write)
{
	pthread_mutex_lock(&bus->lock);
	if (port >= IO_WINDOW) {
		region(bus, port, size, data, write, true);
	} else if (port >= CONFIG_DATA) {
		config_data(bus, port - CONFIG_DATA, size, data, write);
	} else if (port == CONFIG_ADDRESS && size == 4) {
		/* §3.2.2.3.2: only as a double word; bits 30:24, 1:0 are 0. */
		if (write)
			bus->address = get32(data) & 0x80fffffc;
		else
			put32(data, bus->address);
	} else if (!write) {
		memset(data, 0xff, size);
	}
	pthread_mutex_unlock(&bus->lock);
}

bool pci_mmio(struct pci_bus *bus, uint64_t addr, unsigned int size,
	      uint8_t *data, bool write)
{
	bool ret;

	pthread_mutex_lock(&bus->lock);
	ret = region(bus, addr, size, data, write, false);
	pthread_mutex_unlock(&bus->lock);
	return ret;
}
