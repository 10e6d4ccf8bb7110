// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio over PCI: see virtio_pci.h.
 */
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>
#include <unistd.h>

#include "virtio_pci.h"

#define BAR_IO		0u
#define BAR_CONFIG	1u
#define BAR_MSIX	2u

#define IO_NOTIFY	0u
#define IO_ISR		4u
#define IO_SIZE		8u
#define DEVICE_CONFIG	0x100u
#define MSIX_PENDING	0x800u
#define MEM_SIZE	0x1000u

#define ISR_QUEUE	1u
#define ISR_CONFIG	2u
#define NO_VECTOR	VIRTIO_MSI_NO_VECTOR

static unsigned int vectors(const struct virtio_pci *vp)
{
	return vp->msi ? vp->dev->queues + 1 : 0;
}

/* ---- interrupts ------------------------------------------------------------- */

static void drive_line(struct virtio_pci *vp)
{
	pci_intx(&vp->pci, vp->isr && !vp->intx_off && !vp->msix_on);
}

/* PCI 3.0 §6.8.2.9: a masked vector's message waits in the pending bit. */
static void send(struct virtio_pci *vp, unsigned int vector)
{
	if (vector >= vectors(vp))
		return;
	if (vp->msix_masked || vp->masked[vector]) {
		vp->pending[vector] = true;
		return;
	}
	vp->pending[vector] = false;
	vp->interrupts++;
	vp->msi->send(vp->msi->ctx, &vp->message[vector]);
}

static void send_pending(struct virtio_pci *vp)
{
	unsigned int i;

	for (i = 0; vp->msix_on && i < vectors(vp); i++)
		if (vp->pending[i])
			send(vp, i);
}

/* §4.1.4.5: with MSI-X on, the status stays 0. */
static void interrupt(struct virtio_pci *vp, uint8_t cause, uint16_t vector)
{
	if (vp->msix_on) {
		send(vp, vector);
		return;
	}
	vp->isr |= cause;
	vp->interrupts++;
	drive_line(vp);
}

static void queue_irq(void *bus, unsigned int q)
{
	struct virtio_pci *vp = bus;

	pthread_mutex_lock(&vp->irq_lock);
	interrupt(vp, ISR_QUEUE, vp->queue_vector[q]);
	pthread_mutex_unlock(&vp->irq_lock);
}

static void config_irq(void *bus)
{
	struct virtio_pci *vp = bus;

	pthread_mutex_lock(&vp->irq_lock);
	interrupt(vp, ISR_CONFIG, vp->config_vector);
	pthread_mutex_unlock(&vp->irq_lock);
}

static void reset(void *bus)
{
	struct virtio_pci *vp = bus;
	unsigned int q;

	vp->queue_select = 0;
	vp->offered_select = 0;
	vp->accepted_select = 0;
	pthread_mutex_lock(&vp->irq_lock);
	vp->isr = 0;
	vp->config_vector = NO_VECTOR;
	for (q = 0; q < VIRTIO_QUEUES; q++)
		vp->queue_vector[q] = NO_VECTOR;
	drive_line(vp);
	pthread_mutex_unlock(&vp->irq_lock);
}

static const struct virtio_bus_ops bus_ops = { queue_irq, config_irq, reset };

static uint8_t take_isr(struct virtio_pci *vp)
{
	uint8_t isr;

	pthread_mutex_lock(&vp->irq_lock);
	isr = vp->isr;
	vp->isr = 0;
	drive_line(vp);
	pthread_mutex_unlock(&vp->irq_lock);
	return isr;
}

/* ---- common configuration (§4.1.4.3) ---------------------------------------- */

static struct virtq *selected(struct virtio_pci *vp)
{
	return vp->queue_select < vp->dev->queues ?
	       &vp->dev->vq[vp->queue_select] : NULL;
}

