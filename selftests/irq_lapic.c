// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC (SDM vol. 3 10): registers in both modes, IPIs to itself, priorities,
 * EOI, errors, the timer in its three modes.
 */
#include "irqtest.h"

#define SELF	0x40000u		/* ICR shorthand */

static void power_on(void)
{
	struct ivcpu *c = irq_vcpu(irq_vm(CHIPS_ALL), 0);
	int i;

	EXPECT_EQ(g_apic_read(c, APIC_ID), 0);
	EXPECT_EQ(g_apic_read(c, APIC_VERSION) & 0xff, 0x14);
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0);
	EXPECT_EQ(g_apic_read(c, APIC_LDR), 0);
	EXPECT_EQ(g_apic_read(c, APIC_DFR), 0xffffffff);
	EXPECT_EQ(g_apic_read(c, APIC_SVR), 0xff);
	EXPECT_EQ(g_apic_read(c, APIC_LVTT), APIC_MASKED);
	EXPECT_EQ(g_apic_read(c, APIC_LVT1), APIC_MASKED);
	EXPECT_EQ(g_apic_read(c, APIC_LVTERR), APIC_MASKED);
	/* the boot processor's LINT0: ExtINT */
	EXPECT_EQ(g_apic_read(c, APIC_LVT0), 0x700);
	for (i = 0; i < 8; i++)
		EXPECT_EQ(g_apic_read(c, APIC_IRR + 16 * i) | g_apic_read(c, APIC_ISR + 16 * i), 0);
}

/* Bits that do not exist do not stick. */
static void write_masks(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_LDR, 0xffffffff);
	EXPECT_EQ(g_apic_read(c, APIC_LDR), 0xff000000);
	g_apic(c, APIC_DFR, 0);
	EXPECT_EQ(g_apic_read(c, APIC_DFR), 0x0fffffff);
	g_apic(c, APIC_TPR, 0xffffff12);
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0x12);
	g_apic(c, APIC_LVTT, 0xffffffff & ~0x40000u);
	EXPECT_EQ(g_apic_read(c, APIC_LVTT), 0x300ff & ~0x40000u);
	g_apic(c, APIC_LVTERR, 0xffffffff);
	EXPECT_EQ(g_apic_read(c, APIC_LVTERR), 0x100ff);
	g_apic(c, APIC_TDCR, 0xffffffff);
	EXPECT_EQ(g_apic_read(c, APIC_TDCR), 0xb);
	g_apic(c, APIC_ICR2, 0xffffffff);
	EXPECT_EQ(g_apic_read(c, APIC_ICR2), 0xff000000);
	/* Disabled by software, all entries of the LVT are masked, and stay so. */
	g_apic(c, APIC_LVTERR, 0x31);
	g_apic(c, APIC_SVR, 0xff);
	EXPECT_EQ(g_apic_read(c, APIC_LVTERR), 0x10031);
	g_apic(c, APIC_LVTERR, 0x31);
	EXPECT_EQ(g_apic_read(c, APIC_LVTERR), 0x10031);
}

static void self_ipi(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_ICR, SELF | 0x41);
	EXPECT_EQ(g_irr(c, 0x41), 1);
	EXPECT_EQ(g_isr(c, 0x41), 0);
	EXPECT_VECTORS(c, 0x41);
	EXPECT_EQ(g_irr(c, 0x41), 0);
	EXPECT_EQ(g_isr(c, 0x41), 1);
	EXPECT_EQ(g_apic_read(c, APIC_PPR), 0x40);
	/* In service: the same class waits, a higher one does not. */
	g_apic(c, APIC_ICR, SELF | 0x42);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_ICR, SELF | 0x51);
	EXPECT_VECTORS(c, 0x51);
	g_eoi(c);
	EXPECT_EQ(g_isr(c, 0x51), 0);
	EXPECT_NO_VECTOR(c);
	g_eoi(c);
	EXPECT_VECTORS(c, 0x42);
	g_eoi(c);
	EXPECT_EQ(g_apic_read(c, APIC_PPR), 0);
	/* An EOI too many does nothing. */
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
}

