// SPDX-License-Identifier: GPL-2.0
/*
 * Chips at the hands of guests and clients that do anything: the host goes on, and so
 * does another VM.
 */
#include <pthread.h>
#include <sys/eventfd.h>

#include "irqtest.h"

/* The program takes a word from a table and writes it to an address from it: the
 * test fills the table with what it likes. */
#define G_TABLE	0x30000u
#define ENTRIES	500

/* Registers of every chip, at random; ESI: the table, ECX: how many */
#define STORM_CODE							\
	"1: mov (%esi), %eax\nmov 4(%esi), %edi\nmov 8(%esi), %edx\n"	\
	"test $1, %al\njnz 2f\nmov %edx, (%edi)\nmov (%edi), %edx\njmp 3f\n" \
	"2: mov %edx, %eax\nmov %edi, %edx\ntest $2, %bl\njz 4f\n"	\
	"out %al, %dx\n4: in %dx, %al\n"				\
	"3: add $12, %esi\nsti\nnop\ncli\ndec %ecx\njnz 1b\nout %al, $0x10\n"
GUEST(storm32, 32, STORM_CODE);

static uint32_t random_apic(void)
{
	return LAPIC + (rnd() % 64) * 16;
}

static uint32_t random_value(void)
{
	switch (rnd() % 4) {
	case 0:
		return rnd();
	case 1:
		return rnd() & 0xff;
	case 2:
		return rnd() & 0xcfff;
	default:
		return 1u << (rnd() % 32) | (rnd() & 0xff);
	}
}

/* IRET at every vector: a fault ends the round, for its error code is not taken off. */
static void fill(struct vm *vm)
{
	static const uint16_t ports[] = {
		0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61,
	};
	uint32_t i, at = G_TABLE;

	for (i = 0; i < ENTRIES; i++, at += 12) {
		g32(vm, at) = rnd() & 3;
		g32(vm, at + 8) = random_value();
		if (g32(vm, at) & 1)
			g32(vm, at + 4) = ports[rnd() % KTAP_COUNT(ports)];
		else if (rnd() % 3)
			g32(vm, at + 4) = random_apic();
		else
			g32(vm, at + 4) = IOAPIC + 16 * (rnd() % 5);
	}
}

static struct vcpu *storm_start(void)
{
	struct kvm_pit_config pc = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *c;

	if (vm_cap(vm, KVM_CAP_PIT2) > 0)
		ASSERT_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pc));
	irq_vcpu(vm, 1);		/* what is sent has somewhere to go */
	c = irq_vcpu(vm, 0);
	g_apic(c, APIC_SVR, SVR_ON);
	guest_load(vm, 0x9000, storm32);
	return c->v;
}

static void random_registers(void)
{
	int round, runs;

	if (dev_is_kvm())
		SKIP("for our own chips");
	rnd_seed_fixed(0x1c);
	for (round = 0; round < 20; round++) {
		struct vcpu *v = storm_start();

		fill(v->vm);
		get_regs(v);
		v->regs.rip = 0x9000;
		v->regs.rsi = G_TABLE;
		v->regs.rcx = ENTRIES;
		v->regs.rbx = 2;
		set_regs(v);
		/* Until it is through, was reset by an INIT of its own, or stands at a
		 * fault: vectors tell themselves on the way. */
		for (runs = 0; runs < 2000; runs++) {
			v->run->immediate_exit = 0;
			if (vcpu_run(v) || v->run->exit_reason != KVM_EXIT_IO ||
			    v->run->io.port == 0x10)
				break;
		}
		vm_free(v->vm);
	}
}

/* Interrupts from another thread, as many as it can, while the guest takes them. */
struct storm {
	struct vm *vm;
	volatile bool stop;
};

static void *raise_all(void *arg)
{
	struct storm *s = arg;
	struct kvm_irq_level l = {};
	uint32_t i;

	for (i = 0; !s->stop; i++) {
		struct kvm_msi m = { .address_lo = LAPIC | (i & 1) << 12,
				     .data = 0x20 + i % 0xd0 };

		ioctl(s->vm->fd, KVM_SIGNAL_MSI, &m);
		l.irq = i % 24;
		l.level = i / 24 & 1;
		ioctl(s->vm->fd, KVM_IRQ_LINE, &l);
	}
	return NULL;
}

