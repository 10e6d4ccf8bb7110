// SPDX-License-Identifier: GPL-2.0
/* KVM_SET_GSI_ROUTING (KVM API 4.52), KVM_SIGNAL_MSI (4.70), and what a GSI leads to. */
#include "irqtest.h"

static struct routes *table(void)
{
	struct routes *r = calloc(1, sizeof(*r));

	ASSERT(r);
	return r;
}

/* GSI n is input n of the PICs and pin n of the IOAPIC. */
static void at_first(void)
{
	struct ivcpu *c = irq_start();
	int pin;

	g_apic(c, APIC_LVT0, APIC_MASKED);
	for (pin = 0; pin < 24; pin += 5) {
		g_redir(c, pin, 0x60 + pin);
		EXPECT(irq_line(c->v->vm, pin, 1) > 0);
		g_open(c);
		EXPECT_EQ(c->n, 1);
		EXPECT_EQ(c->seen[0], 0x60 + pin);
		g_eoi(c);
		irq_line(c->v->vm, pin, 0);
	}
	EXPECT_EQ(irq_line(c->v->vm, 24, 1), -1);
	EXPECT_EQ(irq_line(c->v->vm, 4095, 1), -1);
	EXPECT_EQ(irq_line(c->v->vm, 0xffffffff, 1), -1);
}

/* Elsewhere, to a message, and to nothing. */
static void replaced(void)
{
	struct ivcpu *c = irq_start();
	struct routes *r = table();
	struct vm *vm = c->v->vm;

	g_apic(c, APIC_LVT0, APIC_MASKED);
	g_redir(c, 2, 0x51);
	g_redir(c, 4, 0x52);
	route_pin(r, 0, KVM_IRQCHIP_IOAPIC, 2);
	route_msi(r, 1000, LAPIC, 0x53);
	EXPECT_OK(set_routes(vm, r));
	irq_line(vm, 0, 1);
	EXPECT_VECTORS(c, 0x51);
	g_eoi(c);
	irq_line(vm, 0, 0);
	EXPECT_EQ(irq_line(vm, 4, 1), -1);
	EXPECT_NO_VECTOR(c);
	EXPECT_EQ(irq_line(vm, 1000, 1), 1);
	EXPECT_VECTORS(c, 0x53);
	g_eoi(c);
	irq_line(vm, 1000, 0);
	EXPECT_NO_VECTOR(c);
	r->head.nr = 0;
	EXPECT_OK(set_routes(vm, r));
	irq_line(vm, 0, 1);
	EXPECT_NO_VECTOR(c);
	free(r);
}

static void refused(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;
	struct routes *r = table();
	uint32_t type;

	g_redir(c, 18, 0x51);
	route_pin(r, 0, KVM_IRQCHIP_IOAPIC, 24);
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0].u.irqchip.pin = 0xffffffff;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0].u.irqchip.pin = 8;
	r->e[0].u.irqchip.irqchip = KVM_IRQCHIP_PIC_MASTER;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0].u.irqchip.irqchip = 3;
	r->e[0].u.irqchip.pin = 0;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	for (type = 0; type < 100; type++) {
		r->e[0] = (struct kvm_irq_routing_entry) { .gsi = 1, .type = type };
		if (type != KVM_IRQ_ROUTING_IRQCHIP && type != KVM_IRQ_ROUTING_MSI &&
		    (!dev_is_kvm() || type > 5))
			EXPECT_ERR(set_routes(vm, r), EINVAL);
	}
	r->e[0].type = 0xffffffff;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0] = (struct kvm_irq_routing_entry) { .gsi = 4096, .type = KVM_IRQ_ROUTING_MSI };
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0].gsi = 1;
	r->e[0].flags = 0x80;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->e[0].flags = 0;
	r->head.flags = 1;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->head.flags = 0;
	r->head.nr = 4097;
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	/* one GSI: a message, or a pin of each chip */
	r->head.nr = 0;
	route_msi(r, 5, LAPIC, 0x55);
	route_msi(r, 5, LAPIC, 0x56);
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->head.nr = 0;
	route_msi(r, 5, LAPIC, 0x55);
	route_pin(r, 5, KVM_IRQCHIP_IOAPIC, 5);
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	r->head.nr = 0;
	route_pin(r, 5, KVM_IRQCHIP_IOAPIC, 5);
	route_pin(r, 5, KVM_IRQCHIP_IOAPIC, 6);
	EXPECT_ERR(set_routes(vm, r), EINVAL);
	/* After all that the old table is in force. */
	irq_line(vm, 18, 1);
	EXPECT_VECTORS(c, 0x51);
	free(r);
}

static void four_thousand(void)
{
	struct ivcpu *c = irq_start();
	struct routes *r = table();
	int i;

	for (i = 0; i < 4096; i++)
		route_msi(r, 4095 - i, LAPIC, 0x20 + i % 0xd0);
	EXPECT_OK(set_routes(c->v->vm, r));
	for (i = 0; i < 4096; i += 501) {
		EXPECT_EQ(irq_line(c->v->vm, 4095 - i, 1), 1);
		g_open(c);
		EXPECT_EQ(c->n, 1);
		EXPECT_EQ(c->seen[0], 0x20 + i % 0xd0);
		g_eoi(c);
	}
	free(r);
}

static void msi(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;
	struct kvm_msi m = { .address_lo = LAPIC, .data = 0x41, .flags = 0x80 };

	EXPECT_EQ(signal_msi(vm, LAPIC, 0x41), 1);
	EXPECT_VECTORS(c, 0x41);
	g_eoi(c);
	EXPECT_EQ(signal_msi(vm, LAPIC | 0xff000, 0x42), 1);	/* to all */
	EXPECT_VECTORS(c, 0x42);
	g_eoi(c);
	EXPECT_EQ(signal_msi(vm, LAPIC | 7 << 12, 0x43), 0);	/* to nobody */
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_LDR, 0x10000000);
	EXPECT_EQ(signal_msi(vm, LAPIC | 0x30 << 12 | 4, 0x44), 1);
	EXPECT_VECTORS(c, 0x44);
	g_eoi(c);
	EXPECT_EQ(signal_msi(vm, LAPIC | 0x30 << 12 | 0xc, 0x145), 1);
	EXPECT_VECTORS(c, 0x45);
	g_eoi(c);
	EXPECT_EQ(signal_msi(vm, LAPIC, 0x400), 1);		/* NMI */
	g_open(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], NMI);
	EXPECT_ERR(ioctl(vm->fd, KVM_SIGNAL_MSI, &m), EINVAL);
	vm = vm_bare();
	EXPECT_ERR(signal_msi(vm, LAPIC, 0x41), EINVAL);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "at_first", at_first }, { "replaced", replaced }, { "refused", refused },
		{ "four_thousand", four_thousand }, { "msi", msi },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
