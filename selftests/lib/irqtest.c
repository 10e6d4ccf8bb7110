// SPDX-License-Identifier: GPL-2.0
/* Guests that take commands: see irqtest.h. */
#include <cpuid.h>
#include <time.h>

#include "irqtest.h"

#define G_BLOCKS	G_FREE			/* 0x40 bytes each */
#define G_ENTRIES		(G_FREE + 0x1000)	/* 16 bytes each */
#define G_GP		(G_FREE + 0x3000)

#define PORT_ASK	0x10
#define PORT_VECTOR	0x11

enum op { OP_NOP, OP_WRITE, OP_READ, OP_RDMSR, OP_WRMSR, OP_IN, OP_OUT, OP_OPEN, OP_HALT,
	  OP_CPUID, OP_HYPERCALL, OP_HALT_DEAF };

/* Words of a block: the command, three operands, then what came of it. */
#define W_OP		0
#define W_A		4
#define W_B		8
#define W_C		12
#define W_FAULT		16

/* EBX: the block */
#define LOOP								\
	"1: out %al, $0x10\n"						\
	"mov (%ebx), %eax\nmov 4(%ebx), %ecx\n"				\
	"mov 8(%ebx), %edx\nmov 12(%ebx), %esi\n"			\
	"cmp $1, %eax\njne 2f\n"					\
	"mov %edx, (%ecx)\njmp 1b\n"					\
	"2: cmp $2, %eax\njne 3f\n"					\
	"mov (%ecx), %edx\nmov %edx, 8(%ebx)\njmp 1b\n"			\
	"3: cmp $3, %eax\njne 4f\n"					\
	"rdmsr\nmov %eax, 8(%ebx)\nmov %edx, 12(%ebx)\njmp 1b\n"	\
	"4: cmp $4, %eax\njne 5f\n"					\
	"mov %edx, %eax\nmov %esi, %edx\nwrmsr\njmp 1b\n"		\
	"5: cmp $5, %eax\njne 6f\n"					\
	"mov %ecx, %edx\nxor %eax, %eax\nin %dx, %al\n"			\
	"mov %eax, 8(%ebx)\njmp 1b\n"					\
	"6: cmp $6, %eax\njne 7f\n"					\
	"mov %edx, %eax\nmov %ecx, %edx\nout %al, %dx\njmp 1b\n"	\
	"7: cmp $7, %eax\njne 8f\n"					\
	"sti\nnop\nnop\ncli\njmp 1b\n"					\
	"8: cmp $8, %eax\njne 9f\n"					\
	"sti\nhlt\ncli\njmp 1b\n"					\
	"9: cmp $9, %eax\njne 10f\n"					\
	"mov %ecx, %eax\nxor %ecx, %ecx\nmov %ebx, %edi\ncpuid\n"	\
	"mov %edi, %ebx\nmov %ecx, 8(%ebx)\njmp 1b\n"			\
	"10: cmp $10, %eax\njne 11f\n"					\
	"mov %ecx, %eax\nmov %edx, %ecx\nmov %ebx, %edi\nxor %ebx, %ebx\n" \
	"test %esi, %esi\njz 12f\nvmcall\njmp 13f\n12: vmmcall\n13: "	\
	"mov %edi, %ebx\nmov %eax, 8(%ebx)\njmp 1b\n"			\
	"11: cmp $11, %eax\njne 1b\nhlt\njmp 1b\n"

GUEST(loop32, 32, LOOP);
GUEST(loop64, 64, LOOP);
GUEST(gp32, 32, "movl $1, 16(%ebx)\nadd $4, %esp\nmovl $0x8000, (%esp)\niret\n");
GUEST(gp64, 64, "movl $1, 16(%ebx)\nadd $8, %rsp\nmovq $0x8000, (%rsp)\niretq\n");

enum guest_mode irq_mode(void)
{
	/* QEMU 7.2's emulation aborts when Debian's kvm-amd runs 32-bit code with a TSS. */
	return dev_is_kvm() ? MODE_LONG : MODE_PROT32;
}

void irq_cpuid(struct vcpu *v, bool deadline)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	uint32_t i;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(v->vm->dev, KVM_GET_SUPPORTED_CPUID, c));
	for (i = 0; i < c->nent; i++) {
		if (c->entries[i].function != 1)
			continue;
		if (deadline)
			c->entries[i].ecx |= 1u << 24;
		c->entries[i].ebx = (c->entries[i].ebx & 0x00ffffff) | v->id << 24;
	}
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	free(c);
}