/* By destination: its id, broadcast, flat and cluster logical; not others'. */
static void destinations(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_ICR2, 0);
	g_apic(c, APIC_ICR, 0x61);
	EXPECT_VECTORS(c, 0x61);
	g_eoi(c);
	g_apic(c, APIC_ICR2, 0xff000000);
	g_apic(c, APIC_ICR, 0x62);
	EXPECT_VECTORS(c, 0x62);
	g_eoi(c);
	g_apic(c, APIC_ICR2, 5u << 24);
	g_apic(c, APIC_ICR, 0x63);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_ICR, 0xc0000 | 0x64);	/* all but itself */
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_ICR, 0x80000 | 0x65);	/* all */
	EXPECT_VECTORS(c, 0x65);
	g_eoi(c);
	/* flat */
	g_apic(c, APIC_LDR, 0x04000000);
	g_apic(c, APIC_ICR2, 0x0c000000);
	g_apic(c, APIC_ICR, 0x800 | 0x66);
	EXPECT_VECTORS(c, 0x66);
	g_eoi(c);
	g_apic(c, APIC_ICR2, 0xf3000000 & ~0x04000000u);
	g_apic(c, APIC_ICR, 0x800 | 0x67);
	EXPECT_NO_VECTOR(c);
	/* cluster 2, member 1 */
	g_apic(c, APIC_DFR, 0);
	g_apic(c, APIC_LDR, 0x22000000);
	g_apic(c, APIC_ICR2, 0x23000000);
	g_apic(c, APIC_ICR, 0x800 | 0x68);
	EXPECT_VECTORS(c, 0x68);
	g_eoi(c);
	g_apic(c, APIC_ICR2, 0x13000000);
	g_apic(c, APIC_ICR, 0x800 | 0x69);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_ICR2, 0x2d000000);
	g_apic(c, APIC_ICR, 0x800 | 0x6a);
	EXPECT_NO_VECTOR(c);
}

static void priorities(void)
{
	struct ivcpu *c = irq_start();

	/* The highest first. */
	g_apic(c, APIC_ICR, SELF | 0x35);
	g_apic(c, APIC_ICR, SELF | 0x91);
	g_apic(c, APIC_ICR, SELF | 0x36);
	g_open(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x91);
	g_eoi(c);
	EXPECT_VECTORS(c, 0x36);
	g_eoi(c);
	EXPECT_VECTORS(c, 0x35);
	g_eoi(c);
	/* TPR holds back its class and what is below. */
	g_apic(c, APIC_TPR, 0x50);
	EXPECT_EQ(g_apic_read(c, APIC_PPR), 0x50);
	g_apic(c, APIC_ICR, SELF | 0x5f);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_TPR, 0x4f);
	EXPECT_VECTORS(c, 0x5f);
	g_eoi(c);
	EXPECT_EQ(g_apic_read(c, APIC_PPR), 0x4f);
	g_apic(c, APIC_TPR, 0);
}

/* CR8 is the upper half of TPR, for the client too. */
static void cr8(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_TPR, 0x73);
	get_sregs(c->v);
	EXPECT_EQ(c->v->sregs.cr8, 7);
	EXPECT_EQ(c->v->run->cr8, 7);
	c->v->run->cr8 = 3;			/* no input with this APIC */
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0x73);
	c->v->sregs.cr8 = 2;
	set_sregs(c->v);
	EXPECT_EQ(g_apic_read(c, APIC_TPR), 0x20);
}

GUEST(cr8_code, 64, "mov $6, %eax\nmov %rax, %cr8\nmov $0xfee00080, %ebx\nmov (%rbx), %ecx\n"
      "movl $0x30, (%rbx)\nmov %cr8, %rdx\nout %al, $0x10\n");

static void mov_cr8(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct vcpu *v = vcpu_new(vm, 0, MODE_LONG);

	guest_load(vm, G_CODE, cr8_code);
	run_to(v, KVM_EXIT_IO);
	get_regs(v);
	EXPECT_EQ(v->regs.rcx, 0x60);
	EXPECT_EQ(v->regs.rdx, 3);
}

static void errors(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_LVTERR, 0x77);
	/* a vector that is an exception's */
	g_apic(c, APIC_ICR, SELF | 0x05);
	EXPECT_EQ(g_apic_read(c, APIC_ESR), 0);		/* not latched */
	g_apic(c, APIC_ESR, 0);
	EXPECT_EQ(g_apic_read(c, APIC_ESR) & 0x60, 0x20);
	EXPECT_VECTORS(c, 0x77);
	g_eoi(c);
	g_apic(c, APIC_ESR, 0);
	EXPECT_EQ(g_apic_read(c, APIC_ESR), 0);
	/* a register that is none */
	g_apic_read(c, 0x3f0);
	g_apic(c, APIC_ESR, 0);
	EXPECT_EQ(g_apic_read(c, APIC_ESR), 0x80);
}

