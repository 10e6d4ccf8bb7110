// SPDX-License-Identifier: GPL-2.0
/*
 * Two vCPUs: the second one's start by INIT and SIPI, IPIs of every delivery mode
 * between them, HLT that sleeps until one comes, a kick of one that runs.
 */
#include <pthread.h>

#include "irqtest.h"

#define INIT_ASSERT	0x4500u
#define INIT_DEASSERT	0x8500u
#define SIPI(page)	(0x4600u | (page))
#define TO(id)		((uint32_t)(id) << 24)

static uint32_t mp_state(struct vcpu *v)
{
	struct kvm_mp_state mp;

	ASSERT_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
	return mp.mp_state;
}

static void ipi(struct ivcpu *c, uint32_t icr2, uint32_t icr)
{
	g_apic(c, APIC_ICR2, icr2);
	g_apic(c, APIC_ICR, icr);
}

/* Two that take commands. */
static void start_two(struct ivcpu **a, struct ivcpu **b)
{
	struct vm *vm = irq_vm(CHIPS_ALL);

	*a = irq_vcpu(vm, 0);
	*b = irq_vcpu(vm, 1);
	g_apic(*a, APIC_SVR, SVR_ON);
	g_apic(*b, APIC_SVR, SVR_ON);
}

static void states(void)
{
	struct kvm_mp_state bad = { .mp_state = 99 };
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct vcpu *a = vcpu_bare(vm, 0), *b = vcpu_bare(vm, 1);

	EXPECT_EQ(mp_state(a), KVM_MP_STATE_RUNNABLE);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_UNINITIALIZED);
	EXPECT_ERR(ioctl(a->fd, KVM_SET_MP_STATE, &bad), EINVAL);
	EXPECT_EQ(mp_state(a), KVM_MP_STATE_RUNNABLE);
}

static void boot_cpu(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct vcpu *a, *b;

	if (vm_cap(vm, KVM_CAP_SET_BOOT_CPU_ID) <= 0)
		SKIP("no KVM_CAP_SET_BOOT_CPU_ID");
	ASSERT_OK(ioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 1));
	a = vcpu_bare(vm, 0);
	b = vcpu_bare(vm, 1);
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 0), EBUSY);
	EXPECT_EQ(mp_state(a), KVM_MP_STATE_UNINITIALIZED);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_RUNNABLE);
	get_sregs(a);
	EXPECT_EQ(a->sregs.apic_base & 0x100, 0);
	get_sregs(b);
	EXPECT_EQ(b->sregs.apic_base & 0x100, 0x100);
}

/* A vCPU that waits is in KVM_RUN until a signal comes. */
static void waits_for_signal(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct vcpu *b;
	int r;

	vcpu_bare(vm, 0);
	b = vcpu_bare(vm, 1);
	catch_signal(SIGUSR2);
	kick_me_in(200);
	r = vcpu_run(b);
	kick_me_in(0);
	EXPECT(r == -EINTR || r == -EAGAIN);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_UNINITIALIZED);
}

/* What the second one runs first: CS:IP of the SIPI, 16-bit code. */
GUEST(ap16, 16, "mov %cs, %bx\nout %al, $0x10\n");

/* KVM answers EAGAIN when it has been started and has to be run again. */
static void run_started(struct vcpu *v)
{
	int r;

	do
		r = vcpu_run(v);
	while (r == -EAGAIN);
	ASSERT_EQ(r, 0);
}

static void init_sipi(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *a = irq_vcpu(vm, 0);
	struct vcpu *b = vcpu_new(vm, 1, MODE_REAL);
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_UNINITIALIZED };

	ASSERT_OK(ioctl(b->fd, KVM_SET_MP_STATE, &mp));
	b->regs.rcx = 0x1234;
	set_regs(b);
	guest_load(vm, 0x9000, ap16);
	g_apic(a, APIC_SVR, SVR_ON);
	ipi(a, TO(1), SIPI(0x0a));			/* without INIT: nothing */
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_UNINITIALIZED);
	ipi(a, TO(1), INIT_ASSERT);
	ipi(a, TO(1), INIT_DEASSERT);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_INIT_RECEIVED);
	ipi(a, TO(1), SIPI(0x09));
	run_started(b);
	EXPECT_EQ(b->run->exit_reason, KVM_EXIT_IO);
	get_regs(b);
	get_sregs(b);
	EXPECT_EQ(b->regs.rbx & 0xffff, 0x900);
	EXPECT_EQ(b->sregs.cs.base, 0x9000);
	EXPECT_EQ(b->regs.rcx, 0);
	EXPECT_EQ(b->sregs.cr0 & CR0_PE, 0);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_RUNNABLE);
	/* A second SIPI is for nobody. */
	ipi(a, TO(1), SIPI(0x0a));
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_RUNNABLE);
	/* INIT stops it wherever it is. */
	ipi(a, TO(1), INIT_ASSERT);
	EXPECT_EQ(mp_state(b), KVM_MP_STATE_INIT_RECEIVED);
}