struct vm *irq_vm(enum irq_chips chips)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct vm *vm = vm_new(G_MEM);
	int i;

	if (chips == CHIPS_SPLIT) {
		if (vm_cap(vm, KVM_CAP_SPLIT_IRQCHIP) <= 0)
			SKIP("no KVM_CAP_SPLIT_IRQCHIP");
		ASSERT_OK(ioctl(vm->fd, KVM_ENABLE_CAP, &split));
	} else {
		if (vm_cap(vm, KVM_CAP_IRQCHIP) <= 0)
			SKIP("no KVM_CAP_IRQCHIP");
		ASSERT_OK(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	}
	guest_load(vm, G_CODE, irq_mode() == MODE_LONG ? loop64 : loop32);
	guest_load(vm, G_GP, irq_mode() == MODE_LONG ? gp64 : gp32);
	for (i = 0; i < 256; i++) {
		/* push, mov $i, %al, out, pop, iret */
		uint8_t code[] = { 0x50, 0xb0, i, 0xe6, PORT_VECTOR, 0x58, 0x48, 0xcf };

		if (irq_mode() != MODE_LONG)
			code[6] = 0xcf;
		memcpy(vm->mem + G_ENTRIES + 16 * i, code, sizeof(code));
	}
	return vm;
}

struct ivcpu *irq_vcpu(struct vm *vm, unsigned int id)
{
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct ivcpu *c = calloc(1, sizeof(*c));
	int i;

	ASSERT(c);
	c->v = vcpu_bare(vm, id);
	irq_cpuid(c->v, true);
	vcpu_set_mode(c->v, irq_mode());
	for (i = 0; i < 256; i++)
		guest_handler(vm, irq_mode(), i, G_ENTRIES + 16 * i);
	guest_handler(vm, irq_mode(), GP, G_GP);
	c->block = G_BLOCKS + 0x40 * id;
	c->v->regs.rbx = c->block;
	set_regs(c->v);
	ASSERT_OK(ioctl(c->v->fd, KVM_SET_MP_STATE, &mp));
	return c;
}

struct ivcpu *irq_start(void)
{
	struct ivcpu *c = irq_vcpu(irq_vm(CHIPS_ALL), 0);

	g_apic(c, APIC_SVR, SVR_ON);
	return c;
}

/* Runs to where it asks; vectors on the way are kept. */
static void run_to_ask(struct ivcpu *c)
{
	struct kvm_run *run = c->v->run;
	int r;

	for (;;) {
		r = vcpu_run(c->v);
		if (r == -EINTR)
			continue;
		if (r)
			FAIL("KVM_RUN: %s", strerror(-r));
		if (run->exit_reason != KVM_EXIT_IO ||
		    (run->io.port != PORT_ASK && run->io.port != PORT_VECTOR)) {
			show_exit(c->v);
			FAIL("vCPU %u: not what was asked for", c->v->id);
		}
		if (run->io.port == PORT_ASK)
			return;
		if (c->n < IRQ_MAX_SEEN)
			c->seen[c->n] = *pio_data(c->v);
		c->n++;
	}
}

static void command(struct ivcpu *c, enum op op, uint32_t a, uint32_t b, uint32_t w)
{
	struct vm *vm = c->v->vm;

	/* The first time it has not come to the question yet. */
	if (c->v->run->exit_reason != KVM_EXIT_IO)
		run_to_ask(c);
	c->n = 0;
	g32(vm, c->block + W_OP) = op;
	g32(vm, c->block + W_A) = a;
	g32(vm, c->block + W_B) = b;
	g32(vm, c->block + W_C) = w;
	g32(vm, c->block + W_FAULT) = 0;
	run_to_ask(c);
	c->faulted = g32(vm, c->block + W_FAULT);
}

void g_write(struct ivcpu *c, uint32_t addr, uint32_t val)
{
	command(c, OP_WRITE, addr, val, 0);
}

uint32_t g_read(struct ivcpu *c, uint32_t addr)
{
	command(c, OP_READ, addr, 0, 0);
	return g32(c->v->vm, c->block + W_B);
}

uint64_t g_rdmsr(struct ivcpu *c, uint32_t msr)
{
	command(c, OP_RDMSR, msr, 0, 0);
	return g32(c->v->vm, c->block + W_B) | (uint64_t)g32(c->v->vm, c->block + W_C) << 32;
}

void g_wrmsr(struct ivcpu *c, uint32_t msr, uint64_t val)
{
	command(c, OP_WRMSR, msr, val, val >> 32);
}

