// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables, read as a kernel reads them, and the fixed hardware that
 * they name.
 */
#include <stdlib.h>
#include <string.h>

#include "../boot/acpi.h"
#include "../devices/pci.h"
#include "../devices/pm.h"
#include "ktap.h"

static uint8_t low[HIGH_MEM];

static uint32_t get32(uint32_t at)
{
	uint32_t value;

	memcpy(&value, low + at, 4);
	return value;
}

static bool sums_up(uint32_t at, uint32_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + low[at++]);
	return !sum;
}

static uint32_t write_tables(unsigned int cpus, bool pci)
{
	const struct acpi_machine m = {
		.cpus = cpus,
		.timer_on_pin_2 = true,
		.pci = pci,
		.level_lines = pci ? pci_lines() : 0,
		.pci_line = pci_line,
		.pci_mem_start = PCI_MEM_START,
		.pci_mem_end = PCI_MEM_END,
	};

	memset(low, 0xa5, sizeof(low));
	acpi_write(low, &m);
	return get32(ACPI_RSDP + 16);
}

/* The table of this signature in the RSDT, and that it is sound. */
static uint32_t find(uint32_t rsdt, const char *signature)
{
	uint32_t i, at;

	for (i = 36; i < get32(rsdt + 4); i += 4) {
		at = get32(rsdt + i);
		if (!memcmp(low + at, signature, 4)) {
			CHECK(sums_up(at, get32(at + 4)));
			return at;
		}
	}
	printf("# no table %s\n", signature);
	test_failed = true;
	return ACPI_RSDP;
}

static void roots(void)
{
	uint32_t rsdt = write_tables(1, true), xsdt = get32(ACPI_RSDP + 24), i;

	CHECK(!memcmp(low + ACPI_RSDP, "RSD PTR ", 8));
	CHECK(sums_up(ACPI_RSDP, 20) && sums_up(ACPI_RSDP, 36));
	CHECK(!memcmp(low + rsdt, "RSDT", 4) && sums_up(rsdt, get32(rsdt + 4)));
	CHECK(!memcmp(low + xsdt, "XSDT", 4) && sums_up(xsdt, get32(xsdt + 4)));
	CHECK_EQ(get32(ACPI_RSDP + 28), 0);
	CHECK_EQ(get32(rsdt + 4), 36 + 2 * 4);
	CHECK_EQ(get32(xsdt + 4), 36 + 2 * 8);
	for (i = 0; i < 2; i++)
		CHECK_EQ(get32(rsdt + 36 + 4 * i), get32(xsdt + 36 + 8 * i));
	/* All within the area that is reserved for them, nothing below. */
	CHECK_EQ(low[ACPI_RSDP - 1], 0xa5);
	CHECK(xsdt + get32(xsdt + 4) < HIGH_MEM);
}

static void fadt(void)
{
	uint32_t at = find(write_tables(1, true), "FACP"), dsdt;

	CHECK_EQ(get32(at + 4), 244);
	CHECK(!memcmp(low + get32(at + 36), "FACS", 4));
	CHECK_EQ(get32(at + 36) % 64, 0);
	dsdt = get32(at + 40);
	CHECK_EQ(get32(at + 140), dsdt);
	CHECK(!memcmp(low + dsdt, "DSDT", 4) && sums_up(dsdt, get32(dsdt + 4)));
	CHECK_EQ(low[at + 46], ACPI_SCI);
	CHECK_EQ(get32(at + 56), ACPI_PM1_EVENT);
	CHECK_EQ(get32(at + 64), ACPI_PM1_CONTROL);
	CHECK_EQ(get32(at + 76), ACPI_PM_TIMER);
	CHECK_EQ(get32(at + 120), 0xcf9);
	CHECK_EQ(low[at + 128], 6);
}

static void madt(void)
{
	static const unsigned int counts[] = { 1, 2, 64 };
	uint32_t at, i, end, cpus, overrides, lines;
	size_t n;

	for (n = 0; n < 3; n++) {
		at = find(write_tables(counts[n], true), "APIC");
		end = at + get32(at + 4);
		cpus = 0;
		overrides = 0;
		lines = 0;
		for (i = at + 44; i < end && low[i + 1]; i += low[i + 1]) {
			if (low[i] == 0) {
				CHECK_EQ(low[i + 3], cpus);
				CHECK_EQ(get32(i + 4), 1);
				cpus++;
			} else if (low[i] == 1) {
				CHECK_EQ(get32(i + 4), IO_APIC_ADDR);
			} else if (low[i] == 2) {
				overrides++;
				if (low[i + 3])
					lines |= 1u << low[i + 3];
				CHECK_EQ(get32(i + 4), low[i + 3] ? low[i + 3] : 2);
				CHECK_EQ(low[i + 8], low[i + 3] ? 0xd : 0);
			}
		}
		CHECK_EQ(i, end);
		CHECK_EQ(cpus, counts[n]);
		CHECK_EQ(lines, pci_lines() | 1u << ACPI_SCI);
		CHECK_EQ(overrides, 6);
	}
}