/* Disabled by software it takes no interrupt; what it had it keeps. */
static void software_disabled(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_ICR, SELF | 0x41);
	g_apic(c, APIC_SVR, 0xff);
	EXPECT_NO_VECTOR(c);
	g_apic(c, APIC_ICR, SELF | 0x42);
	g_apic(c, APIC_SVR, SVR_ON);
	EXPECT_VECTORS(c, 0x41);
	EXPECT_EQ(g_irr(c, 0x42), 0);
}

static void timer_once(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_TDCR, 0xb);			/* by 1 */
	g_apic(c, APIC_LVTT, 0x55);
	g_apic(c, APIC_TMICT, 2000000);
	EXPECT_EQ(g_apic_read(c, APIC_TMICT), 2000000);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x55);
	EXPECT_EQ(g_apic_read(c, APIC_TMCCT), 0);
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
	/* Masked: it runs down and says nothing. */
	g_apic(c, APIC_LVTT, APIC_MASKED | 0x55);
	g_apic(c, APIC_TMICT, 1000);
	while (g_apic_read(c, APIC_TMCCT))
		;
	EXPECT_NO_VECTOR(c);
	/* Stopped: for so long a count that it cannot have run down. */
	g_apic(c, APIC_LVTT, 0x55);
	g_apic(c, APIC_TDCR, 0xa);			/* by 128 */
	g_apic(c, APIC_TMICT, 0xffffffff);
	EXPECT(g_apic_read(c, APIC_TMCCT) > 0x80000000u);
	g_apic(c, APIC_TMICT, 0);
	EXPECT_EQ(g_apic_read(c, APIC_TMCCT), 0);
	EXPECT_NO_VECTOR(c);
}

static void timer_periodic(void)
{
	struct ivcpu *c = irq_start();
	int i;

	g_apic(c, APIC_TDCR, 0xb);
	g_apic(c, APIC_LVTT, 0x20000 | 0x56);
	g_apic(c, APIC_TMICT, 3000000);
	for (i = 0; i < 5; i++) {
		g_halt(c);
		EXPECT_EQ(c->n, 1);
		EXPECT_EQ(c->seen[0], 0x56);
		g_eoi(c);
	}
	EXPECT(g_apic_read(c, APIC_TMCCT) > 0);
	g_apic(c, APIC_TMICT, 0);
	g_open(c);		/* one may have come before that */
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
}

