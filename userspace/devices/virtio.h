/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio devices: what all of them share, whatever bus they are on.
 *
 * Facts: Virtual I/O Device (VIRTIO) Version 1.1, OASIS; its sections are
 * named where they are followed.  Split virtqueues only; devices are "modern"
 * ones (VIRTIO_F_VERSION_1).
 *
 * The driver is not trusted.  Whatever it puts into a queue is either carried
 * out within guest RAM or breaks the device: then it stops touching its
 * queues, says why in one line, shows DEVICE_NEEDS_RESET (§2.1.2), and works
 * again after the driver has reset it.
 *
 * Threads: each device has one, which waits for its queues' eventfds and what
 * its back end wants waited for, and does all the work.  vCPUs touch the
 * device's registers only.  dev->lock guards all but the eventfds.  Who holds
 * it may raise interrupts; who holds an interrupt controller's lock may not
 * take it.
 */
#ifndef RINGVM_VIRTIO_H
#define RINGVM_VIRTIO_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/virtio_ring.h>

#include "../diag.h"
#include "gmem.h"

#define VIRTIO_QUEUES		2u	/* the most that a device here has */
#define VIRTQ_SIZE		256u	/* the most entries of a queue */

/* §5, device types */
#define VIRTIO_NET		1
#define VIRTIO_BLOCK		2
#define VIRTIO_CONSOLE		3
#define VIRTIO_ENTROPY		4

/* §2.1, device status */
#define VIRTIO_ACKNOWLEDGE	0x01
#define VIRTIO_DRIVER		0x02
#define VIRTIO_DRIVER_OK	0x04
#define VIRTIO_FEATURES_OK	0x08
#define VIRTIO_NEEDS_RESET	0x40
#define VIRTIO_FAILED		0x80

/* §6, reserved feature bits */
#define VIRTIO_F(n)		(1ull << (n))
#define VIRTIO_INDIRECT		VIRTIO_F(28)
#define VIRTIO_EVENT_IDX	VIRTIO_F(29)
#define VIRTIO_VERSION_1	VIRTIO_F(32)

/*
 * A queue.  What the driver sets (size, enabled, the three addresses) is
 * looked at when the driver says that it is ready; the pointers are valid
 * from then on.
 */
struct virtq {
	uint16_t size;
	bool enabled;
	uint64_t desc_gpa, avail_gpa, used_gpa;

	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail;		/* ring index to take next */
	uint16_t next_used;		/* used index to publish next */
	uint16_t signalled;		/* used index at the last interrupt */
	bool signalled_valid;
	int kick_fd;			/* eventfd: the driver notified us */
};

/* A chain of descriptors, taken from a queue: all of it within guest RAM. */
struct vchain {
	uint16_t head;
	unsigned int out_count, in_count;
	size_t out_len, in_len;
	struct iovec out[VIRTQ_SIZE];	/* the device reads */
	struct iovec in[VIRTQ_SIZE];	/* the device writes */
};

/* What a device's thread waits for. */
struct pollset {
	struct pollfd *fds;
	size_t count, room;
	int timeout;			/* ms, -1 for ever */
};

/* The index of @fd in set->fds, or -1 when there is no memory. */
int pollset_add(struct pollset *set, int fd, short events);

struct virtio_dev;

struct virtio_ops {
	/*
	 * All are called with dev->lock held, by the device's thread but for
	 * reset.  Each may be NULL but for queue.
	 *
	 * The driver notified of queue @q: do what can be done.
	 */
	void (*queue)(struct virtio_dev *dev, unsigned int q);
	/* Adds to what is waited for; the driver may not be ready yet. */
	void (*fill)(struct virtio_dev *dev, struct pollset *set);
	/* After the wait: looks at what fill() added. */
	void (*ready)(struct virtio_dev *dev, const struct pollset *set);
	/* The driver reset the device; by a vCPU. */
	void (*reset)(struct virtio_dev *dev);
};

/* The bus the device is on; called with dev->lock held. */
struct virtio_bus_ops {
	void (*queue_irq)(void *bus, unsigned int q);
	void (*config_irq)(void *bus);
	void (*reset)(void *bus);	/* the driver reset the device */
};

struct virtio_dev {
	const struct virtio_ops *ops;
	void *ops_data;			/* the device */
	const struct virtio_bus_ops *bus_ops;
	void *bus;
	const struct gmem *mem;
	const char *name;		/* in messages: "disk root.img" */
	uint16_t type;
	unsigned int queues;
	uint64_t offered;		/* features */
	uint8_t config[64];		/* device-specific configuration */
	unsigned int config_len;

	pthread_mutex_t lock;
	uint64_t accepted;		/* by the driver */
	uint8_t status;
	uint8_t generation;		/* of the configuration */
	struct virtq vq[VIRTIO_QUEUES];
	struct vchain chain;		/* the thread's, for one at a time */

	pthread_t thread;
	bool running;
	int stop_fd;			/* eventfd: the thread is to end */
};

/*
 * Fills what all devices share; the device has set ops, name, type, queues,
 * offered (its own bits), config before, and keeps @mem.  0, or -1 and @d.
 */
int virtio_init(struct virtio_dev *dev, const struct gmem *mem, struct diag *d);
int virtio_start(struct virtio_dev *dev, struct diag *d);
/* Ends the thread if there is one; both are fine on a device not made. */
void virtio_stop(struct virtio_dev *dev);
void virtio_destroy(struct virtio_dev *dev);

/* The driver notified of queue @q; any thread, any lock. */
void virtio_kick(struct virtio_dev *dev, unsigned int q);

/* ---- for the bus; dev->lock held ---- */

/* Writes to device status: 0 resets. */
void virtio_set_status(struct virtio_dev *dev, uint8_t status);

/* ---- for the devices; dev->lock held, by the device's thread ---- */

/* The driver has set the device up, and it is not broken. */
bool virtio_live(const struct virtio_dev *dev);

/*
 * Takes the next chain into dev->chain: true, or false if there is none, or
 * what there is broke the device.  After false the driver notifies again.
 */
bool virtq_pop(struct virtio_dev *dev, unsigned int q);

/* Something to pop?  Does not ask for a notification. */
bool virtq_waiting(struct virtio_dev *dev, unsigned int q);

/* Puts the chain back, @written bytes of its "in" part filled. */
void virtq_push(struct virtio_dev *dev, unsigned int q, size_t written);

/* Takes the last pop back: the chain will come again. */
void virtq_unpop(struct virtio_dev *dev, unsigned int q);

/* Interrupts the driver if it wants that; after a batch of pushes. */
void virtq_signal(struct virtio_dev *dev, unsigned int q);

void virtio_break(struct virtio_dev *dev, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Copies between a buffer and part of a vector, from byte @at of it on.
 * Returns what was copied: less than @len at the vector's end.
 */
size_t iov_read(const struct iovec *iov, unsigned int count, size_t at,
		void *to, size_t len);
size_t iov_write(const struct iovec *iov, unsigned int count, size_t at,
		 const void *from, size_t len);

/*
 * The part [@at, @at + @len) of a vector, as another one, @to, of as much
 * room.  Returns its count.
 */
unsigned int iov_slice(const struct iovec *iov, unsigned int count, size_t at,
		       size_t len, struct iovec *to);

#endif
