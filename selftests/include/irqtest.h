/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tests of the interrupt controllers drive them through the guest: a vCPU runs a small
 * program that asks for a command, carries it out and asks again, so that a test reads
 * like a list of register accesses.  Handlers tell which vector came and return;
 * the EOI is the test's to give.
 */
#ifndef RVM_SELFTESTS_IRQTEST_H
#define RVM_SELFTESTS_IRQTEST_H

#include "vmtest.h"

#define LAPIC		0xfee00000u
#define IOAPIC		0xfec00000u
#define APIC_ID		0x20
#define APIC_VERSION	0x30
#define APIC_TPR	0x80
#define APIC_PPR	0xa0
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SVR	0xf0
#define APIC_ISR	0x100
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVTT	0x320
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVTERR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0
#define APIC_MASKED	0x10000u
#define SVR_ON		0x1ffu

#define MSR_TSC_DEADLINE	0x6e0u
#define MSR_X2(reg)		(0x800u + (reg) / 16)

#define IRQ_MAX_SEEN	64

/* A vCPU that takes commands. */
struct ivcpu {
	struct vcpu *v;
	uint64_t block;			/* guest-physical: the command */
	int seen[IRQ_MAX_SEEN];		/* vectors delivered, in order */
	int n;
	bool faulted;			/* the last command was #GP */
};

enum irq_chips { CHIPS_ALL, CHIPS_SPLIT };

/* A VM with these chips and @n vCPUs that take commands, local APICs on; skips the case
 * where there are none. */
struct vm *irq_vm(enum irq_chips chips);
struct ivcpu *irq_vcpu(struct vm *vm, unsigned int id);
/* Both, one vCPU, its local APIC on (SVR). */
struct ivcpu *irq_start(void);
/* 32-bit code; 64-bit with KVM. */
enum guest_mode irq_mode(void);
void irq_cpuid(struct vcpu *v, bool deadline);

void g_write(struct ivcpu *c, uint32_t addr, uint32_t val);
uint32_t g_read(struct ivcpu *c, uint32_t addr);
uint64_t g_rdmsr(struct ivcpu *c, uint32_t msr);	/* c->faulted tells */
void g_wrmsr(struct ivcpu *c, uint32_t msr, uint64_t val);
uint8_t g_in(struct ivcpu *c, uint16_t port);
void g_out(struct ivcpu *c, uint16_t port, uint8_t val);
void g_open(struct ivcpu *c);		/* interrupts on for a moment */
void g_halt(struct ivcpu *c);		/* STI, HLT: until one comes */
void g_halt_deaf(struct ivcpu *c);	/* HLT with IF clear */
uint32_t g_hypercall(struct ivcpu *c, uint32_t nr, uint32_t rcx);
uint32_t g_cpuid_ecx(struct ivcpu *c, uint32_t leaf);

static inline void g_apic(struct ivcpu *c, uint32_t reg, uint32_t val)
{
	g_write(c, LAPIC + reg, val);
}

static inline uint32_t g_apic_read(struct ivcpu *c, uint32_t reg)
{
	return g_read(c, LAPIC + reg);
}

/* The IOAPIC's registers, through IOREGSEL and IOWIN. */
void g_ioapic(struct ivcpu *c, uint8_t reg, uint32_t val);
uint32_t g_ioapic_read(struct ivcpu *c, uint8_t reg);
void g_redir(struct ivcpu *c, int pin, uint64_t entry);
uint64_t g_redir_read(struct ivcpu *c, int pin);

/* Opens interrupts once: exactly these vectors come, in this order. */
#define EXPECT_VECTORS(c, ...) do {						\
	static const int want_[] = { __VA_ARGS__ };				\
	expect_list(__FILE__, __LINE__, c, want_, KTAP_COUNT(want_));		\
} while (0)
#define EXPECT_NO_VECTOR(c)	expect_list(__FILE__, __LINE__, c, NULL, 0)
void expect_list(const char *file, int line, struct ivcpu *c, const int *want, size_t n);

bool g_irr(struct ivcpu *c, int vector);
bool g_isr(struct ivcpu *c, int vector);
void g_eoi(struct ivcpu *c);

uint64_t now_ns(void);		/* CLOCK_MONOTONIC */
void spin_ns(uint64_t ns);	/* at least so long from now */

int irq_line(struct vm *vm, uint32_t gsi, int level);	/* KVM_IRQ_LINE_STATUS' status */
int signal_msi(struct vm *vm, uint32_t addr, uint32_t data);

/* A table of routes. */
struct routes {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry e[4097];
};

void route_pin(struct routes *r, uint32_t gsi, uint32_t chip, uint32_t pin);
void route_msi(struct routes *r, uint32_t gsi, uint32_t addr, uint32_t data);
int set_routes(struct vm *vm, struct routes *r);

#endif
