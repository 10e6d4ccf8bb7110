/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interrupt controllers in the kernel, seen from the launcher: lines, and
 * messages (MSI) by irqfd where the node has that.  Split ones are local APICs
 * alone, which know nothing but messages.
 */
#ifndef RINGVM_CHIPS_H
#define RINGVM_CHIPS_H

#include <pthread.h>

#include "devices/ioapic.h"
#include "devices/irq.h"
#include "opts.h"
#include "vm.h"

#define CHIPS_ROUTES	(40u + 4u * (MAX_DISKS + 4u))
#define FIRST_MSI	IOAPIC_PINS	/* GSIs behind the I/O APIC's pins */

struct chips {
	const struct vm *vm;
	bool routing;		/* KVM_SET_GSI_ROUTING */
	bool irqfd;
	bool messages;		/* irqfd or KVM_SIGNAL_MSI */
	struct irq_sink line;	/* not of split ones */
	struct msi_sink msi;

	pthread_mutex_t lock;	/* guards the routes; taken last */
	struct kvm_irq_routing *table;
	unsigned int next_gsi;
};

/*
 * What "--irqchip" comes to on @vm, which has no VM yet: kernel, split or user.  0,
 * or -1 and @d.
 */
int chips_choose(const struct vm *vm, const struct run_opts *o,
		 enum irqchip_choice *choice, struct diag *d);

/*
 * Makes the chips, @which of kernel and split; after the memory, before the first
 * vCPU.  With split ones the GSIs below IOAPIC_PINS are those of our I/O APIC, whose
 * messages' "gsi" they are.
 */
int chips_create(struct chips *c, const struct vm *vm,
		 enum irqchip_choice which, struct diag *d);
/* Fine on chips that were not made. */
void chips_destroy(struct chips *c);

#endif