uint8_t g_in(struct ivcpu *c, uint16_t port)
{
	command(c, OP_IN, port, 0, 0);
	return g32(c->v->vm, c->block + W_B);
}

void g_out(struct ivcpu *c, uint16_t port, uint8_t val)
{
	command(c, OP_OUT, port, val, 0);
}

void g_open(struct ivcpu *c)
{
	command(c, OP_OPEN, 0, 0, 0);
}

void g_halt(struct ivcpu *c)
{
	command(c, OP_HALT, 0, 0, 0);
}

uint32_t g_cpuid_ecx(struct ivcpu *c, uint32_t leaf)
{
	command(c, OP_CPUID, leaf, 0, 0);
	return g32(c->v->vm, c->block + W_B);
}

uint32_t g_hypercall(struct ivcpu *c, uint32_t nr, uint32_t rcx)
{
	uint32_t a, b, cx, d;

	/* Intel's CPUs have the one instruction, AMD's the other. */
	__cpuid(0, a, b, cx, d);
	command(c, OP_HYPERCALL, nr, rcx, b == 0x756e6547);
	return g32(c->v->vm, c->block + W_B);
}

void g_halt_deaf(struct ivcpu *c)
{
	command(c, OP_HALT_DEAF, 0, 0, 0);
}

void g_ioapic(struct ivcpu *c, uint8_t reg, uint32_t val)
{
	g_write(c, IOAPIC, reg);
	g_write(c, IOAPIC + 0x10, val);
}

uint32_t g_ioapic_read(struct ivcpu *c, uint8_t reg)
{
	g_write(c, IOAPIC, reg);
	return g_read(c, IOAPIC + 0x10);
}

/* Masked while it changes, as drivers do it. */
void g_redir(struct ivcpu *c, int pin, uint64_t entry)
{
	g_ioapic(c, 0x10 + 2 * pin, APIC_MASKED);
	g_ioapic(c, 0x11 + 2 * pin, entry >> 32);
	g_ioapic(c, 0x10 + 2 * pin, entry);
}

uint64_t g_redir_read(struct ivcpu *c, int pin)
{
	uint64_t high = g_ioapic_read(c, 0x11 + 2 * pin);

	return high << 32 | g_ioapic_read(c, 0x10 + 2 * pin);
}

void expect_list(const char *file, int line, struct ivcpu *c, const int *want, size_t n)
{
	char text[256] = "";
	size_t i, at = 0;
	bool same;

	g_open(c);
	same = (size_t)c->n == n;
	for (i = 0; i < (size_t)c->n && i < IRQ_MAX_SEEN; i++) {
		same = same && c->seen[i] == want[i];
		if (at < sizeof(text) - 8)
			at += snprintf(text + at, sizeof(text) - at, " %02x", c->seen[i]);
	}
	if (!same) {
		ktap.failed = 1;
		ktap_diag("%s:%d: vCPU %u took%s, not the %zu that it should", file, line,
			  c->v->id, c->n ? text : " none", n);
	}
}

static bool g_vector_bit(struct ivcpu *c, uint32_t reg, int vector)
{
	return g_apic_read(c, reg + vector / 32 * 16) >> (vector % 32) & 1;
}

bool g_irr(struct ivcpu *c, int vector)
{
	return g_vector_bit(c, APIC_IRR, vector);
}

bool g_isr(struct ivcpu *c, int vector)
{
	return g_vector_bit(c, APIC_ISR, vector);
}

void g_eoi(struct ivcpu *c)
{
	g_apic(c, APIC_EOI, 0);
}

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

void spin_ns(uint64_t ns)
{
	uint64_t end = now_ns() + ns;

	while (now_ns() <= end)
		;
}

int irq_line(struct vm *vm, uint32_t gsi, int level)
{
	struct kvm_irq_level l = { .irq = gsi, .level = level };

	ASSERT_OK(ioctl(vm->fd, KVM_IRQ_LINE_STATUS, &l));
	return l.status;
}

int signal_msi(struct vm *vm, uint32_t addr, uint32_t data)
{
	struct kvm_msi m = { .address_lo = addr, .data = data };

	return ioctl(vm->fd, KVM_SIGNAL_MSI, &m);
}

void route_pin(struct routes *r, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	r->e[r->head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

void route_msi(struct routes *r, uint32_t gsi, uint32_t addr, uint32_t data)
{
	r->e[r->head.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = addr, .data = data },
	};
}

int set_routes(struct vm *vm, struct routes *r)
{
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, r);
}
