// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio devices: see virtio.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "virtio.h"

/* ---- vectors ---------------------------------------------------------------- */

static size_t iov_copy(const struct iovec *iov, unsigned int count, size_t at,
		       uint8_t *buf, size_t len, bool to_iov)
{
	size_t done = 0, n;
	unsigned int i;

	for (i = 0; i < count && done < len; i++) {
		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		n = iov[i].iov_len - at;
		if (n > len - done)
			n = len - done;
		if (to_iov)
			memcpy((uint8_t *)iov[i].iov_base + at, buf + done, n);
		else
			memcpy(buf + done, (uint8_t *)iov[i].iov_base + at, n);
		done += n;
		at = 0;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, unsigned int count, size_t at,
		void *to, size_t len)
{
	return iov_copy(iov, count, at, to, len, false);
}

size_t iov_write(const struct iovec *iov, unsigned int count, size_t at,
		 const void *from, size_t len)
{
	/* Only read through when it is the source. */
	return iov_copy(iov, count, at, (uint8_t *)(uintptr_t)from, len, true);
}

unsigned int iov_slice(const struct iovec *iov, unsigned int count, size_t at,
		       size_t len, struct iovec *to)
{
	unsigned int i, n = 0;
	size_t part;

	for (i = 0; i < count && len; i++) {
		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - at;
		if (part > len)
			part = len;
		to[n].iov_base = (uint8_t *)iov[i].iov_base + at;
		to[n].iov_len = part;
		n++;
		len -= part;
		at = 0;
	}
	return n;
}

/* ---- state ------------------------------------------------------------------ */

bool virtio_live(const struct virtio_dev *dev)
{
	return (dev->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) ==
	       VIRTIO_DRIVER_OK;
}

void virtio_break(struct virtio_dev *dev, const char *fmt, ...)
{
	char why[160];
	va_list ap;

	if (dev->status & VIRTIO_NEEDS_RESET)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	say("%s: the guest's driver broke the rules: %s; the device waits for a reset",
	    dev->name, why);
	dev->status |= VIRTIO_NEEDS_RESET;
	/* §2.1.2: the driver is told if it was ready. */
	if (dev->status & VIRTIO_DRIVER_OK)
		dev->bus_ops->config_irq(dev->bus);
}

static bool has(const struct virtio_dev *dev, uint64_t feature)
{
	return dev->accepted & feature;
}

/*
 * Looks at a queue as the driver has set it up: §2.6, sizes and alignments.
 */
static bool open_queue(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];
	uint64_t n = vq->size;

	if (!n || n > VIRTQ_SIZE || (n & (n - 1))) {
		virtio_break(dev, "queue %u has a size of %u", q, vq->size);
		return false;
	}
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4) {
		virtio_break(dev, "queue %u is not aligned", q);
		return false;
	}
	vq->desc = gmem_at(dev->mem, vq->desc_gpa, 16 * n);
	vq->avail = gmem_at(dev->mem, vq->avail_gpa, 6 + 2 * n);
	vq->used = gmem_at(dev->mem, vq->used_gpa, 6 + 8 * n);
	if (!vq->desc || !vq->avail || !vq->used) {
		virtio_break(dev, "queue %u lies outside the memory", q);
		return false;
	}
	vq->next_avail = 0;
	vq->next_used = 0;
	vq->signalled = 0;
	vq->signalled_valid = false;
	return true;
}

static void reset(struct virtio_dev *dev)
{
	unsigned int q;
	int kick_fd;

	for (q = 0; q < dev->queues; q++) {
		kick_fd = dev->vq[q].kick_fd;
		memset(&dev->vq[q], 0, sizeof(dev->vq[q]));
		dev->vq[q].kick_fd = kick_fd;
		dev->vq[q].size = VIRTQ_SIZE;
	}
	dev->status = 0;
	dev->accepted = 0;
	if (dev->ops->reset)
		dev->ops->reset(dev);
	dev->bus_ops->reset(dev->bus);
}

void virtio_kick(struct virtio_dev *dev, unsigned int q)
{
	const uint64_t one = 1;

	/* Only a full counter refuses, and it wakes just as well. */
	if (write(dev->vq[q].kick_fd, &one, sizeof(one)) < 0)
		return;
}

void virtio_set_status(struct virtio_dev *dev, uint8_t status)
{
	uint8_t fresh = status & (uint8_t)~dev->status;
	unsigned int q;

	if (!status) {
		reset(dev);
		return;
	}
	/* Bits are only added (§2.1.1); NEEDS_RESET is ours. */
	dev->status |= status & (uint8_t)~VIRTIO_NEEDS_RESET;
	/*
	 * §2.2.2: features we did not offer, or a driver that does not know
	 * how modern devices work, do not get FEATURES_OK.
	 */
	if ((fresh & VIRTIO_FEATURES_OK) &&
	    ((dev->accepted & ~dev->offered) || !has(dev, VIRTIO_VERSION_1)))
		dev->status &= (uint8_t)~VIRTIO_FEATURES_OK;
	if (!(fresh & VIRTIO_DRIVER_OK))
		return;
	if (!(dev->status & VIRTIO_FEATURES_OK)) {
		virtio_break(dev, "DRIVER_OK without FEATURES_OK");
		return;
	}
	for (q = 0; q < dev->queues; q++)
		if (dev->vq[q].enabled && !open_queue(dev, q))
			return;
	/* What was made available before is seen now. */
	for (q = 0; q < dev->queues; q++)
		virtio_kick(dev, q);
}