static void timer_deadline(void)
{
	struct ivcpu *c = irq_start();
	uint64_t tsc;

	if (dev_cap(KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		SKIP("no TSC deadline timer");
	EXPECT_EQ(g_cpuid_ecx(c, 1) >> 24 & 1, 1);
	/* In another mode the MSR reads 0 and a write goes nowhere. */
	g_wrmsr(c, MSR_TSC_DEADLINE, 12345);
	EXPECT_EQ(c->faulted, 0);
	EXPECT_EQ(g_rdmsr(c, MSR_TSC_DEADLINE), 0);
	g_apic(c, APIC_LVTT, 0x40000 | 0x57);
	tsc = g_rdmsr(c, MSR_TSC) + 10000000;
	g_wrmsr(c, MSR_TSC_DEADLINE, tsc);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x57);
	EXPECT(g_rdmsr(c, MSR_TSC) >= tsc);
	EXPECT_EQ(g_rdmsr(c, MSR_TSC_DEADLINE), 0);
	g_eoi(c);
	/* in the past: at once */
	g_wrmsr(c, MSR_TSC_DEADLINE, 1);
	g_halt(c);
	EXPECT_EQ(c->seen[0], 0x57);
	g_eoi(c);
	/* disarmed; the initial count means nothing in this mode */
	g_wrmsr(c, MSR_TSC_DEADLINE, -1ull);
	EXPECT_EQ(g_rdmsr(c, MSR_TSC_DEADLINE), -1ull);
	g_apic(c, APIC_TMICT, 1000);
	EXPECT_EQ(g_apic_read(c, APIC_TMCCT), 0);
	g_wrmsr(c, MSR_TSC_DEADLINE, 0);
	EXPECT_NO_VECTOR(c);
}

/* The timer, started, has run down: by the clock that it counts, of 1 GHz. */
static void run_down_from(struct ivcpu *c, uint32_t lvtt, uint32_t count)
{
	g_apic(c, APIC_LVTT, lvtt);
	g_apic(c, APIC_TMICT, count);
	spin_ns(count);
}

static void run_down(struct ivcpu *c, uint32_t lvtt)
{
	run_down_from(c, lvtt, 1000);
}

/*
 * A timer that has run down has expired (SDM vol. 3 10.5.4), whatever is written next and
 * however late the host's own timers are.  With highres=off these wait for its tick.
 */
static void timer_late(void)
{
	struct ivcpu *c = irq_start();
	struct kvm_lapic_state s;
	uint32_t word;
	int i;

	if (dev_is_kvm())
		SKIP("KVM's waits for the host's");
	g_apic(c, APIC_TDCR, 0xb);
	for (i = 0; i < 10; i++) {
		/* masked then, and not now */
		run_down(c, APIC_MASKED | 0x55);
		g_apic(c, APIC_LVTT, 0x55);
		EXPECT_NO_VECTOR(c);
		run_down(c, APIC_MASKED | 0x55);
		EXPECT_EQ(g_apic_read(c, APIC_TMCCT), 0);
		EXPECT_NO_VECTOR(c);
		/* not masked then */
		run_down(c, 0x55);
		g_apic(c, APIC_LVTT, APIC_MASKED | 0x55);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		run_down(c, 0x55);
		g_apic(c, APIC_LVTT, 0x56);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		/* stopped, started again, slowed down */
		run_down(c, 0x55);
		g_apic(c, APIC_TMICT, 0);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		run_down(c, 0x55);
		g_apic(c, APIC_TMICT, 0xffffffff);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		run_down_from(c, 0x20055, 300000);	/* no shorter period is kept */
		g_apic(c, APIC_TDCR, 0xa);
		g_apic(c, APIC_TMICT, 0);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		g_apic(c, APIC_TDCR, 0xb);
		/* read */
		run_down(c, 0x55);
		EXPECT_EQ(g_irr(c, 0x55), 1);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		run_down(c, 0x55);
		EXPECT_EQ(g_apic_read(c, APIC_TMCCT), 0);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		run_down(c, 0x55);
		ASSERT_OK(ioctl(c->v->fd, KVM_GET_LAPIC, &s));
		memcpy(&word, s.regs + APIC_TMCCT, 4);
		EXPECT_EQ(word, 0);
		memcpy(&word, s.regs + APIC_IRR + 0x20, 4);
		EXPECT_EQ(word, 1u << 0x15);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		/* switched off */
		run_down(c, 0x55);
		g_apic(c, APIC_SVR, 0xff);
		EXPECT_EQ(g_irr(c, 0x55), 1);
		g_apic(c, APIC_SVR, SVR_ON);
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
	}
}

/* The same of a deadline. */
static void deadline_late(void)
{
	struct ivcpu *c = irq_start();
	uint64_t tsc;
	int i;

	if (dev_is_kvm() || dev_cap(KVM_CAP_TSC_DEADLINE_TIMER) <= 0)
		SKIP("KVM's waits for the host's");
	g_apic(c, APIC_LVTT, 0x40055);
	for (i = 0; i < 30; i++) {
		tsc = g_rdmsr(c, MSR_TSC) + 100000;
		g_wrmsr(c, MSR_TSC_DEADLINE, tsc);
		while (g_rdmsr(c, MSR_TSC) < tsc)
			;
		switch (i % 3) {
		case 0:
			g_wrmsr(c, MSR_TSC_DEADLINE, 0);
			break;
		case 1:
			g_apic(c, APIC_LVTT, 0x55);
			g_apic(c, APIC_LVTT, 0x40055);
			break;
		default:
			EXPECT_EQ(g_rdmsr(c, MSR_TSC_DEADLINE), 0);
		}
		EXPECT_VECTORS(c, 0x55);
		g_eoi(c);
		EXPECT_NO_VECTOR(c);
	}
}

/* x2APIC: the way in and out, registers by MSR, reserved bits that fault. */
static void x2apic(void)
{
	struct ivcpu *c = irq_start();
	uint64_t base = g_rdmsr(c, MSR_APICBASE);

	EXPECT_EQ(base, LAPIC | 0x900);
	EXPECT_EQ(g_cpuid_ecx(c, 1) >> 21 & 1, 1);
	g_rdmsr(c, MSR_X2(APIC_ID));
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_APICBASE, base & ~0x800ull);
	EXPECT_EQ(c->faulted, 0);
	g_wrmsr(c, MSR_APICBASE, base | 0x400);
	/* The APIC was off: x2APIC is not the next state... */
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_APICBASE, (base & ~0x800ull) | 0x400);
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_APICBASE, base);
	g_wrmsr(c, MSR_APICBASE, base | 0x400);
	EXPECT_EQ(c->faulted, 0);
	/* ...and there is no way back to xAPIC. */
	g_wrmsr(c, MSR_APICBASE, base);
	EXPECT_EQ(c->faulted, 1);
	EXPECT_EQ(g_rdmsr(c, MSR_APICBASE), base | 0x400);

	g_wrmsr(c, MSR_X2(APIC_SVR), SVR_ON);
	EXPECT_EQ(g_rdmsr(c, MSR_X2(APIC_SVR)), SVR_ON);
	EXPECT_EQ(g_rdmsr(c, MSR_X2(APIC_ID)), 0);
	EXPECT_EQ(g_rdmsr(c, MSR_X2(APIC_LDR)), 1);
	g_wrmsr(c, 0x83f, 0x81);				/* self IPI */
	EXPECT_EQ(c->faulted, 0);
	EXPECT_VECTORS(c, 0x81);
	EXPECT_EQ(g_rdmsr(c, MSR_X2(APIC_ISR) + 4), 2);
	g_wrmsr(c, MSR_X2(APIC_EOI), 0);
	g_wrmsr(c, MSR_X2(APIC_ICR), 0x82);			/* to id 0 */
	EXPECT_VECTORS(c, 0x82);
	g_wrmsr(c, MSR_X2(APIC_EOI), 0);
	g_wrmsr(c, MSR_X2(APIC_ICR), 1ull << 32 | 0x800 | 0x83);	/* logical: cluster 0 */
	EXPECT_VECTORS(c, 0x83);
	g_wrmsr(c, MSR_X2(APIC_EOI), 0);
	g_wrmsr(c, MSR_X2(APIC_ICR), 1ull << 48 | 0x800 | 0x84);
	EXPECT_NO_VECTOR(c);
	g_wrmsr(c, MSR_X2(APIC_ICR), 0xffffffffull << 32 | 0x85);
	EXPECT_VECTORS(c, 0x85);
	g_wrmsr(c, MSR_X2(APIC_EOI), 0);
	g_wrmsr(c, MSR_X2(APIC_TPR), 0x90);
	g_wrmsr(c, 0x83f, 0x9f);
	EXPECT_NO_VECTOR(c);
	g_wrmsr(c, MSR_X2(APIC_TPR), 0);
	EXPECT_VECTORS(c, 0x9f);
	g_wrmsr(c, MSR_X2(APIC_EOI), 0);

	g_wrmsr(c, MSR_X2(APIC_EOI), 1);
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_X2(APIC_TPR), 0x100);
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_X2(APIC_ID), 0);
	EXPECT_EQ(c->faulted, 1);
	g_rdmsr(c, MSR_X2(APIC_DFR));
	EXPECT_EQ(c->faulted, 1);
	g_rdmsr(c, MSR_X2(APIC_ICR2));
	EXPECT_EQ(c->faulted, 1);
	g_rdmsr(c, 0x8ff);
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_X2(APIC_SVR), 0xffffffff);
	EXPECT_EQ(c->faulted, 1);
}