/* Packages lie within each other, to their last byte (§20.2.4). */
static uint32_t package_len(uint32_t at)
{
	CHECK_EQ(low[at] >> 6, 2);
	return (low[at] & 15u) | (uint32_t)low[at + 1] << 4 | (uint32_t)low[at + 2] << 12;
}

static void dsdt(void)
{
	uint32_t at, end, scope, device, prt, i, n;

	at = get32(find(write_tables(1, false), "FACP") + 40);
	end = at + get32(at + 4);
	at += 36;
	CHECK(!memcmp(low + at, "\x08_S5_\x12", 6));
	CHECK_EQ(at + 6 + package_len(at + 6), end);	/* no bus */
	CHECK_EQ(low[at + 11], ACPI_S5);

	at = get32(find(write_tables(1, true), "FACP") + 40);
	end = at + get32(at + 4);
	at += 36 + 6;
	scope = at + package_len(at);
	CHECK_EQ(low[scope], 0x10);
	CHECK_EQ(scope + 1 + package_len(scope + 1), end);
	CHECK(!memcmp(low + scope + 4, "_SB_\x5b\x82", 6));
	device = scope + 10;
	CHECK_EQ(device + package_len(device), end);
	CHECK(!memcmp(low + device + 3, "PCI0", 4));
	/* The last thing in it is the routing, 31 entries to its end. */
	for (prt = device; prt < end && memcmp(low + prt, "\x08_PRT\x12", 6); prt++)
		;
	CHECK(prt < end);
	prt += 6;
	CHECK_EQ(prt + package_len(prt), end);
	CHECK_EQ(low[prt + 3], 31);
	for (i = prt + 4, n = 1; i < end && n < 32; n++) {
		CHECK_EQ(low[i], 0x12);
		CHECK_EQ(get32(i + 6), n << 16 | 0xffff);
		CHECK_EQ(low[i + 15], pci_line(n));
		i += 1 + package_len(i + 1);
	}
	CHECK_EQ(i, end);
}

static uint64_t now;

static uint64_t test_clock(void *ctx)
{
	(void)ctx;
	return now;
}

static void pm(void)
{
	static struct bus bus;
	struct pm p;
	uint8_t data[4];
	uint32_t value;

	now = 0;
	bus_init(&bus);
	pm_init(&p, test_clock, NULL);
	pm_attach(&p, &bus);
	bus_read(&bus, ACPI_PM1_CONTROL, 2, data);
	CHECK_EQ(data[0] | data[1] << 8, 1);		/* SCI_EN */
	/* A second later; and around its 24 bits. */
	now = 1000000000;
	bus_read(&bus, ACPI_PM_TIMER, 4, data);
	memcpy(&value, data, 4);
	CHECK_EQ(value, PM_HZ);
	now = 5000000000;
	bus_read(&bus, ACPI_PM_TIMER, 4, data);
	memcpy(&value, data, 4);
	CHECK_EQ(value, (5 * PM_HZ) & 0xffffff);
	bus_write(&bus, ACPI_PM1_EVENT + 2, 2, (uint8_t *)"\x21\x01");
	bus_read(&bus, ACPI_PM1_EVENT, 4, data);
	CHECK(!data[0] && !data[1] && data[2] == 0x21 && data[3] == 1);
	/* The state first, as Linux does, then that it is meant. */
	bus_write(&bus, ACPI_PM1_CONTROL, 2, (uint8_t *)"\x01\x14");
	CHECK(!p.off);
	bus_write(&bus, ACPI_PM1_CONTROL, 2, (uint8_t *)"\x01\x20");
	CHECK(!p.off);					/* S0 */
	bus_write(&bus, ACPI_PM1_CONTROL, 2, (uint8_t *)"\x01\x34");
	CHECK(p.off);
}

static const struct test tests[] = {
	{ "acpi_roots", roots },
	{ "acpi_fadt", fadt },
	{ "acpi_madt", madt },
	{ "acpi_dsdt", dsdt },
	{ "acpi_pm", pm },
};

TEST_MAIN(tests)
