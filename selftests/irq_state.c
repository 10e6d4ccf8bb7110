// SPDX-License-Identifier: GPL-2.0
/* The chips' state out and in again (KVM API 4.26, 4.27, 4.57, 4.58), and to another VM. */
#include "irqtest.h"

static uint32_t reg(const struct kvm_lapic_state *s, int off)
{
	uint32_t val;

	memcpy(&val, s->regs + off, 4);
	return val;
}

static void put(struct kvm_lapic_state *s, int off, uint32_t val)
{
	memcpy(s->regs + off, &val, 4);
}

/* What waits and what is in service goes along to another VM. */
static void lapic_moves(void)
{
	struct ivcpu *a = irq_start(), *b = irq_start();
	struct kvm_lapic_state s, t;

	g_apic(a, APIC_LVTERR, 0x77);
	g_apic(a, APIC_TPR, 0x20);
	g_apic(a, APIC_ICR, 0x40000 | 0x41);
	g_open(a);
	g_apic(a, APIC_ICR, 0x40000 | 0x42);
	g_apic(a, APIC_ICR, 0x40000 | 0x91);
	ASSERT_OK(ioctl(a->v->fd, KVM_GET_LAPIC, &s));
	EXPECT_EQ(reg(&s, APIC_ISR + 0x20), 2);
	EXPECT_EQ(reg(&s, APIC_IRR + 0x20), 4);
	EXPECT_EQ(reg(&s, APIC_SVR), SVR_ON);
	ASSERT_OK(ioctl(b->v->fd, KVM_SET_LAPIC, &s));
	ASSERT_OK(ioctl(b->v->fd, KVM_GET_LAPIC, &t));
	EXPECT(!memcmp(&s, &t, sizeof(s)));
	EXPECT_EQ(g_apic_read(b, APIC_LVTERR), 0x77);
	EXPECT_VECTORS(b, 0x91);
	g_eoi(b);
	EXPECT_NO_VECTOR(b);
	g_eoi(b);
	EXPECT_VECTORS(b, 0x42);
}

static void timer_moves(void)
{
	struct ivcpu *a = irq_start(), *b = irq_start();
	struct kvm_lapic_state s;

	g_apic(a, APIC_TDCR, 0xb);
	g_apic(a, APIC_LVTT, 0x20055);
	g_apic(a, APIC_TMICT, 5000000);
	ASSERT_OK(ioctl(a->v->fd, KVM_GET_LAPIC, &s));
	EXPECT_EQ(reg(&s, APIC_TMICT), 5000000);
	EXPECT(reg(&s, APIC_TMCCT) <= 5000000);
	ASSERT_OK(ioctl(b->v->fd, KVM_SET_LAPIC, &s));
	g_halt(b);
	EXPECT_EQ(b->seen[0], 0x55);
	g_eoi(b);
	g_halt(b);
	EXPECT_EQ(b->seen[0], 0x55);
}

static void x2apic_moves(void)
{
	struct ivcpu *a = irq_start(), *b = irq_start();
	struct kvm_lapic_state s, t;

	g_wrmsr(a, MSR_APICBASE, LAPIC | 0xd00);
	g_wrmsr(a, 0x83f, 0x41);
	ASSERT_OK(ioctl(a->v->fd, KVM_GET_LAPIC, &s));
	/* APICBASE first: the structure's meaning depends on it. */
	ASSERT_EQ(set_msr(b->v, MSR_APICBASE, LAPIC | 0xd00), 1);
	ASSERT_OK(ioctl(b->v->fd, KVM_SET_LAPIC, &s));
	ASSERT_OK(ioctl(b->v->fd, KVM_GET_LAPIC, &t));
	EXPECT(!memcmp(&s, &t, sizeof(s)));
	EXPECT_VECTORS(b, 0x41);
	put(&s, APIC_ID, 0x07000000);
	EXPECT_ERR(ioctl(b->v->fd, KVM_SET_LAPIC, &s), EINVAL);
}

static void get_chip(struct vm *vm, uint32_t id, struct kvm_irqchip *c)
{
	memset(c, 0, sizeof(*c));
	c->chip_id = id;
	ASSERT_OK(ioctl(vm->fd, KVM_GET_IRQCHIP, c));
}

static void chips_move(void)
{
	struct ivcpu *a = irq_start(), *b = irq_start();
	struct kvm_irqchip s, t;
	uint32_t i;

	g_out(a, 0x20, 0x11);
	g_out(a, 0x21, 0x20);
	g_out(a, 0x21, 0x04);
	g_out(a, 0x21, 0x01);
	g_out(a, 0x21, 0xe0);
	g_out(a, 0x4d0, 0x20);
	irq_line(a->v->vm, 3, 1);
	g_redir(a, 18, 0x8052);
	irq_line(a->v->vm, 18, 1);
	g_ioapic(a, 0, 0x03000000);
	for (i = 0; i < 3; i++) {
		get_chip(a->v->vm, i, &s);
		ASSERT_OK(ioctl(b->v->vm->fd, KVM_SET_IRQCHIP, &s));
		get_chip(b->v->vm, i, &t);
		EXPECT(!memcmp(&s, &t, sizeof(s)));
	}
	EXPECT_EQ(s.chip.ioapic.redirtbl[18].bits, 0x8052 | 0x4000);
	EXPECT_EQ(s.chip.ioapic.irr & 1 << 18, 1 << 18);
	EXPECT_EQ(s.chip.ioapic.base_address, IOAPIC);
	EXPECT_EQ(g_in(b, 0x21), 0xe0);
	EXPECT_EQ(g_in(b, 0x20), 0x08);
	EXPECT_EQ(g_in(b, 0x4d0), 0x20);
	EXPECT_VECTORS(b, 0x23);		/* LINT0 is as after power-up */
	EXPECT_EQ(g_ioapic_read(b, 0), 0x03000000);
}

