// SPDX-License-Identifier: GPL-2.0
/* Local APICs in the kernel, PIC and IOAPIC the client's (KVM_CAP_SPLIT_IRQCHIP). */
#include "irqtest.h"

static struct ivcpu *start(void)
{
	struct ivcpu *c = irq_vcpu(irq_vm(CHIPS_SPLIT), 0);

	g_apic(c, APIC_SVR, SVR_ON);
	return c;
}

static void creation(void)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct vm *vm = vm_bare();

	if (vm_cap(vm, KVM_CAP_SPLIT_IRQCHIP) <= 0)
		SKIP("no KVM_CAP_SPLIT_IRQCHIP");
	split.args[0] = 4097;
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &split), EINVAL);
	split.args[0] = 24;
	split.flags = 1;
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &split), EINVAL);
	split.flags = 0;
	EXPECT_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &split));
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &split), EEXIST);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	EXPECT_ERR(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip), ENXIO);
	vm = vm_bare();
	vcpu_bare(vm, 0);
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &split), EEXIST);
}

/* Neither PIC nor IOAPIC is here: their ports and page are the client's. */
GUEST(chips, 32, "in $0x20, %al\nmov $0xfec00000, %ebx\nmov (%ebx), %eax\nhlt\n");

static void not_here(void)
{
	struct vm *vm = irq_vm(CHIPS_SPLIT);
	struct vcpu *v = vcpu_new(vm, 0, MODE_PROT32);

	guest_load(vm, G_CODE, chips);
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, 0x20);
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.phys_addr, IOAPIC);
}

static void messages(void)
{
	struct ivcpu *c = start();
	struct routes *r = calloc(1, sizeof(*r));

	ASSERT(r);
	EXPECT_EQ(signal_msi(c->v->vm, LAPIC, 0x41), 1);
	EXPECT_VECTORS(c, 0x41);
	g_eoi(c);
	EXPECT_EQ(irq_line(c->v->vm, 4, 1), -1);
	route_msi(r, 4, LAPIC, 0x42);
	EXPECT_OK(set_routes(c->v->vm, r));
	EXPECT_EQ(irq_line(c->v->vm, 4, 1), 1);
	EXPECT_VECTORS(c, 0x42);
	g_eoi(c);
	r->head.nr = 0;
	route_pin(r, 4, KVM_IRQCHIP_IOAPIC, 4);
	EXPECT_ERR(set_routes(c->v->vm, r), EINVAL);
	free(r);
}

/* EOI of a level-triggered one of its IOAPIC's: the client is told. */
GUEST(eoi_code, 32, "sti\nnop\nnop\ncli\nmov $0xfee000b0, %eax\nmovl $0, (%eax)\nout %al, $0x10\n");
GUEST(eoi_code64, 64, "sti\nnop\nnop\ncli\nmov $0xfee000b0, %eax\nmovl $0, (%rax)\nout %al, $0x10\n");

static void eoi_exit(void)
{
	struct ivcpu *c = start();
	struct vm *vm = c->v->vm;
	struct kvm_run *run = c->v->run;
	struct routes *r = calloc(1, sizeof(*r));

	ASSERT(r);
	guest_load(vm, 0x9000, irq_mode() == MODE_LONG ? eoi_code64 : eoi_code);
	route_msi(r, 4, LAPIC, 0x8000 | 0x4000 | 0x51);
	route_msi(r, 5, LAPIC, 0x52);
	ASSERT_OK(set_routes(vm, r));
	irq_line(vm, 4, 1);
	set_rip(c->v, 0x9000);
	run_to(c->v, KVM_EXIT_IO);
	EXPECT_EQ(run->io.port, 0x11);
	EXPECT_EQ(*pio_data(c->v), 0x51);
	run_to(c->v, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(run->eoi.vector, 0x51);
	run_to(c->v, KVM_EXIT_IO);
	EXPECT_EQ(run->io.port, 0x10);
	/* An edge is nobody's business. */
	irq_line(vm, 5, 1);
	set_rip(c->v, 0x9000);
	run_to(c->v, KVM_EXIT_IO);
	EXPECT_EQ(*pio_data(c->v), 0x52);
	run_to(c->v, KVM_EXIT_IO);
	EXPECT_EQ(run->io.port, 0x10);
	free(r);
}

/* While it is in service its pin is turned to another CPU. */
static void eoi_moved(void)
{
	struct ivcpu *c = start();
	struct vm *vm = c->v->vm;
	struct routes *r = calloc(1, sizeof(*r));

	if (dev_is_kvm())
		SKIP("KVM 6.1 forgets it");
	ASSERT(r);
	guest_load(vm, 0x9000, eoi_code);
	route_msi(r, 4, LAPIC, 0x8000 | 0x4000 | 0x51);
	ASSERT_OK(set_routes(vm, r));
	irq_line(vm, 4, 1);
	set_rip(c->v, 0x9000);
	run_to(c->v, KVM_EXIT_IO);
	r->head.nr = 0;
	route_msi(r, 4, LAPIC | 5 << 12, 0x8000 | 0x4000 | 0x51);
	ASSERT_OK(set_routes(vm, r));
	run_to(c->v, KVM_EXIT_IOAPIC_EOI);
	EXPECT_EQ(c->v->run->eoi.vector, 0x51);
	free(r);
}

/* The client's PIC: KVM_INTERRUPT through LINT0, with its window. */
static void extint(void)
{
	struct ivcpu *c = start();
	struct kvm_interrupt i = { .irq = 0x33 };
	struct kvm_run *run = c->v->run;

	EXPECT_EQ(run->ready_for_interrupt_injection, 0);	/* IF is 0 */
	ASSERT_OK(ioctl(c->v->fd, KVM_INTERRUPT, &i));
	EXPECT_VECTORS(c, 0x33);
	EXPECT_EQ(g_isr(c, 0x33), 0);			/* not the local APIC's */
	run->request_interrupt_window = 1;
	guest_load(c->v->vm, 0x9000, irq_mode() == MODE_LONG ? eoi_code64 : eoi_code);
	set_rip(c->v, 0x9000);
	run_to(c->v, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(run->ready_for_interrupt_injection, 1);
	run->request_interrupt_window = 0;
	run_to(c->v, KVM_EXIT_IO);
}

/* The guest sleeps in KVM_RUN: the client's interrupt still finds its way. */
GUEST(halts, 32, "sti\nhlt\ncli\nout %al, $0x12\n1: sti\nhlt\ncli\nout %al, $0x12\njmp 1b\n");
GUEST(halts64, 64, "sti\nhlt\ncli\nout %al, $0x12\n1: sti\nhlt\ncli\nout %al, $0x12\njmp 1b\n");

static uint32_t mp_state(struct vcpu *v)
{
	struct kvm_mp_state mp;

	ASSERT_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
	return mp.mp_state;
}

static void expect_woken(struct vcpu *v, int vector)
{
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, 0x11);
	EXPECT_EQ(*pio_data(v), vector);
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, 0x12);
}

