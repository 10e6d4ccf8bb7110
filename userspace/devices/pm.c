// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI's fixed hardware: see pm.h.
 */
#include <string.h>

#include "../boot/acpi.h"
#include "pm.h"

#define NSEC_PER_SEC	1000000000ull

/* §4.8.3.2, PM1 control */
#define SCI_EN		0x0001u
#define SLP_TYP(v)	((v) >> 10 & 7)
#define SLP_EN		0x2000u

static uint32_t timer(const struct pm *pm)
{
	uint64_t ns = pm->now(pm->clock);

	return (uint32_t)((unsigned __int128)ns * PM_HZ / NSEC_PER_SEC) &
	       0xffffff;
}

static uint8_t pm_read(void *dev, uint16_t port)
{
	struct pm *pm = dev;
	unsigned int shift = 8 * (port & 1);

	switch (port & ~1u) {
	case ACPI_PM1_EVENT:		/* status: nothing happens */
		return 0;
	case ACPI_PM1_EVENT + 2:
		return (uint8_t)(pm->enable >> shift);
	case ACPI_PM1_CONTROL:
		return (uint8_t)(pm->control >> shift);
	case ACPI_PM_TIMER:
	case ACPI_PM_TIMER + 2:
		/* A wide read comes as bytes: they belong together. */
		if (port == ACPI_PM_TIMER)
			pm->latch = timer(pm);
		return (uint8_t)(pm->latch >> 8 * (port & 3));
	default:
		return 0xff;
	}
}

static void pm_write(void *dev, uint16_t port, uint8_t value)
{
	struct pm *pm = dev;
	unsigned int shift = 8 * (port & 1);
	uint16_t mask = (uint16_t)(0xff << shift);
	uint16_t bits = (uint16_t)(value << shift);

	switch (port & ~1u) {
	case ACPI_PM1_EVENT + 2:
		pm->enable = (uint16_t)((pm->enable & ~mask) | bits);
		break;
	case ACPI_PM1_CONTROL:
		pm->control = (uint16_t)((pm->control & ~mask) | bits | SCI_EN);
		/* Reads as 0; it acts when it is written. */
		if ((pm->control & SLP_EN) && SLP_TYP(pm->control) == ACPI_S5)
			pm->off = true;
		pm->control &= (uint16_t)~SLP_EN;
		break;
	default:
		break;
	}
}

void pm_init(struct pm *pm, clock_fn now, void *clock)
{
	memset(pm, 0, sizeof(*pm));
	pm->now = now;
	pm->clock = clock;
	pm->control = SCI_EN;
}

static const struct bus_ops pm_ops = { pm_read, pm_write };

void pm_attach(struct pm *pm, struct bus *bus)
{
	bus_claim(bus, ACPI_PM1_EVENT, 12, &pm_ops, pm);
}
