// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio console: see virtio_console.h.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "virtio_console.h"

#define RX	0u
#define TX	1u

static void finish(struct virtio_console *c)
{
	c->out_busy = false;
	c->dev.chain.head = c->out.head;
	virtq_push(&c->dev, TX, 0);
	virtq_signal(&c->dev, TX);
}

/* The next chain to write, if none is under way. */
static void begin(struct virtio_console *c)
{
	while (!c->out_busy && virtio_live(&c->dev) && c->dev.vq[TX].enabled &&
	       virtq_pop(&c->dev, TX)) {
		c->out = c->dev.chain;
		c->out_done = 0;
		c->out_busy = true;
		c->heard = true;
		if (c->out_dead || !c->out.out_len)
			finish(c);
	}
}

static void write_some(struct virtio_console *c)
{
	/* A writable pipe takes that much without blocking. */
	uint8_t bytes[PIPE_BUF];
	size_t len = iov_read(c->out.out, c->out.out_count, c->out_done, bytes,
			      sizeof(bytes));
	ssize_t n = write(c->out_fd, bytes, len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		c->out_dead = true;
		say("the guest's console output cannot be written (%s) and is dropped from here on",
		    strerror(errno));
	}
	c->out_done += n > 0 ? (size_t)n : 0;
	if (c->out_dead || c->out_done >= c->out.out_len)
		finish(c);
}

static void give_input(struct virtio_console *c)
{
	struct virtio_dev *dev = &c->dev;
	uint8_t bytes[CONSOLE_QUEUE];
	unsigned int fill, n;
	bool room = false;

	while (c->heard && virtio_live(dev) && dev->vq[RX].enabled) {
		pthread_mutex_lock(&c->in_lock);
		fill = c->head - c->tail;
		pthread_mutex_unlock(&c->in_lock);
		if (!fill || !virtq_pop(dev, RX))
			break;
		pthread_mutex_lock(&c->in_lock);
		for (n = 0; n < fill && n < dev->chain.in_len; n++)
			bytes[n] = c->in[c->tail++ % CONSOLE_QUEUE];
		if (c->was_full && c->head - c->tail <= CONSOLE_QUEUE / 2) {
			c->was_full = false;
			room = true;
		}
		pthread_mutex_unlock(&c->in_lock);
		iov_write(dev->chain.in, dev->chain.in_count, 0, bytes, n);
		virtq_push(dev, RX, n);
		virtq_signal(dev, RX);
	}
	if (room)
		c->room(c->ctx);
}

static void console_queue(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_console *c = dev->ops_data;

	if (q == TX)
		begin(c);
	give_input(c);
}

static void console_fill(struct virtio_dev *dev, struct pollset *set)
{
	struct virtio_console *c = dev->ops_data;

	c->out_at = c->out_busy ? pollset_add(set, c->out_fd, POLLOUT) : -1;
}

static void console_ready(struct virtio_dev *dev, const struct pollset *set)
{
	struct virtio_console *c = dev->ops_data;

	if (c->out_at < 0 || !set->fds[c->out_at].revents)
		return;
	/* A reset may have come while the reader was waited for. */
	if (c->out_busy && virtio_live(dev))
		write_some(c);
	begin(c);
}

static void console_reset(struct virtio_dev *dev)
{
	struct virtio_console *c = dev->ops_data;

	c->out_busy = false;
	c->heard = false;
}

static const struct virtio_ops console_ops = {
	.queue = console_queue,
	.fill = console_fill,
	.ready = console_ready,
	.reset = console_reset,
};

size_t console_room(struct virtio_console *c)
{
	size_t room;

	pthread_mutex_lock(&c->in_lock);
	room = CONSOLE_QUEUE - (c->head - c->tail);
	pthread_mutex_unlock(&c->in_lock);
	return room;
}

void console_receive(struct virtio_console *c, const uint8_t *bytes, size_t len)
{
	size_t i;

	pthread_mutex_lock(&c->in_lock);
	for (i = 0; i < len && c->head - c->tail < CONSOLE_QUEUE; i++)
		c->in[c->head++ % CONSOLE_QUEUE] = bytes[i];
	/* Who reads input waits while there is room for less than two bytes. */
	if (c->head - c->tail >= CONSOLE_QUEUE - 1)
		c->was_full = true;
	pthread_mutex_unlock(&c->in_lock);
	virtio_kick(&c->dev, RX);
}

void console_open(struct virtio_console *c, int out_fd,
		  void (*room)(void *ctx), void *ctx)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->in_lock, NULL);
	c->out_fd = out_fd;
	c->out_at = -1;
	c->room = room;
	c->ctx = ctx;
	c->dev = (struct virtio_dev){
		.ops = &console_ops,
		.ops_data = c,
		.name = "console",
		.type = VIRTIO_CONSOLE,
		.queues = 2,
	};
}

void console_close(struct virtio_console *c)
{
	pthread_mutex_destroy(&c->in_lock);
}
