// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupt controllers in the kernel: see chips.h.  Each call's meaning is
 * the kernel's Documentation/virt/kvm/api.rst, the section named like it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "chips.h"

#define PIC_PINS	16u

static bool has(const struct vm *vm, unsigned int cap)
{
	return vm_check_extension(vm, cap) > 0;
}

int chips_choose(const struct vm *vm, const struct run_opts *o,
		 enum irqchip_choice *choice, struct diag *d)
{
	bool offered = has(vm, KVM_CAP_IRQCHIP) && has(vm, KVM_CAP_PIT2);
	int most;

	*choice = o->irqchip;
	if (o->irqchip == IRQCHIP_KERNEL && !offered)
		return diag_set(d, "%s has no interrupt controllers in the kernel: give --irqchip user, or load a current module",
				vm->device);
	if (o->irqchip == IRQCHIP_SPLIT &&
	    !(has(vm, KVM_CAP_SPLIT_IRQCHIP) && has(vm, KVM_CAP_IRQ_ROUTING) &&
	      has(vm, KVM_CAP_SIGNAL_MSI)))
		return diag_set(d, "%s has no local APICs in the kernel without the other interrupt controllers: leave out --irqchip split, or load a current module",
				vm->device);
	if (o->irqchip == IRQCHIP_AUTO)
		*choice = offered ? IRQCHIP_KERNEL : IRQCHIP_USER;
	if (*choice == IRQCHIP_USER && o->cpus > 1)
		return diag_set(d, "--cpus %u needs interrupt controllers in the kernel: %s",
				o->cpus, o->irqchip == IRQCHIP_USER ?
				"leave out --irqchip user" :
				"give --cpus 1, or load a current module");
	most = vm_check_extension(vm, KVM_CAP_MAX_VCPUS);
	if (most > 0 && o->cpus > (unsigned int)most)
		return diag_set(d, "%s runs at most %d CPUs in a guest: give --cpus %d",
				vm->device, most, most);
	return 0;
}

static void set_line(void *ctx, unsigned int line, bool level)
{
	struct chips *c = ctx;
	struct kvm_irq_level irq = { .irq = line, .level = level };

	/* The pins exist: it cannot fail but for a dying VM. */
	ioctl(c->vm->vm_fd, KVM_IRQ_LINE, &irq);
}

/* ---- routes ----------------------------------------------------------------- */

static void route_pin(struct chips *c, unsigned int gsi, unsigned int chip,
		      unsigned int pin)
{
	struct kvm_irq_routing_entry *e = &c->table->entries[c->table->nr++];

	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = pin;
}

/*
 * As in a PC: IRQ n is pin n of the 8259A pair and of the I/O APIC, but for the
 * timer, which is the I/O APIC's pin 2.
 */
static void route_pins(struct chips *c)
{
	unsigned int i;

	for (i = 0; i < PIC_PINS; i++)
		if (i != 2)
			route_pin(c, i, i < 8 ? KVM_IRQCHIP_PIC_MASTER :
						KVM_IRQCHIP_PIC_SLAVE, i & 7);
	for (i = 0; i < IOAPIC_PINS; i++)
		if (i != IOAPIC_TIMER_PIN)
			route_pin(c, i, KVM_IRQCHIP_IOAPIC,
				  i ? i : IOAPIC_TIMER_PIN);
}

/*
 * api.rst, KVM_CAP_SPLIT_IRQCHIP: the messages that these GSIs lead to tell the
 * kernel which vectors' EOI it is to report.  None does before the guest says so.
 */
static void route_messages(struct chips *c)
{
	unsigned int i;

	for (i = 0; i < IOAPIC_PINS; i++) {
		c->table->entries[i].gsi = i;
		c->table->entries[i].type = KVM_IRQ_ROUTING_MSI;
	}
	c->table->nr = IOAPIC_PINS;
}

static int make_routes(struct chips *c, bool split, struct diag *d)
{
	c->table = calloc(1, sizeof(*c->table) +
			     CHIPS_ROUTES * sizeof(c->table->entries[0]));
	if (!c->table)
		return diag_set(d, "out of memory: free some");
	if (split)
		route_messages(c);
	else
		route_pins(c);
	if (ioctl(c->vm->vm_fd, KVM_SET_GSI_ROUTING, c->table))
		return diag_set(d, "%s: KVM_SET_GSI_ROUTING failed: %s",
				c->vm->device, strerror(errno));
	return 0;
}

