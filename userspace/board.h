/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is plugged into the machine: a PCI bus with the virtio devices that
 * the command line asks for.  Without any there is no bus either.
 */
#ifndef RINGVM_BOARD_H
#define RINGVM_BOARD_H

#include "devices/pci.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_net.h"
#include "devices/virtio_pci.h"
#include "devices/virtio_rng.h"
#include "opts.h"
#include "vm.h"

#define BOARD_DEVICES	(MAX_DISKS + 3)

struct board {
	struct pci_bus pci;
	bool has_pci;
	struct gmem mem;
	const struct vm *vm;
	struct notify_sink notify;

	struct virtio_blk *disk;	/* array */
	unsigned int disks;
	struct virtio_net *net;		/* or NULL, as the others */
	struct virtio_rng *rng;
	struct virtio_console *console;

	struct virtio_dev *dev[BOARD_DEVICES];
	struct virtio_pci slot[BOARD_DEVICES];
	unsigned int devices;
};

/*
 * Opens what the devices stand on; before the VM is made, so that mistakes of
 * the user's come first.  @room is called, from the console's thread, when a
 * console's full input queue has room again.  0, or -1 and @d; board_close()
 * either way.
 */
int board_open(struct board *b, const struct run_opts *o,
	       void (*room)(void *ctx), void *ctx, struct diag *d);

/*
 * Puts the devices on the bus; @irq and @msi stay the caller's; @msi may be
 * NULL.
 */
int board_plug(struct board *b, const struct vm *vm,
	       const struct irq_sink *irq, const struct msi_sink *msi,
	       struct diag *d);

/* Starts and ends the devices' threads. */
int board_start(struct board *b, struct diag *d);
void board_stop(struct board *b);
void board_close(struct board *b);

void board_print_stats(struct board *b);

#endif
