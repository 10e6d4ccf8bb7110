// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC, driven through its registers as a guest does; what it sends and
 * tells is written down.
 */
#include <string.h>

#include "../devices/ioapic.h"
#include "ktap.h"

#define ENTRY(pin)	(0x10u + 2 * (pin))
#define MASKED		0x10000u
#define LEVEL		0x8000u
#define REMOTE_IRR	0x4000u
#define ACTIVE_LOW	0x2000u
#define LOGICAL		0x800u

static struct ioapic io;
static struct msi sent[64], told[64];
static unsigned int sends, tells;

static void send(void *ctx, struct msi *msi)
{
	(void)ctx;
	if (sends < 64)
		sent[sends] = *msi;
	sends++;
}

static void update(void *ctx, struct msi *msi)
{
	(void)ctx;
	if (tells < 64)
		told[tells] = *msi;
	tells++;
}

static const struct msi_sink sink = { update, send, NULL };

static void set_up(void)
{
	sends = 0;
	tells = 0;
	ioapic_init(&io, &sink);
}

static void put(uint32_t off, uint32_t value)
{
	ioapic_mmio(&io, off, 4, (uint8_t *)&value, true);
}

static uint32_t get(uint32_t off)
{
	uint32_t value = 0x5a5a5a5a;

	ioapic_mmio(&io, off, 4, (uint8_t *)&value, false);
	return value;
}

static void put_reg(uint32_t reg, uint32_t value)
{
	put(0x00, reg);
	put(0x10, value);
}

static uint32_t get_reg(uint32_t reg)
{
	put(0x00, reg);
	return get(0x10);
}

static void put_entry(unsigned int pin, uint32_t low, uint32_t high)
{
	put_reg(ENTRY(pin) + 1, high);
	put_reg(ENTRY(pin), low);
}

static void pulse(unsigned int pin)
{
	ioapic_set_irq(&io, pin, true);
	ioapic_set_irq(&io, pin, false);
}

static void registers(void)
{
	unsigned int pin;

	set_up();
	CHECK_EQ(get_reg(0x00), 0);
	CHECK_EQ(get_reg(0x01), 0x00170020);
	CHECK_EQ(get_reg(0x02), 0);
	put_reg(0x00, 0xffffffff);
	CHECK_EQ(get_reg(0x00), 0x0f000000);
	CHECK_EQ(get_reg(0x02), 0x0f000000);
	put_reg(0x01, 0);
	put_reg(0x02, 0);
	CHECK_EQ(get_reg(0x01), 0x00170020);
	CHECK_EQ(get_reg(0x02), 0x0f000000);
	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		CHECK_EQ(get_reg(ENTRY(pin)), MASKED);
		CHECK_EQ(get_reg(ENTRY(pin) + 1), 0);
		/* Neither status nor remote IRR can be written, nor what is reserved. */
		put_entry(pin, 0xffffffff, 0xffffffff);
		CHECK_EQ(get_reg(ENTRY(pin)), 0x1afff);
		CHECK_EQ(get_reg(ENTRY(pin) + 1), 0xff000000);
		put_entry(pin, MASKED | pin, pin << 24);
		CHECK_EQ(get_reg(ENTRY(pin)), MASKED | pin);
		CHECK_EQ(get_reg(ENTRY(pin) + 1), pin << 24);
	}
	CHECK_EQ(sends, 0);
}

