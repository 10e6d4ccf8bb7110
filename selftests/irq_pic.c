// SPDX-License-Identifier: GPL-2.0
/* The 8259A pair (Intel 8259A data sheet), its way to the CPU, and ELCR. */
#include "irqtest.h"

/* ICW1 to ICW4 of both: vectors 0x20 and 0x28, nothing masked but by @mask. */
static void init_pics(struct ivcpu *c, uint8_t icw4, uint16_t mask)
{
	g_out(c, 0x20, 0x11);
	g_out(c, 0x21, 0x20);
	g_out(c, 0x21, 0x04);
	g_out(c, 0x21, icw4);
	g_out(c, 0xa0, 0x11);
	g_out(c, 0xa1, 0x28);
	g_out(c, 0xa1, 0x02);
	g_out(c, 0xa1, icw4 & ~0x10);
	g_out(c, 0x21, mask);
	g_out(c, 0xa1, mask >> 8);
}

/* The local APIC is as after power-up: its LINT0 is ExtINT. */
static struct ivcpu *start(uint8_t icw4)
{
	struct ivcpu *c = irq_vcpu(irq_vm(CHIPS_ALL), 0);

	init_pics(c, icw4, 0);
	return c;
}

static void pulse(struct ivcpu *c, int irq)
{
	irq_line(c->v->vm, irq, 1);
	irq_line(c->v->vm, irq, 0);
}

static void edge(void)
{
	struct ivcpu *c = start(1);

	irq_line(c->v->vm, 4, 1);
	EXPECT_EQ(g_in(c, 0x20), 0x10);		/* IRR */
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x0b);
	EXPECT_EQ(g_in(c, 0x20), 0x10);		/* ISR */
	g_out(c, 0x20, 0x20);
	EXPECT_EQ(g_in(c, 0x20), 0);
	/* The line is still up: no new edge. */
	EXPECT_NO_VECTOR(c);
	irq_line(c->v->vm, 4, 0);
	EXPECT_NO_VECTOR(c);
	pulse(c, 4);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x20);
}

static void level(void)
{
	struct ivcpu *c = start(1);

	g_out(c, 0x4d0, 0xff);
	EXPECT_EQ(g_in(c, 0x4d0), 0xf8);
	g_out(c, 0x4d1, 0xff);
	EXPECT_EQ(g_in(c, 0x4d1), 0xde);
	irq_line(c->v->vm, 5, 1);
	EXPECT_VECTORS(c, 0x25);
	g_out(c, 0x20, 0x20);
	EXPECT_VECTORS(c, 0x25);		/* still up */
	irq_line(c->v->vm, 5, 0);
	g_out(c, 0x20, 0x20);
	EXPECT_NO_VECTOR(c);
}

static void masked(void)
{
	struct ivcpu *c = start(1);

	g_out(c, 0x21, 0x10);
	EXPECT_EQ(g_in(c, 0x21), 0x10);
	irq_line(c->v->vm, 4, 1);
	EXPECT_NO_VECTOR(c);
	g_out(c, 0x21, 0);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x64);			/* specific EOI */
	EXPECT_NO_VECTOR(c);
}

static void order(void)
{
	struct ivcpu *c = start(1);

	pulse(c, 6);
	pulse(c, 3);
	pulse(c, 9);
	/* The slave's come in the place of IRQ 2. */
	EXPECT_VECTORS(c, 0x29);
	EXPECT_NO_VECTOR(c);
	pulse(c, 1);
	EXPECT_VECTORS(c, 0x21);
	g_out(c, 0x20, 0x20);			/* of 1 */
	EXPECT_NO_VECTOR(c);
	g_out(c, 0xa0, 0x20);
	g_out(c, 0x20, 0x20);			/* of the cascade */
	EXPECT_VECTORS(c, 0x23);
	g_out(c, 0x20, 0x20);
	EXPECT_VECTORS(c, 0x26);
	g_out(c, 0x20, 0x20);
	EXPECT_NO_VECTOR(c);
}

static void rotation(void)
{
	struct ivcpu *c = start(1);

	g_out(c, 0x20, 0xc3);			/* lowest priority: 3 */
	pulse(c, 3);
	pulse(c, 4);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0xa0);			/* rotate on EOI */
	pulse(c, 4);
	EXPECT_VECTORS(c, 0x23);
	g_out(c, 0x20, 0x20);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x20);
}

static void auto_eoi(void)
{
	struct ivcpu *c = start(3);

	pulse(c, 4);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x0b);
	EXPECT_EQ(g_in(c, 0x20), 0);
	pulse(c, 6);
	EXPECT_VECTORS(c, 0x26);
}

static void special_mask(void)
{
	struct ivcpu *c = start(1);

	pulse(c, 1);
	EXPECT_VECTORS(c, 0x21);
	pulse(c, 6);
	EXPECT_NO_VECTOR(c);
	g_out(c, 0x21, 0x02);
	g_out(c, 0x20, 0x68);
	EXPECT_VECTORS(c, 0x26);
}

static void fully_nested(void)
{
	struct ivcpu *c = start(0x11);

	pulse(c, 12);
	EXPECT_VECTORS(c, 0x2c);
	pulse(c, 8);				/* higher, of the same slave */
	EXPECT_VECTORS(c, 0x28);
}

static void polled(void)
{
	struct ivcpu *c = start(1);

	g_out(c, 0x20, 0x0c);
	EXPECT_EQ(g_in(c, 0x20) & 0x80, 0);
	pulse(c, 6);
	g_out(c, 0x20, 0x0c);
	EXPECT_EQ(g_in(c, 0x20), 0x86);
	EXPECT_NO_VECTOR(c);			/* that was its INTA */
	g_out(c, 0x20, 0x20);
}

/* What has gone before the INTA: IR7's vector, and no bit in service. */
static void spurious(void)
{
	struct ivcpu *c = start(1);

	g_out(c, 0x4d0, 0x20);
	irq_line(c->v->vm, 5, 1);
	EXPECT_EQ(g_in(c, 0x20), 0x20);
	irq_line(c->v->vm, 5, 0);
	EXPECT_NO_VECTOR(c);
}

/* LINT0: masked, fixed, NMI; the other way is the IOAPIC's. */
static void lint0(void)
{
	struct ivcpu *c = start(1);

	g_apic(c, APIC_SVR, SVR_ON);
	g_apic(c, APIC_LVT0, APIC_MASKED | 0x700);
	pulse(c, 4);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_LVT0, 0x700);
	EXPECT_VECTORS(c, 0x24);
	g_out(c, 0x20, 0x20);
	/* With the APIC off LINT0 is the CPU's INTR. */
	g_apic(c, APIC_LVT0, APIC_MASKED | 0x700);
	g_wrmsr(c, MSR_APICBASE, LAPIC | 0x100);
	pulse(c, 4);
	EXPECT_VECTORS(c, 0x24);
}

static void wakes_hlt(void)
{
	struct ivcpu *c = start(1);

	g_open(c);
	pulse(c, 4);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x24);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "edge", edge }, { "level", level }, { "masked", masked }, { "order", order },
		{ "rotation", rotation }, { "auto_eoi", auto_eoi },
		{ "special_mask", special_mask }, { "fully_nested", fully_nested },
		{ "polled", polled }, { "spurious", spurious }, { "lint0", lint0 },
		{ "wakes_hlt", wakes_hlt },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
