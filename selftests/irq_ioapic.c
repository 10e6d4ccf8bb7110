// SPDX-License-Identifier: GPL-2.0
/* The IOAPIC (Intel 82093AA data sheet): registers, edge and level, EOIs. */
#include "irqtest.h"

#define LEVEL	0x8000u
#define RIRR	0x4000u

/* A pin that no PIC shares */
#define PIN	18

static void registers(void)
{
	struct ivcpu *c = irq_start();
	int i;

	EXPECT_EQ(g_ioapic_read(c, 1) >> 16, 23);
	EXPECT_EQ(g_ioapic_read(c, 0), 0);
	g_ioapic(c, 0, 0xffffffff);
	EXPECT_EQ(g_ioapic_read(c, 0), 0x0f000000);
	EXPECT_EQ(g_ioapic_read(c, 2), 0x0f000000);
	for (i = 0; i < 24; i++)
		EXPECT_EQ(g_redir_read(c, i), APIC_MASKED);
	/* status and remote IRR cannot be written, reserved bits read 0 */
	g_redir(c, PIN, ~0ull);
	EXPECT_EQ(g_redir_read(c, PIN), 0xff0000000001afffull);
	EXPECT_EQ(g_ioapic_read(c, 0x40), 0);
	EXPECT_EQ(g_ioapic_read(c, 0xff), 0);
	EXPECT_EQ(g_read(c, IOAPIC), 0xff);
}

static void edge(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;

	g_redir(c, PIN, 0x51);
	EXPECT_EQ(irq_line(vm, PIN, 1), 1);
	EXPECT_EQ(irq_line(vm, PIN, 1), 0);		/* no edge */
	EXPECT_VECTORS(c, 0x51);
	EXPECT_EQ(g_redir_read(c, PIN), 0x51);
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
	irq_line(vm, PIN, 0);
	irq_line(vm, PIN, 1);
	EXPECT_VECTORS(c, 0x51);
	g_eoi(c);
	irq_line(vm, PIN, 0);
	/* While it is masked, an edge is lost. */
	g_redir(c, PIN, APIC_MASKED | 0x51);
	EXPECT_EQ(irq_line(vm, PIN, 1), -1);
	g_ioapic(c, 0x10 + 2 * PIN, 0x51);
	EXPECT_NO_VECTOR(c);
	irq_line(vm, PIN, 0);
}

static void level(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;

	g_redir(c, PIN, LEVEL | 0x52);
	EXPECT_EQ(irq_line(vm, PIN, 1), 1);
	EXPECT_EQ(g_redir_read(c, PIN), LEVEL | RIRR | 0x52);
	EXPECT_VECTORS(c, 0x52);
	EXPECT_EQ(g_apic_read(c, APIC_TMR + 0x20) >> 0x12 & 1, 1);
	EXPECT_NO_VECTOR(c);
	g_eoi(c);
	EXPECT_VECTORS(c, 0x52);			/* still up */
	irq_line(vm, PIN, 0);
	EXPECT_EQ(g_redir_read(c, PIN), LEVEL | RIRR | 0x52);
	g_eoi(c);
	EXPECT_EQ(g_redir_read(c, PIN), LEVEL | 0x52);
	EXPECT_NO_VECTOR(c);
	/* While it is masked, a level waits. */
	g_redir(c, PIN, APIC_MASKED | LEVEL | 0x52);
	irq_line(vm, PIN, 1);
	EXPECT_NO_VECTOR(c);
	g_ioapic(c, 0x10 + 2 * PIN, LEVEL | 0x52);
	EXPECT_VECTORS(c, 0x52);
	irq_line(vm, PIN, 0);
	g_eoi(c);
}

/* An entry that is made an edge's loses its remote IRR. */
static void unstuck(void)
{
	struct ivcpu *c = irq_start();

	g_redir(c, PIN, LEVEL | 0x52);
	irq_line(c->v->vm, PIN, 1);
	EXPECT_EQ(g_redir_read(c, PIN) & RIRR, RIRR);
	g_ioapic(c, 0x10 + 2 * PIN, APIC_MASKED | 0x52);
	EXPECT_EQ(g_redir_read(c, PIN) & RIRR, 0);
}

/* EOI broadcasts can be suppressed; the EOI register is for who does that. */
static void directed_eoi(void)
{
	struct ivcpu *c = irq_start();

	if (dev_is_kvm())
		SKIP("KVM's IOAPIC has no EOI register");
	EXPECT_EQ(g_apic_read(c, APIC_VERSION) >> 24 & 1, 1);
	EXPECT_EQ(g_ioapic_read(c, 1) & 0xff, 0x20);
	g_apic(c, APIC_SVR, 0x1000 | SVR_ON);
	EXPECT_EQ(g_apic_read(c, APIC_SVR), 0x1000 | SVR_ON);
	g_redir(c, PIN, LEVEL | 0x52);
	irq_line(c->v->vm, PIN, 1);
	EXPECT_VECTORS(c, 0x52);
	g_eoi(c);
	EXPECT_EQ(g_redir_read(c, PIN) & RIRR, RIRR);
	EXPECT_NO_VECTOR(c);
	g_write(c, IOAPIC + 0x40, 0x53);		/* another's */
	EXPECT_EQ(g_redir_read(c, PIN) & RIRR, RIRR);
	irq_line(c->v->vm, PIN, 0);
	g_write(c, IOAPIC + 0x40, 0x52);
	EXPECT_EQ(g_redir_read(c, PIN) & RIRR, 0);
}

static void modes(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;

	g_apic(c, APIC_LDR, 0x02000000);
	/* lowest priority, logical */
	g_redir(c, PIN, 0x02ull << 56 | 0x800 | 0x100 | 0x54);
	irq_line(vm, PIN, 1);
	EXPECT_VECTORS(c, 0x54);
	g_eoi(c);
	irq_line(vm, PIN, 0);
	/* for nobody */
	g_redir(c, PIN, 0x04ull << 56 | 0x800 | 0x54);
	EXPECT_EQ(irq_line(vm, PIN, 1), -1);
	EXPECT_NO_VECTOR(c);
	irq_line(vm, PIN, 0);
	/* NMI */
	g_redir(c, PIN, 0x400);
	irq_line(vm, PIN, 1);
	g_open(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], NMI);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "registers", registers }, { "edge", edge }, { "level", level },
		{ "unstuck", unstuck }, { "directed_eoi", directed_eoi }, { "modes", modes },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