static void read_common(struct virtio_pci *vp, struct virtio_pci_common_cfg *c)
{
	const struct virtio_dev *dev = vp->dev;
	const struct virtq *vq = selected(vp);

	memset(c, 0, sizeof(*c));
	c->device_feature_select = vp->offered_select;
	c->guest_feature_select = vp->accepted_select;
	if (vp->offered_select < 2)
		c->device_feature = (uint32_t)(dev->offered >>
					       32 * vp->offered_select);
	if (vp->accepted_select < 2)
		c->guest_feature = (uint32_t)(dev->accepted >>
					      32 * vp->accepted_select);
	c->msix_config = vp->config_vector;
	c->num_queues = (uint16_t)dev->queues;
	c->device_status = dev->status;
	c->config_generation = dev->generation;
	c->queue_select = vp->queue_select;
	c->queue_msix_vector = NO_VECTOR;
	if (!vq)
		return;
	c->queue_size = vq->size;
	c->queue_msix_vector = vp->queue_vector[vp->queue_select];
	c->queue_enable = vq->enabled;
	c->queue_desc_lo = (uint32_t)vq->desc_gpa;
	c->queue_desc_hi = (uint32_t)(vq->desc_gpa >> 32);
	c->queue_avail_lo = (uint32_t)vq->avail_gpa;
	c->queue_avail_hi = (uint32_t)(vq->avail_gpa >> 32);
	c->queue_used_lo = (uint32_t)vq->used_gpa;
	c->queue_used_hi = (uint32_t)(vq->used_gpa >> 32);
}

static void write_features(struct virtio_pci *vp, uint32_t value)
{
	struct virtio_dev *dev = vp->dev;
	unsigned int shift = 32 * vp->accepted_select;

	/* §3.1.1: settled with FEATURES_OK */
	if (vp->accepted_select > 1 || (dev->status & VIRTIO_FEATURES_OK))
		return;
	dev->accepted = (dev->accepted & ~(0xffffffffull << shift)) |
			(uint64_t)value << shift;
}

static void set_vector(struct virtio_pci *vp, uint16_t *to, uint32_t value)
{
	pthread_mutex_lock(&vp->irq_lock);
	*to = value < vectors(vp) ? (uint16_t)value : NO_VECTOR;
	pthread_mutex_unlock(&vp->irq_lock);
}

