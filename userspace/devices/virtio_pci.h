/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio over PCI (VIRTIO 1.1 §4.1): a virtio device as a PCI function.
 *
 *   region 0, I/O     +0 notifications: all queues write their number here,
 *                     so that an ioeventfd for each number is enough
 *                     +4 interrupt status
 *   region 1, memory  +0 common configuration, +0x100 the device's own
 *   region 2, memory  +0 MSI-X table, +0x800 pending bits; only where
 *                     messages can be sent
 *
 * What is touched while the guest runs is in I/O space: an access to it needs
 * no instruction to be fetched and decoded on CPUs that say what it was.
 *
 * Locks, in the order they are taken: pci_bus.lock, virtio_dev.lock,
 * virtio_pci.irq_lock, pci_bus.intx_lock.
 */
#ifndef RINGVM_VIRTIO_PCI_H
#define RINGVM_VIRTIO_PCI_H

#include "pci.h"
#include "virtio.h"

#define VIRTIO_VECTORS	(VIRTIO_QUEUES + 1)

/* Has the kernel signal notifications to the queues' eventfds; or does not. */
struct notify_sink {
	/* Notifications come to @port; or no more. */
	void (*set)(void *ctx, struct virtio_dev *dev, uint16_t port, bool on);
	void *ctx;
};

struct virtio_pci {
	struct pci_dev pci;
	struct virtio_dev *dev;
	const struct msi_sink *msi;	/* NULL: no messages */
	const struct notify_sink *notify;	/* NULL: exits */
	uint16_t port;			/* that notify was told of, or 0 */

	/* registers of the common configuration; dev->lock */
	uint32_t offered_select, accepted_select;
	uint16_t queue_select;

	uint8_t cap_cfg, cap_msix;	/* where these capabilities are */

	pthread_mutex_t irq_lock;	/* guards what follows */
	uint8_t isr;
	bool intx_off, msix_on, msix_masked;
	uint16_t config_vector, queue_vector[VIRTIO_QUEUES];
	struct msi message[VIRTIO_VECTORS];
	bool masked[VIRTIO_VECTORS], pending[VIRTIO_VECTORS];
	uint64_t interrupts;
};

/* Puts @dev on @bus.  False when there is no slot.  Destroying one not made is fine. */
bool virtio_pci_add(struct virtio_pci *vp, struct virtio_dev *dev,
		    struct pci_bus *bus, const struct msi_sink *msi,
		    const struct notify_sink *notify);
void virtio_pci_destroy(struct virtio_pci *vp);

#endif