/* Each index, and each offset and size of an access: nothing but the registers answers. */
static void hostile(void)
{
	uint8_t data[8];
	uint32_t i, j;

	set_up();
	for (i = 0; i < 0x400; i++) {
		put(0x00, i);
		CHECK_EQ(get(0x00), i & 0xff);
		if ((i & 0xff) >= ENTRY(IOAPIC_PINS) ||
		    ((i & 0xff) > 2 && (i & 0xff) < ENTRY(0))) {
			put(0x10, 0xffffffff);
			CHECK_EQ(get(0x10), 0);
		}
	}
	put_reg(ENTRY(3), MASKED | 0x2134);
	for (i = 1; i < IOAPIC_SIZE; i++) {
		for (j = 1; i != 0x10 && j <= 8; j *= 2) {
			memset(data, 0xff, sizeof(data));
			ioapic_mmio(&io, i, j, data, true);
			ioapic_mmio(&io, i, j, data, false);
			CHECK(!data[0] && !data[j - 1]);
			CHECK(j == 8 || data[j] == 0xff);
		}
	}
	CHECK_EQ(get(0x00), ENTRY(3));
	CHECK_EQ(get(0x10), MASKED | 0x2134);
	/* A wider access is that of the low half, a narrower one has zeros above. */
	memset(data, 0xff, sizeof(data));
	ioapic_mmio(&io, 0x10, 8, data, false);
	CHECK_EQ(data[0], 0x34);
	CHECK_EQ(data[2], 1);
	CHECK(!data[4] && !data[7]);
	memset(data, 0xff, sizeof(data));
	ioapic_mmio(&io, 0x10, 2, data, false);
	CHECK(data[1] == 0x21 && data[2] == 0xff);
	ioapic_mmio(&io, 0x10, 1, data, true);
	CHECK_EQ(get(0x10), 0x34);

	set_up();
	for (i = 0; i < 100; i++) {
		ioapic_set_irq(&io, IOAPIC_PINS + i, true);
		ioapic_set_irq(&io, 0xffffffff - i, true);
	}
	for (i = 0; i < 256; i++)
		ioapic_eoi(&io, (uint8_t)i);
	CHECK_EQ(sends, 0);
	CHECK_EQ(io.lines, 0);
}

static void edge(void)
{
	set_up();
	put_entry(4, 0x41, 0x12000000);
	ioapic_set_irq(&io, 4, true);
	CHECK_EQ(sends, 1);
	CHECK_EQ(sent[0].addr, 0xfee12000);
	CHECK_EQ(sent[0].data, 0x4041);
	CHECK_EQ(sent[0].gsi, 4);
	/* The level means nothing, an EOI neither. */
	ioapic_set_irq(&io, 4, true);
	ioapic_eoi(&io, 0x41);
	put_entry(4, 0x41, 0x12000000);
	CHECK_EQ(sends, 1);
	CHECK_EQ(get_reg(ENTRY(4)), 0x41);
	ioapic_set_irq(&io, 4, false);
	pulse(4);
	CHECK_EQ(sends, 2);
	/* Logical destination, lowest priority. */
	put_entry(4, LOGICAL | 0x100 | 0x42, 0x03000000);
	pulse(4);
	CHECK_EQ(sends, 3);
	CHECK_EQ(sent[2].addr, 0xfee03004);
	CHECK_EQ(sent[2].data, 0x4142);
}

static void level(void)
{
	set_up();
	put_entry(11, LEVEL | ACTIVE_LOW | 0x51, 0);
	CHECK_EQ(sends, 0);
	ioapic_set_irq(&io, 11, true);
	CHECK_EQ(sends, 1);
	CHECK_EQ(sent[0].data, 0xc051);
	CHECK_EQ(get_reg(ENTRY(11)), LEVEL | ACTIVE_LOW | REMOTE_IRR | 0x51);
	/* Once, till the EOI of this vector. */
	ioapic_set_irq(&io, 11, true);
	pulse(11);
	ioapic_set_irq(&io, 11, true);
	ioapic_eoi(&io, 0x52);
	CHECK_EQ(sends, 1);
	/* It is still asserted: once more. */
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sends, 2);
	CHECK_EQ(get_reg(ENTRY(11)), LEVEL | ACTIVE_LOW | REMOTE_IRR | 0x51);
	ioapic_set_irq(&io, 11, false);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sends, 2);
	CHECK_EQ(get_reg(ENTRY(11)), LEVEL | ACTIVE_LOW | 0x51);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sends, 2);
	/* By the EOI register, and for all pins of the vector. */
	put_entry(10, LEVEL | 0x51, 0x01000000);
	ioapic_set_irq(&io, 10, true);
	ioapic_set_irq(&io, 11, true);
	CHECK_EQ(sends, 4);
	put(0x40, 0x51);
	CHECK_EQ(sends, 6);
	CHECK_EQ(sent[4].gsi, 10);
	CHECK_EQ(sent[5].gsi, 11);
}

