// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI tables: see acpi.h.
 */
#include <string.h>

#include "acpi.h"

#define HEADER		36u
#define FACS_LEN	64u
#define FADT_LEN	244u		/* ACPI 4.0's, revision 4 */
#define TABLE_MAX	0x8000u

/* §20.2, AML encoding */
#define AML_NAME	0x08
#define AML_BYTE	0x0a
#define AML_DWORD	0x0c
#define AML_SCOPE	0x10
#define AML_BUFFER	0x11
#define AML_PACKAGE	0x12
#define AML_EXT		0x5b
#define AML_EXT_DEVICE	0x82

/* Bytes being written, and their place in guest memory. */
struct out {
	uint8_t *low;
	uint32_t at;
};

static void put8(struct out *o, unsigned int value)
{
	o->low[o->at++] = (uint8_t)value;
}

static void put16(struct out *o, unsigned int value)
{
	put8(o, value);
	put8(o, value >> 8);
}

static void put32(struct out *o, uint32_t value)
{
	put16(o, value & 0xffff);
	put16(o, value >> 16);
}

static void put64(struct out *o, uint64_t value)
{
	put32(o, (uint32_t)value);
	put32(o, (uint32_t)(value >> 32));
}

static void put_text(struct out *o, const char *text)
{
	while (*text)
		put8(o, (uint8_t)*text++);
}

static void put_zeros(struct out *o, unsigned int count)
{
	while (count--)
		put8(o, 0);
}

static void align(struct out *o, uint32_t to)
{
	while (o->at % to)
		put8(o, 0);
}