/* What INIT leaves and what it does not (SDM vol. 3 table 9-1). */
static void after_init(void)
{
	struct ivcpu *a, *b;
	struct kvm_fpu f = {};
	uint64_t pat = 0;

	start_two(&a, &b);
	f.fcw = 0x27f;
	ASSERT_OK(ioctl(b->v->fd, KVM_SET_FPU, &f));
	ASSERT_EQ(set_msr(b->v, MSR_PAT, 0x0007040600070401ull), 1);
	ASSERT_EQ(set_msr(b->v, MSR_SYSENTER_EIP, 0x1000), 1);
	g_apic(b, APIC_TPR, 0x30);
	ipi(a, TO(1), INIT_ASSERT);
	EXPECT_EQ(mp_state(b->v), KVM_MP_STATE_INIT_RECEIVED);
	get_sregs(b->v);
	EXPECT_EQ(b->v->sregs.cr0 & (CR0_PE | CR0_PG), 0);
	EXPECT_EQ(b->v->sregs.cr8, 0);
	EXPECT_EQ(b->v->sregs.cs.selector, 0xf000);
	EXPECT_EQ(b->v->sregs.apic_base, LAPIC | 0x800);
	ASSERT_OK(ioctl(b->v->fd, KVM_GET_FPU, &f));
	EXPECT_EQ(f.fcw, 0x27f);
	ASSERT_EQ(get_msr(b->v, MSR_PAT, &pat), 1);
	EXPECT_EQ(pat, 0x0007040600070401ull);
}

/* Fixed ones, to one, to the others, to all; lowest priority; NMI. */
static void ipis(void)
{
	struct ivcpu *a, *b;

	start_two(&a, &b);
	ipi(a, TO(1), 0x41);
	EXPECT_NO_VECTOR(a);
	EXPECT_VECTORS(b, 0x41);
	g_eoi(b);
	ipi(b, 0, 0xc0042);				/* all but itself */
	EXPECT_NO_VECTOR(b);
	EXPECT_VECTORS(a, 0x42);
	g_eoi(a);
	ipi(a, 0, 0x80043);				/* all */
	EXPECT_VECTORS(a, 0x43);
	EXPECT_VECTORS(b, 0x43);
	g_eoi(a);
	g_eoi(b);
	g_apic(a, APIC_LDR, 0x01000000);
	g_apic(b, APIC_LDR, 0x02000000);
	ipi(a, 0x03000000, 0x844);
	EXPECT_VECTORS(a, 0x44);
	EXPECT_VECTORS(b, 0x44);
	g_eoi(a);
	g_eoi(b);
	/* Lowest priority: not to the busy one. */
	g_apic(a, APIC_TPR, 0x20);
	ipi(a, 0x03000000, 0x945);
	g_apic(a, APIC_TPR, 0);
	EXPECT_EQ(g_irr(a, 0x45) + g_irr(b, 0x45), 1);
	if (!dev_is_kvm())
		EXPECT_EQ(g_irr(b, 0x45), 1);
	g_open(a);
	g_open(b);
	ipi(a, TO(1), 0x400);
	b->n = 0;
	g_apic_read(b, APIC_ID);
	EXPECT_EQ(b->n, 1);
	EXPECT_EQ(b->seen[0], NMI);
}

/* Between an xAPIC and an x2APIC, both ways. */
static void mixed_modes(void)
{
	struct ivcpu *a, *b;

	start_two(&a, &b);
	g_wrmsr(b, MSR_APICBASE, LAPIC | 0xc00);
	EXPECT_EQ(b->faulted, 0);
	EXPECT_EQ(g_rdmsr(b, MSR_X2(APIC_ID)), 1);
	EXPECT_EQ(g_rdmsr(b, MSR_X2(APIC_LDR)), 2);
	ipi(a, TO(1), 0x51);
	EXPECT_VECTORS(b, 0x51);
	g_wrmsr(b, MSR_X2(APIC_EOI), 0);
	g_wrmsr(b, MSR_X2(APIC_ICR), 0x52);
	EXPECT_VECTORS(a, 0x52);
	g_eoi(a);
}

static void *halted(void *arg)
{
	struct ivcpu *b = arg;

	g_halt(b);
	return NULL;
}

static bool is_halted(void *arg)
{
	struct ivcpu *b = arg;

	return stat_value(b->v->fd, "halts") > 0;
}

