// SPDX-License-Identifier: GPL-2.0
/*
 * Where the interrupt controllers are, and what the kernel is told of the messages of
 * our I/O APIC.  The kernel is this file's ioctl().
 */
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../chips.h"
#include "ktap.h"

#define SYS_FD	1000
#define VM_FD	1001

static bool caps[256];
static struct kvm_enable_cap enabled;
static bool made, made_pit;
static struct {
	struct kvm_irq_routing head;
	struct kvm_irq_routing_entry e[CHIPS_ROUTES];
} routes;
static unsigned int settings;
static struct kvm_msi signalled;
static unsigned int signals, irqfds;
static int irqfd;

static int set_routes(const struct kvm_irq_routing *r)
{
	if (r->nr > CHIPS_ROUTES)
		return -1;
	settings++;
	memcpy(&routes, r, sizeof(*r) + r->nr * sizeof(r->entries[0]));
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	if (fd != SYS_FD && fd != VM_FD)
		return -1;
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return arg == KVM_CAP_MAX_VCPUS ? 8 : arg < 256 && caps[arg];
	case KVM_ENABLE_CAP:
		memcpy(&enabled, (void *)arg, sizeof(enabled));
		return 0;
	case KVM_CREATE_IRQCHIP:
		made = true;
		return 0;
	case KVM_CREATE_PIT2:
		made_pit = true;
		return 0;
	case KVM_SET_GSI_ROUTING:
		return set_routes((void *)arg);
	case KVM_SIGNAL_MSI:
		memcpy(&signalled, (void *)arg, sizeof(signalled));
		signals++;
		return 1;
	case KVM_IRQFD:
		irqfd = (int)((struct kvm_irqfd *)arg)->gsi;
		irqfds++;
		return 0;
	default:
		return -1;
	}
}

static struct vm vm;
static struct chips chips;
static struct diag diag;

static void set_up(bool all, bool split)
{
	memset(caps, 0, sizeof(caps));
	caps[KVM_CAP_IRQCHIP] = caps[KVM_CAP_PIT2] = all;
	caps[KVM_CAP_SPLIT_IRQCHIP] = split;
	caps[KVM_CAP_IRQ_ROUTING] = caps[KVM_CAP_SIGNAL_MSI] = all || split;
	caps[KVM_CAP_IRQFD] = all || split;
	memset(&enabled, 0, sizeof(enabled));
	made = made_pit = false;
	settings = signals = irqfds = 0;
	vm = (struct vm){ .device = "/dev/node", .sys_fd = SYS_FD, .vm_fd = -1 };
	diag.text[0] = '\0';
}

static int choose(enum irqchip_choice asked, unsigned int cpus)
{
	const struct run_opts o = { .irqchip = asked, .cpus = cpus };
	enum irqchip_choice got;

	diag.text[0] = '\0';
	return chips_choose(&vm, &o, &got, &diag) ? -1 : (int)got;
}

static bool says(const char *part)
{
	if (strstr(diag.text, part) && strstr(diag.text, "/dev/node"))
		return true;
	printf("# said: '%s'\n", diag.text);
	return false;
}

static void choice(void)
{
	set_up(true, true);
	CHECK_EQ(choose(IRQCHIP_AUTO, 1), IRQCHIP_KERNEL);
	CHECK_EQ(choose(IRQCHIP_AUTO, 8), IRQCHIP_KERNEL);
	CHECK_EQ(choose(IRQCHIP_KERNEL, 1), IRQCHIP_KERNEL);
	CHECK_EQ(choose(IRQCHIP_SPLIT, 1), IRQCHIP_SPLIT);
	CHECK_EQ(choose(IRQCHIP_SPLIT, 8), IRQCHIP_SPLIT);
	CHECK_EQ(choose(IRQCHIP_USER, 1), IRQCHIP_USER);
	CHECK_EQ(choose(IRQCHIP_SPLIT, 9), -1);
	CHECK(says("at most 8 CPUs"));
	set_up(true, false);
	CHECK_EQ(choose(IRQCHIP_AUTO, 2), IRQCHIP_KERNEL);
	CHECK_EQ(choose(IRQCHIP_SPLIT, 1), -1);
	CHECK(says("leave out --irqchip split"));
	set_up(false, false);
	CHECK_EQ(choose(IRQCHIP_AUTO, 1), IRQCHIP_USER);
	CHECK_EQ(choose(IRQCHIP_USER, 1), IRQCHIP_USER);
	CHECK_EQ(choose(IRQCHIP_AUTO, 2), -1);
	CHECK(strstr(diag.text, "--cpus 1"));
	CHECK_EQ(choose(IRQCHIP_KERNEL, 1), -1);
	CHECK(says("--irqchip user"));
	CHECK_EQ(choose(IRQCHIP_SPLIT, 1), -1);
	/* Messages are all that its local APICs understand. */
	set_up(true, true);
	caps[KVM_CAP_SIGNAL_MSI] = false;
	CHECK_EQ(choose(IRQCHIP_SPLIT, 1), -1);
	/* The timer is part of the kernel's. */
	set_up(true, true);
	caps[KVM_CAP_PIT2] = false;
	CHECK_EQ(choose(IRQCHIP_AUTO, 1), IRQCHIP_USER);
}

