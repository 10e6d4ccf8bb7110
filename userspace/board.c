// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio devices of the machine: see board.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"

static int open_disks(struct board *b, const struct run_opts *o, struct diag *d)
{
	unsigned int i;

	if (!o->disks)
		return 0;
	b->disk = calloc(o->disks, sizeof(*b->disk));
	if (!b->disk)
		return diag_set(d, "out of memory: free some");
	for (i = 0; i < o->disks; i++) {
		b->disks++;
		if (blk_open(&b->disk[i], o->disk[i], i, d))
			return -1;
		b->dev[b->devices++] = &b->disk[i].dev;
	}
	return 0;
}

static int open_net(struct board *b, const struct run_opts *o, struct diag *d)
{
	if (o->net == NET_NONE)
		return 0;
	b->net = calloc(1, sizeof(*b->net));
	if (!b->net)
		return diag_set(d, "out of memory: free some");
	if (net_open(b->net, o, d))
		return -1;
	b->dev[b->devices++] = &b->net->dev;
	return 0;
}

int board_open(struct board *b, const struct run_opts *o,
	       void (*room)(void *ctx), void *ctx, struct diag *d)
{
	memset(b, 0, sizeof(*b));
	if (open_disks(b, o, d) || open_net(b, o, d))
		return -1;
	if (o->rng) {
		b->rng = calloc(1, sizeof(*b->rng));
		if (!b->rng)
			return diag_set(d, "out of memory: free some");
		rng_open(b->rng);
		b->dev[b->devices++] = &b->rng->dev;
	}
	if (o->virtio_console) {
		b->console = calloc(1, sizeof(*b->console));
		if (!b->console)
			return diag_set(d, "out of memory: free some");
		console_open(b->console, STDOUT_FILENO, room, ctx);
		b->dev[b->devices++] = &b->console->dev;
	}
	return 0;
}

/* Exits for notifications are answered by the kernel where it offers that. */
static void set_notify(void *ctx, struct virtio_dev *dev, uint16_t port, bool on)
{
	struct board *b = ctx;
	unsigned int q;

	for (q = 0; q < dev->queues; q++)
		vm_ioeventfd(b->vm, dev->vq[q].kick_fd, port, (uint16_t)q, on);
}

int board_plug(struct board *b, const struct vm *vm,
	       const struct irq_sink *irq, const struct msi_sink *msi,
	       struct diag *d)
{
	const struct notify_sink *notify = NULL;
	unsigned int i;

	if (!b->devices)
		return 0;
	b->vm = vm;
	b->mem = (struct gmem){ .ram = vm->ram, .mem = vm->mem };
	if (vm_check_extension(vm, KVM_CAP_IOEVENTFD) > 0) {
		b->notify = (struct notify_sink){ set_notify, b };
		notify = &b->notify;
	}
	pci_init(&b->pci, irq);
	b->has_pci = true;
	for (i = 0; i < b->devices; i++) {
		if (virtio_init(b->dev[i], &b->mem, d))
			return -1;
		if (!virtio_pci_add(&b->slot[i], b->dev[i], &b->pci, msi,
				    notify))
			return diag_set(d, "there are more devices than PCI slots: leave out some");
	}
	return 0;
}

int board_start(struct board *b, struct diag *d)
{
	unsigned int i;

	for (i = 0; i < b->devices; i++)
		if (virtio_start(b->dev[i], d))
			return -1;
	return 0;
}

void board_stop(struct board *b)
{
	unsigned int i;

	for (i = 0; i < b->devices; i++)
		virtio_stop(b->dev[i]);
}

void board_close(struct board *b)
{
	unsigned int i;

	for (i = 0; i < b->devices; i++) {
		virtio_destroy(b->dev[i]);
		virtio_pci_destroy(&b->slot[i]);
	}
	if (b->has_pci)
		pci_destroy(&b->pci);
	for (i = 0; i < b->disks; i++)
		blk_close(&b->disk[i]);
	if (b->net)
		net_close(b->net);
	if (b->console)
		console_close(b->console);
	free(b->disk);
	free(b->net);
	free(b->rng);
	free(b->console);
	b->disk = NULL;
	b->net = NULL;
	b->rng = NULL;
	b->console = NULL;
	b->devices = 0;
	b->disks = 0;
}

void board_print_stats(struct board *b)
{
	unsigned int i;

	for (i = 0; i < b->devices; i++)
		say_raw("stat: user_device%u_interrupts %llu", i,
			(unsigned long long)b->slot[i].interrupts);
	for (i = 0; i < b->disks; i++) {
		say_raw("stat: user_disk%u_requests %llu", i,
			(unsigned long long)b->disk[i].requests);
		say_raw("stat: user_disk%u_errors %llu", i,
			(unsigned long long)b->disk[i].errors);
	}
	if (b->net) {
		say_raw("stat: user_net_sent %llu",
			(unsigned long long)b->net->sent);
		say_raw("stat: user_net_received %llu",
			(unsigned long long)b->net->received);
		say_raw("stat: user_net_dropped %llu",
			(unsigned long long)b->net->dropped);
	}
	if (b->rng)
		say_raw("stat: user_rng_bytes %llu",
			(unsigned long long)b->rng->bytes);
	if (b->has_pci)
		say_raw("stat: user_pci_unclaimed %llu",
			(unsigned long long)b->pci.unclaimed);
}