/* The page is where APICBASE says, and nowhere when it is off. */
static void relocated(void)
{
	struct ivcpu *c = irq_start();

	if (dev_is_kvm())
		SKIP("KVM's APIC page has its place");
	g_wrmsr(c, MSR_APICBASE, 0xd0000000 | 0x900);
	EXPECT_EQ(c->faulted, 0);
	EXPECT_EQ(g_read(c, 0xd0000000 + APIC_SVR), SVR_ON);
	g_write(c, 0xd0000000 + APIC_ICR, SELF | 0x48);
	EXPECT_VECTORS(c, 0x48);
	g_write(c, 0xd0000000 + APIC_EOI, 0);
	g_wrmsr(c, MSR_APICBASE, LAPIC | 0x900);
	EXPECT_EQ(g_apic_read(c, APIC_SVR), SVR_ON);
}

/* NMI and ExtINT through LINT pins are masked or not like any other. */
static void nmi_to_self(void)
{
	struct ivcpu *c = irq_start();

	g_apic(c, APIC_ICR2, 0);
	g_apic(c, APIC_ICR, 0x400);		/* NMI: no matter what IF says */
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], NMI);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "power_on", power_on }, { "write_masks", write_masks },
		{ "self_ipi", self_ipi }, { "destinations", destinations },
		{ "priorities", priorities }, { "cr8", cr8 }, { "mov_cr8", mov_cr8 },
		{ "errors", errors }, { "software_disabled", software_disabled },
		{ "timer_once", timer_once }, { "timer_periodic", timer_periodic },
		{ "timer_deadline", timer_deadline }, { "timer_late", timer_late },
		{ "deadline_late", deadline_late }, { "x2apic", x2apic },
		{ "relocated", relocated }, { "nmi_to_self", nmi_to_self },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