static void set_half(uint64_t *to, unsigned int shift, uint32_t value)
{
	*to = (*to & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/*
 * The fields of a queue.  They are settled once it is enabled, and all of them
 * once the driver is ready (§4.1.4.3.2, §3.1.1).
 */
static void write_queue(struct virtio_pci *vp, uint32_t off, uint32_t value)
{
	struct virtq *vq = selected(vp);

	if (!vq || vq->enabled || (vp->dev->status & VIRTIO_DRIVER_OK))
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		vq->size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		vq->enabled = value == 1;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_half(&vq->desc_gpa, 0, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&vq->desc_gpa, 32, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_half(&vq->avail_gpa, 0, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&vq->avail_gpa, 32, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_half(&vq->used_gpa, 0, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_half(&vq->used_gpa, 32, value);
		break;
	default:
		break;
	}
}

/* §4.1.3.1: each field is written as a whole; anything else is ignored. */
static void write_common(struct virtio_pci *vp, uint32_t off, unsigned int size,
			 uint32_t value)
{
	static const uint8_t width[] = {
		[VIRTIO_PCI_COMMON_DFSELECT] = 4,
		[VIRTIO_PCI_COMMON_GFSELECT] = 4,
		[VIRTIO_PCI_COMMON_GF] = 4,
		[VIRTIO_PCI_COMMON_MSIX] = 2,
		[VIRTIO_PCI_COMMON_STATUS] = 1,
		[VIRTIO_PCI_COMMON_Q_SELECT] = 2,
		[VIRTIO_PCI_COMMON_Q_SIZE] = 2,
		[VIRTIO_PCI_COMMON_Q_MSIX] = 2,
		[VIRTIO_PCI_COMMON_Q_ENABLE] = 2,
		[VIRTIO_PCI_COMMON_Q_DESCLO] = 4,
		[VIRTIO_PCI_COMMON_Q_DESCHI] = 4,
		[VIRTIO_PCI_COMMON_Q_AVAILLO] = 4,
		[VIRTIO_PCI_COMMON_Q_AVAILHI] = 4,
		[VIRTIO_PCI_COMMON_Q_USEDLO] = 4,
		[VIRTIO_PCI_COMMON_Q_USEDHI] = 4,
	};

	if (off >= sizeof(width) || width[off] != size)
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->offered_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->accepted_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		write_features(vp, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		set_vector(vp, &vp->config_vector, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_set_status(vp->dev, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		if (vp->queue_select < vp->dev->queues)
			set_vector(vp, &vp->queue_vector[vp->queue_select],
				   value);
		break;
	default:
		write_queue(vp, off, value);
		break;
	}
}

/* ---- MSI-X (PCI 3.0 §6.8.2) -------------------------------------------------- */

static void read_msix(struct virtio_pci *vp, uint32_t off, unsigned int size,
		      uint8_t *data)
{
	uint32_t entry[4 * VIRTIO_VECTORS] = { 0 };
	uint8_t pending[8] = { 0 };
	unsigned int i;

	memset(data, 0, size);
	pthread_mutex_lock(&vp->irq_lock);
	for (i = 0; i < vectors(vp); i++) {
		entry[4 * i] = (uint32_t)vp->message[i].addr;
		entry[4 * i + 1] = (uint32_t)(vp->message[i].addr >> 32);
		entry[4 * i + 2] = vp->message[i].data;
		entry[4 * i + 3] = vp->masked[i];
		if (vp->pending[i])
			pending[0] |= (uint8_t)(1u << i);
	}
	pthread_mutex_unlock(&vp->irq_lock);
	if (off + size <= 16 * vectors(vp))
		memcpy(data, (uint8_t *)entry + off, size);
	else if (off >= MSIX_PENDING && off + size <= MSIX_PENDING + 8)
		memcpy(data, pending + off - MSIX_PENDING, size);
}

static void write_msix(struct virtio_pci *vp, uint32_t off, unsigned int size,
		       uint32_t value)
{
	unsigned int vector = off / 16;
	struct msi *msi;

	if (size != 4 || off % 4 || vector >= vectors(vp))
		return;
	pthread_mutex_lock(&vp->irq_lock);
	msi = &vp->message[vector];
	switch (off % 16) {
	case 0:
		set_half(&msi->addr, 0, value & ~3u);
		break;
	case 4:
		set_half(&msi->addr, 32, value);
		break;
	case 8:
		msi->data = value;
		break;
	default:
		vp->masked[vector] = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
	/* A message is complete when its vector is open. */
	if (!vp->masked[vector])
		vp->msi->update(vp->msi->ctx, msi);
	send_pending(vp);
	pthread_mutex_unlock(&vp->irq_lock);
}

/* ---- the regions ------------------------------------------------------------ */

static void region_read(void *ctx, unsigned int bar, uint32_t off,
			unsigned int size, uint8_t *data)
{
	struct virtio_pci *vp = ctx;
	struct virtio_pci_common_cfg common;

	memset(data, 0, size);
	if (bar == BAR_MSIX) {
		read_msix(vp, off, size, data);
	} else if (bar == BAR_IO) {
		if (off == IO_ISR)
			data[0] = take_isr(vp);
	} else {
		pthread_mutex_lock(&vp->dev->lock);
		read_common(vp, &common);
		if (off + size <= sizeof(common))
			memcpy(data, (uint8_t *)&common + off, size);
		else if (off >= DEVICE_CONFIG && off + size <=
			 DEVICE_CONFIG + sizeof(vp->dev->config))
			memcpy(data, vp->dev->config + off - DEVICE_CONFIG,
			       size);
		pthread_mutex_unlock(&vp->dev->lock);
	}
}

static void region_write(void *ctx, unsigned int bar, uint32_t off,
			 unsigned int size, const uint8_t *data)
{
	struct virtio_pci *vp = ctx;
	uint32_t value = 0;

	memcpy(&value, data, size < sizeof(value) ? size : sizeof(value));
	if (bar == BAR_MSIX) {
		write_msix(vp, off, size, value);
	} else if (bar == BAR_CONFIG) {
		pthread_mutex_lock(&vp->dev->lock);
		write_common(vp, off, size, value);
		pthread_mutex_unlock(&vp->dev->lock);
	} else if (off == IO_NOTIFY && value < vp->dev->queues) {
		virtio_kick(vp->dev, value);
	}
}

/* §4.1.4.7: a window into the regions for who cannot reach them. */
static bool window(struct virtio_pci *vp, struct virtio_pci_cap *cap)
{
	memcpy(cap, &vp->pci.config[vp->cap_cfg], sizeof(*cap));
	return cap->bar < 6 && vp->pci.bar[cap->bar].size &&
	       (cap->length == 1 || cap->length == 2 || cap->length == 4) &&
	       cap->offset % cap->length == 0 &&
	       cap->offset <= vp->pci.bar[cap->bar].size - cap->length;
}

static bool overlaps(uint8_t off, unsigned int size, unsigned int at,
		     unsigned int len)
{
	return off < at + len && off + size > at;
}

static void config_read(void *ctx, uint8_t off, unsigned int size)
{
	struct virtio_pci *vp = ctx;
	unsigned int at = vp->cap_cfg + (unsigned int)sizeof(struct virtio_pci_cap);
	struct virtio_pci_cap cap;

	if (overlaps(off, size, at, 4) && window(vp, &cap))
		region_read(vp, cap.bar, cap.offset, cap.length,
			    &vp->pci.config[at]);
}

static void config_write(void *ctx, uint8_t off, unsigned int size)
{
	struct virtio_pci *vp = ctx;
	unsigned int at = vp->cap_cfg + (unsigned int)sizeof(struct virtio_pci_cap);
	const uint8_t *control = &vp->pci.config[vp->cap_msix + PCI_MSIX_FLAGS];
	struct virtio_pci_cap cap;

	if (overlaps(off, size, at, 4) && window(vp, &cap))
		region_write(vp, cap.bar, cap.offset, cap.length,
			     &vp->pci.config[at]);
	pthread_mutex_lock(&vp->irq_lock);
	vp->intx_off = vp->pci.config[PCI_COMMAND + 1] &
		       (PCI_COMMAND_INTX_DISABLE >> 8);
	if (vp->cap_msix) {
		vp->msix_on = control[1] & (PCI_MSIX_FLAGS_ENABLE >> 8);
		vp->msix_masked = control[1] & (PCI_MSIX_FLAGS_MASKALL >> 8);
		send_pending(vp);
	}
	drive_line(vp);
	pthread_mutex_unlock(&vp->irq_lock);
}

static void moved(void *ctx)
{
	struct virtio_pci *vp = ctx;
	uint16_t port = (uint16_t)pci_bar_addr(&vp->pci, BAR_IO);

	if (!vp->notify || port == vp->port)
		return;
	if (vp->port)
		vp->notify->set(vp->notify->ctx, vp->dev, vp->port, false);
	vp->port = port;
	if (port)
		vp->notify->set(vp->notify->ctx, vp->dev, port, true);
}

static const struct pci_dev_ops pci_ops = {
	region_read, region_write, moved, config_read, config_write
};

/* ---- identity and capabilities ----------------------------------------------- */

static void add_virtio_cap(struct virtio_pci *vp, uint8_t type, unsigned int bar,
			   uint32_t off, uint32_t len)
{
	unsigned int size = type == VIRTIO_PCI_CAP_NOTIFY_CFG ||
			    type == VIRTIO_PCI_CAP_PCI_CFG ? 20 : 16;
	uint8_t at = pci_add_cap(&vp->pci, PCI_CAP_ID_VNDR, size);
	struct virtio_pci_cap cap;

	memcpy(&cap, &vp->pci.config[at], sizeof(cap));
	cap.cap_len = (uint8_t)size;
	cap.cfg_type = type;
	cap.bar = (uint8_t)bar;
	cap.offset = off;
	cap.length = len;
	memcpy(&vp->pci.config[at], &cap, sizeof(cap));
	/* The notify capability's multiplier is 0: one address for all. */
	if (type != VIRTIO_PCI_CAP_PCI_CFG)
		return;
	vp->cap_cfg = at;
	vp->pci.writable[at + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(&vp->pci.writable[at + VIRTIO_PCI_CAP_OFFSET], 0xff, 12);
}

static void add_msix_cap(struct virtio_pci *vp)
{
	uint8_t at = pci_add_cap(&vp->pci, PCI_CAP_ID_MSIX, 12);
	uint8_t *cap = &vp->pci.config[at];

	vp->cap_msix = at;
	cap[PCI_MSIX_FLAGS] = (uint8_t)(vectors(vp) - 1);
	cap[PCI_MSIX_TABLE] = BAR_MSIX;
	cap[PCI_MSIX_PBA] = BAR_MSIX;
	cap[PCI_MSIX_PBA + 1] = MSIX_PENDING >> 8;
	vp->pci.writable[at + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
}

static void fill_identity(struct virtio_pci *vp)
{
	/* Class codes: mass storage, network, communication, encryption. */
	static const uint16_t class[] = {
		[VIRTIO_BLOCK] = 0x0180, [VIRTIO_NET] = 0x0200,
		[VIRTIO_CONSOLE] = 0x0780, [VIRTIO_ENTROPY] = 0x1080,
	};
	uint16_t device = (uint16_t)(0x1040 + vp->dev->type);
	uint8_t *c = vp->pci.config;

	/* §4.1.2: Red Hat's number; 1040h and the type; revision 1 or more */
	c[PCI_VENDOR_ID] = 0xf4;
	c[PCI_VENDOR_ID + 1] = 0x1a;
	c[PCI_DEVICE_ID] = (uint8_t)device;
	c[PCI_DEVICE_ID + 1] = (uint8_t)(device >> 8);
	c[PCI_REVISION_ID] = 1;
	c[PCI_CLASS_DEVICE] = (uint8_t)class[vp->dev->type];
	c[PCI_CLASS_DEVICE + 1] = (uint8_t)(class[vp->dev->type] >> 8);
	c[PCI_SUBSYSTEM_VENDOR_ID] = 0xf4;
	c[PCI_SUBSYSTEM_VENDOR_ID + 1] = 0x1a;
	c[PCI_SUBSYSTEM_ID + 1] = 0x11;
}

bool virtio_pci_add(struct virtio_pci *vp, struct virtio_dev *dev,
		    struct pci_bus *bus, const struct msi_sink *msi,
		    const struct notify_sink *notify)
{
	unsigned int i;

	memset(vp, 0, sizeof(*vp));
	vp->dev = dev;
	vp->msi = msi;
	vp->notify = notify;
	vp->pci.ops = &pci_ops;
	vp->pci.dev = vp;
	pthread_mutex_init(&vp->irq_lock, NULL);
	for (i = 0; i < VIRTIO_VECTORS; i++) {
		vp->message[i].gsi = -1;
		vp->message[i].fd = -1;
		vp->masked[i] = true;	/* §6.8.2.9: state after reset */
	}
	for (i = 0; i < VIRTIO_QUEUES; i++)
		vp->queue_vector[i] = NO_VECTOR;
	vp->config_vector = NO_VECTOR;
	dev->bus = vp;
	dev->bus_ops = &bus_ops;

	fill_identity(vp);
	vp->pci.bar[BAR_IO] = (struct pci_bar){ IO_SIZE, true };
	vp->pci.bar[BAR_CONFIG] = (struct pci_bar){ MEM_SIZE, false };
	add_virtio_cap(vp, VIRTIO_PCI_CAP_COMMON_CFG, BAR_CONFIG, 0,
		       sizeof(struct virtio_pci_common_cfg));
	add_virtio_cap(vp, VIRTIO_PCI_CAP_NOTIFY_CFG, BAR_IO, IO_NOTIFY, 2);
	add_virtio_cap(vp, VIRTIO_PCI_CAP_ISR_CFG, BAR_IO, IO_ISR, 1);
	add_virtio_cap(vp, VIRTIO_PCI_CAP_DEVICE_CFG, BAR_CONFIG, DEVICE_CONFIG,
		       dev->config_len ? dev->config_len : 4);
	add_virtio_cap(vp, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0);
	if (msi) {
		vp->pci.bar[BAR_MSIX] = (struct pci_bar){ MEM_SIZE, false };
		add_msix_cap(vp);
	}
	return pci_add(bus, &vp->pci);
}

void virtio_pci_destroy(struct virtio_pci *vp)
{
	unsigned int i;

	if (!vp->dev)
		return;
	for (i = 0; i < VIRTIO_VECTORS; i++)
		if (vp->message[i].fd >= 0)
			close(vp->message[i].fd);
	pthread_mutex_destroy(&vp->irq_lock);
}