/* ---- queues ----------------------------------------------------------------- */

/* §2.6.6: entries the driver has made available and we have not taken. */
static int available(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];
	uint16_t count;

	if (!virtio_live(dev) || !vq->enabled)
		return 0;
	count = (uint16_t)(gmem_read16(&vq->avail->idx) - vq->next_avail);
	if (count > vq->size) {
		virtio_break(dev, "queue %u: %u entries in a ring of %u",
			     q, count, vq->size);
		return 0;
	}
	return count;
}

/* The two fields behind the rings, of VIRTIO_EVENT_IDX (§2.6.7, §2.6.10). */
static uint16_t *used_event(const struct virtq *vq)
{
	return &vq->avail->ring[vq->size];
}

static uint16_t *avail_event(const struct virtq *vq)
{
	return (uint16_t *)&vq->used->ring[vq->size];
}

bool virtq_waiting(struct virtio_dev *dev, unsigned int q)
{
	return available(dev, q) > 0;
}

/* As virtq_waiting(), and when there is nothing asks for a notification. */
static bool next_or_ask(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];

	if (available(dev, q))
		return true;
	if (!virtio_live(dev) || !vq->enabled || !has(dev, VIRTIO_EVENT_IDX))
		return false;
	gmem_write16(avail_event(vq), vq->next_avail);
	/*
	 * The driver writes its index and reads our wish then; we write our
	 * wish and read its index.  One of us sees the other's (§2.6.7.1).
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return available(dev, q);
}

/* Adds one descriptor to the chain, or breaks the device. */
static bool add(struct virtio_dev *dev, struct vchain *c,
		const struct vring_desc *desc)
{
	void *at = gmem_at(dev->mem, desc->addr, desc->len);
	struct iovec *iov;

	if (!at) {
		virtio_break(dev, "a buffer of %u bytes at 0x%llx lies outside the memory",
			     desc->len, (unsigned long long)desc->addr);
		return false;
	}
	if (desc->flags & VRING_DESC_F_WRITE) {
		iov = &c->in[c->in_count++];
		c->in_len += desc->len;
	} else if (c->in_count) {
		/* §2.6.4.2 */
		virtio_break(dev, "a buffer to read behind one to write");
		return false;
	} else {
		iov = &c->out[c->out_count++];
		c->out_len += desc->len;
	}
	iov->iov_base = at;
	iov->iov_len = desc->len;
	return true;
}

static struct vring_desc read_desc(const struct vring_desc *table, unsigned int n)
{
	struct vring_desc copy;

	memcpy(&copy, (const void *)&table[n], sizeof(copy));
	/* The compiler is not to read the guest's memory a second time. */
	__asm__ __volatile__("" : "+m"(copy));
	return copy;
}

/* §2.6.5: the chain from @n on, and the table that one may refer to. */
static bool walk(struct virtio_dev *dev, struct virtq *vq, struct vchain *c,
		 unsigned int n)
{
	const struct vring_desc *table = vq->desc;
	unsigned int size = vq->size, seen = 0;
	struct vring_desc desc;
	bool indirect = false;

	for (;;) {
		if (n >= size) {
			virtio_break(dev, "descriptor %u of %u", n, size);
			return false;
		}
		/* §2.6.5.3.1: no chain is longer than the queue. */
		if (seen++ >= vq->size) {
			virtio_break(dev, "a chain longer than its queue, or a loop");
			return false;
		}
		desc = read_desc(table, n);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (indirect || (desc.flags & VRING_DESC_F_NEXT) ||
			    !has(dev, VIRTIO_INDIRECT)) {
				virtio_break(dev, "an indirect table where none may be");
				return false;
			}
			table = gmem_at(dev->mem, desc.addr, desc.len);
			if (!table || !desc.len || desc.len % sizeof(desc) ||
			    desc.addr % sizeof(desc)) {
				virtio_break(dev, "an indirect table of %u bytes at 0x%llx",
					     desc.len, (unsigned long long)desc.addr);
				return false;
			}
			size = desc.len / sizeof(desc);
			indirect = true;
			n = 0;
			/* It stands for the chain, not for a part of it. */
			seen--;
			continue;
		}
		if (!add(dev, c, &desc))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		n = desc.next;
	}
}

bool virtq_pop(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];
	struct vchain *c = &dev->chain;

	if (!next_or_ask(dev, q))
		return false;
	c->head = gmem_read16(&vq->avail->ring[vq->next_avail % vq->size]);
	c->out_count = 0;
	c->in_count = 0;
	c->out_len = 0;
	c->in_len = 0;
	if (!walk(dev, vq, c, c->head))
		return false;
	vq->next_avail++;
	return true;
}

void virtq_unpop(struct virtio_dev *dev, unsigned int q)
{
	dev->vq[q].next_avail--;
}

