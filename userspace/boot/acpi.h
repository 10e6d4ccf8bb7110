/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI tables: which CPUs there are, how interrupts are wired, where the PCI
 * bus is, how to switch off.
 *
 * Facts: Advanced Configuration and Power Interface Specification 6.4; its
 * sections are named where they are followed.  The tables lie in the BIOS
 * area, where kernels look for them, and the boot parameters name them.
 */
#ifndef RINGVM_ACPI_H
#define RINGVM_ACPI_H

#include "layout.h"

#define ACPI_RSDP	BIOS_AREA

/* Fixed hardware (§4.8), of devices/pm.c. */
#define ACPI_PM1_EVENT	0x600u
#define ACPI_PM1_CONTROL 0x604u
#define ACPI_PM_TIMER	0x608u
#define ACPI_SCI	9u
#define ACPI_S5		5u	/* SLP_TYP for "off" */

struct acpi_machine {
	unsigned int cpus;	/* APIC IDs 0 to cpus - 1 */
	bool timer_on_pin_2;	/* IRQ 0 comes in at the I/O APIC's pin 2 */
	bool pci;
	uint32_t level_lines;	/* IRQs that are level-triggered, a mask */
	unsigned int (*pci_line)(unsigned int slot);
	uint32_t pci_mem_start, pci_mem_end;
};

#define IO_APIC_ADDR	0xfec00000u
#define LOCAL_APIC_ADDR	0xfee00000u

/* Writes all tables; @low is guest-physical address 0. */
void acpi_write(uint8_t *low, const struct acpi_machine *m);

#endif