/* HLT sleeps in the kernel; an IPI ends it. */
static void ipi_wakes(void)
{
	struct ivcpu *a, *b;
	pthread_t t;

	start_two(&a, &b);
	g_open(b);
	ASSERT_EQ(pthread_create(&t, NULL, halted, b), 0);
	if (!dev_is_kvm())
		EXPECT(wait_for(is_halted, b, 60000));
	ipi(a, TO(1), 0x61);
	pthread_join(t, NULL);
	EXPECT_EQ(b->n, 1);
	EXPECT_EQ(b->seen[0], 0x61);
}

/* One that computes without a pause takes an IPI, too. */
GUEST(spin32, 32, "sti\n1: pause\ncmpl $0, 0x20800\nje 1b\nout %al, $0x10\n");
GUEST(spin64, 64, "sti\n1: pause\ncmpl $0, 0x20800\nje 1b\nout %al, $0x10\n");

static void *spins(void *arg)
{
	struct vcpu *v = arg;

	/* to the handler, which tells the vector */
	while (vcpu_run(v) == -EINTR)
		;
	return NULL;
}

static void ipi_stops(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *a = irq_vcpu(vm, 0), *b = irq_vcpu(vm, 1);
	pthread_t t;

	guest_load(vm, 0x9000, irq_mode() == MODE_LONG ? spin64 : spin32);
	g_apic(a, APIC_SVR, SVR_ON);
	g_apic(b, APIC_SVR, SVR_ON);
	set_rip(b->v, 0x9000);
	ASSERT_EQ(pthread_create(&t, NULL, spins, b->v), 0);
	ipi(a, TO(1), 0x71);
	pthread_join(t, NULL);
	EXPECT_EQ(b->v->run->exit_reason, KVM_EXIT_IO);
	EXPECT_EQ(b->v->run->io.port, 0x11);
	EXPECT_EQ(*pio_data(b->v), 0x71);
}

/* Each wakes the other a thousand times; none is lost. */
#define ROUNDS	1000
/* EBX: own APIC id's counter is at 0x20900 + 4 * id; EDI: whom to send to */
#define PING(bits)							\
	"1: cli\ncmpl $1000, 0x20900(,%esi,4)\njae 3f\n"		\
	"mov 0x20908, %eax\ncmp %esi, %eax\nje 2f\n"			\
	"sti\nhlt\njmp 1b\n"						\
	"2: incl 0x20900(,%esi,4)\nmov %edi, 0x20908\n"			\
	"mov $0xfee00310, %edx\nmov %edi, %eax\nshl $24, %eax\nmov %eax, (%edx)\n" \
	"movl $0x41, -0x10(%edx)\njmp 1b\n"				\
	"3: out %al, $0x12\n"
GUEST(ping32, 32, PING(32));
GUEST(ping64, 64, PING(64));
/* the handler: EOI */
GUEST(eoi32, 32, "push %eax\nmov $0xfee000b0, %eax\nmovl $0, (%eax)\npop %eax\niret\n");
GUEST(eoi64, 64, "push %rax\nmov $0xfee000b0, %eax\nmovl $0, (%rax)\npop %rax\niretq\n");

static void *player(void *arg)
{
	struct vcpu *v = arg;

	while (vcpu_run(v) == -EINTR)
		;
	return NULL;
}

static void ping_pong(void)
{
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *c[2];
	pthread_t t[2];
	int i;

	guest_load(vm, 0x9000, irq_mode() == MODE_LONG ? ping64 : ping32);
	guest_load(vm, 0xa000, irq_mode() == MODE_LONG ? eoi64 : eoi32);
	for (i = 0; i < 2; i++) {
		c[i] = irq_vcpu(vm, i);
		g_apic(c[i], APIC_SVR, SVR_ON);
	}
	guest_handler(vm, irq_mode(), 0x41, 0xa000);
	for (i = 0; i < 2; i++) {
		get_regs(c[i]->v);
		c[i]->v->regs.rsi = i;
		c[i]->v->regs.rdi = !i;
		c[i]->v->regs.rip = 0x9000;
		set_regs(c[i]->v);
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(pthread_create(&t[i], NULL, player, c[i]->v), 0);
	for (i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(c[i]->v->run->exit_reason, KVM_EXIT_IO);
		EXPECT_EQ(c[i]->v->run->io.port, 0x12);
		EXPECT_EQ(g32(vm, 0x20900 + 4 * i), ROUNDS);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "states", states }, { "boot_cpu", boot_cpu },
		{ "init_sipi", init_sipi },
		{ "after_init", after_init }, { "ipis", ipis }, { "mixed_modes", mixed_modes },
		{ "ipi_wakes", ipi_wakes }, { "ipi_stops", ipi_stops },
		{ "ping_pong", ping_pong },
		{ "waits_for_signal", waits_for_signal },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