static void storm_from_outside(void)
{
	struct ivcpu *c = irq_start();
	struct storm s = { .vm = c->v->vm };
	pthread_t t;
	int i, taken = 0;

	ASSERT_EQ(pthread_create(&t, NULL, raise_all, &s), 0);
	for (i = 0; i < 300; i++) {
		g_halt(c);
		taken += c->n;
		g_eoi(c);
	}
	s.stop = true;
	pthread_join(t, NULL);
	EXPECT(taken >= 300);
	/* It works as before when the storm is over. */
	for (i = 0; i < 300; i++) {
		g_open(c);
		g_eoi(c);
	}
	g_apic(c, APIC_ICR, 0x40041);
	EXPECT_VECTORS(c, 0x41);
}

/* The tables change while interrupts go through them. */
static void *change_tables(void *arg)
{
	struct storm *s = arg;
	struct routes *r = calloc(1, sizeof(*r));
	uint32_t i, n;

	for (i = 0; r && !s->stop; i++) {
		r->head.nr = 0;
		for (n = 0; n < i % 200; n++)
			route_msi(r, n, LAPIC, 0x20 + n % 0xd0);
		set_routes(s->vm, r);
	}
	free(r);
	return NULL;
}

static void changing_tables(void)
{
	struct ivcpu *c = irq_start();
	struct storm s = { .vm = c->v->vm };
	int fd = eventfd(0, EFD_NONBLOCK), i;
	struct kvm_irqfd a = { .fd = fd, .gsi = 18 };
	uint64_t one = 1;
	pthread_t t;

	ASSERT_EQ(pthread_create(&t, NULL, change_tables, &s), 0);
	/* Each round waits for RCU a few times. */
	for (i = 0; i < 150; i++) {
		if (vm_cap(s.vm, KVM_CAP_IRQFD) > 0) {
			a.flags = 0;
			EXPECT_OK(ioctl(s.vm->fd, KVM_IRQFD, &a));
			EXPECT_EQ(write(fd, &one, 8), 8);
			a.flags = KVM_IRQFD_FLAG_DEASSIGN;
			EXPECT_OK(ioctl(s.vm->fd, KVM_IRQFD, &a));
		}
		irq_line(s.vm, i % 200, 1);
		g_open(c);
		g_eoi(c);
	}
	s.stop = true;
	pthread_join(t, NULL);
	close(fd);
}

/* Timers of the shortest periods there are: the client still gets its turn. */
static void fast_timers(void)
{
	struct kvm_pit_config pc = {};
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *c;
	int i;

	if (vm_cap(vm, KVM_CAP_PIT2) > 0)
		ASSERT_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pc));
	c = irq_vcpu(vm, 0);
	g_apic(c, APIC_SVR, SVR_ON);
	g_redir(c, 0, 0x31);
	g_apic(c, APIC_TDCR, 0xb);
	g_apic(c, APIC_LVTT, 0x20055);
	g_apic(c, APIC_TMICT, 1);
	g_out(c, 0x43, 0x34);
	g_out(c, 0x40, 2);
	g_out(c, 0x40, 0);
	for (i = 0; i < 200; i++) {
		/* Taken between STI and HLT, an interrupt would hold back those that are
		 * to end the HLT. */
		g_halt(c);
		g_eoi(c);
		g_eoi(c);
	}
}

/* All that is there is let go while it is in use. */
static void dropped(void)
{
	int i;

	for (i = 0; i < 20; i++) {
		struct kvm_pit_config pc = {};
		struct ivcpu *c = irq_start();

		if (vm_cap(c->v->vm, KVM_CAP_PIT2) > 0)
			ASSERT_OK(ioctl(c->v->vm->fd, KVM_CREATE_PIT2, &pc));
		g_apic(c, APIC_LVTT, 0x20055);
		g_apic(c, APIC_TMICT, 1);
		g_out(c, 0x43, 0x34);
		g_out(c, 0x40, 2);
		g_out(c, 0x40, 0);
		irq_line(c->v->vm, 18, 1);
		vm_free(c->v->vm);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "random_registers", random_registers },
		{ "storm_from_outside", storm_from_outside },
		{ "changing_tables", changing_tables }, { "fast_timers", fast_timers },
		{ "dropped", dropped },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