static void chip_errors(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL), *bare = vm_bare();
	struct kvm_irqchip c = { .chip_id = 3 };

	EXPECT_ERR(ioctl(vm->fd, KVM_GET_IRQCHIP, &c), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_IRQCHIP, &c), EINVAL);
	c.chip_id = 0xffffffff;
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_IRQCHIP, &c), EINVAL);
	c.chip_id = 0;
	EXPECT_ERR(ioctl(bare->fd, KVM_GET_IRQCHIP, &c), ENXIO);
	EXPECT_ERR(ioctl(bare->fd, KVM_SET_IRQCHIP, &c), ENXIO);
}

/* All ones and all zeros: what comes back is a state that the chips can be in. */
static void impossible(void)
{
	struct ivcpu *c = irq_start();
	struct vm *vm = c->v->vm;
	struct kvm_lapic_state l;
	struct kvm_irqchip s;
	int fill, i;

	if (dev_is_kvm())
		SKIP("KVM keeps what it is given");
	for (fill = 0; fill < 2; fill++) {
		for (i = 0; i < 3; i++) {
			memset(&s, -fill, sizeof(s));
			s.chip_id = i;
			EXPECT_OK(ioctl(vm->fd, KVM_SET_IRQCHIP, &s));
			get_chip(vm, i, &s);
			if (i < 2) {
				EXPECT(s.chip.pic.init_state <= 3);
				EXPECT(s.chip.pic.priority_add < 8);
				EXPECT_EQ(s.chip.pic.elcr & ~s.chip.pic.elcr_mask, 0);
				EXPECT_EQ(s.chip.pic.elcr_mask, i ? 0xde : 0xf8);
			} else {
				EXPECT_EQ(s.chip.ioapic.redirtbl[5].bits & 0x00fffffffffe1000ull, 0);
				EXPECT_EQ(s.chip.ioapic.base_address & 0xff, 0);
			}
		}
		memset(&l, -fill, sizeof(l));
		EXPECT_OK(ioctl(c->v->fd, KVM_SET_LAPIC, &l));
		ASSERT_OK(ioctl(c->v->fd, KVM_GET_LAPIC, &l));
		EXPECT_EQ(reg(&l, APIC_ID), 0);
		EXPECT_EQ(reg(&l, APIC_VERSION) & 0xff, 0x14);
		EXPECT_EQ(reg(&l, APIC_IRR) & 0xffff, 0);
		EXPECT_EQ(reg(&l, APIC_ISR) & 0xffff, 0);
		EXPECT(reg(&l, APIC_TPR) < 0x100);
		EXPECT((reg(&l, APIC_LVTT) & 0x60000) != 0x60000);
	}
}

/* TPR accesses are told of when the client asks for it (KVM API 4.50). */
static void tpr_reporting(void)
{
	struct kvm_tpr_access_ctl ctl = { .enabled = 1 };
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *c = irq_vcpu(vm, 0);
	struct kvm_vapic_addr va = { .vapic_addr = 0x40001 };

	if (vm_cap(vm, KVM_CAP_VAPIC) <= 0)
		SKIP("no KVM_CAP_VAPIC");
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0);
	EXPECT_OK(ioctl(c->v->fd, KVM_TPR_ACCESS_REPORTING, &ctl));
	/* mov 0xfee00080, %eax; cli; out */
	memcpy(vm->mem + 0x9000, irq_mode() == MODE_LONG ? "\x67\xa1\x80\x00\xe0\xfe\xfa\xe6\x10" :
	       "\xa1\x80\x00\xe0\xfe\xfa\xe6\x10\x90", 9);
	set_rip(c->v, 0x9000);
	run_to(c->v, KVM_EXIT_TPR_ACCESS);
	EXPECT_EQ(c->v->run->tpr_access.rip, 0x9000);
	EXPECT_EQ(c->v->run->tpr_access.is_write, 0);
	run_to(c->v, KVM_EXIT_IO);
	ctl.enabled = 0;
	EXPECT_OK(ioctl(c->v->fd, KVM_TPR_ACCESS_REPORTING, &ctl));
	if (!dev_is_kvm())
		EXPECT_ERR(ioctl(c->v->fd, KVM_SET_VAPIC_ADDR, &va), EINVAL);
	va.vapic_addr = G_HOLE;
	EXPECT_ERR(ioctl(c->v->fd, KVM_SET_VAPIC_ADDR, &va), EINVAL);
	va.vapic_addr = 0x40000;
	EXPECT_OK(ioctl(c->v->fd, KVM_SET_VAPIC_ADDR, &va));
	set_rip(c->v, G_CODE);
	c->v->run->exit_reason = 0;
	/* The copy is TPR: what the guest writes there counts, what waits is shown. */
	g32(vm, 0x40000) = 0;
	g_apic(c, APIC_SVR, SVR_ON);
	g8(vm, 0x40000) = 0x50;
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0x50);
	g_apic(c, APIC_ICR, 0x40000 | 0x41);
	EXPECT_NO_VECTOR(c);
	EXPECT_EQ(g8(vm, 0x40003), 0x41);
	g8(vm, 0x40000) = 0;
	EXPECT_VECTORS(c, 0x41);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "lapic_moves", lapic_moves }, { "timer_moves", timer_moves },
		{ "x2apic_moves", x2apic_moves }, { "chips_move", chips_move },
		{ "chip_errors", chip_errors }, { "impossible", impossible },
		{ "tpr_reporting", tpr_reporting },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