/* A GSI and an eventfd for this message; without them it is sent by a call. */
static void take_gsi(struct chips *c, struct msi *msi)
{
	struct kvm_irqfd irqfd = { 0 };
	struct kvm_irq_routing_entry *e;

	if (!c->irqfd || c->table->nr == CHIPS_ROUTES)
		return;
	msi->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (msi->fd < 0)
		return;
	irqfd.fd = (uint32_t)msi->fd;
	irqfd.gsi = c->next_gsi;
	if (ioctl(c->vm->vm_fd, KVM_IRQFD, &irqfd)) {
		close(msi->fd);
		msi->fd = -1;
		return;
	}
	e = &c->table->entries[c->table->nr++];
	e->gsi = c->next_gsi;
	e->type = KVM_IRQ_ROUTING_MSI;
	msi->gsi = (int)c->next_gsi++;
}

static void update_message(void *ctx, struct msi *msi)
{
	struct chips *c = ctx;
	struct kvm_irq_routing_entry *e;
	unsigned int i;

	pthread_mutex_lock(&c->lock);
	if (msi->gsi < 0)
		take_gsi(c, msi);
	for (i = 0; msi->gsi >= 0 && i < c->table->nr; i++) {
		e = &c->table->entries[i];
		if (e->gsi != (unsigned int)msi->gsi)
			continue;
		if (e->u.msi.address_lo == (uint32_t)msi->addr &&
		    e->u.msi.address_hi == (uint32_t)(msi->addr >> 32) &&
		    e->u.msi.data == msi->data)
			break;
		e->u.msi.address_lo = (uint32_t)msi->addr;
		e->u.msi.address_hi = (uint32_t)(msi->addr >> 32);
		e->u.msi.data = msi->data;
		/* A message the kernel does not take is the guest's fault. */
		ioctl(c->vm->vm_fd, KVM_SET_GSI_ROUTING, c->table);
		break;
	}
	pthread_mutex_unlock(&c->lock);
}

static void send_message(void *ctx, struct msi *msi)
{
	struct chips *c = ctx;
	const uint64_t one = 1;
	struct kvm_msi m = {
		.address_lo = (uint32_t)msi->addr,
		.address_hi = (uint32_t)(msi->addr >> 32),
		.data = msi->data,
	};

	if (msi->fd >= 0 && write(msi->fd, &one, sizeof(one)) == sizeof(one))
		return;
	/* An address that is no local APIC's goes nowhere. */
	ioctl(c->vm->vm_fd, KVM_SIGNAL_MSI, &m);
}

static int make_all(const struct vm *vm, struct diag *d)
{
	/* Port 61h is the kernel's, too, there being nobody else for it. */
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0))
		return diag_set(d, "%s: KVM_CREATE_IRQCHIP failed: %s; see the kernel log, or give --irqchip user",
				vm->device, strerror(errno));
	if (ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit))
		return diag_set(d, "%s: KVM_CREATE_PIT2 failed: %s; see the kernel log, or give --irqchip user",
				vm->device, strerror(errno));
	return 0;
}

static int make_split(const struct vm *vm, struct diag *d)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS },
	};

	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &cap))
		return diag_set(d, "%s: KVM_CAP_SPLIT_IRQCHIP was refused: %s; see the kernel log, or leave out --irqchip split",
				vm->device, strerror(errno));
	return 0;
}

int chips_create(struct chips *c, const struct vm *vm,
		 enum irqchip_choice which, struct diag *d)
{
	bool split = which == IRQCHIP_SPLIT;

	memset(c, 0, sizeof(*c));
	c->vm = vm;
	pthread_mutex_init(&c->lock, NULL);
	c->next_gsi = FIRST_MSI;
	if (split ? make_split(vm, d) : make_all(vm, d))
		return -1;
	c->routing = has(vm, KVM_CAP_IRQ_ROUTING);
	if (c->routing && make_routes(c, split, d))
		return -1;
	c->irqfd = c->routing && has(vm, KVM_CAP_IRQFD);
	c->messages = c->irqfd || has(vm, KVM_CAP_SIGNAL_MSI);
	c->line = (struct irq_sink){ set_line, c };
	c->msi = (struct msi_sink){ update_message, send_message, c };
	return 0;
}

void chips_destroy(struct chips *c)
{
	if (!c->vm)
		return;
	free(c->table);
	c->table = NULL;
	pthread_mutex_destroy(&c->lock);
	c->vm = NULL;
}