static void asleep(void)
{
	struct kvm_interrupt i = { .irq = 0x34 };
	struct ivcpu *c = start();
	struct vcpu *v = c->v;
	int r;

	guest_load(v->vm, 0x9000, irq_mode() == MODE_LONG ? halts64 : halts);
	set_rip(v, 0x9000);
	/* STI covers HLT: the window opens in it. */
	v->run->request_interrupt_window = 1;
	run_to(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	EXPECT_EQ(v->run->ready_for_interrupt_injection, 1);
	EXPECT_EQ(mp_state(v), KVM_MP_STATE_HALTED);
	v->run->request_interrupt_window = 0;
	ASSERT_OK(ioctl(v->fd, KVM_INTERRUPT, &i));
	expect_woken(v, 0x34);

	/* It was not waited for: a signal ends the sleep, and the window is open. */
	kick_me_in(10);
	do {
		r = vcpu_run(v);
		EXPECT_EQ(r, -EINTR);
	} while (r == -EINTR && mp_state(v) != KVM_MP_STATE_HALTED);
	kick_me_in(0);
	EXPECT_EQ(v->run->ready_for_interrupt_injection, 1);
	i.irq = 0x35;
	ASSERT_OK(ioctl(v->fd, KVM_INTERRUPT, &i));
	expect_woken(v, 0x35);
}

static void x2apic_ids(void)
{
	struct kvm_enable_cap x2 = { .cap = KVM_CAP_X2APIC_API, .args = { 3 } };
	struct vm *vm = irq_vm(CHIPS_SPLIT);
	struct kvm_lapic_state s;
	struct ivcpu *c;
	struct kvm_msi m = { .address_lo = LAPIC, .data = 0x41 };
	uint32_t id;

	if (vm_cap(vm, KVM_CAP_X2APIC_API) <= 0)
		SKIP("no KVM_CAP_X2APIC_API");
	x2.args[0] = 4;
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &x2), EINVAL);
	x2.args[0] = 3;
	ASSERT_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &x2));
	c = irq_vcpu(vm, 2);
	g_wrmsr(c, MSR_APICBASE, LAPIC | 0xc00);
	g_wrmsr(c, MSR_X2(APIC_SVR), SVR_ON);
	ASSERT_OK(ioctl(c->v->fd, KVM_GET_LAPIC, &s));
	memcpy(&id, s.regs + APIC_ID, 4);
	EXPECT_EQ(id, 2);
	m.address_lo = LAPIC | 2 << 12;
	EXPECT_EQ(ioctl(vm->fd, KVM_SIGNAL_MSI, &m), 1);
	m.address_hi = 0x100;				/* id 0x102 */
	EXPECT_EQ(ioctl(vm->fd, KVM_SIGNAL_MSI, &m), 0);
	m.address_hi = 1;
	EXPECT_ERR(ioctl(vm->fd, KVM_SIGNAL_MSI, &m), EINVAL);
	/* 0xff is an id here, and no broadcast. */
	m.address_hi = 0;
	m.address_lo = LAPIC | 0xff << 12;
	EXPECT_EQ(ioctl(vm->fd, KVM_SIGNAL_MSI, &m), 0);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "creation", creation }, { "not_here", not_here }, { "messages", messages },
		{ "eoi_exit", eoi_exit }, { "eoi_moved", eoi_moved },
		{ "extint", extint }, { "asleep", asleep }, { "x2apic_ids", x2apic_ids },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