static void make(enum irqchip_choice which)
{
	vm.vm_fd = VM_FD;
	CHECK(!chips_create(&chips, &vm, which, &diag));
	CHECK(chips.routing && chips.messages);
	CHECK_EQ(settings, 1);
}

static void all_in_the_kernel(void)
{
	unsigned int i;

	set_up(true, true);
	make(IRQCHIP_KERNEL);
	CHECK(made && made_pit && !enabled.cap);
	for (i = 0; i < routes.head.nr; i++)
		CHECK_EQ(routes.e[i].type, KVM_IRQ_ROUTING_IRQCHIP);
	CHECK_EQ(routes.head.nr, 15 + 23);
	chips_destroy(&chips);
}

static const struct kvm_irq_routing_msi *route_of(unsigned int gsi)
{
	static const struct kvm_irq_routing_msi none;
	unsigned int i, found = 0;

	for (i = 0; i < routes.head.nr; i++)
		if (routes.e[i].gsi == gsi &&
		    routes.e[i].type == KVM_IRQ_ROUTING_MSI)
			found = i + 1;
	return found ? &routes.e[found - 1].u.msi : &none;
}

static void put_entry(struct ioapic *io, unsigned int pin, uint32_t low,
		      uint32_t high)
{
	uint32_t reg = 0x11 + 2 * pin;

	ioapic_mmio(io, 0x00, 4, (uint8_t *)&reg, true);
	ioapic_mmio(io, 0x10, 4, (uint8_t *)&high, true);
	reg--;
	ioapic_mmio(io, 0x00, 4, (uint8_t *)&reg, true);
	ioapic_mmio(io, 0x10, 4, (uint8_t *)&low, true);
}

/* The route of a pin is what it sends, before it sends it. */
static void split(void)
{
	struct msi msi = { .addr = 0xfee07000, .data = 0x61, .gsi = -1, .fd = -1 };
	unsigned int before;
	struct ioapic io;

	set_up(true, true);
	make(IRQCHIP_SPLIT);
	CHECK_EQ(enabled.cap, KVM_CAP_SPLIT_IRQCHIP);
	CHECK_EQ(enabled.args[0], 24);
	CHECK(!made && !made_pit);
	CHECK_EQ(routes.head.nr, 24);
	ioapic_init(&io, &chips.msi);

	put_entry(&io, 11, 0x8051, 0x03000000);
	CHECK_EQ(route_of(11)->address_lo, 0xfee03000);
	CHECK_EQ(route_of(11)->data, 0xc051);
	ioapic_set_irq(&io, 11, true);
	CHECK_EQ(signals, 1);
	CHECK_EQ(signalled.address_lo, 0xfee03000);
	CHECK_EQ(signalled.data, 0xc051);
	CHECK_EQ(signalled.flags, 0);
	/* Masks change no route. */
	before = settings;
	put_entry(&io, 11, 0x18051, 0x03000000);
	put_entry(&io, 11, 0x8051, 0x03000000);
	CHECK_EQ(settings, before);
	CHECK_EQ(signals, 1);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(signals, 2);

	/* A device's message is behind the pins, and leaves them alone. */
	chips.msi.update(chips.msi.ctx, &msi);
	CHECK_EQ(irqfds, 1);
	CHECK_EQ(irqfd, 24);
	CHECK_EQ(msi.gsi, 24);
	CHECK_EQ(routes.head.nr, 25);
	CHECK_EQ(route_of(24)->data, 0x61);
	CHECK_EQ(route_of(11)->data, 0xc051);
	chips.msi.send(chips.msi.ctx, &msi);
	CHECK_EQ(signals, 2);
	close(msi.fd);
	chips_destroy(&chips);
}

static const struct test tests[] = {
	{ "chips_choice", choice },
	{ "chips_all_in_the_kernel", all_in_the_kernel },
	{ "chips_split", split },
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