/* All bytes of a table add up to 0. */
static void checksum(uint8_t *table, unsigned int len, unsigned int at)
{
	uint8_t sum = 0;
	unsigned int i;

	table[at] = 0;
	for (i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	table[at] = (uint8_t)-sum;
}

/* §5.2.6: the header all tables have; table_end() fills length and sum. */
static uint32_t table_begin(struct out *o, const char *signature,
			    unsigned int revision)
{
	uint32_t start;

	align(o, 16);
	start = o->at;
	put_text(o, signature);
	put32(o, 0);
	put8(o, revision);
	put8(o, 0);
	put_text(o, "RINGVM");
	put_text(o, "RINGVM  ");
	put32(o, 1);
	put_text(o, "RVM ");
	put32(o, 1);
	return start;
}

static void table_end(struct out *o, uint32_t start)
{
	struct out len = { o->low, start + 4 };

	put32(&len, o->at - start);
	checksum(o->low + start, o->at - start, 9);
}

/* ---- AML -------------------------------------------------------------------- */

/*
 * §20.2.4: the length of what follows, itself included, in 20 bits: the form
 * of three bytes is used for all, so that it can be filled in at the end.
 */
static uint32_t package_begin(struct out *o)
{
	uint32_t start = o->at;

	put_zeros(o, 3);
	return start;
}

static void package_end(struct out *o, uint32_t start)
{
	uint32_t len = o->at - start;

	o->low[start] = (uint8_t)(0x80 | (len & 15));
	o->low[start + 1] = (uint8_t)(len >> 4);
	o->low[start + 2] = (uint8_t)(len >> 12);
}

static void aml_name(struct out *o, const char *name)
{
	put8(o, AML_NAME);
	put_text(o, name);
}

static void aml_int(struct out *o, uint32_t value)
{
	if (value < 256) {
		put8(o, AML_BYTE);
		put8(o, value);
	} else {
		put8(o, AML_DWORD);
		put32(o, value);
	}
}

/* §6.4.3.5.3: a window of 16-bit addresses: 1 is I/O, 2 bus numbers. */
static void word_window(struct out *o, unsigned int type, unsigned int flags,
			unsigned int first, unsigned int last)
{
	put8(o, 0x88);
	put16(o, 13);
	put8(o, type);
	put8(o, 0x0c);		/* both ends are fixed */
	put8(o, flags);
	put16(o, 0);
	put16(o, first);
	put16(o, last);
	put16(o, 0);
	put16(o, last - first + 1);
}

static void memory_window(struct out *o, uint32_t first, uint32_t last)
{
	put8(o, 0x87);
	put16(o, 23);
	put8(o, 0);		/* memory */
	put8(o, 0x0c);
	put8(o, 1);		/* writable, not cacheable */
	put32(o, 0);
	put32(o, first);
	put32(o, last);
	put32(o, 0);
	put32(o, last - first + 1);
}

/* What the bridge passes on: all that is not the board's. */
static void bridge_resources(struct out *o, const struct acpi_machine *m)
{
	uint32_t package, start;

	aml_name(o, "_CRS");
	put8(o, AML_BUFFER);
	package = package_begin(o);
	put8(o, AML_BYTE);
	put8(o, 0);			/* the size, below */
	start = o->at;
	word_window(o, 2, 0, 0, 0);
	/* The bridge's own ports: 8 at 0xcf8 (§6.4.2.5). */
	put8(o, 0x47);
	put8(o, 1);
	put16(o, 0xcf8);
	put16(o, 0xcf8);
	put8(o, 1);
	put8(o, 8);
	word_window(o, 1, 3, 0x1000, 0xffff);
	memory_window(o, m->pci_mem_start, m->pci_mem_end - 1);
	put16(o, 0x0079);		/* end, no checksum */
	o->low[start - 1] = (uint8_t)(o->at - start);
	package_end(o, package);
}

/* §6.2.13: which input each slot's INTA goes to. */
static void bridge_routing(struct out *o, const struct acpi_machine *m)
{
	uint32_t table, entry;
	unsigned int slot;

	aml_name(o, "_PRT");
	put8(o, AML_PACKAGE);
	table = package_begin(o);
	put8(o, 31);
	for (slot = 1; slot < 32; slot++) {
		put8(o, AML_PACKAGE);
		entry = package_begin(o);
		put8(o, 4);
		aml_int(o, slot << 16 | 0xffff);
		aml_int(o, 0);			/* INTA */
		aml_int(o, 0);			/* a plain input ... */
		aml_int(o, m->pci_line(slot));	/* ... of this number */
		package_end(o, entry);
	}
	package_end(o, table);
}

static void aml_bridge(struct out *o, const struct acpi_machine *m)
{
	uint32_t scope, device;

	put8(o, AML_SCOPE);
	scope = package_begin(o);
	put_text(o, "_SB_");
	put8(o, AML_EXT);
	put8(o, AML_EXT_DEVICE);
	device = package_begin(o);
	put_text(o, "PCI0");
	aml_name(o, "_HID");
	put8(o, AML_DWORD);
	put32(o, 0x030ad041);		/* PNP0A03, compressed (§19.3.4) */
	aml_name(o, "_ADR");
	aml_int(o, 0);
	bridge_resources(o, m);
	bridge_routing(o, m);
	package_end(o, device);
	package_end(o, scope);
}

static uint32_t write_dsdt(struct out *o, const struct acpi_machine *m)
{
	uint32_t start = table_begin(o, "DSDT", 2), package;
	unsigned int i;

	/* §7.4.2.6: what to write to switch off */
	aml_name(o, "_S5_");
	put8(o, AML_PACKAGE);
	package = package_begin(o);
	put8(o, 4);
	for (i = 0; i < 4; i++)
		aml_int(o, i < 2 ? ACPI_S5 : 0);
	package_end(o, package);
	if (m->pci)
		aml_bridge(o, m);
	table_end(o, start);
	return start;
}

/* ---- the other tables ------------------------------------------------------- */

/* §5.2.10: needs nothing but to be there. */
static uint32_t write_facs(struct out *o)
{
	uint32_t start;

	align(o, 64);
	start = o->at;
	put_text(o, "FACS");
	put32(o, FACS_LEN);
	put_zeros(o, FACS_LEN - 8);
	o->low[start + 32] = 1;		/* version */
	return start;
}

/* §5.2.9.  The machine is in ACPI mode from the start: there is no SMI. */
static uint32_t write_fadt(struct out *o, uint32_t facs, uint32_t dsdt)
{
	uint32_t start = table_begin(o, "FACP", 4);
	struct out f;

	put_zeros(o, FADT_LEN - HEADER);
	f = (struct out){ o->low, start + 36 };
	put32(&f, facs);
	put32(&f, dsdt);
	f.at = start + 46;
	put16(&f, ACPI_SCI);
	f.at = start + 56;
	put32(&f, ACPI_PM1_EVENT);
	f.at = start + 64;
	put32(&f, ACPI_PM1_CONTROL);
	f.at = start + 76;
	put32(&f, ACPI_PM_TIMER);
	f.at = start + 88;
	put8(&f, 4);			/* lengths of these */
	put8(&f, 2);
	put8(&f, 0);
	put8(&f, 4);
	f.at = start + 96;
	put16(&f, 0xfff);		/* no C2, no C3 */
	put16(&f, 0xfff);
	f.at = start + 109;
	/* There are legacy devices; no 8042, no VGA, no ASPM. */
	put16(&f, 1 << 0 | 1 << 2 | 1 << 4);
	f.at = start + 112;
	/*
	 * WBINVD works, C1 does; no power and sleep button as fixed hardware,
	 * no alarm that wakes; there is a reset register.
	 */
	put32(&f, 1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10);
	put32(&f, 1 | 8 << 8 | 1 << 24);	/* I/O, 8 bits, a byte */
	put64(&f, 0xcf9);
	put8(&f, 0x06);
	f.at = start + 140;
	put64(&f, dsdt);
	table_end(o, start);
	return start;
}

/* §5.2.12 */
static uint32_t write_madt(struct out *o, const struct acpi_machine *m)
{
	uint32_t start = table_begin(o, "APIC", 3);
	unsigned int i;

	put32(o, LOCAL_APIC_ADDR);
	put32(o, 1);			/* there is an 8259A pair, too */
	for (i = 0; i < m->cpus; i++) {
		put16(o, 0x0800);	/* local APIC */
		put8(o, i);
		put8(o, i);
		put32(o, 1);
	}
	put16(o, 0x0c01);		/* I/O APIC */
	put16(o, m->cpus);
	put32(o, IO_APIC_ADDR);
	put32(o, 0);
	for (i = 0; i < 16; i++) {
		bool level = i == ACPI_SCI || (m->level_lines & 1u << i);

		if (!level && !(i == 0 && m->timer_on_pin_2))
			continue;
		put16(o, 0x0a02);	/* an IRQ that is not as on ISA */
		put8(o, 0);
		put8(o, i);
		put32(o, i ? i : 2);
		put16(o, level ? 0x000d : 0);	/* active high, level */
	}
	put16(o, 0x0604);		/* NMI at LINT1 of all of them */
	put8(o, 0xff);
	put16(o, 0);
	put8(o, 1);
	table_end(o, start);
	return start;
}

void acpi_write(uint8_t *low, const struct acpi_machine *m)
{
	struct out o = { low, ACPI_RSDP + 64 };
	struct out rsdp = { low, ACPI_RSDP };
	uint32_t facs, dsdt, fadt, madt, rsdt, xsdt;

	memset(low + ACPI_RSDP, 0, TABLE_MAX);
	facs = write_facs(&o);
	dsdt = write_dsdt(&o, m);
	fadt = write_fadt(&o, facs, dsdt);
	madt = write_madt(&o, m);
	rsdt = table_begin(&o, "RSDT", 1);
	put32(&o, fadt);
	put32(&o, madt);
	table_end(&o, rsdt);
	xsdt = table_begin(&o, "XSDT", 1);
	put64(&o, fadt);
	put64(&o, madt);
	table_end(&o, xsdt);

	/* §5.2.5.3 */
	put_text(&rsdp, "RSD PTR ");
	put8(&rsdp, 0);
	put_text(&rsdp, "RINGVM");
	put8(&rsdp, 2);
	put32(&rsdp, rsdt);
	put32(&rsdp, 36);
	put64(&rsdp, xsdt);
	checksum(low + ACPI_RSDP, 20, 8);
	checksum(low + ACPI_RSDP, 36, 32);
}