void virtq_push(struct virtio_dev *dev, unsigned int q, size_t written)
{
	struct virtq *vq = &dev->vq[q];
	struct vring_used_elem *e = &vq->used->ring[vq->next_used % vq->size];

	e->id = dev->chain.head;
	e->len = (uint32_t)written;
	vq->next_used++;
	gmem_write16(&vq->used->idx, vq->next_used);
}

/* §2.6.7.2: has the index passed the one the driver waits for? */
static bool wants_irq(struct virtio_dev *dev, struct virtq *vq)
{
	uint16_t old = vq->signalled;
	bool valid = vq->signalled_valid;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!has(dev, VIRTIO_EVENT_IDX))
		return !(gmem_read16(&vq->avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	vq->signalled = vq->next_used;
	vq->signalled_valid = true;
	return !valid || vring_need_event(gmem_read16(used_event(vq)),
					  vq->next_used, old);
}

void virtq_signal(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];

	if (virtio_live(dev) && vq->enabled && wants_irq(dev, vq))
		dev->bus_ops->queue_irq(dev->bus, q);
}

/* ---- the thread ------------------------------------------------------------- */

int pollset_add(struct pollset *set, int fd, short events)
{
	struct pollfd *fds;
	size_t room;

	if (set->count == set->room) {
		room = set->room ? 2 * set->room : 16;
		fds = realloc(set->fds, room * sizeof(*fds));
		if (!fds)
			return -1;
		set->fds = fds;
		set->room = room;
	}
	set->fds[set->count] = (struct pollfd){ .fd = fd, .events = events };
	return (int)set->count++;
}

/* One round: false when the thread is to end. */
static bool serve(struct virtio_dev *dev, struct pollset *set)
{
	unsigned int q, fixed;
	uint64_t count;

	set->count = 0;
	set->timeout = -1;
	pollset_add(set, dev->stop_fd, POLLIN);
	for (q = 0; q < dev->queues; q++)
		pollset_add(set, dev->vq[q].kick_fd, POLLIN);
	fixed = (unsigned int)set->count;
	pthread_mutex_lock(&dev->lock);
	if (dev->ops->fill)
		dev->ops->fill(dev, set);
	pthread_mutex_unlock(&dev->lock);
	if (fixed != dev->queues + 1 ||
	    (poll(set->fds, set->count, set->timeout) < 0 && errno != EINTR))
		return false;
	if (set->fds[0].revents)
		return false;
	pthread_mutex_lock(&dev->lock);
	for (q = 0; q < dev->queues; q++) {
		if (!set->fds[1 + q].revents ||
		    read(dev->vq[q].kick_fd, &count, sizeof(count)) < 0)
			continue;
		if (virtio_live(dev) && dev->vq[q].enabled)
			dev->ops->queue(dev, q);
	}
	if (dev->ops->ready)
		dev->ops->ready(dev, set);
	pthread_mutex_unlock(&dev->lock);
	return true;
}

static void *device_main(void *arg)
{
	struct virtio_dev *dev = arg;
	struct pollset set = { NULL, 0, 0, -1 };

	prctl(PR_SET_NAME, dev->name);
	while (serve(dev, &set))
		;
	free(set.fds);
	return NULL;
}

int virtio_init(struct virtio_dev *dev, const struct gmem *mem, struct diag *d)
{
	unsigned int q;
	bool good;

	dev->mem = mem;
	dev->offered |= VIRTIO_INDIRECT | VIRTIO_EVENT_IDX | VIRTIO_VERSION_1;
	pthread_mutex_init(&dev->lock, NULL);
	dev->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	good = dev->stop_fd >= 0;
	for (q = 0; q < dev->queues; q++) {
		dev->vq[q].size = VIRTQ_SIZE;
		dev->vq[q].kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		good = good && dev->vq[q].kick_fd >= 0;
	}
	if (!good)
		return diag_set(d, "no file descriptors for the %s: %s",
				dev->name, strerror(errno));
	return 0;
}

int virtio_start(struct virtio_dev *dev, struct diag *d)
{
	int err = pthread_create(&dev->thread, NULL, device_main, dev);

	if (err)
		return diag_set(d, "the thread of the %s cannot be started: %s",
				dev->name, strerror(err));
	dev->running = true;
	return 0;
}

void virtio_stop(struct virtio_dev *dev)
{
	const uint64_t one = 1;

	if (!dev->running)
		return;
	if (write(dev->stop_fd, &one, sizeof(one)) < 0)
		say("the thread of the %s cannot be woken: %s", dev->name,
		    strerror(errno));
	pthread_join(dev->thread, NULL);
	dev->running = false;
}

void virtio_destroy(struct virtio_dev *dev)
{
	unsigned int q;

	if (!dev->mem)		/* virtio_init() was not reached */
		return;
	if (dev->stop_fd >= 0)
		close(dev->stop_fd);
	for (q = 0; q < dev->queues; q++)
		if (dev->vq[q].kick_fd >= 0)
			close(dev->vq[q].kick_fd);
	pthread_mutex_destroy(&dev->lock);
}