static void masking(void)
{
	set_up();
	/* An edge is lost, */
	put_entry(5, MASKED | 0x61, 0);
	pulse(5);
	put_reg(ENTRY(5), 0x61);
	CHECK_EQ(sends, 0);
	ioapic_set_irq(&io, 5, true);
	CHECK_EQ(sends, 1);
	/* a level waits; */
	put_entry(6, MASKED | LEVEL | 0x62, 0);
	ioapic_set_irq(&io, 6, true);
	CHECK_EQ(sends, 1);
	put_reg(ENTRY(6), LEVEL | 0x62);
	CHECK_EQ(sends, 2);
	/* masked while it is served it does not come again, */
	put_reg(ENTRY(6), MASKED | LEVEL | 0x62);
	CHECK_EQ(get_reg(ENTRY(6)), MASKED | LEVEL | REMOTE_IRR | 0x62);
	ioapic_eoi(&io, 0x62);
	CHECK_EQ(get_reg(ENTRY(6)), MASKED | LEVEL | 0x62);
	CHECK_EQ(sends, 2);
	/* but open again it does. */
	put_reg(ENTRY(6), LEVEL | 0x62);
	CHECK_EQ(sends, 3);
	/* Opened while it is served it does not. */
	put_reg(ENTRY(6), MASKED | LEVEL | 0x62);
	put_reg(ENTRY(6), LEVEL | 0x62);
	CHECK_EQ(sends, 3);
	/* To edge and back: the service is forgotten, and the level sent. */
	put_reg(ENTRY(6), MASKED | 0x62);
	CHECK_EQ(get_reg(ENTRY(6)), MASKED | 0x62);
	put_reg(ENTRY(6), LEVEL | 0x62);
	CHECK_EQ(sends, 4);
}

/* NMI and its like have no trigger mode: nothing waits for an EOI that will not come. */
static void other_modes(void)
{
	static const unsigned int modes[] = { 2, 4, 5, 7 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		set_up();
		put_entry(7, LEVEL | modes[i] << 8 | 0x71, 0);
		pulse(7);
		pulse(7);
		CHECK_EQ(sends, 2);
		CHECK_EQ(sent[1].data, 0x4000 | modes[i] << 8 | 0x71);
		CHECK_EQ(get_reg(ENTRY(7)), LEVEL | modes[i] << 8 | 0x71);
	}
}

/* Who watches for EOIs hears of each change of a message before it is sent, and of no other. */
static void changes(void)
{
	set_up();
	put_reg(ENTRY(9) + 1, 0x02000000);
	CHECK_EQ(tells, 1);
	CHECK(told[0].gsi == 9 && told[0].addr == 0xfee02000);
	ioapic_set_irq(&io, 9, true);
	put_reg(ENTRY(9), LEVEL | 0x91);
	CHECK_EQ(tells, 2);
	CHECK_EQ(told[1].data, 0xc091);
	CHECK_EQ(sends, 1);
	CHECK_EQ(sent[0].data, told[1].data);
	CHECK_EQ(sent[0].addr, told[1].addr);
	put_reg(ENTRY(9), MASKED | LEVEL | 0x91);
	put_reg(ENTRY(9), LEVEL | ACTIVE_LOW | 0x91);
	put_reg(0x00, 0x01000000);
	CHECK_EQ(tells, 2);
}

/* A guest that writes at random, and lines at random: remote IRR never without its level. */
static void at_random(void)
{
	uint64_t seed = 1, r, e;
	unsigned int i, pin;

	set_up();
	for (i = 0; i < 200000; i++) {
		r = test_random(&seed);
		if (r & 1)
			put_reg(r >> 8 & 0xff, (uint32_t)(r >> 32));
		else if (r & 2)
			put(r >> 8 & 0xff, (uint32_t)(r >> 32));
		else
			ioapic_set_irq(&io, r >> 8 & 31, r & 4);
		for (pin = 0; pin < IOAPIC_PINS; pin++) {
			e = io.entry[pin];
			/* asserted, open, not in service: it should have been sent */
			if ((e & REMOTE_IRR ? !(e & LEVEL) || (e & 0x600) :
			     (e & LEVEL) && !(e & 0x600) && !(e & MASKED) &&
			     (io.lines >> pin & 1))) {
				CHECK(!"a pin's state cannot be");
				return;
			}
		}
	}
	CHECK(sends > 1000);
}

static const struct test tests[] = {
	{ "ioapic_registers", registers },
	{ "ioapic_hostile", hostile },
	{ "ioapic_edge", edge },
	{ "ioapic_level", level },
	{ "ioapic_masking", masking },
	{ "ioapic_other_modes", other_modes },
	{ "ioapic_changes", changes },
	{ "ioapic_at_random", at_random },
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
