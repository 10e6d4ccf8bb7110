// SPDX-License-Identifier: GPL-2.0
/*
 * What guests that know KVM use (kernel documentation, virt/kvm/x86/msr.rst and
 * hypercalls.rst): EOI in memory, steal time, a kick for a vCPU that halts.
 */
#include <pthread.h>
#include <sched.h>

#include "irqtest.h"

#define MSR_STEAL	0x4b564d03u
#define MSR_PV_EOI	0x4b564d04u
#define BYTE		0x50000u
#define STEAL		0x51000u

/* Bits of leaf 0x40000001 */
static uint32_t features(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	uint32_t i, eax = 0;
	int fd = dev_open();

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(fd, KVM_GET_SUPPORTED_CPUID, c));
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x40000001)
			eax = c->entries[i].eax;
	free(c);
	close(fd);
	return eax;
}

static struct ivcpu *start(int feature)
{
	if (!(features() >> feature & 1))
		SKIP("not offered");
	return irq_start();
}

static void ipi(struct ivcpu *c, int vector)
{
	g_apic(c, APIC_ICR, 0x40000 | vector);
}

static void eoi_in_memory(void)
{
	struct ivcpu *c = start(6);
	struct vm *vm = c->v->vm;

	g_wrmsr(c, MSR_PV_EOI, BYTE | 2);
	EXPECT_EQ(c->faulted, 1);
	g_wrmsr(c, MSR_PV_EOI, BYTE | 1);
	EXPECT_EQ(c->faulted, 0);
	EXPECT_EQ(g_rdmsr(c, MSR_PV_EOI), BYTE | 1);
	EXPECT_EQ(g8(vm, BYTE), 0);
	ipi(c, 0x41);
	EXPECT_VECTORS(c, 0x41);
	EXPECT_EQ(g8(vm, BYTE), 1);
	EXPECT_EQ(g_isr(c, 0x41), 1);
	g_write(c, BYTE, 0);
	EXPECT_EQ(g_isr(c, 0x41), 0);
	/* A second one that waits needs a real EOI. */
	ipi(c, 0x42);
	EXPECT_VECTORS(c, 0x42);
	EXPECT_EQ(g8(vm, BYTE), 1);
	ipi(c, 0x41);
	EXPECT_NO_VECTOR(c);
	EXPECT_EQ(g8(vm, BYTE), 0);
	g_eoi(c);
	EXPECT_VECTORS(c, 0x41);
	EXPECT_EQ(g8(vm, BYTE), 1);
	g_write(c, BYTE, 0);
	/* Level-triggered: the IOAPIC is to hear of it. */
	g_redir(c, 18, 0x8051);
	irq_line(vm, 18, 1);
	EXPECT_VECTORS(c, 0x51);
	EXPECT_EQ(g8(vm, BYTE), 0);
	irq_line(vm, 18, 0);
	g_eoi(c);
	g_wrmsr(c, MSR_PV_EOI, 0);
	ipi(c, 0x41);
	EXPECT_VECTORS(c, 0x41);
	EXPECT_EQ(g8(vm, BYTE), 0);
	g_eoi(c);
}

/* Ended in memory, then HLT: the next one of the class is not held back. */
static void eoi_then_halt(void)
{
	struct ivcpu *c = start(6);
	struct kvm_lapic_state s;
	uint32_t isr;

	g_wrmsr(c, MSR_PV_EOI, BYTE | 1);
	ipi(c, 0x42);
	EXPECT_VECTORS(c, 0x42);
	g_write(c, BYTE, 0);
	ASSERT_OK(ioctl(c->v->fd, KVM_GET_LAPIC, &s));
	memcpy(&isr, s.regs + APIC_ISR + 0x20, 4);
	EXPECT_EQ(isr, 0);
	ipi(c, 0x42);
	EXPECT_VECTORS(c, 0x42);
	g_apic(c, APIC_LVTT, 0x41);
	g_apic(c, APIC_TDCR, 0xb);
	g_write(c, BYTE, 0);
	g_apic(c, APIC_TMICT, 3000000);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x41);
}

static volatile bool stop;

static void *burn(void *arg)
{
	while (!stop)
		;
	return arg;
}

/* A thread that competes for the CPU takes time from the guest, and the guest is told. */
static void steal_time(void)
{
	struct ivcpu *c = start(5);
	struct vm *vm = c->v->vm;
	uint64_t last = 0, now;
	cpu_set_t one;
	pthread_t t;
	int grown = 0;

	g_wrmsr(c, MSR_STEAL, STEAL | 0x3f);
	EXPECT_EQ(c->faulted, 1);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_OK(sched_setaffinity(0, sizeof(one), &one));
	g_wrmsr(c, MSR_STEAL, STEAL | 1);
	EXPECT_EQ(c->faulted, 0);
	EXPECT_EQ(g_rdmsr(c, MSR_STEAL), STEAL | 1);
	stop = false;
	ASSERT_EQ(pthread_create(&t, NULL, burn, NULL), 0);
	while (grown < 3) {
		g_apic_read(c, APIC_ID);
		EXPECT_EQ(g32(vm, STEAL + 8) & 1, 0);	/* version */
		now = g64(vm, STEAL);
		ASSERT(now >= last);
		grown += now > last;
		last = now;
	}
	stop = true;
	pthread_join(t, NULL);
	EXPECT_EQ(g32(vm, STEAL + 12), 0);		/* flags */
	g_wrmsr(c, MSR_STEAL, 0);
}

static void *halts(void *arg)
{
	g_halt_deaf(arg);
	return NULL;
}

static bool is_halted(void *arg)
{
	return stat_value(((struct ivcpu *)arg)->v->fd, "halts") > 0;
}

/* It ends a HLT that no interrupt can end; one that comes first is kept. */
static void kick(void)
{
	struct ivcpu *a = start(7), *b = irq_vcpu(a->v->vm, 1);
	pthread_t t;

	g_apic(b, APIC_SVR, SVR_ON);
	ASSERT_EQ(pthread_create(&t, NULL, halts, b), 0);
	if (!dev_is_kvm())
		EXPECT(wait_for(is_halted, b, 60000));
	EXPECT_EQ(g_hypercall(a, 5, 1), 0);
	pthread_join(t, NULL);
	EXPECT_EQ(b->n, 0);
	EXPECT_EQ(g_hypercall(a, 5, 1), 0);
	g_halt_deaf(b);
	EXPECT_EQ(b->n, 0);
	/* nobody there */
	EXPECT_EQ(g_hypercall(a, 5, 77), 0);
	EXPECT_EQ(g_hypercall(a, 5, 0xffffffff), 0);
	EXPECT_EQ(g_hypercall(a, 999, 0), (uint32_t)-1000);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "eoi_in_memory", eoi_in_memory }, { "eoi_then_halt", eoi_then_halt },
		{ "steal_time", steal_time }, { "kick", kick },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
