/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI bus: configuration mechanism 1, a host bridge in slot 0, and devices
 * with one function each.
 *
 * Facts: PCI Local Bus Specification 3.0; its sections are named where they
 * are followed.  As firmware would, the bus gives each device addresses and
 * an interrupt line; the guest may move it elsewhere.
 *
 * INTA of each slot goes to one of a few inputs that are inputs of the 8259A
 * pair as well as of an I/O APIC; they are level-triggered and may be shared.
 *
 * Locking: bus->lock is taken within, around every call of a device.
 * pci_intx() may be called from any thread, with any device's lock held.
 */
#ifndef RINGVM_PCI_H
#define RINGVM_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "irq.h"

#define PCI_SLOTS	32u

/* Where devices are put: kept by guests that find it good. */
#define PCI_IO_START	0xc000u
#define PCI_IO_STEP	0x20u
#define PCI_MEM_START	0xe0000000u
#define PCI_MEM_STEP	0x4000u
#define PCI_MEM_END	0xfec00000u

/* Offsets in configuration space (§6.1) that devices need. */
#define PCI_CAP_LIST	0x34u
#define PCI_CAPS	0x40u

struct pci_dev;

struct pci_dev_ops {
	/* @size bytes at @off of the region @bar, all of them within it. */
	void (*read)(void *dev, unsigned int bar, uint32_t off,
		     unsigned int size, uint8_t *data);
	void (*write)(void *dev, unsigned int bar, uint32_t off,
		      unsigned int size, const uint8_t *data);
	/* Regions may be elsewhere now, or open or closed. */
	void (*moved)(void *dev);
	/* Before a read and after a write of configuration space; or NULL. */
	void (*config_read)(void *dev, uint8_t off, unsigned int size);
	void (*config_write)(void *dev, uint8_t off, unsigned int size);
};

struct pci_bar {
	uint32_t size;		/* a power of two, or 0 */
	bool io;
};

struct pci_dev {
	const struct pci_dev_ops *ops;
	void *dev;
	struct pci_bus *bus;
	unsigned int slot;
	unsigned int line;	/* the interrupt input of INTA */
	uint8_t config[256];
	uint8_t writable[256];	/* mask of bits */
	struct pci_bar bar[6];
	uint8_t cap_len;	/* of the capability added last */
};

struct pci_bus {
	pthread_mutex_t lock;
	struct pci_dev *slot[PCI_SLOTS];
	struct pci_dev bridge;
	uint32_t address;		/* 0xcf8 */
	uint64_t unclaimed;

	pthread_mutex_t intx_lock;
	const struct irq_sink *irq;
	uint32_t intx[16];		/* input: slots that assert it */
};

void pci_init(struct pci_bus *bus, const struct irq_sink *irq);
void pci_destroy(struct pci_bus *bus);

/*
 * Puts @dev, whose identity, regions and capabilities are filled, into the
 * next free slot.  False when there is none.
 */
bool pci_add(struct pci_bus *bus, struct pci_dev *dev);

/* The interrupt input of a slot's INTA. */
unsigned int pci_line(unsigned int slot);
/* A mask of all of them. */
unsigned int pci_lines(void);

/* Appends a capability of @len bytes, filled by the caller behind its head. */
uint8_t pci_add_cap(struct pci_dev *dev, uint8_t id, unsigned int len);

/* Is this port one of the bus's?  (0xcf9 as a byte is a reset register.) */
bool pci_owns_port(uint16_t port, unsigned int size);
void pci_io(struct pci_bus *bus, uint16_t port, unsigned int size,
	    uint8_t *data, bool write);
/* False if there is nothing at @addr; reads give all ones then. */
bool pci_mmio(struct pci_bus *bus, uint64_t addr, unsigned int size,
	      uint8_t *data, bool write);

/* Address of a region, or 0 if the device does not decode it now. */
uint32_t pci_bar_addr(const struct pci_dev *dev, unsigned int bar);

/* Drives the slot's INTA. */
void pci_intx(struct pci_dev *dev, bool level);

#endif
